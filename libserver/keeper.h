/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/keeper.h - What a struct kf_master_keeper is asked: the same keys that libserver/master.c derives
 * when it has the master itself.
 */
#pragma once

#include "base/secret.h"
#include "keyferry/server.h"

#define MASTER_CHECK_LABEL "keyferry/master/check"

/* A card's key, as master_derive(). @out is SECRET_INIT. Return: 0, what the keeper returned, -ENOMEM. */
int keeper_derive(const struct kf_master_keeper *keeper, enum kf_method method, enum kf_origin origin,
		  const char *serial, struct secret *out, struct kf_error *e);
/* Return: 0, what the keeper returned. */
int keeper_check(const struct kf_master_keeper *keeper, uint8_t check[static KF_MASTER_CHECK_SIZE],
		 struct kf_error *e);
