/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: driver/link/service.c driver/link/seat.c driver/link/hook.c driver/link/serve_reader.c
 *
 * The whole driver but for its main(), in a child process; the test is the broker.
 */
#include "driver/link/request.h"
#include "driver/link/service.h"
#include "proto/wire.h"
#include "tests/driver/link/fake_reader.h"
#include "tests/harness.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

FIXTURE(service) {
	int broker;
	pid_t child;
	uint32_t seq;
	bool two;
	struct kf_drv_event second;	/* what was told of the other slot */
	uint8_t frame[KF_PACKET_MAX];
};
FIXTURE_VARIANT(service) { enum fake_card card; enum kf_change first; bool two; enum fake_card second; bool silent; };
FIXTURE_VARIANT_ADD(service, empty) { FAKE_EMPTY, KF_CHANGE_CARD_REMOVED, false, FAKE_EMPTY, false };
FIXTURE_VARIANT_ADD(service, mute) { FAKE_MUTE, KF_CHANGE_CARD_MUTE, false, FAKE_EMPTY, false };
FIXTURE_VARIANT_ADD(service, unknown) { FAKE_UNKNOWN, KF_CHANGE_CARD_INSERTED, false, FAKE_EMPTY, false };
FIXTURE_VARIANT_ADD(service, ours) { FAKE_OURS, KF_CHANGE_CARD_INSERTED, false, FAKE_EMPTY, false };
FIXTURE_VARIANT_ADD(service, two) { FAKE_OURS, KF_CHANGE_CARD_INSERTED, true, FAKE_UNKNOWN, false };
FIXTURE_VARIANT_ADD(service, half) { FAKE_OURS, KF_CHANGE_CARD_INSERTED, true, FAKE_EMPTY, false };
FIXTURE_VARIANT_ADD(service, silent) { FAKE_OURS, KF_CHANGE_CARD_INSERTED, true, FAKE_EMPTY, true };

static int serve(int fd, struct reader *reader)
{
	struct service service = SERVICE_INIT;
	int r;

	r = service_init(&service, fd, reader, card_drivers);
	if (r == 0)
		r = service_run(&service);
	service_deinit(&service);
	reader = reader_free(reader);
	return -r;
}

FIXTURE_SETUP(service)
{
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	self->broker = ends[1];
	self->child = fork();
	ASSERT_GE(self->child, 0);
	if (self->child == 0) {
		(void)close(ends[1]);
		_exit(serve(ends[0], variant->silent ?
			    fake_reader_silent(variant->card, variant->second) :
			    variant->two ?
			    fake_reader_of_two(variant->card, variant->second) :
			    fake_reader(variant->card)));
	}
	(void)close(ends[0]);
	self->two = variant->two;
}

static int left_with(struct fixture_service *self)
{
	int status = -1;

	EXPECT_EQ(self->child, waitpid(self->child, &status, 0));
	self->child = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

FIXTURE_TEARDOWN(service)
{
	(void)close(self->broker);
	if (self->child > 0)
		EXPECT_EQ(0, left_with(self));	/* the broker's end is the driver's, too */
}

#define SELF	struct fixture_service *self

static void receive_any(SELF, struct packet *out)
{
	struct pollfd fd = { .fd = self->broker, .events = POLLIN };
	struct bytes frame;

	ASSERT_EQ(1, poll(&fd, 1, harness_patience_ms(5000)));
	ASSERT_EQ(0, wire_recv(self->broker, self->frame, sizeof(self->frame), 0, &frame));
	ASSERT_EQ(0, packet_parse(frame, out));
}

/* But for the word that a card is being powered, which has tests of its own. */
static void receive(SELF, struct packet *out)
{
	do
		receive_any(self, out);
	while (out->header.kind == KF_KIND_EVENT && out->header.request == KF_DRV_POWERING);
}

static void send_packet(SELF, const struct packet *request)
{
	uint8_t buf[4096];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, packet_pack(request, &p));
	ASSERT_EQ(0, wire_send(self->broker, pack_done(&p), 0));
}

static int call(SELF, const struct packet *request, struct packet *reply)
{
	send_packet(self, request);
	receive(self, reply);
	EXPECT_EQ(KF_KIND_REPLY, reply->header.kind);
	EXPECT_EQ(request->header.seq, reply->header.seq);
	return reply->header.result;
}

