// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/pin_input_test.c - Orders about PINs in no-card mode, judged by a fake card that
 * opens them: which PIN, by which, with which values, and what is refused before it is sealed.
 *
 * Faces: libcardmod/encrypt.c libcardmod/seal_property.c
 */
#include "format/hash.h"
#include "format/keys.h"
#include "tests/libcardmod/seal_fixture.h"

#define PIN "1234"
#define PUK "12345678"
#define FRESH "new-pin-4711"

static uint8_t sender[KF_DIGEST_SIZE];

static void about_pins(struct statement *s)
{
	s->container = KF_CONTAINER_PINS;
	s->n_injectors = 1;
	memcpy(s->injectors[0], sender, KF_DIGEST_SIZE);
}

static void in_file(struct offer_file *file)
{
	file->container = KF_CONTAINER_PINS;
}

FIXTURE(order)
{
	struct sealing s;
	EVP_PKEY *injector;
	uint8_t input[128];
	struct packer p;
	PCARD_ENCRYPTED_DATA data;
};

static void make_injector(struct fixture_order *self)
{
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));
	char *pem;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &self->injector));
	ASSERT_EQ(0, key_spki(self->injector, &p));
	ASSERT_EQ(0, sha256(pack_done(&p), sender));
	pem = fakecard_pem(self->injector);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_INJECTOR_PROPERTY, pem, strlen(pem)));
	free(pem);
}

/* A verified statement about PINs, mode and IV set. */
FIXTURE_SETUP(order)
{
	static const struct fakecard_bend bend = { .statement = about_pins, .file = in_file };

	seal_begin(&self->s);
	make_injector(self);
	free(self->s.offer);
	self->s.offer = fakecard_offer(&self->s.fake, self->s.nonce, &bend);
	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	seal_mode_and_iv(&self->s);
}

FIXTURE_TEARDOWN(order)
{
	EVP_PKEY_free(self->injector);
	seal_end(&self->s);
}

static DWORD encrypt(struct fixture_order *self, LPCWSTR function)
{
	CARD_DATA *c = &self->s.card;
	DWORD n = 5, status;

	status = c->pfnMDEncryptData(c, self->s.key, function, self->input, (DWORD)self->p.n,
				     CARD_BLOCK_PADDING, &self->data, &n);
	EXPECT_EQ(status == SCARD_S_SUCCESS, self->data != NULL);
	EXPECT_EQ(status == SCARD_S_SUCCESS, n == 1);
	return status;
}

/* CARD_CHANGE_AUTHENTICATOR with its two values behind it. */
static void change_input(struct fixture_order *self, DWORD flags, PIN_ID authenticating,
			 const char *proof, PIN_ID target, const char *fresh)
{
	CARD_CHANGE_AUTHENTICATOR head = {
		.dwVersion = CARD_CHANGE_AUTHENTICATOR_CURRENT_VERSION, .dwFlags = flags,
		.dwAuthenticatingPinId = authenticating,
		.cbAuthenticatingPinData = (DWORD)strlen(proof), .dwTargetPinId = target,
		.cbTargetData = (DWORD)strlen(fresh),
	};

	self->p = pack_begin(self->input, sizeof(self->input));
	pack_bytes(&self->p, BYTES(&head, sizeof(head)));
	pack_bytes(&self->p, BYTES(proof, strlen(proof)));
	pack_bytes(&self->p, BYTES(fresh, strlen(fresh)));
	ASSERT_EQ(0, pack_end(&self->p));
}

static void authenticate_input(struct fixture_order *self, DWORD flags, PIN_ID pin,
			       const char *proof)
{
	CARD_AUTHENTICATE head = {
		.dwVersion = CARD_AUTHENTICATE_CURRENT_VERSION, .dwFlags = flags, .PinId = pin,
		.cbPinData = (DWORD)strlen(proof),
	};

	self->p = pack_begin(self->input, sizeof(self->input));
	pack_bytes(&self->p, BYTES(&head, sizeof(head)));
	pack_bytes(&self->p, BYTES(proof, strlen(proof)));
	ASSERT_EQ(0, pack_end(&self->p));
}

/* What the card finds in it, and that its receipt proves it. */
static void open_order(struct fixture_order *self, struct fakecard_opened *out)
{
	char *cargo = seal_cargo(&self->s, self->data), *receipt;

	ASSERT_EQ(0, fakecard_open(&self->s.fake, cargo, 1, self->injector, out));
	EXPECT_TRUE(out->sender_is_valid);
	EXPECT_EQ((uint32_t)KF_CONTAINER_PINS, out->body.container);
	receipt = fakecard_receipt(&self->s.fake, cargo, 0, NULL);
	EXPECT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_RECEIPT_PROPERTY, receipt,
						strlen(receipt)));
	free(receipt);
	free(cargo);
	seal_free_encrypted(self->data);
}

