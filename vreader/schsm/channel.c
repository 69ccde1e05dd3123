/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chip authentication with the device key, and the secure messaging that begins with the command after
 * it. A plain command ends the session, and so does whatever fails inside: hosts then agree anew.
 */
#include "format/ossl.h"
#include "format/schsm/eac.h"
#include "vreader/card/tlv.h"
#include "vreader/schsm/command.h"

void hsm_channel_end(struct hsm_channel *channel)
{
	sm_end(&channel->sm);
	channel->wanted = false;
}

/* MSE SET AT for chip authentication. */
HSM_RUN(hsm_choose_agreement)
{
	struct unpacker u = unpack_begin(request->data);
	struct bytes oid = tlv_take(&u, 0x80);

	(void)out;
	if (unpack_end(&u) < 0 || !bytes_equal(oid, BYTES_OF(eac_oid)))
		return SW_DATA;
	hsm->channel.wanted = true;
	return SW_OK;
}

static struct bytes take_point(struct bytes data)
{
	struct unpacker outer = unpack_begin(data);
	struct bytes value = tlv_take(&outer, 0x7c);
	struct unpacker u = unpack_begin(value);
	struct bytes point = tlv_take(&u, 0x80);

	return unpack_end(&outer) < 0 || unpack_end(&u) < 0 ? BYTES_NONE : point;
}

static void put_answer(const uint8_t *nonce, const uint8_t *token, struct packer *out)
{
	uint8_t buf[32];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x81, BYTES(nonce, EAC_NONCE_SIZE));
	tlv_put(&p, 0x82, BYTES(token, EAC_TOKEN_SIZE));
	tlv_put(out, 0x7c, pack_done(&p));
}

static int agree(struct hsm *hsm, struct bytes point, struct packer *out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;
	uint8_t nonce[EAC_NONCE_SIZE], token[EAC_TOKEN_SIZE];
	int r = hsm_key_open(hsm->state->device, &device);

	if (r == 0)
		r = hsm->memory.random(nonce, sizeof(nonce));
	if (r == 0)
		r = eac_agree(device, point, nonce, &hsm->channel.sm);
	if (r == 0)
		r = eac_token(&hsm->channel.sm, point, token);
	if (r == 0)
		put_answer(nonce, token, out);
	return r;
}

HSM_RUN(hsm_authenticate_chip)
{
	struct bytes point = take_point(request->data);
	int r;

	if (!hsm->channel.wanted)
		return SW_CONDITIONS;
	hsm_channel_end(&hsm->channel);
	if (point.n == 0)
		return SW_DATA;
	r = agree(hsm, point, out);
	if (r < 0)
		hsm_channel_end(&hsm->channel);
	if (r == -EBADMSG)
		return SW_DATA;
	return r < 0 ? r : SW_OK;
}

/* --- secure messaging --- */

int hsm_channel_open(struct hsm_channel *channel, struct apdu *apdu, struct packer *plain)
{
	const struct sm_command sealed = {
		.cla = apdu->cla, .ins = apdu->ins, .p1 = apdu->p1, .p2 = apdu->p2,
		.data = apdu->data, .le = (uint32_t)apdu->ne,
	};
	struct sm_command command;

	if (!sm_is_alive(&channel->sm))
		return SW_SECURE_MESSAGING;
	if (sm_open_command(&channel->sm, &sealed, plain, &command) < 0) {
		hsm_channel_end(channel);
		return SW_SM_OBJECT;
	}
	apdu->cla = command.cla;
	apdu->data = command.data;
	apdu->ne = command.le;
	return SW_OK;
}

int hsm_channel_close(struct hsm_channel *channel, struct bytes data, uint16_t sw,
		      struct packer *out)
{
	int r = sm_protect_answer(&channel->sm, data, sw, out);

	if (r < 0)
		hsm_channel_end(channel);
	return r;
}
