/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/doctor/bundle.h - A report to send to somebody: what was found, the machine, the readers and
 * the configuration, with every serial number masked. PINs and keys are in none of its sources.
 */
#pragma once

#include "tools/doctor/host.h"

#include <keyferry/keyferry.h>

/* Return: a text of the caller's; NULL without memory, or if something could not be masked. */
char *bundle_make(const struct host *host, struct kf_client *client, const struct ledger *ledger);
