/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/channel_run.h - One channel into a SmartCard-HSM, from the command line over a client's relay to what came of
 * it: what keyferry channel's subcommands share.
 */
#pragma once

#include "keyferry/server.h"
#include "libserver/json/relay.h"
#include "tools/args.h"
#include "tools/relay_channel.h"

/**
 * struct channel_run - one run
 * @state, @device, @any_genuine, @roots, @allow_virtual, @last_try: which card, and what is granted to it
 * @serial:	of that card; empty: any
 * @listen:	the socket that the client's relay connects to; or @list and @answers, names of files
 * @seconds:	how long the client may hold the card; @wait_s: how long until it begins
 * @pin_fd:	where PINs come from; -1: the terminal
 * @order:	"pin reset", for reports
 * @id, @round, @next: of the relay, as in docs/formats.md 14
 * @begun:	the first round is back
 * @over:	the client's relay ended, or nobody knows whether it lives
 */
struct channel_run {
	struct ui ui;
	const char *order;
	const char *state, *device;
	bool any_genuine, allow_virtual, last_try;
	struct arg_texts roots;
	const char *listen, *list, *answers;
	uint32_t seconds, wait_s;
	int pin_fd;
	bool gives;
	uint8_t sum[KF_FLEET_CHECK_SIZE];
	char serial[KF_SERIAL_MAX + 1];
	struct kf_channel *channel;
	struct relay_channel relay;
	uint8_t id[RELAY_ID_SIZE];
	uint32_t round, next;
	struct deadline deadline;
	bool begun, over;
};

#define CHANNEL_RUN_INIT(command_, order_) ((struct channel_run){ \
	.ui = { .command = (command_) }, .order = (order_), .seconds = 60, .wait_s = 300, .pin_fd = -1, \
	.relay = { .fd = -1, .server = true }, .next = 1 })

/* Reads the command line: @own and what every channel has. As args_parse(). */
bool channel_parse(struct channel_run *run, const char *summary, const struct arg *own, int argc, char **argv,
		   int *exit_code);

/* A channel with its roots and its card, to give orders to. Return: 0, -errno. */
int channel_prepare(struct channel_run *run, struct kf_error *e);

/* Asks for a PIN; @fresh: one that nobody has typed before, so twice. Return: 0, -errno. */
int channel_ask_pin(const struct channel_run *run, const char *what, bool fresh, struct secret *out, struct kf_error *e);

/* Over the client's relay until the channel is over. Return: 0 all is done; as kf_channel_next(), -errno. */
int channel_carry(struct channel_run *run, struct kf_error *e);

/* Shares of a DKEK, one behind the other, that are to go to the card: their sum is remembered. Return: 0, -errno. */
int channel_gives(struct channel_run *run, const struct secret *shares, struct kf_error *e);

/*
 * Has the state note by which way the card got shares, if it got any and there is a state; @r: how the channel ended. What
 * may have been given counts as given, for a note too many makes no grade too high. Return: @r; -errno if all but the note
 * is done, with words that say so.
 */
int channel_note_dkek(struct channel_run *run, int r, struct kf_error *e);

/* What is the same in every report. @more is taken. Return: the exit code. */
int channel_report(struct channel_run *run, json_t *more);

/* Tells a failure. Return: the exit code. */
int channel_fail(struct channel_run *run, struct kf_error *e, int r);

void channel_close(struct channel_run *run);
