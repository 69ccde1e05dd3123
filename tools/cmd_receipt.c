// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/cmd_receipt.c - keyferry receipt verify: prove what a card installed. */
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/fleet.h"
#include "libserver/json/object.h"
#include "libserver/json/time.h"
#include "tools/args.h"
#include "tools/server_state.h"

enum { FILE_MAX = 1 << 20 };

static void report_freep(struct kf_receipt_report **report)
{
	*report = kf_receipt_report_free(*report);
}

static const char *pin_name(const struct kf_receipt_report *report, unsigned int i)
{
	return kf_receipt_report_item_pin(report, i) == KF_PIN_PUK ? "PUK" : "PIN";
}

static json_t *order_json(const struct ui *ui, const struct kf_receipt_report *report,
			  unsigned int i)
{
	bool proved = kf_receipt_report_item_is_proved(report, i);
	bool login = kf_receipt_report_item_function(report, i) == KF_FUNCTION_AUTHENTICATE;
	unsigned int tries = kf_receipt_report_item_tries(report, i);

	if (proved)
		ui_say(ui, "item %u:    proved, %s %s, which has %u tries", i + 1,
		       login ? "logged in by the" : "set the", pin_name(report, i), tries);
	else
		ui_say(ui, "item %u:    indeterminate, %s %s", i + 1,
		       login ? "log in by the" : "set the", pin_name(report, i));
	return json_pack("{s:i,s:b,s:s,s:i,s:o*}", "number", (int)i + 1, "proved", proved,
			 "function", login ? "authenticate" : "change-authenticator", "pin",
			 (int)kf_receipt_report_item_pin(report, i), "tries",
			 proved ? json_integer((json_int_t)tries) : NULL);
}

static json_t *item_json(const struct ui *ui, const struct kf_receipt_report *report,
			 unsigned int i)
{
	bool proved = kf_receipt_report_item_is_proved(report, i);
	const char *sender = kf_receipt_report_item_is_signed(report, i) ? "signed"
									 : "unauthenticated";
	char key[HEX_DIGEST_SIZE];

	const char *type = key_type_name(kf_receipt_report_item_type(report, i));
	const char *purpose = purpose_name(kf_receipt_report_item_purpose(report, i));
	int64_t not_after = kf_receipt_report_item_not_after(report, i);
	bool pin = kf_receipt_report_item_pin(report, i) != 0;
	char until[UTC_SIZE] = "";

	if (not_after != 0)
		(void)utc_print(not_after, until);
	hex_print(BYTES(kf_receipt_report_item_key(report, i), KF_DIGEST_SIZE), key);
	ui_say(ui, "item %u:    %s, container %u, sender %s, key %s", i + 1,
	       proved ? "proved" : "indeterminate", kf_receipt_report_item_container(report, i),
	       sender, key);
	ui_say(ui, "           %s, %s, %s%s%s", type, purpose, pin ? "PIN needed" : "no PIN needed",
	       not_after ? ", not after " : "", until);
	return json_pack("{s:i,s:b,s:i,s:s,s:s,s:s,s:s,s:b,s:s*}", "number", (int)i + 1, "proved",
			 proved, "container", (int)kf_receipt_report_item_container(report, i),
			 "sender", sender, "public_key_sha256", key, "key_type", type, "purpose",
			 purpose, "pin_needed", pin, "not_after", not_after ? until : NULL);
}

static int print(const struct ui *ui, const struct kf_receipt_report *report)
{
	unsigned int items = kf_receipt_report_items(report);
	unsigned int proved = kf_receipt_report_proved(report);
	const char *grade = kf_grade_name(kf_receipt_report_grade(report));
	json_t *array = json_array();
	int code;

	ui_say(ui, "card:      %s", kf_receipt_report_serial(report));
	for (unsigned int i = 0; i < items; i++)
		(void)json_array_append_new(array, kf_receipt_report_item_key(report, i) ?
			item_json(ui, report, i) : order_json(ui, report, i));
	ui_say(ui, "proved:    %u of %u", proved, items);
	if (proved == items)
		ui_say(ui, "grade:     %s", grade);
	else
		ui_say(ui, "grade:     none yet: run the same keyferry inject again");
	code = ui_json(ui, json_pack("{s:s,s:b,s:s*,s:o}", "serial",
				     kf_receipt_report_serial(report), "proved", proved == items,
				     "grade", proved == items ? grade : NULL, "items", array));
	return code != UI_OK || proved == items ? code : UI_NOT_PROVED;
}

