/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf_byok.c - UNWRAP [card-application 7.4]. Everything public is judged before, so that it
 * can be told: from the moment the card opens the blob there is one refusal.
 */
#include "driver/card/kf_kek.h"

#include "driver/card/fields.h"
#include "format/hash.h"
#include "format/kek_receipt.h"
#include "format/kid.h"
#include "format/wrapped.h"

static int refuse(struct card *card, int error, enum kf_byok_field field)
{
	return card_say(card, error, KF_REASON_BYOK, field);
}

/**
 * struct importing - one import on its way
 * @kek, @rule, @kek_type, @kek_origin: the KEK's container and what the card tells of it
 * @target, @type: what the request left open, chosen
 */
struct importing {
	uint32_t kek;
	struct kf_kek rule;
	enum kf_key_type kek_type;
	uint32_t kek_origin;
	uint32_t target;
	enum kf_key_type type;
};

/* The KEK that @kid calls, or the one of them if it names no version. */
static int find_by_kid(struct card *card, struct bytes kid, struct importing *out)
{
	uint32_t without_version = 0;
	struct kf_kek kek;

	for (uint32_t c = 0; c < kf_of(card)->info.n_containers; c++) {
		enum kid_fit fit;
		int r = kf_kek_get(card, c, &kek);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		fit = kid_fits(kid, BYTES(kek.name, strlen(kek.name)));
		if (fit == KID_OTHER)
			continue;
		out->kek = c;
		out->rule = kek;
		if (fit == KID_SAME)
			return 0;
		without_version++;
	}
	card->said = (struct card_said){ 0 };	/* the last container's "no KEK here" */
	if (without_version > 1)
		return refuse(card, -EINVAL, KF_BYOK_KEK_AMBIGUOUS);
	return without_version == 1 ? 0 : refuse(card, -ENOENT, KF_BYOK_KEK_UNKNOWN);
}

static int find_by_number(struct card *card, uint32_t container, struct bytes kid,
			  struct importing *out)
{
	int r = kf_kek_get(card, container, &out->rule);

	if (r == -ENOENT)
		return refuse(card, -EINVAL, KF_BYOK_KEK_PURPOSE);
	if (r < 0)
		return r;
	out->kek = container;
	if (kid.n != 0 && kid_fits(kid, BYTES(out->rule.name, strlen(out->rule.name))) == KID_OTHER)
		return refuse(card, -ENOENT, KF_BYOK_KEK_UNKNOWN);
	return 0;
}

static int find_kek(struct card *card, const struct kf_byok_import *ask, struct bytes kid,
		    struct importing *out)
{
	struct kf_place place = { 0 };
	int r;

	if (ask->kek == KF_CONTAINER_ANY)
		r = kid.n != 0 ? find_by_kid(card, kid, out) : -EINVAL;
	else
		r = find_by_number(card, ask->kek, kid, out);
	if (r == 0)
		r = kf_place_get(card, out->kek, &place);
	if (r < 0)
		return r;
	if (!place.occupied || place.purpose != KF_PURPOSE_KEK)
		return refuse(card, -EINVAL, KF_BYOK_KEK_PURPOSE);
	if (!out->rule.enabled)
		return refuse(card, -EINVAL, KF_BYOK_KEK_DISABLED);
	out->kek_type = (enum kf_key_type)place.key_type;
	out->kek_origin = place.origin;
	return 0;
}

/* What the KEK allows, and what the blob can be at all. */
static int check_blob(struct card *card, const struct kf_byok_import *ask, struct bytes blob,
		      struct importing *im)
{
	size_t modulus = key_type_size(im->kek_type);

	if (ask->hash != KF_HASH_NONE && ask->hash != im->rule.hash)
		return refuse(card, -EINVAL, KF_BYOK_HASH);
	if (!wrapped_fits(blob.n, modulus))
		return refuse(card, -EINVAL, KF_BYOK_BLOB);
	im->type = (enum kf_key_type)ask->key_type;
	if (im->type == KF_KEY_NONE)
		im->type = wrapped_type(blob.n - modulus);
	if (im->type == KF_KEY_NONE || (uint32_t)im->type >= 32 ||
	    !(im->rule.key_types & 1u << im->type))
		return refuse(card, -EINVAL, KF_BYOK_KEY_TYPE);
	if (ask->purpose >= 32 || !(im->rule.purposes & 1u << ask->purpose) ||
	    !key_type_suits(im->type, (enum kf_purpose)ask->purpose))
		return refuse(card, -EINVAL, KF_BYOK_PURPOSE);
	return 0;
}

static bool is_reserved(const struct kf_place *place)
{
	return place->purpose == KF_PURPOSE_EXCHANGE || place->purpose == KF_PURPOSE_KEK ||
	       place->purpose == KF_PURPOSE_SHARED;
}

