/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A monitor in this process over a bus made of files, with a script for a driver and this test at
 * the other end of its link to the broker.
 *
 * Faces: daemon/monitor/port_usb.c
 */
#include "base/driver_exit.h"
#include "daemon/monitor/monitor.h"
#include "tests/daemon/monitor/tree.h"

#include <signal.h>
#include <sys/socket.h>

#define READER "Acme-Reader-One-A1@"

FIXTURE(bus) {
	struct tree tree;
	struct config config;
	struct monitor monitor;
	int link, drivers[128];
	size_t n_drivers;
	struct spawn_msg msg;
};

/* Ends with its link, with what is in ./status, or at once if that holds "now N". */
static const char driver_script[] =
	"#!/bin/sh\n"
	"dir=${0%/*}\n"
	"echo \"$$ $*\" >>$dir/drivers\n"
	"read -r now status <$dir/status && [ $now = now ] && exit $status\n"
	"cat <&3 >/dev/null\n";

static void set_status(struct fixture_bus *self, const char *text)
{
	tree_run("echo '%s' >%s/status", text, self->tree.dir);
}

static void write_driver(struct fixture_bus *self)
{
	int fd;

	snprintf(self->monitor.driver_path, PATH_MAX, "%s/driver", self->tree.dir);
	fd = open(self->monitor.driver_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	ASSERT_EQ((ssize_t)strlen(driver_script), write(fd, driver_script, strlen(driver_script)));
	fd_close(fd);
	set_status(self, "wait 0");
}

FIXTURE_SETUP(bus)
{
	int pair[2];

	self->link = -1;
	tree_init(&self->tree);
	self->config = (struct config){ .usb = &self->tree.roots };
	self->monitor = (struct monitor){ .config = &self->config, .loop = LOOP_INIT,
		.link = SOURCE_INIT, .inotify = SOURCE_INIT };
	list_init(&self->monitor.ports);
	write_driver(self);
	ASSERT_EQ(0, loop_init(&self->monitor.loop));
	if (bus_init(&self->monitor.bus, &self->monitor) < 0)
		SKIP("no uevent socket here");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	self->link = pair[0];
	self->monitor.link.fd = pair[1];
}
FIXTURE_TEARDOWN(bus)
{
	struct port *port;

	self->monitor.ending = true;
	bus_deinit(&self->monitor.bus);
	while ((port = list_first(&self->monitor.ports, struct port, link)))
		port_free(port);
	for (size_t i = 0; i < self->n_drivers; i++)
		fd_close(self->drivers[i]);
	fd_close(self->link);
	fd_close(self->monitor.link.fd);
	loop_deinit(&self->monitor.loop);
	tree_deinit(&self->tree);
}

/* Keeps its end of a driver's link, so that the driver lives. */
static bool take(struct fixture_bus *self)
{
	int fd = -1;

	if (spawn_recv(self->link, &self->msg, &fd) < 0)
		return false;
	if (fd >= 0) {
		ASSERT_LT(self->n_drivers, 128u);
		self->drivers[self->n_drivers++] = fd;
	}
	return true;
}

/* The next thing the broker is told, or 0 when nothing is for @ms. */
static int told_within(struct fixture_bus *self, int ms)
{
	uint64_t until = now_ns() + ms_to_ns((uint64_t)ms);

	do {
		if (take(self))
			return (int)self->msg.kind;
		ASSERT_EQ(0, loop_turn(&self->monitor.loop, 5));
	} while (now_ns() < until);
	return take(self) ? (int)self->msg.kind : 0;
}

static int told(struct fixture_bus *self)
{
	return told_within(self, harness_patience_ms(4000));
}

/* Nothing, for long enough that something would have come. */
static bool quiet(struct fixture_bus *self)
{
	return told_within(self, 150) == 0;
}

static void look(struct fixture_bus *self)
{
	bus_look(&self->monitor.bus);
}

static void hang_up(struct fixture_bus *self)
{
	while (self->n_drivers > 0)
		fd_close(self->drivers[--self->n_drivers]);
}

static void expect_start(struct fixture_bus *self, const char *name)
{
	ASSERT_EQ(SPAWN_READER_ADD, told(self));
	EXPECT_STREQ(name, self->msg.name);
	EXPECT_EQ(SPAWN_DRIVER, told(self));
}

static void expect_state(struct fixture_bus *self, uint32_t state)
{
	EXPECT_EQ(SPAWN_READER_STATE, told(self));
	EXPECT_EQ(state, self->msg.state);
}

/* How many drivers were started, once it is @want; or the last number seen. */
static int starts(struct fixture_bus *self, int want)
{
	char path[96], line[256];
	int n = 0;

	snprintf(path, sizeof(path), "%s/drivers", self->tree.dir);
	for (int i = 0; i < harness_patience_ms(3000) / 10 && n != want; i++) {
		_cleanup_(fclosep) FILE *file = fopen(path, "re");

		for (n = 0; file && fgets(line, sizeof(line), file);)
			n++;
		if (n != want)
			ASSERT_EQ(0, loop_turn(&self->monitor.loop, 10));
	}
	return n;
}

static void plug_and_start(struct fixture_bus *self)
{
	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	look(self);
	expect_start(self, READER "1-2:1.0");
	EXPECT_EQ(1, starts(self, 1));
}

TEST_F(bus, H18_what_is_there_at_the_start_is_served_and_the_driver_told_how)
{
	char path[96], line[256] = "", want[256];
	FILE *file;

	plug_and_start(self);
	snprintf(path, sizeof(path), "%s/drivers", self->tree.dir);
	file = fopen(path, "re");
	ASSERT_NOT_NULL(file);
	ASSERT_NOT_NULL(fgets(line, sizeof(line), file));
	fclose(file);
	snprintf(want, sizeof(want), " --link-fd 3 --reader-fd 4 --name " READER "1-2:1.0 "
		 "--transport usb --interface 0\n");
	EXPECT_STREQ(want, strchr(line, ' '));
}

TEST_F(bus, H1_H2_H7_looking_again_changes_nothing_and_one_that_went_is_gone)
{
	plug_and_start(self);
	for (int i = 0; i < 5; i++)
		look(self);
	EXPECT_TRUE(quiet(self));
	tree_unplug(&self->tree, "1-2");
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	look(self);
	hang_up(self);
	EXPECT_TRUE(quiet(self));
	EXPECT_EQ(0u, self->monitor.n_ports);
	EXPECT_EQ(1, starts(self, 1));
}

TEST_F(bus, a_reader_that_is_not_ours_is_left_alone_and_left_when_the_rules_change)
{
	plug_and_start(self);
	self->monitor.conf.n_leave = 1;
	strcpy(self->monitor.conf.leave[0].port, "1-2");
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	look(self);
	hang_up(self);
	look(self);
	EXPECT_TRUE(quiet(self));
	EXPECT_EQ(0u, self->monitor.n_ports);
	self->monitor.conf.n_leave = 0;
	look(self);
	EXPECT_EQ(SPAWN_READER_ADD, told(self));
}

TEST_F(bus, H2_another_device_at_the_same_port_is_a_departure_and_an_arrival)
{
	plug_and_start(self);
	tree_unplug(&self->tree, "1-2");
	tree_plug(&self->tree, "1-2", TREE_FULL);
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	expect_start(self, READER "1-2:1.0");		/* under its old name */
	look(self);
	EXPECT_TRUE(quiet(self));
}

TEST_F(bus, D16_H15_two_interfaces_are_two_readers_with_a_driver_each)
{
	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	tree_interface(&self->tree, "1-2", 1, "0b\n");
	look(self);
	expect_start(self, READER "1-2:1.0");
	expect_start(self, READER "1-2:1.1");
	EXPECT_EQ(2, starts(self, 2));
	kill(list_first(&self->monitor.ports, struct port, link)->driver.pid, SIGKILL);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	EXPECT_EQ(SPAWN_DRIVER, told(self));
	EXPECT_TRUE(quiet(self));
}

TEST_F(bus, H8_a_node_that_comes_late_is_waited_for)
{
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	look(self);
	EXPECT_EQ(SPAWN_READER_ADD, told(self));
	EXPECT_EQ(0, told_within(self, 100));
	tree_nodes(&self->tree);
	EXPECT_EQ(SPAWN_DRIVER, told(self));
}

TEST_F_TIMEOUT(bus, H8_one_that_does_not_come_is_given_up_until_something_happens, 20)
{
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	look(self);
	EXPECT_EQ(SPAWN_READER_ADD, told(self));
	EXPECT_EQ(SPAWN_READER_STATE, told_within(self, harness_patience_ms(8000)));
	EXPECT_EQ((uint32_t)KF_READER_NO_ACCESS, self->msg.state);
	EXPECT_EQ(0u, self->monitor.loop.n_heap);	/* no timer: it costs nothing from now on */
	tree_nodes(&self->tree);
	look(self);
	EXPECT_EQ(SPAWN_DRIVER, told(self));
}

TEST_F(bus, H8_a_node_that_is_not_ours_is_no_failure_of_the_driver)
{
	struct port *port;

	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	tree_put(&self->tree, "1-2", "descriptors", "not eighteen zero bytes\n");
	look(self);
	expect_start(self, READER "1-2:1.0");
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	port = list_first(&self->monitor.ports, struct port, link);
	EXPECT_EQ(PORT_WAITING, port->state);
	EXPECT_EQ(-ESTALE, port->error);
	EXPECT_EQ(0u, port->restarts);
	EXPECT_EQ(0, access(self->tree.dir, F_OK));
	EXPECT_EQ(0, starts(self, 0));			/* H14: it never got as far */
}

static void claim(struct fixture_bus *self, bool claimed)
{
	tree_run(claimed ? "ln -s usbfs %s/devices/1-2/1-2:1.0/driver" :
		 "rm %s/devices/1-2/1-2:1.0/driver", self->tree.sysfs);
}

TEST_F(bus, H9_a_claimed_reader_is_busy_elsewhere_and_served_when_it_is_let_go)
{
	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	claim(self, true);
	look(self);
	EXPECT_EQ(SPAWN_READER_ADD, told(self));
	expect_state(self, KF_READER_BUSY);
	EXPECT_EQ(0, starts(self, 0));			/* it was not even touched */
	claim(self, false);
	look(self);					/* the kernel says unbind */
	EXPECT_EQ(SPAWN_DRIVER, told(self));
}

TEST_F(bus, H9_it_is_found_free_without_a_message_too)
{
	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	claim(self, true);
	look(self);
	EXPECT_EQ(SPAWN_READER_ADD, told(self));
	expect_state(self, KF_READER_BUSY);
	claim(self, false);
	while (told(self) == SPAWN_READER_STATE)
		;
	EXPECT_EQ(SPAWN_DRIVER, (int)self->msg.kind);
}

TEST_F(bus, H9_a_driver_that_finds_it_claimed_has_not_failed)
{
	struct port *port;

	set_status(self, "now 3");
	plug_and_start(self);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	expect_state(self, KF_READER_BUSY);
	port = list_first(&self->monitor.ports, struct port, link);
	EXPECT_EQ(0u, port->restarts);
	set_status(self, "wait 0");
	EXPECT_EQ(SPAWN_DRIVER, told(self));
}

TEST_F(bus, a_refused_reader_is_left_alone_until_it_is_replugged)
{
	set_status(self, "now 4");
	plug_and_start(self);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	expect_state(self, KF_READER_REFUSED);
	look(self);
	EXPECT_TRUE(quiet(self));
	EXPECT_EQ(0u, self->monitor.loop.n_heap);
	set_status(self, "wait 0");
	tree_unplug(&self->tree, "1-2");
	tree_plug(&self->tree, "1-2", TREE_FULL);
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	expect_start(self, READER "1-2:1.0");
}

TEST_F(bus, a_killed_driver_is_followed_by_another_with_a_node_opened_anew)
{
	plug_and_start(self);
	kill(list_first(&self->monitor.ports, struct port, link)->driver.pid, SIGKILL);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	EXPECT_EQ(SPAWN_DRIVER, told(self));
	EXPECT_EQ(1u, self->msg.restarts);
	EXPECT_EQ(2, starts(self, 2));
}

/* The kernel fails its transfers first, and takes the device out of sysfs some milliseconds later. */
TEST_F(bus, H11_a_driver_that_notices_the_unplugging_first_is_not_blamed)
{
	struct port *port;

	set_status(self, "now 1");
	plug_and_start(self);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	port = list_first(&self->monitor.ports, struct port, link);
	EXPECT_EQ(PORT_PAUSING, port->state);
	tree_unplug(&self->tree, "1-2");
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	EXPECT_EQ(0u, self->monitor.n_ports);
	EXPECT_EQ(0u, self->monitor.ward.ports[0].n_faults);
}

TEST_F(bus, one_that_breaks_while_its_reader_is_there_is)
{
	set_status(self, "now 1");
	plug_and_start(self);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	EXPECT_EQ(SPAWN_DRIVER, told(self));
	EXPECT_EQ(1u, self->msg.restarts);
	EXPECT_EQ(1u, self->monitor.ward.ports[0].n_faults);
}

/* Seven faults of the past stand in for seven pauses. */
TEST_F(bus, quarantine_is_of_the_port_and_outlives_a_replug)
{
	plug_and_start(self);
	for (int i = 0; i < WARD_FAULTS - 1; i++)
		EXPECT_EQ(0u, ward_fault(&self->monitor.ward, "1-2", now_ns()));
	kill(list_first(&self->monitor.ports, struct port, link)->driver.pid, SIGKILL);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	expect_state(self, KF_READER_QUARANTINED);
	look(self);
	EXPECT_TRUE(quiet(self));
	tree_unplug(&self->tree, "1-2");
	tree_plug(&self->tree, "1-2", TREE_FULL);
	tree_put(&self->tree, "1-2", "product", "Innocent\n");
	tree_plug(&self->tree, "1-3", TREE_ZERO);
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	EXPECT_EQ(SPAWN_READER_ADD, told(self));
	EXPECT_STREQ("Acme-Innocent-A1@1-2:1.0", self->msg.name);
	expect_state(self, KF_READER_QUARANTINED);
	expect_start(self, READER "1-3:1.0");		/* another port is none of its business */
	EXPECT_TRUE(quiet(self));
}

TEST_F(bus, H17_after_a_sleep_each_reader_gets_a_fresh_driver_and_none_is_blamed)
{
	struct port *port;

	plug_and_start(self);
	port = list_first(&self->monitor.ports, struct port, link);
	port_recycle(port);
	EXPECT_EQ(SPAWN_DRIVER_GONE, told(self));
	EXPECT_EQ(SPAWN_DRIVER, told(self));
	EXPECT_EQ(0u, self->msg.restarts);
	EXPECT_EQ(0u, port->failures);
	EXPECT_EQ(2, starts(self, 2));
}

TEST_F(bus, a_driver_that_stays_after_its_reader_went_is_killed)
{
	plug_and_start(self);				/* we hold its link, so it stays */
	tree_unplug(&self->tree, "1-2");
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	EXPECT_EQ(1u, self->monitor.n_ports);
	for (int i = 0; i < harness_patience_ms(4000) / 10 && self->monitor.n_ports > 0; i++)
		ASSERT_EQ(0, loop_turn(&self->monitor.loop, 10));
	EXPECT_EQ(0u, self->monitor.n_ports);
}

TEST_F_TIMEOUT(bus, H12_a_hundred_plug_cycles_leave_nothing_behind, 60)
{
	int before;

	plug_and_start(self);
	before = tree_count_fds();
	for (int i = 0; i < 100; i++) {
		tree_unplug(&self->tree, "1-2");
		look(self);
		ASSERT_EQ(SPAWN_READER_GONE, told(self));
		hang_up(self);
		tree_plug(&self->tree, "1-2", i % 2 ? TREE_ZERO : TREE_FULL);
		look(self);
		expect_start(self, READER "1-2:1.0");
	}
	for (int i = 0; i < harness_patience_ms(4000) / 10 && self->monitor.n_ports > 1; i++)
		ASSERT_EQ(0, loop_turn(&self->monitor.loop, 10));
	EXPECT_EQ(1u, self->monitor.n_ports);
	EXPECT_EQ(before, tree_count_fds());
	EXPECT_LE(self->monitor.loop.n_heap, 1u);
}

static void many(struct fixture_bus *self, unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		char device[16];

		snprintf(device, sizeof(device), "1-%u", i);
		tree_plug(&self->tree, device, 100);		/* no node: no driver */
	}
}

