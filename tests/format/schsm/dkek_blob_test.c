/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The blobs of the card dossier, 11.2, byte for byte, and every way to write one that is none.
 *
 * Faces: format/schsm/dkek_key.c
 */
#include "format/schsm/dkek_blob.h"
#include "format/aes.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/curve.h"
#include "tests/format/schsm/hex.h"
#include "tests/keys/keys.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static const char aes_vector[] =
	"630DCD2966C433660F0008608648016503040100041011189900000000AAE179FD7BFBC0CD2ACC2E9929672E4B49"
	"D49326E7178045D788BCC17A8651A3C34EC3FDC9A71FF726D627742AC06AD3BCE4EA0288E443F726FC1F55CB34B42D";

static const char ec_vector[] =
	"630DCD2966C433660C000A04007F00070202020203000000000000FD1962793AA516537721112603EB6B024C09B6"
	"289FFE0BE10861148F12EE03BF3BF1163249B62A3F1E027389270F396B624B4ADA1BDC3FE7F83ACC742C058A876C"
	"888E9FDBA8E948CCDA22D84B2539544CAA3CFD2EB4E11DF4A3DFA211A800C0DE3088D3146837C1E0C5D70C01A351"
	"2F576342D6DF237C45EF67236F9669F8EACD99EEA87DE6D1C556168F3259F93E0FA1FAFF30F03C36402E7013CB9B"
	"C98EF2DF5F717E0223503D557867AA7314BD8AE02D0ED1D4C5036314431AA9A03B318998FCB425629F478589426A"
	"9869A501E5DC06BFC85D1E077784216205F45B7FDEB4B1BA7B532F9640731EA0CA3AB7B2A3915A18FFF6CE94F5E3"
	"9EF615DF9093FD11870DF4AA1C4941CFF858AC2D708C0741BB1497436EB45EBF9A1FC275A650057A0F46E6FC2873"
	"EC4E51C867698F58AEC552B24ABF4595761300C0483E58DFB3E8047AC55200BCCE9137931430010099";

static const uint8_t random_bytes[DKEK_RANDOM_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8 };

FIXTURE(blob)
{
	struct dkek dkek;
	struct secret enc, mac;
	struct dkek_key key, opened;
	uint8_t buf[DKEK_BLOB_MAX];
	struct packer p;
};

FIXTURE_SETUP(blob)
{
	uint8_t value[DKEK_SIZE];

	for (uint8_t i = 0; i < DKEK_SIZE; i++)
		value[i] = i;
	self->dkek = DKEK_INIT;
	self->enc = self->mac = SECRET_INIT;
	self->key = self->opened = DKEK_KEY_INIT;
	ASSERT_EQ(0, dkek_init(&self->dkek));
	ASSERT_EQ(0, dkek_add_share(&self->dkek, BYTES_OF(value)));
	ASSERT_EQ(0, secret_init(&self->enc, 32));
	ASSERT_EQ(0, secret_init(&self->mac, 32));
	ASSERT_EQ(0, dkek_keys(&self->dkek, &self->enc, &self->mac));
	self->p = pack_begin(self->buf, sizeof(self->buf));
}

FIXTURE_TEARDOWN(blob)
{
	dkek_deinit(&self->dkek);
	secret_deinit(&self->enc);
	secret_deinit(&self->mac);
	dkek_key_deinit(&self->key);
	dkek_key_deinit(&self->opened);
}

static void take_aes(struct dkek_key *key, size_t n)
{
	key->type = DKEK_AES;
	ASSERT_EQ(0, secret_init(&key->secret, n));
	ASSERT_EQ(0, secret_resize(&key->secret, n));
	for (size_t i = 0; i < n; i++)
		key->secret.p[i] = (uint8_t)(0x40 + i);
}

static void take_ec(struct dkek_key *key, const char *group)
{
	uint8_t d[32];

	memset(d, 1, sizeof(d));
	key->type = DKEK_EC;
	ASSERT_EQ(0, key_from_scalar_on(BYTES(d, 24), group, &key->pair));
}

static void take_p256(struct dkek_key *key)
{
	uint8_t d[32];

	memset(d, 1, sizeof(d));
	key->type = DKEK_EC;
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "prime256v1", &key->pair));
}

static void take_rsa(struct dkek_key *key, unsigned int bits, enum dkek_type type)
{
	key->type = type;
	key->pair = bits < 2048 ? EVP_RSA_gen(bits) : prepared_rsa(bits, 0);
	ASSERT_NOT_NULL(key->pair);
}

