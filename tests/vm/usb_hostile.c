/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vm/usb_hostile.c - keyferry-driver, the real process on a real USB stack, against a device
 * that breaks rules on the bus. Runs in a virtual machine as root (usb_hostile.sh); the test is the
 * broker. Names begin with the row of the catalogue that they are.
 */
#include "driver/ccid/reader.h"
#include "driver/usb/usb.h"
#include "proto/packet.h"
#include "proto/wire.h"
#include "tests/harness.h"
#include "tests/vm/gadget.h"
#include "tests/vm/usbip.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRIVER	"/usr/bin/keyferry-driver"
#define BRISK	"/usr/bin/brisk_driver"		/* the same, but for its patience */
#define LONG_MS	60000

FIXTURE(usb) {
	struct gadget gadget;
	struct gadget_reader *reader;
	pid_t driver;
	bool brisk;
	int link;
	uint32_t seq;
	uint8_t frame[KF_PACKET_MAX];
};

#define SELF struct fixture_usb *self

/* --- the broker's part --- */

static void drop_driver(SELF)
{
	if (self->link >= 0)
		(void)close(self->link);
	self->link = -1;
	if (self->driver > 0) {
		(void)kill(self->driver, SIGKILL);
		(void)waitpid(self->driver, NULL, 0);
	}
	self->driver = 0;
}

