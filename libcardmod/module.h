/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/module.h - One context of the interface: what CARD_DATA.pvVendorSpecific points to.
 * It has either a card, through the broker, or the server's half; every entry point says on the way
 * in which of the two it belongs to.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "keyferry/cardmod.h"
#include "keyferry/keyferry.h"
#include "libcardmod/agreement.h"
#include "libcardmod/exchange.h"
#include "libcardmod/key.h"

/* Which kind of context an entry point takes. */
enum module_kind { MODULE_CARD = 1, MODULE_SERVER = 2, MODULE_EITHER = 3 };

enum { SEALED_MAX = 64 };	/* statements remembered; a turn with a card takes far fewer */

/**
 * struct module - one context
 * @kind:	%MODULE_CARD or %MODULE_SERVER
 * @csp:	the caller's allocator, out of its CARD_DATA
 * @call:	the entry point that runs, for the words
 * @e:		the last failure
 * @client, @context:	with a card
 * @exchanges:	offers made in this context, by container
 * @card_exchange: the one that is by no key in a container
 * @agreements: what CardConstructDHAgreement began
 * @sealed:	hashes of the statements that were sealed for, a ring; @n_sealed counts all of them
 * @pin_changes: how many PINs this context changed, for the cache file
 */
struct module {
	enum module_kind kind;
	struct {
		PFN_CSP_ALLOC alloc;
		PFN_CSP_FREE free;
	} csp;
	const char *call;
	struct kf_error e;
	struct kf_client *client;
	struct kf_context *context;
	struct exchange exchanges[EXCHANGES_MAX];
	struct exchange card_exchange;
	struct agreements agreements;
	struct keys keys;
	uint8_t sealed[SEALED_MAX][KF_DIGEST_SIZE];
	size_t n_sealed;
	uint8_t pin_changes;
};

int module_new(enum module_kind kind, const CARD_DATA *card, struct module **out);
/* Wipes every key; takes NULL. */
struct module *module_free(struct module *module);

DEFINE_CLEANUP(struct module *, module_free);

/**
 * module_enter() - the first thing every entry point does
 * @kinds:	which contexts it is for
 * @call:	its name
 * @out:	the context
 *
 * Return: 0, %SCARD_E_INVALID_PARAMETER for no context, %SCARD_E_UNSUPPORTED_FEATURE for one of the
 * other kind [minidriver 9, 13.12].
 */
DWORD module_enter(PCARD_DATA card, enum module_kind kinds, const char *call, struct module **out);

/* Refuses by ourselves, with the reason in words. Return: @status. */
__attribute__((format(printf, 5, 6)))
DWORD module_refuse(struct module *module, DWORD status, const char *rule, const char *next,
		    const char *why, ...);

/* An argument that may not be NULL, a flag that does not exist. */
DWORD module_bad_argument(struct module *module, const char *why);

/* What libkeyferry answered: its words are taken over. Return: the code for @r; 0 for 0. */
DWORD module_card_result(struct module *module, int r);

/*
 * What libkeyferry-server answered, with its words in module.e; %SCARD_E_NO_MEMORY also for pages that
 * cannot be locked, %SCARD_F_INTERNAL_ERROR for OpenSSL.
 */
DWORD module_server_result(struct module *module, int r);

/*
 * What came of asking the card and of work on its answer: libkeyferry's words only if it was that
 * which failed.
 */
DWORD module_mixed_result(struct module *module, int r);

/* A copy of @b for the caller to free, by its own allocator; NULL for nothing or no memory. */
PBYTE module_copy(struct module *module, struct bytes b);

DWORD module_no_memory(struct module *module);
