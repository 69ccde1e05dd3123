// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/key.c - The table of handles, and their end. */
#include "libcardmod/key.h"
#include "libcardmod/module.h"
#include "libcardmod/seal.h"

#include <sys/random.h>

static int random_handle(const struct keys *keys, CARD_KEY_HANDLE *out)
{
	CARD_KEY_HANDLE handle = 0;

	do {
		if (getrandom(&handle, sizeof(handle), 0) != sizeof(handle))
			return -EIO;
	} while (handle == 0 || key_find((struct keys *)keys, handle));
	*out = handle;
	return 0;
}

int key_new(struct keys *keys, struct key **out)
{
	for (size_t i = 0; i < KEYS_MAX; i++) {
		struct key *key = &keys->slots[i];
		CARD_KEY_HANDLE handle;
		int r;

		if (key->handle != 0)
			continue;
		r = random_handle(keys, &handle);
		if (r < 0)
			return r;
		*key = (struct key){ .handle = handle };
		*out = key;
		return 0;
	}
	return -ENOSPC;
}

DWORD key_new_failed(struct module *module, int r)
{
	if (r == -ENOSPC)
		return module_refuse(module, SCARD_E_NO_MEMORY, "16 keys a context",
				     "destroy one", "this context has no place for another key");
	return module_server_result(module, r);
}

struct key *key_find(struct keys *keys, CARD_KEY_HANDLE handle)
{
	for (size_t i = 0; handle != 0 && i < KEYS_MAX; i++)
		if (keys->slots[i].handle == handle)
			return &keys->slots[i];
	return NULL;
}

void key_deinit(struct key *key)
{
	blob_deinit(&key->receipt);
	key->seal = seal_free(key->seal);
	*key = (struct key){ 0 };
}

void keys_deinit(struct keys *keys)
{
	for (size_t i = 0; i < KEYS_MAX; i++)
		key_deinit(&keys->slots[i]);
}

DWORD WINAPI card_destroy_key(PCARD_DATA card, CARD_KEY_HANDLE handle)
{
	struct module *module;
	struct key *key;
	DWORD status = module_enter(card, MODULE_EITHER, "CardDestroyKey", &module);
	int r = 0;

	if (status != SCARD_S_SUCCESS)
		return status;
	key = key_find(&module->keys, handle);
	if (!key)
		return module_refuse(module, SCARD_E_INVALID_HANDLE, "handles of this context",
				     "forget it", "there is no such key, or not any more");
	if (module->kind == MODULE_CARD)
		r = kf_key_destroy(module->context, key->in_card);
	status = module_card_result(module, r);
	/* Gone with the card or its reset: dead all the same, and so is the handle. */
	if (r == 0 || r == -ESTALE || r == -EBADF || r == -ENOTCONN) {
		key_deinit(key);
		return r == 0 ? SCARD_S_SUCCESS : SCARD_E_INVALID_HANDLE;
	}
	return status;
}
