/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * T=0 from both ends: the input is a command APDU (two bytes of length, then its bytes), the way the host
 * makes TPDUs of it, the virtual card that puts it together again, and an answer that a hostile card
 * gives. What comes together must be the command; what the host lets pass must be in bounds.
 */
#include "driver/iso7816/t0.h"
#include "vreader/reader/t0_card.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void judge_answer(struct bytes tpdu, struct bytes answer)
{
	if (t0_answer_check(tpdu, answer) == 0 && (answer.n < 2 || answer.n > T0_ANSWER_MAX))
		abort();
}

/* One TPDU across. Return: whether the card has a whole command now. */
static bool cross(struct t0_card *card, const struct apdu *apdu, struct bytes answer)
{
	uint8_t buf[T0_TPDU_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	bool run;

	t0_tpdu_pack(&p, apdu);
	if (pack_end(&p) < 0)
		abort();
	run = t0_card_tpdu(card, pack_done(&p)) == T0_RUN;
	if (!run && t0_answer_check(pack_done(&p), t0_card_out(card)) < 0)
		abort();
	judge_answer(pack_done(&p), answer);
	return run;
}

static void envelope(struct t0_card *card, struct bytes command, struct bytes answer)
{
	for (size_t at = 0; ; at += 255) {
		struct apdu part = t0_envelope(command.p[0], command, at, 255);
		bool run = cross(card, &part, answer);

		if (part.data.n == 255)
			continue;
		/* All but Le. */
		if (!run || command.n - t0_card_command(card).n > 2 ||
		    !bytes_have_prefix(command, t0_card_command(card)))
			abort();
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t buf[APDU_COMMAND_MAX + 300];
	struct unpacker u = unpack_begin(BYTES(data, n));
	struct bytes command = unpack_bytes(&u, unpack_be16(&u));
	struct bytes answer = unpack_rest(&u);
	struct t0_card card;
	struct apdu apdu;

	t0_card_init(&card, buf, sizeof(buf));
	(void)t0_card_tpdu(&card, answer);
	if (u.bad || apdu_parse(command, &apdu, NULL) < 0 || !apdu_is_legal(&apdu, true) ||
	    apdu.ins == 0xc2)
		return 0;
	t0_card_init(&card, buf, sizeof(buf));
	if (!t0_is_direct(&apdu)) {
		envelope(&card, command, answer);
	} else if (!cross(&card, &apdu, answer)) {
		abort();
	}
	if (answer.n >= 2)
		t0_card_answer(&card, answer);
	return 0;
}
