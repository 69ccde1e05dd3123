/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/device.h - One thing on the bus with the driver process that serves it, and the
 * readers clients see in it: one for each of its slots. Slots share the link, so the requests of
 * all of them go down one at a time; everything else (card, contexts, queue, transaction, PIN
 * state) is each reader's own. The device outlives its drivers.
 */
#pragma once

#include "base/list.h"
#include "daemon/broker/link.h"
#include "daemon/broker/watch.h"

struct broker;
struct reader;
struct spawn_msg;

/**
 * struct device - one
 * @key:	the monitor's number
 * @name:	the monitor's name; slot 0 bears it as it is, the others with " slot N"
 * @hello:	what the driver said, zero before
 * @link:	to the driver
 * @watch:	whether what is known of its cards is current
 * @slots:	its readers, slot 0 first; that one is always there
 * @n_slots:	how many the driver speaks of; not all need have found room in @slots
 */
struct device {
	struct list link_broker;
	struct broker *broker;
	uint32_t key;
	char name[KF_NAME_MAX];
	struct kf_drv_hello hello;
	struct link link;
	struct watch watch;
	struct list slots;
	uint32_t n_slots;
};

/* With the reader of slot 0. Return: 0, -ENOMEM, -EDQUOT. */
int device_new(struct broker *broker, uint32_t key, const char *name, struct device **out);
struct device *device_free(struct device *device);

struct device *device_by_key(struct broker *broker, uint32_t key);
/* Return: NULL for a slot that it does not have, or that found no room. */
struct reader *device_slot(const struct device *device, uint32_t slot);
/* In any slot, if only a mute one. */
bool device_has_card(const struct device *device);

/* The monitor says it is gone: ends all contexts, announces, frees. */
void device_gone(struct device *device);
/* A fresh driver. Takes over @fd. */
int device_driver(struct device *device, int fd, const struct spawn_msg *msg);
/* Nobody serves it, and the monitor says why. Return: 0, or -EPROTO if that cannot be. */
int device_unserved(struct device *device, uint32_t state);
/* Its driver introduced itself: readers come and go until they are as many as it has slots. */
void device_said_hello(struct device *device, const struct packet *reply);
/*
 * The driver is gone, or must be: @why for the log; @tell is what the monitor hears, %SPAWN_KILL,
 * %SPAWN_HUNG_UP, or 0 where it knows.
 */
void device_driver_lost(struct device *device, const char *why, uint32_t tell);
/* An event of the driver. Return: 0, or -EPROTO for one that cannot be. */
int device_event(struct device *device, const struct kf_drv_event *event);
/* It does not tell of its cards any more. Return: 0, or -EPROTO for one that never did. */
int device_silent(struct device *device);
/* The link is free: the slots start what they have, beginning behind the one that had it last. */
void device_kick(struct device *device);
