/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/channel.h - The server's end of a channel into a SmartCard-HSM [card dossier 2.7]: which card it is, the
 * agreement with its device key, and the orders that are carried out inside. The card alone is authenticated; it
 * obeys because of the PIN or SO-PIN that is sent in the channel.
 *
 *	            chain verified          token fits            no order left
 *	READING ------------------> AGREEING ---------> WORKING ---------------> OVER
 *	   '------------------------- anything wrong ------'-----------------------^
 */
#pragma once

#include "base/cleanup.h"
#include "format/schsm/device_chain.h"
#include "format/schsm/eac.h"
#include "libserver/json/object.h"
#include "libserver/schsm/order.h"
#include "libserver/schsm/round.h"

enum {
	CHANNEL_ROOTS_MAX = 8,
	CHANNEL_ORDERS_MAX = 4,
	CHANNEL_FILE_MAX = 2 * CVC_MAX,
};

enum channel_phase { CHANNEL_NEW, CHANNEL_READING, CHANNEL_AGREEING, CHANNEL_WORKING, CHANNEL_OVER };

/**
 * struct kf_channel - one channel
 * @device:	the serial it has to have; empty with @any: whatever it has
 * @enrolled:	fingerprint that it has to have besides; empty: whatever it has
 * @now:	when certificates have to be good; 0: this moment
 * @file:	EF.C_DevAut, as far as it has been read; @chain borrows from it
 * @chain:	once it is verified; key NULL until then
 * @own:	our ephemeral pair
 * @orders:	@n_orders of them, of which number @order runs
 * @status:	the last status word that the card proved
 */
struct kf_channel {
	struct blob roots[CHANNEL_ROOTS_MAX];
	size_t n_roots;
	char device[KF_SERIAL_MAX + 1], enrolled[HEX_DIGEST_SIZE];
	bool any, allow_virtual, allow_last_try;
	int64_t now;
	enum channel_phase phase;
	enum kf_channel_outcome outcome;
	uint8_t file[CHANNEL_FILE_MAX];
	size_t file_n;
	struct device_chain chain;
	bool is_virtual;
	char serial[KF_SERIAL_MAX + 1], fingerprint[HEX_DIGEST_SIZE];
	EVP_PKEY *own;
	struct sm sm;
	struct order orders[CHANNEL_ORDERS_MAX];
	size_t n_orders, order;
	uint16_t status;
	struct dkek_facts dkek;
	struct round round;
};

DEFINE_CLEANUP(struct kf_channel *, kf_channel_free);

/* Who the card is, by the whole of @channel->file. Return: 0, -EACCES, -EIO, -ENOMEM. */
int channel_recognise(struct kf_channel *channel, struct kf_error *e);
