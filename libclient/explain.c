/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/explain.c - Tables: what a reason means, what is wrong with an item, and where the
 * broker gave no reason, what an errno means [proto.h enum kf_reason and the list above it]. Texts
 * with %u get the reply's detail.
 */
#include "libclient/explain.h"

struct explanation {
	uint32_t key;
	const char *why, *rule, *next;
};

#define POLICY	"the broker's policy"
#define CARD	"the card"
#define BROKER	"the broker"

static const struct explanation by_reason[] = {
	{ KF_REASON_NO_RULE, "no rule admits this user", POLICY " (no rule = deny)",
	  "ask the administrator to put you into the group keyferry-users, then log in again" },
	{ KF_REASON_RIGHT, "the right '%s' is missing", POLICY,
	  "ask the administrator for that right on this reader" },
	{ KF_REASON_RIGHT_HERE, "the right '%s' does not extend to this reader or container", POLICY,
	  "see with keyferry policy explain which rule would admit it, and ask the administrator" },
	{ KF_REASON_APDU_CLASS, "raw APDUs never carry PIN commands", POLICY,
	  "use the PIN calls, which keep the PIN out of traces" },
	{ KF_REASON_NO_HELLO, "the connection was not greeted", BROKER,
	  "this is a fault in libkeyferry; report it" },
	{ KF_REASON_QUOTA_CONNECTIONS, "this user has %u connections, the most allowed", POLICY,
	  "end programs that use cards; keyferry clients lists them" },
	{ KF_REASON_QUOTA_CONTEXTS, "this user has %u open contexts, the most allowed", POLICY,
	  "close contexts; keyferry clients lists them" },
	{ KF_REASON_QUOTA_KEYS, "this user has %u key handles, the most allowed", POLICY,
	  "destroy key handles that are not needed" },
	{ KF_REASON_QUOTA_REQUESTS, "%u requests are under way, the most allowed", POLICY,
	  "wait until some are answered" },
	{ KF_REASON_QUOTA_BYTES, "%u bytes are queued for this user, the most allowed", POLICY,
	  "read the replies first" },
	{ KF_REASON_QUOTA_PIN, "this user gave too many wrong PINs", POLICY,
	  "wait %u seconds, then give the right one" },
	{ KF_REASON_PIN_LAST_TRY, "one try is left, and this could spend it", POLICY,
	  "make sure the PIN is right, then allow the last try (--allow-last-try)" },
	{ KF_REASON_PIN_NEEDED, "the PIN has not been given", CARD, "give the PIN first" },
	{ KF_REASON_PIN_TRANSPORT, "it is a transport PIN, which opens nothing", CARD,
	  "change it first (keyferry card pin change)" },
	{ KF_REASON_PIN_LOST, "the PIN was given, but another program has used the card since",
	  "a PIN serves one client only", "give the PIN again, or hold a transaction meanwhile" },
	{ KF_REASON_TXN_OTHER, "another program holds the card", BROKER,
	  "wait, or see with keyferry clients who it is and for how long" },
	{ KF_REASON_TXN_NONE, "this context holds no transaction", BROKER, "begin one first" },
	{ KF_REASON_TXN_EXPIRED, "the transaction was ended at its deadline", BROKER,
	  "begin anew, and hold it longer or do less in it" },
	{ KF_REASON_CLOSED, "the handle was closed or destroyed before", BROKER,
	  "open or import anew" },
	{ KF_REASON_REMOVED, "the card was removed", CARD, "insert it and open it anew" },
	{ KF_REASON_RESET, "the card was reset", CARD, "open it anew" },
	{ KF_REASON_READER_GONE, "the reader was unplugged", "the reader",
	  "plug it in and open it anew" },
	{ KF_REASON_DRIVER_DIED, "the reader's driver process ended", BROKER,
	  "open the card anew; if it happens again, look into the log" },
	{ KF_REASON_DRIVER_STARTING, "the reader is still starting", BROKER, "try again in a moment" },
	{ KF_REASON_NO_PINPAD, "the reader has no keypad that can do it", "the reader",
	  "type the PIN at this machine (leave out --pinpad), or use a reader with a keypad" },
	{ KF_REASON_PAD_CANCELLED, "it was cancelled at the reader's keypad", "the person there",
	  "start it again when you like; no try was spent" },
	{ KF_REASON_PAD_TIMEOUT, "nobody typed the PIN at the reader's keypad in time", "the reader",
	  "start it again and type there; no try was spent" },
	{ KF_REASON_PAD_MISMATCH, "the two new PINs typed at the keypad differ", "the reader",
	  "start it again; nothing was changed" },
	{ KF_REASON_PAD_LENGTH, "the PIN typed at the keypad has too few digits, or too many",
	  "the card", "start it again with 4 to 12 digits; nothing was changed" },
	{ KF_REASON_KEY_PURPOSE, "the key's purpose does not allow this use", CARD,
	  "use a key made for it; keyferry container list shows the purposes" },
	{ KF_REASON_SENDER, "the card takes this only from a sender it knows", CARD,
	  "have the server sign it with an injector key the card was given" },
	{ KF_REASON_BYOK_REFUSED, "the card does not take it: made for another KEK or hash, changed on the "
	  "way, or not the key it is said to be", "the card, which does not say which of these",
	  "look at the blob with keyferry byok inspect, and have it wrapped again" },
	{ KF_REASON_RELAY_PLAIN, "a plain command (INS %u) that neither is protected nor sets up a channel", POLICY,
	  "have the server protect it; only it and the card may know what is relayed" },
	{ KF_REASON_RELAY_NUMBER, "it is not the next APDU; number %u is", "numbers have no gap",
	  "get the list again from the server; the relay is as it was" },
	{ KF_REASON_RELAY_COUNT, "there are more APDUs than the %u that were announced", "the relay's count",
	  "have the server announce as many as it sends" },
	{ KF_REASON_RELAY_HELD, "a relay runs, and nothing but it reaches the card", BROKER,
	  "end the relay first" },
	{ KF_REASON_RELAY_UID, "this user has a relay already", POLICY,
	  "wait until it ends; keyferry clients shows it" },
	{ KF_REASON_RELAY_OVER, "there is no relay, or it has ended and the card was reset", BROKER,
	  "begin anew, with a list made for that" },
	{ KF_REASON_PIN_LEAST, "fewer tries of the PIN are left than the sender asks for, so none was spent",
	  "the least-tries value in the sealed order", "tell the help desk how many tries are left (keyferry "
	  "card show), and have an order sealed for that, or for the PUK" },
	{ KF_REASON_BLOB_REFUSED, "the card does not take it: changed on the way, or not the key it is said to be",
	  "the card, which does not say which of these", "get the blob again from where it was wrapped" },
	{ KF_REASON_CERT, "it is no certificate that the card can read, or it is one of another key",
	  "what lies beside a key is of that key", "give this key's own certificate" },
	{ KF_REASON_BLOB_SPARE, "the card opened the blob in container %u to try it, and that copy could not be deleted; "
	  "the key that was to be replaced is still there", CARD,
	  "delete the copy (keyferry container delete), then try again" },
	{ KF_REASON_TAG, "the tag does not fit: encrypted by another key, or text, IV, tag or additional "
	  "data were changed", "the card, which does not say which of these and tells nothing of the text",
	  "decrypt with the key and the additional data that encrypted it, or get the text again" },
};

