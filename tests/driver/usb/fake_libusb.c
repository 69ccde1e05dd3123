/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/usb/fake_libusb.h"

#include "driver/usb/node.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct fake fake = { .claimed = true };

static struct libusb_transfer *flying[FAKE_FLIGHTS], *landed[FAKE_FLIGHTS];
static int event_fd = -1;

/* --- the test's side --- */

static void land(unsigned int i, const struct fake_landing *how)
{
	struct libusb_transfer *t = flying[i];
	uint64_t one = 1;

	t->status = how->status;
	t->actual_length = (int)how->n;
	if (how->data)
		memcpy(t->buffer + (t->type == LIBUSB_TRANSFER_TYPE_CONTROL ? 8 : 0), how->data,
		       how->n);
	flying[i] = NULL;
	landed[i] = t;
	ASSERT_EQ(8, write(event_fd, &one, 8));
}

static int find(uint8_t endpoint)
{
	for (int i = 0; i < FAKE_FLIGHTS; i++)
		if (flying[i] && flying[i]->endpoint == endpoint)
			return i;
	return -1;
}

bool fake_is_flying(uint8_t endpoint)
{
	return find(endpoint) >= 0;
}

void fake_land(uint8_t endpoint, enum libusb_transfer_status status, const char *data, size_t n)
{
	int i = find(endpoint);

	ASSERT_GE(i, 0);
	land((unsigned int)i, &(struct fake_landing){ endpoint, status, data, n });
}

void fake_expect(uint8_t endpoint, enum libusb_transfer_status status, const char *data, size_t n)
{
	ASSERT_LT(fake.n_landings, (unsigned int)FAKE_FLIGHTS);
	fake.landings[fake.n_landings++] = (struct fake_landing){ endpoint, status, data, n };
}

static void land_as_expected(unsigned int i)
{
	for (unsigned int k = 0; k < fake.n_landings; k++) {
		struct fake_landing how = fake.landings[k];

		if (how.endpoint != flying[i]->endpoint)
			continue;
		fake.n_landings--;
		memmove(&fake.landings[k], &fake.landings[k + 1],
			(fake.n_landings - k) * sizeof(how));
		land(i, &how);
		return;
	}
}

/* --- libusb's side --- */

int LIBUSB_CALL libusb_set_option(libusb_context *ctx, enum libusb_option option, ...)
{
	(void)ctx, (void)option;
	return 0;
}

int LIBUSB_CALL libusb_init(libusb_context **ctx)
{
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*ctx = (libusb_context *)&fake;
	return 0;
}

void LIBUSB_CALL libusb_exit(libusb_context *ctx)
{
	(void)ctx;
	fake.exits++;
	(void)close(event_fd);
}

void LIBUSB_CALL libusb_set_pollfd_notifiers(libusb_context *ctx, libusb_pollfd_added_cb added,
					     libusb_pollfd_removed_cb removed, void *arg)
{
	(void)ctx, (void)added, (void)removed, (void)arg;
}

const struct libusb_pollfd **LIBUSB_CALL libusb_get_pollfds(libusb_context *ctx)
{
	static struct libusb_pollfd fd;
	static const struct libusb_pollfd *list[2];

	(void)ctx;
	fd = (struct libusb_pollfd){ event_fd, 1 };
	list[0] = &fd;
	return list;
}

void LIBUSB_CALL libusb_free_pollfds(const struct libusb_pollfd **pollfds)
{
	(void)pollfds;
}

int LIBUSB_CALL libusb_handle_events_timeout_completed(libusb_context *ctx, struct timeval *tv,
						       int *completed)
{
	uint64_t n;

	(void)ctx, (void)completed;
	EXPECT_EQ(0, tv->tv_sec + tv->tv_usec);		/* it must never wait in there */
	(void)!read(event_fd, &n, sizeof(n));
	for (unsigned int i = 0; i < FAKE_FLIGHTS; i++) {
		struct libusb_transfer *t = landed[i];

		landed[i] = NULL;
		if (t)
			t->callback(t);
	}
	return 0;
}

