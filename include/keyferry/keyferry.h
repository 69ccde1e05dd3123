/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry/keyferry.h - libkeyferry: cards, PINs, keys and sealed cargo, through the broker.
 *
 *	struct kf_client *client = NULL;
 *	struct kf_context *context = NULL;
 *	struct kf_blob *signature = NULL;
 *
 *	r = kf_client_new("my-program", &client);
 *	if (r == 0)
 *		r = kf_client_connect(client, NULL);
 *	if (r == 0)
 *		r = kf_context_open(client, NULL, 0, &context);
 *	if (r == 0)
 *		r = kf_pin_verify(context, KF_PIN_USER, pin, pin_len, 0);
 *	if (r == 0)
 *		r = kf_sign(context, 3, KF_PADDING_PSS, KF_HASH_SHA256, digest, 32, &signature);
 *	if (r < 0 && client)
 *		fprintf(stderr, "%s\n", kf_client_error(client)->why);
 *	kf_blob_free(signature);
 *	kf_context_close(context);
 *	kf_client_free(client);
 *
 * Rules that hold for all of it:
 *
 * - A function that can fail returns 0 or a negative errno, with the meanings that
 *   keyferry/proto.h fixes; kf_client_error() then tells the same for people. Results come through
 *   the last arguments and are written on success only. Passing NULL where an object is asked for
 *   is -EINVAL.
 * - Beyond those of proto.h any call to the broker may return -ENOTCONN (the connection is gone
 *   and every context and key with it), -ETIMEDOUT, -ECANCELED, -ENOMEM, and -EBADMSG when what
 *   came back is no answer to what was asked; the library then hangs up.
 * - Lengths are bytes, times milliseconds. Data handed in is borrowed for the call. What comes out
 *   of a "new", "open", "read", "list" or a **out argument belongs to the caller and goes back by
 *   the type's free or close function, which takes NULL and returns NULL. What an accessor returns
 *   is borrowed from its object and lives as long.
 * - Calls are synchronous and bounded by a deadline. The library starts no thread, installs no
 *   signal handler, writes to no standard stream and has no global state. EINTR is never returned.
 * - One client, with its contexts, belongs to one thread at a time; different clients know nothing
 *   of each other. kf_cancel() alone may be called from anywhere. After fork() only one process
 *   may go on using a client; the descriptor is close-on-exec.
 * - PINs and whatever holds them inside the library are wiped before the call returns. The
 *   library never sees what a cargo seals [SECURITY section 1].
 */
#ifndef KEYFERRY_KEYFERRY_H
#define KEYFERRY_KEYFERRY_H

#include <keyferry/error.h>
#include <keyferry/proto.h>
#include <keyferry/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kf_client;
struct kf_context;
struct kf_readers;
struct kf_reader;
struct kf_card;
struct kf_containers;
struct kf_container;
struct kf_pin;
struct kf_signed_offer;
struct kf_injection;
struct kf_service;
struct kf_peers;
struct kf_rule;
struct kf_rules;
struct kf_peer;
struct kf_blob;
struct kf_keks;
struct kf_kek;
struct kf_dkeks;
struct kf_dkek;
struct kf_imported;

/**
 * typedef kf_key_handle - a session key in a card, named by the broker
 *
 * CARD_KEY_HANDLE of the minidriver: opaque, never 0, good on the connection and context that got
 * it and nowhere else, dead at disconnect, card removal, reset and driver crash. The card's own
 * reference never gets here [DESIGN section 5].
 */
typedef uint64_t kf_key_handle;

/* ---------------------------------------------------------------- blobs */

/**
 * kf_blob_data() - the bytes of a blob
 * @blob:	a signature, certificate, plaintext, ...
 *
 * Return: the bytes, borrowed; never NULL for a blob that is not.
 */
const uint8_t *kf_blob_data(const struct kf_blob *blob);

/**
 * kf_blob_size() - how many bytes there are
 * @blob:	or NULL
 *
 * Return: bytes; 0 for NULL.
 */
size_t kf_blob_size(const struct kf_blob *blob);

/**
 * kf_blob_free() - wipes and gives back
 * @blob:	or NULL
 *
 * Blobs of kf_decrypt(), kf_agree() and the AES calls that decrypt were locked against swap and left
 * out of core dumps.
 *
 * Return: NULL.
 */
struct kf_blob *kf_blob_free(struct kf_blob *blob);

/* ---------------------------------------------------------------- connection */

/**
 * kf_client_new() - a client that is not connected yet
 * @name:	what to be called in "keyferry clients" and logs, cut to %KF_LABEL_MAX - 1 bytes;
 *		NULL: the program's name. Nothing rests on it
 * @out:	the client
 *
 * Return: 0, -ENOMEM.
 */
int kf_client_new(const char *name, struct kf_client **out);

/**
 * kf_client_connect() - connects to the broker and greets it [proto.h struct kf_hello]
 * @client:	not connected, or not any more
 * @path:	the broker's socket; NULL: $KEYFERRY_SOCKET (unless the program is set-id), else
 *		%KF_SOCKET_DEFAULT
 *
 * After -ENOTCONN a client may be connected again; contexts of the connection before stay dead.
 *
 * Return: 0; -ENOENT, -ECONNREFUSED: no broker there; -EACCES: the socket or the broker's policy
 * does not admit this uid; -EDQUOT: too many connections; -EPROTO: it speaks another version;
 * -EISCONN; -ENAMETOOLONG.
 */
int kf_client_connect(struct kf_client *client, const char *path);

/**
 * kf_client_connect_fd() - the same over a socket that is connected already
 * @client:	not connected
 * @fd:		SOCK_SEQPACKET, given: the client owns it from here, also on failure
 *
 * Return: as kf_client_connect(); -EPROTOTYPE for another kind of descriptor.
 */
int kf_client_connect_fd(struct kf_client *client, int fd);

/**
 * kf_client_free() - hangs up and gives back
 * @client:	or NULL; not from inside an event callback
 *
 * Contexts still open are closed by the broker; the objects are still to be given to
 * kf_context_close(), and every other call on them returns -ENOTCONN.
 *
 * Return: NULL.
 */
struct kf_client *kf_client_free(struct kf_client *client);

/**
 * kf_client_set_deadline() - how long each of the following calls may take
 * @client:	whose calls
 * @ms:		milliseconds from the start of a call, waiting in line included; 0:
 *		%KF_DEADLINE_DEFAULT_MS; more than %KF_DEADLINE_MAX_MS is cut
 *
 * The broker answers -ETIMEDOUT when it is over. If even that does not come within a second more,
 * the library hangs up. On-card RSA generation can take minutes.
 */
void kf_client_set_deadline(struct kf_client *client, uint32_t ms);

/**
 * kf_client_error() - the last failure, for people and for programs
 * @client:	any
 *
 * Return: what failed, why, who or which rule, what to do next; never NULL; kf_error.code is 0 if
 * nothing did; good until the next call on the client or its contexts.
 */
const struct kf_error *kf_client_error(const struct kf_client *client);

/* Of the last failure: enum kf_reason, the number that goes with it (tries left, a right, a limit),
 * the card's status word; 0 where there is none [proto.h struct kf_header]. */
uint32_t kf_client_reason(const struct kf_client *client);
uint32_t kf_client_detail(const struct kf_client *client);
uint32_t kf_client_status_word(const struct kf_client *client);

/**
 * kf_client_fd() - the descriptor to wait on
 * @client:	connected
 *
 * Becomes readable when an event has come or the broker hung up; then call kf_client_dispatch().
 * Never read, write or close it.
 *
 * Return: the descriptor, borrowed; -ENOTCONN.
 */
int kf_client_fd(const struct kf_client *client);

/**
 * kf_client_dispatch() - delivers what has come, without waiting
 * @client:	connected
 *
 * Events that came during another call wait inside the client, where poll() does not see them: an
 * event loop calls this once after every other call and before it sleeps.
 *
 * Return: how many events were delivered; -ENOTCONN; -EBUSY from inside an event callback.
 */
int kf_client_dispatch(struct kf_client *client);

/**
 * kf_client_rights() - what the broker's policy allows this uid
 * @client:	connected
 *
 * Return: KF_RIGHT_ mask; 0 when not connected.
 */
uint32_t kf_client_rights(const struct kf_client *client);

/**
 * kf_client_number() - the broker's number for this connection, as in logs and kf_peer_list()
 * @client:	connected
 *
 * Return: the number; 0 when not connected.
 */
uint32_t kf_client_number(const struct kf_client *client);

/**
 * kf_client_broker_version() - the version of the broker's program
 * @client:	connected
 *
 * Return: text, borrowed; empty when not connected.
 */
