/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/order_share.c - Shares of a DKEK, one a round, each only after the card has said that it waits for one: who
 * carries them can then neither have one counted that we call refused, nor have one lost unseen.
 */
#include "base/error.h"
#include "libserver/schsm/channel.h"

enum { INS_DKEK = 0x52, LE_SHORT = 256 };
enum { STEP_LOOK, STEP_VERIFY, STEP_SHARES };

#define GUIDE "docs/cards/schsm.md"

void dkek_ask(struct kf_channel *channel, uint8_t domain)
{
	order_send(channel, &(struct sm_command){
		.cla = 0x80, .ins = INS_DKEK, .p2 = domain, .le = LE_SHORT }, ROUND_ANY);
}

int dkek_take(const struct turn *turn, struct dkek_facts *out)
{
	struct unpacker u = unpack_begin(turn_data(turn));
	struct dkek_facts facts = { .told = true };

	facts.shares = unpack_u8(&u);
	facts.outstanding = unpack_u8(&u);
	unpack_copy(&u, facts.kcv, sizeof(facts.kcv));
	if (u.bad || facts.outstanding > facts.shares)
		return -EBADMSG;
	*out = facts;
	return 0;
}

static struct bytes share_at(const struct order *order, size_t i)
{
	return bytes_slice(secret_bytes(&order->shares), i * KF_FLEET_SHARE_SIZE, KF_FLEET_SHARE_SIZE);
}

static void send_share(struct kf_channel *channel, struct order *order, size_t i)
{
	order_send(channel, &(struct sm_command){
		.cla = 0x80, .ins = INS_DKEK, .p2 = order->domain, .data = share_at(order, i), .le = LE_SHORT },
		   ROUND_OK);
	explicit_bzero(order->shares.p + i * KF_FLEET_SHARE_SIZE, KF_FLEET_SHARE_SIZE);
	round_changes(&channel->round);
	channel->round.last = i + 1 == order->n_shares;
}

static void ask(struct kf_channel *channel, struct order *order)
{
	if (order->step == STEP_LOOK) {
		dkek_ask(channel, order->domain);
		if (order->proof != 0)
			order_ask_tries(channel, order);
	} else if (order->step == STEP_VERIFY) {
		order_verify(channel, order);
	} else if (order->step - STEP_SHARES < order->n_shares) {
		send_share(channel, order, order->step - STEP_SHARES);
	}
}

static int bad_answer(struct kf_error *e)
{
	return error_why(e, -EREMOTEIO, "the card", "is it a SmartCard-HSM?",
			 "what it says of its DKEK makes no sense");
}

static int check_room(const struct order *order, const struct dkek_facts *facts, struct kf_error *e)
{
	if (facts->outstanding == 0)
		return error_why(e, -EEXIST, "the card", "nothing is to be done, or clear it: keyferry dkek domain clear",
				 "no share is outstanding");
	if (facts->outstanding < order->n_shares)
		return error_why(e, -EINVAL, "the card", "give no more than are outstanding",
				 "%u shares are outstanding, and there are %zu to give", facts->outstanding,
				 order->n_shares);
	return 0;
}

static int judge_look(struct kf_channel *channel, struct order *order, struct kf_error *e)
{
	const struct turn *turn = round_turn(&channel->round, 0);
	int r;

	if (turn->sw != ROUND_OK)
		return order_refused(order, turn->sw, e);
	if (dkek_take(turn, &channel->dkek) < 0)
		return bad_answer(e);
	r = check_room(order, &channel->dkek, e);
	if (r < 0)
		return r;
	channel->dkek.whole = channel->dkek.shares == order->n_shares &&
			      channel->dkek.outstanding == order->n_shares;
	channel->dkek.is_public = fleet_is_public(order->fleet);
	if (order->proof != 0)
		return order_judge_tries(channel, order, round_turn(&channel->round, 1), e);
	order->step++;		/* nothing to verify */
	return 0;
}

