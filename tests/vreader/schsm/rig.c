/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vreader/schsm/rig.h"

#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"
#include "vreader/card/tlv.h"
#include "vreader/schsm/issuer.h"

#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* --- memory --- */

static struct bytes fixed_random;

static int memory_load(void *owner, struct secret *out)
{
	struct rig *rig = owner;

	if (rig->blob_len == 0)
		return -ENOENT;
	if (secret_init(out, rig->blob_len) < 0)
		return -ENOMEM;
	return secret_set(out, BYTES(rig->blob, rig->blob_len));
}

static int memory_commit(void *owner, struct bytes blob)
{
	struct rig *rig = owner;
	struct packer p = pack_begin(rig->blob, sizeof(rig->blob));

	rig->commits++;
	if (rig->fail_at != 0 && --rig->fail_at == 0)
		return rig->fail_with;
	pack_bytes(&p, blob);
	rig->blob_len = p.n;
	return pack_end(&p);
}

/* Prepared ones, which have the usual exponent; short ones are made, which is quick. */
static int make_rsa(unsigned int bits, uint64_t e, EVP_PKEY **out)
{
	(void)e;
	*out = bits < 2048 ? EVP_RSA_gen(bits) : prepared_rsa(bits, 0);
	return *out ? 0 : -EIO;
}

static int random_bytes(uint8_t *out, size_t n)
{
	if (fixed_random.n == 0)
		return RAND_bytes(out, (int)n) == 1 ? 0 : -EIO;
	for (size_t i = 0; i < n; i++)
		out[i] = fixed_random.p[i % fixed_random.n];
	return 0;
}

void rig_set_random(struct bytes sequence)
{
	fixed_random = sequence;
}

void rig_fail_at(struct rig *rig, unsigned int commit, int with)
{
	rig->fail_at = commit;
	rig->fail_with = with;
}

/* --- the card --- */

static struct issuer *maker(void)
{
	static struct issuer *issuer;

	if (!issuer)
		ASSERT_EQ(0, issuer_new(&issuer));
	return issuer;
}

static void store(struct rig *rig, const struct hsm_state *state)
{
	struct packer p = pack_begin(rig->blob, sizeof(rig->blob));

	ASSERT_EQ(0, hsm_state_encode(state, &p));
	rig->blob_len = p.n;
}

