/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/libclient/fake.h"

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

FIXTURE(call) { struct fake f; };
FIXTURE_SETUP(call) { fake_begin(&self->f); }
FIXTURE_TEARDOWN(call) { fake_end(&self->f); }

static int verify(struct fake *f)
{
	return kf_pin_verify(f->context, KF_PIN_USER, "123456", 6, 0);
}

static struct packet signature_reply(struct fake *f)
{
	struct packet p = fake_reply_begin(f, KF_SIGN, 0);

	packet_set(&p, kf_sign, signature, BYTES("signature", 9));
	return p;
}

static int sign(struct fake *f, struct kf_blob **out)
{
	static const uint8_t digest[32] = { 1 };

	return kf_sign(f->context, 3, KF_PADDING_PSS, KF_HASH_SHA256, digest, 32, out);
}

TEST_F(call, a_good_reply_is_a_result)
{
	struct packet p = signature_reply(&self->f);
	struct kf_blob *blob = NULL;

	fake_send(&self->f, &p);
	ASSERT_EQ(0, sign(&self->f, &blob));
	EXPECT_BYTES_EQ(BYTES("signature", 9), BYTES(kf_blob_data(blob), kf_blob_size(blob)));
	EXPECT_NULL(kf_blob_free(blob));
	EXPECT_EQ(0, kf_client_error(self->f.client)->code);
}

TEST_F(call, a_refusal_is_told_in_four_parts_and_the_connection_lives)
{
	struct packet p = fake_reply_begin(&self->f, KF_PIN_VERIFY, -EKEYREJECTED);

	p.header.reason = KF_REASON_PIN_WRONG;
	p.header.detail = 2;
	p.header.sw = 0x63c2;
	fake_send(&self->f, &p);
	EXPECT_EQ(-EKEYREJECTED, verify(&self->f));
	expect_explained(self->f.client, -EKEYREJECTED);
	EXPECT_NOT_NULL(strstr(kf_client_error(self->f.client)->why, "tries left: 2"));
	EXPECT_EQ(2, kf_client_detail(self->f.client));
	EXPECT_EQ(0x63c2, kf_client_status_word(self->f.client));
	fake_answer(&self->f, KF_PIN_VERIFY, 0);
	EXPECT_EQ(0, verify(&self->f));
	EXPECT_EQ(0, kf_client_detail(self->f.client));
}

/* Sends @frame as the answer to a sign call and expects that nobody believes it. */
static void expect_hang_up(struct fake *f, struct bytes frame)
{
	struct kf_blob *blob = NULL;

	ASSERT_EQ(0, wire_send(f->peer, frame, 0));
	EXPECT_EQ(-EBADMSG, sign(f, &blob));
	EXPECT_NULL(blob);
	expect_explained(f->client, -EBADMSG);
	EXPECT_EQ(-ENOTCONN, verify(f));
	expect_explained(f->client, -ENOTCONN);
}

static void again(struct fake *f)
{
	f->context = kf_context_close(f->context);
	f->peer = fd_close(f->peer);
	f->seq = f->client->seq + 1;
	fake_connect(f);
	fake_open(f);
}

TEST_F(call, every_truncation_ends_the_connection)
{
	struct packet p = signature_reply(&self->f);
	size_t n = fake_pack(&self->f, &p).n;

	for (size_t i = 1; i < n; i++) {
		expect_hang_up(&self->f, BYTES(self->f.buf, i));
		again(&self->f);
		p = signature_reply(&self->f);
		(void)fake_pack(&self->f, &p);
	}
}

TEST_F(call, one_byte_changed_is_a_result_or_an_error_but_never_a_wrong_length)
{
	struct packet p = signature_reply(&self->f);
	size_t n = fake_pack(&self->f, &p).n;

	for (size_t i = 0; i < n; i++) {
		struct kf_blob *blob = NULL;
		int r;

		self->f.buf[i] ^= 0x41;
		ASSERT_EQ(0, wire_send(self->f.peer, BYTES(self->f.buf, n), 0));
		r = sign(&self->f, &blob);
		if (r == 0)
			EXPECT_EQ(9, kf_blob_size(blob));
		else
			EXPECT_NULL(blob);
		(void)kf_blob_free(blob);
		self->f.client->connected = false;
		again(&self->f);
		p = signature_reply(&self->f);
		(void)fake_pack(&self->f, &p);
	}
}

