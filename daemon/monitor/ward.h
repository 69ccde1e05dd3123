/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/ward.h - The USB ports whose readers broke one driver after the other. What is
 * plugged in there gets no driver for a while; it is the port that is shut, since what a device says
 * about itself can change with each plugging.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WARD_FAULTS	8		/* this many ... */
#define WARD_WINDOW_MS	60000		/* ... in this time ... */
#define WARD_SHUT_MS	600000		/* ... shut the port for that long */
#define WARD_PORTS	64		/* remembered; the one quiet for longest is forgotten */
#define WARD_NAME	32

struct ward_port {
	char name[WARD_NAME];
	uint64_t fault_ns[WARD_FAULTS];	/* a ring, when each came; 0: none yet */
	unsigned int n_faults;
	uint64_t last_ns, shut_until_ns;
};

struct ward {
	struct ward_port ports[WARD_PORTS];
};

/* A driver broke. Return: when the port opens again, or 0 if it is not shut. */
uint64_t ward_fault(struct ward *ward, const char *name, uint64_t now);
/* Return: the same, without a fault. */
uint64_t ward_shut(const struct ward *ward, const char *name, uint64_t now);