/* What they add up to is what it has, or it had another share before. */
static int check_sum(const struct kf_channel *channel, const struct order *order, struct kf_error *e)
{
	if (!channel->dkek.whole || memcmp(channel->dkek.kcv, order->fleet->kcv, KF_FLEET_CHECK_SIZE) == 0)
		return 0;
	return error_why(e, -ENODATA, GUIDE, "clear it and begin anew: keyferry dkek domain clear",
			 "the shares are in, and the DKEK that the card has now is not their sum");
}

static int judge_share(struct kf_channel *channel, struct order *order, struct kf_error *e)
{
	const struct dkek_facts before = channel->dkek;
	int r;

	if (dkek_take(round_turn(&channel->round, 0), &channel->dkek) < 0 ||
	    channel->dkek.outstanding + 1 != before.outstanding)
		return error_why(e, -ENODATA, GUIDE, order->kind->doubt,
				 "the share is in, and what the card says of its DKEK makes no sense");
	channel->dkek.whole = before.whole;
	channel->dkek.is_public = before.is_public;
	r = channel->dkek.outstanding == 0 ? check_sum(channel, order, e) : 0;
	if (r < 0)
		channel->dkek.whole = false;
	if (order->step - STEP_SHARES + 1 == order->n_shares)
		order_wipe(order);	/* nobody asks for them again */
	return r;
}

static int judge(struct kf_channel *channel, struct order *order, struct kf_error *e)
{
	if (order->step == STEP_LOOK)
		return judge_look(channel, order, e);
	return order->step == STEP_VERIFY ? 0 : judge_share(channel, order, e);
}

static int refusal(const struct order *order, uint16_t sw, struct kf_error *e)
{
	bool look = order->step == STEP_LOOK;

	if (sw == SW_CONDITIONS)
		return error_why(e, -EEXIST, "the card", "ask it: keyferry dkek status", "no share is outstanding");
	if (look && (sw == SW_INS || sw == SW_NO_OBJECT || sw == SW_P1P2 || sw == SW_OFFSET))
		return error_why(e, -ENOENT, "the card", "initialise it with a DKEK: keyferry card init --dkek-shares N",
				 "it has no DKEK in key domain %u", order->domain);
	return 0;
}

static const struct order_kind kind = {
	"cannot import the share", "ask the card how many are outstanding: keyferry dkek status", ask, judge, refusal,
};

static int take_shares(const struct kf_channel_shares *want, struct order *order, struct kf_error *e)
{
	size_t size = want->n * KF_FLEET_SHARE_SIZE;
	int r = secret_init(&order->shares, size);

	if (r == 0)
		r = secret_set(&order->shares, BYTES(want->shares, size));
	if (r == 0)
		r = kf_fleet_new(&order->fleet, e);
	order->n_shares = want->n;
	for (size_t i = 0; r == 0 && i < want->n; i++)
		r = kf_fleet_add_share(order->fleet, share_at(order, i).p, KF_FLEET_SHARE_SIZE, e);
	if (r == 0 && bytes_are_zero(secret_bytes(&order->fleet->dkek.value)))
		r = error_why(e, -EINVAL, GUIDE, "give each share once", "the shares cancel each other out");
	return r;
}

static int take(const struct kf_channel_shares *want, struct order *order, struct kf_error *e)
{
	int r;

	if (want->size != sizeof(*want) || !want->shares || want->n == 0 || want->n > ORDER_SHARES_MAX ||
	    want->domain > 255)
		return error_why(e, -EINVAL, "struct kf_channel_shares", "set size, a domain to 255, and 1 to 16 shares",
				 "the order is incomplete");
	order->domain = (uint8_t)want->domain;
	r = take_shares(want, order, e);
	if (r < 0 || !want->pin)
		return r;
	order->proof = ORDER_USER_PIN;
	return order_take_pin(order->proof, want->pin, want->pin_len, &order->pin, e);
}

int kf_channel_dkek_import(struct kf_channel *channel, const struct kf_channel_shares *want, struct kf_error *e)
{
	struct order *order = NULL;
	int r = order_new(channel, &kind, &order, e);

	return r < 0 ? error_what(e, r, "%s", kind.what) : order_settle(channel, order, take(want, order, e), e);
}
