/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry/server.h - libkeyferry-server: seal a private key for one smart card, on a server that
 * has no card, no daemon and no root. A voyage, in order:
 *
 *	challenge   a nonce for one enrolled card               -> client
 *	offer       the card's attested EXCHANGE key, verified  <- client
 *	cargo       session key wrapped, key pair sealed        -> client
 *	receipt     what the card installed, verified           <- client
 *
 * There are two ways in. A program with its own database uses the functions on plain bytes: it
 * keeps nonces and tickets itself, and answers for spending a nonce once, durably, before it lets
 * a cargo go. The kf_state_ functions at the end do all of that in a directory.
 *
 * The sealing calls (kf_md_) are the smart card minidriver's no-card mode, by its names: import a
 * session key, set IV and chaining mode, encrypt data.
 *
 * Functions return 0 or a negative errno and take a struct kf_error for the words (NULL: none).
 * Results come through the last arguments before it, written on success only; byte results are
 * malloc()ed and the caller frees them; none of them holds a secret. Secrets given in are copied
 * into locked memory and wiped; the caller wipes its own copy. An object is used by one thread at
 * a time; two objects do not share anything.
 *
 * errnos one may act on, everywhere: EBADMSG malformed bytes, EACCES well formed but refused
 * (words say by which rule), EINVAL an argument out of range, EPROTO out of turn, ENOMEM.
 */
#ifndef KEYFERRY_SERVER_H
#define KEYFERRY_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "keyferry/error.h"
#include "keyferry/types.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct kf_server;
struct kf_enrolled;
struct kf_verified_offer;
struct kf_keypair;
struct kf_pin_order;
struct kf_md_key;
struct kf_archive_recipient;
struct kf_receipt_report;
struct kf_state;

/* --- the no-card context: policy and sender --- */

/**
 * kf_server_new() - a context without a card [minidriver no-card mode]
 * @out:	the context; the caller frees it
 *
 * Shipped policy: methods ecdh and rsa, RSA EXCHANGE keys of 3072 bits and more, OAEP with SHA-256,
 * no virtual cards, no sender. Return: 0, -ENOMEM.
 */
int kf_server_new(struct kf_server **out, struct kf_error *e);
struct kf_server *kf_server_free(struct kf_server *server);

/**
 * kf_server_set_methods() - the establishment methods this server accepts, best first
 * @methods:	enum kf_method, a byte each
 * @n:		how many, 1 at least
 *
 * Of these the first that the card attests is taken: an offer by another is refused, and the refusal names
 * the one to offer by. Return: 0, -EINVAL an unknown or repeated one, -EOPNOTSUPP one this version does not speak.
 */
int kf_server_set_methods(struct kf_server *server, const uint8_t *methods, size_t n,
			  struct kf_error *e);
/* The list. Return: how many. */
size_t kf_server_methods(const struct kf_server *server, uint8_t methods[4]);

/* The smallest RSA EXCHANGE key, bits: 2048, 3072 (default) or 4096. Return: 0, -EINVAL. */
int kf_server_set_exchange_bits(struct kf_server *server, unsigned int bits, struct kf_error *e);

/* Whether cards whose certificate carries the virtual extension are accepted; default no. */
void kf_server_allow_virtual(struct kf_server *server, int allow);

/**
 * kf_server_set_injector() - sign items as this sender
 * @pem:	P-256 private key, PEM, encrypted or not
 * @len:	its length in bytes
 * @passphrase:	NULL if there is none
 *
 * Return: 0, -ENOKEY encrypted and no passphrase given, -EKEYREJECTED the passphrase is wrong,
 * -EINVAL not a P-256 private key.
 */
int kf_server_set_injector(struct kf_server *server, const void *pem, size_t len,
			   const void *passphrase, size_t passphrase_len, struct kf_error *e);

/*
 * The master that cards' SHARED keys are derived from, for methods shared and derived: 32 random bytes,
 * copied. Return: 0, -EINVAL.
 */
int kf_server_set_master(struct kf_server *server, const void *master, size_t len,
			 struct kf_error *e);

#define KF_MASTER_MAC_SIZE 16
#define KF_MASTER_CHECK_SIZE 16

/**
 * struct kf_master_keeper - who has a master that is given to nobody: a token, an HSM
 * @size:	of the struct the caller knows
 * @mac:	AES-CMAC [SP 800-38B] under the master, which is an AES-256 key, of the @len bytes at @in, at
 *		most 256; %KF_MASTER_MAC_SIZE bytes into @out, which are a part of a card's key and go nowhere
 *		else. Called whenever a card's key is derived, several times for each; calls no function on
 *		the server or state. Return: 0, or a negative errno, with words in @e if it has some
 * @arg:	handed to @mac
 *
 * The keys of cards are those that the same master makes in memory (docs/card-application.md 6.2). They come
 * into this process, one card's at a time; the master does not.
 */
struct kf_master_keeper {
	size_t size;
	int (*mac)(void *arg, const uint8_t *in, size_t len, uint8_t out[KF_MASTER_MAC_SIZE],
		   struct kf_error *e);
	void *arg;
};

/**
 * kf_server_set_master_keeper() - in place of kf_server_set_master(): the master stays where it is
 * @keeper:	copied; what it points to outlives @server. NULL: none any more
 *
 * The keeper is asked for nothing yet. Return: 0, -EINVAL.
 */
int kf_server_set_master_keeper(struct kf_server *server, const struct kf_master_keeper *keeper,
				struct kf_error *e);

/*
 * By what a master is known and nothing is learned of it (docs/formats.md 9); of one that is elsewhere what the
 * state remembers. Return: 0, -EACCES there is no master, -ENOKEY it is locked; and as the keeper.
 */
int kf_server_master_check(const struct kf_server *server, uint8_t check[KF_MASTER_CHECK_SIZE],
			   struct kf_error *e);

/* SHA-256 of the injector's SubjectPublicKeyInfo. Return: 0, -ENOENT none was set. */
int kf_server_injector_hash(const struct kf_server *server, uint8_t hash[KF_DIGEST_SIZE]);

/* The injector's public key as PEM, for the card's maker. Return: 0, -ENOENT, -ENOMEM. */
int kf_server_injector_public(const struct kf_server *server, char **pem, struct kf_error *e);

/* --- the card a key is meant for --- */

/**
 * kf_enrolled_new() - take a card's DEVICE certificate, after checking it
 * @server:	for its policy; borrowed during the call
 * @cert:	device certificate, DER or PEM
 * @root:	the maker's root, DER or PEM
 * @crl:	revocation list of that root, DER or PEM; NULL: none is checked
 *
 * Checks all of docs/formats.md 2: path of one step, validity now, CA=FALSE, key usage, exactly
 * our extended key usage, one serial number in the subject, P-256, no unknown critical extension;
 * the virtual extension is refused unless kf_server_allow_virtual(). The same is checked again
 * whenever an offer is verified.
 *
 * Return: 0, -EBADMSG not a certificate, -EACCES one of the rules.
 */
int kf_enrolled_new(const struct kf_server *server, const void *cert, size_t cert_len,
		    const void *root, size_t root_len, const void *crl, size_t crl_len,
		    struct kf_enrolled **out, struct kf_error *e);
struct kf_enrolled *kf_enrolled_free(struct kf_enrolled *card);

const char *kf_enrolled_serial(const struct kf_enrolled *card);
/* SHA-256 of the certificate, 64 lower-case hexadecimal digits. */
const char *kf_enrolled_fingerprint(const struct kf_enrolled *card);
int kf_enrolled_is_virtual(const struct kf_enrolled *card);

/* --- challenge --- */

/* 32 fresh random bytes. Return: 0, -EIO no randomness. */
int kf_nonce_new(uint8_t nonce[KF_NONCE_SIZE], struct kf_error *e);

/**
 * kf_challenge_write() - a challenge file (docs/formats.md 8.1)
 * @nonce:	from kf_nonce_new(); the caller remembers it with @card until @expires
 * @issued:	seconds since 1970
 * @expires:	seconds since 1970, after @issued
 */
int kf_challenge_write(const struct kf_enrolled *card, const uint8_t nonce[KF_NONCE_SIZE],
		       int64_t issued, int64_t expires, char **json, size_t *len,
		       struct kf_error *e);

/* --- offer --- */

/**
 * kf_offer_peek() - what an offer claims, unverified, to find what it is to be verified against
 * @nonce:	to look up when and for which card it was issued
 * @cert:	the certificate it brings, DER; NULL: not wanted
 *
 * Nothing here may be believed before kf_offer_verify(). Return: 0, -EBADMSG.
 */
int kf_offer_peek(const void *json, size_t len, uint8_t nonce[KF_NONCE_SIZE], uint8_t **cert,
		  size_t *cert_len, struct kf_error *e);

