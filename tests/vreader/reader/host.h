/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vreader/reader/host.h - The other end of a line, for tests: a line served by a thread, and
 * the host's side of its socket in a few words.
 */
#pragma once

#include "vreader/reader/line.h"

#include <sys/types.h>

struct host {
	struct shape shape;
	struct misbehave misbehave;
	struct vcard *card[2];	/* the second is there if the shape has two slots */
	struct line line;
	int signal_fd;
	int fd;			/* the host's end */
	int line_fd;
	pthread_t thread;
	int result;		/* of line_serve() */
	uint8_t seq;
	uint8_t packet[LINE_PACKET_MAX];
};

/* Starts a line at @level that misbehaves as @spec says (NULL: not) and reads nothing yet. */
void host_start(struct host *host, enum shape_level level, const char *spec);

/* The same with a keypad, and a person who types on the FIFO @keypad_path. */
void host_start_typed(struct host *host, enum shape_level level, const char *spec,
		      const char *keypad_path);

/* Two slots with a card in each. */
void host_start_two(struct host *host, enum shape_level level);

/* Hangs up and waits for the line to notice. Return: what line_serve() returned. */
int host_stop(struct host *host);

/* The next packet within @ms, kind byte included; empty if none came. */
struct bytes host_take(struct host *host, int ms);

/* The next packet of @kind, others skipped; without the kind byte. */
struct bytes host_take_kind(struct host *host, enum line_kind kind, int ms);

void host_send(struct host *host, enum line_kind kind, struct bytes body);

/* Sends a CCID message with a fresh sequence number. */
void host_command(struct host *host, uint8_t type, struct bytes data);

/* Connects up to a powered card: descriptors, announcement, ATR. */
void host_power_on(struct host *host);

/* A signal as the process would get it; for @slot, where it moves a card. */
void host_signal(struct host *host, int signo);
void host_signal_slot(struct host *host, int signo, int slot);
