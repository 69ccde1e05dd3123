// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/receipt.c - A receipt is compared with the ticket field by field, in the order of
 * docs/formats.md 7. The first difference is refused by its name: both sides are known to the
 * server alone, so naming it helps nobody but the operator.
 */
#include "libserver/receipt.h"
#include "base/error.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/pin_item.h"
#include "format/receipt.h"
#include "format/secret_mark.h"
#include "libserver/cert.h"
#include "libserver/json/receipt.h"

#define RULE "receipt against ticket, SECURITY section 5"
#define NEXT "ask for the card's receipt again; if it repeats, do not trust this key"

static int refuse(struct kf_error *e, uint32_t number, const char *why)
{
	return error_why(e, -EACCES, RULE, NEXT, "receipt %u: %s", number, why);
}

static bool digests_equal(const uint8_t a[static KF_DIGEST_SIZE],
			  const uint8_t b[static KF_DIGEST_SIZE])
{
	return bytes_equal(BYTES(a, KF_DIGEST_SIZE), BYTES(b, KF_DIGEST_SIZE));
}

static bool senders_equal(const struct spki_hash *a, const struct spki_hash *b)
{
	return a->present == b->present && (!a->present || digests_equal(a->digest, b->digest));
}

/* What differs, in words; NULL: nothing. */
static const char *difference(const struct receipt *got, const struct ticket *ticket,
			      uint32_t number)
{
	const struct ticket_item *item = &ticket->items[number - 1];

	if (!digests_equal(got->device, ticket->device))
		return "it is of another device certificate";
	if (strcmp(got->serial, ticket->serial) != 0)
		return "it names another serial";
	if (!bytes_equal(BYTES_OF(got->sid), BYTES_OF(ticket->sid)))
		return "it belongs to another cargo (session id)";
	if (got->number != number)
		return "it is of another item number";
	if (!digests_equal(got->item, item->sha256))
		return "the card received another item than was sealed";
	if (got->function != item->function || got->method != item->method)
		return "function or method differs";
	if (!digests_equal(got->exchange, ticket->exchange))
		return "it names another EXCHANGE key";
	if (got->confirms != ticket->confirms ||
	    (got->confirms && !bytes_equal(BYTES_OF(got->confirmation), BYTES_OF(ticket->confirmation))))
		return "the card does not confirm this session key";
	if (got->container != item->container)
		return "it went into another container";
	if (got->pin != item->pin)
		return "it is about another PIN";
	if (got->key_type != item->key_type || got->purpose != item->purpose)
		return "key type or usage differs";
	if (got->policy.pin_needed != item->policy.pin_needed ||
	    got->policy.not_after != item->policy.not_after)
		return "the policy differs";
	if (!senders_equal(&got->sender, &item->sender))
		return "the card saw another sender";
	if (got->result != RECEIPT_INSTALLED)
		return "the card did not install it";
	return NULL;
}

/* The public key that the card recomputed has to be the one that was sealed. */
static int check_evidence(const struct receipt *got, const struct ticket_item *item,
			  uint32_t number, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	uint8_t digest[KF_DIGEST_SIZE];
	enum kf_key_type type = KF_KEY_NONE;
	int r = spki_parse(got->evidence, &key, &type);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || type != item->key_type)
		return refuse(e, number, "the public key in it is malformed");
	r = sha256(got->evidence, digest);
	if (r == 0 && !digests_equal(digest, item->key))
		r = refuse(e, number, "the card holds another key than was sealed");
	return r;
}

/* Of a secret key: the mark that was expected, and the proof that nobody makes who has not S1 and the key. */
static int check_secret(const struct receipt *got, const struct ticket_item *item, uint32_t number,
			struct kf_error *e)
{
	struct secret_mark mark;
	uint8_t digest[KF_DIGEST_SIZE];
	int r;

	if (secret_mark_parse(got->evidence, &mark) < 0)
		return refuse(e, number, "what it shows of the key is malformed");
	r = sha256(mark.key, digest);
	if (r < 0)
		return r;
	if (!digests_equal(digest, item->key))
		return refuse(e, number, "the card holds another key than was sealed");
	if (!bytes_equal_ct(BYTES_OF(mark.proof), BYTES_OF(item->proof)))
		return refuse(e, number, "the card does not show that it has the key");
	return 0;
}

/* The PIN that the card says it touched has to be the one that was meant. */
static int check_pin(const struct receipt *got, const struct ticket_item *item, uint32_t number,
		     uint32_t *tries, struct kf_error *e)
{
	struct pin_mark mark;

	if (pin_mark_parse(got->evidence, &mark) < 0)
		return refuse(e, number, "what it tells of the PIN is malformed");
	if (mark.pin != item->pin)
		return refuse(e, number, "it is about another PIN");
	*tries = mark.tries;
	return 0;
}

