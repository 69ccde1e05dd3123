/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/tickets.h - The folder of tickets: SID.json each, written once and never replaced.
 */
#pragma once

#include "libserver/folder.h"
#include "libserver/ticket.h"

/* Durable once it returns. Return: 0, -EEXIST. */
int tickets_keep(const struct folder *tickets, const uint8_t sid[static KF_SID_SIZE],
		 struct bytes text, struct kf_error *e);

/* The text of the ticket that @sid was sealed under. Return: 0, -ENOENT. */
int tickets_load(const struct folder *tickets, const uint8_t sid[static KF_SID_SIZE],
		 struct blob *out, struct kf_error *e);
