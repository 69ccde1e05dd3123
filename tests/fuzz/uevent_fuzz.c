/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message as it comes from the socket; what is read of it lies inside it. */
#include "daemon/monitor/uevent.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct bytes part, const uint8_t *data, size_t size)
{
	if (part.n == 0 || part.p < data || part.p + part.n > data + size ||
	    memchr(part.p, 0, part.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uevent event;

	if (uevent_parse(BYTES(data, size), &event) < 0)
		return 0;
	inside(event.action, data, size);
	inside(event.devpath, data, size);
	inside(event.subsystem, data, size);
	if (event.devpath.p[0] != '/')
		abort();
	(void)uevent_is_usb(&event);
	return 0;
}