/**
 * kf_offer_verify() - every check of an offer
 * @server:	policy and sender; borrowed, outlives @out
 * @card:	the card it has to come from; borrowed during the call
 * @nonce:	issued for that card, not spent, not expired: the caller has checked
 * @json:	the offer file
 *
 * The certificate in the offer is byte for byte the enrolled one, which is checked anew; the
 * statement is signed by it, names serial, level, this nonce, purpose EXCHANGE, origin generated
 * and the hash of the EXCHANGE key that came along; JSON copies equal the signed bytes; method,
 * padding, suite and key size fit the policy; if the card knows injectors, ours is one of them.
 *
 * Return: 0, -EBADMSG, -EACCES, -ENOKEY an injector key is wanted, or the state of @server has a master that is
 * locked.
 */
int kf_offer_verify(const struct kf_server *server, const struct kf_enrolled *card,
		    const uint8_t nonce[KF_NONCE_SIZE], const void *json, size_t len,
		    struct kf_verified_offer **out, struct kf_error *e);
struct kf_verified_offer *kf_verified_offer_free(struct kf_verified_offer *offer);

const char *kf_verified_offer_serial(const struct kf_verified_offer *offer);
const char *kf_verified_offer_fingerprint(const struct kf_verified_offer *offer);
unsigned int kf_verified_offer_container(const struct kf_verified_offer *offer);
enum kf_method kf_verified_offer_method(const struct kf_verified_offer *offer);
enum kf_key_type kf_verified_offer_exchange_type(const struct kf_verified_offer *offer);
/* The grade of a key sealed for this offer, computed from the signed facts alone. */
enum kf_grade kf_verified_offer_grade(const struct kf_verified_offer *offer);
/* Session id, statement hash H, nonce: KF_SID_SIZE, KF_DIGEST_SIZE, KF_NONCE_SIZE bytes, borrowed. */
const uint8_t *kf_verified_offer_sid(const struct kf_verified_offer *offer);
const uint8_t *kf_verified_offer_hash(const struct kf_verified_offer *offer);
const uint8_t *kf_verified_offer_nonce(const struct kf_verified_offer *offer);
/* Hash of the key the target container holds, KF_DIGEST_SIZE bytes; NULL: the container is empty. */
const uint8_t *kf_verified_offer_holds(const struct kf_verified_offer *offer);
/* Whether items will carry our injector signature; 0: the card takes unauthenticated senders. */
int kf_verified_offer_is_signed(const struct kf_verified_offer *offer);
/* Whether the card can take a key of @type; enum kf_key_type. */
int kf_verified_offer_takes(const struct kf_verified_offer *offer, enum kf_key_type type);

/* "A", "A-virtual", "B", "B-virtual", "C", "U". */
const char *kf_grade_name(enum kf_grade grade);

/* --- the key pair to inject: the minidriver's CARD_IMPORT_KEYPAIR --- */

/**
 * kf_keypair_from_pem() - RSA 2048/3072/4096 or P-256/384/521, checked for consistency
 * @pem:	PKCS#8, RSAPrivateKey or ECPrivateKey; encrypted or not; one key only
 * @passphrase:	NULL if there is none
 *
 * The purpose is SIGN until kf_keypair_set_purpose(); a PIN is needed for use until
 * kf_keypair_set_policy() says otherwise.
 *
 * Return: 0, -EBADMSG not a private key, -ENOKEY encrypted and no passphrase given, -EKEYREJECTED
 * the passphrase is wrong, -EOPNOTSUPP a key type the card does not know, -EINVAL the key is not
 * consistent in itself.
 */
int kf_keypair_from_pem(const void *pem, size_t len, const void *passphrase,
			size_t passphrase_len, struct kf_keypair **out, struct kf_error *e);
/*
 * An AES key: 16, 24 or 32 bytes. Its purpose is CIPHER, and what is said of key pairs elsewhere holds for it,
 * but for what it has not: a public half, in whose place stands its mark (docs/formats.md 3).
 * Return: 0, -EINVAL.
 */
int kf_keypair_from_raw(const void *key, size_t len, struct kf_keypair **out, struct kf_error *e);
/* The same from a PrivateKeyInfo, DER [RFC 5208], in the caller's locked memory. */
int kf_keypair_from_der(const void *der, size_t len, struct kf_keypair **out, struct kf_error *e);
struct kf_keypair *kf_keypair_free(struct kf_keypair *key);

enum kf_key_type kf_keypair_type(const struct kf_keypair *key);
enum kf_purpose kf_keypair_purpose(const struct kf_keypair *key);
/* SHA-256 of the SubjectPublicKeyInfo, or an AES key's mark, KF_DIGEST_SIZE bytes, borrowed. */
const uint8_t *kf_keypair_hash(const struct kf_keypair *key);

/* SIGN, DECRYPT (RSA), DERIVE (EC) or CIPHER (AES). Return: 0, -EINVAL does not fit the key. */
int kf_keypair_set_purpose(struct kf_keypair *key, enum kf_purpose purpose, struct kf_error *e);

/* @not_after: seconds since 1970, advisory, 0: none. Return: 0, -EINVAL. */
int kf_keypair_set_policy(struct kf_keypair *key, int pin_needed, int64_t not_after,
			  struct kf_error *e);

/* Where it shall go by an offer for a batch, which leaves that to its items. Return: 0, -EINVAL. */
int kf_keypair_set_container(struct kf_keypair *key, unsigned int container, struct kf_error *e);

/* The key in the target container that this one may replace; NULL: none, as at first. */
void kf_keypair_set_replaces(struct kf_keypair *key, const uint8_t hash[KF_DIGEST_SIZE]);

/* --- an order about PINs: CARD_CHANGE_AUTHENTICATOR and CARD_AUTHENTICATE --- */

/**
 * kf_pin_order_change() - replace PIN or PUK by whoever knows the old value
 * @pin:	%KF_PIN_USER or %KF_PIN_PUK
 * @old:	its value, 4 to 32 bytes
 * @fresh:	the value it shall have, 4 to 32 bytes
 *
 * Values are copied into locked memory. Return: 0, -EINVAL a length that no card takes.
 */
int kf_pin_order_change(unsigned int pin, const void *old, size_t old_len, const void *fresh,
			size_t fresh_len, struct kf_pin_order **out, struct kf_error *e);
/* Give the user PIN a new value and all its tries, by the PUK. Return: as above. */
int kf_pin_order_unblock(const void *puk, size_t puk_len, const void *fresh, size_t fresh_len,
			 struct kf_pin_order **out, struct kf_error *e);

/**
 * kf_pin_order_authenticate() - log the client in, without telling it the PIN
 * @flags:	0; a session PIN, which would come out at the client, is refused
 *
 * Return: as above, -EACCES a session PIN.
 */
int kf_pin_order_authenticate(const void *pin, size_t pin_len, unsigned int flags,
			      struct kf_pin_order **out, struct kf_error *e);
struct kf_pin_order *kf_pin_order_free(struct kf_pin_order *order);

/*
 * How many tries of the PIN that proves it (PIN or PUK) must be left; with fewer the card compares
 * nothing. 2 unless set: a wrong value then cannot block it. Return: 0, -EINVAL not 1 to 127.
 */
int kf_pin_order_set_least_tries(struct kf_pin_order *order, unsigned int tries,
				 struct kf_error *e);

/* --- the minidriver's no-card calls --- */

/**
 * kf_session_key_wrap() - S1 under the card's attested EXCHANGE key [use case step 16]
 * @s1:		KF_S1_SIZE random bytes, fresh for each offer
 * @wrapped:	RSA-OAEP, SHA-256, label H
 *
 * For programs that make S1 themselves; kf_md_wrap_session_key() is the same on a handle. Return: 0,
 * -EOPNOTSUPP the offer is for another method than rsa, which wraps nothing.
 */
int kf_session_key_wrap(const struct kf_verified_offer *offer,
			const uint8_t s1[KF_S1_SIZE], uint8_t **wrapped, size_t *len,
			struct kf_error *e);

/**
 * kf_md_import_session_key() - MDImportSessionKey [use case steps 22, 23]
 * @server:	borrowed, outlives the handle
 * @offer:	verified; borrowed, outlives the handle
 * @s1:		KF_S1_SIZE bytes, copied; NULL: fresh ones, which never leave the handle. Methods other
 *		than rsa make S1 of both sides' keys: NULL alone, else -EOPNOTSUPP
 * @len:	their number; 0 with NULL
 * @items:	how many items will be made with it: 1 to what the card attested
 * @out:	the handle; the caller ends it with kf_md_destroy_key()
 */
int kf_md_import_session_key(const struct kf_server *server,
			     const struct kf_verified_offer *offer, const void *s1, size_t len,
			     unsigned int items, struct kf_md_key **out, struct kf_error *e);
