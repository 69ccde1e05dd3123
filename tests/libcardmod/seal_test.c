// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/seal_test.c - The no-card half, judged by a fake card: it opens what was sealed,
 * and nothing is sealed for a card that was not verified.
 *
 * Faces: libcardmod/key.c libcardmod/key_property.c libcardmod/key_spec.c
 * Faces: libcardmod/keypair_input.c libcardmod/algorithm.c
 */
#include "tests/libcardmod/seal_fixture.h"

FIXTURE(seal) { struct sealing s; };
FIXTURE_SETUP(seal) { seal_begin(&self->s); }
FIXTURE_TEARDOWN(seal) { seal_end(&self->s); }

/* --- importing --- */

static DWORD import(CARD_DATA *c, LPCWSTR type, LPCWSTR algorithm, const void *blob, size_t n)
{
	CARD_KEY_HANDLE key = 5;
	DWORD status = c->pfnMDImportSessionKey(c, type, algorithm, &key, (PBYTE)(uintptr_t)blob,
						(DWORD)n);

	EXPECT_EQ(status == SCARD_S_SUCCESS, key != 0);
	return status;
}

TEST_F(seal, only_a_whole_aes_256_key_is_imported)
{
	CARD_DATA *c = &self->s.card;
	struct key_blob blob = key_blob(1);

	EXPECT_EQ(SCARD_S_SUCCESS, import(c, u"KeyDataBlob", u"AES", &blob, sizeof(blob)));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"OpaqueKeyBlob", u"AES", &blob, 44));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, NULL, u"AES", &blob, 44));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", NULL, &blob, 44));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", u"aes", &blob, 44));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, import(c, u"KeyDataBlob", u"3DES", &blob, 44));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", u"AES", NULL, 44));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", u"AES", &blob, 43));
	blob.header.cbKeyData = 16;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", u"AES", &blob, 28));
	blob.header.cbKeyData = 0xfffffff4;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", u"AES", &blob, 44));
	blob = key_blob(1);
	blob.header.dwVersion = 2;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", u"AES", &blob, 44));
	blob = key_blob(1);
	blob.header.dwMagic++;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import(c, u"KeyDataBlob", u"AES", &blob, 44));
	expect_told(c);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnMDImportSessionKey(c, u"KeyDataBlob", u"AES", NULL, (PBYTE)&blob, 44));
}

TEST_F(seal, a_context_has_room_for_16_keys)
{
	CARD_DATA *c = &self->s.card;
	struct key_blob blob = key_blob(1);

	for (int i = 1; i < 16; i++)
		EXPECT_EQ(SCARD_S_SUCCESS, import(c, u"KeyDataBlob", u"AES", &blob, 44));
	EXPECT_EQ(SCARD_E_NO_MEMORY, import(c, u"KeyDataBlob", u"AES", &blob, 44));
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDestroyKey(c, self->s.key));
	EXPECT_EQ(SCARD_S_SUCCESS, import(c, u"KeyDataBlob", u"AES", &blob, 44));
}

TEST_F(seal, a_handle_ends_once_and_0_is_never_one)
{
	CARD_DATA *c = &self->s.card;

	EXPECT_EQ(SCARD_E_INVALID_HANDLE, c->pfnCardDestroyKey(c, 0));
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDestroyKey(c, self->s.key));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, c->pfnCardDestroyKey(c, self->s.key));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, seal_set_key(&self->s, KF_NONCE_PROPERTY, c, 32));
}

/* --- properties --- */

