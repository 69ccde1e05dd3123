// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/json/key_url.c - Walked from left to right, part by part; each part takes its characters
 * and no others, so there is no room for "..", a query or a user name.
 */
#include "libserver/json/key_url.h"

#include <strings.h>

enum { PORT_DIGITS = 5, NAME_MAX_LEN = 127, VERSION_DIGITS = 32 };

static const char digits[] = "0123456789";
static const char hex_digits[] = "0123456789abcdefABCDEF";
static const char name_characters[] =
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
static const char host_characters[] =
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.";

static bool take(const char **at, const char *text)
{
	size_t n = strlen(text);

	if (strncasecmp(*at, text, n) != 0)
		return false;
	*at += n;
	return true;
}

/* How many characters of @set stand at @at; passes them. */
static size_t take_any(const char **at, const char *set)
{
	size_t n = strspn(*at, set);

	*at += n;
	return n;
}

static const char *authority_fault(const char **at)
{
	const char *host = *at;
	size_t n = take_any(at, host_characters);

	if (n == 0 || host[0] == '.' || host[0] == '-' || host[n - 1] == '-')
		return "has no host name behind \"https://\"";
	if (**at != ':')
		return NULL;
	(*at)++;
	n = take_any(at, digits);
	return n == 0 || n > PORT_DIGITS ? "has a port that is no number" : NULL;
}

static const char *version_fault(const char **at)
{
	if (**at != '/')
		return NULL;
	(*at)++;
	return take_any(at, hex_digits) != VERSION_DIGITS
		       ? "has a version that is not 32 hexadecimal digits" : NULL;
}

const char *key_url_fault(const char *url)
{
	const char *at = url, *fault;
	size_t n;

	if (strlen(url) > KEY_URL_MAX)
		return "is longer than 255 characters";
	if (!take(&at, "https://"))
		return "does not begin with \"https://\": it is the key's whole identifier, "
		       "https://VAULT/keys/NAME/VERSION";
	fault = authority_fault(&at);
	if (fault)
		return fault;
	if (!take(&at, "/keys/"))
		return "has no \"/keys/\" behind its host";
	n = take_any(&at, name_characters);
	if (n == 0 || n > NAME_MAX_LEN)
		return "has no key name of 1 to 127 letters, digits and dashes behind \"/keys/\"";
	fault = version_fault(&at);
	if (fault)
		return fault;
	return *at ? "goes on behind name and version" : NULL;
}