static struct packet ask(SELF, uint32_t request)
{
	return packet_request(request, ++self->seq, 5000);
}

static int simple(SELF, uint32_t request, struct packet *reply)
{
	struct packet p = ask(self, request);

	return call(self, &p, reply);
}

static struct kf_drv_event next_event(SELF)
{
	struct packet packet;

	receive(self, &packet);
	EXPECT_EQ(KF_KIND_EVENT, packet.header.kind);
	return *(const struct kf_drv_event *)packet_read(&packet);
}

static struct kf_drv_event greet(SELF)
{
	struct packet hello = ask(self, KF_DRV_HELLO), reply;
	struct kf_drv_event first;

	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	ASSERT_EQ(0, call(self, &hello, &reply));
	EXPECT_EQ((uint32_t)KF_EXCHANGE_EXTENDED_APDU,
		  ((struct kf_drv_hello *)packet_body(&reply))->exchange);
	EXPECT_EQ(self->two ? 2u : 1u, ((struct kf_drv_hello *)packet_body(&reply))->n_slots);
	EXPECT_EQ(1u, ((struct kf_drv_hello *)packet_body(&reply))->busy_slots);
	first = next_event(self);
	EXPECT_EQ(0, first.slot);
	if (self->two)
		self->second = next_event(self);
	return first;
}

static int apdu_to(SELF, uint64_t slot, uint8_t ins, struct packet *reply)
{
	const uint8_t command[] = { 0x00, ins, 0x00, 0x00, 0x00 };
	struct packet request = ask(self, KF_APDU);

	((struct kf_apdu *)packet_body(&request))->context = slot;
	packet_set(&request, kf_apdu, command, BYTES_OF(command));
	return call(self, &request, reply);
}

static int apdu(SELF, uint8_t ins, struct packet *reply)
{
	return apdu_to(self, 0, ins, reply);
}

/* The status word as a number, for the broker; whichever it is. */
static int relay_apdu(SELF, uint8_t ins, struct packet *reply)
{
	const uint8_t command[] = { 0x00, ins, 0x00, 0x00, 0x00 };
	struct packet request = ask(self, KF_RELAY_APDU);

	packet_set(&request, kf_relay_apdu, command, BYTES_OF(command));
	return call(self, &request, reply);
}

#define ONLY(kind) do { if (variant->card != (kind) || variant->two) return; } while (0)
#define ONLY_TWO(kind) do { \
		if (!variant->two || variant->silent || variant->second != (kind)) \
			return; \
	} while (0)

TEST_F(service, greeting_tells_reader_and_card)
{
	struct kf_drv_event event = greet(self);

	EXPECT_EQ((uint32_t)variant->first, event.change);
	EXPECT_STREQ(variant->card == FAKE_OURS ? "keyferry" : "", event.card);
	EXPECT_EQ(variant->card >= FAKE_UNKNOWN ? 24u : 0u, event.atr_len);
	EXPECT_EQ(variant->card == FAKE_OURS ? 1u : 0u, event.serial_len);
}

TEST_F(service, nothing_is_served_before_the_greeting_and_that_comes_once)
{
	struct packet reply, hello = ask(self, KF_DRV_HELLO);

	EXPECT_EQ(-EPROTO, simple(self, KF_CARD_INFO, &reply));
	EXPECT_EQ(KF_REASON_NO_HELLO, reply.header.reason);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION + 1;
	EXPECT_EQ(-EPROTO, call(self, &hello, &reply));
	(void)greet(self);
	hello = ask(self, KF_DRV_HELLO);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	EXPECT_EQ(-EPROTO, call(self, &hello, &reply));
}

