/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/gadget/bridge.c vreader/gadget/composite.c vreader/gadget/gadget.c
 *
 * A USB host that takes nothing for granted, against our reader as a USB device: run by gadget.sh
 * inside a virtual machine, where dummy_hcd joins the two. The card only echoes.
 */
#include "base/cleanup.h"
#include "base/deadline.h"
#include "tests/harness.h"
#include "vreader/vcard.h"

#include <dirent.h>
#include <fcntl.h>
#include <libusb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	VENDOR = 0x1209,
	PRODUCT = 0x0001,
	WAIT_MS = 15000, /* for the device to come or go */
	TRANSFER_MS = 5000,
	SHORT_MS = 700, /* for what must not come */
	FRAME_MAX = 66048,
};

/**
 * struct host - the host, and the reader that it has before it
 * @packet_len:	of the bulk pipes
 * @interrupt:	0 if there is none
 */
struct host {
	libusb_context *usb;
	libusb_device_handle *dev;
	pid_t reader;
	uint8_t out, in, interrupt;
	int packet_len;
	uint8_t seq;
	uint8_t frame[FRAME_MAX];
};

FIXTURE(gadget)
{
	struct host host;
};

static void pause_ms(unsigned int ms)
{
	(void)usleep(ms * 1000);
}

/* The number in sysfs file @name of the device @dir; -1 if there is none. */
static long number_in(const char *dir, const char *name, int base)
{
	char path[300], text[16] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/%s", dir, name);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	(void)fclose(f);
	return text[0] != '\0' ? strtol(text, NULL, base) : -1;
}

/*
 * The address of our reader on its bus, by the kernel: 0 if there is none. The library is not asked
 * before, as a library that is begun and ended while devices come and go has hung.
 */
static int address_now(void)
{
	DIR *dir = opendir("/sys/bus/usb/devices");
	struct dirent *e;
	long address = 0;

	while (dir && (e = readdir(dir)))
		if (number_in(e->d_name, "idVendor", 16) == VENDOR &&
		    number_in(e->d_name, "idProduct", 16) == PRODUCT)
			address = number_in(e->d_name, "devnum", 10);
	if (dir)
		(void)closedir(dir);
	return address > 0 ? (int)address : 0;
}

/* Nothing tells a running library of new devices where there is no udev, so begin anew. */
static libusb_device_handle *find(struct host *h)
{
	if (address_now() == 0)
		return NULL;
	if (h->usb)
		libusb_exit(h->usb);
	h->usb = NULL;
	ASSERT_EQ(0, libusb_init(&h->usb));
	return libusb_open_device_with_vid_pid(h->usb, VENDOR, PRODUCT);
}

/* Return: whether it came before the time was up. */
static bool open_device(struct host *h)
{
	struct deadline until = deadline_in(WAIT_MS);

	while (!h->dev && !deadline_passed(until)) {
		h->dev = find(h);
		if (!h->dev)
			pause_ms(20);
	}
	return h->dev;
}

static bool device_is_gone(void)
{
	struct deadline until = deadline_in(WAIT_MS);

	while (address_now() != 0 && !deadline_passed(until))
		pause_ms(20);
	return address_now() == 0;
}

static void take_endpoints(struct host *h)
{
	struct libusb_config_descriptor *config = NULL;
	const struct libusb_interface_descriptor *intf;

	ASSERT_EQ(0, libusb_get_active_config_descriptor(libusb_get_device(h->dev), &config));
	intf = &config->interface[0].altsetting[0];
	for (int i = 0; i < intf->bNumEndpoints; i++) {
		const struct libusb_endpoint_descriptor *ep = &intf->endpoint[i];

		if ((ep->bmAttributes & 3) == LIBUSB_TRANSFER_TYPE_INTERRUPT)
			h->interrupt = ep->bEndpointAddress;
		else if (ep->bEndpointAddress & LIBUSB_ENDPOINT_IN)
			h->in = ep->bEndpointAddress;
		else
			h->out = ep->bEndpointAddress;
		if ((ep->bmAttributes & 3) == LIBUSB_TRANSFER_TYPE_BULK)
			h->packet_len = ep->wMaxPacketSize;
	}
	libusb_free_config_descriptor(config);
}

