/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each command of the card, and each allocation below it failing once, OpenSSL's too. What must
 * hold: it is done, or answered with an error and nothing else; its keys are the old or the new
 * ones; what is in force is what its memory says, byte for byte; and after a power cycle from there
 * the card lives.
 */
#include "tests/format/wrapping.h"
#include "tests/harness.h"
#include "tests/oom_openssl.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/codec.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

enum { SIGNS = 2, AGREES = 3, DECRYPTS = 4, EXCHANGES = 9, KEK_AT = 11, CIPHERS = 12, TARGET = 6 };

static struct sealing sealing;

/* The first allocations one by one, those that follow at a stride. */
#define ONE_BY_ONE 60
#define STRIDE 13

FIXTURE(command)
{
	struct tray tray;
	uint8_t blob[CODEC_MAX];	/* what each try starts from */
	size_t blob_len;
};

FIXTURE_VARIANT(command)
{
	uint16_t (*run)(struct tray *tray);
	void (*before)(struct tray *tray);	/* NULL: nothing */
	int more_keys;			/* when it is done */
};

static uint16_t send(struct tray *tray, uint32_t head, struct bytes data)
{
	return tray_send(tray, (uint8_t)(head >> 24), (uint8_t)(head >> 16), head & 0xffff, data);
}

#define COMMAND(name, head, ...) \
	static uint16_t name(struct tray *tray) \
	{ \
		static const uint8_t data_[] = { __VA_ARGS__ }; \
		return send(tray, head, BYTES_OF(data_)); \
	}
#define QUESTION(name, head) \
	static uint16_t name(struct tray *tray) { return send(tray, head, BYTES_NONE); }

QUESTION(information, 0x00ca0100)
QUESTION(device_cert, 0x00ca0101)
QUESTION(pin_state, 0x00ca0102)
QUESTION(container_of, 0x00ca0110 + SIGNS)
QUESTION(pending, 0x805c0000)
QUESTION(discard, 0x80e40000 + SIGNS)
COMMAND(verify, 0x00200081, '1', '2', '3', '4', '5', '6')
COMMAND(change, 0x00240081, 0x80, 6, '1', '2', '3', '4', '5', '6', 0x81, 4, '9', '9', '9', '9')
COMMAND(unblock, 0x002c0081, 0x80, 8, '8', '7', '6', '5', '4', '3', '2', '1',
	0x81, 4, '9', '9', '9', '9')
COMMAND(generate, 0x00478005, 0x80, 1, KF_KEY_EC_P256, 0x81, 1, KF_PURPOSE_SIGN, 0x82, 1, 1)
COMMAND(select_signer, 0x002241b6, 0x80, 1, ALG_ECDSA_SHA256, 0x84, 1, SIGNS)
COMMAND(select_agreer, 0x002241a6, 0x80, 1, ALG_ECDH, 0x84, 1, AGREES)
COMMAND(select_decrypter, 0x002241b8, 0x80, 1, ALG_OAEP_SHA256, 0x84, 1, DECRYPTS)
COMMAND(sign, 0x002a9e9a, [31] = 0)

static uint16_t agree(struct tray *tray)
{
	struct bytes spki = tray_spki(TRAY_STRANGER);
	uint8_t data[5 + 2 + 65] = { 0xa6, 70, 0x7f, 0x49, 67, 0x86, 65 };

	memcpy(data + 7, spki.p + spki.n - 65, 65);
	return send(tray, 0x002a8086, BYTES_OF(data));
}

static uint16_t offer(struct tray *tray)
{
	static uint8_t data[] = { [0] = 0x80, 32, [34] = 0x81, 1, TARGET, 0x82, 1, KF_METHOD_RSA,
				  0x83, 1, KF_KEY_RSA_2048, 0x84, 1, EXCHANGES };

	return send(tray, 0x80500000, BYTES_OF(data));
}

static uint8_t wrapped[600];
static size_t wrapped_len;

/* S1 for the card, made while there is memory. */
static void wrap(void)
{
	uint8_t buf[512];
	struct packer w = pack_begin(buf, sizeof(buf)), p = pack_begin(wrapped, sizeof(wrapped));

	ASSERT_EQ(0, session_key_wrap(sealing.exchange, sealing.h, &sealing.s1, &w));
	tlv_put(&p, 0x80, BYTES_OF(sealing.statement.sid));
	tlv_put(&p, 0x81, pack_done(&w));
	wrapped_len = p.n;
}

