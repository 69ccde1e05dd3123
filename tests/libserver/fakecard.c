// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libserver/fakecard.c - Certificates by OpenSSL's builder, the rest by format/. */
#include "tests/libserver/fakecard.h"
#include "format/aes.h"
#include "format/secret_mark.h"
#include "format/agree.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/seal.h"
#include "libserver/json/cargo.h"
#include "libserver/json/receipt.h"
#include "tests/keys/keys.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <time.h>

#define OID_DEVICE "2.25.315007932491006175092051259904916213513.1"
#define OID_VIRTUAL "2.25.315007932491006175092051259904916213513.2"

static EVP_PKEY *shared_exchange;

/* Before the harness forks: reading it takes its time. */
__attribute__((constructor)) static void make_exchange_key(void)
{
	shared_exchange = prepared_rsa(3072, 0);
}

EVP_PKEY *fakecard_exchange_key(void)
{
	return shared_exchange;
}

char *fakecard_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long n;

	ASSERT_EQ(1, PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	n = BIO_get_mem_data(bio, &text);
	copy = calloc(1, (size_t)n + 1);	/* strndup() looks for a NUL that is not there */
	ASSERT_TRUE(copy != NULL);
	memcpy(copy, text, (size_t)n);
	BIO_free(bio);
	return copy;
}

/* --- certificates --- */

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ASSERT_NOT_NULL(extension);
	ASSERT_EQ(1, X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

static void add_raw(X509 *cert, const char *oid, bool critical)
{
	static const uint8_t null[] = { 0x05, 0x00 };
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	ASN1_OCTET_STRING_set(value, null, sizeof(null));
	extension = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);
	ASSERT_EQ(1, X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

static X509 *begin_cert(EVP_PKEY *key, const char *name, const char *serial, long from, long to)
{
	X509 *cert = X509_new();
	uint8_t number[8];

	ASSERT_EQ(1, RAND_bytes(number, sizeof(number)));
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert),
				unpack_be(&(struct unpacker){ number, 8, false }, 8) >> 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), from);
	X509_gmtime_adj(X509_getm_notAfter(cert), to);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const uint8_t *)name, -1, -1, 0);
	if (serial)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "serialNumber",
					   MBSTRING_ASC, (const uint8_t *)serial, -1, -1, 0);
	return cert;
}

static X509 *make_root(EVP_PKEY *key)
{
	X509 *root = begin_cert(key, "Test maker root", NULL, -3600, 86400);

	X509_set_issuer_name(root, X509_get_subject_name(root));
	add_extension(root, root, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_extension(root, root, NID_subject_key_identifier, "hash");
	ASSERT_LT(0, X509_sign(root, key, EVP_sha256()));
	return root;
}

/* PSS names its hash in parameters that leave SHA-1 out, being the default [RFC 4055 3.1]. */
static void root_sign(const struct fakecard *card, const EVP_MD *md, X509 *cert, X509_CRL *crl)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how = NULL;

	ASSERT_EQ(1, EVP_DigestSignInit(ctx, &how, md, NULL, card->root_key));
	if (card->pss)
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING));
	ASSERT_LT(0, cert ? X509_sign_ctx(cert, ctx) : X509_CRL_sign_ctx(crl, ctx));
	EVP_MD_CTX_free(ctx);
}