TEST_F_TIMEOUT(bus, H20_readers_beyond_the_limit_are_left_alone_until_there_is_room, 60)
{
	many(self, 1, 100);
	tree_run("cd %s/devices && mkdir 1-200 && cp -r 1-1/* 1-200/ && mv 1-200/1-1:1.0 "
		 "1-200/1-200:1.0 && for i in $(seq 1 99); do cp -r 1-200/1-200:1.0 "
		 "1-200/1-200:1.$i; done; cd ../bus/usb/devices && ln -s ../../../devices/1-200 . && "
		 "for i in $(seq 0 99); do ln -s ../../../devices/1-200/1-200:1.$i .; done",
		 self->tree.sysfs);
	look(self);
	EXPECT_EQ((size_t)MONITOR_PORTS, self->monitor.n_ports);
	EXPECT_TRUE(self->monitor.bus.full);
	for (int i = 0; i < MONITOR_PORTS; i++)
		ASSERT_EQ(SPAWN_READER_ADD, told(self));
	tree_unplug(&self->tree, "1-1");
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
	EXPECT_EQ(SPAWN_READER_ADD, told(self));	/* the next in line */
	EXPECT_STREQ(READER "1-65:1.0", self->msg.name);
}

/* Its lock is a pipe nobody writes to. */
TEST_F(bus, H13_one_that_does_not_say_its_name_costs_the_others_little)
{
	uint64_t start;

	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-1", 77);
	tree_run("cd %s/devices/1-1 && rm serial && mkfifo serial", self->tree.sysfs);
	tree_interface(&self->tree, "1-1", 1, "0b\n");
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	look(self);
	expect_start(self, READER "1-2:1.0");
	EXPECT_EQ(1u, self->monitor.n_ports);
	start = now_ns();
	for (int i = 0; i < 50; i++)			/* a storm of messages */
		look(self);
	EXPECT_LT(now_ns() - start, ms_to_ns(50 * 50 / 2));
	tree_run("cd %s/devices/1-1 && rm serial && echo B2 >serial", self->tree.sysfs);
	EXPECT_EQ(SPAWN_READER_ADD, told(self));	/* found by the timer */
	EXPECT_STREQ("Acme-Reader-One-B2@1-1:1.0", self->msg.name);
}

