/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libserver/schsm/receipt.h - What an answer proves about a ticket. */
#pragma once

#include "base/cleanup.h"
#include "keyferry/server.h"
#include "libserver/schsm/ticket.h"

/**
 * struct kf_fleet_proof - a verified answer
 * @serial:	of the card, as the client says
 * @container:	where it says the key is
 */
struct kf_fleet_proof {
	struct fleet_ticket ticket;
	char serial[KF_SERIAL_MAX + 1];
	uint32_t container;
};

DEFINE_CLEANUP(struct kf_fleet_proof *, kf_fleet_proof_free);