static X509 *make_device_cert(const struct fakecard *card, const struct fakecard_style *style)
{
	const char *serial = style->no_serial ? NULL : style->serial ? style->serial : "FAKE-1";
	X509 *cert = begin_cert(card->device_key, "keyferry card", serial, -3600,
				style->expired ? -60 : 86400);

	X509_set_issuer_name(cert, X509_get_subject_name(card->root));
	add_extension(cert, card->root, NID_basic_constraints,
		      style->is_ca ? "critical,CA:TRUE" :
		      style->soft_constraints ? "CA:FALSE" : "critical,CA:FALSE");
	if (!style->no_usage)
		add_extension(cert, card->root, NID_key_usage, style->soft_usage ?
			      "digitalSignature" : "critical,digitalSignature");
	add_extension(cert, card->root, NID_ext_key_usage,
		      style->other_extended_usage ? "critical,clientAuth" :
		      style->soft_extended ? OID_DEVICE : "critical," OID_DEVICE);
	if (!style->chip)
		add_raw(cert, OID_VIRTUAL, !style->not_critical_virtual);
	if (style->unknown_critical)
		add_raw(cert, "1.2.3.4.5", true);
	if (style->two_serials)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "serialNumber",
					   MBSTRING_ASC, (const uint8_t *)"FAKE-2", -1, -1, 0);
	root_sign(card, style->weak_signature ? EVP_sha224() : EVP_sha256(), cert, NULL);
	return cert;
}

static void add_device(struct fakecard *card, const struct fakecard_style *style)
{
	static const struct fakecard_style proper;

	if (!style)
		style = &proper;
	ASSERT_EQ(0, some_key(style->rsa_key ? KF_KEY_RSA_2048 : KF_KEY_EC_P256, &card->device_key));
	card->cert = make_device_cert(card, style);
	ASSERT_EQ(0, cert_der(card->root, &card->root_der));
	ASSERT_EQ(0, cert_der(card->cert, &card->cert_der));
	card->exchange = shared_exchange;
	EVP_PKEY_up_ref(card->exchange);
}

void fakecard_init(struct fakecard *card, const struct fakecard_style *style)
{
	*card = (struct fakecard){ .pss = style && style->pss };
	ASSERT_EQ(0, some_key(style && style->rsa_root ? KF_KEY_RSA_2048 : KF_KEY_EC_P256, &card->root_key));
	card->root = make_root(card->root_key);
	add_device(card, style);
}

void fakecard_init_sibling(struct fakecard *card, const struct fakecard *of,
			   const struct fakecard_style *style)
{
	*card = (struct fakecard){ .root_key = of->root_key, .root = of->root };
	EVP_PKEY_up_ref(card->root_key);
	X509_up_ref(card->root);
	add_device(card, style);
}

void fakecard_use(struct fakecard *card, enum kf_key_type type)
{
	EVP_PKEY_free(card->exchange);
	card->exchange = NULL;
	ASSERT_EQ(0, key_generate(type, &card->exchange));
}

void fakecard_share(struct fakecard *card, enum kf_method method, uint8_t master)
{
	card->shared = method;
	card->master = master;
}

static struct secret shared_key(const struct fakecard *card, const char *serial)
{
	_cleanup_(secret_deinit) struct secret master = SECRET_INIT;
	struct secret key = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&master, SHARED_KEY_SIZE));
	memset(master.p, card->master, SHARED_KEY_SIZE);
	master.n = SHARED_KEY_SIZE;
	ASSERT_EQ(0, shared_key_derive(&master, card->shared, KF_ORIGIN_FACTORY, serial, &key));
	return key;
}

static enum kf_method method_of(const struct fakecard *card)
{
	if (card->shared != KF_METHOD_NONE)
		return card->shared;
	return EVP_PKEY_is_a(card->exchange, "RSA") ? KF_METHOD_RSA : KF_METHOD_ECDH;
}

void fakecard_deinit(struct fakecard *card)
{
	EVP_PKEY_free(card->root_key);
	EVP_PKEY_free(card->device_key);
	EVP_PKEY_free(card->exchange);
	X509_free(card->root);
	X509_free(card->cert);
	blob_deinit(&card->root_der);
	blob_deinit(&card->cert_der);
}

