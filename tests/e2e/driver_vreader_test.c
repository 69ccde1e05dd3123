/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/driver_vreader_test.c - keyferry-driver against keyferry-vreader, two real programs and
 * the real card application, at every exchange level. The test is the broker.
 */
#include "proto/packet.h"
#include "proto/wire.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIN	"123456"
#define PUK	"12345678"
#define SERIAL	"KF-E2E-1"

FIXTURE(pair) {
	char dir[64], socket[96];
	pid_t reader, driver;
	int link;
	uint32_t seq;
	uint8_t frame[KF_PACKET_MAX];
};
FIXTURE_VARIANT(pair) { const char *level, *more; };
FIXTURE_VARIANT_ADD(pair, extended) { "extended", NULL };
FIXTURE_VARIANT_ADD(pair, short_apdu) { "short", NULL };
FIXTURE_VARIANT_ADD(pair, tpdu_t0) { "tpdu-t0", NULL };
FIXTURE_VARIANT_ADD(pair, tpdu_t1) { "tpdu-t1", NULL };
/* The reader leaves voltage, PPS, parameters and rate to the driver. */
FIXTURE_VARIANT_ADD(pair, manual_t0) { "tpdu-t0", "--manual" };
FIXTURE_VARIANT_ADD(pair, manual_t1) { "tpdu-t1", "--manual" };

#define SELF struct fixture_pair *self

static void program(const char *name, char out[static PATH_MAX])
{
	const char *build = getenv("KF_BUILD");

	(void)snprintf(out, PATH_MAX, "%s/bin/%s", build ? build : "build", name);
	if (access(out, X_OK) < 0)
		SKIP("%s is not built; set KF_BUILD to where it is", out);
}

