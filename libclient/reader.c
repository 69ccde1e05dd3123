/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/reader.c - The list of readers. */
#include "libclient/reader.h"
#include "libclient/call.h"
#include "libclient/rows.h"

bool reader_entry_valid(const struct kf_reader_entry *entry)
{
	return packet_string_valid(entry->name, sizeof(entry->name)) && entry->name[0] != '\0' &&
	       packet_string_valid(entry->card, sizeof(entry->card)) &&
	       packet_string_valid(entry->serial, sizeof(entry->serial)) &&
	       entry->atr_len <= sizeof(entry->atr);
}

KF_EXPORT int kf_reader_list(struct kf_client *client, struct kf_readers **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	_cleanup_(freep) struct kf_readers *readers = NULL;
	const struct kf_reader_list *list;
	struct rows rows = { 0 };
	int r;

	(void)call_begin(&call, client, KF_READER_LIST);
	if (!client || !out)
		return -EINVAL;
	r = call_run(&call, "cannot list the readers");
	if (r < 0)
		return r;
	list = call_reply(&call);
	r = rows_begin(call_get(&call, kf_reader_list, readers), list->n_readers,
		       sizeof(struct kf_reader_entry), &rows);
	if (r < 0)
		return call_reply_broken(&call, "the list of readers has another length than it says");
	readers = calloc(1, sizeof(*readers) + rows.n * sizeof(readers->rows[0]));
	if (!readers)
		return call_no_memory(&call);
	for (; readers->n < rows.n; readers->n++) {
		struct kf_reader_entry entry;

		rows_copy(&rows, readers->n, &entry, sizeof(entry));
		if (!reader_entry_valid(&entry))
			return call_reply_broken(&call, "a reader's description is malformed");
		reader_init(&readers->rows[readers->n], &entry);
	}
	*out = take_ptr(readers);
	return 0;
}

KF_EXPORT size_t kf_readers_count(const struct kf_readers *readers)
{
	return readers ? readers->n : 0;
}

KF_EXPORT const struct kf_reader *kf_readers_at(const struct kf_readers *readers, size_t i)
{
	return readers && i < readers->n ? &readers->rows[i] : NULL;
}

KF_EXPORT struct kf_readers *kf_readers_free(struct kf_readers *readers)
{
	free(readers);
	return NULL;
}

KF_EXPORT uint32_t kf_reader_number(const struct kf_reader *reader)
{
	return reader->entry.reader;
}

KF_EXPORT const char *kf_reader_name(const struct kf_reader *reader)
{
	return reader->entry.name;
}

KF_EXPORT uint32_t kf_reader_state(const struct kf_reader *reader)
{
	return reader->entry.state;
}

KF_EXPORT uint32_t kf_reader_generation(const struct kf_reader *reader)
{
	return reader->entry.generation;
}

KF_EXPORT const char *kf_reader_card(const struct kf_reader *reader)
{
	return reader->entry.card;
}

KF_EXPORT const char *kf_reader_serial(const struct kf_reader *reader)
{
	return reader->serial;
}

KF_EXPORT uint32_t kf_reader_usb_id(const struct kf_reader *reader)
{
	return (uint32_t)reader->entry.vendor << 16 | reader->entry.product;
}

KF_EXPORT const uint8_t *kf_reader_atr(const struct kf_reader *reader, size_t *len)
{
	*len = reader->entry.atr_len;
	return reader->entry.atr;
}