const char *kf_client_broker_version(const struct kf_client *client);

/**
 * kf_cancel() - gives up the call that is running on @client
 * @client:	whose call, from another thread or a signal handler (async-signal-safe)
 *
 * The call returns -ECANCELED, or its result if that came first. kf_client_reason() tells whether it
 * had reached the card (%KF_REASON_ON_CARD: the outcome is unknown). Cancelling is asking: the
 * call still ends by its own deadline. @client must not be freed meanwhile.
 *
 * Return: 0; -ENOENT: no call is running; -EAGAIN: the socket is full, try again; -ENOTCONN.
 */
int kf_cancel(struct kf_client *client);

/* ---------------------------------------------------------------- events */

/* In place of a change: events were dropped, list the readers anew. */
#define KF_CHANGE_LOST		0xffffffffu

/**
 * typedef kf_event_fn - is told about a reader or its card
 * @client:	whose events
 * @change:	enum kf_change, or %KF_CHANGE_LOST
 * @reader:	as it is after the change, borrowed for the call; NULL with %KF_CHANGE_LOST
 * @data:	as given to kf_events_subscribe()
 *
 * May call everything on @client and its contexts except kf_client_dispatch(), kf_client_connect()
 * and kf_client_free(). Must not longjmp or throw through the library.
 */
typedef void (*kf_event_fn)(struct kf_client *client, uint32_t change,
			    const struct kf_reader *reader, void *data);

/**
 * kf_events_subscribe() - chooses the events of this connection [proto.h struct kf_events]
 * @client:	connected
 * @mask:	KF_EVENTS_ bits; 0 ends them
 * @fn:		called by kf_client_dispatch(), never from elsewhere; may be NULL if @mask is 0
 * @data:	for @fn
 *
 * Subscribe first and list afterwards: then nothing is missed. At most 256 events wait in the
 * client; beyond that %KF_CHANGE_LOST is told once.
 *
 * Return: 0, -EINVAL.
 */
int kf_events_subscribe(struct kf_client *client, uint32_t mask, kf_event_fn fn, void *data);

/* ---------------------------------------------------------------- readers */

/**
 * kf_reader_list() - all readers the broker knows
 * @client:	connected
 * @out:	the list, to kf_readers_free()
 *
 * Return: 0, or -errno.
 */
int kf_reader_list(struct kf_client *client, struct kf_readers **out);
/* How many; 0 for NULL. */
size_t kf_readers_count(const struct kf_readers *readers);
/* Row @i, borrowed from the list; NULL past the end. */
const struct kf_reader *kf_readers_at(const struct kf_readers *readers, size_t i);
struct kf_readers *kf_readers_free(struct kf_readers *readers);

/* The broker's number, never used again while it runs; survives a driver restart. */
uint32_t kf_reader_number(const struct kf_reader *reader);
/* Unique; virtual readers' names begin with "virtual:". */
const char *kf_reader_name(const struct kf_reader *reader);
/* enum kf_reader_state */
uint32_t kf_reader_state(const struct kf_reader *reader);
/* Of the card: changes with every insertion and every reset. */
uint32_t kf_reader_generation(const struct kf_reader *reader);
/* What the driver takes the card for; empty if it knows none. */
const char *kf_reader_card(const struct kf_reader *reader);
/* The card's serial number, as kf_card_serial() has it; empty if unknown. */
const char *kf_reader_serial(const struct kf_reader *reader);
/* idVendor << 16 | idProduct, as the reader claims them. */
uint32_t kf_reader_usb_id(const struct kf_reader *reader);
/* [7816-3 ATR]; *@len is 0 without a card. */
const uint8_t *kf_reader_atr(const struct kf_reader *reader, size_t *len);

/* ---------------------------------------------------------------- contexts */

/**
 * kf_context_open() - one client with one card (CardAcquireContext)
 * @client:	connected; has to outlive the context's use, not the object
 * @reader:	name; NULL: the only reader with a card, or the only reader
 * @flags:	%KF_OPEN_WAIT: answer only when a card is there, or at the deadline
 * @out:	the context, to kf_context_close()
 *
 * A context opened on an empty slot belongs to the first card that comes. Removal, the end of the
 * driver or of the connection make it stale for good: another card never inherits it.
 *
 * Return: 0; -ENOENT: no such reader, or with NULL none or several; -ENODEV; -EACCES; -EDQUOT.
 */
int kf_context_open(struct kf_client *client, const char *reader, uint32_t flags,
		    struct kf_context **out);

/**
 * kf_context_close() - gives it back, with its keys, transaction and PIN state (CardDeleteContext)
 * @context:	stale or not, or NULL
 *
 * Return: NULL.
 */
struct kf_context *kf_context_close(struct kf_context *context);

/**
 * kf_context_client() - whose it is
 * @context:	any
 *
 * Return: the client, borrowed; NULL once that was freed.
 */
struct kf_client *kf_context_client(const struct kf_context *context);

#define KF_FEATURE_PIN_VERIFY	0x1u	/* the reader has a keypad for kf_pin_pad_verify() */
#define KF_FEATURE_PIN_CHANGE	0x2u	/* and for kf_pin_pad_change() */
#define KF_FEATURE_POLLED	0x8u	/* it does not tell of cards by itself */

/**
 * kf_context_features() - what the reader of a context has
 * @context:	on a card
 * @out:	KF_FEATURE_ bits
 *
 * Return: 0, -ENOENT: the reader has gone.
 */
int kf_context_features(struct kf_context *context, uint32_t *out);

/* ---------------------------------------------------------------- card */

/**
 * enum kf_card_property - what kf_card_value() is asked for
 * @KF_CP_KEY_IMPORT:	KF_IMPORT_ mask (CP_KEY_IMPORT_SUPPORT)
 * @KF_CP_KEY_TYPES:	bits by enum kf_key_type: may be generated or injected
 * @KF_CP_EXCHANGE_TYPES: bits by enum kf_key_type: may be an exchange key
 * @KF_CP_CIPHERS:	bits by enum kf_key_type: session algorithms (CP_ENUM_ALGORITHMS)
 * @KF_CP_CHAINING_MODES: KF_CHAIN_ mask (CP_CHAINING_MODES)
 * @KF_CP_PADDINGS:	KF_PADDING_ mask, asymmetric (CP_PADDING_SCHEMES)
 * @KF_CP_CIPHER_PADDINGS: KF_PADDING_ mask, symmetric
 * @KF_CP_HASHES:	bits by enum kf_hash
 * @KF_CP_METHODS:	bits by enum kf_method
 * @KF_CP_FUNCTIONS:	bits by enum kf_function
 * @KF_CP_PURPOSES:	bits by enum kf_purpose: may be chosen for a container
 * @KF_CP_CONTAINERS:	how many numbered places (CP_CARD_... container map)
 * @KF_CP_MAX_ITEM:	largest sealed item, bytes
 * @KF_CP_FREE_BYTES:	room left; 0xffffffff unknown (CP_CARD_FREE_SPACE)
 * @KF_CP_PINS:		bit by PIN id: exists (CP_CARD_LIST_PINS)
 * @KF_CP_VERIFIED:	bit by PIN id: verified for this client now (CP_CARD_AUTHENTICATED_STATE)
 * @KF_CP_FLAGS:	KF_CARD_ bits
 * @KF_CP_LEVEL:	enum kf_level; a claim until a statement is verified
 * @KF_CP_APP_VERSION:	of the card application: major << 16 | minor
 * @KF_CP_GENERATION:	changes with insertion and reset
 * @KF_CP_UNWRAP_TYPES:	bits by enum kf_key_type: may come under a KEK; 0: the card knows no KEKs
 * @KF_CP_UNWRAP_HASHES: bits by enum kf_hash: a KEK may have
 */
enum kf_card_property {
	KF_CP_KEY_IMPORT = 1,
	KF_CP_KEY_TYPES = 2,
	KF_CP_EXCHANGE_TYPES = 3,
	KF_CP_CIPHERS = 4,
	KF_CP_CHAINING_MODES = 5,
	KF_CP_PADDINGS = 6,
	KF_CP_CIPHER_PADDINGS = 7,
	KF_CP_HASHES = 8,
	KF_CP_METHODS = 9,
	KF_CP_FUNCTIONS = 10,
	KF_CP_PURPOSES = 11,
	KF_CP_CONTAINERS = 12,
	KF_CP_MAX_ITEM = 13,
	KF_CP_FREE_BYTES = 14,
	KF_CP_PINS = 15,
	KF_CP_VERIFIED = 16,
	KF_CP_FLAGS = 17,
	KF_CP_LEVEL = 18,
	KF_CP_APP_VERSION = 19,
	KF_CP_GENERATION = 20,
	KF_CP_UNWRAP_TYPES = 21,
	KF_CP_UNWRAP_HASHES = 22,
};

