/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/log.h"

#include "daemon/shared/loop.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((format(printf, 1, 0))) static void write_line(const char *format, va_list ap)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[512];
	int n = snprintf(line, sizeof(line), "keyferry-broker: ");

	n += vsnprintf(line + n, sizeof(line) - 1 - (size_t)n, format, ap);
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* The loop waits for nobody, a log that is not read included: then the line is lost. */
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
		return;
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;		/* nowhere left to say so */
}

void log_line(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	write_line(format, ap);
	va_end(ap);
}

int log_allows(struct log *log, uint64_t now)
{
	uint64_t back = (now - log->at_ns) / LOG_REFILL_NS;

	if (back > 0) {
		log->spent = back >= log->spent ? 0 : log->spent - (uint32_t)back;
		log->at_ns = now;
	}
	if (log->spent >= LOG_BURST) {
		log->swallowed++;
		return 0;
	}
	log->spent++;
	return 1;
}

void log_provoked(struct log *log, const char *format, ...)
{
	va_list ap;

	if (!log_allows(log, now_ns()))
		return;
	if (log->swallowed > 0)
		log_line("%u lines like the next were not written", log->swallowed);
	log->swallowed = 0;
	va_start(ap, format);
	write_line(format, ap);
	va_end(ap);
}