TEST_F(order, the_puk_unblocks_the_pin)
{
	struct fakecard_opened o;

	change_input(self, PIN_CHANGE_FLAG_UNBLOCK, ROLE_ADMIN, PUK, ROLE_USER, FRESH);
	ASSERT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	open_order(self, &o);
	EXPECT_EQ(KF_FUNCTION_CHANGE_AUTHENTICATOR, o.body.function);
	EXPECT_EQ(KF_PIN_USER, o.body.pin);
	EXPECT_EQ(KF_PIN_PUK, o.order.authenticator);
	EXPECT_EQ(2, o.order.least_tries);
	EXPECT_BYTES_EQ(BYTES(PUK, strlen(PUK)), o.order.proof);
	EXPECT_BYTES_EQ(BYTES(FRESH, strlen(FRESH)), o.order.fresh);
}

TEST_F(order, a_pin_is_changed_by_itself)
{
	struct fakecard_opened o;

	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_USER, PIN, ROLE_USER, FRESH);
	ASSERT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	open_order(self, &o);
	EXPECT_EQ(KF_PIN_USER, o.body.pin);
	EXPECT_EQ(KF_PIN_USER, o.order.authenticator);
	EXPECT_BYTES_EQ(BYTES(PIN, strlen(PIN)), o.order.proof);
}

TEST_F(order, the_puk_is_changed_by_itself)
{
	struct fakecard_opened o;

	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_ADMIN, PUK, ROLE_ADMIN, "87654321");
	ASSERT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	open_order(self, &o);
	EXPECT_EQ(KF_PIN_PUK, o.body.pin);
	EXPECT_EQ(KF_PIN_PUK, o.order.authenticator);
}

TEST_F(order, the_pin_logs_in_with_the_tries_that_were_asked_for)
{
	static const DWORD tries = 1;
	struct fakecard_opened o;

	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_LEAST_TRIES_PROPERTY, &tries, 4));
	authenticate_input(self, CARD_PIN_SILENT_CONTEXT, ROLE_USER, PIN);
	ASSERT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_AUTHENTICATE));
	open_order(self, &o);
	EXPECT_EQ(KF_FUNCTION_AUTHENTICATE, o.body.function);
	EXPECT_EQ(KF_PIN_USER, o.order.authenticator);
	EXPECT_EQ(1, o.order.least_tries);
	EXPECT_EQ(0, o.order.fresh.n);
}

TEST_F(order, tries_are_1_to_127_and_2_unless_set)
{
	static const DWORD none = 0, many = 128, most = 127;
	DWORD value = 0, n;

	EXPECT_EQ(SCARD_S_SUCCESS, seal_get_key(&self->s, KF_LEAST_TRIES_PROPERTY, &value, 4, &n));
	EXPECT_EQ(2, value);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, KF_LEAST_TRIES_PROPERTY, &none, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, KF_LEAST_TRIES_PROPERTY, &many, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, KF_LEAST_TRIES_PROPERTY, &most, 3));
	EXPECT_EQ(SCARD_S_SUCCESS, seal_set_key(&self->s, KF_LEAST_TRIES_PROPERTY, &most, 4));
}

/* [minidriver 14.6]: it would come out at the client. */
TEST_F(order, a_session_pin_is_refused)
{
	authenticate_input(self, CARD_AUTHENTICATE_GENERATE_SESSION_PIN, ROLE_USER, PIN);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, encrypt(self, CSF_AUTHENTICATE));
	expect_told(&self->s.card);
	authenticate_input(self, CARD_AUTHENTICATE_SESSION_PIN, ROLE_USER, PIN);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, encrypt(self, CSF_AUTHENTICATE));
	authenticate_input(self, 0, ROLE_USER, PIN);	/* and has cost neither turn nor IV */
	ASSERT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_AUTHENTICATE));
	seal_free_encrypted(self->data);
}

TEST_F(order, what_the_card_cannot_do_is_refused)
{
	authenticate_input(self, 0, ROLE_ADMIN, PUK);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, encrypt(self, CSF_AUTHENTICATE));
	authenticate_input(self, 0, 3, PIN);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_AUTHENTICATE));
	authenticate_input(self, 1, ROLE_USER, PIN);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_AUTHENTICATE));
	authenticate_input(self, 0, ROLE_USER, "123");
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_AUTHENTICATE));
	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_EVERYONE, PIN, ROLE_USER, FRESH);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, 3, PIN, 3, FRESH);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_ADMIN, PUK, ROLE_USER, FRESH);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	change_input(self, PIN_CHANGE_FLAG_UNBLOCK, ROLE_USER, PIN, ROLE_USER, FRESH);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	change_input(self, PIN_CHANGE_FLAG_UNBLOCK, ROLE_ADMIN, PUK, ROLE_ADMIN, FRESH);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	change_input(self, 3, ROLE_USER, PIN, ROLE_USER, FRESH);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_USER, PIN, ROLE_USER, "123");
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	expect_told(&self->s.card);
}

