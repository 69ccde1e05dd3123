/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/doctor/service.h - What the running service says: who it is, what holds its processes back,
 * and each reader, card and PIN.
 */
#pragma once

#include "tools/doctor/ledger.h"

#include <keyferry/keyferry.h>

/* Connects @client to @socket and looks at everything behind it. */
void service_check(struct kf_client *client, const char *socket, struct ledger *ledger);
