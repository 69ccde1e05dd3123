/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/doctor/access.h - The way from this user to the service's socket: is it there, whose is it,
 * and does its group let this user in.
 */
#pragma once

#include "tools/doctor/ledger.h"

#define ACCESS_GROUP "keyferry-users"

/* Groups are those of the machine at @root. Return: whether connecting is worth a try. */
bool access_check(const char *root, const char *socket, struct ledger *ledger);