TEST_F(call, another_sequence_number_ends_the_connection)
{
	struct packet p = signature_reply(&self->f);

	p.header.seq++;
	expect_hang_up(&self->f, fake_pack(&self->f, &p));
}

TEST_F(call, the_answer_to_something_else_ends_the_connection)
{
	struct packet p = fake_reply_begin(&self->f, KF_DECRYPT, 0);

	expect_hang_up(&self->f, fake_pack(&self->f, &p));
}

TEST_F(call, the_answer_to_a_cancel_nobody_sent_ends_the_connection)
{
	struct packet p = packet_begin(KF_KIND_REPLY, KF_CANCEL, 0x80000000u);

	expect_hang_up(&self->f, fake_pack(&self->f, &p));
}

TEST_F(call, a_request_from_the_broker_ends_the_connection)
{
	struct packet p = packet_request(KF_SIGN, self->f.seq, 0);

	expect_hang_up(&self->f, fake_pack(&self->f, &p));
}

TEST_F(call, a_longer_struct_than_asked_for_ends_the_connection)
{
	struct packet p = signature_reply(&self->f);

	p.header.request = _IOC(_IOC_DIR(KF_SIGN), KF_TYPE, _IOC_NR(KF_SIGN),
				_IOC_SIZE(KF_SIGN) + 8);
	expect_hang_up(&self->f, fake_pack(&self->f, &p));
}

TEST_F(call, a_packet_larger_than_any_ends_the_connection)
{
	static uint8_t large[KF_PACKET_MAX + 1];

	expect_hang_up(&self->f, BYTES(large, sizeof(large)));
}

TEST_F(call, a_descriptor_that_comes_along_is_not_kept)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
	struct packet p = signature_reply(&self->f);
	struct bytes frame = fake_pack(&self->f, &p);
	struct iovec iov = { .iov_base = self->f.buf, .iov_len = frame.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct kf_blob *blob = NULL;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &self->f.peer, sizeof(int));
	ASSERT_EQ(frame.n, sendmsg(self->f.peer, &msg, 0));
	EXPECT_EQ(-EBADMSG, sign(&self->f, &blob));
}

TEST_F(call, a_broker_that_goes_is_no_connection)
{
	self->f.peer = fd_close(self->f.peer);
	EXPECT_EQ(-ENOTCONN, verify(&self->f));
	expect_explained(self->f.client, -ENOTCONN);
	EXPECT_EQ(-ENOTCONN, kf_client_fd(self->f.client));
}

TEST_F(call, a_broker_that_never_answers_is_given_up)
{
	EXPECT_EQ(-ETIMEDOUT, verify(&self->f));
	expect_explained(self->f.client, -ETIMEDOUT);
	EXPECT_EQ(50, fake_asked(&self->f).header.deadline_ms);
	EXPECT_EQ(-ENOTCONN, verify(&self->f));
}

TEST_F(call, what_carried_the_pin_is_wiped)
{
	fake_answer(&self->f, KF_PIN_VERIFY, 0);
	EXPECT_EQ(0, verify(&self->f));
	EXPECT_NULL(memmem(self->f.client->tx, KF_PACKET_MAX, "123456", 6));
}

TEST_F(call, what_carried_the_plaintext_is_wiped)
{
	struct packet p = fake_reply_begin(&self->f, KF_DECRYPT, 0);
	struct kf_blob *blob = NULL;

	packet_set(&p, kf_decrypt, output, BYTES("plaintext", 9));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_decrypt(self->f.context, 1, KF_PADDING_OAEP, KF_HASH_SHA256,
				(const uint8_t *)"x", 1, &blob));
	EXPECT_BYTES_EQ(BYTES("plaintext", 9), BYTES(kf_blob_data(blob), kf_blob_size(blob)));
	EXPECT_NULL(memmem(self->f.client->rx, KF_PACKET_MAX, "plaintext", 9));
	(void)kf_blob_free(blob);
}

static void nothing(int sig)
{
	(void)sig;
}

