/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands on containers: what they hold, their certificates, generation, conversion to EXCHANGE,
 * deletion (docs/card-application.md 4.2, 4.3, 4.7, 5.2, 5.7).
 */
#include "format/der.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

enum { CONTAINER_INFO_MAX = 700 };

static void put_key_info(struct packer *p, const struct container *container)
{
	tlv_put_number(p, 0x81, card_key_type(container->key), 1);
	tlv_put_number(p, 0x82, container->purpose, 1);
	tlv_put_number(p, 0x83, container->origin, 1);
	tlv_put_number(p, 0x84, container->policy, 1);
	tlv_put(p, 0x85, card_key_spki(container->key));
	tlv_put_number(p, 0x86, container->used, 1);
	tlv_put_number(p, 0x87, blob_bytes(container->cert).n, 2);
	tlv_put_number(p, 0x88, container->not_after, 8);
}

RUN(container_info_run)
{
	const struct container *container = named_container(card, request);
	uint8_t buf[CONTAINER_INFO_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put_number(&p, 0x80, container->key != NULL, 1);
	if (container->key)
		put_key_info(&p, container);
	if (pack_end(&p) < 0)
		return SW_INTERNAL;
	tlv_put(out, 0xe3, pack_done(&p));
	return SW_OK;
}

CHECK(get_cert_check)
{
	return named_container(card, request)->cert ? SW_OK : SW_NO_OBJECT;
}

RUN(get_cert_run)
{
	pack_bytes(out, blob_bytes(named_container(card, request)->cert));
	return SW_OK;
}

/* One DER SEQUENCE, whatever is inside: certificates are the host's business. */
static bool is_der_sequence(struct bytes b)
{
	struct unpacker u = unpack_begin(b);

	(void)der_take_whole(&u, DER_SEQUENCE);
	return unpack_end(&u) == 0;
}

CHECK(put_cert_check)
{
	struct bytes data = request->data;

	if (data.n > KF_CERT_MAX || (data.n != 0 && !is_der_sequence(data)))
		return SW_DATA;
	return named_container(card, request)->key ? SW_OK : SW_CONDITIONS;
}

RUN(put_cert_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	struct container *container;
	int r = card_begin(card, &next);

	(void)out;
	if (r < 0)
		return r;
	container = &next->containers[request->number];
	container->cert = blob_unref(container->cert);
	if (request->data.n != 0)
		r = blob_new(request->data, &container->cert);
	if (r == 0)
		r = card_commit(card, &next);
	return r != 0 ? r : SW_OK;
}

CHECK(generate_check)
{
	struct unpacker u = unpack_begin(request->data);

	request->generate.type = (enum kf_key_type)tlv_take_number(&u, 0x80, 1);
	request->generate.purpose = (enum kf_purpose)tlv_take_number(&u, 0x81, 1);
	request->generate.policy = (uint8_t)tlv_take_number(&u, 0x82, 1);
	if (unpack_end(&u) < 0 || request->generate.purpose == KF_PURPOSE_KEK ||
	    (!key_type_is_made(request->generate.type) &&
	     request->generate.purpose != KF_PURPOSE_EXCHANGE) ||
	    !container_may_hold(request->generate.type, request->generate.purpose) ||
	    (request->generate.policy & ~STATE_POLICY_PIN) != 0)
		return SW_DATA;
	return named_container(card, request)->key ? SW_CONDITIONS : SW_OK;
}

/* From here to eternity an EXCHANGE key; its name is random, so the server can tell two apart. */
static int make_exchange(struct container *container)
{
	container->purpose = KF_PURPOSE_EXCHANGE;
	return card_random(container->exchange_id, sizeof(container->exchange_id));
}

RUN(generate_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	struct container *container;
	int r = card_begin(card, &next);

	if (r < 0)
		return r;
	container = &next->containers[request->number];
	r = card->memory.generate(request->generate.type, &container->key);
	if (r < 0)
		return r;
	container->purpose = request->generate.purpose;
	container->origin = KF_ORIGIN_GENERATED;
	container->policy = request->generate.policy;
	if (container->purpose == KF_PURPOSE_EXCHANGE)
		r = make_exchange(container);
	if (r == 0)
		r = card_key_put_public(container->key, out);
	if (r == 0)
		r = card_commit(card, &next);
	return r != 0 ? r : SW_OK;
}

/*
 * A key that once signed, decrypted or agreed for a client must never receive session keys: with what it
 * did before, the client could have prepared [SECURITY section 2].
 */
CHECK(convert_check)
{
	const struct container *container = named_container(card, request);
	enum kf_key_type type;

	if (!container->key)
		return SW_NO_OBJECT;
	type = card_key_type(container->key);
	if (!container_may_hold(type, KF_PURPOSE_EXCHANGE) ||
	    container->purpose != (key_type_is_rsa(type) ? KF_PURPOSE_DECRYPT : KF_PURPOSE_DERIVE) ||
	    container->origin != KF_ORIGIN_GENERATED || container->used)
		return SW_CONDITIONS;
	return SW_OK;
}

RUN(convert_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r = card_begin(card, &next);

	(void)out;
	if (r == 0)
		r = make_exchange(&next->containers[request->number]);
	if (r == 0)
		r = card_commit(card, &next);
	if (r != 0)
		return r;
	card_forget_selection(card, request->number);
	return SW_OK;
}

/* Who has the PIN must not be able to do away with what only the administrator can make. */
CHECK(delete_check)
{
	const struct container *container = named_container(card, request);

	if (!container->key)
		return SW_NO_OBJECT;
	return container->purpose == KF_PURPOSE_KEK ? SW_CONDITIONS : SW_OK;
}

RUN(delete_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r = card_begin(card, &next);

	(void)out;
	if (r < 0)
		return r;
	state_empty_container(next, request->number);
	r = card_commit(card, &next);
	if (r != 0)
		return r;
	card_forget_selection(card, request->number);
	return SW_OK;
}
