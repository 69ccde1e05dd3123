/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/file.h - The card's files [minidriver 6, 7.10]. What the card keeps besides keys are
 * certificates: mscp/kxcNN and mscp/kscNN, one a container. The others are written by map.h and can
 * only be read.
 */
#pragma once

#include "keyferry/cardmod.h"

DWORD WINAPI card_create_directory(PCARD_DATA card, LPSTR dir,
				   CARD_DIRECTORY_ACCESS_CONDITION access);
DWORD WINAPI card_delete_directory(PCARD_DATA card, LPSTR dir);
DWORD WINAPI card_create_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD size,
			      CARD_FILE_ACCESS_CONDITION access);
DWORD WINAPI card_read_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD flags, PBYTE *data,
			    PDWORD len);
DWORD WINAPI card_write_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD flags, PBYTE data,
			     DWORD len);
DWORD WINAPI card_delete_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD flags);
DWORD WINAPI card_enum_files(PCARD_DATA card, LPSTR dir, LPSTR *names, PDWORD len, DWORD flags);
DWORD WINAPI card_get_file_info(PCARD_DATA card, LPSTR dir, LPSTR name, PCARD_FILE_INFO out);