/* CardDestroyKey: wipes. */
struct kf_md_key *kf_md_destroy_key(struct kf_md_key *key);

/* The session key of the handle, wrapped for the card; method rsa alone, else -EOPNOTSUPP. */
int kf_md_wrap_session_key(const struct kf_md_key *key, uint8_t **wrapped, size_t *len,
			   struct kf_error *e);

/*
 * What the card has to be given to have the session key, too: by method rsa the wrapped one, by others
 * what docs/card-application.md 5.3 says, as in the cargo. It is public. Return: 0, -ENOMEM.
 */
int kf_md_session_input(const struct kf_md_key *key, uint8_t **input, size_t *len,
			struct kf_error *e);

/* CKP_CHAINING_MODE. Return: 0, -EOPNOTSUPP anything but %KF_CHAIN_CBC. */
int kf_md_set_chaining_mode(struct kf_md_key *key, uint32_t mode, struct kf_error *e);

/* CKP_INITIALIZATION_VECTOR: serves one item. @iv NULL: random. Return: 0, -EINVAL @len not 16. */
int kf_md_set_iv(struct kf_md_key *key, const void *iv, size_t len, struct kf_error *e);

/* CKP_BLOCK_LENGTH, bytes. */
size_t kf_md_block_length(const struct kf_md_key *key);

/**
 * kf_md_encrypt_data() - MDEncryptData [use case steps 24, 25]
 * @function:	%KF_FUNCTION_IMPORT_KEYPAIR, or of an AES key %KF_FUNCTION_IMPORT_SECRET
 * @pair:	what to seal
 * @item:	the whole item, DER (docs/formats.md 5): the next number of this handle
 *
 * IV and mode must have been set; the IV is used up. Without it: -EPROTO; and so is an item more
 * than the handle was imported for. Return: 0, -EOPNOTSUPP another function, or the card did not
 * attest this key type, -EACCES the target container is occupied and @pair does not say that it
 * replaces what it holds.
 */
int kf_md_encrypt_data(struct kf_md_key *key, enum kf_function function,
		       const struct kf_keypair *pair, uint8_t **item, size_t *len,
		       struct kf_error *e);

/**
 * kf_md_encrypt_pin() - MDEncryptData for CSF_CHANGE_AUTHENTICATOR and CSF_AUTHENTICATE
 * @order:	what to seal
 * @item:	as kf_md_encrypt_data()
 *
 * Return: 0, -EACCES the offer is not about PINs (%KF_CONTAINER_PINS), and as above.
 */
int kf_md_encrypt_pin(struct kf_md_key *key, const struct kf_pin_order *order, uint8_t **item,
		      size_t *len, struct kf_error *e);

/**
 * kf_md_encrypt_shared() - the card's key of a method, derived from the server's master
 * @method:	%KF_METHOD_SHARED or %KF_METHOD_DERIVED
 * @replaces:	mark of the key that it may replace, KF_DIGEST_SIZE bytes; NULL: the card has none
 * @item:	as kf_md_encrypt_data()
 *
 * It is another key than the one that kf_state_share() gives to makers, so nobody else ever had it, and what
 * comes under it is graded by the card alone.
 *
 * Return: 0, -EACCES the offer is not about SHARED keys (%KF_CONTAINER_SHARED), or there is no master; -ENOKEY it
 * is locked; -EINVAL another method; and as above.
 */
int kf_md_encrypt_shared(struct kf_md_key *key, enum kf_method method, const uint8_t *replaces,
			 uint8_t **item, size_t *len, struct kf_error *e);

/* The cargo file (docs/formats.md 8.3) of all items. Return: 0, -EPROTO items are missing. */
int kf_md_cargo(const struct kf_md_key *key, char **json, size_t *len, struct kf_error *e);

/*
 * The ticket (docs/formats.md 9): what receipts will be compared with. Durable before the cargo
 * leaves, and never given away. Return: 0, -EPROTO items are missing.
 */
int kf_md_ticket(const struct kf_md_key *key, char **json, size_t *len, struct kf_error *e);

/* --- archive --- */

/**
 * kf_archive_recipient_new() - who may open the archive
 * @cert:	RSA certificate, DER or PEM, at least 2048 bits, valid now, with keyEncipherment
 *		among its key usages
 * @root:	what its path ends in, DER or PEM; NULL: @cert has to be self-signed, and whoever
 *		names it vouches for it
 *
 * Return: 0, -EBADMSG not a certificate, -EACCES one of the rules.
 */
int kf_archive_recipient_new(const void *cert, size_t cert_len, const void *root, size_t root_len,
			     struct kf_archive_recipient **out, struct kf_error *e);
struct kf_archive_recipient *kf_archive_recipient_free(struct kf_archive_recipient *recipient);

/**
 * kf_archive_seal() - the key for safekeeping, as CMS (docs/formats.md 9)
 * @allow_signing_key: a copy of a key that only signs makes its signatures deniable: refused
 *		unless this is set
 * @der:	CMS AuthEnvelopedData; the caller makes it durable before it lets a cargo go
 *
 * Return: 0, -EACCES a signing key.
 */
int kf_archive_seal(const struct kf_archive_recipient *recipient,
		    const struct kf_verified_offer *offer, const struct kf_keypair *pair,
		    int allow_signing_key, uint8_t **der, size_t *len, struct kf_error *e);

/* --- receipt --- */

/**
 * kf_receipt_verify() - prove what a card installed
 * @ticket:	what kf_md_ticket() gave
 * @json:	the receipt file (docs/formats.md 8.4)
 *
 * Every receipt is signed by the card of the ticket, and every field of it equals the ticket.
 *
 * Return: 0 all items are proved, -ENODATA those that are there are right but some are missing
 * (@out is written), -EBADMSG, -EACCES something differs or a signature does not hold.
 */
int kf_receipt_verify(const void *ticket, size_t ticket_len, const void *json, size_t len,
		      struct kf_receipt_report **out, struct kf_error *e);
/* Session id an (unverified) receipt file claims, to find its ticket. Return: 0, -EBADMSG. */
int kf_receipt_peek(const void *json, size_t len, uint8_t sid[KF_SID_SIZE], struct kf_error *e);
struct kf_receipt_report *kf_receipt_report_free(struct kf_receipt_report *report);

const char *kf_receipt_report_serial(const struct kf_receipt_report *report);
/* The grade of a key is proved only for proved items. */
enum kf_grade kf_receipt_report_grade(const struct kf_receipt_report *report);
/* Items of the ticket, and how many of them are proved. */
unsigned int kf_receipt_report_items(const struct kf_receipt_report *report);
unsigned int kf_receipt_report_proved(const struct kf_receipt_report *report);
/* Item @i, counted from 0. What it was for, and the PIN it was about or that its key needs; 0: none. */
enum kf_function kf_receipt_report_item_function(const struct kf_receipt_report *report,
						 unsigned int i);
unsigned int kf_receipt_report_item_pin(const struct kf_receipt_report *report, unsigned int i);
/* What a key is and may do, as the ticket has it and a proved receipt repeats; none of an order about PINs. */
enum kf_key_type kf_receipt_report_item_type(const struct kf_receipt_report *report, unsigned int i);
enum kf_purpose kf_receipt_report_item_purpose(const struct kf_receipt_report *report,
					       unsigned int i);
/* Advisory: seconds since 1970; 0: none. */
int64_t kf_receipt_report_item_not_after(const struct kf_receipt_report *report, unsigned int i);
/* Tries the PIN of a proved order has afterwards. */
unsigned int kf_receipt_report_item_tries(const struct kf_receipt_report *report, unsigned int i);
/* Hash of the key it holds: KF_DIGEST_SIZE bytes, borrowed; NULL: it was about a PIN. */
int kf_receipt_report_item_is_proved(const struct kf_receipt_report *report, unsigned int i);
unsigned int kf_receipt_report_item_container(const struct kf_receipt_report *report,
					      unsigned int i);
const uint8_t *kf_receipt_report_item_key(const struct kf_receipt_report *report, unsigned int i);
/* The public key the card computed, DER; NULL if not proved, or of an AES key. Borrowed. */
const uint8_t *kf_receipt_report_item_public(const struct kf_receipt_report *report,
					     unsigned int i, size_t *len);
/* Whether the card checked an injector signature on it. */
int kf_receipt_report_item_is_signed(const struct kf_receipt_report *report, unsigned int i);

/* --- the state directory: nonces spent once, tickets kept --- */

/**
 * kf_state_init() - a new directory with a fresh injector key
 * @dir:	created with mode 0700, or empty and already of that mode and ours
 * @passphrase:	encrypts the injector key and the master of SHARED keys; NULL: the files' mode alone
 *		protects them
 *
 * Return: 0, -EEXIST there is a state already, -EACCES the directory is open to others.
 */