static int prove(struct kf_receipt_report *report, EVP_PKEY *device,
		 const struct receipt_entry *entry, struct kf_error *e)
{
	const struct ticket_item *item;
	struct receipt_proof *proof;
	struct signed_receipt sealed;
	struct receipt receipt;
	const char *why;
	int r;

	if (entry->number > report->ticket.n_items)
		return refuse(e, entry->number, "the cargo has no such item");
	if (signed_receipt_parse(blob_bytes(&entry->receipt), &sealed) < 0)
		return error_why(e, -EBADMSG, "docs/formats.md 7", NEXT,
				 "receipt %u is not in form", entry->number);
	r = ecdsa_verify(device, sealed.receipt, BYTES_NONE, sealed.signature);
	if (r == -EBADMSG)
		return refuse(e, entry->number, "the card's signature does not hold");
	if (r < 0)
		return r;
	if (receipt_parse(sealed.receipt, &receipt) < 0)
		return error_why(e, -EBADMSG, "docs/formats.md 7", NEXT,
				 "receipt %u is not in form", entry->number);
	why = difference(&receipt, &report->ticket, entry->number);
	if (why)
		return refuse(e, entry->number, why);
	item = &report->ticket.items[entry->number - 1];
	proof = &report->proofs[entry->number - 1];
	if (function_is_about_pins(item->function))
		r = check_pin(&receipt, item, entry->number, &proof->tries, e);
	else if (item->function == KF_FUNCTION_IMPORT_SECRET)
		r = check_secret(&receipt, item, entry->number, e);
	else
		r = check_evidence(&receipt, item, entry->number, e);
	if (r < 0)
		return r;

	r = blob_set(&proof->evidence, receipt.evidence);
	if (r < 0)
		return r;
	proof->counter = receipt.counter;
	proof->proved = true;
	report->n_proved++;
	return 0;
}

static int check_copies(const struct receipt_file *file, const struct ticket *ticket,
			struct kf_error *e)
{
	if (!bytes_equal(BYTES_OF(file->sid), BYTES_OF(ticket->sid)))
		return error_why(e, -EACCES, RULE, "give the receipt of this cargo",
				 "it is the receipt of another cargo (session id)");
	if (strcmp(file->serial, ticket->serial) != 0)
		return error_why(e, -EACCES, RULE, "give the receipt of this cargo",
				 "it says card %s, the key was sealed for %s", file->serial,
				 ticket->serial);
	return 0;
}

static int device_key(const struct ticket *ticket, X509 **cert, EVP_PKEY **key,
		      struct kf_error *e)
{
	uint8_t digest[KF_DIGEST_SIZE];
	int r = cert_parse(blob_bytes(&ticket->certificate), "certificate", cert, NULL);

	if (r == 0)
		r = sha256(blob_bytes(&ticket->certificate), digest);
	if (r == 0 && digests_equal(digest, ticket->device)) {
		*key = X509_get0_pubkey(*cert);
		if (*key)
			return 0;
		r = ossl_end(-EBADMSG);
	}
	if (r == -ENOMEM)
		return r;
	return error_why(e, -EBADMSG, "docs/formats.md 9", "restore the state from a backup",
			 "the ticket is damaged: its certificate is not its device's");
}

static int verify(struct kf_receipt_report *report, struct bytes json, struct kf_error *e)
{
	_cleanup_(receipt_file_deinit) struct receipt_file file = RECEIPT_FILE_INIT;
	_cleanup_(X509_freep) X509 *cert = NULL;
	EVP_PKEY *key = NULL;
	int r;

	r = receipt_file_parse(json, &file, e);
	if (r == 0)
		r = check_copies(&file, &report->ticket, e);
	if (r == 0)
		r = device_key(&report->ticket, &cert, &key, e);
	for (size_t i = 0; r == 0 && i < file.n; i++)
		r = prove(report, key, &file.receipts[i], e);
	if (r == 0 && report->n_proved < report->ticket.n_items)
		return error_why(e, -ENODATA, "proved means a verified receipt for every item",
				 "run the same keyferry inject again: it resumes",
				 "%u of %zu items are proved", report->n_proved,
				 report->ticket.n_items);
	return r;
}

int kf_receipt_verify(const void *ticket, size_t ticket_len, const void *json, size_t len,
		      struct kf_receipt_report **out, struct kf_error *e)
{
	_cleanup_(kf_receipt_report_freep) struct kf_receipt_report *report =
		calloc(1, sizeof(*report));
	int r;

