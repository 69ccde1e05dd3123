// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_convert.c - keyferry convert: between what sc-hsm-tool --wrap-key writes and our cargo for
 * SmartCard-HSMs. A cargo made here has a ticket like any other, so its receipt is verified like any other.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "format/schsm/dkek_blob.h"
#include "format/schsm/prkd.h"
#include "format/schsm/wrapped_file.h"
#include "libserver/json/fleet.h"
#include "tools/args.h"
#include "tools/server_state.h"

struct convert {
	const char *in, *out, *dir, *device, *label, *usage_text;
	uint32_t container;
	enum kf_purpose usage;
	bool allow_rewrap;
};

static int report(const struct ui *ui, const struct convert *want, const char *what)
{
	if (strcmp(want->out, "-") == 0)
		return UI_OK;
	ui_say(ui, "%s: %s", what, want->out);
	ui_say(ui, "note: the blob opens on every card with its DKEK, for ever, and is bound to nothing");
	return ui_json(ui, json_pack("{s:s,s:s}", "file", want->out, "kind", what));
}

/* --- from a cargo --- */

static int write_file(const struct convert *want, const struct fleet_cargo *cargo, struct kf_error *e)
{
	uint8_t description[PRKD_MAX], buf[WRAPPED_FILE_MAX];
	struct packer p = pack_begin(description, sizeof(description)), out = pack_begin(buf, sizeof(buf));
	struct prkd prkd = prkd_of(cargo->key_type, cargo->purpose, cargo->label, (uint8_t)cargo->container);
	uint8_t digest[KF_DIGEST_SIZE];
	struct wrapped_file file = {
		.blob = blob_bytes(&cargo->blob), .cert = blob_bytes(&cargo->certificate),
	};
	int r = sha256(file.blob, digest);

	prkd.marked = !cargo->is_pair;		/* of such keys nothing else tells one from another */
	memcpy(prkd.mark, digest, sizeof(prkd.mark));
	if (r == 0)
		r = prkd_pack(&prkd, &p);
	file.prkd = pack_done(&p);
	if (r == 0)
		r = wrapped_file_pack(&file, &out);
	return r < 0 ? r : ui_file_write(want->out, pack_done(&out), 0644, e);
}

/* As in the other direction, and as by whoever seals: where it goes to, nobody asks again. */
static int check_list(const struct fleet_cargo *cargo, bool allow_rewrap, struct kf_error *e)
{
	struct dkek_blob blob;
	int r = dkek_blob_parse(blob_bytes(&cargo->blob), &blob);

	if (r < 0 || allow_rewrap || !dkek_blob_may_leave(&blob))
		return r;
	return error_why(e, -EACCES, "DKEK blobs, SECURITY section 8",
			 "have it sealed with a list without WRAP, or insist with --allow-rewrap",
			 "the card would let the key be wrapped out again: %s",
			 blob.algorithms.n ? "WRAP (92) is on its list" : "its list is empty");
}

static int from_cargo(const struct ui *ui, const struct convert *want, struct bytes text)
{
	_cleanup_(fleet_cargo_deinit) struct fleet_cargo cargo = FLEET_CARGO_INIT;
	struct kf_error e = KF_ERROR_INIT;
	int r = fleet_cargo_parse(text, &cargo, &e);

	if (r == 0)
		r = fleet_cargo_check(&cargo, &e);
	if (r == 0)
		r = check_list(&cargo, want->allow_rewrap, &e);
	if (r == 0)
		r = write_file(want, &cargo, &e);
	if (error_what(&e, r, "cannot convert %s", want->in) < 0)
		return ui_fail(ui, &e);
	return report(ui, want, "wrapped key");
}

/* --- to a cargo --- */

static int make_cargo(const struct convert *want, struct kf_state *state, struct bytes der,
		      struct kf_error *e)
{
	char label[WRAPPED_LABEL_MAX + 1] = "";
	_cleanup_(freep) char *cargo = NULL;
	struct wrapped_file file;
	struct bytes named;
	size_t len = 0;
	int r;

	if (wrapped_file_parse(der, &file) < 0 || file.cert.n == 0)
		return error_why(e, -EBADMSG, "what sc-hsm-tool --wrap-key writes: blob, description, certificate",
				 "wrap the key again", "it is neither such a file nor a cargo of ours");
	named = wrapped_prkd_label(file.prkd);
	if (named.n != 0)
		memcpy(label, named.p, named.n);

	const struct kf_fleet_adopt adopt = {
		.size = sizeof(adopt), .blob = file.blob.p, .blob_len = file.blob.n,
		.cert = file.cert.p, .cert_len = file.cert.n, .purpose = want->usage,
		.container = want->container, .allow_rewrap = want->allow_rewrap,
		.serial = want->device, .label = want->label ? want->label : label[0] ? label : NULL,
	};

	r = kf_state_fleet_adopt(state, &adopt, &cargo, &len, e);
	return r < 0 ? r : ui_file_write(want->out, BYTES(cargo, len), 0644, e);
}

static int to_cargo(const struct ui *ui, const struct convert *want, struct bytes der)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r;

	if (!want->dir || want->container == 0)
		return ui_usage(ui, "--state and --container are needed to make a cargo");
	r = server_state_open(want->dir, &state, &e);
	if (r == 0)
		r = make_cargo(want, state, der, &e);
	if (error_what(&e, r, "cannot convert %s", want->in) < 0)
		return ui_fail(ui, &e);
	return report(ui, want, "cargo");
}

static int convert(const struct ui *ui, const struct convert *want)
{
	_cleanup_(freep) uint8_t *data = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t n = 0;

	if (ui_file_read(want->in, JSON_TEXT_MAX, &data, &n, &e) < 0)
		return ui_fail(ui, &e);
	return fleet_is_cargo(BYTES(data, n)) ? from_cargo(ui, want, BYTES(data, n))
					      : to_cargo(ui, want, BYTES(data, n));
}

int cmd_convert(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry convert" };
	struct convert want = { 0 };
	int code;
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &want.in, NULL,
		  "what sc-hsm-tool wrapped, or a cargo for SmartCard-HSMs; - is stdin" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "the other one; - is stdout" },
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state, to make a cargo" },
		{ "container", 0, ARG_NUMBER, &want.container, "KID",
		  "key id on the card the cargo is for, 1 to 253" },
		{ "usage", 0, ARG_TEXT, &want.usage_text, "USE",
		  "sign, decrypt, derive (default: what the blob allows)" },
		{ "device", 0, ARG_TEXT, &want.device, "SERIAL", "our own client takes no other card" },
		{ "name", 0, ARG_TEXT, &want.label, "TEXT", "what to call the key (default: as it was called)" },
		{ "allow-rewrap", 0, ARG_FLAG, &want.allow_rewrap, NULL,
		  "the blob may let the key be wrapped out again" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Turn a key that sc-hsm-tool has wrapped into a cargo, and a cargo into what sc-hsm-tool "
		"unwraps.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!want.out)
		return ui_usage(&ui, "where does the result go? -o FILE");
	if (want.usage_text && purpose_from_name(want.usage_text, &want.usage) < 0)
		return ui_usage(&ui, "--usage %s is not sign, decrypt or derive", want.usage_text);
	return convert(&ui, &want);
}
