/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/serve_kek.c - Requests about the keys that other keys come wrapped under: a KEK and what
 * it imports, a DKEK and the blobs it opens and makes.
 */
#include "driver/link/call.h"

/* --- KEKs and BYOK --- */

static int on_kek_create(struct call *call)
{
	int r = driver_of(call)->kek_create(call->seat->card, OUT(call, kf_kek_create),
					    PART(call, kf_kek_create, puk),
					    PART(call, kf_kek_create, name), &call->out);

	if (r == 0)
		SET_PART(call, kf_kek_create, attestation, 0);
	return r;
}

static int on_kek_list(struct call *call)
{
	uint32_t n = 0;
	int r = driver_of(call)->kek_list(call->seat->card, &n, &call->out);

	if (r < 0)
		return r;
	OUT(call, kf_kek_list)->n_keks = n;
	SET_PART(call, kf_kek_list, keks, 0);
	return 0;
}

static int on_kek_attest(struct call *call)
{
	int r = driver_of(call)->kek_attest(call->seat->card, IN(call, kf_kek_attest)->container,
					    &call->out);

	if (r == 0)
		SET_PART(call, kf_kek_attest, attestation, 0);
	return r;
}

static int on_kek_set(struct call *call)
{
	return driver_of(call)->kek_set(call->seat->card, IN(call, kf_kek_set),
					PART(call, kf_kek_set, puk));
}

static int on_byok_import(struct call *call)
{
	struct kf_byok_import *out = OUT(call, kf_byok_import);
	struct bytes spki = BYTES_NONE;
	size_t n;
	int r;

	out->check_len = 0;
	memset(out->check_value, 0, sizeof(out->check_value));
	r = driver_of(call)->byok_import(call->seat->card, out, PART(call, kf_byok_import, kid),
					 PART(call, kf_byok_import, blob), &call->out, &spki);
	if (r < 0)
		return r;
	n = call->out.n;
	packet_set(call->reply, kf_byok_import, receipt, bytes_slice(pack_done(&call->out), 0, n));
	pack_bytes(&call->out, spki);
	r = pack_end(&call->out);
	if (r == 0)
		SET_PART(call, kf_byok_import, spki, n);
	return r;
}

/* --- cards with a DKEK --- */

static int on_card_init(struct call *call)
{
	return driver_of(call)->init(call->seat->card, IN(call, kf_card_init),
				     PART(call, kf_card_init, so_pin),
				     PART(call, kf_card_init, pin),
				     PART(call, kf_card_init, label));
}

static int on_dkek_status(struct call *call)
{
	uint32_t n = 0;
	int r = driver_of(call)->dkek_status(call->seat->card, &n, &call->out);

	if (r < 0)
		return r;
	OUT(call, kf_dkek_status)->n_dkeks = n;
	SET_PART(call, kf_dkek_status, dkeks, 0);
	return 0;
}

static int on_dkek_share(struct call *call)
{
	return driver_of(call)->dkek_share(call->seat->card, &OUT(call, kf_dkek_share)->entry,
					   PART(call, kf_dkek_share, share));
}

static int on_dkek_domain(struct call *call)
{
	return driver_of(call)->dkek_domain(call->seat->card, IN(call, kf_dkek_domain));
}

static int on_blob_wrap(struct call *call)
{
	int r = driver_of(call)->blob_wrap(call->seat->card, IN(call, kf_blob_wrap)->container,
					   &call->out);

	if (r == 0)
		SET_PART(call, kf_blob_wrap, blob, 0);
	return r;
}

static int on_blob_unwrap(struct call *call)
{
	const struct card_blob blob = {
		.blob = PART(call, kf_blob_unwrap, blob),
		.cert = PART(call, kf_blob_unwrap, cert),
		.label = PART(call, kf_blob_unwrap, label),
		.id = PART(call, kf_blob_unwrap, id),
	};

	return driver_of(call)->blob_unwrap(call->seat->card, OUT(call, kf_blob_unwrap), &blob);
}

const struct call_rule serve_kek_rules[] = {
	{ KF_KEK_CREATE,	NEEDS_CARD,	VERB(kek_create),	on_kek_create },
	{ KF_KEK_LIST,		NEEDS_CARD,	VERB(kek_list),		on_kek_list },
	{ KF_KEK_ATTEST,	NEEDS_CARD,	VERB(kek_attest),	on_kek_attest },
	{ KF_KEK_SET,		NEEDS_CARD,	VERB(kek_set),		on_kek_set },
	{ KF_BYOK_IMPORT,	NEEDS_CARD,	VERB(byok_import),	on_byok_import },

	{ KF_CARD_INIT,		NEEDS_CARD,	VERB(init),		on_card_init },
	{ KF_DKEK_STATUS,	NEEDS_CARD,	VERB(dkek_status),	on_dkek_status },
	{ KF_DKEK_SHARE,	NEEDS_CARD,	VERB(dkek_share),	on_dkek_share },
	{ KF_DKEK_DOMAIN,	NEEDS_CARD,	VERB(dkek_domain),	on_dkek_domain },
	{ KF_BLOB_WRAP,		NEEDS_CARD,	VERB(blob_wrap),	on_blob_wrap },
	{ KF_BLOB_UNWRAP,	NEEDS_CARD,	VERB(blob_unwrap),	on_blob_unwrap },
	{ 0 }
};
