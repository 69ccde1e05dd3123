/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/policy.h - What an administrator decided for a state (policy.json, docs/formats.md 9). A
 * state without the file has the shipped policy.
 */
#pragma once

#include "libserver/folder.h"
#include "libserver/server.h"

/* Takes over what is written there. Return: 0, -EBADMSG damaged, -ENOMEM. */
int policy_load(const struct folder *top, struct kf_server *server, struct kf_error *e);
/* Writes down what @server has. */
int policy_keep(const struct folder *top, const struct kf_server *server, struct kf_error *e);
