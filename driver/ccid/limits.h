/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/limits.h - How much a reader or a card can make us wait, repeat and count before an
 * operation ends. One table for all of the driver, so that it can be read, and compared with what
 * docs/vreader.md promises, in one place. Nothing sets it: what ships is the object limits.o. A
 * test that cannot wait 30 seconds for a silent reader links the same driver with another table,
 * as it would with another hook.o; there is no option for it and no way in from outside.
 *
 * Sizes are not here: they are bounds of buffers, and stand where the buffers are.
 */
#pragma once

#include <stdint.h>

/**
 * struct limits - counts are per command unless it says otherwise
 * @stale:	frames that answer an earlier command of ours
 * @zero_length: zero-length packets
 * @extensions:	time extensions, where a card may take its time
 * @extensions_plain: time extensions, for commands that have no card to wait for
 * @busy:	times a busy reader is asked again
 * @write_ms:	until a reader must have taken a command
 * @answer_min_ms, @answer_max_ms: between these, a reader may be silent
 * @person_ms:	where a person types at the reader, in place of @answer_max_ms
 * @power_on_ms, @power_on_slow_ms: all of a power-on; the second for readers known to be slow
 * @abort_ms, @clear_ms, @probe_ms, @probes: steps of the ladder back to a pipe in step
 * @settle_ms:	all of the ladder at one go
 * @reset_gap_ms: between two resets of the device
 * @unsettled:	climbs in a row that a deadline cut short; then the reader is given up
 * @malformed_ms: EXCHANGE_MALFORMED_MAX malformed messages within this end a reader
 * @control_ms:	a control request nobody has to answer: strings, data rates
 * @notice_gap_ms: between two questions that interrupts led to
 * @poll_ms:	between two questions where there are no interrupts
 * @empty_parts: parts of a chained response without a byte in them
 * @t1_blocks:	received for one APDU; 64 KiB in blocks of 32 need half of them
 * @t1_tries:	of one block
 * @t1_resynchs: in one APDU
 * @t1_requests: S-requests of the card in a row: WTX for ever
 * @t1_empty:	links of a T=1 chain without a byte in them
 * @get_responses: 61xx rounds; 65536 bytes in pieces of 256 need 256 of them
 * @get_responses_empty: of them without data, in a row
 * @wrong_le:	6Cxx in a row
 */
struct limits {
	unsigned int stale, zero_length, extensions, extensions_plain, busy;
	uint32_t write_ms, answer_min_ms, answer_max_ms, person_ms, power_on_ms, power_on_slow_ms;
	uint32_t abort_ms, clear_ms, probe_ms;
	unsigned int probes;
	uint32_t settle_ms, reset_gap_ms;
	unsigned int unsettled;
	uint32_t malformed_ms, control_ms, notice_gap_ms, poll_ms;
	unsigned int empty_parts;
	unsigned int t1_blocks, t1_tries, t1_resynchs, t1_requests, t1_empty;
	unsigned int get_responses, get_responses_empty, wrong_le;
};

/* What is counted is the same in every table: a test is in a hurry, and no more tolerant. */
#define LIMITS_COUNTS \
	.stale = 16, .zero_length = 4, .extensions = 1000, .extensions_plain = 3, \
	.busy = 5, .probes = 3, .unsettled = 8, .empty_parts = 4, .t1_blocks = 4096, \
	.t1_tries = 3, .t1_resynchs = 3, .t1_requests = 32, .t1_empty = 4, \
	.get_responses = 260, .get_responses_empty = 2, .wrong_le = 2

extern const struct limits limits;
