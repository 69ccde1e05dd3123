// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/link/message.c - A line a field; texts and bytes behind their lengths. */
#include "tools/link/message.h"
#include "base/error.h"

static void put(struct packer *p, struct bytes b)
{
	pack_be16(p, b.n);
	pack_bytes(p, b);
}

static struct bytes take(struct unpacker *u, size_t max)
{
	size_t n = unpack_be16(u);

	if (n > max)
		unpack_fail(u);
	return unpack_bytes(u, n);
}

static struct unpacker begin(struct bytes packet, enum source_kind kind)
{
	struct unpacker u = unpack_begin(packet);

	if (unpack_u8(&u) != kind)
		unpack_fail(&u);
	return u;
}

/* A text for who works with it as one: no zero inside. */
static struct bytes take_text(struct unpacker *u)
{
	struct bytes b = take(u, SOURCE_TEXT_MAX);

	if (b.n > 0 && memchr(b.p, '\0', b.n))
		unpack_fail(u);
	return b;
}

static uint64_t take_number(struct unpacker *u, uint64_t min, uint64_t max)
{
	uint64_t v = unpack_u8(u);

	if (v < min || v > max)
		unpack_fail(u);
	return v;
}

static void put_key(struct packer *p, const struct source_open *m)
{
	put(p, m->module);
	put(p, m->token);
	put(p, m->label);
	put(p, m->id);
	put(p, m->pin);
}

static struct source_open take_key(struct unpacker *u)
{
	struct source_open m = {
		.module = take_text(u),
		.token = take_text(u),
		.label = take_text(u),
		.id = take(u, SOURCE_ID_MAX),
		.pin = take(u, SOURCE_PIN_MAX),
	};

	/* Neither label nor id would be any key. */
	if (m.module.n == 0 || (m.label.n == 0 && m.id.n == 0))
		unpack_fail(u);
	return m;
}

void source_open_pack(struct packer *p, const struct source_open *m)
{
	pack_u8(p, SOURCE_OPEN);
	put_key(p, m);
}

int source_open_parse(struct bytes packet, struct source_open *out)
{
	struct unpacker u = begin(packet, SOURCE_OPEN);
	struct source_open m = take_key(&u);

	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = m;
	return 0;
}

void source_found_pack(struct packer *p, const struct source_found *m)
{
	pack_u8(p, SOURCE_FOUND);
	pack_u8(p, m->type);
	put(p, m->spki);
}

int source_found_parse(struct bytes packet, struct source_found *out)
{
	struct unpacker u = begin(packet, SOURCE_FOUND);
	struct source_found m = {
		.type = (enum kf_key_type)take_number(&u, KF_KEY_RSA_2048, KF_KEY_EC_P256K),
		.spki = take(&u, SOURCE_SPKI_MAX),
	};

	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = m;
	return 0;
}

void source_wrap_pack(struct packer *p, const struct source_wrap *m)
{
	pack_u8(p, SOURCE_WRAP);
	put(p, m->kek);
	pack_u8(p, m->hash);
	pack_u8(p, m->direct);
	pack_u8(p, m->allow_extract);
}

int source_wrap_parse(struct bytes packet, struct source_wrap *out)
{
	struct unpacker u = begin(packet, SOURCE_WRAP);
	struct source_wrap m = {
		.kek = take(&u, SOURCE_SPKI_MAX),
		.hash = (enum kf_hash)take_number(&u, KF_HASH_SHA1, KF_HASH_SHA512),
		.direct = take_number(&u, 0, 1) == 1,
		.allow_extract = take_number(&u, 0, 1) == 1,
	};

	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = m;
	return 0;
}

void source_wrapped_pack(struct packer *p, const struct source_wrapped *m)
{
	pack_u8(p, SOURCE_WRAPPED);
	pack_u8(p, m->way);
	pack_u8(p, m->zeros);
	put(p, m->blob);
}

