/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_status.c - keyferry status, clients. */
#include "tools/client_cmds.h"
#include "tools/table.h"
#include "tools/tool.h"

static const char *role_name(uint32_t role)
{
	return role == KF_ROLE_MONITOR ? "monitor" : role == KF_ROLE_BROKER ? "broker" :
	       role == KF_ROLE_DRIVER ? "driver" : "other";
}

/* What holds a process back, and what this kernel lacks for it. */
static const struct { uint32_t bit; const char *name; } guard_names[] = {
	{ KF_GUARD_NO_NEW_PRIVS, "no-new-privs" }, { KF_GUARD_UNDUMPABLE, "undumpable" },
	{ KF_GUARD_NO_CORE, "no-core" }, { KF_GUARD_NO_CAPABILITIES, "no-capabilities" },
	{ KF_GUARD_SECCOMP, "seccomp" }, { KF_GUARD_LANDLOCK, "landlock" },
};

#define N_GUARDS (sizeof(guard_names) / sizeof(guard_names[0]))

static bool is_lacking(uint32_t guards, uint32_t bit)
{
	return (bit == KF_GUARD_SECCOMP && (guards & KF_GUARD_LACKS_SECCOMP)) ||
	       (bit == KF_GUARD_LANDLOCK && (guards & KF_GUARD_LACKS_LANDLOCK));
}

static const char *guard_state(uint32_t guards, uint32_t bit)
{
	return guards & bit ? "in force" : is_lacking(guards, bit) ? "kernel lacks it" : "off";
}

static json_t *guards_json(uint32_t guards)
{
	json_t *object = json_object();

	for (size_t i = 0; i < N_GUARDS; i++)
		(void)json_object_set_new(object, guard_names[i].name,
			json_string(guard_state(guards, guard_names[i].bit)));
	(void)json_object_set_new(object, "landlock-version", json_integer(guards >> 24));
	return object;
}

static void say_guards(const struct ui *ui, uint32_t guards)
{
	char text[256] = "";

	for (size_t i = 0; i < N_GUARDS; i++) {
		size_t n = strlen(text);
		uint32_t bit = guard_names[i].bit;

		(void)snprintf(text + n, sizeof(text) - n, "%s%s%s%s", n ? " " : "",
			       guards & bit ? "" : "!", guard_names[i].name,
			       is_lacking(guards, bit) ? "(not in this kernel)" : "");
	}
	ui_say(ui, "guards       %s", text);
}

static json_t *processes_json(const struct kf_service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < kf_service_value(service, KF_SERVICE_PROCESSES); i++)
		(void)json_array_append_new(array, json_pack("{s:s,s:I,s:I,s:I,s:I,s:s,s:o}",
			"role", role_name(kf_process_role(service, i)),
			"pid", (json_int_t)kf_process_pid(service, i),
			"uid", (json_int_t)kf_process_uid(service, i),
			"reader", (json_int_t)kf_process_reader(service, i),
			"restarts", (json_int_t)kf_process_restarts(service, i),
			"version", kf_process_version(service, i),
			"guards", guards_json(kf_process_guards(service, i))));
	return array;
}

static json_t *service_json(const struct kf_client *client, const struct kf_service *service)
{
#define VALUE(x) ((json_int_t)kf_service_value(service, KF_SERVICE_##x))
	return json_pack("{s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}",
		"broker", kf_client_broker_version(client),
		"development", (VALUE(FLAGS) & KF_STATUS_DEV) != 0, "uptime", VALUE(UPTIME_S),
		"policy", VALUE(POLICY), "rights", (json_int_t)kf_client_rights(client),
		"clients", VALUE(CLIENTS), "max clients", VALUE(MAX_CLIENTS),
		"readers", VALUE(READERS), "max readers", VALUE(MAX_READERS),
		"max connections per user", VALUE(MAX_UID_CONNECTIONS),
		"max contexts per user", VALUE(MAX_UID_CONTEXTS),
		"max keys per user", VALUE(MAX_UID_KEYS),
		"max bytes per user", VALUE(MAX_UID_BYTES),
		"processes", processes_json(service));
#undef VALUE
}

static void say_rights(const struct ui *ui, uint32_t rights)
{
	static const char *const names[] = {
		"look", "use", "inject", "create", "delete", "admin", "raw", "relay", "init", "kek",
		"pin", "wrap",
	};
	char text[128] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(text);

		if (rights & 1u << i)
			(void)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", names[i]);
	}
	ui_say(ui, "your rights  %s", text[0] ? text : "none");
}

