/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/keys/keys.c - The assembler takes the files in; nothing watches them, as they do not change. */
#include "tests/keys/keys.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#define TAKE_IN(symbol, file) \
	extern const char symbol[], symbol##_end[] __attribute__((visibility("hidden"))); \
	__asm__(".pushsection .rodata\n" \
		#symbol ": .incbin \"tests/keys/" file "\"\n" \
		#symbol "_end: .byte 0\n" \
		".popsection")

TAKE_IN(key_rsa2048, "rsa2048.pem");
TAKE_IN(key_rsa2048_b, "rsa2048-b.pem");
TAKE_IN(key_rsa3072, "rsa3072.pem");
TAKE_IN(key_rsa3072_b, "rsa3072-b.pem");
TAKE_IN(key_rsa4096, "rsa4096.pem");
TAKE_IN(key_rsa4096_b, "rsa4096-b.pem");

static const struct {
	unsigned int bits;
	const char *pem[PREPARED_EACH], *end[PREPARED_EACH];
} sizes[] = {
	{ 2048, { key_rsa2048, key_rsa2048_b }, { key_rsa2048_end, key_rsa2048_b_end } },
	{ 3072, { key_rsa3072, key_rsa3072_b }, { key_rsa3072_end, key_rsa3072_b_end } },
	{ 4096, { key_rsa4096, key_rsa4096_b }, { key_rsa4096_end, key_rsa4096_b_end } },
};

static struct bytes pem_of(unsigned int bits, unsigned int index)
{
	for (size_t i = 0; index < PREPARED_EACH && i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i].bits == bits)
			return BYTES(sizes[i].pem[index], (size_t)(sizes[i].end[index] - sizes[i].pem[index]));
	return BYTES_NONE;
}

EVP_PKEY *prepared_rsa(unsigned int bits, unsigned int index)
{
	struct bytes pem = pem_of(bits, index);
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return key;
}

int prepared_rsa_save(unsigned int bits, unsigned int index, const char *path)
{
	struct bytes pem = pem_of(bits, index);
	int fd, r;

	if (pem.n == 0)
		return -EINVAL;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write(fd, pem.p, pem.n) == (ssize_t)pem.n ? 0 : -EIO;
	return close(fd) < 0 ? -errno : r;
}

int some_key(enum kf_key_type type, EVP_PKEY **out)
{
	if (!key_type_is_rsa(type))
		return key_generate(type, out);
	*out = prepared_rsa(key_type_bits(type), 0);
	return *out ? 0 : -EIO;
}
