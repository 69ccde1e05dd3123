/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/card/kf_kek.h"
#include "driver/card/kf.h"
#include "format/kek_statement.h"
#include "tests/driver/card/kek_script.h"

FIXTURE(kek) { struct script s; uint8_t out[8192]; struct packer p; struct kf_kek_create want; };
FIXTURE_SETUP(kek)
{
	script_open(&self->s, SCRIPT_KEKS);
	self->p = pack_begin(self->out, sizeof(self->out));
	self->want = (struct kf_kek_create){
		.container = 5, .key_type = KF_KEY_RSA_2048, .hash = KF_HASH_SHA1,
		.key_types = 1u << KF_KEY_EC_P256, .purposes = 1u << KF_PURPOSE_SIGN,
	};
}
FIXTURE_TEARDOWN(kek)
{
	script_done(&self->s);
	script_close(&self->s);
}

#define PUK	BYTES("12345678", 8)
#define NAME	BYTES("kek", 3)

static int create(struct fixture_kek *self)
{
	return kf_card_driver.kek_create(script_begin(&self->s), &self->want, PUK, NAME, &self->p);
}

/* What stands before the command: nobody is called so, and the PUK has tries. */
static void expect_way(struct fixture_kek *self)
{
	for (uint8_t c = 0; c < 16; c++)
		script_kek_none(&self->s, c);
	script_pin_state(&self->s, 3, 8, false);
}

#define CREATE	"8026 0005 00001B 8008 3132333435363738 810101 8203 6B656B 830101 840104 850106 0000"

static void expect_create(struct fixture_kek *self, struct bytes answer)
{
	uint8_t want[64];
	size_t n = script_hex(CREATE, want, sizeof(want));

	script_add(&self->s, BYTES(want, n), answer);
}

TEST_F(kek, a_kek_is_made_with_the_puk_and_comes_back_attested)
{
	uint8_t answer[1024];
	struct packer a = pack_begin(answer, sizeof(answer));

	script_attestation(&a);
	expect_way(self);
	pack_be16(&a, 0x9000);
	expect_create(self, pack_done(&a));
	ASSERT_EQ(0, create(self));
	EXPECT_EQ(5u, self->want.container);
	EXPECT_BYTES_EQ(BYTES(answer, a.n - 2), pack_done(&self->p));
}

TEST_F(kek, each_refusal_of_a_kek_has_its_errno)
{
	static const struct { uint16_t sw; int error; uint32_t detail; } rows[] = {
		{ 0x63c7, -EKEYREJECTED, 7 }, { 0x6983, -EKEYREVOKED, 0 }, { 0x6985, -EEXIST, 0 },
		{ 0x6a80, -EREMOTEIO, 0 }, { 0x9000, -EBADMSG, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t sw[] = { (uint8_t)(rows[i].sw >> 8), (uint8_t)rows[i].sw };

		expect_way(self);
		expect_create(self, BYTES_OF(sw));
		EXPECT_EQ(rows[i].error, create(self));
		EXPECT_EQ(rows[i].detail, self->s.card->said.detail);
		EXPECT_EQ(0u, self->p.n);
	}
}

TEST_F(kek, the_last_try_of_the_puk_is_not_spent_unasked)
{
	for (uint8_t c = 0; c < 16; c++)
		script_kek_none(&self->s, c);
	script_pin_state(&self->s, 3, 1, false);
	EXPECT_EQ(-EPERM, create(self));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, self->s.card->said.reason);
}

TEST_F(kek, a_name_that_is_taken_is_not_sent)
{
	script_kek(&self->s, 0, "KEK", KF_HASH_SHA1, true);
	EXPECT_EQ(-EEXIST, create(self));
	EXPECT_EQ(KF_REASON_BYOK, self->s.card->said.reason);
	EXPECT_EQ(KF_BYOK_KEK_NAME, self->s.card->said.detail);
}

static void spoil(struct kf_kek_create *want, int what)
{
	switch (what) {
	case 0: want->key_type = KF_KEY_EC_P256; break;
	case 1: want->key_type = 99; break;
	case 2: want->hash = 0; break;
	case 3: want->hash = 5; break;
	case 4: want->hash = 40; break;
	case 5: want->key_types = 0; break;
	case 6: want->key_types = 1u << KF_KEY_3DES_112; break;
	case 7: want->purposes = 0; break;
	case 8: want->purposes = 1u << KF_PURPOSE_CIPHER; break;
	case 9: want->purposes |= 1u << KF_PURPOSE_KEK; break;
	case 10: want->container = 16; break;
	}
}

