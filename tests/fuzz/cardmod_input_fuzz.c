/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/cardmod_input_fuzz.c - What a caller of the minidriver interface hands in: key blobs, by
 * themselves and inside CARD_IMPORT_KEYPAIR, orders about PINs, session key blobs, and public keys on
 * their way out and in.
 */
#include "keyferry/server.h"
#include "libcardmod/keypair_input.h"
#include "libcardmod/pin_input.h"
#include "libcardmod/private_blob.h"
#include "libcardmod/public_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static LPVOID csp_alloc(SIZE_T n) { return malloc(n); }
static LPVOID csp_realloc(LPVOID p, SIZE_T n) { return realloc(p, n); }
static void csp_free(LPVOID p) { free(p); }

static CARD_DATA *no_card(void)
{
	static WCHAR name[] = KF_CARD_NAME;
	static CARD_DATA card = {
		.dwVersion = CARD_DATA_CURRENT_VERSION, .pwszCardName = name,
		.pfnCspAlloc = csp_alloc, .pfnCspReAlloc = csp_realloc, .pfnCspFree = csp_free,
	};

	if (!card.pvVendorSpecific &&
	    CardAcquireContext(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE) != SCARD_S_SUCCESS)
		abort();
	return &card;
}

static void try_blob(struct bytes blob)
{
	_cleanup_(secret_deinit) struct secret der = SECRET_INIT;
	struct kf_keypair *pair = NULL;
	enum kf_key_type type;

	if (secret_init(&der, PRIVATE_BLOB_DER_MAX) < 0 || private_blob_parse(blob, &der, &type) < 0)
		return;
	if (kf_keypair_from_der(der.p, der.n, &pair, NULL) == 0 && kf_keypair_type(pair) != type)
		abort();
	kf_keypair_free(pair);
}

static void try_public(struct bytes spki)
{
	uint8_t buf[PUBLIC_BLOB_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	(void)public_blob_pack(spki, KF_PURPOSE_SIGN, &p);
}

/* What is taken is what comes back. */
static void try_point(struct bytes blob)
{
	uint8_t buf[PUBLIC_BLOB_MAX], back[PUBLIC_BLOB_MAX];
	struct packer point = pack_begin(buf, sizeof(buf)), p = pack_begin(back, sizeof(back));

	if (public_blob_take_point(blob, KF_KEY_EC_P256, &point) < 0)
		return;
	if (public_blob_pack_point(KF_KEY_EC_P256, pack_done(&point), &p) < 0 ||
	    !bytes_equal(pack_done(&p), blob))
		abort();
}

static void try_order(struct module *module, enum kf_function function, struct bytes input)
{
	struct kf_pin_order *order = NULL;

	if (pin_input_take(module, function, input, 2, &order) == SCARD_S_SUCCESS)
		kf_pin_order_free(order);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CARD_DATA *card = no_card();
	struct kf_keypair *pair = NULL;
	CARD_KEY_HANDLE key = 0;

	try_blob(BYTES(data, n));
	try_public(BYTES(data, n));
	try_point(BYTES(data, n));
	try_order(card->pvVendorSpecific, KF_FUNCTION_CHANGE_AUTHENTICATOR, BYTES(data, n));
	try_order(card->pvVendorSpecific, KF_FUNCTION_AUTHENTICATE, BYTES(data, n));
	if (keypair_input_take(card->pvVendorSpecific, BYTES(data, n), 1, &pair) == SCARD_S_SUCCESS)
		kf_keypair_free(pair);
	if (n < UINT32_MAX &&
	    card->pfnMDImportSessionKey(card, BCRYPT_KEY_DATA_BLOB, CARD_AES_ALGORITHM, &key,
					(PBYTE)(uintptr_t)data, (DWORD)n) == SCARD_S_SUCCESS &&
	    card->pfnCardDestroyKey(card, key) != SCARD_S_SUCCESS)
		abort();
	return 0;
}
