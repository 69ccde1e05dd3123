/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/idle.c - One timer, armed while there is no client, so that being idle costs no
 * wake-up. Who connects between our decision and our end stays in the socket's queue, which the
 * manager holds.
 */
#include "daemon/broker/idle.h"

#include "daemon/broker/broker.h"

static void idle_over(struct timer *timer)
{
	struct broker *broker = list_entry(timer, struct broker, idle);
	struct spawn_msg msg = { .kind = SPAWN_IDLE };

	if (quota_remembers(&broker->quota, now_ns())) {
		if (timer_arm(&broker->loop, timer,
			      now_ns() + ms_to_ns(QUOTA_PIN_REFILL_S * 1000)) < 0)
			log_line("no memory for a timer: not leaving when idle");
		return;
	}
	log_line("no client for %u s: leaving until the next one comes", broker->idle_s);
	broker_tell(broker, &msg);
	loop_stop(&broker->loop, 0);
}

void idle_init(struct broker *broker)
{
	broker->idle.fn = idle_over;
}

void idle_look(struct broker *broker)
{
	bool waits = broker->n_clients == 0 && broker->idle_s > 0;

	timer_disarm(&broker->loop, &broker->idle);
	if (waits && timer_arm(&broker->loop, &broker->idle,
			       now_ns() + ms_to_ns((uint64_t)broker->idle_s * 1000)) < 0)
		log_line("no memory for a timer: not leaving when idle");
}

void idle_deinit(struct broker *broker)
{
	timer_disarm(&broker->loop, &broker->idle);
}
