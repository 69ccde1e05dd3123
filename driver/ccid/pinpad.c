/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/ccid/pinpad.h"

enum {
	OPERATION_VERIFY = 0,
	OPERATION_MODIFY = 1,
	FORMAT_ASCII = 0x82,		/* bmFormatString: bytes, at 0, left-justified, ASCII */
	VALIDATE_BY_KEY = 0x02,		/* bEntryValidationCondition: the person says when */
	CONFIRM_AND_ASK_OLD = 0x03,	/* bConfirmPIN */
	LANGUAGE_ENGLISH = 0x0409,
};

/* [CCID PIN verification data structure], a line a field. */
static void pack_verify(struct packer *p, const struct pinpad *pinpad)
{
	pack_u8(p, OPERATION_VERIFY);
	pack_u8(p, pinpad->timeout_s);
	pack_u8(p, FORMAT_ASCII);
	pack_u8(p, pinpad->block);	/* bmPINBlockString: no length goes into the command */
	pack_u8(p, 0);			/* bmPINLengthFormat */
	pack_u8(p, pinpad->max);	/* wPINMaxExtraDigit */
	pack_u8(p, pinpad->min);
	pack_u8(p, VALIDATE_BY_KEY);
	pack_u8(p, 1);			/* bNumberMessage */
	pack_le16(p, LANGUAGE_ENGLISH);
	pack_u8(p, 0);			/* bMsgIndex: "PIN?" */
}

/* [CCID PIN modification data structure] */
static void pack_modify(struct packer *p, const struct pinpad *pinpad)
{
	pack_u8(p, OPERATION_MODIFY);
	pack_u8(p, pinpad->timeout_s);
	pack_u8(p, FORMAT_ASCII);
	pack_u8(p, pinpad->block);
	pack_u8(p, 0);
	pack_u8(p, 0);			/* bInsertionOffsetOld, in the data field */
	pack_u8(p, pinpad->block);	/* bInsertionOffsetNew */
	pack_u8(p, pinpad->max);
	pack_u8(p, pinpad->min);
	pack_u8(p, CONFIRM_AND_ASK_OLD);
	pack_u8(p, VALIDATE_BY_KEY);
	pack_u8(p, 3);			/* bNumberMessage: old, new, again */
	pack_le16(p, LANGUAGE_ENGLISH);
	pack_u8(p, 0);
	pack_u8(p, 1);
	pack_u8(p, 2);
}

void pinpad_pack(struct packer *p, const struct pinpad *pinpad)
{
	if (pinpad->modify)
		pack_modify(p, pinpad);
	else
		pack_verify(p, pinpad);
	pack_bytes(p, BYTES_OF(pinpad->prologue));	/* bTeoPrologue */
	pack_bytes(p, pinpad->apdu);
}