static struct bytes make(struct fixture_blob *self, struct bytes algorithms)
{
	self->p = pack_begin(self->buf, sizeof(self->buf));
	ASSERT_EQ(0, dkek_blob_make(&self->dkek, &self->key, algorithms, random_bytes, &self->p));
	return pack_done(&self->p);
}

/* The blob round a plain part that no maker of ours would write. */
static struct bytes wrap_plain(struct fixture_blob *self, struct bytes header, struct bytes plain)
{
	static const uint8_t zero[16];
	uint8_t mac[16];

	self->p = pack_begin(self->buf, sizeof(self->buf));
	pack_bytes(&self->p, header);
	ASSERT_EQ(0, aes_cbc(secret_bytes(&self->enc), true, BYTES_OF(zero), plain, &self->p));
	ASSERT_EQ(0, aes_cmac(secret_bytes(&self->mac), pack_done(&self->p), mac));
	pack_bytes(&self->p, BYTES_OF(mac));
	return pack_done(&self->p);
}

static size_t plain_of(struct fixture_blob *self, struct bytes blob, size_t header, uint8_t *out)
{
	static const uint8_t zero[16];
	struct packer p = pack_begin(out, DKEK_PLAIN_MAX);
	struct bytes text = bytes_slice(blob, header, blob.n - header - 16);

	ASSERT_EQ(0, aes_cbc(secret_bytes(&self->enc), false, BYTES_OF(zero), text, &p));
	return p.n;
}

static int open_blob(struct fixture_blob *self, struct bytes blob)
{
	int r;

	dkek_key_deinit(&self->opened);
	r = dkek_blob_open(&self->dkek, blob, &self->opened);
	if (r < 0) {
		EXPECT_NULL(self->opened.pair);
		EXPECT_EQ(0u, self->opened.secret.n);
	}
	return r;
}

TEST_F(blob, an_aes_key_is_the_dossiers_blob)
{
	static const uint8_t allowed[] = { 0x10, 0x11, 0x18, 0x99 };
	struct dkek_blob public;
	struct bytes blob;

	take_aes(&self->key, 32);
	blob = make(self, BYTES_OF(allowed));
	EXPECT_HEX(aes_vector, blob);
	ASSERT_EQ(0, dkek_blob_parse(blob, &public));
	EXPECT_HEX("630DCD2966C43366", public.kcv);
	EXPECT_EQ(DKEK_AES, public.type);
	EXPECT_BYTES_EQ(BYTES_OF(allowed), public.algorithms);
	EXPECT_FALSE(dkek_blob_may_leave(&public));
	ASSERT_EQ(0, open_blob(self, blob));
	EXPECT_TRUE(secret_equal(&self->key.secret, &self->opened.secret));
}

TEST_F(blob, an_ec_key_is_the_dossiers_blob)
{
	uint8_t digest[KF_DIGEST_SIZE];
	struct bytes blob;

	take_p256(&self->key);
	blob = make(self, BYTES_NONE);
	EXPECT_EQ(363u, blob.n);
	EXPECT_HEX(ec_vector, blob);
	ASSERT_EQ(0, sha256(blob, digest));
	EXPECT_HEX("5F4B9D85F74A3319CCC5FB69B64CFF948FE58A61188128C0DBEA1FF2E733ECEF", BYTES_OF(digest));
	ASSERT_EQ(0, open_blob(self, blob));
	EXPECT_EQ(1, EVP_PKEY_eq(self->key.pair, self->opened.pair));
}

TEST_F(blob, an_empty_list_and_one_with_wrap_let_the_key_leave)
{
	static const uint8_t with_wrap[] = { 0x10, 0x92, 0x11 }, without[] = { 0x10 };
	struct dkek_blob public;

	take_aes(&self->key, 16);
	ASSERT_EQ(0, dkek_blob_parse(make(self, BYTES_NONE), &public));
	EXPECT_TRUE(dkek_blob_may_leave(&public));
	ASSERT_EQ(0, dkek_blob_parse(make(self, BYTES_OF(with_wrap)), &public));
	EXPECT_TRUE(dkek_blob_may_leave(&public));
	ASSERT_EQ(0, dkek_blob_parse(make(self, BYTES_OF(without)), &public));
	EXPECT_FALSE(dkek_blob_may_leave(&public));
}

