/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/libcardmod/no_card.h - A context in no-card mode. */
#pragma once

#include "tests/libcardmod/allocator.h"

static inline CARD_DATA no_card_data(void)
{
	static WCHAR name[] = KF_CARD_NAME;
	CARD_DATA card = allocator_card();

	card.pwszCardName = name;
	return card;
}

static inline void no_card_begin(CARD_DATA *card)
{
	*card = no_card_data();
	ASSERT_EQ(SCARD_S_SUCCESS,
		  CardAcquireContext(card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
}

static inline void no_card_end(CARD_DATA *card)
{
	EXPECT_EQ(SCARD_S_SUCCESS, card->pfnCardDeleteContext(card));
	EXPECT_NULL(card->pvVendorSpecific);
	EXPECT_EQ(0, allocator_out);
}

/* KeyDataBlob of a session key that is 32 times @fill. */
struct key_blob {
	BCRYPT_KEY_DATA_BLOB_HEADER header;
	BYTE s1[32];
};

static inline struct key_blob key_blob(BYTE fill)
{
	struct key_blob blob = {
		{ BCRYPT_KEY_DATA_BLOB_MAGIC, BCRYPT_KEY_DATA_BLOB_VERSION1, 32 }, { 0 },
	};

	memset(blob.s1, fill, sizeof(blob.s1));
	return blob;
}

static inline CARD_KEY_HANDLE no_card_import(CARD_DATA *card)
{
	struct key_blob blob = key_blob(7);
	CARD_KEY_HANDLE key = 0;

	ASSERT_EQ(SCARD_S_SUCCESS,
		  card->pfnMDImportSessionKey(card, BCRYPT_KEY_DATA_BLOB, CARD_AES_ALGORITHM, &key,
					      (PBYTE)&blob, sizeof(blob)));
	EXPECT_NE(0, key);
	return key;
}