/* Takes @node over. */
static void start_driver_on(SELF, int node, int interface)
{
	int ends[2];
	const char *driver = self->brisk ? BRISK : DRIVER;
	uint32_t mask = 1u << interface;
	char number[8];

	(void)snprintf(number, sizeof(number), "%d", interface);
	/*
	 * As the monitor hands it over: to nobody, and of the device this interface alone. Before the
	 * fork, since the child may be too late for a device that is pulled at once.
	 */
	ASSERT_EQ(0, ioctl(node, USBDEVFS_DROP_PRIVILEGES, &mask));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	self->driver = fork();
	ASSERT_GE(self->driver, 0);
	if (self->driver == 0) {
		int link = fcntl(ends[1], F_DUPFD, 10), fd = fcntl(node, F_DUPFD, 10);

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(125);
		if (dup2(link, 3) < 0 || dup2(fd, 4) < 0)
			_exit(126);
		(void)close(link);
		(void)close(fd);
		execl(driver, driver, "--link-fd", "3", "--reader-fd", "4", "--transport", "usb",
		      "--interface", number, "--name", "hostile", NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	(void)close(node);
	self->link = ends[0];
}

static void start_driver(SELF, int interface)
{
	start_driver_on(self, gadget_open(&self->gadget), interface);
}

/* Return: exit status, 128 and more for a signal. */
static int driver_ends(SELF)
{
	int status = -1;

	ASSERT_EQ(self->driver, waitpid(self->driver, &status, 0));
	self->driver = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void receive(SELF, struct packet *out)
{
	struct pollfd fd = { .fd = self->link, .events = POLLIN };
	struct bytes frame;

	ASSERT_EQ(1, poll(&fd, 1, harness_patience_ms(LONG_MS)));
	ASSERT_EQ(0, wire_recv(self->link, self->frame, sizeof(self->frame), 0, &frame));
	ASSERT_EQ(0, packet_parse(frame, out));
}

/* Return: 0, or negative: the driver has left. */
static int try_request(SELF, const struct packet *request)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, packet_pack(request, &p));
	return wire_send(self->link, pack_done(&p), 0);
}

static void send_request(SELF, const struct packet *request)
{
	ASSERT_EQ(0, try_request(self, request));
}

/* The reply to the last request; events that come before it are of no interest. */
static int reply(SELF, struct packet *out)
{
	do
		receive(self, out);
	while (out->header.kind == KF_KIND_EVENT);
	EXPECT_EQ(self->seq, out->header.seq);
	return out->header.result;
}

static uint32_t next_change(SELF)
{
	struct packet packet;

	receive(self, &packet);
	EXPECT_EQ(KF_KIND_EVENT, packet.header.kind);
	return ((const struct kf_drv_event *)packet_read(&packet))->change;
}

static void greet(SELF)
{
	struct packet request = packet_request(KF_DRV_HELLO, ++self->seq, LONG_MS), answer;
	struct kf_drv_hello *hello = packet_body(&request);

	hello->version = KF_PROTO_VERSION;
	send_request(self, &request);
	ASSERT_EQ(0, reply(self, &answer));
	ASSERT_EQ(KF_CHANGE_CARD_INSERTED, next_change(self));
}

static int try_apdu(SELF, uint8_t ins, uint16_t p1p2, size_t lc, uint32_t deadline_ms)
{
	struct packet request = packet_request(KF_APDU, ++self->seq, deadline_ms);
	uint8_t apdu[256] = { 0, ins, (uint8_t)(p1p2 >> 8), (uint8_t)p1p2, (uint8_t)lc };

	packet_set(&request, kf_apdu, command, BYTES(apdu, lc ? 5 + lc : 4));
	return try_request(self, &request);
}

static void send_apdu(SELF, uint8_t ins, uint16_t p1p2, size_t lc, uint32_t deadline_ms)
{
	ASSERT_EQ(0, try_apdu(self, ins, p1p2, lc, deadline_ms));
}

/* Return: the request's result; *@len gets the length of the response. */
static int apdu_of(SELF, uint8_t ins, uint16_t p1p2, size_t lc, uint32_t deadline_ms, size_t *len)
{
	struct packet answer;
	int r;

	send_apdu(self, ins, p1p2, lc, deadline_ms);
	r = reply(self, &answer);
	if (len)
		*len = r == 0 ? packet_get(&answer, kf_apdu, response).n : 0;
	return r;
}

static int apdu(SELF, uint8_t ins, uint16_t p1p2)
{
	return apdu_of(self, ins, p1p2, 0, LONG_MS, NULL);
}

/* The driver is alive and the reader in step: an ordinary command works. Tries as a client would. */
static void expect_it_goes_on(SELF)
{
	int r = -1;

	for (int i = 0; i < 3 && r < 0; i++)
		r = apdu(self, 0x10, 0);
	EXPECT_EQ(0, r);
}

/* What waits for a silent reader, but where there is time for all of it. */
static bool full(void)
{
	const char *said = getenv("KF_FULL");

	return said && said[0];
}

FIXTURE_SETUP(usb)
{
	self->link = -1;
}

FIXTURE_TEARDOWN(usb)
{
	drop_driver(self);
	gadget_stop(&self->gadget);
}

static void plug_in(SELF, struct gadget_shape shape)
{
	gadget_start(&self->gadget, &shape);
	self->reader = self->gadget.readers[0];
}

#define PLAIN ((struct gadget_shape){ .n_readers = 1 })

/* And it took no more than a step of the ladder: the device was not reset. */
static void expect_it_goes_on_without_a_reset(SELF)
{
	expect_it_goes_on(self);
	EXPECT_EQ(1u, self->reader->enables);
}

static void pause_ms(unsigned int ms)
{
	(void)usleep(ms * 1000);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until @count is above @than. Return: it is. */
static bool grows_above(const atomic_uint *count, unsigned int than)
{
	for (int left = harness_patience_ms(10000); left > 0 && *count <= than; left -= 10)
		pause_ms(10);
	return *count > than;
}

/* The driver sees that the device has gone, and leaves as one whose reader was unplugged. */
static void expect_it_leaves(SELF)
{
	EXPECT_EQ(0, driver_ends(self));
}

TEST_F_TIMEOUT(usb, a_reader_on_usb_is_greeted_and_carries_apdus, 60)
{
	size_t n;

	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	ASSERT_EQ(0, apdu_of(self, INS_SIZED, 100, 0, LONG_MS, &n));
	EXPECT_EQ(90u, n);
	(void)close(self->link);
	self->link = -1;
	EXPECT_EQ(0, driver_ends(self));
}

TEST_F_TIMEOUT(usb, h9_an_interface_that_another_program_holds_is_told_by_the_exit_status, 60)
{
	unsigned int interface = 0;
	int node;

	plug_in(self, PLAIN);
	node = gadget_open(&self->gadget);
	ASSERT_EQ(0, ioctl(node, USBDEVFS_CLAIMINTERFACE, &interface));
	start_driver(self, 0);
	EXPECT_EQ(3, driver_ends(self));
	drop_driver(self);
	ASSERT_EQ(0, ioctl(node, USBDEVFS_RELEASEINTERFACE, &interface));
	start_driver(self, 0);
	greet(self);
	(void)close(node);
}

/* --- frames --- */

TEST_F_TIMEOUT(usb, f20_an_answer_of_whole_packets_is_taken_with_its_empty_packet, 60)
{
	static const uint16_t sizes[] = { 64, 128, 512 };

	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	for (int i = 0; i < 3; i++) {
		size_t n;

		ASSERT_EQ(0, apdu_of(self, INS_SIZED, sizes[i], 0, LONG_MS, &n));
		EXPECT_EQ(sizes[i] - 10u, n);
	}
	EXPECT_EQ(0u, self->reader->aborts);
}

TEST_F_TIMEOUT(usb, f20_without_the_empty_packet_it_is_late_once_and_then_never, 90)
{
	static const uint16_t sizes[] = { 128, 64, 128, 512 };
	int64_t first = 0;

	plug_in(self, PLAIN);
	self->brisk = !full();
	start_driver(self, 0);
	greet(self);
	for (int i = 0; i < 4; i++) {
		int64_t before = now_ms(), took;
		size_t n;

		ASSERT_EQ(0, apdu_of(self, INS_NO_ZERO_PACKET, sizes[i], 0, LONG_MS, &n));
		took = now_ms() - before;
		EXPECT_EQ(sizes[i] - 10u, n);
		if (i == 0)
			first = took;
		else
			EXPECT_LT(first / 2, first - took);	/* took less than half */
	}
	EXPECT_EQ(0, apdu_of(self, INS_SIZED, 128, 0, LONG_MS, NULL));	/* and with one, still */
	expect_it_goes_on(self);
	EXPECT_EQ(0u, self->reader->aborts);
}

TEST_F_TIMEOUT(usb, f21_an_answer_cut_by_a_short_packet_is_truncated, 60)
{
	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	EXPECT_EQ(-EBADMSG, apdu(self, INS_SPLIT, 0));
	expect_it_goes_on_without_a_reset(self);
}

TEST_F_TIMEOUT(usb, f24_a_command_taken_by_half_fails_and_is_not_resumed, 60)
{
	struct packet answer;
	unsigned int apdus;

	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	ASSERT_EQ(0, apdu(self, INS_PARTIAL_OUT, 0));
	apdus = self->reader->apdus;
	send_apdu(self, 0x10, 0, 200, LONG_MS);
	EXPECT_EQ(-EIO, reply(self, &answer));
	EXPECT_NE(KF_REASON_ON_CARD, answer.header.reason);
	EXPECT_EQ(apdus, self->reader->apdus);
	expect_it_goes_on_without_a_reset(self);
}

TEST_F_TIMEOUT(usb, f25_a_stalled_out_pipe_did_not_run_the_command, 60)
{
	struct packet answer;
	unsigned int apdus;

	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	ASSERT_EQ(0, apdu(self, INS_STALL_OUT, 0));
	apdus = self->reader->apdus;
	send_apdu(self, 0x10, 0, 0, LONG_MS);
	EXPECT_EQ(-EIO, reply(self, &answer));
	EXPECT_NE(KF_REASON_ON_CARD, answer.header.reason);
	EXPECT_EQ(apdus, self->reader->apdus);
	expect_it_goes_on_without_a_reset(self);
}

TEST_F_TIMEOUT(usb, f25_a_stalled_in_pipe_leaves_the_outcome_open, 60)
{
	struct packet answer;

	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	send_apdu(self, INS_STALL_IN, 0, 0, LONG_MS);
	EXPECT_EQ(-EIO, reply(self, &answer));
	EXPECT_EQ(KF_REASON_ON_CARD, answer.header.reason);
	expect_it_goes_on_without_a_reset(self);
}

TEST_F_TIMEOUT(usb, f26_a_device_that_takes_nothing_is_given_up_after_its_time, 90)
{
	unsigned int apdus;

	plug_in(self, PLAIN);
	self->brisk = !full();
	start_driver(self, 0);
	greet(self);
	ASSERT_EQ(0, apdu(self, INS_DEAF, self->brisk ? 3000 : 7000));
	apdus = self->reader->apdus;
	EXPECT_EQ(-ETIMEDOUT, apdu(self, 0x10, 0));
	EXPECT_EQ(apdus, self->reader->apdus);
	expect_it_goes_on(self);
}


static void send_a_whole_packet(SELF, struct gadget_shape shape)
{
	plug_in(self, shape);
	start_driver(self, 0);
	greet(self);
	EXPECT_EQ(0, apdu_of(self, 0x10, 0, 49, LONG_MS, NULL));	/* 10 + 5 + 49 = 64 */
	expect_it_goes_on(self);
}

TEST_F_TIMEOUT(usb, f27_a_command_of_whole_packets_ends_with_an_empty_one, 60)
{
	send_a_whole_packet(self, (struct gadget_shape){ .by_packet = true });
	EXPECT_EQ(1u, self->reader->zero_packets);
}

TEST_F_TIMEOUT(usb, f27_but_not_for_a_reader_whose_quirk_forbids_it, 60)
{
	send_a_whole_packet(self, (struct gadget_shape){ .vendor = 0x04e6, .product = 0x5115,
							 .by_packet = true });
	EXPECT_EQ(0u, self->reader->zero_packets);
}

/* --- device life --- */

FIXTURE(unplug) {
	struct fixture_usb usb;
};
enum moment { IN_OUT, IN_IN, BETWEEN, IN_CANCEL, IN_CONTROL, AS_ANSWER };
FIXTURE_VARIANT(unplug) { enum moment moment; };
FIXTURE_VARIANT_ADD(unplug, in_out) { IN_OUT };
FIXTURE_VARIANT_ADD(unplug, in_in) { IN_IN };
FIXTURE_VARIANT_ADD(unplug, between) { BETWEEN };
FIXTURE_VARIANT_ADD(unplug, in_cancel) { IN_CANCEL };
FIXTURE_VARIANT_ADD(unplug, in_control) { IN_CONTROL };
FIXTURE_VARIANT_ADD(unplug, as_an_answer) { AS_ANSWER };

FIXTURE_SETUP(unplug)
{
	(void)variant;
	self->usb.link = -1;
	plug_in(&self->usb, PLAIN);
}

FIXTURE_TEARDOWN(unplug)
{
	(void)variant;
	drop_driver(&self->usb);
	gadget_stop(&self->usb.gadget);
}

static void cancel(SELF)
{
	struct packet request = packet_request(KF_CANCEL, self->seq + 1, 0);
	struct kf_cancel *body = packet_body(&request);

	body->seq = self->seq;
	send_request(self, &request);
}

static void until(SELF, enum moment moment)
{
	unsigned int aborts = self->reader->aborts, apdus = self->reader->apdus;

	if (moment == IN_OUT)
		ASSERT_EQ(0, apdu(self, INS_DEAF, 60000));
	if (moment == IN_CONTROL)
		self->reader->mute_control = true;
	if (moment == BETWEEN)
		return;
	send_apdu(self, moment == AS_ANSWER ? INS_UNPLUG : moment == IN_OUT ? 0x10 : INS_SILENT, 0,
		  0, LONG_MS);
	if (moment == IN_OUT)
		pause_ms(300);
	else
		ASSERT_TRUE(grows_above(&self->reader->apdus, apdus));
	if (moment == IN_CANCEL || moment == IN_CONTROL)
		cancel(self);
	if (moment == IN_CONTROL)
		ASSERT_TRUE(grows_above(&self->reader->aborts, aborts));
}

TEST_F_TIMEOUT(unplug, h10_one_failure_and_the_driver_leaves, 60)
{
	struct fixture_usb *usb = &self->usb;
	struct packet answer;

	start_driver(usb, 0);
	greet(usb);
	until(usb, variant->moment);
	gadget_unplug(&usb->gadget);
	expect_it_leaves(usb);
	if (variant->moment == BETWEEN)
		return;
	EXPECT_GT(0, reply(usb, &answer));
	/* Of a command that nobody took, nobody says that it may have run. */
	if (variant->moment == IN_OUT)
		EXPECT_NE(KF_REASON_ON_CARD, answer.header.reason);
	else
		EXPECT_EQ(KF_REASON_ON_CARD, answer.header.reason);
}

FIXTURE(start) {
	struct fixture_usb usb;
};
FIXTURE_VARIANT(start) { enum gadget_end end; };
FIXTURE_VARIANT_ADD(start, in_rates) { ENDS_AT_RATES };
FIXTURE_VARIANT_ADD(start, in_first_look) { ENDS_AT_STATUS };
FIXTURE_VARIANT_ADD(start, in_power_on) { ENDS_AT_POWER_ON };

FIXTURE_SETUP(start)
{
	self->usb.link = -1;
	plug_in(&self->usb, (struct gadget_shape){ .n_readers = 1, .end = variant->end });
}

FIXTURE_TEARDOWN(start)
{
	(void)variant;
	drop_driver(&self->usb);
	gadget_stop(&self->usb.gadget);
}

/*
 * What is no more there is not brought into step, for which there would be fifteen seconds; and a reader
 * that went is not one that nobody can work with.
 */
TEST_F_TIMEOUT(start, h10_an_unplugging_in_the_middle_ends_the_driver_at_once, 60)
{
	struct packet hello = packet_request(KF_DRV_HELLO, 1, LONG_MS);
	int64_t before = now_ms();
	int status;

	(void)variant;
	start_driver(&self->usb, 0);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	(void)try_request(&self->usb, &hello);
	status = driver_ends(&self->usb);
	TEST_LOG("exit status %d after %lld ms", status, (long long)(now_ms() - before));
	EXPECT_TRUE(status == 0 || status == 1);
	EXPECT_LT(now_ms() - before, 6000);
}

TEST_F_TIMEOUT(usb, h10_an_unplugging_while_the_driver_starts_ends_it, 120)
{
	plug_in(self, PLAIN);
	for (unsigned int ms = 0; ms < 60; ms += 4) {
		int status;

		start_driver(self, 0);
		pause_ms(ms);
		gadget_unplug(&self->gadget);
		(void)shutdown(self->link, SHUT_WR);
		status = driver_ends(self);
		if (status != 0 && status != 1)
			TEST_FAIL("after %u ms: exit status %d", ms, status);
		drop_driver(self);
		gadget_plug(&self->gadget);
	}
}

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static long status_of(const char *field)
{
	char line[128];
	FILE *file = fopen("/proc/self/status", "re");
	long n = -1;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0)
			n = strtol(line + strlen(field), NULL, 10);
	if (file)
		(void)fclose(file);
	return n;
}

TEST_F_TIMEOUT(usb, h12_many_pluggings_leak_nothing, 240)
{
	int cycles = full() ? 100 : 40;
	size_t files = 0;
	long threads = 0, kbytes = 0;

	plug_in(self, PLAIN);
	for (int i = 0; i < cycles; i++) {
		struct pipe *pipe = NULL;
		struct reader *reader = NULL;
		const char *why;

		if (i != 0)
			gadget_plug(&self->gadget);
		ASSERT_EQ(0, usb_pipe_new(gadget_open(&self->gadget), &pipe));
		ASSERT_EQ(0, reader_new(pipe, 0, deadline_in(20000), &reader, &why));
		gadget_unplug(&self->gadget);
		while (reader_dispatch(reader, deadline_in(1000)) == 0)
			(void)poll(&(struct pollfd){ reader_fd(reader), POLLIN, 0 }, 1, 20000);
		reader = reader_free(reader);
		if (i == 10) {
			files = open_files();
			threads = status_of("Threads:");
			kbytes = status_of("VmRSS:");
		}
	}
	EXPECT_EQ(files, open_files());
	EXPECT_EQ(threads, status_of("Threads:"));
	if (!HARNESS_SANITIZED)
		EXPECT_LT(status_of("VmRSS:"), kbytes + 256);
}


static void survive_a_foreign_reset(SELF, struct gadget_shape shape)
{
	unsigned int power_ons, apdus;
	int node;

	plug_in(self, shape);
	node = gadget_open(&self->gadget);
	start_driver(self, 0);
	greet(self);
	expect_it_goes_on(self);
	power_ons = self->reader->power_ons;
	apdus = self->reader->apdus;
	ASSERT_EQ(0, ioctl(node, USBDEVFS_RESET, NULL));
	send_apdu(self, 0x10, 0, 0, LONG_MS);
	expect_it_leaves(self);
	EXPECT_EQ(apdus, self->reader->apdus);
	drop_driver(self);
	start_driver(self, 0);
	greet(self);
	EXPECT_LT(power_ons, self->reader->power_ons);
	(void)close(node);
}

TEST_F_TIMEOUT(usb, h16_a_reset_by_another_process_ends_the_driver_and_a_fresh_one_powers_anew, 60)
{
	survive_a_foreign_reset(self, (struct gadget_shape){ .always_active = true });
}

TEST_F_TIMEOUT(usb, h16_so_does_one_that_no_interrupt_transfer_tells_of, 60)
{
	survive_a_foreign_reset(self, (struct gadget_shape){ .always_active = true,
							     .no_interrupt = true });
}

TEST_F_TIMEOUT(usb, a_device_that_nothing_else_revives_is_reset_once_a_minute, 120)
{
	unsigned int enables, power_ons;

	plug_in(self, PLAIN);
	self->brisk = !full();
	start_driver(self, 0);
	greet(self);
	enables = self->reader->enables;
	power_ons = self->reader->power_ons;
	EXPECT_GT(0, apdu(self, INS_DEAD, 0));
	expect_it_goes_on(self);
	EXPECT_EQ(enables + 1, self->reader->enables);
	EXPECT_LT(power_ons, self->reader->power_ons);
	send_apdu(self, INS_DEAD, 0, 0, LONG_MS);
	expect_it_leaves(self);
	EXPECT_EQ(enables + 1, self->reader->enables);
}

TEST_F_TIMEOUT(usb, h13_a_device_that_keeps_its_configuration_secret_holds_up_nobody_else, 60)
{
	struct fixture_usb *other = calloc(1, sizeof(*other));
	struct usbip device;

	ASSERT_NOT_NULL(other);
	other->link = -1;
	usbip_start(&device);
	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	start_driver_on(other, usbip_open(&device), 0);
	EXPECT_TRUE(grows_above(&device.configuration_asked, 0));
	expect_it_goes_on(self);
	EXPECT_EQ(0u, device.commands);		/* that is, meanwhile */
	EXPECT_TRUE(grows_above(&device.commands, 0));
	expect_it_goes_on(self);
	usbip_stop(&device);
	(void)driver_ends(other);
	drop_driver(other);
	free(other);
}

static void driver_of(const char *sysfs, int interface, char *out, size_t cap)
{
	const char *device = strrchr(sysfs, '/') + 1;
	char path[400], target[256];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s:1.%d/driver", sysfs, device, interface);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	(void)snprintf(out, cap, "%s", n < 0 ? "none" : strrchr(target, '/') + 1);
}


TEST_F_TIMEOUT(usb, h19_of_a_device_with_a_keyboard_the_reader_alone_is_claimed, 60)
{
	char sysfs[256], name[32] = "";

	plug_in(self, (struct gadget_shape){ .keyboard = true });
	start_driver(self, 1);
	greet(self);
	gadget_sysfs(&self->gadget, sysfs, sizeof(sysfs));
	driver_of(sysfs, 1, name, sizeof(name));
	EXPECT_STREQ("usbfs", name);
	driver_of(sysfs, 0, name, sizeof(name));
	EXPECT_STREQ("usbhid", name);
	drop_driver(self);
	driver_of(sysfs, 1, name, sizeof(name));
	EXPECT_STREQ("none", name);
	start_driver(self, 0);		/* told to take what is no reader */
	EXPECT_EQ(4, driver_ends(self));
	driver_of(sysfs, 0, name, sizeof(name));
	EXPECT_STREQ("usbhid", name);
}


TEST_F_TIMEOUT(usb, d16_each_interface_of_a_device_is_a_reader_of_its_own, 60)
{
	struct fixture_usb *other;

	plug_in(self, (struct gadget_shape){ .n_readers = 2 });
	other = calloc(1, sizeof(*other));
	ASSERT_NOT_NULL(other);
	other->link = -1;
	other->gadget = self->gadget;
	start_driver(self, 0);
	start_driver(other, 1);
	greet(self);
	greet(other);
	EXPECT_GT(0, apdu(self, INS_STALL_IN, 0));
	EXPECT_EQ(0, apdu(other, 0x10, 0));
	expect_it_goes_on(self);
	EXPECT_NE(0u, self->gadget.readers[1]->apdus);
	drop_driver(other);
	expect_it_goes_on(self);
	free(other);
}

/* --- interrupts --- */

TEST_F_TIMEOUT(usb, i1_a_notice_is_a_question_to_the_slot, 60)
{
	unsigned int asked;

	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	pause_ms(1000);
	asked = self->reader->slot_status;
	pause_ms(1000);
	EXPECT_EQ(asked, self->reader->slot_status);	/* no polling beside it */
	for (int i = 0; i < 3; i++) {
		asked = self->reader->slot_status;
		ASSERT_EQ(0, gadget_notify(self->reader, BYTES("\x50\x02", 2)));
		EXPECT_TRUE(grows_above(&self->reader->slot_status, asked));
	}
	expect_it_goes_on(self);
}

static void watch(SELF, uint32_t flags)
{
	struct packet request = packet_request(KF_DRV_WATCH, ++self->seq, LONG_MS), answer;

	((struct kf_drv_watch *)packet_body(&request))->flags = flags;
	send_request(self, &request);
	EXPECT_EQ(0, reply(self, &answer));
}

TEST_F_TIMEOUT(usb, i8_a_stalled_notice_is_cleared_and_after_three_the_reader_is_polled, 60)
{
	struct packet event;
	unsigned int asked;

	plug_in(self, PLAIN);
	start_driver(self, 0);
	greet(self);
	gadget_stall_notices(self->reader);
	pause_ms(500);
	asked = self->reader->slot_status;
	ASSERT_EQ(0, gadget_notify(self->reader, BYTES("\x50\x03", 2)));
	EXPECT_TRUE(grows_above(&self->reader->slot_status, asked));
	for (int i = 0; i < 3; i++) {
		gadget_stall_notices(self->reader);
		pause_ms(500);
	}
	receive(self, &event);
	EXPECT_EQ(KF_DRV_SILENT, event.header.request);
	asked = self->reader->slot_status;
	pause_ms(1000);
	EXPECT_EQ(asked, self->reader->slot_status);	/* nobody is interested */
	watch(self, KF_DRV_WATCH_ON);
	EXPECT_TRUE(grows_above(&self->reader->slot_status, asked + 3));
	expect_it_goes_on(self);
}

/* --- sleep --- */

/* Return: 0 or a negative errno. */
static int try_put_line(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	ASSERT_GE(fd, 0);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		r = -errno;
	(void)close(fd);
	return r;
}

static void put_line(const char *path, const char *text)
{
	ASSERT_EQ(0, try_put_line(path, text));
}

/*
 * Down to where nothing but the clock wakes the machine. An alarm that goes off on the way down would
 * wake nobody; the count of wake-ups makes it end the attempt instead.
 */
static void sleep_until_the_alarm(void)
{
	char alarm[16], count[32];
	int r = -EBUSY;

	for (int s = 3; r == -EBUSY && s < 60; s *= 2) {
		(void)snprintf(alarm, sizeof(alarm), "+%d", s);
		put_line("/sys/class/rtc/rtc0/wakealarm", "0");
		ASSERT_TRUE(gadget_read_file("/sys/power", "wakeup_count", count, sizeof(count)));
		put_line("/sys/class/rtc/rtc0/wakealarm", alarm);
		r = try_put_line("/sys/power/wakeup_count", count);
		if (r == 0)
			r = try_put_line("/sys/power/state", "mem");
	}
	ASSERT_EQ(0, r);	/* and it is awake again */
}

/* Return: the request's result, -ENODEV if the driver left instead. */
static int apdu_unless_it_leaves(SELF)
{
	struct packet answer = { .header.kind = KF_KIND_EVENT };
	int r = try_apdu(self, 0x11, 0, 0, LONG_MS);

	while (r == 0 && answer.header.kind == KF_KIND_EVENT) {
		struct pollfd fd = { .fd = self->link, .events = POLLIN };
		struct bytes frame;

		ASSERT_EQ(1, poll(&fd, 1, LONG_MS));
		r = wire_recv(self->link, self->frame, sizeof(self->frame), 0, &frame);
		if (r == 0)
			ASSERT_EQ(0, packet_parse(frame, &answer));
	}
	return r < 0 ? -ENODEV : answer.header.result;
}

/*
 * The driver that served before the sleep, or a fresh one, has powered the card anew. The former may
 * find that the reader was reset before its first answer or behind it.
 */
static void expect_power_before_apdu(SELF, unsigned int power_ons)
{
	unsigned int apdus = self->reader->apdus;
	int r = -ESTALE;

	for (int i = 0; i < 4 && r != 0; i++) {
		r = apdu_unless_it_leaves(self);
		EXPECT_TRUE(r == 0 || r == -ESTALE || r == -ENODEV);
		if (r != -ENODEV)
			continue;
		expect_it_leaves(self);
		drop_driver(self);
		start_driver(self, 0);
		greet(self);
	}
	EXPECT_EQ(0, r);
	EXPECT_LT(power_ons, self->reader->power_ons);
	EXPECT_LE(self->reader->apdus, apdus + 8);
}

TEST_F_TIMEOUT(usb, h17_after_a_sleep_the_card_is_powered_before_the_first_apdu, 90)
{
	unsigned int power_ons;

	plug_in(self, (struct gadget_shape){ .always_active = true });
	start_driver(self, 0);
	greet(self);
	expect_it_goes_on(self);
	power_ons = self->reader->power_ons;
	put_line("/sys/module/suspend/parameters/pm_test_delay", "1");
	put_line("/sys/power/pm_test", "devices");
	put_line("/sys/power/state", "freeze");
	expect_power_before_apdu(self, power_ons);

	power_ons = self->reader->power_ons;
	put_line("/sys/power/pm_test", "none");
	sleep_until_the_alarm();
	expect_power_before_apdu(self, power_ons);
}
