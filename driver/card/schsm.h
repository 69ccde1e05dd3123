/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm.h - The card driver of SmartCard-HSM and Nitrokey HSM 2 (docs/cards/schsm.md): what
 * its source files share. schsm.c opens and describes the card; schsm_file.c, schsm_pin.c,
 * schsm_public.c, schsm_container.c, schsm_generate.c, schsm_key.c, schsm_dkek.c and schsm_blob.c each
 * speak for one noun of it.
 *
 * A container's number is the card's key id, 1 to %SCHSM_KID_MAX; id 0 is the device key, which serves
 * nobody. Beside a key lie, at the same id, its description (format/schsm/prkd.h) and its certificate, or the
 * request for one that the card answered when it made the key. The card has no room for what is absent, so
 * containers that are empty are not listed.
 */
#pragma once

#include "driver/card/card.h"
#include "format/schsm/prkd.h"

#include <openssl/types.h>

#define SCHSM_AID { 0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x02, 0x01 }

enum {
	SCHSM_KID_MAX = 253,		/* %KF_CONTAINER_BATCH and above are no containers */
	SCHSM_PIN_MIN = 6,
	SCHSM_PIN_MAX = 15,
	SCHSM_SO_HEX = 2 * KF_SO_PIN_SIZE,
	SCHSM_FILE_MAX = KF_CERT_MAX,
	SCHSM_RSA_MAX = 512,
	SCHSM_COMMAND_MAX = 1000,	/* data field; the vendor's card takes 1014 */
};

/* The high byte of a file identifier [cards 2.2]. */
enum { SCHSM_KEY = 0xcc, SCHSM_PRKD = 0xc4, SCHSM_CERT = 0xce };
/* How begins what lies beside a key: an X.509 certificate, the card's word for the key. */
enum { SCHSM_TAG_X509 = 0x30, SCHSM_TAG_VOUCHER = 0x67 };
enum { SCHSM_DEVICE_CERT = 0x2f02, SCHSM_TOKEN_INFO = 0x2f03, SCHSM_SCRATCH = 0x2f10 };

/* P2 of SIGN, DECIPHER and DERIVE, and entries of a key's list of what is allowed [cards 2.3]. */
enum {
	SCHSM_RSA_PKCS1 = 0x30,
	SCHSM_RSA_PSS = 0x40,
	SCHSM_ECDSA = 0x70,
	SCHSM_RSA_PKCS1_DECRYPT = 0x22,
	SCHSM_RSA_OAEP_DECRYPT = 0x23,
	SCHSM_ECDH = 0x80,
	SCHSM_CBC_ENCRYPT = 0x10,
	SCHSM_CBC_DECRYPT = 0x11,
	SCHSM_CMAC = 0x18,
	SCHSM_WRAP = 0x92,
	SCHSM_UNWRAP = 0x93,
};

/**
 * struct schsm - the public facts, read when the card is opened
 * @info:	as KF_CARD_INFO answers, but for PIN state
 * @version:	major << 8 | minor
 * @device:	public half of the device key; NULL if it could not be read
 * @device_algorithm: enum cvc_algorithm it signs with
 * @random:	fills @n bytes, 0 or -EIO; a test has its own, and knows what is written
 */
struct schsm {
	struct kf_card_info info;
	uint16_t version;
	EVP_PKEY *device;
	int device_algorithm;
	int (*random)(uint8_t *out, size_t n);
};

static inline struct schsm *schsm_of(const struct card *card)
{
	return card->private;
}

static inline int schsm_kid_check(uint32_t container)
{
	return container >= 1 && container <= SCHSM_KID_MAX ? 0 : -EINVAL;
}

static inline uint16_t schsm_fid(uint8_t kind, uint32_t container)
{
	return (uint16_t)(kind << 8 | container);
}

/* card_call() that also names the PIN where the card wants one first. */
int schsm_call(struct card *card, const struct card_command *command, struct bytes *data);
/* A command that answers nothing; -EBADMSG if it does. */
int schsm_do(struct card *card, const struct card_command *command);
/* After @r of a use of a key: the card's "not with this key" is a reason of its own. */
int schsm_judge_use(struct card *card, int r);

/*
 * Files. Reading ends at the end of the first data object if @one, else at that of the file. Writing
 * replaces a file of any length. Return: 0; -ENOENT; -EBADMSG longer than @cap; as card_call().
 */
int schsm_file_read(struct card *card, uint16_t fid, bool one, uint8_t *buf, size_t cap, size_t *n);
int schsm_file_write(struct card *card, uint16_t fid, struct bytes content);
/* A file that is not there is as good as deleted. */
int schsm_file_delete(struct card *card, uint16_t fid);

/**
 * struct schsm_files - what ENUMERATE OBJECTS says, by kind
 * @key, @prkd, @cert: bit by low byte
 */
struct schsm_files {
	uint8_t key[32], prkd[32], cert[32];
};

