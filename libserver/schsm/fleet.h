/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/fleet.h - All SmartCard-HSMs with one DKEK, and what is known of how they came by it.
 */
#pragma once

#include "base/cleanup.h"
#include "format/schsm/dkek.h"
#include "libserver/server.h"

/**
 * struct kf_fleet - a DKEK
 * @dkek:	the shares so far
 * @n_shares:	how many they are
 * @kcv:	check value of what they make
 * @on_host:	shares went through a process on a host on their way to the cards
 */
struct kf_fleet {
	struct dkek dkek;
	unsigned int n_shares;
	uint8_t kcv[DKEK_KCV_SIZE];
	bool on_host;
};

DEFINE_CLEANUP(struct kf_fleet *, kf_fleet_free);

/* Whether anybody knows this DKEK: it stands in documents [card dossier 11.2], or is no secret at all. */
bool fleet_is_public(const struct kf_fleet *fleet);

/* Of whatever is wrapped under it (SECURITY sections 5 and 8). */
enum kf_grade fleet_grade(const struct kf_fleet *fleet);
