// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/receipt_test.c - A receipt that differs in anything proves nothing.
 *
 * Faces: libserver/ticket.c
 */
#include "format/secret_mark.h"
#include "libserver/json/receipt.h"
#include "libserver/ticket.h"
#include "tests/libserver/server_fixture.h"

FIXTURE(receipt)
{
	struct voyage v;
	char *cargo, *ticket;
	struct kf_receipt_report *report;
	struct kf_error e;
};

FIXTURE_SETUP(receipt)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);

	voyage_init(&self->v, true, NULL);
	voyage_seal(&self->v, pair, 2, &self->cargo, &self->ticket);
	kf_keypair_free(pair);
}

FIXTURE_TEARDOWN(receipt)
{
	kf_receipt_report_free(self->report);
	free(self->cargo);
	free(self->ticket);
	voyage_deinit(&self->v);
}

static int verify_text(struct fixture_receipt *self, char *json)
{
	int r;

	self->report = kf_receipt_report_free(self->report);
	r = kf_receipt_verify(self->ticket, strlen(self->ticket), json, strlen(json),
			      &self->report, &self->e);
	free(json);
	return r;
}

static int verify(struct fixture_receipt *self, size_t upto,
		  const struct fakecard_receipt_bend *bend)
{
	return verify_text(self, fakecard_receipt(&self->v.card, self->cargo, upto, bend));
}

static int verify_file(struct fixture_receipt *self, const struct receipt_file *file)
{
	char *json = NULL;
	size_t len;

	ASSERT_EQ(0, receipt_file_write(file, &json, &len, NULL));
	return verify_text(self, json);
}

TEST_F(receipt, a_true_receipt_proves_every_item)
{
	size_t len = 0;

	ASSERT_EQ(0, verify(self, 0, NULL));
	EXPECT_EQ(2, kf_receipt_report_items(self->report));
	EXPECT_EQ(2, kf_receipt_report_proved(self->report));
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, kf_receipt_report_grade(self->report));
	EXPECT_STREQ("FAKE-1", kf_receipt_report_serial(self->report));
	EXPECT_TRUE(kf_receipt_report_item_is_proved(self->report, 1));
	EXPECT_FALSE(kf_receipt_report_item_is_proved(self->report, 2));
	EXPECT_EQ(3, kf_receipt_report_item_container(self->report, 0));
	EXPECT_TRUE(kf_receipt_report_item_is_signed(self->report, 0));
	EXPECT_NOT_NULL(kf_receipt_report_item_public(self->report, 0, &len));
	EXPECT_LT(80, len);
}

TEST_F(receipt, a_missing_one_leaves_the_outcome_indeterminate)
{
	size_t len;

	ASSERT_EQ(-ENODATA, verify(self, 1, NULL));
	ASSERT_NOT_NULL(self->report);
	EXPECT_EQ(1, kf_receipt_report_proved(self->report));
	EXPECT_TRUE(kf_receipt_report_item_is_proved(self->report, 0));
	EXPECT_FALSE(kf_receipt_report_item_is_proved(self->report, 1));
	EXPECT_NULL(kf_receipt_report_item_public(self->report, 1, &len));
}

static void other_device(struct receipt *r) { r->device[31] ^= 1; }
static void other_serial(struct receipt *r) { r->serial[0] = 'G'; }
static void other_sid(struct receipt *r) { r->sid[0] ^= 1; }
static void other_number(struct receipt *r) { r->number ^= 3; }
static void other_item(struct receipt *r) { r->item[5] ^= 1; }
static void other_function(struct receipt *r) { r->function = KF_FUNCTION_AUTHENTICATE; }
static void other_method(struct receipt *r) { r->method = KF_METHOD_ECDH; }
static void other_exchange(struct receipt *r) { r->exchange[0] ^= 1; }
static void other_container(struct receipt *r) { r->container = 4; }
static void other_pin(struct receipt *r) { r->pin = 0; }
static void other_type(struct receipt *r) { r->key_type = KF_KEY_EC_P384; }
static void other_purpose(struct receipt *r) { r->purpose = KF_PURPOSE_DERIVE; }
static void other_policy(struct receipt *r) { r->policy.pin_needed = false; }
static void other_time(struct receipt *r) { r->policy.not_after = 1; }
static void no_sender(struct receipt *r) { r->sender.present = false; }
static void other_sender(struct receipt *r) { r->sender.digest[0] ^= 1; }

static uint8_t other_spki[SPKI_MAX];

static void other_key(struct receipt *r)
{
	struct packer p = pack_begin(other_spki, sizeof(other_spki));
	EVP_PKEY *key = NULL;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	ASSERT_EQ(0, key_spki(key, &p));
	EVP_PKEY_free(key);
	r->evidence = pack_done(&p);
}

TEST_F(receipt, each_field_is_compared_with_the_ticket)
{
	static void (*const rows[])(struct receipt *r) = {
		other_device, other_serial, other_sid, other_number, other_item, other_function,
		other_method, other_exchange, other_container, other_pin, other_type,
		other_purpose, other_policy, other_time, no_sender, other_sender, other_key,
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = verify(self, 0, &(struct fakecard_receipt_bend){ .receipt = rows[i] });

		if (r != -EACCES && r != -EBADMSG)
			TEST_FAIL("row %zu is taken: %d", i, r);
		EXPECT_NULL(self->report);
	}
}