/**
 * kf_card_read() - what the card is and can (CardGetProperty)
 * @context:	on a card
 * @out:	a copy as of now, to kf_card_free()
 *
 * Return: 0; -ENOMEDIUM, -ESTALE, -EOPNOTSUPP: a card nobody here knows.
 */
int kf_card_read(struct kf_context *context, struct kf_card **out);
struct kf_card *kf_card_free(struct kf_card *card);
/* One property; 0 for one that this library does not know. */
uint32_t kf_card_value(const struct kf_card *card, enum kf_card_property property);
/* Tries left of PIN @pin; %KF_TRIES_UNKNOWN if the card does not say or has no such PIN. */
uint32_t kf_card_tries(const struct kf_card *card, uint32_t pin);
/* The serial number as text (CP_CARD_SERIAL_NO); hexadecimal if the card's is not printable. */
const char *kf_card_serial(const struct kf_card *card);
/* The name of the card driver. */
const char *kf_card_driver(const struct kf_card *card);
/* The card's own name for itself; may be empty. */
const char *kf_card_label(const struct kf_card *card);
const uint8_t *kf_card_atr(const struct kf_card *card, size_t *len);
const uint8_t *kf_card_aid(const struct kf_card *card, size_t *len);

/**
 * kf_device_cert() - the DEVICE key's certificate [docs/formats.md 2]
 * @context:	on a card
 * @out:	DER certificates back to back, the device's own first
 *
 * Unverified: that is the server's part, by the root it trusts.
 *
 * Return: 0; -EOPNOTSUPP: a card that attests nothing.
 */
int kf_device_cert(struct kf_context *context, struct kf_blob **out);

/**
 * kf_card_reset() - cold reset; every client's keys on this card become stale
 * @context:	on a card; needs %KF_RIGHT_ADMIN
 *
 * Return: 0, -EACCES.
 */
int kf_card_reset(struct kf_context *context);

/* ---------------------------------------------------------------- PINs */

/**
 * kf_pin_read() - the state of one PIN; costs no try
 * @context:	on a card
 * @pin:	%KF_PIN_USER, %KF_PIN_PUK
 * @out:	a copy as of now, to kf_pin_free()
 *
 * Return: 0; -ENOENT: no such PIN.
 */
int kf_pin_read(struct kf_context *context, uint32_t pin, struct kf_pin **out);
struct kf_pin *kf_pin_free(struct kf_pin *pin);
/* KF_PIN_VERIFIED, _BLOCKED, _DEFAULT, _UNBLOCKS */
uint32_t kf_pin_flags(const struct kf_pin *pin);
/* %KF_TRIES_UNKNOWN if the card does not say, here and in the next. */
uint32_t kf_pin_tries_left(const struct kf_pin *pin);
uint32_t kf_pin_tries_max(const struct kf_pin *pin);
/* Bytes. */
uint32_t kf_pin_min_len(const struct kf_pin *pin);
uint32_t kf_pin_max_len(const struct kf_pin *pin);

/**
 * kf_pin_verify() - gives a PIN, for this client alone (CardAuthenticateEx)
 * @context:	on a card
 * @pin:	PIN id
 * @value:	the PIN, wiped from every buffer of ours before the call returns
 * @len:	of @value
 * @flags:	%KF_PIN_LAST_TRY: go on even if this spends the last try
 *
 * It holds until another client has a turn at the card; a transaction keeps others away.
 *
 * Return: 0; -EKEYREJECTED: wrong, kf_client_detail() has the tries left; -EKEYREVOKED: blocked;
 * -EPERM with %KF_REASON_PIN_LAST_TRY: not sent; -EDQUOT: too many wrong ones by this uid.
 */
int kf_pin_verify(struct kf_context *context, uint32_t pin, const char *value, size_t len,
		  uint32_t flags);

/**
 * kf_pin_change() - replaces a PIN by its holder (CardChangeAuthenticatorEx)
 * @context:	on a card
 * @pin:	PIN id
 * @old_value:	as it is
 * @old_len:	of @old_value
 * @new_value:	as it shall be
 * @new_len:	of @new_value
 * @flags:	%KF_PIN_LAST_TRY
 *
 * Return: as kf_pin_verify(); -EINVAL: the new one is too short or too long.
 */
int kf_pin_change(struct kf_context *context, uint32_t pin, const char *old_value, size_t old_len,
		  const char *new_value, size_t new_len, uint32_t flags);

/**
 * kf_pin_pad_verify() - has the PIN typed at the reader's own keypad
 * @context:	on a card, in a reader with a keypad: kf_context_features() has %KF_FEATURE_PIN_VERIFY
 * @pin:	PIN id
 * @flags:	%KF_PIN_LAST_TRY
 *
 * As kf_pin_verify(), but the PIN goes from the keys to the card and never through this machine. The
 * person has 100 seconds, or what kf_client_set_deadline() says; kf_cancel() ends it.
 *
 * Return: as kf_pin_verify(); -EOPNOTSUPP with %KF_REASON_NO_PINPAD; -ECANCELED with
 * %KF_REASON_PAD_CANCELLED or -ETIMEDOUT with %KF_REASON_PAD_TIMEOUT: it ended at the keys, and cost no try.
 */
int kf_pin_pad_verify(struct kf_context *context, uint32_t pin, uint32_t flags);

/**
 * kf_pin_pad_change() - has old and new PIN typed at the reader's own keypad
 * @context:	on a card, in a reader with %KF_FEATURE_PIN_CHANGE
 * @pin:	PIN id
 * @flags:	%KF_PIN_LAST_TRY
 *
 * The person types the old PIN, the new one, and the new one again, within 200 seconds or what
 * kf_client_set_deadline() says.
 *
 * Return: as kf_pin_pad_verify(); -EINVAL with %KF_REASON_PAD_MISMATCH: two different new ones, or
 * %KF_REASON_PAD_LENGTH: too short or too long.
 */
int kf_pin_pad_change(struct kf_context *context, uint32_t pin, uint32_t flags);

/**
 * kf_pin_unblock() - sets a new PIN by the PUK (CardUnblockPin)
 * @context:	on a card
 * @pin:	the PIN to unblock
 * @puk:	the PUK
 * @puk_len:	of @puk
 * @new_value:	the new PIN
 * @new_len:	of @new_value
 * @flags:	%KF_PIN_LAST_TRY, about the PUK's tries
 *
 * Return: as kf_pin_change(), about the PUK.
 */
int kf_pin_unblock(struct kf_context *context, uint32_t pin, const char *puk, size_t puk_len,
		   const char *new_value, size_t new_len, uint32_t flags);

/**
 * kf_pin_logout() - drops this client's verified state (CardDeauthenticateEx)
 * @context:	on a card
 *
 * Return: 0, or -errno.
 */
int kf_pin_logout(struct kf_context *context);

/* ---------------------------------------------------------------- containers */

/**
 * kf_container_list() - all containers, the empty ones too
 * @context:	on a card
 * @out:	the list, in order of numbers, to kf_containers_free(); its rows have no public key
 *
 * What the container map file is to the minidriver.
 *
 * Return: 0, or -errno.
 */
int kf_container_list(struct kf_context *context, struct kf_containers **out);
/* How many; 0 for NULL. */
size_t kf_containers_count(const struct kf_containers *containers);
/* Row @i, borrowed from the list; NULL past the end. */
const struct kf_container *kf_containers_at(const struct kf_containers *containers, size_t i);
struct kf_containers *kf_containers_free(struct kf_containers *containers);

/**
 * kf_container_read() - one container with its public key (CardGetContainerInfo)
 * @context:	on a card
 * @number:	of the container
 * @out:	a copy as of now, to kf_container_free()
 *
 * Return: 0; -ENOENT: the card has no such number.
 */
int kf_container_read(struct kf_context *context, uint32_t number, struct kf_container **out);
/* Only for what kf_container_read() and kf_container_create() gave, never for a row of a list. */
struct kf_container *kf_container_free(struct kf_container *container);
uint32_t kf_container_number(const struct kf_container *container);
/* enum kf_key_type; %KF_KEY_NONE if empty. */
uint32_t kf_container_key_type(const struct kf_container *container);
/* enum kf_purpose */
uint32_t kf_container_purpose(const struct kf_container *container);
/* enum kf_origin */
uint32_t kf_container_origin(const struct kf_container *container);
/* KF_CONTAINER_CERT, _PIN, _USED */
uint32_t kf_container_flags(const struct kf_container *container);
/* SHA-256 of the SubjectPublicKeyInfo, or an AES key's mark, %KF_DIGEST_SIZE bytes; zeros if empty. */
const uint8_t *kf_container_key_hash(const struct kf_container *container);
/* SubjectPublicKeyInfo, DER [docs/formats.md 3]; NULL if empty, an AES key, or a row of a list. */
const uint8_t *kf_container_public_key(const struct kf_container *container, size_t *len);
/* CKA_CHECK_VALUE of an AES key; NULL if it is none, or a row of a list. */
const uint8_t *kf_container_check_value(const struct kf_container *container, size_t *len);

