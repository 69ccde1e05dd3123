// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/server.c - The shipped policy is that of SECURITY section 3. */
#include "libserver/server.h"
#include "base/error.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/numbers.h"
#include "format/shared.h"
#include "libserver/cert.h"
#include "libserver/pem.h"

#include <openssl/pem.h>

int kf_server_new(struct kf_server **out, struct kf_error *e)
{
	struct kf_server *server = malloc(sizeof(*server));

	if (!server)
		return error_what(e, -ENOMEM, "cannot make a server context");
	*server = (struct kf_server){
		.methods = { KF_METHOD_ECDH, KF_METHOD_RSA },
		.n_methods = 2,
		.exchange_bits = 3072,
		.master = SECRET_INIT,
	};
	*out = server;
	return 0;
}

struct kf_server *kf_server_free(struct kf_server *server)
{
	if (server) {
		EVP_PKEY_free(server->injector);
		secret_deinit(&server->master);
	}
	free(server);
	return NULL;
}

static int check_methods(const uint8_t *methods, size_t n, struct kf_error *e)
{
	bool seen[KF_METHOD_ECDH + 1] = { false };

	for (size_t i = 0; i < n; i++) {
		if (methods[i] < KF_METHOD_SHARED || methods[i] > KF_METHOD_ECDH ||
		    seen[methods[i]])
			return error_why(e, -EINVAL, "enum kf_method", "name each method once",
					 "method %u is unknown or named twice", methods[i]);
		seen[methods[i]] = true;
	}
	return 0;
}

int kf_server_set_methods(struct kf_server *server, const uint8_t *methods, size_t n,
			  struct kf_error *e)
{
	int r;

	if (n == 0 || n > sizeof(server->methods))
		r = error_why(e, -EINVAL, "enum kf_method", "name at least one method",
			      "the list is empty or too long");
	else
		r = check_methods(methods, n, e);
	if (r < 0)
		return error_what(e, r, "cannot set the methods");
	memcpy(server->methods, methods, n);
	server->n_methods = n;
	return 0;
}

int kf_server_set_master(struct kf_server *server, const void *master, size_t len,
			 struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret copy = SECRET_INIT;
	int r = 0;

	if (len != SHARED_KEY_SIZE)
		r = error_why(e, -EINVAL, "docs/card-application.md 6.2", "give 32 random bytes",
			      "a master of %zu bytes", len);
	if (r == 0)
		r = secret_init(&copy, SHARED_KEY_SIZE);
	if (r == 0)
		r = secret_set(&copy, BYTES(master, len));
	if (r < 0)
		return error_what(e, r, "cannot take the master of shared keys");
	secret_deinit(&server->master);
	server->master = secret_take(&copy);
	server->master_locked = false;
	server->master_away = false;
	server->keeper = (struct kf_master_keeper){ 0 };
	return 0;
}

int kf_server_set_master_keeper(struct kf_server *server, const struct kf_master_keeper *keeper,
				struct kf_error *e)
{
	if (keeper && (keeper->size != sizeof(*keeper) || !keeper->mac)) {
		(void)error_why(e, -EINVAL, "struct kf_master_keeper", "set size and mac",
				"the keeper is incomplete");
		return error_what(e, -EINVAL, "cannot take the keeper of the master");
	}
	secret_deinit(&server->master);
	server->master_locked = false;
	server->keeper = keeper ? *keeper : (struct kf_master_keeper){ 0 };
	return 0;
}

size_t kf_server_methods(const struct kf_server *server, uint8_t methods[4])
{
	memcpy(methods, server->methods, server->n_methods);
	return server->n_methods;
}

int kf_server_set_exchange_bits(struct kf_server *server, unsigned int bits, struct kf_error *e)
{
	if (bits != 2048 && bits != 3072 && bits != 4096) {
		(void)error_why(e, -EINVAL, "SECURITY section 3", "say 2048, 3072 or 4096",
				"%u bits are none of our RSA sizes", bits);
		return error_what(e, -EINVAL, "cannot set the smallest EXCHANGE key");
	}
	server->exchange_bits = bits;
	return 0;
}

void kf_server_allow_virtual(struct kf_server *server, int allow)
{
	server->allow_virtual = allow != 0;
}

int kf_server_set_injector(struct kf_server *server, const void *pem, size_t len,
			   const void *passphrase, size_t passphrase_len, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL, *public = NULL;
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));
	enum kf_key_type type = KF_KEY_NONE;
	int r;

	r = pem_private_key(BYTES(pem, len), BYTES(passphrase, passphrase_len), &key, e);
	if (r < 0)
		return error_what(e, r, "cannot take the injector key");
	r = key_type_of(key, &type);
	if (r != -ENOMEM && (r < 0 || type != KF_KEY_EC_P256))
		r = error_why(e, -EINVAL, "docs/card-application.md 1: injector keys",
			      "use an EC key on P-256", "the injector key is not on P-256");
	/* Cards know it by the hash of one form; in another they would not. */
	if (r == 0)
		r = key_spki(key, &p);
	if (r == 0)
		r = spki_parse(pack_done(&p), &public, &type);
	if (r == -EBADMSG)
		r = error_why(e, -EINVAL, "docs/formats.md 3",
			      "write it with a named curve and an uncompressed point",
			      "the injector key's public half is not in the form cards know");
	if (r == 0)
		r = sha256(pack_done(&p), server->injector_hash);
	if (r < 0)
		return error_what(e, r, "cannot take the injector key");
	EVP_PKEY_free(server->injector);
	server->injector = take_ptr(key);
	return 0;
}

int kf_server_injector_hash(const struct kf_server *server, uint8_t hash[KF_DIGEST_SIZE])
{
	if (!server->injector)
		return -ENOENT;
	memcpy(hash, server->injector_hash, KF_DIGEST_SIZE);
	return 0;
}

int kf_server_injector_public(const struct kf_server *server, char **pem, struct kf_error *e)
{
	_cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long n;

	if (!server->injector) {
		(void)error_why(e, -ENOENT, "", "open the state with the injector's passphrase",
				"no injector key is set");
		return error_what(e, -ENOENT, "cannot show the injector key");
	}
	if (!bio || PEM_write_bio_PUBKEY(bio, server->injector) != 1)
		return error_what(e, -ENOMEM, "cannot show the injector key");
	n = BIO_get_mem_data(bio, &text);
	copy = calloc(1, (size_t)n + 1);	/* no string function: a BIO's text has no end */
	if (!copy)
		return error_what(e, -ENOMEM, "cannot show the injector key");
	memcpy(copy, text, (size_t)n);
	*pem = copy;
	return 0;
}
