/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf.c - Opening: SELECT, then the card information, which is public and does not
 * change while the card is in. A card that claims to be ours and then cannot be read is an error
 * that shows, not somebody else's card.
 */
#include "driver/card/kf.h"

#include "driver/card/match.h"
#include "driver/card/fields.h"

static const uint8_t aid[] = APP_AID;
static_assert(sizeof(aid) == APP_AID_LEN, "AID");

int kf_call(struct card *card, const struct card_command *command, struct bytes *data)
{
	int r = card_call(card, command, data);

	if (r == -EPERM)
		card->said.detail = KF_PIN_USER;	/* the only PIN that opens anything */
	return r;
}

int kf_do(struct card *card, const struct card_command *command)
{
	struct bytes none;
	int r = kf_call(card, command, &none);

	if (r < 0)
		return r;
	return none.n == 0 ? 0 : -EBADMSG;
}

int kf_get_data(struct card *card, uint16_t what, struct bytes *data)
{
	const struct card_command get = {
		.ins = INS_GET_DATA, .p1 = (uint8_t)(what >> 8), .p2 = (uint8_t)what,
		.answers = true,
	};

	return kf_call(card, &get, data);
}

static int kf_select(struct card *card)
{
	const struct card_command select = {
		.ins = INS_SELECT, .p1 = 0x04, .data = BYTES_OF(aid), .answers = true,
	};
	struct bytes data, name;
	struct unpacker outer, fci;
	int r;

	r = kf_call(card, &select, &data);
	if (r < 0)
		return r;
	outer = unpack_begin(data);
	fci = field_enter_last(&outer, 0x6f);
	name = field_take(&fci, 0x84);
	if (unpack_end(&fci) < 0 || !bytes_equal(name, BYTES_OF(aid)))
		return -EBADMSG;
	return 0;
}

/* What an algorithm of the card means in the masks of KF_CARD_INFO. */
static void count_algorithm(struct kf_card_info *info, uint8_t algorithm)
{
	static const struct {
		uint8_t algorithm;
		uint32_t padding, hash;
	} rows[] = {
		{ ALG_PKCS1_SHA256, KF_PADDING_PKCS1, KF_HASH_SHA256 },
		{ ALG_PKCS1_SHA384, KF_PADDING_PKCS1, KF_HASH_SHA384 },
		{ ALG_PKCS1_SHA512, KF_PADDING_PKCS1, KF_HASH_SHA512 },
		{ ALG_PSS_SHA256, KF_PADDING_PSS, KF_HASH_SHA256 },
		{ ALG_PSS_SHA384, KF_PADDING_PSS, KF_HASH_SHA384 },
		{ ALG_PSS_SHA512, KF_PADDING_PSS, KF_HASH_SHA512 },
		{ ALG_ECDSA_SHA256, KF_PADDING_NONE, KF_HASH_SHA256 },
		{ ALG_ECDSA_SHA384, KF_PADDING_NONE, KF_HASH_SHA384 },
		{ ALG_ECDSA_SHA512, KF_PADDING_NONE, KF_HASH_SHA512 },
		{ ALG_RSAES_PKCS1, KF_PADDING_PKCS1, KF_HASH_NONE },
		{ ALG_OAEP_SHA1, KF_PADDING_OAEP, KF_HASH_SHA1 },
		{ ALG_OAEP_SHA256, KF_PADDING_OAEP, KF_HASH_SHA256 },
		{ ALG_OAEP_SHA384, KF_PADDING_OAEP, KF_HASH_SHA384 },
		{ ALG_OAEP_SHA512, KF_PADDING_OAEP, KF_HASH_SHA512 },
		{ ALG_ECDH, KF_PADDING_NONE, KF_HASH_NONE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].algorithm != algorithm)
			continue;
		info->paddings |= rows[i].padding;
		if (rows[i].hash != KF_HASH_NONE)
			info->hashes |= 1u << rows[i].hash;
	}
}

uint32_t kf_bits_of(struct bytes numbers)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < numbers.n; i++)
		if (numbers.p[i] < 32)
			bits |= 1u << numbers.p[i];
	return bits;
}

/* A card that does not say what its EXCHANGE keys can be makes them of RSA. */
static void count_exchange(struct kf_card_info *info)
{
	if (info->exchange_types == 0)
		info->exchange_types = info->key_types &
			(1u << KF_KEY_RSA_2048 | 1u << KF_KEY_RSA_3072 | 1u << KF_KEY_RSA_4096);
	if (info->exchange_types != 0)
		info->purposes |= 1u << KF_PURPOSE_EXCHANGE;
}

