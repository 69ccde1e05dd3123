/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/channel.c - Round by round: judge what was answered, make what is to be asked next. All ends are in
 * finish(), which wipes the session and whatever an order still holds.
 */
#include "libserver/schsm/channel.h"
#include "base/error.h"
#include "format/der.h"
#include "format/ossl.h"
#include "libserver/schsm/hsm.h"

enum { P1_SET_AT = 0x41, P2_SET_AT = 0xa4, LE_SHORT = 256 };
enum { FID_DEVICE_CERT = 0x2f02, INS_READ = 0xb1, SW_END_OF_FILE = 0x6282, READS = 6 };
enum { INS_GENERAL_AUTHENTICATE = 0x86 };

#define RULE "docs/cards/schsm.md, Through a channel"
#define AGAIN "begin anew"

static const uint8_t aid[] = { 0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x02, 0x01 };

int kf_channel_new(struct kf_channel **out, struct kf_error *e)
{
	struct kf_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return error_what(e, -ENOMEM, "cannot begin a channel");
	channel->sm = SM_INIT;
	channel->chain = DEVICE_CHAIN_INIT;
	*out = channel;
	return 0;
}

struct kf_channel *kf_channel_free(struct kf_channel *channel)
{
	if (!channel)
		return NULL;
	for (size_t i = 0; i < channel->n_roots; i++)
		blob_deinit(&channel->roots[i]);
	for (size_t i = 0; i < channel->n_orders; i++)
		order_deinit(&channel->orders[i]);
	device_chain_deinit(&channel->chain);
	EVP_PKEY_free(channel->own);
	sm_end(&channel->sm);
	free(channel);
	return NULL;
}

/* --- what it is told before --- */

int kf_channel_add_root(struct kf_channel *channel, const void *cvc, size_t len, struct kf_error *e)
{
	static const char what[] = "cannot take the root";
	struct cvc root;
	int r;

	if (channel->n_roots == CHANNEL_ROOTS_MAX)
		return error_what(e, error_why(e, -EINVAL, "struct kf_channel", "give those that matter",
					       "there are %d already", CHANNEL_ROOTS_MAX), what);
	if (len > CVC_MAX || cvc_parse(BYTES(cvc, len), &root) < 0 || cvc_is_request(&root))
		return error_what(e, error_why(e, -EBADMSG, "a root is a card-verifiable certificate, DER",
					       "get it from the card's maker", "it is none"), what);
	r = blob_set(&channel->roots[channel->n_roots], BYTES(cvc, len));
	if (r == 0)
		channel->n_roots++;
	return error_what(e, r, what);
}

int kf_channel_set_device(struct kf_channel *channel, const char *serial, struct kf_error *e)
{
	channel->any = !serial;
	if (serial && !serial_is_valid(BYTES(serial, strlen(serial))))
		return error_why(e, -EINVAL, "docs/card-application.md 1", "a serial is 1 to 32 of A-Z a-z 0-9 . -",
				 "%s is no serial", serial);
	(void)snprintf(channel->device, sizeof(channel->device), "%s", serial ? serial : "");
	return 0;
}

int kf_channel_set_enrolled(struct kf_channel *channel, const struct kf_hsm *hsm, struct kf_error *e)
{
	int r = kf_channel_add_root(channel, hsm->root.p, hsm->root.n, e);

	if (r == 0)
		r = kf_channel_set_device(channel, hsm->serial, e);
	if (r < 0)
		return r;
	memcpy(channel->enrolled, hsm->fingerprint, sizeof(channel->enrolled));
	channel->allow_virtual |= hsm->allow_virtual;
	return 0;
}

void kf_channel_allow_virtual(struct kf_channel *channel, int allow)
{
	channel->allow_virtual = allow != 0;
}

void kf_channel_allow_last_try(struct kf_channel *channel, int allow)
{
	channel->allow_last_try = allow != 0;
}

void kf_channel_set_time(struct kf_channel *channel, int64_t now)
{
	channel->now = now;
}

static int begin(struct kf_channel *channel, struct kf_error *e)
{
	if (channel->n_orders == 0)
		return error_why(e, -EINVAL, "struct kf_channel", "give it an order", "there is nothing to do");
	if (channel->device[0] == '\0' && !channel->any)
		return error_why(e, -EINVAL, "the right card, not just a genuine one", "name the card, or say that any will do",
				 "nobody says which card it has to be");
	channel->phase = CHANNEL_READING;
	return 0;
}

/* --- reading EF.C_DevAut --- */

