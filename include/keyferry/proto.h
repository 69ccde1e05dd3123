/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry/proto.h - the request protocol: what travels between a client and the broker, and in the
 * same form between the broker and a driver. docs/protocol.md tells the story; this file is the
 * contract.
 *
 * One SOCK_SEQPACKET packet is one request, one reply or one event:
 *
 *	struct kf_header | the request's struct | its parts, back to back
 *
 * - Numbers are little-endian (the byte order of every host we run on), fixed-width, naturally
 *   aligned inside their struct; no padding, no pointers, no bitfields.
 * - Requests are numbered like ioctls. The size in the number is the size of the struct *the
 *   sender* knew, and that many bytes follow the header. A reply repeats the number, so it carries
 *   a struct of the size the asker knew: cut, or filled up with zeros.
 * - Growth: a struct grows at its end, under the same number. One that is longer than the receiver
 *   knows is fine if the rest is zero (else E2BIG); one that is shorter is taken as followed by
 *   zeros, down to the last field the first version had (else EINVAL).
 * - A variable part is a struct kf_part, {off, len}, off counted from the first byte of the
 *   request's struct (so that the body can one day be an ioctl argument as it stands). Parts follow
 *   the struct in the order of their fields, without gap or overlap, up to the end of the packet;
 *   an absent part is {0, 0}. "in" parts are empty in replies, "out" parts in requests.
 * - A field marked [in] is set by the asker, [out] by the answerer, and is ignored in the other
 *   direction. Reserved fields are 0, else EINVAL. A flag bit nobody knows is EINVAL.
 * - A reply whose result is negative ends after the header.
 * - Strings are UTF-8 in fixed arrays, NUL-padded, always NUL-terminated.
 */
#ifndef KEYFERRY_PROTO_H
#define KEYFERRY_PROTO_H

#include "keyferry/types.h"

#include <assert.h>
#include <linux/ioctl.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KF_TYPE			'K'
#define KF_MAGIC		0x464b	/* "KF" */
#define KF_PROTO_VERSION	1	/* a packet of another version is cut off */
#define KF_PACKET_MAX		131072	/* bytes, header included; larger is EMSGSIZE */
#define KF_SOCKET_DEFAULT	"/run/keyferry/broker.sock"

#define KF_NAME_MAX		64	/* reader names, with the NUL */
#define KF_LABEL_MAX		32	/* client, transaction, driver and version names, with the NUL */
#define KF_ATR_MAX		33	/* [7816-3 ATR]: TS and at most 32 more */
#define KF_AID_MAX		16
#define KF_PINS_MAX		8

#define KF_DEADLINE_DEFAULT_MS	30000	/* where deadline_ms is 0 */
#define KF_DEADLINE_MAX_MS	600000	/* on-card RSA-4096 generation takes minutes; longer is cut */

#define KF_CONTAINER_ANY	0xffffffffu	/* the card or driver chooses; the reply says which */

/*
 * What an errno means, everywhere in keyferry. Header.reason says which of several rules it was,
 * header.detail a number that goes with it.
 *
 * ENOTTY	request number unknown (to this broker, or to this driver)
 * E2BIG	struct longer than we know, extra bytes not zero
 * EINVAL	a field is out of range, or a part is out of place
 * EOPNOTSUPP	understood; this card or reader cannot
 * EMSGSIZE	reply does not fit; detail: bytes needed
 * EACCES	policy refuses; detail: the missing right
 * EPERM	the card wants a PIN first; detail: its id. Reason tells "never given" from "lost"
 * EKEYREJECTED	PIN wrong; detail: tries left
 * EKEYREVOKED	PIN blocked
 * ENODEV	the reader is gone
 * ENOMEDIUM	the slot is empty
 * ESTALE	this connection's own handle, from before a close, a removal, a reset or a driver crash
 * EBADF	not this client's handle, or the wrong kind
 * EBADMSG	malformed bytes from reader or card
 * EPROTO	well formed, but out of turn
 * EREMOTEIO	card said no; header.sw has its status word
 * ENOENT	no such reader name, PIN, container, certificate, receipt or request to cancel
 * EEXIST	the container is occupied
 * ENOSPC	the card has no room left
 * EDQUOT	this uid has reached a limit; reason says which, detail its value
 * EBUSY	held by another client's transaction with no end in sight before the deadline
 * ECANCELED	cancelled; if it had reached the card the outcome is unknown
 * ETIMEDOUT	the deadline passed; if it had reached the card the outcome is unknown
 * EIO		the reader failed, or its driver died; the outcome is unknown
 * ESHUTDOWN	the broker is going away
 */

/* Header.reason: which rule it was, for the words a person reads. Only ever appended to. */
enum kf_reason {
	KF_REASON_NONE = 0,
	KF_REASON_NO_RULE = 1,		/* EACCES: no rule admits this uid at all */
	KF_REASON_RIGHT = 2,		/* EACCES: detail is the right that is missing */
	KF_REASON_APDU_CLASS = 3,	/* EACCES: raw APDUs never carry PIN commands; detail INS */
	KF_REASON_NO_HELLO = 4,		/* EPROTO: KF_HELLO comes first */
	KF_REASON_QUOTA_CONNECTIONS = 5,	/* EDQUOT: detail is the limit, here and below */
	KF_REASON_QUOTA_CONTEXTS = 6,
	KF_REASON_QUOTA_KEYS = 7,
	KF_REASON_QUOTA_REQUESTS = 8,
	KF_REASON_QUOTA_BYTES = 9,
	KF_REASON_QUOTA_PIN = 10,	/* EDQUOT: too many wrong PINs; detail: seconds to wait */
	KF_REASON_PIN_WRONG = 11,	/* EKEYREJECTED: detail is the number of tries left */
	KF_REASON_PIN_LAST_TRY = 12,	/* EPERM: would spend the last try; KF_PIN_LAST_TRY allows */
	KF_REASON_PIN_NEEDED = 13,	/* EPERM: detail is the PIN id */
	KF_REASON_PIN_LOST = 14,	/* EPERM: was given, but another client had a turn since */
	KF_REASON_TXN_OTHER = 15,	/* EBUSY: another client's transaction */
	KF_REASON_TXN_NONE = 16,	/* EPROTO: no transaction of this context to end */
	KF_REASON_TXN_EXPIRED = 17,	/* EPROTO: it was ended at its deadline */
	KF_REASON_CLOSED = 18,		/* ESTALE: closed or destroyed by its owner */
	KF_REASON_REMOVED = 19,		/* ESTALE: the card was removed */
	KF_REASON_RESET = 20,		/* ESTALE: the card was reset */
	KF_REASON_READER_GONE = 21,	/* ESTALE, ENODEV: the reader went */
	KF_REASON_DRIVER_DIED = 22,	/* ESTALE, EIO: its driver process ended */
	KF_REASON_DRIVER_STARTING = 23,	/* ENOMEDIUM: the reader has no driver yet */
	KF_REASON_QUEUED = 24,		/* ETIMEDOUT, ECANCELED: had not reached the card */
	KF_REASON_ON_CARD = 25,		/* ETIMEDOUT, ECANCELED, EIO: had; outcome unknown */
	KF_REASON_KEY_PURPOSE = 26,	/* EREMOTEIO: the key's purpose forbids this use */
	KF_REASON_SENDER = 27,		/* EREMOTEIO: the card asks for an injector signature */
	KF_REASON_ITEM = 28,		/* EINVAL, EEXIST: not for this card; detail: kf_item_field */
	KF_REASON_RIGHT_HERE = 29,	/* EACCES: has the right, not for this reader or container */
	KF_REASON_READER_STATE = 30,	/* ENOMEDIUM: nobody serves the reader; detail: its state */
	KF_REASON_NO_PINPAD = 31,	/* EOPNOTSUPP: the reader has no keypad for it */
	KF_REASON_PAD_CANCELLED = 32,	/* ECANCELED: by the person at the keypad */
	KF_REASON_PAD_TIMEOUT = 33,	/* ETIMEDOUT: nobody typed there */
	KF_REASON_PAD_MISMATCH = 34,	/* EINVAL: two different new PINs were typed */
	KF_REASON_PAD_LENGTH = 35,	/* EINVAL: too few digits, or too many */
	KF_REASON_BYOK = 36,		/* EINVAL, ENOENT, EEXIST: KEK, blob or key do not go together;
					 * detail: kf_byok_field */
	KF_REASON_BYOK_REFUSED = 37,	/* EREMOTEIO: the card does not take the blob */
	KF_REASON_TAG = 38,		/* EREMOTEIO: the tag is not that of key, IV, text and aad */
	KF_REASON_RELAY_PLAIN = 40,	/* EACCES: neither protected nor part of a channel's set-up; detail INS */
	KF_REASON_RELAY_NUMBER = 41,	/* EPROTO: not the next one; detail: the one that is */
	KF_REASON_RELAY_COUNT = 42,	/* EPROTO: more than were announced; detail: how many that was */
	KF_REASON_RELAY_HELD = 43,	/* EPROTO: while the relay runs, nothing but it reaches the card */
	KF_REASON_RELAY_UID = 44,	/* EDQUOT: this uid has a relay already */
	KF_REASON_RELAY_OVER = 45,	/* EPROTO: there is no relay, or it has ended */
	KF_REASON_BLOB = 46,		/* EINVAL, ENOENT, EEXIST: blob, DKEK and container do not go
					 * together; detail: kf_blob_field */
	KF_REASON_BLOB_REFUSED = 47,	/* EREMOTEIO: the card does not take the blob */
	KF_REASON_DKEK = 48,		/* ENOENT, EPROTO, EEXIST: about the DKEK; detail: kf_dkek_state */
	KF_REASON_PIN_TRANSPORT = 49,	/* EPERM: it is a transport PIN, and opens nothing until changed */
	KF_REASON_CERT = 50,		/* EINVAL: what was to lie beside a key is no certificate, or not the key's */
	KF_REASON_BLOB_SPARE = 51,	/* the card opened the blob beside the key to be replaced, which is
					 * still there, and that copy cannot be deleted; detail: its container */
	KF_REASON_PIN_LEAST = 39,	/* EREMOTEIO: fewer tries are left than the sender of a sealed PIN
					 * asks for */
};

/*
 * Which field of a sealed item does not fit, seen before the card was asked; in the order of
 * docs/formats.md section 5. Only ever appended to.
 */
enum kf_item_field {
	KF_ITEM_FORM = 1,		/* not an item at all, or too long */
	KF_ITEM_SUITE = 2,
	KF_ITEM_METHOD = 3,
	KF_ITEM_FUNCTION = 4,		/* not the one asked for */
	KF_ITEM_SID = 5,		/* of another offer than this session key */
	KF_ITEM_NUMBER = 6,		/* out of turn */
	KF_ITEM_SERIAL = 7,		/* for another card */
	KF_ITEM_CONTAINER = 8,		/* for another container than the offer's */
	KF_ITEM_REPLACES = 9,		/* the container holds something else than it names */
	KF_ITEM_PIN = 10,
	KF_ITEM_KEY_TYPE = 11,
	KF_ITEM_PURPOSE = 12,
	KF_ITEM_IV = 13,		/* not the one set as KF_PROP_IV */
	KF_ITEM_CIPHERTEXT = 14,
};

