/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/order_key.c - UNWRAP KEY [card dossier 2.6] with the blob in the scratch file, as it goes through readers with
 * short lengths, and then what lies beside a key. Nothing is replaced. A key that could not be described is taken away
 * again, because nobody would find it.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/dkek_blob.h"
#include "format/schsm/wrapped_file.h"
#include "libserver/cert.h"
#include "libserver/schsm/channel.h"
#include "libserver/schsm/public.h"
#include "libserver/schsm/seal.h"

enum { INS_UNWRAP_KEY = 0x74, P2_UNWRAP = 0x93 };
enum { FID_SCRATCH = 0x2f10, KIND_KEY = 0xcc, KIND_PRKD = 0xc4, KIND_CERT = 0xce };
enum { STEP_LOOK, STEP_VERIFY, STEP_UNWRAP, STEP_DESCRIBE, STEP_CLEAR };
enum { ASKED_TRIES, ASKED_PLACE, ASKED_DKEK, ASKED_NEXT };		/* in the first step */

#define RULE "docs/formats.md 15"
#define GUIDE "docs/cards/schsm.md"

static uint16_t fid_of(const struct order *order, uint8_t kind)
{
	return (uint16_t)(kind << 8 | order->key.container);
}

static void look(struct kf_channel *channel, const struct order *order)
{
	const uint8_t name[] = { KIND_KEY, order->key.container };

	order_ask_tries(channel, order);
	order_send(channel, &(struct sm_command){ .ins = INS_SELECT, .p2 = 0x0c, .data = BYTES_OF(name) }, ROUND_ANY);
	dkek_ask(channel, 0);
	dkek_ask(channel, 1);
}

static void unwrap(struct kf_channel *channel, const struct order *order)
{
	order_write_file(channel, FID_SCRATCH, blob_bytes(&order->key.blob), ROUND_OK);
	order_send(channel, &(struct sm_command){
		.cla = 0x80, .ins = INS_UNWRAP_KEY, .p1 = order->key.container, .p2 = P2_UNWRAP }, ROUND_OK);
	round_changes(&channel->round);
}

static void describe(struct kf_channel *channel, const struct order *order)
{
	order_write_file(channel, fid_of(order, KIND_PRKD), BYTES(order->key.prkd, order->key.prkd_n), ROUND_ANY);
	order_write_file(channel, fid_of(order, KIND_CERT), blob_bytes(&order->key.cert), ROUND_ANY);
	round_changes(&channel->round);
}

static void clear(struct kf_channel *channel, const struct order *order)
{
	static const uint8_t kinds[] = { KIND_KEY, KIND_PRKD, KIND_CERT };

	if (order->key.failed == 0)
		return;
	for (size_t i = 0; i < sizeof(kinds); i++)
		order_write_file(channel, fid_of(order, kinds[i]), BYTES_NONE, ROUND_ANY);
	round_changes(&channel->round);
}

static void ask(struct kf_channel *channel, struct order *order)
{
	switch (order->step) {
	case STEP_LOOK:
		look(channel, order);
		break;
	case STEP_VERIFY:
		order_verify(channel, order);
		break;
	case STEP_UNWRAP:
		unwrap(channel, order);
		break;
	case STEP_DESCRIBE:
		describe(channel, order);
		break;
	case STEP_CLEAR:
		clear(channel, order);
		break;
	default:
		break;
	}
}

static int judge_place(const struct order *order, uint16_t sw, struct kf_error *e)
{
	if (sw == ROUND_OK)
		return error_why(e, -EEXIST, "nothing is replaced", "name another container, or delete that key first",
				 "container %u holds a key", order->key.container);
	return sw == SW_NO_FILE || sw == SW_NO_OBJECT ? 0 : order_refused(order, sw, e);
}