static pid_t spawn(const char *const argv[], int link, int reader)
{
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (pid != 0)
		return pid;
	/* Above 9 first, so that 3 and 4 cannot be each other. */
	if (link >= 0) {
		link = fcntl(link, F_DUPFD, 10);
		reader = fcntl(reader, F_DUPFD, 10);
		if (dup2(link, 3) < 0 || dup2(reader, 4) < 0)
			_exit(126);
		(void)close(link);
		(void)close(reader);
	}
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static int wait_for(pid_t pid)
{
	int status = -1;

	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int connect_reader(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int big = 262144, fd, left = harness_patience_ms(5000);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	for (;;) {
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		ASSERT_GE(fd, 0);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			break;
		(void)close(fd);
		ASSERT_GT(left, 0);
		(void)usleep(10000);
		left -= 10;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	return fd;
}

static void start(SELF, const char *level, const char *driver_name, const char *more)
{
	char vreader[PATH_MAX], driver[PATH_MAX], state[80];
	int ends[2], reader_fd;

	program("keyferry-vreader", vreader);
	program(driver_name, driver);
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-e2e-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	(void)snprintf(state, sizeof(state), "%s/card", self->dir);
	(void)snprintf(self->socket, sizeof(self->socket), "%s/reader", self->dir);

	const char *make[] = { vreader, "personalise", "--state", state, "--serial", SERIAL, "--pin", PIN,
			 "--puk", PUK, NULL };
	ASSERT_EQ(0, wait_for(spawn(make, -1, -1)));
	const char *run[] = { vreader, "run", "--state", state, "--listen", self->socket, "--level",
			level, more, NULL };
	self->reader = spawn(run, -1, -1);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	reader_fd = connect_reader(self->socket);
	const char *serve[] = { driver, "--link-fd", "3", "--reader-fd", "4", "--transport", "socket",
			  "--name", "virtual:test", NULL };
	self->driver = spawn(serve, ends[1], reader_fd);
	(void)close(ends[1]);
	(void)close(reader_fd);
	self->link = ends[0];
}

static void end(SELF)
{
	char command[128];

	(void)close(self->link);
	if (self->driver > 0) {
		(void)kill(self->driver, SIGKILL);
		(void)waitpid(self->driver, NULL, 0);
	}
	if (self->reader > 0) {
		(void)kill(self->reader, SIGKILL);
		(void)waitpid(self->reader, NULL, 0);
	}
	(void)snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	/* The folder is our own, from mkdtemp(). NOLINTNEXTLINE(cert-env33-c) */
	if (self->dir[0] && system(command) != 0)
		TEST_LOG("%s stays behind", self->dir);
}

FIXTURE_SETUP(pair) { start(self, variant->level, "keyferry-driver", variant->more); }
FIXTURE_TEARDOWN(pair) { end(self); }

static void receive(SELF, struct packet *out)
{
	struct pollfd fd = { .fd = self->link, .events = POLLIN };
	struct bytes frame;

	ASSERT_EQ(1, poll(&fd, 1, harness_patience_ms(60000)));
	ASSERT_EQ(0, wire_recv(self->link, self->frame, sizeof(self->frame), 0, &frame));
	ASSERT_EQ(0, packet_parse(frame, out));
}

static void send_request(SELF, const struct packet *request)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, packet_pack(request, &p));
	ASSERT_EQ(0, wire_send(self->link, pack_done(&p), 0));
}

static struct packet ask(SELF, uint32_t request)
{
	return packet_request(request, ++self->seq, 60000);
}

/* One request and its reply. */
static int call(SELF, const struct packet *request, struct packet *reply)
{
	send_request(self, request);
	receive(self, reply);
	EXPECT_EQ(KF_KIND_REPLY, reply->header.kind);
	EXPECT_EQ(request->header.seq, reply->header.seq);
	EXPECT_EQ(request->header.request, reply->header.request);
	return reply->header.result;
}

static const struct kf_drv_event *event(SELF, struct packet *packet)
{
	receive(self, packet);
	EXPECT_EQ(KF_KIND_EVENT, packet->header.kind);
	return packet_read(packet);
}

static void greet(SELF)
{
	struct packet request = ask(self, KF_DRV_HELLO), reply;
	struct kf_drv_hello *hello = packet_body(&request);
	const struct kf_drv_event *inserted;

	hello->version = KF_PROTO_VERSION;
	ASSERT_EQ(0, call(self, &request, &reply));
	hello = packet_body(&reply);
	EXPECT_EQ(KF_PROTO_VERSION, hello->version);
	EXPECT_NE(0u, hello->max_message);
	EXPECT_NE('\0', hello->product_name[0]);
	inserted = event(self, &reply);
	ASSERT_EQ(KF_CHANGE_CARD_INSERTED, inserted->change);
	EXPECT_STREQ("keyferry", inserted->card);
	EXPECT_TRUE(inserted->flags & KF_CARD_SESSIONS_STAY);
	EXPECT_BYTES_EQ(BYTES(SERIAL, strlen(SERIAL)),
			BYTES(inserted->serial, inserted->serial_len));
	EXPECT_GE(inserted->atr_len, 2u);
}

static int verify(SELF, const char *pin, struct packet *reply)
{
	struct packet request = ask(self, KF_PIN_VERIFY);
	struct kf_pin_verify *body = packet_body(&request);

	body->pin = KF_PIN_USER;
	packet_set(&request, kf_pin_verify, value, BYTES(pin, strlen(pin)));
	return call(self, &request, reply);
}

static int create(SELF, uint32_t container, enum kf_key_type type, enum kf_purpose purpose,
		  struct packet *reply)
{
	struct packet request = ask(self, KF_CONTAINER_CREATE);
	struct kf_container_create *body = packet_body(&request);

	body->container = container;
	body->key_type = type;
	body->purpose = purpose;
	return call(self, &request, reply);
}

static int sign(SELF, uint32_t container, struct bytes digest, struct packet *reply)
{
	struct packet request = ask(self, KF_SIGN);
	struct kf_sign *body = packet_body(&request);

	body->container = container;
	body->padding = KF_PADDING_NONE;
	body->hash = KF_HASH_SHA256;
	packet_set(&request, kf_sign, digest, digest);
	return call(self, &request, reply);
}

TEST_F_TIMEOUT(pair, a_card_is_greeted_described_and_read, 60)
{
	struct packet request, reply;

	greet(self);
	request = ask(self, KF_CARD_INFO);
	ASSERT_EQ(0, call(self, &request, &reply));
	const struct kf_card_info *info = packet_read(&reply);
	EXPECT_STREQ("keyferry", info->driver);
	EXPECT_EQ((uint32_t)(KF_IMPORT_RSA | KF_IMPORT_ECC), info->key_import);
	EXPECT_EQ(16u, info->n_containers);
	EXPECT_EQ((uint32_t)KF_CHAIN_CBC, info->chain_modes);
	EXPECT_EQ((uint32_t)KF_LEVEL_VIRTUAL, info->level);
	EXPECT_TRUE(info->flags & KF_CARD_OPEN_IMPORT);
	EXPECT_EQ(3, info->tries[KF_PIN_USER]);

	request = ask(self, KF_DEVICE_CERT);
	ASSERT_EQ(0, call(self, &request, &reply));
	EXPECT_GT(packet_get(&reply, kf_device_cert, chain).n, (size_t)200);

	request = ask(self, KF_CONTAINER_LIST);
	ASSERT_EQ(0, call(self, &request, &reply));
	EXPECT_EQ(16 * sizeof(struct kf_container_entry),
		  packet_get(&reply, kf_container_list, containers).n);
}

TEST_F_TIMEOUT(pair, a_pin_a_key_a_signature, 60)
{
	uint8_t digest[32] = { 1, 2, 3 };
	struct packet reply, request;

	greet(self);
	EXPECT_EQ(-EPERM, create(self, KF_CONTAINER_ANY, KF_KEY_EC_P256, KF_PURPOSE_SIGN, &reply));
	EXPECT_EQ(KF_REASON_PIN_NEEDED, reply.header.reason);
	EXPECT_EQ(-EKEYREJECTED, verify(self, "000000", &reply));
	EXPECT_EQ(2u, reply.header.detail);
	EXPECT_EQ(0x63c2, reply.header.sw);
	ASSERT_EQ(0, verify(self, PIN, &reply));
	ASSERT_EQ(0, create(self, KF_CONTAINER_ANY, KF_KEY_EC_P256, KF_PURPOSE_SIGN, &reply));
	EXPECT_GT(packet_get(&reply, kf_container_create, spki).n, (size_t)80);
	EXPECT_EQ(-EEXIST, create(self, 0, KF_KEY_EC_P256, KF_PURPOSE_SIGN, &reply));
	ASSERT_EQ(0, sign(self, 0, BYTES_OF(digest), &reply));
	EXPECT_GT(packet_get(&reply, kf_sign, signature).n, (size_t)60);

	request = ask(self, KF_DRV_DROP);
	ASSERT_EQ(0, call(self, &request, &reply));
	EXPECT_EQ(0u, ((const struct kf_drv_drop *)packet_read(&reply))->flags);
	EXPECT_EQ(-EPERM, sign(self, 0, BYTES_OF(digest), &reply));
	EXPECT_EQ((uint32_t)KF_PIN_USER, reply.header.detail);
}

TEST_F_TIMEOUT(pair, the_last_try_is_spent_only_by_who_says_so, 60)
{
	struct packet reply, request;
	struct kf_pin_verify *body;

	greet(self);
	EXPECT_EQ(-EKEYREJECTED, verify(self, "000000", &reply));
	EXPECT_EQ(-EKEYREJECTED, verify(self, "000000", &reply));
	EXPECT_EQ(-EPERM, verify(self, PIN, &reply));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, reply.header.reason);
	request = ask(self, KF_PIN_VERIFY);
	body = packet_body(&request);
	body->pin = KF_PIN_USER;
	body->flags = KF_PIN_LAST_TRY;
	packet_set(&request, kf_pin_verify, value, BYTES(PIN, strlen(PIN)));
	EXPECT_EQ(0, call(self, &request, &reply));
}

