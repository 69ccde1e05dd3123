// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/seal.c - A blob for a fleet, in the order of every seal: what may fail first, then archive
 * and ticket on disk, then a cargo. There is no nonce to spend: a blob is good for ever, on every card
 * of the fleet, and nothing can call it back (SECURITY section 8).
 */
#include "base/error.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/allowed.h"
#include "format/schsm/dkek_blob.h"
#include "libserver/archive.h"
#include "libserver/archive_file.h"
#include "libserver/random.h"
#include "libserver/schsm/fleet.h"
#include "libserver/schsm/proof.h"
#include "libserver/schsm/seal.h"
#include "libserver/state.h"

#include <time.h>

#define RULE "DKEK blobs, SECURITY section 8"

/**
 * struct fleet_sealing - what a seal has in hand between its steps
 * @archive:	if one is wanted
 */
struct fleet_sealing {
	struct dkek_key key;
	struct fleet_ticket ticket;
	struct fleet_cargo cargo;
	struct archive_file archive;
};

#define FLEET_SEALING_INIT \
	((struct fleet_sealing){ .key = DKEK_KEY_INIT, .archive = ARCHIVE_FILE_INIT })

static void fleet_sealing_deinit(struct fleet_sealing *s)
{
	dkek_key_deinit(&s->key);
	fleet_ticket_deinit(&s->ticket);
	fleet_cargo_deinit(&s->cargo);
	archive_file_deinit(&s->archive);
}

/* --- what is asked for --- */

int fleet_check_place(uint32_t container, const char *label, const char *serial, struct kf_error *e)
{
	if (container == 0 || container > FLEET_CARD_MAX)
		return error_why(e, -EINVAL, "key ids of a SmartCard-HSM", "name 1 to 253",
				 "no key can be in container %u", container);
	if (label && !fleet_label_is_valid(label))
		return error_why(e, -EINVAL, "docs/formats.md 15",
				 "name 1 to 64 bytes of UTF-8 without control characters",
				 "the label does not fit");
	if (serial && !serial_is_valid(BYTES(serial, strlen(serial))))
		return error_why(e, -EINVAL, "docs/card-application.md 1",
				 "a serial is 1 to 32 of A-Z a-z 0-9 . -", "%s is no serial", serial);
	return 0;
}

static int check_fields(const struct kf_fleet_seal *want, struct kf_error *e)
{
	if (want->size != sizeof(*want) || !want->fleet || !want->pair == !want->secret ||
	    !want->recipient != !want->archive_path || (want->recipient && !want->pair))
		return error_why(e, -EINVAL, "struct kf_fleet_seal",
				 "set size, fleet and a pair or a secret; for a pair recipient and "
				 "path together", "the request is incomplete");
	return fleet_check_place(want->container, want->label, want->serial, e);
}

int fleet_check_certificate(size_t n, struct kf_error *e)
{
	if (n > KF_CERT_MAX)
		return error_why(e, -EINVAL, "certificates on a card have 4096 bytes at most", "give a shorter one",
				 "the certificate has %zu bytes", n);
	return 0;
}

static int check_dkek(const struct kf_fleet *fleet, struct kf_error *e)
{
	if (fleet->n_shares == 0)
		return error_why(e, -EINVAL, RULE, "give its shares", "the DKEK has no share");
	if (bytes_are_zero(secret_bytes(&fleet->dkek.value)))
		return error_why(e, -EACCES, RULE, "give each share once",
				 "the shares cancel each other out");
	return 0;
}

int fleet_check_list(struct bytes list, bool allow_rewrap, struct kf_error *e)
{
	if (list.n > DKEK_ALGORITHMS_MAX)
		return error_why(e, -EINVAL, "docs/formats.md 15", "name fewer",
				 "%zu algorithms are more than a blob holds", list.n);
	if (!allow_rewrap && allowed_has(list, ALLOW_WRAP))
		return error_why(e, -EACCES, RULE, "leave the list to the purpose, or insist with "
				 "--allow-rewrap", "the card would let the key be wrapped out again: %s",
				 list.n ? "WRAP (92) is on its list" : "its list is empty");
	return 0;
}