TEST_F(seal, properties_of_a_key)
{
	static const WCHAR gcm[] = BCRYPT_CHAIN_MODE_GCM, typo[] = u"ChainingModeCbc";
	CARD_DATA *c = &self->s.card;
	BYTE buf[64] = { 0 };
	DWORD n = 0;

	EXPECT_EQ(SCARD_S_SUCCESS, seal_get_key(&self->s, CKP_BLOCK_LENGTH, buf, 4, &n));
	EXPECT_EQ(16, buf[0]);
	EXPECT_EQ(SCARD_S_SUCCESS, seal_get_key(&self->s, CKP_CHAINING_MODE, buf, 64, &n));
	EXPECT_EQ(32, n);		/* 15 characters and the NUL */
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_get_key(&self->s, CKP_INITIALIZATION_VECTOR, buf, 64, &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, CKP_INITIALIZATION_VECTOR, buf, 15));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  seal_set_key(&self->s, CKP_CHAINING_MODE, gcm, sizeof(gcm)));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, CKP_CHAINING_MODE, typo, sizeof(typo)));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, seal_set_key(&self->s, CKP_BLOCK_LENGTH, buf, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, seal_set_key(&self->s, u"Colour", buf, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, seal_get_key(&self->s, u"Colour", buf, 4, &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, seal_set_key(&self->s, NULL, buf, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardSetKeyProperty(c, self->s.key, CKP_INITIALIZATION_VECTOR, buf, 16, 1));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetKeyProperty(c, self->s.key, CKP_BLOCK_LENGTH, buf, 4, &n, 1));
}

TEST_F(seal, properties_of_the_algorithms)
{
	CARD_DATA *c = &self->s.card;
	BCRYPT_KEY_LENGTHS_STRUCT lengths = { 0 };
	BYTE buf[64];
	DWORD n;

	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardGetAlgorithmProperty(c, u"AES", u"KeyLengths", (PBYTE)&lengths,
						 sizeof(lengths), &n, 0));
	EXPECT_EQ(256, lengths.dwMinLength);
	EXPECT_EQ(256, lengths.dwMaxLength);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardGetAlgorithmProperty(c, u"AES", CP_CHAINING_MODES, buf,
								  sizeof(buf), &n, 0));
	EXPECT_EQ(34, n);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardGetAlgorithmProperty(c, u"RSA", CP_PADDING_SCHEMES,
								  buf, 4, &n, 0));
	EXPECT_EQ(CARD_PADDING_OAEP, buf[0]);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetAlgorithmProperty(c, u"RSA", u"BlockLength", buf, 4, &n, 0));
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardGetAlgorithmProperty(c, u"ECDH_P384", u"KeyLengths", (PBYTE)&lengths,
						 sizeof(lengths), &n, 0));
	EXPECT_EQ(384, lengths.dwMaxLength);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetAlgorithmProperty(c, u"ECDH_P384", CP_PADDING_SCHEMES, buf, 4, &n, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetAlgorithmProperty(c, u"3DES", u"KeyLengths", buf, 12, &n, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetAlgorithmProperty(c, u"AES", u"KeyLengths", buf, 12, &n, 1));
	EXPECT_EQ(ERROR_INSUFFICIENT_BUFFER,
		  c->pfnCardGetAlgorithmProperty(c, u"AES", u"KeyLengths", buf, 11, &n, 0));
	EXPECT_EQ(12, n);
}

/* --- verifying --- */

TEST_F(seal, nothing_is_sealed_or_told_before_the_statement_is_verified)
{
	PCARD_ENCRYPTED_DATA data = (PCARD_ENCRYPTED_DATA)self;
	BYTE buf[512];
	DWORD n = 5;

	seal_input(&self->s);
	seal_mode_and_iv(&self->s);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_encrypt(&self->s, &data, &n));
	EXPECT_NULL(data);
	EXPECT_EQ(0, n);
	expect_told(&self->s.card);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION,
		  seal_get_key(&self->s, KF_SESSION_KEY_PROPERTY, buf, sizeof(buf), &n));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION,
		  seal_get_key(&self->s, KF_LABEL_PROPERTY, buf, sizeof(buf), &n));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION,
		  seal_get_key(&self->s, KF_TICKET_PROPERTY, buf, sizeof(buf), &n));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION,
		  seal_set_key(&self->s, KF_RECEIPT_PROPERTY, "{}", 2));
}

TEST_F(seal, a_statement_wants_card_root_and_nonce)
{
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(&self->s));
	expect_told(&self->s.card);
	seal_trust(&self->s);
	EXPECT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
}

