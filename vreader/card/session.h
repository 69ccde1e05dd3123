/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/session.h - Sessions by number and by sid. A SESSION object has one use: deriving
 * the keys of an item (item.c). Nothing reads S1 out of it.
 */
#pragma once

#include "vreader/card/card.h"

/* @number as in P2, from 1; NULL if there is none. */
struct session *session_find(struct card *card, unsigned int number);
/* Ends every session of @sid. */
void session_destroy_all(struct card *card, const uint8_t sid[static KF_SID_SIZE]);
/*
 * Wipes every S1 whose offer is no longer pending: nothing can come of it any more. The sessions stay,
 * with nothing in them: whoever has their numbers does not know that they ended.
 */
void session_forget_gone(struct card *card);
