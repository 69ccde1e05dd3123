/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a card that claims to be a SmartCard-HSM might answer, to every verb of its driver. The first byte
 * chooses the verb, the second how; then come answers, each behind two bytes of length, the first
 * ones to the questions of opening. When they run out the card has gone. Besides not crashing, a driver
 * that says a container is occupied has looked at one that may be, and what was packed fits.
 */
#include "driver/card/schsm.h"
#include "driver/card/match.h"
#include "driver/iso7816/card_io.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct unpacker answers;

static int answer(struct card_io *io, struct bytes command, uint8_t *response, size_t cap, size_t *n,
		  struct deadline deadline)
{
	struct bytes next;

	(void)io;
	(void)command;
	(void)deadline;
	next = unpack_bytes(&answers, unpack_be16(&answers));
	if (answers.bad || next.n < 2 || next.n > cap)
		return -EIO;
	memcpy(response, next.p, next.n);
	*n = next.n;
	return 0;
}

static void use_key(struct card *card, uint8_t how, struct packer *out)
{
	static const uint8_t text[64] = { 0x04, 1, 2 };
	const struct kf_sign sign = { .container = 1, .padding = how & 1 ? KF_PADDING_PKCS1 : KF_PADDING_NONE,
				      .hash = KF_HASH_SHA256 };
	const struct kf_decrypt decrypt = { .container = 1, .padding = KF_PADDING_PKCS1 };
	struct kf_cipher cipher = { .container = 1, .mode = how & KF_CIPHER_MAC ? 0 : KF_CHAIN_CBC,
				    .flags = how & (KF_CIPHER_DECRYPT | KF_CIPHER_MAC) };

	switch (how >> 6) {
	case 0: (void)schsm_sign(card, &sign, BYTES(text, 32), out); break;
	case 1: (void)schsm_decrypt(card, &decrypt, BYTES_OF(text), BYTES_NONE, out); break;
	case 2: (void)schsm_agree(card, 1, BYTES(text, 33), out); break;
	case 3: (void)schsm_cipher(card, &cipher, BYTES_NONE, BYTES_OF(text), out); break;
	}
}

static void unwrap(struct card *card, uint8_t how)
{
	/* [cards 2.6]: a header that says AES and three algorithms, and 48 bytes behind it. */
	static const uint8_t blob[25 + 3 + 48 + 16] = {
		0x63, 0x0d, 0xcd, 0x29, 0x66, 0xc4, 0x33, 0x66, 15, 0, 8, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
		0x04, 0x01, 0, 3, 0x10, 0x11, 0x18,
	};
	struct kf_blob_unwrap want = { .container = how & 2 ? 1 : KF_CONTAINER_ANY, .key_type = KF_KEY_AES_256,
				       .flags = how & 1 ? KF_BLOB_REPLACE : 0 };
	const struct card_blob given = { .blob = BYTES_OF(blob) };

	if (schsm_blob_unwrap(card, &want, &given) == 0 && schsm_kid_check(want.container) < 0)
		abort();
}

static void create(struct card *card, uint8_t how, struct packer *out)
{
	static const struct { uint32_t type, purpose; } kinds[] = {
		{ KF_KEY_RSA_2048, KF_PURPOSE_SIGN }, { KF_KEY_EC_P256, KF_PURPOSE_DERIVE },
		{ KF_KEY_AES_256, KF_PURPOSE_CIPHER }, { KF_KEY_EC_P521, KF_PURPOSE_SIGN },
	};
	struct kf_container_create want = { .container = KF_CONTAINER_ANY, .key_type = kinds[how % 4].type,
					    .purpose = kinds[how % 4].purpose };

	if (schsm_container_create(card, &want, out) == 0 && schsm_kid_check(want.container) < 0)
		abort();
}

static void ask(struct card *card, uint8_t verb, uint8_t how, struct packer *out)
{
	struct kf_container_info place = { .entry.container = how };
	struct kf_dkek_entry dkek = { .domain = how % 4 };
	const uint8_t share[KF_DKEK_SHARE_SIZE] = { 0 };
	struct kf_card_info info = { 0 };
	uint32_t n = 0;

	switch (verb % 10) {
	case 0: (void)schsm_card_driver.info(card, &info); break;
	case 1: (void)schsm_card_driver.device_cert(card, out); break;
	case 2: (void)schsm_container_list(card, &n, out); break;
	case 3: (void)schsm_container_info(card, &place, out); break;
	case 4: create(card, how, out); break;
	case 5: (void)schsm_cert_read(card, 1 + how % 8, out); break;
	case 6: use_key(card, how, out); break;
	case 7: (void)(how & 1 ? schsm_dkek_status(card, &n, out) :
				 schsm_dkek_share(card, &dkek, BYTES_OF(share))); break;
	case 8: (void)schsm_blob_wrap(card, 1, out); break;
	case 9: unwrap(card, how); break;
	}
	if (n > KF_PACKET_MAX / sizeof(struct kf_dkek_entry))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct card_driver *const drivers[] = { &schsm_card_driver, NULL };
	static const struct card_io_ops ops = { answer };
	static uint8_t buf[KF_PACKET_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));
	struct card_io *io = NULL;
	struct card *card = NULL;
	uint8_t verb, how;

	answers = unpack_begin(BYTES(data, size));
	verb = unpack_u8(&answers);
	how = unpack_u8(&answers);
	if (card_io_new_with(&ops, &io) < 0 || card_new(io, &card) < 0)
		abort();
	if (card_identify(card, drivers) == 0 && card->driver && card_begin(card, DEADLINE_NEVER) == 0)
		ask(card, verb, how, &out);
	card = card_free(card);
	(void)card_io_free(io);
	return 0;
}