/* In one receipt at a time of a file that is made once: that is what takes long. */
TEST_F_TIMEOUT(receipt, a_flipped_bit_anywhere_is_refused, 60)
{
	char *json = fakecard_receipt(&self->v.card, self->cargo, 0, NULL);
	struct receipt_file file = RECEIPT_FILE_INIT;

	ASSERT_EQ(0, receipt_file_parse(BYTES(json, strlen(json)), &file, NULL));
	EXPECT_EQ(0, verify_file(self, &file));
	for (size_t i = 0; i < file.n; i++) {
		const struct blob *der = &file.receipts[i].receipt;

		for (size_t at = 0; at < der->n; at++) {
			uint8_t bit = (uint8_t)(1u << ((at + 4 * i) % 8));
			int r;

			der->p[at] ^= bit;
			r = verify_file(self, &file);
			der->p[at] ^= bit;
			if (r != -EACCES && r != -EBADMSG)
				TEST_FAIL("bit flipped in byte %zu of receipt %zu is taken: %d", at, i, r);
		}
	}
	EXPECT_EQ(2u, file.n);
	receipt_file_deinit(&file);
	free(json);
}

TEST_F(receipt, only_the_card_of_the_ticket_signs)
{
	EXPECT_EQ(-EACCES, verify(self, 0, &(struct fakecard_receipt_bend){ .other_key = true }));
	EXPECT_STREQ("the receipt is refused", self->e.what);
}

TEST_F(receipt, the_receipt_of_another_cargo_is_refused)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	char *cargo = NULL, *ticket = NULL, *json;
	struct voyage other;

	json = fakecard_receipt(&self->v.card, self->cargo, 0, NULL);
	voyage_init(&other, false, NULL);
	voyage_seal(&other, pair, 1, &cargo, &ticket);
	EXPECT_EQ(-EACCES, kf_receipt_verify(ticket, strlen(ticket), json, strlen(json),
					     &self->report, &self->e));
	EXPECT_NULL(self->report);
	kf_keypair_free(pair);
	free(cargo);
	free(ticket);
	free(json);
	voyage_deinit(&other);
}

TEST_F(receipt, a_damaged_ticket_proves_nothing)
{
	char *json = fakecard_receipt(&self->v.card, self->cargo, 0, NULL);
	struct ticket ticket = TICKET_INIT;
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, ticket_parse(BYTES(self->ticket, strlen(self->ticket)), &ticket, NULL));
	ticket.certificate.p[ticket.certificate.n - 1] ^= 1;
	ASSERT_EQ(0, ticket_write(&ticket, &text, &len, NULL));
	EXPECT_EQ(-EBADMSG, kf_receipt_verify(text, len, json, strlen(json), &self->report,
					      &self->e));
	free(text);
	ticket_deinit(&ticket);
	for (size_t n = 0; n + 2 < strlen(self->ticket); n += 11)
		EXPECT_EQ(-EBADMSG, kf_receipt_verify(self->ticket, n, json, strlen(json),
						      &self->report, NULL));
	free(json);
}

/* --- a secret key --- */

static const uint8_t secret[32] = { 0x5e, 0xc2, 0xe7 };
static uint8_t bent[SECRET_MARK_MAX];

static void bend_mark(struct receipt *r, size_t at)
{
	struct packer p = pack_begin(bent, sizeof(bent));

	pack_bytes(&p, r->evidence);
	bent[at] ^= 1;
	r->evidence = pack_done(&p);
}

static void other_name(struct receipt *r) { bend_mark(r, 20); }
static void other_proof(struct receipt *r) { bend_mark(r, r->evidence.n - 1); }

TEST_F(receipt, a_secret_key_is_proved_by_its_name_and_by_what_only_its_holder_computes)
{
	static const struct { void (*bend)(struct receipt *r); const char *why; } rows[] = {
		{ other_name, "another key than was sealed" },
		{ other_proof, "does not show that it has the key" },
		{ other_key, "is malformed" },
	};
	struct kf_keypair *pair = NULL;
	size_t len;

	free(self->cargo);
	free(self->ticket);
	self->cargo = self->ticket = NULL;
	ASSERT_EQ(0, kf_keypair_from_raw(secret, sizeof(secret), &pair, NULL));
	voyage_seal(&self->v, pair, 1, &self->cargo, &self->ticket);
	ASSERT_EQ(0, verify(self, 0, NULL));
	EXPECT_EQ(1, kf_receipt_report_proved(self->report));
	EXPECT_EQ(KF_KEY_AES_256, kf_receipt_report_item_type(self->report, 0));
	EXPECT_EQ(KF_PURPOSE_CIPHER, kf_receipt_report_item_purpose(self->report, 0));
	EXPECT_MEMEQ(kf_keypair_hash(pair), kf_receipt_report_item_key(self->report, 0), KF_DIGEST_SIZE);
	EXPECT_NULL(kf_receipt_report_item_public(self->report, 0, &len));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT_EQ(-EACCES, verify(self, 0, &(struct fakecard_receipt_bend){ .receipt = rows[i].bend }));
		EXPECT_NOT_NULL(strstr(self->e.why, rows[i].why));
	}
	kf_keypair_free(pair);
}