TEST_F(seal, a_statement_over_another_nonce_is_refused_and_leaves_nothing)
{
	PCARD_ENCRYPTED_DATA data;
	DWORD n;

	seal_trust(&self->s);
	self->s.nonce[31] ^= 1;
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_NONCE_PROPERTY, self->s.nonce, 32));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(&self->s));
	seal_input(&self->s);
	seal_mode_and_iv(&self->s);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_encrypt(&self->s, &data, &n));
	self->s.nonce[31] ^= 1;
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_NONCE_PROPERTY, self->s.nonce, 32));
	EXPECT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
}

TEST_F(seal, a_card_under_another_root_is_refused)
{
	struct fakecard other;

	fakecard_init(&other, NULL);
	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_ROOT_PROPERTY, other.root_der.p,
						other.root_der.n));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(&self->s));
	fakecard_deinit(&other);
}

TEST_F(seal, a_revoked_card_is_refused)
{
	struct blob crl = fakecard_crl(&self->s.fake, true, 60);

	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_CRL_PROPERTY, crl.p, crl.n));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(&self->s));
	blob_deinit(&crl);
}

TEST_F(seal, a_virtual_card_is_refused_unless_allowed)
{
	static const DWORD no = 0, more = 2;

	seal_trust(&self->s);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, KF_VIRTUAL_PROPERTY, &more, sizeof(more)));
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_VIRTUAL_PROPERTY, &no, sizeof(no)));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(&self->s));
}

TEST_F(seal, what_a_verified_statement_rests_on_stays)
{
	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, KF_NONCE_PROPERTY, self->s.nonce, 32));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, seal_verify(&self->s));
}

TEST_F(seal, an_injector_key_has_to_be_one)
{
	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_INJECTOR_PROPERTY, "no key", 6));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(&self->s));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, KF_INJECTOR_PROPERTY, "", 0));
}

/* --- what is left of the injector's key --- */

/* Secrets lie in pages that are left out of core dumps and not inherited, and nothing else does. */
static bool mark_is_in_a_secret(void)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	unsigned long from = 0, to = 0, a, b;
	bool found = false;
	char line[512];

	ASSERT_NOT_NULL(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx rw", &a, &b) == 2)
			from = a, to = b;
		else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " wf") &&
			 strstr(line, " rd wr"))
			found |= seal_has_mark((const BYTE *)from, (const BYTE *)to);
	}
	(void)fclose(maps);
	return found;
}

static void set_marked_injector(struct fixture_seal *self)
{
	EVP_PKEY *key = NULL;
	char *pem, text[1024];
	size_t n;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = fakecard_pem(key);
	for (n = 0; n < SEAL_MARK; n++)	/* text before the block is nobody's */
		text[n] = (char)seal_mark_at(n);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\n%s", pem);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_INJECTOR_PROPERTY, text, n));
	wipe(text, sizeof(text));
	free(pem);
	EVP_PKEY_free(key);
}

TEST_F(seal, the_injectors_pem_goes_when_it_is_not_needed_any_more)
{
	PCARD_ENCRYPTED_DATA data = NULL;
	DWORD n;

	seal_trust(&self->s);
	set_marked_injector(self);
	ASSERT_TRUE(mark_is_in_a_secret());
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	EXPECT_FALSE(mark_is_in_a_secret());
	(void)seal_input(&self->s);
	seal_mode_and_iv(&self->s);
	EXPECT_EQ(SCARD_S_SUCCESS, seal_encrypt(&self->s, &data, &n));
	seal_free_encrypted(data);
}

TEST_F(seal, the_label_is_the_hash_of_the_statement)
{
	BYTE label[32];
	DWORD n;

	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	ASSERT_EQ(SCARD_S_SUCCESS, seal_get_key(&self->s, KF_LABEL_PROPERTY, label, 32, &n));
	EXPECT_MEMEQ(self->s.fake.h, label, 32);
}

/* --- sealing --- */

