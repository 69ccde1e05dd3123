/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm.c - Opening: SELECT, whose answer has the version, then the device certificate, whose
 * holder is the card's name. Both are public and stay as they are while the card is in.
 *
 * There is no drop(): the card has no command that takes a verified PIN back, and that another SELECT
 * does is nowhere promised. So it is reset between clients (SECURITY section 7).
 */
#include "driver/card/schsm.h"

#include "driver/card/match.h"
#include "driver/iso7816/tlv.h"
#include "format/numbers.h"

#include <openssl/evp.h>
#include <sys/random.h>

static const uint8_t aid[] = SCHSM_AID;
static_assert(sizeof(aid) <= KF_AID_MAX, "AID");

enum { PLATFORM_NONE = 0xff, FCP = 0x62, FCI = 0x6f };

int schsm_call(struct card *card, const struct card_command *command, struct bytes *data)
{
	int r = card_call(card, command, data);

	if (r == -EPERM)
		card->said.detail = KF_PIN_USER;
	return r;
}

int schsm_do(struct card *card, const struct card_command *command)
{
	struct bytes none;
	int r = schsm_call(card, command, &none);

	if (r < 0)
		return r;
	return none.n == 0 ? 0 : -EBADMSG;
}

/* P2 and Le as older cards want them [cards 2.1]. */
static int select_application(struct card *card, struct bytes *answer)
{
	const struct card_command select = {
		.ins = INS_SELECT, .p1 = 0x04, .data = BYTES_OF(aid), .answers = true,
	};

	return schsm_call(card, &select, answer);
}

static int schsm_select(struct card *card)
{
	struct bytes answer;

	return select_application(card, &answer);
}

/* Tag 85 of the FCP: options (2) first, platform, version (2) last [cards 2.1]. */
static int version_parse(struct bytes answer, struct schsm *out)
{
	struct unpacker u = unpack_begin(answer);
	struct bytes own;
	struct tlv fcp;

	if (tlv_next(&u, &fcp) != 1 || unpack_end(&u) < 0 || (fcp.tag != FCP && fcp.tag != FCI) ||
	    tlv_find(fcp.value, 0x85, &own) < 0 || own.n < 2)
		return -EBADMSG;
	out->version = (uint16_t)(own.p[own.n - 2] << 8 | own.p[own.n - 1]);
	out->info.app_version = (uint32_t)own.p[own.n - 2] << 16 | own.p[own.n - 1];
	out->info.level = own.n < 3 ? KF_LEVEL_UNKNOWN :
			  own.p[own.n - 3] == PLATFORM_NONE ? KF_LEVEL_VIRTUAL : KF_LEVEL_CHIP;
	return 0;
}

/* What no card tells: what the family can; one that is older says so when it is asked. */
static void count_abilities(struct kf_card_info *info)
{
	info->flags = KF_CARD_CVC | KF_CARD_DKEK | KF_CARD_CMAC;
	info->key_import = KF_IMPORT_SHARED;
	info->key_types = 1u << KF_KEY_RSA_2048 | 1u << KF_KEY_RSA_3072 | 1u << KF_KEY_RSA_4096 |
			  1u << KF_KEY_EC_P256 | 1u << KF_KEY_EC_P384 | 1u << KF_KEY_EC_P521 |
			  1u << KF_KEY_EC_P256K | 1u << KF_KEY_AES_128 | 1u << KF_KEY_AES_192 |
			  1u << KF_KEY_AES_256;
	info->paddings = KF_PADDING_NONE | KF_PADDING_PKCS1 | KF_PADDING_PSS | KF_PADDING_OAEP;
	info->hashes = 1u << KF_HASH_SHA1 | 1u << KF_HASH_SHA256 | 1u << KF_HASH_SHA384 |
		       1u << KF_HASH_SHA512;
	info->purposes = 1u << KF_PURPOSE_SIGN | 1u << KF_PURPOSE_DECRYPT | 1u << KF_PURPOSE_DERIVE |
			 1u << KF_PURPOSE_CIPHER;
	info->n_containers = SCHSM_KID_MAX;
	info->free_bytes = UINT32_MAX;
	info->pins = 1u << KF_PIN_USER | 1u << KF_PIN_PUK;
	memcpy(info->aid, aid, sizeof(aid));
	info->aid_len = sizeof(aid);
}

/* The label of TokenInfo [PKCS#15 6.9]. Nobody wrote one: then the card has none. */
static int read_label(struct card *card, char out[static KF_LABEL_MAX])
{
	uint8_t buf[512];
	struct bytes info, label = BYTES_NONE;
	size_t n;
	int r = schsm_file_read(card, SCHSM_TOKEN_INFO, true, buf, sizeof(buf), &n);

	if (r < 0)
		return card->lost ? r : 0;
	if (tlv_only(BYTES(buf, n), 0x30, &info) < 0 || tlv_find(info, 0x80, &label) < 0)
		return 0;
	for (size_t i = 0; i < label.n && i < KF_LABEL_MAX - 1; i++)
		out[i] = label.p[i] < ' ' || label.p[i] == 0x7f ? '?' : (char)label.p[i];
	return 0;
}

static int read_device(struct card *card, struct schsm *out)
{
	uint8_t buf[SCHSM_FILE_MAX];
	size_t n;
	int r = schsm_file_read(card, SCHSM_DEVICE_CERT, false, buf, sizeof(buf), &n);

	if (r == 0)
		r = schsm_device_parse(BYTES(buf, n), out);
	/* A card that was never given one can be used; it just proves nothing. */
	return r == -ENOMEM || r == -EIO || card->lost ? r : 0;
}