/*
 * What about an import does not fit, seen before the card was asked to open anything, so all of it is
 * public. Only ever appended to.
 */
enum kf_byok_field {
	KF_BYOK_KEK_UNKNOWN = 1,	/* ENOENT: no KEK of this card is called that */
	KF_BYOK_KEK_AMBIGUOUS = 2,	/* no version is named, and there are several */
	KF_BYOK_KEK_PURPOSE = 3,	/* the container holds something else than a KEK */
	KF_BYOK_KEK_DISABLED = 4,
	KF_BYOK_HASH = 5,		/* the KEK's OAEP hash is another */
	KF_BYOK_KEY_TYPE = 6,		/* not allowed under the KEK, or not to be told from the blob */
	KF_BYOK_PURPOSE = 7,		/* not allowed under the KEK, or not for the key type */
	KF_BYOK_BLOB = 8,		/* can be no blob under a KEK of this size */
	KF_BYOK_CONTAINER = 9,		/* EEXIST: it is occupied, and nothing named to be replaced */
	KF_BYOK_REPLACES = 10,		/* EEXIST: it holds something else than is to be replaced */
	KF_BYOK_KEK_NAME = 11,		/* EEXIST, EINVAL: taken, or no name at all */
};

/*
 * What about a DKEK blob does not fit, seen before the card was asked to open it. Only ever appended
 * to.
 */
enum kf_blob_field {
	KF_BLOB_FORM = 1,		/* no key blob at all, or its lengths do not add up */
	KF_BLOB_DKEK = 2,		/* ENOENT: made under a DKEK that this card does not hold */
	KF_BLOB_KEY_TYPE = 3,		/* another than was said, or none that the card takes */
	KF_BLOB_ALGORITHMS = 4,		/* lets the key be wrapped out again, and nobody agreed to that */
	KF_BLOB_CONTAINER = 5,		/* EEXIST: it is occupied, and nothing named to be replaced */
	KF_BLOB_REPLACES = 6,		/* EEXIST: it holds something else than is to be replaced */
	KF_BLOB_CERT = 7,		/* no certificate, or of another kind of key */
	KF_BLOB_LABEL = 8,		/* label or id is too long, or no text */
	KF_BLOB_PURPOSE = 9,		/* no key of that type does this */
};

enum kf_kind {
	KF_KIND_REQUEST = 1,
	KF_KIND_REPLY = 2,
	KF_KIND_EVENT = 3,
};

/**
 * struct kf_header - the front of every packet
 * @magic:	%KF_MAGIC
 * @version:	%KF_PROTO_VERSION
 * @kind:	enum kf_kind
 * @size:	of the whole packet, this header included; must equal what was received
 * @request:	KF_ number; the reply repeats the asker's
 * @seq:	request: chosen by the asker, not 0, not one that is still outstanding; reply: the
 *		same; event: 0
 * @result:	reply: 0 or a negative errno; else 0
 * @deadline_ms: request: how long it may take, from its arrival; 0 means
 *		%KF_DEADLINE_DEFAULT_MS; longer than %KF_DEADLINE_MAX_MS is cut. To a driver: what
 *		is left of that. Else 0
 * @sw:		reply: the card's last status word where it matters (EREMOTEIO, PIN errors), else 0
 * @reason:	reply: enum kf_reason, else 0
 * @detail:	reply: the number that goes with @result or @reason, else 0
 */
struct kf_header {
	__u16 magic;
	__u8 version;
	__u8 kind;
	__u32 size;
	__u32 request;
	__u32 seq;
	__s32 result;
	__u32 deadline_ms;
	__u16 sw;
	__u16 reason;
	__u32 detail;
};
static_assert(sizeof(struct kf_header) == 32, "kf_header");

/**
 * struct kf_part - where a variable part lies
 * @off:	from the first byte of the struct that follows the header; 0 if absent
 * @len:	bytes; 0 if absent
 */
struct kf_part {
	__u32 off;
	__u32 len;
};
static_assert(sizeof(struct kf_part) == 8, "kf_part");

/* ---------------------------------------------------------------- vocabulary */

/* What a uid may do. The broker's table gives each request one of these. */
#define KF_RIGHT_LOOK		0x00000001u	/* list readers, read public card data */
#define KF_RIGHT_USE		0x00000002u	/* PIN, sign, decrypt, agree, transactions */
#define KF_RIGHT_INJECT		0x00000004u	/* offer, session import, process */
#define KF_RIGHT_CREATE		0x00000008u	/* generate keys, store certificates */
#define KF_RIGHT_DELETE		0x00000010u	/* delete containers */
#define KF_RIGHT_ADMIN		0x00000020u	/* see every client, reset the card */
#define KF_RIGHT_RAW		0x00000040u	/* raw APDUs */
#define KF_RIGHT_RELAY		0x00000080u	/* relay protected APDUs: full rights on the card */
#define KF_RIGHT_INIT		0x00000100u	/* initialise a card: all it holds is erased */
#define KF_RIGHT_KEK		0x00000200u	/* create key-encryption keys, give shares of one */
#define KF_RIGHT_PIN		0x00000400u	/* carry sealed orders about PINs into the card */
#define KF_RIGHT_WRAP		0x00000800u	/* have keys given out, under a DKEK */

/* ---------------------------------------------------------------- connection: 0x00 to 0x0f */

/**
 * struct kf_hello - first request on a connection, once; nothing else is served before it
 * @version:	[in] %KF_PROTO_VERSION
 * @max_packet:	[in] largest packet the client takes, at least 4096; a reply that would be
 *		larger is EMSGSIZE
 *		[out] largest packet the broker takes
 * @features:	[in] what the client understands, [out] what the broker serves too; bits as they
 *		come, none defined yet
 * @name:	[in] what to call this client in KF_CLIENTS and logs; never trusted
 * @rights:	[out] KF_RIGHT_ mask of this connection's uid
 * @uid:	[out] the uid the broker sees
 * @client:	[out] the broker's number for this connection, as in KF_CLIENTS and logs
 * @max_requests: [out] how many requests may be outstanding at once
 * @broker:	[out] version of the broker program
 */
struct kf_hello {
	__u32 version;
	__u32 max_packet;
	__u64 features;
	char name[KF_LABEL_MAX];
	__u32 rights;
	__u32 uid;
	__u32 client;
	__u32 max_requests;
	char broker[KF_LABEL_MAX];
};
static_assert(sizeof(struct kf_hello) == 96, "kf_hello");
#define KF_HELLO		_IOWR(KF_TYPE, 0x00, struct kf_hello)

#define KF_STATUS_DEV		0x1u	/* development: one uid may play several parts */

/**
 * struct kf_status - who we are and how we are doing
 * @flags:	[out] KF_STATUS_
 * @uptime_s:	[out] seconds since the broker started
 * @n_clients:	[out] connected now
 * @max_clients: [out] limit
 * @n_readers:	[out] known now
 * @max_readers: [out] limit
 * @max_uid_connections: [out] limit per uid, here and below
 * @max_uid_contexts: [out] open contexts
 * @max_uid_keys: [out] live key handles
 * @max_uid_bytes: [out] bytes queued in either direction
 * @policy:	[out] version of the policy table in force
 * @n_processes: [out] rows in @processes
 * @processes:	[out] struct kf_process_entry, back to back
 */
struct kf_status {
	__u32 flags;
	__u32 uptime_s;
	__u32 n_clients;
	__u32 max_clients;
	__u32 n_readers;
	__u32 max_readers;
	__u32 max_uid_connections;
	__u32 max_uid_contexts;
	__u32 max_uid_keys;
	__u32 max_uid_bytes;
	__u32 policy;
	__u32 n_processes;
	struct kf_part processes;
};
static_assert(sizeof(struct kf_status) == 56, "kf_status");
#define KF_STATUS		_IOWR(KF_TYPE, 0x01, struct kf_status)

enum kf_role {
	KF_ROLE_MONITOR = 1,
	KF_ROLE_BROKER = 2,
	KF_ROLE_DRIVER = 3,
};

/*
 * What holds a process of ours back, as it measured it on itself after its last step of closing
 * itself in, none of which can be undone. Bits that are neither in force nor lacking: it failed or
 * was left out, as in a build with sanitizers.
 */
#define KF_GUARD_NO_NEW_PRIVS	0x00000001u
#define KF_GUARD_UNDUMPABLE	0x00000002u	/* no debugger or reader of /proc of its own uid */
#define KF_GUARD_NO_CORE	0x00000004u
#define KF_GUARD_NO_CAPABILITIES 0x00000008u
#define KF_GUARD_SECCOMP	0x00000010u	/* system calls by allow-list; else SIGSYS */
#define KF_GUARD_LANDLOCK	0x00000020u	/* no file system but what it names */
#define KF_GUARD_LACKS_SECCOMP	0x00010000u	/* the kernel has none */
#define KF_GUARD_LACKS_LANDLOCK	0x00020000u
#define KF_GUARD_LANDLOCK_ABI(n) ((__u32)(n) << 24)	/* the kernel's version of it, if in force */

/**
 * struct kf_process_entry - one process of ours, a row of &kf_status.processes
 * @role:	enum kf_role
 * @pid:	for people; nothing may rest on it
 * @uid:	real uid
 * @reader:	driver: its reader; else 0
 * @restarts:	driver: how often the monitor had to start it again
 * @guards:	KF_GUARD_
 * @version:	program version
 */
struct kf_process_entry {
	__u32 role;
	__u32 pid;
	__u32 uid;
	__u32 reader;
	__u32 restarts;
	__u32 guards;
	char version[KF_LABEL_MAX];
};
static_assert(sizeof(struct kf_process_entry) == 56, "kf_process_entry");

/**
 * struct kf_clients - who holds what for how long. KF_RIGHT_ADMIN sees all, others their own uid
 * @n_clients:	[out] rows
 * @reserved:	0
 * @clients:	[out] struct kf_client_entry, back to back; a client without a context has one row,
 *		one with several has a row for each
 */
struct kf_clients {
	__u32 n_clients;
	__u32 reserved;
	struct kf_part clients;
};
static_assert(sizeof(struct kf_clients) == 16, "kf_clients");
#define KF_CLIENTS		_IOWR(KF_TYPE, 0x02, struct kf_clients)

#define KF_CLIENT_TXN		0x1u	/* holds the reader's transaction */
#define KF_CLIENT_TXN_WAITS	0x2u	/* waits for it */
#define KF_CLIENT_PIN		0x4u	/* its verified PIN is in the card now */
#define KF_CLIENT_RUNNING	0x8u	/* a request of it is at the card now */
#define KF_CLIENT_HELD		0x10u	/* the card is held for its live session keys */