TEST_F(seal, the_card_opens_what_was_sealed_and_its_receipt_proves_it)
{
	PCARD_ENCRYPTED_DATA data = NULL;
	struct fakecard_opened opened;
	char *cargo, *receipt;
	BYTE ticket[4096];
	DWORD n = 0, len;

	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	seal_input(&self->s);
	seal_mode_and_iv(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_encrypt(&self->s, &data, &n));
	EXPECT_EQ(1, n);
	EXPECT_EQ(2, allocator_out);		/* the array and its element, each by itself */

	cargo = seal_cargo(&self->s, data);
	ASSERT_EQ(0, fakecard_open(&self->s.fake, cargo, 1, NULL, &opened));
	EXPECT_EQ(1, EVP_PKEY_eq(self->s.pair, opened.key));
	EXPECT_EQ(KF_PURPOSE_SIGN, opened.body.purpose);
	EXPECT_EQ(SEAL_TARGET, opened.body.container);
	EXPECT_EQ(KF_PIN_USER, opened.body.pin);
	EXPECT_EQ(1, opened.body.count);
	EXPECT_EQ(4, opened.body.iv[0]);
	EVP_PKEY_free(opened.key);

	EXPECT_EQ(SCARD_S_SUCCESS, seal_get_key(&self->s, KF_TICKET_PROPERTY, ticket,
						sizeof(ticket), &len));
	EXPECT_EQ('{', ticket[0]);
	receipt = fakecard_receipt(&self->s.fake, cargo, 0, NULL);
	EXPECT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_RECEIPT_PROPERTY, receipt,
						strlen(receipt)));
	receipt[strlen(receipt) / 2] ^= 1;
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_set_key(&self->s, KF_RECEIPT_PROPERTY, receipt,
							   strlen(receipt)));
	free(receipt);
	free(cargo);
	seal_free_encrypted(data);
}

TEST_F(seal, one_handle_seals_once_and_an_iv_serves_one_call)
{
	PCARD_ENCRYPTED_DATA data = NULL, again = (PCARD_ENCRYPTED_DATA)self;
	DWORD n = 0;

	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	seal_input(&self->s);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, seal_encrypt(&self->s, &data, &n));
	seal_mode_and_iv(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_encrypt(&self->s, &data, &n));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_encrypt(&self->s, &again, &n));
	seal_mode_and_iv(&self->s);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_encrypt(&self->s, &again, &n));
	EXPECT_NULL(again);
	seal_free_encrypted(data);
}

/* SECURITY section 9: not the handle but S1 with its statement seals once. */
TEST_F(seal, the_same_session_key_in_two_handles_seals_once)
{
	PCARD_ENCRYPTED_DATA data = NULL, again = (PCARD_ENCRYPTED_DATA)self;
	CARD_KEY_HANDLE first = self->s.key;
	DWORD n = 0;

	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	self->s.key = no_card_import(&self->s.card);
	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	(void)seal_input(&self->s);
	seal_mode_and_iv(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_encrypt(&self->s, &data, &n));
	seal_free_encrypted(data);
	ASSERT_EQ(SCARD_S_SUCCESS, self->s.card.pfnCardDestroyKey(&self->s.card, self->s.key));
	self->s.key = first;
	seal_mode_and_iv(&self->s);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_encrypt(&self->s, &again, &n));
	EXPECT_NULL(again);
	expect_told(&self->s.card);
}

static DWORD encrypt_and_free(struct fixture_seal *self)
{
	PCARD_ENCRYPTED_DATA data = NULL;
	DWORD n, status = seal_encrypt(&self->s, &data, &n);

	if (data)
		seal_free_encrypted(data);
	return status;
}

