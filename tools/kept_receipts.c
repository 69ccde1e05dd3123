/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/kept_receipts.c - Only what is this item's is taken from a file: the number, the session id and the hash of
 * the whole item, which the card signed. Whether the signature holds is for the server to say.
 */
#include "tools/kept_receipts.h"

#include "base/error.h"
#include "format/hash.h"
#include "format/receipt.h"
#include "libserver/json/receipt.h"
#include "tools/ui.h"

#include <sys/stat.h>

static bool is_of_item(const struct receipt_entry *entry, const struct cargo_file *cargo)
{
	const struct cargo_item *item;
	uint8_t digest[KF_DIGEST_SIZE];
	struct signed_receipt sealed;
	struct receipt receipt;

	if (entry->number < 1 || entry->number > cargo->n_items)
		return false;
	item = &cargo->items[entry->number - 1];
	return signed_receipt_parse(blob_bytes(&entry->receipt), &sealed) == 0 &&
	       receipt_parse(sealed.receipt, &receipt) == 0 && receipt.number == entry->number &&
	       memcmp(receipt.sid, cargo->sid, sizeof(receipt.sid)) == 0 &&
	       sha256(blob_bytes(&item->item), digest) == 0 &&
	       memcmp(receipt.item, digest, sizeof(digest)) == 0;
}

static int restore(const struct receipt_file *file, const struct cargo_file *cargo,
		   struct kf_injection *injection)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < file->n; i++) {
		const struct receipt_entry *entry = &file->receipts[i];

		if (is_of_item(entry, cargo))
			r = kf_injection_restore(injection, entry->number, entry->receipt.p,
						 entry->receipt.n);
	}
	return r;
}

int kept_receipts_restore(const char *path, const struct cargo_file *cargo,
			  struct kf_injection *injection, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *text = NULL;
	struct receipt_file file = RECEIPT_FILE_INIT;
	struct stat st;
	size_t n = 0;
	int r;

	if (strcmp(path, "-") == 0 || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = ui_file_read(path, JSON_TEXT_MAX, &text, &n, e);
	if (r < 0)
		return r;
	r = receipt_file_parse(BYTES(text, n), &file, NULL);
	if (r == 0)
		r = restore(&file, cargo, injection);
	receipt_file_deinit(&file);
	return r == -ENOMEM ? error_what(e, r, "cannot read %s", path) : 0;
}

/* Return: 0, -ENOMEM. */
static int collect(const struct kf_injection *injection, struct receipt_file *file)
{
	file->receipts = calloc(kf_injection_count(injection) + 1, sizeof(*file->receipts));
	if (!file->receipts)
		return -ENOMEM;
	for (uint32_t i = 1; i <= kf_injection_count(injection); i++) {
		size_t len;
		const uint8_t *p = kf_injection_receipt(injection, i, &len);

		if (!p)
			continue;
		file->receipts[file->n].number = i;
		if (blob_set(&file->receipts[file->n].receipt, BYTES(p, len)) < 0)
			return -ENOMEM;
		file->n++;
	}
	return 0;
}

static int write_file(const char *path, const struct receipt_file *file, struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	size_t n = 0;
	int r = receipt_file_write(file, &text, &n, e);

	return r < 0 ? r : ui_file_write(path, BYTES(text, n), 0644, e);
}

int kept_receipts_write(const char *path, const struct cargo_file *cargo,
			const struct kf_injection *injection, struct kf_error *e)
{
	struct receipt_file file = RECEIPT_FILE_INIT;
	size_t n;
	int r;

	memcpy(file.serial, cargo->serial, sizeof(file.serial));
	memcpy(file.sid, cargo->sid, sizeof(file.sid));
	r = collect(injection, &file);
	n = file.n;
	if (r == 0 && n > 0)
		r = write_file(path, &file, e);
	receipt_file_deinit(&file);
	return error_what(e, r, "cannot write the receipt") < 0 ? r : (int)n;
}
