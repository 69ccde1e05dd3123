/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_blob.c - WRAP KEY and UNWRAP KEY [cards 2.3, 2.6]. A blob's header is public, so
 * whatever can be told from it is told before the card opens anything. A key that is to be replaced is
 * deleted only after the card has opened the blob once, in a free place beside it: a blob that is
 * refused costs nobody a key.
 */
#include "driver/card/schsm.h"

#include "driver/iso7816/card_io.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "format/schsm/dkek_blob.h"

#include <openssl/evp.h>

enum { INS_WRAP_KEY = 0x72, INS_UNWRAP_KEY = 0x74, ID_MADE_UP = 20 };

static_assert(DKEK_BLOB_MAX <= KF_BLOB_MAX, "one blob");

static int wrong(struct card *card, int error, enum kf_blob_field field)
{
	return card_say(card, error, KF_REASON_BLOB, field);
}

/* --- out --- */

int schsm_blob_wrap(struct card *card, uint32_t container, struct packer *out)
{
	const struct card_command wrap = {
		.cla = 0x80, .ins = INS_WRAP_KEY, .p1 = (uint8_t)container, .p2 = SCHSM_WRAP,
		.answers = true,
	};
	struct kf_dkek_entry dkek;
	struct dkek_blob blob;
	struct bytes answer;
	int r = schsm_kid_check(container);

	if (r == 0)
		r = schsm_dkek_read(card, 0, &dkek);
	if (r == -ENOENT)
		return card_say(card, r, KF_REASON_DKEK, KF_DKEK_NONE);
	if (r < 0)
		return r;
	/* Of several domains the key's is the one its blob came by, and the card alone knows it. */
	if (dkek.state == KF_DKEK_INCOMPLETE && schsm_domains(card) == 1)
		return card_say(card, -EPROTO, KF_REASON_DKEK, dkek.state);
	r = schsm_judge_use(card, schsm_call(card, &wrap, &answer));
	if (r < 0)
		return r;
	if (dkek_blob_parse(answer, &blob) < 0)
		return -EBADMSG;
	pack_bytes(out, answer);
	return pack_end(out);
}

/* --- in --- */

/**
 * struct unwrapping - one blob on its way in
 * @blob:	its header
 * @public:	out of the certificate
 * @prkd:	what will stand beside the key
 * @files:	what is on the card
 * @kid:	where to
 * @replaces:	the place is occupied by what was named
 */
struct unwrapping {
	struct kf_blob_unwrap *want;
	const struct card_blob *given;
	struct dkek_blob blob;
	struct schsm_public public;
	struct prkd prkd;
	struct schsm_files files;
	uint32_t kid;
	bool replaces;
};

