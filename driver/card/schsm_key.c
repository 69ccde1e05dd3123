/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_key.c - SIGN, DECIPHER, DERIVE [cards 2.3]: one command each. What a key may do, the
 * card knows from its list; what we ask for is always the operation on a hash, never on a message, and
 * never raw RSA.
 */
#include "driver/card/schsm.h"

#include "base/secret.h"
#include "driver/iso7816/card_io.h"
#include "format/der.h"
#include "format/numbers.h"

enum { INS_SIGN = 0x68, INS_DECIPHER = 0x62, INS_DERIVE = 0x78, POINT_MAX = 133, SHORT_DATA_MAX = 255 };

int schsm_judge_use(struct card *card, int r)
{
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;
	if (r == -EREMOTEIO && (card->said.sw == SW_DATA || card->said.sw == SW_LENGTH))
		return -EINVAL;		/* does not fit this type of key */
	return r;
}

static int use(struct card *card, uint8_t ins, uint8_t p2, uint32_t container, struct bytes data,
	       struct bytes *answer)
{
	const struct card_command command = {
		.cla = 0x80, .ins = ins, .p1 = (uint8_t)container, .p2 = p2, .data = data,
		.answers = true,
	};
	int r = schsm_kid_check(container);

	if (r == 0)
		r = schsm_judge_use(card, schsm_call(card, &command, answer));
	return r;
}

static int give(struct bytes answer, size_t max, struct packer *out)
{
	if (answer.n == 0 || answer.n > max)
		return -EBADMSG;
	pack_bytes(out, answer);
	return pack_end(out);
}

/* --- signing --- */

/* DigestInfo up to the hash [RFC 8017 9.2 note 1]: AlgorithmIdentifier with NULL. */
static int put_digest_info(struct packer *p, uint32_t hash, struct bytes digest)
{
	static const uint8_t sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
	uint8_t sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, (uint8_t)(hash - 1) };
	struct der_mark info = der_begin(p, DER_SEQUENCE), algorithm = der_begin(p, DER_SEQUENCE);

	der_put(p, DER_OID, hash == KF_HASH_SHA1 ? BYTES_OF(sha1) : BYTES_OF(sha2));
	der_put(p, DER_NULL, BYTES_NONE);
	der_end(p, algorithm);
	der_put(p, DER_OCTETS, digest);
	der_end(p, info);
	return pack_end(p);
}
static_assert(KF_HASH_SHA256 == 2 && KF_HASH_SHA384 == 3 && KF_HASH_SHA512 == 4, "2.16.840.1.101.3.4.2.n");

static size_t hash_size(uint32_t hash)
{
	static const uint8_t sizes[] = { 0, 20, 32, 48, 64 };

	return hash < sizeof(sizes) ? sizes[hash] : 0;
}

static int sign_check(const struct kf_sign *how, struct bytes digest)
{
	if (how->padding != KF_PADDING_PKCS1 && how->padding != KF_PADDING_PSS &&
	    how->padding != KF_PADDING_NONE)
		return -EINVAL;
	if (digest.n == 0 || digest.n != hash_size(how->hash))
		return -EINVAL;
	if (how->salt_len != 0 && how->padding != KF_PADDING_PSS)
		return -EINVAL;
	return how->salt_len != 0 && how->salt_len != digest.n ? -EOPNOTSUPP : 0;
}

int schsm_sign(struct card *card, const struct kf_sign *how, struct bytes digest,
	       struct packer *signature)
{
	uint8_t buf[96];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct bytes answer;
	uint8_t algorithm = SCHSM_ECDSA;
	int r = sign_check(how, digest);

	if (r < 0)
		return r;
	if (how->padding == KF_PADDING_PKCS1) {
		algorithm = SCHSM_RSA_PKCS1;
		r = put_digest_info(&p, how->hash, digest);
		digest = pack_done(&p);
	} else if (how->padding == KF_PADDING_PSS) {
		algorithm = SCHSM_RSA_PSS;
	}
	if (r == 0)
		r = use(card, INS_SIGN, algorithm, how->container, digest, &answer);
	return r < 0 ? r : give(answer, SCHSM_RSA_MAX, signature);
}

/* --- decrypting --- */

int schsm_decrypt(struct card *card, const struct kf_decrypt *how, struct bytes input,
		  struct bytes label, struct packer *output)
{
	uint8_t algorithm = SCHSM_RSA_PKCS1_DECRYPT;
	struct bytes answer;
	int r;

	if (how->padding == KF_PADDING_OAEP) {
		if (how->hash == KF_HASH_NONE || how->hash > KF_HASH_SHA512)
			return -EINVAL;
		if (how->hash != KF_HASH_SHA256 || label.n != 0)
			return -EOPNOTSUPP;
		algorithm = SCHSM_RSA_OAEP_DECRYPT;
	} else if (how->padding != KF_PADDING_PKCS1 || how->hash != KF_HASH_NONE || label.n != 0) {
		return -EINVAL;
	}
	if (input.n == 0 || input.n > SCHSM_RSA_MAX)
		return -EINVAL;
	r = use(card, INS_DECIPHER, algorithm, how->container, input, &answer);
	if (r == -EREMOTEIO && card->said.sw == SW_P1P2)
		return -EOPNOTSUPP;	/* older cards give raw RSA alone, and that is no padding of ours */
	if (r < 0)
		return r;
	if (answer.n > input.n)
		return -EBADMSG;
	pack_bytes(output, answer);
	return pack_end(output);
}

