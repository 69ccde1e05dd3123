/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/receipt.h - What a verified receipt file proves about a ticket.
 */
#pragma once

#include "base/cleanup.h"
#include "libserver/server.h"
#include "libserver/ticket.h"

/* One item: @evidence is the public key the card computed, set once it is proved; of an order about
 * PINs it is what the card tells of the PIN, and @tries is out of that. */
struct receipt_proof {
	bool proved;
	uint32_t counter;
	uint32_t tries;
	struct blob evidence;
};

struct kf_receipt_report {
	struct ticket ticket;
	unsigned int n_proved;
	struct receipt_proof proofs[KF_ITEMS_MAX];
};

DEFINE_CLEANUP(struct kf_receipt_report *, kf_receipt_report_free);
