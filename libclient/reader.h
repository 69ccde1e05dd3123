/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/reader.h - A reader as the broker describes it, and the list of them. */
#pragma once

#include "libclient/client.h"
#include "libclient/serial.h"

struct kf_reader {
	struct kf_reader_entry entry;
	char serial[SERIAL_TEXT_SIZE];
};

/* @entry is valid. */
static inline void reader_init(struct kf_reader *reader, const struct kf_reader_entry *entry)
{
	reader->entry = *entry;
	serial_text_from_hex(entry->serial, reader->serial);
}

/* Whether every field of what the broker sent is in range. */
bool reader_entry_valid(const struct kf_reader_entry *entry);

struct kf_readers {
	size_t n;
	struct kf_reader rows[];
};