static void count_purposes(struct kf_card_info *info)
{
	static const enum kf_purpose purposes[] = {
		KF_PURPOSE_SIGN, KF_PURPOSE_DECRYPT, KF_PURPOSE_DERIVE,
	};

	for (uint32_t type = 0; type < 32; type++) {
		if (!(info->key_types & 1u << type))
			continue;
		for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++)
			if (key_type_suits((enum kf_key_type)type, purposes[i]))
				info->purposes |= 1u << purposes[i];
	}
	if (info->functions & 1u << KF_FUNCTION_IMPORT_SECRET)
		info->purposes |= 1u << KF_PURPOSE_CIPHER;
}

/* What follows from the facts rather than being one. */
static void count_rest(struct kf_card *kf)
{
	struct kf_card_info *info = &kf->info;

	info->flags = KF_CARD_RECEIPTS | KF_CARD_ATTESTS | KF_CARD_SESSIONS_STAY;
	if (kf->n_injectors == 0)
		info->flags |= KF_CARD_OPEN_IMPORT;
	if (info->methods & 1u << KF_METHOD_RSA)
		info->key_import |= KF_IMPORT_RSA;
	if (info->methods & 1u << KF_METHOD_ECDH)
		info->key_import |= KF_IMPORT_ECC;
	if (info->methods & (1u << KF_METHOD_SHARED | 1u << KF_METHOD_DERIVED))
		info->key_import |= KF_IMPORT_SHARED;
	if (!(kf->suites & 1u << SUITE_AES256_CBC_CMAC)) {
		info->functions = 0;
	} else {
		info->ciphers = 1u << KF_KEY_AES_256;
		info->chain_modes = KF_CHAIN_CBC;
		info->cipher_paddings = KF_PADDING_BLOCK;
	}
	count_exchange(info);
	count_purposes(info);
	info->max_item = kf->max_command < KF_ITEM_MAX ? kf->max_command : KF_ITEM_MAX;
	info->free_bytes = UINT32_MAX;
	info->pins = 1u << KF_PIN_USER | 1u << KF_PIN_PUK;
}

static void take_injectors(struct unpacker *u, struct kf_card *kf)
{
	struct unpacker v;

	if (!field_is_next(u, 0x8e))
		return;
	v = unpack_begin(field_take(u, 0x8e));
	do {
		if (kf->n_injectors == APP_INJECTORS_MAX) {
			unpack_fail(u);
			return;
		}
		unpack_copy(&v, kf->injectors[kf->n_injectors++], KF_DIGEST_SIZE);
	} while (!v.bad && v.left != 0);
	if (unpack_end(&v) < 0)
		unpack_fail(u);
}

/* Both or none: a card knows section 7 of its page, or nothing of it. */
static void take_keks(struct unpacker *u, struct kf_card *kf)
{
	if (!field_is_next(u, 0x8f))
		return;
	kf->info.unwrap_types = kf_bits_of(field_take(u, 0x8f));
	kf->info.unwrap_hashes = kf_bits_of(field_take(u, 0x90));
}

/* A card that does not tell does what there was before others came. */
static void take_functions(struct unpacker *u, struct kf_card *kf)
{
	kf->info.functions = field_is_next(u, 0x92) ? kf_bits_of(field_take(u, 0x92))
						    : 1u << KF_FUNCTION_IMPORT_KEYPAIR;
}

/* E1 [card-application 4.2] */
static int facts_parse(struct bytes data, struct kf_card *kf)
{
	struct unpacker outer = unpack_begin(data);
	struct unpacker u = field_enter_last(&outer, 0xe1);
	struct kf_card_info *info = &kf->info;
	struct bytes serial, algorithms;

	info->app_version = (uint32_t)field_take_uint(&u, 0x80, 1) << 16;
	serial = field_take(&u, 0x81);
	info->level = (uint32_t)field_take_uint(&u, 0x82, 1);
	info->methods = kf_bits_of(field_take(&u, 0x83));
	info->key_types = kf_bits_of(field_take(&u, 0x84));
	algorithms = field_take(&u, 0x85);
	(void)field_take(&u, 0x86);		/* wrap paddings: OAEP-SHA-256 in version 1 */
	kf->suites = kf_bits_of(field_take(&u, 0x87));
	info->n_containers = (uint32_t)field_take_uint(&u, 0x88, 1);
	kf->max_cert = (uint32_t)field_take_uint(&u, 0x89, 2);
	kf->max_command = (uint32_t)field_take_uint(&u, 0x8a, 2);
	(void)field_take_uint(&u, 0x8b, 2);	/* longest response */
	(void)field_take_uint(&u, 0x8c, 1);	/* most pending offers */
	(void)field_take_uint(&u, 0x8d, 1);	/* most sessions */
	take_injectors(&u, kf);
	take_keks(&u, kf);
	if (field_is_next(&u, 0x91))
		info->exchange_types = kf_bits_of(field_take(&u, 0x91));
	take_functions(&u, kf);
	if (unpack_end(&u) < 0 || !serial_is_valid(serial) ||
	    info->app_version != APP_VERSION << 16 || info->n_containers > APP_CONTAINERS)
		return -EBADMSG;

	memcpy(kf->serial, serial.p, serial.n);
	memcpy(info->serial, serial.p, serial.n);
	info->serial_len = (uint32_t)serial.n;
	for (size_t i = 0; i < algorithms.n; i++)
		count_algorithm(info, algorithms.p[i]);
	return 0;
}

