// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/json/files_test.c - The four files: what is written is read back the same, and a
 * file with any member gone, doubled, renamed or of another kind is not one.
 *
 * Faces: libserver/json/challenge.c libserver/json/offer.c libserver/json/cargo.c
 * Faces: libserver/json/receipt.c libserver/json/names.c libserver/json/kek.c
 */
#include "format/item.h"
#include "libserver/json/cargo.h"
#include "libserver/json/challenge.h"
#include "libserver/json/offer.h"
#include "libserver/json/kek.h"
#include "libserver/json/receipt.h"
#include "tests/harness.h"

/* --- one good file of each kind --- */

static char *challenge_text(void)
{
	struct challenge_file file = { .serial = "S-1", .issued = 1000, .expires = 2000 };
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, challenge_file_write(&file, &text, &len, NULL));
	EXPECT_EQ(len, strlen(text));
	return text;
}

static char *offer_text(void)
{
	struct offer_file file = { .serial = "S-1", .container = 15, .method = KF_METHOD_RSA };
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, blob_set(&file.exchange_key, BYTES("key", 3)));
	ASSERT_EQ(0, blob_set(&file.device_certificate, BYTES("cert", 4)));
	ASSERT_EQ(0, blob_set(&file.statement, BYTES("statement", 9)));
	ASSERT_EQ(0, blob_set(&file.signature, BYTES("s", 1)));
	ASSERT_EQ(0, offer_file_write(&file, &text, &len, NULL));
	offer_file_deinit(&file);
	return text;
}

static char *cargo_text(void)
{
	struct cargo_item items[2] = {
		{ .number = 1, .function = KF_FUNCTION_IMPORT_KEYPAIR, .key_type = KF_KEY_RSA_3072,
		  .purpose = KF_PURPOSE_DECRYPT, .container = 3 },
		{ .number = 2, .function = KF_FUNCTION_IMPORT_KEYPAIR, .key_type = KF_KEY_EC_P521,
		  .purpose = KF_PURPOSE_DERIVE, .container = 3 },
	};
	struct cargo_file file = {
		.serial = "S-1", .container = 3, .method = KF_METHOD_RSA, .signed_by = true,
		.grade = KF_GRADE_A_VIRTUAL, .n_items = 2, .items = items,
	};
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, blob_set(&file.input, BYTES("wrapped", 7)));
	ASSERT_EQ(0, blob_set(&items[0].item, BYTES("one", 3)));
	ASSERT_EQ(0, blob_set(&items[1].item, BYTES("two", 3)));
	ASSERT_EQ(0, cargo_file_write(&file, &text, &len, NULL));
	blob_deinit(&file.input);
	blob_deinit(&items[0].item);
	blob_deinit(&items[1].item);
	return text;
}

static char *receipt_text(void)
{
	struct receipt_entry entries[2] = { { .number = 1 }, { .number = 3 } };
	struct receipt_file file = { .serial = "S-1", .n = 2, .receipts = entries };
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, blob_set(&entries[0].receipt, BYTES("one", 3)));
	ASSERT_EQ(0, blob_set(&entries[1].receipt, BYTES("three", 5)));
	ASSERT_EQ(0, receipt_file_write(&file, &text, &len, NULL));
	blob_deinit(&entries[0].receipt);
	blob_deinit(&entries[1].receipt);
	return text;
}

static char *kek_text(void)
{
	struct kek_file file = { .serial = "S-1", .name = "https://v/keys/k" };
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, blob_set(&file.device_certificate, BYTES("cert", 4)));
	ASSERT_EQ(0, blob_set(&file.statement, BYTES("statement", 9)));
	ASSERT_EQ(0, kek_file_write(&file, &text, &len, NULL));
	kek_file_deinit(&file);
	return text;
}

/* --- reading, and writing again what was read --- */

static int challenge_again(struct bytes text, char **again)
{
	struct challenge_file file;
	size_t len;
	int r = challenge_file_parse(text, &file, NULL);

	return r < 0 ? r : challenge_file_write(&file, again, &len, NULL);
}

static int offer_again(struct bytes text, char **again)
{
	struct offer_file file = OFFER_FILE_INIT;
	size_t len;
	int r = offer_file_parse(text, &file, NULL);

	if (r == 0)
		r = offer_file_write(&file, again, &len, NULL);
	offer_file_deinit(&file);
	return r;
}

static int cargo_again(struct bytes text, char **again)
{
	struct cargo_file file = CARGO_FILE_INIT;
	size_t len;
	int r = cargo_file_parse(text, &file, NULL);

	if (r == 0)
		r = cargo_file_write(&file, again, &len, NULL);
	cargo_file_deinit(&file);
	return r;
}

static int receipt_again(struct bytes text, char **again)
{
	struct receipt_file file = RECEIPT_FILE_INIT;
	size_t len;
	int r = receipt_file_parse(text, &file, NULL);

	if (r == 0)
		r = receipt_file_write(&file, again, &len, NULL);
	receipt_file_deinit(&file);
	return r;
}