/* --- agreeing --- */

/* The vendor's card answers the whole point, others its x alone [cards 2.3]. */
int schsm_agree(struct card *card, uint32_t container, struct bytes peer, struct packer *secret)
{
	size_t size = (peer.n - 1) / 2;
	struct bytes answer;
	int r;

	if (peer.n < 3 || peer.n > POINT_MAX || peer.n % 2 == 0 || peer.p[0] != 0x04)
		return -EINVAL;
	r = use(card, INS_DECIPHER, SCHSM_ECDH, container, peer, &answer);
	if (r < 0)
		return r;
	if ((answer.n != peer.n && answer.n != 1 + size) || answer.p[0] != 0x04)
		return -EBADMSG;
	pack_bytes(secret, bytes_slice(answer, 1, size));
	return pack_end(secret);
}

/* --- AES --- */

static int cipher_check(const struct kf_cipher *how, struct bytes aad, struct bytes input)
{
	if (how->mode == KF_CHAIN_ECB || how->mode == KF_CHAIN_GCM)
		return -EOPNOTSUPP;
	if (how->mode != KF_CHAIN_CBC || aad.n != 0)
		return -EINVAL;
	return input.n != 0 && input.n % AES_BLOCK == 0 && input.n <= KF_CIPHER_MAX ? 0 : -EINVAL;
}

static void mix(uint8_t *block, const uint8_t *with)
{
	for (size_t i = 0; i < AES_BLOCK; i++)
		block[i] ^= with[i];
}

/*
 * A run of blocks. The card's IV is always zero [cards 2.3], so ours is mixed into the first block: of the
 * text before it is encrypted, after it was decrypted. @iv goes on to what the next run begins with.
 */
static int cipher_run(struct card *card, const struct kf_cipher *how, uint8_t iv[static AES_BLOCK],
		      struct secret *work, struct bytes run, struct packer *output)
{
	bool decrypt = how->flags & KF_CIPHER_DECRYPT;
	struct packer p = pack_begin(work->p, work->cap);
	struct bytes answer;
	int r;

	pack_bytes(&p, run);
	if (!decrypt)
		mix(work->p, iv);
	r = use(card, INS_DERIVE, decrypt ? SCHSM_CBC_DECRYPT : SCHSM_CBC_ENCRYPT, how->container,
		pack_done(&p), &answer);
	if (r < 0)
		return r;
	if (answer.n != run.n)
		return -EBADMSG;
	p.n = 0;
	pack_bytes(&p, answer);
	if (decrypt)
		mix(work->p, iv);
	pack_bytes(output, pack_done(&p));
	memcpy(iv, bytes_slice(decrypt ? run : answer, run.n - AES_BLOCK, AES_BLOCK).p, AES_BLOCK);
	return pack_end(output);
}

/* The card takes what one command carries: nothing of a MAC is kept for a second one [cards 2.3]. */
static int cmac(struct card *card, const struct kf_cipher *how, struct bytes aad, struct bytes input,
		struct packer *output)
{
	struct bytes answer;
	int r;

	if (how->mode != 0 || how->flags != KF_CIPHER_MAC || aad.n != 0 || input.n == 0 ||
	    input.n > KF_CIPHER_MAX)
		return -EINVAL;
	if (input.n > (card->io->extended ? SCHSM_COMMAND_MAX : SHORT_DATA_MAX))
		return -EOPNOTSUPP;
	r = use(card, INS_DERIVE, SCHSM_CMAC, how->container, input, &answer);
	if (r < 0)
		return r;
	return answer.n == KF_CMAC_SIZE ? give(answer, KF_CMAC_SIZE, output) : -EBADMSG;
}

static int cbc(struct card *card, struct kf_cipher *how, struct bytes aad, struct bytes input,
	       struct packer *output)
{
	_cleanup_(secret_deinit) struct secret work = SECRET_INIT;
	size_t most = card->io->extended ? SCHSM_COMMAND_MAX / AES_BLOCK * AES_BLOCK : 240;
	uint8_t iv[AES_BLOCK];
	int r = cipher_check(how, aad, input);

	if (r == 0)
		r = secret_init(&work, SCHSM_COMMAND_MAX);
	memcpy(iv, how->iv, sizeof(iv));
	for (size_t at = 0; r == 0 && at < input.n; at += most)
		r = cipher_run(card, how, iv, &work, bytes_slice(input, at, most), output);
	return r;
}

int schsm_cipher(struct card *card, struct kf_cipher *how, struct bytes aad, struct bytes input,
		 struct packer *output)
{
	return how->flags & KF_CIPHER_MAC ? cmac(card, how, aad, input, output) :
					    cbc(card, how, aad, input, output);
}