struct blob fakecard_crl_signed(const struct fakecard *card, bool revoked, long age_seconds,
				const EVP_MD *md)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	struct blob out = BLOB_INIT;

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(card->root));
	X509_gmtime_adj(t, -age_seconds);
	X509_CRL_set1_lastUpdate(crl, t);
	X509_gmtime_adj(t, 3600);
	X509_CRL_set1_nextUpdate(crl, t);
	if (revoked) {
		X509_REVOKED *entry = X509_REVOKED_new();

		X509_gmtime_adj(t, -age_seconds);
		X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(card->cert));
		X509_REVOKED_set_revocationDate(entry, t);
		X509_CRL_add0_revoked(crl, entry);
	}
	root_sign(card, md, NULL, crl);
	ASSERT_EQ(0, crl_der(crl, &out));
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	return out;
}

struct blob fakecard_crl(const struct fakecard *card, bool revoked, long age_seconds)
{
	return fakecard_crl_signed(card, revoked, age_seconds, EVP_sha256());
}

/* --- offer --- */

static bool card_is_virtual(const struct fakecard *card)
{
	ASN1_OBJECT *object = OBJ_txt2obj(OID_VIRTUAL, 1);
	bool is = X509_get_ext_by_OBJ(card->cert, object, -1) >= 0;

	ASN1_OBJECT_free(object);
	return is;
}

static void card_serial(const struct fakecard *card, char out[static KF_SERIAL_MAX + 1])
{
	memset(out, 0, KF_SERIAL_MAX + 1);
	if (X509_NAME_get_text_by_NID(X509_get_subject_name(card->cert), NID_serialNumber, out,
				      KF_SERIAL_MAX + 1) < 0)
		(void)snprintf(out, KF_SERIAL_MAX + 1, "NONE");
}

static void state_facts(const struct fakecard *card, const uint8_t nonce[static KF_NONCE_SIZE],
			struct bytes spki, struct statement *s)
{
	*s = (struct statement){
		.level = card_is_virtual(card) ? KF_LEVEL_VIRTUAL : KF_LEVEL_CHIP,
		.purpose = KF_PURPOSE_EXCHANGE, .origin = KF_ORIGIN_GENERATED, .container = 3,
		.methods = { 1, { (uint8_t)method_of(card) } },
		.key_types = { 7, { KF_KEY_RSA_2048, KF_KEY_RSA_3072, KF_KEY_RSA_4096,
				    KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521, KF_KEY_AES_256 } },
		.paddings = { 1, { WRAP_OAEP_SHA256 } },
		.suites = { 1, { SUITE_AES256_CBC_CMAC } },
		.limit_item = KF_ITEM_MAX, .limit_items = KF_ITEMS_MAX, .limit_tries = APP_TRIES,
	};
	card_serial(card, s->serial);
	ASSERT_EQ(0, sha256(blob_bytes(&card->cert_der), s->device));
	ASSERT_EQ(0, sha256(spki, s->exchange));
	if (card->shared != KF_METHOD_NONE) {
		s->exchange_type = KF_KEY_AES_256;
		s->purpose = KF_PURPOSE_SHARED;
		s->origin = KF_ORIGIN_FACTORY;
	} else {
		ASSERT_EQ(0, key_type_of(card->exchange, &s->exchange_type));
	}
	ASSERT_EQ(1, RAND_bytes(s->exchange_id, sizeof(s->exchange_id)));
	ASSERT_EQ(1, RAND_bytes(s->sid, sizeof(s->sid)));
	memcpy(s->nonce, nonce, KF_NONCE_SIZE);
}

static void put_key(struct fakecard *card, struct packer *p)
{
	char serial[KF_SERIAL_MAX + 1];
	struct secret key;

	if (card->shared == KF_METHOD_NONE) {
		ASSERT_EQ(0, key_spki(card->exchange, p));
		return;
	}
	card_serial(card, serial);
	key = shared_key(card, serial);
	ASSERT_EQ(0, shared_info_describe(&key, card->shared, &card->info));
	ASSERT_EQ(1, RAND_bytes(card->info.challenge, CHALLENGE_SIZE));
	shared_info_pack(p, &card->info);
	secret_deinit(&key);
}

