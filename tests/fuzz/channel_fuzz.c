/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/channel_fuzz.c - What comes back to a server that has ordered something of a SmartCard-HSM. The first byte
 * says which order, and how honest what answers is: with CHAIN it gives a certificate that holds, with AGREES it has its
 * key, and then what it says is the input, sealed. Answers follow, each behind two bytes of length. Without the key
 * nothing is ever done; and a channel that is over is over.
 */
#include "format/ossl.h"
#include "format/schsm/curve.h"
#include "format/schsm/eac.h"
#include "keyferry/server.h"
#include "vreader/schsm/issuer.h"

#include <stdlib.h>

enum { CHAIN = 0x80, AGREES = 0x40, ORDERS = 0x03, FILE_MAX = 2048, ROUNDS_MAX = 80 };

#define REQUIRE(claim) do { if (!(claim)) abort(); } while (0)

static struct issuer *maker;
static EVP_PKEY *device;
static uint8_t file[FILE_MAX];
static size_t file_n;
static uint8_t point[CURVE_POINT_MAX];
static size_t point_n;

/**
 * struct card - what answers
 * @how:	the first byte
 * @in:		the rest of the input
 * @sm:		once it has agreed
 */
struct card {
	uint8_t how;
	struct unpacker in;
	struct sm sm;
};

static void make_card(void)
{
	struct packer f = pack_begin(file, sizeof(file)), p = pack_begin(point, sizeof(point));

	REQUIRE(issuer_new(&maker) == 0 && issuer_make_pair(&device) == 0);
	REQUIRE(issuer_certify(maker, device, "FUZZ", &f) == 0 && curve_point(device, &p) == 0);
	file_n = f.n;
	point_n = p.n;
}

static struct bytes next_input(struct card *card)
{
	size_t n = unpack_be16(&card->in) % (KF_CHANNEL_ANSWER_MAX + 2);

	return unpack_bytes(&card->in, n < card->in.left ? n : card->in.left);
}

static void read_file(struct bytes apdu, struct packer *out)
{
	size_t at = (size_t)(apdu.p[7] << 8 | apdu.p[8]);
	struct bytes piece = bytes_slice(BYTES(file, file_n), at, 240);

	pack_bytes(out, piece);
	pack_be16(out, piece.n == 240 ? 0x9000 : 0x6282);
}

/* 7C { 80 point } of the server, the card's nonce all zero. */
static void agree(struct card *card, struct bytes apdu, struct packer *out)
{
	static const uint8_t nonce[EAC_NONCE_SIZE];
	struct bytes server = bytes_slice(apdu, 9, point_n);
	uint8_t token[EAC_TOKEN_SIZE];

	REQUIRE(eac_agree(device, server, nonce, &card->sm) == 0 && eac_token(&card->sm, server, token) == 0);
	pack_be(out, 0x7c148108, 4);
	pack_bytes(out, BYTES_OF(nonce));
	pack_be(out, 0x8208, 2);
	pack_bytes(out, BYTES_OF(token));
	pack_be16(out, 0x9000);
}

/* As the card would, with what the input says for data and status word. */
static void answer_sealed(struct card *card, struct bytes apdu, struct packer *out)
{
	struct sm_command sealed = { apdu.p[0], apdu.p[1], apdu.p[2], apdu.p[3],
				     bytes_slice(apdu, 5, apdu.p[4]), 256 }, plain;
	uint8_t buf[512];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct bytes said = next_input(card);
	uint16_t sw = said.n >= 2 ? (uint16_t)(said.p[0] << 8 | said.p[1]) : 0x9000;

	REQUIRE(sm_open_command(&card->sm, &sealed, &p, &plain) == 0);
	REQUIRE(sm_protect_answer(&card->sm, bytes_slice(said, 2, 200), sw, out) == 0);
	pack_be16(out, sw);
}

static void answer(struct card *card, struct bytes apdu, struct packer *out)
{
	bool sealed = (apdu.p[0] & SM_CLA) == SM_CLA;

	if (card->how & CHAIN && apdu.p[1] == 0xb1)
		read_file(apdu, out);
	else if (card->how & CHAIN && (apdu.p[1] == 0xa4 || apdu.p[1] == 0x22) && !sealed)
		pack_be16(out, 0x9000);
	else if (card->how & AGREES && card->how & CHAIN && apdu.p[1] == 0x86)
		agree(card, apdu, out);
	else if (sealed && sm_is_alive(&card->sm))
		answer_sealed(card, apdu, out);
	else
		pack_bytes(out, next_input(card));
}

static void give_order(struct kf_channel *channel, uint8_t how)
{
	static const uint8_t share[KF_FLEET_SHARE_SIZE] = { 1 };
	const struct kf_channel_shares shares = {
		.size = sizeof(shares), .shares = share, .n = 1, .pin = how & 1 ? "123456" : NULL, .pin_len = 6,
	};

	if ((how & ORDERS) >= 2)
		REQUIRE(kf_channel_dkek_import(channel, &shares, NULL) == 0);
	else if (how & 1)
		REQUIRE(kf_channel_pin_reset(channel, "12345678", 8, "123456", 6, NULL) == 0);
	else
		REQUIRE(kf_channel_pin_change(channel, KF_PIN_USER, "654321", 6, "123456", 6, NULL) == 0);
}

static struct kf_channel *open_channel(uint8_t how)
{
	const struct bytes root = issuer_root(maker);
	struct kf_channel *channel = NULL;

	REQUIRE(kf_channel_new(&channel, NULL) == 0 && kf_channel_set_device(channel, NULL, NULL) == 0);
	REQUIRE(kf_channel_add_root(channel, root.p, root.n, NULL) == 0);
	kf_channel_allow_virtual(channel, 1);
	give_order(channel, how);
	return channel;
}

static void run_round(struct kf_channel *channel, struct card *card)
{
	size_t n = kf_channel_commands(channel);

	for (size_t i = 0; i < n; i++) {
		uint8_t buf[512];
		struct packer out = pack_begin(buf, sizeof(buf));
		uint16_t expect, mask;
		size_t len = 0;
		const uint8_t *apdu = kf_channel_command(channel, i, &len, &expect, &mask);

		REQUIRE(apdu && len >= 4);
		if (card->in.left == 0 && !(card->how & CHAIN))
			return;
		answer(card, BYTES(apdu, len), &out);
		if (kf_channel_answer(channel, buf, out.n, NULL) < 0)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct card card = { .in = unpack_begin(BYTES(data, n)), .sm = SM_INIT };
	struct kf_channel *channel;
	int rounds = 0;

	if (!maker)
		make_card();
	card.how = unpack_u8(&card.in);
	channel = open_channel(card.how);
	while (kf_channel_next(channel, NULL) == 1) {
		REQUIRE(++rounds < ROUNDS_MAX);
		run_round(channel, &card);
	}
	REQUIRE(kf_channel_outcome(channel) != KF_CHANNEL_OPEN && kf_channel_commands(channel) == 0);
	REQUIRE(kf_channel_outcome(channel) == KF_CHANNEL_REFUSED || sm_is_alive(&card.sm));
	kf_channel_free(channel);
	sm_end(&card.sm);
	return 0;
}