TEST_F(order, version_and_retry_count_are_judged)
{
	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_USER, PIN, ROLE_USER, FRESH);
	self->input[0] = 6;
	EXPECT_EQ(ERROR_REVISION_MISMATCH, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	self->input[0] = 7;
	self->input[offsetof(CARD_CHANGE_AUTHENTICATOR, cRetryCount)] = 5;
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	memset(self->input + offsetof(CARD_CHANGE_AUTHENTICATOR, cRetryCount), 0xff, 4);
	EXPECT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	seal_free_encrypted(self->data);
}

/* Neither cut nor with lengths that point elsewhere. */
TEST_F(order, a_structure_that_does_not_fit_is_refused)
{
	size_t whole;

	change_input(self, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_USER, PIN, ROLE_USER, FRESH);
	for (whole = self->p.n; self->p.n > 1;) {
		self->p.n--;
		if (encrypt(self, CSF_CHANGE_AUTHENTICATOR) != SCARD_E_INVALID_PARAMETER)
			TEST_FAIL("%zu of %zu bytes were taken", self->p.n, whole);
	}
	self->p.n = whole + 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	self->p.n = whole;
	memset(self->input + offsetof(CARD_CHANGE_AUTHENTICATOR, cbAuthenticatingPinData), 0xff, 4);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_CHANGE_AUTHENTICATOR));
	authenticate_input(self, 0, ROLE_USER, PIN);
	for (whole = self->p.n; self->p.n > 1;) {
		self->p.n--;
		if (encrypt(self, CSF_AUTHENTICATE) != SCARD_E_INVALID_PARAMETER)
			TEST_FAIL("%zu of %zu bytes were taken", self->p.n, whole);
	}
	self->p.n = whole + 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, encrypt(self, CSF_AUTHENTICATE));
}

TEST_F(order, one_handle_seals_one_order)
{
	authenticate_input(self, 0, ROLE_USER, PIN);
	ASSERT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_AUTHENTICATE));
	seal_free_encrypted(self->data);
	seal_mode_and_iv(&self->s);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, encrypt(self, CSF_AUTHENTICATE));
}

/* Address sanitizer's quarantine is not our heap, and its shadow cannot be read through. */
#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

/* Heap, stack, data and the pages of secrets: whatever this process can write. */
static bool mark_is_in_memory(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	bool found = false;
	char line[512];

	ASSERT_NOT_NULL(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx rw", &from, &to) == 2 && strstr(line, " rw"))
			found |= seal_has_mark((const BYTE *)from, (const BYTE *)to);
	(void)fclose(maps);
	return found;
}

TEST_F(order, when_it_is_sealed_no_copy_of_the_pin_is_left)
{
	CARD_AUTHENTICATE head = {
		.dwVersion = CARD_AUTHENTICATE_CURRENT_VERSION, .PinId = ROLE_USER,
		.cbPinData = SEAL_MARK,
	};

#ifdef HAVE_ASAN
	SKIP("address sanitizer keeps what was freed");
#endif
	self->p = pack_begin(self->input, sizeof(self->input));
	pack_bytes(&self->p, BYTES(&head, sizeof(head)));
	for (size_t i = 0; i < SEAL_MARK; i++)
		pack_u8(&self->p, seal_mark_at(i));
	ASSERT_TRUE(mark_is_in_memory());	/* the caller's */
	ASSERT_EQ(SCARD_S_SUCCESS, encrypt(self, CSF_AUTHENTICATE));
	wipe(self->input, sizeof(self->input));
	EXPECT_FALSE(mark_is_in_memory());
	seal_free_encrypted(self->data);
}

/* What the card attested says what may be sealed for it. */
TEST_F(order, a_key_is_not_sealed_for_an_offer_about_pins)
{
	CARD_IMPORT_KEYPAIR *in = seal_input(&self->s);
	DWORD n;

	in->bContainerIndex = KF_TARGET_PINS;
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_encrypt(&self->s, &self->data, &n));
	expect_told(&self->s.card);
	EXPECT_NULL(self->data);
}

TEST_F(order, an_order_is_not_sealed_for_an_offer_about_a_key)
{
	ASSERT_EQ(SCARD_S_SUCCESS, self->s.card.pfnCardDestroyKey(&self->s.card, self->s.key));
	self->s.key = no_card_import(&self->s.card);
	seal_new_offer(&self->s);
	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	seal_mode_and_iv(&self->s);
	authenticate_input(self, 0, ROLE_USER, PIN);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, encrypt(self, CSF_AUTHENTICATE));
	expect_told(&self->s.card);
}

TEST_F(order, nothing_is_sealed_before_the_statement_is_verified)
{
	ASSERT_EQ(SCARD_S_SUCCESS, self->s.card.pfnCardDestroyKey(&self->s.card, self->s.key));
	self->s.key = no_card_import(&self->s.card);
	seal_mode_and_iv(&self->s);
	authenticate_input(self, 0, ROLE_USER, PIN);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, encrypt(self, CSF_AUTHENTICATE));
}