/* A card with several domains finds the DKEK by the blob itself; with one it can be told before. */
static int judge_dkek(const struct kf_channel *channel, const struct order *order, bool several, struct kf_error *e)
{
	const struct dkek_facts *facts = &channel->dkek;

	/* What this channel has proved of one DKEK says nothing of a key under another. */
	if (several && !(facts->whole && memcmp(facts->kcv, order->key.kcv, sizeof(facts->kcv)) != 0))
		return 0;
	if (!facts->told || (facts->shares == 0 && bytes_are_zero(BYTES_OF(facts->kcv))))
		return error_why(e, -ENOENT, "the card", "initialise it with a DKEK: keyferry card init --dkek-shares N",
				 "it has no DKEK");
	if (facts->outstanding != 0)
		return error_why(e, -ENOENT, "the card", "import them: keyferry channel dkek import",
				 "shares of its DKEK are outstanding: %u", facts->outstanding);
	if (!bytes_are_zero(BYTES_OF(facts->kcv)) && memcmp(facts->kcv, order->key.kcv, sizeof(facts->kcv)) != 0)
		return error_why(e, -ENOENT, "the check value in the blob", "compare: keyferry dkek status",
				 "the key was wrapped under another DKEK");
	return 0;
}

/* What a share in this channel has proved stays proved, as long as the check value is the same. */
static void take_dkek(struct kf_channel *channel, const struct turn *turn)
{
	const struct dkek_facts before = channel->dkek;

	if (turn->sw != ROUND_OK || dkek_take(turn, &channel->dkek) < 0)
		channel->dkek = (struct dkek_facts){ 0 };
	if (before.told && memcmp(before.kcv, channel->dkek.kcv, sizeof(before.kcv)) == 0) {
		channel->dkek.whole = before.whole;
		channel->dkek.is_public = before.is_public;
	}
}

static int judge_look(struct kf_channel *channel, struct order *order, struct kf_error *e)
{
	const struct round *round = &channel->round;
	uint16_t next = round_turn(round, ASKED_NEXT)->sw;
	int r = order_judge_tries(channel, order, round_turn(round, ASKED_TRIES), e);

	take_dkek(channel, round_turn(round, ASKED_DKEK));
	if (r == 0)
		r = judge_place(order, round_turn(round, ASKED_PLACE)->sw, e);
	if (r == 0)
		r = judge_dkek(channel, order, next == ROUND_OK || next == SW_NO_OBJECT, e);
	/* Of several domains the card takes the one that the blob names; what it told is of another. */
	if (r == 0 && memcmp(channel->dkek.kcv, order->key.kcv, sizeof(order->key.kcv)) != 0)
		channel->dkek = (struct dkek_facts){ 0 };
	return r;
}

/* Deleting what is not there is no failure. */
static bool file_is_written(const struct turn *turn)
{
	return turn->sw == ROUND_OK || (turn->apdu[1] == INS_DELETE && turn->sw == SW_NO_FILE);
}

static const struct turn *not_written(const struct round *round)
{
	for (size_t i = 0; i < round->answered; i++)
		if (!file_is_written(&round->turns[i]))
			return &round->turns[i];
	return NULL;
}

static int judge_description(struct kf_channel *channel, struct order *order)
{
	const struct turn *turn = not_written(&channel->round);

	order->key.failed = turn ? turn->sw : 0;
	return 0;
}

static int judge_clear(struct kf_channel *channel, struct order *order, struct kf_error *e)
{
	if (!not_written(&channel->round))
		return order_refused(order, order->key.failed, e);
	return error_why(e, -ENODATA, GUIDE, order->kind->doubt,
			 "the key is in container %u, could not be described (status word %04x), and could not be "
			 "taken away again", order->key.container, order->key.failed);
}

static int judge(struct kf_channel *channel, struct order *order, struct kf_error *e)
{
	switch (order->step) {
	case STEP_LOOK:
		return judge_look(channel, order, e);
	case STEP_DESCRIBE:
		return judge_description(channel, order);
	case STEP_CLEAR:
		return judge_clear(channel, order, e);
	default:
		return 0;
	}
}

