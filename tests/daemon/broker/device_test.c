/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces: daemon/broker/device.c */
#include "tests/daemon/broker/rig.h"

#include "daemon/broker/context.h"
#include "daemon/broker/job.h"

FIXTURE(device) {
	struct rig rig;
	struct peer a, b;
	uint64_t a_context, b_context;
};

#define SELF struct fixture_device *self

/* The driver ends, and the next one speaks of @n slots with a card in each. */
static void restart_with(SELF, uint32_t n)
{
	struct rig *rig = &self->rig;

	rig->driver = fd_close(rig->driver);
	rig_run(rig);
	rig->n_slots = n;
	rig_plug_driver(rig);
	for (uint32_t i = 0; i < n && n <= 32; i++)
		driver_event_at(rig, (uint8_t)i, KF_CHANGE_CARD_INSERTED, KF_CARD_SESSIONS_STAY);
	rig_run(rig);
	rig->n_asked = 0;
}

static struct device *device_of(SELF)
{
	return self->rig.reader->device;
}

static uint64_t open_slot(SELF, struct peer *peer, const char *name)
{
	struct packet open = ask(KF_CONTEXT_OPEN, 0), reply;

	packet_set_string(((struct kf_context_open *)packet_body(&open))->name, name);
	EXPECT_EQ(0, peer_call(&self->rig, peer, &open, &reply));
	return ((const struct kf_context_open *)packet_read(&reply))->context;
}

FIXTURE_SETUP(device)
{
	rig_init(&self->rig);
	restart_with(self, 2);
	peer_connect(&self->rig, &self->a);
	peer_connect(&self->rig, &self->b);
	ASSERT_EQ(0, peer_hello(&self->rig, &self->a));
	ASSERT_EQ(0, peer_hello(&self->rig, &self->b));
	self->a_context = open_slot(self, &self->a, RIG_READER);
	self->b_context = open_slot(self, &self->b, RIG_READER " slot 1");
}

FIXTURE_TEARDOWN(device)
{
	peer_deinit(&self->a);
	peer_deinit(&self->b);
	rig_deinit(&self->rig);
}

static int status_of(SELF, struct peer *peer, uint64_t context)
{
	struct packet p = ask(KF_PIN_STATUS, context), reply;

	((struct kf_pin_status *)packet_body(&p))->pin = KF_PIN_USER;
	return peer_call(&self->rig, peer, &p, &reply);
}

/* The slot that the request which the driver holds is for. */
static uint64_t slot_asked(const struct rig *rig)
{
	return *(const uint64_t *)packet_read(&rig->held);
}

TEST_F(device, each_slot_is_a_reader_with_a_name_and_a_card_of_its_own)
{
	struct reader *first = device_slot(device_of(self), 0), *second = device_slot(device_of(self), 1);

	ASSERT_TRUE(first && second);
	EXPECT_STREQ(RIG_READER, first->entry.name);
	EXPECT_STREQ(RIG_READER " slot 1", second->entry.name);
	EXPECT_NE(first->entry.reader, second->entry.reader);
	EXPECT_EQ((uint32_t)KF_READER_CARD, second->entry.state);
	EXPECT_EQ((size_t)2, self->rig.broker.n_readers);
	EXPECT_EQ((size_t)1, self->rig.broker.n_devices);
}

TEST_F(device, a_client_is_told_which_slot_of_how_many)
{
	struct packet p = ask(KF_READER_INFO, 0), reply;
	const struct kf_reader_info *info = packet_read(&reply);

	packet_set_string(((struct kf_reader_info *)packet_body(&p))->entry.name,
			  RIG_READER " slot 1");
	ASSERT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(1u, info->slot);
	EXPECT_EQ(2u, info->n_slots);
}

