/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/dkeks.h - What a state knows of the ways that the shares of a DKEK went: CHECKVALUE.json in its
 * folder. A key is worth no more than the worst of them (SECURITY sections 5 and 8).
 */
#pragma once

#include "format/schsm/dkek.h"
#include "libserver/folder.h"
#include "libserver/server.h"

enum { DKEK_CARDS_MAX = 1000 };

/**
 * struct dkek_card - a card that got all shares
 * @grade:	of the way they came
 */
struct dkek_card {
	char serial[KF_SERIAL_MAX + 1];
	enum kf_grade grade;
};

/**
 * struct dkek_record - one DKEK
 * @on_host:	a process on a host has seen a share, which nothing takes back
 * @complete:	somebody vouches that no way is missing here
 */
struct dkek_record {
	uint8_t kcv[DKEK_KCV_SIZE];
	bool on_host, complete;
	struct dkek_card *cards;
	size_t n_cards;
};

#define DKEK_RECORD_INIT ((struct dkek_record){ 0 })

void dkek_record_deinit(struct dkek_record *record);

/* Of a key that is wrapped under it. */
enum kf_grade dkek_record_grade(const struct dkek_record *record);

/* One that nothing is known of is there, and empty. @out is DKEK_RECORD_INIT. Return: 0, -EBADMSG. */
int dkeks_load(const struct folder *dkeks, const uint8_t kcv[static DKEK_KCV_SIZE], struct dkek_record *out,
	       struct kf_error *e);
