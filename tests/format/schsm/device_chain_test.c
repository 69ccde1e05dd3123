/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/device_chain.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"

static const uint8_t chat[] = { 0x06, 0x09, 0x04, 0x00, 0x7f, 0x00, 0x07, 0x03,
				0x01, 0x02, 0x02, 0x53, 0x01, 0x00 };
static const uint8_t from[] = { 2, 6, 0, 1, 0, 1 }, to[] = { 3, 6, 1, 2, 3, 1 };
static const uint8_t today[] = { 2, 6, 1, 1, 2, 9 };

enum { ROOT, ISSUER, DEVICE, NEW_KEY, KEYS };

/* What a chain is made of, to be bent before it is made. */
FIXTURE(chain)
{
	EVP_PKEY *keys[KEYS];
	const char *chr[3], *car[3];
	int signer[3];			/* whose key signs */
	bool bare[3];			/* without the numbers of the curve */
	uint8_t root_buf[CVC_MAX], file_buf[2 * CVC_MAX], voucher_buf[CVC_MAX];
	struct bytes root, file, voucher, today;
	struct device_chain chain;
};

FIXTURE_SETUP(chain)
{
	for (size_t i = 0; i < KEYS; i++)
		self->keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "brainpoolP256r1");
	self->chr[ROOT] = self->car[ROOT] = self->car[ISSUER] = "DETESTRO00001";
	self->chr[ISSUER] = self->car[DEVICE] = "DETESTIS00001";
	self->chr[DEVICE] = "DETEST0100001";
	self->signer[ROOT] = self->signer[ISSUER] = ROOT;
	self->signer[DEVICE] = ISSUER;
	self->bare[DEVICE] = true;
	self->today = BYTES_OF(today);
	self->chain = DEVICE_CHAIN_INIT;
}

FIXTURE_TEARDOWN(chain)
{
	device_chain_deinit(&self->chain);
	for (size_t i = 0; i < KEYS; i++)
		EVP_PKEY_free(self->keys[i]);
}

static void build(struct fixture_chain *self, int i, struct packer *p)
{
	struct cvc_own_key own = { self->keys[self->signer[i]], CVC_ECDSA_SHA256 };
	struct cvc_key_store store;
	struct cvc fields = {
		.car = BYTES(self->car[i], strlen(self->car[i])),
		.chr = BYTES(self->chr[i], strlen(self->chr[i])),
		.chat = BYTES_OF(chat), .from = BYTES_OF(from), .to = BYTES_OF(to),
	};

	ASSERT_EQ(0, cvc_key_describe(self->keys[i], CVC_NO_ALGORITHM, &store, &fields.key));
	if (self->bare[i])
		fields.key.domain = (struct curve_claim){ 0 };
	ASSERT_EQ(0, cvc_build(&fields, cvc_sign_with(&own), p));
}

static int verify(struct fixture_chain *self)
{
	struct packer root = pack_begin(self->root_buf, sizeof(self->root_buf)),
		      file = pack_begin(self->file_buf, sizeof(self->file_buf));
	struct device_roots roots = { .roots = &self->root, .n = 1, .today = self->today };

	build(self, ROOT, &root);
	build(self, DEVICE, &file);
	build(self, ISSUER, &file);
	self->root = pack_done(&root);
	self->file = pack_done(&file);
	device_chain_deinit(&self->chain);
	return device_chain_verify(self->file, &roots, &self->chain);
}

