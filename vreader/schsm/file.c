/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files by their identifiers (docs/cards/schsm.md, "The virtual card"). The high byte is the kind, and
 * the kind says who may read and write; keys are listed and deleted like files and are none otherwise.
 */
#include "vreader/schsm/command.h"

#include "vreader/card/tlv.h"

enum access { ACCESS_NEVER, ACCESS_USER, ACCESS_ALWAYS };

static const struct file_kind {
	uint16_t first, last;
	enum access read, write;
	bool deletable;
} kinds[] = {
	{ FILE_DEVICE_CERT, FILE_DEVICE_CERT, ACCESS_ALWAYS, ACCESS_NEVER, false },
	{ FILE_TOKEN_INFO, FILE_TOKEN_INFO, ACCESS_ALWAYS, ACCESS_USER, true },
	{ FILE_SCRATCH, FILE_SCRATCH, ACCESS_USER, ACCESS_USER, true },
	{ FILE_KEY << 8, FILE_KEY << 8 | 0xff, ACCESS_NEVER, ACCESS_NEVER, true },
	{ FILE_PRIVATE_DATA << 8, FILE_PRIVATE_DATA << 8 | 0xff, ACCESS_USER, ACCESS_USER, true },
	{ FILE_KEY_DESCRIPTION << 8, FILE_KEY_DESCRIPTION << 8 | 0xff, ACCESS_ALWAYS, ACCESS_USER, true },
	{ FILE_CA_DESCRIPTION << 8, FILE_CA_DESCRIPTION << 8 | 0xff, ACCESS_ALWAYS, ACCESS_USER, true },
	{ FILE_DATA_DESCRIPTION << 8, FILE_DATA_DESCRIPTION << 8 | 0xff, ACCESS_ALWAYS, ACCESS_USER, true },
	{ FILE_CA_CERT << 8, FILE_CA_CERT << 8 | 0xff, ACCESS_ALWAYS, ACCESS_USER, true },
	{ FILE_CERT << 8, FILE_CERT << 8 | 0xff, ACCESS_ALWAYS, ACCESS_USER, true },
	{ FILE_DATA << 8, FILE_DATA << 8 | 0xff, ACCESS_ALWAYS, ACCESS_USER, true },
};

static const struct file_kind *kind_of(uint16_t fid)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].first <= fid && fid <= kinds[i].last)
			return &kinds[i];
	}
	return NULL;
}

static bool is_key(uint16_t fid)
{
	return fid >> 8 == FILE_KEY;
}

static bool may(const struct hsm *hsm, enum access access)
{
	return access == ACCESS_ALWAYS || (access == ACCESS_USER && hsm->user_verified);
}

/* The device's own key has id 0 and is in no list. */
static bool key_exists(const struct hsm *hsm, uint16_t fid)
{
	return (fid & 0xff) == 0 || hsm_find_key(hsm->state, fid & 0xff);
}

/* Return: whether the file is there, and then what is in it; nothing of a key's. */
static bool find_content(const struct hsm *hsm, uint16_t fid, struct bytes *out)
{
	const struct hsm_file *file;

	*out = BYTES_NONE;
	if (is_key(fid))
		return key_exists(hsm, fid);
	if (fid == FILE_DEVICE_CERT) {
		*out = blob_bytes(hsm->state->device_cert);
		return true;
	}
	if (fid == FILE_SCRATCH) {
		*out = secret_bytes(&hsm->scratch);
		return out->n != 0;
	}
	file = hsm_find_file(hsm->state, fid);
	if (file)
		*out = blob_bytes(file->content);
	return file != NULL;
}

/* --- SELECT --- */

/* [7816-4 file control parameters]; 85 is the vendor's: options, platform, version. */
static void put_fcp(const struct hsm *hsm, uint16_t fid, struct bytes name, size_t size,
		    struct packer *out)
{
	uint8_t buf[64], proprietary[5];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct packer v = pack_begin(proprietary, sizeof(proprietary));

