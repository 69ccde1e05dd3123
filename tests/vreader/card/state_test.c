/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/card/blob.c
 */
#include "vreader/card/state.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"

static struct state *new_state(void)
{
	struct state *state = NULL;

	ASSERT_EQ(0, state_new(&state));
	return state;
}

static void add_offer(struct state *state, uint8_t name, uint8_t standing)
{
	struct offer offer = { .sid = { name }, .standing = standing, .next = 1 };

	ASSERT_EQ(0, card_key_new(tray_key(TRAY_P256), &offer.key));
	state_add_offer(state, &offer);
}

static bool is_pending(struct state *state, uint8_t name)
{
	uint8_t sid[KF_SID_SIZE] = { name };

	return state_find_offer(state, sid) != NULL;
}

TEST(a_copy_outlives_the_state_it_was_made_from)
{
	_cleanup_(state_freep) struct state *copy = NULL;
	struct state *state = new_state();

	ASSERT_EQ(0, pin_set(&state->pin, BYTES("1234", 4)));
	ASSERT_EQ(0, card_key_new(tray_key(TRAY_P256), &state->containers[3].key));
	add_offer(state, 1, STATE_NO_CONTAINER);
	ASSERT_EQ(0, state_copy(state, &copy));
	state_free(state);
	EXPECT_BYTES_EQ(BYTES("1234", 4), blob_bytes(copy->pin.value));
	EXPECT_BYTES_EQ(tray_spki(TRAY_P256), card_key_spki(copy->containers[3].key));
	EXPECT_TRUE(is_pending(copy, 1));
}

TEST(a_change_of_a_copy_does_not_show_in_the_state)
{
	_cleanup_(state_freep) struct state *state = new_state(), *copy = NULL;

	ASSERT_EQ(0, pin_set(&state->pin, BYTES("1234", 4)));
	add_offer(state, 1, STATE_NO_CONTAINER);
	ASSERT_EQ(0, state_copy(state, &copy));
	ASSERT_EQ(0, pin_set(&copy->pin, BYTES("5678", 4)));
	state_forget_offer(copy, &copy->offers[0]);
	EXPECT_BYTES_EQ(BYTES("1234", 4), blob_bytes(state->pin.value));
	EXPECT_TRUE(is_pending(state, 1));
	EXPECT_FALSE(is_pending(copy, 1));
}

TEST(the_oldest_offer_makes_room)
{
	_cleanup_(state_freep) struct state *state = new_state();

	for (uint8_t i = 1; i <= APP_PENDING_MAX + 1; i++)
		add_offer(state, i, STATE_NO_CONTAINER);
	EXPECT_FALSE(is_pending(state, 1));
	for (uint8_t i = 2; i <= APP_PENDING_MAX + 1; i++)
		EXPECT_TRUE(is_pending(state, i));
}

TEST(an_emptied_container_takes_its_offers_with_it)
{
	_cleanup_(state_freep) struct state *state = new_state();

	add_offer(state, 1, 5);
	add_offer(state, 2, STATE_NO_CONTAINER);
	add_offer(state, 3, 5);
	add_offer(state, 4, 6);
	state_empty_container(state, 5);
	EXPECT_FALSE(is_pending(state, 1));
	EXPECT_TRUE(is_pending(state, 2));
	EXPECT_FALSE(is_pending(state, 3));
	EXPECT_TRUE(is_pending(state, 4));
}

TEST(only_whole_eight_injectors_fit)
{
	_cleanup_(state_freep) struct state *state = new_state();

	EXPECT_EQ(-EINVAL, state_add_injector(state, BYTES_NONE));
	EXPECT_EQ(-EINVAL, state_add_injector(state, tray_spki(TRAY_P521)));
	for (size_t i = 0; i < APP_INJECTORS_MAX; i++)
		EXPECT_EQ(0, state_add_injector(state, tray_spki(TRAY_P256)));
	EXPECT_EQ(-ENOSPC, state_add_injector(state, tray_spki(TRAY_P256)));
}
