// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/e2e/hold.c - Preloaded into keyferry byok wrap and, by inheritance, into its keyferry-pkcs11: stops
 * the process where a search wants to look at it. That is inside AES key wrap, where the source's module
 * has the key open, and at the end of keyferry, when it has freed what it had.
 */
#include <dlfcn.h>
#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>
#include <string.h>

int EVP_CipherUpdate(EVP_CIPHER_CTX *ctx, unsigned char *out, int *n, const unsigned char *in, int len)
{
	int (*next)(EVP_CIPHER_CTX *, unsigned char *, int *, const unsigned char *, int);

	*(void **)(&next) = dlsym(RTLD_NEXT, "EVP_CipherUpdate");
	if (EVP_CIPHER_CTX_get_mode(ctx) == EVP_CIPH_WRAP_MODE && EVP_CIPHER_CTX_is_encrypting(ctx))
		(void)raise(SIGSTOP);
	return next ? next(ctx, out, n, in, len) : 0;
}

__attribute__((destructor)) static void at_the_end(void)
{
	if (strcmp(program_invocation_short_name, "keyferry") == 0)
		(void)raise(SIGSTOP);
}
