// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/file_test.c - The card's files: which there are, and every byte of those that are
 * made from what the card holds.
 *
 * Faces: libcardmod/map.c
 */
#include "libcardmod/utf16.h"
#include "tests/libcardmod/card_fixture.h"

static char mscp[] = "mscp", other[] = "mscerts";

FIXTURE(file) { struct card_rig r; PBYTE data; DWORD len; };
FIXTURE_SETUP(file) { card_begin(&self->r); }
FIXTURE_TEARDOWN(file)
{
	allocator_free(self->data);
	card_end(&self->r);
}

static DWORD read_named(struct fixture_file *self, char *dir, const char *name)
{
	CARD_DATA *c = &self->r.card;
	char copy[32];

	(void)snprintf(copy, sizeof(copy), "%s", name);
	allocator_free(self->data);
	return c->pfnCardReadFile(c, dir, copy, 0, &self->data, &self->len);
}

static void reply_four(struct fixture_file *self, uint8_t changed)
{
	struct kf_container_entry entries[] = {
		card_entry(0, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE, 0),
		card_entry(1, KF_KEY_NONE, KF_PURPOSE_NONE, 0),
		card_entry(2, KF_KEY_EC_P521, KF_PURPOSE_SIGN, 0),
	};

	entries[2].holds[31] ^= changed;
	card_reply_list(&self->r, entries, 3);
}

TEST_F(file, the_container_map_has_a_record_a_container)
{
	CONTAINER_MAP_RECORD records[3];

	reply_four(self, 0);
	ASSERT_EQ(SCARD_S_SUCCESS, read_named(self, mscp, "cmapfile"));
	ASSERT_EQ(3 * 86, self->len);
	memcpy(records, self->data, sizeof(records));
	EXPECT_EQ(CONTAINER_MAP_VALID_CONTAINER, records[0].bFlags);
	EXPECT_EQ(3072, records[0].wKeyExchangeKeySizeBits);
	EXPECT_EQ(0, records[0].wSigKeySizeBits);
	EXPECT_TRUE(bytes_are_zero(BYTES(self->data + 86, 86)));
	EXPECT_EQ(521, records[2].wSigKeySizeBits);
	EXPECT_EQ(0, records[2].wKeyExchangeKeySizeBits);
	EXPECT_TRUE(utf16_equal(records[0].wszGuid, u"{00010203-0405-0607-0809-0a0b0c0d0e0f}"));
	EXPECT_TRUE(utf16_equal(records[2].wszGuid, u"{20212223-2425-2627-2829-2a2b2c2d2e2f}"));
	EXPECT_EQ(1, allocator_out);
}

