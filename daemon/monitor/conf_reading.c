/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon/monitor/conf_reading.c - Words, numbers and names of users, and what is told of them. */
#include "daemon/monitor/conf_reading.h"

#include "proto/packet.h"

#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>

void conf_wrong(struct reading *in, unsigned int line, const char *format, ...)
{
	char text[512];
	va_list ap;

	if (in->errors++ >= CONF_SAID)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	in->say(in->data, line, text);
}

char *conf_word(char **rest)
{
	char *word;

	do
		word = strsep(rest, " \t");
	while (word && *word == '\0');
	return word;
}

bool conf_text(char *field, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (n >= size)
		return false;
	memset(field, 0, size);
	memcpy(field, text, n);
	return packet_string_valid(field, size);
}

bool conf_number(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return false;
	}
	*out = (uint32_t)n;
	return true;
}

bool conf_user(const char *name, uint32_t *id)
{
	const struct passwd *entry;

	if (conf_number(name, UINT32_MAX - 1, id))
		return true;
	entry = getpwnam(name);
	if (entry)
		*id = entry->pw_uid;
	return entry != NULL;
}

bool conf_group(const char *name, uint32_t *id)
{
	const struct group *entry;

	if (conf_number(name, UINT32_MAX - 1, id))
		return true;
	entry = getgrnam(name);
	if (entry)
		*id = entry->gr_gid;
	return entry != NULL;
}