static void say_service(const struct tool *tool, const struct kf_service *service)
{
	const struct ui *ui = &tool->ui;

	ui_say(ui, "broker       %s, up %us%s", kf_client_broker_version(tool->client),
	       kf_service_value(service, KF_SERVICE_UPTIME_S),
	       kf_service_value(service, KF_SERVICE_FLAGS) & KF_STATUS_DEV
	       ? ", development: one user may play several parts" : "");
	ui_say(ui, "clients      %u of %u", kf_service_value(service, KF_SERVICE_CLIENTS),
	       kf_service_value(service, KF_SERVICE_MAX_CLIENTS));
	ui_say(ui, "readers      %u of %u", kf_service_value(service, KF_SERVICE_READERS),
	       kf_service_value(service, KF_SERVICE_MAX_READERS));
	say_rights(ui, kf_client_rights(tool->client));
	for (size_t i = 0; i < kf_service_value(service, KF_SERVICE_PROCESSES); i++) {
		ui_say(ui, "process      %s pid=%u uid=%u reader=%u restarts=%u %s",
		       role_name(kf_process_role(service, i)), kf_process_pid(service, i),
		       kf_process_uid(service, i), kf_process_reader(service, i),
		       kf_process_restarts(service, i), kf_process_version(service, i));
		say_guards(ui, kf_process_guards(service, i));
	}
}

int cmd_status(int argc, char **argv)
{
	const struct arg args[] = { ARG_END };
	struct tool tool = TOOL_INIT("keyferry status");
	struct kf_service *service = NULL;
	int code;

	if (!tool_parse(&tool, "Shows how the service is doing and what you may do.", args, argc,
			argv, &code))
		return code;
	code = tool_connect(&tool);
	if (code == UI_OK && kf_service_read(tool.client, &service) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK && !tool.ui.json)
		say_service(&tool, service);
	if (code == UI_OK)
		code = ui_json(&tool.ui, service_json(tool.client, service));
	service = kf_service_free(service);
	tool_close(&tool);
	return code;
}

static void flags_text(uint32_t flags, char *out, size_t cap)
{
	static const struct { uint32_t bit; const char *name; } names[] = {
		{ KF_CLIENT_TXN, "transaction" }, { KF_CLIENT_TXN_WAITS, "waits" },
		{ KF_CLIENT_PIN, "pin" }, { KF_CLIENT_RUNNING, "running" },
		{ KF_CLIENT_HELD, "held" },
	};

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(out);

		if (flags & names[i].bit)
			(void)snprintf(out + n, cap - n, "%s%s", n ? "," : "", names[i].name);
	}
}

static int print_peers(struct tool *tool, const struct kf_peers *peers)
{
	static const struct table_column columns[] = {
		{ "CLIENT", TABLE_NUMBER }, { "NAME", TABLE_TEXT }, { "UID", TABLE_NUMBER },
		{ "PID", TABLE_NUMBER }, { "READER", TABLE_TEXT }, { "STATE", TABLE_TEXT },
		{ "KEYS", TABLE_NUMBER }, { "WAITING", TABLE_NUMBER }, { "TRANSACTION", TABLE_TEXT },
		{ "HELD-MS", TABLE_NUMBER }, { "LEFT-MS", TABLE_NUMBER },
	};
	struct libscols_table *table = NULL;
	char flags[64];
	int code;

	code = table_new(&tool->ui, "clients", columns, 11, &table);
	if (code != UI_OK)
		return code;
	for (size_t i = 0; i < kf_peers_count(peers); i++) {
		const struct kf_peer *peer = kf_peers_at(peers, i);
		struct libscols_line *row = table_row(table);

		flags_text(kf_peer_flags(peer), flags, sizeof(flags));
		table_cell(row, 0, "%u", kf_peer_number(peer));
		table_cell(row, 1, "%s", kf_peer_name(peer));
		table_cell(row, 2, "%u", kf_peer_uid(peer));
		table_cell(row, 3, "%u", kf_peer_pid(peer));
		table_cell(row, 4, "%s", kf_peer_reader(peer));
		table_cell(row, 5, "%s", flags);
		table_cell(row, 6, "%u", kf_peer_keys(peer));
		table_cell(row, 7, "%u", kf_peer_waiting(peer));
		table_cell(row, 8, "%s", kf_peer_transaction(peer));
		table_cell(row, 9, "%u", kf_peer_held_ms(peer));
		table_cell(row, 10, "%u", kf_peer_left_ms(peer));
	}
	return table_print(table);
}

int cmd_clients(int argc, char **argv)
{
	const struct arg args[] = { ARG_END };
	struct tool tool = TOOL_INIT("keyferry clients");
	struct kf_peers *peers = NULL;
	int code;

	if (!tool_parse(&tool, "Lists who uses which card and holds it for how long: all clients for "
			"administrators, else your own.", args, argc, argv, &code))
		return code;
	code = tool_connect(&tool);
	if (code == UI_OK && kf_peer_list(tool.client, &peers) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK)
		code = print_peers(&tool, peers);
	peers = kf_peers_free(peers);
	tool_close(&tool);
	return code;
}