/* --- rules about serial numbers --- */

static void set_rule(struct conf_match *rule, size_t *n, const char *serial)
{
	*n = 1;
	*rule = (struct conf_match){ 0 };
	strcpy(rule->serial, serial);
}

static void plug_with_a_late_serial(struct fixture_bus *self)
{
	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	tree_run("cd %s/devices/1-2 && rm serial && mkfifo serial", self->tree.sysfs);
	look(self);
	EXPECT_EQ(0, told_within(self, 200));
	EXPECT_EQ(0u, self->monitor.n_ports);
	tree_run("cd %s/devices/1-2 && rm serial && echo A1 >serial", self->tree.sysfs);
}

TEST_F(bus, one_taken_by_a_serial_that_comes_late_is_served_once_it_came)
{
	set_rule(self->monitor.conf.take, &self->monitor.conf.n_take, "A1");
	plug_with_a_late_serial(self);
	expect_start(self, READER "1-2:1.0");
}

TEST_F(bus, one_left_by_a_serial_that_comes_late_is_never_taken)
{
	set_rule(self->monitor.conf.leave, &self->monitor.conf.n_leave, "A?");
	plug_with_a_late_serial(self);
	EXPECT_EQ(0, told_within(self, 500));
	EXPECT_EQ(0u, self->monitor.n_ports);
}

TEST_F(bus, one_that_serves_is_not_given_up_because_it_is_slow_to_say_its_serial_again)
{
	set_rule(self->monitor.conf.take, &self->monitor.conf.n_take, "A1");
	plug_and_start(self);
	tree_run("cd %s/devices/1-2 && rm serial && mkfifo serial", self->tree.sysfs);
	look(self);
	EXPECT_EQ(0, told_within(self, 300));
	EXPECT_EQ(1u, self->monitor.n_ports);
	/* And a rule that is new finds the one it had. */
	set_rule(self->monitor.conf.take, &self->monitor.conf.n_take, "B*");
	look(self);
	EXPECT_EQ(SPAWN_READER_GONE, told(self));
}

TEST_F(bus, all_of_a_serial_counts)
{
	char serial[127];

	memset(serial, '7', sizeof(serial) - 2);
	strcpy(serial + sizeof(serial) - 2, "x");
	set_rule(self->monitor.conf.take, &self->monitor.conf.n_take, "7*7x");
	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	tree_run("echo %s >%s/devices/1-2/serial", serial, self->tree.sysfs);
	look(self);
	EXPECT_EQ(SPAWN_READER_ADD, told(self));
}
