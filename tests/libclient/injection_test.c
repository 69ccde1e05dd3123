/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An injection against a broker that breaks down where it likes: a process of its own that keeps
 * one card's state over several connections.
 */
#include "tests/libclient/fake.h"

#include <sys/un.h>
#include <sys/wait.h>

enum fate {
	FINE,
	REFUSES,		/* the card's uniform refusal */
	LOSES_ANSWER,		/* installs, then hangs up */
	LOSES_REQUEST,		/* hangs up, nothing installed */
	GOES_AWAY,		/* installs, hangs up, and is never seen again */
	DRIVER_DIES,		/* installs, answers EIO; the context is stale, the connection stays */
};

struct card {
	enum fate fate;
	char serial[8];
	bool stored[2];
	uint32_t next;
	int listener;
	int fd;
	uint32_t processed;
	bool stale;
};

FIXTURE(injection) {
	char path[64];
	struct card *card;	/* shared with the broker's process */
	pid_t broker;
	struct kf_client *client;
	struct kf_context *context;
	struct kf_injection *injection;
};

static void answer(struct card *card, const struct packet *p)
{
	uint8_t buf[4096];
	struct packer packer = pack_begin(buf, sizeof(buf));

	if (packet_pack(p, &packer) == 0)
		(void)wire_send(card->fd, pack_done(&packer), 0);
}

/* What happens to an item: false if the connection ends here. */
static bool process(struct card *card, struct packet *reply)
{
	static const uint8_t receipts[2][4] = { "rec1", "rec2" };
	enum fate fate = card->fate;

	card->processed++;
	if (fate == REFUSES) {
		reply->header.result = -EREMOTEIO;
		reply->header.sw = 0x6988;
		return true;
	}
	card->fate = FINE;
	if (fate == LOSES_REQUEST)
		return false;
	card->stored[card->next - 1] = true;
	packet_set(reply, kf_process, receipt, BYTES(receipts[card->next - 1], 4));
	card->next++;
	if (fate == DRIVER_DIES) {
		reply->header.result = -EIO;
		reply->header.reason = KF_REASON_DRIVER_DIED;
		card->stale = true;
	}
	if (fate == GOES_AWAY)
		(void)close(card->listener);
	return fate == FINE || fate == DRIVER_DIES;
}

static bool serve_one(struct card *card, const struct packet *asked)
{
	struct packet reply = packet_reply(asked, 0);
	const struct kf_receipt_get *get = packet_read(asked);
	struct kf_card_info *info = packet_body(&reply);
	bool stay = true;

	if (card->stale && asked->header.request != KF_CONTEXT_OPEN &&
	    asked->header.request != KF_HELLO)
		reply.header.result = -ESTALE;
	switch (reply.header.result ? 0 : asked->header.request) {
	case KF_CONTEXT_OPEN:
		card->stale = false;
		((struct kf_context_open *)packet_body(&reply))->context = 1;
		break;
	case KF_CARD_INFO:
		info->serial_len = (uint32_t)strlen(card->serial);
		memcpy(info->serial, card->serial, info->serial_len);
		break;
	case KF_RECEIPT_GET:
		if (card->stored[get->item_no - 1])
			packet_set(&reply, kf_receipt_get, receipt,
				   BYTES(get->item_no == 1 ? "rec1" : "rec2", 4));
		else
			reply.header.result = -ENOENT;
		break;
	case KF_SESSION_IMPORT:
		((struct kf_session_import *)packet_body(&reply))->key = FAKE_KEY;
		break;
	case KF_PROCESS:
		stay = process(card, &reply);
		break;
	}
	if (stay)
		answer(card, &reply);
	return stay;
}

static void serve(struct card *card)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct packet asked;
	struct bytes frame;

	while ((card->fd = accept(card->listener, NULL, NULL)) >= 0) {
		while (wire_recv(card->fd, buf, sizeof(buf), 0, &frame) == 0 &&
		       packet_parse(frame, &asked) == 0 && serve_one(card, &asked))
			;
		(void)close(card->fd);
	}
	_exit(0);
}