TEST_F_TIMEOUT(blob, rsa_comes_back_with_and_without_its_primes, 60)
{
	static const struct {
		unsigned int bits;
		enum dkek_type type;
		size_t size;		/* [card dossier 2.6] has those of 2048 */
	} rows[] = {
		{ 1024, DKEK_RSA_CRT, 0 }, { 1024, DKEK_RSA, 0 }, { 1536, DKEK_RSA_CRT, 0 },
		{ 2048, DKEK_RSA_CRT, 971 }, { 2048, DKEK_RSA, 587 }, { 3072, DKEK_RSA, 0 },
		{ 4096, DKEK_RSA, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes blob;

		take_rsa(&self->key, rows[i].bits, rows[i].type);
		blob = make(self, BYTES_NONE);
		if (rows[i].size != 0)
			EXPECT_EQ(rows[i].size, blob.n);
		ASSERT_EQ(0, open_blob(self, blob));
		EXPECT_EQ(1, EVP_PKEY_eq(self->key.pair, self->opened.pair));
		dkek_key_deinit(&self->key);
	}
}

TEST_F(blob, every_curve_comes_back)
{
	static const char *const groups[] = {
		"secp224r1", "prime256v1", "secp384r1", "secp521r1", "secp256k1", "brainpoolP224r1",
		"brainpoolP256r1", "brainpoolP320r1", "brainpoolP384r1", "brainpoolP512r1",
	};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		enum dkek_type type;

		take_ec(&self->key, groups[i]);
		ASSERT_EQ(0, dkek_type_of(self->key.pair, &type));
		EXPECT_EQ(DKEK_EC, type);
		ASSERT_EQ(0, open_blob(self, make(self, BYTES_NONE)));
		EXPECT_EQ(1, EVP_PKEY_eq(self->key.pair, self->opened.pair));
		dkek_key_deinit(&self->key);
	}
}

TEST_F(blob, every_aes_key_comes_back_and_no_other_length)
{
	for (size_t n = 1; n <= 40; n++) {
		bool good = n == 16 || n == 24 || n == 32;

		take_aes(&self->key, n);
		self->p = pack_begin(self->buf, sizeof(self->buf));
		EXPECT_EQ(good ? 0 : -EOPNOTSUPP,
			  dkek_blob_make(&self->dkek, &self->key, BYTES_NONE, random_bytes, &self->p));
		if (good)
			EXPECT_EQ(0, open_blob(self, pack_done(&self->p)));
		dkek_key_deinit(&self->key);
	}
}

TEST_F_TIMEOUT(blob, a_key_that_no_card_has_is_not_wrapped, 30)
{
	static const uint8_t list[DKEK_ALGORITHMS_MAX + 1];
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *odd = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1280);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	enum dkek_type type;
	struct packer *p = &self->p;

	EXPECT_EQ(-EOPNOTSUPP, dkek_type_of(odd, &type));
	EXPECT_EQ(-EOPNOTSUPP, dkek_type_of(ed, &type));
	self->key.type = DKEK_RSA;
	self->key.pair = take_ptr(odd);
	EXPECT_EQ(-EOPNOTSUPP, dkek_blob_make(&self->dkek, &self->key, BYTES_NONE, random_bytes, p));
	dkek_key_deinit(&self->key);
	take_rsa(&self->key, 3072, DKEK_RSA_CRT);
	EXPECT_EQ(-EOPNOTSUPP, dkek_blob_make(&self->dkek, &self->key, BYTES_NONE, random_bytes, p));
	dkek_key_deinit(&self->key);
	take_aes(&self->key, 16);
	EXPECT_EQ(-EINVAL, dkek_blob_make(&self->dkek, &self->key, BYTES_OF(list), random_bytes, p));
	self->p = pack_begin(self->buf, 60);
	EXPECT_EQ(-EMSGSIZE, dkek_blob_make(&self->dkek, &self->key, BYTES_NONE, random_bytes, p));
}

TEST_F(blob, a_public_key_is_not_wrapped)
{
	uint8_t point[CURVE_POINT_MAX];
	struct packer p = pack_begin(point, sizeof(point));
	EVP_PKEY *public = NULL;
	struct curve curve;

	take_p256(&self->key);
	ASSERT_EQ(0, curve_of_key(self->key.pair, &curve));
	ASSERT_EQ(0, curve_point(self->key.pair, &p));
	ASSERT_EQ(0, curve_public_key(&curve, pack_done(&p), &public));
	EVP_PKEY_free(self->key.pair);
	self->key.pair = public;
	EXPECT_EQ(-EINVAL, dkek_blob_make(&self->dkek, &self->key, BYTES_NONE, random_bytes, &self->p));
}