/**
 * struct kf_client_entry - one client with one context
 * @client:	its number
 * @uid:	who
 * @pid:	at connect; for people only
 * @flags:	KF_CLIENT_
 * @reader:	of the context; 0 if it has none
 * @n_keys:	live key handles under the context
 * @n_waiting:	its requests queued for that reader
 * @age_ms:	since connect
 * @held_ms:	since it got the transaction; 0 if it has none
 * @left_ms:	until the transaction is taken away
 * @reader_name: as in the list
 * @name:	from KF_HELLO
 * @txn:	the transaction's name
 */
struct kf_client_entry {
	__u32 client;
	__u32 uid;
	__u32 pid;
	__u32 flags;
	__u32 reader;
	__u32 n_keys;
	__u32 n_waiting;
	__u32 age_ms;
	__u32 held_ms;
	__u32 left_ms;
	char reader_name[KF_NAME_MAX];
	char name[KF_LABEL_MAX];
	char txn[KF_LABEL_MAX];
};
static_assert(sizeof(struct kf_client_entry) == 168, "kf_client_entry");

#define KF_EVENTS_READER	0x1u	/* readers coming and going */
#define KF_EVENTS_CARD		0x2u	/* cards inserted, removed, reset */

/**
 * struct kf_events - chooses which events this connection gets. Subscribe first, list afterwards:
 *		then nothing is missed
 * @mask:	[in] KF_EVENTS_; 0 ends them
 * @reserved:	0
 */
struct kf_events {
	__u32 mask;
	__u32 reserved;
};
static_assert(sizeof(struct kf_events) == 8, "kf_events");
#define KF_EVENTS		_IOWR(KF_TYPE, 0x03, struct kf_events)

/**
 * struct kf_cancel - asks that an earlier request of this connection be given up
 * @seq:	[in] its sequence number
 * @reserved:	0
 *
 * One that still waits is answered ECANCELED. One that is at the card is asked to stop; it is
 * answered ECANCELED, or with its result if that came first. ENOENT: already answered, or never
 * asked. Towards a driver this is the one request that may be sent while another is outstanding,
 * and the one that has no reply.
 */
struct kf_cancel {
	__u32 seq;
	__u32 reserved;
};
static_assert(sizeof(struct kf_cancel) == 8, "kf_cancel");
#define KF_CANCEL		_IOWR(KF_TYPE, 0x04, struct kf_cancel)

enum kf_who { KF_WHO_UID = 1, KF_WHO_GID = 2, KF_WHO_EVERYBODY = 3 };

#define KF_POLICY_WHOLE		0x1u	/* all rules; else only those that name the asker */

/**
 * struct kf_policy - the policy table in force. KF_RIGHT_ADMIN sees all of it, others what names them
 * @version:	[out] as in KF_STATUS
 * @n_rules:	[out] rows
 * @flags:	[out] KF_POLICY_
 * @reserved:	0
 * @rules:	[out] struct kf_policy_entry, back to back
 */
struct kf_policy {
	__u32 version;
	__u32 n_rules;
	__u32 flags;
	__u32 reserved;
	struct kf_part rules;
};
static_assert(sizeof(struct kf_policy) == 24, "kf_policy");
#define KF_POLICY		_IOWR(KF_TYPE, 0x05, struct kf_policy)

/**
 * struct kf_policy_entry - one rule: admits, never forbids; all that name a client add up
 * @who:	enum kf_who
 * @id:		uid or gid
 * @rights:	KF_RIGHT_ mask
 * @first:	first container it is about
 * @count:	how many from there on; 0: all there are
 * @line:	in the configuration file; 0: not from there
 * @name:	what people call it
 * @reader:	glob over reader names; empty: all of them
 */
struct kf_policy_entry {
	__u32 who;
	__u32 id;
	__u32 rights;
	__u32 first;
	__u32 count;
	__u32 line;
	char name[KF_LABEL_MAX];
	char reader[KF_NAME_MAX];
};
static_assert(sizeof(struct kf_policy_entry) == 120, "kf_policy_entry");

/* ---------------------------------------------------------------- readers, contexts: 0x10 to 0x1f */

enum kf_reader_state {
	KF_READER_STARTING = 1,		/* no driver yet, or the reader did not answer yet */
	KF_READER_EMPTY = 2,
	KF_READER_CARD = 3,		/* a card that answered to reset */
	KF_READER_MUTE = 4,		/* something is in the slot and does not answer */
	KF_READER_GONE = 5,		/* only in events and for contexts that outlived it */
	/* No driver serves it, and why; an older program takes these for gone. */
	KF_READER_BUSY = 6,		/* another program has claimed it */
	KF_READER_NO_ACCESS = 7,	/* its device node is missing or not ours to open */
	KF_READER_QUARANTINED = 8,	/* it broke too many drivers; tried again later */
	KF_READER_REFUSED = 9,		/* its descriptors cannot be worked with */
};

/**
 * struct kf_reader_entry - one reader
 * @reader:	the broker's number, never used again while it runs; survives a driver restart
 * @state:	enum kf_reader_state
 * @generation:	of the card: changes with every insertion and every reset
 * @atr_len:	bytes of @atr; 0 without a card
 * @vendor:	USB ids as the reader claims them
 * @product:	likewise
 * @name:	unique; virtual readers' names begin with "virtual:"
 * @card:	what the driver takes the card for ("keyferry", ...); empty if it knows none
 * @serial:	card serial number: as it stands if it is printable, else in upper-case hex; empty
 *		if unknown
 * @atr:	[7816-3]
 * @reserved:	0
 */
struct kf_reader_entry {
	__u32 reader;
	__u32 state;
	__u32 generation;
	__u32 atr_len;
	__u16 vendor;
	__u16 product;
	char name[KF_NAME_MAX];
	char card[KF_LABEL_MAX];
	char serial[2 * KF_SERIAL_MAX + 4];
	__u8 atr[KF_ATR_MAX];
	__u8 reserved[3];
};
static_assert(sizeof(struct kf_reader_entry) == 220, "kf_reader_entry");

/**
 * struct kf_reader_list - all readers
 * @n_readers:	[out] rows
 * @reserved:	0
 * @readers:	[out] struct kf_reader_entry, back to back
 */
struct kf_reader_list {
	__u32 n_readers;
	__u32 reserved;
	struct kf_part readers;
};
static_assert(sizeof(struct kf_reader_list) == 16, "kf_reader_list");
#define KF_READER_LIST		_IOWR(KF_TYPE, 0x10, struct kf_reader_list)

#define KF_FEATURE_PIN_VERIFY	0x1u	/* the reader has a keypad for kf_pin_pad_verify() */
#define KF_FEATURE_PIN_CHANGE	0x2u	/* and for kf_pin_pad_change() */
#define KF_FEATURE_DISPLAY	0x4u
#define KF_FEATURE_POLLED	0x8u	/* it does not tell of cards by itself */

enum kf_exchange {
	KF_EXCHANGE_UNKNOWN = 0,
	KF_EXCHANGE_CHARACTER = 1,
	KF_EXCHANGE_TPDU = 2,
	KF_EXCHANGE_SHORT_APDU = 3,
	KF_EXCHANGE_EXTENDED_APDU = 4,
};

/**
 * struct kf_reader_info - one reader, in more detail
 * @reader:	[in] number, or 0 to go by @entry.name
 * @features:	[out] KF_FEATURE_
 * @exchange:	[out] enum kf_exchange
 * @max_message: [out] largest CCID message
 * @entry:	[in] name, [out] the rest
 * @product_name: [out] USB product string, or what stands for it
 * @driver_version: [out] of the driver process
 * @slot:	[out] which slot of its device this reader is, 0 for the first
 * @n_slots:	[out] how many the device has; each is a reader of its own, @slot apart named alike
 */
struct kf_reader_info {
	__u32 reader;
	__u32 features;
	__u32 exchange;
	__u32 max_message;
	struct kf_reader_entry entry;
	char product_name[KF_NAME_MAX];
	char driver_version[KF_LABEL_MAX];
	__u32 slot;
	__u32 n_slots;
};
static_assert(sizeof(struct kf_reader_info) == 340, "kf_reader_info");
#define KF_READER_INFO		_IOWR(KF_TYPE, 0x11, struct kf_reader_info)

#define KF_OPEN_WAIT		0x1u	/* answer only when a card is there, or at the deadline */

/**
 * struct kf_context_open - one client with one card, or with an empty slot it waits on
 * @context:	[out] handle; the first field of all requests about a card
 * @reader:	[in] number, or 0 to go by @name; both 0: the only reader there is, ENOENT if there
 *		are none or several
 * @flags:	[in] KF_OPEN_
 * @name:	[in] reader name
 * @state:	[out] enum kf_reader_state
 * @generation:	[out] of the card
 *
 * A context opened on an empty slot belongs to the first card that comes. Removal of its card, or
 * the end of its driver, makes it stale for good: another card never inherits a context. While the
 * reader's driver is starting the answer waits until it is known whether there is a card.
 */
struct kf_context_open {
	__u64 context;
	__u32 reader;
	__u32 flags;
	char name[KF_NAME_MAX];
	__u32 state;
	__u32 generation;
};
static_assert(sizeof(struct kf_context_open) == 88, "kf_context_open");
#define KF_CONTEXT_OPEN		_IOWR(KF_TYPE, 0x12, struct kf_context_open)

/**
 * struct kf_context_close - gives a context back, with its keys, transaction and PIN state
 * @context:	[in] handle; a stale one can be closed, too
 */
struct kf_context_close {
	__u64 context;
};
static_assert(sizeof(struct kf_context_close) == 8, "kf_context_close");
#define KF_CONTEXT_CLOSE	_IOWR(KF_TYPE, 0x13, struct kf_context_close)

/* ---------------------------------------------------------------- card: 0x20 to 0x2f */

#define KF_CARD_OPEN_IMPORT	0x1u	/* no injector key: senders are unauthenticated */
#define KF_CARD_RECEIPTS	0x2u	/* signs receipts */
#define KF_CARD_ATTESTS		0x4u	/* signs statements */
#define KF_CARD_SESSIONS_STAY	0x8u	/* session objects survive KF_DRV_DROP and SELECT */
#define KF_CARD_CVC		0x10u	/* KF_DEVICE_CERT answers card-verifiable certificates */
#define KF_CARD_DKEK		0x20u	/* wraps and unwraps keys under a DKEK */
#define KF_CARD_CMAC		0x40u	/* its AES keys make MACs, %KF_CIPHER_MAC */