/* Starts the reader with up to four more words on its command line. */
static void start(struct host *h, const char *a, const char *b, const char *c, const char *d)
{
	h->reader = fork();
	ASSERT_LE(0, h->reader);
	if (h->reader == 0) {
		(void)execlp("keyferry-echo-reader", "keyferry-echo-reader", "run", "--state", "x",
			     "--gadget", a, b, c, d, (char *)NULL);
		_exit(127);
	}
}

static void connect_to(struct host *h)
{
	ASSERT_TRUE(open_device(h));
	take_endpoints(h);
	ASSERT_EQ(0, libusb_claim_interface(h->dev, 0));
}

static void leave(struct host *h)
{
	if (h->dev)
		libusb_close(h->dev);
	h->dev = NULL;
}

static int stop(struct host *h, int signo)
{
	int status = 0;

	if (h->reader <= 0)
		return -1;
	(void)kill(h->reader, signo);
	(void)waitpid(h->reader, &status, 0);
	h->reader = 0;
	return status;
}

FIXTURE_SETUP(gadget)
{
	self->host = (struct host){ 0 };
}

FIXTURE_TEARDOWN(gadget)
{
	leave(&self->host);
	(void)stop(&self->host, SIGTERM);
	(void)device_is_gone(); /* or the next test might find it */
	if (self->host.usb)
		libusb_exit(self->host.usb);
}

static int send_raw(struct host *h, struct bytes b)
{
	int n = 0;
	int r = libusb_bulk_transfer(h->dev, h->out, (unsigned char *)(uintptr_t)b.p, (int)b.n, &n,
				     TRANSFER_MS);

	return r == 0 && (size_t)n != b.n ? LIBUSB_ERROR_IO : r;
}

/* Return: bytes, or libusb's error. */
static int take_raw(struct host *h, int ask, unsigned int ms)
{
	int n = 0;
	int r = libusb_bulk_transfer(h->dev, h->in, h->frame, ask, &n, ms);

	return r < 0 ? r : n;
}

/* A message of @type with @data, its length being @claim if that is not negative. */
static int send_message(struct host *h, uint8_t type, struct bytes data, long claim)
{
	static uint8_t buf[FRAME_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, type);
	pack_le32(&p, claim < 0 ? (uint32_t)data.n : (uint32_t)claim);
	pack_u8(&p, 0);
	pack_u8(&p, ++h->seq);
	pack_zero(&p, 3);
	pack_bytes(&p, data);
	return send_raw(h, pack_done(&p));
}

static int ask(struct host *h, uint8_t type, struct bytes data)
{
	int r = send_message(h, type, data, -1);

	return r < 0 ? r : take_raw(h, FRAME_MAX, TRANSFER_MS);
}

static void power_on(struct host *h)
{
	ASSERT_EQ(10 + (int)sizeof(vcard_atr_default), ask(h, 0x62, BYTES_NONE));
	ASSERT_EQ(0x00, h->frame[7]);
}

/* bStatus of the slot. */
static int slot_status(struct host *h)
{
	return ask(h, 0x65, BYTES_NONE) == 10 ? h->frame[7] : -1;
}