TEST_F_TIMEOUT(pair, an_offer_carries_statement_and_certificate, 60)
{
	struct packet request, reply;
	struct kf_offer *offer;

	greet(self);
	request = ask(self, KF_OFFER);
	offer = packet_body(&request);
	offer->container = KF_CONTAINER_ANY;
	offer->method = KF_METHOD_RSA;
	offer->exchange_type = KF_KEY_RSA_2048;
	memset(offer->nonce, 0x5a, sizeof(offer->nonce));
	ASSERT_EQ(0, call(self, &request, &reply));
	offer = packet_body(&reply);
	EXPECT_EQ(0u, offer->container);
	EXPECT_EQ(KF_CONTAINER_ANY, offer->exchange_container);
	EXPECT_FALSE(bytes_are_zero(BYTES_OF(offer->sid)));
	EXPECT_GT(packet_get(&reply, kf_offer, statement).n, (size_t)400);
	EXPECT_GT(packet_get(&reply, kf_offer, chain).n, (size_t)200);
}

TEST_F_TIMEOUT(pair, a_power_cycle_forgets_the_pin, 60)
{
	uint8_t digest[32] = { 1 };
	struct packet request, reply;

	greet(self);
	ASSERT_EQ(0, verify(self, PIN, &reply));
	ASSERT_EQ(0, create(self, 3, KF_KEY_EC_P256, KF_PURPOSE_SIGN, &reply));
	request = ask(self, KF_DRV_POWER_CYCLE);
	ASSERT_EQ(0, call(self, &request, &reply));
	EXPECT_GE(((const struct kf_drv_power_cycle *)packet_read(&reply))->atr_len, 2u);
	EXPECT_EQ(-EPERM, sign(self, 3, BYTES_OF(digest), &reply));
}