/* KF_REASON_BYOK, by enum kf_byok_field: public, and told before the card has opened anything. */
static const struct explanation by_byok_field[] = {
	{ KF_BYOK_KEK_UNKNOWN, "no KEK of this card is called so", CARD,
	  "see with keyferry byok kek list what there is; was it wrapped for another card?" },
	{ KF_BYOK_KEK_AMBIGUOUS, "several KEKs have this name, and no version is named", CARD,
	  "name the version, too; keyferry byok kek list shows them" },
	{ KF_BYOK_KEK_PURPOSE, "the container holds no KEK", "a key has one purpose for ever",
	  "name a KEK; keyferry byok kek list shows them" },
	{ KF_BYOK_KEK_DISABLED, "the KEK is disabled", "the card's administrator",
	  "ask who has the PUK to enable it" },
	{ KF_BYOK_HASH, "the KEK's OAEP hash is another than the blob's", "fixed when the KEK was made",
	  "have it wrapped with the KEK's hash, or for another KEK" },
	{ KF_BYOK_KEY_TYPE, "the KEK does not take keys of this type, or the type is not known",
	  "fixed when the KEK was made", "name the key type, or wrap for another KEK" },
	{ KF_BYOK_PURPOSE, "the purpose is none of the KEK's, or none for this key type",
	  "fixed when the KEK was made", "choose another purpose, or wrap for another KEK" },
	{ KF_BYOK_BLOB, "these bytes can be no key under a KEK of this size", "docs/formats.md 11",
	  "look at the file with keyferry byok inspect; was it cut, or wrapped for a KEK of another size?" },
	{ KF_BYOK_CONTAINER, "the container is occupied", CARD,
	  "choose a free one, or name the key to be replaced" },
	{ KF_BYOK_REPLACES, "the container holds something else than is to be replaced",
	  "an occupied container is replaced only by name", "look at what it holds, then try again" },
	{ KF_BYOK_KEK_NAME, "a KEK cannot be called so, or another one is", "docs/card-application.md 7",
	  "choose another name: 1 to 255 letters, digits and signs of a URL" },
};