static int refusal(const struct order *order, uint16_t sw, struct kf_error *e)
{
	if (order->step == STEP_UNWRAP && sw != SW_FULL && sw != SW_PIN_NEEDED)
		return error_why(e, -EREMOTEIO, "the card", "get the blob again",
				 "it does not take the blob (status word %04x): MAC or content are wrong", sw);
	return 0;
}

static const struct order_kind kind = {
	"cannot unwrap the key", "look what the card holds: keyferry container list", ask, judge, refusal,
};

/* --- taking the order --- */

/**
 * struct taking - what an order for a key is made of
 * @parts:	of the file, borrowed
 * @prkd:	what the file says of it; kind 0: nothing
 */
struct taking {
	const struct kf_channel_unwrap *want;
	struct order_key *key;
	struct wrapped_file parts;
	struct dkek_blob blob;
	struct prkd prkd;
};

/* A blob begins with eight bytes that may be anything, so its form decides. */
static int take_file(struct taking *t, struct kf_error *e)
{
	struct bytes file = BYTES(t->want->file, t->want->file_len);

	t->parts = (struct wrapped_file){ .blob = file };
	if (dkek_blob_parse(file, &t->blob) < 0 &&
	    (wrapped_file_parse(file, &t->parts) < 0 || dkek_blob_parse(t->parts.blob, &t->blob) < 0))
		return error_why(e, -EBADMSG, RULE, "get it again from where it was wrapped",
				 "the file is neither a wrapped key nor one that sc-hsm-tool made");
	if (t->parts.prkd.n != 0 && prkd_parse(t->parts.prkd, &t->prkd) < 0)
		return error_why(e, -EBADMSG, RULE, "get it again from where it was wrapped",
				 "what the file says of the key cannot be read");
	memcpy(t->key->kcv, t->blob.kcv.p, sizeof(t->key->kcv));
	return fleet_check_list(t->blob.algorithms, t->want->allow_rewrap != 0, e);
}

static int take_certificate(struct taking *t, struct kf_error *e)
{
	_cleanup_(X509_freep) X509 *cert = NULL;
	int r;

	if (!t->want->cert) {
		r = blob_set(&t->key->cert, t->parts.cert);
		return r < 0 ? r : fleet_check_certificate(t->key->cert.n, e);
	}
	r = cert_parse(BYTES(t->want->cert, t->want->cert_len), "certificate", &cert, e);
	if (r == 0)
		r = cert_der(cert, &t->key->cert);
	return r < 0 ? r : fleet_check_certificate(t->key->cert.n, e);
}

static bool blob_is_of(enum dkek_type in_blob, enum kf_key_type type)
{
	return in_blob == DKEK_AES ? key_type_is_aes(type) :
	       in_blob == DKEK_EC  ? key_type_is_ec(type) : key_type_is_rsa(type);
}