TEST_F_TIMEOUT(pair, the_driver_leaves_when_the_card_is_pulled, 60)
{
	struct packet packet;

	greet(self);
	ASSERT_EQ(0, kill(self->reader, SIGUSR1));
	EXPECT_EQ(KF_CHANGE_CARD_REMOVED, event(self, &packet)->change);
	EXPECT_EQ(0, wait_for(self->driver));
	self->driver = 0;
}

TEST_F_TIMEOUT(pair, the_driver_leaves_with_its_reader, 60)
{
	greet(self);
	ASSERT_EQ(0, kill(self->reader, SIGKILL));
	EXPECT_EQ(0, wait_for(self->driver));
	self->driver = 0;
}

TEST_F_TIMEOUT(pair, the_driver_leaves_with_its_broker, 60)
{
	greet(self);
	(void)shutdown(self->link, SHUT_RDWR);
	EXPECT_EQ(0, wait_for(self->driver));
	self->driver = 0;
}

TEST_F_TIMEOUT(pair, a_cancel_ends_a_running_command, 60)
{
	struct packet request, cancel, reply;
	struct kf_container_create *body;

	greet(self);
	ASSERT_EQ(0, verify(self, PIN, &reply));
	request = ask(self, KF_CONTAINER_CREATE);
	body = packet_body(&request);
	body->container = 1;
	body->key_type = KF_KEY_RSA_3072;
	body->purpose = KF_PURPOSE_SIGN;
	send_request(self, &request);
	(void)usleep(30000);		/* a quarter of what the luckiest key takes */
	cancel = ask(self, KF_CANCEL);
	((struct kf_cancel *)packet_body(&cancel))->seq = request.header.seq;
	send_request(self, &cancel);
	receive(self, &reply);
	ASSERT_EQ(KF_KIND_REPLY, reply.header.kind);
	if (reply.header.result == 0)
		SKIP("this machine made the key before it could be cancelled");
	EXPECT_EQ(-ECANCELED, reply.header.result);
	EXPECT_EQ(KF_REASON_ON_CARD, reply.header.reason);
	EXPECT_EQ(KF_CHANGE_CARD_RESET, event(self, &reply)->change);
	EXPECT_EQ(-EPERM, create(self, 2, KF_KEY_EC_P256, KF_PURPOSE_SIGN, &reply));
}

/* Whether @needle is in the writable memory of @pid. */
static bool is_in_memory(pid_t pid, const char *needle)
{
	char path[64], line[512];
	unsigned long from, to;
	bool found = false;
	FILE *maps;
	int mem;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (!maps || mem < 0)
		SKIP("needs root: reads another process's memory");
	while (!found && fgets(line, sizeof(line), maps)) {
		char mode[8];
		uint8_t *copy;
		ssize_t n;

		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w')
			continue;
		copy = malloc(to - from);
		n = pread(mem, copy, to - from, (off_t)from);
		found = n > 0 && memmem(copy, (size_t)n, needle, strlen(needle));
		free(copy);
	}
	(void)fclose(maps);
	(void)close(mem);
	return found;
}

static void plant_pin(SELF, bool stays)
{
	struct packet reply;

	if (HARNESS_SANITIZED)
		SKIP("sanitizers keep freed memory on purpose");
	if (geteuid() != 0)
		SKIP("needs root: reads another process's memory");
	greet(self);
	EXPECT_EQ(-EKEYREJECTED, verify(self, "K7q.planted-PIN.x2", &reply));
	EXPECT_EQ(stays, is_in_memory(self->driver, "K7q.planted-PIN.x2"));
	ASSERT_EQ(0, verify(self, PIN, &reply));
}

TEST_F_TIMEOUT(pair, no_pin_stays_in_the_driver, 60)
{
	plant_pin(self, false);
}

/* The control of that search: a driver that keeps PINs, which is never installed, is found out. */
FIXTURE(leaky) { struct fixture_pair pair; };
FIXTURE_SETUP(leaky) { start(&self->pair, "extended", "../tests/e2e/leaky_driver", NULL); }
FIXTURE_TEARDOWN(leaky) { end(&self->pair); }

TEST_F_TIMEOUT(leaky, a_pin_that_stays_is_found, 60)
{
	plant_pin(&self->pair, true);
}

TEST_F_TIMEOUT(pair, whoever_breaks_the_protocol_is_left, 60)
{
	static const uint8_t noise[] = { 0xff, 1, 2 };

	greet(self);
	ASSERT_EQ(0, wire_send(self->link, BYTES_OF(noise), 0));
	EXPECT_EQ(1, wait_for(self->driver));
	self->driver = 0;
}
