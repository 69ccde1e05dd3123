/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/msg.c - Commands are made without an address, because a command that a busy reader
 * refuses is sent again under a new sequence number.
 */
#include "driver/ccid/msg.h"

#include <errno.h>

static struct ccid_command plain(uint8_t type)
{
	return (struct ccid_command){ .type = type, .data = BYTES_NONE };
}

struct ccid_command ccid_power_on(enum ccid_power power)
{
	return (struct ccid_command){ .type = CCID_POWER_ON, .param = { (uint8_t)power } };
}

struct ccid_command ccid_power_off(void)
{
	return plain(CCID_POWER_OFF);
}

struct ccid_command ccid_get_slot_status(void)
{
	return plain(CCID_GET_SLOT_STATUS);
}

struct ccid_command ccid_get_parameters(void)
{
	return plain(CCID_GET_PARAMETERS);
}

struct ccid_command ccid_reset_parameters(void)
{
	return plain(CCID_RESET_PARAMETERS);
}

struct ccid_command ccid_abort(void)
{
	return plain(CCID_ABORT);
}

static struct ccid_command transfer(uint8_t type, uint8_t bwi, uint16_t level, struct bytes data)
{
	return (struct ccid_command){
		.type = type,
		.param = { bwi, (uint8_t)level, (uint8_t)(level >> 8) },
		.data = data,
	};
}

struct ccid_command ccid_xfr_block(uint8_t bwi, uint16_t level, struct bytes block)
{
	return transfer(CCID_XFR_BLOCK, bwi, level, block);
}

struct ccid_command ccid_secure(uint8_t bwi, uint16_t level, struct bytes structure)
{
	return transfer(CCID_SECURE, bwi, level, structure);
}

struct ccid_command ccid_escape(struct bytes data)
{
	return (struct ccid_command){ .type = CCID_ESCAPE, .data = data };
}

struct ccid_command ccid_set_parameters(uint8_t protocol, struct bytes payload)
{
	return (struct ccid_command){
		.type = CCID_SET_PARAMETERS, .param = { protocol }, .data = payload,
	};
}

struct ccid_command ccid_set_rate(struct bytes payload)
{
	return (struct ccid_command){ .type = CCID_SET_RATE, .data = payload };
}

void ccid_command_pack(struct packer *p, struct ccid_addr to, const struct ccid_command *command)
{
	pack_u8(p, command->type);
	pack_le32(p, (uint32_t)command->data.n);	/* dwLength: payload only */
	pack_u8(p, to.slot);
	pack_u8(p, to.seq);
	pack_bytes(p, BYTES_OF(command->param));
	pack_bytes(p, command->data);
}

uint8_t ccid_answer_to(uint8_t type)
{
	switch (type) {
	case CCID_POWER_ON:
	case CCID_XFR_BLOCK:
	case CCID_SECURE:
		return CCID_DATA_BLOCK;
	case CCID_SET_PARAMETERS:
	case CCID_GET_PARAMETERS:
	case CCID_RESET_PARAMETERS:
		return CCID_PARAMETERS;
	case CCID_ESCAPE:
		return CCID_ESCAPE_REPLY;
	case CCID_SET_RATE:
		return CCID_RATE_REPLY;
	default:
		return CCID_SLOT_STATUS;
	}
}

/* [CCID bStatus]: bits 2 to 5 are reserved and ignored, the value 3 of either field refused. */
static int status_parse(uint8_t status, enum ccid_icc *icc, enum ccid_outcome *outcome)
{
	if ((status & 0x03) == 0x03 || status >> 6 == 3)
		return -EBADMSG;
	*icc = (enum ccid_icc)(status & 0x03);
	*outcome = (enum ccid_outcome)(status >> 6);
	return 0;
}

int ccid_reply_parse(struct bytes frame, struct ccid_reply *out)
{
	struct unpacker u = unpack_begin(frame);
	struct ccid_reply reply = { 0 };
	uint32_t len;
	uint8_t status;

	reply.type = unpack_u8(&u);
	len = unpack_le32(&u);			/* dwLength: payload only */
	reply.to.slot = unpack_u8(&u);
	reply.to.seq = unpack_u8(&u);
	status = unpack_u8(&u);
	reply.detail = unpack_u8(&u);		/* bError */
	reply.extra = unpack_u8(&u);
	reply.data = unpack_bytes(&u, len);
	reply.surplus = unpack_rest(&u).n;	/* [CCID dwLength, deviates] */

	if (unpack_end(&u) < 0 || reply.type < CCID_DATA_BLOCK || reply.type > CCID_RATE_REPLY)
		return -EBADMSG;
	if (status_parse(status, &reply.icc, &reply.outcome) < 0)
		return -EBADMSG;
	*out = reply;
	return 0;
}

