/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/session.h - Sessions by number and by sid. A SESSION object has one use: deriving
 * the keys of an item (item.c). Nothing reads S1 out of it.
 */
#pragma once

#include "vreader/card/card.h"

/* @number as in P2, from 1; NULL if there is none. */
struct session *session_find(struct vcard *card, unsigned int number);
/* Wipes every S1 of a sid that is gone. */
void session_destroy_all(struct vcard *card, const uint8_t sid[static KF_SID_SIZE]);