#define DKEK	"docs/cards/schsm.md"

/* KF_REASON_BLOB, by enum kf_blob_field: told before the card has opened anything. */
static const struct explanation by_blob_field[] = {
	{ KF_BLOB_FORM, "these bytes are no key wrapped under a DKEK, or they were cut", DKEK,
	  "get the blob again from where it was wrapped" },
	{ KF_BLOB_DKEK, "the key was wrapped under another DKEK than this card has", DKEK,
	  "compare the check values (keyferry dkek status); was it wrapped for another fleet of cards?" },
	{ KF_BLOB_KEY_TYPE, "the key is of another type than was said, or the card takes none of that type",
	  CARD, "leave the type out, or name the right one" },
	{ KF_BLOB_ALGORITHMS, "the key may be wrapped out again by whoever has the PIN", "a key that came wrapped "
	  "stays", "have it wrapped with a list of algorithms without WRAP, or agree to it (--allow-rewrap)" },
	{ KF_BLOB_CONTAINER, "the container is occupied", CARD,
	  "choose a free one, or name the key to be replaced" },
	{ KF_BLOB_REPLACES, "the container holds something else than is to be replaced",
	  "an occupied container is replaced only by name", "look at what it holds, then try again" },
	{ KF_BLOB_CERT, "the certificate is none, or of another kind of key", DKEK,
	  "give the certificate of this key, in DER" },
	{ KF_BLOB_LABEL, "the label or the id is too long, or no text", DKEK,
	  "choose a shorter one: 64 bytes of label, 32 of id" },
	{ KF_BLOB_PURPOSE, "no key of that type does this", DKEK, "choose another purpose" },
};

/* KF_REASON_DKEK, by enum kf_dkek_state: what it is, and so cannot be done with it. */
static const struct explanation by_dkek_state[] = {
	{ KF_DKEK_NONE, "the card was initialised without a DKEK here", DKEK,
	  "keys can be wrapped only if it is initialised with one, which erases it (keyferry card init)" },
	{ KF_DKEK_INCOMPLETE, "shares of the DKEK are outstanding", DKEK,
	  "import them first (keyferry dkek status, keyferry dkek import)" },
	{ KF_DKEK_READY, "the DKEK is complete, and no share is outstanding", DKEK,
	  "compare the check values (keyferry dkek status); another DKEK takes another card init" },
	{ KF_DKEK_XKEK, "the key domain has a key agreed with another card, and no DKEK", DKEK,
	  "name another key domain" },
};

#define FORM	"docs/formats.md 5"
#define AGAIN	"get the cargo again from the server; if it repeats, get a new offer sealed"