TEST_F(file, only_keys_that_decrypt_or_agree_have_the_size_of_an_exchange_key)
{
	static const struct { enum kf_purpose purpose; bool sign, exchange; } rows[] = {
		{ KF_PURPOSE_SIGN, true, false }, { KF_PURPOSE_DECRYPT, false, true },
		{ KF_PURPOSE_DERIVE, false, true }, { KF_PURPOSE_EXCHANGE, false, true },
		{ KF_PURPOSE_NONE, false, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_container_entry entry = card_entry(0, KF_KEY_RSA_2048, rows[i].purpose, 0);
		CONTAINER_MAP_RECORD record;

		card_reply_list(&self->r, &entry, 1);
		ASSERT_EQ(SCARD_S_SUCCESS, read_named(self, mscp, "cmapfile"));
		memcpy(&record, self->data, sizeof(record));
		EXPECT_EQ(CONTAINER_MAP_VALID_CONTAINER, record.bFlags);
		EXPECT_EQ(rows[i].sign ? 2048 : 0, record.wSigKeySizeBits);
		EXPECT_EQ(rows[i].exchange ? 2048 : 0, record.wKeyExchangeKeySizeBits);
	}
}

static void read_cache(struct fixture_file *self, uint8_t changed, CARD_CACHE_FILE_FORMAT *out)
{
	reply_four(self, changed);
	ASSERT_EQ(SCARD_S_SUCCESS, read_named(self, NULL, "cardcf"));
	ASSERT_EQ(6, self->len);
	memcpy(out, self->data, sizeof(*out));
}

TEST_F(file, the_cache_file_changes_with_what_it_is_about)
{
	CARD_DATA *c = &self->r.card;
	CARD_CACHE_FILE_FORMAT first, same, changed;
	BYTE pin[] = "1234";

	read_cache(self, 0, &first);
	read_cache(self, 0, &same);
	EXPECT_MEMEQ(&first, &same, sizeof(first));
	EXPECT_EQ(0, first.bVersion);
	read_cache(self, 1, &changed);
	EXPECT_NE(first.wContainersFreshness, changed.wContainersFreshness);
	EXPECT_EQ(first.wFilesFreshness, changed.wFilesFreshness);
	EXPECT_EQ(first.bPinsFreshness, changed.bPinsFreshness);
	card_answer(&self->r, KF_PIN_CHANGE, 0, 0, 0);
	ASSERT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardChangeAuthenticatorEx(c, PIN_CHANGE_FLAG_CHANGEPIN, 1, pin, 4, 1, pin, 4,
						  0, NULL));
	read_cache(self, 1, &same);
	EXPECT_NE(changed.bPinsFreshness, same.bPinsFreshness);
}

static void reply_cert(struct fixture_file *self, const char *cert)
{
	struct packet p = fake_reply_begin(&self->r.f, KF_CERT_READ, 0);

	packet_set(&p, kf_cert_read, cert, BYTES(cert, strlen(cert)));
	fake_send(&self->r.f, &p);
}

TEST_F(file, a_certificate_changes_the_files_freshness)
{
	struct kf_container_entry entry = card_entry(0, KF_KEY_EC_P256, KF_PURPOSE_SIGN,
						     KF_CONTAINER_CERT);
	WORD seen[2];

	for (int i = 0; i < 2; i++) {
		card_reply_list(&self->r, &entry, 1);
		reply_cert(self, i == 0 ? "one" : "two");
		ASSERT_EQ(SCARD_S_SUCCESS, read_named(self, NULL, "CARDCF"));
		memcpy(&seen[i], self->data + 4, 2);
	}
	EXPECT_NE(seen[0], seen[1]);
}

TEST_F(file, the_identifier_is_16_bytes_of_the_device_certificate)
{
	BYTE first[16];

	for (uint8_t i = 0; i < 2; i++) {
		struct packet p = fake_reply_begin(&self->r.f, KF_DEVICE_CERT, 0);
		const uint8_t chain[] = { 0x30, 1, i, 0x30, 1, 9 };

		packet_set(&p, kf_device_cert, chain, BYTES_OF(chain));
		fake_send(&self->r.f, &p);
		ASSERT_EQ(SCARD_S_SUCCESS, read_named(self, NULL, "cardid"));
		ASSERT_EQ(16, self->len);
		if (i == 0)
			memcpy(first, self->data, 16);
		else
			EXPECT_MEMNE(first, self->data, 16);
	}
}

TEST_F(file, the_applications_are_one)
{
	ASSERT_EQ(SCARD_S_SUCCESS, read_named(self, NULL, "cardapps"));
	EXPECT_BYTES_EQ(BYTES("mscp\0\0\0\0", 8), BYTES(self->data, self->len));
}

static void reply_key(struct fixture_file *self, enum kf_purpose purpose, uint32_t flags)
{
	card_reply_container(&self->r, card_entry(7, KF_KEY_EC_P256, purpose, flags), BYTES_NONE);
}