/* As long as its shape says, or not: the struct's bytes are all @fill. */
static int call_sized(SELF, uint32_t request, size_t size, uint8_t fill)
{
	uint8_t body[SHAPE_BODY_MAX + 64], frame[SHAPE_BODY_MAX + 128];
	struct packer p = pack_begin(frame, sizeof(frame));
	struct packet reply;

	memset(body, fill, sizeof(body));
	if (fill)
		memset(body, 0, shape_size(shape_find(request)));
	pack_le16(&p, KF_MAGIC);
	pack_u8(&p, KF_PROTO_VERSION);
	pack_u8(&p, KF_KIND_REQUEST);
	pack_le32(&p, (uint32_t)(32 + size));
	pack_le32(&p, _IOC(_IOC_DIR(request), KF_TYPE, _IOC_NR(request), (uint32_t)size));
	pack_le32(&p, ++self->seq);
	pack_zero(&p, 16);
	pack_bytes(&p, BYTES(body, size));
	ASSERT_EQ(0, wire_send(self->broker, pack_done(&p), 0));
	receive(self, &reply);
	EXPECT_EQ(self->seq, reply.header.seq);
	return reply.header.result;
}

static const uint32_t card_requests[] = {
	KF_CARD_INFO, KF_DEVICE_CERT, KF_PIN_STATUS, KF_PIN_VERIFY, KF_PIN_CHANGE, KF_PIN_UNBLOCK,
	KF_PIN_LOGOUT, KF_CONTAINER_LIST, KF_CONTAINER_INFO, KF_CONTAINER_CREATE,
	KF_CONTAINER_DELETE, KF_CERT_STORE, KF_CERT_READ, KF_SIGN, KF_DECRYPT, KF_AGREE, KF_OFFER,
	KF_SESSION_IMPORT, KF_KEY_PROP_GET, KF_KEY_PROP_SET, KF_PROCESS, KF_KEY_DESTROY,
	KF_RECEIPT_GET, KF_APDU, KF_DRV_DROP,
};

TEST_F(service, each_row_is_refused_short_and_long_and_served_long_but_zero)
{
	ONLY(FAKE_EMPTY);
	(void)greet(self);
	for (size_t i = 0; i < sizeof(card_requests) / sizeof(card_requests[0]); i++) {
		const struct shape *shape = shape_find(card_requests[i]);
		size_t size = shape_size(shape);

		EXPECT_EQ(-EINVAL, call_sized(self, card_requests[i], shape->min - 1u, 0));
		EXPECT_EQ(-E2BIG, call_sized(self, card_requests[i], size + 8, 1));
		EXPECT_EQ(-ENOMEDIUM, call_sized(self, card_requests[i], size + 8, 0));
		EXPECT_EQ(-ENOMEDIUM, call_sized(self, card_requests[i], size, 0));
	}
}

TEST_F(service, what_is_not_a_drivers_business_is_no_request)
{
	static const uint32_t foreign[] = {
		KF_HELLO, KF_STATUS, KF_CLIENTS, KF_EVENTS, KF_READER_LIST, KF_READER_INFO,
		KF_CONTEXT_OPEN, KF_CONTEXT_CLOSE, KF_CARD_RESET, KF_TXN_BEGIN, KF_TXN_END,
	};
	struct packet reply;

	(void)greet(self);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		EXPECT_EQ(-ENOTTY, simple(self, foreign[i], &reply));
}

TEST_F(service, without_a_card_that_answers_there_is_no_medium)
{
	struct packet reply;

	if (variant->card >= FAKE_UNKNOWN)
		return;
	(void)greet(self);
	EXPECT_EQ(-ENOMEDIUM, simple(self, KF_CARD_INFO, &reply));
	EXPECT_EQ(-ENOMEDIUM, apdu(self, 0x84, &reply));
	EXPECT_EQ(variant->card == FAKE_EMPTY ? -ENOMEDIUM : -EIO,
		  simple(self, KF_DRV_POWER_CYCLE, &reply));
}

TEST_F(service, a_card_nobody_knows_takes_raw_apdus_and_a_reset_for_a_drop)
{
	static const uint8_t echo[] = { 0x84, 0x90, 0x00 };
	struct packet reply;

	ONLY(FAKE_UNKNOWN);
	(void)greet(self);
	EXPECT_EQ(-EOPNOTSUPP, simple(self, KF_CARD_INFO, &reply));
	EXPECT_EQ(-EOPNOTSUPP, simple(self, KF_PIN_LOGOUT, &reply));
	ASSERT_EQ(0, apdu(self, 0x84, &reply));
	EXPECT_BYTES_EQ(BYTES_OF(echo), packet_get(&reply, kf_apdu, response));
	ASSERT_EQ(0, relay_apdu(self, 0x84, &reply));
	EXPECT_BYTES_EQ(BYTES_OF(echo), packet_get(&reply, kf_relay_apdu, response));
	EXPECT_EQ(0x9000u, ((const struct kf_relay_apdu *)packet_read(&reply))->sw);
	ASSERT_EQ(0, simple(self, KF_DRV_DROP, &reply));
	EXPECT_EQ(KF_DRV_DROPPED_KEYS, ((const struct kf_drv_drop *)packet_read(&reply))->flags);
}

