/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/steps_server.c - The server's rows of the 31-step use case, on keyferry/server.h alone:
 * no card, no daemon, no state directory. Usage:
 *
 *	steps_server SOCKET CARD.pem ROOT.pem INJECTOR.pem K2.pem ARCHIVE.cert.pem ARCHIVE.out
 */
#include "tests/e2e/steps.h"
#include "tests/e2e/text_file.h"

#include <keyferry/server.h>
#include <sys/random.h>
#include <time.h>

static void write_file(const char *path, const uint8_t *data, size_t n)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0)
		exit(2);
}

static void must(int step, int r, const struct kf_error *e)
{
	if (r < 0)
		steps_report(step, false, "%d: %s: %s (%s)", r, e->what, e->why, e->rule);
}

static int listen_once(const char *path)
{
	struct sockaddr_un address = steps_address(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int client;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		exit(2);
	client = accept(fd, NULL, NULL);
	if (client < 0)
		exit(2);
	(void)close(fd);
	return client;
}

static struct kf_server *make_server(const char *injector_path, struct kf_error *e)
{
	struct file injector = read_file(injector_path);
	struct kf_server *server = NULL;

	must(2, kf_server_new(&server, e), e);
	kf_server_allow_virtual(server, 1);
	must(2, kf_server_set_methods(server, (const uint8_t[]){ KF_METHOD_RSA }, 1, e), e);
	must(2, kf_server_set_injector(server, injector.data, injector.n, NULL, 0, e), e);
	explicit_bzero(injector.data, injector.n);
	free(injector.data);
	return server;
}

static struct kf_enrolled *enroll(const struct kf_server *server, char **argv, struct kf_error *e)
{
	struct file cert = read_file(argv[2]), root = read_file(argv[3]);
	struct kf_enrolled *card = NULL;

	must(2, kf_enrolled_new(server, cert.data, cert.n, root.data, root.n, NULL, 0, &card, e), e);
	free(cert.data);
	free(root.data);
	return card;
}

static struct kf_keypair *read_k2(const char *path, struct kf_error *e)
{
	struct file pem = read_file(path);
	struct kf_keypair *pair = NULL;

	must(24, kf_keypair_from_pem(pem.data, pem.n, NULL, 0, &pair, e), e);
	must(24, kf_keypair_set_purpose(pair, KF_PURPOSE_DECRYPT, e), e);
	explicit_bzero(pem.data, pem.n);
	free(pem.data);
	return pair;
}

/* Step 2 as this server decides it: an encryption key is archived, so the server makes it. */
static void decide(int fd, const struct kf_enrolled *card, uint8_t nonce[KF_NONCE_SIZE],
		   struct kf_error *e)
{
	char request[64] = "", *challenge = NULL;
	int64_t now = time(NULL);
	size_t n;

	n = steps_receive(fd, STEPS_REQUEST, (uint8_t *)request, sizeof(request) - 1);
	steps_report(1, n > 0, "certificate request: template %s", request);
	must(2, kf_nonce_new(nonce, e), e);
	must(2, kf_challenge_write(card, nonce, now, now + 600, &challenge, &n, e), e);
	steps_report(2, strcmp(request, "encryption-archived") == 0,
		     "the template requires key archival: a challenge for %s starts the injection",
		     kf_enrolled_serial(card));
	steps_send(fd, STEPS_CHALLENGE, challenge, n);
	free(challenge);
}

/* Steps 16 and 21: S1 is made here, wrapped with the attested K1, and acknowledged. */
static struct kf_verified_offer *establish(int fd, const struct kf_server *server,
					   const struct kf_enrolled *card, const uint8_t *nonce,
					   uint8_t s1[KF_S1_SIZE], struct kf_error *e)
{
	static uint8_t json[STEPS_MESSAGE_MAX];
	struct kf_verified_offer *offer = NULL;
	uint8_t *wrapped = NULL;
	size_t n;

	n = steps_receive(fd, STEPS_OFFER, json, sizeof(json));
	must(16, kf_offer_verify(server, card, nonce, json, n, &offer, e), e);
	if (getrandom(s1, KF_S1_SIZE, 0) != KF_S1_SIZE)
		exit(2);
	must(16, kf_session_key_wrap(offer, s1, &wrapped, &n, e), e);
	steps_report(16, n == 384, "S1 for AES-256 wrapped with the attested K1 by OAEP, %zu bytes",
		     n);
	steps_send(fd, STEPS_SESSION_KEY, wrapped, n);
	free(wrapped);
	n = steps_receive(fd, STEPS_ACK, json, sizeof(json));
	steps_report(21, n == 0, "the client acknowledges: S1 is in the card");
	return offer;
}

static void check_receipt(int fd, const struct kf_md_key *key, struct kf_error *e)
{
	static uint8_t json[STEPS_MESSAGE_MAX];
	struct kf_receipt_report *report = NULL;
	char *ticket = NULL;
	size_t n, ticket_len;

	must(31, kf_md_ticket(key, &ticket, &ticket_len, e), e);
	n = steps_receive(fd, STEPS_DONE, json, sizeof(json));
	must(31, kf_receipt_verify(ticket, ticket_len, json, n, &report, e), e);
	steps_report(31, kf_receipt_report_proved(report) == 1 &&
			 kf_receipt_report_grade(report) == KF_GRADE_A_VIRTUAL,
		     "the client reports success, and the card's receipt proves it: grade %s",
		     kf_grade_name(kf_receipt_report_grade(report)));
	kf_receipt_report_free(report);
	free(ticket);
}

int main(int argc, char **argv)
{
	struct kf_error e = KF_ERROR_INIT;
	uint8_t nonce[KF_NONCE_SIZE], s1[KF_S1_SIZE], iv[KF_IV_SIZE], message[STEPS_MESSAGE_MAX];
	uint8_t *item = NULL, *archive = NULL;
	struct kf_archive_recipient *recipient = NULL;
	struct kf_verified_offer *offer;
	struct kf_md_key *key = NULL;
	struct kf_enrolled *card;
	struct kf_server *server;
	struct kf_keypair *pair;
	struct file cert;
	size_t n, archive_len;
	int fd;

	if (argc != 8)
		return 2;
	server = make_server(argv[4], &e);
	card = enroll(server, argv, &e);
	fd = listen_once(argv[1]);
	decide(fd, card, nonce, &e);
	offer = establish(fd, server, card, nonce, s1, &e);

	must(22, kf_md_import_session_key(server, offer, s1, sizeof(s1), 1, &key, &e), &e);
	explicit_bzero(s1, sizeof(s1));
	steps_report(22, key != NULL, "MDImportSessionKey: S1 into the server's no-card context");
	steps_report(23, kf_md_block_length(key) == 16, "a handle came back, of an AES key");

	pair = read_k2(argv[5], &e);
	must(24, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, &e), &e);
	if (getrandom(iv, sizeof(iv), 0) != sizeof(iv))
		return 2;
	must(24, kf_md_set_iv(key, iv, sizeof(iv), &e), &e);
	must(24, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item, &n, &e), &e);
	steps_report(24, kf_keypair_type(pair) == KF_KEY_RSA_2048,
		     "chaining mode and IV set, MDEncryptData of K2");
	steps_report(25, n > 1200 && n < KF_ITEM_MAX, "K2 encrypted under S1: an item of %zu bytes", n);

	/* Archived before anything leaves; "the key is archived at the CA". */
	cert = read_file(argv[6]);
	must(26, kf_archive_recipient_new(cert.data, cert.n, NULL, 0, &recipient, &e), &e);
	must(26, kf_archive_seal(recipient, offer, pair, 0, &archive, &archive_len, &e), &e);
	write_file(argv[7], archive, archive_len);
	memcpy(message, iv, sizeof(iv));
	memcpy(message + sizeof(iv), item, n);
	steps_send(fd, STEPS_KEY, message, sizeof(iv) + n);
	steps_report(26, true, "encrypted K2, IV and chaining mode sent; K2 archived");

	check_receipt(fd, key, &e);
	kf_md_destroy_key(key);
	kf_keypair_free(pair);
	kf_archive_recipient_free(recipient);
	kf_verified_offer_free(offer);
	kf_enrolled_free(card);
	kf_server_free(server);
	free(item);
	free(archive);
	free(cert.data);
	return 0;
}