char *fakecard_offer(struct fakecard *card, const uint8_t nonce[static KF_NONCE_SIZE],
		     const struct fakecard_bend *bend)
{
	struct offer_file file = OFFER_FILE_INIT;
	uint8_t spki[SPKI_MAX], der[STATEMENT_MAX], signature[ECDSA_SIG_MAX];
	struct packer key = pack_begin(spki, sizeof(spki)), s = pack_begin(der, sizeof(der));
	struct packer sig = pack_begin(signature, sizeof(signature));
	char *text = NULL;
	size_t len;

	put_key(card, &key);
	state_facts(card, nonce, pack_done(&key), &card->statement);
	memcpy(file.serial, card->statement.serial, sizeof(file.serial));
	file.container = card->statement.container;
	memcpy(file.sid, card->statement.sid, sizeof(file.sid));
	memcpy(file.nonce, card->statement.nonce, sizeof(file.nonce));
	file.method = method_of(card);
	if (bend && bend->statement)
		bend->statement(&card->statement);
	statement_pack(&s, &card->statement);
	ASSERT_EQ(0, pack_end(&s));
	ASSERT_EQ(0, statement_hash(pack_done(&s), card->h));
	ASSERT_EQ(0, ecdsa_sign(card->device_key, pack_done(&s), BYTES_NONE, &sig));
	ASSERT_EQ(0, blob_set(&file.exchange_key, pack_done(&key)));
	ASSERT_EQ(0, blob_set(&file.device_certificate, blob_bytes(&card->cert_der)));
	ASSERT_EQ(0, blob_set(&file.statement, pack_done(&s)));
	ASSERT_EQ(0, blob_set(&file.signature, pack_done(&sig)));
	if (bend && bend->file)
		bend->file(&file);
	ASSERT_EQ(0, offer_file_write(&file, &text, &len, NULL));
	offer_file_deinit(&file);
	return text;
}

/* --- opening --- */

/* Return: 0, -EBADMSG the server does not confirm. */
static int open_agreed(struct fakecard *card, struct bytes input, struct secret *s1)
{
	uint8_t fixed[AGREE_POINT_MAX];
	struct packer p = pack_begin(fixed, sizeof(fixed));
	struct agreed agreed = { .s1 = s1 };
	struct agree_facts facts = { .h = card->h };

	if (input.n <= CONFIRMATION_SIZE)
		return -EBADMSG;
	ASSERT_EQ(0, key_type_of(card->exchange, &facts.type));
	ASSERT_EQ(0, agree_point(card->exchange, &p));
	facts.fixed = pack_done(&p);
	facts.ephemeral = bytes_slice(input, 0, input.n - CONFIRMATION_SIZE);
	ASSERT_EQ(0, agree_static(card->exchange, &facts, &agreed));
	memcpy(card->confirmation, agreed.card, sizeof(card->confirmation));
	return bytes_equal(BYTES_OF(agreed.host),
			   bytes_slice(input, facts.ephemeral.n, CONFIRMATION_SIZE)) ? 0 : -EBADMSG;
}

static int open_shared(struct fakecard *card, struct bytes input, struct secret *s1)
{
	_cleanup_(secret_deinit) struct secret key = shared_key(card, card->statement.serial);
	struct agreed agreed = { .s1 = s1 };
	struct shared_facts facts = {
		.method = card->shared, .h = card->h, .sid = card->statement.sid,
		.serial = card->statement.serial, .server = input.p, .card = card->info.challenge,
		.host = card->shared == KF_METHOD_DERIVED ? input.p + SERVER_ID_SIZE : input.p,
	};
	bool good;

	if (input.n != (card->shared == KF_METHOD_DERIVED ? 80 : 32))
		return -EBADMSG;
	ASSERT_EQ(0, shared_establish(&key, &facts, &agreed));
	memcpy(card->confirmation, agreed.card, sizeof(card->confirmation));
	good = card->shared == KF_METHOD_SHARED ||
	       bytes_equal(BYTES_OF(agreed.host), bytes_slice(input, 64, CONFIRMATION_SIZE));
	return good ? 0 : -EBADMSG;
}

