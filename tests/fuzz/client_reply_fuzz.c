/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a broker might answer: the first byte chooses the call, the second whether the rest is a
 * whole packet or the body of one with a good header. Results are read to their last byte.
 */
#include "base/cleanup.h"
#include "keyferry/keyferry.h"
#include "libclient/client.h"
#include "proto/packet.h"
#include "proto/wire.h"

#include <stdlib.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const uint8_t *p, size_t n)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
}

static void touch_blob(struct kf_blob *blob)
{
	touch(kf_blob_data(blob), kf_blob_size(blob));
	(void)kf_blob_free(blob);
}

static void call_readers(struct kf_client *client, struct kf_context *context)
{
	struct kf_readers *readers = NULL;
	size_t n;

	(void)context;
	if (kf_reader_list(client, &readers) < 0)
		return;
	for (size_t i = 0; i < kf_readers_count(readers); i++) {
		const struct kf_reader *reader = kf_readers_at(readers, i);
		const uint8_t *atr = kf_reader_atr(reader, &n);

		touch(atr, n);
		if (strlen(kf_reader_name(reader)) >= KF_NAME_MAX ||
		    strlen(kf_reader_serial(reader)) > 2 * KF_SERIAL_MAX)
			abort();
	}
	(void)kf_readers_free(readers);
}

static void call_card(struct kf_client *client, struct kf_context *context)
{
	struct kf_card *card = NULL;
	size_t n;

	(void)client;
	if (kf_card_read(context, &card) < 0)
		return;
	touch((const uint8_t *)kf_card_serial(card), strlen(kf_card_serial(card)));
	touch((const uint8_t *)kf_card_label(card), strlen(kf_card_label(card)));
	(void)kf_card_atr(card, &n);
	touch(kf_card_atr(card, &n), n);
	touch(kf_card_aid(card, &n), n);
	(void)kf_card_free(card);
}

static void call_containers(struct kf_client *client, struct kf_context *context)
{
	struct kf_containers *containers = NULL;

	(void)client;
	if (kf_container_list(context, &containers) < 0)
		return;
	for (size_t i = 0; i < kf_containers_count(containers); i++)
		touch(kf_container_key_hash(kf_containers_at(containers, i)), KF_DIGEST_SIZE);
	(void)kf_containers_free(containers);
}

static void call_container(struct kf_client *client, struct kf_context *context)
{
	struct kf_container *container = NULL;
	size_t n;

	(void)client;
	if (kf_container_read(context, 1, &container) < 0)
		return;
	touch(kf_container_public_key(container, &n), n);
	(void)kf_container_free(container);
}

static void call_status(struct kf_client *client, struct kf_context *context)
{
	struct kf_service *service = NULL;

	(void)context;
	if (kf_service_read(client, &service) < 0)
		return;
	for (size_t i = 0; i <= kf_service_value(service, KF_SERVICE_PROCESSES); i++)
		if (strlen(kf_process_version(service, i)) >= KF_LABEL_MAX)
			abort();
	(void)kf_service_free(service);
}

static void call_rules(struct kf_client *client, struct kf_context *context)
{
	struct kf_rules *rules = NULL;

	(void)context;
	if (kf_rule_list(client, &rules) < 0)
		return;
	for (size_t i = 0; i < kf_rules_count(rules); i++)
		if (strlen(kf_rule_name(kf_rules_at(rules, i))) >= KF_LABEL_MAX ||
		    strlen(kf_rule_reader(kf_rules_at(rules, i))) >= KF_NAME_MAX)
			abort();
	(void)kf_rules_free(rules);
}

static void call_peers(struct kf_client *client, struct kf_context *context)
{
	struct kf_peers *peers = NULL;

	(void)context;
	if (kf_peer_list(client, &peers) < 0)
		return;
	for (size_t i = 0; i < kf_peers_count(peers); i++)
		if (strlen(kf_peer_name(kf_peers_at(peers, i))) >= KF_LABEL_MAX)
			abort();
	(void)kf_peers_free(peers);
}

static void call_offer(struct kf_client *client, struct kf_context *context)
{
	const uint8_t nonce[KF_NONCE_SIZE] = { 0 };
	struct kf_signed_offer *offer = NULL;
	size_t n;

	(void)client;
	if (kf_offer(context, 0, KF_METHOD_RSA, KF_KEY_NONE, 1, nonce, &offer) < 0)
		return;
	touch(kf_signed_offer_statement(offer, &n), n);
	touch(kf_signed_offer_chain(offer, &n), n);
	(void)kf_signed_offer_free(offer);
}

static void call_decrypt(struct kf_client *client, struct kf_context *context)
{
	struct kf_blob *blob = NULL;

	(void)client;
	if (kf_decrypt(context, 1, KF_PADDING_OAEP, KF_HASH_SHA256, (const uint8_t *)"x", 1,
		       &blob) == 0)
		touch_blob(blob);
}

static void call_process(struct kf_client *client, struct kf_context *context)
{
	struct kf_blob *blob = NULL;

	(void)client;
	if (kf_process(context, 1, KF_FUNCTION_IMPORT_KEYPAIR, (const uint8_t *)"x", 1, &blob) == 0)
		touch_blob(blob);
}