TEST_F(kek, what_cannot_be_a_kek_is_not_sent)
{
	for (int what = 0; what <= 10; what++) {
		struct kf_kek_create good = self->want;

		spoil(&self->want, what);
		if (create(self) != -EINVAL)
			TEST_FAIL("spoilt in way %d, it is sent", what);
		self->want = good;
	}
	EXPECT_EQ(-EINVAL, kf_card_driver.kek_create(script_begin(&self->s), &self->want, BYTES("123", 3),
						     NAME, &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.kek_create(script_begin(&self->s), &self->want, PUK,
						     BYTES("a b", 3), &self->p));
}

TEST_F(kek, a_card_without_keks_is_not_asked_for_any)
{
	struct kf_byok_import import = { .kek = 3 };
	struct bytes spki;
	uint32_t n = 7;

	kf_of(self->s.card)->info.unwrap_types = 0;
	EXPECT_EQ(-EOPNOTSUPP, create(self));
	EXPECT_EQ(-EOPNOTSUPP, kf_card_driver.byok_import(script_begin(&self->s), &import, NAME, NAME, &self->p, &spki));
	EXPECT_EQ(0, kf_card_driver.kek_list(script_begin(&self->s), &n, &self->p));
	EXPECT_EQ(0u, n);
}

TEST_F(kek, a_list_has_those_there_are)
{
	struct kf_kek_entry row;
	uint32_t n = 0;

	for (uint8_t c = 0; c < 16; c++) {
		if (c == 3 || c == 9) {
			script_kek(&self->s, c, c == 3 ? "one" : "two", KF_HASH_SHA256, c == 3);
			script_place(&self->s, c, KF_KEY_RSA_3072, KF_PURPOSE_KEK, BYTES("spki", 4));
		} else {
			script_kek_none(&self->s, c);
		}
	}
	ASSERT_EQ(0, kf_card_driver.kek_list(script_begin(&self->s), &n, &self->p));
	ASSERT_EQ(2u, n);
	ASSERT_EQ(2 * sizeof(row), self->p.n);
	memcpy(&row, self->out + sizeof(row), sizeof(row));
	EXPECT_EQ(9u, row.container);
	EXPECT_STREQ("two", row.name);
	EXPECT_EQ(KF_KEK_DISABLED, row.flags);
	EXPECT_EQ((uint32_t)KF_HASH_SHA256, row.hash);
	EXPECT_EQ(SCRIPT_KEK_TYPES, row.key_types);
	EXPECT_FALSE(bytes_are_zero(BYTES_OF(row.kek)));
}

TEST_F(kek, a_kek_out_of_form_is_malformed)
{
	static const char *const bad[] = {
		"E500", "E50E 8003 412042 810101 820104 830106 840101", "E50F 80034B454B 810100 820104 830106 840101",
		"E50F 80034B454B 810101 820104 830106 840102", "E50C 80034B454B 810101 820104 830106",
		"E510 80034B454B 810101 820104 830106 840101 00",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t data[64];
		struct kf_kek kek;

		script_get_data(&self->s, 0x0133, BYTES(data, script_hex(bad[i], data, sizeof(data))), 0x9000);
		if (kf_kek_get(script_begin(&self->s), 3, &kek) != -EBADMSG)
			TEST_FAIL("row %zu passes", i);
	}
}

TEST_F(kek, attesting_is_for_keks_and_has_to_be_in_form)
{
	uint8_t answer[1024];
	struct packer a = pack_begin(answer, sizeof(answer));
	static const uint8_t ask[] = { 0x80, 0x4e, 0x00, 0x07, 0x00, 0x00, 0x00 };

	script_attestation(&a);
	pack_be16(&a, 0x9000);
	script_add(&self->s, BYTES_OF(ask), pack_done(&a));
	EXPECT_EQ(0, kf_card_driver.kek_attest(script_begin(&self->s), 7, &self->p));
	script_add(&self->s, BYTES_OF(ask), BYTES("\x6a\x88", 2));
	EXPECT_EQ(-ENOENT, kf_card_driver.kek_attest(script_begin(&self->s), 7, &self->p));
	answer[8] ^= 1;
	script_add(&self->s, BYTES_OF(ask), pack_done(&a));
	EXPECT_EQ(-EBADMSG, kf_card_driver.kek_attest(script_begin(&self->s), 7, &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.kek_attest(script_begin(&self->s), 16, &self->p));
}

TEST_F(kek, each_action_has_its_command)
{
	static const char *const commands[] = {
		NULL, "8028 0004 0A 8008 3132333435363738", "8028 0104 0A 8008 3132333435363738",
		"8028 0204 0A 8008 3132333435363738",
	};
	struct kf_kek_set set = { .container = 4 };

	for (set.action = KF_KEK_DISABLE; set.action <= KF_KEK_DELETE; set.action++) {
		script_pin_state(&self->s, 3, 8, false);
		script_expect(&self->s, commands[set.action], "9000");
		EXPECT_EQ(0, kf_card_driver.kek_set(script_begin(&self->s), &set, PUK));
	}
	EXPECT_EQ(-EINVAL, kf_card_driver.kek_set(script_begin(&self->s), &set, PUK));
	set.action = 0;
	EXPECT_EQ(-EINVAL, kf_card_driver.kek_set(script_begin(&self->s), &set, PUK));
	set.action = KF_KEK_DELETE;
	EXPECT_EQ(-EINVAL, kf_card_driver.kek_set(script_begin(&self->s), &set, BYTES("123", 3)));
	script_pin_state(&self->s, 3, 1, false);
	EXPECT_EQ(-EPERM, kf_card_driver.kek_set(script_begin(&self->s), &set, PUK));
}
