/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job by itself: what it owns, what it costs whom, when it ends. Its way to the card is
 * card_test.c's.
 */
#include "daemon/broker/job.h"
#include "daemon/broker/context.h"
#include "tests/daemon/broker/rig.h"

/* What is given up never reaches the card, and what is done has nothing before it. */
TEST(no_step_leads_from_given_up_to_the_card_or_out_of_done)
{
	for (int e = 0; e < JOB_EVENTS; e++) {
		const struct job_step *step = job_step(JOB_GIVEN_UP, (enum job_event)e);

		EXPECT_NULL(job_step(JOB_DONE, (enum job_event)e));
		EXPECT_TRUE(!step || step->to == JOB_GIVEN_UP || step->to == JOB_DONE);
	}
	EXPECT_NULL(job_step(JOB_GIVEN_UP, JOB_ASK));
}

/* From TAKEN on somebody waits for the end of the turn, which alone may free the job. */
TEST(a_turn_is_ended_by_an_answer_alone)
{
	static const enum job_state turn[] = { JOB_TAKEN, JOB_GIVEN_UP, JOB_AT_CARD };

	for (size_t s = 0; s < sizeof(turn) / sizeof(turn[0]); s++)
		for (int e = 0; e < JOB_EVENTS; e++) {
			const struct job_step *step = job_step(turn[s], (enum job_event)e);

			if (step)
				EXPECT_EQ(e == JOB_ANSWER, step->to == JOB_DONE);
		}
}

/* Until it is done, a client may cancel it or leave, and its time may be up. */
TEST(whatever_state_it_is_in_an_end_is_understood)
{
	for (int s = JOB_QUEUED; s < JOB_DONE; s++) {
		EXPECT_NE(NULL, job_step((enum job_state)s, JOB_CANCEL));
		EXPECT_NE(NULL, job_step((enum job_state)s, JOB_DEADLINE));
		EXPECT_NE(NULL, job_step((enum job_state)s, JOB_CLIENT_LEFT));
	}
}

FIXTURE(job)
{
	struct rig rig;
	struct peer a;
	struct context *context;
	uint8_t frame[512];
	size_t n;
	uint16_t reason;
};
FIXTURE_SETUP(job)
{
	rig_init(&self->rig);
	(void)peer_init(&self->rig, &self->a);
	self->context = list_first(&self->a.client->contexts, struct context, in_client);
}
FIXTURE_TEARDOWN(job)
{
	peer_deinit(&self->a);
	rig_deinit(&self->rig);
}

/* A PIN_VERIFY as it came from the client. */
static struct bytes frame_of(struct fixture_job *self, uint32_t seq, uint32_t deadline_ms)
{
	struct packet p = ask_pin(self->context->handle, 0);
	struct packer out = pack_begin(self->frame, sizeof(self->frame));

	p.header.seq = seq;
	p.header.deadline_ms = deadline_ms;
	ASSERT_EQ(0, packet_pack(&p, &out));
	return pack_done(&out);
}

static struct job *make(struct fixture_job *self, uint32_t seq, uint32_t deadline_ms)
{
	struct job *job = NULL;

	ASSERT_EQ(0, job_new(self->a.client, self->context, frame_of(self, seq, deadline_ms), &job,
			     &self->reason));
	return job;
}

static uint32_t bytes_used(const struct fixture_job *self)
{
	return self->a.client->user->used[QUOTA_BYTES];
}

TEST_F(job, it_keeps_its_own_copy_of_the_packet)
{
	struct job *job = make(self, 7, 0);

	memset(self->frame, 0xee, sizeof(self->frame));
	EXPECT_EQ(7u, job->request.header.seq);
	EXPECT_BYTES_EQ(BYTES("123456", 6), packet_get(&job->request, kf_pin_verify, value));
	EXPECT_EQ(job, job_find(self->a.client, 7));
	EXPECT_EQ(NULL, job_find(self->a.client, 8));
	job = job_free(job);
	EXPECT_EQ(NULL, job_find(self->a.client, 7));
}