FIXTURE_SETUP(injection)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	self->card = mmap(NULL, sizeof(*self->card), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->card);
	self->card->next = 1;
	memcpy(self->card->serial, "KF-1", 4);
	(void)snprintf(self->path, sizeof(self->path), "/tmp/kf-injection-%d.sock", (int)getpid());
	(void)unlink(self->path);
	(void)strcpy(address.sun_path, self->path);
	self->card->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(self->card->listener, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_EQ(0, listen(self->card->listener, 4));
	self->broker = fork();
	if (self->broker == 0)
		serve(self->card);
	(void)close(self->card->listener);

	ASSERT_EQ(0, kf_client_new("test", &self->client));
	kf_client_set_deadline(self->client, 500);
	ASSERT_EQ(0, kf_client_connect(self->client, self->path));
	ASSERT_EQ(0, kf_context_open(self->client, "r", 0, &self->context));

	const uint8_t sid[KF_SID_SIZE] = { 1 }, iv[KF_IV_SIZE] = { 2 };
	ASSERT_EQ(0, kf_injection_new("KF-1", sid, KF_METHOD_RSA, sid, 16, &self->injection));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, kf_injection_add(self->injection, KF_FUNCTION_IMPORT_KEYPAIR, iv,
					      KF_CHAIN_CBC, sid, 16));
}

FIXTURE_TEARDOWN(injection)
{
	self->injection = kf_injection_free(self->injection);
	self->context = kf_context_close(self->context);
	self->client = kf_client_free(self->client);
	(void)kill(self->broker, SIGKILL);
	(void)waitpid(self->broker, NULL, 0);
	(void)unlink(self->path);
}

static int run(struct kf_injection *injection, struct kf_context *context)
{
	return kf_injection_run(injection, context, "123456", 6, 0);
}

static void expect_outcomes(const struct kf_injection *injection, enum kf_injection_outcome one,
			    enum kf_injection_outcome two)
{
	size_t len;

	EXPECT_EQ(one, kf_injection_outcome(injection, 1));
	EXPECT_EQ(two, kf_injection_outcome(injection, 2));
	EXPECT_EQ(one == KF_INJECTION_INSTALLED || one == KF_INJECTION_STORED,
		  kf_injection_receipt(injection, 1, &len) != NULL);
	EXPECT_EQ(two == KF_INJECTION_INSTALLED || two == KF_INJECTION_STORED,
		  kf_injection_receipt(injection, 2, &len) != NULL);
}

TEST_F(injection, every_item_is_installed_and_has_its_receipt)
{
	size_t len;

	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_INSTALLED, KF_INJECTION_INSTALLED);
	EXPECT_MEMEQ("rec2", kf_injection_receipt(self->injection, 2, &len), 4);
	EXPECT_EQ(4, len);
	EXPECT_NULL(kf_injection_receipt(self->injection, 3, &len));
	EXPECT_EQ(0, kf_client_error(self->client)->code);
}

TEST_F(injection, what_is_there_is_not_installed_again)
{
	self->card->stored[0] = self->card->stored[1] = true;
	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_STORED, KF_INJECTION_STORED);
	EXPECT_EQ(0, self->card->processed);
}

TEST_F(injection, it_goes_on_where_it_had_stopped)
{
	self->card->stored[0] = true;
	self->card->next = 2;
	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_STORED, KF_INJECTION_INSTALLED);
	EXPECT_EQ(1, self->card->processed);
}

/* The card has forgotten it: it keeps its last receipts alone. */
TEST_F(injection, a_receipt_that_was_kept_is_not_asked_for)
{
	size_t len = 0;

	self->card->next = 2;
	EXPECT_EQ(-EINVAL, kf_injection_restore(self->injection, 0, (const uint8_t *)"kept", 4));
	EXPECT_EQ(-EINVAL, kf_injection_restore(self->injection, 3, (const uint8_t *)"kept", 4));
	ASSERT_EQ(0, kf_injection_restore(self->injection, 1, (const uint8_t *)"kept", 4));
	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_STORED, KF_INJECTION_INSTALLED);
	EXPECT_MEMEQ("kept", kf_injection_receipt(self->injection, 1, &len), 4);
	EXPECT_EQ(1, self->card->processed);
}

