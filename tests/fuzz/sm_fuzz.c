/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/sm_fuzz.c - A protected command and a protected answer from whoever is between server and
 * card and has no key: none of them is ever opened, and each ends the session.
 */
#include "format/schsm/sm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t keys[2 * SM_KEY_SIZE] = { 1, 2, 3 };
	static uint8_t room[SM_DATA_MAX + SM_OVERHEAD];
	struct sm_command command = { 0 }, opened;
	struct packer p = pack_begin(room, sizeof(room));
	struct sm sm = SM_INIT;
	uint16_t sw;

	if (n < 4 || n > SM_DATA_MAX || sm_begin(&sm, BYTES_OF(keys)) < 0)
		return 0;
	command = (struct sm_command){ data[0] | SM_CLA, data[1], data[2], data[3],
				       BYTES(data + 4, n - 4), 0 };
	if (sm_open_command(&sm, &command, &p, &opened) == 0 || sm_is_alive(&sm))
		abort();
	p = pack_begin(room, sizeof(room));
	command.data = BYTES_NONE;
	if (sm_begin(&sm, BYTES_OF(keys)) < 0 || sm_protect_command(&sm, &command, &p) < 0)
		abort();
	p = pack_begin(room, sizeof(room));
	if (sm_open_answer(&sm, BYTES(data, n), 0x9000, &p, &sw) == 0 || sm_is_alive(&sm))
		abort();
	return 0;
}
