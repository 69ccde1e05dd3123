/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/ticket.h - What was wrapped, and what the key has to answer: for the server alone
 * (docs/formats.md 15). It lies among the other tickets, by its session id.
 */
#pragma once

#include "libserver/json/fleet.h"
#include "libserver/state.h"

/**
 * struct fleet_ticket - one cargo
 * @serial:	the card it was meant for; empty: any of the fleet
 * @blob:	what a signature is over, with @challenge and @sid
 * @spki:	public half; empty: an AES key
 * @expected:	SHA-256 of an answer that is no signature
 */
struct fleet_ticket {
	char serial[KF_SERIAL_MAX + 1];
	uint8_t sid[KF_SID_SIZE];
	uint32_t container;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	uint8_t kcv[FLEET_KCV_SIZE];
	struct blob blob;
	struct blob spki;
	enum kf_grade grade;
	enum proof_operation operation;
	uint8_t challenge[PROOF_CHALLENGE_SIZE];
	uint8_t expected[KF_DIGEST_SIZE];
	int64_t sealed;
};

#define FLEET_TICKET_INIT ((struct fleet_ticket){ 0 })

/* Fills @out, which is FLEET_TICKET_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int fleet_ticket_parse(struct bytes text, struct fleet_ticket *out, struct kf_error *e);
int fleet_ticket_write(const struct fleet_ticket *ticket, char **text, size_t *len,
		       struct kf_error *e);
/* Durable, before there is a cargo. */
int fleet_ticket_keep(const struct kf_state *state, const struct fleet_ticket *ticket,
		      struct kf_error *e);
void fleet_ticket_deinit(struct fleet_ticket *ticket);
