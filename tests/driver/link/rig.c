/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/link/rig.h"

#include "driver/iso7816/card_io.h"
#include "driver/link/request.h"

#include <stdlib.h>

struct note note;

static int noted(struct card *card, struct bytes in)
{
	struct packer p = pack_begin(note.copy, sizeof(note.copy));

	note.verbs++;
	note.deadline_ms = (uint64_t)deadline_poll_ms(card->deadline);
	pack_bytes(&p, in);
	note.in = pack_done(&p);
	card->said = note.said;
	return note.result;
}

static int take_sign(struct card *card, const struct kf_sign *how, struct bytes digest,
		     struct packer *signature)
{
	(void)how;
	pack_bytes(signature, BYTES("signature", 9));
	return noted(card, digest);
}

static int take_offer(struct card *card, struct kf_offer *offer, struct packer *statement)
{
	offer->exchange_container = 9;
	pack_bytes(statement, BYTES("statement", 9));
	return noted(card, BYTES_NONE);
}

static int take_cert(struct card *card, struct packer *chain)
{
	pack_bytes(chain, BYTES("chain", 5));
	return noted(card, BYTES_NONE);
}

static int take_import(struct card *card, const struct kf_session_import *how, struct bytes input,
		       struct card_session *session, struct packer *output)
{
	(void)how;
	pack_bytes(output, BYTES("shown", 5));
	session->next_item = 3;
	note.key = session->key;
	return noted(card, input);
}

static int take_process(struct card *card, struct card_session *session,
			struct kf_process *process, struct bytes item, struct packer *receipt)
{
	(void)process;
	note.key = session->key;
	pack_bytes(receipt, BYTES("receipt", 7));
	return noted(card, item);
}

static int take_destroy(struct card *card, struct card_session *session)
{
	note.key = session->key;
	return noted(card, BYTES_NONE);
}

static int take_byok(struct card *card, struct kf_byok_import *import, struct bytes kid,
		     struct bytes blob, struct packer *receipt, struct bytes *spki)
{
	bool pair = kid.n == 0;

	import->container = 11;
	import->check_len = pair ? 0 : 3;
	memcpy(import->check_value, "abc", pair ? 0 : 3);
	*spki = pair ? BYTES("spki", 4) : BYTES_NONE;
	pack_bytes(receipt, BYTES("receipt", 7));
	return noted(card, blob);
}

/* What is in it now: an AES key in 12, a pair elsewhere. */
static int take_info(struct card *card, struct kf_container_info *info, struct packer *spki)
{
	if (info->entry.container == 12) {
		info->check_len = 3;
		memcpy(info->check_value, "abc", 3);
	} else {
		pack_bytes(spki, BYTES("spki", 4));
	}
	return noted(card, BYTES_NONE);
}

static int take_kek(struct card *card, struct kf_kek_create *want, struct bytes puk,
		    struct bytes name, struct packer *attestation)
{
	(void)name;
	want->container = 9;
	pack_bytes(attestation, BYTES("attested", 8));
	return noted(card, puk);
}

static int take_cipher(struct card *card, struct kf_cipher *how, struct bytes aad,
		       struct bytes input, struct packer *output)
{
	(void)aad;
	memset(how->tag, 7, sizeof(how->tag));
	pack_bytes(output, BYTES("text", 4));
	return noted(card, input);
}

/* What became of each field: the parts one behind the other, and which PIN it was. */
static int take_pin(struct card *card, const struct card_pin *pin)
{
	uint8_t parts[32];
	struct packer p = pack_begin(parts, sizeof(parts));

	pack_bytes(&p, pin->value);
	pack_bytes(&p, pin->new_value);
	note.pin = pin->id;
	note.last_try = pin->last_try;
	return noted(card, pack_done(&p));
}

const struct card_driver rig_able = {
	.pin_verify = take_pin, .pin_change = take_pin, .pin_unblock = take_pin,
	.pin_pad_verify = take_pin, .pin_pad_change = take_pin,
	.byok_import = take_byok, .container_info = take_info, .kek_create = take_kek,
	.cipher = take_cipher,
	.name = "able", .sign = take_sign, .offer = take_offer, .device_cert = take_cert,
	.session_import = take_import, .process = take_process, .session_destroy = take_destroy,
};
const struct card_driver rig_unable = { .name = "unable" };

static int no_transmit(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		       size_t *n, struct deadline deadline)
{
	(void)io, (void)command, (void)response, (void)cap, (void)n, (void)deadline;
	TEST_FAIL("the card was asked");
	return -EIO;
}
static const struct card_io_ops no_ops = { .transmit = no_transmit };

void rig_init(struct rig *rig)
{
	rig->s = SERVICE_INIT;
	rig->s.out = malloc(SERVICE_OUT_MAX);
	rig->s.greeted = true;
	rig->reader.desc.n_slots = 1;
	rig->s.reader = &rig->reader;
	ASSERT_EQ(0, card_io_new_with(&no_ops, &RIG_SEAT(rig)->io));
	ASSERT_EQ(0, card_new(RIG_SEAT(rig)->io, &RIG_SEAT(rig)->card));
	RIG_SEAT(rig)->card->driver = &rig_able;
	memset(&note, 0, sizeof(note));
}

void rig_deinit(struct rig *rig)
{
	RIG_SEAT(rig)->card = card_free(RIG_SEAT(rig)->card);
	RIG_SEAT(rig)->io = card_io_free(RIG_SEAT(rig)->io);
	free(rig->s.out);
}

int rig_serve(struct rig *rig, struct packet *request)
{
	request->header.seq = ++rig->seq;
	request_serve(&rig->s, 0, request, &rig->reply);
	EXPECT_EQ(KF_KIND_REPLY, rig->reply.header.kind);
	EXPECT_EQ(rig->seq, rig->reply.header.seq);
	return rig->reply.header.result;
}
