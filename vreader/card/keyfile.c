/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key passes through memory that is locked or OpenSSL's own, and through no buffer of stdio's.
 */
#include "vreader/card/keyfile.h"

#include "base/io.h"
#include "format/ossl.h"
#include "vreader/card/pem.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <sys/stat.h>

OSSL_CLEANUP(BIO, BIO_free_all)

int keyfile_read(const char *dir, const char *name, mode_t forbidden, struct secret *out)
{
	_cleanup_(fd_closep) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;
	ssize_t n;
	int r;

	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_mode & forbidden) != 0)
		return -EACCES;
	r = secret_init(out, PEM_TEXT_MAX);
	if (r < 0)
		return r;
	n = io_read(fd, out->p, out->cap);
	if (n < 0)
		return (int)n;
	out->n = (size_t)n;
	return out->n < out->cap ? 0 : -EBADMSG;
}

int keyfile_load(const char *dir, const char *name, EVP_PKEY **out)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	int r = keyfile_read(dir, name, 077, &pem);

	if (r < 0)
		return r;
	*out = pem_private_key(secret_bytes(&pem));
	return *out ? 0 : -EBADMSG;
}

int keyfile_save(struct store *store, const char *name, EVP_PKEY *key)
{
	_cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	long n;
	int r;

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return -EIO;
	n = BIO_get_mem_data(bio, &text);
	r = store_put_file(store, name, BYTES(text, (size_t)n), 0600);
	wipe(text, (size_t)n);
	return r;
}