TEST_F(device, requests_name_their_slot_and_wait_for_each_other)
{
	struct packet p = ask(KF_SIGN, self->a_context), q = ask(KF_SIGN, self->b_context);
	struct packet reply;

	self->rig.hold = true;
	(void)peer_send(&self->a, &p);
	(void)peer_send(&self->b, &q);
	rig_run(&self->rig);
	EXPECT_EQ((size_t)1, self->rig.n_asked);
	EXPECT_EQ((uint64_t)0, slot_asked(&self->rig));
	self->rig.hold = false;
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_EQ((uint64_t)1, slot_asked(&self->rig));
	EXPECT_TRUE(peer_get(&self->a, &reply) && reply.header.result == 0);
	EXPECT_TRUE(peer_get(&self->b, &reply) && reply.header.result == 0);
}

TEST_F(device, a_busy_slot_does_not_starve_the_other)
{
	struct packet p = ask(KF_SIGN, self->a_context), q = ask(KF_SIGN, self->b_context);
	uint64_t served[4];

	self->rig.hold = true;
	for (int i = 0; i < 3; i++)
		(void)peer_send(&self->a, &p);
	(void)peer_send(&self->b, &q);
	for (int i = 0; i < 4; i++) {
		rig_run(&self->rig);
		served[i] = slot_asked(&self->rig);
		driver_answer(&self->rig, &self->rig.held);
	}
	EXPECT_EQ((uint64_t)0, served[0]);
	EXPECT_EQ((uint64_t)1, served[1]);
	EXPECT_EQ((uint64_t)0, served[2]);
	EXPECT_EQ((uint64_t)0, served[3]);
}

TEST_F(device, a_pin_of_one_slot_says_nothing_of_the_other)
{
	struct packet p = ask_pin(self->a_context, KF_PIN_LAST_TRY), reply;

	ASSERT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_ASKED(&self->rig, KF_PIN_VERIFY);
	EXPECT_EQ(0, status_of(self, &self->b, self->b_context));
	EXPECT_ASKED(&self->rig, KF_PIN_STATUS);	/* no drop: it is another card */
	EXPECT_EQ(SECURITY_CLEAN, device_slot(device_of(self), 1)->security.state);
	EXPECT_EQ(SECURITY_OWNED, device_slot(device_of(self), 0)->security.state);
}

TEST_F(device, a_reset_of_one_card_leaves_the_other)
{
	struct reader *first = device_slot(device_of(self), 0), *second = device_slot(device_of(self), 1);
	uint32_t generation = first->entry.generation, other = second->entry.generation;
	struct packet p = ask(KF_CARD_RESET, self->b_context), reply;

	ASSERT_EQ(0, peer_call(&self->rig, &self->b, &p, &reply));
	EXPECT_EQ(1u, ((const struct kf_drv_power_cycle *)packet_read(&self->rig.held))->slot);
	EXPECT_EQ(generation, first->entry.generation);
	EXPECT_EQ(other + 1, second->entry.generation);
}