void ccid_parameters_pack(struct packer *p, const struct ccid_parameters *parameters)
{
	uint8_t tcck = parameters->inverse ? 0x02 : 0x00;

	if (parameters->protocol == 1)		/* [CCID bmTCCKST1]: bit 4 is fixed */
		tcck |= 0x10 | (parameters->crc ? 0x01 : 0x00);
	pack_u8(p, parameters->fidi);
	pack_u8(p, tcck);
	pack_u8(p, parameters->guard);
	pack_u8(p, parameters->waiting);
	pack_u8(p, parameters->clock_stop);
	if (parameters->protocol == 1) {
		pack_u8(p, parameters->ifsc);
		pack_u8(p, parameters->nad);
	}
}

int ccid_parameters_parse(const struct ccid_reply *reply, struct ccid_parameters *out)
{
	struct unpacker u = unpack_begin(reply->data);
	struct ccid_parameters parameters = { .protocol = reply->extra };
	uint8_t tcck;

	parameters.fidi = unpack_u8(&u);
	tcck = unpack_u8(&u);
	parameters.inverse = (tcck & 0x02) != 0;
	parameters.crc = (tcck & 0x01) != 0;
	parameters.guard = unpack_u8(&u);
	parameters.waiting = unpack_u8(&u);
	parameters.clock_stop = unpack_u8(&u);
	if (parameters.protocol == 1) {
		parameters.ifsc = unpack_u8(&u);
		parameters.nad = unpack_u8(&u);
	}
	if (parameters.protocol > 1 || unpack_end(&u) < 0)
		return -EBADMSG;
	*out = parameters;
	return 0;
}

/* [CCID RDR_to_PC_NotifySlotChange]: two bits a slot, slot 0 lowest; bit 0 present, 1 changed. */
static void slots_parse(struct unpacker *u, unsigned int n_slots, struct ccid_notice *notice)
{
	for (unsigned int base = 0; base < n_slots; base += 4) {
		uint8_t four = unpack_u8(u);

		for (unsigned int i = 0; i < 4 && base + i < n_slots; i++, four >>= 2) {
			notice->present |= (uint32_t)(four & 1) << (base + i);
			notice->changed |= (uint32_t)(four >> 1 & 1) << (base + i);
		}
	}
}

int ccid_notice_next(struct unpacker *u, unsigned int n_slots, struct ccid_notice *out)
{
	struct ccid_notice notice = { 0 };
	uint8_t type;

	if (u->left == 0)
		return 0;
	type = unpack_u8(u);
	if (type == CCID_NOTICE_SLOTS) {
		slots_parse(u, n_slots, &notice);
	} else if (type == CCID_NOTICE_HARDWARE) {
		notice.hardware.slot = unpack_u8(u);
		notice.hardware.seq = unpack_u8(u);
		notice.hardware_code = unpack_u8(u);
	} else {
		unpack_fail(u);
	}
	if (u->bad)
		return -EBADMSG;
	notice.type = type;
	*out = notice;
	return 1;
}

int ccid_reply_errno(const struct ccid_reply *reply)
{
	if (reply->icc == CCID_ICC_ABSENT)
		return -ENOMEDIUM;
	if (reply->detail <= CCID_ERROR_LAST_INDEX)	/* 0, or the index of a byte refused */
		return -EOPNOTSUPP;
	switch (reply->detail) {
	case CCID_ERROR_ABORTED:
	case CCID_ERROR_PIN_CANCELLED:
		return -ECANCELED;
	case CCID_ERROR_PIN_TIMEOUT:
		return -ETIMEDOUT;
	case CCID_ERROR_BUSY_AUTO:
	case CCID_ERROR_SLOT_BUSY:
		return -EBUSY;
	default:
		return -EIO;
	}
}

const char *ccid_error_words(uint8_t error)
{
	switch (error) {
	case CCID_ERROR_ABORTED: return "aborted";
	case CCID_ERROR_MUTE: return "the card does not answer";
	case CCID_ERROR_PARITY: return "parity error between reader and card";
	case CCID_ERROR_OVERRUN: return "overrun between reader and card";
	case 0xfb: return "hardware error of the reader";
	case 0xf8: return "the ATR begins with a bad TS";
	case 0xf7: return "the ATR has a bad checksum";
	case 0xf6: return "the reader does not support the card's protocol";
	case 0xf5: return "the reader does not support the card's class";
	case 0xf4: return "procedure byte conflict";
	case 0xf3: return "deactivated protocol";
	case CCID_ERROR_BUSY_AUTO: return "busy with an automatic sequence";
	case CCID_ERROR_PIN_TIMEOUT: return "no PIN was typed in time";
	case CCID_ERROR_PIN_CANCELLED: return "PIN entry was cancelled";
	case CCID_ERROR_SLOT_BUSY: return "the slot is busy";
	case CCID_ERROR_UNSUPPORTED: return "command not supported by the reader";
	}
	if (error <= CCID_ERROR_LAST_INDEX)
		return "the reader refuses a value in the message";
	return error > 0x80 && error <= 0xc0 ? "the reader's own error" : "reserved error code";
}
