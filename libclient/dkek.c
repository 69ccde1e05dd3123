/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/dkek.c - Cards with a DKEK: made new, given its shares; keys wrapped and unwrapped. */
#include "libclient/blob.h"
#include "libclient/explain.h"
#include "libclient/rows.h"

struct kf_dkek {
	struct kf_dkek_entry entry;
};

struct kf_dkeks {
	size_t n;
	struct kf_dkek rows[];
};

static struct bytes text_bytes(const char *text)
{
	return text ? BYTES(text, strlen(text)) : BYTES_NONE;
}

KF_EXPORT int kf_card_init(struct kf_context *context, const struct kf_card_init_spec *spec,
			   const char *so_pin, size_t so_len, const char *pin, size_t len)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_card_init *init = call_begin_card(&call, context, KF_CARD_INIT);
	int r;

	if (!context || !spec || !so_pin || !pin)
		return -EINVAL;
	init->flags = spec->flags;
	init->tries = spec->tries;
	init->n_shares = spec->n_shares;
	init->n_domains = spec->n_domains;
	call_set(&call, kf_card_init, so_pin, BYTES(so_pin, so_len));
	call_set(&call, kf_card_init, pin, BYTES(pin, len));
	call_set(&call, kf_card_init, label, text_bytes(spec->label));
	r = call_run(&call, "cannot initialise the card");
	if (r == -EKEYREJECTED || r == -EKEYREVOKED)
		explain_so_pin(&call.client->failure);
	return r;
}

KF_EXPORT int kf_dkek_status(struct kf_context *context, struct kf_dkeks **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	const struct kf_dkek_status *status;
	struct kf_dkeks *dkeks;
	struct rows rows = { 0 };
	int r;

	(void)call_begin_card(&call, context, KF_DKEK_STATUS);
	if (!context || !out)
		return -EINVAL;
	r = call_run(&call, "cannot read the state of the DKEK");
	if (r < 0)
		return r;
	status = call_reply(&call);
	r = rows_begin(call_get(&call, kf_dkek_status, dkeks), status->n_dkeks,
		       sizeof(struct kf_dkek_entry), &rows);
	if (r < 0)
		return call_reply_broken(&call, "the list of DKEKs has another length than it says");
	dkeks = calloc(1, sizeof(*dkeks) + rows.n * sizeof(dkeks->rows[0]));
	if (!dkeks)
		return call_no_memory(&call);
	for (; dkeks->n < rows.n; dkeks->n++)
		rows_copy(&rows, dkeks->n, &dkeks->rows[dkeks->n].entry,
			  sizeof(struct kf_dkek_entry));
	*out = dkeks;
	return 0;
}

KF_EXPORT size_t kf_dkeks_count(const struct kf_dkeks *dkeks)
{
	return dkeks ? dkeks->n : 0;
}

KF_EXPORT const struct kf_dkek *kf_dkeks_at(const struct kf_dkeks *dkeks, size_t i)
{
	return dkeks && i < dkeks->n ? &dkeks->rows[i] : NULL;
}

KF_EXPORT struct kf_dkeks *kf_dkeks_free(struct kf_dkeks *dkeks)
{
	free(dkeks);
	return NULL;
}

KF_EXPORT uint32_t kf_dkek_value(const struct kf_dkek *dkek, enum kf_dkek_fact fact)
{
	switch (fact) {
	case KF_DKEK_DOMAIN_NUMBER: return dkek->entry.domain;
	case KF_DKEK_STATE:	    return dkek->entry.state;
	case KF_DKEK_SHARES:	    return dkek->entry.n_shares;
	case KF_DKEK_OUTSTANDING:   return dkek->entry.outstanding;
	}
	return 0;
}

KF_EXPORT const uint8_t *kf_dkek_check_value(const struct kf_dkek *dkek)
{
	return dkek->entry.state == KF_DKEK_READY ? dkek->entry.check_value : NULL;
}

KF_EXPORT int kf_dkek_share(struct kf_context *context, uint32_t domain,
			    const uint8_t share[KF_DKEK_SHARE_SIZE], uint32_t *outstanding)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_dkek_share *give = call_begin_card(&call, context, KF_DKEK_SHARE);
	int r;

	if (!context || !share)
		return -EINVAL;
	give->entry.domain = domain;
	call_set(&call, kf_dkek_share, share, BYTES(share, KF_DKEK_SHARE_SIZE));
	r = call_run(&call, "cannot import the DKEK share");
	if (r == 0 && outstanding)
		*outstanding = ((const struct kf_dkek_share *)call_reply(&call))->entry.outstanding;
	return r;
}

KF_EXPORT int kf_dkek_domain(struct kf_context *context, uint32_t domain,
			     enum kf_domain_action action, uint32_t n_shares)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_dkek_domain *what = call_begin_card(&call, context, KF_DKEK_DOMAIN);

	if (!context)
		return -EINVAL;
	what->domain = domain;
	what->action = action;
	what->n_shares = n_shares;
	return call_run(&call, "cannot %s key domain %u", action == KF_DOMAIN_CREATE ? "create" :
			action == KF_DOMAIN_DELETE ? "delete" : "clear", domain);
}

KF_EXPORT int kf_blob_wrap(struct kf_context *context, uint32_t number, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_blob_wrap *wrap = call_begin_card(&call, context, KF_BLOB_WRAP);
	int r;

	if (!context || !out)
		return -EINVAL;
	wrap->container = number;
	r = call_run(&call, "cannot wrap the key in container %u", number);
	return r < 0 ? r : blob_new(&call, call_get(&call, kf_blob_wrap, blob), out);
}

KF_EXPORT int kf_blob_unwrap(struct kf_context *context, const struct kf_unwrap_spec *spec,
			     const uint8_t *blob, size_t len, uint32_t *number)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_blob_unwrap *unwrap = call_begin_card(&call, context, KF_BLOB_UNWRAP);
	int r;

	if (!context || !spec || !blob)
		return -EINVAL;
	unwrap->container = spec->number;
	unwrap->key_type = spec->key_type;
	unwrap->purposes = spec->purposes;
	unwrap->flags = spec->flags;
	if (spec->replaces) {
		unwrap->flags |= KF_BLOB_REPLACE;
		memcpy(unwrap->replaces, spec->replaces, sizeof(unwrap->replaces));
	}
	call_set(&call, kf_blob_unwrap, blob, BYTES(blob, len));
	if (spec->cert)
		call_set(&call, kf_blob_unwrap, cert, BYTES(spec->cert, spec->cert_len));
	call_set(&call, kf_blob_unwrap, label, text_bytes(spec->label));
	if (spec->id)
		call_set(&call, kf_blob_unwrap, id, BYTES(spec->id, spec->id_len));
	r = call_run(&call, "cannot unwrap the key");
	if (r == 0 && number)
		*number = ((const struct kf_blob_unwrap *)call_reply(&call))->container;
	return r;
}
