/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/reader/spoil.h"

struct packer spoil_begin(struct line *line, struct bytes message)
{
	struct packer p = pack_begin(line->spoilt, LINE_PACKET_MAX - 1);

	pack_bytes(&p, message);
	return p;
}

bool spoil_send(struct line *line, struct packer *p)
{
	line_send(line, LINE_BULK, pack_done(p));
	wipe(line->spoilt, p->n);
	return true;
}

bool spoil_send_changed(struct line *line, struct bytes message, size_t at, uint8_t value)
{
	struct packer p = spoil_begin(line, message);

	if (at < p.n)
		p.p[at] = value;
	return spoil_send(line, &p);
}

bool spoil_send_failure(struct line *line, struct bytes message, uint8_t status, uint8_t error)
{
	struct packer p = spoil_begin(line, bytes_slice(message, 0, 10));

	memset(p.p + 1, 0, 4);
	p.p[7] = status;
	p.p[8] = error;
	p.p[9] = 0;
	return spoil_send(line, &p);
}

bool spoil_withhold(struct line *line, struct bytes message)
{
	(void)line;
	(void)message;
	return true;
}
