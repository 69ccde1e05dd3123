/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: include/base/driver_exit.h
 */
#include "daemon/monitor/port.h"
#include "tests/harness.h"

TEST(every_pair_of_state_and_event_is_decided)
{
#define X -1
#define A PORT_ABSENT
#define R PORT_RUNNING
#define P PORT_PAUSING
#define W PORT_WAITING
#define B PORT_BARRED
#define L PORT_LEAVING
	static const int want[PORT_STATES][PORT_EVENTS] = {
		/*     ANSWERED NO_ANSWER DENIED HELD ENDED FAILED SHUT LEFT */
		[A] = { R,      A,        W,     W,   X,    X,     B,   L },
		[R] = { X,      X,        W,     W,   P,    P,     B,   L },
		[P] = { R,      A,        W,     W,   X,    X,     B,   L },
		[W] = { R,      A,        W,     W,   X,    X,     X,   L },
		[B] = { R,      A,        W,     W,   X,    X,     X,   L },
		[L] = { X,      X,        L,     L,   L,    L,     L,   X },
	};

	for (int s = 0; s < PORT_STATES; s++)
		for (int e = 0; e < PORT_EVENTS; e++) {
			const struct port_step *step =
				port_step((enum port_state)s, (enum port_event)e);

			EXPECT_EQ(want[s][e], step ? (int)step->to : X);
		}
}

TEST(a_driver_is_started_on_an_answer_only_and_a_port_freed_when_it_has_none)
{
	for (int s = 0; s < PORT_STATES; s++)
		for (int e = 0; e < PORT_EVENTS; e++) {
			const struct port_step *step =
				port_step((enum port_state)s, (enum port_event)e);

			if (!step)
				continue;
			EXPECT_EQ(step->to == PORT_RUNNING, step->action == PORT_DO_START);
			EXPECT_EQ(step->to == PORT_LEAVING && s != PORT_RUNNING,
				  step->action == PORT_DO_FREE);
		}
}
