/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What reader and card have agreed on: the parameters that the host reads and sets, and the two
 * speeds. A reader that leaves it to the host may be wrong about the card, and hears noise then.
 */
#include "vreader/reader/ccid_own.h"

#include "vreader/reader/pps_card.h"

/* TA1, TCCKST1 (LRC, direct), TC1, BWI/CWI, no clock stop, IFSC, NAD: what the ATR says. */
static const uint8_t parameters_t1[7] = { FIDI_FAST, 0x10, 0x00, 0x45, 0x00, 0xfe, 0x00 };
/* TA1, TCCKST0, TC1, WI, no clock stop. */
static const uint8_t parameters_t0[5] = { FIDI_FAST, 0x00, 0x00, 0x0a, 0x00 };

static struct bytes parameters_of_atr(const struct ccid_dev *dev)
{
	return ccid_is_t0(dev) ? BYTES_OF(parameters_t0) : BYTES_OF(parameters_t1);
}

/* A reader of few words does not look into the ATR, and stays at the default speed. */
static void reset_parameters(struct ccid_dev *dev)
{
	struct bytes from = parameters_of_atr(dev);

	memcpy(dev->parameters, from.p, from.n);
	if (dev->shape->manual)
		dev->parameters[0] = PPS_FIDI_DEFAULT;
}

void ccid_speed_reset(struct ccid_dev *dev)
{
	dev->fresh = true;
	dev->card_fidi = PPS_FIDI_DEFAULT;
	dev->bps = BPS_DEFAULT;
	reset_parameters(dev);
}

uint32_t ccid_bps_of(uint8_t fidi)
{
	return fidi == FIDI_FAST ? BPS_FAST : BPS_DEFAULT;
}

bool ccid_speeds_agree(const struct ccid_dev *dev)
{
	return !dev->shape->manual ||
	       (dev->parameters[0] == dev->card_fidi && dev->bps == ccid_bps_of(dev->card_fidi));
}

static void send_parameters(struct ccid_dev *dev, const struct ccid_command *c)
{
	ccid_send_ok(dev, REPLY_PARAMETERS, c->to, ccid_is_t0(dev) ? 0 : 1,
		     BYTES(dev->parameters, parameters_of_atr(dev).n));
}

enum ccid_dev_next ccid_on_get_parameters(struct ccid_dev *dev, const struct ccid_command *c)
{
	if (!dev->powered)
		ccid_send_failed(dev, REPLY_PARAMETERS, c->to, ERROR_MUTE);
	else
		send_parameters(dev, c);
	return CCID_DEV_IDLE;
}

enum ccid_dev_next ccid_on_reset_parameters(struct ccid_dev *dev, const struct ccid_command *c)
{
	reset_parameters(dev);
	return ccid_on_get_parameters(dev, c);
}

/* Return: 0, or the bError that names the byte which the card cannot do. */
static uint8_t parameters_judge(const struct ccid_dev *dev, const struct ccid_command *c)
{
	if (c->specific[0] != (ccid_is_t0(dev) ? 0 : 1))
		return ERROR_SPECIFIC;
	if (c->data.n != parameters_of_atr(dev).n)
		return ERROR_LENGTH;
	if (shape_is_tpdu(dev->shape) && c->data.p[0] != PPS_FIDI_DEFAULT &&
	    c->data.p[0] != FIDI_FAST)
		return HEADER_LEN;
	if (ccid_is_t0(dev))			/* bmTCCKST0: direct convention; WI */
		return (c->data.p[1] & 0xfd) != 0 ? HEADER_LEN + 1 :
		       c->data.p[3] == 0 ? HEADER_LEN + 3 : 0;
	if ((c->data.p[1] & 0xfd) != 0x10)	/* bmTCCKST1: LRC only */
		return HEADER_LEN + 1;
	if (c->data.p[5] == 0 || c->data.p[5] == 255)
		return HEADER_LEN + 5;
	return 0;
}

enum ccid_dev_next ccid_on_set_parameters(struct ccid_dev *dev, const struct ccid_command *c)
{
	uint8_t error = dev->powered ? parameters_judge(dev, c) : ERROR_MUTE;

	if (error != 0) {
		ccid_send_failed(dev, REPLY_PARAMETERS, c->to, error);
		return CCID_DEV_IDLE;
	}
	memcpy(dev->parameters, c->data.p, c->data.n);
	/* Declared: we do the PPS ourselves, and the rate follows [CCID dwFeatures 0x80, 0x20]. */
	if (!dev->shape->manual) {
		dev->card_fidi = dev->parameters[0];
		dev->fresh = false;
	}
	send_parameters(dev, c);
	return CCID_DEV_IDLE;
}

/* dwClockFrequency stays; dwDataRate is one of the two that we have. */
enum ccid_dev_next ccid_on_set_rate(struct ccid_dev *dev, const struct ccid_command *c)
{
	struct unpacker u = unpack_begin(c->data);
	uint32_t khz = unpack_le32(&u);
	uint32_t bps = unpack_le32(&u);

	if (!dev->shape->manual)
		ccid_send_failed(dev, REPLY_RATE, c->to, ERROR_UNSUPPORTED);
	else if (unpack_end(&u) < 0)
		ccid_send_failed(dev, REPLY_RATE, c->to, ERROR_LENGTH);
	else if (khz != 4000)
		ccid_send_failed(dev, REPLY_RATE, c->to, HEADER_LEN);
	else if (bps != BPS_DEFAULT && bps != BPS_FAST)
		ccid_send_failed(dev, REPLY_RATE, c->to, HEADER_LEN + 4);
	else
		ccid_send_ok(dev, REPLY_RATE, c->to, 0, c->data);
	if (dev->shape->manual && khz == 4000 && (bps == BPS_DEFAULT || bps == BPS_FAST))
		dev->bps = bps;
	return CCID_DEV_IDLE;
}
