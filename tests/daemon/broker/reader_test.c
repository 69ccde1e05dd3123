/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a driver's events do to the reader's own entry, and what of them cannot be. */
#include "daemon/broker/device.h"
#include "tests/daemon/broker/rig.h"

#include <fcntl.h>

FIXTURE(reader) { struct rig rig; struct peer a; };
FIXTURE_SETUP(reader)
{
	rig_init(&self->rig);
	peer_connect(&self->rig, &self->a);
	ASSERT_EQ(0, peer_hello(&self->rig, &self->a));
}
FIXTURE_TEARDOWN(reader)
{
	peer_deinit(&self->a);
	rig_deinit(&self->rig);
}

#define ENTRY (&self->rig.reader->entry)

static int happens(struct fixture_reader *self, enum kf_change change)
{
	struct kf_drv_event event = { .change = change, .atr_len = 2, .atr = { 0x3b, 0x01 } };

	return reader_event(self->rig.reader, &event);
}

static void subscribe(struct fixture_reader *self)
{
	struct packet events = ask(KF_EVENTS, 0), reply;

	((struct kf_events *)packet_body(&events))->mask = KF_EVENTS_CARD | KF_EVENTS_READER;
	ASSERT_EQ(0, peer_call(&self->rig, &self->a, &events, &reply));
}

/* The next thing the client is told; 0: nothing. */
static uint32_t told(struct fixture_reader *self, struct kf_reader_entry *entry)
{
	struct packet p;

	if (!peer_get(&self->a, &p) || p.header.kind != KF_KIND_EVENT)
		return 0;
	*entry = ((const struct kf_event *)packet_read(&p))->entry;
	return ((const struct kf_event *)packet_read(&p))->change;
}

TEST_F(reader, an_event_that_cannot_be_changes_nothing)
{
	struct kf_reader_entry before = *ENTRY;
	struct kf_drv_event event = { .change = KF_CHANGE_CARD_RESET };

	EXPECT_EQ(-EPROTO, happens(self, KF_CHANGE_CARD_INSERTED));	/* there is one */
	EXPECT_EQ(-EPROTO, happens(self, KF_CHANGE_READER_ADDED));
	EXPECT_EQ(-EPROTO, happens(self, KF_CHANGE_READER_REMOVED));
	EXPECT_EQ(-EPROTO, happens(self, (enum kf_change)99));
	event.atr_len = KF_ATR_MAX + 1;
	EXPECT_EQ(-EPROTO, reader_event(self->rig.reader, &event));
	event.atr_len = 2;
	event.serial_len = sizeof(event.serial) + 1;
	EXPECT_EQ(-EPROTO, reader_event(self->rig.reader, &event));
	EXPECT_MEMEQ(&before, ENTRY, sizeof(before));
	EXPECT_EQ(0, happens(self, KF_CHANGE_CARD_REMOVED));
	before = *ENTRY;
	EXPECT_EQ(-EPROTO, happens(self, KF_CHANGE_CARD_RESET));	/* there is none */
	EXPECT_MEMEQ(&before, ENTRY, sizeof(before));
}

TEST_F(reader, a_driver_that_has_not_greeted_tells_nothing)
{
	struct kf_drv_event event = { .change = KF_CHANGE_CARD_INSERTED };

	self->rig.hold = true;
	self->rig.driver = fd_close(self->rig.driver);
	rig_run(&self->rig);
	rig_plug_driver(&self->rig);
	EXPECT_EQ(-EPROTO, device_event(self->rig.reader->device, &event));
	EXPECT_EQ((uint32_t)KF_READER_STARTING, ENTRY->state);
}

TEST_F(reader, nothing_of_a_card_outlasts_it)
{
	uint32_t generation = ENTRY->generation;
	static const char none[sizeof(((struct kf_reader_entry *)0)->serial)];

	EXPECT_EQ(2u, ENTRY->atr_len);
	EXPECT_STREQ("AB", ENTRY->serial);
	EXPECT_EQ(0, happens(self, KF_CHANGE_CARD_REMOVED));
	EXPECT_EQ((uint32_t)KF_READER_EMPTY, ENTRY->state);
	EXPECT_EQ(0u, ENTRY->atr_len);
	EXPECT_MEMEQ(none, ENTRY->serial, sizeof(ENTRY->serial));
	EXPECT_STREQ("", ENTRY->card);
	EXPECT_EQ(generation, ENTRY->generation);
	EXPECT_EQ(0, happens(self, KF_CHANGE_CARD_INSERTED));
	EXPECT_EQ(generation + 1, ENTRY->generation);
	EXPECT_STREQ("", ENTRY->serial);
	EXPECT_EQ(0, happens(self, KF_CHANGE_CARD_RESET));
	EXPECT_EQ(generation + 2, ENTRY->generation);
}

