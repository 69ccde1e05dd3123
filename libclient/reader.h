/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/reader.h - A reader as the broker describes it, and the list of them. */
#pragma once

#include "libclient/client.h"

struct kf_reader {
	struct kf_reader_entry entry;
};

/* Whether every field of what the broker sent is in range. */
bool reader_entry_valid(const struct kf_reader_entry *entry);

struct kf_readers {
	size_t n;
	struct kf_reader rows[];
};
