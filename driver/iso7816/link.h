/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/link.h - How one APDU gets through a reader: as a whole at the two APDU levels, in
 * T=1
 * blocks or T=0 TPDUs at TPDU level. The inside of struct card_io; nobody else needs it.
 */
#pragma once

#include "driver/iso7816/card_io.h"

const struct card_io_ops *link_ops(const struct ccid_desc *desc);

/* The host speaks T=0 itself: case 4 comes in two, and extended length is dear. */
bool link_is_t0(const struct card_io *io);

/* Longest command APDU that fits through. */
size_t link_max_command(const struct card_io *io);

/*
 * TPDU level, T=1: the reader has sent the command itself, behind the prologue of t1_prologue(), and
 * this came back. Return: 0; else as card_transmit().
 */
int link_t1_answer(struct card_io *io, struct bytes block, uint8_t *response, size_t cap, size_t *n,
		   struct deadline deadline);

/* TPDU level: S(IFS). Return: 0 also if the card does not want it; else as card_transmit(). */
int link_negotiate_ifs(struct card_io *io, struct deadline deadline);