/* Under which of the card's DKEKs it is; a card that does not tell its check value is simply asked. */
static int dkek_check(struct card *card, struct bytes kcv)
{
	struct kf_dkek_entry entry;
	uint32_t seen = KF_DKEK_NONE;
	int r = 0;

	for (uint32_t d = 0; d < schsm_domains(card); d++) {
		r = schsm_dkek_read(card, d, &entry);
		if (r < 0)
			break;
		if (entry.state == KF_DKEK_READY &&
		    (bytes_equal(kcv, BYTES_OF(entry.check_value)) ||
		     bytes_are_zero(BYTES_OF(entry.check_value))))
			return 0;
		if (entry.state == KF_DKEK_READY || seen == KF_DKEK_NONE)
			seen = entry.state;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	if (seen == KF_DKEK_READY)
		return wrong(card, -ENOENT, KF_BLOB_DKEK);
	return card_say(card, seen == KF_DKEK_NONE ? -ENOENT : -EPROTO, KF_REASON_DKEK, seen);
}

static bool blob_is_of(enum dkek_type in_blob, enum kf_key_type type, const EVP_PKEY *key)
{
	bool rsa = type == KF_KEY_OTHER ? key && EVP_PKEY_is_a(key, "RSA") : key_type_is_rsa(type);

	if (in_blob == DKEK_AES)
		return key_type_is_aes(type);
	if (in_blob == DKEK_RSA || in_blob == DKEK_RSA_CRT)
		return rsa;
	return !rsa && !key_type_is_aes(type);
}

/* What is said of the key, and what its certificate says; one will do, two have to agree. */
static int type_check(struct card *card, struct unwrapping *u)
{
	enum kf_key_type type = (enum kf_key_type)u->want->key_type;
	int r;

	if (u->want->key_type >= 32)
		return wrong(card, -EINVAL, KF_BLOB_KEY_TYPE);
	if (u->given->cert.n != 0) {
		r = schsm_public_parse(schsm_of(card), u->given->cert, &u->public);
		if (r < 0)
			return r == -EBADMSG ? wrong(card, -EINVAL, KF_BLOB_CERT) : r;
		if (type == KF_KEY_NONE)
			type = schsm_key_type(u->public.key);
		if (type != schsm_key_type(u->public.key))
			return wrong(card, -EINVAL, KF_BLOB_CERT);
	}
	if (type == KF_KEY_NONE || (type == KF_KEY_OTHER && !u->public.key) ||
	    (type != KF_KEY_OTHER && key_type_bits(type) == 0) ||
	    !blob_is_of(u->blob.type, type, u->public.key))
		return wrong(card, -EINVAL, KF_BLOB_KEY_TYPE);
	u->want->key_type = type;
	return 0;
}

static uint32_t all_purposes(enum kf_key_type type, uint8_t kind)
{
	uint32_t purposes = 0;

	if (type == KF_KEY_OTHER)
		return kind == PRKD_RSA ? 1u << KF_PURPOSE_SIGN | 1u << KF_PURPOSE_DECRYPT :
						1u << KF_PURPOSE_SIGN | 1u << KF_PURPOSE_DERIVE;
	for (unsigned int i = KF_PURPOSE_SIGN; i <= KF_PURPOSE_CIPHER; i++)
		if (key_type_suits(type, (enum kf_purpose)i))
			purposes |= 1u << i;
	return purposes;
}

/*
 * By the blob, which is another one for each key: an id where none was given, and where nothing tells the
 * public half the mark that a key is known by which is to be replaced.
 */
static int name(struct unwrapping *u)
{
	struct bytes id = u->given->id;
	uint8_t digest[KF_DIGEST_SIZE];
	int r = sha256(u->given->blob, digest);

	if (r < 0)
		return r;
	if (id.n == 0)
		id = BYTES(digest, ID_MADE_UP);
	memcpy(u->prkd.id, id.p, id.n);
	u->prkd.id_len = (uint8_t)id.n;
	u->prkd.marked = !u->public.key;
	memcpy(u->prkd.mark, digest + ID_MADE_UP, sizeof(u->prkd.mark));
	return 0;
}
static_assert(ID_MADE_UP + PRKD_MARK_SIZE == KF_DIGEST_SIZE, "one hash makes both");

static int describe(struct card *card, struct unwrapping *u)
{
	enum kf_key_type type = (enum kf_key_type)u->want->key_type;
	struct bytes label = u->given->label;
	uint32_t all;

	u->prkd.kind = u->blob.type == DKEK_AES ? PRKD_AES :
		       u->blob.type == DKEK_EC ? PRKD_EC : PRKD_RSA;
	u->prkd.bits = u->public.key ? (uint32_t)EVP_PKEY_get_bits(u->public.key) : key_type_bits(type);
	all = all_purposes(type, u->prkd.kind);
	if (u->want->purposes & ~all)
		return wrong(card, -EINVAL, KF_BLOB_PURPOSE);
	u->prkd.usage = prkd_usage(type, u->want->purposes ? u->want->purposes : all);
	if (label.n > KF_KEY_LABEL_MAX || u->given->id.n > KF_KEY_ID_MAX ||
	    (label.n != 0 && memchr(label.p, '\0', label.n)))
		return wrong(card, -EINVAL, KF_BLOB_LABEL);
	if (label.n == 0)
		(void)snprintf(u->prkd.label, sizeof(u->prkd.label), "key %u", u->kid);
	else
		memcpy(u->prkd.label, label.p, label.n);
	return name(u);
}

static int place_check(struct card *card, struct unwrapping *u)
{
	struct schsm_place place;
	bool same;
	int r;

	if (u->want->container == KF_CONTAINER_ANY && (u->want->flags & KF_BLOB_REPLACE))
		return wrong(card, -EINVAL, KF_BLOB_REPLACES);
	r = schsm_place_choose(&u->files, u->want->container, &u->kid);
	if (r < 0)
		return r;
	if (!schsm_has(u->files.key, u->kid))
		return u->want->flags & KF_BLOB_REPLACE ? wrong(card, -EEXIST, KF_BLOB_REPLACES) : 0;
	if (!(u->want->flags & KF_BLOB_REPLACE))
		return wrong(card, -EEXIST, KF_BLOB_CONTAINER);
	r = schsm_place_read(card, &u->files, u->kid, &place);
	if (r < 0)
		return r;
	same = bytes_equal(BYTES_OF(place.entry.holds), BYTES_OF(u->want->replaces));
	schsm_place_deinit(&place);
	u->replaces = true;
	return same ? 0 : wrong(card, -EEXIST, KF_BLOB_REPLACES);
}

static int check(struct card *card, struct unwrapping *u)
{
	int r;

	if (dkek_blob_parse(u->given->blob, &u->blob) < 0)
		return wrong(card, -EINVAL, KF_BLOB_FORM);
	if (dkek_blob_may_leave(&u->blob) && !(u->want->flags & KF_BLOB_REWRAP))
		return wrong(card, -EINVAL, KF_BLOB_ALGORITHMS);
	r = type_check(card, u);
	if (r == 0)
		r = schsm_files_read(card, &u->files);
	if (r == 0)
		r = place_check(card, u);
	if (r == 0)
		r = describe(card, u);
	return r == 0 ? dkek_check(card, u->blob.kcv) : r;
}

/* In the command where that carries it, else by way of the scratch file. */
static int unwrap_into(struct card *card, uint32_t kid, struct bytes blob)
{
	struct card_command unwrap = {
		.cla = 0x80, .ins = INS_UNWRAP_KEY, .p1 = (uint8_t)kid, .p2 = SCHSM_UNWRAP,
	};
	int r = 0;

	if (card->io->extended && blob.n <= SCHSM_COMMAND_MAX)
		unwrap.data = blob;
	else
		r = schsm_file_write(card, SCHSM_SCRATCH, blob);
	if (r == 0)
		r = schsm_do(card, &unwrap);
	if (card->lost || r == 0 || r == -EPERM || r == -ENOSPC)
		return r;
	card->said.reason = KF_REASON_BLOB_REFUSED;
	return -EREMOTEIO;
}

/* Where the card may show that it opens the blob before anything is given up for it. */
static int try_beside(struct card *card, const struct unwrapping *u)
{
	uint32_t spare = 0;
	int r = schsm_place_choose(&u->files, KF_CONTAINER_ANY, &spare);

	if (r == 0)
		r = unwrap_into(card, spare, u->given->blob);
	if (r < 0)
		return r;
	r = schsm_file_delete(card, schsm_fid(SCHSM_KEY, spare));
	/* A key that nobody knows of: whoever has the PIN could use it. */
	if (r < 0 && !card->lost)
		return card_say(card, r, KF_REASON_BLOB_SPARE, spare);
	return r < 0 ? r : schsm_place_clear(card, u->kid);
}

int schsm_blob_unwrap(struct card *card, struct kf_blob_unwrap *want, const struct card_blob *given)
{
	struct unwrapping u = { .want = want, .given = given };
	int r = check(card, &u);

	if (r == 0 && u.replaces)
		r = try_beside(card, &u);
	if (r == 0)
		r = unwrap_into(card, u.kid, given->blob);
	if (r == 0)
		r = schsm_place_describe(card, u.kid, &u.prkd, given->cert);
	if (r == 0)
		want->container = u.kid;
	schsm_public_deinit(&u.public);
	return r;
}
