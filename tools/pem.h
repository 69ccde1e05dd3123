/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/pem.h - Public things between DER and PEM. */
#pragma once

#include "base/bytes.h"
#include "keyferry/error.h"

/* @der as PEM under @label; the caller gives *@out to pem_free(). Return: 0, -ENOMEM. */
int pem_wrap(const char *label, struct bytes der, struct bytes *out);

/* A certificate out of PEM or DER. Return: 0 and the DER, to pem_free(); -EBADMSG, -ENOMEM. */
int pem_take_certificate(struct bytes text, struct bytes *out, struct kf_error *e);

/* The uncompressed point of an EC public key, PEM or DER. Return: as above. */
int pem_take_point(struct bytes text, struct bytes *out, struct kf_error *e);

/* The DER length of the first certificate in a chain; 0 if there is none. */
size_t pem_first_certificate(struct bytes chain);

void pem_free(struct bytes bytes);