TEST_F(blob, no_truncation_and_no_changed_bit_is_taken)
{
	uint8_t good[DKEK_BLOB_MAX];
	struct bytes blob;

	take_p256(&self->key);
	blob = make(self, BYTES_NONE);
	memcpy(good, blob.p, blob.n);
	for (size_t n = 0; n < blob.n; n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut + 1, good, n);
		EXPECT_EQ(-EBADMSG, open_blob(self, BYTES(cut + 1, n)));
		free(cut);
	}
	for (size_t i = 0; i < blob.n * 8; i++) {
		good[i / 8] ^= (uint8_t)(1u << i % 8);
		EXPECT_EQ(-EBADMSG, open_blob(self, BYTES(good, blob.n)));
		good[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	good[blob.n] = 0;
	EXPECT_EQ(-EBADMSG, open_blob(self, BYTES(good, blob.n + 1)));
}

TEST_F(blob, the_blob_of_another_dkek_is_refused)
{
	uint8_t one[DKEK_SIZE] = { 1 };

	take_aes(&self->key, 32);
	make(self, BYTES_NONE);
	ASSERT_EQ(0, dkek_add_share(&self->dkek, BYTES_OF(one)));
	EXPECT_EQ(-EBADMSG, open_blob(self, pack_done(&self->p)));
}

/* Whoever has the DKEK may write anything; what is not in the form is no key all the same. */
TEST_F(blob, a_wrong_check_value_under_a_right_mac_is_refused)
{
	uint8_t plain[DKEK_PLAIN_MAX], header[64];
	struct bytes blob;
	size_t n;

	take_aes(&self->key, 32);
	blob = make(self, BYTES_NONE);
	n = plain_of(self, blob, 25, plain);
	memcpy(header, blob.p, 25);
	EXPECT_EQ(0, open_blob(self, wrap_plain(self, BYTES(header, 25), BYTES(plain, n))));
	header[7] ^= 1;
	EXPECT_EQ(-EBADMSG, open_blob(self, wrap_plain(self, BYTES(header, 25), BYTES(plain, n))));
}

TEST_F(blob, a_header_of_another_form_under_a_right_mac_is_refused)
{
	static const struct {
		const char *name, *header;	/* behind the check value */
	} rows[] = {
		{ "type 0", "00000860864801650304010000" "00000000" },
		{ "OID of EC", "0F000A04007F000702020202030000" "00000000" },
		{ "no OID", "0F00000000" "00000000" },
		{ "access conditions", "0F000860864801650304010000" "00010000" "00" },
		{ "key OID", "0F000860864801650304010000" "0000" "000100" },
		{ "list over the end", "0F000860864801650304017FFF" "00000000" },
	};
	uint8_t plain[DKEK_PLAIN_MAX], header[256];
	struct bytes blob;
	size_t n;

	take_aes(&self->key, 32);
	blob = make(self, BYTES_NONE);
	n = plain_of(self, blob, 25, plain);
	memcpy(header, blob.p, 8);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes rest = unhex(rows[i].header, header + 8, sizeof(header) - 8);

		if (open_blob(self, wrap_plain(self, BYTES(header, 8 + rest.n), BYTES(plain, n))) != -EBADMSG)
			TEST_FAIL("%s was taken", rows[i].name);
	}
}

TEST_F(blob, a_list_that_is_too_long_is_refused)
{
	uint8_t plain[DKEK_PLAIN_MAX], header[256];
	struct packer p = pack_begin(header, sizeof(header));
	struct bytes blob;
	size_t n;

	take_aes(&self->key, 32);
	blob = make(self, BYTES_NONE);
	n = plain_of(self, blob, 25, plain);
	pack_bytes(&p, BYTES(blob.p, 19));
	pack_be16(&p, DKEK_ALGORITHMS_MAX + 1);
	pack_zero(&p, DKEK_ALGORITHMS_MAX + 1 + 4);
	EXPECT_EQ(-EBADMSG, open_blob(self, wrap_plain(self, pack_done(&p), BYTES(plain, n))));
}

TEST_F(blob, text_that_is_no_row_of_blocks_is_refused)
{
	uint8_t mac[16];
	struct bytes blob;

	take_aes(&self->key, 32);
	blob = make(self, BYTES_NONE);
	for (size_t cut = 1; cut < 48; cut++) {		/* from the end of the text, under a right MAC */
		size_t n = blob.n - 16 - cut;
		uint8_t shorter[DKEK_BLOB_MAX];

		memcpy(shorter, self->buf, n);
		ASSERT_EQ(0, aes_cmac(secret_bytes(&self->mac), BYTES(shorter, n), mac));
		memcpy(shorter + n, mac, 16);
		EXPECT_EQ(-EBADMSG, open_blob(self, BYTES(shorter, n + 16)));
	}
}

