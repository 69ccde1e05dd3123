// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/fleet.c - Member by member, in the order of docs/formats.md 15. */
#include "libserver/json/fleet.h"
#include "base/error.h"
#include "format/numbers.h"
#include "format/schsm/dkek_blob.h"
#include "libserver/json/names.h"

#define CARGO_FORMAT "keyferry-dkek-cargo"
#define RECEIPT_FORMAT "keyferry-dkek-receipt"

enum { INPUT_MAX = 1024 };		/* PKCS #1 under RSA-4096, or a point */

/* --- members that several files have --- */

void fleet_take_serial(struct json_in *in, char out[static KF_SERIAL_MAX + 1])
{
	memset(out, 0, KF_SERIAL_MAX + 1);
	if (json_in_has(in, "serial"))
		json_in_serial(in, "serial", out);
}

void fleet_put_serial(json_t **object, const char *serial)
{
	if (serial[0])
		json_out(object, "serial", json_string(serial));
}

uint32_t fleet_take_container(struct json_in *in)
{
	uint32_t container = (uint32_t)json_in_number(in, "container", FLEET_CARD_MAX);

	if (in->r == 0 && container == 0)
		json_in_fail(in, "container", "is the device key's");
	return container;
}

enum kf_key_type fleet_take_key_type(struct json_in *in)
{
	const char *text = json_in_text(in, "key_type");
	enum kf_key_type type = KF_KEY_NONE;

	if (in->r == 0 && (key_type_from_name(text, &type) < 0 ||
			   (!key_type_is_rsa(type) && !key_type_is_ec(type) &&
			    !key_type_is_aes(type))))
		json_in_fail(in, "key_type", "is not the type of a key that blobs hold");
	return type;
}

enum kf_purpose fleet_take_purpose(struct json_in *in, enum kf_key_type type)
{
	const char *text = json_in_text(in, "purpose");
	enum kf_purpose purpose = KF_PURPOSE_NONE;

	if (in->r == 0 &&
	    (purpose_from_name(text, &purpose) < 0 || !key_type_suits(type, purpose)))
		json_in_fail(in, "purpose", "is none of such a key");
	return purpose;
}

enum proof_operation fleet_take_operation(struct json_in *in)
{
	const char *text = json_in_text(in, "operation");
	enum proof_operation operation = PROOF_NONE;

	if (in->r == 0 && proof_operation_from_name(text, &operation) < 0)
		json_in_fail(in, "operation", "is not the name of a proof");
	return operation;
}

