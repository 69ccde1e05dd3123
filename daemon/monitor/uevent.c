/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/uevent.c - The text format: "ACTION@DEVPATH" NUL, then KEY=VALUE NUL again and
 * again. The header repeats two of the keys, and must agree with them.
 */
#include "daemon/monitor/uevent.h"

static bool is_name(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '_'))
			return false;
	}
	return name.n > 0;
}

static bool has_dotdot(struct bytes path)
{
	struct unpacker u = unpack_begin(path);

	while (u.left > 0) {
		struct bytes part = unpack_until(&u, '/');

		if (u.bad)			/* the last one has no '/' behind it */
			break;
		if (bytes_equal(part, BYTES("..", 2)))
			return true;
	}
	return path.n >= 2 && bytes_equal(bytes_slice(path, path.n - 2, 2), BYTES("..", 2)) &&
	       (path.n == 2 || path.p[path.n - 3] == '/');
}

static bool path_good(struct bytes path)
{
	return path.n > 0 && path.p[0] == '/' && !has_dotdot(path);
}

/* What of the keys is asked about, and may therefore stand there once. */
struct seen {
	struct bytes action, devpath, subsystem, devname;
};

static struct bytes *wanted(struct seen *seen, struct bytes key)
{
	const struct { const char *name; struct bytes *value; } keys[] = {
		{ "ACTION", &seen->action }, { "DEVPATH", &seen->devpath },
		{ "SUBSYSTEM", &seen->subsystem }, { "DEVNAME", &seen->devname },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (bytes_equal(key, BYTES(keys[i].name, strlen(keys[i].name))))
			return keys[i].value;
	return NULL;
}

static void take_pair(struct unpacker *u, struct seen *seen)
{
	struct unpacker pair = unpack_begin(unpack_until(u, '\0'));
	struct bytes key = unpack_until(&pair, '=');
	struct bytes *value = pair.bad ? NULL : wanted(seen, key);

	if (pair.bad || !is_name(key) || (value && value->p))
		unpack_fail(u);
	else if (value)
		*value = unpack_rest(&pair);
}

int uevent_parse(struct bytes message, struct uevent *out)
{
	struct unpacker u = unpack_begin(message);
	struct unpacker header = unpack_begin(unpack_until(&u, '\0'));
	struct bytes action = unpack_until(&header, '@'), devpath = unpack_rest(&header);
	struct seen seen = { 0 };
	int n = 0;

	if (message.n > UEVENT_MAX || header.bad || !is_name(action) || !path_good(devpath))
		return -EBADMSG;
	while (u.left > 0 && n++ < UEVENT_KEYS)
		take_pair(&u, &seen);
	if (unpack_end(&u) < 0 || !bytes_equal(seen.action, action) ||
	    !bytes_equal(seen.devpath, devpath) || seen.subsystem.n == 0)
		return -EBADMSG;
	if (seen.devname.p && (seen.devname.n == 0 || seen.devname.p[0] == '/' ||
			       has_dotdot(seen.devname)))
		return -EBADMSG;
	*out = (struct uevent){ action, devpath, seen.subsystem };
	return 0;
}

bool uevent_from_kernel(const struct sockaddr_nl *from, const struct ucred *cred)
{
	return from->nl_family == AF_NETLINK && from->nl_pid == 0 &&
	       from->nl_groups == UEVENT_GROUP && cred && cred->pid == 0 && cred->uid == 0;
}