/* A plain part in its fields, to be bent one by one. */
struct fields {
	uint8_t size[2];
	size_t n;
	struct bytes v[8];
};

static struct bytes pack_fields(const struct fields *f, struct packer *p)
{
	pack_bytes(p, BYTES_OF(random_bytes));
	pack_bytes(p, BYTES_OF(f->size));
	for (size_t i = 0; i < f->n; i++) {
		pack_be16(p, f->v[i].n);
		pack_bytes(p, f->v[i]);
	}
	pack_u8(p, 0x80);
	pack_zero(p, (16 - p->n % 16) % 16);
	return pack_done(p);
}

static void split_fields(struct bytes plain, size_t n, struct fields *out)
{
	struct unpacker u = unpack_begin(plain);

	unpack_skip(&u, DKEK_RANDOM_SIZE);
	unpack_copy(&u, out->size, 2);
	out->n = n;
	for (size_t i = 0; i < n; i++) {
		size_t len = unpack_be16(&u);

		out->v[i] = unpack_bytes(&u, len);
	}
	ASSERT_FALSE(u.bad);
}

static int open_fields(struct fixture_blob *self, struct bytes header, const struct fields *f)
{
	uint8_t buf[DKEK_PLAIN_MAX + 16];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct bytes plain = pack_fields(f, &p);

	ASSERT_GT(plain.n, 0u);
	return open_blob(self, wrap_plain(self, header, plain));
}

/* Each field a byte shorter, empty, a byte longer, with each end changed; the size two ways. */
static void expect_no_field_can_bend(struct fixture_blob *self, size_t n)
{
	uint8_t header[27], plain[DKEK_PLAIN_MAX], longer[600];
	struct bytes blob = pack_done(&self->p);
	size_t len = plain_of(self, blob, sizeof(header), plain);
	struct fields good;

	memcpy(header, blob.p, sizeof(header));
	split_fields(BYTES(plain, len), n, &good);
	ASSERT_EQ(0, open_fields(self, BYTES_OF(header), &good));
	for (size_t i = 0; i < n; i++) {
		struct fields bent = good;

		bent.v[i] = bytes_slice(good.v[i], 0, good.v[i].n - 1);
		EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &bent));
		bent.v[i] = BYTES_NONE;
		if (self->key.type != DKEK_EC || i != 0)	/* a of a NIST curve may be empty */
			EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &bent));
		memcpy(longer, good.v[i].p, good.v[i].n);
		longer[good.v[i].n] = 0;
		bent.v[i] = BYTES(longer, good.v[i].n + 1);
		EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &bent));
		bent.v[i].n--;
		longer[0] ^= 0x01;
		EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &bent));
		longer[0] ^= 0x01;
		longer[good.v[i].n - 1] ^= 0x02;
		EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &bent));
	}
	for (unsigned int bit = 0; bit < 16; bit++) {
		struct fields bent = good;

		bent.size[bit / 8] ^= (uint8_t)(1u << bit % 8);
		EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &bent));
	}
	for (size_t left = 0; left < n; left++) {		/* fields left out at the end */
		struct fields bent = good;

		bent.n = left;
		EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &bent));
	}
	good.v[n] = BYTES(longer, 3);				/* and one more */
	good.n = n + 1;
	EXPECT_EQ(-EBADMSG, open_fields(self, BYTES_OF(header), &good));
}

TEST_F_TIMEOUT(blob, no_field_of_an_ec_key_can_bend, 60)
{
	take_p256(&self->key);
	make(self, BYTES_NONE);
	expect_no_field_can_bend(self, 7);
}

TEST_F_TIMEOUT(blob, no_field_of_an_rsa_key_can_bend, 60)
{
	take_rsa(&self->key, 1024, DKEK_RSA);
	make(self, BYTES_NONE);
	expect_no_field_can_bend(self, 3);
}

TEST_F_TIMEOUT(blob, no_field_of_an_rsa_key_with_primes_can_bend, 60)
{
	take_rsa(&self->key, 1024, DKEK_RSA_CRT);
	make(self, BYTES_NONE);
	expect_no_field_can_bend(self, 7);
}

