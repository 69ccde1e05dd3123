/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_offer.c - keyferry offer: from the server's challenge to the card's signed offer. What
 * is checked here spares a wrong trip; the server believes none of it and checks again.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "format/statement.h"
#include "libserver/json/challenge.h"
#include "libserver/json/offer.h"
#include "tools/client_cmds.h"
#include "tools/pem.h"
#include "tools/tool.h"

struct offer_args {
	const char *challenge, *out, *type, *method_text;
	enum kf_method method;
	uint32_t container, exchange;
	bool pins, batch, shared_keys;
};

static int read_challenge(struct tool *tool, const char *path, struct challenge_file *out)
{
	_cleanup_(freep) uint8_t *text = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t n = 0;
	int r;

	r = ui_file_read(path, JSON_TEXT_MAX, &text, &n, &e);
	if (r == 0)
		r = challenge_file_parse(BYTES(text, n), out, &e);
	if (r == 0)
		return UI_OK;
	(void)error_what(&e, r, "cannot read the challenge in %s", path);
	return tool_fail_with(tool, &e);
}

static int wrong(struct tool *tool, int r, const char *rule, const char *next, const char *why)
{
	struct kf_error e = KF_ERROR_INIT;

	(void)error_why(&e, r, rule, next, "%s", why);
	(void)error_what(&e, r, "cannot make an offer");
	return tool_fail_with(tool, &e);
}

/* Of what needs no key that the card's maker loaded, the better. */
static enum kf_method best_method(const struct kf_card *card)
{
	return kf_card_value(card, KF_CP_METHODS) & 1u << KF_METHOD_ECDH ? KF_METHOD_ECDH
									 : KF_METHOD_RSA;
}

/* @method: %KF_METHOD_NONE is settled by what the card can do. */
static int check_card(struct tool *tool, const struct challenge_file *challenge,
		      enum kf_method *method)
{
	struct kf_error e = KF_ERROR_INIT;
	struct kf_card *card = NULL;
	int code = UI_OK;

	if (kf_card_read(tool->context, &card) < 0)
		return tool_fail(tool);
	if (strcmp(kf_card_serial(card), challenge->serial) != 0) {
		(void)error_why(&e, -EINVAL, "docs/formats.md 8.1",
				"insert that card, or have the server challenge this one",
				"this card is %s, the challenge is for %s", kf_card_serial(card),
				challenge->serial);
		(void)error_what(&e, -EINVAL, "cannot make an offer");
		code = tool_fail_with(tool, &e);
	}
	if (*method == KF_METHOD_NONE)
		*method = best_method(card);
	card = kf_card_free(card);
	return code;
}

static enum kf_method method_of_type(enum kf_key_type type)
{
	return key_type_agrees(type) ? KF_METHOD_ECDH : KF_METHOD_RSA;
}

/* A standing key serves one method, by its type. */
static int method_of_standing(struct tool *tool, uint32_t number, enum kf_method *method)
{
	struct kf_container *c = NULL;

	if (kf_container_read(tool->context, number, &c) < 0)
		return tool_fail(tool);
	*method = method_of_type((enum kf_key_type)kf_container_key_type(c));
	c = kf_container_free(c);
	return UI_OK;
}

static int first_free(struct tool *tool, uint32_t *out)
{
	struct kf_containers *containers = NULL;
	bool found = false;

	if (kf_container_list(tool->context, &containers) < 0)
		return tool_fail(tool);
	for (size_t i = 0; i < kf_containers_count(containers) && !found; i++) {
		const struct kf_container *c = kf_containers_at(containers, i);

		found = kf_container_key_type(c) == KF_KEY_NONE;
		*out = kf_container_number(c);
	}
	containers = kf_containers_free(containers);
	return found ? UI_OK : wrong(tool, -ENOSPC, "the card", "delete a key, or name the container "
				     "to replace (--container)", "no container is free");
}