int source_wrapped_parse(struct bytes packet, struct source_wrapped *out)
{
	struct unpacker u = begin(packet, SOURCE_WRAPPED);
	struct source_wrapped m = {
		.way = (enum source_way)take_number(&u, SOURCE_WHOLE, SOURCE_EXTRACTED),
		.zeros = take_number(&u, 0, 1) == 1,
		.blob = take(&u, SOURCE_BLOB_MAX),
	};

	if (unpack_end(&u) < 0 || m.blob.n == 0)
		return -EBADMSG;
	*out = m;
	return 0;
}

static void put_words(struct packer *p, const char *text)
{
	put(p, BYTES(text, strlen(text)));
}

/* The module may have had its hands in them, so they are cleaned as all that comes from outside. */
static void take_words(struct unpacker *u, char out[static KF_ERROR_TEXT_MAX])
{
	struct bytes b = take(u, KF_ERROR_TEXT_MAX - 1);

	error_text_set(out, "%.*s", (int)b.n, b.n ? (const char *)b.p : "");
}

void source_failed_pack(struct packer *p, const struct kf_error *e)
{
	pack_u8(p, SOURCE_FAILED);
	pack_be32(p, (uint32_t)-e->code);
	put_words(p, e->what);
	put_words(p, e->why);
	put_words(p, e->rule);
	put_words(p, e->next);
}

int source_failed_parse(struct bytes packet, struct kf_error *out)
{
	struct unpacker u = begin(packet, SOURCE_FAILED);
	struct kf_error e = KF_ERROR_INIT;
	uint32_t code = unpack_be32(&u);

	take_words(&u, e.what);
	take_words(&u, e.why);
	take_words(&u, e.rule);
	take_words(&u, e.next);
	if (unpack_end(&u) < 0 || code == 0 || code > 4095)
		return -EBADMSG;
	e.code = -(int)code;
	*out = e;
	return 0;
}

/* --- a master --- */

int source_kind_of(struct bytes packet)
{
	return packet.n > 0 ? packet.p[0] : 0;
}

void master_open_pack(struct packer *p, const struct master_open *m)
{
	pack_u8(p, MASTER_OPEN);
	put_key(p, &m->key);
	pack_u8(p, m->make);
}

int master_open_parse(struct bytes packet, struct master_open *out)
{
	struct unpacker u = begin(packet, MASTER_OPEN);
	struct master_open m = { .key = take_key(&u) };

	m.make = take_number(&u, 0, 1) == 1;
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = m;
	return 0;
}

void master_ready_pack(struct packer *p, bool extractable)
{
	pack_u8(p, MASTER_READY);
	pack_u8(p, extractable);
}

int master_ready_parse(struct bytes packet, bool *extractable)
{
	struct unpacker u = begin(packet, MASTER_READY);
	bool b = take_number(&u, 0, 1) == 1;

	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*extractable = b;
	return 0;
}

void master_mac_pack(struct packer *p, struct bytes in)
{
	pack_u8(p, MASTER_MAC);
	put(p, in);
}

/* The message of that kind which has one part, of @least to @most bytes. */
static int parse_part(struct bytes packet, uint8_t kind, size_t least, size_t most, struct bytes *out)
{
	struct unpacker u = begin(packet, kind);
	struct bytes b = take(&u, most);

	if (unpack_end(&u) < 0 || b.n < least)
		return -EBADMSG;
	*out = b;
	return 0;
}

int master_mac_parse(struct bytes packet, struct bytes *in)
{
	return parse_part(packet, MASTER_MAC, 1, MASTER_IN_MAX, in);
}

void master_maced_pack(struct packer *p, struct bytes mac)
{
	pack_u8(p, MASTER_MACED);
	put(p, mac);
}

int master_maced_parse(struct bytes packet, struct bytes *mac)
{
	return parse_part(packet, MASTER_MACED, MASTER_MAC_SIZE, MASTER_MAC_SIZE, mac);
}