/* --- key and blob --- */

static enum kf_key_type secret_type(size_t len)
{
	return len == 16 ? KF_KEY_AES_128 : len == 24 ? KF_KEY_AES_192 :
	       len == 32 ? KF_KEY_AES_256 : KF_KEY_NONE;
}

static int take_pair(const struct kf_keypair *pair, struct fleet_sealing *s, struct kf_error *e)
{
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));
	int r;

	if (!pair->key)
		return error_why(e, -EOPNOTSUPP, "struct kf_fleet_seal", "give its bytes as secret",
				 "the pair is an AES key");
	r = dkek_type_of(pair->key, &s->key.type);
	if (r == 0)
		r = key_spki(pair->key, &p);
	if (r < 0)
		return r;
	if (EVP_PKEY_up_ref(pair->key) != 1)
		return -EIO;
	s->key.pair = pair->key;
	s->ticket.key_type = pair->type;
	s->ticket.purpose = pair->purpose;
	return blob_set(&s->ticket.spki, pack_done(&p));
}

static int take_key(const struct kf_fleet_seal *want, struct fleet_sealing *s, struct kf_error *e)
{
	int r;

	if (want->pair)
		return take_pair(want->pair, s, e);
	s->ticket.key_type = secret_type(want->secret_len);
	s->ticket.purpose = KF_PURPOSE_CIPHER;
	if (s->ticket.key_type == KF_KEY_NONE)
		return error_why(e, -EINVAL, "an AES key: 16, 24 or 32 bytes, and nothing else",
				 "give the bytes themselves", "there are %zu bytes in it",
				 want->secret_len);
	s->key.type = DKEK_AES;
	r = secret_init(&s->key.secret, want->secret_len);
	return r < 0 ? r : secret_set(&s->key.secret, BYTES(want->secret, want->secret_len));
}

static int make_blob(const struct kf_fleet_seal *want, struct bytes list, struct fleet_sealing *s,
		     struct kf_error *e)
{
	uint8_t random[DKEK_RANDOM_SIZE], buf[DKEK_BLOB_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r = random_secret(random, sizeof(random), e);

	if (r == 0)
		r = dkek_blob_make(&want->fleet->dkek, &s->key, list, random, &p);
	wipe(random, sizeof(random));
	if (r == -EINVAL)
		return error_why(e, r, "the layout of such a blob, docs/formats.md 15",
				 "make another key; primes of one length", "the key does not fit into a blob");
	if (r == 0)
		r = blob_set(&s->ticket.blob, pack_done(&p));
	return r < 0 ? r : blob_set(&s->cargo.blob, pack_done(&p));
}

/* The certificate is for people and programs at the card; it has to be of this key. */
static int take_certificate(const struct kf_fleet_seal *want, struct fleet_sealing *s,
			    struct kf_error *e)
{
	_cleanup_(X509_freep) X509 *cert = NULL;
	int r;

	if (!want->cert)
		return 0;
	r = cert_parse(BYTES(want->cert, want->cert_len), "certificate", &cert, e);
	if (r < 0)
		return r;
	if (!s->key.pair || EVP_PKEY_eq(X509_get0_pubkey(cert), s->key.pair) != 1)
		return ossl_end(error_why(e, -EACCES, "a certificate beside a key is of that key",
					  "give the key's own certificate",
					  "the certificate is of another key"));
	r = cert_der(cert, &s->cargo.certificate);
	return r < 0 ? r : fleet_check_certificate(s->cargo.certificate.n, e);
}

/* --- files --- */

static void fill_common(const struct kf_fleet_seal *want, struct fleet_sealing *s)
{
	struct fleet_ticket *t = &s->ticket;

	t->container = want->container;
	t->sealed = time(NULL);
	memcpy(t->kcv, want->fleet->kcv, sizeof(t->kcv));
	if (want->serial)
		(void)snprintf(t->serial, sizeof(t->serial), "%s", want->serial);
}

static void fill_cargo(const struct kf_fleet_seal *want, struct fleet_sealing *s)
{
	struct fleet_cargo *cargo = &s->cargo;
	const struct fleet_ticket *t = &s->ticket;

	memcpy(cargo->serial, t->serial, sizeof(cargo->serial));
	memcpy(cargo->sid, t->sid, sizeof(cargo->sid));
	memcpy(cargo->kcv, t->kcv, sizeof(cargo->kcv));
	cargo->container = t->container;
	cargo->key_type = t->key_type;
	cargo->purpose = t->purpose;
	cargo->grade = t->grade;
	cargo->operation = t->operation;
	cargo->is_pair = want->pair != NULL;
	if (cargo->is_pair)
		memcpy(cargo->public_hash, want->pair->hash, sizeof(cargo->public_hash));
	if (want->label)
		(void)snprintf(cargo->label, sizeof(cargo->label), "%s", want->label);
}

static int keep_archive(const struct kf_fleet_seal *want, struct fleet_sealing *s,
			struct kf_error *e)
{
	const struct archive_label label = {
		.serial = s->ticket.serial, .container = want->container, .sid = s->ticket.sid,
	};
	int r;

