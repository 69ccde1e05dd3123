// SPDX-License-Identifier: LGPL-2.1-or-later
/* A key for a fleet is worth no more than the worst way that a share of the DKEK went. */
#include "libserver/schsm/dkeks.h"
#include "base/cleanup.h"
#include "libserver/json/fleet.h"
#include "libserver/state.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

FIXTURE(dkeks)
{
	char dir[40], path[64];
	struct kf_state *state;
	struct kf_fleet *fleet;
	struct kf_dkek_note note;
	struct kf_error e;
};

static void reopen(struct fixture_dkeks *self)
{
	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
}

/* A DKEK that is in no document. */
static void take_dkek(struct fixture_dkeks *self, uint8_t first)
{
	uint8_t share[KF_FLEET_SHARE_SIZE] = { first, 1, 4, 1, 5, 9, 2, 6 };

	self->fleet = kf_fleet_free(self->fleet);
	ASSERT_EQ(0, kf_fleet_new(&self->fleet, &self->e));
	ASSERT_EQ(0, kf_fleet_add_share(self->fleet, share, sizeof(share), &self->e));
	self->note = (struct kf_dkek_note){
		.size = sizeof(self->note), .check_value = kf_fleet_check_value(self->fleet),
	};
}

FIXTURE_SETUP(dkeks)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-dkeks-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	(void)snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	ASSERT_EQ(0, kf_state_init(self->path, NULL, 0, &self->e));
	reopen(self);
	take_dkek(self, 3);
}

FIXTURE_TEARDOWN(dkeks)
{
	char line[80];

	kf_state_close(self->state);
	kf_fleet_free(self->fleet);
	(void)snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
}

static enum kf_grade grade(struct fixture_dkeks *self)
{
	enum kf_grade grade = KF_GRADE_NONE;

	ASSERT_EQ(0, kf_state_fleet_grade(self->state, self->fleet, &grade, &self->e));
	return grade;
}

static void note_card(struct fixture_dkeks *self, const char *serial, enum kf_grade of_way)
{
	self->note.serial = serial;
	self->note.grade = of_way;
	ASSERT_EQ(0, kf_state_dkek_note(self->state, &self->note, &self->e));
	self->note.serial = NULL;
}

/* What the cargo says of it. */
static enum kf_grade sealed(struct fixture_dkeks *self)
{
	static const uint8_t secret[16] = { 7 };
	_cleanup_(fleet_cargo_deinit) struct fleet_cargo cargo = FLEET_CARGO_INIT;
	_cleanup_(freep) char *text = NULL;
	const struct kf_fleet_seal want = {
		.size = sizeof(want), .fleet = self->fleet, .container = 7, .secret = secret,
		.secret_len = sizeof(secret),
	};
	size_t len = 0;

	ASSERT_EQ(0, kf_state_fleet_seal(self->state, &want, &text, &len, &self->e));
	ASSERT_EQ(0, fleet_cargo_parse(BYTES(text, len), &cargo, &self->e));
	return cargo.grade;
}

TEST_F(dkeks, what_a_host_has_seen_once_is_seen_for_good)
{
	EXPECT_EQ(KF_GRADE_U, sealed(self));
	kf_fleet_set_on_host(self->fleet, 1);
	EXPECT_EQ(KF_GRADE_C, sealed(self));
	reopen(self);
	take_dkek(self, 3);			/* and nobody says it again */
	EXPECT_EQ(KF_GRADE_C, sealed(self));
	self->note.complete = 1;
	note_card(self, "SC-1", KF_GRADE_B);
	EXPECT_EQ(KF_GRADE_C, sealed(self));
	take_dkek(self, 4);			/* another one has nothing to do with it */
	EXPECT_EQ(KF_GRADE_U, sealed(self));
}

TEST_F(dkeks, ways_count_only_if_somebody_vouches_that_they_are_all)
{
	note_card(self, "SC-1", KF_GRADE_B);
	EXPECT_EQ(KF_GRADE_U, sealed(self));
	self->note.complete = 1;
	ASSERT_EQ(0, kf_state_dkek_note(self->state, &self->note, &self->e));
	EXPECT_EQ(KF_GRADE_B, sealed(self));
	reopen(self);
	EXPECT_EQ(KF_GRADE_B, sealed(self));
	take_dkek(self, 3);
	note_card(self, "SC-2", KF_GRADE_B_VIRTUAL);	/* and says no more than that */
	EXPECT_EQ(KF_GRADE_B_VIRTUAL, sealed(self));
}

TEST_F(dkeks, without_a_card_there_is_nothing_to_vouch_for)
{
	self->note.complete = 1;
	ASSERT_EQ(0, kf_state_dkek_note(self->state, &self->note, &self->e));
	EXPECT_EQ(KF_GRADE_U, grade(self));
}

TEST_F(dkeks, the_lowest_way_counts)
{
	self->note.complete = 1;
	note_card(self, "SC-1", KF_GRADE_A);
	EXPECT_EQ(KF_GRADE_A, grade(self));
	note_card(self, "SC-2", KF_GRADE_A_VIRTUAL);
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, grade(self));
	note_card(self, "SC-3", KF_GRADE_B);
	EXPECT_EQ(KF_GRADE_B, grade(self));
	note_card(self, "SC-4", KF_GRADE_B_VIRTUAL);
	EXPECT_EQ(KF_GRADE_B_VIRTUAL, grade(self));
	note_card(self, "SC-5", KF_GRADE_C);
	EXPECT_EQ(KF_GRADE_C, grade(self));
	note_card(self, "SC-6", KF_GRADE_U);
	EXPECT_EQ(KF_GRADE_U, grade(self));
}

