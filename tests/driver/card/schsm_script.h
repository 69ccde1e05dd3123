/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/driver/card/schsm_script.h - What tests of the SmartCard-HSM driver have its card say. */
#pragma once

#include "driver/card/schsm.h"
#include "tests/driver/card/script.h"

#define SCHSM_SELECT	"00A40400 00000B E82B0601040181C31F0201 0000"
#define SCHSM_FCP	"6222 81020000 82010183020000 840BE82B0601040181C31F0201 8A0105 8505000100 0306 9000"

/* A card of ours, opened; without device certificate and label. Its version is 3.6 of a chip. */
void schsm_script_open(struct script *s);
/* ENUMERATE OBJECTS answers these, in hexadecimal. */
void schsm_script_files(struct script *s, const char *list);
/* A file is read in one go, or is not there (@content NULL). */
void schsm_script_file(struct script *s, uint16_t fid, const uint8_t *content, size_t n);
/* It is deleted (which nobody minds if it is not there), then written in one go. */
void schsm_script_write(struct script *s, uint16_t fid, struct bytes content, uint16_t sw);
void schsm_script_delete(struct script *s, uint16_t fid, uint16_t sw);
/* The status of key domain @domain, or the status word @sw if @answer is NULL. */
void schsm_script_dkek(struct script *s, uint8_t domain, const char *answer, uint16_t sw);
/* An empty VERIFY of P2 @reference answers @sw. */
void schsm_script_tries(struct script *s, uint8_t reference, uint16_t sw);
