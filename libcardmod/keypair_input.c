// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/keypair_input.c - The key specification is the key's usage for life. */
#include "libcardmod/keypair_input.h"
#include "keyferry/server.h"
#include "libcardmod/key_spec.h"
#include "libcardmod/private_blob.h"

DEFINE_CLEANUP(struct kf_keypair *, kf_keypair_free);

struct keypair_input {
	uint32_t version, container, pin, spec, bits;
	struct bytes blob;
};

static bool unpack(struct bytes input, struct keypair_input *in)
{
	struct unpacker u = unpack_begin(input);
	uint32_t n;

	in->version = unpack_le32(&u);
	in->container = unpack_u8(&u);
	unpack_skip(&u, 3);			/* alignment; never sent on */
	in->pin = unpack_le32(&u);
	in->spec = unpack_le32(&u);
	in->bits = unpack_le32(&u);
	n = unpack_le32(&u);
	in->blob = unpack_bytes(&u, n);
	return unpack_end(&u) == 0;
}

static DWORD check(struct module *module, const struct keypair_input *in, unsigned int container)
{
	if (in->version != CARD_IMPORT_KEYPAIR_CURRENT_VERSION)
		return module_refuse(module, ERROR_REVISION_MISMATCH, "CARD_IMPORT_KEYPAIR",
				     "set dwVersion to 7", "the structure has version %u",
				     in->version);
	if (in->container != container)
		return module_refuse(module, SCARD_E_INVALID_PARAMETER, "the card's statement",
				     "name the container the client asked the card for",
				     "the structure names container %u, the card attested %u",
				     in->container, container);
	if (in->pin != ROLE_USER && in->pin != ROLE_EVERYONE)
		return module_bad_argument(module, "keys are protected by ROLE_USER or not at all");
	if (!key_spec_find(in->spec))
		return module_bad_argument(module, "no such dwKeySpec");
	return SCARD_S_SUCCESS;
}

static DWORD parse(struct module *module, const struct keypair_input *in, struct kf_keypair **out)
{
	_cleanup_(secret_deinit) struct secret der = SECRET_INIT;
	const struct key_spec *spec = key_spec_find(in->spec);
	enum kf_key_type type = KF_KEY_NONE;
	int r = secret_init(&der, PRIVATE_BLOB_DER_MAX);

	if (r == 0)
		r = private_blob_parse(in->blob, &der, &type);
	if (r == -EBADMSG)
		return module_bad_argument(module, "pbInput is a key blob in none of the forms, or "
						   "its lengths do not fit");
	if (r < 0)
		return module_server_result(module, r);
	if (!key_spec_has(spec, type) ||
	    (in->bits != key_type_bits(type) &&
	     !(in->bits == 0 && key_type_is_ec(type))))
		return module_bad_argument(module, "dwKeySpec or dwKeySize is not that of the key");
	r = kf_keypair_from_der(der.p, der.n, out, &module->e);
	return r == -EBADMSG ? module_bad_argument(module, "the key is not one")
			     : module_server_result(module, r);
}

DWORD keypair_input_take(struct module *module, struct bytes input, unsigned int container,
			 struct kf_keypair **out)
{
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	struct keypair_input in;
	DWORD status;
	int r;

	if (!unpack(input, &in))
		return module_bad_argument(module, "cbInput does not fit the structure in pbInput");
	status = check(module, &in, container);
	if (status == SCARD_S_SUCCESS)
		status = parse(module, &in, &pair);
	if (status != SCARD_S_SUCCESS)
		return status;
	r = kf_keypair_set_purpose(pair, key_spec_find(in.spec)->purpose, &module->e);
	if (r == 0)
		r = kf_keypair_set_policy(pair, in.pin == ROLE_USER, 0, &module->e);
	if (r < 0)
		return module_server_result(module, r);
	*out = take_ptr(pair);
	return SCARD_S_SUCCESS;
}
