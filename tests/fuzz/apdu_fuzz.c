/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands: what parses packs again to the same meaning. Responses. */
#include "driver/iso7816/apdu.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[APDU_COMMAND_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct apdu_response response;
	struct apdu apdu, again;
	bool extended;

	if (apdu_response_parse(BYTES(data, size), &response) == 0 && response.data.n != size - 2)
		abort();
	if (apdu_parse(BYTES(data, size), &apdu, &extended) < 0)
		return 0;
	apdu_pack(&p, &apdu);
	if (pack_end(&p) < 0 || apdu_parse(pack_done(&p), &again, NULL) < 0 ||
	    again.le != apdu.le || !bytes_equal(again.data, apdu.data) || again.ins != apdu.ins)
		abort();
	/* Short form is the only way to write it; extended may have been chosen without need. */
	if (!extended && !bytes_equal(pack_done(&p), BYTES(data, size)))
		abort();
	return 0;
}