/* KF_REASON_ITEM, by enum kf_item_field: read off public data, so it may be told. */
static const struct explanation by_item_field[] = {
	{ KF_ITEM_FORM, "the item is cut off or malformed", FORM, AGAIN },
	{ KF_ITEM_SUITE, "the item's cipher suite is none of this card's", FORM,
	  "have it sealed for this card's offer" },
	{ KF_ITEM_METHOD, "the item was sealed for another method than its session key", FORM, AGAIN },
	{ KF_ITEM_FUNCTION, "the item is for another function than was asked for", FORM, AGAIN },
	{ KF_ITEM_SID, "the item belongs to another offer than its session key", FORM, AGAIN },
	{ KF_ITEM_NUMBER, "the item is out of turn", FORM, "inject the items in order" },
	{ KF_ITEM_SERIAL, "the item was sealed for another card", FORM,
	  "insert that card, or have a cargo sealed for this one" },
	{ KF_ITEM_CONTAINER, "the item was sealed for another container than was offered", FORM,
	  AGAIN },
	{ KF_ITEM_REPLACES, "the container holds something else than the item may replace",
	  "an occupied container is replaced only by name",
	  "make a new offer, and have it sealed for what is there now (--replace)" },
	{ KF_ITEM_PIN, "the item names a PIN that its policy does not", FORM, AGAIN },
	{ KF_ITEM_KEY_TYPE, "the item's key type is none of this card's", FORM,
	  "have a key of another type sealed" },
	{ KF_ITEM_PURPOSE, "the item's usage does not fit its key type", FORM, AGAIN },
	{ KF_ITEM_IV, "the item's initialisation vector is not the one that was set", FORM, AGAIN },
	{ KF_ITEM_CIPHERTEXT, "the item's ciphertext is not whole blocks", FORM, AGAIN },
};

/* The card tells nobody which check it was [card-application 5.3, 5.4]; what helps is the same. */
#define SW_UNIFORM	0x6988
static const struct explanation uniform_refusal = {
	SW_UNIFORM, "the card does not take it: changed on the way, sealed for an offer that the card "
	"has forgotten or used, or out of tries", "the card, which does not say which of these",
	"make a new offer and have the server seal for that",
};

static const struct explanation by_errno[] = {
	{ ENOTTY, "the request is unknown there", "docs/protocol.md",
	  "update keyferry-broker or the card's driver" },
	{ E2BIG, "the request is newer than the broker", "docs/protocol.md",
	  "update keyferry-broker" },
	{ EINVAL, "an argument is out of range", "docs/protocol.md", "check the arguments" },
	{ EOPNOTSUPP, "this card or reader cannot do it", CARD,
	  "keyferry card show tells what it can" },
	{ EMSGSIZE, "the answer is too large (%u bytes)", "docs/protocol.md", "ask for less" },
	{ EACCES, "policy refuses", POLICY, "ask the administrator for the right" },
	{ EPERM, "the card wants the PIN first", CARD, "give the PIN first" },
	{ EKEYREJECTED, "the PIN is wrong; tries left: %u", CARD, "give the right PIN" },
	{ EKEYREVOKED, "the PIN is blocked", CARD,
	  "unblock it with the PUK: keyferry card pin unblock" },
	{ ENODEV, "the reader is gone", "the reader", "plug it in; keyferry reader list shows it" },
	{ ENOMEDIUM, "there is no card in the reader", "the reader", "insert the card" },
	{ ESTALE, "card or reader went away and came back meanwhile", BROKER, "open it anew" },
	{ EBADF, "the handle is not one of this connection", BROKER, "use the handle that was given" },
	{ EBADMSG, "reader or card sent bytes that make no sense", CARD,
	  "reinsert the card; try another reader" },
	{ EPROTO, "this was not its turn", BROKER, "follow the order in docs/protocol.md" },
	{ EREMOTEIO, "the card refused", CARD, "docs/card-application.md 3 explains status words" },
	{ ENOENT, "there is no such thing", BROKER, "list what there is and name one of those" },
	{ EEXIST, "the container is occupied", CARD, "choose a free one, or delete it first" },
	{ ENOSPC, "the card has no room left", CARD, "delete what is not needed" },
	{ EDQUOT, "this user has reached a limit (%u)", POLICY, "give back what is not needed" },
	{ EBUSY, "another program holds the card", BROKER, "wait; keyferry clients shows who it is" },
	{ ECANCELED, "it was cancelled", "you", "start it again when you like" },
	{ ETIMEDOUT, "it took longer than it may", "the deadline",
	  "allow more time (--timeout); keyferry clients shows who holds the card" },
	{ EIO, "reader or driver failed", "the reader", "reinsert the card and try again" },
	{ ESHUTDOWN, "the service is stopping", BROKER, "start it again: keyferryd" },
};