static int kek_again(struct bytes text, char **again)
{
	struct kek_file file = KEK_FILE_INIT;
	size_t len;
	int r = kek_file_parse(text, &file, NULL);

	if (r == 0)
		r = kek_file_write(&file, again, &len, NULL);
	kek_file_deinit(&file);
	return r;
}

FIXTURE(file)
{
	char *text;
};

FIXTURE_VARIANT(file)
{
	char *(*make)(void);
	int (*again)(struct bytes text, char **again);
};

FIXTURE_VARIANT_ADD(file, challenge) { challenge_text, challenge_again };
FIXTURE_VARIANT_ADD(file, offer) { offer_text, offer_again };
FIXTURE_VARIANT_ADD(file, cargo) { cargo_text, cargo_again };
FIXTURE_VARIANT_ADD(file, receipt) { receipt_text, receipt_again };
FIXTURE_VARIANT_ADD(file, kek) { kek_text, kek_again };

FIXTURE_SETUP(file)
{
	self->text = variant->make();
}

FIXTURE_TEARDOWN(file)
{
	free(self->text);
}

TEST_F(file, goes_both_ways)
{
	char *again = NULL;

	ASSERT_EQ(0, variant->again(BYTES(self->text, strlen(self->text)), &again));
	EXPECT_STREQ(self->text, again);
	free(again);
}

TEST_F(file, every_truncation_is_refused)
{
	char *again = NULL;

	for (size_t n = 0; n + 2 < strlen(self->text); n++)
		EXPECT_EQ(-EBADMSG, variant->again(BYTES(self->text, n), &again));
}

/* Every change of one character is refused, or is another file: never read as the same. */
TEST_F(file, no_two_texts_mean_the_same)
{
	size_t n = strlen(self->text);

	for (size_t i = 0; i < n; i++) {
		char was = self->text[i], *again = NULL;

		if (was == ' ' || was == '\n')
			continue;
		self->text[i] = (char)(was ^ 1);
		if (variant->again(BYTES(self->text, n), &again) == 0) {
			EXPECT_STREQ(self->text, again);
			free(again);
		}
		self->text[i] = was;
	}
}

static int refused(int (*again)(struct bytes, char **), json_t *object)
{
	char *text = json_dumps(object, 0), *out = NULL;
	int r = again(BYTES(text, strlen(text)), &out);

	free(text);
	free(out);
	return r == -EBADMSG;
}

/* For each member of each object in the tree: gone, of another kind, and one too many. */
static void spoil(json_t *root, json_t *at, int (*again)(struct bytes, char **))
{
	const char *name;
	json_t *value, *before;

	if (json_is_array(at))
		for (size_t i = 0; i < json_array_size(at); i++)
			spoil(root, json_array_get(at, i), again);
	if (!json_is_object(at))
		return;
	json_object_set_new(at, "more", json_integer(1));
	EXPECT_TRUE(refused(again, root));
	json_object_del(at, "more");
	before = json_copy(at);
	json_object_foreach(before, name, value) {
		json_object_del(at, name);
		if (!refused(again, root))
			TEST_FAIL("without \"%s\" it is taken", name);
		json_object_set_new(at, name, json_real(1.5));
		if (!refused(again, root))
			TEST_FAIL("with 1.5 for \"%s\" it is taken", name);
		json_object_set_new(at, name, json_string("!"));
		if (!refused(again, root))
			TEST_FAIL("with \"!\" for \"%s\" it is taken", name);
		json_object_set(at, name, value);
		spoil(root, value, again);
	}
	json_decref(before);
}

TEST_F(file, each_member_is_needed_typed_and_alone)
{
	json_t *root = json_loads(self->text, 0, NULL);

	ASSERT_NOT_NULL(root);
	spoil(root, root, variant->again);
	EXPECT_FALSE(refused(variant->again, root));
	json_decref(root);
}

/* --- what only one of them knows --- */

static int cargo_with(const char *path, const char *name, json_t *value)
{
	char *text = cargo_text();
	json_t *root = json_loads(text, 0, NULL);
	json_t *at = *path ? json_array_get(json_object_get(root, path), 0) : root;
	int r;

	json_object_set_new(at, name, value);
	r = refused(cargo_again, root);
	json_decref(root);
	free(text);
	return r;
}

TEST(values_are_held_to_their_range)
{
	EXPECT_TRUE(cargo_with("", "container", json_integer(16)));
	EXPECT_TRUE(cargo_with("", "method", json_string("RSA")));
	EXPECT_TRUE(cargo_with("", "grade", json_string("C-virtual")));
	EXPECT_TRUE(cargo_with("", "serial", json_string("has space")));
	EXPECT_TRUE(cargo_with("", "serial", json_string("123456789012345678901234567890123")));
	EXPECT_TRUE(cargo_with("items", "number", json_integer(2)));
	EXPECT_TRUE(cargo_with("items", "purpose", json_string("exchange")));
	EXPECT_TRUE(cargo_with("items", "key_type", json_string("x25519")));
	EXPECT_TRUE(cargo_with("items", "chaining_mode", json_string("ChainingModeECB")));
	EXPECT_FALSE(cargo_with("", "sender", json_null()));
	EXPECT_FALSE(cargo_with("", "grade", json_string("C")));
	EXPECT_FALSE(cargo_with("", "grade", json_string("B-virtual")));
}

