/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_container.c - Keys and what lies beside them: three files of one id [cards 2.2]. The
 * description says what a key is called and for; where it is missing, as after UNWRAP by somebody who
 * wrote none, the certificate tells what it can.
 */
#include "driver/card/schsm.h"

#include "format/hash.h"
#include "format/keys.h"
#include "format/numbers.h"

#include <openssl/evp.h>

static enum kf_purpose purpose_of(const struct prkd *prkd)
{
	if (prkd->kind == PRKD_AES)
		return KF_PURPOSE_CIPHER;
	if (prkd->usage & PRKD_SIGN)
		return KF_PURPOSE_SIGN;
	if (prkd->usage & PRKD_DECRYPT)
		return KF_PURPOSE_DECRYPT;
	return prkd->usage & PRKD_DERIVE ? KF_PURPOSE_DERIVE : KF_PURPOSE_NONE;
}

/* Where no certificate tells: only what the size decides. */
static enum kf_key_type type_of(const struct prkd *prkd)
{
	static const struct { uint8_t kind; uint32_t bits; enum kf_key_type type; } rows[] = {
		{ PRKD_RSA, 2048, KF_KEY_RSA_2048 }, { PRKD_RSA, 3072, KF_KEY_RSA_3072 },
		{ PRKD_RSA, 4096, KF_KEY_RSA_4096 }, { PRKD_AES, 128, KF_KEY_AES_128 },
		{ PRKD_AES, 192, KF_KEY_AES_192 },   { PRKD_AES, 256, KF_KEY_AES_256 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].kind == prkd->kind && rows[i].bits == prkd->bits)
			return rows[i].type;
	return KF_KEY_OTHER;
}