bool fleet_label_is_valid(const char *text)
{
	size_t n = strnlen(text, FLEET_LABEL_MAX + 1);
	json_t *utf8;

	if (n == 0 || n > FLEET_LABEL_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	utf8 = json_stringn(text, n);
	json_decref(utf8);
	return utf8 != NULL;
}

static void take_label(struct json_in *in, char out[static FLEET_LABEL_MAX + 1])
{
	const char *text;

	memset(out, 0, FLEET_LABEL_MAX + 1);
	if (!json_in_has(in, "label"))
		return;
	text = json_in_text(in, "label");
	if (in->r == 0 && !fleet_label_is_valid(text))
		json_in_fail(in, "label", "is not 1 to 64 bytes of UTF-8 without control characters");
	if (in->r == 0)
		memcpy(out, text, strlen(text));
}

static bool is_format(struct bytes text, const char *format)
{
	json_t *object = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const char *found = json_string_value(json_object_get(object, "format"));
	bool is = found && strcmp(found, format) == 0;

	json_decref(object);
	return is;
}

bool fleet_is_cargo(struct bytes text)
{
	return is_format(text, CARGO_FORMAT);
}

bool fleet_is_receipt(struct bytes text)
{
	return is_format(text, RECEIPT_FORMAT);
}

/* --- cargo --- */

static void take_proof(struct json_in *outer, struct fleet_cargo *cargo)
{
	struct json_in in = json_in_object(outer, "proof");

	cargo->operation = fleet_take_operation(&in);
	if (cargo->operation != PROOF_NONE)
		json_in_blob(&in, "input", INPUT_MAX, &cargo->input);
	json_in_leave(outer, &in);
}

int fleet_cargo_parse(struct bytes text, struct fleet_cargo *out, struct kf_error *e)
{
	_cleanup_(fleet_cargo_deinit) struct fleet_cargo cargo = FLEET_CARGO_INIT;
	struct json_in in = json_in_begin(text, CARGO_FORMAT, "cargo", e);
	int r;

	json_in_expect(&in, "card", "schsm");
	fleet_take_serial(&in, cargo.serial);
	json_in_copy(&in, "sid", cargo.sid, sizeof(cargo.sid));
	cargo.container = fleet_take_container(&in);
	cargo.key_type = fleet_take_key_type(&in);
	cargo.purpose = fleet_take_purpose(&in, cargo.key_type);
	take_label(&in, cargo.label);
	json_in_copy(&in, "check_value", cargo.kcv, sizeof(cargo.kcv));
	cargo.is_pair = !key_type_is_aes(cargo.key_type);
	if (cargo.is_pair)
		json_in_digest(&in, "public_key_sha256", cargo.public_hash);
	json_in_blob(&in, "blob", DKEK_BLOB_MAX, &cargo.blob);
	if (json_in_has(&in, "certificate"))
		json_in_blob(&in, "certificate", KF_CERT_MAX, &cargo.certificate);
	cargo.grade = json_in_grade(&in, "grade");
	take_proof(&in, &cargo);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the cargo");
	*out = cargo;
	cargo = FLEET_CARGO_INIT;
	return 0;
}

static bool types_agree(enum dkek_type blob, enum kf_key_type type)
{
	switch (blob) {
	case DKEK_RSA:
	case DKEK_RSA_CRT: return key_type_is_rsa(type);
	case DKEK_EC:	   return key_type_is_ec(type);
	case DKEK_AES:	   return key_type_is_aes(type);
	}
	return false;
}

/* A point and what RSA decrypts are judged by the card. */
static bool input_fits(const struct fleet_cargo *cargo)
{
	switch (cargo->operation) {
	case PROOF_NONE:
	case PROOF_DECRYPT:
	case PROOF_AGREE:
		return true;
	case PROOF_SIGN_PKCS1:
	case PROOF_SIGN_PSS:
	case PROOF_SIGN_ECDSA:
	case PROOF_CBC_ENCRYPT:
	case PROOF_CBC_DECRYPT:
		return cargo->input.n == PROOF_CHALLENGE_SIZE;
	}
	return false;
}

int fleet_cargo_check(const struct fleet_cargo *cargo, struct kf_error *e)
{
	static const char next[] = "get the cargo again from the server";
	const char *name = NULL;
	struct dkek_blob blob;

	if (dkek_blob_parse(blob_bytes(&cargo->blob), &blob) < 0)
		return error_why(e, -EBADMSG, "docs/formats.md 15", next, "the blob is not in form");
	if (!bytes_equal(blob.kcv, BYTES_OF(cargo->kcv)))
		name = "check_value";
	else if (!types_agree(blob.type, cargo->key_type))
		name = "key_type";
	else if (cargo->operation != proof_choose(cargo->key_type, blob.algorithms))
		name = "operation";
	else if (!input_fits(cargo))
		return error_why(e, -EBADMSG, "docs/formats.md 15", next, "its challenge has not 32 bytes");
	return !name ? 0 : error_why(e, -EBADMSG, "JSON copies equal the blob (docs/formats.md 15)",
				     next, "its \"%s\" is not what the blob says", name);
}

static json_t *proof_out(const struct fleet_cargo *cargo)
{
	json_t *object = json_object();

	json_out(&object, "operation", json_string(proof_operation_name(cargo->operation)));
	if (cargo->operation != PROOF_NONE)
		json_out(&object, "input", json_out_bytes(blob_bytes(&cargo->input)));
	return object;
}

int fleet_cargo_write(const struct fleet_cargo *cargo, char **text, size_t *len, struct kf_error *e)
{
	json_t *object = json_out_begin(CARGO_FORMAT);

	json_out(&object, "card", json_string("schsm"));
	fleet_put_serial(&object, cargo->serial);
	json_out(&object, "sid", json_out_bytes(BYTES_OF(cargo->sid)));
	json_out(&object, "container", json_integer(cargo->container));
	json_out(&object, "key_type", json_string(key_type_name(cargo->key_type)));
	json_out(&object, "purpose", json_string(purpose_name(cargo->purpose)));
	if (cargo->label[0])
		json_out(&object, "label", json_string(cargo->label));
	json_out(&object, "check_value", json_out_bytes(BYTES_OF(cargo->kcv)));
	if (cargo->is_pair)
		json_out(&object, "public_key_sha256", json_out_digest(cargo->public_hash));
	json_out(&object, "blob", json_out_bytes(blob_bytes(&cargo->blob)));
	if (cargo->certificate.n != 0)
		json_out(&object, "certificate", json_out_bytes(blob_bytes(&cargo->certificate)));
	json_out(&object, "grade", json_string(grade_name(cargo->grade)));
	json_out(&object, "proof", proof_out(cargo));
	return json_out_end(object, text, len, e);
}

void fleet_cargo_deinit(struct fleet_cargo *cargo)
{
	blob_deinit(&cargo->blob);
	blob_deinit(&cargo->certificate);
	blob_deinit(&cargo->input);
}

/* --- receipt --- */

int fleet_receipt_parse(struct bytes text, struct fleet_receipt *out, struct kf_error *e)
{
	_cleanup_(fleet_receipt_deinit) struct fleet_receipt receipt = FLEET_RECEIPT_INIT;
	struct json_in in = json_in_begin(text, RECEIPT_FORMAT, "receipt", e);
	int r;

	fleet_take_serial(&in, receipt.serial);
	json_in_copy(&in, "sid", receipt.sid, sizeof(receipt.sid));
	receipt.container = fleet_take_container(&in);
	json_in_blob(&in, "answer", FLEET_ANSWER_MAX, &receipt.answer);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the receipt");
	*out = receipt;
	receipt = FLEET_RECEIPT_INIT;
	return 0;
}

int fleet_receipt_write(const struct fleet_receipt *receipt, char **text, size_t *len,
			struct kf_error *e)
{
	json_t *object = json_out_begin(RECEIPT_FORMAT);

	fleet_put_serial(&object, receipt->serial);
	json_out(&object, "sid", json_out_bytes(BYTES_OF(receipt->sid)));
	json_out(&object, "container", json_integer(receipt->container));
	json_out(&object, "answer", json_out_bytes(blob_bytes(&receipt->answer)));
	return json_out_end(object, text, len, e);
}

void fleet_receipt_deinit(struct fleet_receipt *receipt)
{
	blob_deinit(&receipt->answer);
}
