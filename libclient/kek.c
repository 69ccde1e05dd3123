/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/kek.c - Key-encryption keys: made, listed, attested, switched off and on, deleted. */
#include "libclient/blob.h"
#include "libclient/explain.h"
#include "libclient/rows.h"

struct kf_kek {
	struct kf_kek_entry entry;
};

struct kf_keks {
	size_t n;
	struct kf_kek rows[];
};

/* What a card calls a KEK is shown on terminals: it has an end, and signs of an URL alone. */
static bool name_is_harmless(const char name[static KF_KID_MAX + 1])
{
	size_t n = strnlen(name, KF_KID_MAX + 1);

	if (n == 0 || n > KF_KID_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	}
	return true;
}

/* About the PUK, which goes along: it has its own words. */
static int run_with_puk(struct call *call, const char *what)
{
	int r = call_run(call, "%s", what);

	if (r == -EKEYREJECTED || r == -EKEYREVOKED)
		explain_puk(&call->client->failure);
	return r;
}

DEFINE_CLEANUP(struct kf_keks *, kf_keks_free);

KF_EXPORT int kf_kek_create(struct kf_context *context, const struct kf_kek_spec *spec,
			    const char *puk, size_t len, uint32_t flags, uint32_t *number,
			    struct kf_blob **attestation)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_kek_create *create = call_begin_card(&call, context, KF_KEK_CREATE);
	uint32_t made;
	int r;

	if (!context || !spec || !spec->name || !puk || !attestation)
		return -EINVAL;
	create->container = spec->number;
	create->key_type = spec->key_type;
	create->hash = spec->hash;
	create->key_types = spec->key_types;
	create->purposes = spec->purposes;
	create->flags = flags;
	call_set(&call, kf_kek_create, puk, BYTES(puk, len));
	call_set(&call, kf_kek_create, name, BYTES(spec->name, strlen(spec->name)));
	r = run_with_puk(&call, "cannot make a KEK");
	if (r < 0)
		return r;
	made = ((const struct kf_kek_create *)call_reply(&call))->container;
	r = blob_new(&call, call_get(&call, kf_kek_create, attestation), attestation);
	if (r == 0 && number)
		*number = made;
	return r;
}

KF_EXPORT int kf_kek_list(struct kf_context *context, struct kf_keks **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	const struct kf_kek_list *list;
	_cleanup_(kf_keks_freep) struct kf_keks *keks = NULL;
	struct rows rows = { 0 };
	int r;

	(void)call_begin_card(&call, context, KF_KEK_LIST);
	if (!context || !out)
		return -EINVAL;
	r = call_run(&call, "cannot list the KEKs");
	if (r < 0)
		return r;
	list = call_reply(&call);
	r = rows_begin(call_get(&call, kf_kek_list, keks), list->n_keks,
		       sizeof(struct kf_kek_entry), &rows);
	if (r < 0)
		return call_reply_broken(&call, "the list of KEKs has another length than it says");
	keks = calloc(1, sizeof(*keks) + rows.n * sizeof(keks->rows[0]));
	if (!keks)
		return call_no_memory(&call);
	for (; keks->n < rows.n; keks->n++) {
		struct kf_kek_entry *entry = &keks->rows[keks->n].entry;

		rows_copy(&rows, keks->n, entry, sizeof(*entry));
		if (!name_is_harmless(entry->name))
			return call_reply_broken(&call, "the name of a KEK is none");
	}
	*out = take_ptr(keks);
	return 0;
}

KF_EXPORT size_t kf_keks_count(const struct kf_keks *keks)
{
	return keks ? keks->n : 0;
}

KF_EXPORT const struct kf_kek *kf_keks_at(const struct kf_keks *keks, size_t i)
{
	return keks && i < keks->n ? &keks->rows[i] : NULL;
}

KF_EXPORT struct kf_keks *kf_keks_free(struct kf_keks *keks)
{
	free(keks);
	return NULL;
}

KF_EXPORT const char *kf_kek_name(const struct kf_kek *kek)
{
	return kek->entry.name;
}

KF_EXPORT const uint8_t *kf_kek_key_hash(const struct kf_kek *kek)
{
	return kek->entry.kek;
}

KF_EXPORT uint32_t kf_kek_value(const struct kf_kek *kek, enum kf_kek_fact fact)
{
	switch (fact) {
	case KF_KEK_NUMBER:    return kek->entry.container;
	case KF_KEK_KEY_TYPE:  return kek->entry.key_type;
	case KF_KEK_ORIGIN:    return kek->entry.origin;
	case KF_KEK_HASH:      return kek->entry.hash;
	case KF_KEK_KEY_TYPES: return kek->entry.key_types;
	case KF_KEK_PURPOSES:  return kek->entry.purposes;
	case KF_KEK_FLAGS:     return kek->entry.flags;
	}
	return 0;
}

KF_EXPORT int kf_kek_attest(struct kf_context *context, uint32_t number, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_kek_attest *attest = call_begin_card(&call, context, KF_KEK_ATTEST);
	int r;

	if (!context || !out)
		return -EINVAL;
	attest->container = number;
	r = call_run(&call, "cannot have the KEK in container %u attested", number);
	if (r < 0)
		return r;
	return blob_new(&call, call_get(&call, kf_kek_attest, attestation), out);
}

KF_EXPORT int kf_kek_set(struct kf_context *context, uint32_t number, enum kf_kek_action action,
			 const char *puk, size_t len, uint32_t flags)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_kek_set *set = call_begin_card(&call, context, KF_KEK_SET);

	if (!context || !puk)
		return -EINVAL;
	set->container = number;
	set->action = action;
	set->flags = flags;
	call_set(&call, kf_kek_set, puk, BYTES(puk, len));
	return run_with_puk(&call, action == KF_KEK_DELETE ? "cannot delete the KEK" :
			    action == KF_KEK_ENABLE ? "cannot enable the KEK" :
			    "cannot disable the KEK");
}