TEST_F(service, our_card_drops_without_a_reset)
{
	struct packet reply;

	ONLY(FAKE_OURS);
	(void)greet(self);
	ASSERT_EQ(0, simple(self, KF_DRV_DROP, &reply));
	EXPECT_EQ(0u, ((const struct kf_drv_drop *)packet_read(&reply))->flags);
}

TEST_F(service, a_key_of_before_a_power_cycle_is_no_key)
{
	struct packet reply, request;

	ONLY(FAKE_OURS);
	(void)greet(self);
	request = ask(self, KF_KEY_DESTROY);
	((struct kf_key_destroy *)packet_body(&request))->key = 1;
	EXPECT_EQ(-EBADF, call(self, &request, &reply));
	ASSERT_EQ(0, simple(self, KF_DRV_POWER_CYCLE, &reply));
	EXPECT_EQ(24u, ((const struct kf_drv_power_cycle *)packet_read(&reply))->atr_len);
	request = ask(self, KF_PROCESS);
	((struct kf_process *)packet_body(&request))->key = 1;
	EXPECT_EQ(-EBADF, call(self, &request, &reply));
}

TEST_F(service, a_command_that_hangs_can_be_cancelled_and_the_card_is_reset)
{
	const uint8_t command[] = { 0x00, FAKE_HANG, 0x00, 0x00, 0x00 };
	struct packet request, cancel, reply;

	ONLY(FAKE_OURS);
	(void)greet(self);
	request = ask(self, KF_APDU);
	packet_set(&request, kf_apdu, command, BYTES_OF(command));
	send_packet(self, &request);
	cancel = ask(self, KF_CANCEL);
	((struct kf_cancel *)packet_body(&cancel))->seq = request.header.seq;
	send_packet(self, &cancel);
	receive(self, &reply);
	EXPECT_EQ(request.header.seq, reply.header.seq);
	EXPECT_EQ(-ECANCELED, reply.header.result);
	EXPECT_EQ(KF_REASON_ON_CARD, reply.header.reason);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, next_event(self).change);
	EXPECT_EQ(0, apdu(self, 0x84, &reply));
}

TEST_F(service, a_deadline_ends_the_wait_for_the_card)
{
	const uint8_t command[] = { 0x00, FAKE_HANG, 0x00, 0x00, 0x00 };
	struct packet request, reply;

	ONLY(FAKE_OURS);
	(void)greet(self);
	request = packet_request(KF_APDU, ++self->seq, 100);
	packet_set(&request, kf_apdu, command, BYTES_OF(command));
	EXPECT_EQ(-ETIMEDOUT, call(self, &request, &reply));
	EXPECT_EQ(KF_REASON_ON_CARD, reply.header.reason);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, next_event(self).change);
}

TEST_F(service, garbage_from_the_reader_is_told_and_the_card_is_reset)
{
	struct packet reply;

	ONLY(FAKE_OURS);
	(void)greet(self);
	EXPECT_EQ(-EBADMSG, apdu(self, FAKE_GARBAGE, &reply));
	EXPECT_EQ(KF_REASON_ON_CARD, reply.header.reason);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, next_event(self).change);
	EXPECT_EQ(0, simple(self, KF_PIN_LOGOUT, &reply));
}

