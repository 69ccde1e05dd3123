/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_channel.c - keyferry channel: orders to a SmartCard-HSM through a channel that ends in the card. The machine
 * it is inserted into carries them and reads none of it.
 */
#include "base/error.h"
#include "base/hex.h"
#include "format/numbers.h"
#include "tools/channel_run.h"
#include "tools/server_state.h"
#include "tools/share_file.h"

#include <stdlib.h>

enum { FILE_MAX = 1 << 16, CERT_FILE_MAX = 1 << 16 };

/* --- pin reset, pin change --- */

static int carry_and_report(struct channel_run *run, const char *said, struct kf_error *e)
{
	int r = channel_carry(run, e);

	if (r < 0)
		return channel_fail(run, e, r);
	ui_say(&run->ui, "%s", said);
	return channel_report(run, NULL);
}

static int take_pins(struct channel_run *run, unsigned int proof, unsigned int target, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret old = SECRET_INIT, fresh = SECRET_INIT;
	int r = channel_prepare(run, e);

	if (r == 0)
		r = channel_ask_pin(run, proof == KF_PIN_PUK ? "The card's SO-PIN" : "The card's PIN", false, &old, e);
	if (r == 0)
		r = channel_ask_pin(run, target == KF_PIN_PUK ? "New SO-PIN" : "New PIN", true, &fresh, e);
	if (r < 0)
		return r;
	return proof == target ? kf_channel_pin_change(run->channel, target, old.p, old.n, fresh.p, fresh.n, e) :
				 kf_channel_pin_reset(run->channel, old.p, old.n, fresh.p, fresh.n, e);
}

static int set_pin(struct channel_run *run, unsigned int proof, unsigned int target)
{
	struct kf_error e = KF_ERROR_INIT;
	int code, r = take_pins(run, proof, target, &e);

	code = r < 0 ? channel_fail(run, &e, r) :
		       carry_and_report(run, target == KF_PIN_PUK ? "The SO-PIN is set." : "The PIN is set.", &e);
	channel_close(run);
	return code;
}

static int cmd_pin_reset(int argc, char **argv)
{
	struct channel_run run = CHANNEL_RUN_INIT("keyferry channel pin reset", "pin reset");
	const struct arg args[] = { ARG_END };
	int code;

	if (!channel_parse(&run, "Sets a new PIN by the SO-PIN; the machine the card is in sees neither.", args, argc,
			   argv, &code))
		return code;
	return set_pin(&run, KF_PIN_PUK, KF_PIN_USER);
}

static int cmd_pin_change(int argc, char **argv)
{
	struct channel_run run = CHANNEL_RUN_INIT("keyferry channel pin change", "pin change");
	bool so_pin = false;
	const struct arg args[] = {
		{ "so-pin", 0, ARG_FLAG, &so_pin, NULL, "the SO-PIN, not the user PIN" },
		ARG_END
	};
	int code;

	if (!channel_parse(&run, "Replaces a PIN by its old value; the machine the card is in sees neither.", args,
			   argc, argv, &code))
		return code;
	return set_pin(&run, so_pin ? KF_PIN_PUK : KF_PIN_USER, so_pin ? KF_PIN_PUK : KF_PIN_USER);
}

static int cmd_pin(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "reset", "a new PIN, by the SO-PIN", cmd_pin_reset },
		{ "change", "a new PIN or SO-PIN, by the old one", cmd_pin_change },
	};

	return cmd_dispatch("keyferry channel pin", cmds, 2, argc, argv);
}

/* --- shares --- */

/**
 * struct shares - an order for shares
 * @files:	where they are; @word is the first of them
 * @no_pin:	the card wants none
 */
struct shares {
	struct arg_texts files;
	const char *word;
	uint32_t domain;
	int password_fd;
	bool no_pin;
};

static int read_shares(const struct channel_run *run, const struct shares *want, struct secret *out, struct kf_error *e)
{
	int r = secret_init(out, (ARG_TEXTS_MAX + 1) * (size_t)KF_FLEET_SHARE_SIZE);

	for (size_t i = want->word ? 0 : 1; r == 0 && i <= want->files.n; i++) {
		_cleanup_(secret_deinit) struct secret share = SECRET_INIT;

		r = share_file_read(&run->ui, i == 0 ? want->word : want->files.v[i - 1], want->password_fd, &share, e);
		if (r < 0)
			break;
		memcpy(out->p + out->n, share.p, KF_FLEET_SHARE_SIZE);
		out->n += KF_FLEET_SHARE_SIZE;
	}
	return r;
}

