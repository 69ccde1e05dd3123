/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run: put the card into the reader and serve. Nothing is printed while all is well.
 */
#include "vreader/cmd.h"

#include "base/listen.h"
#include "vreader/gadget/gadget.h"
#include "vreader/reader/line.h"
#include "vreader/reader/listen.h"
#include "vreader/reader/misbehave.h"
#include "vreader/reader/vpcd.h"
#include "vreader/reader/vscard.h"
#include "vreader/vcard.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#define BACKLOG 8	/* of hosts: one is served, the others wait */

/**
 * struct run - what the command line asked for
 * @vpcd_host:	host part of --vpcd, allocated; @vpcd_service points behind its colon
 * @state_dir:	of the cards, slot by slot
 * @n_slots:	0: as many as there are cards
 * @keypad_path: FIFO on which a person types
 * @max_message: 0: what the level has
 * @usb:	be a USB device, as @gadget says
 */
struct run {
	const char *state_dir[SHAPE_SLOTS_MAX];
	size_t n_states;
	unsigned long n_slots;
	const char *keypad_path;
	const char *listen_path;
	char *vpcd_host;
	const char *vpcd_service;
	const char *vscard_path;
	struct shape shape;
	unsigned long max_message;
	unsigned long latency_ms;
	unsigned long socket_mode;
	bool level_given;
	bool empty;
	bool usb;
	struct gadget_options gadget;
	struct misbehave misbehave;
};

enum option_id {
	OPT_STATE = 256, OPT_LISTEN, OPT_VPCD, OPT_LEVEL, OPT_LATENCY, OPT_MISBEHAVE, OPT_MESSAGE,
	OPT_NO_INTERRUPT, OPT_MANUAL, OPT_EMPTY, OPT_USB_ID, OPT_MODE,
	OPT_VSCARD, OPT_GADGET, OPT_UDC, OPT_CONFIGFS, OPT_FFS, OPT_NO_ZLP,
	OPT_SLOTS, OPT_PINPAD, OPT_KEYPAD,
};

static const struct option options[] = {
	{ "state", required_argument, NULL, OPT_STATE },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "vpcd", required_argument, NULL, OPT_VPCD },
	{ "level", required_argument, NULL, OPT_LEVEL },
	{ "latency", required_argument, NULL, OPT_LATENCY },
	{ "misbehave", required_argument, NULL, OPT_MISBEHAVE },
	{ "max-message", required_argument, NULL, OPT_MESSAGE },
	{ "no-interrupt", no_argument, NULL, OPT_NO_INTERRUPT },
	{ "manual", no_argument, NULL, OPT_MANUAL },
	{ "empty", no_argument, NULL, OPT_EMPTY },
	{ "usb-id", required_argument, NULL, OPT_USB_ID },
	{ "slots", required_argument, NULL, OPT_SLOTS },
	{ "pinpad", no_argument, NULL, OPT_PINPAD },
	{ "keypad", required_argument, NULL, OPT_KEYPAD },
	{ "socket-mode", required_argument, NULL, OPT_MODE },
	{ "vscard", required_argument, NULL, OPT_VSCARD },
	{ "gadget", no_argument, NULL, OPT_GADGET },
	{ "udc", required_argument, NULL, OPT_UDC },
	{ "configfs", required_argument, NULL, OPT_CONFIGFS },
	{ "ffs", required_argument, NULL, OPT_FFS },
	{ "no-zlp", no_argument, NULL, OPT_NO_ZLP },
	{ NULL, 0, NULL, 0 },
};

static int parse_number(const char *text, int base, unsigned long max, unsigned long *out)
{
	unsigned long n;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, base);
	if (errno != 0 || *end != '\0' || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

static int parse_level(struct run *run, const char *name)
{
	static const struct { const char *name; enum shape_level level; } levels[] = {
		{ "extended", SHAPE_EXTENDED },
		{ "short", SHAPE_SHORT },
		{ "tpdu-t0", SHAPE_TPDU_T0 },
		{ "tpdu-t1", SHAPE_TPDU_T1 },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(name, levels[i].name) == 0) {
			shape_set_level(&run->shape, levels[i].level);
			return 0;
		}
	}
	return cmd_fail(CMD_USAGE, "--level %s: there is no such level; say extended, short, "
			"tpdu-t0 or tpdu-t1.", name);
}

