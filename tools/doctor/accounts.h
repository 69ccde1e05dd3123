/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/doctor/accounts.h - Users and groups of the machine that is looked at: the running one's by
 * its name service, an image's out of its own files.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Return: 0, or -ENOENT. */
int accounts_user(const char *root, const char *name, uid_t *out);
int accounts_group(const char *root, const char *name, gid_t *out);

/* Whether the user with @uid would be in @group after the next login. */
bool accounts_is_member(const char *root, const char *group, uid_t uid);