/**
 * kf_container_create() - has the card generate a key pair (CardCreateContainerEx)
 * @context:	on a card, PIN verified; needs %KF_RIGHT_CREATE
 * @number:	of an empty container, or %KF_CONTAINER_ANY
 * @key_type:	what to generate
 * @purpose:	the one thing it will ever do [SECURITY section 2]
 * @out:	the new container with its public key, to kf_container_free()
 *
 * Return: 0; -EEXIST: occupied; -ENOSPC; -EOPNOTSUPP: type or purpose; -EPERM: PIN first.
 */
int kf_container_create(struct kf_context *context, uint32_t number, enum kf_key_type key_type,
			enum kf_purpose purpose, struct kf_container **out);

/**
 * kf_container_delete() - destroys key and certificate (CardDeleteContainer)
 * @context:	on a card, PIN verified; needs %KF_RIGHT_DELETE
 * @number:	of the container
 *
 * Return: 0; -ENOENT: it is empty; -EPERM: PIN first.
 */
int kf_container_delete(struct kf_context *context, uint32_t number);

/**
 * kf_cert_store() - keeps a certificate beside a key
 * @context:	on a card, PIN verified; needs %KF_RIGHT_CREATE
 * @number:	of an occupied container
 * @cert:	DER, at most %KF_CERT_MAX bytes; NULL removes the one there
 * @len:	of @cert
 *
 * Return: 0; -ENOENT: the container is empty; -EPERM: PIN first; -EINVAL.
 */
int kf_cert_store(struct kf_context *context, uint32_t number, const uint8_t *cert, size_t len);

/**
 * kf_cert_read() - reads it back
 * @context:	on a card
 * @number:	of the container
 * @out:	DER as it was stored, unverified
 *
 * Return: 0; -ENOENT: none.
 */
int kf_cert_read(struct kf_context *context, uint32_t number, struct kf_blob **out);

/**
 * kf_voucher_read() - the card's word that it made a key itself
 * @context:	on a card
 * @number:	of the container
 * @out:	authenticated request [BSI TR-03110-3 C.2.2], unverified: libkeyferry-server judges it
 *
 * SmartCard-HSMs give one; where a certificate has been stored beside the key since, it is gone.
 * Return: 0; -ENOENT: none; -EOPNOTSUPP: the card gives none.
 */
int kf_voucher_read(struct kf_context *context, uint32_t number, struct kf_blob **out);

/* ---------------------------------------------------------------- key use */

/**
 * kf_sign() - a signature by a SIGN key (CardSignData)
 * @context:	on a card; PIN verified where the key wants it
 * @number:	of the container
 * @padding:	%KF_PADDING_PKCS1 or %KF_PADDING_PSS for RSA, %KF_PADDING_NONE for EC. PSS: MGF1
 *		of the same hash, salt as long as the hash
 * @hash:	what @digest is
 * @digest:	the hash of the message, never the message
 * @len:	of @digest
 * @out:	RSA: as long as the modulus; EC: DER ECDSA-Sig-Value
 *
 * Return: 0; -ENOENT: empty; -EPERM: PIN first; -EREMOTEIO with %KF_REASON_KEY_PURPOSE; -EINVAL.
 */
int kf_sign(struct kf_context *context, uint32_t number, uint32_t padding, enum kf_hash hash,
	    const uint8_t *digest, size_t len, struct kf_blob **out);

/**
 * kf_decrypt() - RSA decryption by a DECRYPT key (CardRSADecrypt)
 * @context:	on a card; PIN verified where the key wants it
 * @number:	of the container
 * @padding:	%KF_PADDING_PKCS1 or %KF_PADDING_OAEP (empty label)
 * @hash:	OAEP: its hash and that of MGF1; else %KF_HASH_NONE
 * @input:	ciphertext, as long as the modulus
 * @len:	of @input
 * @out:	the plaintext, in locked memory
 *
 * Every failure of unpadding looks the same. Answering strangers' ciphertexts by PKCS #1 v1.5
 * makes an oracle all the same; prefer OAEP.
 *
 * Return: as kf_sign().
 */
int kf_decrypt(struct kf_context *context, uint32_t number, uint32_t padding, enum kf_hash hash,
	       const uint8_t *input, size_t len, struct kf_blob **out);

/**
 * kf_agree() - ECDH by a DERIVE key (CardConstructDHAgreement)
 * @context:	on a card; PIN verified where the key wants it
 * @number:	of the container
 * @peer:	the other side's point, 04 || x || y on the same curve; the card checks that it is
 * @len:	of @peer
 * @out:	the x coordinate, as long as the field, in locked memory; derive before use
 *
 * Return: as kf_sign().
 */
int kf_agree(struct kf_context *context, uint32_t number, const uint8_t *peer, size_t len,
	     struct kf_blob **out);

/**
 * kf_aes_cbc() - AES-CBC by a CIPHER key, without padding
 * @context:	on a card; PIN verified where the key wants it
 * @number:	of the container
 * @flags:	0 to encrypt, %KF_CIPHER_DECRYPT
 * @iv:		of the first block
 * @input:	whole blocks, at least one, at most %KF_CIPHER_MAX bytes
 * @len:	of @input
 * @out:	as long, in locked memory
 *
 * Return: as kf_sign().
 */
int kf_aes_cbc(struct kf_context *context, uint32_t number, uint32_t flags,
	       const uint8_t iv[KF_IV_SIZE], const uint8_t *input, size_t len,
	       struct kf_blob **out);

/**
 * kf_aes_cmac() - AES-CMAC by a CIPHER key, of cards with %KF_CARD_CMAC in %KF_CP_FLAGS
 * @context:	on a card; PIN verified where the key wants it
 * @number:	of the container
 * @input:	at least one byte, at most %KF_CIPHER_MAX and what the card takes at once: a SmartCard-HSM
 *		1000, behind a reader without extended APDUs 255
 * @len:	of @input
 * @mac:	result, not cut
 *
 * Return: as kf_sign(); -EOPNOTSUPP: the card makes none, or none of so long an @input.
 */
int kf_aes_cmac(struct kf_context *context, uint32_t number, const uint8_t *input, size_t len,
		uint8_t mac[KF_CMAC_SIZE]);

/**
 * kf_aes_gcm_encrypt() - AES-GCM by a CIPHER key
 * @context:	on a card; PIN verified where the key wants it
 * @number:	of the container
 * @aad:	authenticated with it, at most 1024 bytes; or NULL
 * @aad_len:	of @aad
 * @input:	at most %KF_CIPHER_MAX bytes; or NULL
 * @len:	of @input
 * @iv:		result: the nonce, which the card chooses
 * @tag:	result
 * @out:	as long as @input
 *
 * Return: as kf_sign().
 */
int kf_aes_gcm_encrypt(struct kf_context *context, uint32_t number, const uint8_t *aad,
		       size_t aad_len, const uint8_t *input, size_t len,
		       uint8_t iv[KF_GCM_IV_SIZE], uint8_t tag[KF_GCM_TAG_SIZE],
		       struct kf_blob **out);

/**
 * kf_aes_gcm_decrypt() - takes back what kf_aes_gcm_encrypt() made
 * @context:	on a card; PIN verified where the key wants it
 * @number:	of the container
 * @iv:		the nonce
 * @tag:	what proves text and @aad
 * @aad:	or NULL
 * @aad_len:	of @aad
 * @input:	or NULL
 * @len:	of @input
 * @out:	the plaintext, in locked memory
 *
 * Return: as kf_sign(); -EREMOTEIO with %KF_REASON_TAG: the tag is wrong.
 */
int kf_aes_gcm_decrypt(struct kf_context *context, uint32_t number,
		       const uint8_t iv[KF_GCM_IV_SIZE], const uint8_t tag[KF_GCM_TAG_SIZE],
		       const uint8_t *aad, size_t aad_len, const uint8_t *input, size_t len,
		       struct kf_blob **out);

/* ---------------------------------------------------------------- bring your own key */

