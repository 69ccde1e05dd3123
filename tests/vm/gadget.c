/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vm/gadget.h"

#include "base/deadline.h"
#include "tests/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/usb/functionfs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIGFS	"/sys/kernel/config/usb_gadget"
#define DEVICES		"/sys/bus/usb/devices"
#define MESSAGE_MAX	4096
#define PATIENCE_MS	20000

static const uint8_t atr[] = { 0x3b, 0x80, 0x01, 0x81 };

/* --- files --- */

static bool try_put(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	bool good;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (!good)
		TEST_LOG("%s: %s", path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return good;
}

static void put_file(const char *dir, const char *name, const char *text)
{
	ASSERT_TRUE(try_put(dir, name, text));
}

static void put_number(const char *dir, const char *name, unsigned int n)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "0x%04x", n);
	put_file(dir, name, text);
}

bool gadget_read_file(const char *dir, const char *name, char *out, size_t cap)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, out, cap - 1);
	(void)close(fd);
	if (n < 0)
		return false;
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return true;
}

static void make_dir(const char *dir, const char *name, char *out, size_t cap)
{
	(void)snprintf(out, cap, "%s/%s", dir, name);
	ASSERT_TRUE(mkdir(out, 0755) == 0 || errno == EEXIST);
}

/* --- descriptors --- */

static void pack_class(struct packer *p, bool has_rates)
{
	pack_u8(p, 54);				/* [CCID 5.1], in its order */
	pack_u8(p, 0x21);
	pack_le16(p, 0x0110);
	pack_u8(p, 0);
	pack_u8(p, 7);
	pack_le32(p, 2);
	pack_le32(p, 4000);
	pack_le32(p, 4000);
	pack_u8(p, 0);
	pack_le32(p, 10752);
	pack_le32(p, 10752);
	pack_u8(p, has_rates);
	pack_le32(p, 254);
	pack_zero(p, 8);
	/* Short APDU level, all else automatic; a reader of TPDUs that does not negotiate is asked for rates. */
	pack_le32(p, has_rates ? 0x0001043a : 0x000204ba);
	pack_le32(p, 1034);
	pack_zero(p, 5);
	pack_u8(p, 1);
}

static void pack_interface(struct packer *p, unsigned int n_endpoints, bool has_rates)
{
	static const uint8_t endpoints[3][4] = {
		{ 0x01, 2, GADGET_PACKET, 0 }, { 0x82, 2, GADGET_PACKET, 0 }, { 0x83, 3, 8, 4 },
	};

	pack_u8(p, 9);				/* the numbers are the kernel's to fill in */
	pack_u8(p, 4);
	pack_zero(p, 2);
	pack_u8(p, (uint8_t)n_endpoints);
	pack_u8(p, 0x0b);
	pack_zero(p, 3);
	pack_class(p, has_rates);
	for (unsigned int i = 0; i < n_endpoints; i++) {
		pack_u8(p, 7);
		pack_u8(p, 5);
		pack_u8(p, endpoints[i][0]);
		pack_u8(p, endpoints[i][1]);
		pack_le16(p, endpoints[i][2]);
		pack_u8(p, endpoints[i][3]);
	}
}

static void write_descriptors(struct gadget_reader *reader)
{
	unsigned int n_endpoints = reader->gadget->shape.no_interrupt ? 2 : 3;
	uint8_t body_buf[256], buf[512];
	struct packer body = pack_begin(body_buf, sizeof(body_buf));
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_interface(&body, n_endpoints, reader->gadget->shape.end == ENDS_AT_RATES);
	pack_le32(&p, FUNCTIONFS_DESCRIPTORS_MAGIC_V2);
	pack_le32(&p, (uint32_t)(16 + body.n));
	pack_le32(&p, FUNCTIONFS_HAS_FS_DESC);
	pack_le32(&p, 2 + n_endpoints);
	pack_bytes(&p, pack_done(&body));
	ASSERT_EQ((ssize_t)p.n, write(reader->ep0, buf, p.n));

	p = pack_begin(buf, sizeof(buf));
	pack_le32(&p, FUNCTIONFS_STRINGS_MAGIC);
	pack_le32(&p, 16);
	pack_zero(&p, 8);
	ASSERT_EQ((ssize_t)p.n, write(reader->ep0, buf, p.n));
}