TEST_F(job, it_is_paid_for_as_long_as_it_lasts)
{
	uint32_t before = bytes_used(self);
	struct job *job = make(self, 7, 0);

	EXPECT_EQ(before + sizeof(struct job) + job->frame_len, bytes_used(self));
	EXPECT_EQ(1u, self->a.client->n_jobs);
	job = job_free(job);
	EXPECT_EQ(before, bytes_used(self));
	EXPECT_EQ(0u, self->a.client->n_jobs);
	EXPECT_EQ(NULL, job_free(NULL));
}

TEST_F(job, who_cannot_pay_gets_none_and_owes_nothing)
{
	struct quota *quota = &self->rig.broker.quota;
	struct job *job = NULL;

	quota->limit[QUOTA_BYTES] = bytes_used(self) + sizeof(struct job);
	EXPECT_EQ(-EDQUOT, job_new(self->a.client, self->context, frame_of(self, 7, 0), &job,
				   &self->reason));
	EXPECT_EQ(KF_REASON_QUOTA_BYTES, self->reason);
	EXPECT_EQ(NULL, job);
	EXPECT_EQ(quota->limit[QUOTA_BYTES] - sizeof(struct job), bytes_used(self));
	EXPECT_EQ(0u, self->a.client->n_jobs);
}

static uint64_t patience(struct fixture_job *self, uint32_t deadline_ms)
{
	uint64_t from = now_ns();
	struct job *job = make(self, 9, deadline_ms);
	uint64_t until = job->timer.at_ns;

	EXPECT_NE(0u, job->timer.place);
	job = job_free(job);
	return (until - from) / 1000000;
}

TEST_F(job, no_deadline_is_the_default_and_none_is_longer_than_the_longest)
{
	uint64_t ms = patience(self, 0);

	EXPECT_TRUE(ms >= KF_DEADLINE_DEFAULT_MS && ms < KF_DEADLINE_DEFAULT_MS + 5000);
	ms = patience(self, 20000);
	EXPECT_TRUE(ms >= 20000 && ms < 25000);
	ms = patience(self, UINT32_MAX);
	EXPECT_TRUE(ms >= KF_DEADLINE_MAX_MS && ms < KF_DEADLINE_MAX_MS + 5000);
}

TEST_F(job, a_pin_never_tried_gives_its_try_back_and_one_under_way_does_not)
{
	struct user *user = self->a.client->user;
	struct job *job = make(self, 7, 0);
	uint32_t wait_s;

	ASSERT_EQ(0, quota_pin_try(user, now_ns(), 0, &wait_s));
	job->pin_charged = true;
	job_orphan(job);			/* not even queued: it goes */
	EXPECT_EQ(0u, user->pin_spent);

	job = make(self, 8, 0);
	ASSERT_EQ(0, quota_pin_try(user, now_ns(), 0, &wait_s));
	job->pin_charged = true;
	job->state = JOB_TAKEN;
	self->rig.reader->running = job;
	job_orphan(job);			/* its outcome matters to the card */
	EXPECT_EQ(1u, user->pin_spent);
	EXPECT_EQ(NULL, job->client);
	EXPECT_EQ(NULL, job->context);
	EXPECT_EQ(-ECANCELED, job->give_up);	/* the card has not been asked, and need not be */
	EXPECT_EQ(job, self->rig.reader->running);
	job_fail(job, job->give_up, 0, 0);
	EXPECT_EQ(NULL, self->rig.reader->running);
	EXPECT_EQ(1u, user->pin_spent);
}

TEST_F(job, what_ends_its_context_answers_it_in_that_ones_words)
{
	struct job *job = make(self, 7, 0);
	struct packet reply = { 0 };

	ASSERT_EQ(0, job_queue(job));
	job_context_ended(job, -ENOMEDIUM, KF_REASON_REMOVED);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(7u, reply.header.seq);
	EXPECT_EQ(-ENOMEDIUM, reply.header.result);
	EXPECT_EQ(KF_REASON_REMOVED, reply.header.reason);
	EXPECT_EQ(0u, self->a.client->n_jobs);
	EXPECT_EQ(0u, queue_count(&self->rig.reader->queue, self->a.client));
}