TEST(a_challenge_expires_after_it_is_issued)
{
	struct challenge_file file = { .serial = "S-1", .issued = 2000, .expires = 2000 };
	char *text = NULL, *again = NULL;
	size_t len;

	ASSERT_EQ(0, challenge_file_write(&file, &text, &len, NULL));
	EXPECT_EQ(-EBADMSG, challenge_again(BYTES(text, len), &again));
	free(text);
}

TEST(receipt_numbers_ascend)
{
	struct receipt_entry entries[2] = { { .number = 2 }, { .number = 2 } };
	struct receipt_file file = { .serial = "S-1", .n = 2, .receipts = entries };
	char *text = NULL, *again = NULL;
	size_t len;

	ASSERT_EQ(0, blob_set(&entries[0].receipt, BYTES("x", 1)));
	ASSERT_EQ(0, blob_set(&entries[1].receipt, BYTES("y", 1)));
	ASSERT_EQ(0, receipt_file_write(&file, &text, &len, NULL));
	EXPECT_EQ(-EBADMSG, receipt_again(BYTES(text, len), &again));
	free(text);
	blob_deinit(&entries[0].receipt);
	blob_deinit(&entries[1].receipt);
}

/* --- what a cargo says of its items --- */

/* A cargo of one item that says the same twice; the caller deinits it. */
static struct cargo_file true_cargo(struct cargo_item *item)
{
	struct cargo_file file = {
		.serial = "S-1", .container = 3, .method = KF_METHOD_RSA, .signed_by = true,
		.sender = { 7 }, .sid = { 9 }, .grade = KF_GRADE_A, .n_items = 1, .items = item,
	};
	struct item_body body = {
		.suite = SUITE_AES256_CBC_CMAC, .method = KF_METHOD_RSA,
		.function = KF_FUNCTION_IMPORT_KEYPAIR, .sid = { 9 }, .number = 1, .count = 1,
		.serial = "S-1", .container = 3, .key_type = KF_KEY_EC_P256,
		.purpose = KF_PURPOSE_SIGN, .sender = { true, { 7 } }, .iv = { 5 },
		.ciphertext = BYTES("0123456789abcdef", 16),
	};
	uint8_t body_buf[512], buf[512], mac[ITEM_MAC_SIZE] = { 0 };
	struct packer der = pack_begin(body_buf, sizeof(body_buf));
	struct packer whole = pack_begin(buf, sizeof(buf));

	item_body_pack(&der, &body);
	item_pack(&whole, pack_done(&der), mac, BYTES("s", 1));
	ASSERT_EQ(0, pack_end(&whole));
	*item = (struct cargo_item){
		.number = 1, .function = KF_FUNCTION_IMPORT_KEYPAIR, .key_type = KF_KEY_EC_P256,
		.purpose = KF_PURPOSE_SIGN, .container = 3, .iv = { 5 },
	};
	ASSERT_EQ(0, blob_set(&item->item, pack_done(&whole)));
	return file;
}

static void expect_named(const char *name, const struct cargo_file *file)
{
	struct kf_error e = KF_ERROR_INIT;
	char quoted[32];

	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	EXPECT_EQ(-EBADMSG, cargo_file_check(file, &e));
	if (!strstr(e.why, quoted))
		TEST_FAIL("not \"%s\": %s", name, e.why);
}

TEST(a_cargo_that_contradicts_its_item_is_refused)
{
	struct cargo_item item;
	struct cargo_file good = true_cargo(&item), bad;
	const struct cargo_item kept = item;

	EXPECT_EQ(0, cargo_file_check(&good, NULL));
#define CONTRADICT(name, what) do { bad = good; what; expect_named(name, &bad); item = kept; } while (0)
	CONTRADICT("serial", bad.serial[0] = 'T');
	CONTRADICT("sid", bad.sid[15] = 1);
	CONTRADICT("container", bad.container = 4);
	CONTRADICT("container", item.container = 4);
	CONTRADICT("method", bad.method = KF_METHOD_ECDH);
	CONTRADICT("sender", bad.signed_by = false);
	CONTRADICT("sender", bad.sender[31] = 1);
	CONTRADICT("number", item.number = 2);
	CONTRADICT("function", item.function = KF_FUNCTION_NONE);
	CONTRADICT("key_type", item.key_type = KF_KEY_EC_P384);
	CONTRADICT("purpose", item.purpose = KF_PURPOSE_DERIVE);
	CONTRADICT("iv", item.iv[15] = 1);
#undef CONTRADICT
	item.item.n--;
	EXPECT_EQ(-EBADMSG, cargo_file_check(&good, NULL));
	item.item.n++;
	blob_deinit(&item.item);
}
