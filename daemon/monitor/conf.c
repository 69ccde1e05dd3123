/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/conf.c - inih takes the lines apart; what it would forgive (lines it cuts, lines it
 * joins because they are indented, sections it does not mention because they are empty) is refused
 * in the function that hands it its lines.
 */
#include "daemon/monitor/conf_reading.h"

#include "base/cleanup.h"
#include "daemon/broker/quota.h"
#include "daemon/monitor/vpath.h"
#include "daemon/shared/glob.h"

#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SECTION_MAX	48	/* inih cuts longer names of sections */
/* take() writes into its value, and tells what is wrong itself. */
struct key {
	const char *name;
	bool again;			/* may be given more than once */
	void (*take)(struct reading *in, char *value);
};

struct section {
	const char *name;
	bool named;			/* "[rule NAME]" */
	const struct key *keys;
	const char *allowed;		/* names of the keys */
};

/* --- [service] --- */

static void take_idle_stop(struct reading *in, char *value)
{
	static const struct { const char *unit; uint32_t s; } units[] = {
		{ "", 1 }, { "s", 1 }, { "min", 60 }, { "h", 3600 } };
	size_t n = strspn(value, "0123456789");
	const char *unit = value + n + strspn(value + n, " ");
	char digits[16] = "";
	uint32_t count;

	if (strcmp(value, "never") == 0) {
		in->conf->idle_s = 0;
		return;
	}
	if (n < sizeof(digits))
		memcpy(digits, value, n);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].unit) == 0 && conf_number(digits, 604800, &count) &&
		    count > 0 && count <= 604800 / units[i].s) {
			in->conf->idle_s = count * units[i].s;
			return;
		}
	wrong(in, "idle-stop = %s: 'never', or how long, from 1s to 168h: 90s, 15min, 2h", value);
}

/* --- [limits] --- */

static void take_limit(struct reading *in, const char *what, const char *value, uint32_t max,
		       uint32_t *out)
{
	uint32_t n;

	if (conf_number(value, max, &n) && n > 0)
		*out = n;
	else
		wrong(in, "%s = %s: a number from 1 to %u", what, value, max);
}

static void take_connections(struct reading *in, char *value)
{
	take_limit(in, "connections", value, 1024, &in->conf->limits.connections);
}

static void take_contexts(struct reading *in, char *value)
{
	take_limit(in, "contexts", value, 8192, &in->conf->limits.contexts);
}

static void take_keys(struct reading *in, char *value)
{
	take_limit(in, "keys", value, 8192, &in->conf->limits.keys);
}

static void take_bytes(struct reading *in, char *value)
{
	take_limit(in, "bytes", value, 64 * 1024 * 1024, &in->conf->limits.bytes);
}

/* --- [readers] --- */

static bool usb_pattern_valid(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon && text[strspn(text, "0123456789abcdef?*:")] == '\0' && !strchr(colon + 1, ':');
}

static void take_match(struct reading *in, const char *key, char *value, struct conf_match *list,
		       size_t *n)
{
	struct conf_match match = { 0 };
	char *word;

	if (*n == CONF_MATCHES) {
		wrong(in, "more than %d %s lines", CONF_MATCHES, key);
		return;
	}
	while ((word = conf_word(&value))) {
		char *glob = strchr(word, '=');
		bool good = false;

		if (glob) {
			*glob++ = '\0';
			good = strcmp(word, "name") == 0 ? conf_text(match.name, sizeof(match.name), glob) :
			       strcmp(word, "usb") == 0 ? conf_text(match.usb, sizeof(match.usb), glob) &&
							  usb_pattern_valid(glob) :
			       strcmp(word, "serial") == 0 ? conf_text(match.serial,
								       sizeof(match.serial), glob) :
			       strcmp(word, "port") == 0 && conf_text(match.port, sizeof(match.port), glob);
			good = good && *glob != '\0';
		}
		if (!good) {
			wrong(in, "%s: '%s' is none of name=GLOB, usb=VVVV:PPPP (lower-case hex, ? "
			      "and *), serial=GLOB, port=GLOB", key, word);
			return;
		}
	}
	list[(*n)++] = match;
}

static void take_take(struct reading *in, char *value)
{
	take_match(in, "take", value, in->conf->take, &in->conf->n_take);
}

static void take_leave(struct reading *in, char *value)
{
	take_match(in, "leave", value, in->conf->leave, &in->conf->n_leave);
}

static bool match_fits(const struct conf_match *match, const struct conf_reader *reader)
{
	char usb[16];

	(void)snprintf(usb, sizeof(usb), "%04x:%04x", reader->vendor, reader->product);
	return (!match->name[0] || glob_match(match->name, reader->name ? reader->name : "")) &&
	       (!match->usb[0] || glob_match(match->usb, usb)) &&
	       (!match->serial[0] || glob_match(match->serial, reader->serial ? reader->serial : "")) &&
	       (!match->port[0] || glob_match(match->port, reader->port ? reader->port : ""));
}

