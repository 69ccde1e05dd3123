/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/main.c - keyferry-driver: one reader, one process. It is handed two descriptors, the link
 * to the broker and the reader, and opens nothing itself. Started by keyferryd; see proto.h, "driver
 * only", and keyferry-driver(8).
 */
#include "base/cleanup.h"
#include "base/driver_exit.h"
#include "base/harden.h"
#include "driver/card/match.h"
#include "driver/link/service.h"
#include "driver/sandbox.h"
#include "driver/socket/socket.h"
#include "driver/usb/usb.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#define START_MS	15000u
#define INTERFACE_MAX	255

enum transport { TRANSPORT_NONE, TRANSPORT_SOCKET, TRANSPORT_USB };

struct options {
	int link_fd, reader_fd;
	enum transport transport;
	int interface;		/* bInterfaceNumber; -1: the first that is CCID */
	const char *name;
	bool trace;
};

static const char usage_text[] =
	"usage: keyferry-driver --link-fd N --reader-fd N --transport socket --name NAME [--trace]\n"
	"       keyferry-driver --link-fd N --reader-fd N --transport usb [--interface N]\n"
	"                       --name NAME [--trace]\n"
	"Serves one smart card reader to keyferry-broker. It is started by keyferryd, which hands\n"
	"it both descriptors; there is nothing to gain from starting it by hand.\n";

/* The name stands in front of every line, so whoever reads the journal knows the reader. */
static const char *reader_name = "?";

static void complain(const char *what, int error)
{
	fprintf(stderr, "keyferry-driver: reader=%s: %s: %s\n", reader_name, what,
		strerror(-error));
}

static void trace(const struct card_trace *t)
{
	char n_data[24] = "-";		/* the length of a PIN is part of it */

	if (!t->hide_data)
		(void)snprintf(n_data, sizeof(n_data), "%zu", t->n_data);
	if (t->error < 0)
		fprintf(stderr, "keyferry-driver: reader=%s: apdu %02X %02X %02X %02X lc=%s: %s\n",
			reader_name, t->header[0], t->header[1], t->header[2], t->header[3],
			n_data, strerror(-t->error));
	else
		fprintf(stderr,
			"keyferry-driver: reader=%s: apdu %02X %02X %02X %02X lc=%s len=%zu sw=%04X\n",
			reader_name, t->header[0], t->header[1], t->header[2], t->header[3],
			n_data, t->n_answer, t->sw);
}

/* A descriptor that was handed to us: a number, open, and none of the standard streams. */
static int parse_fd(const char *text, int *out)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n <= STDERR_FILENO || n > INT_MAX)
		return -EINVAL;
	if (fcntl((int)n, F_GETFD) < 0)
		return -EBADF;
	*out = (int)n;
	return 0;
}

static int parse_interface(const char *text, int *out)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 0 || n > INTERFACE_MAX)
		return -EINVAL;
	*out = (int)n;
	return 0;
}

static int parse_transport(const char *text, enum transport *out)
{
	if (strcmp(text, "socket") == 0)
		*out = TRANSPORT_SOCKET;
	else if (strcmp(text, "usb") == 0)
		*out = TRANSPORT_USB;
	else
		return -EPROTONOSUPPORT;
	return 0;
}

enum {
	OPT_LINK = 256, OPT_READER, OPT_TRANSPORT, OPT_INTERFACE, OPT_NAME, OPT_TRACE, OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "link-fd", required_argument, NULL, OPT_LINK },
	{ "reader-fd", required_argument, NULL, OPT_READER },
	{ "transport", required_argument, NULL, OPT_TRANSPORT },
	{ "interface", required_argument, NULL, OPT_INTERFACE },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static int option_take(struct options *o, int option, const char *value)
{
	switch (option) {
	case OPT_LINK:
		return parse_fd(value, &o->link_fd);
	case OPT_READER:
		return parse_fd(value, &o->reader_fd);
	case OPT_TRANSPORT:
		return parse_transport(value, &o->transport);
	case OPT_INTERFACE:
		return parse_interface(value, &o->interface);
	case OPT_NAME:
		o->name = value;
		return value[0] != '\0' && strlen(value) < KF_NAME_MAX ? 0 : -EINVAL;
	case OPT_TRACE:
		o->trace = true;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Return: 0, 1 when the work was to print something, or a negative errno. */
static int options_parse(int argc, char **argv, struct options *o)
{
	int option, r;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(usage_text, stdout);
			return 1;
		}
		if (option == OPT_VERSION) {
			puts("keyferry-driver " KF_VERSION);
			return 1;
		}
		if (option == '?')
			return -EINVAL;		/* getopt has said why */
		r = option_take(o, option, optarg);
		if (r < 0) {
			fprintf(stderr, "keyferry-driver: '%s' cannot be used: %s\n",
				optarg ? optarg : "", strerror(-r));
			return r;
		}
	}
	if (optind != argc || o->link_fd < 0 || o->reader_fd < 0 || !o->name ||
	    o->link_fd == o->reader_fd || o->transport == TRANSPORT_NONE)
		return -EINVAL;
	if (o->interface >= 0 && o->transport != TRANSPORT_USB)
		return -EINVAL;
	return 0;
}