/* --- the reader --- */

/* An endpoint halts when it is used the wrong way round. */
static void stall_in(int fd)
{
	char byte;

	(void)!read(fd, &byte, 1);
}

static void stall_out(int fd)
{
	(void)!write(fd, "", 1);
}

/* With the empty packet behind a full one, unless @bare. */
static void send_in(struct gadget_reader *reader, struct bytes message, bool bare)
{
	if (write(reader->in, message.p, message.n) == (ssize_t)message.n && !bare &&
	    message.n % GADGET_PACKET == 0)
		(void)!write(reader->in, message.p, 0);
}

static void answer(struct gadget_reader *reader, const uint8_t *command, uint8_t type,
		   struct bytes data, bool bare)
{
	uint8_t buf[MESSAGE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, type);
	pack_le32(&p, (uint32_t)data.n);
	pack_u8(&p, command[5]);
	pack_u8(&p, command[6]);
	pack_u8(&p, reader->powered || reader->gadget->shape.always_active ? 0 : 1);
	pack_zero(&p, 2);
	pack_bytes(&p, data);
	send_in(reader, pack_done(&p), bare);
}

/* Takes all that it is told: T=1, as the card has it. */
static void answer_parameters(struct gadget_reader *reader, const uint8_t *command)
{
	const uint8_t message[] = {
		0x82, 7, 0, 0, 0, command[5], command[6], 0, 0, 1, 0x11, 0x10, 0, 0x4d, 0, 0xfe, 0,
	};

	send_in(reader, BYTES_OF(message), false);
}

static void split_answer(struct gadget_reader *reader, const uint8_t *command)
{
	uint8_t head[10] = { 0x80, 20, 0, 0, 0, command[5], command[6] };
	uint8_t payload[20] = { [18] = 0x90 };

	send_in(reader, BYTES_OF(head), true);
	send_in(reader, BYTES_OF(payload), true);
}

static void rest(const struct gadget_reader *reader, unsigned int ms)
{
	struct deadline end = deadline_in(ms);

	while (!deadline_passed(end) && !reader->ending)
		(void)usleep(10000);
}

static void apdu(struct gadget_reader *reader, const uint8_t *command, struct unpacker *u)
{
	uint8_t data[1024] = { 0 }, packet[GADGET_PACKET];
	size_t len = 2, p1p2;
	uint8_t ins;

	unpack_skip(u, 1);
	ins = unpack_u8(u);
	p1p2 = (size_t)unpack_u8(u) << 8;
	p1p2 |= unpack_u8(u);
	if ((ins == INS_SIZED || ins == INS_NO_ZERO_PACKET) && p1p2 >= 12 && p1p2 < 1024)
		len = p1p2 - 10;
	data[len - 2] = ins == INS_SELECT ? 0x6a : 0x90;
	data[len - 1] = ins == INS_SELECT ? 0x82 : 0x00;
	switch (ins) {
	case INS_SPLIT:
		split_answer(reader, command);
		return;
	case INS_STALL_IN:
		stall_in(reader->in);
		return;
	case INS_SILENT:
		return;
	case INS_DEAD:
		reader->dead = true;
		return;
	case INS_UNPLUG:
		gadget_unplug(reader->gadget);
		return;
	}
	answer(reader, command, 0x80, BYTES(data, len), ins == INS_NO_ZERO_PACKET);
	if (ins == INS_STALL_OUT)
		stall_out(reader->out);
	else if (ins == INS_DEAF)
		rest(reader, (unsigned int)p1p2);
	else if (ins == INS_PARTIAL_OUT && read(reader->out, packet, sizeof(packet)) > 0)
		stall_out(reader->out);
}