static void schsm_close(struct card *card)
{
	struct schsm *schsm = schsm_of(card);

	if (schsm)
		EVP_PKEY_free(schsm->device);
	free(schsm);
	card->private = NULL;
}

static int draw(uint8_t *out, size_t n)
{
	return getrandom(out, n, 0) == (ssize_t)n ? 0 : -EIO;
}

static int schsm_open(struct card *card)
{
	struct schsm *schsm;
	struct bytes answer;
	int r = select_application(card, &answer);

	if (r < 0)
		return card->lost ? r : -ENXIO;
	schsm = calloc(1, sizeof(*schsm));
	if (!schsm)
		return -ENOMEM;
	card->private = schsm;
	schsm->random = draw;
	r = version_parse(answer, schsm);
	if (r == 0) {
		count_abilities(&schsm->info);
		r = read_device(card, schsm);
	}
	if (r == 0)
		r = read_label(card, schsm->info.label);
	if (r < 0)
		schsm_close(card);
	return r;
}

static void schsm_describe(const struct card *card, struct kf_card_info *out)
{
	const struct kf_card_info *info = &schsm_of(card)->info;

	out->flags |= info->flags;
	out->serial_len = info->serial_len;
	memcpy(out->serial, info->serial, sizeof(out->serial));
}

static int schsm_info(struct card *card, struct kf_card_info *out)
{
	struct kf_pin_status user = { .pin = KF_PIN_USER }, so = { .pin = KF_PIN_PUK };
	struct kf_card_info info = schsm_of(card)->info;
	int r = schsm_pin_status(card, &user);

	if (r == 0)
		r = schsm_pin_status(card, &so);
	if (r < 0)
		return r;
	memset(info.tries, KF_TRIES_UNKNOWN, sizeof(info.tries));
	info.tries[KF_PIN_USER] = (uint8_t)user.tries_left;
	info.tries[KF_PIN_PUK] = (uint8_t)so.tries_left;
	if (user.flags & KF_PIN_VERIFIED)
		info.verified = 1u << KF_PIN_USER;
	*out = info;
	return 0;
}

static int schsm_device_cert(struct card *card, struct packer *chain)
{
	uint8_t buf[SCHSM_FILE_MAX];
	size_t n;
	int r = schsm_file_read(card, SCHSM_DEVICE_CERT, false, buf, sizeof(buf), &n);

	if (r < 0)
		return r;
	pack_bytes(chain, BYTES(buf, n));
	return pack_end(chain);
}

/*
 * The contact card, and below it the contactless one and both newer ones: told by their historical bytes,
 * which stand at the same place in ATRs of one length [cards 2.1].
 */
#define HISTORICAL 0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4d, 0x31, 0x73, 0x80, 0x21, 0x40, 0x81, 0x07
#define ONES	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

static const uint8_t atr24[] = { 0x3b, 0, 0, 0, 0, 0, 0, 0, 0, HISTORICAL, 0 };
static const uint8_t mask24[] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 0, ONES, 0 };
static const uint8_t atr23[] = { 0x3b, 0, 0, 0, 0, 0, 0, 0, HISTORICAL, 0 };
static const uint8_t mask23[] = { 0xff, 0, 0, 0, 0, 0, 0, 0, ONES, 0 };
static const uint8_t atr19[] = { 0x3b, 0, 0, 0, HISTORICAL, 0 };
static const uint8_t mask19[] = { 0xff, 0, 0, 0, ONES, 0 };

const struct card_driver schsm_card_driver = {
	.name = "schsm",
	.matches = {
		{ .strength = 203, .atr = BYTES(atr24, sizeof(atr24)), .mask = BYTES(mask24, sizeof(mask24)) },
		{ .strength = 202, .atr = BYTES(atr23, sizeof(atr23)), .mask = BYTES(mask23, sizeof(mask23)) },
		{ .strength = 201, .atr = BYTES(atr19, sizeof(atr19)), .mask = BYTES(mask19, sizeof(mask19)) },
		{ .strength = 90, .aid = BYTES(aid, sizeof(aid)) },
	},
	.open = schsm_open,
	.close = schsm_close,
	.select = schsm_select,
	.describe = schsm_describe,
	.info = schsm_info,
	.device_cert = schsm_device_cert,
	.pin_status = schsm_pin_status,
	.pin_verify = schsm_pin_verify,
	.pin_change = schsm_pin_change,
	.pin_unblock = schsm_pin_unblock,
	.container_list = schsm_container_list,
	.container_info = schsm_container_info,
	.container_create = schsm_container_create,
	.container_delete = schsm_container_delete,
	.cert_store = schsm_cert_store,
	.cert_read = schsm_cert_read,
	.voucher_read = schsm_voucher_read,
	.sign = schsm_sign,
	.decrypt = schsm_decrypt,
	.agree = schsm_agree,
	.cipher = schsm_cipher,
	.init = schsm_init,
	.dkek_status = schsm_dkek_status,
	.dkek_share = schsm_dkek_share,
	.dkek_domain = schsm_dkek_domain,
	.blob_wrap = schsm_blob_wrap,
	.blob_unwrap = schsm_blob_unwrap,
};
