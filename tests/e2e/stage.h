/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/stage.h - The real monitor and broker with drivers played by puppet_driver, for tests
 * that speak to them as no honest program would. The test holds the readers' sockets and connects
 * as any uid; what reached a driver can be read from its record.
 */
#pragma once

#include "proto/packet.h"
#include "tests/e2e/rig.h"

#define STAGE_READERS 64

struct stage {
	struct rig rig;
	pid_t broker;
	int listeners[STAGE_READERS];
	const char *readers[STAGE_READERS];
	size_t n_readers;
};

/* The puppets' modes are the readers' names; the list ends with NULL. Not started yet. */
void stage_open(struct stage *stage, const char *const *readers);
/* @options: more of keyferryd's command line, as in a shell. Waits until all readers have a card. */
void stage_start(struct stage *stage, const char *options);
void stage_stop(struct stage *stage);
void stage_close(struct stage *stage);

/* A listening reader socket DIR/run/NAME.sock that everybody may connect to. */
int stage_listen(struct stage *stage, const char *name);

/* What the driver of reader @name was asked on behalf of clients: lines "KF_SIGN 41". */
size_t stage_asked(const struct stage *stage, const char *name, char *out, size_t cap);
/* How many of them; 0 before there was one. */
size_t stage_asked_count(const struct stage *stage, const char *name);
/* How often @text stands in the file @name below the rig's folder. */
size_t stage_count_in(const struct stage *stage, const char *name, const char *text);

/* --- a connection spoken to by hand --- */

/* Connected as @uid, which the kernel sees at connect(); -errno. No hello yet. */
int stage_dial(const struct stage *stage, uid_t uid);
/* The same with its hello answered; ends the test otherwise. */
int stage_greet(const struct stage *stage, uid_t uid);

int raw_send(int fd, struct bytes frame);
/* Return: 0; -ECONNRESET when cut off; -ETIMEDOUT. @out borrows until the next call. */
int raw_recv(int fd, struct packet *out);
/* Sends @request and waits for its reply, past events. Return: as raw_recv(), or its result. */
int raw_ask(int fd, struct packet *request, struct packet *reply);
/* @request with handle @id as its first field and all else zero. */
int raw_call(int fd, uint32_t request, uint64_t id, struct packet *reply);
/* True if the broker has closed @fd, or does so soon. */
bool raw_is_cut(int fd);

/* Ends the test on failure. */
uint64_t raw_context(int fd, const char *reader);
uint64_t raw_key(int fd, uint64_t context);
int raw_verify(int fd, uint64_t context, const char *pin, uint32_t flags, struct packet *reply);
int raw_sign(int fd, uint64_t context, uint8_t mark, uint32_t deadline_ms, struct packet *reply);

/* Packs @packet with a sequence number of its own; wherever, until the seventh call from now. */
struct bytes raw_frame(struct packet *packet);

/* The reader called @name as @fd sees it. Return: false if there is none. */
bool raw_reader(int fd, const char *name, struct kf_reader_entry *out);
/* Row of the driver of @reader in KF_STATUS; false if it has none now. */
bool raw_driver(int fd, uint32_t reader, struct kf_process_entry *out);

/* --- /proc --- */

size_t proc_fds(pid_t pid);
/* The number after "@key:" in /proc/PID/status; -1 if there is none. */
long proc_status(pid_t pid, const char *key);
/* Ended, reaped or not. */
bool proc_is_gone(pid_t pid);