/**
 * struct kf_card_info - what the card is and can
 * @context:	[in] handle
 * @flags:	[out] KF_CARD_
 * @app_version: [out] of the card application: major << 16 | minor
 * @level:	[out] enum kf_level; a claim until a statement is verified
 * @key_import:	[out] KF_IMPORT_ mask (CP_KEY_IMPORT_SUPPORT)
 * @key_types:	[out] bits by enum kf_key_type: may be generated or injected
 * @exchange_types: [out] bits by enum kf_key_type: may be an exchange key
 * @ciphers:	[out] bits by enum kf_key_type: session algorithms (CP_ENUM_ALGORITHMS, cipher)
 * @chain_modes: [out] KF_CHAIN_ mask
 * @paddings:	[out] KF_PADDING_ mask, asymmetric
 * @cipher_paddings: [out] KF_PADDING_ mask, symmetric
 * @hashes:	[out] bits by enum kf_hash
 * @methods:	[out] bits by enum kf_method
 * @functions:	[out] bits by enum kf_function
 * @purposes:	[out] bits by enum kf_purpose: may be chosen for a container
 * @n_containers: [out] how many numbered places
 * @max_item:	[out] largest item, in bytes
 * @free_bytes:	[out] room left; 0xffffffff unknown
 * @pins:	[out] bit by PIN id: exists
 * @verified:	[out] bit by PIN id: verified for *this client* now (CP_CARD_AUTHENTICATED_STATE)
 * @generation:	[out] changes with insertion and reset
 * @atr_len:	[out] of @atr
 * @serial_len:	[out] of @serial
 * @aid_len:	[out] of @aid
 * @tries:	[out] tries left by PIN id; %KF_TRIES_UNKNOWN if unknown or no such PIN
 * @atr:	[out] [7816-3]
 * @reserved:	0
 * @serial:	[out] card serial number
 * @aid:	[out] of the card application
 * @driver:	[out] name of the card driver
 * @label:	[out] the card's own name, may be empty
 * @unwrap_types: [out] bits by enum kf_key_type: may come under a KEK; 0: the card knows no KEKs
 * @unwrap_hashes: [out] bits by enum kf_hash: a KEK may have
 */
struct kf_card_info {
	__u64 context;
	__u32 flags;
	__u32 app_version;
	__u32 level;
	__u32 key_import;
	__u32 key_types;
	__u32 exchange_types;
	__u32 ciphers;
	__u32 chain_modes;
	__u32 paddings;
	__u32 cipher_paddings;
	__u32 hashes;
	__u32 methods;
	__u32 functions;
	__u32 purposes;
	__u32 n_containers;
	__u32 max_item;
	__u32 free_bytes;
	__u32 pins;
	__u32 verified;
	__u32 generation;
	__u32 atr_len;
	__u32 serial_len;
	__u32 aid_len;
	__u32 reserved2;
	__u8 tries[KF_PINS_MAX];
	__u8 atr[KF_ATR_MAX];
	__u8 reserved[7];
	__u8 serial[KF_SERIAL_MAX];
	__u8 aid[KF_AID_MAX];
	char driver[KF_LABEL_MAX];
	char label[KF_LABEL_MAX];
	__u32 unwrap_types;
	__u32 unwrap_hashes;
};
static_assert(sizeof(struct kf_card_info) == 272, "kf_card_info");
#define KF_CARD_INFO		_IOWR(KF_TYPE, 0x20, struct kf_card_info)

/**
 * struct kf_device_cert - the DEVICE key's certificate
 * @context:	[in] handle
 * @chain:	[out] DER certificates back to back, the device's own first: X.509, with %KF_CARD_CVC those of
 *		BSI TR-03110
 */
struct kf_device_cert {
	__u64 context;
	struct kf_part chain;
};
static_assert(sizeof(struct kf_device_cert) == 16, "kf_device_cert");
#define KF_DEVICE_CERT		_IOWR(KF_TYPE, 0x21, struct kf_device_cert)

/**
 * struct kf_card_reset - cold reset. Every client's keys on this card become stale
 * @context:	[in] handle
 * @generation:	[out] after it
 * @reserved:	0
 */
struct kf_card_reset {
	__u64 context;
	__u32 generation;
	__u32 reserved;
};
static_assert(sizeof(struct kf_card_reset) == 16, "kf_card_reset");
#define KF_CARD_RESET		_IOWR(KF_TYPE, 0x22, struct kf_card_reset)

/* ---------------------------------------------------------------- PINs: 0x30 to 0x3f
 * 0x37 is kept for unblocking at a PIN pad.
 */

#define KF_PIN_VERIFIED		0x1u	/* for this client, now */
#define KF_PIN_BLOCKED		0x2u
#define KF_PIN_DEFAULT		0x4u	/* still the transport PIN, must be changed */
#define KF_PIN_UNBLOCKS		0x8u	/* this PIN only unblocks others */

/**
 * struct kf_pin_status - one PIN
 * @context:	[in] handle
 * @pin:	[in] PIN id
 * @flags:	[out] KF_PIN_
 * @tries_left:	[out] %KF_TRIES_UNKNOWN if the card does not say
 * @tries_max:	[out] likewise
 * @min_len:	[out] bytes
 * @max_len:	[out] bytes
 */
struct kf_pin_status {
	__u64 context;
	__u32 pin;
	__u32 flags;
	__u32 tries_left;
	__u32 tries_max;
	__u32 min_len;
	__u32 max_len;
};
static_assert(sizeof(struct kf_pin_status) == 32, "kf_pin_status");
#define KF_PIN_STATUS		_IOWR(KF_TYPE, 0x30, struct kf_pin_status)

#define KF_PIN_LAST_TRY		0x1u	/* go on even if this spends the last try */

/**
 * struct kf_pin_verify - gives a PIN for this client alone
 * @context:	[in] handle
 * @pin:	[in] PIN id
 * @flags:	[in] %KF_PIN_LAST_TRY
 * @value:	[in] the PIN
 *
 * It is good until another client has a turn at the card; a transaction keeps others away.
 * EKEYREJECTED: wrong, detail has the tries left. EPERM with KF_REASON_PIN_LAST_TRY: not sent.
 */
struct kf_pin_verify {
	__u64 context;
	__u32 pin;
	__u32 flags;
	struct kf_part value;
};
static_assert(sizeof(struct kf_pin_verify) == 24, "kf_pin_verify");
#define KF_PIN_VERIFY		_IOWR(KF_TYPE, 0x31, struct kf_pin_verify)

/**
 * struct kf_pin_change - replaces a PIN by its holder
 * @context:	[in] handle
 * @pin:	[in] PIN id
 * @flags:	[in] %KF_PIN_LAST_TRY
 * @old_value:	[in] the PIN as it is
 * @new_value:	[in] the PIN as it shall be
 */
struct kf_pin_change {
	__u64 context;
	__u32 pin;
	__u32 flags;
	struct kf_part old_value;
	struct kf_part new_value;
};
static_assert(sizeof(struct kf_pin_change) == 32, "kf_pin_change");
#define KF_PIN_CHANGE		_IOWR(KF_TYPE, 0x32, struct kf_pin_change)

/**
 * struct kf_pin_unblock - sets a new PIN with the help of a PUK
 * @context:	[in] handle
 * @pin:	[in] the PIN to unblock
 * @flags:	[in] %KF_PIN_LAST_TRY, about the PUK's tries
 * @puk:	[in] the PUK
 * @new_value:	[in] the new PIN
 */
struct kf_pin_unblock {
	__u64 context;
	__u32 pin;
	__u32 flags;
	struct kf_part puk;
	struct kf_part new_value;
};
static_assert(sizeof(struct kf_pin_unblock) == 32, "kf_pin_unblock");
#define KF_PIN_UNBLOCK		_IOWR(KF_TYPE, 0x33, struct kf_pin_unblock)

/**
 * struct kf_pin_logout - drops this client's verified state
 * @context:	[in] handle
 */
struct kf_pin_logout {
	__u64 context;
};
static_assert(sizeof(struct kf_pin_logout) == 8, "kf_pin_logout");
#define KF_PIN_LOGOUT		_IOWR(KF_TYPE, 0x34, struct kf_pin_logout)

/**
 * struct kf_pin_pad - KF_PIN_VERIFY and KF_PIN_CHANGE with what is typed at the reader's own keypad:
 *		no PIN goes through this machine
 * @context:	[in] handle
 * @pin:	[in] PIN id
 * @flags:	[in] %KF_PIN_LAST_TRY
 *
 * The command that the PIN goes into is the card driver's; a client has no say in it. The deadline is
 * the time the person has, so give it one: the reader asks for each PIN (one, or old, new and new
 * again) as long as it allows, at most 60 s between two keys. Errors of their own: EOPNOTSUPP with
 * KF_REASON_NO_PINPAD; ECANCELED, ETIMEDOUT or EINVAL with KF_REASON_PAD_: it ended at the keys, and the
 * card was not asked. A KF_CANCEL, or the deadline, ends the entry and resets the card.
 */
struct kf_pin_pad {
	__u64 context;
	__u32 pin;
	__u32 flags;
};
static_assert(sizeof(struct kf_pin_pad) == 16, "kf_pin_pad");
#define KF_PIN_PAD_VERIFY	_IOWR(KF_TYPE, 0x35, struct kf_pin_pad)
#define KF_PIN_PAD_CHANGE	_IOWR(KF_TYPE, 0x36, struct kf_pin_pad)

/* ---------------------------------------------------------------- containers: 0x40 to 0x4f */

#define KF_CONTAINER_CERT	0x1u	/* a certificate is stored */
#define KF_CONTAINER_PIN	0x2u	/* use needs the PIN */
#define KF_CONTAINER_USED	0x4u	/* has been used at least once */

/**
 * struct kf_container_entry - one numbered place for a key pair
 * @container:	its number, from 0
 * @key_type:	enum kf_key_type; %KF_KEY_NONE if empty
 * @purpose:	enum kf_purpose
 * @origin:	enum kf_origin
 * @flags:	KF_CONTAINER_
 * @pin:	id of the PIN its use needs
 * @holds:	SHA-256 of the SubjectPublicKeyInfo, or of an AES key's mark; zero if empty. What
 *		replaces the key names it
 */
struct kf_container_entry {
	__u32 container;
	__u32 key_type;
	__u32 purpose;
	__u32 origin;
	__u32 flags;
	__u32 pin;
	__u8 holds[KF_DIGEST_SIZE];
};
static_assert(sizeof(struct kf_container_entry) == 56, "kf_container_entry");

/**
 * struct kf_container_list - all containers, the empty ones too
 * @context:	[in] handle
 * @n_containers: [out] rows
 * @reserved:	0
 * @containers:	[out] struct kf_container_entry, back to back, in order of their numbers. A card with
 *		room for hundreds leaves out the empty ones
 */
struct kf_container_list {
	__u64 context;
	__u32 n_containers;
	__u32 reserved;
	struct kf_part containers;
};
static_assert(sizeof(struct kf_container_list) == 24, "kf_container_list");
#define KF_CONTAINER_LIST	_IOWR(KF_TYPE, 0x40, struct kf_container_list)

/**
 * struct kf_container_info - one container and its public key
 * @context:	[in] handle
 * @entry:	[in] container, [out] the rest
 * @spki:	[out] SubjectPublicKeyInfo, DER; absent if empty, or an AES key
 * @check_len:	[out] of @check_value; 0: no AES key
 * @check_value: [out] of an AES key [PKCS#11 CKA_CHECK_VALUE]
 * @reserved:	0
 */