static enum kf_key_type type_of(const struct prkd *prkd)
{
	static const enum kf_key_type types[] = {
		KF_KEY_RSA_2048, KF_KEY_RSA_3072, KF_KEY_RSA_4096, KF_KEY_AES_128, KF_KEY_AES_192, KF_KEY_AES_256,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (prkd->bits == key_type_bits(types[i]) &&
		    prkd->kind == (key_type_is_rsa(types[i]) ? PRKD_RSA : PRKD_AES))
			return types[i];
	return KF_KEY_NONE;
}

/* What is said, what the certificate says, what the file says: one is enough, and none may contradict the blob. */
static int take_type(struct taking *t, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum kf_key_type of_cert = KF_KEY_NONE;
	int r = 0;

	t->key->type = t->want->key_type;
	if (t->key->cert.n != 0) {
		r = public_of(blob_bytes(&t->key->cert), &key);
		if (r == 0)
			r = key_type_of(key, &of_cert);
	}
	if (r == -EBADMSG || r == -EOPNOTSUPP)
		return error_why(e, -EBADMSG, RULE, "RSA 2048 to 4096, P-256, P-384, P-521, P-256K",
				 "the certificate is of no key that we know");
	if (r < 0)
		return r;
	if (t->key->type == KF_KEY_NONE)
		t->key->type = of_cert ? of_cert : type_of(&t->prkd);
	if (t->key->type == KF_KEY_NONE)
		return error_why(e, -EINVAL, RULE, "say it, or give the key's certificate",
				 "nothing says what type of key it is");
	if (!blob_is_of(t->blob.type, t->key->type) || (of_cert && of_cert != t->key->type))
		return error_why(e, -EACCES, RULE, "give the key's own certificate and type",
				 "the blob holds another kind of key than is said");
	return 0;
}

static enum kf_purpose purpose_of(const struct taking *t)
{
	if (t->want->purpose != KF_PURPOSE_NONE)
		return t->want->purpose;
	if (key_type_is_aes(t->key->type))
		return KF_PURPOSE_CIPHER;
	if (t->prkd.kind == 0 || t->prkd.usage & PRKD_SIGN)
		return KF_PURPOSE_SIGN;
	return t->prkd.usage & PRKD_DECRYPT ? KF_PURPOSE_DECRYPT : KF_PURPOSE_DERIVE;
}

/* As the file describes it, but for what the order says. */
static int take_description(struct taking *t, struct kf_error *e)
{
	struct packer p = pack_begin(t->key->prkd, sizeof(t->key->prkd));
	char label[KF_KEY_LABEL_MAX + 1];
	uint8_t digest[KF_DIGEST_SIZE];
	struct prkd prkd;
	int r;

	t->key->purpose = purpose_of(t);
	if (!key_type_suits(t->key->type, t->key->purpose))
		return error_why(e, -EINVAL, "docs/card-application.md 1.2",
				 "RSA keys sign or decrypt, EC keys sign or derive",
				 "a key of type %s does not do that", key_type_name(t->key->type));
	(void)snprintf(label, sizeof(label), "key %u", t->key->container);
	prkd = prkd_of(t->key->type, t->key->purpose, t->want->label ? t->want->label :
		       t->prkd.kind ? t->prkd.label : label, t->key->container);
	if (t->prkd.kind != 0 && t->want->purpose == KF_PURPOSE_NONE)
		prkd.usage = t->prkd.usage;
	if (t->prkd.id_len != 0) {
		memcpy(prkd.id, t->prkd.id, sizeof(prkd.id));
		prkd.id_len = t->prkd.id_len;
	}
	/* As the driver does: where nothing tells the public half, the blob tells one key from another. */
	r = sha256(t->parts.blob, digest);
	prkd.marked = t->key->cert.n == 0;
	memcpy(prkd.mark, digest + KF_DIGEST_SIZE - PRKD_MARK_SIZE, PRKD_MARK_SIZE);
	if (r == 0)
		r = prkd_pack(&prkd, &p);
	t->key->prkd_n = p.n;
	return r;
}

static int take(const struct kf_channel_unwrap *want, struct order *order, struct kf_error *e)
{
	struct taking t = { .want = want, .key = &order->key };
	int r;

	if (want->size != sizeof(*want) || !want->file || !want->pin)
		return error_why(e, -EINVAL, "struct kf_channel_unwrap", "set size, file and pin",
				 "the order is incomplete");
	r = fleet_check_place(want->container, want->label, NULL, e);
	if (r < 0)
		return r;
	order->key.container = (uint8_t)want->container;
	r = take_file(&t, e);
	if (r == 0)
		r = take_certificate(&t, e);
	if (r == 0)
		r = take_type(&t, e);
	if (r == 0)
		r = take_description(&t, e);
	if (r == 0)
		r = blob_set(&order->key.blob, t.parts.blob);
	order->proof = ORDER_USER_PIN;
	return r < 0 ? r : order_take_pin(order->proof, want->pin, want->pin_len, &order->pin, e);
}

int kf_channel_unwrap(struct kf_channel *channel, const struct kf_channel_unwrap *want, struct kf_error *e)
{
	struct order *order = NULL;
	int r = order_new(channel, &kind, &order, e);

	return r < 0 ? error_what(e, r, "%s", kind.what) : order_settle(channel, order, take(want, order, e), e);
}