TEST_F(device, the_card_of_one_slot_goes_and_the_other_stays)
{
	driver_event_at(&self->rig, 1, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	EXPECT_EQ(-ESTALE, status_of(self, &self->b, self->b_context));
	EXPECT_EQ(0, status_of(self, &self->a, self->a_context));
}

TEST_F(device, the_end_of_the_driver_ends_the_contexts_of_all_slots)
{
	self->rig.driver = fd_close(self->rig.driver);
	rig_run(&self->rig);
	EXPECT_EQ(-ESTALE, status_of(self, &self->a, self->a_context));
	EXPECT_EQ(-ESTALE, status_of(self, &self->b, self->b_context));
	EXPECT_EQ((uint32_t)KF_READER_STARTING, device_slot(device_of(self), 1)->entry.state);
}

TEST_F(device, readers_keep_their_numbers_when_the_driver_starts_again)
{
	uint32_t number = device_slot(device_of(self), 1)->entry.reader;

	restart_with(self, 2);
	EXPECT_EQ(number, device_slot(device_of(self), 1)->entry.reader);
	EXPECT_EQ((uint32_t)KF_READER_CARD, device_slot(device_of(self), 1)->entry.state);
}

TEST_F(device, a_slot_that_is_no_more_takes_its_reader_along)
{
	restart_with(self, 1);
	EXPECT_NULL(device_slot(device_of(self), 1));
	EXPECT_EQ((size_t)1, self->rig.broker.n_readers);
	EXPECT_NULL(reader_by_name(&self->rig.broker, RIG_READER " slot 1"));
}

TEST_F(device, a_driver_of_more_slots_than_there_can_be_is_given_up)
{
	restart_with(self, 33);
	EXPECT_FALSE(link_up(&device_of(self)->link));
	EXPECT_EQ((size_t)2, self->rig.broker.n_readers);
}

TEST_F(device, an_event_of_a_slot_that_is_not_there_costs_the_driver_its_life)
{
	driver_event_at(&self->rig, 2, KF_CHANGE_CARD_INSERTED, 0);
	rig_run(&self->rig);
	EXPECT_FALSE(link_up(&device_of(self)->link));
}

/* Three hostile readers of 32 slots: what they may take is bounded, and each next reader has room. */
TEST_F(device, many_slots_take_no_reader_the_place_of_its_first)
{
	struct broker *broker = &self->rig.broker;
	struct packet hello = packet_begin(KF_KIND_REPLY, KF_DRV_HELLO, 1);

	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	((struct kf_drv_hello *)packet_body(&hello))->n_slots = 32;
	for (uint32_t key = 2; key <= BROKER_READERS; key++) {
		struct spawn_msg add = { .kind = SPAWN_READER_ADD, .reader = key };

		(void)snprintf(add.name, sizeof(add.name), "virtual:many%u", key);
		ASSERT_EQ(0, broker_told(broker, &add, -1));
		device_said_hello(device_by_key(broker, key), &hello);
	}
	EXPECT_EQ((size_t)BROKER_SLOTS, broker->n_readers);
	EXPECT_EQ((size_t)BROKER_READERS, broker->n_devices);
}

TEST_F(device, a_long_name_is_cut_before_the_slots_number)
{
	struct spawn_msg add = { .kind = SPAWN_READER_ADD, .reader = 2 };
	struct packet hello = packet_begin(KF_KIND_REPLY, KF_DRV_HELLO, 1);

	memset(add.name, 'x', sizeof(add.name) - 1);
	ASSERT_EQ(0, broker_told(&self->rig.broker, &add, -1));
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	((struct kf_drv_hello *)packet_body(&hello))->n_slots = 12;
	device_said_hello(device_by_key(&self->rig.broker, 2), &hello);
	EXPECT_EQ((size_t)14, self->rig.broker.n_readers);
	EXPECT_NOT_NULL(strstr(device_slot(device_by_key(&self->rig.broker, 2), 11)->entry.name,
			       "x slot 11"));
}

/* --- a driver that powers the card of one slot does not hear what the other is asked --- */

static void powers_at(SELF, uint32_t slot, uint32_t ms)
{
	struct packet event = packet_event(KF_DRV_POWERING);

	((struct kf_drv_powering *)packet_body(&event))->slot = slot;
	((struct kf_drv_powering *)packet_body(&event))->ms = ms;
	driver_send(&self->rig, &event);
	rig_run(&self->rig);
}

static void powers(SELF, uint32_t ms)
{
	powers_at(self, 1, ms);
}

static void send_status(SELF)
{
	struct packet p = ask(KF_PIN_STATUS, self->a_context);

	((struct kf_pin_status *)packet_body(&p))->pin = KF_PIN_USER;
	(void)peer_send(&self->a, &p);
	rig_run(&self->rig);
}

TEST_F(device, while_it_powers_a_card_nothing_is_asked)
{
	struct packet reply;

	powers(self, 30000);
	send_status(self);
	EXPECT_EQ((size_t)0, self->rig.n_asked);
	powers(self, 0);
	EXPECT_EQ((size_t)1, self->rig.n_asked);
	EXPECT_TRUE(peer_get(&self->a, &reply) && reply.header.result == 0);
}

TEST_F(device, who_waits_for_that_waits_no_longer_than_its_own_deadline)
{
	struct packet reply = { 0 };
	struct job *job;

	powers(self, 30000);
	send_status(self);
	job = list_first(&self->a.client->jobs, struct job, in_client);
	rig_expire(&self->rig, &job->timer);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ETIMEDOUT, reply.header.result);
	EXPECT_EQ(KF_REASON_QUEUED, reply.header.reason);
	EXPECT_EQ((size_t)0, self->rig.n_asked);
	EXPECT_TRUE(link_up(&device_of(self)->link));
}

