// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/tickets.c - One file a session id; its contents are ticket.c's. */
#include "libserver/tickets.h"
#include "base/error.h"

#define NAME_SIZE (2 * KF_SID_SIZE + 6)

static void name_of(const uint8_t sid[static KF_SID_SIZE], char out[static NAME_SIZE])
{
	char text[2 * KF_SID_SIZE + 1];

	hex_print(BYTES(sid, KF_SID_SIZE), text);
	(void)snprintf(out, NAME_SIZE, "%s.json", text);
}

int tickets_keep(const struct folder *tickets, const uint8_t sid[static KF_SID_SIZE],
		 struct bytes text, struct kf_error *e)
{
	char name[NAME_SIZE];

	name_of(sid, name);
	return folder_create(tickets, name, text, e);
}

int tickets_load(const struct folder *tickets, const uint8_t sid[static KF_SID_SIZE],
		 struct blob *out, struct kf_error *e)
{
	char name[NAME_SIZE];
	int r;

	name_of(sid, name);
	r = folder_read(tickets, name, JSON_TEXT_MAX, out, e);
	if (r == -ENOENT)
		return error_why(e, -ENOENT, "receipts are compared with tickets",
				 "verify it where the key was sealed",
				 "this server has sealed no cargo %.*s", 2 * KF_SID_SIZE, name);
	return r;
}
