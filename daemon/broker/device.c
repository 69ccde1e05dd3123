/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/device.c - Slots come with the driver's introduction and stay until another says
 * something else: a driver that restarts finds its readers, with the numbers and names they had.
 */
#include "daemon/broker/device.h"

#include "base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/reader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS_MAX 32		/* as many as a driver serves [ccid.md 10.2] */

static struct reader *first_slot(const struct device *device)
{
	return list_first(&device->slots, struct reader, in_device);
}

/* Cut where it must be, so that the number stays readable: "virtual:office slot 1". */
static void slot_name(const struct device *device, uint32_t slot, char out[static KF_NAME_MAX])
{
	char text[KF_NAME_MAX + 16];

	if (slot == 0)
		(void)snprintf(text, sizeof(text), "%s", device->name);
	else
		(void)snprintf(text, sizeof(text), "%.*s slot %u", KF_NAME_MAX - 10, device->name,
			       slot);
	packet_string(out, KF_NAME_MAX, text);
}

static int slot_add(struct device *device, uint32_t slot)
{
	char name[KF_NAME_MAX];
	struct reader *reader;
	int r;

	slot_name(device, slot, name);
	if (reader_by_name(device->broker, name))
		return -EEXIST;
	r = reader_new(device, slot, name, &reader);
	if (r < 0)
		return r;
	reader_announce(reader, KF_CHANGE_READER_ADDED);
	return 0;
}

int device_new(struct broker *broker, uint32_t key, const char *name, struct device **out)
{
	struct device *device;
	int r;

	if (broker->n_devices >= BROKER_READERS)
		return -EDQUOT;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	device->broker = broker;
	device->key = key;
	device->link = LINK_INIT;
	device->n_slots = 1;
	packet_set_string(device->name, name);
	list_init(&device->link_broker);
	list_init(&device->slots);
	list_push(&broker->devices, &device->link_broker);
	broker->n_devices++;
	r = slot_add(device, 0);
	if (r < 0) {
		device_free(device);
		return r;
	}
	*out = device;
	return 0;
}

struct device *device_free(struct device *device)
{
	if (!device)
		return NULL;
	list_drop(&device->link_broker);
	device->broker->n_devices--;
	assert(!link_up(&device->link) && list_empty(&device->slots));
	free(device);
	return NULL;
}

struct device *device_by_key(struct broker *broker, uint32_t key)
{
	struct device *device;

	list_each(device, &broker->devices, link_broker)
		if (device->key == key)
			return device;
	return NULL;
}

struct reader *device_slot(const struct device *device, uint32_t slot)
{
	struct reader *reader;

	list_each(reader, &device->slots, in_device)
		if (reader->slot == slot)
			return reader;
	return NULL;
}

bool device_has_card(const struct device *device)
{
	const struct reader *reader;

	list_each(reader, &device->slots, in_device)
		if (reader->entry.state == KF_READER_CARD || reader->entry.state == KF_READER_MUTE)
			return true;
	return false;
}

int device_unserved(struct device *device, uint32_t state)
{
	struct reader *reader;

	if (state < KF_READER_BUSY || state > KF_READER_REFUSED || link_up(&device->link))
		return -EPROTO;
	list_each(reader, &device->slots, in_device)
		reader_unserved(reader, state);
	watch_news(device->broker);
	return 0;
}

int device_driver(struct device *device, int fd, const struct spawn_msg *msg)
{
	struct packet hello = packet_request(KF_DRV_HELLO, 0, 0);
	struct reader *reader;
	int r;

	if (link_up(&device->link)) {
		fd_close(fd);
		return -EPROTO;
	}
	r = link_open(device, fd);
	if (r < 0) {
		device->link.source.fd = fd_close(fd);
		return r;
	}
	device->link.instance = msg->instance;
	device->link.pid = msg->pid;
	device->link.uid = msg->uid;
	device->link.restarts = msg->restarts;
	watch_reset(device);
	list_each(reader, &device->slots, in_device)
		reader_served(reader);
	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	link_ask(device, first_slot(device), LINK_HELLO, &hello, LINK_CHORE_MS);
	return 0;
}

/* A slot less than before is another reader on the same path: what was in it is gone. */
static void drop_slots(struct device *device)
{
	struct reader *reader, *next;

	list_each_safe(reader, next, &device->slots, in_device)
		if (reader->slot >= device->n_slots)
			reader_gone(reader);
}

/* A reader with too many slots must not cost others theirs: it goes with fewer. */
static void add_slots(struct device *device)
{
	for (uint32_t slot = 1; slot < device->n_slots; slot++) {
		int r = device_slot(device, slot) ? 0 : slot_add(device, slot);

		if (r < 0) {
			log_line("reader=%s: slot %u and all behind it not served: %s",
				 device->name, slot, strerror(-r));
			return;
		}
	}
}

void device_said_hello(struct device *device, const struct packet *reply)
{
	const struct kf_drv_hello *hello = packet_read(reply);
	struct reader *reader;

	if (reply->header.result < 0 || hello->version != KF_PROTO_VERSION ||
	    hello->n_slots > SLOTS_MAX) {
		link_break(device);
		return;
	}
	device->hello = *hello;
	device->n_slots = hello->n_slots != 0 ? hello->n_slots : 1;
	drop_slots(device);
	add_slots(device);
	list_each(reader, &device->slots, in_device) {
		reader->entry.vendor = hello->vendor;
		reader->entry.product = hello->product;
	}
}

int device_event(struct device *device, const struct kf_drv_event *event)
{
	struct reader *reader = device_slot(device, event->slot);
	bool had_card = device_has_card(device);
	int r;

	if (device->link.step == LINK_HELLO || event->slot >= device->n_slots)
		return -EPROTO;
	r = reader ? reader_event(reader, event) : 0;
	if (r == 0)
		watch_event(device, event, had_card);
	return r;
}

int device_silent(struct device *device)
{
	if (device->link.step == LINK_HELLO || (device->hello.features & KF_FEATURE_POLLED))
		return -EPROTO;
	device->hello.features |= KF_FEATURE_POLLED;
	watch_news(device->broker);
	return 0;
}

void device_kick(struct device *device)
{
	uint32_t last = device->link.last;
	struct reader *reader;

	watch_kick(device);
	for (int behind = 1; behind >= 0; behind--)
		list_each(reader, &device->slots, in_device)
			if ((reader->slot > last) == behind)
				card_kick(reader);
}

void device_driver_lost(struct device *device, const char *why, uint32_t tell)
{
	struct spawn_msg msg = { .kind = tell, .reader = device->key,
				 .instance = device->link.instance };
	struct reader *reader;

	if (tell == SPAWN_KILL)	/* a driver that ends by itself is the monitor's to tell of */
		log_line("reader=%s pid=%u: driver lost, %s", device->name, device->link.pid, why);
	if (tell)		/* before its link closes: else it may end first, and look honest */
		broker_tell(device->broker, &msg);
	list_each(reader, &device->slots, in_device)
		reader_fail_running(reader);
	link_close(device);
	list_each(reader, &device->slots, in_device)
		reader_lost_driver(reader);
	watch_reset(device);
}

void device_gone(struct device *device)
{
	struct reader *reader;

	list_each(reader, &device->slots, in_device)
		reader_fail_running(reader);
	link_close(device);
	while ((reader = list_first(&device->slots, struct reader, in_device)))
		reader_gone(reader);
	watch_news(device->broker);	/* while it counts */
	device_free(device);
}
