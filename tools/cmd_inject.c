/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_inject.c - keyferry inject: carries a cargo into the card. The procedure is
 * kf_injection_run(); here are the files and the words. A receipt is on the disk before the next item
 * is sent (kept_receipts.c): a proof is never thrown away.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/cargo.h"
#include "libserver/json/fleet.h"
#include "tools/client_cmds.h"
#include "tools/kept_receipts.h"
#include "tools/tool.h"

static int read_cargo(struct tool *tool, const char *path, struct bytes text, struct cargo_file *out)
{
	struct kf_error e = KF_ERROR_INIT;
	int r = cargo_file_parse(text, out, &e);

	if (r == 0)
		r = cargo_file_check(out, &e);
	if (r == 0)
		return UI_OK;
	(void)error_what(&e, r, "cannot read the cargo in %s", path);
	return tool_fail_with(tool, &e);
}

/* Return: 0, -errno. */
static int injection_from(const struct cargo_file *cargo, struct kf_injection **out)
{
	int r;

	r = kf_injection_new(cargo->serial, cargo->sid, cargo->method, cargo->input.p,
			     cargo->input.n, out);
	for (size_t i = 0; r == 0 && i < cargo->n_items; i++) {
		const struct cargo_item *item = &cargo->items[i];

		r = kf_injection_add(*out, item->function, item->iv, KF_CHAIN_CBC, item->item.p,
				     item->item.n);
	}
	return r;
}

static bool is_about_pins(const struct cargo_file *cargo)
{
	return cargo->container == KF_CONTAINER_PINS;
}

static const char *pin_name(uint32_t pin)
{
	return pin == KF_PIN_PUK ? "PUK" : "PIN";
}

/* One line, and a member of the JSON list. */
static json_t *tell_item(const struct ui *ui, const struct cargo_item *item, const char *outcome)
{
	if (function_is_about_pins(item->function)) {
		ui_say(ui, "item %u, %s %s: %s", item->number,
		       item->function == KF_FUNCTION_AUTHENTICATE ? "log in by the" : "set the",
		       pin_name(item->pin), outcome);
		return json_pack("{s:I,s:s,s:s,s:I}", "number", (json_int_t)item->number, "outcome",
				 outcome, "function", function_name(item->function), "pin",
				 (json_int_t)item->pin);
	}
	if (item->container == KF_CONTAINER_SHARED) {
		ui_say(ui, "item %u, a key shared with the server: %s", item->number, outcome);
		return json_pack("{s:I,s:s,s:s}", "number", (json_int_t)item->number, "outcome", outcome,
				 "purpose", purpose_name(item->purpose));
	}
	ui_say(ui, "item %u, %s %s: %s in container %u", item->number,
	       key_type_name(item->key_type), purpose_name(item->purpose), outcome,
	       item->container);
	return json_pack("{s:I,s:s,s:I}", "number", (json_int_t)item->number, "outcome", outcome,
			 "container", (json_int_t)item->container);
}

static const char *outcome_name(enum kf_injection_outcome outcome)
{
	switch (outcome) {
	case KF_INJECTION_INSTALLED:	return "installed";
	case KF_INJECTION_STORED:	return "installed before";
	case KF_INJECTION_UNKNOWN:	return "indeterminate";
	default:			return "not installed";
	}
}

static const char *order_outcome_name(enum kf_injection_outcome outcome)
{
	switch (outcome) {
	case KF_INJECTION_INSTALLED:	return "done";
	case KF_INJECTION_STORED:	return "done before";
	case KF_INJECTION_UNKNOWN:	return "indeterminate";
	default:			return "not done";
	}
}

static size_t count(const struct kf_injection *injection, enum kf_injection_outcome outcome)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= kf_injection_count(injection); i++)
		n += kf_injection_outcome(injection, i) == outcome;
	return n;
}

