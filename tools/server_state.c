// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/server_state.c - A passphrase is asked for only after looking whether there is one. */
#include "tools/server_state.h"

#include "format/numbers.h"
#include "format/ossl.h"

#include <string.h>

int passphrase_get(int fd, const char *prompt, struct secret *out, struct kf_error *e)
{
	int r = secret_init(out, PASSPHRASE_MAX);

	if (r < 0)
		return r;
	return fd >= 0 ? ui_secret_from_fd(fd, out, e) : ui_secret_ask(prompt, out, e);
}

int server_state_open(const char *dir, struct kf_state **out, struct kf_error *e)
{
	return kf_state_open(dir, NULL, 0, out, e);
}

int server_state_unlock(const char *dir, int passphrase_fd, struct kf_state **out,
			struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret passphrase = SECRET_INIT;
	int r;

	ossl_secure_heap();	/* private keys are read from here on: the injector's first */
	r = kf_state_needs_passphrase(dir, e);
	if (r > 0)
		r = passphrase_get(passphrase_fd, "Passphrase of the injector key", &passphrase, e);
	if (r < 0)
		return r;
	return kf_state_open(dir, passphrase.p, passphrase.n, out, e);
}

int methods_parse(const char *text, uint8_t methods[static METHODS_MAX], size_t *n)
{
	size_t count = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		char name[16] = "";
		enum kf_method method;

		if (len >= sizeof(name) || count == METHODS_MAX)
			return -EINVAL;
		memcpy(name, text, len);
		if (method_from_name(name, &method) < 0)
			return -EINVAL;
		methods[count++] = (uint8_t)method;
		if (text[len] == 0)
			break;
		text += len + 1;
	}
	*n = count;
	return 0;
}
