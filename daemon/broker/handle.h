/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/handle.h - The handle table: what stands behind the 64-bit numbers that clients
 * hold. A handle is an index and 47 random bits, good for one owner and one kind. Everything that
 * is not the asker's own gives the same answer, -EBADF; only the owner of a handle that died is
 * told -ESTALE, and why.
 *
 *	         new                 age (card removed, reset, ...)
 *	FREE ---------> LIVE ------------------------------> STALE
 *	  ^               | free (closed)                      | free, owner gone, pushed out
 *	  '---------------+------------------------------------'
 */
#pragma once

#include "base/list.h"
#include "keyferry/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many that clients, however many uids they are, run into their own quota first (broker.h). */
#define HANDLES_MAX	131072
#define HANDLES_STALE	32	/* former handles remembered for one owner */

enum handle_kind { HANDLE_NONE, HANDLE_CONTEXT, HANDLE_KEY };
enum handle_state { HANDLE_FREE, HANDLE_LIVE, HANDLE_STALE };
enum handle_event { HANDLE_MAKE, HANDLE_AGE, HANDLE_RELEASE };

/* The picture above as data. Return: the next state, or -EPROTO. */
int handle_step(enum handle_state state, enum handle_event event);

struct handle_slot;

/**
 * struct handle_owner - embedded in whoever owns handles (a client)
 * @live:	its live ones
 * @stale:	its former ones, oldest first
 * @n_stale:	of those
 */
struct handle_owner {
	struct list live, stale;
	size_t n_stale;
};

struct handle_table {
	/* Never moves; pages are touched as they are needed. */
	struct handle_slot *slots;
	size_t n_used;		/* slots ever used: those before it */
	uint32_t free;		/* index plus one of the first free slot; 0: none */
	size_t n_live;
	struct list aged;	/* all that are STALE, the first to die first */
};

#define HANDLE_TABLE_INIT ((struct handle_table){ 0 })

void handle_owner_init(struct handle_owner *owner);

int handle_table_init(struct handle_table *t);

/* Return: 0, or -ENOSPC when the table is full of live ones. */
int handle_new(struct handle_table *t, struct handle_owner *owner, enum handle_kind kind,
	       void *object, uint64_t *out);

/*
 * Return: 0; -EBADF; -ESTALE for the owner's own former handle, with enum kf_reason in @reason.
 * @object is written on success only.
 */
int handle_lookup(const struct handle_table *t, const struct handle_owner *owner, uint64_t id,
		  enum handle_kind kind, void **object, uint16_t *reason);

/* The object died before its owner closed it. */
void handle_age(struct handle_table *t, uint64_t id, enum kf_reason reason);
/* Closed by its owner; told as stale if used again. */
static inline void handle_close(struct handle_table *t, uint64_t id)
{
	handle_age(t, id, KF_REASON_CLOSED);
}
/* Forgets a former handle; no-op if there is none of that number. */
void handle_forget(struct handle_table *t, struct handle_owner *owner, uint64_t id);
/* All of the owner's former handles; the live ones must be gone. */
void handle_owner_deinit(struct handle_table *t, struct handle_owner *owner);
void handle_table_deinit(struct handle_table *t);