/**
 * struct kf_kek_spec - a KEK as it shall be, for ever [docs/card-application.md 7.1]
 * @number:	of an empty container, or %KF_CONTAINER_ANY
 * @key_type:	RSA
 * @hash:	of OAEP; %KF_HASH_SHA1 is what the BYOK specification says
 * @key_types:	bits by enum kf_key_type: what it may unwrap
 * @purposes:	bits by enum kf_purpose: what that may be for
 * @name:	how blobs call it, often a URL: 1 to 255 characters out of A-Z a-z 0-9 - . _ ~ : / @ %
 */
struct kf_kek_spec {
	uint32_t number;
	enum kf_key_type key_type;
	enum kf_hash hash;
	uint32_t key_types;
	uint32_t purposes;
	const char *name;
};

/**
 * kf_kek_create() - has the card make a key-encryption key
 * @context:	on a card; needs %KF_RIGHT_KEK
 * @spec:	what it shall be
 * @puk:	the PUK: the card's administrator alone makes KEKs
 * @len:	of @puk
 * @flags:	%KF_PIN_LAST_TRY, about the PUK's tries
 * @number:	where it is; or NULL
 * @attestation: what the card signs of it, with its public key, DER [docs/formats.md 10]
 *
 * RSA takes seconds to make.
 *
 * Return: 0; -EINVAL or -EEXIST with %KF_REASON_BYOK and enum kf_byok_field; -EEXIST: occupied; -ENOSPC;
 * -EKEYREJECTED, -EKEYREVOKED, -EPERM, -EDQUOT as kf_pin_verify(), about the PUK.
 */
int kf_kek_create(struct kf_context *context, const struct kf_kek_spec *spec, const char *puk,
		  size_t len, uint32_t flags, uint32_t *number, struct kf_blob **attestation);

/**
 * kf_kek_list() - the KEKs of a card
 * @context:	on a card
 * @out:	the list, in order of containers, to kf_keks_free()
 *
 * Return: 0, or -errno.
 */
int kf_kek_list(struct kf_context *context, struct kf_keks **out);
/* How many; 0 for NULL. */
size_t kf_keks_count(const struct kf_keks *keks);
/* Row @i, borrowed from the list; NULL past the end. */
const struct kf_kek *kf_keks_at(const struct kf_keks *keks, size_t i);
struct kf_keks *kf_keks_free(struct kf_keks *keks);
const char *kf_kek_name(const struct kf_kek *kek);
/* SHA-256 of the SubjectPublicKeyInfo, %KF_DIGEST_SIZE bytes: the KEK's id. */
const uint8_t *kf_kek_key_hash(const struct kf_kek *kek);

enum kf_kek_fact {
	KF_KEK_NUMBER = 1,	/* of its container */
	KF_KEK_KEY_TYPE = 2,	/* enum kf_key_type */
	KF_KEK_ORIGIN = 3,	/* enum kf_origin */
	KF_KEK_HASH = 4,	/* enum kf_hash */
	KF_KEK_KEY_TYPES = 5,	/* bits by enum kf_key_type */
	KF_KEK_PURPOSES = 6,	/* bits by enum kf_purpose */
	KF_KEK_FLAGS = 7,	/* %KF_KEK_DISABLED */
};

/* 0 for a fact that is none. */
uint32_t kf_kek_value(const struct kf_kek *kek, enum kf_kek_fact fact);

/**
 * kf_kek_attest() - what the card says of a KEK, signed, with its public key
 * @context:	on a card
 * @number:	of the KEK's container
 * @out:	SignedKekStatement, DER [docs/formats.md 10]; it is for whoever wraps to verify
 *
 * Return: 0; -ENOENT: no KEK there.
 */
int kf_kek_attest(struct kf_context *context, uint32_t number, struct kf_blob **out);

/**
 * kf_kek_set() - switches a KEK off or on, or deletes it
 * @context:	on a card; needs %KF_RIGHT_KEK
 * @number:	of its container
 * @action:	what
 * @puk:	the PUK
 * @len:	of @puk
 * @flags:	%KF_PIN_LAST_TRY, about the PUK's tries
 *
 * Return: 0; -ENOENT: no KEK there; and as kf_kek_create() about the PUK.
 */
int kf_kek_set(struct kf_context *context, uint32_t number, enum kf_kek_action action,
	       const char *puk, size_t len, uint32_t flags);

/**
 * struct kf_byok_spec - a wrapped key, and what shall become of it
 * @kid:	how the blob calls its KEK, in any case; or NULL: by @kek
 * @kek:	container of the KEK; %KF_CONTAINER_ANY: by @kid
 * @hash:	OAEP hash the blob was made with; %KF_HASH_NONE: not known, the KEK's is used
 * @number:	container for the key, or %KF_CONTAINER_ANY: the first free one
 * @key_type:	%KF_KEY_NONE: as the blob's length tells (docs/byok.md 1)
 * @purpose:	the one thing it will ever do
 * @replaces:	%KF_DIGEST_SIZE bytes of kf_container_key_hash(), if the container is occupied; or NULL
 */
struct kf_byok_spec {
	const char *kid;
	uint32_t kek;
	enum kf_hash hash;
	uint32_t number;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	const uint8_t *replaces;
};

/**
 * kf_byok_import() - has the card unwrap a key (CKM_RSA_AES_KEY_WRAP) into a container
 * @context:	on a card, PIN verified; needs %KF_RIGHT_INJECT, and to replace a key %KF_RIGHT_DELETE too
 * @spec:	what it is
 * @blob:	binary, at most %KF_BLOB_MAX bytes
 * @len:	of @blob
 * @out:	what the card has installed, to kf_imported_free()
 *
 * Nobody vouches for who made the blob: compare the public key, or the check value, with the source's.
 * A reply that got lost can be asked for: kf_receipt_read() with the first 16 bytes of the blob's
 * SHA-256 as session id, and item 0.
 *
 * Return: 0; -ENOENT, -EINVAL or -EEXIST with %KF_REASON_BYOK: kf_client_detail() has enum kf_byok_field, and
 * the card was not asked to open anything; -EREMOTEIO with %KF_REASON_BYOK_REFUSED: it does not take it,
 * and does not say why; -ENOSPC; -EPERM: PIN first; -EOPNOTSUPP: the card knows no KEKs.
 */
int kf_byok_import(struct kf_context *context, const struct kf_byok_spec *spec,
		   const uint8_t *blob, size_t len, struct kf_imported **out);
struct kf_imported *kf_imported_free(struct kf_imported *result);

enum kf_imported_fact {
	KF_IMPORTED_NUMBER = 1,	/* of the container */
	KF_IMPORTED_TYPE = 2,	/* enum kf_key_type */
	KF_IMPORTED_KEK = 3,	/* container of the KEK */
	KF_IMPORTED_HASH = 4,	/* enum kf_hash */
	KF_IMPORTED_GRADE = 5,	/* enum kf_grade, informative */
};

/* 0 for a fact that is none. */
uint32_t kf_imported_value(const struct kf_imported *result, enum kf_imported_fact fact);
/* SubjectPublicKeyInfo that the card computed from the private key, DER; NULL for AES. */
const uint8_t *kf_imported_public_key(const struct kf_imported *result, size_t *len);
/* CKA_CHECK_VALUE of an AES key; NULL for a key pair. */
const uint8_t *kf_imported_check_value(const struct kf_imported *result, size_t *len);
/* SignedKekReceipt, DER [docs/formats.md 12]. */
const uint8_t *kf_imported_receipt(const struct kf_imported *result, size_t *len);

/* ---------------------------------------------------------------- cards with a DKEK */

/**
 * struct kf_card_init_spec - a SmartCard-HSM as it shall be from now on [docs/cards/schsm.md]
 * @flags:	KF_INIT_, and %KF_PIN_LAST_TRY about the SO-PIN's tries
 * @tries:	of the user PIN, 1 to 10; 0: 3
 * @n_shares:	with %KF_INIT_DKEK: how many shares its DKEK is made of, 0: a random one that no other card
 *		will ever have; else 0
 * @n_domains:	how many key domains, each with a DKEK of its own; then without %KF_INIT_DKEK
 * @label:	what to call the card; or NULL
 */
struct kf_card_init_spec {
	uint32_t flags;
	uint32_t tries;
	uint32_t n_shares;
	uint32_t n_domains;
	const char *label;
};

/**
 * kf_card_init() - erases the card and sets its PINs anew
 * @context:	on a card; needs %KF_RIGHT_INIT. The card is reset afterwards: PINs have to be given again
 * @spec:	how it shall be
 * @so_pin:	%KF_SO_PIN_SIZE bytes, or twice as many hexadecimal digits; a card that was initialised
 *		before wants the one it has
 * @so_len:	of @so_pin
 * @pin:	the user PIN
 * @len:	of @pin
 *
 * Return: 0; -EKEYREJECTED, -EKEYREVOKED, -EPERM, -EDQUOT as kf_pin_verify(), about the SO-PIN, and
 * nothing was erased; -EOPNOTSUPP: no such card.
 */
