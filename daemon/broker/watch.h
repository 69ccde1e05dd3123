/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/watch.h - Whether what we know of the cards in a device is what is in it. A reader
 * that does not tell of them by itself (%KF_FEATURE_POLLED) must be asked by its driver over and
 * over; that is done only while somebody is interested: has a context there, listens to card events,
 * or waits for an answer that tells of cards.
 *
 *	      somebody               reply
 *	OFF ------------> SWITCHING --------> ON       a fresh driver, from any: OFF
 *	 ^      reply         |  ^             |
 *	 '--------------------'  '-------------'
 *	                             nobody
 *
 * So what tells of cards has to wait for that first look: a job in the state %JOB_LOOKS, which is
 * served anew afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct call;
struct device;
struct job;
struct kf_drv_event;
struct packet;

/* How long a list waits for readers. Who wants one reader alone waits for it by its own deadline. */
#define WATCH_LOOK_MS 2000

enum watch_state { WATCH_OFF, WATCH_SWITCHING, WATCH_ON };

/**
 * struct watch - of one device
 * @state:	see the picture
 * @wanted:	what it is being switched to
 * @behind:	bit n: an event of slot n is due that will say how it is
 * @leaving:	its driver told of the only card that it went, so it ends now, whatever comes next
 * @late:	lists have waited for it in vain; they do not wait again until it has answered
 */
struct watch {
	enum watch_state state;
	bool wanted, leaving, late;
	uint32_t behind;
};

/*
 * Parks the call until what is known of the cards in @device, or with NULL in all that the client
 * may look at, is current. Return: 0 it is; CALL_LATER; -ENOMEM; -EDQUOT.
 */
int watch_wait(struct call *call, const struct device *device);
/* The wait of @job, in %JOB_LOOKS, is over. */
void watch_late(struct job *job);

/* Somebody's interest, or what is known of any device, may have changed. Acts from the loop. */
void watch_news(struct broker *broker);
/* Asks the driver for the switch that is due, if the link is free. */
void watch_kick(struct device *device);

/* A fresh driver. */
void watch_reset(struct device *device);
/* What the driver answered to the switch. */
void watch_reply(struct device *device, const struct packet *reply);
/* An event of the driver was taken; @had_card: a slot had one before it. */
void watch_event(struct device *device, const struct kf_drv_event *event, bool had_card);

void watch_init(struct broker *broker);
void watch_deinit(struct broker *broker);