/* What the key is told by: its public half, else its description. */
static int holds_from(const struct schsm_place *place, struct bytes prkd, uint8_t out[static KF_DIGEST_SIZE])
{
	uint8_t buf[SPKI_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r;

	if (!place->public.key)
		return sha256(prkd, out);
	r = key_spki(place->public.key, &p);
	return r < 0 ? r : sha256(pack_done(&p), out);
}

static int read_prkd(struct card *card, uint32_t container, uint8_t buf[static SCHSM_FILE_MAX],
		     struct schsm_place *out, size_t *n)
{
	int r = schsm_file_read(card, schsm_fid(SCHSM_PRKD, container), true, buf, SCHSM_FILE_MAX, n);

	if (r == 0)
		r = prkd_parse(BYTES(buf, *n), &out->prkd);
	if (r == -ENOENT || r == -EBADMSG) {	/* somebody else's, or none: the key is there all the same */
		*n = 0;
		return card->lost ? r : 0;
	}
	return r;
}

static int read_public(struct card *card, uint32_t container, uint8_t buf[static SCHSM_FILE_MAX],
		       struct schsm_place *out)
{
	size_t n;
	int r = schsm_file_read(card, schsm_fid(SCHSM_CERT, container), true, buf, SCHSM_FILE_MAX, &n);

	if (r == 0)
		r = schsm_public_parse(schsm_of(card), BYTES(buf, n), &out->public);
	if (r == -ENOENT || r == -EBADMSG)
		return card->lost ? r : 0;
	return r;
}

int schsm_place_read(struct card *card, const struct schsm_files *files, uint32_t container,
		     struct schsm_place *out)
{
	uint8_t prkd[SCHSM_FILE_MAX], cert[SCHSM_FILE_MAX];
	struct schsm_place place = { .entry = { .container = container } };
	struct kf_container_entry *entry = &place.entry;
	size_t n = 0;
	int r = 0;

	if (schsm_has(files->prkd, container))
		r = read_prkd(card, container, prkd, &place, &n);
	if (r == 0 && schsm_has(files->cert, container))
		r = read_public(card, container, cert, &place);
	if (r == 0)
		r = holds_from(&place, BYTES(prkd, n), entry->holds);
	if (r < 0) {
		schsm_place_deinit(&place);
		return r;
	}
	entry->key_type = place.public.key ? schsm_key_type(place.public.key) : type_of(&place.prkd);
	entry->purpose = purpose_of(&place.prkd);
	entry->origin = place.public.vouched ? KF_ORIGIN_GENERATED : KF_ORIGIN_UNKNOWN;
	entry->flags = KF_CONTAINER_PIN | (place.public.x509 ? KF_CONTAINER_CERT : 0);
	entry->pin = KF_PIN_USER;
	*out = place;
	return 0;
}

void schsm_place_deinit(struct schsm_place *place)
{
	schsm_public_deinit(&place->public);
}

int schsm_place_choose(const struct schsm_files *files, uint32_t container, uint32_t *out)
{
	if (container != KF_CONTAINER_ANY) {
		*out = container;
		return schsm_kid_check(container);
	}
	for (uint32_t kid = 1; kid <= SCHSM_KID_MAX; kid++) {
		if (!schsm_has(files->key, kid)) {
			*out = kid;
			return 0;
		}
	}
	return -ENOSPC;
}

int schsm_place_clear(struct card *card, uint32_t container)
{
	int r = schsm_file_delete(card, schsm_fid(SCHSM_KEY, container));

	if (r == 0)
		r = schsm_file_delete(card, schsm_fid(SCHSM_PRKD, container));
	if (r == 0)
		r = schsm_file_delete(card, schsm_fid(SCHSM_CERT, container));
	return r;
}

int schsm_place_describe(struct card *card, uint32_t container, const struct prkd *prkd,
			 struct bytes cert)
{
	uint8_t buf[PRKD_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_said said;
	int r = prkd_pack(prkd, &p);

	if (r == 0)
		r = schsm_file_write(card, schsm_fid(SCHSM_PRKD, container), pack_done(&p));
	/* Without one whatever was left there goes: it would be taken for this key's. */
	if (r == 0)
		r = schsm_file_write(card, schsm_fid(SCHSM_CERT, container), cert);
	if (r == 0 || card->lost)
		return r;
	said = card->said;
	(void)schsm_place_clear(card, container);
	card->said = said;
	return r;
}

static void pack_entry(struct packer *p, const struct kf_container_entry *entry)
{
	pack_le32(p, entry->container);
	pack_le32(p, entry->key_type);
	pack_le32(p, entry->purpose);
	pack_le32(p, entry->origin);
	pack_le32(p, entry->flags);
	pack_le32(p, entry->pin);
	pack_bytes(p, BYTES_OF(entry->holds));
}

int schsm_container_list(struct card *card, uint32_t *n, struct packer *entries)
{
	struct schsm_files files;
	uint32_t rows = 0;
	int r = schsm_files_read(card, &files);

	for (uint32_t kid = 1; r == 0 && kid <= SCHSM_KID_MAX; kid++) {
		struct schsm_place place;

		if (!schsm_has(files.key, kid))
			continue;
		r = schsm_place_read(card, &files, kid, &place);
		if (r < 0)
			return r;
		pack_entry(entries, &place.entry);
		schsm_place_deinit(&place);
		rows++;
	}
	if (r < 0)
		return r;
	*n = rows;
	return pack_end(entries);
}

int schsm_container_info(struct card *card, struct kf_container_info *info, struct packer *spki)
{
	uint32_t container = info->entry.container;
	struct schsm_files files;
	struct schsm_place place;
	int r = schsm_kid_check(container);

	if (r == 0)
		r = schsm_files_read(card, &files);
	if (r < 0)
		return r;
	info->check_len = 0;
	memset(info->check_value, 0, sizeof(info->check_value));
	if (!schsm_has(files.key, container)) {
		info->entry = (struct kf_container_entry){ .container = container };
		return 0;
	}
	r = schsm_place_read(card, &files, container, &place);
	if (r < 0)
		return r;
	info->entry = place.entry;
	if (place.public.key)
		r = key_spki(place.public.key, spki);
	schsm_place_deinit(&place);
	return r;
}

int schsm_container_delete(struct card *card, uint32_t container)
{
	struct schsm_files files;
	int r = schsm_kid_check(container);

	if (r == 0)
		r = schsm_files_read(card, &files);
	if (r < 0)
		return r;
	return schsm_has(files.key, container) ? schsm_place_clear(card, container) : -ENOENT;
}

/* --- making one --- */

static int create_check(const struct kf_container_create *want)
{
	enum kf_key_type type = (enum kf_key_type)want->key_type;

	if (want->key_type == KF_KEY_NONE || want->key_type >= 32)
		return -EINVAL;
	if (want->pin != 0 && want->pin != KF_PIN_USER)
		return -EINVAL;
	if (schsm_algorithms(type, (enum kf_purpose)want->purpose).n != 0)
		return 0;
	return key_type_suits(type, (enum kf_purpose)want->purpose) || want->purpose == KF_PURPOSE_EXCHANGE ?
		-EOPNOTSUPP : -EINVAL;
}

/* The id is the public key's, as everybody makes it who was not told another [RFC 5280 4.2.1.2]. */
static int describe_pair(const struct schsm *schsm, struct bytes voucher,
			 const struct kf_container_create *want, struct prkd *prkd,
			 struct packer *spki)
{
	struct schsm_public public = { 0 };
	uint8_t digest[KF_DIGEST_SIZE];
	size_t start = spki->n;
	int r = schsm_public_parse(schsm, voucher, &public);

	if (r < 0)
		return r;
	prkd->bits = (uint32_t)EVP_PKEY_get_bits(public.key);
	if (schsm_key_type(public.key) != want->key_type)
		r = -EBADMSG;
	if (r == 0)
		r = key_spki(public.key, spki);
	if (r == 0)
		r = sha256(bytes_slice(pack_done(spki), start, SIZE_MAX), digest);
	schsm_public_deinit(&public);
	if (r < 0)
		return r;
	prkd->id_len = 20;
	memcpy(prkd->id, digest, prkd->id_len);
	return 0;
}

static int describe_new(struct card *card, uint32_t kid, const struct kf_container_create *want,
			struct bytes answer, struct packer *spki)
{
	enum kf_key_type type = (enum kf_key_type)want->key_type;
	uint8_t voucher[SCHSM_FILE_MAX];
	struct packer copy = pack_begin(voucher, sizeof(voucher));
	struct prkd prkd = {
		.kind = key_type_is_aes(type) ? PRKD_AES :
			key_type_is_rsa(type) ? PRKD_RSA : PRKD_EC,
		.usage = prkd_usage(type, 1u << want->purpose), .local = true,
		.bits = key_type_bits(type), .id_len = 2, .id = { (uint8_t)'k', (uint8_t)kid },
		.marked = key_type_is_aes(type),
	};
	int r = 0;

	(void)snprintf(prkd.label, sizeof(prkd.label), "key %u", kid);
	pack_bytes(&copy, answer);
	if (pack_end(&copy) < 0)
		r = -EBADMSG;
	if (r == 0 && !key_type_is_aes(type))
		r = describe_pair(schsm_of(card), pack_done(&copy), want, &prkd, spki);
	else if (r == 0)		/* nothing else tells it from the next one of its size */
		r = schsm_of(card)->random(prkd.mark, sizeof(prkd.mark));
	if (r < 0) {		/* a key that nobody can use is none */
		(void)schsm_place_clear(card, kid);
		return r;
	}
	return schsm_place_describe(card, kid, &prkd, pack_done(&copy));
}

int schsm_container_create(struct card *card, struct kf_container_create *want, struct packer *spki)
{
	struct schsm_files files;
	struct bytes answer;
	uint32_t kid = 0;
	int r = create_check(want);

	if (r == 0)
		r = schsm_files_read(card, &files);
	if (r == 0)
		r = schsm_place_choose(&files, want->container, &kid);
	if (r < 0)
		return r;
	if (schsm_has(files.key, kid))
		return -EEXIST;		/* the card would put the new key in its place */
	r = schsm_generate(card, kid, (enum kf_key_type)want->key_type,
			   (enum kf_purpose)want->purpose, &answer);
	if (r == 0)
		r = describe_new(card, kid, want, answer, spki);
	if (r == 0)
		want->container = kid;
	return r;
}

/* --- certificates --- */

/* What is known of the key at @container by what lies there is of @key, too. */
static int is_of_the_key(struct card *card, const struct schsm_files *files, uint32_t container,
			 const EVP_PKEY *key)
{
	struct schsm_place place;
	int r = schsm_place_read(card, files, container, &place);

	if (r < 0)
		return r;
	if (place.public.key && EVP_PKEY_eq(place.public.key, key) != 1)
		r = card_say(card, -EINVAL, KF_REASON_CERT, 0);
	schsm_place_deinit(&place);
	return r;
}

static int store_checked(struct card *card, uint32_t container, struct bytes cert, const EVP_PKEY *key)
{
	struct schsm_files files;
	int r = schsm_files_read(card, &files);

	if (r < 0)
		return r;
	if (!schsm_has(files.key, container))
		return -ENOENT;
	if (key)
		r = is_of_the_key(card, &files, container, key);
	return r < 0 ? r : schsm_file_write(card, schsm_fid(SCHSM_CERT, container), cert);
}

/* Type, origin and the hash of what a container holds come from this file: it has to be of the key. */
int schsm_cert_store(struct card *card, uint32_t container, struct bytes cert)
{
	struct schsm_public public = { 0 };
	int r = schsm_kid_check(container);

	if (r == 0 && cert.n > SCHSM_FILE_MAX)
		return card_say(card, -EINVAL, KF_REASON_NONE, SCHSM_FILE_MAX);
	if (r == 0 && cert.n != 0)
		r = schsm_public_parse(schsm_of(card), cert, &public);
	if (r == -EBADMSG)
		r = card_say(card, -EINVAL, KF_REASON_CERT, 0);
	if (r == 0)
		r = store_checked(card, container, cert, public.key);
	schsm_public_deinit(&public);
	return r;
}

/* One file has what stands beside a key, and its first byte tells what that is. */
static int read_beside(struct card *card, uint32_t container, uint8_t tag, struct packer *out)
{
	uint8_t buf[SCHSM_FILE_MAX];
	size_t n = 0;
	int r = schsm_kid_check(container);

	if (r == 0)
		r = schsm_file_read(card, schsm_fid(SCHSM_CERT, container), true, buf, sizeof(buf), &n);
	if (r < 0)
		return r;
	if (n == 0 || buf[0] != tag)
		return -ENOENT;
	pack_bytes(out, BYTES(buf, n));
	return pack_end(out);
}

int schsm_cert_read(struct card *card, uint32_t container, struct packer *cert)
{
	return read_beside(card, container, SCHSM_TAG_X509, cert);
}

/* As it is: whose word that is, is for who knows the card to judge. */
int schsm_voucher_read(struct card *card, uint32_t container, struct packer *voucher)
{
	return read_beside(card, container, SCHSM_TAG_VOUCHER, voucher);
}