int kf_card_init(struct kf_context *context, const struct kf_card_init_spec *spec,
		 const char *so_pin, size_t so_len, const char *pin, size_t len);

/**
 * kf_dkek_status() - the DKEKs of a card, one a key domain
 * @context:	on a card
 * @out:	the list, in order of domains, to kf_dkeks_free(); empty: the card was initialised without
 *
 * Return: 0; -EOPNOTSUPP: no such card.
 */
int kf_dkek_status(struct kf_context *context, struct kf_dkeks **out);
/* How many; 0 for NULL. */
size_t kf_dkeks_count(const struct kf_dkeks *dkeks);
/* Row @i, borrowed from the list; NULL past the end. */
const struct kf_dkek *kf_dkeks_at(const struct kf_dkeks *dkeks, size_t i);
struct kf_dkeks *kf_dkeks_free(struct kf_dkeks *dkeks);

enum kf_dkek_fact {
	KF_DKEK_DOMAIN_NUMBER = 1,
	KF_DKEK_STATE = 2,	/* enum kf_dkek_state */
	KF_DKEK_SHARES = 3,	/* of how many */
	KF_DKEK_OUTSTANDING = 4,	/* how many are still to come */
};

/* 0 for a fact that is none. */
uint32_t kf_dkek_value(const struct kf_dkek *dkek, enum kf_dkek_fact fact);
/* %KF_DKEK_CHECK_SIZE bytes: the front of SHA-256(DKEK); NULL until all shares are there. */
const uint8_t *kf_dkek_check_value(const struct kf_dkek *dkek);

/**
 * kf_dkek_share() - gives the card one share of a DKEK
 * @context:	on a card; needs %KF_RIGHT_KEK
 * @domain:	its key domain; 0 on a card without
 * @share:	secret
 * @outstanding: how many are still to come; or NULL
 *
 * Where the answer got lost (%KF_REASON_ON_CARD) ask kf_dkek_status() what became of it: a share given
 * twice makes another DKEK.
 *
 * Return: 0; with %KF_REASON_DKEK -ENOENT: there is none to be made, -EEXIST: no share is outstanding.
 */
int kf_dkek_share(struct kf_context *context, uint32_t domain,
		  const uint8_t share[KF_DKEK_SHARE_SIZE], uint32_t *outstanding);

/**
 * kf_dkek_domain() - makes a key domain ready for its shares, or ends it
 * @context:	on a card, PIN verified; needs %KF_RIGHT_KEK
 * @domain:	its number
 * @action:	what
 * @n_shares:	to create: of how many shares its DKEK is made; else 0
 *
 * Return: 0; -EEXIST: a key is in it, or a DKEK; -ENOENT: there is no such domain.
 */
int kf_dkek_domain(struct kf_context *context, uint32_t domain, enum kf_domain_action action,
		   uint32_t n_shares);

/**
 * kf_blob_wrap() - has the card give out a key, wrapped under its DKEK
 * @context:	on a card, PIN verified; needs %KF_RIGHT_WRAP
 * @number:	of the container
 * @out:	the blob: every card that ever holds this DKEK opens it
 *
 * Return: 0; -ENOENT: no key there; -EREMOTEIO with %KF_REASON_KEY_PURPOSE: the key does not let itself
 * be wrapped; -ENOENT or -EPROTO with %KF_REASON_DKEK: the card has no DKEK, or not all of it.
 */
int kf_blob_wrap(struct kf_context *context, uint32_t number, struct kf_blob **out);

/**
 * struct kf_unwrap_spec - a wrapped key, and what shall become of it
 * @number:	container for the key, or %KF_CONTAINER_ANY: the first free one
 * @key_type:	%KF_KEY_NONE: as the certificate says
 * @purposes:	bits by enum kf_purpose, for the description beside the key; 0: all that keys of its type
 *		have
 * @flags:	%KF_BLOB_REWRAP: a key that can be wrapped out again is welcome, too
 * @replaces:	%KF_DIGEST_SIZE bytes of kf_container_key_hash(), if the container is occupied; or NULL
 * @cert:	X.509 or card-verifiable certificate, or request for the latter, DER, to be stored beside it;
 *		or NULL
 * @cert_len:	of @cert
 * @label:	what to call it; or NULL
 * @id:		by which programs find it, at most %KF_KEY_ID_MAX bytes; or NULL
 * @id_len:	of @id
 */
struct kf_unwrap_spec {
	uint32_t number;
	enum kf_key_type key_type;
	uint32_t purposes;
	uint32_t flags;
	const uint8_t *replaces;
	const uint8_t *cert;
	size_t cert_len;
	const char *label;
	const uint8_t *id;
	size_t id_len;
};

/**
 * kf_blob_unwrap() - has the card open a DKEK blob into a container
 * @context:	on a card, PIN verified; needs %KF_RIGHT_INJECT, and to replace a key %KF_RIGHT_DELETE too
 * @spec:	what it is
 * @blob:	at most %KF_BLOB_MAX bytes
 * @len:	of @blob
 * @number:	where it is; or NULL
 *
 * The card signs no receipt: have the new key sign a challenge of whoever sent it. Where the answer got
 * lost (%KF_REASON_ON_CARD) nothing is repeated; look into the container.
 *
 * Return: 0; -EINVAL, -ENOENT or -EEXIST with %KF_REASON_BLOB: kf_client_detail() has enum kf_blob_field, and
 * the card was not asked to open anything; -EREMOTEIO with %KF_REASON_BLOB_REFUSED: it does not take it,
 * and does not say why; -ENOENT or -EPROTO with %KF_REASON_DKEK; -ENOSPC; -EPERM: PIN first. Whatever it is, with
 * %KF_REASON_BLOB_SPARE a copy of the key stays in container kf_client_detail(), and nothing was replaced.
 */
int kf_blob_unwrap(struct kf_context *context, const struct kf_unwrap_spec *spec,
		   const uint8_t *blob, size_t len, uint32_t *number);

/* ---------------------------------------------------------------- injection, step by step */

/**
 * kf_offer() - the card's signed offer to take sealed keys, under a fresh exchange key
 * @context:	on a card; needs %KF_RIGHT_INJECT
 * @target:	container the keys shall go to, or %KF_CONTAINER_ANY: the first free one
 * @method:	how S1 will be established
 * @exchange_type: of the exchange key; %KF_KEY_NONE: the card's default for @method
 * @n_items:	how many items the session may carry; 0 means 1
 * @nonce:	the server's challenge
 * @out:	the offer, to kf_signed_offer_free()
 *
 * Changes no container. The card keeps at most 8 offers and forgets the oldest
 * [docs/card-application.md 5.1]. An RSA exchange key takes seconds to make.
 *
 * Return: 0; -EOPNOTSUPP: method or type; -ENOSPC: no free container; -EREMOTEIO: the target
 * holds a key that must stay.
 */
int kf_offer(struct kf_context *context, uint32_t target, enum kf_method method,
	     enum kf_key_type exchange_type, uint32_t n_items,
	     const uint8_t nonce[KF_NONCE_SIZE], struct kf_signed_offer **out);

/**
 * kf_offer_existing() - the same under the exchange key in a container
 * @context:	on a card, PIN verified if the key is not EXCHANGE yet; needs %KF_RIGHT_INJECT
 * @exchange:	container with an EXCHANGE key, or with a DECRYPT key generated on the card and
 *		never used: that becomes EXCHANGE for ever [SECURITY section 2]
 * @target:	as in kf_offer(), another container
 * @method:	as in kf_offer()
 * @n_items:	as in kf_offer()
 * @nonce:	as in kf_offer()
 * @out:	the offer, to kf_signed_offer_free()
 *
 * Return: as kf_offer(); -ENOENT: @exchange is empty.
 */
int kf_offer_existing(struct kf_context *context, uint32_t exchange, uint32_t target,
		      enum kf_method method, uint32_t n_items,
		      const uint8_t nonce[KF_NONCE_SIZE], struct kf_signed_offer **out);

struct kf_signed_offer *kf_signed_offer_free(struct kf_signed_offer *offer);
/* The target container. */
uint32_t kf_signed_offer_target(const struct kf_signed_offer *offer);
/* The exchange key's container; %KF_CONTAINER_ANY if it has none. */
uint32_t kf_signed_offer_exchange(const struct kf_signed_offer *offer);
/* The session id, %KF_SID_SIZE bytes; a copy of what the statement says. */
const uint8_t *kf_signed_offer_sid(const struct kf_signed_offer *offer);
/* SignedStatement, DER [docs/formats.md 4]. */
const uint8_t *kf_signed_offer_statement(const struct kf_signed_offer *offer, size_t *len);
/* The device certificate chain, as kf_device_cert() gives it. */
const uint8_t *kf_signed_offer_chain(const struct kf_signed_offer *offer, size_t *len);