TEST_F(service, a_card_pulled_under_a_command_ends_the_driver)
{
	struct packet reply;

	ONLY(FAKE_OURS);
	(void)greet(self);
	EXPECT_EQ(-ENOMEDIUM, apdu(self, FAKE_PULL, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, next_event(self).change);
	EXPECT_EQ(0, left_with(self));
}

TEST_F(service, a_reader_unplugged_under_a_command_ends_the_driver)
{
	struct packet reply;

	ONLY(FAKE_OURS);
	(void)greet(self);
	EXPECT_EQ(-ENODEV, apdu(self, FAKE_UNPLUG, &reply));
	EXPECT_EQ(0, left_with(self));
}

TEST_F(service, a_broker_that_breaks_the_protocol_is_left)
{
	(void)greet(self);
	ASSERT_EQ(0, wire_send(self->broker, BYTES("noise", 5), 0));
	EXPECT_EQ(EPROTO, left_with(self));
}

/* --- two slots --- */

TEST_F(service, each_slot_is_told_of_by_its_number)
{
	ONLY_TWO(FAKE_UNKNOWN);
	EXPECT_STREQ("keyferry", greet(self).card);
	EXPECT_EQ(1, self->second.slot);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, self->second.change);
	EXPECT_STREQ("", self->second.card);
}

TEST_F(service, a_request_goes_to_the_slot_it_names)
{
	struct packet reply;

	ONLY_TWO(FAKE_UNKNOWN);
	(void)greet(self);
	EXPECT_EQ(0, simple(self, KF_PIN_LOGOUT, &reply));
	EXPECT_EQ(0, apdu_to(self, 1, 0x84, &reply));
	struct packet logout = ask(self, KF_PIN_LOGOUT);
	((struct kf_pin_logout *)packet_body(&logout))->context = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(self, &logout, &reply));
	struct packet drop = ask(self, KF_DRV_DROP);
	((struct kf_drv_drop *)packet_body(&drop))->slot = 1;
	EXPECT_EQ(0, call(self, &drop, &reply));
	EXPECT_EQ(KF_DRV_DROPPED_KEYS, ((const struct kf_drv_drop *)packet_read(&reply))->flags);
}

TEST_F(service, a_slot_that_is_not_there_is_no_slot)
{
	struct packet reply, cycle = { 0 };

	(void)greet(self);
	EXPECT_EQ(-EINVAL, apdu_to(self, variant->two ? 2 : 1, 0x84, &reply));
	EXPECT_EQ(-EINVAL, apdu_to(self, UINT64_MAX, 0x84, &reply));
	cycle = ask(self, KF_DRV_POWER_CYCLE);
	((struct kf_drv_power_cycle *)packet_body(&cycle))->slot = 2;
	EXPECT_EQ(-EINVAL, call(self, &cycle, &reply));
}

TEST_F(service, a_card_that_hangs_is_reset_and_the_other_is_not)
{
	const uint8_t command[] = { 0x00, FAKE_HANG, 0x00, 0x00, 0x00 };
	struct packet request, reply;
	struct kf_drv_event event;

	ONLY_TWO(FAKE_UNKNOWN);
	(void)greet(self);
	request = packet_request(KF_APDU, ++self->seq, 100);
	((struct kf_apdu *)packet_body(&request))->context = 1;
	packet_set(&request, kf_apdu, command, BYTES_OF(command));
	EXPECT_EQ(-ETIMEDOUT, call(self, &request, &reply));
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, event.change);
	EXPECT_EQ(1, event.slot);
	EXPECT_EQ(0, simple(self, KF_PIN_LOGOUT, &reply));	/* and no event before it */
}

TEST_F(service, the_driver_stays_while_another_slot_has_a_card)
{
	struct packet reply;
	struct kf_drv_event event;

	ONLY_TWO(FAKE_UNKNOWN);
	(void)greet(self);
	EXPECT_EQ(-ENOMEDIUM, apdu_to(self, 1, FAKE_PULL, &reply));
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, event.change);
	EXPECT_EQ(1, event.slot);
	EXPECT_EQ(0, simple(self, KF_PIN_LOGOUT, &reply));
	EXPECT_EQ(-ENOMEDIUM, apdu(self, FAKE_PULL, &reply));
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, event.change);
	EXPECT_EQ(0, event.slot);
	EXPECT_EQ(0, left_with(self));
}

