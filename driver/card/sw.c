/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/sw.c - A table, looked up from the top. A verb that knows more than the word says
 * (an occupied container answers 6985, too) refines the meaning itself.
 */
#include "driver/card/sw.h"

#include "format/numbers.h"
#include "keyferry/proto.h"

#include <errno.h>
#include <stddef.h>

static const struct sw_row {
	uint16_t sw, mask;
	int error;
	uint16_t reason;
	uint16_t detail_mask;		/* bits of the word that are the detail */
} rows[] = {
	{ SW_OK,		0xffff, 0,		KF_REASON_NONE,		0 },
	{ SW_MORE,		0xff00, -EBADMSG,	KF_REASON_NONE,		0 },
	{ 0x6c00,		0xff00, -EBADMSG,	KF_REASON_NONE,		0 },
	{ SW_TRIES,		0xfff0, -EKEYREJECTED,	KF_REASON_PIN_WRONG,	0x000f },
	{ SW_BLOCKED,	0xffff, -EKEYREVOKED,	KF_REASON_NONE,		0 },
	{ SW_PIN_NEEDED,	0xffff, -EPERM,		KF_REASON_PIN_NEEDED,	0 },
	{ SW_CHANNEL,		0xffff, -EOPNOTSUPP,	KF_REASON_NONE,		0 },
	{ SW_SECURE_MESSAGING,		0xffff, -EOPNOTSUPP,	KF_REASON_NONE,		0 },
	{ 0x6a81,		0xffff, -EOPNOTSUPP,	KF_REASON_NONE,		0 },
	{ SW_NO_APPLICATION,	0xffff, -ENOENT,	KF_REASON_NONE,		0 },
	{ 0x6a83,		0xffff, -ENOENT,	KF_REASON_NONE,		0 },
	{ SW_NO_OBJECT,		0xffff, -ENOENT,	KF_REASON_NONE,		0 },
	{ SW_FULL,		0xffff, -ENOSPC,	KF_REASON_NONE,		0 },
	{ 0x6a89,		0xffff, -EEXIST,	KF_REASON_NONE,		0 },
	{ SW_INS,		0xffff, -EOPNOTSUPP,	KF_REASON_NONE,		0 },
	{ SW_CLA,		0xffff, -EOPNOTSUPP,	KF_REASON_NONE,		0 },
	{ 0x6000,		0xffff, -EBADMSG,	KF_REASON_NONE,		0 },	/* NULL of T=0 */
	{ 0x6000,		0xf000, -EREMOTEIO,	KF_REASON_NONE,		0 },
	{ 0x9000,		0xf000, -EREMOTEIO,	KF_REASON_NONE,		0 },
};

struct sw_meaning sw_meaning(uint16_t sw)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct sw_row *row = &rows[i];

		if ((sw & row->mask) == row->sw)
			return (struct sw_meaning){
				.error = row->error,
				.reason = row->reason,
				.detail = sw & row->detail_mask,
			};
	}
	return (struct sw_meaning){ .error = -EBADMSG };	/* SW1 is 6x or 9x, always */
}
