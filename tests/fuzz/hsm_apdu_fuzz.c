/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtual SmartCard-HSM and whatever a host may send it. An input is a byte of circumstances and then
 * commands, each behind two bytes of length. Besides not crashing, the card keeps its word: it always
 * answers with a status word, what it committed is what is in force, its device key stays, no PIN, DKEK, private or
 * secret key is in an answer, whoever is logged in, and what it wraps may leave it, under the DKEK it has.
 */
#include "format/schsm/dkek_blob.h"
#include "tests/fuzz/kept_secrets.h"
#include "tests/keys/keys.h"
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
static struct kept_secrets kept_at_first;
static uint8_t aes_key[32] = "no answer ever has this in it...", dkek_value[32] = "What wraps keys is in none, too.";
static uint8_t private_text[32] = "only for who gave the user's PIN", user_pin[15] = "user 648219 PIN",
	       so_pin[8] = "SO:PIN 8";
static uint32_t random_at;

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
	static EVP_PKEY *key;

	(void)bits;
	(void)e;
	if (!key)
		key = prepared_rsa(2048, 0);
	if (!key || EVP_PKEY_up_ref(key) != 1)
		return -EIO;
	*out = key;
	return 0;
}

/* The same for every run of an input, and no two the same within one: a challenge is no key. */
static int counted_random(uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		random_at = random_at * 1664525 + 1013904223;
		out[i] = (uint8_t)(random_at >> 24);
	}
	return 0;
}

/* Key 2 has a list of what it may do, and the card may not wrap it. */
static void put_key(struct hsm_state *state, uint8_t id, EVP_PKEY *pair)
{
	struct hsm_record record = { .id = id, .counted = id == 4, .uses = 2 };

	if (id == 2) {
		record.n_algorithms = 3;
		memcpy(record.algorithms, "\x70\x73\x80", 3);
	}
	REQUIRE(pair ? hsm_key_new(pair, &record.key) == 0 :
		       hsm_key_new_aes(BYTES(aes_key, id == 3 ? 32 : 16), &record.key) == 0);
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
	REQUIRE(hsm_pin_set(&state->user, BYTES_OF(user_pin)) == 0);
	REQUIRE(hsm_pin_set(&state->so, BYTES_OF(so_pin)) == 0);
	state->n_domains = 2;
	state->domains[0] = (struct hsm_domain){ .made = true, .shares = 1 };
	REQUIRE(blob_new(BYTES_OF(dkek_value), &state->domains[0].kek) == 0);
	REQUIRE(make_rsa(2048, 65537, &rsa) == 0);
	put_key(state, 1, rsa);
	put_key(state, 2, EVP_EC_gen("prime256v1"));
	put_key(state, 3, NULL);
	put_key(state, 4, NULL);
	REQUIRE(hsm_put_file(state, 0xcf01, BYTES("text", 4)) == 0);
	REQUIRE(hsm_put_file(state, 0xcd01, BYTES_OF(private_text)) == 0);
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
	kept_learn(&kept_at_first, state);
	kept_add(&kept_at_first, BYTES_OF(dkek_value));
	kept_add(&kept_at_first, BYTES_OF(user_pin));
	kept_add(&kept_at_first, BYTES_OF(so_pin));
	kept_deinit_keys(&kept_at_first);
	hsm_state_free(state);
}

static struct hsm *open_card(uint8_t circumstances)
{
	const struct hsm_memory parts = { &memory, load, commit, make_rsa, counted_random };
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

/* What is known of the keys that are there from the beginning need not be found anew for each input. */
static void begin_kept(struct kept_secrets *kept, const struct hsm_state *state)
{
	*kept = kept_at_first;
	kept_take_key(kept, state->device);
	for (size_t i = 0; i < state->n_keys; i++)
		kept_take_key(kept, state->keys[i].key);
}

/* A whole blob [cards 2.6]: of a key that may leave, under the DKEK of its domain, and one that opens. */
static void judge_wrapped(const struct hsm *hsm, uint8_t kid, struct bytes blob)
{
	const struct hsm_record *record = hsm_find_key(hsm->state, kid);
	struct dkek dkek = DKEK_INIT;
	struct dkek_key key = DKEK_KEY_INIT;

	REQUIRE(record && hsm_key_allows(record, ALG_WRAP));
	REQUIRE(dkek_init(&dkek) == 0);
	REQUIRE(dkek_add_share(&dkek, hsm_domain_kek(&hsm->state->domains[record->domain])) == 0);
	REQUIRE(dkek_blob_open(&dkek, blob, &key) == 0);
	REQUIRE((key.type == DKEK_AES) == (hsm_key_kind(record->key) == HSM_AES));
	dkek_key_deinit(&key);
	dkek_deinit(&dkek);
}

static void judge(const struct hsm *hsm, struct bytes command, struct bytes answer)
{
	struct bytes data = bytes_slice(answer, 0, answer.n - 2);

	if (command.n >= 4 && memcmp(command.p, "\x80\x72", 2) == 0 && data.n != 0 &&
	    memcmp(answer.p + data.n, "\x90\x00", 2) == 0)
		judge_wrapped(hsm, command.p[2], data);
}

static void send(struct hsm *hsm, struct bytes command, struct kept_secrets *kept, struct bytes input)
{
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));
	bool verified = hsm->user_verified;
	struct bytes answer;

	REQUIRE(hsm_process(hsm, command, &out) == 0);
	REQUIRE(out.n >= 2 && out.n <= APP_DATA_MAX + 2 && buf[out.n - 2] >= 0x61);
	answer = pack_done(&out);
	kept_learn(kept, hsm->state);
	REQUIRE(!kept_is_told(kept, answer, input));
	REQUIRE(verified || !kept_is_in(answer, BYTES_OF(private_text)));
	judge(hsm, command, answer);
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
	static struct kept_secrets kept;
	struct unpacker u = unpack_begin(BYTES(data, size));
	struct hsm_key *device;
	struct hsm *hsm;

	if (blank.len == 0)
		make_blank();
	random_at = 0;
	hsm = open_card(unpack_u8(&u));
	begin_kept(&kept, hsm->state);
	device = hsm_key_ref(hsm->state->device);
	for (int i = 0; i < COMMANDS_MAX && u.left != 0; i++) {
		size_t n = unpack_be16(&u);

		send(hsm, unpack_bytes(&u, n < u.left ? n : u.left), &kept, BYTES(data, size));
	}
	keeps_its_word(hsm, hsm_key_private(device));
	kept_deinit_keys(&kept);
	hsm_key_unref(device);
	hsm_free(hsm);
	return 0;
}
