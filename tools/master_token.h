/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/master_token.h - A struct kf_master_keeper that asks a PKCS #11 token, through keyferry-pkcs11. The
 * token is opened, and its PIN asked for, when something is derived for the first time: who seals by another
 * method needs neither.
 */
#pragma once

#include "keyferry/server.h"
#include "tools/helper.h"

/**
 * struct master_token - the token, open or not
 * @name:	borrowed from the state or the command line
 * @pin_fd:	descriptor the PIN is read from; -1: it is asked for
 * @make:	the key is to be made there
 * @extractable: once it is open: the token may let the key go
 * @is_open:	the helper has the key
 */
struct master_token {
	struct helper helper;
	struct key_name name;
	int pin_fd;
	bool make, extractable, is_open;
};

#define MASTER_TOKEN_INIT ((struct master_token){ .helper = HELPER_INIT, .pin_fd = -1 })

/* Lives as long as @token does. */
struct kf_master_keeper master_token_keeper(struct master_token *token);

/* Sets the keeper, if the master of @state is in a token; @pin_fd as above. Return: 0, -EINVAL. */
int master_token_attach(struct master_token *token, struct kf_state *state, int pin_fd, struct kf_error *e);

/* Opens it now. Return: 0, -errno. */
int master_token_open(struct master_token *token, struct kf_error *e);
void master_token_close(struct master_token *token);
