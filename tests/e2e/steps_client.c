/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/steps_client.c - The client's rows of the 31-step use case, on keyferry/keyferry.h
 * alone. Usage:
 *
 *	steps_client SOCKET BROKER-SOCKET PIN-FD
 *
 * K1 is generated in container 0, K2 goes to container 1. The files are written by hand here, from
 * docs/formats.md 8, as any client application could.
 *
 * With STEPS_PAUSE=27 it stops itself before that step, until SIGCONT. A reader that is unplugged
 * during it is waited for, and the step taken again.
 */
#include "tests/e2e/steps.h"

#include <errno.h>
#include <keyferry/keyferry.h>
#include <keyferry/proto.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>

enum { K1 = 0, K2 = 1, RETRY_MS = 200, RETRIES = 300 };

static struct kf_client *client;
static struct kf_context *context;
static uint8_t sid[KF_SID_SIZE];
static char pin[64];
static size_t pin_len;

static void must(int step, int r)
{
	const struct kf_error *e = kf_client_error(client);

	if (r < 0)
		steps_report(step, false, "%d: %s: %s (%s)", r, e->what, e->why, e->rule);
}

/* RFC 4648 5, without padding; @out has room for 4/3 of @n and a NUL. */
static const char *base64url(const uint8_t *data, size_t n, char *out)
{
	int len = EVP_EncodeBlock((unsigned char *)out, data, (int)n);

	while (len > 0 && out[len - 1] == '=')
		len--;
	out[len] = 0;
	for (char *c = out; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return out;
}

/* The value of a string member; good enough for a challenge that our own server wrote. */
static void member(const char *json, const char *name, char *out, size_t cap)
{
	char key[64];
	const char *at;
	size_t n;

	(void)snprintf(key, sizeof(key), "\"%s\"", name);
	at = strstr(json, key);
	at = at ? strchr(at + strlen(key), '"') : NULL;
	if (!at)
		exit(2);
	n = strcspn(at + 1, "\"");
	if (n >= cap)
		exit(2);
	memcpy(out, at + 1, n);
	out[n] = 0;
}

static void read_nonce(const char *json, uint8_t nonce[KF_NONCE_SIZE])
{
	char text[64];
	uint8_t raw[48];
	size_t n;

	member(json, "nonce", text, sizeof(text));
	for (char *c = text; *c; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	n = strlen(text);
	while (n % 4 != 0)
		text[n++] = '=';
	if (EVP_DecodeBlock(raw, (unsigned char *)text, (int)n) < KF_NONCE_SIZE)
		exit(2);
	memcpy(nonce, raw, KF_NONCE_SIZE);
}

static void verify_pin(int fd)
{
	ssize_t n = read(fd, pin, sizeof(pin));

	if (n <= 0)
		exit(2);
	pin_len = (size_t)n;
	must(5, kf_pin_verify(context, KF_PIN_USER, pin, pin_len, 0));
}

/* Steps 3 to 8: what the card can, the map of containers, K1 generated. */
static void make_k1(int pin_fd)
{
	struct kf_container *k1 = NULL;
	struct kf_containers *map = NULL;
	struct kf_card *card = NULL;
	const struct kf_container *row;

	must(3, kf_card_read(context, &card));
	steps_report(3, card != NULL, "CardGetProperty(CP_KEY_IMPORT_SUPPORT): kf_card_read()");
	steps_report(4, kf_card_value(card, KF_CP_KEY_IMPORT) & KF_IMPORT_RSA,
		     "the mask has the asymmetric method, CARD_KEY_IMPORT_RSA_KEYEST");
	kf_card_free(card);

	verify_pin(pin_fd);
	must(5, kf_container_list(context, &map));
	row = kf_containers_at(map, K1);
	steps_report(5, row && kf_container_key_type(row) == KF_KEY_NONE,
		     "mscp/cmapfile is kf_container_list(): no usable container, so one is created");
	kf_containers_free(map);
	must(6, kf_container_create(context, K1, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE, &k1));
	steps_report(6, true, "the card generated a key pair on request");
	steps_report(7, kf_container_origin(k1) == KF_ORIGIN_GENERATED,
		     "the card says: created, origin generated");
	steps_report(8, kf_container_number(k1) == K1, "CardCreateContainer succeeded");
	kf_container_free(k1);
}

/* Steps 9 to 12: K1's public half. */
static void read_k1(void)
{
	struct kf_container *k1 = NULL;
	const uint8_t *spki;
	size_t n = 0;

	must(9, kf_container_read(context, K1, &k1));
	steps_report(9, true, "CardGetContainerInfo: kf_container_read()");
	spki = kf_container_public_key(k1, &n);
	steps_report(10, spki != NULL, "the card's public key was read");
	steps_report(11, n > 400 && kf_container_key_type(k1) == KF_KEY_RSA_3072,
		     "modulus and exponent of K1, %zu bytes", n);
	steps_report(12, kf_container_purpose(k1) == KF_PURPOSE_EXCHANGE,
		     "CONTAINER_INFO with public K1; its one purpose is EXCHANGE");
	kf_container_free(k1);
}

/* Steps 13 to 15: algorithms and paddings; the card signs all that is sent. */
static void send_offer(int fd)
{
	static char json[STEPS_MESSAGE_MAX], offer[STEPS_MESSAGE_MAX];
	static char b64[5][8192];
	struct kf_signed_offer *o = NULL;
	struct kf_container *k1 = NULL;
	struct kf_card *card = NULL;
	const uint8_t *statement, *chain, *spki;
	size_t n, statement_len = 0, chain_len = 0, spki_len = 0;
	uint8_t nonce[KF_NONCE_SIZE];
	const uint8_t *body, *sig;
	size_t body_len, sig_len;

	n = steps_receive(fd, STEPS_CHALLENGE, (uint8_t *)json, sizeof(json) - 1);
	json[n] = 0;
	read_nonce(json, nonce);
	must(13, kf_card_read(context, &card));
	steps_report(13, true, "CP_ENUM_ALGORITHMS and CP_PADDING_SCHEMES");
	steps_report(14, (kf_card_value(card, KF_CP_CIPHERS) & 1u << KF_KEY_AES_256) != 0 &&
			 (kf_card_value(card, KF_CP_PADDINGS) & KF_PADDING_OAEP) != 0,
		     "AES-256 and OAEP are among them");
	must(15, kf_offer_existing(context, K1, K2, KF_METHOD_RSA, 1, nonce, &o));
	memcpy(sid, kf_signed_offer_sid(o), sizeof(sid));
	statement = kf_signed_offer_statement(o, &statement_len);
	chain = kf_signed_offer_chain(o, &chain_len);
	must(15, kf_container_read(context, K1, &k1));
	spki = kf_container_public_key(k1, &spki_len);

	/* SignedStatement ::= SEQUENCE { statement, OCTET STRING, exchangeKey }, both long */
	if (statement_len < 256)
		steps_report(15, false, "a statement of %zu bytes", statement_len);
	body = statement + 4;
	body_len = 4 + ((size_t)body[2] << 8 | body[3]);
	sig = body + body_len + 2;
	sig_len = body[body_len + 1];
	(void)snprintf(offer, sizeof(offer),
		       "{\"format\":\"keyferry-offer\",\"version\":1,\"serial\":\"%s\","
		       "\"container\":%d,\"sid\":\"%s\",\"nonce\":\"%s\",\"method\":\"rsa\","
		       "\"exchange_key\":\"%s\",\"device_certificate\":\"%s\",\"statement\":\"%s\","
		       "\"signature\":\"%s\"}",
		       kf_card_serial(card), K2,
		       base64url(sid, sizeof(sid), b64[0]),
		       base64url(nonce, sizeof(nonce), b64[0] + 64),
		       base64url(spki, spki_len, b64[1]), base64url(chain, chain_len, b64[2]),
		       base64url(body, body_len, b64[3]), base64url(sig, sig_len, b64[4]));
	steps_send(fd, STEPS_OFFER, offer, strlen(offer));
	steps_report(15, true, "public K1, algorithms and paddings sent, in a statement by the card");
	kf_signed_offer_free(o);
	kf_container_free(k1);
	kf_card_free(card);
}

/* Steps 17 to 20. */
static kf_key_handle import_s1(int fd, uint8_t *wrapped, size_t *wrapped_len)
{
	size_t n = steps_receive(fd, STEPS_SESSION_KEY, wrapped, STEPS_MESSAGE_MAX);
	struct kf_blob *bound = NULL;
	kf_key_handle s1 = 0;

	*wrapped_len = n;
	must(17, kf_session_import(context, sid, KF_METHOD_RSA, wrapped, n, &s1));
	steps_report(17, true, "CardImportSessionKey: kf_session_import(), %zu bytes wrapped", n);
	steps_report(18, n == 384, "the unwrap command went to the card");
	must(19, kf_key_get_property(context, s1, KF_PROP_SID, &bound));
	steps_report(19, kf_blob_size(bound) == KF_SID_SIZE &&
			 memcmp(kf_blob_data(bound), sid, KF_SID_SIZE) == 0,
		     "S1 is stored in the card, for this sid");
	kf_blob_free(bound);
	steps_report(20, s1 != 0, "a CARD_KEY_HANDLE for S1 came back");
	steps_send(fd, STEPS_ACK, "", 0);
	return s1;
}

static void pause_before(int step)
{
	const char *at = getenv("STEPS_PAUSE");

	if (at && atoi(at) == step)
		(void)raise(SIGSTOP);
}

/* Card, bus, reader, or what we had opened of it: which is missed first is a matter of time. */
static bool is_broken_off(int r)
{
	return r == -ENOMEDIUM || r == -EIO || r == -ENODEV || r == -ESTALE;
}

static int wait_for_the_card(void)
{
	context = kf_context_close(context);
	return kf_context_open(client, NULL, KF_OPEN_WAIT, &context);
}

/*
 * Handle and session ended with the reader, and whether K2 is in the card nobody here knows. The
 * library asks the card first, and sends K2 only if the card has no receipt for it.
 */
static int bring_once(const uint8_t *wrapped, size_t wrapped_len, const uint8_t *iv,
		      const uint8_t *item, size_t n, struct kf_injection **injection)
{
	struct kf_card *card = NULL;
	int r = wait_for_the_card();

	if (r == 0)
		r = kf_card_read(context, &card);
	if (r == 0) {
		must(27, kf_injection_new(kf_card_serial(card), sid, KF_METHOD_RSA, wrapped,
					  wrapped_len, injection));
		must(27, kf_injection_add(*injection, KF_FUNCTION_IMPORT_KEYPAIR, iv, KF_CHAIN_CBC,
					  item, n));
		r = kf_injection_run(*injection, context, pin, pin_len, 0);
	}
	if (r < 0)
		*injection = kf_injection_free(*injection);
	kf_card_free(card);
	return r;
}

/*
 * A card leaves before its reader does, and may be seen before it stays: what is opened in between
 * breaks off once more.
 */
static void bring_again(const uint8_t *wrapped, size_t wrapped_len, const uint8_t *iv,
			const uint8_t *item, size_t n, struct kf_injection **injection)
{
	int r = bring_once(wrapped, wrapped_len, iv, item, n, injection);

	for (int i = 0; (is_broken_off(r) || r == -ENOENT) && i < RETRIES; i++) {
		steps_remark("27 once more: %s", kf_client_error(client)->why);
		(void)poll(NULL, 0, RETRY_MS);
		r = bring_once(wrapped, wrapped_len, iv, item, n, injection);
	}
	must(27, r);
}

/* Steps 27 to 30. The last answer is the card's own, signed. */
static void process_k2(int fd, kf_key_handle s1, const uint8_t *wrapped, size_t wrapped_len)
{
	static const uint8_t cbc[4] = { KF_CHAIN_CBC };
	static uint8_t message[STEPS_MESSAGE_MAX];
	static char json[STEPS_MESSAGE_MAX], b64[2][8192];
	size_t n = steps_receive(fd, STEPS_KEY, message, sizeof(message)), receipt_len = 0;
	struct kf_injection *again = NULL;
	struct kf_container *k2 = NULL;
	struct kf_blob *blob = NULL;
	struct kf_card *card = NULL;
	const uint8_t *receipt;
	int r;

	if (n <= KF_IV_SIZE)
		exit(3);
	must(27, kf_key_set_property(context, s1, KF_PROP_CHAINING_MODE, cbc, sizeof(cbc)));
	must(27, kf_key_set_property(context, s1, KF_PROP_IV, message, KF_IV_SIZE));
	pause_before(27);
	r = kf_process(context, s1, KF_FUNCTION_IMPORT_KEYPAIR, message + KF_IV_SIZE,
		       n - KF_IV_SIZE, &blob);
	if (is_broken_off(r)) {
		steps_remark("27 broken off: %s", kf_client_error(client)->why);
		bring_again(wrapped, wrapped_len, message, message + KF_IV_SIZE, n - KF_IV_SIZE,
			    &again);
		receipt = kf_injection_receipt(again, 1, &receipt_len);
	} else {
		must(27, r);
		receipt = kf_blob_data(blob);
		receipt_len = kf_blob_size(blob);
	}
	steps_report(27, true, "mode and IV set, CardProcessEncryptedData: %s",
		     again ? "kf_injection_run()" : "kf_process()");
	must(28, kf_container_read(context, K2, &k2));
	steps_report(28, kf_container_number(k2) == K2, "the blob went to container %d", K2);
	steps_report(29, kf_container_key_type(k2) == KF_KEY_RSA_2048 &&
			 kf_container_origin(k2) == KF_ORIGIN_INJECTED &&
			 kf_container_purpose(k2) == KF_PURPOSE_DECRYPT,
		     "the card decrypted K2 and created the container, origin injected");
	steps_report(30, receipt_len > 300, "success, with a receipt of %zu bytes", receipt_len);
	if (!again)
		must(30, kf_key_destroy(context, s1));

	must(31, kf_card_read(context, &card));
	(void)snprintf(json, sizeof(json),
		       "{\"format\":\"keyferry-receipt\",\"version\":1,\"serial\":\"%s\","
		       "\"sid\":\"%s\",\"receipts\":[{\"number\":1,\"receipt\":\"%s\"}]}",
		       kf_card_serial(card), base64url(sid, sizeof(sid), b64[0]),
		       base64url(receipt, receipt_len, b64[1]));
	steps_send(fd, STEPS_DONE, json, strlen(json));
	kf_card_free(card);
	kf_injection_free(again);
	kf_blob_free(blob);
	kf_container_free(k2);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = steps_address(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		exit(2);
	return fd;
}

int main(int argc, char **argv)
{
	static const char template[] = "encryption-archived";
	static uint8_t wrapped[STEPS_MESSAGE_MAX];
	size_t wrapped_len = 0;
	kf_key_handle s1;
	int fd;

	if (argc != 4)
		return 2;
	fd = connect_to(argv[1]);
	must(1, kf_client_new("steps", &client));
	must(1, kf_client_connect(client, argv[2]));
	kf_client_set_deadline(client, 60000);
	must(1, kf_context_open(client, NULL, KF_OPEN_WAIT, &context));
	steps_send(fd, STEPS_REQUEST, template, strlen(template));

	make_k1(atoi(argv[3]));
	read_k1();
	send_offer(fd);
	s1 = import_s1(fd, wrapped, &wrapped_len);
	process_k2(fd, s1, wrapped, wrapped_len);
	explicit_bzero(pin, sizeof(pin));
	context = kf_context_close(context);
	client = kf_client_free(client);
	return 0;
}
