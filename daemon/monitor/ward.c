/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/ward.h"

#include <string.h>

#define MS 1000000u

static struct ward_port *find(struct ward *ward, const char *name)
{
	for (size_t i = 0; i < WARD_PORTS; i++)
		if (strcmp(ward->ports[i].name, name) == 0)
			return &ward->ports[i];
	return NULL;
}

/* A free place has never had a fault, so it is the quietest. */
static struct ward_port *make(struct ward *ward, const char *name)
{
	struct ward_port *quiet = &ward->ports[0];

	for (size_t i = 1; i < WARD_PORTS; i++)
		if (ward->ports[i].last_ns < quiet->last_ns)
			quiet = &ward->ports[i];
	*quiet = (struct ward_port){ 0 };
	strncpy(quiet->name, name, sizeof(quiet->name) - 1);
	return quiet;
}

uint64_t ward_fault(struct ward *ward, const char *name, uint64_t now)
{
	struct ward_port *port = find(ward, name);
	uint64_t oldest;

	if (!port)
		port = make(ward, name);
	port->fault_ns[port->n_faults++ % WARD_FAULTS] = port->last_ns = now;
	oldest = port->fault_ns[port->n_faults % WARD_FAULTS];
	if (oldest != 0 && now - oldest <= WARD_WINDOW_MS * (uint64_t)MS) {
		memset(port->fault_ns, 0, sizeof(port->fault_ns));
		port->shut_until_ns = now + WARD_SHUT_MS * (uint64_t)MS;
	}
	return ward_shut(ward, name, now);
}

uint64_t ward_shut(const struct ward *ward, const char *name, uint64_t now)
{
	for (size_t i = 0; i < WARD_PORTS; i++)
		if (strcmp(ward->ports[i].name, name) == 0)
			return ward->ports[i].shut_until_ns > now ? ward->ports[i].shut_until_ns : 0;
	return 0;
}
