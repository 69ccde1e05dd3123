/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* format/kid.c - ASCII by hand: what is the same letter must not depend on anybody's locale. */
#include "format/kid.h"

enum { VERSION_LEN = 32 };		/* hexadecimal digits [byok 4.4] */

static const char allowed[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/@%";

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

bool kid_is_valid(struct bytes kid)
{
	if (kid.n == 0 || kid.n > KF_KID_MAX)
		return false;
	for (size_t i = 0; i < kid.n; i++) {
		if (kid.p[i] == 0 || !strchr(allowed, kid.p[i]))
			return false;
	}
	return true;
}

bool kid_equal(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

static bool is_version(struct bytes b)
{
	if (b.n != VERSION_LEN)
		return false;
	for (size_t i = 0; i < b.n; i++) {
		uint8_t c = lower(b.p[i]);

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

enum kid_fit kid_fits(struct bytes kid, struct bytes name)
{
	if (kid_equal(kid, name))
		return KID_SAME;
	if (kid.n == 0 || name.n != kid.n + 1 + VERSION_LEN || name.p[kid.n] != '/')
		return KID_OTHER;
	if (!is_version(bytes_slice(name, kid.n + 1, VERSION_LEN)) ||
	    !kid_equal(kid, bytes_slice(name, 0, kid.n)))
		return KID_OTHER;
	return KID_NO_VERSION;
}