/* What the card that went did to this process must not meet the one that comes. */
TEST_F(service, a_driver_that_saw_a_card_leave_powers_no_other)
{
	struct packet reply;
	char byte;

	ONLY_TWO(FAKE_UNKNOWN);
	(void)greet(self);
	EXPECT_EQ(-ENOMEDIUM, apdu_to(self, 1, FAKE_PULL, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, next_event(self).change);
	EXPECT_EQ(0, apdu(self, FAKE_INSERT, &reply));
	EXPECT_EQ(0, left_with(self));
	EXPECT_EQ((ssize_t)0, recv(self->broker, &byte, 1, 0));	/* it said nothing of the new card */
}

TEST_F(service, a_card_that_comes_beside_another_is_served)
{
	struct packet reply;
	struct kf_drv_event event;

	ONLY_TWO(FAKE_EMPTY);
	(void)greet(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, self->second.change);
	EXPECT_EQ(0, apdu(self, FAKE_INSERT, &reply));
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, event.change);
	EXPECT_EQ(1, event.slot);
	EXPECT_STREQ("keyferry", event.card);
	EXPECT_EQ(0, apdu_to(self, 1, 0x84, &reply));
}

/* Another card is not the one that was there, and nothing more would tell of it. */
TEST_F(service, a_driver_leaves_when_a_card_was_swapped_beside_another)
{
	struct kf_drv_event event;
	struct packet reply;
	char byte;

	ONLY_TWO(FAKE_UNKNOWN);
	(void)greet(self);
	EXPECT_EQ(0, apdu(self, FAKE_SWAP, &reply));
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, event.change);
	EXPECT_EQ(1, event.slot);
	EXPECT_EQ(0, left_with(self));
	EXPECT_EQ((ssize_t)0, recv(self->broker, &byte, 1, 0));
}

/* --- a reader that does not tell of its cards --- */

static uint32_t features_of(SELF)
{
	struct packet hello = ask(self, KF_DRV_HELLO), reply;

	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	ASSERT_EQ(0, call(self, &hello, &reply));
	return ((const struct kf_drv_hello *)packet_read(&reply))->features;
}

TEST_F(service, a_reader_without_interrupts_says_so)
{
	EXPECT_EQ(variant->silent ? KF_FEATURE_POLLED : 0u,
		  features_of(self) & KF_FEATURE_POLLED);
}

static uint32_t watch(SELF, uint32_t flags)
{
	struct packet request = ask(self, KF_DRV_WATCH), reply;

	((struct kf_drv_watch *)packet_body(&request))->flags = flags;
	EXPECT_EQ(0, call(self, &request, &reply));
	return ((const struct kf_drv_watch *)packet_read(&reply))->behind;
}

static bool hears_nothing(SELF, int ms)
{
	struct pollfd fd = { .fd = self->broker, .events = POLLIN };

	return poll(&fd, 1, ms) == 0;
}

TEST_F(service, what_came_while_nobody_watched_is_told_when_somebody_does)
{
	struct packet reply;
	struct kf_drv_event event;

	if (!variant->silent)
		return;
	(void)greet(self);
	EXPECT_EQ(0u, watch(self, 0));
	EXPECT_EQ(0, apdu(self, FAKE_INSERT, &reply));
	EXPECT_TRUE(hears_nothing(self, 3 * (int)limits.poll_ms));
	EXPECT_EQ(2u, watch(self, KF_DRV_WATCH_ON));
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, event.change);
	EXPECT_EQ(1, event.slot);
	EXPECT_EQ(0u, watch(self, KF_DRV_WATCH_ON));
}

TEST_F(service, while_somebody_watches_a_silent_reader_is_asked)
{
	struct packet reply;

	if (!variant->silent)
		return;
	(void)greet(self);
	EXPECT_EQ(0u, watch(self, KF_DRV_WATCH_ON));
	EXPECT_EQ(0, apdu(self, FAKE_INSERT, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, next_event(self).change);
}

TEST_F(service, a_reader_that_falls_silent_is_asked_only_for_somebody_from_then_on)
{
	struct kf_drv_event event;
	struct packet packet;

	ONLY_TWO(FAKE_EMPTY);
	(void)greet(self);
	EXPECT_EQ(0, apdu(self, FAKE_DEAF, &packet));
	receive(self, &packet);
	EXPECT_EQ(KF_KIND_EVENT, packet.header.kind);
	EXPECT_EQ(KF_DRV_SILENT, packet.header.request);
	EXPECT_EQ(0, apdu(self, FAKE_INSERT, &packet));
	EXPECT_TRUE(hears_nothing(self, 3 * (int)limits.poll_ms));
	EXPECT_EQ(2u, watch(self, KF_DRV_WATCH_ON));
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, event.change);
	EXPECT_EQ(1, event.slot);
}