static bool ends(struct gadget_reader *reader, enum gadget_end at)
{
	if (reader->gadget->shape.end == at)
		gadget_unplug(reader->gadget);
	return reader->gadget->shape.end == at;
}

static void serve(struct gadget_reader *reader, struct bytes command)
{
	struct unpacker u = unpack_begin(command);
	uint8_t type = unpack_u8(&u);

	unpack_skip(&u, 9);
	reader->heard++;
	if (u.bad || reader->dead)
		return;
	switch (type) {
	case 0x62:
		reader->power_ons++;
		if (ends(reader, ENDS_AT_POWER_ON))
			return;
		reader->powered = true;
		answer(reader, command.p, 0x80, BYTES_OF(atr), false);
		return;
	case 0x6f:
		reader->apdus++;
		apdu(reader, command.p, &u);
		return;
	case 0x61:
	case 0x6c:
	case 0x6d:
		answer_parameters(reader, command.p);
		return;
	case 0x63:
		reader->powered = false;
		break;
	case 0x65:
		reader->slot_status++;
		if (ends(reader, ENDS_AT_STATUS))
			return;
		break;
	}
	answer(reader, command.p, 0x81, BYTES_NONE, false);
}

static void *serve_bulk(void *arg)
{
	struct gadget_reader *reader = arg;
	uint8_t buf[MESSAGE_MAX];

	while (!reader->ending) {
		size_t cap = reader->gadget->shape.by_packet ? GADGET_PACKET : sizeof(buf);
		ssize_t n = read(reader->out, buf, cap);

		if (n > 0)
			serve(reader, BYTES(buf, (size_t)n));
		else if (n == 0)
			reader->zero_packets++;
		else if (errno != EINTR)
			(void)usleep(2000);	/* unplugged */
	}
	return NULL;
}

static void on_setup(struct gadget_reader *reader, const struct usb_ctrlrequest *setup)
{
	bool in = (setup->bRequestType & 0x80) != 0;
	bool abort = setup->bRequestType == 0x21 && setup->bRequest == 0x01;
	char byte;

	reader->aborts += abort;
	if (setup->bRequestType == 0xa1 && setup->bRequest == 0x03 && ends(reader, ENDS_AT_RATES))
		return;
	if (reader->mute_control || (reader->dead && abort))
		return;
	/* Answered the right way round an ABORT is done, all else is stalled by the wrong one. */
	if (abort || in)
		(void)!read(reader->ep0, &byte, 0);
	else
		(void)!write(reader->ep0, &byte, 0);
}

static void *serve_control(void *arg)
{
	struct gadget_reader *reader = arg;

	while (!reader->ending) {
		struct usb_functionfs_event event;
		struct pollfd fd = { .fd = reader->ep0, .events = POLLIN };

		if (poll(&fd, 1, 50) <= 0 ||
		    read(reader->ep0, &event, sizeof(event)) != sizeof(event))
			continue;
		if (event.type == FUNCTIONFS_ENABLE) {
			reader->enables++;
			reader->dead = false;
			reader->powered = false;
		} else if (event.type == FUNCTIONFS_SETUP) {
			on_setup(reader, &event.u.setup);
		}
	}
	return NULL;
}

/* --- life --- */

static int open_endpoint(const struct gadget_reader *reader, const char *name)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", reader->dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	return fd;
}

static void link_function(const struct gadget *gadget, const char *function)
{
	char from[128], to[128];

	(void)snprintf(from, sizeof(from), "%s/functions/%s", gadget->config_dir, function);
	(void)snprintf(to, sizeof(to), "%s/configs/c.1/%s", gadget->config_dir, function);
	ASSERT_EQ(0, symlink(from, to));
}

