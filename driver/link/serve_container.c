/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/serve_container.c - Requests about containers, and the use of the keys in them.
 */
#include "driver/link/call.h"

/* --- containers --- */

static int on_container_list(struct call *call)
{
	uint32_t n = 0;
	int r = driver_of(call)->container_list(call->seat->card, &n, &call->out);

	if (r < 0)
		return r;
	OUT(call, kf_container_list)->n_containers = n;
	SET_PART(call, kf_container_list, containers, 0);
	return 0;
}

static int on_container_info(struct call *call)
{
	int r = driver_of(call)->container_info(call->seat->card, OUT(call, kf_container_info),
						&call->out);

	if (r < 0)
		return r;
	SET_PART(call, kf_container_info, spki, 0);
	return 0;
}

static int on_container_create(struct call *call)
{
	int r = driver_of(call)->container_create(call->seat->card, OUT(call, kf_container_create),
						  &call->out);

	if (r == 0)
		SET_PART(call, kf_container_create, spki, 0);
	return r;
}

static int on_container_delete(struct call *call)
{
	return driver_of(call)->container_delete(call->seat->card,
						 IN(call, kf_container_delete)->container);
}

static int on_cert_store(struct call *call)
{
	return driver_of(call)->cert_store(call->seat->card, IN(call, kf_cert_store)->container,
					   PART(call, kf_cert_store, cert));
}

static int on_cert_read(struct call *call)
{
	const struct kf_cert_read *want = IN(call, kf_cert_read);
	int (*read)(struct card *card, uint32_t container, struct packer *out) =
		want->flags & KF_CERT_VOUCHER ? driver_of(call)->voucher_read
					      : driver_of(call)->cert_read;
	int r = read ? read(call->seat->card, want->container, &call->out) : -EOPNOTSUPP;

	if (r == 0)
		SET_PART(call, kf_cert_read, cert, 0);
	return r;
}

/* --- key use --- */

static int on_sign(struct call *call)
{
	int r = driver_of(call)->sign(call->seat->card, IN(call, kf_sign),
				      PART(call, kf_sign, digest), &call->out);

	if (r == 0)
		SET_PART(call, kf_sign, signature, 0);
	return r;
}

static int on_decrypt(struct call *call)
{
	int r = driver_of(call)->decrypt(call->seat->card, IN(call, kf_decrypt),
					 PART(call, kf_decrypt, input),
					 PART(call, kf_decrypt, label), &call->out);

	if (r == 0)
		SET_PART(call, kf_decrypt, output, 0);
	return r;
}

static int on_agree(struct call *call)
{
	int r = driver_of(call)->agree(call->seat->card, IN(call, kf_agree)->container,
				       PART(call, kf_agree, peer), &call->out);

	if (r == 0)
		SET_PART(call, kf_agree, secret, 0);
	return r;
}

static int on_cipher(struct call *call)
{
	int r = driver_of(call)->cipher(call->seat->card, OUT(call, kf_cipher),
					PART(call, kf_cipher, aad), PART(call, kf_cipher, input),
					&call->out);

	if (r == 0)
		SET_PART(call, kf_cipher, output, 0);
	return r;
}

const struct call_rule serve_container_rules[] = {
	{ KF_CONTAINER_LIST,	NEEDS_CARD,	VERB(container_list),	on_container_list },
	{ KF_CONTAINER_INFO,	NEEDS_CARD,	VERB(container_info),	on_container_info },
	{ KF_CONTAINER_CREATE,	NEEDS_CARD,	VERB(container_create),	on_container_create },
	{ KF_CONTAINER_DELETE,	NEEDS_CARD,	VERB(container_delete),	on_container_delete },
	{ KF_CERT_STORE,	NEEDS_CARD,	VERB(cert_store),	on_cert_store },
	{ KF_CERT_READ,		NEEDS_CARD,	VERB(cert_read),	on_cert_read },

	{ KF_SIGN,		NEEDS_CARD,	VERB(sign),		on_sign },
	{ KF_DECRYPT,		NEEDS_CARD,	VERB(decrypt),		on_decrypt },
	{ KF_AGREE,		NEEDS_CARD,	VERB(agree),		on_agree },
	{ KF_CIPHER,		NEEDS_CARD,	VERB(cipher),		on_cipher },
	{ 0 }
};
