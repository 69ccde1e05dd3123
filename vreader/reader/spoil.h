/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/spoil.h - A changed copy of the honest message, which goes to the host in its place.
 * It is made in the line's own buffer, one at a time.
 */
#pragma once

#include "vreader/reader/line.h"

/* The copy, with room for more. */
struct packer spoil_begin(struct line *line, struct bytes message);
/* Return: true, for the message is dealt with; so with all below. */
bool spoil_send(struct line *line, struct packer *p);
/* Another byte at @at. */
bool spoil_send_changed(struct line *line, struct bytes message, size_t at, uint8_t value);
/* The answer to a command that failed: its header with another status, no payload. */
bool spoil_send_failure(struct line *line, struct bytes message, uint8_t status, uint8_t error);
/* Nothing goes in its place. */
bool spoil_withhold(struct line *line, struct bytes message);