static int kf_open(struct card *card)
{
	_cleanup_(freep) struct kf_card *kf = NULL;
	struct bytes data;
	int r;

	r = kf_select(card);
	if (r < 0)
		return card->lost ? r : -ENXIO;	/* whatever it says: it is not one of ours */
	kf = calloc(1, sizeof(*kf));
	if (!kf)
		return -ENOMEM;
	r = kf_get_data(card, 0x0100, &data);
	if (r < 0)
		return r;
	r = facts_parse(data, kf);
	if (r < 0)
		return r;
	memcpy(kf->info.aid, aid, sizeof(aid));
	kf->info.aid_len = sizeof(aid);
	count_rest(kf);
	card->private = take_ptr(kf);
	return 0;
}

static void kf_close(struct card *card)
{
	free(card->private);
	card->private = NULL;
}

static void kf_describe(const struct card *card, struct kf_card_info *out)
{
	const struct kf_card_info *info = &kf_of(card)->info;

	out->flags |= info->flags;
	out->serial_len = info->serial_len;
	memcpy(out->serial, info->serial, sizeof(out->serial));
}

static int kf_info(struct card *card, struct kf_card_info *out)
{
	struct kf_pin_status pin = { .pin = KF_PIN_USER }, puk = { .pin = KF_PIN_PUK };
	struct kf_card_info info = kf_of(card)->info;
	int r;

	r = kf_pin_status(card, &pin);
	if (r < 0)
		return r;
	r = kf_pin_status(card, &puk);
	if (r < 0)
		return r;
	memset(info.tries, KF_TRIES_UNKNOWN, sizeof(info.tries));
	info.tries[KF_PIN_USER] = (uint8_t)pin.tries_left;
	info.tries[KF_PIN_PUK] = (uint8_t)puk.tries_left;
	if (pin.flags & KF_PIN_VERIFIED)
		info.verified = 1u << KF_PIN_USER;
	*out = info;
	return 0;
}

static int kf_device_cert(struct card *card, struct packer *chain)
{
	struct bytes cert;
	int r;

	r = kf_get_data(card, 0x0101, &cert);
	if (r < 0)
		return r;
	if (cert.n == 0 || cert.n > KF_CERT_MAX)
		return -EBADMSG;
	pack_bytes(chain, cert);
	return pack_end(chain);
}

const struct card_driver kf_card_driver = {
	.name = "keyferry",
	.flags = KF_CARD_SESSIONS_STAY,
	.matches = {
		{ .strength = 100, .aid = BYTES(aid, sizeof(aid)) },
	},
	.open = kf_open,
	.close = kf_close,
	.select = kf_select,
	.describe = kf_describe,
	.info = kf_info,
	.device_cert = kf_device_cert,
	.pin_status = kf_pin_status,
	.pin_verify = kf_pin_verify,
	.pin_change = kf_pin_change,
	.pin_unblock = kf_pin_unblock,
	.pin_pad_verify = kf_pin_pad_verify,
	.pin_pad_change = kf_pin_pad_change,
	.drop = kf_pin_drop,
	.container_list = kf_container_list,
	.container_info = kf_container_info,
	.container_create = kf_container_create,
	.container_delete = kf_container_delete,
	.convert = kf_container_convert,
	.cert_store = kf_cert_store,
	.cert_read = kf_cert_read,
	.sign = kf_sign,
	.decrypt = kf_decrypt,
	.agree = kf_agree,
	.cipher = kf_cipher,
	.kek_create = kf_kek_create,
	.kek_list = kf_kek_list,
	.kek_attest = kf_kek_attest,
	.kek_set = kf_kek_set,
	.byok_import = kf_byok_import,
	.offer = kf_offer,
	.session_import = kf_session_import,
	.process = kf_process,
	.receipt_get = kf_receipt_get,
	.session_destroy = kf_session_destroy,
};
