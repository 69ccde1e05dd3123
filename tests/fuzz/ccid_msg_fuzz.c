/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bulk-IN messages, the parameters inside, and interrupt messages. */
#include "driver/ccid/msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void notices(struct bytes raw)
{
	struct unpacker u = unpack_begin(raw);
	struct ccid_notice notice;

	while (ccid_notice_next(&u, 32, &notice) > 0)
		if (notice.type != CCID_NOTICE_SLOTS && notice.type != CCID_NOTICE_HARDWARE)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ccid_parameters parameters;
	struct ccid_reply reply;

	notices(BYTES(data, size));
	if (ccid_reply_parse(BYTES(data, size), &reply) < 0)
		return 0;
	if (reply.data.n + reply.surplus + 10 != size || reply.icc > CCID_ICC_ABSENT ||
	    reply.outcome > CCID_MORE_TIME)
		abort();
	(void)ccid_reply_errno(&reply);
	if (ccid_parameters_parse(&reply, &parameters) == 0) {
		uint8_t buf[7];
		struct packer p = pack_begin(buf, sizeof(buf));

		ccid_parameters_pack(&p, &parameters);
		if (pack_done(&p).n != reply.data.n)
			abort();
	}
	return 0;
}