TEST_F_TIMEOUT(blob, rsa_with_primes_is_for_short_keys, 60)
{
	static const char *const names[] = {
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
		OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
	};
	struct fields f = { .size = { 3072 >> 8, 3072 & 0xff }, .n = 7 };
	uint8_t numbers[7][384], plain[2048];
	struct packer p = pack_begin(plain, sizeof(plain));

	take_rsa(&self->key, 3072, DKEK_RSA);
	for (size_t i = 0; i < 7; i++) {
		_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;

		ASSERT_EQ(1, EVP_PKEY_get_bn_param(self->key.pair, names[i], &bn));
		f.v[i] = BYTES(numbers[i], (size_t)BN_bn2bin(bn, numbers[i]));
	}
	EXPECT_EQ(-EBADMSG, dkek_key_take(pack_fields(&f, &p), DKEK_RSA_CRT, &self->opened));
}

/* pico-hsm writes so [card dossier 10]. */
TEST_F(blob, an_empty_a_is_taken_for_nists_curves_only)
{
	static const char *const groups[] = { "prime256v1", "secp521r1", "brainpoolP256r1", "secp256k1" };

	for (size_t i = 0; i < 4; i++) {
		uint8_t header[27], plain[DKEK_PLAIN_MAX];
		struct fields f;
		size_t n;

		take_ec(&self->key, groups[i]);
		memcpy(header, make(self, BYTES_NONE).p, sizeof(header));
		n = plain_of(self, pack_done(&self->p), sizeof(header), plain);
		split_fields(BYTES(plain, n), 7, &f);
		f.v[0] = BYTES_NONE;
		EXPECT_EQ(i < 2 ? 0 : -EBADMSG, open_fields(self, BYTES_OF(header), &f));
		dkek_key_deinit(&self->key);
	}
}

TEST_F(blob, numbers_may_go_without_their_zeros)
{
	uint8_t header[27], plain[DKEK_PLAIN_MAX];
	struct fields f;
	size_t n;

	take_ec(&self->key, "secp521r1");	/* d has 24 bytes of 66, b 65 */
	memcpy(header, make(self, BYTES_NONE).p, sizeof(header));
	n = plain_of(self, pack_done(&self->p), sizeof(header), plain);
	split_fields(BYTES(plain, n), 7, &f);
	f.v[1] = bytes_slice(f.v[1], 1, 65);
	f.v[5] = bytes_slice(f.v[5], 42, 24);
	EXPECT_EQ(0, open_fields(self, BYTES_OF(header), &f));
}

TEST_F(blob, padding_may_be_absent_in_a_full_block_and_is_right_elsewhere)
{
	uint8_t header[25], plain[64] = { 0 };
	size_t n = 8 + 2 + 32;

	take_aes(&self->key, 32);
	memcpy(header, make(self, BYTES_NONE).p, sizeof(header));
	memcpy(plain + 10, self->key.secret.p, 32);
	plain[9] = 32;
	plain[n] = 0x80;
	EXPECT_EQ(0, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES(plain, 48))));
	plain[47] = 1;
	EXPECT_EQ(-EBADMSG, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES(plain, 48))));
	plain[47] = 0;
	plain[n] = 0x81;
	EXPECT_EQ(-EBADMSG, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES(plain, 48))));
	plain[n] = 0;
	EXPECT_EQ(-EBADMSG, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES(plain, 48))));
	plain[n] = 0x80;
	EXPECT_EQ(-EBADMSG, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES_OF(plain))));
}

TEST_F(blob, a_full_block_needs_no_padding)
{
	uint8_t header[27], plain[DKEK_PLAIN_MAX], text[DKEK_PLAIN_MAX];
	struct packer p = pack_begin(text, sizeof(text));
	struct fields f;
	size_t n;

	take_ec(&self->key, "secp521r1");	/* 620 bytes; d has zeros enough to make them 38 blocks */
	memcpy(header, make(self, BYTES_NONE).p, sizeof(header));
	n = plain_of(self, pack_done(&self->p), sizeof(header), plain);
	split_fields(BYTES(plain, n), 7, &f);
	f.v[5] = bytes_slice(f.v[5], 12, 54);
	(void)pack_fields(&f, &p);
	ASSERT_EQ(0x80, text[p.n - 16]);
	EXPECT_EQ(0, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES(text, p.n))));
	EXPECT_EQ(0, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES(text, p.n - 16))));
	EXPECT_EQ(-EBADMSG, open_blob(self, wrap_plain(self, BYTES_OF(header), BYTES(text, p.n - 32))));
}
