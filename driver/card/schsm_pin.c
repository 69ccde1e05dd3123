/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_pin.c - User PIN and SO-PIN [cards 2.3]. The SO-PIN takes the place of a PUK: it
 * unblocks, and never logs in. What it is worth stands in the options of INITIALIZE DEVICE.
 *
 * An empty VERIFY asks for the tries and spends none, so an empty value never gets that far.
 */
#include "driver/card/schsm.h"

#include "base/hex.h"
#include "base/secret.h"
#include "format/numbers.h"

enum { P2_USER = 0x81, P2_SO = 0x88, SW_TRANSPORT_PIN = 0x6984 };

static int reference_of(uint32_t id, uint8_t *out)
{
	if (id != KF_PIN_USER && id != KF_PIN_PUK)
		return -ENOENT;
	*out = id == KF_PIN_USER ? P2_USER : P2_SO;
	return 0;
}

int schsm_so_pin(struct bytes given, uint8_t out[static KF_SO_PIN_SIZE])
{
	if (given.n == KF_SO_PIN_SIZE) {
		memcpy(out, given.p, KF_SO_PIN_SIZE);
		return 0;
	}
	return hex_read(given, HEX_ANY, out, KF_SO_PIN_SIZE);
}

/* What the answer to an empty VERIFY means; a card that was never initialised has no PIN to tell of. */
static int status_from(struct card *card, int r, struct kf_pin_status *pin)
{
	uint16_t sw = card->said.sw;

	pin->tries_left = KF_TRIES_UNKNOWN;
	if (r == 0) {
		pin->flags |= KF_PIN_VERIFIED;
	} else if (r == -EKEYREJECTED) {
		pin->tries_left = card->said.detail;
	} else if (r == -EKEYREVOKED) {
		pin->tries_left = 0;
	} else if (sw == SW_TRANSPORT_PIN) {
		pin->flags |= KF_PIN_DEFAULT;
	} else if (r != -ENOENT && r != -EPERM) {
		return r;
	}
	if (pin->tries_left == 0)
		pin->flags |= KF_PIN_BLOCKED;
	card->said = (struct card_said){ 0 };
	return 0;
}

int schsm_pin_status(struct card *card, struct kf_pin_status *pin)
{
	struct card_command verify = { .ins = INS_VERIFY };
	bool so = pin->pin == KF_PIN_PUK;
	int r = reference_of(pin->pin, &verify.p2);

	if (r < 0)
		return r;
	pin->flags = so ? KF_PIN_UNBLOCKS : 0;
	pin->tries_max = KF_TRIES_UNKNOWN;
	pin->min_len = so ? KF_SO_PIN_SIZE : SCHSM_PIN_MIN;
	pin->max_len = so ? SCHSM_SO_HEX : SCHSM_PIN_MAX;
	return status_from(card, schsm_do(card, &verify), pin);
}

int schsm_pin_guard(struct card *card, uint32_t id, bool last_try)
{
	struct kf_pin_status pin = { .pin = id };
	int r = schsm_pin_status(card, &pin);

	if (r < 0)
		return r;
	if (pin.tries_left == 0)
		return -EKEYREVOKED;
	if (pin.tries_left == 1 && !last_try)
		return card_say(card, -EPERM, KF_REASON_PIN_LAST_TRY, id);
	return 0;
}

static bool length_fits(struct bytes value)
{
	return value.n >= SCHSM_PIN_MIN && value.n <= SCHSM_PIN_MAX;
}

/* A transport PIN opens nothing before its holder has changed it. */
static int judge(struct card *card, int r)
{
	if (r == -EREMOTEIO && card->said.sw == SW_TRANSPORT_PIN)
		return card_say(card, -EPERM, KF_REASON_PIN_TRANSPORT, KF_PIN_USER);
	return r;
}

int schsm_pin_verify(struct card *card, const struct card_pin *pin)
{
	const struct card_command verify = {
		.ins = INS_VERIFY, .p2 = P2_USER, .data = pin->value,
	};
	int r;

	if (pin->id == KF_PIN_PUK)
		return -EOPNOTSUPP;
	if (pin->id != KF_PIN_USER)
		return -ENOENT;
	if (!length_fits(pin->value))
		return -EINVAL;
	r = schsm_pin_guard(card, pin->id, pin->last_try);
	return r < 0 ? r : judge(card, schsm_do(card, &verify));
}

/* Both values back to back, as the card tells them apart by the length of the first. */
static int send_pair(struct card *card, struct card_command command, struct bytes first,
		     struct bytes second)
{
	uint8_t buf[2 * SCHSM_PIN_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r;

	pack_bytes(&p, first);
	pack_bytes(&p, second);
	assert(!p.bad);
	command.data = pack_done(&p);
	r = schsm_do(card, &command);
	wipe(buf, sizeof(buf));
	return r;
}

static int change_so_pin(struct card *card, const struct card_pin *pin)
{
	const struct card_command change = { .ins = INS_CHANGE, .p2 = P2_SO };
	uint8_t old_pin[KF_SO_PIN_SIZE], new_pin[KF_SO_PIN_SIZE];
	int r = schsm_so_pin(pin->value, old_pin);

	if (r == 0)
		r = schsm_so_pin(pin->new_value, new_pin);
	if (r == 0)
		r = schsm_pin_guard(card, pin->id, pin->last_try);
	if (r == 0)
		r = send_pair(card, change, BYTES_OF(old_pin), BYTES_OF(new_pin));
	wipe(old_pin, sizeof(old_pin));
	wipe(new_pin, sizeof(new_pin));
	return r;
}

int schsm_pin_change(struct card *card, const struct card_pin *pin)
{
	const struct card_command change = { .ins = INS_CHANGE, .p2 = P2_USER };
	int r;

	if (pin->id == KF_PIN_PUK)
		return change_so_pin(card, pin);
	if (pin->id != KF_PIN_USER)
		return -ENOENT;
	if (!length_fits(pin->value) || !length_fits(pin->new_value))
		return -EINVAL;
	r = schsm_pin_guard(card, pin->id, pin->last_try);
	return r < 0 ? r : send_pair(card, change, pin->value, pin->new_value);
}

int schsm_pin_unblock(struct card *card, const struct card_pin *pin)
{
	const struct card_command unblock = { .ins = INS_UNBLOCK, .p2 = P2_USER };
	uint8_t so_pin[KF_SO_PIN_SIZE];
	int r;

	if (pin->id == KF_PIN_PUK)
		return -EOPNOTSUPP;
	if (pin->id != KF_PIN_USER)
		return -ENOENT;
	if (!length_fits(pin->new_value))
		return -EINVAL;
	r = schsm_so_pin(pin->value, so_pin);
	if (r == 0)
		r = schsm_pin_guard(card, KF_PIN_PUK, pin->last_try);
	if (r == 0)
		r = send_pair(card, unblock, BYTES_OF(so_pin), pin->new_value);
	wipe(so_pin, sizeof(so_pin));
	return r;
}