int schsm_files_read(struct card *card, struct schsm_files *out);

static inline bool schsm_has(const uint8_t bits[static 32], uint32_t container)
{
	return container < 256 && (bits[container / 8] >> (container % 8) & 1);
}

/**
 * struct schsm_public - what can be known of a key without using it
 * @key:	public half; NULL for AES, or if nothing beside the key tells
 * @vouched:	the device key signed that the card made it
 * @x509:	what lies beside the key is an X.509 certificate
 */
struct schsm_public {
	EVP_PKEY *key;
	bool vouched, x509;
};

/* Reads what lies beside a key, whoever wrote it. Return: 0; -EBADMSG: nothing we can read; -EIO, -ENOMEM. */
int schsm_public_parse(const struct schsm *schsm, struct bytes file, struct schsm_public *out);
void schsm_public_deinit(struct schsm_public *p);
enum kf_key_type schsm_key_type(const EVP_PKEY *key);
/* The device key out of 2F02, and who it says it is. Return: 0, -EBADMSG. */
int schsm_device_parse(struct bytes file, struct schsm *out);

/**
 * struct schsm_place - one occupied container
 * @prkd:	its description; kind 0: there is none
 * @public:	what lies beside the key
 */
struct schsm_place {
	struct kf_container_entry entry;
	struct prkd prkd;
	struct schsm_public public;
};

int schsm_place_read(struct card *card, const struct schsm_files *files, uint32_t container,
		     struct schsm_place *out);
void schsm_place_deinit(struct schsm_place *place);
/* @container itself, which may be occupied, or for KF_CONTAINER_ANY the first free one. */
int schsm_place_choose(const struct schsm_files *files, uint32_t container, uint32_t *out);
/* Key, description, certificate; the key first. */
int schsm_place_clear(struct card *card, uint32_t container);
/* Writes what stands beside a new key; @cert may be empty. Clears the place again if that fails. */
int schsm_place_describe(struct card *card, uint32_t container, const struct prkd *prkd,
			 struct bytes cert);

/* What the card is to allow a key of @type with @purpose. */
struct bytes schsm_algorithms(enum kf_key_type type, enum kf_purpose purpose);
/* Has the card make a key; @answer is the voucher for a pair, borrowed. */
int schsm_generate(struct card *card, uint32_t container, enum kf_key_type type,
		   enum kf_purpose purpose, struct bytes *answer);

int schsm_pin_guard(struct card *card, uint32_t id, bool last_try);
/* The SO-PIN as the card takes it: 8 bytes, or 16 hexadecimal digits for them. */
int schsm_so_pin(struct bytes given, uint8_t out[static KF_SO_PIN_SIZE]);
int schsm_pin_status(struct card *card, struct kf_pin_status *pin);
int schsm_pin_verify(struct card *card, const struct card_pin *pin);
int schsm_pin_change(struct card *card, const struct card_pin *pin);
int schsm_pin_unblock(struct card *card, const struct card_pin *pin);

int schsm_container_list(struct card *card, uint32_t *n, struct packer *entries);
int schsm_container_info(struct card *card, struct kf_container_info *info, struct packer *spki);
int schsm_container_create(struct card *card, struct kf_container_create *want,
			   struct packer *spki);
int schsm_container_delete(struct card *card, uint32_t container);
int schsm_cert_store(struct card *card, uint32_t container, struct bytes cert);
int schsm_cert_read(struct card *card, uint32_t container, struct packer *cert);
int schsm_voucher_read(struct card *card, uint32_t container, struct packer *voucher);

int schsm_sign(struct card *card, const struct kf_sign *how, struct bytes digest,
	       struct packer *signature);
int schsm_decrypt(struct card *card, const struct kf_decrypt *how, struct bytes input,
		  struct bytes label, struct packer *output);
int schsm_agree(struct card *card, uint32_t container, struct bytes peer, struct packer *secret);
int schsm_cipher(struct card *card, struct kf_cipher *how, struct bytes aad, struct bytes input,
		 struct packer *output);

int schsm_init(struct card *card, const struct kf_card_init *want, struct bytes so_pin,
	       struct bytes pin, struct bytes label);
/* One domain. Return: 0; -ENOENT there is no such domain; as card_call(). */
int schsm_dkek_read(struct card *card, uint32_t domain, struct kf_dkek_entry *out);
int schsm_dkek_status(struct card *card, uint32_t *n, struct packer *entries);
int schsm_dkek_share(struct card *card, struct kf_dkek_entry *entry, struct bytes share);
int schsm_dkek_domain(struct card *card, const struct kf_dkek_domain *what);
/* How many domains to ask about. */
uint32_t schsm_domains(const struct card *card);

int schsm_blob_wrap(struct card *card, uint32_t container, struct packer *blob);
int schsm_blob_unwrap(struct card *card, struct kf_blob_unwrap *unwrap,
		      const struct card_blob *blob);