struct kf_container_info {
	__u64 context;
	struct kf_container_entry entry;
	struct kf_part spki;
	__u32 check_len;
	__u8 check_value[KF_CHECK_VALUE_SIZE];
	__u8 reserved;
};
static_assert(sizeof(struct kf_container_info) == 80, "kf_container_info");
#define KF_CONTAINER_INFO	_IOWR(KF_TYPE, 0x41, struct kf_container_info)

/**
 * struct kf_container_create - has the card generate a key pair
 * @context:	[in] handle
 * @container:	[in] number or %KF_CONTAINER_ANY, [out] which it was
 * @key_type:	[in] enum kf_key_type
 * @purpose:	[in] enum kf_purpose: sign, decrypt or derive
 * @pin:	[in] PIN its use shall need; 0: the card's default
 * @flags:	[in] 0
 * @reserved:	0
 * @spki:	[out] SubjectPublicKeyInfo, DER
 */
struct kf_container_create {
	__u64 context;
	__u32 container;
	__u32 key_type;
	__u32 purpose;
	__u32 pin;
	__u32 flags;
	__u32 reserved;
	struct kf_part spki;
};
static_assert(sizeof(struct kf_container_create) == 40, "kf_container_create");
#define KF_CONTAINER_CREATE	_IOWR(KF_TYPE, 0x42, struct kf_container_create)

/**
 * struct kf_container_delete - destroys the key and its certificate
 * @context:	[in] handle
 * @container:	[in] number
 * @flags:	[in] 0
 */
struct kf_container_delete {
	__u64 context;
	__u32 container;
	__u32 flags;
};
static_assert(sizeof(struct kf_container_delete) == 16, "kf_container_delete");
#define KF_CONTAINER_DELETE	_IOWR(KF_TYPE, 0x43, struct kf_container_delete)

/**
 * struct kf_cert_store - stores a certificate beside a key; an absent part removes it
 * @context:	[in] handle
 * @container:	[in] number
 * @flags:	[in] 0
 * @cert:	[in] DER
 */
struct kf_cert_store {
	__u64 context;
	__u32 container;
	__u32 flags;
	struct kf_part cert;
};
static_assert(sizeof(struct kf_cert_store) == 24, "kf_cert_store");
#define KF_CERT_STORE		_IOWR(KF_TYPE, 0x44, struct kf_cert_store)

#define KF_CERT_VOUCHER		0x1u	/* in its place what the card signed when it made the key */

/**
 * struct kf_cert_read - reads it back; ENOENT if there is none
 * @context:	[in] handle
 * @container:	[in] number
 * @flags:	[in] 0 or %KF_CERT_VOUCHER
 * @cert:	[out] DER; with %KF_CERT_VOUCHER an authenticated request [BSI TR-03110-3 C.2.2]. A card that
 *		keeps it where the certificate goes has it no more once there is one
 */
struct kf_cert_read {
	__u64 context;
	__u32 container;
	__u32 flags;
	struct kf_part cert;
};
static_assert(sizeof(struct kf_cert_read) == 24, "kf_cert_read");
#define KF_CERT_READ		_IOWR(KF_TYPE, 0x45, struct kf_cert_read)

/* ---------------------------------------------------------------- key use: 0x50 to 0x5f
 * 0x54 and 0x55 are kept.
 */

/**
 * struct kf_sign - a signature by a SIGN key
 * @context:	[in] handle
 * @container:	[in] number
 * @padding:	[in] %KF_PADDING_PKCS1 or %KF_PADDING_PSS for RSA, %KF_PADDING_NONE for EC
 * @hash:	[in] enum kf_hash: what @digest is, and for PSS the MGF1 hash
 * @salt_len:	[in] PSS: bytes, 0 means the length of the hash; else 0
 * @flags:	[in] 0
 * @reserved:	0
 * @digest:	[in] the hash of the message, never the message
 * @signature:	[out] RSA: as long as the modulus; EC: DER ECDSA-Sig-Value
 */
struct kf_sign {
	__u64 context;
	__u32 container;
	__u32 padding;
	__u32 hash;
	__u32 salt_len;
	__u32 flags;
	__u32 reserved;
	struct kf_part digest;
	struct kf_part signature;
};
static_assert(sizeof(struct kf_sign) == 48, "kf_sign");
#define KF_SIGN			_IOWR(KF_TYPE, 0x50, struct kf_sign)

/**
 * struct kf_decrypt - RSA decryption by a DECRYPT key
 * @context:	[in] handle
 * @container:	[in] number
 * @padding:	[in] %KF_PADDING_PKCS1 or %KF_PADDING_OAEP
 * @hash:	[in] OAEP: hash, for MGF1 too; else 0
 * @flags:	[in] 0
 * @input:	[in] ciphertext, as long as the modulus
 * @label:	[in] OAEP label, usually absent
 * @output:	[out] plaintext
 */
struct kf_decrypt {
	__u64 context;
	__u32 container;
	__u32 padding;
	__u32 hash;
	__u32 flags;
	struct kf_part input;
	struct kf_part label;
	struct kf_part output;
};
static_assert(sizeof(struct kf_decrypt) == 48, "kf_decrypt");
#define KF_DECRYPT		_IOWR(KF_TYPE, 0x51, struct kf_decrypt)

/**
 * struct kf_agree - ECDH by a DERIVE key
 * @context:	[in] handle
 * @container:	[in] number
 * @flags:	[in] 0
 * @peer:	[in] the other side's point: 04 || x || y; X25519: 32 bytes
 * @secret:	[out] x coordinate
 */
struct kf_agree {
	__u64 context;
	__u32 container;
	__u32 flags;
	struct kf_part peer;
	struct kf_part secret;
};
static_assert(sizeof(struct kf_agree) == 32, "kf_agree");
#define KF_AGREE		_IOWR(KF_TYPE, 0x52, struct kf_agree)

#define KF_CIPHER_DECRYPT	0x1u	/* else encrypt */
#define KF_CIPHER_MAC		0x2u	/* neither: AES-CMAC [SP 800-38B], by cards that say %KF_CARD_CMAC */

/**
 * struct kf_cipher - AES by a CIPHER key
 * @context:	[in] handle
 * @container:	[in] number
 * @mode:	[in] %KF_CHAIN_CBC, without padding, or %KF_CHAIN_GCM; 0 for a MAC
 * @flags:	[in] KF_CIPHER_
 * @reserved:	0
 * @iv:		CBC: 16 bytes [in]. GCM: the first 12, [in] to decrypt, [out] to encrypt: the card
 *		chooses it, and never one twice
 * @tag:	GCM: [in] to decrypt, [out] to encrypt
 * @aad:	[in] GCM: at most 1024 bytes
 * @input:	[in] at most %KF_CIPHER_MAX bytes; CBC: whole blocks, at least one. MAC: at least one byte, and
 *		EOPNOTSUPP if it is more than the card takes at once
 * @output:	[out] as long; the %KF_CMAC_SIZE bytes of a MAC
 *
 * EREMOTEIO with KF_REASON_TAG: the tag is wrong, and no byte of the text is told.
 */
struct kf_cipher {
	__u64 context;
	__u32 container;
	__u32 mode;
	__u32 flags;
	__u32 reserved;
	__u8 iv[KF_IV_SIZE];
	__u8 tag[16];
	struct kf_part aad;
	struct kf_part input;
	struct kf_part output;
};
static_assert(sizeof(struct kf_cipher) == 80, "kf_cipher");
#define KF_CIPHER		_IOWR(KF_TYPE, 0x53, struct kf_cipher)

/* ---------------------------------------------------------------- injection: 0x60 to 0x6f
 * 0x67 to 0x6b are kept for channel set-up.
 */

#define KF_OFFER_EXISTING	0x1u	/* turn @exchange_container into EXCHANGE, irrevocably */

/**
 * struct kf_offer - the card's signed offer to take a sealed key
 * @context:	[in] handle
 * @container:	[in] target number or %KF_CONTAINER_ANY, [out] which it was. %KF_CONTAINER_BATCH: each item
 *		names its own, which takes the right over all. %KF_CONTAINER_PINS: items
 *		will be orders about PINs, and the right is %KF_RIGHT_PIN instead
 * @method:	[in] enum kf_method
 * @exchange_type: [in] enum kf_key_type of the exchange key; 0: the card's default for @method
 * @flags:	[in] KF_OFFER_; without, a fresh exchange key
 * @exchange_container: [in] with %KF_OFFER_EXISTING: a generated, never used key; else 0.
 *		[out] where the exchange key lies, or %KF_CONTAINER_ANY if it has no container
 * @n_items:	[in] how many items the session may carry; 0 means 1
 * @nonce:	[in] the server's challenge
 * @sid:	[out] session id, a copy of what the statement says
 * @statement:	[out] statement and signature, DER, as docs/formats.md has it
 * @chain:	[out] device certificate chain, as in KF_DEVICE_CERT
 */
struct kf_offer {
	__u64 context;
	__u32 container;
	__u32 method;
	__u32 exchange_type;
	__u32 flags;
	__u32 exchange_container;
	__u32 n_items;
	__u8 nonce[KF_NONCE_SIZE];
	__u8 sid[KF_SID_SIZE];
	struct kf_part statement;
	struct kf_part chain;
};
static_assert(sizeof(struct kf_offer) == 96, "kf_offer");
#define KF_OFFER		_IOWR(KF_TYPE, 0x60, struct kf_offer)

/**
 * struct kf_session_import - establishes S1 in the card (CardImportSessionKey,
 *		CardGetSharedKeyHandle, CardDeriveKey with CARD_RETURN_KEY_HANDLE)
 * @context:	[in] handle
 * @key:	[out] key handle; valid on this connection and context only
 * @method:	[in] enum kf_method
 * @algorithm:	[in] enum kf_key_type of S1; 0: what the statement says
 * @padding:	[in] RSA: %KF_PADDING_OAEP; else %KF_PADDING_NONE
 * @hash:	[in] RSA: OAEP hash; else 0
 * @container:	[in] the exchange key's container, or %KF_CONTAINER_ANY: as the sid says
 * @next_item:	[out] number of the item the card expects next, from 1
 * @sid:	[in] from the offer
 * @input:	[in] wrapped S1; the server's public key or derivation input for other methods
 * @output:	[out] derivation output for methods that have one
 * @target:	[out] the container the sid is for, or %KF_CONTAINER_PINS; %KF_CONTAINER_ANY if that is
 *		not known
 * @reserved:	0
 */
struct kf_session_import {
	__u64 context;
	__u64 key;
	__u32 method;
	__u32 algorithm;
	__u32 padding;
	__u32 hash;
	__u32 container;
	__u32 next_item;
	__u8 sid[KF_SID_SIZE];
	struct kf_part input;
	struct kf_part output;
	__u32 target;
	__u32 reserved;
};
static_assert(sizeof(struct kf_session_import) == 80, "kf_session_import");
#define KF_SESSION_IMPORT	_IOWR(KF_TYPE, 0x61, struct kf_session_import)