static int check_target(struct card *card, const struct kf_byok_import *ask, struct importing *im)
{
	bool replace = ask->flags & KF_BYOK_REPLACE;
	uint8_t holds[KF_DIGEST_SIZE];
	struct kf_place place = { 0 };
	int r;

	if (replace && ask->container == KF_CONTAINER_ANY)
		return -EINVAL;
	r = kf_place_choose(card, ask->container, &im->target);
	if (r == 0)
		r = kf_place_get(card, im->target, &place);
	if (r < 0)
		return r;
	if (!place.occupied)
		return replace ? refuse(card, -EEXIST, KF_BYOK_REPLACES) : 0;
	if (!replace || is_reserved(&place))
		return refuse(card, -EEXIST, KF_BYOK_CONTAINER);
	if (sha256(place.spki, holds) < 0)
		return -EIO;
	return bytes_equal(BYTES_OF(holds), BYTES_OF(ask->replaces)) ?
	       0 : refuse(card, -EEXIST, KF_BYOK_REPLACES);
}

/* What was right a moment ago the card may refuse all the same, when somebody came in between. */
static int meaning_of(struct card *card, int r)
{
	if (r != -EREMOTEIO)
		return r;
	if (card->said.sw == SW_REFUSED)
		card->said.reason = KF_REASON_BYOK_REFUSED;
	if (card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;
	if (card->said.sw == SW_DATA)		/* C1 is not below the modulus */
		return refuse(card, -EINVAL, KF_BYOK_BLOB);
	return r;
}

static int unwrap(struct card *card, const struct kf_byok_import *ask, const struct importing *im,
		  struct bytes blob, struct bytes *receipt)
{
	uint8_t buf[KF_BLOB_MAX + 64];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command command = {
		.cla = 0x80, .ins = INS_UNWRAP, .p2 = (uint8_t)im->kek, .answers = true,
	};

	field_put_uint(&p, 0x80, im->target, 1);
	field_put_uint(&p, 0x81, im->type, 1);
	field_put_uint(&p, 0x82, ask->purpose, 1);
	field_put_uint(&p, 0x83, POLICY_PIN, 1);
	if (ask->flags & KF_BYOK_REPLACE)
		tlv_pack(&p, 0x84, BYTES_OF(ask->replaces));
	tlv_pack(&p, 0x85, blob);
	assert(!p.bad);
	command.data = pack_done(&p);
	return meaning_of(card, kf_call(card, &command, receipt));
}

/* Signed, but for the server to believe; here it has to be of this import at least. */
static int take_receipt(struct bytes data, const struct importing *im, struct bytes blob,
			struct bytes *evidence)
{
	struct signed_receipt outer;
	struct kek_receipt r;
	uint8_t hash[KF_DIGEST_SIZE];

	if (sha256(blob, hash) < 0)
		return -EIO;
	if (signed_receipt_parse(data, &outer) < 0 || kek_receipt_parse(outer.receipt, &r) < 0 ||
	    !bytes_equal(BYTES_OF(hash), BYTES_OF(r.blob)) || r.container != im->target ||
	    r.key_type != im->type)
		return -EBADMSG;
	*evidence = r.evidence;
	return 0;
}

/*
 * What is in the container now, out of the receipt: the key is in there, so that a further command
 * that failed would tell as a failure what has happened [formats 12 evidence].
 */
static int take_evidence(struct bytes evidence, struct kf_byok_import *import, struct bytes *spki)
{
	struct key_mark mark;

	if (!key_type_is_aes((enum kf_key_type)import->key_type)) {
		*spki = evidence;
		return 0;
	}
	if (key_mark_parse(evidence, &mark) < 0 || mark.key_type != import->key_type)
		return -EBADMSG;
	import->check_len = sizeof(mark.check);
	memcpy(import->check_value, mark.check, sizeof(mark.check));
	return 0;
}

static enum kf_grade grade_of(const struct card *card, const struct importing *im)
{
	if (im->kek_origin != KF_ORIGIN_GENERATED)
		return KF_GRADE_C;		/* who made the KEK can open the blob, too */
	return kf_of(card)->info.level == KF_LEVEL_CHIP ? KF_GRADE_A : KF_GRADE_A_VIRTUAL;
}

int kf_byok_import(struct card *card, struct kf_byok_import *import, struct bytes kid,
		   struct bytes blob, struct packer *receipt, struct bytes *spki)
{
	struct importing im = { 0 };
	struct bytes data = { 0 }, evidence = { 0 };
	int r;

	if (kf_of(card)->info.unwrap_types == 0)
		return -EOPNOTSUPP;
	if (import->pin != 0 && import->pin != KF_PIN_USER)
		return -EINVAL;
	r = find_kek(card, import, kid, &im);
	if (r == 0)
		r = check_blob(card, import, blob, &im);
	if (r == 0)
		r = check_target(card, import, &im);
	if (r == 0)
		r = unwrap(card, import, &im, blob, &data);
	if (r == 0)
		r = take_receipt(data, &im, blob, &evidence);
	if (r < 0)
		return r;
	import->container = im.target;
	import->kek = im.kek;
	import->key_type = im.type;
	import->hash = im.rule.hash;
	import->grade = grade_of(card, &im);
	r = take_evidence(evidence, import, spki);
	if (r < 0)
		return r;
	pack_bytes(receipt, data);
	return pack_end(receipt);
}
