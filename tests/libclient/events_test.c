/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/libclient/fake.h"

struct told {
	size_t n;
	uint32_t change[CLIENT_EVENTS_MAX + 8];
	char last[KF_NAME_MAX];
	int nested;
};

FIXTURE(events) { struct fake f; struct told told; };
FIXTURE_SETUP(events) { fake_begin(&self->f); }
FIXTURE_TEARDOWN(events) { fake_end(&self->f); }

static void listen_to(struct kf_client *client, uint32_t change, const struct kf_reader *reader,
		      void *data)
{
	struct told *told = data;

	told->change[told->n++] = change;
	told->nested = kf_client_dispatch(client);
	if (reader)
		packet_set_string(told->last, kf_reader_name(reader));
}

static void subscribe(struct fake *f, struct told *told)
{
	fake_answer(f, KF_EVENTS, 0);
	ASSERT_EQ(0, kf_events_subscribe(f->client, KF_EVENTS_READER | KF_EVENTS_CARD, listen_to,
					 told));
	(void)fake_asked(f);
}

static void happen(struct fake *f, uint32_t change, uint32_t atr_len)
{
	struct packet p = packet_event(KF_EVENT);
	struct kf_event *event = packet_body(&p);

	event->change = change;
	event->entry.atr_len = atr_len;
	packet_set_string(event->entry.name, "virtual:b");
	fake_send(f, &p);
}

TEST_F(events, they_are_told_by_dispatch)
{
	subscribe(&self->f, &self->told);
	EXPECT_EQ(0, kf_client_dispatch(self->f.client));
	happen(&self->f, KF_CHANGE_READER_ADDED, 0);
	happen(&self->f, KF_CHANGE_CARD_INSERTED, KF_ATR_MAX);
	EXPECT_EQ(2, kf_client_dispatch(self->f.client));
	EXPECT_EQ(KF_CHANGE_READER_ADDED, self->told.change[0]);
	EXPECT_EQ(KF_CHANGE_CARD_INSERTED, self->told.change[1]);
	EXPECT_STREQ("virtual:b", self->told.last);
	EXPECT_EQ(-EBUSY, self->told.nested);
}

TEST_F(events, those_that_come_during_a_call_wait)
{
	subscribe(&self->f, &self->told);
	happen(&self->f, KF_CHANGE_CARD_REMOVED, 0);
	fake_answer(&self->f, KF_PIN_LOGOUT, 0);
	EXPECT_EQ(0, kf_pin_logout(self->f.context));
	EXPECT_EQ(0, self->told.n);
	EXPECT_EQ(1, kf_client_dispatch(self->f.client));
	EXPECT_EQ(KF_CHANGE_CARD_REMOVED, self->told.change[0]);
}

TEST_F(events, too_many_are_told_as_lost_once)
{
	subscribe(&self->f, &self->told);
	for (int i = 0; i < CLIENT_EVENTS_MAX + 3; i++) {
		happen(&self->f, KF_CHANGE_CARD_REMOVED, 0);
		ASSERT_EQ(0, client_take_events(self->f.client));
	}
	EXPECT_EQ(1, kf_client_dispatch(self->f.client));
	EXPECT_EQ(KF_CHANGE_LOST, self->told.change[0]);
	happen(&self->f, KF_CHANGE_CARD_REMOVED, 0);
	EXPECT_EQ(1, kf_client_dispatch(self->f.client));
	EXPECT_EQ(KF_CHANGE_CARD_REMOVED, self->told.change[1]);
}

TEST_F(events, an_atr_longer_than_any_ends_the_connection)
{
	subscribe(&self->f, &self->told);
	happen(&self->f, KF_CHANGE_CARD_INSERTED, KF_ATR_MAX + 1);
	EXPECT_EQ(-ENOTCONN, kf_client_dispatch(self->f.client));
	EXPECT_EQ(0, self->told.n);
}

TEST_F(events, what_came_before_the_end_is_still_told)
{
	subscribe(&self->f, &self->told);
	happen(&self->f, KF_CHANGE_READER_REMOVED, 0);
	self->f.peer = fd_close(self->f.peer);
	EXPECT_EQ(1, kf_client_dispatch(self->f.client));
	EXPECT_EQ(-ENOTCONN, kf_client_dispatch(self->f.client));
}

TEST_F(events, nobody_listens_without_a_function)
{
	EXPECT_EQ(-EINVAL, kf_events_subscribe(self->f.client, KF_EVENTS_CARD, NULL, NULL));
	expect_explained(self->f.client, -EINVAL);
}