static int print_answer(const struct ui *ui, const struct kf_fleet_proof *proof)
{
	const char *type = key_type_name((enum kf_key_type)kf_fleet_proof_value(proof, KF_FLEET_PROOF_TYPE));
	const char *purpose =
		purpose_name((enum kf_purpose)kf_fleet_proof_value(proof, KF_FLEET_PROOF_PURPOSE));
	const char *grade = kf_grade_name((enum kf_grade)kf_fleet_proof_value(proof, KF_FLEET_PROOF_GRADE));
	const char *serial = kf_fleet_proof_serial(proof);
	uint32_t container = kf_fleet_proof_value(proof, KF_FLEET_PROOF_CONTAINER);

	ui_say(ui, "card:      %s, container %u, as the client says", serial ? serial : "unknown", container);
	ui_say(ui, "key:       %s, %s", type, purpose);
	ui_say(ui, "proved:    whoever answered has the key; such cards sign nothing about themselves");
	ui_say(ui, "grade:     %s", grade);
	return ui_json(ui, json_pack("{s:s*,s:b,s:s,s:i,s:s,s:s,s:b}", "serial", serial, "proved", 1,
				     "grade", grade, "container", (int)container, "key_type", type,
				     "purpose", purpose, "signed_by_card", 0));
}

/* Of a key wrapped under a DKEK: its answer stands for a receipt. */
static int verify_answer(const struct ui *ui, const char *dir, struct bytes json)
{
	struct kf_fleet_proof *proof = NULL;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_open(dir, &state, &e), code;

	if (r == 0)
		r = kf_state_fleet_receipt(state, json.p, json.n, &proof, &e);
	if (r == -ENODATA) {
		(void)ui_fail(ui, &e);
		return UI_NOT_PROVED;
	}
	if (r < 0)
		return ui_fail(ui, &e);
	code = print_answer(ui, proof);
	proof = kf_fleet_proof_free(proof);
	return code;
}

static int verify(const struct ui *ui, const char *dir, const char *path, const char *device)
{
	_cleanup_(report_freep) struct kf_receipt_report *report = NULL;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(freep) uint8_t *json = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t len = 0;
	int r;

	r = ui_file_read(path, FILE_MAX, &json, &len, &e);
	if (r == 0 && fleet_is_receipt(BYTES(json, len)))
		return device ? ui_usage(ui, "--device: no SmartCard-HSM signs that it is the one")
			      : verify_answer(ui, dir, BYTES(json, len));
	if (r == 0)
		r = server_state_open(dir, &state, &e);
	if (r == 0)
		r = kf_state_receipt(state, device, json, len, &report, &e);
	if (r < 0 && r != -ENODATA)
		return ui_fail(ui, &e);
	return print(ui, report);
}

static int cmd_receipt_verify(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry receipt verify" };
	const char *dir = NULL, *device = NULL, *path = NULL;
	int code;
	const struct arg args[] = {
		{ "RECEIPT", 0, ARG_WORD, &path, NULL, "the receipt file; - is stdin" },
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "device", 0, ARG_TEXT, &device, "D",
		  "it must be this card (default: the ticket's)" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Compare a card's receipt with what was sealed, and print the grade.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir)
		return ui_usage(&ui, "--state is missing");
	return verify(&ui, dir, path, device);
}

static const struct cmd receipt_cmds[] = {
	{ "verify", "compare a card's receipt with what was sealed", cmd_receipt_verify },
};

int cmd_receipt(int argc, char **argv)
{
	return cmd_dispatch("keyferry receipt", receipt_cmds,
			    sizeof(receipt_cmds) / sizeof(receipt_cmds[0]), argc, argv);
}