int kf_state_init(const char *dir, const void *passphrase, size_t passphrase_len,
		  struct kf_error *e);

/**
 * kf_state_open() - open it, and hold its lock until kf_state_close()
 * @passphrase:	of the injector key; NULL if there is none, or it is not going to be used
 *
 * Waits for another process that holds the lock. Without its passphrase the state opens, but
 * kf_state_server() has no sender and no master of SHARED keys, and kf_state_offer() and kf_state_share()
 * answer -ENOKEY. A master that is elsewhere wants its keeper, see kf_state_master_place().
 *
 * Return: 0, -ENOENT no state there, -EACCES open to others, -EKEYREJECTED wrong passphrase,
 * -EBADMSG damaged.
 */
int kf_state_open(const char *dir, const void *passphrase, size_t passphrase_len,
		  struct kf_state **out, struct kf_error *e);
struct kf_state *kf_state_close(struct kf_state *state);

/* Whether the injector key is encrypted; for asking before kf_state_open(). 1, 0, -errno. */
int kf_state_needs_passphrase(const char *dir, struct kf_error *e);

/**
 * kf_state_share() - the SHARED keys of one card, for its maker
 * @serial:	the card they are for
 * @path:	a new file, mode 0600 (docs/formats.md 9); a secret, to be deleted once the card has it
 *
 * The first call makes the state's master, under the state's passphrase if it has one, unless it is a keeper's. Return: 0,
 * -EEXIST there is such a file, -EINVAL not a serial, -ENOKEY the state was opened without its
 * passphrase.
 */
int kf_state_share(struct kf_state *state, const char *serial, const char *path,
		   struct kf_error *e);

/**
 * struct kf_master_place - where a state's master is, if not in the state: names for a keeper
 * @size:	of the struct the caller knows
 * @module:	file of the PKCS #11 module, its whole path
 * @token:	the token's label
 * @label:	of the key, NULL: by @id alone
 * @id:		CKA_ID of @id_len bytes, 64 at most, NULL: by @label alone
 */
struct kf_master_place {
	size_t size;
	const char *module, *token, *label;
	const uint8_t *id;
	size_t id_len;
};

/**
 * kf_state_move_master() - from now on the state's master is a keeper's
 * @place:	what the state remembers, for whoever makes a keeper the next time
 * @keeper:	asked for the master's check value, and set as by kf_server_set_master_keeper()
 *
 * A master that the state has already must be the same one, since cards have keys of it; its file is then
 * removed. Return: 0, -EINVAL, -EEXIST the state has another master, -ENOKEY it has one that is locked, and
 * as the keeper.
 */
int kf_state_move_master(struct kf_state *state, const struct kf_master_place *place,
			 const struct kf_master_keeper *keeper, struct kf_error *e);

/*
 * Where the master is; borrowed from @state; @out->size is the caller's. Until a keeper is set, what needs the master
 * answers -ENOKEY; one with another key -EACCES. Return: 0, -ENOENT it is not elsewhere, -EINVAL another size.
 */
int kf_state_master_place(const struct kf_state *state, struct kf_master_place *out);

/*
 * kf_server_set_methods() on the state's context, and from now on whenever it is opened. Return: as
 * that, and what writing failed with.
 */
int kf_state_set_methods(struct kf_state *state, const uint8_t *methods, size_t n,
			 struct kf_error *e);

/* Its context, borrowed, for policy. */
struct kf_server *kf_state_server(struct kf_state *state);

/**
 * kf_state_enroll() - remember a card
 * @allow_virtual: also remembered: offers of this card are accepted though it is virtual
 *
 * Enrolling the same certificate again replaces root, list and permission. Return: as
 * kf_enrolled_new(), -EEXIST another certificate with this serial is enrolled.
 */
int kf_state_enroll(struct kf_state *state, const void *cert, size_t cert_len, const void *root,
		    size_t root_len, const void *crl, size_t crl_len, int allow_virtual,
		    struct kf_error *e);

/**
 * kf_state_set_crl() - a newer revocation list for all cards of the root that issued it
 * @n_cards:	how many got it
 *
 * A list older than the one there is refused. Return: 0, -EBADMSG, -EACCES, -ENOENT no such root.
 */
int kf_state_set_crl(struct kf_state *state, const void *crl, size_t crl_len,
		     unsigned int *n_cards, struct kf_error *e);

/* The card with this serial or fingerprint. Return: 0, -ENOENT, and as kf_enrolled_new(). */
int kf_state_card(struct kf_state *state, const char *name, struct kf_enrolled **out,
		  struct kf_error *e);

/**
 * kf_state_each_card() - visit all enrolled cards, by serial
 * @visit:	called with serial, fingerprint, whether virtual, and 0 or the negative errno with
 *		which the certificate is refused today; must not call functions on @state;
 *		anything but 0 ends the visit and is returned
 */
int kf_state_each_card(struct kf_state *state,
		       int (*visit)(void *arg, const char *serial, const char *fingerprint,
				    int is_virtual, int refused),
		       void *arg, struct kf_error *e);

/**
 * kf_state_challenge() - a challenge, its nonce remembered for this card
 * @card:	serial or fingerprint
 * @ttl:	seconds it is good for, 1 to 30 days
 */
int kf_state_challenge(struct kf_state *state, const char *card, int64_t ttl, char **json,
		       size_t *len, struct kf_error *e);

/**
 * kf_state_offer() - verify an offer against the card its nonce was issued for
 * @card:	serial or fingerprint that this must be; NULL: the nonce's card is the named one
 * @any_genuine: accept any card under an enrolled root instead; recorded in the ticket
 *
 * Spends nothing. Return: as kf_offer_verify(), -EACCES also for a nonce never issued, expired,
 * or used before; -ENOKEY the card wants signed items and the injector key is locked.
 */
int kf_state_offer(struct kf_state *state, const char *card, int any_genuine, const void *json,
		   size_t len, struct kf_verified_offer **out, struct kf_error *e);

/**
 * struct kf_shared_order - one SHARED key to load, as kf_md_encrypt_shared()
 */
struct kf_shared_order {
	enum kf_method method;
	const uint8_t *replaces;
};

/**
 * struct kf_seal_request - start from { .size = sizeof(struct kf_seal_request) }
 * @size:	of the struct the caller knows
 * @offer:	from kf_state_offer() of the same state
 * @pair:	the key; NULL: @pin_order or @pairs
 * @recipient:	archive it for; NULL: no archive
 * @archive_path: where; must not exist. Of a batch a folder that does: item i goes to i.cms in it
 * @archive_signing_key: as kf_archive_seal()
 * @pin_order:	in place of a key; never archived
 * @pairs:	a batch in place of one key: @n_pairs of them, each with its container
 * @shared:	in place of keys: @n_shared SHARED keys. A state without a master gets one; never archived
 */
struct kf_seal_request {
	size_t size;
	const struct kf_verified_offer *offer;
	const struct kf_keypair *pair;
	const struct kf_archive_recipient *recipient;
	const char *archive_path;
	int archive_signing_key;
	const struct kf_pin_order *pin_order;
	const struct kf_keypair *const *pairs;
	size_t n_pairs;
	const struct kf_shared_order *shared;
	size_t n_shared;
};

/**
 * kf_state_seal() - seal, in the one order in which nothing is lost or used twice
 *
 * Everything that can fail is tried first; then the nonce is spent (durable), the archive written
 * (durable), the ticket kept (durable); only then a cargo exists. After a failure in between, the
 * nonce stays spent: ask for a new offer.
 *
 * Return: 0, -EACCES the nonce was spent meanwhile, -EEXIST an archive exists, and as
 * kf_md_encrypt_data(), kf_archive_seal().
 */
int kf_state_seal(struct kf_state *state, const struct kf_seal_request *request, char **cargo,
		  size_t *len, struct kf_error *e);

/**
 * kf_state_receipt() - verify a receipt against its ticket
 * @card:	serial or fingerprint that this must be; NULL: the ticket's card is the named one
 *
 * The card must not have been revoked. Return: as kf_receipt_verify(), -ENOENT there is no ticket:
 * no such cargo was sealed here.
 */
int kf_state_receipt(struct kf_state *state, const char *card, const void *json, size_t len,
		     struct kf_receipt_report **out, struct kf_error *e);

/* --- SmartCard-HSM: whose device key that is (docs/formats.md 16) --- */

struct kf_hsm;

/**
 * kf_hsm_new() - take a SmartCard-HSM's certificates, after checking them
 * @server:	for its policy; borrowed during the call
 * @chain:	what the card has in EF.C_DevAut: its own card-verifiable certificate [BSI TR-03110] and behind it
 *		its issuer's
 * @root:	the maker's root, self-signed, of the same kind
 *
 * Each signature, name and role up to the root, and that they are valid now. A card whose certificates say
 * that it is virtual, or whose device key is that of an emulator and known to everybody, is refused unless
 * kf_server_allow_virtual(). There are no revocation lists for such certificates.
 *
 * Return: 0, -EBADMSG not such certificates, -EACCES one of the rules.
 */