/* Echo of @n bytes of data, as an extended APDU; its command has 9 + n bytes, its answer 2 + n. */
static struct bytes echo(size_t n)
{
	static uint8_t buf[FRAME_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_be32(&p, 0x00ee0000);
	pack_u8(&p, 0);
	pack_be16(&p, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		pack_u8(&p, (uint8_t)(i * 7));
	pack_be16(&p, 0);
	return pack_done(&p);
}

/* Whether an echo of @n bytes comes back whole. */
static bool echoes(struct host *h, size_t n)
{
	struct bytes command = echo(n);

	if (ask(h, 0x6f, command) != (int)(10 + n + 2))
		return false;
	return bytes_equal(bytes_slice(command, 7, n), BYTES(h->frame + 10, n));
}

static void begin(struct host *h, const char *a, const char *b)
{
	start(h, a, b, NULL, NULL);
	connect_to(h);
}

/* --- what it is --- */

TEST_F_TIMEOUT(gadget, the_device_shows_its_ids_and_names, 60)
{
	struct libusb_device_descriptor desc;
	unsigned char name[64];

	begin(&self->host, NULL, NULL);
	ASSERT_EQ(0, libusb_get_device_descriptor(libusb_get_device(self->host.dev), &desc));
	EXPECT_EQ(0x0100, desc.bcdDevice);
	ASSERT_LT(0, libusb_get_string_descriptor_ascii(self->host.dev, desc.iProduct, name,
							sizeof(name)));
	EXPECT_STREQ("keyferry virtual reader", (char *)name);
	ASSERT_LT(0, libusb_get_string_descriptor_ascii(self->host.dev, desc.iManufacturer, name,
							sizeof(name)));
	EXPECT_STREQ("keyferry", (char *)name);
}

TEST_F_TIMEOUT(gadget, the_interface_is_a_ccid_reader_with_the_packets_of_its_speed, 60)
{
	struct libusb_config_descriptor *config = NULL;
	const struct libusb_interface_descriptor *intf;
	const char *speed = getenv("SPEED");

	begin(&self->host, NULL, NULL);
	ASSERT_EQ(0,
		  libusb_get_active_config_descriptor(libusb_get_device(self->host.dev), &config));
	intf = &config->interface[0].altsetting[0];
	EXPECT_EQ(0x0b, intf->bInterfaceClass);
	ASSERT_EQ(54, intf->extra_length);
	EXPECT_EQ(0x21, intf->extra[1]);
	EXPECT_EQ(3, intf->bNumEndpoints);
	libusb_free_config_descriptor(config);
	EXPECT_EQ(speed && strcmp(speed, "full") == 0 ? 64 : 512, self->host.packet_len);
}

TEST_F_TIMEOUT(gadget, a_reader_without_an_interrupt_endpoint_has_two, 60)
{
	begin(&self->host, "--no-interrupt", NULL);
	EXPECT_EQ(0, self->host.interrupt);
	power_on(&self->host);
	EXPECT_TRUE(echoes(&self->host, 5));
}

/* --- the edges of messages --- */

TEST_F_TIMEOUT(gadget, messages_of_every_length_round_a_packet_come_through, 60)
{
	size_t packet;

	begin(&self->host, NULL, NULL);
	packet = (size_t)self->host.packet_len;
	power_on(&self->host);
	for (size_t n = packet - 22; n <= packet - 8; n++)
		ASSERT_TRUE(echoes(&self->host, n));
	ASSERT_TRUE(echoes(&self->host, 3 * packet - 19));
	ASSERT_TRUE(echoes(&self->host, 65000));
}

TEST_F_TIMEOUT(gadget, an_empty_packet_after_a_command_that_fills_its_packets_is_no_command, 60)
{
	struct host *h = &self->host;
	size_t n;

	begin(h, NULL, NULL);
	power_on(h);
	n = (size_t)h->packet_len - 19; /* 10 + 9 + n: one packet, filled */
	ASSERT_EQ(0, send_message(h, 0x6f, echo(n), -1));
	ASSERT_EQ(0, send_raw(h, BYTES(h->frame, 0)));
	ASSERT_EQ((int)n + 12, take_raw(h, FRAME_MAX, TRANSFER_MS));
	ASSERT_TRUE(echoes(h, 7));
}

TEST_F_TIMEOUT(gadget, an_answer_that_fills_its_packets_ends_with_an_empty_one, 60)
{
	struct host *h = &self->host;

	begin(h, NULL, NULL);
	power_on(h);
	ASSERT_EQ(0, send_message(h, 0x6f, echo((size_t)h->packet_len - 12), -1));
	/* Asked for one packet, it comes alone, and the empty one is still there. */
	ASSERT_EQ(h->packet_len, take_raw(h, h->packet_len, TRANSFER_MS));
	EXPECT_EQ(0, take_raw(h, h->packet_len, TRANSFER_MS));
}

TEST_F_TIMEOUT(gadget, that_empty_packet_is_left_out_on_request, 60)
{
	struct host *h = &self->host;

	begin(h, "--no-zlp", NULL);
	power_on(h);
	ASSERT_EQ(0, send_message(h, 0x6f, echo((size_t)h->packet_len - 12), -1));
	ASSERT_EQ(h->packet_len, take_raw(h, h->packet_len, TRANSFER_MS));
	EXPECT_EQ(LIBUSB_ERROR_TIMEOUT, take_raw(h, h->packet_len, SHORT_MS));
	EXPECT_TRUE(echoes(h, 5));
}

/* --- halts --- */

TEST_F_TIMEOUT(gadget, a_message_that_lies_about_its_length_halts_the_pipe_until_cleared, 60)
{
	struct host *h = &self->host;

	begin(h, NULL, NULL);
	power_on(h);
	ASSERT_EQ(0, send_message(h, 0x6f, BYTES("\0\1\2", 3), 100));
	for (int i = 0; i < 50 && send_message(h, 0x65, BYTES_NONE, -1) != LIBUSB_ERROR_PIPE; i++)
		pause_ms(20);
	ASSERT_EQ(LIBUSB_ERROR_PIPE, send_message(h, 0x65, BYTES_NONE, -1));
	ASSERT_EQ(0, libusb_clear_halt(h->dev, h->out));
	while (take_raw(h, FRAME_MAX, SHORT_MS) > 0)
		; /* of commands before the halt was set */
	EXPECT_TRUE(echoes(h, 9));
}

TEST_F_TIMEOUT(gadget, a_halted_answer_is_lost_and_the_next_one_comes, 60)
{
	struct host *h = &self->host;

	begin(h, "--misbehave", "stall");
	power_on(h);
	EXPECT_EQ(LIBUSB_ERROR_PIPE, ask(h, 0x6f, echo(5)));
	EXPECT_EQ(LIBUSB_ERROR_PIPE, take_raw(h, FRAME_MAX, SHORT_MS));
	ASSERT_EQ(0, libusb_clear_halt(h->dev, h->in));
	EXPECT_TRUE(echoes(h, 9));
}

TEST_F_TIMEOUT(gadget, a_reader_that_does_not_read_accepts_nothing, 60)
{
	struct host *h = &self->host;
	int n = 0;

	begin(h, "--misbehave", "nak");
	power_on(h);
	ASSERT_EQ(0, send_message(h, 0x6f, echo(5), -1));
	pause_ms(SHORT_MS);
	/* One more can have been under way when the reader went deaf. */
	(void)libusb_bulk_transfer(h->dev, h->out, h->frame, 10, &n, SHORT_MS);
	EXPECT_EQ(LIBUSB_ERROR_TIMEOUT,
		  libusb_bulk_transfer(h->dev, h->out, h->frame, 10, &n, SHORT_MS));
}

/* --- control requests --- */

static int control(struct host *h, uint8_t type, uint8_t request, uint16_t value, uint16_t len)
{
	return libusb_control_transfer(h->dev, type, request, value, 0, h->frame, len, TRANSFER_MS);
}

TEST_F_TIMEOUT(gadget, a_command_is_aborted_by_the_pair_of_requests, 60)
{
	struct host *h = &self->host;
	static const uint8_t slow[] = { 0x00, 0x5a, 0x0f, 0xa0 }; /* 4 s */
	uint8_t message[10] = { 0x72 };

	begin(h, NULL, NULL);
	power_on(h);
	ASSERT_EQ(0, send_message(h, 0x6f, BYTES_OF(slow), -1));
	h->seq++;
	ASSERT_EQ(0, control(h, 0x21, 0x01, (uint16_t)(h->seq << 8), 0));
	message[6] = h->seq;
	ASSERT_EQ(0, send_raw(h, BYTES_OF(message)));
	do
		ASSERT_LE(10, take_raw(h, FRAME_MAX, TRANSFER_MS));
	while (h->frame[0] != 0x81);
	EXPECT_EQ(h->seq, h->frame[6]);
	EXPECT_EQ(0x00, h->frame[7]);
}

TEST_F_TIMEOUT(gadget, a_control_request_that_the_reader_does_not_know_stalls, 60)
{
	struct host *h = &self->host;

	begin(h, NULL, NULL);
	EXPECT_EQ(LIBUSB_ERROR_PIPE, control(h, 0xa1, 0x77, 0, 8));
	EXPECT_EQ(LIBUSB_ERROR_PIPE, control(h, 0x21, 0x77, 0, 0));
	EXPECT_EQ(LIBUSB_ERROR_PIPE, control(h, 0x21, 0x01, 0, 8));
	EXPECT_EQ(LIBUSB_ERROR_PIPE, control(h, 0x21, 0x01, 0x0009, 0)); /* slot 9 */
	power_on(h);
	EXPECT_TRUE(echoes(h, 3));
}

/* --- power and life --- */

TEST_F_TIMEOUT(gadget, the_card_is_powered_by_the_host_alone, 60)
{
	begin(&self->host, NULL, NULL);
	EXPECT_EQ(0x01, slot_status(&self->host));
	power_on(&self->host);
	EXPECT_EQ(0x00, slot_status(&self->host));
}

TEST_F_TIMEOUT(gadget, a_bus_reset_takes_the_card_its_power, 60)
{
	struct host *h = &self->host;

	begin(h, NULL, NULL);
	power_on(h);
	ASSERT_EQ(0, libusb_reset_device(h->dev));
	EXPECT_EQ(0x01, slot_status(h));
	power_on(h);
	EXPECT_TRUE(echoes(h, 3));
}

TEST_F_TIMEOUT(gadget, another_configuration_and_back_takes_the_card_its_power, 60)
{
	struct host *h = &self->host;

	begin(h, NULL, NULL);
	power_on(h);
	ASSERT_EQ(0, libusb_release_interface(h->dev, 0));
	ASSERT_EQ(0, libusb_set_configuration(h->dev, -1));
	ASSERT_EQ(0, libusb_set_configuration(h->dev, 1));
	ASSERT_EQ(0, libusb_claim_interface(h->dev, 0));
	EXPECT_EQ(0x01, slot_status(h));
}

/* power/NAME of the device in sysfs. */
static void power_path(struct host *h, const char *name, char path[static 128])
{
	libusb_device *dev = libusb_get_device(h->dev);

	(void)snprintf(path, 128, "/sys/bus/usb/devices/%d-%d/power/%s", libusb_get_bus_number(dev),
		       libusb_get_port_number(dev), name);
}

static void write_file(const char *path, const char *value)
{
	FILE *f = fopen(path, "w");

	ASSERT_NOT_NULL(f);
	ASSERT_LE(0, fputs(value, f));
	ASSERT_EQ(0, fclose(f));
}

static bool file_says(const char *path, const char *want)
{
	char word[32] = "";
	FILE *f = fopen(path, "r");
	bool said = f && fgets(word, sizeof(word), f) && strncmp(word, want, strlen(want)) == 0;

	if (f)
		(void)fclose(f);
	return said;
}

TEST_F_TIMEOUT(gadget, suspending_the_bus_takes_the_card_its_power, 60)
{
	struct host *h = &self->host;
	char control[128], delay[128], status[128];
	struct deadline until = deadline_in(WAIT_MS);

	begin(h, NULL, NULL);
	power_on(h);
	power_path(h, "control", control);
	power_path(h, "autosuspend_delay_ms", delay);
	power_path(h, "runtime_status", status);
	write_file(delay, "0");
	write_file(control, "auto");
	leave(h); /* an open device stays awake */
	while (!file_says(status, "suspended")) {
		ASSERT_FALSE(deadline_passed(until));
		pause_ms(50);
	}
	connect_to(h);
	EXPECT_EQ(0x01, slot_status(h));
	power_on(h);
	EXPECT_TRUE(echoes(h, 3));
}

TEST_F_TIMEOUT(gadget, a_card_that_moves_is_told_by_an_interrupt, 60)
{
	struct host *h = &self->host;
	uint8_t note[8];
	int n = 0;

	begin(h, NULL, NULL);
	ASSERT_EQ(0, libusb_interrupt_transfer(h->dev, h->interrupt, note, sizeof(note), &n,
					       TRANSFER_MS));
	EXPECT_BYTES_EQ(BYTES("\x50\x03", 2), BYTES(note, n));
	ASSERT_EQ(0, kill(h->reader, SIGUSR1));
	ASSERT_EQ(0, libusb_interrupt_transfer(h->dev, h->interrupt, note, sizeof(note), &n,
					       TRANSFER_MS));
	EXPECT_BYTES_EQ(BYTES("\x50\x02", 2), BYTES(note, n));
	EXPECT_EQ(0x02, slot_status(h));
}

TEST_F_TIMEOUT(gadget, interrupts_that_nobody_takes_hold_nothing_up, 60)
{
	struct host *h = &self->host;

	begin(h, "--misbehave", "interrupt-flood");
	power_on(h);
	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(echoes(h, 20));
}

TEST_F_TIMEOUT(gadget, a_reader_that_hangs_up_is_unplugged_and_plugged_in_again, 60)
{
	struct host *h = &self->host;
	struct deadline until;
	int address;

	begin(h, "--misbehave", "drop-connection");
	power_on(h);
	address = address_now();
	EXPECT_GT(0, ask(h, 0x6f, echo(5)));
	leave(h);
	for (until = deadline_in(WAIT_MS); address_now() == address || address_now() == 0;) {
		ASSERT_FALSE(deadline_passed(until));
		pause_ms(20);
	}
	connect_to(h);
	EXPECT_EQ(0x01, slot_status(h));
}

static int n_descriptions(void)
{
	DIR *dir = opendir("/sys/kernel/config/usb_gadget");
	struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return n;
}

TEST_F_TIMEOUT(gadget, a_stopped_reader_leaves_nothing_behind, 60)
{
	begin(&self->host, NULL, NULL);
	EXPECT_EQ(1, n_descriptions());
	leave(&self->host);
	EXPECT_EQ(0, stop(&self->host, SIGTERM));
	EXPECT_EQ(0, n_descriptions());
	EXPECT_TRUE(device_is_gone());
}

TEST_F_TIMEOUT(gadget, a_killed_reader_is_unplugged_and_the_next_one_cleans_up, 60)
{
	struct host *h = &self->host;

	begin(h, NULL, NULL);
	power_on(h);
	(void)stop(h, SIGKILL);
	EXPECT_GT(0, slot_status(h));
	leave(h);
	EXPECT_TRUE(device_is_gone());
	EXPECT_EQ(1, n_descriptions());
	begin(h, NULL, NULL);
	EXPECT_EQ(1, n_descriptions());
	power_on(h);
	EXPECT_TRUE(echoes(h, 3));
}

TEST_F_TIMEOUT(gadget, a_device_controller_serves_one_reader, 60)
{
	struct host second = { 0 };
	int status;

	begin(&self->host, NULL, NULL);
	start(&second, NULL, NULL, NULL, NULL);
	ASSERT_EQ(second.reader, waitpid(second.reader, &status, 0));
	EXPECT_EQ(4, WEXITSTATUS(status));
	power_on(&self->host);
	EXPECT_EQ(1, n_descriptions());
}
