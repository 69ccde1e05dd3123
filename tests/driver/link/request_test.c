/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request, one verb: which one, with what, and what becomes of its answer. The card is a struct
 * of verbs that take notes.
 */
#include "driver/link/request.h"
#include "driver/ccid/reader.h"
#include "driver/iso7816/card_io.h"
#include "driver/link/service.h"
#include "tests/harness.h"

#include <stdlib.h>

static struct {
	unsigned int verbs;		/* called */
	int result;			/* of each */
	struct card_said said;
	struct bytes in;
	uint8_t copy[64];
	uint64_t deadline_ms;
	uint64_t key;
} note;

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

static const struct card_driver able = {
	.byok_import = take_byok, .container_info = take_info, .kek_create = take_kek,
	.cipher = take_cipher,
	.name = "able", .sign = take_sign, .offer = take_offer, .device_cert = take_cert,
	.session_import = take_import, .process = take_process, .session_destroy = take_destroy,
};
static const struct card_driver unable = { .name = "unable" };

static int no_transmit(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		       size_t *n, struct deadline deadline)
{
	(void)io, (void)command, (void)response, (void)cap, (void)n, (void)deadline;
	TEST_FAIL("the card was asked");
	return -EIO;
}
static const struct card_io_ops no_ops = { .transmit = no_transmit };

#define SEAT (&self->s.seats[0])

FIXTURE(request) { struct service s; struct reader reader; struct packet reply; uint32_t seq; };
FIXTURE_SETUP(request)
{
	self->s = SERVICE_INIT;
	self->s.out = malloc(SERVICE_OUT_MAX);
	self->s.greeted = true;
	self->reader.desc.n_slots = 1;
	self->s.reader = &self->reader;
	ASSERT_EQ(0, card_io_new_with(&no_ops, &SEAT->io));
	ASSERT_EQ(0, card_new(SEAT->io, &SEAT->card));
	SEAT->card->driver = &able;
	memset(&note, 0, sizeof(note));
}
FIXTURE_TEARDOWN(request)
{
	SEAT->card = card_free(SEAT->card);
	SEAT->io = card_io_free(SEAT->io);
	free(self->s.out);
}

static int serve(struct fixture_request *self, struct packet *request)
{
	request->header.seq = ++self->seq;
	request_serve(&self->s, 0, request, &self->reply);
	EXPECT_EQ(KF_KIND_REPLY, self->reply.header.kind);
	EXPECT_EQ(self->seq, self->reply.header.seq);
	return self->reply.header.result;
}

static struct packet sign_with(uint32_t deadline_ms)
{
	struct packet p = packet_request(KF_SIGN, 0, deadline_ms);

	((struct kf_sign *)packet_body(&p))->container = 4;
	packet_set(&p, kf_sign, digest, BYTES("digest", 6));
	return p;
}

TEST_F(request, a_verb_gets_the_parts_and_its_answer_is_the_replys)
{
	struct packet p = sign_with(5000);

	EXPECT_EQ(0, serve(self, &p));
	EXPECT_EQ(1u, note.verbs);
	EXPECT_BYTES_EQ(BYTES("digest", 6), note.in);
	EXPECT_BYTES_EQ(BYTES("signature", 9), packet_get(&self->reply, kf_sign, signature));
	EXPECT_EQ(4u, ((const struct kf_sign *)packet_read(&self->reply))->container);
}

TEST_F(request, an_error_says_what_the_card_said_and_carries_no_part)
{
	struct packet p = sign_with(5000);

	note.result = -EREMOTEIO;
	note.said = (struct card_said){ 0x6985, KF_REASON_KEY_PURPOSE, 3 };
	EXPECT_EQ(-EREMOTEIO, serve(self, &p));
	EXPECT_EQ(0x6985, self->reply.header.sw);
	EXPECT_EQ(KF_REASON_KEY_PURPOSE, self->reply.header.reason);
	EXPECT_EQ(3u, self->reply.header.detail);
	EXPECT_EQ((size_t)0, packet_get(&self->reply, kf_sign, signature).n);
	/* What was laid before it failed is still known, to be wiped. */
	EXPECT_EQ((size_t)9, self->s.out_n);
}

TEST_F(request, what_the_card_said_last_time_does_not_go_with_this_error)
{
	struct packet p = sign_with(5000), process = packet_request(KF_PROCESS, 0, 0);

	note.result = -EREMOTEIO;
	note.said = (struct card_said){ 0x6985, KF_REASON_KEY_PURPOSE, 3 };
	EXPECT_EQ(-EREMOTEIO, serve(self, &p));
	((struct kf_process *)packet_body(&process))->key = 77;
	EXPECT_EQ(-EBADF, serve(self, &process));
	EXPECT_EQ(0, self->reply.header.sw);
	EXPECT_EQ(KF_REASON_NONE, self->reply.header.reason);
}