/* Return: the milliseconds. */
static uint32_t next_powering(SELF, uint32_t slot)
{
	const struct kf_drv_powering *powering;
	struct packet packet;

	receive_any(self, &packet);
	EXPECT_EQ(KF_DRV_POWERING, packet.header.request);
	powering = packet_read(&packet);
	EXPECT_EQ(slot, powering->slot);
	return powering->ms;
}

TEST_F(service, beside_another_slot_a_card_is_powered_between_two_words)
{
	struct packet packet;

	ONLY_TWO(FAKE_EMPTY);
	(void)greet(self);
	EXPECT_EQ(0, apdu(self, FAKE_INSERT, &packet));
	EXPECT_LT(30000u, next_powering(self, 1));
	EXPECT_EQ(0u, next_powering(self, 1));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, next_event(self).change);
}

#define COMMAND(ins)	((const uint8_t[]){ 0x00, ins, 0x00, 0x00, 0x00 })

/* The command is borrowed. */
static struct packet ask_apdu(SELF, const uint8_t command[static 5])
{
	struct packet request = ask(self, KF_APDU);

	packet_set(&request, kf_apdu, command, BYTES(command, 5));
	return request;
}

/* The driver wakes up when all are there. @third may be NULL. */
static void send_three(SELF, const struct packet *first, const struct packet *second,
		       const struct packet *third)
{
	ASSERT_EQ(0, kill(self->child, SIGSTOP));
	ASSERT_EQ(self->child, waitpid(self->child, NULL, WUNTRACED));
	send_packet(self, first);
	send_packet(self, second);
	if (third)
		send_packet(self, third);
	ASSERT_EQ(0, kill(self->child, SIGCONT));
}

static void send_two(SELF, const struct packet *first, const struct packet *second)
{
	send_three(self, first, second, NULL);
}

static void next_reply(SELF, const struct packet *request, int result)
{
	struct packet packet;

	receive(self, &packet);
	EXPECT_EQ(KF_KIND_REPLY, packet.header.kind);
	EXPECT_EQ(request->header.seq, packet.header.seq);
	EXPECT_EQ(result, packet.header.result);
}

TEST_F(service, between_the_first_two_cards_a_request_has_its_turn)
{
	struct packet hello = ask(self, KF_DRV_HELLO), apdu = ask_apdu(self, COMMAND(0x84));

	ONLY_TWO(FAKE_UNKNOWN);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	send_two(self, &hello, &apdu);
	next_reply(self, &hello, 0);
	EXPECT_EQ(0, next_event(self).slot);
	next_reply(self, &apdu, 0);
	EXPECT_EQ(1, next_event(self).slot);
}

/* The very next word is that the card in @slot is out, and the last: no other card was powered. */
static void leaves_without_the_card_of(SELF, uint32_t slot)
{
	const struct kf_drv_event *event;
	struct packet packet;
	char byte;

	receive_any(self, &packet);
	ASSERT_EQ(KF_DRV_EVENT, packet.header.request);
	event = packet_read(&packet);
	EXPECT_EQ(slot, event->slot);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, event->change);
	EXPECT_EQ(0, left_with(self));
	EXPECT_EQ((ssize_t)0, recv(self->broker, &byte, 1, 0));
}

TEST_F(service, a_card_that_leaves_between_the_first_two_is_the_last)
{
	struct packet hello = ask(self, KF_DRV_HELLO), pull = ask_apdu(self, COMMAND(FAKE_PULL));

	ONLY_TWO(FAKE_UNKNOWN);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	send_two(self, &hello, &pull);
	next_reply(self, &hello, 0);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, next_event(self).change);
	next_reply(self, &pull, -ENOMEDIUM);
	leaves_without_the_card_of(self, 0);
}

