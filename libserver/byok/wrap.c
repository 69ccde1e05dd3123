// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/byok/wrap.c - One key for one KEK. Whether the KEK is believed comes first: everything after
 * that gives the target to whoever has its private half.
 */
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/byok/envelope.h"
#include "libserver/byok/format.h"
#include "libserver/byok/kek.h"
#include "libserver/byok/target.h"

enum { BLOB_MAX = 4096 };

static int check_room(const struct kf_byok_kek *kek, const struct kf_byok_target *target,
		      const struct kf_byok_plan *plan, struct kf_error *e)
{
	size_t room = oaep_room(kek->key, plan->hash);

	if (plan->mode != KF_BYOK_MODE_DIRECT || target->plain.n <= room)
		return 0;
	return error_why(e, -EMSGSIZE, "RSA-OAEP, RFC 8017 7.1.1",
			 "leave out --direct, or use a larger KEK",
			 "the key is %zu bytes long, and OAEP with %s under %s holds %zu",
			 target->plain.n, byok_hash_words(plan->hash), key_type_name(kek->type), room);
}

static int seal(const struct kf_byok_kek *kek, const struct kf_byok_target *target,
		const struct kf_byok_plan *plan, struct packer *out, struct kf_error *e)
{
	struct bytes plain = secret_bytes(&target->plain);

	if (plan->mode == KF_BYOK_MODE_DIRECT)
		return oaep_wrap(kek->key, plan->hash, plain, out);
	return envelope_seal(kek->key, plan->hash, plain, out, e);
}

int kf_byok_wrap(const struct kf_byok_kek *kek, const struct kf_byok_target *target,
		 const struct kf_byok_plan *plan, uint8_t **blob, size_t *len, struct kf_error *e)
{
	struct kf_byok_plan settled = *plan;
	_cleanup_(freep) uint8_t *buf = NULL;
	struct packer p;
	int r = byok_plan_settle(&settled, kek, target->type, e);

	if (r == 0)
		r = check_room(kek, target, &settled, e);
	if (r < 0)
		return error_what(e, r, "cannot wrap the key");
	buf = malloc(BLOB_MAX);
	if (!buf)
		return error_what(e, -ENOMEM, "cannot wrap the key");
	p = pack_begin(buf, BLOB_MAX);
	r = seal(kek, target, &settled, &p, e);
	if (r < 0)
		return error_what(e, r, "cannot wrap the key");
	*len = p.n;
	*blob = take_ptr(buf);
	return 0;
}
