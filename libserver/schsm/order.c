/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/order.c - What all orders have in common. The broker's guard of the last try [SECURITY section 7] does not
 * see into a channel, so it is kept here.
 */
#include "libserver/schsm/order.h"
#include "base/error.h"
#include "base/hex.h"
#include "format/der.h"
#include "libserver/schsm/channel.h"

enum { INS_UPDATE = 0xd7 };

#define GUIDE "docs/cards/schsm.md"

void order_wipe(struct order *order)
{
	secret_deinit(&order->pin);
	secret_deinit(&order->fresh);
	secret_deinit(&order->shares);
	order->fleet = kf_fleet_free(order->fleet);
}

void order_deinit(struct order *order)
{
	order_wipe(order);
	blob_deinit(&order->key.blob);
	blob_deinit(&order->key.cert);
}

int order_new(struct kf_channel *channel, const struct order_kind *kind, struct order **out, struct kf_error *e)
{
	if (channel->phase != CHANNEL_NEW)
		return error_why(e, -EPROTO, "struct kf_channel", "give orders before the first round",
				 "the channel is on its way already");
	if (channel->n_orders == CHANNEL_ORDERS_MAX)
		return error_why(e, -EINVAL, "struct kf_channel", "make another channel",
				 "it has %d orders already", CHANNEL_ORDERS_MAX);
	*out = &channel->orders[channel->n_orders++];
	**out = ORDER_INIT;
	(*out)->kind = kind;
	return 0;
}

int order_settle(struct kf_channel *channel, const struct order *order, int r, struct kf_error *e)
{
	const char *what = order->kind->what;

	if (r < 0)
		order_deinit(&channel->orders[--channel->n_orders]);
	return error_what(e, r, "%s", what);
}

static int take_so_pin(struct bytes text, struct secret *out, struct kf_error *e)
{
	if (text.n == ORDER_SO_PIN_SIZE)
		return secret_set(out, text);
	if (hex_read(text, HEX_ANY, out->p, ORDER_SO_PIN_SIZE) < 0)
		return error_why(e, -EINVAL, GUIDE, "give the one the card was initialised with",
				 "an SO-PIN is 8 bytes, or 16 hexadecimal digits for them");
	out->n = ORDER_SO_PIN_SIZE;
	return 0;
}

int order_take_pin(uint8_t reference, const void *value, size_t len, struct secret *out, struct kf_error *e)
{
	int r = secret_init(out, ORDER_PIN_MAX);

	if (r < 0)
		return r;
	if (!value)
		len = 0;
	if (reference == ORDER_SO_PIN)
		return take_so_pin(BYTES(value, len), out, e);
	if (len < ORDER_PIN_MIN || len > ORDER_PIN_MAX)
		return error_why(e, -EINVAL, GUIDE, "give another one", "a user PIN has %d to %d bytes",
				 ORDER_PIN_MIN, ORDER_PIN_MAX);
	return secret_set(out, BYTES(value, len));
}

/* --- commands --- */

void order_send(struct kf_channel *channel, const struct sm_command *command, uint16_t expect)
{
	round_sealed(&channel->round, &channel->sm, command, expect);
}

/* VERIFY without data tells, and spends nothing. */
void order_ask_tries(struct kf_channel *channel, const struct order *order)
{
	order_send(channel, &(struct sm_command){ .ins = INS_VERIFY, .p2 = order->proof }, ROUND_ANY);
}

static const char *pin_name(const struct order *order)
{
	return order->proof == ORDER_SO_PIN ? "SO-PIN" : "PIN";
}

int order_judge_tries(struct kf_channel *channel, struct order *order, const struct turn *turn, struct kf_error *e)
{
	uint16_t sw = turn->sw;

	if (sw == ROUND_OK || (sw == SW_TRANSPORT_PIN && order->target == order->proof))
		return 0;
	if (sw == SW_BLOCKED)
		order->tries = 0;
	if ((sw & 0xfff0) != SW_TRIES)
		return order_refused(order, sw, e);
	order->tries = sw & 0x0f;
	if (order->tries == 0)
		return order_refused(order, SW_BLOCKED, e);
	if (order->tries == 1 && !channel->allow_last_try)
		return error_why(e, -EPERM, "the last try is spent on purpose only", "be sure of it, and add --last-try",
				 "only one try of the %s is left", pin_name(order));
	return 0;
}

void order_verify(struct kf_channel *channel, struct order *order)
{
	order_send(channel, &(struct sm_command){
		.ins = INS_VERIFY, .p2 = order->proof, .data = secret_bytes(&order->pin) }, ROUND_OK);
	secret_deinit(&order->pin);
}

/* [7816-4 UPDATE BINARY, odd INS]: offset, then data. */
static void write_piece(struct kf_channel *channel, uint16_t fid, size_t offset, struct bytes piece, uint16_t expect)
{
	uint8_t buf[ROUND_PIECE + 16];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_be(&p, 0x5402, 2);
	pack_be16(&p, (uint16_t)offset);
	der_put(&p, 0x53, piece);
	assert(!p.bad);
	order_send(channel, &(struct sm_command){
		.ins = INS_UPDATE, .p1 = (uint8_t)(fid >> 8), .p2 = (uint8_t)fid, .data = pack_done(&p) }, expect);
}

void order_write_file(struct kf_channel *channel, uint16_t fid, struct bytes content, uint16_t expect)
{
	const uint8_t name[] = { (uint8_t)(fid >> 8), (uint8_t)fid };

	order_send(channel, &(struct sm_command){ .ins = INS_DELETE, .p1 = 2, .data = BYTES_OF(name) }, ROUND_ANY);
	for (size_t at = 0; at < content.n; at += ROUND_PIECE)
		write_piece(channel, fid, at, bytes_slice(content, at, ROUND_PIECE), expect);
}

/* --- words --- */

int order_refused(const struct order *order, uint16_t sw, struct kf_error *e)
{
	const char *pin = pin_name(order);
	int r = order->kind->refusal ? order->kind->refusal(order, sw, e) : 0;

	if (r < 0)
		return r;
	if ((sw & 0xfff0) == SW_TRIES)
		return error_why(e, -EKEYREJECTED, "the card", "try again with the right one",
				 "the %s is wrong; tries left: %u", pin, sw & 0x0f);
	switch (sw) {
	case SW_BLOCKED:
		return error_why(e, -EKEYREVOKED, "the card", order->proof == ORDER_SO_PIN ?
				 "nothing opens it again" : "set a new one by the SO-PIN: keyferry channel pin reset",
				 "the %s is blocked", pin);
	case SW_TRANSPORT_PIN:
		return error_why(e, -EPERM, "the card", "change it first: keyferry channel pin change",
				 "the PIN is a transport PIN, which opens nothing");
	case SW_PIN_NEEDED:
		return error_why(e, -EPERM, "the card", "give the user PIN", "it wants the user PIN first");
	case SW_FULL:
		return error_why(e, -ENOSPC, "the card", "delete what is not needed", "it has no room left");
	case SW_NO_OBJECT:
		return error_why(e, -ENOENT, "the card", "initialise it: keyferry card init",
				 "it has no %s: it was never initialised", pin);
	default:
		return error_why(e, -EREMOTEIO, "the card", "look the status word up in " GUIDE,
				 "it said no with status word %04x", sw);
	}
}
