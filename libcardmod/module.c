// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/module.c - Ways in and out of an entry point. */
#include "libcardmod/module.h"
#include "libcardmod/status.h"

int module_new(enum module_kind kind, const CARD_DATA *card, struct module **out)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module)
		return -ENOMEM;
	module->kind = kind;
	module->call = "CardAcquireContext";
	module->csp.alloc = card->pfnCspAlloc;
	module->csp.free = card->pfnCspFree;
	*out = module;
	return 0;
}

struct module *module_free(struct module *module)
{
	if (!module)
		return NULL;
	keys_deinit(&module->keys);
	for (size_t i = 0; i < EXCHANGES_MAX; i++)
		exchange_deinit(&module->exchanges[i]);
	exchange_deinit(&module->card_exchange);
	module->context = kf_context_close(module->context);
	module->client = kf_client_free(module->client);
	free(module);
	return NULL;
}

DWORD module_enter(PCARD_DATA card, enum module_kind kinds, const char *call, struct module **out)
{
	struct module *module = card ? card->pvVendorSpecific : NULL;

	if (!module)
		return SCARD_E_INVALID_PARAMETER;
	module->e = (struct kf_error)KF_ERROR_INIT;
	module->call = call;
	if (!(module->kind & kinds))
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE,
				     module->kind == MODULE_SERVER ? "the calls of no-card mode"
								   : "a session key in the clear "
								     "stays on the server",
				     "use the other kind of context",
				     module->kind == MODULE_SERVER ? "this context has no card"
								   : "this context has a card");
	*out = module;
	return SCARD_S_SUCCESS;
}

DWORD module_refuse(struct module *module, DWORD status, const char *rule, const char *next,
		    const char *why, ...)
{
	char text[KF_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, why);
	error_text_vset(text, why, args);
	va_end(args);
	(void)error_why(&module->e, status_to_errno(status), rule, next, "%s", text);
	(void)error_what(&module->e, module->e.code, "%s failed", module->call);
	return status;
}

DWORD module_bad_argument(struct module *module, const char *why)
{
	return module_refuse(module, SCARD_E_INVALID_PARAMETER, "keyferry/cardmod.h",
			     "correct the program", "%s", why);
}

DWORD module_card_result(struct module *module, int r)
{
	if (r >= 0)
		return SCARD_S_SUCCESS;
	module->e = *kf_client_error(module->client);
	(void)error_what(&module->e, r, "%s failed", module->call);
	return status_from_errno(r, kf_client_reason(module->client));
}

/* On this side there is no card and nobody to refuse: -EPERM and -EAGAIN are mlock()'s. */
DWORD module_server_result(struct module *module, int r)
{
	if (r == -EPERM || r == -EAGAIN)
		return module_refuse(module, SCARD_E_NO_MEMORY, "RLIMIT_MEMLOCK",
				     "raise it, ulimit -l",
				     "memory for secrets cannot be locked");
	if (r == -EIO)
		return module_refuse(module, SCARD_F_INTERNAL_ERROR, "OpenSSL",
				     "try again; if it stays, look at how OpenSSL is set up",
				     "a function of OpenSSL failed");
	(void)error_what(&module->e, r, "%s failed", module->call);
	return status_from_errno(r, 0);
}

DWORD module_mixed_result(struct module *module, int r)
{
	if (r < 0 && kf_client_error(module->client)->code == r)
		return module_card_result(module, r);
	if (r == -EBADMSG)
		return module_refuse(module, SCARD_E_UNEXPECTED, "docs/formats.md",
				     "ask the card's maker", "what the card said is not in form");
	return module_server_result(module, r);
}

PBYTE module_copy(struct module *module, struct bytes b)
{
	PBYTE copy = b.n != 0 ? module->csp.alloc(b.n) : NULL;

	if (copy)
		memcpy(copy, b.p, b.n);
	return copy;
}

DWORD module_no_memory(struct module *module)
{
	return module_refuse(module, SCARD_E_NO_MEMORY, "memory", "free some and try again",
			     "there is no memory left");
}