static void ask_file(struct kf_channel *channel)
{
	size_t at = channel->file_n;

	if (at == 0)
		round_plain(&channel->round, &(struct sm_command){
			.ins = INS_SELECT, .p1 = 0x04, .data = BYTES_OF(aid), .le = LE_SHORT }, ROUND_OK);
	for (int i = 0; i < READS; i++, at += ROUND_READ) {
		const uint8_t offset[] = { 0x54, 2, (uint8_t)(at >> 8), (uint8_t)at };

		round_plain(&channel->round, &(struct sm_command){
			.ins = INS_READ, .p1 = FID_DEVICE_CERT >> 8, .p2 = FID_DEVICE_CERT & 0xff,
			.data = BYTES_OF(offset), .le = ROUND_READ }, ROUND_ANY);
	}
}

static int not_given(uint16_t sw, struct kf_error *e)
{
	return error_why(e, -EACCES, "EF.C_DevAut (2F02) is public", "is it a SmartCard-HSM?",
			 "the card does not give its device certificate: status word %04x", sw);
}

/* Return: 0; 1 that was the end of it; -EACCES. */
static int take_piece(struct kf_channel *channel, const struct turn *turn, struct kf_error *e)
{
	struct packer p = pack_begin(channel->file + channel->file_n, sizeof(channel->file) - channel->file_n);

	if (turn->sw == SW_OFFSET && channel->file_n != 0)
		return 1;
	if (turn->sw != ROUND_OK && turn->sw != SW_END_OF_FILE)
		return not_given(turn->sw, e);
	pack_bytes(&p, turn_data(turn));
	if (pack_end(&p) < 0)
		return error_why(e, -EACCES, RULE, "is it a SmartCard-HSM?",
				 "the card's device certificate has more than %d bytes", CHANNEL_FILE_MAX);
	channel->file_n += p.n;
	return turn->sw == SW_END_OF_FILE || turn->data_n < ROUND_READ;
}

static int judge_file(struct kf_channel *channel, struct kf_error *e)
{
	int r = 0;

	/* The first of the first round is SELECT. */
	for (size_t i = channel->file_n == 0; r == 0 && i < channel->round.n; i++)
		r = take_piece(channel, round_turn(&channel->round, i), e);
	if (r == 1)
		r = channel_recognise(channel, e);
	return r;
}

/* --- agreeing --- */

static int put_point(struct kf_channel *channel, struct packer *p)
{
	struct der_mark outer = der_begin(p, 0x7c), inner = der_begin(p, 0x80);
	int r = curve_point(channel->own, p);

	der_end(p, inner);
	der_end(p, outer);
	return r < 0 ? r : pack_end(p);
}

static void ask_agreement(struct kf_channel *channel)
{
	uint8_t oid[EAC_OID_SIZE + 2], point[CURVE_POINT_MAX + 8];
	struct packer o = pack_begin(oid, sizeof(oid)), p = pack_begin(point, sizeof(point));
	struct round *round = &channel->round;

	der_put(&o, 0x80, BYTES_OF(eac_oid));
	if (!channel->own)
		round->failed = eac_ephemeral(channel->chain.key, &channel->own);
	if (round->failed == 0)
		round->failed = put_point(channel, &p);
	round_plain(round, &(struct sm_command){
		.ins = INS_MSE, .p1 = P1_SET_AT, .p2 = P2_SET_AT, .data = pack_done(&o) }, ROUND_OK);
	round_plain(round, &(struct sm_command){
		.ins = INS_GENERAL_AUTHENTICATE, .data = pack_done(&p), .le = LE_SHORT }, ROUND_OK);
}

static int check_token(struct kf_channel *channel, struct bytes answer)
{
	struct unpacker u = unpack_begin(answer), inner = der_enter(&u, 0x7c);
	struct bytes nonce = der_take(&inner, 0x81), token = der_take(&inner, 0x82);
	uint8_t own[CURVE_POINT_MAX], device[CURVE_POINT_MAX], good[EAC_TOKEN_SIZE] = { 0 };
	struct packer o = pack_begin(own, sizeof(own)), d = pack_begin(device, sizeof(device));
	int r;

	der_leave(&u, &inner);
	if (unpack_end(&u) < 0 || nonce.n != EAC_NONCE_SIZE || token.n != EAC_TOKEN_SIZE)
		return -EBADMSG;
	r = curve_point(channel->own, &o);
	if (r == 0)
		r = curve_point(channel->chain.key, &d);
	if (r == 0)
		r = eac_agree(channel->own, pack_done(&d), nonce.p, &channel->sm);
	if (r == 0)
		r = eac_token(&channel->sm, pack_done(&o), good);
	if (r < 0)
		return r;
	return bytes_equal_ct(token, BYTES_OF(good)) ? 0 : -EACCES;
}