/* HOST:PORT; an IPv6 address may stand in brackets. */
static int parse_vpcd(struct run *run, const char *spec)
{
	char *colon, *host;

	free(run->vpcd_host);
	run->vpcd_host = host = strdup(spec);
	if (!host)
		return cmd_fail(CMD_FAILED, "out of memory");
	colon = strrchr(host, ':');
	if (!colon || colon == host || colon[1] == '\0')
		return cmd_fail(CMD_USAGE, "--vpcd %s: not HOST:PORT; pcscd's own is 127.0.0.1:35963.",
				spec);
	*colon = '\0';
	run->vpcd_service = colon + 1;
	if (host[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	return 0;
}

static int parse_misbehave(struct run *run, const char *spec)
{
	switch (misbehave_add(&run->misbehave, spec)) {
	case 0:
		return 0;
	case -ENOENT:
		return cmd_fail(CMD_USAGE, "--misbehave %s: no misbehaviour has that name; "
				"--misbehave list shows them.", spec);
	case -E2BIG:
		return cmd_fail(CMD_USAGE, "--misbehave %s: %d at once are the most.", spec,
				MISBEHAVE_MAX);
	default:
		return cmd_fail(CMD_USAGE, "--misbehave %s: what follows = counts from 1.", spec);
	}
}

static int parse_usb_id(struct run *run, const char *spec)
{
	unsigned int vendor, product;
	char rest;

	if (strlen(spec) != 9 || sscanf(spec, "%4x:%4x%c", &vendor, &product, &rest) != 2)
		return cmd_fail(CMD_USAGE, "--usb-id %s: not VID:PID in four hexadecimal digits each.",
				spec);
	run->shape.vendor = (uint16_t)vendor;
	run->shape.product = (uint16_t)product;
	return 0;
}

/* Each of them says where or how the USB device is, so each also says that there is one. */
static int parse_gadget(struct run *run, int id, const char *value)
{
	run->usb = true;
	if (id == OPT_UDC)
		run->gadget.udc = value;
	else if (id == OPT_CONFIGFS)
		run->gadget.configfs = value;
	else if (id == OPT_FFS)
		run->gadget.ffs = value;
	else if (id == OPT_NO_ZLP)
		run->gadget.no_zlp = true;
	return 0;
}

static int parse_option(struct run *run, int id, const char *value)
{
	switch (id) {
	case OPT_STATE:
		if (run->n_states == SHAPE_SLOTS_MAX)
			return cmd_fail(CMD_USAGE, "--state %s: %d cards are the most.", value,
					SHAPE_SLOTS_MAX);
		run->state_dir[run->n_states++] = value;
		return 0;
	case OPT_SLOTS:
		if (parse_number(value, 10, SHAPE_SLOTS_MAX, &run->n_slots) < 0 || run->n_slots == 0)
			return cmd_fail(CMD_USAGE, "--slots %s: not 1 to %d.", value,
					SHAPE_SLOTS_MAX);
		return 0;
	case OPT_KEYPAD:
		run->keypad_path = value;
		run->shape.keypad = true;
		return 0;
	case OPT_PINPAD:
		run->shape.keypad = true;
		return 0;
	case OPT_LISTEN:
		run->listen_path = value;
		return 0;
	case OPT_VPCD:
		return parse_vpcd(run, value);
	case OPT_LEVEL:
		return parse_level(run, value);
	case OPT_LATENCY:
		if (parse_number(value, 10, 600000, &run->latency_ms) < 0)
			return cmd_fail(CMD_USAGE, "--latency %s: not 0 to 600000 milliseconds.", value);
		return 0;
	case OPT_MESSAGE:
		if (parse_number(value, 10, SHAPE_MESSAGE_MAX, &run->max_message) < 0 ||
		    run->max_message < SHAPE_MESSAGE_MIN)
			return cmd_fail(CMD_USAGE, "--max-message %s: not %d to %d bytes.", value,
					SHAPE_MESSAGE_MIN, SHAPE_MESSAGE_MAX);
		return 0;
	case OPT_MODE:
		if (parse_number(value, 8, 0777, &run->socket_mode) < 0)
			return cmd_fail(CMD_USAGE, "--socket-mode %s: not an octal mode such as 0660.",
					value);
		return 0;
	case OPT_MISBEHAVE:
		return parse_misbehave(run, value);
	case OPT_USB_ID:
		return parse_usb_id(run, value);
	case OPT_NO_INTERRUPT:
		run->shape.interrupt = false;
		return 0;
	case OPT_MANUAL:
		run->shape.manual = true;
		return 0;
	case OPT_EMPTY:
		run->empty = true;
		return 0;
	case OPT_VSCARD:
		run->vscard_path = value;
		return 0;
	case OPT_GADGET:
	case OPT_UDC:
	case OPT_CONFIGFS:
	case OPT_FFS:
	case OPT_NO_ZLP:
		return parse_gadget(run, id, value);
	default:
		return cmd_fail(CMD_USAGE, "keyferry-vreader --help shows what run understands.");
	}
}

/* The option by which the card goes into a reader that is not ours, or NULL. */
static const char *foreign_reader(const struct run *run)
{
	if (run->vscard_path)
		return "--vscard";
	return run->vpcd_host ? "--vpcd" : NULL;
}

static int check(struct run *run)
{
	if (run->n_slots == 0)
		run->n_slots = run->n_states;
	run->shape.n_slots = (uint8_t)run->n_slots;
	if (run->n_states == 0)
		return cmd_fail(CMD_USAGE, "--state is missing: the directory that personalise filled.");
	if (!!run->listen_path + !!run->vpcd_host + !!run->vscard_path + run->usb != 1)
		return cmd_fail(CMD_USAGE, "say one of --listen PATH, --gadget, --vpcd HOST:PORT "
				"and --vscard PATH.");
	if (run->gadget.ffs && (run->gadget.udc || run->gadget.configfs))
		return cmd_fail(CMD_USAGE, "--ffs: that device is somebody else's, who binds it to a "
				"controller. Leave out --udc and --configfs.");
	if (run->n_states > run->n_slots)
		return cmd_fail(CMD_USAGE, "--slots %lu: there are more --state cards than slots.",
				run->n_slots);
	if (foreign_reader(run) && (run->n_slots != 1 || run->shape.keypad))
		return cmd_fail(CMD_USAGE, "slots and keypads are the reader's, and with %s it is not "
				"ours; use --listen or --gadget.", foreign_reader(run));
	if (foreign_reader(run) && run->misbehave.n_chosen != 0)
		return cmd_fail(CMD_USAGE, "--misbehave is the reader's, and with %s it is not ours; "
				"use --listen.", foreign_reader(run));
	if (run->shape.manual && !shape_is_tpdu(&run->shape))
		return cmd_fail(CMD_USAGE, "--manual is for TPDU levels: a reader that takes whole APDUs "
				"does the rest itself. Say --level tpdu-t0 or tpdu-t1.");
	if (run->max_message != 0)
		run->shape.max_message = (uint32_t)run->max_message;
	return 0;
}

/* Blocked before any thread exists, so that all of them inherit it and the descriptor gets all. */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int explain_listen(const char *path, int r)
{
	switch (r) {
	case -EADDRINUSE:
		return cmd_fail(CMD_TRANSPORT, "%s: another program listens there. Stop it or choose "
				"another path.", path);
	case -EEXIST:
		return cmd_fail(CMD_TRANSPORT, "%s: there is something that is no socket. We do not "
				"replace it; remove it yourself.", path);
	case -ENAMETOOLONG:
		return cmd_fail(CMD_TRANSPORT, "%s: longer than the 107 bytes a socket path may have.",
				path);
	default:
		return cmd_fail(CMD_TRANSPORT, "%s: cannot listen: %s.", path, strerror(-r));
	}
}

static int serve_socket(struct run *run, struct vcard *const *cards, int signal_fd)
{
	const struct line_options options_of_line = {
		.shape = &run->shape,
		.misbehave = &run->misbehave,
		.latency_ms = (unsigned int)run->latency_ms,
		.signal_fd = signal_fd,
		.keypad_path = run->keypad_path,
	};
	_cleanup_(fd_closep) int fd = -1;
	struct line line;
	int r;

	fd = listen_open(run->listen_path, (mode_t)run->socket_mode, BACKLOG);
	if (fd < 0)
		return explain_listen(run->listen_path, fd);
	r = line_init(&line, &options_of_line, cards);
	if (r == 0) {
		if (run->empty)
			ccid_dev_remove(&line.dev);
		r = listen_serve(fd, &line);
		line_deinit(&line);
	}
	(void)unlink(run->listen_path);
	if (r < 0)
		return cmd_fail(CMD_TRANSPORT, "%s: cannot serve: %s.", run->listen_path, strerror(-r));
	return CMD_OK;
}

static int serve_gadget(struct run *run, struct vcard *const *cards, int signal_fd)
{
	const struct line_options options_of_line = {
		.shape = &run->shape,
		.misbehave = &run->misbehave,
		.latency_ms = (unsigned int)run->latency_ms,
		.signal_fd = signal_fd,
		.keypad_path = run->keypad_path,
	};
	char why[COMPOSITE_WHY_MAX] = "out of memory.";
	struct line line;
	int r = line_init(&line, &options_of_line, cards);

	if (r == 0) {
		if (run->empty)
			ccid_dev_remove(&line.dev);
		r = gadget_serve(&run->gadget, &line, &run->shape, why);
		line_deinit(&line);
	}
	return r < 0 ? cmd_fail(CMD_TRANSPORT, "%s.", why) : CMD_OK;
}

static int serve_vpcd(const struct run *run, struct vcard *card, int signal_fd)
{
	const struct vpcd vpcd = {
		.host = run->vpcd_host,
		.service = run->vpcd_service,
		.card = card,
		.signal_fd = signal_fd,
		.latency_ms = (unsigned int)run->latency_ms,
	};
	int r = vpcd_serve(&vpcd);

	if (r < 0)
		return cmd_fail(CMD_TRANSPORT, "%s:%s: %s. pcscd must run with vsmartcard's vpcd, which "
				"listens on port 35963 as shipped.", vpcd.host, vpcd.service,
				strerror(-r));
	return CMD_OK;
}

static int explain_vscard(const char *path, int r)
{
	switch (r) {
	case -ENAMETOOLONG:
		return cmd_fail(CMD_TRANSPORT, "%s: longer than the 107 bytes a socket path may have.",
				path);
	case -EREMOTEIO:
		return cmd_fail(CMD_TRANSPORT, "%s: QEMU has no reader for this card: its "
				"ccid-card-passthru is to be on a usb-ccid of its own.", path);
	case -EPROTO:
		return cmd_fail(CMD_TRANSPORT, "%s: what came is not what QEMU's ccid-card-passthru "
				"says. See which device has this chardev.", path);
	case -ETIMEDOUT:
		return cmd_fail(CMD_TRANSPORT, "%s: QEMU stalled in the midst of a message. See whether "
				"it was stopped, and start this again.", path);
	default:
		return cmd_fail(CMD_TRANSPORT, "%s: %s. QEMU has to listen there: -chardev socket,"
				"id=card,path=%s,server=on,wait=off -device usb-ccid -device "
				"ccid-card-passthru,chardev=card", path, strerror(-r), path);
	}
}

static int serve_vscard(const struct run *run, struct vcard *card, int signal_fd)
{
	const struct vscard vscard = {
		.path = run->vscard_path,
		.card = card,
		.signal_fd = signal_fd,
		.latency_ms = (unsigned int)run->latency_ms,
		.empty = run->empty,
	};
	int r = vscard_serve(&vscard);

	return r < 0 ? explain_vscard(vscard.path, r) : CMD_OK;
}

/* Made for a person who may type, and for nobody else; one that is there is used as it is. */
static int make_keypad(const char *path)
{
	struct stat st;

	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return cmd_fail(CMD_FAILED, "--keypad %s: %s.", path, strerror(errno));
	if (lstat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
		return cmd_fail(CMD_USAGE, "--keypad %s: something is there that is no FIFO; remove it "
				"or choose another path.", path);
	return CMD_OK;
}

static int serve(struct run *run, struct vcard **cards)
{
	_cleanup_(fd_closep) int signal_fd = -1;
	char why[VCARD_WHY_MAX] = "";

	for (size_t i = 0; i < run->n_states; i++) {
		int r = vcard_open(run->state_dir[i], &cards[i], why);

		if (r < 0)
			return cmd_fail(cmd_exit_of_state(r), "%s", why);
	}
	if (run->keypad_path && make_keypad(run->keypad_path) != CMD_OK)
		return CMD_USAGE;
	signal_fd = open_signals();
	if (signal_fd < 0)
		return cmd_fail(CMD_FAILED, "cannot take signals: %s.", strerror(-signal_fd));
	if (run->usb)
		return serve_gadget(run, cards, signal_fd);
	if (run->vscard_path)
		return serve_vscard(run, cards[0], signal_fd);
	return run->listen_path ? serve_socket(run, cards, signal_fd) :
				  serve_vpcd(run, cards[0], signal_fd);
}

int cmd_run(int argc, char **argv)
{
	struct run run = { .shape = SHAPE_INIT, .socket_mode = 0600, .misbehave = MISBEHAVE_INIT };
	struct vcard *cards[SHAPE_SLOTS_MAX] = { NULL };
	int r = 0, id;

	while (r == 0 && (id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (id == OPT_MISBEHAVE && strcmp(optarg, "list") == 0) {
			misbehave_list(stdout);
			free(run.vpcd_host);
			return fflush(stdout) == 0 ? CMD_OK : CMD_FAILED;
		}
		r = parse_option(&run, id, optarg);
	}
	if (r == 0 && optind != argc)
		r = cmd_fail(CMD_USAGE, "'%s' is one word too many.", argv[optind]);
	if (r == 0)
		r = check(&run);
	if (r == 0)
		r = serve(&run, cards);
	for (size_t i = 0; i < SHAPE_SLOTS_MAX; i++)
		cards[i] = vcard_free(cards[i]);
	free(run.vpcd_host);
	return r;
}
