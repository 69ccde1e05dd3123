/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/context.h - One client with one card. */
#pragma once

#include "libclient/client.h"

/**
 * struct kf_context - see keyferry.h
 * @client:	borrowed; NULL once that was freed
 * @next, @prev: in the client's list; @prev points to what points here
 * @epoch:	the connection it belongs to
 * @handle:	the broker's
 * @reader:	its name, to open it anew
 */
struct kf_context {
	struct kf_client *client;
	struct kf_context *next, **prev;
	uint32_t epoch;
	uint64_t handle;
	char reader[KF_NAME_MAX];
};

/* The client goes: leaves its list. */
void context_orphan(struct kf_context *context);

/*
 * Opens the same reader again, behind the same object; the old handle is given back if it can be.
 * @deadline_ms bounds the wait for a card. Return: 0, -errno.
 */
int context_reopen(struct kf_context *context, uint32_t deadline_ms);