/* A broker of its own process: waits, then answers the one request. */
static pid_t slow_broker(struct fake *f)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	struct bytes frame;
	ASSERT_EQ(0, wire_recv(f->peer, f->buf, sizeof(f->buf), 0, &frame));
	(void)usleep(30000);
	fake_answer(f, KF_PIN_VERIFY, 0);
	_exit(0);
}

TEST_F(call, signals_do_not_disturb_it)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	const struct sigaction act = { .sa_handler = nothing };
	pid_t pid;

	kf_client_set_deadline(self->f.client, 5000);
	pid = slow_broker(&self->f);
	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(0, verify(&self->f));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

static struct kf_client *cancelled;
static volatile sig_atomic_t cancel_result = 1;

static void cancel_in_handler(int sig)
{
	(void)sig;
	cancel_result = kf_cancel(cancelled);
}

/* Waits for a request and for the request to cancel it; answers both, the cancel first or last. */
static pid_t cancelling_broker(struct fake *f, bool cancel_first)
{
	pid_t pid = fork(), client = getppid();
	struct packet asked, cancel;

	if (pid != 0)
		return pid;
	struct bytes frame;
	ASSERT_EQ(0, wire_recv(f->peer, f->buf, sizeof(f->buf), 0, &frame));
	ASSERT_EQ(0, packet_parse(frame, &asked));
	(void)kill(client, SIGUSR1);
	ASSERT_EQ(0, wire_recv(f->peer, f->buf, sizeof(f->buf), 0, &frame));
	ASSERT_EQ(0, packet_parse(frame, &cancel));
	ASSERT_EQ(KF_CANCEL, cancel.header.request);
	ASSERT_EQ(asked.header.seq, ((const struct kf_cancel *)packet_read(&cancel))->seq);

	struct packet a = packet_reply(&cancel, 0), b = packet_reply(&asked, -ECANCELED);
	b.header.reason = KF_REASON_ON_CARD;
	fake_send(f, cancel_first ? &a : &b);
	fake_send(f, cancel_first ? &b : &a);
	_exit(0);
}

static void cancel_once(struct fake *f, bool cancel_first)
{
	const struct sigaction act = { .sa_handler = cancel_in_handler };
	pid_t pid;

	cancelled = f->client;
	kf_client_set_deadline(f->client, 5000);
	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	pid = cancelling_broker(f, cancel_first);
	EXPECT_EQ(-ECANCELED, verify(f));
	expect_explained(f->client, -ECANCELED);
	EXPECT_EQ(KF_REASON_ON_CARD, kf_client_reason(f->client));
	EXPECT_EQ(0, cancel_result);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	f->seq = f->client->seq + 1;
	fake_answer(f, KF_PIN_VERIFY, 0);
	EXPECT_EQ(0, verify(f));
}

TEST_F(call, a_signal_handler_may_cancel_it)
{
	cancel_once(&self->f, true);
}

TEST_F(call, the_answer_to_a_cancel_may_come_late)
{
	cancel_once(&self->f, false);
}

TEST_F(call, nothing_runs_nothing_is_cancelled)
{
	EXPECT_EQ(-ENOENT, kf_cancel(self->f.client));
	EXPECT_EQ(-EINVAL, kf_cancel(NULL));
}

static struct kf_client *cancel_before_send;

/* The library's send(), so that a signal can strike at the one moment that counts. */
ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	struct kf_client *client = cancel_before_send;

	cancel_before_send = NULL;
	if (client)
		(void)kf_cancel(client);
	return sendto(fd, buf, n, flags, NULL, 0);
}

TEST_F(call, a_cancel_just_before_the_request_is_out_is_not_lost)
{
	struct packet first, second, third;

	cancel_before_send = self->f.client;
	EXPECT_EQ(-ETIMEDOUT, verify(&self->f));
	first = fake_asked(&self->f);
	EXPECT_EQ(KF_CANCEL, first.header.request);
	second = fake_asked(&self->f);
	EXPECT_EQ(KF_PIN_VERIFY, second.header.request);
	third = fake_asked(&self->f);
	EXPECT_EQ(KF_CANCEL, third.header.request);
	EXPECT_EQ(second.header.seq, ((const struct kf_cancel *)packet_read(&third))->seq);
}
