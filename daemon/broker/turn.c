/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon/broker/turn.c - The table of the header's picture; card.c performs it. */
#include "daemon/broker/turn.h"

#include "daemon/broker/step.h"

static const struct turn_step steps[] = {
#define STEP(from, event, to, action) { LINK_##from, TURN_##event, LINK_##to, TURN_DO_##action },
#include "daemon/broker/turn.def"
#undef STEP
};

const struct turn_step *turn_step(enum link_step asked, enum turn_event event)
{
	return STEP_FIND(steps, asked, event);
}