TEST_F(request, a_verb_the_card_lacks_is_not_supported_and_the_card_not_asked)
{
	static const uint32_t requests[] = {
		KF_CARD_INFO, KF_DEVICE_CERT, KF_PIN_STATUS, KF_PIN_VERIFY, KF_PIN_CHANGE,
		KF_PIN_UNBLOCK, KF_PIN_LOGOUT, KF_CONTAINER_LIST, KF_CONTAINER_INFO,
		KF_CONTAINER_CREATE, KF_CONTAINER_DELETE, KF_CERT_STORE, KF_CERT_READ, KF_SIGN,
		KF_DECRYPT, KF_AGREE, KF_CIPHER, KF_KEK_CREATE, KF_KEK_LIST, KF_KEK_ATTEST,
		KF_KEK_SET, KF_BYOK_IMPORT, KF_CARD_INIT, KF_DKEK_STATUS, KF_DKEK_SHARE,
		KF_DKEK_DOMAIN, KF_BLOB_WRAP, KF_BLOB_UNWRAP, KF_OFFER, KF_SESSION_IMPORT, KF_KEY_PROP_GET,
		KF_KEY_PROP_SET, KF_PROCESS, KF_KEY_DESTROY, KF_RECEIPT_GET,
	};

	SEAT->card->driver = &unable;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct packet p = packet_request(requests[i], 0, 0);

		if (serve(self, &p) != -EOPNOTSUPP)
			TEST_FAIL("request %zu: %d", i, self->reply.header.result);
	}
	SEAT->card->driver = &able;
	EXPECT_EQ(0u, note.verbs);
}

TEST_F(request, an_import_answers_with_receipt_and_public_key)
{
	struct packet p = packet_request(KF_BYOK_IMPORT, 0, 0);

	packet_set(&p, kf_byok_import, blob, BYTES("blob", 4));
	EXPECT_EQ(0, serve(self, &p));
	EXPECT_EQ(1u, note.verbs);	/* it is done: no further one may fail */
	EXPECT_EQ(11u, ((const struct kf_byok_import *)packet_read(&self->reply))->container);
	EXPECT_BYTES_EQ(BYTES("receipt", 7), packet_get(&self->reply, kf_byok_import, receipt));
	EXPECT_BYTES_EQ(BYTES("spki", 4), packet_get(&self->reply, kf_byok_import, spki));
	EXPECT_EQ(0u, packet_get(&self->reply, kf_byok_import, blob).n);
}

TEST_F(request, an_import_of_a_secret_key_answers_with_its_check_value)
{
	struct packet p = packet_request(KF_BYOK_IMPORT, 0, 0);
	const struct kf_byok_import *import;

	packet_set(&p, kf_byok_import, kid, BYTES("secret", 6));
	EXPECT_EQ(0, serve(self, &p));
	EXPECT_EQ(1u, note.verbs);
	import = packet_read(&self->reply);
	EXPECT_EQ(3u, import->check_len);
	EXPECT_MEMEQ("abc", import->check_value, 3);
	EXPECT_BYTES_EQ(BYTES("receipt", 7), packet_get(&self->reply, kf_byok_import, receipt));
	EXPECT_EQ(0u, packet_get(&self->reply, kf_byok_import, spki).n);
}

TEST_F(request, a_check_value_stands_in_the_struct)
{
	struct packet p = packet_request(KF_CONTAINER_INFO, 0, 0);
	const struct kf_container_info *info;

	((struct kf_container_info *)packet_body(&p))->entry.container = 12;
	EXPECT_EQ(0, serve(self, &p));
	info = packet_read(&self->reply);
	EXPECT_EQ(3u, info->check_len);
	EXPECT_MEMEQ("abc", info->check_value, 3);
	EXPECT_EQ(0u, packet_get(&self->reply, kf_container_info, spki).n);
}

