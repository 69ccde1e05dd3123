/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vreader/reader/host.h"

#include "tests/harness.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

static void *serve_main(void *arg)
{
	struct host *host = (struct host *)arg;

	host->result = line_serve(&host->line, host->line_fd);
	(void)shutdown(host->line_fd, SHUT_RDWR);
	return NULL;
}

static void start(struct host *host, const char *spec, const char *keypad_path)
{
	struct line_options options;
	char why[VCARD_WHY_MAX];
	sigset_t set;
	int fds[2];

	if (spec)
		ASSERT_EQ(0, misbehave_add(&host->misbehave, spec));
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigaddset(&set, SIGTERM);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	host->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	host->fd = fds[0];
	host->line_fd = fds[1];
	for (unsigned int i = 0; i < host->shape.n_slots; i++)
		ASSERT_EQ(0, vcard_open("", &host->card[i], why));
	options = (struct line_options){
		.shape = &host->shape,
		.misbehave = &host->misbehave,
		.signal_fd = host->signal_fd,
		.keypad_path = keypad_path,
	};
	ASSERT_EQ(0, line_init(&host->line, &options, host->card));
	ASSERT_EQ(0, pthread_create(&host->thread, NULL, serve_main, host));
}

void host_start_typed(struct host *host, enum shape_level level, const char *spec,
		      const char *keypad_path)
{
	*host = (struct host){ .shape = SHAPE_INIT, .misbehave = MISBEHAVE_INIT };
	shape_set_level(&host->shape, level);
	host->shape.keypad = keypad_path != NULL;
	start(host, spec, keypad_path);
}

void host_start(struct host *host, enum shape_level level, const char *spec)
{
	host_start_typed(host, level, spec, NULL);
}

void host_start_two(struct host *host, enum shape_level level)
{
	*host = (struct host){ .shape = SHAPE_INIT, .misbehave = MISBEHAVE_INIT };
	shape_set_level(&host->shape, level);
	host->shape.n_slots = 2;
	start(host, NULL, NULL);
}

int host_stop(struct host *host)
{
	host->fd = fd_close(host->fd);
	ASSERT_EQ(0, pthread_join(host->thread, NULL));
	line_deinit(&host->line);
	host->card[0] = vcard_free(host->card[0]);
	host->card[1] = vcard_free(host->card[1]);
	host->line_fd = fd_close(host->line_fd);
	host->signal_fd = fd_close(host->signal_fd);
	return host->result;
}

struct bytes host_take(struct host *host, int ms)
{
	struct pollfd p = { host->fd, POLLIN, 0 };
	ssize_t n;

	if (poll(&p, 1, harness_patience_ms(ms)) <= 0)
		return BYTES_NONE;
	n = recv(host->fd, host->packet, sizeof(host->packet), 0);
	return n > 0 ? BYTES(host->packet, n) : BYTES_NONE;
}

struct bytes host_take_kind(struct host *host, enum line_kind kind, int ms)
{
	struct bytes b;

	do
		b = host_take(host, ms);
	while (b.n != 0 && b.p[0] != kind);
	return bytes_slice(b, 1, b.n);
}

void host_send(struct host *host, enum line_kind kind, struct bytes body)
{
	static uint8_t buf[LINE_PACKET_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, (uint8_t)kind);
	pack_bytes(&p, body);
	ASSERT_EQ((ssize_t)p.n, send(host->fd, p.p, p.n, MSG_NOSIGNAL));
}

void host_command(struct host *host, uint8_t type, struct bytes data)
{
	static uint8_t buf[SHAPE_MESSAGE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, type);
	pack_le32(&p, (uint32_t)data.n);
	pack_u8(&p, 0);
	pack_u8(&p, ++host->seq);
	pack_zero(&p, 3);
	pack_bytes(&p, data);
	host_send(host, LINE_BULK, pack_done(&p));
}

void host_power_on(struct host *host)
{
	ASSERT_GT(host_take_kind(host, LINE_DESCRIPTORS, 2000).n, 0u);
	host_command(host, 0x62, BYTES_NONE);
	ASSERT_GT(host_take_kind(host, LINE_BULK, 2000).n, 10u);
}

void host_signal(struct host *host, int signo)
{
	host_signal_slot(host, signo, 0);
}

void host_signal_slot(struct host *host, int signo, int slot)
{
	(void)host;
	ASSERT_EQ(0, sigqueue(getpid(), signo, (union sigval){ .sival_int = slot }));
}
