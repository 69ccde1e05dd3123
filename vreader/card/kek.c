/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands on KEKs: made, attested, switched off and on, deleted (docs/card-application.md 7.1 to 7.3).
 * What a KEK is for is judged before the PUK is looked at, so a command that could never work costs
 * no try.
 */
#include "vreader/card/kek.h"

#include "format/hash.h"
#include "format/kek_statement.h"
#include "format/kid.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

static const uint8_t key_types[] = {
	KF_KEY_RSA_2048, KF_KEY_RSA_3072, KF_KEY_RSA_4096, KF_KEY_EC_P256, KF_KEY_EC_P384,
	KF_KEY_EC_P521,	 KF_KEY_AES_128,  KF_KEY_AES_192,  KF_KEY_AES_256, KF_KEY_EC_P256K,
};

static const uint8_t purposes[] = {
	KF_PURPOSE_SIGN, KF_PURPOSE_DECRYPT, KF_PURPOSE_DERIVE, KF_PURPOSE_CIPHER,
};

static const uint8_t hashes[] = { KF_HASH_SHA1, KF_HASH_SHA256, KF_HASH_SHA384, KF_HASH_SHA512 };

struct bytes kek_key_types(void)
{
	return BYTES_OF(key_types);
}

struct bytes kek_purposes(void)
{
	return BYTES_OF(purposes);
}

struct bytes kek_hashes(void)
{
	return BYTES_OF(hashes);
}

CHECK(kek_info_check)
{
	const struct container *container = named_container(card, request);

	return container->key && container->purpose == KF_PURPOSE_KEK ? SW_OK : SW_NO_OBJECT;
}

RUN(kek_info_run)
{
	const struct kek_rule *kek = &named_container(card, request)->kek;
	uint8_t buf[KF_KID_MAX + 64];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, blob_bytes(kek->name));
	tlv_put_number(&p, 0x81, kek->hash, 1);
	tlv_put(&p, 0x82, BYTES(kek->key_types.v, kek->key_types.n));
	tlv_put(&p, 0x83, BYTES(kek->purposes.v, kek->purposes.n));
	tlv_put_number(&p, 0x84, !kek->disabled, 1);
	if (pack_end(&p) < 0)
		return SW_INTERNAL;
	tlv_put(out, 0xe5, pack_done(&p));
	return SW_OK;
}

/* --- attestation --- */

static int fill_statement(struct kek_statement *s, const struct state *state, unsigned int number)
{
	const struct container *container = &state->containers[number];
	struct bytes name = blob_bytes(container->kek.name);

	*s = (struct kek_statement){
		.level = KF_LEVEL_VIRTUAL,
		.kek_type = card_key_type(container->key),
		.origin = container->origin,
		.container = number,
		.hash = container->kek.hash,
		.key_types = container->kek.key_types,
		.purposes = container->kek.purposes,
	};
	memcpy(s->serial, state->serial, sizeof(s->serial));
	memcpy(s->kek, card_key_hash(container->key), sizeof(s->kek));
	memcpy(s->name, name.p, name.n);
	return sha256(blob_bytes(state->device_cert), s->device);
}

static int put_statement(const struct state *state, unsigned int number, struct packer *out)
{
	uint8_t der[KEK_STATEMENT_MAX], sig[ECDSA_SIG_MAX];
	struct packer p = pack_begin(der, sizeof(der)), sp = pack_begin(sig, sizeof(sig));
	struct kek_statement s;
	int r = fill_statement(&s, state, number);

	if (r < 0)
		return r;
	kek_statement_pack(&p, &s);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	r = card_key_attest(state->device, pack_done(&p), &sp);
	if (r < 0)
		return r;
	signed_statement_pack(out, &(struct signed_statement){
		.statement = pack_done(&p),
		.signature = pack_done(&sp),
		.key = card_key_spki(state->containers[number].key),
	});
	return pack_end(out);
}

RUN(attest_kek_run)
{
	int r = put_statement(card->state, request->number, out);

	return r < 0 ? r : SW_OK;
}

/* --- creation --- */

static struct number_list take_numbers(struct unpacker *u, unsigned int tag)
{
	struct bytes b = tlv_take(u, tag);
	struct number_list list = { 0 };

	if (b.n > sizeof(list.v)) {
		unpack_fail(u);
		return list;
	}
	if (b.n != 0)
		memcpy(list.v, b.p, b.n);
	list.n = b.n;
	return list;
}

CHECK(create_kek_check)
{
	struct unpacker u = unpack_begin(request->data);

	request->kek.puk = tlv_take(&u, 0x80);
	request->kek.type = (enum kf_key_type)tlv_take_number(&u, 0x81, 1);
	request->kek.name = tlv_take(&u, 0x82);
	request->kek.hash = (enum kf_hash)tlv_take_number(&u, 0x83, 1);
	request->kek.key_types = take_numbers(&u, 0x84);
	request->kek.purposes = take_numbers(&u, 0x85);
	if (unpack_end(&u) < 0 || !key_type_is_rsa(request->kek.type) ||
	    !kid_is_valid(request->kek.name) || !hash_name(request->kek.hash) ||
	    !kek_allows_sense(&request->kek.key_types, &request->kek.purposes))
		return SW_DATA;
	if (named_container(card, request)->key ||
	    state_find_kek(card->state, request->kek.name) != STATE_NO_CONTAINER)
		return SW_CONDITIONS;
	return SW_OK;
}

RUN(create_kek_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	struct container *container;
	int r = puk_prove(card, request->kek.puk);

	if (r == 0)
		r = card_begin(card, &next);
	if (r != 0)
		return r;
	container = &next->containers[request->number];
	r = card->memory.generate(request->kek.type, &container->key);
	if (r < 0)
		return r;
	container->purpose = KF_PURPOSE_KEK;
	container->origin = KF_ORIGIN_GENERATED;
	container->kek = (struct kek_rule){
		.hash = request->kek.hash,
		.key_types = request->kek.key_types,
		.purposes = request->kek.purposes,
	};
	r = blob_new(request->kek.name, &container->kek.name);
	if (r == 0)
		r = put_statement(next, request->number, out);
	if (r == 0)
		r = card_commit(card, &next);
	return r != 0 ? r : SW_OK;
}

/* --- disable, enable, delete --- */

CHECK(set_kek_check)
{
	struct unpacker u = unpack_begin(request->data);

	request->kek.puk = tlv_take(&u, 0x80);
	if (unpack_end(&u) < 0)
		return SW_DATA;
	return kek_info_check(card, request);
}

RUN(set_kek_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	struct kek_rule *kek;
	int r = puk_prove(card, request->kek.puk);

	(void)out;
	if (r == 0)
		r = card_begin(card, &next);
	if (r != 0)
		return r;
	kek = &next->containers[request->number].kek;
	if (request->p1 == APP_KEK_SET_DELETE)
		state_empty_container(next, request->number);
	else
		kek->disabled = request->p1 == APP_KEK_SET_DISABLE;
	if (request->p1 == APP_KEK_SET_ENABLE)
		kek->refusals = 0;
	r = card_commit(card, &next);
	return r != 0 ? r : SW_OK;
}