	pack_be16(&v, hsm->state->options);
	pack_u8(&v, HSM_PLATFORM);
	pack_u8(&v, HSM_VERSION_MAJOR);
	pack_u8(&v, HSM_VERSION_MINOR);
	tlv_put_number(&p, 0x81, size, 2);
	tlv_put_number(&p, 0x82, 0x01, 1);		/* transparent, working */
	tlv_put_number(&p, 0x83, fid, 2);
	if (name.n != 0)
		tlv_put(&p, 0x84, name);
	tlv_put_number(&p, 0x8a, 0x05, 1);		/* activated */
	if (name.n != 0)
		tlv_put(&p, 0x85, pack_done(&v));
	tlv_put(out, 0x62, pack_done(&p));
}

/* Whoever selects the application begins anew: that is how hosts log out. */
HSM_RUN(hsm_select_app)
{
	static const uint8_t aid[] = HSM_AID;

	if (!bytes_equal(request->data, BYTES_OF(aid)))
		return SW_NO_APPLICATION;
	hsm_log_out(hsm);
	hsm->selected = true;
	if (request->p2 == 0x00)
		put_fcp(hsm, 0, BYTES_OF(aid), 0, out);
	return SW_OK;
}

HSM_RUN(hsm_select_file)
{
	struct unpacker u = unpack_begin(request->data);
	uint16_t fid = unpack_be16(&u);
	struct bytes content;

	if (!hsm->selected)
		return SW_NO_APPLICATION;
	if (unpack_end(&u) < 0)
		return SW_LENGTH;
	if (!find_content(hsm, fid, &content))
		return SW_NO_FILE;
	hsm->current = fid;
	if (request->p2 == 0x00)
		put_fcp(hsm, fid, BYTES_NONE, content.n, out);
	return SW_OK;
}

/* The device key first, as it is on every card; 2Fxx are at home everywhere and not listed. */
HSM_RUN(hsm_enumerate)
{
	const struct hsm_state *state = hsm->state;

	(void)request;
	pack_be16(out, FILE_KEY << 8);
	for (size_t i = 0; i < state->n_keys; i++)
		pack_be16(out, FILE_KEY << 8 | state->keys[i].id);
	for (size_t i = 0; i < state->n_files; i++) {
		if (state->files[i].fid >> 8 != 0x2f)
			pack_be16(out, state->files[i].fid);
	}
	return SW_OK;
}

/* --- READ and UPDATE BINARY --- */

/*
 * P1 P2 0000 is the selected file, which one that was named before is as well [7816-4 data referencing]:
 * hosts create a file by name and then write to it without.
 */
static int named_file(const struct hsm *hsm, const struct hsm_request *request, uint16_t *out)
{
	uint16_t fid = (uint16_t)(request->p1 << 8 | request->p2);

	*out = fid != 0 ? fid : hsm->current;
	if (*out == 0)
		return SW_CONDITIONS;
	return kind_of(*out) ? SW_OK : SW_NO_FILE;
}

/* [7816-4 offset data object]: of one or two bytes. */
static size_t take_offset(struct unpacker *u)
{
	struct bytes value = tlv_take(u, 0x54);
	struct unpacker v = unpack_begin(value);

	if (value.n == 0 || value.n > 2)
		unpack_fail(u);
	return u->bad ? 0 : unpack_be(&v, value.n);
}

HSM_RUN(hsm_read_binary)
{
	struct unpacker u = unpack_begin(request->data);
	size_t offset = take_offset(&u);
	struct bytes content, part;
	uint16_t fid;
	int sw = named_file(hsm, request, &fid);

	if (unpack_end(&u) < 0)
		return SW_DATA;
	if (request->ne == 0)
		return SW_LENGTH;
	if (sw != SW_OK)
		return sw;
	if (!find_content(hsm, fid, &content))
		return SW_NO_FILE;
	if (!may(hsm, kind_of(fid)->read))
		return SW_PIN_NEEDED;
	if (offset > content.n)
		return SW_OFFSET;
	hsm->current = fid;
	part = bytes_slice(content, offset, request->ne);
	pack_bytes(out, part);
	return part.n < request->ne ? SW_END_OF_FILE : SW_OK;
}

