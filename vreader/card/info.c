/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands about the card itself: SELECT, card information, device certificate, GET CHALLENGE
 * (docs/card-application.md 4.1, 4.2, 4.10).
 */
#include "vreader/card/command.h"
#include "vreader/card/kek.h"
#include "vreader/card/offer.h"
#include "vreader/card/tlv.h"

enum { AID_SHORTEST = 9, INFO_MAX = 512 };

static const uint8_t aid[APP_AID_LEN] = APP_AID;

static const uint8_t algorithms[] = {
	ALG_PKCS1_SHA256, ALG_PKCS1_SHA384, ALG_PKCS1_SHA512, ALG_PSS_SHA256, ALG_PSS_SHA384,
	ALG_PSS_SHA512, ALG_ECDSA_SHA256, ALG_ECDSA_SHA384, ALG_ECDSA_SHA512, ALG_RSAES_PKCS1,
	ALG_OAEP_SHA1, ALG_OAEP_SHA256, ALG_OAEP_SHA384, ALG_OAEP_SHA512, ALG_ECDH,
};

static const uint8_t functions[] = {
	KF_FUNCTION_IMPORT_KEYPAIR, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_FUNCTION_AUTHENTICATE,
	KF_FUNCTION_IMPORT_SECRET,
};

/* A wrong name leaves everything as it was, the selected application included. */
CHECK(select_check)
{
	(void)card;
	if (request->data.n < AID_SHORTEST || !bytes_have_prefix(BYTES_OF(aid), request->data))
		return SW_NO_APPLICATION;
	return SW_OK;
}

RUN(select_run)
{
	uint8_t buf[2 + sizeof(aid)];
	struct packer inner = pack_begin(buf, sizeof(buf));

	card->selected = true;
	card->pin_verified = false;
	card->selection = (struct selection){ 0 };
	if (request->p2 != 0x00)
		return SW_OK;
	tlv_put(&inner, 0x84, BYTES_OF(aid));
	tlv_put(out, 0x6f, pack_done(&inner));
	return SW_OK;
}

static void put_injectors(struct packer *p, const struct state *state)
{
	uint8_t buf[APP_INJECTORS_MAX * KF_DIGEST_SIZE];
	struct packer hashes = pack_begin(buf, sizeof(buf));

	for (size_t i = 0; i < state->n_injectors; i++)
		pack_bytes(&hashes, BYTES_OF(state->injectors[i].hash));
	if (state->n_injectors != 0)
		tlv_put(p, 0x8e, pack_done(&hashes));
}

RUN(card_info_run)
{
	const struct state *state = card->state;
	struct number_list methods = offer_methods(state);
	uint8_t buf[INFO_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	(void)request;
	tlv_put_number(&p, 0x80, APP_VERSION, 1);
	tlv_put(&p, 0x81, BYTES(state->serial, strlen(state->serial)));
	tlv_put_number(&p, 0x82, KF_LEVEL_VIRTUAL, 1);
	tlv_put(&p, 0x83, BYTES(methods.v, methods.n));
	tlv_put(&p, 0x84, offer_key_types());
	tlv_put(&p, 0x85, BYTES_OF(algorithms));
	tlv_put_number(&p, 0x86, WRAP_OAEP_SHA256, 1);
	tlv_put_number(&p, 0x87, SUITE_AES256_CBC_CMAC, 1);
	tlv_put_number(&p, 0x88, APP_CONTAINERS, 1);
	tlv_put_number(&p, 0x89, KF_CERT_MAX, 2);
	tlv_put_number(&p, 0x8a, APP_DATA_MAX, 2);
	tlv_put_number(&p, 0x8b, APP_DATA_MAX, 2);
	tlv_put_number(&p, 0x8c, APP_PENDING_MAX, 1);
	tlv_put_number(&p, 0x8d, APP_SESSIONS_MAX, 1);
	put_injectors(&p, state);
	tlv_put(&p, 0x8f, kek_key_types());
	tlv_put(&p, 0x90, kek_hashes());
	tlv_put(&p, 0x91, offer_exchange_types());
	tlv_put(&p, 0x92, BYTES_OF(functions));
	if (pack_end(&p) < 0)
		return SW_INTERNAL;
	tlv_put(out, 0xe1, pack_done(&p));
	return SW_OK;
}

RUN(device_cert_run)
{
	(void)request;
	pack_bytes(out, blob_bytes(card->state->device_cert));
	return SW_OK;
}

CHECK(challenge_check)
{
	(void)card;
	return request->ne >= 1 && request->ne <= 256 ? SW_OK : SW_LENGTH;
}

RUN(challenge_run)
{
	uint8_t *at = pack_reserve(out, request->ne);

	(void)card;
	if (!at || card_random(at, request->ne) < 0)
		return SW_INTERNAL;
	return SW_OK;
}
