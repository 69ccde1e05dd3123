/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/blank.h"

#include <stdarg.h>
#include <stdio.h>

int blank_refuse(char why[static VCARD_WHY_MAX], int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, VCARD_WHY_MAX, format, args);
	va_end(args);
	return r;
}

int blank_open(const char *dir, struct store **out, char why[static VCARD_WHY_MAX])
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(secret_deinit) struct secret old = SECRET_INIT;
	int r = store_open(dir, STORE_CREATE, NULL, &store);

	if (r == -EACCES)
		return blank_refuse(why, r, "%s has to belong to this user and be closed to all others; "
				    "chmod 700 it", dir);
	if (r < 0)
		return blank_refuse(why, r, "the directory %s cannot be used: %s", dir, strerror(-r));
	r = store_load(store, &old);
	if (r != -ENOENT)
		return blank_refuse(why, -EEXIST, "there is a card in %s already; name another directory",
				    dir);
	*out = take_ptr(store);
	return 0;
}
