/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/sm.c - The outer functions step the counter, call one that does the work, and end the
 * session if that fails. What is authenticated is put together in one place, mac_of().
 */
#include "format/schsm/sm.h"
#include "base/cleanup.h"
#include "format/aes.h"
#include "format/der.h"

enum {
	TAG_TEXT_OBJECTS = 0x85,	/* cipher text of data objects */
	TAG_TEXT = 0x87,		/* padding indicator, cipher text */
	TAG_LE = 0x97,
	TAG_SW = 0x99,
	TAG_MAC = 0x8e,
	MAC_SIZE = 8,
	PADDED = 1,			/* 80 and zeros [7816-4 padding-content indicator] */
	AUTHENTIC_MAX = SM_DATA_MAX + SM_OVERHEAD + 3 * AES_BLOCK,
};

int sm_begin(struct sm *sm, struct bytes keys)
{
	int r;

	*sm = SM_INIT;
	r = secret_init(&sm->keys, 2 * SM_KEY_SIZE);
	return r < 0 ? r : secret_set(&sm->keys, keys);
}

void sm_end(struct sm *sm)
{
	secret_deinit(&sm->keys);
	*sm = SM_INIT;
}

static void step_counter(struct sm *sm)
{
	for (size_t i = sizeof(sm->counter); i > 0 && ++sm->counter[i - 1] == 0; i--)
		;
}

static struct bytes key_enc(const struct sm *sm)
{
	return BYTES(sm->keys.p, SM_KEY_SIZE);
}

static struct bytes key_mac(const struct sm *sm)
{
	return BYTES(sm->keys.p + SM_KEY_SIZE, SM_KEY_SIZE);
}

static void pad_block(struct packer *p)
{
	pack_u8(p, 0x80);
	pack_zero(p, (AES_BLOCK - p->n % AES_BLOCK) % AES_BLOCK);
}

/* Over counter, header (of a command) and objects; no objects, no second padding. */
static int mac_of(const struct sm *sm, const struct sm_command *header, struct bytes objects,
		  uint8_t out[static MAC_SIZE])
{
	uint8_t buf[AUTHENTIC_MAX], mac[AES_BLOCK] = { 0 };
	struct packer p = pack_begin(buf, sizeof(buf));
	int r;

	pack_bytes(&p, BYTES_OF(sm->counter));
	if (header) {
		const uint8_t bytes[] = { header->cla | SM_CLA, header->ins, header->p1, header->p2 };

		pack_bytes(&p, BYTES_OF(bytes));
		pad_block(&p);
	}
	if (objects.n != 0) {
		pack_bytes(&p, objects);
		pad_block(&p);
	}
	r = pack_end(&p);
	if (r == 0)
		r = aes_cmac(key_mac(sm), pack_done(&p), mac);
	if (r == 0)
		memcpy(out, mac, MAC_SIZE);
	return r;
}

/* IV = AES(K_ENC, counter): one block of CBC under a zero IV. */
static int cbc(const struct sm *sm, bool encrypt, struct bytes text, struct packer *out)
{
	static const uint8_t zero[AES_BLOCK];
	uint8_t iv[AES_BLOCK];
	struct packer p = pack_begin(iv, sizeof(iv));
	int r = aes_cbc(key_enc(sm), true, BYTES_OF(zero), BYTES_OF(sm->counter), &p);

	return r < 0 ? r : aes_cbc(key_enc(sm), encrypt, BYTES_OF(iv), text, out);
}

/* Packs 87, or 85 if @objects. */
static int put_text(const struct sm *sm, struct bytes data, bool objects, struct packer *out)
{
	_cleanup_(secret_deinit) struct secret padded = SECRET_INIT;
	struct der_mark mark;
	struct packer p;
	int r = secret_init(&padded, data.n + AES_BLOCK);

	if (r < 0)
		return r;
	p = pack_begin(padded.p, padded.cap);
	pack_bytes(&p, data);
	pad_block(&p);
	mark = der_begin(out, objects ? TAG_TEXT_OBJECTS : TAG_TEXT);
	if (!objects)
		pack_u8(out, PADDED);
	r = cbc(sm, true, pack_done(&p), out);
	der_end(out, mark);
	return r;
}

/* The MAC of what stands in @out from @from on. */
static int put_mac(const struct sm *sm, const struct sm_command *header, size_t from,
		   struct packer *out)
{
	uint8_t mac[MAC_SIZE];
	int r;

	if (out->bad)
		return -EMSGSIZE;
	r = mac_of(sm, header, BYTES(out->p + from, out->n - from), mac);
	if (r < 0)
		return r;
	der_put(out, TAG_MAC, BYTES_OF(mac));
	return pack_end(out);
}