static int open_s1(struct fakecard *card, const struct cargo_file *cargo, struct secret *s1)
{
	if (card->shared != KF_METHOD_NONE)
		return open_shared(card, blob_bytes(&cargo->input), s1);
	if (cargo->method == KF_METHOD_RSA)
		return session_key_unwrap(card->exchange, card->h, blob_bytes(&cargo->input), s1);
	return open_agreed(card, blob_bytes(&cargo->input), s1);
}

static int open_content(const struct item_body *body, struct bytes plain,
			struct fakecard_opened *out)
{
	if (body->function == KF_FUNCTION_IMPORT_SECRET) {
		if (plain.n != key_type_size(body->key_type))
			return -EBADMSG;
		memcpy(out->secret, plain.p, plain.n);
		return 0;
	}
	if (!function_is_about_pins(body->function))
		return key_plain_decode(plain, body->key_type, &out->key);
	if (plain.n != sizeof(out->plain))
		return -EBADMSG;
	memcpy(out->plain, plain.p, plain.n);
	return pin_item_decode(BYTES_OF(out->plain), &out->order);
}

static int open_item(struct fakecard *card, const struct cargo_file *cargo, struct bytes der,
		     EVP_PKEY *injector, struct fakecard_opened *out)
{
	_cleanup_(secret_deinit) struct secret s1 = SECRET_INIT, plain = SECRET_INIT;
	_cleanup_(item_keys_deinit) struct item_keys keys = ITEM_KEYS_INIT;
	struct item_place place = { .method = cargo->method };
	uint8_t mac[ITEM_MAC_SIZE];
	struct item item;

	ASSERT_EQ(0, secret_init(&s1, KF_S1_SIZE));
	ASSERT_EQ(0, secret_init(&plain, KEY_PLAIN_MAX + 16));
	if (open_s1(card, cargo, &s1) < 0 || item_parse(der, &item) < 0)
		return -EBADMSG;
	place.function = item.body.function;
	place.number = item.body.number;
	memcpy(place.h, card->h, sizeof(place.h));
	ASSERT_EQ(0, item_keys_derive(&keys, &s1, &place));
	ASSERT_EQ(0, item_mac(&keys, item.body_der, mac));
	if (!bytes_equal(BYTES_OF(mac), item.mac))
		return -EBADMSG;
	if (injector && ecdsa_verify(injector, item.signed_der, BYTES_NONE, item.signature) == 0)
		out->sender_is_valid = true;
	if (item_decrypt(&keys, item.body.iv, item.body.ciphertext, &plain) < 0 ||
	    open_content(&item.body, secret_bytes(&plain), out) < 0)
		return -EBADMSG;
	ASSERT_EQ(0, item_proof(&keys, secret_bytes(&plain), out->proof));
	out->body = item.body;
	out->body.ciphertext = BYTES_NONE;
	return 0;
}

int fakecard_open(struct fakecard *card, const char *cargo, size_t number, EVP_PKEY *injector,
		  struct fakecard_opened *out)
{
	struct cargo_file file = CARGO_FILE_INIT;
	int r;

	*out = (struct fakecard_opened){ 0 };
	ASSERT_EQ(0, cargo_file_parse(BYTES(cargo, strlen(cargo)), &file, NULL));
	ASSERT_LE(number, file.n_items);
	r = open_item(card, &file, blob_bytes(&file.items[number - 1].item), injector, out);
	cargo_file_deinit(&file);
	return r;
}

/* --- receipt --- */

