/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: include/base/driver_exit.h
 */
#include "daemon/monitor/port.h"
#include "tests/harness.h"

TEST(every_pair_of_state_and_event_is_decided)
{
#define X -1
	static const int want[PORT_STATES][PORT_EVENTS] = {
		/*                 ANSWERED       NO_ANSWER     ENDED         FAILED */
		[PORT_ABSENT]  = { PORT_RUNNING,  PORT_ABSENT,  X,            X },
		[PORT_RUNNING] = { X,             X,            PORT_PAUSING, PORT_PAUSING },
		[PORT_PAUSING] = { PORT_RUNNING,  PORT_ABSENT,  X,            X },
	};

	for (int s = 0; s < PORT_STATES; s++)
		for (int e = 0; e < PORT_EVENTS; e++) {
			const struct port_step *step =
				port_step((enum port_state)s, (enum port_event)e);

			EXPECT_EQ(want[s][e], step ? (int)step->to : X);
		}
}

TEST(a_reader_is_announced_once_and_taken_back_once)
{
	EXPECT_EQ(PORT_DO_ADD, port_step(PORT_ABSENT, PORT_ANSWERED)->action);
	EXPECT_EQ(PORT_DO_START, port_step(PORT_PAUSING, PORT_ANSWERED)->action);
	EXPECT_EQ(PORT_DO_REMOVE, port_step(PORT_PAUSING, PORT_NO_ANSWER)->action);
	EXPECT_EQ(PORT_DO_NOTHING, port_step(PORT_ABSENT, PORT_NO_ANSWER)->action);
}
