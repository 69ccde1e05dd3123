// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/map.c - Bytes and layout of the three files. */
#include "libcardmod/map.h"
#include "format/der.h"
#include "format/hash.h"
#include "libcardmod/utf16.h"

/* What of a container goes into its freshness: type, purpose, key hash. */
enum { ENTRY_SIZE = 2 + KF_DIGEST_SIZE, CONTAINERS_MAX = 256 };

DEFINE_CLEANUP(struct kf_containers *, kf_containers_free);
DEFINE_CLEANUP(struct kf_blob *, kf_blob_free);

/* {8-4-4-4-12} hexadecimal digits of the first 16 bytes */
static void name_of(const uint8_t *hash, WCHAR out[MAX_CONTAINER_NAME_LEN + 1])
{
	char text[MAX_CONTAINER_NAME_LEN + 1];

	(void)snprintf(text, sizeof(text),
		       "{%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
		       hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7],
		       hash[8], hash[9], hash[10], hash[11], hash[12], hash[13], hash[14],
		       hash[15]);
	memset(out, 0, (MAX_CONTAINER_NAME_LEN + 1) * sizeof(*out));
	utf16_from_ascii(text, out, MAX_CONTAINER_NAME_LEN + 1);
}

/* What CryptoAPI calls key exchange: a key of any other purpose is not offered for it. */
static bool is_key_exchange(enum kf_purpose purpose)
{
	return purpose == KF_PURPOSE_DECRYPT || purpose == KF_PURPOSE_EXCHANGE ||
	       purpose == KF_PURPOSE_DERIVE;
}

void map_record_pack(const struct kf_container *container, struct packer *out)
{
	enum kf_key_type type = (enum kf_key_type)kf_container_key_type(container);
	enum kf_purpose purpose = (enum kf_purpose)kf_container_purpose(container);
	WCHAR name[MAX_CONTAINER_NAME_LEN + 1];
	unsigned int bits = key_type_bits(type);

	if (bits == 0) {			/* empty, and its place is kept */
		pack_zero(out, MAP_RECORD_SIZE);
		return;
	}
	name_of(kf_container_key_hash(container), name);
	pack_bytes(out, BYTES_OF(name));
	pack_u8(out, CONTAINER_MAP_VALID_CONTAINER);
	pack_u8(out, 0);
	pack_le16(out, purpose == KF_PURPOSE_SIGN ? bits : 0);
	pack_le16(out, is_key_exchange(purpose) ? bits : 0);
}

int map_pack(struct module *module, struct packer *out)
{
	_cleanup_(kf_containers_freep) struct kf_containers *all = NULL;
	int r = kf_container_list(module->context, &all);

	for (size_t i = 0; r == 0 && i < kf_containers_count(all); i++)
		map_record_pack(kf_containers_at(all, i), out);
	return r < 0 ? r : pack_end(out);
}

int map_card_id(struct module *module, struct packer *out)
{
	_cleanup_(kf_blob_freep) struct kf_blob *chain = NULL;
	uint8_t digest[KF_DIGEST_SIZE];
	struct unpacker u;
	struct bytes cert;
	int r = kf_device_cert(module->context, &chain);

	if (r < 0)
		return r;
	u = unpack_begin(BYTES(kf_blob_data(chain), kf_blob_size(chain)));
	cert = der_take_whole(&u, DER_SEQUENCE);
	if (cert.n == 0)
		return -EBADMSG;
	r = sha256(cert, digest);
	if (r < 0)
		return r;
	pack_bytes(out, BYTES(digest, MAP_CARD_ID_SIZE));
	return pack_end(out);
}

static int freshness(struct bytes of, struct packer *out)
{
	uint8_t digest[KF_DIGEST_SIZE];
	int r = sha256(of, digest);

	if (r == 0)
		pack_bytes(out, BYTES(digest, 2));
	return r;
}

static int containers_freshness(const struct kf_containers *all, struct packer *out)
{
	uint8_t buf[CONTAINERS_MAX * ENTRY_SIZE];
	struct packer p = pack_begin(buf, sizeof(buf));

	for (size_t i = 0; i < kf_containers_count(all); i++) {
		const struct kf_container *c = kf_containers_at(all, i);

		pack_u8(&p, kf_container_key_type(c) & 0xff);
		pack_u8(&p, kf_container_purpose(c) & 0xff);
		pack_bytes(&p, BYTES(kf_container_key_hash(c), KF_DIGEST_SIZE));
	}
	return pack_end(&p) < 0 ? -EMSGSIZE : freshness(pack_done(&p), out);
}

static int files_freshness(struct module *module, const struct kf_containers *all,
			   struct packer *out)
{
	uint8_t buf[CONTAINERS_MAX * (1 + KF_DIGEST_SIZE)], digest[KF_DIGEST_SIZE];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r = 0;

	for (size_t i = 0; r == 0 && i < kf_containers_count(all); i++) {
		const struct kf_container *c = kf_containers_at(all, i);
		_cleanup_(kf_blob_freep) struct kf_blob *cert = NULL;

		if (!(kf_container_flags(c) & KF_CONTAINER_CERT))
			continue;
		r = kf_cert_read(module->context, kf_container_number(c), &cert);
		if (r == 0)
			r = sha256(BYTES(kf_blob_data(cert), kf_blob_size(cert)), digest);
		pack_u8(&p, kf_container_number(c) & 0xff);
		pack_bytes(&p, BYTES_OF(digest));
	}
	if (r == 0)
		r = pack_end(&p);
	return r < 0 ? r : freshness(pack_done(&p), out);
}

int map_cache_pack(struct module *module, struct packer *out)
{
	_cleanup_(kf_containers_freep) struct kf_containers *all = NULL;
	int r = kf_container_list(module->context, &all);

	if (r < 0)
		return r;
	pack_u8(out, 0);			/* bVersion */
	pack_u8(out, module->pin_changes);
	r = containers_freshness(all, out);
	if (r == 0)
		r = files_freshness(module, all, out);
	return r < 0 ? r : pack_end(out);
}
