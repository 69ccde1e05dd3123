/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf_pin.c - PIN and PUK [card-application 4.4 to 4.6]. A PIN goes from the request's
 * packet into the command and nowhere else. An empty VERIFY is a question, not a PIN, so an empty
 * value never gets that far; and the last try is only spent by somebody who says so.
 */
#include "driver/card/kf.h"

#include "base/secret.h"
#include "driver/card/fields.h"
#include "driver/iso7816/pad.h"

#define P2_PIN		APP_PIN_REF
#define P2_PUK		APP_PUK_REF

struct pin_state {
	uint8_t tries_left, tries_max;
	bool verified;
};

static bool length_fits(struct bytes value)
{
	return value.n >= APP_PIN_MIN && value.n <= APP_PIN_MAX;
}

static struct pin_state take_state(struct unpacker *u, uint16_t tag)
{
	uint32_t v = (uint32_t)field_take_uint(u, tag, 3);

	return (struct pin_state){
		.tries_left = (uint8_t)(v >> 16), .tries_max = (uint8_t)(v >> 8),
		.verified = (v & 0xff) == 1,
	};
}

/* E2 [card-application 4.2] */
static int state_get(struct card *card, uint32_t id, struct pin_state *out)
{
	struct pin_state pin, puk;
	struct unpacker outer, u;
	struct bytes data;
	int r;

	if (id != KF_PIN_USER && id != KF_PIN_PUK)
		return -ENOENT;
	r = kf_get_data(card, 0x0102, &data);
	if (r < 0)
		return r;
	outer = unpack_begin(data);
	u = field_enter_last(&outer, 0xe2);
	pin = take_state(&u, 0x81);
	puk = take_state(&u, 0x82);
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = id == KF_PIN_USER ? pin : puk;
	return 0;
}

int kf_pin_status(struct card *card, struct kf_pin_status *pin)
{
	struct pin_state state;
	int r;

	r = state_get(card, pin->pin, &state);
	if (r < 0)
		return r;
	pin->flags = (state.verified ? KF_PIN_VERIFIED : 0) |
		     (state.tries_left == 0 ? KF_PIN_BLOCKED : 0) |
		     (pin->pin == KF_PIN_PUK ? KF_PIN_UNBLOCKS : 0);
	pin->tries_left = state.tries_left;
	pin->tries_max = state.tries_max;
	pin->min_len = APP_PIN_MIN;
	pin->max_len = APP_PIN_MAX;
	return 0;
}

int kf_pin_guard(struct card *card, uint32_t id, bool last_try)
{
	struct pin_state state;
	int r;

	r = state_get(card, id, &state);
	if (r < 0)
		return r;
	if (state.tries_left == 0)
		return -EKEYREVOKED;
	if (state.tries_left == 1 && !last_try)
		return card_say(card, -EPERM, KF_REASON_PIN_LAST_TRY, id);
	return 0;
}

int kf_pin_verify(struct card *card, const struct card_pin *pin)
{
	const struct card_command verify = {
		.ins = INS_VERIFY, .p2 = P2_PIN, .data = pin->value,
	};
	int r;

	if (pin->id == KF_PIN_PUK)
		return -EOPNOTSUPP;		/* it unblocks, it never logs in */
	if (pin->id != KF_PIN_USER)
		return -ENOENT;
	if (!length_fits(pin->value))
		return -EINVAL;
	r = kf_pin_guard(card, pin->id, pin->last_try);
	if (r < 0)
		return r;
	return kf_do(card, &verify);
}

/* 80 old 81 new, the same for CHANGE REFERENCE DATA and RESET RETRY COUNTER. */
static int send_pair(struct card *card, struct card_command command, const struct card_pin *pin)
{
	uint8_t buf[2 * (2 + APP_PIN_MAX)];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r;

	tlv_pack(&p, 0x80, pin->value);
	tlv_pack(&p, 0x81, pin->new_value);
	assert(!p.bad);
	command.data = pack_done(&p);
	r = kf_do(card, &command);
	wipe(buf, sizeof(buf));
	return r;
}

int kf_pin_change(struct card *card, const struct card_pin *pin)
{
	const struct card_command change = {
		.ins = INS_CHANGE, .p2 = pin->id == KF_PIN_PUK ? P2_PUK : P2_PIN,
	};
	int r;

	if (!length_fits(pin->value) || !length_fits(pin->new_value))
		return -EINVAL;
	r = kf_pin_guard(card, pin->id, pin->last_try);
	if (r < 0)
		return r;
	return send_pair(card, change, pin);
}

/* Digits alone, and as many as fit a block that a keypad can fill [card-application 4.5]. */
static struct pad pad_of(uint8_t ins, uint8_t p2, bool modify)
{
	return (struct pad){
		.ins = ins, .p2 = p2, .modify = modify,
		.min = APP_PIN_MIN, .max = APP_PIN_BLOCK, .block = modify ? APP_PIN_BLOCK : 0,
	};
}

int kf_pin_pad_verify(struct card *card, const struct card_pin *pin)
{
	const struct pad pad = pad_of(INS_VERIFY, P2_PIN, false);
	int r;

	if (pin->id == KF_PIN_PUK)
		return -EOPNOTSUPP;
	if (pin->id != KF_PIN_USER)
		return -ENOENT;
	if (!pad_is_there(card->io, false))
		return card_say(card, -EOPNOTSUPP, KF_REASON_NO_PINPAD, 0);
	r = kf_pin_guard(card, pin->id, pin->last_try);
	return r < 0 ? r : card_pad(card, &pad);
}

int kf_pin_pad_change(struct card *card, const struct card_pin *pin)
{
	const struct pad pad = pad_of(INS_CHANGE, pin->id == KF_PIN_PUK ? P2_PUK : P2_PIN, true);
	int r;

	if (pin->id != KF_PIN_USER && pin->id != KF_PIN_PUK)
		return -ENOENT;
	if (!pad_is_there(card->io, true))
		return card_say(card, -EOPNOTSUPP, KF_REASON_NO_PINPAD, 0);
	r = kf_pin_guard(card, pin->id, pin->last_try);
	return r < 0 ? r : card_pad(card, &pad);
}

int kf_pin_unblock(struct card *card, const struct card_pin *pin)
{
	const struct card_command unblock = { .ins = INS_UNBLOCK, .p2 = P2_PIN };
	int r;

	if (pin->id == KF_PIN_PUK)
		return -EOPNOTSUPP;
	if (pin->id != KF_PIN_USER)
		return -ENOENT;
	if (!length_fits(pin->value) || !length_fits(pin->new_value))
		return -EINVAL;
	r = kf_pin_guard(card, KF_PIN_PUK, pin->last_try);
	if (r < 0)
		return r;
	return send_pair(card, unblock, pin);
}

int kf_pin_drop(struct card *card)
{
	const struct card_command drop = { .ins = INS_VERIFY, .p1 = 0xff, .p2 = P2_PIN };

	return kf_do(card, &drop);
}