/**
 * kf_session_import() - establishes S1 in the card (CardImportSessionKey)
 * @context:	on a card, PIN verified; needs %KF_RIGHT_INJECT
 * @sid:	from the offer
 * @method:	as offered
 * @wrapped:	S1 under the exchange key, RSA-OAEP SHA-256, label SHA-256 of the statement
 * @len:	of @wrapped
 * @out:	handle of S1, to kf_key_destroy()
 *
 * A wrong @wrapped is not refused here: the card goes on with a random key and the item fails
 * [docs/card-application.md 5.3].
 *
 * Return: 0; -EREMOTEIO: the sid is not pending (any more); -EPERM: PIN first; -ENOSPC: no free
 * session in the card; -EDQUOT: too many handles.
 */
int kf_session_import(struct kf_context *context, const uint8_t sid[KF_SID_SIZE],
		      enum kf_method method, const uint8_t *wrapped, size_t len,
		      kf_key_handle *out);

/**
 * kf_key_set_property() - chaining mode or IV (CardSetKeyProperty)
 * @context:	the key's
 * @key:	handle
 * @property:	enum kf_prop: %KF_PROP_CHAINING_MODE (a uint32_t, little-endian), %KF_PROP_IV
 * @value:	4 bytes, or one cipher block
 * @len:	of @value
 *
 * State of the handle, the card is not asked. The item carries the same IV under its MAC; one
 * that differs is refused when it is processed.
 *
 * Return: 0; -EBADF; -ESTALE; -EINVAL.
 */
int kf_key_set_property(struct kf_context *context, kf_key_handle key, enum kf_prop property,
			const uint8_t *value, size_t len);

/**
 * kf_key_get_property() - reads one (CardGetKeyProperty)
 * @context:	the key's
 * @key:	handle
 * @property:	enum kf_prop
 * @out:	its value; numbers are 4 bytes, little-endian
 *
 * Return: 0; -EBADF; -ESTALE; -EINVAL; -ENOENT: not set.
 */
int kf_key_get_property(struct kf_context *context, kf_key_handle key, enum kf_prop property,
			struct kf_blob **out);

/**
 * kf_process() - hands one sealed item to the card (CardProcessEncryptedData)
 * @context:	the key's, PIN verified; needs %KF_RIGHT_INJECT
 * @key:	handle of S1
 * @function:	must be what the item says
 * @item:	Item, DER [docs/formats.md 5]
 * @len:	of @item
 * @out:	SignedReceipt, DER [docs/formats.md 7]
 *
 * After -EIO, -ETIMEDOUT, -ECANCELED, -ENOTCONN or -ESTALE the card may have installed it: ask
 * kf_receipt_read() before trying again. kf_injection_run() does all that.
 *
 * Return: 0; -EREMOTEIO: the uniform refusal [SECURITY section 6]; -EPERM: PIN first; -EBADF;
 * -ESTALE.
 */
int kf_process(struct kf_context *context, kf_key_handle key, enum kf_function function,
	       const uint8_t *item, size_t len, struct kf_blob **out);

/**
 * kf_key_destroy() - drops S1 in the card and the handle (CardDestroyKey)
 * @context:	the key's
 * @key:	handle
 *
 * An unfinished sid stays pending, so that the same cargo can be tried again.
 *
 * Return: 0; -EBADF; -ESTALE.
 */
int kf_key_destroy(struct kf_context *context, kf_key_handle key);

/**
 * kf_receipt_read() - the stored receipt of an item that was installed
 * @context:	on a card
 * @sid:	session id
 * @number:	of the item, from 1; 0: of a key imported by kf_byok_import(), which says what @sid is
 * @out:	SignedReceipt or SignedKekReceipt, DER, byte for byte as it was given first
 *
 * Return: 0; -ENOENT: the card has none: not installed, or so long ago that it was forgotten.
 */
int kf_receipt_read(struct kf_context *context, const uint8_t sid[KF_SID_SIZE], uint32_t number,
		    struct kf_blob **out);

/* ---------------------------------------------------------------- injection, all in one */

/**
 * enum kf_injection_outcome - what is known about an item after kf_injection_run()
 * @KF_INJECTION_ABSENT:	not installed, the card has no receipt
 * @KF_INJECTION_INSTALLED:	installed by this run
 * @KF_INJECTION_STORED:	had been installed before; the receipt is the stored one
 * @KF_INJECTION_UNKNOWN:	sent, and neither answer nor receipt could be had: indeterminate
 */
enum kf_injection_outcome {
	KF_INJECTION_ABSENT = 0,
	KF_INJECTION_INSTALLED = 1,
	KF_INJECTION_STORED = 2,
	KF_INJECTION_UNKNOWN = 3,
};

/**
 * kf_injection_new() - one cargo about to be injected
 * @serial:	of the card it was sealed for, text
 * @sid:	session id
 * @method:	how S1 is established
 * @wrapped:	wrapped S1, copied
 * @len:	of @wrapped
 * @out:	the injection, to kf_injection_free()
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int kf_injection_new(const char *serial, const uint8_t sid[KF_SID_SIZE], enum kf_method method,
		     const uint8_t *wrapped, size_t len, struct kf_injection **out);

/**
 * kf_injection_add() - the next sealed item; the first one added is number 1
 * @injection:	not run yet
 * @function:	what it is for
 * @iv:		its IV, %KF_IV_SIZE bytes
 * @chaining:	one KF_CHAIN_ bit
 * @item:	Item, DER, copied
 * @len:	of @item, at most %KF_ITEM_MAX
 *
 * Return: 0, -EINVAL, -ENOSPC: %KF_ITEMS_MAX are in it.
 */
int kf_injection_add(struct kf_injection *injection, enum kf_function function,
		     const uint8_t iv[KF_IV_SIZE], uint32_t chaining, const uint8_t *item,
		     size_t len);

/**
 * kf_injection_find() - asks the card which items it has installed already
 * @injection:	with its items
 * @context:	on the card
 *
 * Installs nothing and needs no PIN [SECURITY section 4]. Afterwards the outcomes are
 * %KF_INJECTION_STORED or %KF_INJECTION_ABSENT.
 *
 * Return: 0; -EINVAL: this is another card than the one it was sealed for.
 */
int kf_injection_find(struct kf_injection *injection, struct kf_context *context);

/**
 * kf_injection_run() - installs what is missing and collects the receipts
 * @injection:	with its items
 * @context:	on the card; needs %KF_RIGHT_INJECT. May stand on a new broker handle afterwards
 * @pin:	the user PIN, or NULL if none is needed or it is verified
 * @len:	of @pin
 * @flags:	%KF_PIN_LAST_TRY
 *
 * Takes a transaction; asks for receipts first; what is there is not installed again. If the way
 * to the card breaks after an item was sent, it connects and opens anew within the deadline and
 * asks for the receipt before it judges. Running the same cargo again is always safe.
 *
 * Return: 0: every item has its receipt; else why it ended, and kf_injection_outcome() tells
 * about each item. -EREMOTEIO: the card refused; PIN errors as kf_pin_verify(); -EINVAL: another
 * card.
 */
int kf_injection_run(struct kf_injection *injection, struct kf_context *context, const char *pin,
		     size_t len, uint32_t flags);

/**
 * kf_injection_restore() - a receipt that an earlier run brought back
 * @injection:	not run yet
 * @number:	of its item, from 1
 * @receipt:	SignedReceipt, DER, copied; the caller has seen that it is this item's
 * @len:	of @receipt
 *
 * The item is %KF_INJECTION_STORED, and the card is not asked for it: a card keeps its last receipts alone, so of a
 * long cargo the first are gone from it when the last come.
 *
 * Return: 0, -EINVAL there is no such item, -ENOMEM.
 */
int kf_injection_restore(struct kf_injection *injection, uint32_t number, const uint8_t *receipt,
			 size_t len);

/**
 * kf_injection_on_item() - what is done behind each item, before the next one is sent
 * @injection:	with its items
 * @done:	called by kf_injection_run() for each that was installed or found; @number counts from 1. What it
 *		returns, if it is not 0, ends the run there. It must not call functions on the context
 * @arg:	for @done
 *
 * Whoever keeps each receipt here loses none, whatever ends the program.
 */
void kf_injection_on_item(struct kf_injection *injection,
			  int (*done)(void *arg, uint32_t number), void *arg);

