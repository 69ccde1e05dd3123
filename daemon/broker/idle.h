/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/idle.h - Leaving when nobody needs us. Only where a service manager keeps the
 * sockets and starts us again for the next client, and only when nothing would be forgotten that a
 * user could wish forgotten: its wrong PINs.
 */
#pragma once

struct broker;

void idle_init(struct broker *broker);
/* A client came or went, or there is a new table. */
void idle_look(struct broker *broker);
void idle_deinit(struct broker *broker);