int kf_hsm_new(const struct kf_server *server, const void *chain, size_t chain_len, const void *root,
	       size_t root_len, struct kf_hsm **out, struct kf_error *e);
struct kf_hsm *kf_hsm_free(struct kf_hsm *hsm);

/* The holder's reference without the five characters that number its certificates. */
const char *kf_hsm_serial(const struct kf_hsm *hsm);
/* SHA-256 of the card's own certificate, 64 lower-case hexadecimal digits. */
const char *kf_hsm_fingerprint(const struct kf_hsm *hsm);
int kf_hsm_is_virtual(const struct kf_hsm *hsm);
/* What a key is worth that it made, and that never left it: %KF_GRADE_A or %KF_GRADE_A_VIRTUAL. */
enum kf_grade kf_hsm_grade(const struct kf_hsm *hsm);

/**
 * kf_hsm_attests() - whether the card says that it made a key itself
 * @voucher:	what kf_voucher_read() of libkeyferry gave
 * @spki:	the key's SubjectPublicKeyInfo, DER
 *
 * Proves where the key was made. The card does not say whether the key may be wrapped out, nor whether it was:
 * one that may, and was taken elsewhere or back, has the same voucher.
 *
 * Return: 0; -EBADMSG no voucher; -EACCES another card's, or a signature does not hold; -EOPNOTSUPP a kind of
 * key that cannot be named so.
 */
int kf_hsm_attests(const struct kf_hsm *hsm, const void *voucher, size_t voucher_len, uint8_t **spki,
		   size_t *len, struct kf_error *e);

/**
 * kf_state_hsm_enroll() - remember a SmartCard-HSM
 * @allow_virtual: also remembered: what this card signs counts although it is virtual
 *
 * Enrolling the same certificate again replaces issuer, root and permission. Return: as kf_hsm_new(), -EEXIST
 * another certificate with this serial is enrolled.
 */
int kf_state_hsm_enroll(struct kf_state *state, const void *chain, size_t chain_len, const void *root,
			size_t root_len, int allow_virtual, struct kf_error *e);

/* The card with this serial or fingerprint. Return: 0, -ENOENT, and as kf_hsm_new(). */
int kf_state_hsm(struct kf_state *state, const char *name, struct kf_hsm **out, struct kf_error *e);

/* What it signs counts no more, from now on. Return: 0, -ENOENT. */
int kf_state_hsm_forget(struct kf_state *state, const char *name, struct kf_error *e);

/* kf_state_each_card() of the SmartCard-HSMs. */
int kf_state_each_hsm(struct kf_state *state,
		      int (*visit)(void *arg, const char *serial, const char *fingerprint,
				   int is_virtual, int refused),
		      void *arg, struct kf_error *e);

/* --- SmartCard-HSM: a key for every card with one DKEK (docs/formats.md 15), no offer and no nonce --- */

struct kf_fleet;
struct kf_fleet_proof;

#define KF_FLEET_CHECK_SIZE 8
#define KF_FLEET_SHARE_SIZE 32

/* A DKEK without a share yet. Return: 0, -ENOMEM. */
int kf_fleet_new(struct kf_fleet **out, struct kf_error *e);
struct kf_fleet *kf_fleet_free(struct kf_fleet *fleet);

/**
 * kf_fleet_add_share() - one share of the DKEK, or all of it
 * @share:	%KF_FLEET_SHARE_SIZE bytes, copied into locked memory
 *
 * The DKEK is the XOR of its shares, in any order. Return: 0, -EINVAL another length.
 */
int kf_fleet_add_share(struct kf_fleet *fleet, const void *share, size_t len, struct kf_error *e);

/**
 * struct kf_fleet_share_file - start from { .size = sizeof(struct kf_fleet_share_file) }
 * @size:	of the struct the caller knows
 * @file:	what sc-hsm-tool --create-dkek-share wrote, of @file_len bytes
 * @password:	of @password_len bytes
 * @progress:	called a hundred times with 1 to 100; NULL: nobody asks
 * @arg:	for @progress
 */
struct kf_fleet_share_file {
	size_t size;
	const void *file;
	size_t file_len;
	const void *password;
	size_t password_len;
	void (*progress)(void *arg, unsigned int percent);
	void *arg;
};

/*
 * The same from a password-protected file, which takes some ten seconds. Return: 0, -EBADMSG no share
 * file, -EKEYREJECTED the password is wrong.
 */
int kf_fleet_add_share_file(struct kf_fleet *fleet, const struct kf_fleet_share_file *file,
			    struct kf_error *e);

/*
 * Says that a process on a host saw shares on their way to the cards: grade C (SECURITY section 5). A state that
 * wraps a key under it remembers that of the DKEK.
 */
void kf_fleet_set_on_host(struct kf_fleet *fleet, int on_host);

/* SHA-256 of the DKEK, %KF_FLEET_CHECK_SIZE bytes of it, borrowed; NULL: no share yet. */
const uint8_t *kf_fleet_check_value(const struct kf_fleet *fleet);

/*
 * Of a key wrapped under it: %KF_GRADE_C if a host saw a share or the DKEK stands in a document, else
 * %KF_GRADE_U, because nobody attests how the cards came by it. kf_state_fleet_grade() knows more.
 */
enum kf_grade kf_fleet_grade(const struct kf_fleet *fleet);

/**
 * struct kf_dkek_note - start from { .size = sizeof(struct kf_dkek_note) }
 * @size:	of the struct the caller knows
 * @check_value: which DKEK, %KF_FLEET_CHECK_SIZE bytes
 * @on_host:	a process on a host has seen one of its shares, on the way to whichever card
 * @complete:	the caller vouches that there was no way besides those that are noted, now and before
 * @serial:	a card that got all shares; NULL: none to note
 * @grade:	of the way by which @serial got them
 */
struct kf_dkek_note {
	size_t size;
	const uint8_t *check_value;
	int on_host;
	int complete;
	const char *serial;
	enum kf_grade grade;
};

/**
 * kf_state_dkek_note() - remember how shares of a DKEK came to a card
 *
 * Notes are added, and none takes back another: a host has seen a share for good, and of two ways to one card
 * the lower counts. Return: 0, -EINVAL, -ENOSPC a thousand cards are noted.
 */
int kf_state_dkek_note(struct kf_state *state, const struct kf_dkek_note *note, struct kf_error *e);

/*
 * Of a key that is wrapped now, by what is noted of its DKEK: %KF_GRADE_C if a host saw a share or the DKEK
 * stands in a document; %KF_GRADE_U unless the notes are complete and there is a card; else the lowest of all
 * ways. Return: 0, -EBADMSG damaged.
 */
int kf_state_fleet_grade(struct kf_state *state, const struct kf_fleet *fleet, enum kf_grade *out,
			 struct kf_error *e);

/**
 * struct kf_dkek_facts - what is noted of a DKEK, in kf_state_each_dkek()
 * @check_value: %KF_FLEET_CHECK_SIZE bytes, borrowed
 * @n_cards:	that got all shares
 * @grade:	of a key wrapped under it
 */
struct kf_dkek_facts {
	const uint8_t *check_value;
	int on_host;
	int complete;
	size_t n_cards;
	enum kf_grade grade;
};

/* Visits all that are noted, by check value; anything but 0 from @visit ends it and is returned. */
int kf_state_each_dkek(struct kf_state *state,
		       int (*visit)(void *arg, const struct kf_dkek_facts *facts), void *arg,
		       struct kf_error *e);

/**
 * struct kf_fleet_seal - start from { .size = sizeof(struct kf_fleet_seal) }
 * @size:	of the struct the caller knows
 * @fleet:	with all its shares
 * @pair:	the key, with its purpose; its policy is not sent, no such card enforces one
 * @secret:	an AES key in its place, of @secret_len bytes: 16, 24 or 32
 * @container:	key id on the card, 1 to 253
 * @algorithms:	what the card shall let the key do, @n_algorithms bytes as P2 of its commands; NULL: what the
 *		purpose needs, without WRAP
 * @allow_rewrap: takes an empty list or one with WRAP, too
 * @serial:	the card; NULL: any of the fleet. Our own client alone looks at it
 * @label:	what to call the key; NULL: nothing
 * @cert:	X.509 of the key, DER or PEM, to lie beside it; NULL: none
 * @recipient, @archive_path, @archive_signing_key: as struct kf_seal_request, of a pair
 */
