// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/cmd_challenge.c - keyferry challenge: a nonce for one enrolled card. */
#include "base/error.h"
#include "tools/args.h"
#include "tools/server_state.h"

static int challenge(const struct ui *ui, const char *dir, const char *device, int64_t ttl,
		     const char *out)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(freep) char *json = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t len = 0;
	int r;

	r = server_state_open(dir, &state, &e);
	if (r == 0)
		r = kf_state_challenge(state, device, ttl, &json, &len, &e);
	if (r == 0)
		r = ui_file_write(out, BYTES(json, len), 0644, &e);
	if (r < 0)
		return ui_fail(ui, &e);
	if (strcmp(out, "-") == 0)
		return UI_OK;
	ui_say(ui, "challenge: %s, good for %lld seconds, once", out, (long long)ttl);
	return ui_json(ui, json_pack("{s:s,s:I}", "challenge", out, "ttl", (json_int_t)ttl));
}

int cmd_challenge(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry challenge" };
	const char *dir = NULL, *device = NULL, *out = NULL, *ttl_text = "1h";
	int64_t ttl;
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "device", 0, ARG_TEXT, &device, "D", "the card: serial or fingerprint" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where to write it; - is stdout" },
		{ "ttl", 0, ARG_TEXT, &ttl_text, "TIME", "how long it is good: 90s, 15m, 1h, 7d" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { "Make a challenge for one enrolled card.", args, NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir || !device || !out)
		return ui_usage(&ui, "--state, --device and -o are needed");
	if (ui_parse_duration(ttl_text, &ttl) < 0)
		return ui_usage(&ui, "--ttl %s is not a time like 90s, 15m, 1h, 7d", ttl_text);
	return challenge(&ui, dir, device, ttl, out);
}