static int judge_agreement(struct kf_channel *channel, struct kf_error *e)
{
	int r = check_token(channel, turn_data(round_turn(&channel->round, 1)));

	EVP_PKEY_free(channel->own);
	channel->own = NULL;
	if (r == -EBADMSG || r == -EACCES)
		return error_why(e, -EACCES, RULE, "somebody stands between, or it is another card: do not go on",
				 "what answers does not have the device key of card %s", channel->serial);
	channel->phase = CHANNEL_WORKING;
	return r;
}

/* --- rounds --- */

/* The one that is carried out; NULL: not yet, or there is none left. */
static struct order *order_now(struct kf_channel *channel)
{
	bool works = channel->phase == CHANNEL_WORKING && channel->order < channel->n_orders;

	return works ? &channel->orders[channel->order] : NULL;
}

static int finish(struct kf_channel *channel, int r, struct kf_error *e)
{
	const struct order *order = order_now(channel);

	channel->phase = CHANNEL_OVER;
	channel->outcome = r == 0 ? KF_CHANNEL_DONE :
			   r == -ENODATA ? KF_CHANNEL_INDETERMINATE : KF_CHANNEL_REFUSED;
	sm_end(&channel->sm);
	EVP_PKEY_free(channel->own);
	channel->own = NULL;
	for (size_t i = 0; i < channel->n_orders; i++)
		order_wipe(&channel->orders[i]);
	round_begin(&channel->round);
	return error_what(e, r, "%s", order ? order->kind->what : "cannot open a channel to the card");
}

/* What @r means once some of the round may have reached the card. */
static int lost(struct kf_channel *channel, int r, struct kf_error *e)
{
	const struct order *order = order_now(channel);

	if (!round_matters(&channel->round))
		return r;
	return error_why(e, -ENODATA, RULE, order->kind->doubt,
			 "the answer that would have proved it is missing: it may be done, or not");
}

static int refused(const struct kf_channel *channel, const struct order *order, const struct turn *turn,
		   struct kf_error *e)
{
	if (order)
		return order_refused(order, turn->sw, e);
	if (channel->phase == CHANNEL_READING)
		return error_why(e, -EACCES, "the card", "is it a SmartCard-HSM?",
				 "it does not know the application: status word %04x", turn->sw);
	return error_why(e, -EOPNOTSUPP, "the card", "older ones agree by 3DES alone, which is not offered",
			 "it does not agree on a channel with AES: status word %04x", turn->sw);
}

static int judge(struct kf_channel *channel, struct kf_error *e)
{
	struct order *order = order_now(channel);
	const struct turn *turn = round_refused(&channel->round);
	int r;

	if (channel->phase == CHANNEL_NEW)
		return begin(channel, e);
	if (turn)
		return refused(channel, order, turn, e);
	if (!round_is_answered(&channel->round))
		return lost(channel, error_why(e, -EBADMSG, RULE, AGAIN, "%zu of %zu commands were answered",
					       channel->round.answered, channel->round.n), e);
	if (channel->phase == CHANNEL_READING)
		return judge_file(channel, e);
	if (channel->phase == CHANNEL_AGREEING)
		return judge_agreement(channel, e);
	r = order->kind->judge(channel, order, e);
	order->step++;
	return r;
}

/* The next step that has commands, of this order or the one after it. */
static void ask_order(struct kf_channel *channel)
{
	for (; channel->order < channel->n_orders; channel->order++) {
		struct order *order = &channel->orders[channel->order];

		order->kind->ask(channel, order);
		if (channel->round.n != 0 || channel->round.failed < 0)
			break;
	}
	if (channel->order + 1 < channel->n_orders)
		channel->round.last = false;
}

static int make(struct kf_channel *channel)
{
	round_begin(&channel->round);
	if (channel->phase == CHANNEL_READING)
		ask_file(channel);
	else if (channel->phase == CHANNEL_AGREEING)
		ask_agreement(channel);
	else
		ask_order(channel);
	return round_end(&channel->round);
}

int kf_channel_next(struct kf_channel *channel, struct kf_error *e)
{
	int r;

	if (channel->phase == CHANNEL_OVER)
		return error_why(e, -EPROTO, "struct kf_channel", "make another one", "the channel is over");
	r = judge(channel, e);
	if (r == 0)
		r = make(channel);
	return r == 0 && channel->round.n != 0 ? 1 : finish(channel, r, e);
}

size_t kf_channel_commands(const struct kf_channel *channel)
{
	return channel->round.n;
}

