/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/schsm/personalise.c
 *
 * Cards in real directories: which application a directory holds is found out, not told.
 */
#include "vreader/vcard.h"

#include "tests/harness.h"
#include "vreader/state/store.h"

#include <stdlib.h>

FIXTURE(drawer)
{
	char dir[32];
	char why[VCARD_WHY_MAX];
};

FIXTURE_SETUP(drawer)
{
	memcpy(self->dir, "/tmp/kf-vcard-XXXXXX", 21);
	ASSERT_NOT_NULL(mkdtemp(self->dir));
}

FIXTURE_TEARDOWN(drawer)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static int make(struct fixture_drawer *self, const char *app)
{
	struct secret pin = SECRET_INIT, puk = SECRET_INIT;
	const struct vcard_personalisation want = {
		.app = app, .state_dir = self->dir, .serial = "KF-1", .new_pin = &pin, .new_puk = &puk,
	};
	int r;

	ASSERT_EQ(0, secret_init(&pin, 32));
	ASSERT_EQ(0, secret_init(&puk, 32));
	r = vcard_personalise(&want, self->why);
	secret_deinit(&pin);
	secret_deinit(&puk);
	return r;
}

/* The last historical bytes and the status word of an instruction that only one of them has. */
static void expect_card(struct fixture_drawer *self, const char *historical, uint8_t ins,
			const char *sw)
{
	struct vcard *card;
	const uint8_t command[] = { 0x80, ins, 0x00, 0x00 };
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, vcard_open(self->dir, &card, self->why));
	EXPECT_EQ(1u, bytes_count(vcard_atr(card), historical));
	EXPECT_EQ(1u, bytes_count(vcard_atr_of_t0(card), historical));
	EXPECT_EQ(-EIO, vcard_process(card, BYTES_OF(command), &out));	/* not powered */
	vcard_power_on(card);
	vcard_reset(card);
	ASSERT_EQ(0, vcard_process(card, BYTES_OF(command), &out));
	EXPECT_BYTES_EQ(BYTES(sw, 2), pack_done(&out));
	vcard_power_off(card);
	EXPECT_EQ(-EIO, vcard_process(card, BYTES_OF(command), &out));
	EXPECT_NULL(vcard_free(card));
}

TEST_F(drawer, a_card_of_ours_is_one)
{
	ASSERT_EQ(0, make(self, NULL));
	expect_card(self, "keyferr", 0x5c, "\x69\x85");
}

TEST_F(drawer, a_card_of_ours_may_be_asked_for_by_name)
{
	ASSERT_EQ(0, make(self, "keyferry"));
	expect_card(self, "keyferr", 0x5c, "\x69\x85");
}

TEST_F(drawer, a_smartcard_hsm_is_one)
{
	ASSERT_EQ(0, make(self, "schsm"));
	expect_card(self, "THSM1", 0x5c, "\x6d\x00");
}

TEST_F(drawer, an_application_that_nobody_knows_makes_no_card)
{
	struct vcard *card;

	EXPECT_EQ(-EINVAL, make(self, "piv"));
	EXPECT_NOT_NULL(strstr(self->why, "schsm"));
	EXPECT_EQ(-ENOENT, vcard_open(self->dir, &card, self->why));
}

TEST_F(drawer, a_state_of_no_application_is_damaged)
{
	struct store *store = NULL;
	struct vcard *card;

	ASSERT_EQ(0, store_open(self->dir, STORE_EXISTING, NULL, &store));
	ASSERT_EQ(0, store_commit(store, BYTES("KFXX and more", 13)));
	store_free(store);
	EXPECT_EQ(-EBADMSG, vcard_open(self->dir, &card, self->why));
	EXPECT_NOT_NULL(strstr(self->why, "damaged"));
}

TEST_F(drawer, a_second_card_does_not_fit)
{
	ASSERT_EQ(0, make(self, "schsm"));
	EXPECT_EQ(-EEXIST, make(self, NULL));
	EXPECT_EQ(-EEXIST, make(self, "schsm"));
}