TEST_F(file, a_certificate_is_named_by_usage_and_container)
{
	struct packet p;

	reply_key(self, KF_PURPOSE_SIGN, KF_CONTAINER_CERT);
	reply_cert(self, "der");
	ASSERT_EQ(SCARD_S_SUCCESS, read_named(self, mscp, "KSC07"));
	EXPECT_BYTES_EQ(BYTES("der", 3), BYTES(self->data, self->len));
	(void)card_asked(&self->r, KF_CONTAINER_INFO, &p);
	EXPECT_EQ(7, ((const struct kf_cert_read *)card_asked(&self->r, KF_CERT_READ, &p))->container);
	reply_key(self, KF_PURPOSE_SIGN, KF_CONTAINER_CERT);
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, mscp, "kxc07"));
	reply_key(self, KF_PURPOSE_DECRYPT, 0);
	card_answer(&self->r, KF_CERT_READ, -ENOENT, 0, 0);
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, mscp, "kxc07"));
	EXPECT_NULL(self->data);
}

TEST_F(file, what_is_not_there_is_not_found)
{
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, mscp, "msroots"));
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, mscp, "kxc7"));
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, mscp, "kxc0x"));
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, NULL, "kxc07"));
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, NULL, "cmapfile"));
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, read_named(self, mscp, "cmapfile1"));
	EXPECT_EQ(SCARD_E_DIR_NOT_FOUND, read_named(self, other, "cmapfile"));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, read_named(self, mscp, ""));
	expect_told(&self->r.card);
}

TEST_F(file, certificates_are_written_and_removed)
{
	CARD_DATA *c = &self->r.card;
	char name[] = "kxc07";
	BYTE der[] = "der";
	struct packet p;

	reply_key(self, KF_PURPOSE_DECRYPT, 0);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardCreateFile(c, mscp, name, 100, EveryoneReadUserWriteAc));
	reply_key(self, KF_PURPOSE_DECRYPT, 0);
	card_answer(&self->r, KF_CERT_STORE, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardWriteFile(c, mscp, name, 0, der, 3));
	(void)card_asked(&self->r, KF_CONTAINER_INFO, &p);
	(void)card_asked(&self->r, KF_CONTAINER_INFO, &p);
	(void)card_asked(&self->r, KF_CERT_STORE, &p);
	EXPECT_BYTES_EQ(BYTES("der", 3), packet_get(&p, kf_cert_store, cert));
	reply_key(self, KF_PURPOSE_DECRYPT, KF_CONTAINER_CERT);
	card_answer(&self->r, KF_CERT_STORE, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDeleteFile(c, mscp, name, 0));
	(void)card_asked(&self->r, KF_CONTAINER_INFO, &p);
	(void)card_asked(&self->r, KF_CERT_STORE, &p);
	EXPECT_EQ(0, packet_get(&p, kf_cert_store, cert).n);
	reply_key(self, KF_PURPOSE_DECRYPT, 0);
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, c->pfnCardDeleteFile(c, mscp, name, 0));
	reply_key(self, KF_PURPOSE_DECRYPT, KF_CONTAINER_CERT);
	EXPECT_EQ(ERROR_FILE_EXISTS,
		  c->pfnCardCreateFile(c, mscp, name, 100, EveryoneReadUserWriteAc));
}

TEST_F(file, files_made_from_the_card_and_others_cannot_be_written)
{
	CARD_DATA *c = &self->r.card;
	char map[] = "cmapfile", cache[] = "cardcf", foreign[] = "notes";
	BYTE data[6] = { 0 };

	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardWriteFile(c, mscp, map, 0, data, 6));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardWriteFile(c, NULL, cache, 0, data, 6));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDeleteFile(c, mscp, map, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardCreateFile(c, mscp, foreign, 6, 1));
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, c->pfnCardWriteFile(c, mscp, foreign, 0, data, 6));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardWriteFile(c, mscp, map, 1, data, 6));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardWriteFile(c, mscp, map, 0, NULL, 6));
	EXPECT_EQ(ERROR_FILE_EXISTS, c->pfnCardCreateFile(c, mscp, map, 6, 1));
}