/* How many items were added. */
size_t kf_injection_count(const struct kf_injection *injection);
/* Of item @number, from 1; %KF_INJECTION_ABSENT past the end. */
enum kf_injection_outcome kf_injection_outcome(const struct kf_injection *injection,
					       uint32_t number);
/* SignedReceipt of item @number, DER, borrowed; NULL if there is none. */
const uint8_t *kf_injection_receipt(const struct kf_injection *injection, uint32_t number,
				    size_t *len);
struct kf_injection *kf_injection_free(struct kf_injection *injection);

/* ---------------------------------------------------------------- transactions */

/**
 * kf_transaction_begin() - the card for this context alone (SCardBeginTransaction)
 * @context:	on a card
 * @name:	what for; others see it; cut to %KF_LABEL_MAX - 1 bytes
 * @hold_ms:	how long at most; 0 means 30000, at most %KF_TXN_MAX_MS. Then it ends by itself and
 *		the PIN state is dropped
 *
 * Waits in line for the client's deadline.
 *
 * Return: 0; -EBUSY; -ETIMEDOUT.
 */
int kf_transaction_begin(struct kf_context *context, const char *name, uint32_t hold_ms);

/**
 * kf_transaction_end() - lets others have their turn
 * @context:	which holds it
 * @flags:	%KF_TXN_RESET: and cold-reset the card
 *
 * Return: 0; -EPROTO: none of this context, or it had been ended at its deadline.
 */
int kf_transaction_end(struct kf_context *context, uint32_t flags);

/* ---------------------------------------------------------------- relay */

/**
 * kf_relay_begin() - run a server's protected APDUs, and nothing else, on the card
 * @context:	on a card; needs %KF_RIGHT_RELAY, which equals full rights on it
 * @name:	what for; others see it
 * @hold_ms:	how long at most, as in kf_transaction_begin()
 * @count:	how many APDUs at most, 1 to 1024
 *
 * Until its end no other request of this or any context reaches the card; then the card is reset.
 * Return: 0; -EDQUOT this user has a relay; -EBUSY; -ETIMEDOUT.
 */
int kf_relay_begin(struct kf_context *context, const char *name, uint32_t hold_ms, uint32_t count);

/**
 * kf_relay_apdu() - the next one
 * @number:	from 1, without a gap
 * @expect:	the status word it has to end with
 * @mask:	bits of it that matter; 0: any will do
 * @response:	data, SW1, SW2; the caller frees it
 *
 * Return: 0; -ECANCELED with @response: another status word, and the relay has ended; -EACCES neither
 * protected nor of a channel's set-up, -EPROTO a gap in the numbers, too many, or past the end: the
 * card has not seen it.
 */
int kf_relay_apdu(struct kf_context *context, uint32_t number, const uint8_t *command, size_t len,
		  uint16_t expect, uint16_t mask, struct kf_blob **response);

/* Ends it. Return: 0; -EPROTO it has ended. */
int kf_relay_end(struct kf_context *context);

/* ---------------------------------------------------------------- the service */

/**
 * enum kf_service_value - what kf_service_value() is asked for; each as in struct kf_status
 */
enum kf_service_value {
	KF_SERVICE_FLAGS = 1,			/* KF_STATUS_ bits */
	KF_SERVICE_UPTIME_S = 2,
	KF_SERVICE_CLIENTS = 3,
	KF_SERVICE_MAX_CLIENTS = 4,
	KF_SERVICE_READERS = 5,
	KF_SERVICE_MAX_READERS = 6,
	KF_SERVICE_MAX_UID_CONNECTIONS = 7,
	KF_SERVICE_MAX_UID_CONTEXTS = 8,
	KF_SERVICE_MAX_UID_KEYS = 9,
	KF_SERVICE_MAX_UID_BYTES = 10,
	KF_SERVICE_POLICY = 11,			/* version of the policy table in force */
	KF_SERVICE_PROCESSES = 12,		/* rows for the kf_process_ accessors */
};

/**
 * kf_service_read() - how the broker is doing
 * @client:	connected
 * @out:	a copy as of now, to kf_service_free()
 *
 * Return: 0, or -errno.
 */
int kf_service_read(struct kf_client *client, struct kf_service **out);
struct kf_service *kf_service_free(struct kf_service *service);
/* One value; 0 for one that this library does not know. */
uint32_t kf_service_value(const struct kf_service *service, enum kf_service_value value);
/*
 * Process @i of ours: enum kf_role, pid, uid, its reader's number, restarts, KF_GUARD_ bits; 0 past
 * the end.
 */
uint32_t kf_process_role(const struct kf_service *service, size_t i);
uint32_t kf_process_pid(const struct kf_service *service, size_t i);
uint32_t kf_process_uid(const struct kf_service *service, size_t i);
uint32_t kf_process_reader(const struct kf_service *service, size_t i);
uint32_t kf_process_restarts(const struct kf_service *service, size_t i);
uint32_t kf_process_guards(const struct kf_service *service, size_t i);
/* Version of its program; empty past the end. */
const char *kf_process_version(const struct kf_service *service, size_t i);

enum kf_rule_value {
	KF_RULE_WHO = 1,			/* enum kf_who */
	KF_RULE_ID = 2,				/* uid or gid */
	KF_RULE_RIGHTS = 3,			/* KF_RIGHT_ mask */
	KF_RULE_FIRST = 4,			/* first container it is about */
	KF_RULE_COUNT = 5,			/* how many from there on; 0: all */
	KF_RULE_LINE = 6,			/* in the configuration file; 0: not from there */
};

/**
 * kf_rule_list() - the policy in force: rules admit, and all that name a client add up
 * @client:	connected; with %KF_RIGHT_ADMIN all rules are shown, else those that name this client
 * @out:	the list, to kf_rules_free()
 *
 * Return: 0, or -errno.
 */
int kf_rule_list(struct kf_client *client, struct kf_rules **out);
/* How many; 0 for NULL. */
size_t kf_rules_count(const struct kf_rules *rules);
/* Version of the table, as in kf_service_value(). */
uint32_t kf_rules_version(const struct kf_rules *rules);
/* KF_POLICY_ bits: whether these are all there are */
uint32_t kf_rules_flags(const struct kf_rules *rules);
/* Row @i, borrowed from the list; NULL past the end. */
const struct kf_rule *kf_rules_at(const struct kf_rules *rules, size_t i);
struct kf_rules *kf_rules_free(struct kf_rules *rules);
/* One value; 0 for one that this library does not know. */
uint32_t kf_rule_value(const struct kf_rule *rule, enum kf_rule_value value);
/* What people call it; which readers it is about, a glob over their names, empty for all. */
const char *kf_rule_name(const struct kf_rule *rule);
const char *kf_rule_reader(const struct kf_rule *rule);

/**
 * kf_peer_list() - who holds what for how long
 * @client:	connected; with %KF_RIGHT_ADMIN all clients are shown, else those of this uid
 * @out:	the list, to kf_peers_free(): a row for each client and context
 *
 * Return: 0, or -errno.
 */
int kf_peer_list(struct kf_client *client, struct kf_peers **out);
/* How many; 0 for NULL. */
size_t kf_peers_count(const struct kf_peers *peers);
/* Row @i, borrowed from the list; NULL past the end. */
const struct kf_peer *kf_peers_at(const struct kf_peers *peers, size_t i);
struct kf_peers *kf_peers_free(struct kf_peers *peers);
/* The broker's number for the connection. */
uint32_t kf_peer_number(const struct kf_peer *peer);
uint32_t kf_peer_uid(const struct kf_peer *peer);
/* At connect; for people only. */
uint32_t kf_peer_pid(const struct kf_peer *peer);
/* KF_CLIENT_ bits */
uint32_t kf_peer_flags(const struct kf_peer *peer);
/* Live key handles of this row's context. */
uint32_t kf_peer_keys(const struct kf_peer *peer);
/* Its requests that wait for the reader. */
uint32_t kf_peer_waiting(const struct kf_peer *peer);
/* Since connect; since it got the transaction; until that is taken away. */
uint32_t kf_peer_age_ms(const struct kf_peer *peer);
uint32_t kf_peer_held_ms(const struct kf_peer *peer);
uint32_t kf_peer_left_ms(const struct kf_peer *peer);
/* As it calls itself; its transaction's name; its context's reader, empty if none. */
const char *kf_peer_name(const struct kf_peer *peer);
const char *kf_peer_transaction(const struct kf_peer *peer);
const char *kf_peer_reader(const struct kf_peer *peer);

#ifdef __cplusplus
}
#endif

#endif /* KEYFERRY_KEYFERRY_H */
