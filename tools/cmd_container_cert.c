/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_container_cert.c - keyferry container cert store, read, remove. */
#include "base/cleanup.h"
#include "base/error.h"
#include "tools/client_cmds.h"
#include "tools/pem.h"
#include "tools/tool.h"

#define FILE_MAX 65536

static int read_certificate(struct tool *tool, const char *path, struct bytes *out)
{
	struct kf_error e = KF_ERROR_INIT;
	_cleanup_(freep) uint8_t *text = NULL;
	size_t n = 0;
	int r;

	r = ui_file_read(path, FILE_MAX, &text, &n, &e);
	if (r == 0)
		r = pem_take_certificate(BYTES(text, n), out, &e);
	if (r < 0) {
		(void)error_what(&e, r, "cannot take the certificate from %s", path);
		return tool_fail_with(tool, &e);
	}
	return UI_OK;
}

static int store(struct tool *tool, uint32_t number, struct bytes cert)
{
	int code = tool_open_verified(tool, "cert store");

	if (code != UI_OK)
		return code;
	if (kf_cert_store(tool->context, number, cert.p, cert.n) < 0)
		return tool_fail(tool);
	ui_say(&tool->ui, cert.p ? "The certificate is stored." : "The certificate is removed.");
	return ui_json(&tool->ui, json_pack("{s:I,s:I}", "container", (json_int_t)number,
					    "bytes", (json_int_t)cert.n));
}

static int cmd_store(int argc, char **argv)
{
	const char *in = "-";
	uint32_t number = KF_CONTAINER_ANY;
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &number, "N", "beside which key" },
		{ "in", 'i', ARG_TEXT, &in, "FILE", "PEM or DER (standard input)" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container cert store");
	struct bytes cert = BYTES_NONE;
	int code;

	if (!tool_parse(&tool, "Keeps a certificate beside a key.", args, argc, argv, &code))
		return code;
	if (number == KF_CONTAINER_ANY)
		return ui_usage(&tool.ui, "which key? --container N");
	code = read_certificate(&tool, in, &cert);
	if (code == UI_OK)
		code = store(&tool, number, cert);
	pem_free(cert);
	tool_close(&tool);
	return code;
}

static int cmd_remove(int argc, char **argv)
{
	uint32_t number = KF_CONTAINER_ANY;
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &number, "N", "beside which key" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container cert remove");
	int code;

	if (!tool_parse(&tool, "Removes the certificate beside a key.", args, argc, argv, &code))
		return code;
	if (number == KF_CONTAINER_ANY)
		return ui_usage(&tool.ui, "which key? --container N");
	code = store(&tool, number, BYTES_NONE);
	tool_close(&tool);
	return code;
}

static int read_and_write(struct tool *tool, uint32_t number, const char *out, bool der)
{
	struct kf_blob *cert = NULL;
	struct bytes pem = BYTES_NONE, raw;
	int code = tool_open(tool);

	if (code == UI_OK && kf_cert_read(tool->context, number, &cert) < 0)
		code = tool_fail(tool);
	if (code != UI_OK)
		return code;
	raw = BYTES(kf_blob_data(cert), kf_blob_size(cert));
	if (!der && pem_wrap("CERTIFICATE", raw, &pem) < 0)
		code = UI_FAILED;
	if (code == UI_OK)
		code = tool_write(tool, out, der ? raw : pem, 0644);
	pem_free(pem);
	cert = kf_blob_free(cert);
	return code;
}

static int cmd_read(int argc, char **argv)
{
	const char *out = "-";
	uint32_t number = KF_CONTAINER_ANY;
	bool der = false;
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &number, "N", "beside which key" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where to (standard output)" },
		{ "der", 0, ARG_FLAG, &der, NULL, "DER instead of PEM" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container cert read");
	int code;

	if (!tool_parse(&tool, "Reads the certificate beside a key.", args, argc, argv, &code))
		return code;
	if (number == KF_CONTAINER_ANY)
		return ui_usage(&tool.ui, "which key? --container N");
	code = read_and_write(&tool, number, out, der);
	tool_close(&tool);
	return code;
}

int cmd_container_cert(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "store", "keep one beside a key", cmd_store },
		{ "read", "read it back", cmd_read },
		{ "remove", "remove it", cmd_remove },
	};

	return cmd_dispatch("keyferry container cert", cmds, 3, argc, argv);
}
