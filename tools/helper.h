/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/helper.h - A running keyferry-pkcs11. A PKCS #11 module is somebody else's code, so it runs in a
 * process of its own (tools/pkcs11), and answers questions (tools/link).
 */
#pragma once

#include "base/secret.h"
#include "tools/link/message.h"

#include <sys/types.h>

/* A key in a token, and how to get there; all is borrowed. @id: CKA_ID, or empty. */
struct key_name {
	const char *module, *token, *label;
	struct bytes id;
};

/* The question that names it; @pin is borrowed, too. */
struct source_open key_name_open(const struct key_name *name, const struct secret *pin);

/**
 * struct helper - the process and our end of its descriptor
 */
struct helper {
	pid_t pid;
	int fd;
};

#define HELPER_INIT ((struct helper){ .pid = -1, .fd = -1 })

/* Return: 0, -ENOENT it is not installed. */
int helper_start(struct helper *helper, struct kf_error *e);

/*
 * Asks, and waits two minutes; @answer is of SOURCE_PACKET_MAX and may hold @question. Return: 0,
 * -EIO it has ended, -ETIMEDOUT.
 */
int helper_ask(struct helper *helper, struct bytes question, struct secret *answer,
	       struct kf_error *e);

/* For an answer that is not the one asked for: what it failed of, or that it makes no sense. Return: -errno. */
int helper_failure(const struct secret *answer, struct kf_error *e);

/* Ends it, whatever it is at. */
void helper_stop(struct helper *helper);