static int get_offer(struct tool *tool, const struct offer_args *a, enum kf_key_type type,
		     const struct challenge_file *challenge, struct kf_signed_offer **out)
{
	uint32_t target = a->pins ? KF_CONTAINER_PINS : a->batch ? KF_CONTAINER_BATCH :
			  a->shared_keys ? KF_CONTAINER_SHARED : a->container;
	int code = target == KF_CONTAINER_ANY ? first_free(tool, &target) : UI_OK, r;

	if (code != UI_OK)
		return code;
	ui_progress(&tool->ui, "the card makes an exchange key ...");
	if (a->exchange != KF_CONTAINER_ANY)
		r = kf_offer_existing(tool->context, a->exchange, target, a->method,
				      KF_ITEMS_MAX, challenge->nonce, out);
	else
		r = kf_offer(tool->context, target, a->method, type, KF_ITEMS_MAX,
			     challenge->nonce, out);
	return r < 0 ? tool_fail(tool) : UI_OK;
}

/* Borrows from @offer. Return: 0, -EBADMSG. */
static int fill_file(const struct kf_signed_offer *offer, enum kf_method method,
		     struct offer_file *file)
{
	struct signed_statement parts;
	struct statement statement;
	size_t len;
	const uint8_t *p = kf_signed_offer_statement(offer, &len);

	if (signed_statement_parse(BYTES(p, len), &parts) < 0 ||
	    statement_parse(parts.statement, &statement) < 0)
		return -EBADMSG;
	p = kf_signed_offer_chain(offer, &len);
	memcpy(file->serial, statement.serial, sizeof(file->serial));
	memcpy(file->sid, statement.sid, sizeof(file->sid));
	memcpy(file->nonce, statement.nonce, sizeof(file->nonce));
	file->container = statement.container;
	file->method = method;
	if (blob_set(&file->exchange_key, parts.key) < 0 ||
	    blob_set(&file->statement, parts.statement) < 0 ||
	    blob_set(&file->signature, parts.signature) < 0 ||
	    blob_set(&file->device_certificate,
		     BYTES(p, pem_first_certificate(BYTES(p, len)))) < 0)
		return -ENOMEM;
	return 0;
}

static int write_file(struct tool *tool, const struct offer_file *file, const char *out)
{
	struct kf_error e = KF_ERROR_INIT;
	_cleanup_(freep) char *text = NULL;
	size_t n = 0;
	int r;

	r = offer_file_write(file, &text, &n, &e);
	if (r < 0)
		return tool_fail_with(tool, (error_what(&e, r, "cannot write the offer"), &e));
	return tool_write(tool, out, BYTES(text, n), 0644);
}

static int done(struct tool *tool, const struct offer_file *file, const char *out)
{
	const char *what = file->container == KF_CONTAINER_PINS ? "pin " :
			   file->container == KF_CONTAINER_SHARED ? "shared " :
			   file->container == KF_CONTAINER_BATCH ? "batch LIST " : "";

	if (strcmp(out, "-") == 0)
		return UI_OK;
	if (file->container == KF_CONTAINER_BATCH)
		ui_say(&tool->ui, "Card %s offers to take a batch of keys by method %s.", file->serial,
		       method_name(file->method));
	else if (file->container == KF_CONTAINER_SHARED)
		ui_say(&tool->ui, "Card %s offers to take the keys it shares with a server by method %s.",
		       file->serial, method_name(file->method));
	else if (file->container == KF_CONTAINER_PINS)
		ui_say(&tool->ui, "Card %s offers to take an order about its PINs by method %s.",
		       file->serial, method_name(file->method));
	else
		ui_say(&tool->ui, "Card %s offers container %u by method %s.", file->serial,
		       file->container, method_name(file->method));
	ui_say(&tool->ui, "Send %s to the server: keyferry seal %s--offer %s", out, what, out);
	return ui_json(&tool->ui, json_pack("{s:s,s:I,s:s,s:s}", "serial", file->serial, "container",
					    (json_int_t)file->container, "method",
					    method_name(file->method), "file", out));
}

static int save_offer(struct tool *tool, const struct challenge_file *challenge,
		      const struct kf_signed_offer *offer, enum kf_method method, const char *out)
{
	struct offer_file file = OFFER_FILE_INIT;
	uint8_t device[KF_DIGEST_SIZE];
	int code, r;

	r = fill_file(offer, method, &file);
	if (r < 0)
		code = wrong(tool, r, "docs/formats.md 4", "try another reader, or another card",
			     "what the card signed is no statement");
	else if (memcmp(file.nonce, challenge->nonce, KF_NONCE_SIZE) != 0)
		code = wrong(tool, -EBADMSG, "docs/formats.md 4", "try again",
			     "the card answered another challenge");
	else if (sha256(blob_bytes(&file.device_certificate), device) < 0 ||
		 memcmp(device, challenge->device, KF_DIGEST_SIZE) != 0)
		code = wrong(tool, -EINVAL, "docs/formats.md 8.1",
			     "enroll this card at the server, or insert the one it knows",
			     "the card's device certificate is not the one the challenge is for");
	else
		code = write_file(tool, &file, out);
	if (code == UI_OK)
		code = done(tool, &file, out);
	offer_file_deinit(&file);
	return code;
}