struct libusb_transfer *LIBUSB_CALL libusb_alloc_transfer(int iso_packets)
{
	(void)iso_packets;
	return calloc(1, sizeof(struct libusb_transfer));
}

void LIBUSB_CALL libusb_free_transfer(struct libusb_transfer *transfer)
{
	for (unsigned int i = 0; transfer && i < FAKE_FLIGHTS; i++)
		ASSERT_TRUE(flying[i] != transfer && landed[i] != transfer);
	fake.freed += transfer != NULL;
	free(transfer);
}

int LIBUSB_CALL libusb_submit_transfer(struct libusb_transfer *t)
{
	unsigned int i = 0;

	if (fake.refuse)
		return fake.refuse;
	while (flying[i] || landed[i])
		ASSERT_LT(++i, (unsigned int)FAKE_FLIGHTS);
	fake.submitted++;
	fake.last.endpoint = t->endpoint;
	fake.last.type = t->type;
	fake.last.flags = t->flags;
	fake.last.length = t->length;
	EXPECT_EQ(0u, t->timeout);
	memcpy(fake.last.bytes, t->buffer, t->length < 16 ? (size_t)t->length : 16);
	flying[i] = t;
	land_as_expected(i);
	return 0;
}

int LIBUSB_CALL libusb_cancel_transfer(struct libusb_transfer *t)
{
	fake.cancelled++;
	for (unsigned int i = 0; i < FAKE_FLIGHTS; i++)
		if (flying[i] == t && !fake.stuck) {
			land(i, &(struct fake_landing){ t->endpoint, LIBUSB_TRANSFER_CANCELLED,
							NULL, fake.partial });
			return 0;
		}
	return LIBUSB_ERROR_NOT_FOUND;
}

int LIBUSB_CALL libusb_wrap_sys_device(libusb_context *ctx, intptr_t fd,
				       libusb_device_handle **handle)
{
	(void)ctx, (void)fd;
	*handle = (libusb_device_handle *)&fake;
	return 0;
}

int LIBUSB_CALL libusb_get_configuration(libusb_device_handle *handle, int *config)
{
	(void)handle;
	*config = 1;
	return 0;
}

int LIBUSB_CALL libusb_claim_interface(libusb_device_handle *handle, int interface)
{
	(void)handle, (void)interface;
	return fake.claim;
}

int LIBUSB_CALL libusb_release_interface(libusb_device_handle *handle, int interface)
{
	(void)handle, (void)interface;
	return 0;
}

int LIBUSB_CALL libusb_reset_device(libusb_device_handle *handle)
{
	(void)handle;
	for (unsigned int i = 0; i < FAKE_FLIGHTS; i++)
		EXPECT_NULL(flying[i]);
	fake.resets++;
	return 0;
}

void LIBUSB_CALL libusb_close(libusb_device_handle *handle)
{
	(void)handle;
	for (unsigned int i = 0; i < FAKE_FLIGHTS; i++)
		EXPECT_NULL(flying[i]);
}

/* --- the node's --- */

static const uint8_t device[NODE_DEVICE_LEN] = { 18, 1, [17] = 1 };

int node_check(int fd)
{
	(void)fd;
	return 0;
}

int node_read_device(int fd, uint8_t out[static NODE_DEVICE_LEN])
{
	(void)fd;
	memcpy(out, device, sizeof(device));
	return 0;
}

int node_read_config(int fd, int value, uint8_t **out, size_t *n)
{
	(void)fd;
	EXPECT_EQ(-1, value);
	*out = calloc(1, 9);
	*n = 9;
	return 0;
}

bool node_hung_up(int fd)
{
	(void)fd;
	return fake.hung_up;
}

bool node_hangs_up_within(int fd, int ms)
{
	(void)fd;
	EXPECT_LE(ms, 100);
	fake.hung_up |= fake.hang_up_late;
	return fake.hung_up;
}

bool node_is_claimed(int fd, uint8_t interface)
{
	(void)fd, (void)interface;
	return fake.claimed;
}

int node_reset_endpoint(int fd, uint8_t endpoint)
{
	(void)fd, (void)endpoint;
	fake.endpoint_resets++;
	return 0;
}
