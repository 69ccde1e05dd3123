/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/server_state.h - What the server's subcommands share: opening the state, with a passphrase
 * where one is needed, and the row of their table in main.c.
 */
#pragma once

#include "base/cleanup.h"
#include "keyferry/server.h"
#include "tools/cmd.h"
#include "tools/ui.h"

int cmd_server(int argc, char **argv);
int cmd_server_master(int argc, char **argv);
int cmd_challenge(int argc, char **argv);
int cmd_seal(int argc, char **argv);
int cmd_seal_pin(int argc, char **argv);
int cmd_seal_batch(int argc, char **argv);
int cmd_seal_fleet(int argc, char **argv);
int cmd_seal_shared(int argc, char **argv);
int cmd_receipt(int argc, char **argv);
int cmd_attestation(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_channel(int argc, char **argv);
int cmd_byok(int argc, char **argv);

#define SERVER_CMDS \
	{ "server", "the server's state: init, enroll, list, show, forget, dkek, crl, methods, master, shared", cmd_server }, \
	{ "challenge", "ask one enrolled card to prove itself", cmd_challenge }, \
	{ "seal", "seal a private key, or an order about a PIN, for one card", cmd_seal }, \
	{ "receipt", "prove what a card installed", cmd_receipt }, \
	{ "channel", "drive a SmartCard-HSM through a client's relay", cmd_channel }, \
	{ "attestation", "verify a SmartCard-HSM's word that it made a key", cmd_attestation }, \
	{ "convert", "between cargos and what sc-hsm-tool wraps", cmd_convert }, \
	{ "byok", "bring your own key: KEKs, import, wrap, inspect, convert", cmd_byok }

#define PASSPHRASE_MAX 1024

/*
 * Gets a passphrase: from descriptor @fd, or, if that is -1, from the terminal. @out is
 * SECRET_INIT. Return: 0, -ENOKEY, -ECANCELED, -EMSGSIZE.
 */
int passphrase_get(int fd, const char *prompt, struct secret *out, struct kf_error *e);

/* Opens @dir for commands that do not sign. */
int server_state_open(const char *dir, struct kf_state **out, struct kf_error *e);

/* Opens @dir with its injector key; asks for the passphrase only if there is one. */
int server_state_unlock(const char *dir, int passphrase_fd, struct kf_state **out,
			struct kf_error *e);

enum { METHODS_MAX = 4 };

/* Names of methods with commas between them, best first. Return: 0, -EINVAL. */
int methods_parse(const char *text, uint8_t methods[static METHODS_MAX], size_t *n);

DEFINE_CLEANUP(struct kf_state *, kf_state_close);