	if (!want->recipient)
		return 0;
	r = archive_seal(want->recipient, &label, want->pair, want->archive_signing_key,
			 &s->archive.cms.p, &s->archive.cms.n, e);
	if (r == 0)
		r = archive_file_create(&s->archive, want->archive_path, e);
	return r < 0 ? r : archive_file_keep(&s->archive, e);
}

static struct bytes list_of(const struct kf_fleet_seal *want, const struct fleet_ticket *ticket)
{
	if (want->algorithms)
		return BYTES(want->algorithms, want->n_algorithms);
	return allowed_by_default(ticket->key_type, ticket->purpose);
}

static int prepare(const struct kf_fleet_seal *want, struct fleet_sealing *s, struct kf_error *e)
{
	struct bytes list;
	int r = take_key(want, s, e);

	if (r < 0)
		return r;
	list = list_of(want, &s->ticket);
	s->ticket.operation = proof_choose(s->ticket.key_type, list);
	r = fleet_check_list(list, want->allow_rewrap, e);
	if (r == 0)
		r = random_public(s->ticket.sid, sizeof(s->ticket.sid), e);
	if (r == 0)
		r = make_blob(want, list, s, e);
	if (r == 0)
		r = take_certificate(want, s, e);
	if (r == 0)
		r = fleet_challenge(&s->ticket, &s->key, &s->cargo.input, e);
	return r;
}

/* What is known of the DKEK counts for this key, and what was said of it now for every later one. */
static int settle_grade(struct kf_state *state, const struct kf_fleet *fleet, struct fleet_ticket *t,
			struct kf_error *e)
{
	const struct kf_dkek_note note = {
		.size = sizeof(note), .check_value = fleet->kcv, .on_host = 1,
	};
	int r = fleet->on_host ? kf_state_dkek_note(state, &note, e) : 0;

	return r < 0 ? r : kf_state_fleet_grade(state, fleet, &t->grade, e);
}

static int seal(struct kf_state *state, const struct kf_fleet_seal *want, struct fleet_sealing *s,
		char **cargo, size_t *len, struct kf_error *e)
{
	int r = prepare(want, s, e);

	if (r < 0)
		return r;
	fill_common(want, s);
	r = settle_grade(state, want->fleet, &s->ticket, e);
	if (r < 0)
		return r;
	fill_cargo(want, s);
	r = keep_archive(want, s, e);
	if (r == 0)
		r = fleet_ticket_keep(state, &s->ticket, e);
	if (r == 0)
		r = fleet_cargo_write(&s->cargo, cargo, len, e);
	if (r < 0)
		archive_file_drop(&s->archive);
	return r;
}

int kf_state_fleet_seal(struct kf_state *state, const struct kf_fleet_seal *want, char **cargo,
			size_t *len, struct kf_error *e)
{
	_cleanup_(fleet_sealing_deinit) struct fleet_sealing s = FLEET_SEALING_INIT;
	int r = check_fields(want, e);

	if (r == 0)
		r = check_dkek(want->fleet, e);
	if (r == 0)
		r = seal(state, want, &s, cargo, len, e);
	return error_what(e, r, "cannot wrap the key");
}