struct kf_fleet_seal {
	size_t size;
	const struct kf_fleet *fleet;
	const struct kf_keypair *pair;
	const void *secret;
	size_t secret_len;
	unsigned int container;
	const uint8_t *algorithms;
	size_t n_algorithms;
	int allow_rewrap;
	const char *serial;
	const char *label;
	const void *cert;
	size_t cert_len;
	const struct kf_archive_recipient *recipient;
	const char *archive_path;
	int archive_signing_key;
};

/**
 * kf_state_fleet_seal() - wrap a key under a DKEK
 * @cargo:	the cargo file
 *
 * The blob opens on every card that has the DKEK, for ever, and is bound to nothing: not to the card, the
 * container, a PIN or this cargo. The ticket is kept (durable) before there is a cargo, the archive before
 * that.
 *
 * Return: 0, -EACCES the list lets the key be wrapped again, or shares cancel each other out; -EEXIST
 * @archive_path exists; -EINVAL, -EOPNOTSUPP.
 */
int kf_state_fleet_seal(struct kf_state *state, const struct kf_fleet_seal *request, char **cargo,
			size_t *len, struct kf_error *e);

/**
 * struct kf_fleet_adopt - start from { .size = sizeof(struct kf_fleet_adopt) }
 * @size:	of the struct the caller knows
 * @blob:	a key pair that a SmartCard-HSM has wrapped, of @blob_len bytes; it stays closed
 * @cert:	what says which public key that is, of @cert_len bytes, DER: X.509, a card-verifiable
 *		certificate, or a request for one with or without a device's signature round it
 * @purpose:	%KF_PURPOSE_NONE: signing, if the blob's list allows it, else whatever it does allow
 * @container, @allow_rewrap, @serial, @label: as struct kf_fleet_seal
 */
struct kf_fleet_adopt {
	size_t size;
	const void *blob;
	size_t blob_len;
	const void *cert;
	size_t cert_len;
	enum kf_purpose purpose;
	unsigned int container;
	int allow_rewrap;
	const char *serial;
	const char *label;
};

/**
 * kf_state_fleet_adopt() - make a cargo of a key that somebody else has wrapped
 * @cargo:	the cargo file; its ticket is kept (durable) before
 *
 * Needs no DKEK, and believes nothing: only an answer by the key whose public half @cert names is taken for a
 * receipt. Return: 0; -EACCES the list lets the key be wrapped again; -EBADMSG blob or @cert; -EINVAL,
 * -EOPNOTSUPP an AES key, which only who has it can prove.
 */
int kf_state_fleet_adopt(struct kf_state *state, const struct kf_fleet_adopt *request, char **cargo,
			 size_t *len, struct kf_error *e);

/**
 * kf_state_fleet_receipt() - whether the key answered the challenge of its cargo
 * @out:	what is proved, to kf_fleet_proof_free()
 *
 * Proves that somebody with the key has answered; not which card, for the card signs nothing.
 *
 * Return: 0; -EACCES it is no answer of that key; -ENODATA the key may do nothing that proves it; -ENOENT
 * no such cargo was sealed here; -EBADMSG.
 */
int kf_state_fleet_receipt(struct kf_state *state, const void *json, size_t len,
			   struct kf_fleet_proof **out, struct kf_error *e);
struct kf_fleet_proof *kf_fleet_proof_free(struct kf_fleet_proof *proof);

enum kf_fleet_proof_fact {
	KF_FLEET_PROOF_TYPE = 1,	/* enum kf_key_type */
	KF_FLEET_PROOF_PURPOSE = 2,	/* enum kf_purpose */
	KF_FLEET_PROOF_CONTAINER = 3,	/* as the client says */
	KF_FLEET_PROOF_GRADE = 4,	/* enum kf_grade */
};

/* 0 for a fact that is none. */
uint32_t kf_fleet_proof_value(const struct kf_fleet_proof *proof, enum kf_fleet_proof_fact fact);
/* The card, as the client says, borrowed; NULL: it did not. */
const char *kf_fleet_proof_serial(const struct kf_fleet_proof *proof);
/* SubjectPublicKeyInfo, DER, borrowed; NULL: an AES key. */
const uint8_t *kf_fleet_proof_public(const struct kf_fleet_proof *proof, size_t *len);

/* --- SmartCard-HSM: a channel that ends in card and server (docs/cards/schsm.md, "Through a channel") --- */

struct kf_channel;

#define KF_CHANNEL_ANSWER_MAX 258	/* data and status word of one command */

/**
 * kf_channel_new() - a channel that goes nowhere yet
 * @out:	the channel; the caller frees it
 *
 * It has no way to a card of its own: it gives out commands and takes answers, round by round, which
 * somebody carries (docs/formats.md 14), and believes nothing that the card did not say for it.
 *
 *	roots, device -> orders -> (next -> commands out, answers in) until next says that it is over
 *
 * Return: 0, -ENOMEM.
 */
int kf_channel_new(struct kf_channel **out, struct kf_error *e);
/* Wipes. */
struct kf_channel *kf_channel_free(struct kf_channel *channel);

/**
 * kf_channel_add_root() - one that the card's device certificate may end in
 * @cvc:	self-signed card-verifiable certificate [TR-03110-3 C], DER; 8 of them at most
 *
 * Return: 0, -EBADMSG it is none, -EINVAL one too many.
 */
int kf_channel_add_root(struct kf_channel *channel, const void *cvc, size_t len, struct kf_error *e);

/*
 * The card it has to be: its serial, as clients show it. NULL: any whose device certificate ends in one of the
 * roots, which the caller says on purpose. One or the other is needed. Return: 0, -EINVAL.
 */
int kf_channel_set_device(struct kf_channel *channel, const char *serial, struct kf_error *e);

/*
 * The card it has to be, and its root, as enrolled: its device certificate byte for byte, and virtual if that was allowed
 * then. In place of both functions above. Return: 0, -EINVAL there are roots enough.
 */
int kf_channel_set_enrolled(struct kf_channel *channel, const struct kf_hsm *hsm, struct kf_error *e);

/* Whether a virtual card, or one whose device key everybody knows, is accepted; default no. */
void kf_channel_allow_virtual(struct kf_channel *channel, int allow);
/* Whether the last try of a PIN may be spent; default no. */
void kf_channel_allow_last_try(struct kf_channel *channel, int allow);
/* When certificates have to be good, seconds since 1970; 0, as at first: now. */
void kf_channel_set_time(struct kf_channel *channel, int64_t now);

/**
 * kf_channel_pin_reset() - order: a new user PIN with all its tries, by the SO-PIN
 * @so_pin:	8 bytes, or 16 hexadecimal digits for them
 * @fresh:	6 to 15 bytes
 *
 * Orders are carried out one after the other, four at most, in the channel that the first round begins. What is
 * secret in them is copied into locked memory, and wiped as soon as it is protected.
 *
 * Return: 0, -EINVAL a length that no card takes, -EPROTO the channel is on its way already.
 */
int kf_channel_pin_reset(struct kf_channel *channel, const void *so_pin, size_t so_pin_len,
			 const void *fresh, size_t fresh_len, struct kf_error *e);

/*
 * Order: another value for %KF_PIN_USER or %KF_PIN_PUK (the SO-PIN) by whoever knows the old one. Return:
 * likewise.
 */
int kf_channel_pin_change(struct kf_channel *channel, unsigned int pin, const void *old, size_t old_len,
			  const void *fresh, size_t fresh_len, struct kf_error *e);

/**
 * struct kf_channel_shares - start from { .size = sizeof(struct kf_channel_shares) }
 * @size:	of the struct the caller knows
 * @domain:	key domain of the card
 * @shares:	@n times %KF_FLEET_SHARE_SIZE bytes, 16 shares at most
 * @pin:	user PIN, verified in the channel before, of @pin_len bytes; NULL: the card wants none
 */
struct kf_channel_shares {
	size_t size;
	unsigned int domain;
	const void *shares;
	size_t n;
	const void *pin;
	size_t pin_len;
};

/*
 * Order: shares of the card's DKEK. None is sent unless so many are outstanding. If they are all of them, the check
 * value that the card then tells has to be theirs. Return: 0, -EINVAL, -EPROTO.
 */
int kf_channel_dkek_import(struct kf_channel *channel, const struct kf_channel_shares *shares,
			   struct kf_error *e);

/**
 * struct kf_channel_unwrap - start from { .size = sizeof(struct kf_channel_unwrap) }
 * @size:	of the struct the caller knows
 * @file:	a wrapped key, bare or as sc-hsm-tool --wrap-key writes it, of @file_len bytes
 * @container:	where to, 1 to 253; nothing is replaced
 * @key_type, @purpose: what to write beside the key; NONE: what @file or @cert says, or what such keys do
 *		first. A bare one without @cert needs a type
 * @label:	what to call it; NULL: as @file says
 * @cert:	X.509 of the key to lie beside it, DER or PEM, of @cert_len bytes; NULL: what @file has
 * @allow_rewrap: takes a key that may be wrapped out again, too
 * @pin:	user PIN, of @pin_len bytes
 */
