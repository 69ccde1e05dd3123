/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/log.h - Lines on standard error, the actor first. What a client can provoke goes
 * through a bucket, so it cannot fill a disk; how many lines were swallowed is told with the next.
 */
#pragma once

#include <stdint.h>

struct log {
	uint64_t at_ns;
	uint32_t spent;
	uint32_t swallowed;
};

#define LOG_INIT ((struct log){ 0 })
#define LOG_BURST 20		/* lines at once */
#define LOG_REFILL_NS 1000000000u	/* one more each second */

/* Whether a provoked line may be written now. */
int log_allows(struct log *log, uint64_t now);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_provoked(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
