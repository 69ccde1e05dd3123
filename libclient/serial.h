/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/serial.h - A card's serial number as people write it. Cards give bytes; where they are
 * printable they are the text itself, else hexadecimal shows them.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

#define SERIAL_TEXT_SIZE (2 * KF_SERIAL_MAX + 1)

/* @serial has at most %KF_SERIAL_MAX bytes. */
void serial_text(struct bytes serial, char out[static SERIAL_TEXT_SIZE]);

/* From the broker's list, which has it in hexadecimal; what is none is shown as it is, cut. */
void serial_text_from_hex(const char *hex, char out[static SERIAL_TEXT_SIZE]);
