// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/adopt.c - A blob that a card has made, as sc-hsm-tool --wrap-key writes it, becomes a
 * cargo. What its certificate says is only what the key is asked to prove.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/dkek_blob.h"
#include "libserver/random.h"
#include "libserver/schsm/proof.h"
#include "libserver/schsm/public.h"
#include "libserver/schsm/seal.h"

#include <time.h>

#define RULE "docs/formats.md 15"
#define NEXT "wrap the key again: sc-hsm-tool --wrap-key"

static bool types_agree(enum dkek_type blob, EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA") ? blob == DKEK_RSA || blob == DKEK_RSA_CRT
					 : EVP_PKEY_is_a(key, "EC") && blob == DKEK_EC;
}

static enum kf_purpose purpose_of(enum proof_operation operation)
{
	return operation == PROOF_DECRYPT ? KF_PURPOSE_DECRYPT :
	       operation == PROOF_AGREE	  ? KF_PURPOSE_DERIVE : KF_PURPOSE_SIGN;
}

static int check_fields(const struct kf_fleet_adopt *want, struct kf_error *e)
{
	if (want->size != sizeof(*want) || !want->blob || !want->cert)
		return error_why(e, -EINVAL, "struct kf_fleet_adopt", "set size, blob and cert",
				 "the request is incomplete");
	if (fleet_check_certificate(want->cert_len, e) < 0)
		return -EINVAL;
	return fleet_check_place(want->container, want->label, want->serial, e);
}

static int check_blob(const struct kf_fleet_adopt *want, struct dkek_blob *blob, struct kf_error *e)
{
	if (dkek_blob_parse(BYTES(want->blob, want->blob_len), blob) < 0)
		return error_why(e, -EBADMSG, RULE, NEXT, "it is no wrapped key");
	if (blob->type == DKEK_AES)
		return error_why(e, -EOPNOTSUPP, RULE, "have the server wrap it: keyferry seal --raw",
				 "an AES key can be proved only by who has it");
	return fleet_check_list(blob->algorithms, want->allow_rewrap != 0, e);
}

static int take_public(const struct kf_fleet_adopt *want, const struct dkek_blob *blob,
		       struct fleet_ticket *t, EVP_PKEY **out, struct kf_error *e)
{
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));
	int r = public_of(BYTES(want->cert, want->cert_len), out);

	if (r == -EBADMSG)
		return error_why(e, r, RULE, NEXT, "what lies beside the key does not tell its public half");
	if (r == 0)
		r = key_type_of(*out, &t->key_type);
	if (r == -EOPNOTSUPP)
		return error_why(e, r, RULE, "RSA 2048 to 4096, or P-256, P-384, P-521, P-256K",
				 "it is of a type that cargos do not carry");
	if (r == 0 && !types_agree(blob->type, *out))
		return error_why(e, -EBADMSG, RULE, NEXT, "what lies beside the key is of another kind of key");
	if (r == 0)
		r = key_spki(*out, &p);
	return r < 0 ? r : blob_set(&t->spki, pack_done(&p));
}

static int settle(const struct kf_fleet_adopt *want, const struct dkek_blob *blob,
		  struct fleet_ticket *t, struct kf_error *e)
{
	t->operation = proof_choose(t->key_type, blob->algorithms);
	t->purpose = want->purpose ? want->purpose : purpose_of(t->operation);
	if (!key_type_suits(t->key_type, t->purpose))
		return error_why(e, -EINVAL, "docs/card-application.md 1.2",
				 "RSA keys sign or decrypt, EC keys sign or derive",
				 "a key of type %s does not do that", key_type_name(t->key_type));
	t->container = want->container;
	t->grade = KF_GRADE_U;
	t->sealed = time(NULL);
	memcpy(t->kcv, blob->kcv.p, sizeof(t->kcv));
	if (want->serial)
		(void)snprintf(t->serial, sizeof(t->serial), "%s", want->serial);
	return blob_set(&t->blob, BYTES(want->blob, want->blob_len));
}

static int fill_cargo(const struct kf_fleet_adopt *want, const struct fleet_ticket *t,
		      struct fleet_cargo *cargo)
{
	int r;

	memcpy(cargo->serial, t->serial, sizeof(cargo->serial));
	memcpy(cargo->sid, t->sid, sizeof(cargo->sid));
	memcpy(cargo->kcv, t->kcv, sizeof(cargo->kcv));
	cargo->container = t->container;
	cargo->key_type = t->key_type;
	cargo->purpose = t->purpose;
	cargo->grade = t->grade;
	cargo->operation = t->operation;
	cargo->is_pair = true;
	if (want->label)
		(void)snprintf(cargo->label, sizeof(cargo->label), "%s", want->label);
	r = sha256(blob_bytes(&t->spki), cargo->public_hash);
	if (r == 0)
		r = blob_set(&cargo->blob, blob_bytes(&t->blob));
	return r < 0 ? r : blob_set(&cargo->certificate, BYTES(want->cert, want->cert_len));
}

static int adopt(struct kf_state *state, const struct kf_fleet_adopt *want, char **text, size_t *len,
		 struct kf_error *e)
{
	_cleanup_(fleet_ticket_deinit) struct fleet_ticket ticket = FLEET_TICKET_INIT;
	_cleanup_(fleet_cargo_deinit) struct fleet_cargo cargo = FLEET_CARGO_INIT;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct dkek_key pair = DKEK_KEY_INIT;		/* borrows @key */
	struct dkek_blob blob;
	int r = check_blob(want, &blob, e);

	if (r == 0)
		r = take_public(want, &blob, &ticket, &key, e);
	if (r == 0)
		r = settle(want, &blob, &ticket, e);
	if (r == 0)
		r = random_public(ticket.sid, sizeof(ticket.sid), e);
	pair.pair = key;
	if (r == 0)
		r = fleet_challenge(&ticket, &pair, &cargo.input, e);
	if (r == 0)
		r = fill_cargo(want, &ticket, &cargo);
	if (r == 0)
		r = fleet_ticket_keep(state, &ticket, e);
	return r < 0 ? r : fleet_cargo_write(&cargo, text, len, e);
}

int kf_state_fleet_adopt(struct kf_state *state, const struct kf_fleet_adopt *want, char **cargo,
			 size_t *len, struct kf_error *e)
{
	int r = check_fields(want, e);

	if (r == 0)
		r = adopt(state, want, cargo, len, e);
	return error_what(e, r, "cannot take the wrapped key");
}