static uint16_t import(struct tray *tray)
{
	return send(tray, 0x80520200, BYTES(wrapped, wrapped_len));
}

static uint8_t agreed[200];
static size_t agreed_len;

/* The same by ECDH, for an offer of its own. */
static void make_agreed(struct tray *tray)
{
	static struct sealing s;
	struct packer p = pack_begin(agreed, sizeof(agreed));

	sealing_offer_by(&s, tray, TARGET, KF_METHOD_ECDH, KF_KEY_EC_P256);
	tlv_put(&p, 0x80, BYTES_OF(s.statement.sid));
	tlv_put(&p, 0x81, BYTES(s.input, s.input_len));
	agreed_len = p.n;
	sealing_deinit(&s);
}

static uint16_t import_agreed(struct tray *tray)
{
	return send(tray, 0x80520400, BYTES(agreed, agreed_len));
}

static uint16_t process(struct tray *tray)
{
	sealing.session = 1;
	return sealing_process(&sealing, tray);
}

static uint16_t receipt(struct tray *tray)
{
	uint8_t buf[32];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES_OF(sealing.statement.sid));
	tlv_put_number(&p, 0x81, 1, 2);
	return send(tray, 0x80560000, pack_done(&p));
}

static uint8_t blob[1024];
static size_t blob_len;

/* An EC key for KEK_AT, wrapped while there is memory. */
static void wrap_blob(void)
{
	const struct wrapping w = { .kek = tray_key(TRAY_RSA) };
	uint8_t plain[WRAPPING_MAX], made[WRAPPING_MAX];
	struct packer p = pack_begin(blob, sizeof(blob));
	size_t n = wrapping_pkcs8(tray_key(TRAY_P384), plain);

	n = wrapping_make(&w, BYTES(plain, n), made);
	tlv_put_number(&p, 0x80, TARGET, 1);
	tlv_put_number(&p, 0x81, KF_KEY_EC_P384, 1);
	tlv_put_number(&p, 0x82, KF_PURPOSE_SIGN, 1);
	tlv_put_number(&p, 0x83, 0, 1);
	tlv_put(&p, 0x85, BYTES(made, n));
	blob_len = p.n;
}

static uint16_t unwrap(struct tray *tray)
{
	return send(tray, 0x804a0000 | KEK_AT, BYTES(blob, blob_len));
}

COMMAND(create_kek, 0x80260007, 0x80, 8, '8', '7', '6', '5', '4', '3', '2', '1', 0x81, 1, KF_KEY_RSA_2048,
	0x82, 1, 'n', 0x83, 1, KF_HASH_SHA1, 0x84, 1, KF_KEY_EC_P256, 0x85, 1, KF_PURPOSE_SIGN)
COMMAND(delete_kek, 0x80280200 | KEK_AT, 0x80, 8, '8', '7', '6', '5', '4', '3', '2', '1')
COMMAND(gcm_encrypt, 0x804c0300 | CIPHERS, 0x81, 1, 'x', 0x83, 0)

static uint16_t attest_kek(struct tray *tray)
{
	return send(tray, 0x804e0000 | KEK_AT, BYTES_NONE);
}

static void done(uint16_t sw) { ASSERT_EQ(SW_OK, sw); }
static void to_sign(struct tray *tray) { done(select_signer(tray)); }
static void to_agree(struct tray *tray) { done(select_agreer(tray)); }
static void to_process(struct tray *tray) { done(import(tray)); }
static void to_ask(struct tray *tray) { done(import(tray)); done(process(tray)); }

