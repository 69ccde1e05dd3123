/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/order_pin.c - RESET RETRY COUNTER and CHANGE REFERENCE DATA [card dossier 2.3], each in one command with
 * both values.
 */
#include "base/error.h"
#include "libserver/schsm/channel.h"

enum { STEP_TRIES, STEP_SET };

static void set(struct kf_channel *channel, struct order *order)
{
	_cleanup_(secret_deinit) struct secret both = SECRET_INIT;
	struct packer p;
	int r = secret_init(&both, 2 * (size_t)ORDER_PIN_MAX);

	if (r < 0) {
		channel->round.failed = r;
		return;
	}
	p = pack_begin(both.p, both.cap);
	pack_bytes(&p, secret_bytes(&order->pin));
	pack_bytes(&p, secret_bytes(&order->fresh));
	order_send(channel, &(struct sm_command){
		.ins = order->proof == order->target ? INS_CHANGE : INS_UNBLOCK, .p2 = order->target,
		.data = pack_done(&p) }, ROUND_OK);
	round_changes(&channel->round);
	channel->round.last = true;
	order_wipe(order);
}

static void ask(struct kf_channel *channel, struct order *order)
{
	if (order->step == STEP_TRIES)
		order_ask_tries(channel, order);
	else if (order->step == STEP_SET)
		set(channel, order);
}

static int judge(struct kf_channel *channel, struct order *order, struct kf_error *e)
{
	if (order->step == STEP_TRIES)
		return order_judge_tries(channel, order, round_turn(&channel->round, 0), e);
	return 0;
}

static int refusal(const struct order *order, uint16_t sw, struct kf_error *e)
{
	if (sw == SW_CONDITIONS && order->target != order->proof)
		return error_why(e, -EOPNOTSUPP, "the card's options", "it can only be initialised anew, which erases it",
				 "it was initialised so that the SO-PIN sets no new PIN");
	if (sw == SW_DATA)
		return error_why(e, -EINVAL, "the card", "give another one", "it does not take the new value");
	return 0;
}

static const struct order_kind reset_kind = {
	"cannot reset the PIN", "try the new PIN: keyferry card pin verify", ask, judge, refusal,
};

static const struct order_kind change_kind = {
	"cannot change the PIN", "try the new value, and if it is not that the old one", ask, judge, refusal,
};

int kf_channel_pin_reset(struct kf_channel *channel, const void *so_pin, size_t so_pin_len, const void *fresh,
			 size_t fresh_len, struct kf_error *e)
{
	struct order *order = NULL;
	int r = order_new(channel, &reset_kind, &order, e);

	if (r < 0)
		return error_what(e, r, "%s", reset_kind.what);
	order->proof = ORDER_SO_PIN;
	order->target = ORDER_USER_PIN;
	r = order_take_pin(order->proof, so_pin, so_pin_len, &order->pin, e);
	if (r == 0)
		r = order_take_pin(order->target, fresh, fresh_len, &order->fresh, e);
	return order_settle(channel, order, r, e);
}

int kf_channel_pin_change(struct kf_channel *channel, unsigned int pin, const void *old, size_t old_len,
			  const void *fresh, size_t fresh_len, struct kf_error *e)
{
	struct order *order = NULL;
	int r = order_new(channel, &change_kind, &order, e);

	if (r < 0)
		return error_what(e, r, "%s", change_kind.what);
	order->proof = order->target = pin == KF_PIN_PUK ? ORDER_SO_PIN : ORDER_USER_PIN;
	if (pin != KF_PIN_PUK && pin != KF_PIN_USER)
		r = error_why(e, -EINVAL, "docs/cards/schsm.md", "name user PIN or SO-PIN", "the card has no such PIN");
	if (r == 0)
		r = order_take_pin(order->proof, old, old_len, &order->pin, e);
	if (r == 0)
		r = order_take_pin(order->target, fresh, fresh_len, &order->fresh, e);
	return order_settle(channel, order, r, e);
}
