/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each call that allocates, and each of its allocations failing once: the answer is -ENOMEM in four
 * parts, nothing is kept, and the connection serves the next call.
 */
#include "tests/libclient/fake.h"
#include "tests/oom.h"

static int open_context(struct fake *f)
{
	struct packet p = fake_reply_begin(f, KF_CONTEXT_OPEN, 0);
	struct kf_context *context = NULL;
	int r;

	((struct kf_context_open *)packet_body(&p))->context = FAKE_CONTEXT + 1;
	fake_send(f, &p);
	fake_answer(f, KF_CONTEXT_CLOSE, 0);
	r = kf_context_open(f->client, "virtual:a", 0, &context);
	if (r == 0)
		context = kf_context_close(context);
	return r;
}

static int list_readers(struct fake *f)
{
	struct kf_readers *readers = NULL;
	int r;

	fake_answer(f, KF_READER_LIST, 0);
	r = kf_reader_list(f->client, &readers);
	readers = kf_readers_free(readers);
	return r;
}

static int read_service(struct fake *f)
{
	struct kf_service *service = NULL;
	int r;

	fake_answer(f, KF_STATUS, 0);
	r = kf_service_read(f->client, &service);
	service = kf_service_free(service);
	return r;
}

static int list_rules(struct fake *f)
{
	struct kf_rules *rules = NULL;
	int r;

	fake_answer(f, KF_POLICY, 0);
	r = kf_rule_list(f->client, &rules);
	rules = kf_rules_free(rules);
	return r;
}

static int list_peers(struct fake *f)
{
	struct kf_peers *peers = NULL;
	int r;

	fake_answer(f, KF_CLIENTS, 0);
	r = kf_peer_list(f->client, &peers);
	peers = kf_peers_free(peers);
	return r;
}

static int sign(struct fake *f)
{
	struct kf_blob *blob = NULL;
	int r;

	fake_answer(f, KF_SIGN, 0);
	r = kf_sign(f->context, 3, KF_PADDING_PSS, KF_HASH_SHA256, (uint8_t[32]){ 0 }, 32, &blob);
	blob = kf_blob_free(blob);
	return r;
}

static void on_event(struct kf_client *client, uint32_t change, const struct kf_reader *reader,
		     void *data)
{
	(void)client;
	(void)change;
	(void)reader;
	(void)data;
}

static int subscribe(struct fake *f)
{
	fake_answer(f, KF_EVENTS, 0);
	return kf_events_subscribe(f->client, KF_EVENTS_CARD, on_event, NULL);
}

/* Return: how many allocations @call makes. */
static long each_fails_once(int (*call)(struct fake *))
{
	for (long n = 0;;) {
		struct fake f;
		bool all;
		int r;

		fake_begin(&f);
		oom_begin(n);
		r = call(&f);
		all = oom_end(&n);
		EXPECT_EQ(all ? 0 : -ENOMEM, r);
		if (!all)
			expect_explained(f.client, -ENOMEM);
		fake_end(&f);
		if (all)
			return n;
	}
}

TEST(out_of_memory_is_told_and_nothing_else)
{
	EXPECT_LT(0, each_fails_once(open_context));
	EXPECT_LT(0, each_fails_once(list_readers));
	EXPECT_LT(0, each_fails_once(read_service));
	EXPECT_LT(0, each_fails_once(list_peers));
	EXPECT_LT(0, each_fails_once(list_rules));
	EXPECT_LT(0, each_fails_once(sign));
	EXPECT_LT(0, each_fails_once(subscribe));
}

TEST(a_client_is_made_whole_or_not_at_all)
{
	struct kf_client *client = NULL;
	long n = 0;
	int r;

	do {
		oom_begin(n);
		r = kf_client_new("test", &client);
		EXPECT_EQ(r < 0, !client);
	} while (!oom_end(&n));
	EXPECT_EQ(0, r);
	EXPECT_EQ(2, n);
	client = kf_client_free(client);
}