enum kf_prop {
	KF_PROP_CHAINING_MODE = 1,	/* __u32, one KF_CHAIN_ bit; set and get */
	KF_PROP_IV = 2,			/* exactly one cipher block; set and get */
	KF_PROP_BLOCK_LENGTH = 3,	/* __u32, bytes; get */
	KF_PROP_ALGORITHM = 4,		/* __u32, enum kf_key_type; get */
	KF_PROP_SID = 5,		/* 16 bytes; get */
	KF_PROP_NEXT_ITEM = 6,		/* __u32, from 1; get */
};

/**
 * struct kf_key_prop - one property of a session key (CardGetKeyProperty, CardSetKeyProperty)
 * @key:	[in] handle
 * @prop:	[in] enum kf_prop
 * @reserved:	0
 * @value:	set: [in], get: [out]; a __u32 as four bytes
 */
struct kf_key_prop {
	__u64 key;
	__u32 prop;
	__u32 reserved;
	struct kf_part value;
};
static_assert(sizeof(struct kf_key_prop) == 24, "kf_key_prop");
#define KF_KEY_PROP_GET		_IOWR(KF_TYPE, 0x62, struct kf_key_prop)
#define KF_KEY_PROP_SET		_IOWR(KF_TYPE, 0x63, struct kf_key_prop)

/**
 * struct kf_process - hands one sealed item to the card (CardProcessEncryptedData)
 * @key:	[in] session key handle
 * @function:	[in] enum kf_function; must be what the item says
 * @flags:	[in] 0
 * @container:	[out] where the key was installed; %KF_CONTAINER_PINS for an order about PINs
 * @item_no:	[out] from 1
 * @item:	[in] DER, as docs/formats.md has it
 * @receipt:	[out] DER, signed by the card
 * @output:	[out] the function's own output, usually absent
 *
 * After the last item the card consumes the session; the handle is still to be destroyed.
 */
struct kf_process {
	__u64 key;
	__u32 function;
	__u32 flags;
	__u32 container;
	__u32 item_no;
	struct kf_part item;
	struct kf_part receipt;
	struct kf_part output;
};
static_assert(sizeof(struct kf_process) == 48, "kf_process");
#define KF_PROCESS		_IOWR(KF_TYPE, 0x64, struct kf_process)

/**
 * struct kf_key_destroy - drops a session key (CardDestroyKey)
 * @key:	[in] handle
 *
 * The session object in the card goes; an unfinished sid stays pending, so that the same cargo can
 * be tried again.
 */
struct kf_key_destroy {
	__u64 key;
};
static_assert(sizeof(struct kf_key_destroy) == 8, "kf_key_destroy");
#define KF_KEY_DESTROY		_IOWR(KF_TYPE, 0x65, struct kf_key_destroy)

/**
 * struct kf_receipt_get - the stored receipt of a finished item; ENOENT if there is none
 * @context:	[in] handle
 * @item_no:	[in] from 1; 0: of a %KF_BYOK_IMPORT
 * @reserved:	0
 * @sid:	[in] session id; of an import the first bytes of its blob's SHA-256
 * @receipt:	[out] DER
 */
struct kf_receipt_get {
	__u64 context;
	__u32 item_no;
	__u32 reserved;
	__u8 sid[KF_SID_SIZE];
	struct kf_part receipt;
};
static_assert(sizeof(struct kf_receipt_get) == 40, "kf_receipt_get");
#define KF_RECEIPT_GET		_IOWR(KF_TYPE, 0x66, struct kf_receipt_get)

/* ---------------------------------------------------------------- KEKs and BYOK: 0x70 to 0x7f
 * What a KEK is: docs/card-application.md 7.
 */

/**
 * struct kf_kek_create - has the card make a key-encryption key
 * @context:	[in] handle
 * @container:	[in] number or %KF_CONTAINER_ANY, [out] which it was
 * @key_type:	[in] enum kf_key_type: RSA
 * @hash:	[in] enum kf_hash of OAEP and its MGF1; %KF_HASH_SHA1 is what the BYOK specification says
 * @key_types:	[in] bits by enum kf_key_type: what it may unwrap
 * @purposes:	[in] bits by enum kf_purpose: what that may be for
 * @flags:	[in] %KF_PIN_LAST_TRY, about the PUK's tries
 * @puk:	[in] the PUK: the card's administrator alone makes KEKs
 * @name:	[in] 1 to 255 characters out of A-Z a-z 0-9 - . _ ~ : / @ %, not the name of another,
 *		in any case
 * @attestation: [out] SignedKekStatement, DER, as docs/formats.md 10 has it
 *
 * All of it is fixed for the life of the KEK. Like a PIN request it may end with EKEYREJECTED, EKEYREVOKED,
 * EPERM or EDQUOT, about the PUK.
 */
struct kf_kek_create {
	__u64 context;
	__u32 container;
	__u32 key_type;
	__u32 hash;
	__u32 key_types;
	__u32 purposes;
	__u32 flags;
	struct kf_part puk;
	struct kf_part name;
	struct kf_part attestation;
};
static_assert(sizeof(struct kf_kek_create) == 56, "kf_kek_create");
#define KF_KEK_CREATE		_IOWR(KF_TYPE, 0x70, struct kf_kek_create)

#define KF_KEK_DISABLED		0x1u

/**
 * struct kf_kek_entry - one KEK
 * @container:	where
 * @key_type:	enum kf_key_type
 * @origin:	enum kf_origin: generated, or factory: others know it
 * @hash:	enum kf_hash
 * @key_types:	as in kf_kek_create, and the next
 * @purposes:	likewise
 * @flags:	KF_KEK_
 * @reserved:	0
 * @kek:	SHA-256 of the SubjectPublicKeyInfo: its id
 * @name:	NUL-padded
 */
struct kf_kek_entry {
	__u32 container;
	__u32 key_type;
	__u32 origin;
	__u32 hash;
	__u32 key_types;
	__u32 purposes;
	__u32 flags;
	__u32 reserved;
	__u8 kek[KF_DIGEST_SIZE];
	char name[KF_KID_MAX + 1];
};
static_assert(sizeof(struct kf_kek_entry) == 320, "kf_kek_entry");

/**
 * struct kf_kek_list - all KEKs of the card
 * @context:	[in] handle
 * @n_keks:	[out] rows
 * @reserved:	0
 * @keks:	[out] struct kf_kek_entry, back to back, in order of their containers
 */
struct kf_kek_list {
	__u64 context;
	__u32 n_keks;
	__u32 reserved;
	struct kf_part keks;
};
static_assert(sizeof(struct kf_kek_list) == 24, "kf_kek_list");
#define KF_KEK_LIST		_IOWR(KF_TYPE, 0x71, struct kf_kek_list)

/**
 * struct kf_kek_attest - what the card says of a KEK, signed
 * @context:	[in] handle
 * @container:	[in] number
 * @flags:	[in] 0
 * @attestation: [out] SignedKekStatement, DER, with the public key
 */
struct kf_kek_attest {
	__u64 context;
	__u32 container;
	__u32 flags;
	struct kf_part attestation;
};
static_assert(sizeof(struct kf_kek_attest) == 24, "kf_kek_attest");
#define KF_KEK_ATTEST		_IOWR(KF_TYPE, 0x72, struct kf_kek_attest)

enum kf_kek_action {
	KF_KEK_DISABLE = 1,
	KF_KEK_ENABLE = 2,
	KF_KEK_DELETE = 3,
};

/**
 * struct kf_kek_set - switches a KEK off or on, or deletes it
 * @context:	[in] handle
 * @container:	[in] number
 * @action:	[in] enum kf_kek_action
 * @flags:	[in] %KF_PIN_LAST_TRY, about the PUK's tries
 * @reserved:	0
 * @puk:	[in] the PUK
 */
struct kf_kek_set {
	__u64 context;
	__u32 container;
	__u32 action;
	__u32 flags;
	__u32 reserved;
	struct kf_part puk;
};
static_assert(sizeof(struct kf_kek_set) == 32, "kf_kek_set");
#define KF_KEK_SET		_IOWR(KF_TYPE, 0x73, struct kf_kek_set)

#define KF_BYOK_REPLACE		0x1u	/* the container is occupied by what @replaces says */

/**
 * struct kf_byok_import - has the card unwrap a key into a container
 * @context:	[in] handle
 * @container:	[in] number or %KF_CONTAINER_ANY, [out] which it was
 * @key_type:	[in] enum kf_key_type; 0: as the blob's length tells (docs/byok.md 1). [out] which it was
 * @purpose:	[in] enum kf_purpose
 * @pin:	[in] PIN its use shall need; 0: the card's default
 * @kek:	[in] the KEK's container, or %KF_CONTAINER_ANY: by @kid. [out] which it was
 * @hash:	[in] enum kf_hash that the blob was made with; 0: not said. The KEK's must be the same
 * @flags:	[in] KF_BYOK_
 * @grade:	[out] enum kf_grade, informative: the lowest of the card's and the KEK's
 * @check_len:	[out] of @check_value; 0: a key pair
 * @check_value: [out] of an AES key [PKCS#11 CKA_CHECK_VALUE]
 * @reserved:	0
 * @replaces:	[in] SHA-256 that &kf_container_entry.holds says
 * @kid:	[in] how the blob calls its KEK, compared without regard to case; without a version it
 *		is the KEK that is called so with any one. Absent: by @kek alone
 * @blob:	[in] as CKM_RSA_AES_KEY_WRAP makes it, binary, at most %KF_BLOB_MAX bytes
 * @receipt:	[out] SignedKekReceipt, DER, as docs/formats.md 12 has it
 * @spki:	[out] SubjectPublicKeyInfo that the card computed, DER; absent for AES
 *
 * What does not fit is told, as KF_REASON_BYOK, before the card opens anything; then there is one refusal:
 * EREMOTEIO with KF_REASON_BYOK_REFUSED. After many of them the card takes half a second for each.
 */
struct kf_byok_import {
	__u64 context;
	__u32 container;
	__u32 key_type;
	__u32 purpose;
	__u32 pin;
	__u32 kek;
	__u32 hash;
	__u32 flags;
	__u32 grade;
	__u32 check_len;
	__u8 check_value[KF_CHECK_VALUE_SIZE];
	__u8 reserved;
	__u8 replaces[KF_DIGEST_SIZE];
	struct kf_part kid;
	struct kf_part blob;
	struct kf_part receipt;
	struct kf_part spki;
};
static_assert(sizeof(struct kf_byok_import) == 112, "kf_byok_import");
#define KF_BYOK_IMPORT		_IOWR(KF_TYPE, 0x78, struct kf_byok_import)

/* ---------------------------------------------------------------- raw and exclusive: 0x80 to 0x8f
 * 0x87 is kept for the relay.
 */