#define WAY(name, run, before, more) FIXTURE_VARIANT_ADD(command, name) { run, before, more }
WAY(card_information, information, NULL, 0);
WAY(device_certificate, device_cert, NULL, 0);
WAY(pin_information, pin_state, NULL, 0);
WAY(container_information, container_of, NULL, 0);
WAY(list_pending, pending, NULL, 0);
WAY(verify, verify, NULL, 0);
WAY(change_pin, change, NULL, 0);
WAY(unblock, unblock, NULL, 0);
WAY(generate, generate, NULL, 1);
WAY(delete, discard, NULL, -1);
WAY(select_for_decipher, select_decrypter, NULL, 0);
WAY(sign, sign, to_sign, 0);
WAY(agree, agree, to_agree, 0);
WAY(offer, offer, NULL, 0);
WAY(import_session, import, NULL, 0);
WAY(import_session_by_ecdh, import_agreed, NULL, 0);
WAY(process_item, process, to_process, 1);
WAY(get_receipt, receipt, to_ask, 0);
WAY(create_kek, create_kek, NULL, 1);
WAY(attest_kek, attest_kek, NULL, 0);
WAY(delete_kek, delete_kek, NULL, -1);
WAY(gcm_encrypt, gcm_encrypt, NULL, 0);

static void put_aes(struct tray *tray)
{
	static const uint8_t key[16] = { 5 };
	struct container *c = &tray->card->state->containers[CIPHERS];

	ASSERT_EQ(0, card_key_new_secret(KF_KEY_AES_128, BYTES_OF(key), &c->key));
	c->purpose = KF_PURPOSE_CIPHER;
	c->origin = KF_ORIGIN_INJECTED_OPEN;
}

/*
 * UNWRAP answers the one word for a blob that does not open and for one it has no memory to open,
 * which nobody can tell apart; a key is there or not.
 */
WAY(unwrap, unwrap, NULL, 1);

FIXTURE_SETUP(command)
{
	struct tray *tray = &self->tray;

	oom_with_openssl();
	tray_init(tray, 1);
	tray_put_key(tray, SIGNS, TRAY_P256, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, 1);
	tray_put_key(tray, AGREES, TRAY_P256, KF_PURPOSE_DERIVE, KF_ORIGIN_GENERATED, 0);
	tray_put_key(tray, DECRYPTS, TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_GENERATED, 1);
	tray_put_key(tray, EXCHANGES, TRAY_RSA, KF_PURPOSE_EXCHANGE, KF_ORIGIN_GENERATED, 0);
	put_aes(tray);
	tray_put_kek(tray, KEK_AT, TRAY_RSA, KF_HASH_SHA1, "kek");
	sealing_offer(&sealing, tray, TARGET, EXCHANGES);
	sealing_take_key(&sealing, TRAY_P256, KF_PURPOSE_SIGN);
	sealing_seal(&sealing);
	wrap();
	make_agreed(tray);
	wrap_blob();
	self->blob_len = tray->blob_len;
	memcpy(self->blob, tray->blob, tray->blob_len);
}

FIXTURE_TEARDOWN(command)
{
	sealing_deinit(&sealing);
	tray_deinit(&self->tray);
}

static int count_keys(const struct tray *tray)
{
	int n = 0;

	for (size_t i = 0; i < APP_CONTAINERS; i++)
		n += tray->card->state->containers[i].key != NULL;
	return n;
}

static void expect_in_force_what_is_kept(const struct tray *tray)
{
	static uint8_t buf[CODEC_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, state_encode(tray->card->state, &p));
	EXPECT_BYTES_EQ(BYTES(tray->blob, tray->blob_len), pack_done(&p));
}

TEST_F_TIMEOUT(command, is_done_or_not_whichever_allocation_fails, 60)
{
	struct tray *tray = &self->tray;
	long n = 0, tried = 0;
	bool all;

	do {
		int before, now;
		uint16_t sw;

		memcpy(tray->blob, self->blob, self->blob_len);
		tray->blob_len = self->blob_len;
		tray_restart(tray);
		done(tray_verify(tray, TRAY_PIN));
		if (variant->before)
			variant->before(tray);
		before = count_keys(tray);
		oom_begin(n);
		sw = variant->run(tray);
		all = oom_end(&n);
		now = count_keys(tray);
		if (all)
			EXPECT_EQ(SW_OK, sw);
		if (sw == SW_OK)
			EXPECT_EQ(before + variant->more_keys, now);
		else
			EXPECT_EQ(0u, tray->n);
		EXPECT_TRUE(now == before || now == before + variant->more_keys);
		expect_in_force_what_is_kept(tray);
		tray_restart(tray);
		EXPECT_EQ(now, count_keys(tray));
		tried++;
		if (n > ONE_BY_ONE)
			n += STRIDE - 1;
	} while (!all);
	TEST_LOG("%ld of %ld allocations failed", tried - 1, n);
}