/* [7816-4 Le]: one byte for up to 256, two for up to 65536; 256 and 65536 are zero. */
static void put_le(struct packer *p, uint32_t le)
{
	struct der_mark mark = der_begin(p, TAG_LE);

	if (le <= 256)
		pack_u8(p, le & 0xff);
	else
		pack_be16(p, le & 0xffff);
	der_end(p, mark);
}

static int protect_command(struct sm *sm, const struct sm_command *plain, struct packer *out)
{
	size_t from = out->n;
	int r = 0;

	if (plain->data.n != 0)
		r = put_text(sm, plain->data, sm->odd, out);
	if (r < 0)
		return r;
	if (plain->le != 0)
		put_le(out, plain->le);
	return put_mac(sm, plain, from, out);
}

int sm_protect_command(struct sm *sm, const struct sm_command *plain, struct packer *out)
{
	int r;

	if (!sm_is_alive(sm) || sm->answering)
		return -EPROTO;
	if (plain->data.n > SM_DATA_MAX || plain->le > 65536)
		return -EINVAL;
	step_counter(sm);
	sm->odd = plain->ins & 1;
	sm->answering = true;
	r = protect_command(sm, plain, out);
	if (r < 0)
		sm_end(sm);
	return r;
}

/**
 * struct objects - the data objects of a protected field
 * @authentic:	all before the MAC
 * @text:	cipher text; empty if there is none
 * @inside:	what comes behind it: 97 or 99
 */
struct objects {
	struct bytes authentic, text, inside, mac;
};

/* Cipher text of whole blocks, after 01 in an 87. */
static struct bytes take_text(struct unpacker *u, bool objects)
{
	struct unpacker one = der_enter(u, objects ? TAG_TEXT_OBJECTS : TAG_TEXT);
	struct bytes text;

	if (!objects && unpack_u8(&one) != PADDED)
		unpack_fail(&one);
	text = unpack_rest(&one);
	if (text.n == 0 || text.n % AES_BLOCK != 0)
		unpack_fail(&one);
	der_leave(u, &one);
	return text;
}

/* @tag: that of @inside. 85 is for odd instructions; cards write 87 there, too. */
static int split(struct bytes data, bool odd, uint16_t tag, struct objects *out)
{
	struct unpacker u = unpack_begin(data);
	bool objects = odd && der_is_next(&u, TAG_TEXT_OBJECTS);

	*out = (struct objects){ 0 };
	if (objects || der_is_next(&u, TAG_TEXT))
		out->text = take_text(&u, objects);
	if (der_is_next(&u, tag))
		out->inside = der_take(&u, tag);
	out->authentic = BYTES(data.p, data.n - u.left);
	out->mac = der_take(&u, TAG_MAC);
	return unpack_end(&u) < 0 || out->mac.n != MAC_SIZE ? -EBADMSG : 0;
}

static int check_mac(const struct sm *sm, const struct sm_command *header,
		     const struct objects *objects)
{
	uint8_t mac[MAC_SIZE] = { 0 };
	int r = mac_of(sm, header, objects->authentic, mac);

	if (r < 0)
		return r == -EMSGSIZE ? -EBADMSG : r;
	return bytes_equal_ct(objects->mac, BYTES_OF(mac)) ? 0 : -EBADMSG;
}

/* Length of the data in front of its padding. Return: 0, -EBADMSG. */
static int unpad(const struct secret *padded, size_t *out)
{
	size_t n = padded->n;

	while (n > 0 && padded->p[n - 1] == 0)
		n--;
	if (n == 0 || padded->p[n - 1] != 0x80 || padded->n - n >= AES_BLOCK)
		return -EBADMSG;
	*out = n - 1;
	return 0;
}

static int open_text(const struct sm *sm, struct bytes text, struct packer *out)
{
	_cleanup_(secret_deinit) struct secret padded = SECRET_INIT;
	struct packer p;
	size_t n = 0;
	int r;

	if (text.n == 0)
		return 0;
	r = secret_init(&padded, text.n);
	if (r < 0)
		return r;
	p = pack_begin(padded.p, padded.cap);
	r = cbc(sm, false, text, &p);
	padded.n = p.n;
	if (r == 0)
		r = unpad(&padded, &n);
	if (r < 0)
		return r;
	pack_bytes(out, BYTES(padded.p, n));
	return pack_end(out);
}