/* Says nothing: there may be more to tell, in one piece. Return: 0, -errno with @e. */
static int save_receipts(struct tool *tool, const struct cargo_file *cargo,
			 const struct kf_injection *injection, const char *out, struct kf_error *e)
{
	int r = kept_receipts_write(out, cargo, injection, e);

	if (r > 0)
		tool->ui.stdout_is_taken |= strcmp(out, "-") == 0;
	return r < 0 ? r : 0;
}

static int injected(struct tool *tool, const struct cargo_file *cargo,
		    const struct kf_injection *injection, const char *out)
{
	json_t *items = json_array();

	if (strcmp(out, "-") == 0) {
		json_decref(items);
		return UI_OK;
	}
	for (uint32_t i = 1; i <= kf_injection_count(injection); i++) {
		const struct cargo_item *item = &cargo->items[i - 1];
		enum kf_injection_outcome outcome = kf_injection_outcome(injection, i);

		(void)json_array_append_new(items, tell_item(&tool->ui, item, is_about_pins(cargo) ?
			order_outcome_name(outcome) : outcome_name(outcome)));
	}
	ui_say(&tool->ui, "grade %s, as the server computed it; sender %s", grade_name(cargo->grade),
	       cargo->signed_by ? "signed by an injector" : "unauthenticated");
	ui_say(&tool->ui, "Send %s to the server: keyferry receipt verify %s", out, out);
	return ui_json(&tool->ui, json_pack("{s:s,s:s,s:b,s:s,s:o}", "serial", cargo->serial,
		"grade", grade_name(cargo->grade), "sender authenticated", cargo->signed_by,
		"receipt", out, "items", items));
}

/*
 * Why it ended, in the library's words, and in the same breath that the receipts there are could not
 * be kept (@unsaved, or NULL). What may be in the card all the same goes into the code.
 */
static int not_injected(struct tool *tool, const struct kf_injection *injection,
			const struct kf_error *unsaved)
{
	const struct kf_error *why = kf_client_error(tool->client);
	struct kf_error e = *why;
	bool unknown = count(injection, KF_INJECTION_UNKNOWN) > 0;
	int code;

	if (unknown)
		error_text_set(e.what, "indeterminate: it was sent and nothing came back");
	if (unsaved) {
		error_text_set(e.why, "%s; and %s: %s", why->why, unsaved->what, unsaved->why);
		error_text_set(e.next, "%s; %s", why->next, unsaved->next);
	}
	code = tool_fail_with(tool, &e);
	return unknown ? UI_NOT_PROVED : code;
}

static int finish(struct tool *tool, const struct cargo_file *cargo,
		  const struct kf_injection *injection, const char *out, bool failed)
{
	struct kf_error unsaved = KF_ERROR_INIT;
	int r = save_receipts(tool, cargo, injection, out, &unsaved);

	if (failed)
		return not_injected(tool, injection, r < 0 ? &unsaved : NULL);
	return r < 0 ? tool_fail_with(tool, &unsaved) : injected(tool, cargo, injection, out);
}

/* What happens between two items. */
struct between {
	const struct ui *ui;
	const struct cargo_file *cargo;
	const struct kf_injection *injection;
	const char *out;
	struct kf_error unsaved;
};

/* Standard output gets all of them at the end, in one piece. Return: 0, or -errno with what is @unsaved. */
static int after_item(void *arg, uint32_t number)
{
	struct between *between = arg;
	int r = 0;

	if (strcmp(between->out, "-") != 0 &&
	    kf_injection_outcome(between->injection, number) == KF_INJECTION_INSTALLED)
		r = kept_receipts_write(between->out, between->cargo, between->injection,
					&between->unsaved);
	if (r >= 0)
		ui_progress(between->ui, "item %u of %zu is in the card", number,
			    between->cargo->n_items);
	return r < 0 ? r : 0;
}