static int order_shares(struct channel_run *run, const struct shares *want, const struct secret *pin,
			struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret shares = SECRET_INIT;
	struct kf_channel_shares order = {
		.size = sizeof(order), .domain = want->domain, .pin = pin->p, .pin_len = pin->n,
	};
	int r = read_shares(run, want, &shares, e);

	order.shares = shares.p;
	order.n = shares.n / KF_FLEET_SHARE_SIZE;
	if (r == 0)
		r = channel_gives(run, &shares, e);
	return r < 0 ? r : kf_channel_dkek_import(run->channel, &order, e);
}

static int take_shares(struct channel_run *run, const struct shares *want, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	int r = channel_prepare(run, e);

	if (r == 0 && !want->no_pin)
		r = channel_ask_pin(run, "The card's PIN", false, &pin, e);
	return r < 0 ? r : order_shares(run, want, &pin, e);
}

static void kcv_text(const struct channel_run *run, char out[static 2 * KF_FLEET_CHECK_SIZE + 1])
{
	const uint8_t *check = kf_channel_check_value(run->channel);

	hex_write(check ? BYTES(check, KF_FLEET_CHECK_SIZE) : BYTES_NONE, out);
}

static int report_shares(struct channel_run *run, const struct shares *want)
{
	uint32_t outstanding = kf_channel_value(run->channel, KF_CHANNEL_OUTSTANDING);
	char kcv[2 * KF_FLEET_CHECK_SIZE + 1];

	kcv_text(run, kcv);
	if (outstanding != 0)
		ui_say(&run->ui, "In; %u to go.", outstanding);
	else
		ui_say(&run->ui, "In; the DKEK is complete: %s", kcv);
	return channel_report(run, json_pack("{s:I,s:I,s:s*}", "domain", (json_int_t)want->domain, "outstanding",
					     (json_int_t)outstanding, "dkek_check_value",
					     outstanding == 0 ? kcv : NULL));
}

static int import(struct channel_run *run, const struct shares *want)
{
	struct kf_error e = KF_ERROR_INIT;
	int code, r = take_shares(run, want, &e);

	if (r == 0)
		r = channel_carry(run, &e);
	r = channel_note_dkek(run, r, &e);
	code = r < 0 ? channel_fail(run, &e, r) : report_shares(run, want);
	channel_close(run);
	return code;
}

static int cmd_dkek_import(int argc, char **argv)
{
	struct channel_run run = CHANNEL_RUN_INIT("keyferry channel dkek import", "dkek import");
	struct shares want = { .password_fd = -1 };
	const struct arg args[] = {
		{ "SHARE", 0, ARG_WORD, &want.word, NULL, "32 bytes, 64 hexadecimal digits, or a share file of "
		  "sc-hsm-tool" },
		{ "share", 0, ARG_TEXTS, &want.files, "FILE", "one more; again for each" },
		{ "domain", 0, ARG_NUMBER, &want.domain, "N", "key domain (0)" },
		{ "share-password-fd", 0, ARG_FD, &want.password_fd, "N",
		  "passwords of share files, a line each, in their order" },
		{ "no-pin", 0, ARG_FLAG, &want.no_pin, NULL, "the card wants no PIN for it" },
		ARG_END
	};
	int code;

	if (!channel_parse(&run, "Gives the card shares of its DKEK; the machine it is in sees none.", args, argc, argv,
			   &code))
		return code;
	return import(&run, &want);
}

/* --- unwrap --- */

/* The command line of one key. */
struct unwrap {
	const char *file, *cert, *type_text, *usage_text, *label;
	struct shares shares;
	uint32_t container;
	bool allow_rewrap;
	enum kf_key_type type;
	enum kf_purpose usage;
};

static int order_key(struct channel_run *run, const struct unwrap *want, const struct secret *pin, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *file = NULL, *cert = NULL;
	struct kf_channel_unwrap order = {
		.size = sizeof(order), .container = want->container, .key_type = want->type, .purpose = want->usage,
		.label = want->label, .allow_rewrap = want->allow_rewrap, .pin = pin->p, .pin_len = pin->n,
	};
	int r = ui_file_read(want->file, FILE_MAX, &file, &order.file_len, e);

	if (r == 0 && want->cert)
		r = ui_file_read(want->cert, CERT_FILE_MAX, &cert, &order.cert_len, e);
	order.file = file;
	order.cert = cert;
	return r < 0 ? r : kf_channel_unwrap(run->channel, &order, e);
}