static void add_reader(struct gadget *gadget, unsigned int index)
{
	struct gadget_reader *reader = calloc(1, sizeof(*reader));
	char path[128], name[32], function[64];

	ASSERT_NOT_NULL(reader);
	gadget->readers[index] = reader;
	reader->gadget = gadget;
	(void)snprintf(name, sizeof(name), "%s.%u", gadget->name, index);
	(void)snprintf(function, sizeof(function), "functions/ffs.%s", name);
	make_dir(gadget->config_dir, function, path, sizeof(path));
	make_dir("/tmp", name, reader->dir, sizeof(reader->dir));
	ASSERT_EQ(0, mount(name, reader->dir, "functionfs", 0, NULL));
	reader->ep0 = open_endpoint(reader, "ep0");
	write_descriptors(reader);
	reader->out = open_endpoint(reader, "ep1");
	reader->in = open_endpoint(reader, "ep2");
	reader->notice = gadget->shape.no_interrupt ? -1 : open_endpoint(reader, "ep3");
	link_function(gadget, function + strlen("functions/"));
	ASSERT_EQ(0, pthread_create(&reader->control_thread, NULL, serve_control, reader));
	ASSERT_EQ(0, pthread_create(&reader->bulk_thread, NULL, serve_bulk, reader));
}

static const uint8_t keyboard_report[] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25,
	0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, 0x95, 0x01, 0x75, 0x08, 0x81, 0x03, 0x95, 0x06,
	0x75, 0x08, 0x15, 0x00, 0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00, 0xc0,
};

static void add_keyboard(struct gadget *gadget)
{
	char dir[128], path[160];
	int fd;

	make_dir(gadget->config_dir, "functions/hid.kbd", dir, sizeof(dir));
	put_file(dir, "protocol", "1");
	put_file(dir, "subclass", "1");
	put_file(dir, "report_length", "8");
	(void)snprintf(path, sizeof(path), "%s/report_desc", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_EQ((ssize_t)sizeof(keyboard_report),
		  write(fd, keyboard_report, sizeof(keyboard_report)));
	(void)close(fd);
	link_function(gadget, "hid.kbd");
}

static void find_controller(struct gadget *gadget)
{
	DIR *dir = opendir("/sys/class/udc");
	struct dirent *e;

	ASSERT_NOT_NULL(dir);
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			(void)snprintf(gadget->udc, sizeof(gadget->udc), "%.31s", e->d_name);
	(void)closedir(dir);
	ASSERT_NE('\0', gadget->udc[0]);
}

static void on_signal(int signal)
{
	(void)signal;
}

void gadget_start(struct gadget *gadget, const struct gadget_shape *shape)
{
	const struct sigaction interrupt = { .sa_handler = on_signal };	/* without SA_RESTART */
	char path[160];

	*gadget = (struct gadget){ .shape = *shape };
	(void)sigaction(SIGUSR1, &interrupt, NULL);
	(void)snprintf(gadget->name, sizeof(gadget->name), "kf%d", (int)getpid() % 100000);
	find_controller(gadget);
	make_dir(CONFIGFS, gadget->name, gadget->config_dir, sizeof(gadget->config_dir));
	put_number(gadget->config_dir, "idVendor", shape->vendor ? shape->vendor : 0x1209);
	put_number(gadget->config_dir, "idProduct", shape->product ? shape->product : 0x2702);
	make_dir(gadget->config_dir, "strings/0x409", path, sizeof(path));
	put_file(path, "manufacturer", "keyferry");
	put_file(path, "product", "hostile reader");
	put_file(path, "serialnumber", gadget->name);
	make_dir(gadget->config_dir, "configs/c.1", path, sizeof(path));
	if (shape->keyboard)
		add_keyboard(gadget);
	for (unsigned int i = 0; i < (shape->n_readers ? shape->n_readers : 1); i++)
		add_reader(gadget, i);
	gadget_plug(gadget);
}

void gadget_plug(struct gadget *gadget)
{
	gadget->plugged = true;
	put_file(gadget->config_dir, "UDC", gadget->udc);
}

void gadget_unplug(struct gadget *gadget)
{
	if (atomic_exchange(&gadget->plugged, false))
		(void)try_put(gadget->config_dir, "UDC", "\n");
}

/* A thread in a read of an endpoint sits there until a signal comes. */
static void stop_thread(pthread_t thread)
{
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		(void)pthread_kill(thread, SIGUSR1);
		(void)usleep(2000);
	}
}