static int run(struct tool *tool, const struct cargo_file *cargo, struct kf_injection *injection,
	       const char *out)
{
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	struct between between = { &tool->ui, cargo, injection, out, KF_ERROR_INIT };
	int code, r;

	kf_injection_on_item(injection, after_item, &between);
	if (kf_injection_find(injection, tool->context) < 0)
		return tool_fail(tool);
	if (count(injection, KF_INJECTION_STORED) == kf_injection_count(injection))
		return finish(tool, cargo, injection, out, false);
	/* Who has an order about PINs sealed need not know any: the order has what it takes. */
	code = is_about_pins(cargo) ? UI_OK : tool_ask_pin(tool, "PIN", &pin);
	if (code != UI_OK)
		return code;
	ui_progress(&tool->ui, "the card opens and checks what was sealed ...");
	r = kf_injection_run(injection, tool->context, (const char *)pin.p, pin.n,
			     tool->last_try ? KF_PIN_LAST_TRY : 0);
	if (r < 0 && between.unsaved.code < 0)	/* the card did all it was asked; we must not go on */
		return tool_fail_with(tool, &between.unsaved);
	return finish(tool, cargo, injection, out, r < 0);
}

static int inject_sealed(struct tool *tool, const char *path, struct bytes text, const char *out)
{
	struct cargo_file cargo = CARGO_FILE_INIT;
	struct kf_injection *injection = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int code = read_cargo(tool, path, text, &cargo), r;

	if (code == UI_OK) {
		r = injection_from(&cargo, &injection);
		if (r < 0)
			code = tool_fail_with(tool, (error_what(&e, r, "cannot take the cargo"), &e));
	}
	if (code == UI_OK && kept_receipts_restore(out, &cargo, injection, &e) < 0)
		code = tool_fail_with(tool, &e);
	if (code == UI_OK)
		code = tool_open(tool);
	if (code == UI_OK)
		code = run(tool, &cargo, injection, out);
	injection = kf_injection_free(injection);
	cargo_file_deinit(&cargo);
	return code;
}

static int inject(struct tool *tool, const char *path, const struct fleet_how *how)
{
	_cleanup_(freep) uint8_t *text = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t n = 0;
	int r = ui_file_read(path, JSON_TEXT_MAX, &text, &n, &e);

	if (error_what(&e, r, "cannot read the cargo in %s", path) < 0)
		return tool_fail_with(tool, &e);
	if (fleet_is_cargo(BYTES(text, n)))
		return inject_fleet(tool, BYTES(text, n), how);
	if (how->prove_only || how->allow_rewrap)
		return ui_usage(&tool->ui, "--prove and --allow-rewrap are for keys wrapped under a "
				"DKEK");
	return inject_sealed(tool, path, BYTES(text, n), how->out);
}

int cmd_inject(int argc, char **argv)
{
	struct fleet_how how = { 0 };
	const char *cargo = NULL;
	const struct arg args[] = {
		{ "CARGO", 0, ARG_WORD, &cargo, NULL, "the cargo file from the server; - is stdin" },
		{ "output", 'o', ARG_TEXT, &how.out, "FILE", "where the receipt goes" },
		{ "prove", 0, ARG_FLAG, &how.prove_only, NULL,
		  "a key wrapped under a DKEK is in the card: only have it answer" },
		{ "allow-rewrap", 0, ARG_FLAG, &how.allow_rewrap, NULL,
		  "such a key may be one that can be wrapped out again" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry inject");
	int code;

	if (!tool_parse(&tool, "Carries a sealed key into the card and brings back its receipt. Running "
			"it again with the same cargo is safe: nothing is installed twice.", args,
			argc, argv, &code))
		return code;
	if (!how.out)
		return ui_usage(&tool.ui, "where does the receipt go? -o FILE");
	if (tool.timeout_s == 0)
		tool.timeout_s = 60;
	code = inject(&tool, cargo, &how);
	tool_close(&tool);
	return code;
}
