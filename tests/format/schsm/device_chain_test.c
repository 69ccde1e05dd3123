/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/device_chain.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"

/* Roles of a SmartCard-HSM's chain: the last byte is that of a root, an issuer, a device. */
static const uint8_t chat[3][16] = {
	{ 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x03, 0x01, 0x01, 0x53, 0x01, 0xc0 },
	{ 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x03, 0x01, 0x01, 0x53, 0x01, 0x80 },
	{ 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x03, 0x01, 0x01, 0x53, 0x01, 0x00 },
};
static const uint8_t from[] = { 2, 6, 0, 1, 0, 1 }, to[] = { 3, 6, 1, 2, 3, 1 };
static const uint8_t today[] = { 2, 6, 1, 1, 2, 9 };

enum { ROOT, ISSUER, DEVICE, NEW_KEY, KEYS };

/* What a chain is made of, to be bent before it is made. */
FIXTURE(chain)
{
	EVP_PKEY *keys[KEYS];
	const char *chr[3], *car[3];
	int signer[3];			/* whose key signs */
	int role[3];			/* what it says it may, as ROOT, ISSUER, DEVICE do */
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
	for (int i = ROOT; i <= DEVICE; i++)
		self->role[i] = i;
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
		.chat = BYTES_OF(chat[self->role[i]]), .from = BYTES_OF(from), .to = BYTES_OF(to),
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

TEST_F(chain, who_may_issue_nothing_has_issued_nothing)
{
	self->role[ISSUER] = DEVICE;
	EXPECT_EQ(-EACCES, verify(self));
	self->role[ISSUER] = ROOT;		/* it may more than it needs */
	EXPECT_EQ(0, verify(self));
	self->role[ROOT] = DEVICE;
	EXPECT_EQ(-EACCES, verify(self));
	self->role[ROOT] = ROOT;
	for (int role = ROOT; role < DEVICE; role++) {
		self->role[DEVICE] = role;
		EXPECT_EQ(-EACCES, verify(self));
	}
}

TEST_F(chain, a_virtual_one_is_told_by_any_of_its_names)
{
	ASSERT_EQ(0, verify(self));
	EXPECT_FALSE(self->chain.is_virtual);
	self->chr[DEVICE] = "ZZVIRTA100001";
	ASSERT_EQ(0, verify(self));
	EXPECT_TRUE(self->chain.is_virtual);
	self->chr[DEVICE] = "DETEST0100001";
	self->chr[ISSUER] = self->car[DEVICE] = "ZZVIRTDICA00001";
	ASSERT_EQ(0, verify(self));
	EXPECT_TRUE(self->chain.is_virtual);
	self->chr[ISSUER] = self->car[DEVICE] = "DETESTIS00001";
	self->chr[ROOT] = self->car[ROOT] = self->car[ISSUER] = "ZZVIRTROOT00001";
	ASSERT_EQ(0, verify(self));
	EXPECT_TRUE(self->chain.is_virtual);
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

/* Written down by others: the root of the vendor's test scheme, and what lay in a card's 2F02 under it. */
static const char vendor_root[] =
	"7F218201B47F4E82016C5F290100420E55545352434143433130303030317F4982011D060A04007F000702020202038120A9FB57"
	"DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E537782207D5A0975FC2C3057EEF67530417AFFE7FB8055C126"
	"DC5C6CE94A4B44F330B5D9832026DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B68441048BD2AEB9"
	"CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E54"
	"5C1D54C72F0469978520A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7864104A041FEB2FD116B"
	"2AD19CA6B7EACD71C9892F941BB88D67DCEEC92501F070011957E22122BA6C2CF5FF02936F482E35A6129CCBBA8E9383836D3106"
	"879C408EF08701015F200E55545352434143433130303030317F4C10060B2B0601040181C31F0301015301C05F25060102010100"
	"095F24060302010100085F3740914DD0FA00615C44048D1467435400423A4AD1BD37FD98D6DE84FD8037489582325C72956D4FDF"
	"ABC6EDBA48184A754F37F1BE5142DD1C27D66569308CE19AAF";
static const char vendor_file[] =
	"7F2181E27F4E819B5F290100420B55544343303230303030327F494F060A04007F000702020202038641046DFFD6855740FB105D"
	"94718A94D25E5033E71EC06C63D5C8FCBAF3021D7023F647E83548EFB594723C6FBEC0EB9AC7FB065926CF65EFA172E098F3F044"
	"1BB7715F2010555443433032303030313330303030307F4C10060B2B0601040181C31F0301015301005F25060104000701015F24"
	"060201000302075F37407F73043B06637941BE1A9FFCF677672B8A41D111F69B5444AD19FBB80CC62F34718E4FF692593461D94F"
	"4A8636A8D89AC63C177E71CEA826D0C52561789D01F87F2181E07F4E81995F290100420E55545352434143433130303030317F49"
	"4F060A04007F000702020202038641042FEA33477F4581E2FCCB66874B96211D688173F29F8F6B91F0DE4B548ED8F0823DCBBE10"
	"98A31E4FF0725CE57B1EF73C680903E8A03F3E06C1B03C186BAC06EA5F200B55544343303230303030327F4C10060B2B06010401"
	"81C31F0301015301805F25060103000302085F24060201000302075F374093C1428BB38E42616F2C19E69841BDAA60BDE0DD4EF0"
	"15D54F71B7BBC33AF2AD275EDDEE6D1276E62BA04C01CAC1260C456DC6CBEC92BF3818AD8FB22940A951";

static struct bytes from_hex(const char *text, uint8_t *buf)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++)
		ASSERT_EQ(1, sscanf(text + 2 * i, "%2hhX", &buf[i]));
	return BYTES(buf, n);
}

TEST_F(chain, the_vendors_own_verifies)
{
	static const uint8_t then[] = { 1, 4, 0, 8, 0, 1 };
	struct device_roots roots = { .roots = &self->root, .n = 1, .today = BYTES_OF(then) };

	self->root = from_hex(vendor_root, self->root_buf);
	self->file = from_hex(vendor_file, self->file_buf);
	ASSERT_EQ(0, device_chain_verify(self->file, &roots, &self->chain));
	EXPECT_TRUE(bytes_equal(BYTES("UTCC0200013", 11), cvc_serial(self->chain.device.chr)));
	EXPECT_FALSE(self->chain.is_virtual);
	EXPECT_FALSE(self->chain.fixed);
	device_chain_deinit(&self->chain);
	roots.today = self->today;		/* it was good until 2021 */
	EXPECT_EQ(-EACCES, device_chain_verify(self->file, &roots, &self->chain));
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
