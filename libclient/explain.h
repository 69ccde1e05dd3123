/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/explain.h - From an errno and a reason to words: why, by whose rule, what to do next.
 * What was tried is added by the call.
 */
#pragma once

#include "base/error.h"
#include "libclient/client.h"

/* A reply whose result is negative. */
void explain_reply(struct failure *failure, const struct kf_header *reply);
/* What was wrong or blocked was the PUK: the errno is the same as for the PIN. */
void explain_puk(struct failure *failure);
/* The SO-PIN of a SmartCard-HSM, in place of the PIN. */
void explain_so_pin(struct failure *failure);
/* A value is out of the card's bounds: of a PIN request nothing else is left to be out of range. */
void explain_pin_length(struct failure *failure);
/* The connection failed with @r: -ENOTCONN, -ETIMEDOUT, -EBADMSG, -ENOMEM, ... Return: @r. */
int explain_link(struct failure *failure, int r);
/* The caller's own argument is wrong. Return: -EINVAL. */
int explain_argument(struct failure *failure, const char *why);
/* What came back cannot be. Return: -EBADMSG. */
int explain_broken(struct failure *failure, const char *why);
/* connect() to @path failed. Return: @r. */
int explain_connect(struct failure *failure, int r, const char *path);