TEST_F(seal, a_structure_that_does_not_fit_is_refused_and_costs_no_iv)
{
	CARD_IMPORT_KEYPAIR *in = seal_input(&self->s);

	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	seal_mode_and_iv(&self->s);
	in->dwVersion = 6;
	EXPECT_EQ(ERROR_REVISION_MISMATCH, encrypt_and_free(self));
	in = seal_input(&self->s);
	in->bContainerIndex = SEAL_TARGET + 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt_and_free(self));
	in = seal_input(&self->s);
	in->PinId = ROLE_ADMIN;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt_and_free(self));
	in = seal_input(&self->s);
	in->dwKeySpec = AT_SIGNATURE;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt_and_free(self));
	in->dwKeySpec = 9;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt_and_free(self));
	in = seal_input(&self->s);
	in->dwKeySize = 384;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt_and_free(self));
	in = seal_input(&self->s);
	in->cbInput++;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt_and_free(self));
	in = seal_input(&self->s);
	in->pbInput[8] ^= 1;		/* the point is not the scalar's */
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt_and_free(self));
	expect_told(&self->s.card);
	(void)seal_input(&self->s);
	for (DWORD whole = self->s.input_len; self->s.input_len > 0;) {
		self->s.input_len--;
		if (encrypt_and_free(self) != SCARD_E_INVALID_PARAMETER)
			TEST_FAIL("%u of %u bytes were taken", self->s.input_len, whole);
	}
	(void)seal_input(&self->s);
	EXPECT_EQ(SCARD_S_SUCCESS, encrypt_and_free(self));
}

TEST_F(seal, secure_functions_flags_and_blocks_are_judged_first)
{
	CARD_DATA *c = &self->s.card;
	PCARD_ENCRYPTED_DATA data;
	DWORD n;

	(void)seal_input(&self->s);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnMDEncryptData(c, self->s.key, u"Format", self->s.input, 128, 1, &data, &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnMDEncryptData(c, self->s.key, CSF_IMPORT_KEYPAIR, self->s.input, 128, 2,
				      &data, &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnMDEncryptData(c, self->s.key, CSF_IMPORT_KEYPAIR, self->s.input, 127, 0,
				      &data, &n));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE,
		  c->pfnMDEncryptData(c, self->s.key + 1, CSF_IMPORT_KEYPAIR, self->s.input, 128, 0,
				      &data, &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnMDEncryptData(c, self->s.key, CSF_IMPORT_KEYPAIR, self->s.input, 128, 0,
				      NULL, &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnMDEncryptData(c, self->s.key, CSF_IMPORT_KEYPAIR, NULL, 128, 0, &data, &n));
}

TEST_F(seal, the_key_specification_is_the_usage)
{
	PCARD_ENCRYPTED_DATA data = NULL;
	CARD_IMPORT_KEYPAIR *in = seal_input(&self->s);
	struct item item;
	DWORD n;

	in->dwKeySpec = AT_ECDHE_P256;
	in->PinId = ROLE_EVERYONE;
	in->dwKeySize = 256;
	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	seal_mode_and_iv(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_encrypt(&self->s, &data, &n));
	ASSERT_EQ(0, item_parse(BYTES(data->pbEncryptedData, data->cbEncryptedData), &item));
	EXPECT_EQ(KF_PURPOSE_DERIVE, item.body.purpose);
	EXPECT_EQ(0, item.body.pin);
	seal_free_encrypted(data);
}

TEST_F(seal, a_caller_out_of_memory_gets_nothing_half)
{
	for (long n = 0; n < 2; n++) {
		PCARD_ENCRYPTED_DATA data = (PCARD_ENCRYPTED_DATA)self;
		struct sealing *s = &self->s;
		DWORD n_data = 5;

		ASSERT_EQ(SCARD_S_SUCCESS, s->card.pfnCardDestroyKey(&s->card, s->key));
		s->key = no_card_import(&s->card);
		seal_new_offer(s);
		seal_trust(s);
		ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(s));
		(void)seal_input(s);
		seal_mode_and_iv(s);
		allocator_fails_in = n;
		EXPECT_EQ(SCARD_E_NO_MEMORY, seal_encrypt(s, &data, &n_data));
		allocator_fails_in = -1;
		EXPECT_NULL(data);
		EXPECT_EQ(0, n_data);
		EXPECT_EQ(0, allocator_out);
	}
}