const uint8_t *kf_channel_command(const struct kf_channel *channel, size_t i, size_t *len, uint16_t *expect,
				  uint16_t *mask)
{
	const struct turn *turn;

	if (i >= channel->round.n)
		return NULL;
	turn = &channel->round.turns[i];
	*len = turn->n;
	*expect = turn->expect;
	*mask = turn->expect == ROUND_ANY ? 0 : 0xffff;
	return turn->apdu;
}

int kf_channel_is_last(const struct kf_channel *channel)
{
	return channel->round.last;
}

int kf_channel_answer(struct kf_channel *channel, const void *response, size_t len, struct kf_error *e)
{
	struct round *round = &channel->round;
	int r;

	if (round_is_answered(round) || round_refused(round))
		return error_why(e, -EPROTO, "struct kf_channel", AGAIN, "no command waits for an answer");
	r = round_answer(round, &channel->sm, BYTES(response, len));
	if (r == 0 && order_now(channel))
		channel->status = round->turns[round->answered - 1].sw;
	if (r == -EBADMSG)
		r = error_why(e, r, RULE, AGAIN, "the answer to command %zu is not one that the card made for it",
			      round->answered + 1);
	return r < 0 ? finish(channel, lost(channel, r, e), e) : 0;
}

int kf_channel_lost(struct kf_channel *channel, struct kf_error *e)
{
	int r = e && e->code < 0 ? e->code : error_why(e, -EBADMSG, RULE, AGAIN, "whoever carried the commands is gone");

	if (channel->phase == CHANNEL_OVER)
		return r;
	r = lost(channel, r, e);
	return finish(channel, r, e);
}

/* --- facts --- */

enum kf_channel_outcome kf_channel_outcome(const struct kf_channel *channel)
{
	return channel->outcome;
}

static bool is_virtual(const struct kf_channel *channel)
{
	return channel->chain.key && (channel->is_virtual || channel->chain.fixed);
}

/* The last that there is something to tell of; NULL: there is none. */
static const struct order *order_last(const struct kf_channel *channel)
{
	size_t last = channel->order < channel->n_orders ? channel->order : channel->n_orders - 1;

	return channel->n_orders != 0 ? &channel->orders[last] : NULL;
}

static uint32_t order_value(const struct order *order, enum kf_channel_fact fact)
{
	switch (fact) {
	case KF_CHANNEL_TRIES_LEFT:
		return order->tries;
	case KF_CHANNEL_CONTAINER:
		return order->key.container;
	case KF_CHANNEL_KEY_TYPE:
		return order->key.type;
	case KF_CHANNEL_PURPOSE:
		return order->key.purpose;
	default:
		return 0;
	}
}

uint32_t kf_channel_value(const struct kf_channel *channel, enum kf_channel_fact fact)
{
	const struct order *order = order_last(channel);

	switch (fact) {
	case KF_CHANNEL_STATUS:
		return channel->status;
	case KF_CHANNEL_SHARES:
		return channel->dkek.shares;
	case KF_CHANNEL_OUTSTANDING:
		return channel->dkek.outstanding;
	case KF_CHANNEL_VIRTUAL:
		return is_virtual(channel);
	case KF_CHANNEL_WHOLE:
		return channel->dkek.whole && channel->dkek.told && channel->dkek.outstanding == 0;
	default:
		return order ? order_value(order, fact) : 0;
	}
}

const uint8_t *kf_channel_check_value(const struct kf_channel *channel)
{
	return channel->dkek.told ? channel->dkek.kcv : NULL;
}

const char *kf_channel_serial(const struct kf_channel *channel)
{
	return channel->chain.key ? channel->serial : NULL;
}

const char *kf_channel_fingerprint(const struct kf_channel *channel)
{
	return channel->chain.key ? channel->fingerprint : NULL;
}

/* A device key that everybody knows lets everybody in between (SECURITY section 5: public keys are C). */
static enum kf_grade card_grade(const struct kf_channel *channel)
{
	if (!channel->chain.key)
		return KF_GRADE_NONE;
	return channel->chain.fixed ? KF_GRADE_C : channel->is_virtual ? KF_GRADE_B_VIRTUAL : KF_GRADE_B;
}

enum kf_grade kf_channel_grade(const struct kf_channel *channel)
{
	const struct order *order = order_last(channel);
	enum kf_grade grade = card_grade(channel);

	if (grade == KF_GRADE_NONE || !order || order->key.container == 0)
		return grade;
	if (!channel->dkek.whole)
		return KF_GRADE_U;
	return channel->dkek.is_public ? KF_GRADE_C : grade;
}
