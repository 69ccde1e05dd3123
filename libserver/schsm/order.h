/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/order.h - What a card is to do inside a channel. An order goes step by step, a round each: before
 * anything is tried it asks how many tries are left and what is there, so that most of what would fail is refused
 * with nothing spent.
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"
#include "format/schsm/prkd.h"
#include "libserver/json/object.h"
#include "libserver/schsm/fleet.h"
#include "libserver/schsm/round.h"

/* [card dossier 2.3] */
enum {
	ORDER_USER_PIN = 0x81, ORDER_SO_PIN = 0x88,
	ORDER_PIN_MIN = 6, ORDER_PIN_MAX = 15, ORDER_SO_PIN_SIZE = 8,
};

/* Status words beside those of format/numbers.h [7816-4 status bytes; card dossier 2.3]. */
enum { SW_TRANSPORT_PIN = 0x6984, SW_NO_FILE = 0x6a82, SW_OFFSET = 0x6b00 };

enum { ORDER_SHARES_MAX = 16 };

struct kf_channel;

struct order;

/**
 * struct order_kind - what sort of order
 * @what:	"cannot reset the PIN"
 * @doubt:	how to find out what became of it
 * @ask:	fills the round with the commands of @order->step; none: there is nothing left to do
 * @judge:	all of them were answered, and as expected. Return: 0, and it goes on with the next step; -errno with
 *		the words
 * @refusal:	words of its own for a status word. Return: 0 it has none, -errno with them
 */
struct order_kind {
	const char *what, *doubt;
	void (*ask)(struct kf_channel *channel, struct order *order);
	int (*judge)(struct kf_channel *channel, struct order *order, struct kf_error *e);
	int (*refusal)(const struct order *order, uint16_t sw, struct kf_error *e);
};

/**
 * struct order_key - a key on its way into a container
 * @blob, @cert: as they go to the card; @kcv is of the DKEK that @blob names
 * @prkd:	its description
 * @failed:	status word by which it could not be described, so that it has to go again
 */
struct order_key {
	struct blob blob, cert;
	uint8_t kcv[KF_FLEET_CHECK_SIZE], prkd[PRKD_MAX];
	size_t prkd_n;
	uint8_t container;
	enum kf_key_type type;
	enum kf_purpose purpose;
	uint16_t failed;
};

/**
 * struct order - one of them
 * @step:	from 0
 * @proof:	P2 of the PIN that proves it; 0: none. @target that of the one that is set
 * @pin, @fresh: the value of @proof, and the one that @target shall have; each wiped once it is protected
 * @tries:	left of @proof, as the card said
 * @domain, @shares, @n_shares, @fleet: shares of a DKEK, one after the other, and what they add up to
 * @key:	of a key
 */
struct order {
	const struct order_kind *kind;
	unsigned int step;
	uint8_t proof, target;
	struct secret pin, fresh;
	uint32_t tries;
	uint8_t domain;
	struct secret shares;
	size_t n_shares;
	struct kf_fleet *fleet;
	struct order_key key;
};

#define ORDER_INIT ((struct order){ \
	.pin = SECRET_INIT, .fresh = SECRET_INIT, .shares = SECRET_INIT, .tries = KF_TRIES_UNKNOWN })

/* Wipes what is secret in it, and no more: it can still be told what it was. */
void order_wipe(struct order *order);
void order_deinit(struct order *order);

/* A fresh one, the last of @channel. Return: 0, -EPROTO the channel is on its way, -EINVAL there are enough. */
int order_new(struct kf_channel *channel, const struct order_kind *kind, struct order **out, struct kf_error *e);
/* What making it came to: it is there, or it is not. Return: @r. */
int order_settle(struct kf_channel *channel, const struct order *order, int r, struct kf_error *e);

/* A value of a PIN, SO-PINs in either form. Return: 0, -EINVAL a length that no card takes, -ENOMEM. */
int order_take_pin(uint8_t reference, const void *value, size_t len, struct secret *out, struct kf_error *e);

/* --- for the kinds --- */

/* Adds a protected command to the round of @channel. */
void order_send(struct kf_channel *channel, const struct sm_command *command, uint16_t expect);
/* Asks how many tries of @order->proof are left, and looks at the answer. Return: 0, -EPERM, -EKEYREVOKED, -ENOENT. */
void order_ask_tries(struct kf_channel *channel, const struct order *order);
int order_judge_tries(struct kf_channel *channel, struct order *order, const struct turn *turn, struct kf_error *e);
/* VERIFY by @order->pin, which is gone then. */
void order_verify(struct kf_channel *channel, struct order *order);
/* A file in pieces, in place of what it held; empty: it is deleted. */
void order_write_file(struct kf_channel *channel, uint16_t fid, struct bytes content, uint16_t expect);
/* In words, what a command of @order ended with. Return: -errno. */
int order_refused(const struct order *order, uint16_t sw, struct kf_error *e);

/**
 * struct dkek_facts - what the card said of a DKEK in the channel
 * @told:	it did
 * @whole:	all of its shares came by this channel, and the card has proved it; @is_public: anybody knows them
 */
struct dkek_facts {
	bool told, whole, is_public;
	uint8_t shares, outstanding, kcv[KF_FLEET_CHECK_SIZE];
};

/* Asks for the DKEK of @domain. */
void dkek_ask(struct kf_channel *channel, uint8_t domain);
/* Return: 0, -EBADMSG the answer is none. */
int dkek_take(const struct turn *turn, struct dkek_facts *out);
