/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/finger.h - Whoever types at the keypad of a reader: a FIFO, one byte a key.
 *
 * It is open while a PIN is asked for and only then, so who writes to it waits until the reader
 * asks, and what is typed at another time goes nowhere. It is opened for writing, too: a writer that
 * closes is a person who takes the finger off the key, not the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * struct finger - a person at a keypad
 * @path:	the FIFO, or NULL: nobody ever types; borrowed
 * @fd:		it, while a PIN is asked for; -1 else
 * @timeout_s:	how long the reader waits for a key
 * @until_ms:	when it is too late for the next one, 0 while no PIN is asked for
 */
struct finger {
	const char *path;
	int fd;
	unsigned int timeout_s;
	int64_t until_ms;
};

#define FINGER_INIT(path_) { .path = (path_), .fd = -1 }

/* A PIN is asked for; a no-op if one is already. */
void finger_ask(struct finger *finger, unsigned int timeout_s);

/* None is asked for any more. */
void finger_dismiss(struct finger *finger);

static inline bool finger_is_asked(const struct finger *finger)
{
	return finger->until_ms != 0;
}

/* How long poll() may wait for the next key; -1 while no PIN is asked for. */
int finger_wait_ms(const struct finger *finger);

/* Return: 1 and the next key, 0 if there is none yet, -ETIMEDOUT if it is too late for one. */
int finger_key(struct finger *finger, uint8_t *key);
