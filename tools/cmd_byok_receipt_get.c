// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_receipt_get.c - keyferry byok receipt get: the card keeps the receipt of an import under the
 * hash of its blob, so whoever still has the blob gets a receipt that was lost on the way.
 */
#include "base/error.h"
#include "format/hash.h"
#include "tools/byok.h"
#include "libserver/json/byok_blob.h"
#include "tools/byok_card.h"
#include "tools/tool.h"

/* In whatever form it is now, it travelled to the card as bare bytes. */
static int blob_hash(const char *path, uint8_t out[static KF_DIGEST_SIZE], struct kf_error *e)
{
	_cleanup_(byok_blob_deinit) struct byok_blob blob = BYOK_BLOB_INIT;
	int r = byok_read_blob(path, &blob, e);

	return r < 0 ? r : sha256(BYTES(blob.p, blob.n), out);
}

static int get(struct tool *tool, const uint8_t hash[static KF_DIGEST_SIZE], const char *out)
{
	struct kf_blob *receipt = NULL;
	int code = tool_open(tool), r;

	if (code != UI_OK)
		return code;
	r = kf_receipt_read(tool->context, hash, 0, &receipt);
	if (r == -ENOENT) {
		struct kf_error e = KF_ERROR_INIT;

		(void)error_why(&e, r, "docs/card-application.md 1: a card keeps its newest 16 receipts",
				"look into the container (keyferry container show), or import the key again",
				"the card has none of this blob: it was not imported there, or long ago");
		return tool_fail_with(tool, (error_what(&e, r, "cannot get the receipt"), &e));
	}
	if (r < 0)
		return tool_fail(tool);
	code = tool_write(tool, out, BYTES(kf_blob_data(receipt), kf_blob_size(receipt)), 0644);
	kf_blob_free(receipt);
	return code;
}

int cmd_byok_receipt_get(int argc, char **argv)
{
	struct tool tool = TOOL_INIT("keyferry byok receipt get");
	struct kf_error e = KF_ERROR_INIT;
	uint8_t hash[KF_DIGEST_SIZE];
	const char *file = NULL, *out = NULL;
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &file, NULL, "the wrapped key that was imported, in any form; - is stdin" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where to write the card's receipt; - is stdout" },
		ARG_END
	};
	int code, r;

	if (!tool_parse(&tool, "Fetches the card's receipt of an imported key.", args, argc, argv, &code))
		return code;
	if (!out)
		return ui_usage(&tool.ui, "-o FILE is needed");
	r = blob_hash(file, hash, &e);
	if (r < 0)
		return tool_fail_with(&tool, (error_what(&e, r, "cannot get the receipt"), &e));
	code = get(&tool, hash, out);
	tool_close(&tool);
	return code;
}