TEST_F(request, a_kek_and_a_cipher_get_their_parts)
{
	struct packet kek = packet_request(KF_KEK_CREATE, 0, 0), cipher = packet_request(KF_CIPHER, 0, 0);

	packet_set(&kek, kf_kek_create, puk, BYTES("12345678", 8));
	EXPECT_EQ(0, serve(self, &kek));
	EXPECT_BYTES_EQ(BYTES("12345678", 8), note.in);
	EXPECT_EQ(9u, ((const struct kf_kek_create *)packet_read(&self->reply))->container);
	EXPECT_BYTES_EQ(BYTES("attested", 8), packet_get(&self->reply, kf_kek_create, attestation));
	packet_set(&cipher, kf_cipher, input, BYTES("input", 5));
	EXPECT_EQ(0, serve(self, &cipher));
	EXPECT_BYTES_EQ(BYTES("input", 5), note.in);
	EXPECT_EQ(7, ((const struct kf_cipher *)packet_read(&self->reply))->tag[15]);
	EXPECT_BYTES_EQ(BYTES("text", 4), packet_get(&self->reply, kf_cipher, output));
}

TEST_F(request, a_request_that_did_not_parse_is_answered_and_not_run)
{
	struct packet p = sign_with(5000);

	p.header.seq = ++self->seq;
	request_serve(&self->s, -EINVAL, &p, &self->reply);
	EXPECT_EQ(-EINVAL, self->reply.header.result);
	EXPECT_EQ(self->seq, self->reply.header.seq);
	EXPECT_EQ(0u, note.verbs);
}

TEST_F(request, the_time_is_the_clients_within_bounds)
{
	struct packet none = sign_with(0), short_one = sign_with(1500), long_one = sign_with(UINT32_MAX);

	EXPECT_EQ(0, serve(self, &short_one));
	EXPECT_TRUE(note.deadline_ms > 0 && note.deadline_ms <= 1500);
	EXPECT_EQ(0, serve(self, &none));
	EXPECT_TRUE(note.deadline_ms > 1500 && note.deadline_ms <= KF_DEADLINE_DEFAULT_MS);
	EXPECT_EQ(0, serve(self, &long_one));
	EXPECT_TRUE(note.deadline_ms > KF_DEADLINE_DEFAULT_MS &&
		    note.deadline_ms <= KF_DEADLINE_MAX_MS);
}

TEST_F(request, an_offer_brings_the_certificate_behind_its_statement)
{
	struct packet p = packet_request(KF_OFFER, 0, 0);

	EXPECT_EQ(0, serve(self, &p));
	EXPECT_BYTES_EQ(BYTES("statement", 9), packet_get(&self->reply, kf_offer, statement));
	EXPECT_BYTES_EQ(BYTES("chain", 5), packet_get(&self->reply, kf_offer, chain));
	EXPECT_EQ(9u, ((const struct kf_offer *)packet_read(&self->reply))->exchange_container);
}

static struct packet with_key(uint32_t request, uint64_t key)
{
	struct packet p = packet_request(request, 0, 0);

	*(uint64_t *)packet_body(&p) = key;
	return p;
}

TEST_F(request, a_session_key_lives_from_its_import_to_its_destruction)
{
	struct packet import = packet_request(KF_SESSION_IMPORT, 0, 0), p;
	uint64_t key;

	EXPECT_EQ(0, serve(self, &import));
	key = ((const struct kf_session_import *)packet_read(&self->reply))->key;
	EXPECT_EQ(note.key, key);
	EXPECT_EQ(3u, ((const struct kf_session_import *)packet_read(&self->reply))->next_item);

	note.verbs = 0;
	p = with_key(KF_PROCESS, key + 1);
	EXPECT_EQ(-EBADF, serve(self, &p));
	p = with_key(KF_KEY_DESTROY, key + 1);
	EXPECT_EQ(-EBADF, serve(self, &p));
	EXPECT_EQ(0u, note.verbs);
	p = with_key(KF_PROCESS, key);
	EXPECT_EQ(0, serve(self, &p));
	EXPECT_BYTES_EQ(BYTES("receipt", 7), packet_get(&self->reply, kf_process, receipt));

	note.result = -EIO;			/* the card may have it still */
	p = with_key(KF_KEY_DESTROY, key);
	EXPECT_EQ(-EIO, serve(self, &p));
	note.result = 0;
	EXPECT_EQ(0, serve(self, &p));
	EXPECT_EQ(key, note.key);
	EXPECT_EQ(-EBADF, serve(self, &p));
}

TEST_F(request, an_import_that_fails_takes_no_place)
{
	struct packet import = packet_request(KF_SESSION_IMPORT, 0, 0);

	note.result = -EREMOTEIO;
	for (int i = 0; i < 2 * CARD_SESSIONS_MAX; i++)
		EXPECT_EQ(-EREMOTEIO, serve(self, &import));
	note.result = 0;
	for (int i = 0; i < CARD_SESSIONS_MAX; i++)
		EXPECT_EQ(0, serve(self, &import));
	EXPECT_EQ(-ENOSPC, serve(self, &import));
}
