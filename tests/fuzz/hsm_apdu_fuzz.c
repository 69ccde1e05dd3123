/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtual SmartCard-HSM and whatever a host may send it. An input is a byte of circumstances and then
 * commands, each behind two bytes of length. Besides not crashing, the card keeps its word: it always
 * answers with a status word, what it committed is what is in force, its device key stays, and no private
 * or secret key is in an answer.
 */
#include "tests/vreader/card/prepared_keys.h"
#include "vreader/schsm/command.h"
#include "vreader/schsm/issuer.h"

#include "format/ossl.h"

#include <stdlib.h>

enum { WITH_PIN = 0x01, WITH_SCRATCH = 0x02, COMMANDS_MAX = 24 };

#define REQUIRE(claim) do { if (!(claim)) abort(); } while (0)

struct memory {
	uint8_t blob[HSM_CODEC_MAX];
	size_t len;
};

static struct memory blank, memory;
static uint8_t secret[32] = "no answer ever has this in it...";

static int load(void *owner, struct secret *out)
{
	struct memory *m = owner;
	int r = secret_init(out, m->len);

	return r < 0 ? r : secret_set(out, BYTES(m->blob, m->len));
}

static int commit(void *owner, struct bytes blob)
{
	struct memory *m = owner;
	struct packer p = pack_begin(m->blob, sizeof(m->blob));

	pack_bytes(&p, blob);
	m->len = p.n;
	return pack_end(&p);
}

/* Every RSA key is the same one: what matters here is what happens to it. */
static int make_rsa(unsigned int bits, uint64_t e, EVP_PKEY **out)
{
	const uint8_t *p = prepared_rsa2048;

	(void)bits;
	(void)e;
	*out = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, sizeof(prepared_rsa2048));
	return *out ? 0 : -EIO;
}

static int no_random(uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)i;
	return 0;
}

static void put_key(struct hsm_state *state, uint8_t id, EVP_PKEY *pair)
{
	struct hsm_record record = { .id = id };

	REQUIRE(pair ? hsm_key_new(pair, &record.key) == 0 :
		       hsm_key_new_aes(BYTES_OF(secret), &record.key) == 0);
	REQUIRE(hsm_put_key(state, &record) == 0);
	EVP_PKEY_free(pair);
}

static void fill(struct hsm_state *state)
{
	uint8_t buf[HSM_FILE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct issuer *issuer;
	EVP_PKEY *device, *rsa;

	REQUIRE(issuer_new(&issuer) == 0 && issuer_make_pair(&device) == 0);
	REQUIRE(issuer_certify(issuer, device, "FUZZ", &p) == 0);
	REQUIRE(hsm_key_new(device, &state->device) == 0);
	REQUIRE(blob_new(pack_done(&p), &state->device_cert) == 0);
	REQUIRE(blob_new(issuer_root(issuer), &state->root) == 0);
	state->initialised = true;
	state->options = HSM_OPTION_RESET;
	state->user.max = state->so.max = 15;
	REQUIRE(hsm_pin_set(&state->user, BYTES("123456", 6)) == 0);
	REQUIRE(hsm_pin_set(&state->so, BYTES("12345678", 8)) == 0);
	state->n_domains = 2;
	state->domains[0] = (struct hsm_domain){ .made = true, .shares = 1 };
	REQUIRE(blob_new(BYTES_OF(secret), &state->domains[0].kek) == 0);
	REQUIRE(make_rsa(2048, 65537, &rsa) == 0);
	put_key(state, 1, rsa);
	put_key(state, 2, EVP_EC_gen("prime256v1"));
	put_key(state, 3, NULL);
	REQUIRE(hsm_put_file(state, 0xcf01, BYTES("text", 4)) == 0);
	REQUIRE(hsm_put_file(state, 0xcd01, BYTES_OF(secret)) == 0);
	EVP_PKEY_free(device);
	issuer_free(issuer);
}

static void make_blank(void)
{
	struct hsm_state *state;
	struct packer out = pack_begin(blank.blob, sizeof(blank.blob));

	REQUIRE(hsm_state_new(&state) == 0);
	fill(state);
	REQUIRE(hsm_state_encode(state, &out) == 0);
	blank.len = out.n;
	hsm_state_free(state);
}

static struct hsm *open_card(uint8_t circumstances)
{
	const struct hsm_memory parts = { &memory, load, commit, make_rsa, no_random };
	struct hsm *hsm;

	memory = blank;
	REQUIRE(hsm_new(&parts, &hsm) == 0);
	hsm_power_on(hsm);
	hsm->selected = true;
	hsm->user_verified = (circumstances & WITH_PIN) != 0;
	if (circumstances & WITH_SCRATCH)
		REQUIRE(secret_set(&hsm->scratch, BYTES("scratch", 7)) == 0);
	return hsm;
}

static bool tells_secret(struct bytes answer, bool with_pin)
{
	for (size_t at = 0; !with_pin && at + sizeof(secret) <= answer.n; at++) {
		if (memcmp(answer.p + at, secret, sizeof(secret)) == 0)
			return true;
	}
	return false;
}

static void send(struct hsm *hsm, struct bytes command)
{
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));
	bool verified = hsm->user_verified;

	REQUIRE(hsm_process(hsm, command, &out) == 0);
	REQUIRE(out.n >= 2 && out.n <= APP_DATA_MAX + 2 && buf[out.n - 2] >= 0x61);
	REQUIRE(!tells_secret(pack_done(&out), verified));
}

static void keeps_its_word(const struct hsm *hsm, struct bytes device)
{
	static uint8_t buf[HSM_CODEC_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));
	struct hsm_state *again;

	REQUIRE(hsm_state_encode(hsm->state, &out) == 0);
	REQUIRE(bytes_equal(pack_done(&out), BYTES(memory.blob, memory.len)));
	REQUIRE(hsm_state_decode(pack_done(&out), &again) == 0);
	REQUIRE(bytes_equal(device, hsm_key_private(again->device)));
	hsm_state_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpacker u = unpack_begin(BYTES(data, size));
	struct hsm_key *device;
	struct hsm *hsm;

	if (blank.len == 0)
		make_blank();
	hsm = open_card(unpack_u8(&u));
	device = hsm_key_ref(hsm->state->device);
	for (int i = 0; i < COMMANDS_MAX && u.left != 0; i++) {
		size_t n = unpack_be16(&u);

		send(hsm, unpack_bytes(&u, n < u.left ? n : u.left));
	}
	keeps_its_word(hsm, hsm_key_private(device));
	hsm_key_unref(device);
	hsm_free(hsm);
	return 0;
}