TEST_F(dkeks, of_two_ways_to_one_card_the_lower_counts)
{
	self->note.complete = 1;
	note_card(self, "SC-1", KF_GRADE_B);
	note_card(self, "SC-1", KF_GRADE_B_VIRTUAL);
	EXPECT_EQ(KF_GRADE_B_VIRTUAL, grade(self));
	note_card(self, "SC-1", KF_GRADE_B);
	EXPECT_EQ(KF_GRADE_B_VIRTUAL, grade(self));
}

/* 00 01 .. 1f stands in a document: no way makes it better. */
TEST_F(dkeks, a_public_dkek_is_worth_nothing_whatever_is_noted)
{
	uint8_t share[KF_FLEET_SHARE_SIZE];

	for (size_t i = 0; i < sizeof(share); i++)
		share[i] = (uint8_t)i;
	self->fleet = kf_fleet_free(self->fleet);
	ASSERT_EQ(0, kf_fleet_new(&self->fleet, &self->e));
	ASSERT_EQ(0, kf_fleet_add_share(self->fleet, share, sizeof(share), &self->e));
	self->note.check_value = kf_fleet_check_value(self->fleet);
	self->note.complete = 1;
	note_card(self, "SC-1", KF_GRADE_B);
	EXPECT_EQ(KF_GRADE_C, sealed(self));
}

TEST_F(dkeks, a_note_that_is_none_is_refused)
{
	struct kf_dkek_note note = self->note;

	note.size--;
	EXPECT_EQ(-EINVAL, kf_state_dkek_note(self->state, &note, &self->e));
	note = self->note;
	note.check_value = NULL;
	EXPECT_EQ(-EINVAL, kf_state_dkek_note(self->state, &note, &self->e));
	note = self->note;
	note.serial = "not a serial";
	note.grade = KF_GRADE_B;
	EXPECT_EQ(-EINVAL, kf_state_dkek_note(self->state, &note, &self->e));
	note.serial = "SC-1";
	note.grade = KF_GRADE_NONE;
	EXPECT_EQ(-EINVAL, kf_state_dkek_note(self->state, &note, &self->e));
}

static int look(void *arg, const struct kf_dkek_facts *facts)
{
	unsigned int *n = arg;

	EXPECT_EQ(1, facts->on_host + facts->complete);
	EXPECT_EQ(facts->on_host ? KF_GRADE_C : KF_GRADE_B, facts->grade);
	EXPECT_EQ(facts->on_host ? 0 : 2, facts->n_cards);
	(*n)++;
	return 0;
}

TEST_F(dkeks, all_of_them_are_shown)
{
	unsigned int n = 0;

	EXPECT_EQ(0, kf_state_each_dkek(self->state, look, &n, &self->e));
	EXPECT_EQ(0, n);
	self->note.complete = 1;
	note_card(self, "SC-1", KF_GRADE_B);
	note_card(self, "SC-2", KF_GRADE_B);
	take_dkek(self, 4);
	self->note.on_host = 1;
	ASSERT_EQ(0, kf_state_dkek_note(self->state, &self->note, &self->e));
	EXPECT_EQ(0, kf_state_each_dkek(self->state, look, &n, &self->e));
	EXPECT_EQ(2, n);
}

/* Rather no seal than one whose grade nobody knows. */
TEST_F(dkeks, a_damaged_record_stops_the_seal)
{
	static const uint8_t secret[16] = { 7 };
	const struct kf_fleet_seal want = {
		.size = sizeof(want), .fleet = self->fleet, .container = 7, .secret = secret,
		.secret_len = sizeof(secret),
	};
	char *text = NULL, line[120];
	size_t len = 0;

	self->note.on_host = 1;
	ASSERT_EQ(0, kf_state_dkek_note(self->state, &self->note, &self->e));
	(void)snprintf(line, sizeof(line), "cd %s/dkeks && f=$(ls) && cp $f 0011223344556677.json", self->path);
	EXPECT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
	EXPECT_EQ(-EBADMSG, kf_state_each_dkek(self->state, look, &len, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "of another DKEK"));
	(void)snprintf(line, sizeof(line), "cd %s/dkeks && for f in *; do echo '{' >$f; done", self->path);
	EXPECT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
	EXPECT_EQ(-EBADMSG, kf_state_fleet_seal(self->state, &want, &text, &len, &self->e));
	EXPECT_NULL(text);
}

/* One made before there was such a folder. */
TEST_F(dkeks, a_state_without_the_folder_gets_it_with_its_first_note)
{
	char line[80];

	(void)snprintf(line, sizeof(line), "rmdir %s/dkeks", self->path);
	EXPECT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
	reopen(self);
	EXPECT_EQ(KF_GRADE_U, sealed(self));
	self->note.on_host = 1;
	ASSERT_EQ(0, kf_state_dkek_note(self->state, &self->note, &self->e));
	reopen(self);
	EXPECT_EQ(KF_GRADE_C, sealed(self));
}
