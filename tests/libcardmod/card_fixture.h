/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libcardmod/card_fixture.h - A context with a card that is a broker of tests/libclient/fake.h:
 * answers are queued first, then the entry point is called, then the test looks at what was asked.
 */
#pragma once

#include "libcardmod/acquire.h"
#include "tests/libcardmod/allocator.h"
#include "tests/libclient/fake.h"

#define CARD_ATR "\x3b\x04keyf"

struct card_rig {
	struct fake f;
	CARD_DATA card;
};

static inline void card_reply_info(struct card_rig *r)
{
	struct packet p = fake_reply_begin(&r->f, KF_CARD_INFO, 0);
	struct kf_card_info *info = packet_body(&p);

	info->key_import = KF_IMPORT_PLAIN | KF_IMPORT_RSA | KF_IMPORT_ECC | KF_IMPORT_SHARED;
	info->key_types = 1u << KF_KEY_RSA_2048 | 1u << KF_KEY_RSA_3072 | 1u << KF_KEY_RSA_4096 |
			  1u << KF_KEY_EC_P256;
	info->ciphers = 1u << KF_KEY_AES_256;
	info->chain_modes = KF_CHAIN_CBC;
	info->paddings = KF_PADDING_PKCS1 | KF_PADDING_PSS | KF_PADDING_OAEP | KF_PADDING_BLOCK;
	info->cipher_paddings = KF_PADDING_BLOCK;
	info->free_bytes = UINT32_MAX;
	info->pins = 1u << KF_PIN_USER | 1u << KF_PIN_PUK;
	info->verified = 1u << KF_PIN_USER;
	info->atr_len = sizeof(CARD_ATR) - 1;
	memcpy(info->atr, CARD_ATR, info->atr_len);
	info->serial_len = 6;
	memcpy(info->serial, "SN-007", 6);
	fake_send(&r->f, &p);
}

static inline struct kf_container_entry card_entry(uint32_t number, enum kf_key_type type,
						   enum kf_purpose purpose, uint32_t flags)
{
	struct kf_container_entry entry = {
		.container = number, .key_type = type, .purpose = purpose, .flags = flags,
	};

	if (type != KF_KEY_NONE)
		for (int i = 0; i < KF_DIGEST_SIZE; i++)
			entry.holds[i] = (uint8_t)(number * 16 + (uint32_t)i);
	return entry;
}

static inline void card_reply_list(struct card_rig *r, const struct kf_container_entry *entries,
				   uint32_t n)
{
	struct packet p = fake_reply_begin(&r->f, KF_CONTAINER_LIST, 0);
	struct kf_container_list *list = packet_body(&p);

	list->n_containers = n;
	packet_set(&p, kf_container_list, containers, BYTES(entries, n * sizeof(*entries)));
	fake_send(&r->f, &p);
}

static inline void card_reply_container(struct card_rig *r, struct kf_container_entry entry,
					struct bytes spki)
{
	struct packet p = fake_reply_begin(&r->f, KF_CONTAINER_INFO, 0);

	((struct kf_container_info *)packet_body(&p))->entry = entry;
	packet_set(&p, kf_container_info, spki, spki);
	fake_send(&r->f, &p);
}

static inline void card_answer(struct card_rig *r, uint32_t request, int result, uint32_t reason,
			       uint32_t detail)
{
	struct packet p = fake_reply_begin(&r->f, request, result);

	p.header.reason = reason;
	p.header.detail = detail;
	fake_send(&r->f, &p);
}

/* The next thing asked has to be @request; its body, good until the next look. */
static inline const void *card_asked(struct card_rig *r, uint32_t request, struct packet *p)
{
	*p = fake_asked(&r->f);
	EXPECT_EQ(request, p->header.request);
	return packet_read(p);
}

static inline CARD_DATA card_data(void)
{
	static BYTE atr[] = CARD_ATR;
	static WCHAR name[] = u"any";
	CARD_DATA card = allocator_card();

	card.pbAtr = atr;
	card.cbAtr = sizeof(atr) - 1;
	card.pwszCardName = name;
	card.hSCardCtx = card.hScard = 1;
	return card;
}

/* Up to a connected client, with the replies for acquire_card() queued. */
static inline void card_connect(struct card_rig *r)
{
	struct packet p;

	*r = (struct card_rig){ .f = { .peer = -1, .seq = 1 }, .card = card_data() };
	ASSERT_EQ(0, kf_client_new("test", &r->f.client));
	kf_client_set_deadline(r->f.client, 200);
	fake_connect(&r->f);
	p = fake_reply_begin(&r->f, KF_CONTEXT_OPEN, 0);
	((struct kf_context_open *)packet_body(&p))->context = FAKE_CONTEXT;
	fake_send(&r->f, &p);
	card_reply_info(r);
}

static inline void card_begin(struct card_rig *r)
{
	card_connect(r);
	ASSERT_EQ(SCARD_S_SUCCESS, acquire_card(&r->card, take_ptr(r->f.client), "virtual:a"));
	(void)fake_asked(&r->f);
	(void)fake_asked(&r->f);
}

static inline void card_end(struct card_rig *r)
{
	if (r->card.pvVendorSpecific) {
		card_answer(r, KF_CONTEXT_CLOSE, 0, 0, 0);
		EXPECT_EQ(SCARD_S_SUCCESS, r->card.pfnCardDeleteContext(&r->card));
	}
	r->f.peer = fd_close(r->f.peer);
	EXPECT_EQ(0, allocator_out);
}
