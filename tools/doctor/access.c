/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/access.h"

#include "base/cleanup.h"
#include "tools/doctor/accounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool process_has(gid_t gid)
{
	_cleanup_(freep) gid_t *groups = NULL;
	int n = getgroups(0, NULL);

	if (getegid() == gid)
		return true;
	groups = n > 0 ? calloc((size_t)n, sizeof(*groups)) : NULL;
	if (!groups)
		return false;
	n = getgroups(n, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool check_member(const char *root, gid_t gid, struct ledger *ledger)
{
	if (geteuid() == 0 || process_has(gid)) {
		ledger_add(ledger, "group", VERDICT_OK, NULL, "%s", geteuid() == 0 ?
			   "root may connect" : "this user is in " ACCESS_GROUP);
		return true;
	}
	if (accounts_is_member(root, ACCESS_GROUP, geteuid()))
		ledger_add(ledger, "group", VERDICT_FAIL, "log in anew, or: newgrp " ACCESS_GROUP,
			   "uid %u was added to " ACCESS_GROUP " after this session began",
			   geteuid());
	else
		ledger_add(ledger, "group", VERDICT_FAIL,
			   "as root: usermod -aG " ACCESS_GROUP " USER; then log in anew",
			   "uid %u is not in the group " ACCESS_GROUP, geteuid());
	return false;
}

static void tell_missing(const char *socket, int error, struct ledger *ledger)
{
	ledger_add(ledger, "socket", VERDICT_FAIL, error == ENOENT ?
		   "systemctl enable --now keyferry.socket; in development start keyferryd, or name "
		   "its socket (--socket, $KEYFERRY_SOCKET)" :
		   "look at the folders on the way: each must let this user pass",
		   "%s: %s: the service is off, or somewhere else", socket, strerror(error));
}

bool access_check(const char *root, const char *socket, struct ledger *ledger)
{
	struct stat st;
	gid_t gid = 0;
	bool known = accounts_group(root, ACCESS_GROUP, &gid) == 0;

	if (stat(socket, &st) < 0) {
		tell_missing(socket, errno, ledger);
		return false;
	}
	if (!S_ISSOCK(st.st_mode)) {
		ledger_add(ledger, "socket", VERDICT_FAIL, "name the right one with --socket",
			   "%s is no socket", socket);
		return false;
	}
	if ((st.st_mode & 0006) == 0006 || st.st_uid == geteuid()) {
		ledger_add(ledger, "socket", VERDICT_OK, NULL, "%s lets %s connect", socket,
			   (st.st_mode & 0006) == 0006 ? "everybody" : "this user");
		return true;
	}
	if (!known || st.st_gid != gid || (st.st_mode & 0060) != 0060) {
		ledger_add(ledger, "socket", VERDICT_FAIL, known ?
			   "systemctl restart keyferry.socket; if it has a drop-in, remove it" :
			   "systemd-sysusers, then systemctl restart keyferry.socket",
			   "%s belongs to group %u with mode %04o, not to " ACCESS_GROUP " with 0660",
			   socket, st.st_gid, st.st_mode & 07777);
		return geteuid() == 0;
	}
	ledger_add(ledger, "socket", VERDICT_OK, NULL, "%s is there for " ACCESS_GROUP, socket);
	return check_member(root, gid, ledger);
}