static void call_keks(struct kf_client *client, struct kf_context *context)
{
	struct kf_keks *keks = NULL;

	(void)client;
	if (kf_kek_list(context, &keks) < 0)
		return;
	for (size_t i = 0; i < kf_keks_count(keks); i++)
		if (strlen(kf_kek_name(kf_keks_at(keks, i))) > KF_KID_MAX)
			abort();
	(void)kf_keks_free(keks);
}

static void call_import(struct kf_client *client, struct kf_context *context)
{
	const struct kf_byok_spec spec = { .kid = "kek", .kek = KF_CONTAINER_ANY };
	struct kf_imported *imported = NULL;
	size_t n;

	(void)client;
	if (kf_byok_import(context, &spec, (const uint8_t *)"x", 1, &imported) < 0)
		return;
	touch(kf_imported_public_key(imported, &n), n);
	touch(kf_imported_receipt(imported, &n), n);
	touch(kf_imported_check_value(imported, &n), n);
	(void)kf_imported_free(imported);
}

static void call_dkeks(struct kf_client *client, struct kf_context *context)
{
	struct kf_dkeks *dkeks = NULL;

	(void)client;
	if (kf_dkek_status(context, &dkeks) < 0)
		return;
	for (size_t i = 0; i < kf_dkeks_count(dkeks); i++) {
		const uint8_t *check = kf_dkek_check_value(kf_dkeks_at(dkeks, i));

		touch(check, check ? KF_DKEK_CHECK_SIZE : 0);
	}
	(void)kf_dkeks_free(dkeks);
}

static void call_wrap(struct kf_client *client, struct kf_context *context)
{
	struct kf_blob *blob = NULL;

	(void)client;
	if (kf_blob_wrap(context, 1, &blob) == 0)
		touch_blob(blob);
}

static void call_gcm(struct kf_client *client, struct kf_context *context)
{
	uint8_t iv[KF_GCM_IV_SIZE], tag[KF_GCM_TAG_SIZE];
	struct kf_blob *blob = NULL;

	(void)client;
	if (kf_aes_gcm_encrypt(context, 1, NULL, 0, NULL, 0, iv, tag, &blob) == 0)
		touch_blob(blob);
}

static const struct {
	uint32_t request;
	void (*call)(struct kf_client *client, struct kf_context *context);
} calls[] = {
	{ KF_READER_LIST, call_readers },	{ KF_CARD_INFO, call_card },
	{ KF_CONTAINER_LIST, call_containers }, { KF_CONTAINER_INFO, call_container },
	{ KF_STATUS, call_status },		{ KF_CLIENTS, call_peers },
	{ KF_OFFER, call_offer },		{ KF_DECRYPT, call_decrypt },
	{ KF_PROCESS, call_process },		{ KF_POLICY, call_rules },
	{ KF_KEK_LIST, call_keks },		{ KF_BYOK_IMPORT, call_import },
	{ KF_CIPHER, call_gcm },		{ KF_DKEK_STATUS, call_dkeks },
	{ KF_BLOB_WRAP, call_wrap },
};

static uint8_t frame[KF_PACKET_MAX];

static void send_packet(int fd, const struct packet *packet)
{
	struct packer p = pack_begin(frame, sizeof(frame));

	if (packet_pack(packet, &p) < 0 || wire_send(fd, pack_done(&p), 0) < 0)
		abort();
}

/* A header that fits the request with sequence number @seq, and @body as it is. */
static struct bytes frame_of(uint32_t request, uint32_t seq, struct bytes body)
{
	struct packer p = pack_begin(frame, sizeof(frame));

	pack_le16(&p, KF_MAGIC);
	pack_u8(&p, KF_PROTO_VERSION);
	pack_u8(&p, KF_KIND_REPLY);
	pack_le32(&p, (uint32_t)(sizeof(struct kf_header) + body.n));
	pack_le32(&p, request);
	pack_le32(&p, seq);
	pack_zero(&p, sizeof(struct kf_header) - p.n);
	pack_bytes(&p, body);
	return pack_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet hello = packet_begin(KF_KIND_REPLY, KF_HELLO, 1);
	struct packet open = packet_begin(KF_KIND_REPLY, KF_CONTEXT_OPEN, 2);
	struct kf_client *client = NULL;
	struct kf_context *context = NULL;
	struct bytes reply;
	int fds[2];
	size_t i;

	if (size < 3 || size > 60000)
		return 0;
	i = data[0] % (sizeof(calls) / sizeof(calls[0]));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0 || kf_client_new("fuzz", &client) < 0)
		abort();
	send_packet(fds[1], &hello);
	((struct kf_context_open *)packet_body(&open))->context = 1;
	send_packet(fds[1], &open);
	reply = data[1] & 1 ? frame_of(calls[i].request, 3, BYTES(data + 2, size - 2))
			    : BYTES(data + 2, size - 2);
	if (wire_send(fds[1], reply, 0) < 0 || shutdown(fds[1], SHUT_WR) < 0)
		abort();
	if (kf_client_connect_fd(client, fds[0]) < 0 ||
	    kf_context_open(client, "r", 0, &context) < 0)
		abort();
	calls[i].call(client, context);
	(void)kf_client_dispatch(client);
	client = kf_client_free(client);
	context = kf_context_close(context);
	(void)close(fds[1]);
	return 0;
}
