/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/security.c - The table of the header's picture, and the one place that performs it.
 * The owner's pins and pin_lost (context.h) are what it is told of all this.
 */
#include "daemon/broker/security.h"

#include "daemon/broker/context.h"
#include "daemon/broker/step.h"

#include <assert.h>

static const struct security_step steps[] = {
#define STEP(from, event, to, action) \
	{ SECURITY_##from, SECURITY_##event, SECURITY_##to, SECURITY_DO_##action },
#include "daemon/broker/security.def"
#undef STEP
};

const struct security_step *security_step(enum security_state state, enum security_event event)
{
	return STEP_FIND(steps, state, event);
}

static void warn(struct context *owner)
{
	owner->pin_lost |= owner->pins != 0;
}

void security_happens(struct security *security, enum security_event event, struct context *user)
{
	const struct security_step *step = security_step(security->state, event);

	assert(step);
	security->state = step->to;
	switch (step->action) {
	case SECURITY_DO_NOTHING:
		break;
	case SECURITY_DO_OWN:
		security->owner = user;
		break;
	case SECURITY_DO_WARN:
		warn(security->owner);
		break;
	case SECURITY_DO_LOSE:
		warn(security->owner);
		security->owner->pins = 0;
		security->owner = NULL;
		break;
	case SECURITY_DO_DISOWN:
		security->owner = NULL;
		break;
	}
}