struct kf_channel_unwrap {
	size_t size;
	const void *file;
	size_t file_len;
	unsigned int container;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	const char *label;
	const void *cert;
	size_t cert_len;
	int allow_rewrap;
	const void *pin;
	size_t pin_len;
};

/*
 * Order: a key out of a blob. Return: 0, -EBADMSG @file or @cert, -EACCES the key might be wrapped out again, or
 * @cert is of another kind of key, -EINVAL, -EPROTO.
 */
int kf_channel_unwrap(struct kf_channel *channel, const struct kf_channel_unwrap *unwrap,
		      struct kf_error *e);

enum kf_channel_outcome {
	KF_CHANNEL_OPEN = 0,		/* it is not over */
	KF_CHANNEL_DONE = 1,		/* the card has proved that it did everything */
	KF_CHANNEL_REFUSED = 2,		/* it did not; what came before the command that failed stands */
	KF_CHANNEL_INDETERMINATE = 3,	/* nobody knows: the card has to be asked */
};

/**
 * kf_channel_next() - judge a round's answers and make the next one
 *
 * Answers that have not come by now do not come. Return: 1 there are commands; 0 all is done; -EACCES the card is not
 * who it has to be; -EPERM, -EKEYREJECTED, -EKEYREVOKED a PIN; -EEXIST, -ENOENT, -ENOSPC, -EREMOTEIO what the card said,
 * in words; -EBADMSG an answer that the card did not make, or that is missing; -ENODATA the same of one that matters:
 * the outcome is indeterminate. After any of these it is over.
 */
int kf_channel_next(struct kf_channel *channel, struct kf_error *e);

/* Commands of this round, in the order in which they have to reach the card, one after the other. */
size_t kf_channel_commands(const struct kf_channel *channel);
/*
 * Number @i from 0, a whole APDU with short lengths, borrowed; in @expect and @mask the status word that it has to
 * end with, and the bits of it that matter: after another one no more of the round is sent. NULL: there is none.
 */
const uint8_t *kf_channel_command(const struct kf_channel *channel, size_t i, size_t *len,
				  uint16_t *expect, uint16_t *mask);
/* Whether the round ends the channel, whatever comes of it. */
int kf_channel_is_last(const struct kf_channel *channel);

/*
 * The answer to the next command of the round: data and status word, as they came. Return: 0; -EPROTO there is no such
 * command; -EBADMSG, -ENODATA as kf_channel_next(), and then it is over.
 */
int kf_channel_answer(struct kf_channel *channel, const void *response, size_t len, struct kf_error *e);

/*
 * Whoever carried the commands is gone, and @e may have the words why. Return: its code, -EBADMSG without; -ENODATA if
 * one of the commands that were given out matters.
 */
int kf_channel_lost(struct kf_channel *channel, struct kf_error *e);

enum kf_channel_outcome kf_channel_outcome(const struct kf_channel *channel);

enum kf_channel_fact {
	KF_CHANNEL_TRIES_LEFT = 1,	/* of the PIN that was to prove it, before; %KF_TRIES_UNKNOWN */
	KF_CHANNEL_STATUS = 2,		/* last status word that the card proved */
	KF_CHANNEL_SHARES = 3,		/* of the DKEK */
	KF_CHANNEL_OUTSTANDING = 4,	/* of them, after what was done */
	KF_CHANNEL_CONTAINER = 5,	/* that a key went into */
	KF_CHANNEL_KEY_TYPE = 6,	/* enum kf_key_type */
	KF_CHANNEL_PURPOSE = 7,		/* enum kf_purpose */
	KF_CHANNEL_VIRTUAL = 8,		/* the card is none, or its device key is known to everybody */
	KF_CHANNEL_WHOLE = 9,		/* 1: the card got all shares of its DKEK by this channel, and proved it */
};

/* 0 for a fact that is none. */
uint32_t kf_channel_value(const struct kf_channel *channel, enum kf_channel_fact fact);
/* Of the DKEK, as the card told it in the channel, %KF_FLEET_CHECK_SIZE bytes, borrowed; NULL: it did not. */
const uint8_t *kf_channel_check_value(const struct kf_channel *channel);
/* The card, by its verified device certificate, borrowed; NULL: none has been verified. */
const char *kf_channel_serial(const struct kf_channel *channel);
/* SHA-256 of that certificate, 64 lower-case hexadecimal digits, borrowed; NULL likewise. */
const char *kf_channel_fingerprint(const struct kf_channel *channel);

/*
 * Of what went through the channel: %KF_GRADE_B or %KF_GRADE_B_VIRTUAL, %KF_GRADE_C if the card's device key is known to
 * everybody. Of a key that was unwrapped the lowest of that and of its DKEK's: %KF_GRADE_U unless the whole DKEK came
 * by this channel.
 */
enum kf_grade kf_channel_grade(const struct kf_channel *channel);

/* --- Bring Your Own Key, the sender's half (docs/byok.md): no card and no state --- */

struct kf_byok;
struct kf_byok_kek;
struct kf_byok_target;
struct kf_byok_proof;

#define KF_BYOK_NAMED_HASHES 0x1u	/* header.enc may name an OAEP hash other than SHA-1 */

/**
 * kf_byok_parse() - a .byok file
 * @flags:	%KF_BYOK_NAMED_HASHES or 0
 *
 * Strict, and what is refused is called by its name (docs/byok.md 2). Nothing in the file is
 * authenticated. Return: 0, -EBADMSG, -EINVAL an unknown flag.
 */
int kf_byok_parse(const void *json, size_t len, unsigned int flags, struct kf_byok **out,
		  struct kf_error *e);
struct kf_byok *kf_byok_free(struct kf_byok *byok);

const char *kf_byok_kid(const struct kf_byok *byok);
enum kf_hash kf_byok_hash(const struct kf_byok *byok);
/* Text for people, UTF-8, from outside; NULL: the file has none. */
const char *kf_byok_generator(const struct kf_byok *byok);
/* How many members nobody knows it has. */
size_t kf_byok_ignored(const struct kf_byok *byok);
/* The wrapped key, borrowed. */
const uint8_t *kf_byok_blob(const struct kf_byok *byok, size_t *len);

/**
 * kf_byok_kek_new() - the public half of the receiver's key-encryption key
 * @key:	SubjectPublicKeyInfo of RSA 2048, 3072 or 4096 with an exponent from 65537; PEM or DER
 *
 * It is not trusted yet. Return: 0, -EBADMSG, -EINVAL a key, and not such a one.
 */
int kf_byok_kek_new(const void *key, size_t len, struct kf_byok_kek **out, struct kf_error *e);
struct kf_byok_kek *kf_byok_kek_free(struct kf_byok_kek *kek);

enum kf_key_type kf_byok_kek_type(const struct kf_byok_kek *kek);
/* Its SubjectPublicKeyInfo, DER, borrowed, and the SHA-256 of it, KF_DIGEST_SIZE bytes. */
const uint8_t *kf_byok_kek_public(const struct kf_byok_kek *kek, size_t *len);
const uint8_t *kf_byok_kek_hash(const struct kf_byok_kek *kek);

/* Trusts it if @hash, which came by another way than the key, is its. Return: 0, -EACCES. */
int kf_byok_kek_expect(struct kf_byok_kek *kek, const uint8_t hash[KF_DIGEST_SIZE],
		       struct kf_error *e);

/**
 * struct kf_byok_attestation - a card's word for a KEK, and what makes it believed
 * @size:	of the struct the caller knows
 * @json:	the attestation file (docs/formats.md 8.5), of @len bytes
 * @root:	the card maker's root certificate, DER or PEM
 * @crl:	its revocation list, DER or PEM; NULL: none is checked
 * @device:	the card it has to be, by serial or fingerprint
 */
struct kf_byok_attestation {
	size_t size;
	const void *json;
	size_t len;
	const void *root;
	size_t root_len;
	const void *crl;
	size_t crl_len;
	const char *device;
};

/**
 * kf_byok_kek_attest() - trust it because a card we know says that it is its own
 * @server:	whether that card may be virtual; borrowed during the call
 *
 * The certificate in the file passes all of kf_enrolled_new() and is of @device, the statement is
 * signed by it and is of this key, and the key was made on the card. From then on only what the card
 * does with this KEK is planned: its hash, its key types.
 *
 * Return: 0, -EBADMSG, -EACCES.
 */
int kf_byok_kek_attest(struct kf_byok_kek *kek, const struct kf_server *server,
		       const struct kf_byok_attestation *attestation, struct kf_error *e);
/* The attested name of the KEK, borrowed; NULL: it is not attested. */
const char *kf_byok_kek_name(const struct kf_byok_kek *kek);

