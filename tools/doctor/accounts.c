/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/accounts.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

static FILE *open_file(const char *root, const char *path)
{
	char full[PATH_MAX];

	return snprintf(full, sizeof(full), "%s%s", root, path) < (int)sizeof(full) ?
	       fopen(full, "re") : NULL;
}

/* Both borrow from the C library until the next call. */
static const struct passwd *find_user(const char *root, const char *name, uid_t uid)
{
	const struct passwd *user;
	FILE *from;

	if (root[0] == '\0')
		return name ? getpwnam(name) : getpwuid(uid);
	from = open_file(root, "/etc/passwd");
	if (!from)
		return NULL;
	do {
		user = fgetpwent(from);
	} while (user && (name ? strcmp(user->pw_name, name) != 0 : user->pw_uid != uid));
	(void)fclose(from);
	return user;
}

static const struct group *find_group(const char *root, const char *name)
{
	const struct group *group;
	FILE *from;

	if (root[0] == '\0')
		return getgrnam(name);
	from = open_file(root, "/etc/group");
	if (!from)
		return NULL;
	do {
		group = fgetgrent(from);
	} while (group && strcmp(group->gr_name, name) != 0);
	(void)fclose(from);
	return group;
}

int accounts_user(const char *root, const char *name, uid_t *out)
{
	const struct passwd *user = find_user(root, name, 0);

	if (!user)
		return -ENOENT;
	*out = user->pw_uid;
	return 0;
}

int accounts_group(const char *root, const char *name, gid_t *out)
{
	const struct group *group = find_group(root, name);

	if (!group)
		return -ENOENT;
	*out = group->gr_gid;
	return 0;
}

bool accounts_is_member(const char *root, const char *name, uid_t uid)
{
	const struct group *group = find_group(root, name);
	const struct passwd *user = find_user(root, NULL, uid);

	if (!group || !user)
		return false;
	if (user->pw_gid == group->gr_gid)
		return true;
	for (char **member = group->gr_mem; *member; member++)
		if (strcmp(*member, user->pw_name) == 0)
			return true;
	return false;
}
