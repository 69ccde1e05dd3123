/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/daemon/broker/card_rig.h - A card that two clients share.
 */
#pragma once

#include "tests/daemon/broker/rig.h"

FIXTURE(card) { struct rig rig; struct peer a, b; uint64_t ca, cb; };
FIXTURE_SETUP(card)
{
	rig_init(&self->rig);
	self->ca = peer_init(&self->rig, &self->a);
	self->cb = peer_init(&self->rig, &self->b);
}
FIXTURE_TEARDOWN(card)
{
	peer_deinit(&self->a);
	peer_deinit(&self->b);
	rig_deinit(&self->rig);
}

static inline int call(struct fixture_card *self, struct peer *peer, struct packet packet,
		       struct packet *reply)
{
	return peer_call(&self->rig, peer, &packet, reply);
}

static inline int plain(struct fixture_card *self, struct peer *peer, uint32_t request,
			uint64_t context)
{
	struct packet reply;

	return call(self, peer, ask(request, context), &reply);
}

static inline void verify(struct fixture_card *self, struct peer *peer, uint64_t context)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, peer, ask_pin(context, 0), &reply));
	self->rig.n_asked = 0;
}

static inline uint32_t verified(struct fixture_card *self, struct peer *peer, uint64_t context)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, peer, ask(KF_CARD_INFO, context), &reply));
	self->rig.n_asked = 0;
	return ((const struct kf_card_info *)packet_read(&reply))->verified;
}

static inline struct packet ask_kek(uint64_t context, uint32_t request, uint32_t flags)
{
	struct packet p = ask(request, context);

	if (request == KF_KEK_CREATE) {
		((struct kf_kek_create *)packet_body(&p))->flags = flags;
		packet_set(&p, kf_kek_create, puk, BYTES("12345678", 8));
		packet_set(&p, kf_kek_create, name, BYTES("kek", 3));
	} else {
		((struct kf_kek_set *)packet_body(&p))->flags = flags;
		packet_set(&p, kf_kek_set, puk, BYTES("12345678", 8));
	}
	return p;
}

static inline struct packet ask_init(uint64_t context, uint32_t flags)
{
	struct packet p = ask(KF_CARD_INIT, context);

	((struct kf_card_init *)packet_body(&p))->flags = flags;
	packet_set(&p, kf_card_init, so_pin, BYTES("12345678", 8));
	packet_set(&p, kf_card_init, pin, BYTES("648219", 6));
	return p;
}