static void stop_reader(struct gadget_reader *reader)
{
	reader->ending = true;
	stop_thread(reader->bulk_thread);
	stop_thread(reader->control_thread);
	(void)close(reader->out);
	(void)close(reader->in);
	if (reader->notice >= 0)
		(void)close(reader->notice);
	(void)close(reader->ep0);
	(void)umount(reader->dir);
	(void)rmdir(reader->dir);
	free(reader);
}

void gadget_stop(struct gadget *gadget)
{
	char command[512];

	if (!gadget->config_dir[0])
		return;
	gadget_unplug(gadget);
	for (unsigned int i = 0; i < GADGET_READERS; i++)
		if (gadget->readers[i])
			stop_reader(gadget->readers[i]);
	(void)snprintf(command, sizeof(command),
		       "cd %s && rm -f configs/c.1/ffs.* configs/c.1/hid.* && rmdir configs/c.1 && "
		       "rmdir functions/* strings/0x409 && cd / && rmdir %s", gadget->config_dir,
		       gadget->config_dir);
	if (system(command) != 0)
		TEST_LOG("%s stays behind", gadget->config_dir);
	*gadget = (struct gadget){ 0 };
}

/* --- the host's view --- */

static bool find_device(const struct gadget *gadget, char *out, size_t cap)
{
	DIR *dir = opendir(DEVICES);
	bool found = false;
	struct dirent *e;

	if (!dir)
		return false;
	while (!found && (e = readdir(dir))) {
		char serial[64];

		(void)snprintf(out, cap, DEVICES "/%s", e->d_name);
		found = gadget_read_file(out, "serial", serial, sizeof(serial)) &&
			strcmp(serial, gadget->name) == 0;
	}
	(void)closedir(dir);
	return found;
}

void gadget_sysfs(const struct gadget *gadget, char *out, size_t cap)
{
	int left = PATIENCE_MS;

	for (; !find_device(gadget, out, cap) && left > 0; left -= 5)
		(void)usleep(5000);
	ASSERT_GT(left, 0);
}

int gadget_open(const struct gadget *gadget)
{
	char sysfs[256], bus[8], device[8], value[8], path[64];
	int fd, left = PATIENCE_MS;

	gadget_sysfs(gadget, sysfs, sizeof(sysfs));
	while (left > 0 && !(gadget_read_file(sysfs, "bConfigurationValue", value, sizeof(value)) &&
			     value[0] == '1')) {
		(void)usleep(5000);
		left -= 5;
	}
	ASSERT_TRUE(gadget_read_file(sysfs, "busnum", bus, sizeof(bus)));
	ASSERT_TRUE(gadget_read_file(sysfs, "devnum", device, sizeof(device)));
	(void)snprintf(path, sizeof(path), "/dev/bus/usb/%03d/%03d", atoi(bus), atoi(device));
	while ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0 && left > 0) {
		(void)usleep(5000);
		left -= 5;
	}
	ASSERT_GE(fd, 0);
	return fd;
}

int gadget_notify(struct gadget_reader *reader, struct bytes message)
{
	return write(reader->notice, message.p, message.n) < 0 ? -errno : 0;
}

void gadget_stall_notices(struct gadget_reader *reader)
{
	stall_in(reader->notice);
}
