/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/conf.h - The configuration file, keyferryd.conf(5). Strict: what is not understood
 * is an error with its line and what would be, and one error is enough to take nothing of the file.
 * Names of users and groups become numbers here, so the broker needs no directory service.
 */
#pragma once

#include "base/bytes.h"
#include "daemon/shared/spawn.h"

#include <stdbool.h>
#include <sys/types.h>

#define CONF_DEFAULT	"/etc/keyferry/keyferryd.conf"
#define CONF_MAX	65536	/* bytes of the file */
#define CONF_LINE	200	/* bytes of a line, with its end */
#define CONF_MATCHES	32	/* take and leave lines, each */
#define CONF_VIRTUALS	64

/**
 * struct conf_match - which readers: all that is said must fit; globs, empty: whichever
 * @name:	as clients see it
 * @usb:	"08e6:3437", four hex digits each
 * @serial:	of the USB device
 * @port:	where it is plugged in, as the kernel says: "1-2.4"
 */
struct conf_match {
	char name[KF_NAME_MAX], usb[16], serial[KF_NAME_MAX], port[32];
};

/* A USB reader, to be judged. NULL: it has none. */
struct conf_reader {
	const char *name, *serial, *port;
	uint16_t vendor, product;
};

/**
 * struct conf - what a file says
 * @take:	readers that are ours; none: all
 * @leave:	readers that are not, taken or not
 * @virtuals:	sockets of virtual readers
 * @virtual_uid: whose sockets are trusted besides root's and ours; (uid_t)-1: nobody's
 * @idle_s:	without clients for so long the service ends; 0: never
 * @shipped_rules: the shipped policy counts besides @rules
 */
struct conf {
	struct conf_match take[CONF_MATCHES], leave[CONF_MATCHES];
	size_t n_take, n_leave;
	char virtuals[CONF_VIRTUALS][CONF_LINE];
	size_t n_virtuals;
	uid_t virtual_uid;
	uint32_t idle_s;
	struct spawn_limits limits;
	bool shipped_rules;
	struct spawn_rule rules[SPAWN_RULES];
	size_t n_rules;
};

/* What counts where there is no file. */
void conf_init(struct conf *conf);

/* Hears of each error; @line 0: of the file as a whole. */
typedef void conf_say(void *data, unsigned int line, const char *text);

/* Return: 0, or -EINVAL after telling @say each error. @out is written on success only. */
int conf_parse(struct bytes text, struct conf *out, conf_say *say, void *data);

/*
 * Reads @path, no symbolic link on the way, root's or @uid's and writable by nobody else, then as
 * conf_parse(). (uid_t)-1: root's only. Return: also -EPERM for a file others could change, and
 * errnos of open(2); each told.
 */
int conf_load(const char *path, uid_t uid, struct conf *out, conf_say *say, void *data);

/* Whether a USB reader is ours to serve. */
bool conf_takes(const struct conf *conf, const struct conf_reader *reader);

/* Names of rights, as in rules: blank-separated in @out. */
void conf_right_names(uint32_t rights, char *out, size_t cap);
/* One right by its name; 0: none is called so. */
uint32_t conf_right(const char *name);
