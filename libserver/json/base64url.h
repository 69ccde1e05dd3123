/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/base64url.h - Binary values in the four files [RFC 4648 5], without padding, in
 * their one form: no white space, unused bits zero. Pure.
 */
#pragma once

#include "base/bytes.h"

/* Length of the text for @n bytes, without a NUL. */
size_t base64url_size(size_t n);

/* Writes base64url_size(b.n) characters and a NUL to @out. */
void base64url_encode(struct bytes b, char *out);

/*
 * Appends what @text stands for. Return: 0, -EBADMSG if it is not base64url in its one form,
 * -EMSGSIZE if it does not fit.
 */
int base64url_decode(struct bytes text, struct packer *out);