static int open_answer(struct sm *sm, struct bytes data, uint16_t sw, struct packer *out)
{
	struct objects objects;
	struct unpacker u;
	int r = split(data, sm->odd, TAG_SW, &objects);

	if (r == 0)
		r = check_mac(sm, NULL, &objects);
	if (r < 0)
		return r;
	u = unpack_begin(objects.inside);
	if (unpack_be16(&u) != sw || unpack_end(&u) < 0)	/* nobody outside says another */
		return -EBADMSG;
	return open_text(sm, objects.text, out);
}

int sm_open_answer(struct sm *sm, struct bytes data, uint16_t sw, struct packer *out,
		   uint16_t *plain_sw)
{
	int r;

	if (!sm_is_alive(sm) || !sm->answering)
		return -EPROTO;
	step_counter(sm);
	sm->answering = false;
	r = open_answer(sm, data, sw, out);
	if (r < 0)
		sm_end(sm);
	else
		*plain_sw = sw;
	return r;
}

/* The answer's place is left out, so that the next command has the counter that the card will have. */
int sm_protect_ahead(struct sm *sm, const struct sm_command *plain, struct packer *out,
		     struct sm_turn *turn)
{
	int r = sm_protect_command(sm, plain, out);

	if (r < 0)
		return r;
	memcpy(turn->counter, sm->counter, sizeof(turn->counter));
	turn->odd = sm->odd;
	step_counter(sm);
	sm->answering = false;
	return 0;
}

int sm_open_turn(struct sm *sm, const struct sm_turn *turn, struct bytes data, uint16_t sw,
		 struct packer *out, uint16_t *plain_sw)
{
	uint8_t ahead[sizeof(sm->counter)];
	int r;

	if (!sm_is_alive(sm) || sm->answering)
		return -EPROTO;
	memcpy(ahead, sm->counter, sizeof(ahead));
	memcpy(sm->counter, turn->counter, sizeof(sm->counter));
	sm->odd = turn->odd;
	sm->answering = true;
	r = sm_open_answer(sm, data, sw, out, plain_sw);
	if (r == 0)
		memcpy(sm->counter, ahead, sizeof(sm->counter));
	return r;
}

static int take_le(struct bytes inside, uint32_t *out)
{
	struct unpacker u = unpack_begin(inside);
	uint32_t le;

	if (inside.n > 2)
		return -EBADMSG;
	le = (uint32_t)unpack_be(&u, inside.n);
	*out = inside.n == 0 ? 0 : le != 0 ? le : inside.n == 1 ? 256 : 65536;
	return 0;
}

static int open_command(struct sm *sm, const struct sm_command *sealed, struct packer *out,
			struct sm_command *plain)
{
	struct objects objects;
	size_t from = out->n;
	int r;

	if ((sealed->cla & SM_CLA) != SM_CLA)
		return -EBADMSG;
	r = split(sealed->data, sm->odd, TAG_LE, &objects);
	if (r == 0)
		r = check_mac(sm, sealed, &objects);
	*plain = *sealed;
	plain->cla &= (uint8_t)~SM_CLA;
	if (r == 0)
		r = take_le(objects.inside, &plain->le);
	if (r == 0)
		r = open_text(sm, objects.text, out);
	plain->data = BYTES(out->p + from, out->n - from);
	return r;
}

int sm_open_command(struct sm *sm, const struct sm_command *sealed, struct packer *out,
		    struct sm_command *plain)
{
	struct sm_command opened;
	int r;

	if (!sm_is_alive(sm) || sm->answering)
		return -EPROTO;
	step_counter(sm);
	sm->odd = sealed->ins & 1;
	sm->answering = true;
	r = open_command(sm, sealed, out, &opened);
	if (r < 0)
		sm_end(sm);
	else
		*plain = opened;
	return r;
}

static int protect_answer(struct sm *sm, struct bytes data, uint16_t sw, struct packer *out)
{
	const uint8_t bytes[] = { (uint8_t)(sw >> 8), (uint8_t)sw };
	size_t from = out->n;
	int r = 0;

	if (data.n != 0)
		r = put_text(sm, data, false, out);
	if (r < 0)
		return r;
	der_put(out, TAG_SW, BYTES_OF(bytes));
	return put_mac(sm, NULL, from, out);
}

int sm_protect_answer(struct sm *sm, struct bytes data, uint16_t sw, struct packer *out)
{
	int r;

	if (!sm_is_alive(sm) || !sm->answering)
		return -EPROTO;
	if (data.n > SM_DATA_MAX)
		return -EINVAL;
	step_counter(sm);
	sm->answering = false;
	r = protect_answer(sm, data, sw, out);
	if (r < 0)
		sm_end(sm);
	return r;
}
