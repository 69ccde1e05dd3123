/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/client_cmds.h - The subcommands that talk to the broker, for the table in main.c. */
#pragma once

#include "base/bytes.h"
#include "tools/cmd.h"

int cmd_reader(int argc, char **argv);
int cmd_card(int argc, char **argv);
int cmd_card_pin(int argc, char **argv);
int cmd_card_init(int argc, char **argv);
int cmd_dkek(int argc, char **argv);
int cmd_dkek_wrap(int argc, char **argv);
int cmd_dkek_unwrap(int argc, char **argv);
int cmd_container(int argc, char **argv);
int cmd_container_cert(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_offer(int argc, char **argv);
int cmd_inject(int argc, char **argv);
int cmd_relay(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_clients(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_policy(int argc, char **argv);

struct tool;

/**
 * struct fleet_how - how a key wrapped under a DKEK goes into a card
 * @out:	where its answer goes
 * @prove_only:	it is there already
 * @allow_rewrap: it may be such as can be wrapped out again
 */
struct fleet_how {
	const char *out;
	bool prove_only, allow_rewrap;
};

/* keyferry inject of such a cargo, in @text. Return: the exit code. */
int inject_fleet(struct tool *tool, struct bytes text, const struct fleet_how *how);

#define CLIENT_CMDS \
	{ "reader", "readers, and waiting for a card", cmd_reader }, \
	{ "card", "what a card is and can; its PIN", cmd_card }, \
	{ "container", "keys and certificates in a card", cmd_container }, \
	{ "key", "sign, decrypt, derive", cmd_key }, \
	{ "dkek", "what a fleet of SmartCard-HSMs shares, and keys under it", cmd_dkek }, \
	{ "offer", "have the card offer to take a sealed key", cmd_offer }, \
	{ "inject", "carry a sealed key into the card", cmd_inject }, \
	{ "relay", "run a server's protected APDUs on the card", cmd_relay }, \
	{ "status", "how the service is doing", cmd_status }, \
	{ "clients", "who holds which card for how long", cmd_clients }, \
	{ "doctor", "what is wrong, and what to do about it", cmd_doctor }, \
	{ "policy", "who may do what, and by which rule", cmd_policy }
