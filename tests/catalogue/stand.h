/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/catalogue/stand.h - One driver process between two scripts: a reader that does what a row of the
 * catalogue says (tests/driver/scripted.h), and a broker that asks and watches the clock. What
 * is found out is what a broker can find out: replies, events, the end of the process, and the
 * sentence it leaves behind.
 */
#pragma once

#include "proto/packet.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include <sys/types.h>

#define STAND_DRIVER "keyferry-driver"
/* The same driver with another limits.o: for readers that have to be waited for. */
#define STAND_HASTY "../tests/catalogue/hasty_driver"

/**
 * struct stand - the three of them
 * @s:		the reader; to be changed between stand_init() and stand_start()
 * @driver:	its pid, 0 once it was reaped
 * @link:	the broker's end
 * @err:	what the driver says on stderr
 * @late:	an event that came before the reply that was waited for
 */
struct stand {
	struct scripted s;
	pid_t driver;
	int link, err;
	uint32_t seq;
	bool has_late;
	struct kf_drv_event late;
	uint8_t frame[KF_PACKET_MAX];
};

/* A reader as scripted_init() makes it, with a card that knows no application. */
void stand_init(struct stand *stand, uint32_t features, uint32_t max_message);
/* Starts reader and driver; @program in bin. The script waits for the greeting unless @at_once. */
void stand_start(struct stand *stand, const char *program, const struct scripted_step *steps,
		 size_t n_steps, bool at_once);
void stand_end(struct stand *stand);

/* Return: 0; -ECONNRESET the driver refused the reader and left. */
int stand_greet(struct stand *stand, struct kf_drv_hello *out);

/* Return: 0; -ECONNRESET; -ETIMEDOUT nothing came in @ms. */
int stand_event(struct stand *stand, int ms, struct kf_drv_event *out);

/* The next reply. Return: 0; -ECONNRESET; -ETIMEDOUT. Events that come before it wait. */
int stand_reply(struct stand *stand, uint32_t ms, struct packet *reply);

/* A request and its reply, which must come by its deadline. Return: result, or -ECONNRESET. */
int stand_call(struct stand *stand, const struct packet *request, struct packet *reply);
int stand_apdu(struct stand *stand, const char *hex, uint32_t deadline_ms, struct packet *reply);

/* Waits for the driver to end. Return: its exit status, or 128 and the signal. */
int stand_left(struct stand *stand);
/* All it has said so far. */
const char *stand_words(struct stand *stand);