static void give_device(struct hsm_state *state, EVP_PKEY *device)
{
	uint8_t buf[HSM_FILE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	state->device = hsm_key_unref(state->device);
	state->device_cert = blob_unref(state->device_cert);
	ASSERT_EQ(0, hsm_key_new(device, &state->device));
	ASSERT_EQ(0, issuer_certify(maker(), device, RIG_SERIAL, &p));
	ASSERT_EQ(0, blob_new(pack_done(&p), &state->device_cert));
}

static void power(struct rig *rig)
{
	const struct hsm_memory memory = {
		.owner = rig, .load = memory_load, .commit = memory_commit, .make_rsa = make_rsa,
		.random = random_bytes,
	};

	ASSERT_EQ(0, hsm_new(&memory, &rig->hsm));
	hsm_power_on(rig->hsm);
	ASSERT_EQ(SW_OK, rig_select(rig));
}

void rig_init(struct rig *rig)
{
	_cleanup_(hsm_state_freep) struct hsm_state *state = NULL;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;

	rig->blob_len = rig->n = 0;
	rig->commits = rig->fail_at = 0;
	rig_set_random(BYTES_NONE);
	ASSERT_EQ(0, hsm_state_new(&state));
	ASSERT_EQ(0, issuer_make_pair(&device));
	give_device(state, device);
	ASSERT_EQ(0, blob_new(issuer_root(maker()), &state->root));
	store(rig, state);
	power(rig);
}

void rig_init_ready(struct rig *rig)
{
	rig_init(rig);
	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 01"));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0000, rig_share()));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
}

void rig_deinit(struct rig *rig)
{
	rig->hsm = hsm_free(rig->hsm);
}

void rig_restart(struct rig *rig)
{
	rig_deinit(rig);
	power(rig);
}

void rig_set_device(struct rig *rig, EVP_PKEY *device)
{
	give_device(rig->hsm->state, device);
	store(rig, rig->hsm->state);
}

/* --- the host's hands --- */

static uint16_t exchange(struct rig *rig, struct bytes apdu)
{
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct packer data;

	if (hsm_process(rig->hsm, apdu, &p) < 0)
		return rig->sw = 0;
	data = (struct packer){ .p = rig->data, .cap = sizeof(rig->data), .n = rig->n };
	pack_bytes(&data, bytes_slice(pack_done(&p), 0, p.n - 2));
	rig->n = data.n;
	return rig->sw = (uint16_t)(buf[p.n - 2] << 8 | buf[p.n - 1]);
}

uint16_t rig_raw(struct rig *rig, struct bytes apdu)
{
	static const uint8_t get_response[] = { 0x00, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00 };

	rig->n = 0;
	(void)exchange(rig, apdu);
	while ((rig->sw & 0xff00) == SW_MORE)
		(void)exchange(rig, BYTES_OF(get_response));
	return rig->sw;
}

uint16_t rig_send(struct rig *rig, uint8_t cla, uint8_t ins, unsigned int p1p2, struct bytes data)
{
	static uint8_t buf[VCARD_COMMAND_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, cla);
	pack_u8(&p, ins);
	pack_be16(&p, p1p2);
	pack_u8(&p, 0);
	if (data.n != 0) {
		pack_be16(&p, data.n);
		pack_bytes(&p, data);
	}
	pack_be16(&p, 0);
	return rig_raw(rig, pack_done(&p));
}

static void pack_hex(struct packer *p, const char *hex)
{
	for (; *hex; hex++) {
		unsigned int byte;

		if (*hex == ' ')
			continue;
		ASSERT_EQ(1, sscanf(hex, "%2x", &byte));
		pack_u8(p, byte);
		hex++;
	}
}

uint16_t rig_send_hex(struct rig *rig, uint8_t cla, uint8_t ins, unsigned int p1p2, const char *hex)
{
	static uint8_t buf[VCARD_COMMAND_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_hex(&p, hex);
	return rig_send(rig, cla, ins, p1p2, pack_done(&p));
}

uint16_t rig_select(struct rig *rig)
{
	static const uint8_t aid[] = HSM_AID;

	return rig_send(rig, 0x00, INS_SELECT, 0x0400, BYTES_OF(aid));
}

uint16_t rig_verify(struct rig *rig, const char *pin)
{
	return rig_send(rig, 0x00, INS_VERIFY, HSM_USER_PIN, BYTES(pin, strlen(pin)));
}

uint16_t rig_initialize(struct rig *rig, const char *more)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_hex(&p, "80 02 0001");
	tlv_put(&p, 0x81, BYTES(RIG_PIN, 6));
	tlv_put(&p, 0x82, BYTES(RIG_SO_PIN, 8));
	pack_hex(&p, "91 01 03");
	pack_hex(&p, more);
	return rig_send(rig, 0x80, HSM_INITIALIZE, 0x0000, pack_done(&p));
}

struct bytes rig_share(void)
{
	static uint8_t share[HSM_KEK_SIZE];

	for (size_t i = 0; i < sizeof(share); i++)
		share[i] = (uint8_t)i;
	return BYTES_OF(share);
}

/* --- keys --- */

static uint16_t generate(struct rig *rig, uint8_t id, struct bytes public, const char *options)
{
	uint8_t buf[1024];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_hex(&p, "5F29 01 00");
	tlv_put(&p, 0x42, BYTES("UTCA00001", 9));
	tlv_put(&p, 0x7f49, public);
	tlv_put(&p, 0x5f20, BYTES("UTTM00001", 9));
	pack_hex(&p, options);
	return rig_send(rig, 0x00, INS_GENERATE_PAIR, (unsigned int)id << 8, pack_done(&p));
}

uint16_t rig_generate_ec(struct rig *rig, uint8_t id, const char *curve, const char *options)
{
	uint8_t buf[512];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct curve c;
	struct curve_claim n;

	ASSERT_EQ(0, curve_from_group(curve, &c));
	n = curve_numbers(&c);
	pack_hex(&p, "06 0A 04007F00070202020203");
	tlv_put(&p, 0x81, n.p);
	tlv_put(&p, 0x82, n.a);
	tlv_put(&p, 0x83, n.b);
	tlv_put(&p, 0x84, n.g);
	tlv_put(&p, 0x85, n.n);
	tlv_put(&p, 0x87, n.h);
	return generate(rig, id, pack_done(&p), options);
}

uint16_t rig_generate_rsa(struct rig *rig, uint8_t id, unsigned int bits, const char *options)
{
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_hex(&p, "06 0A 04007F00070202020102 02 02");
	pack_be16(&p, bits);
	pack_hex(&p, "82 03 010001");
	return generate(rig, id, pack_done(&p), options);
}

EVP_PKEY *rig_take_public(const struct rig *rig)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;
	struct cvc_voucher voucher;
	EVP_PKEY *key = NULL;

	ASSERT_EQ(0, cvc_voucher_parse(rig_data(rig), &voucher));
	ASSERT_EQ(0, hsm_key_open(rig->hsm->state->device, &device));
	ASSERT_EQ(0, cvc_voucher_verify(&voucher, device, CVC_ECDSA_SHA256));
	EXPECT_BYTES_EQ(BYTES(RIG_HOLDER, 16), voucher.car);
	EXPECT_BYTES_EQ(BYTES("UTCA00001", 9), voucher.request.car);
	EXPECT_BYTES_EQ(BYTES("UTTM00001", 9), voucher.request.chr);
	ASSERT_EQ(0, cvc_key_load(&voucher.request.key, NULL, &key));
	return key;
}

/* --- files --- */

uint16_t rig_read(struct rig *rig, uint16_t fid)
{
	return rig_send_hex(rig, 0x00, INS_READ_BINARY, fid, "54 02 0000");
}

uint16_t rig_write(struct rig *rig, uint16_t fid, struct bytes content)
{
	static uint8_t buf[HSM_DATA_MAX + 16];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_hex(&p, "54 02 0000");
	tlv_put(&p, 0x53, content);
	return rig_send(rig, 0x00, INS_UPDATE_BINARY, fid, pack_done(&p));
}

uint16_t rig_delete(struct rig *rig, uint16_t fid)
{
	const uint8_t data[] = { (uint8_t)(fid >> 8), (uint8_t)fid };

	return rig_send(rig, 0x00, INS_DELETE_FILE, 0x0200, BYTES_OF(data));
}

unsigned int rig_lists(struct rig *rig, uint16_t fid)
{
	unsigned int n = 0;

	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_ENUMERATE, 0x0000, BYTES_NONE));
	for (size_t i = 0; i + 1 < rig->n; i += 2)
		n += rig->data[i] == fid >> 8 && rig->data[i + 1] == (fid & 0xff);
	return n;
}