/* Neither does it wait for all the others, nor they for it if it is lost again and again. */
TEST_F(service, a_card_lost_before_all_were_looked_at_takes_turns_with_the_next)
{
	struct packet hello = ask(self, KF_DRV_HELLO);
	struct packet first = ask_apdu(self, COMMAND(FAKE_GARBAGE));
	struct packet second = ask_apdu(self, COMMAND(FAKE_GARBAGE));
	struct kf_drv_event event;

	ONLY_TWO(FAKE_UNKNOWN);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	send_three(self, &hello, &first, &second);
	next_reply(self, &hello, 0);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, next_event(self).change);
	next_reply(self, &first, -EBADMSG);
	event = next_event(self);
	EXPECT_EQ(0, event.slot);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, event.change);
	next_reply(self, &second, -EBADMSG);
	EXPECT_EQ(1, next_event(self).slot);
	EXPECT_EQ(0, next_event(self).slot);
}

/* It is the other slot's turn, where a card has come. */
TEST_F(service, a_card_that_left_is_followed_before_a_turn_that_would_power_another)
{
	struct packet lose, move;

	ONLY_TWO(FAKE_EMPTY);
	(void)greet(self);
	EXPECT_TRUE(hears_nothing(self, 2 * (int)limits.notice_gap_ms));	/* both show in one look */
	lose = ask_apdu(self, COMMAND(FAKE_GARBAGE));
	move = ask_apdu(self, COMMAND(FAKE_MOVE));
	send_two(self, &lose, &move);
	next_reply(self, &lose, -EBADMSG);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, next_event(self).change);
	next_reply(self, &move, -ENOMEDIUM);
	leaves_without_the_card_of(self, 0);
}

static struct packet ask_power_cycle(SELF, uint32_t slot)
{
	struct packet cycle = ask(self, KF_DRV_POWER_CYCLE);

	((struct kf_drv_power_cycle *)packet_body(&cycle))->slot = slot;
	return cycle;
}

/* While the card that turmoil befell is powered anew, the one that came is not looked at yet. */
static void expect_no_power_before_a_look(SELF)
{
	struct packet turmoil = ask_apdu(self, COMMAND(FAKE_TURMOIL));
	struct packet cycle = ask_power_cycle(self, 1);

	EXPECT_TRUE(hears_nothing(self, 2 * (int)limits.notice_gap_ms));	/* both come in one look */
	send_two(self, &turmoil, &cycle);
	next_reply(self, &turmoil, -EBADMSG);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, next_event(self).change);
	next_reply(self, &cycle, -ENOMEDIUM);
}

TEST_F(service, a_card_that_was_not_looked_at_is_not_powered_on_request)
{
	struct kf_drv_event event;

	ONLY_TWO(FAKE_EMPTY);
	(void)greet(self);
	expect_no_power_before_a_look(self);
	event = next_event(self);
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, event.change);
	EXPECT_EQ(1, event.slot);
}

TEST_F(service, nor_is_one_by_a_driver_that_saw_another_leave)
{
	struct packet reply;

	ONLY_TWO(FAKE_UNKNOWN);
	(void)greet(self);
	EXPECT_EQ(-ENOMEDIUM, apdu_to(self, 1, FAKE_PULL, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, next_event(self).change);
	expect_no_power_before_a_look(self);
	EXPECT_EQ(0, left_with(self));
}

TEST_F(service, between_two_later_cards_a_request_has_its_turn_and_then_the_other_card)
{
	struct packet first, second;

	ONLY_TWO(FAKE_EMPTY);
	(void)greet(self);
	EXPECT_TRUE(hears_nothing(self, 2 * (int)limits.notice_gap_ms));	/* both come in one look */
	first = ask_apdu(self, COMMAND(FAKE_TURMOIL));
	second = ask_apdu(self, COMMAND(FAKE_GARBAGE));
	send_two(self, &first, &second);
	next_reply(self, &first, -EBADMSG);
	EXPECT_EQ(0, next_event(self).slot);
	next_reply(self, &second, -EBADMSG);
	EXPECT_EQ(1, next_event(self).slot);
	EXPECT_EQ(0, next_event(self).slot);
}

TEST_F(service, in_the_only_slot_it_is_powered_without_a_word)
{
	struct packet hello = ask(self, KF_DRV_HELLO), packet;

	ONLY(FAKE_OURS);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	send_packet(self, &hello);
	receive_any(self, &packet);
	EXPECT_EQ(KF_KIND_REPLY, packet.header.kind);
	receive_any(self, &packet);
	EXPECT_EQ(KF_DRV_EVENT, packet.header.request);
}
