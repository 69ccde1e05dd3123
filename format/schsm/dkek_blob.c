/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek_blob.c - Header, cipher text, CMAC over both. The IV is zero: the random bytes in
 * front of the plain part are what makes two blobs of one key differ.
 */
#include "format/schsm/dkek_blob.h"
#include "base/cleanup.h"
#include "format/aes.h"

static const uint8_t zero_iv[AES_BLOCK];

/* The default algorithm of each type: RSA and ECDSA with SHA-256, AES [card dossier 2.6]. */
static struct bytes type_oid(enum dkek_type type)
{
	static const uint8_t rsa[] = { 0x04, 0x00, 0x7f, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01, 0x02 };
	static const uint8_t ec[] = { 0x04, 0x00, 0x7f, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x03 };
	static const uint8_t aes[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01 };

	switch (type) {
	case DKEK_RSA:
	case DKEK_RSA_CRT: return BYTES_OF(rsa);
	case DKEK_EC:	   return BYTES_OF(ec);
	case DKEK_AES:	   return BYTES_OF(aes);
	}
	return BYTES_NONE;
}

static void pack_field(struct packer *p, struct bytes value)
{
	pack_be16(p, value.n);
	pack_bytes(p, value);
}

static struct bytes take_field(struct unpacker *u)
{
	size_t n = unpack_be16(u);

	return unpack_bytes(u, n);
}

/**
 * struct sections - a blob in three
 * @authentic:	all that @mac is over
 */
struct sections {
	struct bytes authentic, text, mac;
};

static int split(struct bytes blob, struct dkek_blob *public, struct sections *out)
{
	struct unpacker u = unpack_begin(blob);
	struct bytes oid, conditions, key_oid;
	unsigned int type;

	public->kcv = unpack_bytes(&u, DKEK_KCV_SIZE);
	type = unpack_u8(&u);
	oid = take_field(&u);
	public->algorithms = take_field(&u);
	conditions = take_field(&u);
	key_oid = take_field(&u);
	if (u.left < 2 * AES_BLOCK || u.left % AES_BLOCK != 0 || u.left > DKEK_PLAIN_MAX + AES_BLOCK)
		return -EBADMSG;
	out->text = unpack_bytes(&u, u.left - AES_BLOCK);
	out->mac = unpack_rest(&u);
	out->authentic = BYTES(blob.p, blob.n - AES_BLOCK);
	if (!dkek_type_is_known(type) || public->algorithms.n > DKEK_ALGORITHMS_MAX ||
	    conditions.n != 0 || key_oid.n != 0)
		return -EBADMSG;
	public->type = (enum dkek_type)type;
	return bytes_equal(oid, type_oid(public->type)) ? unpack_end(&u) : -EBADMSG;
}

int dkek_blob_parse(struct bytes blob, struct dkek_blob *out)
{
	struct dkek_blob public;
	struct sections sections;
	int r = split(blob, &public, &sections);

	if (r == 0)
		*out = public;
	return r;
}

bool dkek_blob_may_leave(const struct dkek_blob *blob)
{
	return blob->algorithms.n == 0 ||
	       memchr(blob->algorithms.p, DKEK_ALGORITHM_WRAP, blob->algorithms.n) != NULL;
}

/* K_ENC and K_MAC of one blob. */
struct blob_keys {
	struct secret enc, mac;
};

static void blob_keys_deinit(struct blob_keys *keys)
{
	secret_deinit(&keys->enc);
	secret_deinit(&keys->mac);
}

static int blob_keys_init(struct blob_keys *keys, const struct dkek *dkek)
{
	int r = secret_init(&keys->enc, 32);

	if (r == 0)
		r = secret_init(&keys->mac, 32);
	return r < 0 ? r : dkek_keys(dkek, &keys->enc, &keys->mac);
}

static void pack_header(struct packer *p, const uint8_t kcv[static DKEK_KCV_SIZE],
			enum dkek_type type, struct bytes algorithms)
{
	pack_bytes(p, BYTES(kcv, DKEK_KCV_SIZE));
	pack_u8(p, type);
	pack_field(p, type_oid(type));
	pack_field(p, algorithms);
	pack_field(p, BYTES_NONE);	/* access conditions */
	pack_field(p, BYTES_NONE);	/* key OID */
}

static int seal_text(const struct dkek *dkek, const struct secret *plain, size_t from,
		     struct packer *out)
{
	_cleanup_(blob_keys_deinit) struct blob_keys keys = { SECRET_INIT, SECRET_INIT };
	uint8_t mac[AES_BLOCK];
	int r = blob_keys_init(&keys, dkek);

	if (r == 0)
		r = aes_cbc(secret_bytes(&keys.enc), true, BYTES_OF(zero_iv), secret_bytes(plain), out);
	if (r == 0)
		r = aes_cmac(secret_bytes(&keys.mac), BYTES(out->p + from, out->n - from), mac);
	if (r < 0)
		return r;
	pack_bytes(out, BYTES_OF(mac));
	return pack_end(out);
}

int dkek_blob_make(const struct dkek *dkek, const struct dkek_key *key, struct bytes algorithms,
		   const uint8_t random[static DKEK_RANDOM_SIZE], struct packer *out)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	uint8_t kcv[DKEK_KCV_SIZE];
	size_t from = out->n;
	int r;

	if (algorithms.n > DKEK_ALGORITHMS_MAX)
		return -EINVAL;
	r = secret_init(&plain, DKEK_PLAIN_MAX);
	if (r == 0)
		r = dkek_key_pack(key, random, &plain);
	if (r == 0)
		r = dkek_kcv(dkek, kcv);
	if (r < 0)
		return r;
	pack_header(out, kcv, key->type, algorithms);
	return out->bad ? -EMSGSIZE : seal_text(dkek, &plain, from, out);
}

static int open_text(const struct blob_keys *keys, struct bytes text, enum dkek_type type,
		     struct dkek_key *out)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	struct packer p;
	int r = secret_init(&plain, DKEK_PLAIN_MAX);

	if (r < 0)
		return r;
	p = pack_begin(plain.p, plain.cap);
	r = aes_cbc(secret_bytes(&keys->enc), false, BYTES_OF(zero_iv), text, &p);
	return r < 0 ? r : dkek_key_take(pack_done(&p), type, out);
}

int dkek_blob_open(const struct dkek *dkek, struct bytes blob, struct dkek_key *out)
{
	_cleanup_(blob_keys_deinit) struct blob_keys keys = { SECRET_INIT, SECRET_INIT };
	uint8_t kcv[DKEK_KCV_SIZE], mac[AES_BLOCK];
	struct dkek_blob public;
	struct sections sections;
	bool kcv_fits, mac_fits;
	int r = split(blob, &public, &sections);

	if (r == 0)
		r = dkek_kcv(dkek, kcv);
	if (r == 0)
		r = blob_keys_init(&keys, dkek);
	if (r == 0)
		r = aes_cmac(secret_bytes(&keys.mac), sections.authentic, mac);
	if (r < 0)
		return r;
	kcv_fits = bytes_equal_ct(public.kcv, BYTES_OF(kcv));
	mac_fits = bytes_equal_ct(sections.mac, BYTES_OF(mac));
	if (!kcv_fits || !mac_fits)
		return -EBADMSG;
	return open_text(&keys, sections.text, public.type, out);
}