static int offer_with(struct tool *tool, struct offer_args *a, enum kf_key_type type)
{
	struct challenge_file challenge;
	struct kf_signed_offer *offer = NULL;
	int code = read_challenge(tool, a->challenge, &challenge);

	/* Turning a key into EXCHANGE wants the PIN; a fresh exchange key does not. */
	if (code == UI_OK)
		code = a->exchange != KF_CONTAINER_ANY ? tool_open_verified(tool, "offer")
						       : tool_open(tool);
	if (code == UI_OK && a->method == KF_METHOD_NONE && a->exchange != KF_CONTAINER_ANY)
		code = method_of_standing(tool, a->exchange, &a->method);
	if (code == UI_OK)
		code = check_card(tool, &challenge, &a->method);
	if (code == UI_OK)
		code = get_offer(tool, a, type, &challenge, &offer);
	if (code == UI_OK)
		code = save_offer(tool, &challenge, offer, a->method, a->out);
	offer = kf_signed_offer_free(offer);
	return code;
}

int cmd_offer(int argc, char **argv)
{
	struct offer_args a = {
		.container = KF_CONTAINER_ANY, .exchange = KF_CONTAINER_ANY,
	};
	const struct arg args[] = {
		{ "challenge", 0, ARG_TEXT, &a.challenge, "FILE", "from the server" },
		{ "container", 'c', ARG_NUMBER, &a.container, "N",
		  "where the key shall go (the first free one)" },
		{ "method", 0, ARG_TEXT, &a.method_text, "METHOD",
		  "how the session key is established: ecdh, rsa, derived, shared (the exchange key's, "
		  "or ecdh if the card can do it, else rsa)" },
		{ "pins", 0, ARG_FLAG, &a.pins, NULL,
		  "for an order about PINs instead of a key" },
		{ "batch", 0, ARG_FLAG, &a.batch, NULL,
		  "for several keys, into the containers that the server names" },
		{ "shared-keys", 0, ARG_FLAG, &a.shared_keys, NULL,
		  "for the keys that methods shared and derived work with" },
		{ "exchange-type", 0, ARG_TEXT, &a.type, "TYPE",
		  "of a fresh exchange key: rsa2048 rsa3072 rsa4096; p256 p384 x25519 (the card's "
		  "choice)" },
		{ "exchange-container", 0, ARG_NUMBER, &a.exchange, "N",
		  "use this key for exchange, for ever, instead of a fresh one" },
		{ "output", 'o', ARG_TEXT, &a.out, "FILE", "where the offer goes" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry offer");
	enum kf_key_type type = KF_KEY_NONE;
	int code;

	if (!tool_parse(&tool, "Has the card sign an offer to take a sealed key. Changes no container.",
			args, argc, argv, &code))
		return code;
	if (!a.challenge || !a.out)
		return ui_usage(&tool.ui, "--challenge FILE -o FILE are needed");
	if (a.method_text && method_from_name(a.method_text, &a.method) < 0)
		return ui_usage(&tool.ui, "there is no method '%s'", a.method_text);
	if (a.pins + a.batch + a.shared_keys + (a.container != KF_CONTAINER_ANY) > 1)
		return ui_usage(&tool.ui, "--pins, --batch, --shared-keys and --container exclude each "
				"other");
	if (a.type && key_type_from_name(a.type, &type) < 0)
		return ui_usage(&tool.ui, "there is no key type '%s'", a.type);
	if (type != KF_KEY_NONE && a.method == KF_METHOD_NONE)
		a.method = method_of_type(type);
	if (type != KF_KEY_NONE && !key_type_serves(type, a.method))
		return ui_usage(&tool.ui, "an exchange key of type %s does not serve method %s", a.type,
				method_name(a.method));
	if (tool.timeout_s == 0)
		tool.timeout_s = 120;	/* for a fresh RSA key */
	code = offer_with(&tool, &a, type);
	tool_close(&tool);
	return code;
}