/* A voucher for the new key by the key @by, in the name of @car. */
static int attest(struct fixture_chain *self, int by, const char *car)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct cvc_own_key own = { self->keys[NEW_KEY], CVC_ECDSA_SHA256 },
			   device = { self->keys[by], CVC_ECDSA_SHA256 };
	uint8_t buf[CVC_MAX];
	struct packer request = pack_begin(buf, sizeof(buf)),
		      p = pack_begin(self->voucher_buf, sizeof(self->voucher_buf));
	struct cvc_key_store store;
	struct cvc fields = { .chr = BYTES("DETESTKEY0001", 13) };
	int r;

	ASSERT_EQ(0, cvc_key_describe(self->keys[NEW_KEY], CVC_NO_ALGORITHM, &store, &fields.key));
	ASSERT_EQ(0, cvc_build(&fields, cvc_sign_with(&own), &request));
	ASSERT_EQ(0, cvc_voucher_build(pack_done(&request), BYTES(car, strlen(car)),
				       cvc_sign_with(&device), &p));
	self->voucher = pack_done(&p);
	r = device_chain_attests(&self->chain, self->voucher, &key);
	if (r == 0)
		EXPECT_EQ(1, EVP_PKEY_eq(self->keys[NEW_KEY], key));
	return r;
}

TEST_F(chain, a_good_one_gives_the_device_key_and_attests_a_new_one)
{
	ASSERT_EQ(0, verify(self));
	EXPECT_EQ(1, EVP_PKEY_eq(self->keys[DEVICE], self->chain.key));
	EXPECT_FALSE(self->chain.fixed);
	EXPECT_EQ(0, attest(self, DEVICE, "DETEST0100001"));
	EXPECT_EQ(-EACCES, attest(self, ISSUER, "DETEST0100001"));
	EXPECT_EQ(-EACCES, attest(self, DEVICE, "DETEST0200002"));
	EXPECT_EQ(-EBADMSG, device_chain_attests(&self->chain, self->file, &self->keys[NEW_KEY]));
}

TEST_F(chain, the_numbers_of_the_curve_come_from_above)
{
	self->bare[ISSUER] = true;
	EXPECT_EQ(0, verify(self));
	self->bare[ROOT] = true;
	EXPECT_EQ(-EACCES, verify(self));
}

TEST_F(chain, each_signature_counts)
{
	for (int i = ROOT; i <= DEVICE; i++) {
		int good = self->signer[i];

		self->signer[i] = NEW_KEY;
		EXPECT_EQ(-EACCES, verify(self));
		self->signer[i] = good;
	}
	EXPECT_EQ(0, verify(self));
}

TEST_F(chain, each_name_counts)
{
	self->car[DEVICE] = "DETESTIS00002";
	EXPECT_EQ(-EACCES, verify(self));
	self->car[DEVICE] = "DETESTIS00001";
	self->car[ISSUER] = "DETESTRO00002";
	EXPECT_EQ(-ENOENT, verify(self));
	self->car[ISSUER] = "DETESTRO00001";
	self->car[ROOT] = "DETESTRO00002";		/* not self-signed: no root */
	EXPECT_EQ(-EACCES, verify(self));
}

TEST_F(chain, an_outdated_one_is_refused_if_anybody_asks)
{
	static const uint8_t before[] = { 2, 5, 1, 2, 3, 1 }, after[] = { 3, 7, 0, 1, 0, 1 };

	self->today = BYTES_OF(before);
	EXPECT_EQ(-EACCES, verify(self));
	self->today = BYTES_OF(after);
	EXPECT_EQ(-EACCES, verify(self));
	self->today = BYTES_NONE;
	EXPECT_EQ(0, verify(self));
}

TEST_F(chain, the_key_of_an_emulator_is_told)
{
	uint8_t d[32];

	memset(d, 0xbe, sizeof(d));
	EVP_PKEY_free(self->keys[DEVICE]);
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "secp256k1", &self->keys[DEVICE]));
	self->bare[DEVICE] = false;
	ASSERT_EQ(0, verify(self));
	EXPECT_TRUE(self->chain.fixed);
}

TEST_F(chain, a_file_of_another_form_is_refused)
{
	struct device_roots none = { 0 };

	ASSERT_EQ(0, verify(self));
	for (size_t n = 0; n < self->file.n; n++)
		EXPECT_EQ(-EBADMSG, device_chain_verify(BYTES(self->file_buf, n), &none, &self->chain));
	EXPECT_EQ(-EBADMSG, device_chain_verify(BYTES(self->file_buf, self->file.n + 1), &none, &self->chain));
	EXPECT_EQ(-ENOENT, device_chain_verify(self->file, &none, &self->chain));
}
