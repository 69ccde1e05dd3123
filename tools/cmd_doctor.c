/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_doctor.c - keyferry doctor: from the kernel up to the PIN, what is wrong and what to do. */
#include "base/cleanup.h"
#include "base/error.h"
#include "tools/client_cmds.h"
#include "tools/doctor/access.h"
#include "tools/doctor/bundle.h"
#include "tools/doctor/host.h"
#include "tools/doctor/service.h"
#include "tools/tool.h"

#include <stdlib.h>

static int write_bundle(struct tool *tool, const char *path, const struct host *host,
			const struct ledger *ledger)
{
	_cleanup_(freep) char *text = bundle_make(host, tool->client, ledger);

	if (!text)
		return tool_fail_with(tool, &(struct kf_error){ -ENOMEM, "no report was written",
			"not every serial number could be masked, or memory ran out",
			"keyferry doctor", "unplug readers until fewer than 64 are left" });
	return tool_write(tool, path, BYTES(text, strlen(text)), 0600);
}

static const char *socket_path(const struct tool *tool)
{
	const char *from_environment = getenv("KEYFERRY_SOCKET");

	return tool->socket ? tool->socket : from_environment ? from_environment :
	       KF_SOCKET_DEFAULT;
}

static int examine(struct tool *tool, struct host *host, const char *bundle,
		   struct ledger *ledger)
{
	const char *socket = socket_path(tool);
	int code = UI_OK;

	if (kf_client_new("keyferry doctor", &tool->client) < 0)
		return tool_fail_with(tool, &(struct kf_error){ -ENOMEM, "cannot begin",
			"out of memory", "this machine", "end other programs" });
	host_check(host, ledger);
	if (access_check(host->root, socket, ledger))
		service_check(tool->client, socket, ledger);
	if (bundle)
		code = write_bundle(tool, bundle, host, ledger);
	if (code != UI_OK)
		return code;
	if (!tool->ui.json)
		ledger_print(ledger, stdout);
	code = ui_json(&tool->ui, ledger_json(ledger));
	return code == UI_OK && ledger->count[VERDICT_FAIL] > 0 ? UI_FAILED : code;
}

int cmd_doctor(int argc, char **argv)
{
	_cleanup_(freep) struct host *host = calloc(1, sizeof(*host));
	_cleanup_(freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
	struct tool tool = TOOL_INIT("keyferry doctor");
	const char *root = "", *bundle = NULL;
	const struct arg args[] = {
		{ "bundle", 0, ARG_TEXT, &bundle, "FILE",
		  "also write a report to send to somebody, serial numbers masked" },
		{ "root", 0, ARG_TEXT, &root, "DIR",
		  "look for /sys, /dev and /etc below DIR instead" },
		ARG_END
	};
	int code;

	if (!tool_parse(&tool, "Looks at everything between the kernel and the PIN, from the bottom up, "
			"and says what is wrong and what to do. Works without the service. Exit code 0: "
			"no failure; 1: some.", args, argc, argv, &code))
		return code;
	if (!host || !ledger)
		return tool_fail_with(&tool, &(struct kf_error){ -ENOMEM, "cannot begin",
			"out of memory", "this machine", "end other programs" });
	host->root = root;
	code = examine(&tool, host, bundle, ledger);
	tool_close(&tool);
	return code;
}