struct keeper {
	uint32_t refuses, last;
};

static int keep(void *arg, uint32_t number)
{
	struct keeper *keeper = arg;

	keeper->last = number;
	return number == keeper->refuses ? -ENOSPC : 0;
}

TEST_F(injection, nothing_is_sent_before_the_receipt_of_the_one_before_is_kept)
{
	struct keeper keeper = { .refuses = 1 };

	kf_injection_on_item(self->injection, keep, &keeper);
	EXPECT_EQ(-ENOSPC, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_INSTALLED, KF_INJECTION_ABSENT);
	EXPECT_EQ(1, self->card->processed);
	keeper = (struct keeper){ 0 };
	EXPECT_EQ(0, run(self->injection, self->context));
	EXPECT_EQ(2, keeper.last);
	EXPECT_EQ(2, self->card->processed);
}

TEST_F(injection, another_card_is_not_tried)
{
	memcpy(self->card->serial, "KF-2", 4);
	EXPECT_EQ(-EINVAL, run(self->injection, self->context));
	expect_explained(self->client, -EINVAL);
	EXPECT_EQ(0, self->card->processed);
}

TEST_F(injection, a_refusal_is_final)
{
	self->card->fate = REFUSES;
	EXPECT_EQ(-EREMOTEIO, run(self->injection, self->context));
	expect_explained(self->client, -EREMOTEIO);
	EXPECT_EQ(0x6988, kf_client_status_word(self->client));
	expect_outcomes(self->injection, KF_INJECTION_ABSENT, KF_INJECTION_ABSENT);
	EXPECT_EQ(1, self->card->processed);
}

TEST_F(injection, a_lost_answer_is_found_by_the_receipt)
{
	self->card->fate = LOSES_ANSWER;
	EXPECT_EQ(-ENOTCONN, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_INSTALLED, KF_INJECTION_ABSENT);
	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_INSTALLED, KF_INJECTION_INSTALLED);
	EXPECT_EQ(2, self->card->processed);
}

TEST_F(injection, when_only_the_last_answer_is_lost_all_is_well)
{
	self->card->stored[0] = true;
	self->card->next = 2;
	self->card->fate = LOSES_ANSWER;
	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_STORED, KF_INJECTION_INSTALLED);
	EXPECT_EQ(0, kf_client_error(self->client)->code);
}

TEST_F(injection, a_driver_that_died_is_asked_anew)
{
	self->card->stored[0] = true;
	self->card->next = 2;
	self->card->fate = DRIVER_DIES;
	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_STORED, KF_INJECTION_INSTALLED);
}

TEST_F(injection, a_lost_request_is_known_to_be_absent)
{
	self->card->fate = LOSES_REQUEST;
	EXPECT_EQ(-ENOTCONN, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_ABSENT, KF_INJECTION_ABSENT);
	EXPECT_EQ(0, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_INSTALLED, KF_INJECTION_INSTALLED);
}

TEST_F(injection, what_cannot_be_asked_stays_unknown)
{
	self->card->fate = GOES_AWAY;
	EXPECT_EQ(-ENOTCONN, run(self->injection, self->context));
	expect_outcomes(self->injection, KF_INJECTION_UNKNOWN, KF_INJECTION_ABSENT);
	EXPECT_NOT_NULL(strstr(kf_client_error(self->client)->next, "run the same inject again"));
}

TEST_F(injection, only_so_many_items_fit)
{
	const uint8_t byte[KF_IV_SIZE] = { 1 };
	int r = 0;

	for (int i = 2; i < KF_ITEMS_MAX; i++)
		r |= kf_injection_add(self->injection, KF_FUNCTION_IMPORT_KEYPAIR, byte,
				      KF_CHAIN_CBC, byte, 1);
	EXPECT_EQ(0, r);
	EXPECT_EQ(-ENOSPC, kf_injection_add(self->injection, KF_FUNCTION_IMPORT_KEYPAIR, byte,
					    KF_CHAIN_CBC, byte, 1));
	EXPECT_EQ(KF_ITEMS_MAX, kf_injection_count(self->injection));
}