TEST_F(file, directories)
{
	CARD_DATA *c = &self->r.card;

	EXPECT_EQ(ERROR_FILE_EXISTS, c->pfnCardCreateDirectory(c, mscp, UserCreateDeleteDirAc));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardCreateDirectory(c, other, UserCreateDeleteDirAc));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardCreateDirectory(c, other, InvalidDirAc));
	EXPECT_EQ(ERROR_DIR_NOT_EMPTY, c->pfnCardDeleteDirectory(c, mscp));
	EXPECT_EQ(SCARD_E_DIR_NOT_FOUND, c->pfnCardDeleteDirectory(c, other));
}

TEST_F(file, the_list_is_a_multi_string_of_single_bytes)
{
	const struct kf_container_entry entries[] = {
		card_entry(0, KF_KEY_RSA_3072, KF_PURPOSE_DECRYPT, KF_CONTAINER_CERT),
		card_entry(1, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0),
		card_entry(12, KF_KEY_EC_P256, KF_PURPOSE_SIGN, KF_CONTAINER_CERT),
	};
	CARD_DATA *c = &self->r.card;
	LPSTR names = NULL;
	DWORD n = 0;

	card_reply_list(&self->r, entries, 3);
	ASSERT_EQ(SCARD_S_SUCCESS, c->pfnCardEnumFiles(c, mscp, &names, &n, 0));
	EXPECT_BYTES_EQ(BYTES("cmapfile\0kxc00\0ksc12\0", 22), BYTES(names, n));
	allocator_free(names);
	ASSERT_EQ(SCARD_S_SUCCESS, c->pfnCardEnumFiles(c, NULL, &names, &n, 0));
	EXPECT_BYTES_EQ(BYTES("cardid\0cardcf\0cardapps\0", 24), BYTES(names, n));
	allocator_free(names);
	EXPECT_EQ(SCARD_E_DIR_NOT_FOUND, c->pfnCardEnumFiles(c, other, &names, &n, 0));
	EXPECT_NULL(names);
	EXPECT_EQ(0, n);
}

TEST_F(file, sizes_and_access)
{
	CARD_DATA *c = &self->r.card;
	CARD_FILE_INFO info = { .dwVersion = 1 };
	char name[] = "cmapfile";

	reply_four(self, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardGetFileInfo(c, mscp, name, &info));
	EXPECT_EQ(258, info.cbFileSize);
	EXPECT_EQ(EveryoneReadUserWriteAc, info.AccessCondition);
	info.dwVersion = 2;
	EXPECT_EQ(ERROR_REVISION_MISMATCH, c->pfnCardGetFileInfo(c, mscp, name, &info));
}

TEST_F(file, no_memory_for_the_caller)
{
	allocator_fails_in = 0;
	EXPECT_EQ(SCARD_E_NO_MEMORY, read_named(self, NULL, "cardapps"));
	allocator_fails_in = -1;
	EXPECT_NULL(self->data);
	EXPECT_EQ(0, self->len);
}

TEST_F(file, a_wide_name_is_narrowed_or_refused)
{
	static WCHAR name[] = u"cmapfile", other_name[] = u"cmapfil\u00e9";
	CARD_DATA *c = &self->r.card;
	LPSTR narrow = (LPSTR)self;

	ASSERT_EQ(SCARD_S_SUCCESS, I_CardConvertFileNameToAnsi(c, name, &narrow));
	EXPECT_STREQ("cmapfile", narrow);
	c->pfnCspFree(narrow);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, I_CardConvertFileNameToAnsi(c, other_name, &narrow));
	EXPECT_NULL(narrow);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, I_CardConvertFileNameToAnsi(c, NULL, &narrow));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, I_CardConvertFileNameToAnsi(c, name, NULL));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, I_CardConvertFileNameToAnsi(NULL, name, &narrow));
	allocator_fails_in = 0;
	EXPECT_EQ(SCARD_E_NO_MEMORY, I_CardConvertFileNameToAnsi(c, name, &narrow));
	allocator_fails_in = -1;
}