bool conf_takes(const struct conf *conf, const struct conf_reader *reader)
{
	bool ours = conf->n_take == 0;

	for (size_t i = 0; i < conf->n_leave; i++)
		if (match_fits(&conf->leave[i], reader))
			return false;
	for (size_t i = 0; i < conf->n_take && !ours; i++)
		ours = match_fits(&conf->take[i], reader);
	return ours;
}

/* --- [virtual] --- */

static void take_path(struct reading *in, char *value)
{
	struct vpath path;

	if (value[0] != '/' || vpath_init(&path, value) < 0)
		wrong(in, "path = %s: an absolute path to a socket, without \"..\"", value);
	else if (in->conf->n_virtuals == CONF_VIRTUALS)
		wrong(in, "more than %d virtual readers", CONF_VIRTUALS);
	else
		(void)snprintf(in->conf->virtuals[in->conf->n_virtuals++], CONF_LINE, "%s", value);
}

static void take_owner(struct reading *in, char *value)
{
	uint32_t id;

	if (conf_user(value, &id))
		in->conf->virtual_uid = id;
	else
		wrong(in, "owner = %s: no such user here", value);
}

/* --- [policy] --- */

static void take_shipped_rules(struct reading *in, char *value)
{
	if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0)
		in->conf->shipped_rules = value[0] == 'y';
	else
		wrong(in, "shipped-rules = %s: yes or no", value);
}

/* --- the file --- */

static const struct section sections[] = {
	{ "service", false, (const struct key[]){ { "idle-stop", false, take_idle_stop }, { 0 } },
	  "idle-stop" },
	{ "limits", false, (const struct key[]){
		{ "connections", false, take_connections }, { "contexts", false, take_contexts },
		{ "keys", false, take_keys }, { "bytes", false, take_bytes }, { 0 } },
	  "connections, contexts, keys, bytes" },
	{ "readers", false, (const struct key[]){
		{ "take", true, take_take }, { "leave", true, take_leave }, { 0 } },
	  "take, leave" },
	{ "virtual", false, (const struct key[]){
		{ "path", true, take_path }, { "owner", false, take_owner }, { 0 } },
	  "path, owner" },
	{ "policy", false, (const struct key[]){
		{ "shipped-rules", false, take_shipped_rules }, { 0 } },
	  "shipped-rules" },
	{ "rule", true, (const struct key[]){
		{ "user", true, conf_rule_user }, { "group", true, conf_rule_group },
		{ "reader", true, conf_rule_reader }, { "container", true, conf_rule_container },
		{ "allow", true, conf_rule_allow }, { 0 } },
	  "user, group, reader, container, allow" },
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static const struct section *section_find(const char *name, size_t n, bool named)
{
	for (size_t i = 0; i < SECTIONS; i++)
		if (strlen(sections[i].name) == n && strncmp(sections[i].name, name, n) == 0 &&
		    sections[i].named == named)
			return &sections[i];
	return NULL;
}

/* @name: what stands between the brackets. */
static void section_begin(struct reading *in, const char *name)
{
	size_t n = strcspn(name, " \t");
	const char *own = name + n + strspn(name + n, " \t");

	conf_rule_end(in);
	in->seen_keys = 0;
	in->section = section_find(name, n, *own != '\0');
	in->lost = !in->section;
	if (!in->section) {
		wrong(in, "no section [%s]; there are [service], [limits], [readers], [virtual], "
		      "[policy] and [rule NAME]", name);
		return;
	}
	if (in->section->named) {
		conf_rule_begin(in, own);
		return;
	}
	if (in->seen_sections & 1u << (in->section - sections))
		wrong(in, "a second section [%s]", name);
	in->seen_sections |= 1u << (in->section - sections);
}

static const char *line_wrong(const char *line, size_t n)
{
	static const char blanks[] = " \t";

	if (n > CONF_LINE - 2)
		return "longer than 198 bytes; a key may be given again for more";
	if (strlen(line) != n)
		return "a NUL byte";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return "a control character";
	if (strspn(line, blanks) > 0 && line[strspn(line, blanks)] != '\0')
		return "begins with a blank; start at the margin";
	if (line[0] == '[') {
		const char *end = strchr(line, ']');

		if (!end || end - line > SECTION_MAX)
			return "a section is [NAME], of at most 46 bytes";
		end += 1 + strspn(end + 1, blanks);
		if (*end != '\0' && *end != '#' && *end != ';')
			return "something stands behind the section's name";
	}
	return NULL;
}

/* For inih, which calls it as if it were fgets(). What is wrong reaches it as an empty line. */
static char *next_line(char *out, int cap, void *stream)
{
	struct reading *in = stream;
	const uint8_t *end;
	char line[CONF_LINE] = "";
	const char *bad;
	size_t n;

	if (in->left.n == 0)
		return NULL;
	end = memchr(in->left.p, '\n', in->left.n);
	n = end ? (size_t)(end - in->left.p) : in->left.n;
	in->line++;
	if (n <= CONF_LINE - 2)
		memcpy(line, in->left.p, n);
	in->left = bytes_slice(in->left, n + (end != NULL), SIZE_MAX);
	bad = line_wrong(line, n);
	if (bad)
		wrong(in, "%s", bad);
	(void)snprintf(out, (size_t)cap, "%s\n", bad ? "" : line);
	if (!bad && line[0] == '[') {
		*strchr(line, ']') = '\0';
		section_begin(in, line + 1);
	}
	return out;
}

/* inih's handler: 0 would be an error of its own, and ours are told already. */
static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct reading *in = user;
	const struct key *keys = in->section ? in->section->keys : NULL;
	char copy[CONF_LINE];

	(void)section;
	if (!keys) {
		if (!in->lost)
			wrong(in, "%s stands before any section", name);
		return 1;
	}
	for (size_t i = 0; keys[i].name; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (!keys[i].again && in->seen_keys & 1u << i)
			wrong(in, "%s is given twice", name);
		in->seen_keys |= 1u << i;
		(void)snprintf(copy, sizeof(copy), "%s", value);
		if (value[0] == '\0')
			wrong(in, "%s has no value", name);
		else
			keys[i].take(in, copy);
		return 1;
	}
	wrong(in, "no key %s in [%s]; there are: %s", name, in->section->name, in->section->allowed);
	return 1;
}