TEST_F(reader, a_serial_number_is_shown_as_text_only_where_it_is_text)
{
	static const struct { const char *serial; size_t n; const char *shown; } rows[] = {
		{ "KF-1", 4, "KF-1" }, { "K 1", 3, "4B2031" }, { "\x01\xff", 2, "01FF" },
		{ "A\0B", 3, "410042" }, { "", 0, "" }, { "\x7f", 1, "7F" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_drv_event event = { .change = KF_CHANGE_CARD_INSERTED, .atr_len = 1,
					      .serial_len = (uint32_t)rows[i].n };

		memcpy(event.serial, rows[i].serial, rows[i].n);
		ASSERT_EQ(0, happens(self, KF_CHANGE_CARD_REMOVED));
		ASSERT_EQ(0, reader_event(self->rig.reader, &event));
		EXPECT_STREQ(rows[i].shown, ENTRY->serial);
	}
}

TEST_F(reader, a_card_that_turns_mute_is_gone_first)
{
	struct kf_reader_entry entry;

	subscribe(self);
	EXPECT_EQ(0, happens(self, KF_CHANGE_CARD_MUTE));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, told(self, &entry));
	EXPECT_EQ((uint32_t)KF_READER_MUTE, entry.state);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_MUTE, told(self, &entry));
	EXPECT_EQ(0u, told(self, &entry));
	EXPECT_EQ(0, happens(self, KF_CHANGE_CARD_REMOVED));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, told(self, &entry));
	EXPECT_EQ(0, happens(self, KF_CHANGE_CARD_REMOVED));	/* of an empty slot is no news */
	EXPECT_EQ(0u, told(self, &entry));
}

/* While a driver starts nobody knows; then who did not want to wait for a card is answered. */
TEST_F(reader, an_empty_slot_serves_those_who_waited_for_the_driver_alone)
{
	struct packet open = ask(KF_CONTEXT_OPEN, 0), reply;
	uint32_t patient, other;

	self->rig.driver = fd_close(self->rig.driver);
	rig_run(&self->rig);
	((struct kf_context_open *)packet_body(&open))->flags = KF_OPEN_WAIT;
	patient = peer_send(&self->a, &open);
	((struct kf_context_open *)packet_body(&open))->flags = 0;
	other = peer_send(&self->a, &open);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->a, &reply));
	rig_plug_driver(&self->rig);
	ASSERT_EQ(0, happens(self, KF_CHANGE_CARD_REMOVED));
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(other, reply.header.seq);
	EXPECT_EQ((uint32_t)KF_READER_EMPTY,
		  ((const struct kf_context_open *)packet_read(&reply))->state);
	EXPECT_FALSE(peer_get(&self->a, &reply));
	ASSERT_EQ(0, happens(self, KF_CHANGE_CARD_INSERTED));
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(patient, reply.header.seq);
}

TEST_F(reader, it_has_one_driver_and_the_second_is_turned_away)
{
	struct spawn_msg msg = { .kind = SPAWN_DRIVER, .reader = 1, .instance = 2 };
	struct device *device = self->rig.reader->device;
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	EXPECT_EQ(-EPROTO, device_driver(device, pair[1], &msg));
	EXPECT_EQ(-1, fcntl(pair[1], F_GETFD));
	EXPECT_EQ(1u, device->link.instance);
	fd_close(pair[0]);
}

TEST_F(reader, it_is_found_by_what_clients_call_it)
{
	struct broker *broker = &self->rig.broker;
	struct reader *reader = self->rig.reader;

	EXPECT_EQ(reader, reader_by_name(broker, RIG_READER));
	EXPECT_EQ(reader, reader_by_number(broker, reader->entry.reader));
	EXPECT_EQ(NULL, reader_by_name(broker, "virtual:"));
	EXPECT_EQ(NULL, reader_by_number(broker, 0));
	EXPECT_EQ(NULL, reader_by_number(broker, reader->entry.reader + 1));
}
