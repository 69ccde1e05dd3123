// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/random.c - OpenSSL's two generators, both seeded by the kernel. */
#include "libserver/random.h"
#include "base/error.h"
#include "format/ossl.h"

#include <openssl/rand.h>

static int drawn(int ok, struct kf_error *e)
{
	int r = ossl_end(ok == 1 ? 0 : -EIO);

	if (r != -EIO)
		return r;
	return error_why(e, r, "a key is protected with fresh random numbers, and there is no substitute",
			 "look into OpenSSL's configuration, then at getrandom(2) on this machine",
			 "OpenSSL gives no random numbers");
}

int random_public(uint8_t *out, size_t n, struct kf_error *e)
{
	ossl_begin();
	return drawn(RAND_bytes(out, (int)n), e);
}

int random_secret(uint8_t *out, size_t n, struct kf_error *e)
{
	ossl_begin();
	return drawn(RAND_priv_bytes(out, (int)n), e);
}