/**
 * struct kf_apdu - one raw APDU. The broker refuses PIN commands and secure messaging around them
 * @context:	[in] handle
 * @flags:	[in] 0
 * @reserved:	0
 * @command:	[in] short or extended, at most 65544 bytes
 * @response:	[out] data, SW1, SW2; 61xx and 6Cxx have been followed
 */
struct kf_apdu {
	__u64 context;
	__u32 flags;
	__u32 reserved;
	struct kf_part command;
	struct kf_part response;
};
static_assert(sizeof(struct kf_apdu) == 32, "kf_apdu");
#define KF_APDU			_IOWR(KF_TYPE, 0x80, struct kf_apdu)

#define KF_TXN_MAX_MS		300000

/**
 * struct kf_txn_begin - the card for this context alone
 * @context:	[in] handle
 * @hold_ms:	[in] how long at most, from when it is granted; 0 means 30000, at most
 *		%KF_TXN_MAX_MS. Then it ends by itself and the card's security state is dropped
 * @flags:	[in] 0
 * @name:	[in] what for; shown in KF_CLIENTS
 *
 * Answered when granted. Header.deadline_ms says how long to wait in line.
 */
struct kf_txn_begin {
	__u64 context;
	__u32 hold_ms;
	__u32 flags;
	char name[KF_LABEL_MAX];
};
static_assert(sizeof(struct kf_txn_begin) == 48, "kf_txn_begin");
#define KF_TXN_BEGIN		_IOWR(KF_TYPE, 0x81, struct kf_txn_begin)

#define KF_TXN_RESET		0x1u	/* and cold-reset the card */

/**
 * struct kf_txn_end - lets others have their turn
 * @context:	[in] handle
 * @flags:	[in] KF_TXN_; %KF_TXN_RESET needs no right beyond holding the transaction
 * @reserved:	0
 */
struct kf_txn_end {
	__u64 context;
	__u32 flags;
	__u32 reserved;
};
static_assert(sizeof(struct kf_txn_end) == 16, "kf_txn_end");
#define KF_TXN_END		_IOWR(KF_TYPE, 0x82, struct kf_txn_end)

#define KF_RELAY_APDUS_MAX	1024	/* in one relay */

/**
 * struct kf_relay_begin - an exclusive run of a server's protected APDUs
 * @context:	[in] handle
 * @hold_ms:	[in] as in kf_txn_begin; at the end, however it comes, the card is reset
 * @count:	[in] how many APDUs at most, 1 to %KF_RELAY_APDUS_MAX
 * @flags:	[in] 0
 * @reserved:	0
 * @name:	[in] what for; shown in KF_CLIENTS
 *
 * Answered when granted. One per uid. Until the end nothing but KF_RELAY_APDU reaches the card.
 */
struct kf_relay_begin {
	__u64 context;
	__u32 hold_ms;
	__u32 count;
	__u32 flags;
	__u32 reserved;
	char name[KF_LABEL_MAX];
};
static_assert(sizeof(struct kf_relay_begin) == 56, "kf_relay_begin");
#define KF_RELAY_BEGIN		_IOWR(KF_TYPE, 0x84, struct kf_relay_begin)

#define KF_RELAY_ENDED		0x1u	/* by this APDU: its status word was not the expected one */

/**
 * struct kf_relay_apdu - the next APDU of the run
 * @context:	[in] handle
 * @number:	[in] from 1, without a gap
 * @flags:	[out] KF_RELAY_
 * @expect:	[in] the status word it has to end with
 * @mask:	[in] bits of @expect that matter; 0: any status word will do
 * @sw:		[out] the status word
 * @command:	[in] protected by secure messaging, or one of those that set up a channel
 * @response:	[out] data, SW1, SW2; 61xx and 6Cxx have been followed
 */
struct kf_relay_apdu {
	__u64 context;
	__u32 number;
	__u32 flags;
	__u16 expect;
	__u16 mask;
	__u32 sw;
	struct kf_part command;
	struct kf_part response;
};
static_assert(sizeof(struct kf_relay_apdu) == 40, "kf_relay_apdu");
#define KF_RELAY_APDU		_IOWR(KF_TYPE, 0x85, struct kf_relay_apdu)

/**
 * struct kf_relay_end - ends it; the card is reset
 * @context:	[in] handle
 * @flags:	[in] 0
 * @reserved:	0
 */
struct kf_relay_end {
	__u64 context;
	__u32 flags;
	__u32 reserved;
};
static_assert(sizeof(struct kf_relay_end) == 16, "kf_relay_end");
#define KF_RELAY_END		_IOWR(KF_TYPE, 0x86, struct kf_relay_end)

/* ---------------------------------------------------------------- cards with a DKEK: 0x90 to 0x9f
 * SmartCard-HSM, Nitrokey HSM 2: docs/cards/schsm.md. A DKEK (device key encryption key) is the XOR
 * of its shares. Whoever has them all opens every key that was ever wrapped under it, and a card that
 * was given them takes every such key.
 */

#define KF_DKEK_SHARE_SIZE	32
#define KF_DKEK_CHECK_SIZE	8	/* first bytes of SHA-256(DKEK) */
#define KF_DKEK_SHARES_MAX	255
#define KF_SO_PIN_SIZE		8	/* bytes, given as these or as 16 hexadecimal digits */

#define KF_INIT_UNBLOCKS	0x2u	/* the SO-PIN may set a new user PIN later on */
#define KF_INIT_TRANSPORT	0x4u	/* the user PIN is a transport PIN: it has to be changed first */
#define KF_INIT_DKEK		0x8u	/* keys can be wrapped, under a DKEK of @n_shares */

/**
 * struct kf_card_init - initialises the card: every key, certificate, PIN and DKEK on it is gone, then
 *		it is as if new
 * @context:	[in] handle
 * @flags:	[in] %KF_PIN_LAST_TRY, about the SO-PIN's tries, and KF_INIT_
 * @tries:	[in] of the user PIN, 1 to 10; 0: 3. The card may allow fewer for a short PIN
 * @n_shares:	[in] with %KF_INIT_DKEK: how many shares the DKEK is made of; 0: the card makes one at
 *		random, which no other will ever have. Else 0
 * @n_domains:	[in] how many key domains, each with a DKEK of its own, made by KF_DKEK_DOMAIN; then
 *		without %KF_INIT_DKEK. 0: the card knows none
 * @so_pin:	[in] the SO-PIN, %KF_SO_PIN_SIZE bytes or twice as many hexadecimal digits. A card that
 *		was initialised before wants the one it has
 * @pin:	[in] the user PIN as it shall be
 * @label:	[in] what the card shall be called, at most %KF_LABEL_MAX - 1 bytes; or absent
 *
 * Like a PIN request it may end with EKEYREJECTED, EKEYREVOKED, EPERM or EDQUOT, about the SO-PIN. Unless
 * it was refused before it began, the card is reset before anybody's next turn: nobody's PIN is verified
 * any more, and key handles are stale.
 */
struct kf_card_init {
	__u64 context;
	__u32 flags;
	__u32 tries;
	__u32 n_shares;
	__u32 n_domains;
	struct kf_part so_pin;
	struct kf_part pin;
	struct kf_part label;
};
static_assert(sizeof(struct kf_card_init) == 48, "kf_card_init");
#define KF_CARD_INIT		_IOWR(KF_TYPE, 0x90, struct kf_card_init)

enum kf_dkek_state {
	KF_DKEK_NONE = 1,		/* a place for one, without shares; or no DKEK at all */
	KF_DKEK_INCOMPLETE = 2,		/* shares are outstanding: it wraps and unwraps nothing yet */
	KF_DKEK_READY = 3,
	KF_DKEK_XKEK = 4,		/* no DKEK but a key agreed with another card */
};

/**
 * struct kf_dkek_entry - one key domain; a card without has the domain 0
 * @domain:	its number
 * @state:	enum kf_dkek_state
 * @n_shares:	of how many
 * @outstanding: how many are still to come
 * @check_value: of the DKEK; zero until it is ready
 */
struct kf_dkek_entry {
	__u32 domain;
	__u32 state;
	__u32 n_shares;
	__u32 outstanding;
	__u8 check_value[KF_DKEK_CHECK_SIZE];
};
static_assert(sizeof(struct kf_dkek_entry) == 24, "kf_dkek_entry");

/**
 * struct kf_dkek_status - the DKEKs of the card
 * @context:	[in] handle
 * @n_dkeks:	[out] rows; 0: initialised without
 * @reserved:	0
 * @dkeks:	[out] struct kf_dkek_entry, back to back, in order of their domains
 */
struct kf_dkek_status {
	__u64 context;
	__u32 n_dkeks;
	__u32 reserved;
	struct kf_part dkeks;
};
static_assert(sizeof(struct kf_dkek_status) == 24, "kf_dkek_status");
#define KF_DKEK_STATUS		_IOWR(KF_TYPE, 0x91, struct kf_dkek_status)

/**
 * struct kf_dkek_share - gives the card one share
 * @context:	[in] handle
 * @flags:	[in] 0
 * @reserved:	0
 * @entry:	[in] domain, [out] the rest, as it is now
 * @share:	[in] %KF_DKEK_SHARE_SIZE secret bytes
 *
 * EEXIST with KF_REASON_DKEK: no share is outstanding. With an outcome that is unknown ask KF_DKEK_STATUS
 * before giving it again: a share that is given twice makes another DKEK.
 */
struct kf_dkek_share {
	__u64 context;
	__u32 flags;
	__u32 reserved;
	struct kf_dkek_entry entry;
	struct kf_part share;
};
static_assert(sizeof(struct kf_dkek_share) == 48, "kf_dkek_share");
#define KF_DKEK_SHARE		_IOWR(KF_TYPE, 0x92, struct kf_dkek_share)

enum kf_domain_action {
	KF_DOMAIN_CREATE = 1,		/* with a DKEK of @n_shares */
	KF_DOMAIN_DELETE = 2,		/* refused while a key is in it */
	KF_DOMAIN_CLEAR = 3,		/* its DKEK alone: all its shares are outstanding again */
};

/**
 * struct kf_dkek_domain - makes a key domain ready for its shares, or ends it
 * @context:	[in] handle
 * @domain:	[in] number
 * @action:	[in] enum kf_domain_action
 * @n_shares:	[in] to create: 1 to %KF_DKEK_SHARES_MAX; else 0
 * @flags:	[in] 0
 */
struct kf_dkek_domain {
	__u64 context;
	__u32 domain;
	__u32 action;
	__u32 n_shares;
	__u32 flags;
};
static_assert(sizeof(struct kf_dkek_domain) == 24, "kf_dkek_domain");
#define KF_DKEK_DOMAIN		_IOWR(KF_TYPE, 0x93, struct kf_dkek_domain)

/**
 * struct kf_blob_wrap - has the card give out a key, wrapped under its DKEK
 * @context:	[in] handle
 * @container:	[in] number
 * @flags:	[in] 0
 * @blob:	[out] at most %KF_BLOB_MAX bytes; every card with this DKEK opens it, for ever
 *
 * EREMOTEIO with KF_REASON_KEY_PURPOSE: the key's list of algorithms does not have it.
 */