/* KF_REASON_READER_STATE, by enum kf_reader_state: nobody serves the reader. */
static const struct explanation by_reader_state[] = {
	{ KF_READER_BUSY, "another program has claimed the reader", "the kernel: one program a reader",
	  "end that program, or stop its service (pcscd.socket and pcscd.service); it is tried "
	  "again by itself" },
	{ KF_READER_NO_ACCESS, "the reader's device node is missing or not ours to open",
	  "the udev rule", "install keyferry's udev rule, then replug the reader" },
	{ KF_READER_QUARANTINED, "the reader broke one driver process after the other",
	  "quarantine of its USB port", "look into the log; replace it, or wait ten minutes" },
	{ KF_READER_REFUSED, "the reader is of a kind that cannot be served", "the reader",
	  "look into the log for what its descriptors lack" },
};

static const struct explanation *find(const struct explanation *rows, size_t n, uint32_t key)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].key == key)
			return &rows[i];
	return NULL;
}
#define FIND(rows, key) find(rows, sizeof(rows) / sizeof((rows)[0]), key)

static const char *right_name(uint32_t right)
{
	static const char *const names[] = {
		"look", "use", "inject", "create", "delete", "admin", "raw", "relay", "init", "kek",
		"pin", "wrap",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (right == 1u << i)
			return names[i];
	return "unknown";
}

/* Replaces %u by the number or %s by the right; the tables hold no other format. */
static void fill(char out[static KF_ERROR_TEXT_MAX], const char *text, uint32_t detail)
{
	const char *at = strstr(text, "%u");
	const char *name = strstr(text, "%s");

	if (at)
		error_text_set(out, "%.*s%u%s", (int)(at - text), text, detail, at + 2);
	else if (name)
		error_text_set(out, "%.*s%s%s", (int)(name - text), text, right_name(detail),
			       name + 2);
	else
		error_text_set(out, "%s", text);
}

/* Whether the card had been reached decides what to do after a call that did not finish. */
static void tell_how_far(struct kf_error *e, uint32_t reason)
{
	if (reason == KF_REASON_QUEUED)
		error_text_set(e->next, "it had not reached the card: try again");
	else if (reason == KF_REASON_ON_CARD || reason == KF_REASON_DRIVER_DIED)
		error_text_set(e->next, "it had reached the card, the outcome is unknown: look at "
			       "the card before you try again");
}

static bool may_be_half_done(uint32_t code)
{
	return code == ETIMEDOUT || code == ECANCELED || code == EIO;
}

void explain_reply(struct failure *failure, const struct kf_header *reply)
{
	uint32_t code = (uint32_t)-reply->result;
	const struct explanation *x = FIND(by_reason, reply->reason);
	struct kf_error *e = &failure->error;

	if (reply->reason == KF_REASON_ITEM)
		x = FIND(by_item_field, reply->detail);
	if (reply->reason == KF_REASON_BYOK)
		x = FIND(by_byok_field, reply->detail);
	if (reply->reason == KF_REASON_BLOB)
		x = FIND(by_blob_field, reply->detail);
	if (reply->reason == KF_REASON_DKEK)
		x = FIND(by_dkek_state, reply->detail);
	if (reply->reason == KF_REASON_READER_STATE)
		x = FIND(by_reader_state, reply->detail);
	if (!x && code == EREMOTEIO && reply->sw == SW_UNIFORM)
		x = &uniform_refusal;
	failure->reason = reply->reason;
	failure->detail = reply->detail;
	failure->sw = reply->sw;
	if (!x)
		x = FIND(by_errno, code);
	e->code = reply->result;
	if (!x) {
		error_text_set(e->why, "%s", strerror((int)code));
		error_text_set(e->rule, "%s", BROKER);
		error_text_set(e->next, "look into the log of keyferry-broker");
		return;
	}
	fill(e->why, x->why, reply->detail);
	error_text_set(e->rule, "%s", x->rule);
	fill(e->next, x->next, reply->detail);
	if (code == EREMOTEIO && reply->sw != 0) {
		char plain[KF_ERROR_TEXT_MAX];

		memcpy(plain, e->why, sizeof(plain));
		error_text_set(e->why, "%.200s (status word %04x)", plain, reply->sw);
	}
	if (may_be_half_done(code))
		tell_how_far(e, reply->reason);
}

void explain_puk(struct failure *failure)
{
	struct kf_error *e = &failure->error;

	if (e->code == -EKEYREJECTED) {
		error_text_set(e->why, "the PUK is wrong; tries left: %u", failure->detail);
		error_text_set(e->next, "give the right PUK");
	} else {
		error_text_set(e->why, "the PUK is blocked");
		error_text_set(e->next, "get a new card: this one's PIN can be unblocked no more");
	}
}

void explain_so_pin(struct failure *failure)
{
	struct kf_error *e = &failure->error;

	if (e->code == -EKEYREJECTED) {
		error_text_set(e->why, "the SO-PIN is wrong; tries left: %u", failure->detail);
		error_text_set(e->next, "give the SO-PIN that the card was initialised with; nothing was "
			       "erased");
	} else {
		error_text_set(e->why, "the SO-PIN is blocked");
		error_text_set(e->next, "use the card as it is: it can be initialised no more");
	}
}

void explain_pin_length(struct failure *failure)
{
	struct kf_error *e = &failure->error;

	error_text_set(e->why, "a PIN or PUK has fewer or more bytes than the card takes");
	error_text_set(e->rule, CARD);
	error_text_set(e->next, "use one of 4 to 32 bytes");
}

int explain_link(struct failure *failure, int r)
{
	struct kf_error *e = &failure->error;

	switch (r) {
	case -ENOTCONN:
		return error_why(e, r, BROKER, "connect again; is keyferryd running?",
				 "there is no connection to the broker any more");
	case -ETIMEDOUT:
		return error_why(e, r, BROKER, "is keyferry-broker stuck? look into its log",
				 "the broker did not answer, not even that it took too long");
	case -EBADMSG:
		return explain_broken(failure, "the broker's answer is malformed");
	case -ENOMEM:
		return error_why(e, r, "this machine", "free some memory", "out of memory");
	default:
		return error_why(e, r, BROKER, "connect again", "%s", strerror(-r));
	}
}

int explain_argument(struct failure *failure, const char *why)
{
	return error_why(&failure->error, -EINVAL, "keyferry.h", "correct the call", "%s", why);
}

int explain_broken(struct failure *failure, const char *why)
{
	return error_why(&failure->error, -EBADMSG, "docs/protocol.md",
			 "is another program listening on the broker's socket?", "%s", why);
}

int explain_connect(struct failure *failure, int r, const char *path)
{
	struct kf_error *e = &failure->error;

	switch (r) {
	case -ENOENT:
	case -ECONNREFUSED:
		(void)error_why(e, r, "this machine",
				"start keyferryd, or name its socket (--socket, $KEYFERRY_SOCKET)",
				"no broker listens at %s", path);
		break;
	case -EACCES:
	case -EPERM:
		(void)error_why(e, r, "the socket's permissions",
				"ask the administrator to put you into the group keyferry-users",
				"this user may not open %s", path);
		break;
	case -ETIMEDOUT:
		(void)error_why(e, r, "the deadline",
				"is keyferry-broker stuck? look into its log",
				"the broker at %s does not take new connections", path);
		break;
	case -ENAMETOOLONG:
		(void)error_why(e, r, "unix(7)", "use a shorter path",
				"a socket's path has at most 107 bytes");
		break;
	default:
		(void)error_why(e, r, "this machine", "check that it is the broker's socket",
				"%s: %s", path, strerror(-r));
	}
	return error_what(e, r, "cannot connect to the broker");
}