static int take_key(struct channel_run *run, const struct unwrap *want, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	int r = channel_prepare(run, e);

	if (r == 0)
		r = channel_ask_pin(run, "The card's PIN", false, &pin, e);
	if (r == 0 && want->shares.files.n != 0)
		r = order_shares(run, &want->shares, &pin, e);
	return r < 0 ? r : order_key(run, want, &pin, e);
}

static int report_key(struct channel_run *run)
{
	uint32_t container = kf_channel_value(run->channel, KF_CHANNEL_CONTAINER);
	enum kf_key_type type = (enum kf_key_type)kf_channel_value(run->channel, KF_CHANNEL_KEY_TYPE);
	enum kf_purpose purpose = (enum kf_purpose)kf_channel_value(run->channel, KF_CHANNEL_PURPOSE);
	char kcv[2 * KF_FLEET_CHECK_SIZE + 1];

	kcv_text(run, kcv);
	ui_say(&run->ui, "container: %u", container);
	ui_say(&run->ui, "key:       %s, %s", key_type_name(type), purpose_name(purpose));
	if (*kcv)
		ui_say(&run->ui, "DKEK:      %s", kcv);
	if (kf_channel_grade(run->channel) == KF_GRADE_U)
		ui_say(&run->ui, "note:      nothing tells how the card came by its DKEK; whoever has it may know the key");
	return channel_report(run, json_pack("{s:I,s:s,s:s,s:s*}", "container", (json_int_t)container, "key_type",
					     key_type_name(type), "purpose", purpose_name(purpose),
					     "dkek_check_value", *kcv ? kcv : NULL));
}

static int unwrap(struct channel_run *run, const struct unwrap *want)
{
	struct kf_error e = KF_ERROR_INIT;
	int code, r = take_key(run, want, &e);

	if (r == 0)
		r = channel_carry(run, &e);
	r = channel_note_dkek(run, r, &e);
	code = r < 0 ? channel_fail(run, &e, r) : report_key(run);
	channel_close(run);
	return code;
}

static int check_texts(const struct ui *ui, struct unwrap *want)
{
	if (want->container == 0)
		return ui_usage(ui, "--container is needed");
	if (want->type_text && key_type_from_name(want->type_text, &want->type) < 0)
		return ui_usage(ui, "there is no key type '%s'", want->type_text);
	if (want->usage_text && purpose_from_name(want->usage_text, &want->usage) < 0)
		return ui_usage(ui, "there is no usage '%s'", want->usage_text);
	return UI_OK;
}

static int cmd_dkek_unwrap_in(int argc, char **argv)
{
	struct channel_run run = CHANNEL_RUN_INIT("keyferry channel dkek unwrap", "dkek unwrap");
	struct unwrap want = { .shares = { .password_fd = -1 } };
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &want.file, NULL, "the wrapped key, bare or as sc-hsm-tool --wrap-key wrote it" },
		{ "container", 'c', ARG_NUMBER, &want.container, "N", "where to, 1 to 253; it has to be empty" },
		{ "type", 't', ARG_TEXT, &want.type_text, "TYPE", "if neither file nor certificate tell" },
		{ "usage", 'u', ARG_TEXT, &want.usage_text, "USAGE", "sign, decrypt, derive, cipher, for its description" },
		{ "label", 0, ARG_TEXT, &want.label, "TEXT", "what to call it" },
		{ "cert", 0, ARG_TEXT, &want.cert, "FILE", "X.509 of the key, to lie beside it" },
		{ "allow-rewrap", 0, ARG_FLAG, &want.allow_rewrap, NULL, "take a key that can be wrapped out again" },
		{ "share", 0, ARG_TEXTS, &want.shares.files, "FILE",
		  "give the card this share of its DKEK before; again for each" },
		{ "share-password-fd", 0, ARG_FD, &want.shares.password_fd, "N",
		  "passwords of share files, a line each, in their order" },
		ARG_END
	};
	int code;

	if (!channel_parse(&run, "Has the card open a wrapped key, which the machine it is in does not see.", args,
			   argc, argv, &code))
		return code;
	code = check_texts(&run.ui, &want);
	return code == UI_OK ? unwrap(&run, &want) : code;
}

static int cmd_dkek_in(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "import", "give the card shares of its DKEK", cmd_dkek_import },
		{ "unwrap", "have the card open a wrapped key", cmd_dkek_unwrap_in },
	};

	return cmd_dispatch("keyferry channel dkek", cmds, 2, argc, argv);
}

int cmd_channel(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "pin", "set or change its PINs", cmd_pin },
		{ "dkek", "give it shares of its DKEK, and keys", cmd_dkek_in },
	};

	return cmd_dispatch("keyferry channel", cmds, 2, argc, argv);
}