void conf_init(struct conf *conf)
{
	*conf = (struct conf){ .virtual_uid = (uid_t)-1, .limits = QUOTA_LIMITS,
			       .shipped_rules = true };
}

int conf_parse(struct bytes text, struct conf *out, conf_say *say, void *data)
{
	_cleanup_(freep) struct conf *conf = malloc(sizeof(*conf));
	struct reading in = { .left = text, .conf = conf, .say = say, .data = data };
	int line;

	if (!conf)
		return -ENOMEM;
	conf_init(conf);
	line = ini_parse_stream(next_line, &in, take_key, &in);
	conf_rule_end(&in);
	if (line > 0)
		conf_wrong(&in, (unsigned int)line, "neither [SECTION] nor KEY = VALUE");
	if (line < 0)
		return -ENOMEM;
	if (in.errors > CONF_SAID)
		say(data, 0, "and more");
	if (in.errors > 0)
		return -EINVAL;
	*out = *conf;
	return 0;
}

static int judge(int fd, uid_t uid)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((st.st_uid != 0 && st.st_uid != uid) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return st.st_size > CONF_MAX ? -EFBIG : 0;
}

static int open_judged(const char *path, uid_t uid)
{
	_cleanup_(fd_closep) int dir = -1;
	_cleanup_(fd_closep) int fd = -1;
	struct vpath parts;
	const char *where;
	int r = vpath_init(&parts, path);

	if (r < 0)
		return r;
	dir = vpath_open_dir(&parts, uid, &where);
	if (dir < 0)
		return dir;
	fd = openat(dir, parts.base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = judge(fd, uid);
	return r < 0 ? r : take_fd(&fd);
}

static const char *why_not(int error)
{
	switch (error) {
	case -EPERM:
		return "others than root could change it, and it says who may do what: chown root, "
		       "chmod go-w, and the same for the folders on the way";
	case -ELOOP:
		return "a symbolic link stands on the way; give the real path";
	case -EINVAL:
		return "not a plain file";
	case -EFBIG:
		return "larger than 64 KiB";
	default:
		return strerror(-error);
	}
}

int conf_load(const char *path, uid_t uid, struct conf *out, conf_say *say, void *data)
{
	_cleanup_(freep) uint8_t *text = malloc(CONF_MAX + 1);
	_cleanup_(fd_closep) int fd = -1;
	size_t n = 0;
	ssize_t got;

	if (!text)
		return -ENOMEM;
	fd = open_judged(path, uid);
	if (fd < 0) {
		say(data, 0, why_not(fd));
		return fd;
	}
	while ((got = read(fd, text + n, CONF_MAX + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0 || n > CONF_MAX) {
		int r = got < 0 ? -errno : -EFBIG;

		say(data, 0, why_not(r));
		return r;
	}
	return conf_parse(BYTES(text, n), out, say, data);
}
