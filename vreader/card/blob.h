/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/blob.h - Bytes that never change, shared by two versions of the card's state: the
 * one in force and the one being built. Kept as secrets, so nobody has to judge which are.
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"

struct blob;

/* A copy of @b, which must not be empty. Return: 0, -ENOMEM, or what secret_init() says. */
int blob_new(struct bytes b, struct blob **out);
/* Takes NULL and returns it: an absent blob. */
struct blob *blob_ref(struct blob *blob);
struct blob *blob_unref(struct blob *blob);
DEFINE_CLEANUP(struct blob *, blob_unref);

/* Empty for NULL. */
struct bytes blob_bytes(const struct blob *blob);