static int open_pipe(const struct options *o, struct deadline deadline, struct pipe **out)
{
	int r;

	if (o->transport == TRANSPORT_SOCKET) {
		r = socket_pipe_new(o->reader_fd, deadline, out);
		if (r < 0)
			complain("the reader did not introduce itself as docs/vreader.md says", r);
	} else {
		r = usb_pipe_new(o->reader_fd, out);
		if (r < 0)
			complain("the USB device cannot be used", r);
	}
	return r;
}

/* What a reader says of itself does not change; all else may be better the next time. */
static int exit_status(int r)
{
	switch (r) {
	case -EBUSY:
		return DRIVER_EXIT_HELD;
	case -EBADMSG:
	case -EOPNOTSUPP:
		return DRIVER_EXIT_REFUSED;
	default:
		return DRIVER_EXIT_FAILED;
	}
}

/* Return: enum driver_exit; DRIVER_EXIT_DONE with *@out. */
static int open_reader(const struct options *o, struct reader **out, uint32_t *guards)
{
	struct deadline deadline = deadline_in(START_MS);
	const char *why = "no reason given";
	struct pipe *pipe;
	int r = open_pipe(o, deadline, &pipe);

	if (r < 0)
		return exit_status(r);
	r = driver_sandbox(guards);
	if (r < 0) {
		complain("this process cannot be closed in", r);
		pipe = pipe_close(pipe);
		return DRIVER_EXIT_FAILED;	/* whatever it was, it is no fault of the reader */
	}
	r = reader_new(pipe, o->interface, deadline, out, &why);
	if (r < 0)
		fprintf(stderr, "keyferry-driver: reader=%s: reader refused: %s\n", reader_name,
			why);
	return r < 0 ? exit_status(r) : DRIVER_EXIT_DONE;
}

static int serve(const struct options *o, struct reader *reader, uint32_t guards)
{
	struct service service = SERVICE_INIT;
	int r;

	r = service_init(&service, o->link_fd, reader, card_drivers);
	if (r < 0) {
		complain("the link to the broker cannot be used", r);
		return r;
	}
	service.trace = o->trace ? trace : NULL;
	service.complain = complain;
	service.guards = guards;
	r = service_run(&service);
	if (r == -EPROTO)
		complain("the broker does not keep to the protocol; are both of one version?", r);
	else if (r < 0)
		complain("leaving", r);
	service_deinit(&service);
	return r;
}

int main(int argc, char **argv)
{
	struct options options = { .link_fd = -1, .reader_fd = -1, .interface = -1 };
	struct reader *reader;
	uint32_t guards = 0;
	int r;

	r = harden_process();
	if (r < 0) {
		complain("this process cannot be closed to debuggers and cores", r);
		return DRIVER_EXIT_FAILED;
	}
	r = options_parse(argc, argv, &options);
	if (r < 0)
		fputs(usage_text, stderr);
	if (r != 0)
		return r < 0 ? DRIVER_EXIT_USAGE : DRIVER_EXIT_DONE;
	reader_name = options.name;
	r = card_match_check(card_drivers);
	if (r < 0) {
		complain("two card drivers of this build claim the same cards equally", r);
		return DRIVER_EXIT_FAILED;
	}
	r = open_reader(&options, &reader, &guards);
	if (r != DRIVER_EXIT_DONE)
		return r;
	r = serve(&options, reader, guards);
	reader = reader_free(reader);
	return r < 0 ? DRIVER_EXIT_FAILED : DRIVER_EXIT_DONE;
}