TEST_F(device, what_was_asked_just_before_is_put_off_once)
{
	struct link *link = &device_of(self)->link;
	uint64_t at_ns;

	self->rig.hold = true;
	send_status(self);
	at_ns = link->timer.at_ns;
	powers(self, 30000);
	EXPECT_EQ(at_ns + ms_to_ns(30000), link->timer.at_ns);
	powers(self, 0);
	powers(self, 30000);
	powers(self, 0);
	EXPECT_EQ(at_ns + ms_to_ns(30000), link->timer.at_ns);
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_TRUE(link_is_free(link));
	EXPECT_EQ((size_t)0, link->timer.place);
}

TEST_F(device, a_driver_that_does_not_end_it_is_given_up)
{
	struct link *link = &device_of(self)->link;

	powers(self, 30000);
	ASSERT_NE((size_t)0, link->timer.place);
	EXPECT_LE(ms_until(link->timer.at_ns, now_ns()), 30000u + LINK_GRACE_MS);
	rig_expire(&self->rig, &link->timer);
	EXPECT_FALSE(link_up(link));
}

TEST_F(device, one_that_powers_twice_or_for_ever_or_answers_meanwhile_is_given_up)
{
	struct link *link = &device_of(self)->link;

	powers(self, 1000);
	powers(self, 1000);
	EXPECT_FALSE(link_up(link));
	restart_with(self, 2);
	powers(self, 0);
	EXPECT_FALSE(link_up(link));
	restart_with(self, 2);
	powers(self, LINK_POWERING_MS + 1);
	EXPECT_FALSE(link_up(link));
	restart_with(self, 2);
	self->a_context = open_slot(self, &self->a, RIG_READER);
	self->rig.hold = true;
	send_status(self);
	powers(self, 1000);
	EXPECT_TRUE(link_up(link));
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_FALSE(link_up(link));
}

TEST_F(device, a_driver_that_powers_without_end_is_given_up)
{
	struct link *link = &device_of(self)->link;
	int n;

	for (n = 0; n < 100 && link_up(link); n++) {
		powers(self, LINK_POWERING_MS);
		if (link_up(link))
			powers(self, 0);
	}
	EXPECT_FALSE(link_up(link));
	EXPECT_LE(16, n);
}

TEST_F(device, a_first_look_at_as_many_slots_as_there_can_be_is_no_flood)
{
	struct link *link = &device_of(self)->link;

	self->rig.driver = fd_close(self->rig.driver);
	rig_run(&self->rig);
	self->rig.n_slots = 32;
	rig_plug_driver(&self->rig);
	for (uint8_t i = 0; i < 32; i++) {
		powers_at(self, i, 30000);
		powers_at(self, i, 0);
		driver_event_at(&self->rig, i, KF_CHANGE_CARD_INSERTED, KF_CARD_SESSIONS_STAY);
		rig_run(&self->rig);
	}
	EXPECT_TRUE(link_is_free(link));
}

TEST_F(device, a_driver_that_powers_a_slot_that_is_not_there_is_given_up)
{
	powers_at(self, 2, 1000);
	EXPECT_FALSE(link_up(&device_of(self)->link));
	restart_with(self, 2);
	powers_at(self, 1, 1000);
	powers_at(self, UINT32_MAX, 0);
	EXPECT_FALSE(link_up(&device_of(self)->link));
}