/* Trusts it for no reason, which is to be said to whoever decides. */
void kf_byok_kek_take_unattested(struct kf_byok_kek *kek);

/* Grade of a key that is wrapped for it; %KF_GRADE_NONE: it is not trusted. */
enum kf_grade kf_byok_kek_grade(const struct kf_byok_kek *kek);

/**
 * kf_byok_target_from_pem() - the key to wrap, as kf_keypair_from_pem()
 *
 * Kept in locked memory until it is freed. Return: as kf_keypair_from_pem().
 */
int kf_byok_target_from_pem(const void *pem, size_t len, const void *passphrase,
			    size_t passphrase_len, struct kf_byok_target **out, struct kf_error *e);
/* An AES key: 16, 24 or 32 bytes. Return: 0, -EINVAL. */
int kf_byok_target_from_raw(const void *key, size_t len, struct kf_byok_target **out,
			    struct kf_error *e);
struct kf_byok_target *kf_byok_target_free(struct kf_byok_target *target);

enum kf_key_type kf_byok_target_type(const struct kf_byok_target *target);
/* SubjectPublicKeyInfo, borrowed, to compare with what the receiver shows; NULL: an AES key. */
const uint8_t *kf_byok_target_public(const struct kf_byok_target *target, size_t *len);
/* The same for an AES key: 3 bytes, CKA_CHECK_VALUE of PKCS #11; NULL: not an AES key. */
const uint8_t *kf_byok_target_check_value(const struct kf_byok_target *target);

enum kf_byok_format {			/* who it is for (docs/byok.md 3) */
	KF_BYOK_AZURE = 1,		/* .byok file */
	KF_BYOK_AWS = 2,		/* binary */
	KF_BYOK_GCP = 3,		/* binary */
	KF_BYOK_VAULT = 4,		/* base64 */
	KF_BYOK_PKCS11 = 5,		/* binary: C_UnwrapKey */
};

/* "azure", "aws", "gcp", "vault", "pkcs11". Return: 0, -EINVAL; NULL for an unknown number. */
int kf_byok_format_from_name(const char *name, enum kf_byok_format *out);
const char *kf_byok_format_name(enum kf_byok_format format);

enum kf_byok_mode {
	KF_BYOK_MODE_FORMAT = 0,	/* as the format has it for this kind of key */
	KF_BYOK_MODE_HYBRID = 1,	/* RSA-OAEP of an AES key, AES-KWP of the target under that */
	KF_BYOK_MODE_DIRECT = 2,	/* RSA-OAEP of the target */
};

/**
 * struct kf_byok_plan - how to wrap; start from { .size = sizeof(struct kf_byok_plan) }
 * @size:	of the struct the caller knows
 * @hash:	of OAEP and its MGF1; %KF_HASH_NONE: the format's
 */
struct kf_byok_plan {
	size_t size;
	enum kf_byok_format format;
	enum kf_hash hash;
	enum kf_byok_mode mode;
};

/*
 * Fills in what was left to the format. Return: 0, -EACCES @kek is not trusted, -EINVAL the format
 * does not take it.
 */
int kf_byok_plan_settle(struct kf_byok_plan *plan, const struct kf_byok_kek *kek,
			enum kf_key_type target, struct kf_error *e);

/**
 * kf_byok_wrap() - the bare wrapped key
 * @kek:	trusted
 *
 * A fresh AES-256 key each time. Return: 0, -EACCES @kek is not trusted, -EINVAL the format does not
 * take this, -EMSGSIZE the target does not fit under OAEP alone.
 */
int kf_byok_wrap(const struct kf_byok_kek *kek, const struct kf_byok_target *target,
		 const struct kf_byok_plan *plan, uint8_t **blob, size_t *len, struct kf_error *e);

/**
 * struct kf_byok_unwrap_request - start from { .size = sizeof(struct kf_byok_unwrap_request) }
 * @size:	of the struct the caller knows
 * @kek:	RSA private key, PEM, of @kek_len bytes; @passphrase NULL: it is not encrypted
 * @hash:	of OAEP
 * @mode:	%KF_BYOK_MODE_DIRECT, else hybrid
 */
struct kf_byok_unwrap_request {
	size_t size;
	const void *kek;
	size_t kek_len;
	const void *passphrase;
	size_t passphrase_len;
	enum kf_hash hash;
	enum kf_byok_mode mode;
	const void *blob;
	size_t blob_len;
};

/**
 * kf_byok_unwrap() - open a wrapped key where the KEK's private half is at hand: on test rigs
 * @out:	the key, as strictly read as a card would
 *
 * Says at which step it fails, which a receiver of keys must never do: whoever may ask often enough
 * learns from that what is inside. Return: 0, -EBADMSG, -EINVAL, and as kf_keypair_from_pem() for @kek.
 */
int kf_byok_unwrap(const struct kf_byok_unwrap_request *request, struct kf_byok_target **out,
		   struct kf_error *e);

/**
 * struct kf_byok_label - what a .byok file says beside the blob
 * @size:	of the struct the caller knows
 * @kid:	the KEK's identifier, https://HOST/keys/NAME/VERSION
 * @hash:	of OAEP
 * @generator:	text for people, UTF-8; NULL: none
 */
struct kf_byok_label {
	size_t size;
	const char *kid;
	enum kf_hash hash;
	const char *generator;
};

/**
 * kf_byok_write() - a wrapped key as its receiver wants it
 * @label:	only .byok files have one
 *
 * Return: 0, -EINVAL.
 */
int kf_byok_write(enum kf_byok_format format, const struct kf_byok_label *label, const void *blob,
		  size_t blob_len, uint8_t **out, size_t *len, struct kf_error *e);

/**
 * struct kf_byok_proof_request - start from { .size = sizeof(struct kf_byok_proof_request) }
 * @size:	of the struct the caller knows
 * @receipt:	what the card has signed of the import (docs/formats.md 12), DER, of @receipt_len bytes
 * @blob:	the wrapped key that was sent, binary, of @blob_len bytes
 * @kid:	how its file called the KEK; NULL: not compared
 * @key_type:	what it has to be; %KF_KEY_NONE: whatever the KEK allows
 * @purpose:	what it has to be for; %KF_PURPOSE_NONE: whatever the KEK allows
 * @public_hash: SHA-256 of the SubjectPublicKeyInfo it has to have; NULL: not compared
 * @check_value: of the AES key it has to be, %KF_CHECK_VALUE_SIZE bytes; NULL: not compared
 * @allow_no_pin: it may be used without a PIN
 *
 * A blob does not say what its key is for: the importer has chosen that, within what the KEK allows.
 */
struct kf_byok_proof_request {
	size_t size;
	const void *receipt;
	size_t receipt_len;
	const void *blob;
	size_t blob_len;
	const char *kid;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	const uint8_t *public_hash;
	const uint8_t *check_value;
	int allow_no_pin;
};

/**
 * kf_byok_receipt_verify() - that the card has unwrapped this blob, under this KEK, and into what
 * @kek:	attested, by kf_byok_kek_attest(): by that card the receipt has to be signed
 * @out:	what is proved, to kf_byok_proof_free()
 *
 * Anybody can make a blob for a KEK, and nothing in it says who did: that the key is the one that was
 * sent is proved by its public key or check value, and by comparing the whole blob, which is done here.
 *
 * Return: 0, -EBADMSG, -EACCES; words say what differs.
 */
int kf_byok_receipt_verify(const struct kf_byok_kek *kek, const struct kf_byok_proof_request *request,
			   struct kf_byok_proof **out, struct kf_error *e);
struct kf_byok_proof *kf_byok_proof_free(struct kf_byok_proof *proof);

enum kf_byok_proof_fact {
	KF_BYOK_PROOF_TYPE = 1,		/* enum kf_key_type */
	KF_BYOK_PROOF_PURPOSE = 2,	/* enum kf_purpose */
	KF_BYOK_PROOF_CONTAINER = 3,
	KF_BYOK_PROOF_PIN = 4,		/* its use needs; 0: none */
	KF_BYOK_PROOF_COUNTER = 5,	/* the card's, after the import */
	KF_BYOK_PROOF_GRADE = 6,	/* enum kf_grade */
};

/* 0 for a fact that is none. */
uint32_t kf_byok_proof_value(const struct kf_byok_proof *proof, enum kf_byok_proof_fact fact);
const char *kf_byok_proof_serial(const struct kf_byok_proof *proof);
/* SubjectPublicKeyInfo that the card computed, DER, borrowed; NULL: an AES key. */
const uint8_t *kf_byok_proof_public(const struct kf_byok_proof *proof, size_t *len);
/* KF_CHECK_VALUE_SIZE bytes, borrowed; NULL: a key pair. */
const uint8_t *kf_byok_proof_check_value(const struct kf_byok_proof *proof);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