	if (!report)
		return error_what(e, -ENOMEM, "cannot verify the receipt");
	r = ticket_parse(BYTES(ticket, ticket_len), &report->ticket, e);
	if (r == 0)
		r = verify(report, BYTES(json, len), e);
	if (r == 0 || r == -ENODATA)
		*out = take_ptr(report);
	return error_what(e, r, r == -ENODATA ? "not everything is proved"
					      : "the receipt is refused");
}

int kf_receipt_peek(const void *json, size_t len, uint8_t sid[KF_SID_SIZE], struct kf_error *e)
{
	_cleanup_(receipt_file_deinit) struct receipt_file file = RECEIPT_FILE_INIT;
	int r = receipt_file_parse(BYTES(json, len), &file, e);

	if (r == 0)
		memcpy(sid, file.sid, KF_SID_SIZE);
	return r;
}

struct kf_receipt_report *kf_receipt_report_free(struct kf_receipt_report *report)
{
	if (!report)
		return NULL;
	for (size_t i = 0; i < KF_ITEMS_MAX; i++)
		blob_deinit(&report->proofs[i].evidence);
	ticket_deinit(&report->ticket);
	free(report);
	return NULL;
}

const char *kf_receipt_report_serial(const struct kf_receipt_report *report)
{
	return report->ticket.serial;
}

/* The lowest of its items' (SECURITY section 5). */
enum kf_grade kf_receipt_report_grade(const struct kf_receipt_report *report)
{
	enum kf_grade lowest = KF_GRADE_A;

	for (size_t i = 0; i < report->ticket.n_items; i++)
		if (report->ticket.items[i].grade < lowest)
			lowest = report->ticket.items[i].grade;
	return lowest;
}

unsigned int kf_receipt_report_items(const struct kf_receipt_report *report)
{
	return (unsigned int)report->ticket.n_items;
}

unsigned int kf_receipt_report_proved(const struct kf_receipt_report *report)
{
	return report->n_proved;
}

int kf_receipt_report_item_is_proved(const struct kf_receipt_report *report, unsigned int i)
{
	return i < report->ticket.n_items && report->proofs[i].proved;
}

unsigned int kf_receipt_report_item_container(const struct kf_receipt_report *report,
					      unsigned int i)
{
	return i < report->ticket.n_items ? report->ticket.items[i].container : 0;
}

enum kf_function kf_receipt_report_item_function(const struct kf_receipt_report *report,
						 unsigned int i)
{
	return i < report->ticket.n_items ? report->ticket.items[i].function : KF_FUNCTION_NONE;
}

unsigned int kf_receipt_report_item_pin(const struct kf_receipt_report *report, unsigned int i)
{
	return i < report->ticket.n_items ? report->ticket.items[i].pin : 0;
}

enum kf_key_type kf_receipt_report_item_type(const struct kf_receipt_report *report, unsigned int i)
{
	return i < report->ticket.n_items ? report->ticket.items[i].key_type : KF_KEY_NONE;
}

enum kf_purpose kf_receipt_report_item_purpose(const struct kf_receipt_report *report,
					       unsigned int i)
{
	return i < report->ticket.n_items ? report->ticket.items[i].purpose : KF_PURPOSE_NONE;
}

int64_t kf_receipt_report_item_not_after(const struct kf_receipt_report *report, unsigned int i)
{
	return i < report->ticket.n_items ? (int64_t)report->ticket.items[i].policy.not_after : 0;
}

unsigned int kf_receipt_report_item_tries(const struct kf_receipt_report *report, unsigned int i)
{
	return kf_receipt_report_item_is_proved(report, i) ? report->proofs[i].tries : 0;
}

const uint8_t *kf_receipt_report_item_key(const struct kf_receipt_report *report, unsigned int i)
{
	if (i >= report->ticket.n_items ||
	    function_is_about_pins(report->ticket.items[i].function))
		return NULL;
	return report->ticket.items[i].key;
}

const uint8_t *kf_receipt_report_item_public(const struct kf_receipt_report *report,
					     unsigned int i, size_t *len)
{
	if (!kf_receipt_report_item_is_proved(report, i) ||
	    report->ticket.items[i].function != KF_FUNCTION_IMPORT_KEYPAIR)
		return NULL;
	*len = report->proofs[i].evidence.n;
	return report->proofs[i].evidence.p;
}

int kf_receipt_report_item_is_signed(const struct kf_receipt_report *report, unsigned int i)
{
	return i < report->ticket.n_items && report->ticket.items[i].sender.present;
}
