/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands of the card, and each allocation below it failing once, OpenSSL's too. What must hold:
 * it is done, or answered with an error and nothing else; what is in force is what its memory says,
 * byte for byte; and after a power cycle from there the card lives.
 */
#include "tests/harness.h"
#include "tests/oom_openssl.h"
#include "tests/vreader/schsm/rig.h"

#define ONE_BY_ONE 60
#define STRIDE 17

FIXTURE(command)
{
	struct rig rig;
	uint8_t blob[HSM_CODEC_MAX];	/* what each try starts from */
	size_t blob_len;
};

FIXTURE_VARIANT(command)
{
	uint16_t (*run)(struct rig *rig);
	int more_keys;			/* when it is done */
	uint16_t sw;
	bool answers;			/* with data */
};

static uint8_t blob[1024];
static size_t blob_len;

static uint16_t initialize(struct rig *rig) { return rig_initialize(rig, "92 01 00"); }
static uint16_t verify(struct rig *rig) { return rig_verify(rig, RIG_PIN); }
static uint16_t read_cert(struct rig *rig) { return rig_read(rig, FILE_DEVICE_CERT); }
static uint16_t write_file(struct rig *rig) { return rig_write(rig, 0xcf01, BYTES("new", 3)); }
static uint16_t delete_key(struct rig *rig) { return rig_delete(rig, 0xcc01); }
static uint16_t domain(struct rig *rig) { return rig_send(rig, 0x80, HSM_DOMAIN, 0x0000, BYTES_NONE); }
static uint16_t wrap(struct rig *rig) { return rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE); }
static uint16_t sign_rsa(struct rig *rig) { return rig_send(rig, 0x80, HSM_SIGN, 0x0243, BYTES("x", 1)); }
static uint16_t sign_ec(struct rig *rig) { return rig_send(rig, 0x80, HSM_SIGN, 0x0173, BYTES("x", 1)); }

static uint16_t change(struct rig *rig)
{
	return rig_send(rig, 0x00, INS_CHANGE, 0x0081, BYTES(RIG_PIN "123456", 12));
}

static uint16_t reset(struct rig *rig)
{
	return rig_send(rig, 0x00, INS_UNBLOCK, 0x0081, BYTES(RIG_SO_PIN "123456", 14));
}

static uint16_t generate_secret(struct rig *rig)
{
	return rig_send(rig, 0x00, INS_GENERATE_SECRET, 0x05b2, BYTES_NONE);
}

static uint16_t unwrap(struct rig *rig)
{
	return rig_send(rig, 0x80, HSM_UNWRAP, 0x0593, BYTES(blob, blob_len));
}

static uint16_t cmac(struct rig *rig)
{
	return rig_send(rig, 0x80, HSM_CIPHER, 0x0318, BYTES("x", 1));
}

/* The base point of P-256 is as good a peer as any. */
static uint16_t agree(struct rig *rig)
{
	static struct curve curve;

	if (curve.size == 0 && curve_from_group("prime256v1", &curve) < 0)
		return 0;
	return rig_send(rig, 0x80, HSM_DECIPHER, 0x0180, BYTES(curve.g, 65));
}

#define WAY(name, run, more, sw, ...) FIXTURE_VARIANT_ADD(command, name) { run, more, sw, __VA_ARGS__ }
WAY(initialize, initialize, -3, SW_OK, false);
WAY(verify, verify, 0, SW_OK, false);
WAY(change_pin, change, 0, SW_OK, false);
WAY(reset_retry, reset, 0, SW_OK, false);
WAY(read_binary, read_cert, 0, SW_END_OF_FILE, true);
WAY(update_binary, write_file, 0, SW_OK, false);
WAY(delete_file, delete_key, -1, SW_OK, false);
WAY(generate_secret, generate_secret, 1, SW_OK, false);
WAY(domain_status, domain, 0, SW_OK, true);
WAY(wrap, wrap, 0, SW_OK, true);
WAY(unwrap, unwrap, 1, SW_OK, false);
WAY(sign_rsa, sign_rsa, 0, SW_OK, true);
WAY(sign_ec, sign_ec, 0, SW_OK, true);
WAY(agree, agree, 0, SW_OK, true);
WAY(cmac, cmac, 0, SW_OK, true);

FIXTURE_SETUP(command)
{
	struct rig *rig = &self->rig;

	oom_with_openssl();
	rig_init_ready(rig);
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", ""));
	ASSERT_EQ(SW_OK, rig_generate_rsa(rig, 2, 2048, ""));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x00, INS_GENERATE_SECRET, 0x03b2, BYTES_NONE));
	ASSERT_EQ(SW_OK, wrap(rig));
	blob_len = rig->n;
	memcpy(blob, rig->data, rig->n);
	ASSERT_EQ(SW_OK, agree(rig));
	self->blob_len = rig->blob_len;
	memcpy(self->blob, rig->blob, rig->blob_len);
}

FIXTURE_TEARDOWN(command)
{
	rig_deinit(&self->rig);
}

static void expect_in_force_what_is_kept(const struct rig *rig)
{
	static uint8_t buf[HSM_CODEC_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, hsm_state_encode(rig->hsm->state, &p));
	EXPECT_BYTES_EQ(BYTES(rig->blob, rig->blob_len), pack_done(&p));
}

TEST_F_TIMEOUT(command, is_done_or_not_whichever_allocation_fails, 60)
{
	struct rig *rig = &self->rig;
	long n = 0, tried = 0;
	bool all;

	do {
		int before, now;
		uint16_t sw;

		memcpy(rig->blob, self->blob, self->blob_len);
		rig->blob_len = self->blob_len;
		rig_restart(rig);
		ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
		before = (int)rig->hsm->state->n_keys;
		oom_begin(n);
		sw = variant->run(rig);
		all = oom_end(&n);
		now = (int)rig->hsm->state->n_keys;
		if (all)
			EXPECT_EQ(variant->sw, sw);
		if (sw == variant->sw) {
			EXPECT_EQ(before + variant->more_keys, now);
			EXPECT_EQ(variant->answers, rig->n != 0);
		} else {
			EXPECT_EQ(0u, rig->n);
		}
		EXPECT_TRUE(now == before || now == before + variant->more_keys);
		expect_in_force_what_is_kept(rig);
		rig_restart(rig);
		EXPECT_EQ(now, (int)rig->hsm->state->n_keys);
		tried++;
		if (n > ONE_BY_ONE)
			n += STRIDE - 1;
	} while (!all);
	TEST_LOG("%ld of %ld allocations failed", tried - 1, n);
}
