/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/line.h - The reader at the end of one socket (docs/vreader.md): packets to device
 * and back, halted endpoints, card movement by signal, and patience while the card computes.
 *
 * Two threads share a line, and `lock` says which one acts. The serving thread reads packets and
 * runs the card itself, so an ordinary command costs no hand-over. Only while it is away in the
 * card for longer than PATIENCE_MS does the second thread wake, send time extensions, and read
 * packets in its place: an Abort, a status question, a host that hangs up.
 */
#pragma once

#include "vreader/reader/ccid_dev.h"
#include "vreader/reader/finger.h"
#include "vreader/reader/misbehave.h"

#include <pthread.h>

enum {
	LINE_PACKET_MAX = 1 + SHAPE_MESSAGE_MAX,
	LINE_PATIENCE_MS = 500,		/* well inside BWT (1.4 s) and what hosts grant at least */
	LINE_IMPATIENCE_MS = 10,	/* of endless-time-extension */
};

/* What a packet is: its first byte [docs/vreader.md 2]. */
enum line_kind {
	LINE_DESCRIPTORS = 0x00,
	LINE_BULK = 0x01,
	LINE_INTERRUPT = 0x02,
	LINE_CONTROL = 0x03,
	LINE_ENDPOINT = 0x04,
};

/**
 * struct line - a reader that can be connected to, one host at a time
 * @port:	what the device sends through
 * @dev:	the device: its first slot, and the only one that misbehaves
 * @more:	its other slots, shape->n_slots - 1 of them
 * @busy:	the slot whose card computes, NULL if none does
 * @finger:	of the person who types at the keypad
 * @misbehave:	borrowed
 * @latency_ms:	least time that a command APDU takes
 * @signal_fd:	SIGUSR1 removes a card, SIGUSR2 inserts it (whose slot is the signal's value), SIGTERM and SIGINT stop; borrowed
 * @fd:		the host, -1 if none
 * @over:	this connection is over
 * @stop:	the program is
 * @halted_in, @halted_out: endpoint is halted until the host clears it
 * @last_type:	bMessageType of the host's latest command
 * @late_signal, @late_slot: came while we were sending; handled as soon as we are not
 * @deaf:	misbehaviour: read no more packets
 * @chain_begun: misbehaviour: the response without an end has begun
 * @endless:	misbehaviour: the running command never ends
 * @silent:	misbehaviour: and asks for no time
 * @before_answer, @after_answer: misbehaviour: what happens round the answer of the running command
 * @period_ms:	between time extensions
 * @lock:	held by whoever touches anything here; free while the card computes
 * @timer_fd, @quit_fd, @patience: the second thread and what wakes it
 * @packet:	the packet being received; @out the one being made; @spoilt the one a misbehaviour makes
 */
struct line {
	struct ccid_port port;
	struct ccid_dev dev;
	struct ccid_dev more[SHAPE_SLOTS_MAX - 1];
	struct ccid_dev *busy;
	struct finger finger;
	struct misbehave *misbehave;
	unsigned int latency_ms;
	int signal_fd;
	int fd;
	bool over;
	bool stop;
	bool halted_in;
	bool halted_out;
	uint8_t last_type;
	uint32_t late_signal;
	unsigned int late_slot;
	bool deaf;
	bool chain_begun;
	bool endless;
	bool silent;
	void (*before_answer)(struct line *line);
	void (*after_answer)(struct line *line);
	unsigned int period_ms;
	pthread_mutex_t lock;
	int timer_fd;
	int quit_fd;
	bool has_patience;
	pthread_t patience;
	uint8_t *packet;
	uint8_t *out;
	uint8_t *spoilt;
};

struct line_options {
	const struct shape *shape;
	struct misbehave *misbehave;
	unsigned int latency_ms;
	int signal_fd;
	const char *keypad_path;
};

/*
 * @cards: shape->n_slots of them, slot by slot; NULL: that slot stays empty.
 * Return: 0 or the system's error; everything in @options and @cards is borrowed.
 */
int line_init(struct line *line, const struct line_options *options, struct vcard *const *cards);
void line_deinit(struct line *line);

/*
 * Serves the host on @fd until it goes, breaks the rules, or we are told to stop. @fd is borrowed.
 *
 * Return: 0, -ECANCELED told to stop, -EPROTO what came is no packet of docs/vreader.md.
 */
int line_serve(struct line *line, int fd);

/* Takes what waits on signal_fd; for a caller that waits for a host. */
void line_take_signals(struct line *line);

/* For misbehaviours, which get a locked line. */
void line_send(struct line *line, enum line_kind kind, struct bytes body);
void line_halt(struct line *line, uint8_t endpoint);
void line_drop(struct line *line);