static void pack_secret_mark(struct packer *p, const struct fakecard_opened *opened)
{
	uint8_t der[KEY_MARK_MAX];
	struct packer key = pack_begin(der, sizeof(der));
	struct secret_mark mark;
	struct key_mark name;

	ASSERT_EQ(0, aes_mark(BYTES(opened->secret, key_type_size(opened->body.key_type)), &name));
	key_mark_pack(&key, &name);
	mark.key = pack_done(&key);
	memcpy(mark.proof, opened->proof, sizeof(mark.proof));
	secret_mark_pack(p, &mark);
}

static void make_receipt(struct fakecard *card, struct bytes item_der, struct blob *out,
			 const struct fakecard_opened *opened,
			 const struct fakecard_receipt_bend *bend)
{
	const struct item_body *b = &opened->body;
	uint8_t spki[SPKI_MAX], der[RECEIPT_MAX], whole[RECEIPT_MAX], signature[ECDSA_SIG_MAX];
	struct packer key = pack_begin(spki, sizeof(spki)), p = pack_begin(der, sizeof(der));
	struct packer sig = pack_begin(signature, sizeof(signature));
	struct packer all = pack_begin(whole, sizeof(whole));
	struct receipt r = {
		.number = b->number, .function = b->function, .method = b->method,
		.container = b->container, .pin = b->pin, .key_type = b->key_type,
		.purpose = b->purpose, .policy = b->policy, .sender = b->sender,
		.result = RECEIPT_INSTALLED, .counter = 7, .confirms = method_confirms(b->method),
	};

	if (opened->key)
		ASSERT_EQ(0, key_spki(opened->key, &key));
	else if (b->function == KF_FUNCTION_IMPORT_SECRET)
		pack_secret_mark(&key, opened);
	else
		pin_mark_pack(&key, &(struct pin_mark){ b->pin, 3 });
	memcpy(r.device, card->statement.device, sizeof(r.device));
	memcpy(r.serial, b->serial, sizeof(r.serial));
	memcpy(r.sid, b->sid, sizeof(r.sid));
	memcpy(r.exchange, b->exchange, sizeof(r.exchange));
	memcpy(r.confirmation, card->confirmation, sizeof(r.confirmation));
	ASSERT_EQ(0, sha256(item_der, r.item));
	r.evidence = pack_done(&key);
	if (bend && bend->receipt)
		bend->receipt(&r);
	receipt_pack(&p, &r);
	ASSERT_EQ(0, ecdsa_sign(bend && bend->other_key ? card->root_key : card->device_key,
				pack_done(&p), BYTES_NONE, &sig));
	signed_receipt_pack(&all, &(struct signed_receipt){ pack_done(&p), pack_done(&sig) });
	ASSERT_EQ(0, pack_end(&all));
	ASSERT_EQ(0, blob_set(out, pack_done(&all)));
}

char *fakecard_receipt(struct fakecard *card, const char *cargo, size_t upto,
		       const struct fakecard_receipt_bend *bend)
{
	struct cargo_file file = CARGO_FILE_INIT;
	struct receipt_file out = RECEIPT_FILE_INIT;
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, cargo_file_parse(BYTES(cargo, strlen(cargo)), &file, NULL));
	out.n = upto ? upto : file.n_items;
	out.receipts = calloc(out.n, sizeof(*out.receipts));
	memcpy(out.serial, file.serial, sizeof(out.serial));
	memcpy(out.sid, file.sid, sizeof(out.sid));
	for (size_t i = 0; i < out.n; i++) {
		struct fakecard_opened opened;

		ASSERT_EQ(0, fakecard_open(card, cargo, i + 1, NULL, &opened));
		out.receipts[i].number = (uint32_t)i + 1;
		make_receipt(card, blob_bytes(&file.items[i].item), &out.receipts[i].receipt,
			     &opened, bend);
		EVP_PKEY_free(opened.key);
	}
	ASSERT_EQ(0, receipt_file_write(&out, &text, &len, NULL));
	receipt_file_deinit(&out);
	cargo_file_deinit(&file);
	return text;
}