/*
 * Behind 53 stands a length in any of BER's forms up to two bytes: hosts write 82 for every one they do
 * not know beforehand.
 */
static struct bytes take_data(struct unpacker *u)
{
	size_t n;

	if (unpack_u8(u) != 0x53)
		unpack_fail(u);
	n = unpack_u8(u);
	if (n == 0x81 || n == 0x82)
		n = unpack_be(u, n & 0x0f);
	else if (n > 0x7f)
		unpack_fail(u);
	return unpack_bytes(u, n);
}

/* @data laid over @old from @offset on, into @out, which is empty. */
static int overlay(struct bytes old, size_t offset, struct bytes data, struct secret *out)
{
	struct packer p = pack_begin(out->p, out->cap);

	pack_bytes(&p, bytes_slice(old, 0, offset));
	pack_bytes(&p, data);
	if (offset + data.n < old.n)
		pack_bytes(&p, bytes_slice(old, offset + data.n, old.n));
	if (pack_end(&p) < 0)
		return SW_FULL;
	out->n = p.n;
	return SW_OK;
}

static int store_content(struct hsm *hsm, uint16_t fid, const struct secret *content)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	int r;

	if (fid == FILE_SCRATCH)
		return secret_set(&hsm->scratch, secret_bytes(content)) < 0 ? SW_FULL : SW_OK;
	r = hsm_begin(hsm, &next);
	if (r == 0)
		r = hsm_full(hsm_put_file(next, fid, secret_bytes(content)));
	if (r == 0)
		r = hsm_commit(hsm, &next);
	return r != 0 ? r : SW_OK;
}

HSM_RUN(hsm_update_binary)
{
	_cleanup_(secret_deinit) struct secret content = SECRET_INIT;
	struct unpacker u = unpack_begin(request->data);
	size_t offset = take_offset(&u);
	struct bytes data = take_data(&u), old;
	uint16_t fid;
	int r = named_file(hsm, request, &fid);

	(void)out;
	if (unpack_end(&u) < 0)
		return SW_DATA;
	if (r != SW_OK)
		return r;
	if (!may(hsm, kind_of(fid)->write))
		return SW_PIN_NEEDED;
	(void)find_content(hsm, fid, &old);
	if (offset > old.n)
		return SW_OFFSET;
	r = secret_init(&content, HSM_FILE_MAX);
	if (r < 0)
		return r;
	r = overlay(old, offset, data, &content);
	if (r == SW_OK)
		r = store_content(hsm, fid, &content);
	if (r == SW_OK)
		hsm->current = fid;
	return r;
}

/* --- DELETE FILE --- */

HSM_RUN(hsm_delete)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	struct unpacker u = unpack_begin(request->data);
	uint16_t fid = unpack_be16(&u);
	struct bytes content;
	int r;

	(void)out;
	if (unpack_end(&u) < 0)
		return SW_LENGTH;
	if (!kind_of(fid) || !find_content(hsm, fid, &content))
		return SW_NO_FILE;
	if (!kind_of(fid)->deletable || fid == FILE_KEY << 8)
		return SW_PIN_NEEDED;
	if (hsm->current == fid)
		hsm->current = 0;
	if (fid == FILE_SCRATCH) {
		secret_clear(&hsm->scratch);
		return SW_OK;
	}
	r = hsm_begin(hsm, &next);
	if (r != 0)
		return r;
	if (is_key(fid))
		hsm_delete_key(next, fid & 0xff);
	else
		hsm_delete_file(next, fid);
	r = hsm_commit(hsm, &next);
	return r != 0 ? r : SW_OK;
}