struct kf_blob_wrap {
	__u64 context;
	__u32 container;
	__u32 flags;
	struct kf_part blob;
};
static_assert(sizeof(struct kf_blob_wrap) == 24, "kf_blob_wrap");
#define KF_BLOB_WRAP		_IOWR(KF_TYPE, 0x98, struct kf_blob_wrap)

#define KF_BLOB_REPLACE		0x1u	/* the container is occupied by what @replaces says */
#define KF_BLOB_REWRAP		0x2u	/* a key that can be wrapped out again is welcome, too */

/**
 * struct kf_blob_unwrap - has the card open a blob into a container
 * @context:	[in] handle
 * @container:	[in] number or %KF_CONTAINER_ANY, [out] which it was
 * @key_type:	[in] enum kf_key_type of what is in it; 0: as the certificate says. [out] which it was
 * @purposes:	[in] bits by enum kf_purpose, for the description beside the key; 0: all that keys of
 *		its type have. What the card lets the key do stands in the blob
 * @flags:	[in] KF_BLOB_; %KF_BLOB_REPLACE needs %KF_RIGHT_DELETE, too
 * @replaces:	[in] SHA-256 that &kf_container_entry.holds says
 * @blob:	[in] at most %KF_BLOB_MAX bytes
 * @cert:	[in] what stands beside the key: an X.509 certificate, or a card-verifiable one or a
 *		request for it [BSI TR-03110], DER; absent: nothing, and nobody will read its public key
 * @label:	[in] at most %KF_KEY_LABEL_MAX bytes; absent: made up
 * @id:		[in] at most %KF_KEY_ID_MAX bytes; absent: made up
 *
 * What does not fit is told, as KF_REASON_BLOB, before the card opens anything; then there is one refusal:
 * EREMOTEIO with KF_REASON_BLOB_REFUSED. Key, description and certificate are three writes: when
 * anything but the first fails the key is deleted again. A key that is replaced goes only after the blob was
 * opened once in a free container; a copy that stays there is named, KF_REASON_BLOB_SPARE. With an outcome that is unknown look into
 * the container; the request is not to be repeated unseen.
 */
struct kf_blob_unwrap {
	__u64 context;
	__u32 container;
	__u32 key_type;
	__u32 purposes;
	__u32 flags;
	__u8 replaces[KF_DIGEST_SIZE];
	struct kf_part blob;
	struct kf_part cert;
	struct kf_part label;
	struct kf_part id;
};
static_assert(sizeof(struct kf_blob_unwrap) == 88, "kf_blob_unwrap");
#define KF_BLOB_UNWRAP		_IOWR(KF_TYPE, 0x99, struct kf_blob_unwrap)

/* ---------------------------------------------------------------- events: 0xe0 to 0xef */

enum kf_change {
	KF_CHANGE_READER_ADDED = 1,
	KF_CHANGE_READER_REMOVED = 2,
	KF_CHANGE_CARD_INSERTED = 3,
	KF_CHANGE_CARD_REMOVED = 4,
	KF_CHANGE_CARD_RESET = 5,
	KF_CHANGE_CARD_MUTE = 6,	/* something in the slot that does not answer */
	KF_CHANGE_READER_STATE = 7,	/* lost to another program, or got back: see entry.state */
};

/**
 * struct kf_event - something happened to a reader or its card
 * @change:	enum kf_change
 * @reserved:	0
 * @entry:	the reader as it is after the change
 */
struct kf_event {
	__u32 change;
	__u32 reserved;
	struct kf_reader_entry entry;
};
static_assert(sizeof(struct kf_event) == 228, "kf_event");
#define KF_EVENT		_IOR(KF_TYPE, 0xe0, struct kf_event)

/* ---------------------------------------------------------------- driver only: 0xc0 to 0xdf
 *
 * The broker asks, the driver answers, one request at a time, in the packets above, for all slots of
 * its reader. `context` is the number of the slot, 0 for the first, and `key` the driver's own number
 * for a session key, any value but 0 and no two slots' alike: the broker replaces its handles by
 * them on the way down and the other way round in kf_session_import.key. A reply that does not answer the outstanding request costs the driver its
 * life. Events may be sent at any time, before the reply of a running request too;
 * more than 32 of them (and one for each further slot) within ten seconds cost it, too.
 *
 * A driver is started by the monitor as
 *
 *	keyferry-driver --link-fd 3 --reader-fd 4 --transport socket --name NAME
 *
 * with the link (SOCK_SEQPACKET, to the broker) and the reader (for "socket": connected
 * SOCK_SEQPACKET as docs/vreader.md has it) at these numbers, standard streams open, nothing else.
 * It first waits for KF_DRV_HELLO. It leaves with 0 when a card was removed (after
 * %KF_CHANGE_CARD_REMOVED; the monitor starts a fresh one for the next card): at once if no other
 * slot has a card, else as soon as that one goes or another comes. So it does when the reader closes
 * or the link does; with 1 on an error, after a line on standard error.
 */

/**
 * struct kf_drv_hello - first request to a driver
 * @version:	[in] %KF_PROTO_VERSION, [out] the driver's
 * @features:	[out] KF_FEATURE_
 * @exchange:	[out] enum kf_exchange
 * @max_message: [out] largest CCID message
 * @vendor:	[out] idVendor
 * @product:	[out] idProduct
 * @guards:	[out] KF_GUARD_ of the driver process
 * @product_name: [out] for people
 * @driver_version: [out] for people
 * @n_slots:	[out] 1 to 32; 0 counts as 1
 * @busy_slots:	[out] bMaxCCIDBusySlots, as the reader claims it; whatever it says, slots take turns
 *
 * The driver has parsed the reader's descriptors when it answers. After the answer it power-cycles
 * whatever is in the slots and tells by KF_DRV_EVENT what it found: always one event a slot,
 * %KF_CHANGE_CARD_INSERTED, _MUTE or _REMOVED (the slot is empty).
 */
struct kf_drv_hello {
	__u32 version;
	__u32 features;
	__u32 exchange;
	__u32 max_message;
	__u16 vendor;
	__u16 product;
	__u32 guards;
	char product_name[KF_NAME_MAX];
	char driver_version[KF_LABEL_MAX];
	__u32 n_slots;
	__u32 busy_slots;
};
static_assert(sizeof(struct kf_drv_hello) == 128, "kf_drv_hello");
#define KF_DRV_HELLO		_IOWR(KF_TYPE, 0xc0, struct kf_drv_hello)

/**
 * struct kf_drv_drop - drops the card's security state (verified PINs) between two clients, by
 *		SELECT or whatever the card has; session objects stay where the card can
 * @flags:	[in] 0; [out] %KF_DRV_DROPPED_KEYS
 * @slot:	[in] in which slot
 */
struct kf_drv_drop {
	__u32 flags;
	__u32 slot;
};
static_assert(sizeof(struct kf_drv_drop) == 8, "kf_drv_drop");
#define KF_DRV_DROPPED_KEYS	0x1u	/* could only be done by reset: session objects are gone */
#define KF_DRV_DROP		_IOWR(KF_TYPE, 0xc1, struct kf_drv_drop)

/**
 * struct kf_drv_power_cycle - cold reset. Session keys are gone. Serves KF_CARD_RESET
 * @slot:	[in] in which slot
 * @atr_len:	[out] of @atr
 * @atr:	[out] [7816-3]
 * @reserved2:	0
 *
 * No KF_CHANGE_CARD_RESET event for this one: the reply says it.
 */
struct kf_drv_power_cycle {
	__u32 slot;
	__u32 atr_len;
	__u8 atr[KF_ATR_MAX];
	__u8 reserved2[3];
};
static_assert(sizeof(struct kf_drv_power_cycle) == 44, "kf_drv_power_cycle");
#define KF_DRV_POWER_CYCLE	_IOWR(KF_TYPE, 0xc2, struct kf_drv_power_cycle)

/**
 * struct kf_drv_watch - somebody is interested in what is in the slots, or nobody any more. Only for
 *		a reader with %KF_FEATURE_POLLED, which is asked for its cards as long as this is
 *		on, and starts off
 * @flags:	[in] KF_DRV_WATCH_
 * @behind:	[out] bit n: what was told of slot n is no longer so; an event follows that says how
 *		it is, or the driver leaves
 *
 * Switched on, the reader has been asked when the reply comes.
 */
struct kf_drv_watch {
	__u32 flags;
	__u32 behind;
};
static_assert(sizeof(struct kf_drv_watch) == 8, "kf_drv_watch");
#define KF_DRV_WATCH_ON		0x1u
#define KF_DRV_WATCH		_IOWR(KF_TYPE, 0xc3, struct kf_drv_watch)

/**
 * struct kf_drv_event - the driver's events
 * @change:	enum kf_change: card inserted, removed, reset (unasked for), mute
 * @flags:	KF_CARD_ bits the driver already knows; %KF_CARD_SESSIONS_STAY matters to the broker
 * @atr_len:	of @atr
 * @serial_len:	of @serial
 * @card:	name of the card driver that matched, empty if none
 * @serial:	card serial number, if known by then
 * @atr:	[7816-3]
 * @slot:	which slot
 * @reserved:	0
 */
struct kf_drv_event {
	__u32 change;
	__u32 flags;
	__u32 atr_len;
	__u32 serial_len;
	char card[KF_LABEL_MAX];
	__u8 serial[KF_SERIAL_MAX];
	__u8 atr[KF_ATR_MAX];
	__u8 slot;
	__u8 reserved[2];
};
static_assert(sizeof(struct kf_drv_event) == 116, "kf_drv_event");
#define KF_DRV_EVENT		_IOR(KF_TYPE, 0xe8, struct kf_drv_event)

/**
 * struct kf_drv_silent - from now on the reader does not tell of its cards by itself any more: its
 *		interrupt endpoint has failed, and %KF_FEATURE_POLLED holds as if the hello had said
 *		it. KF_DRV_WATCH is off. Told once
 * @reserved:	0
 */
struct kf_drv_silent {
	__u32 reserved[2];
};
static_assert(sizeof(struct kf_drv_silent) == 8, "kf_drv_silent");
#define KF_DRV_SILENT		_IOR(KF_TYPE, 0xe9, struct kf_drv_silent)

/**
 * struct kf_drv_powering - the driver of a reader with several slots powers a card that it found in
 *		one of them, and serves nobody meanwhile
 * @slot:	which
 * @ms:		for no longer than this; 0: it has ended
 *
 * What was asked before this may be answered that much later, and nothing is asked until it ends.
 */
struct kf_drv_powering {
	__u32 slot;
	__u32 ms;
};
static_assert(sizeof(struct kf_drv_powering) == 8, "kf_drv_powering");
#define KF_DRV_POWERING		_IOR(KF_TYPE, 0xea, struct kf_drv_powering)

#ifdef __cplusplus
}
#endif

#endif /* KEYFERRY_PROTO_H */
