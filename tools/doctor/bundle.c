/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/bundle.h"

#include "base/cleanup.h"
#include "tools/doctor/mask.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define CONFIG		"/etc/keyferry/keyferryd.conf"
#define LINES_MAX	1000

static void write_machine(const struct host *host, FILE *to)
{
	struct utsname name;
	char text[256];

	fprintf(to, "keyferry %s\n", KF_VERSION);
	if (uname(&name) == 0)
		fprintf(to, "kernel %s %s\n", name.release, name.machine);
	if (host_attribute(host->root, "/etc/debian_version", text, sizeof(text)) == 0)
		fprintf(to, "debian %s\n", text);
	if (host_attribute(host->root, "/sys/kernel/security/lsm", text, sizeof(text)) == 0)
		fprintf(to, "lsm %s\n", text);
	for (size_t i = 0; i < host->n_readers; i++)
		fprintf(to, "usb %04x:%04x at %s serial %s\n", host->readers[i].vendor,
			host->readers[i].product, host->readers[i].node,
			host->readers[i].serial[0] ? host->readers[i].serial : "none");
}

static void write_readers(const struct kf_readers *readers, FILE *to)
{
	for (size_t i = 0; i < kf_readers_count(readers); i++) {
		const struct kf_reader *reader = kf_readers_at(readers, i);
		size_t n;
		const uint8_t *atr = kf_reader_atr(reader, &n);

		fprintf(to, "reader \"%s\" state %u usb %04x:%04x card \"%s\" serial \"%s\" atr ",
			kf_reader_name(reader), kf_reader_state(reader),
			kf_reader_usb_id(reader) >> 16, kf_reader_usb_id(reader) & 0xffff,
			kf_reader_card(reader), kf_reader_serial(reader));
		for (size_t k = 0; k < n; k++)
			fprintf(to, "%02x", atr[k]);
		fputc('\n', to);
	}
}

/* Rules about a serial number name it: every word behind "serial=" is one. */
static void mask_config_line(const char *line, struct mask *mask)
{
	for (const char *p = strstr(line, "serial="); p; p = strstr(p + 1, "serial=")) {
		char word[MASK_WORD_MAX];
		size_t n = strcspn(p + 7, " \t\r\n*?");

		if (n >= sizeof(word)) {
			mask->full = true;
			return;
		}
		memcpy(word, p + 7, n);
		word[n] = '\0';
		mask_add(mask, word);
	}
}

static void write_config(const struct host *host, struct mask *mask, FILE *to)
{
	char path[PATH_MAX], line[512];
	FILE *from;

	if (snprintf(path, sizeof(path), "%s" CONFIG, host->root) >= (int)sizeof(path))
		return;
	from = fopen(path, "re");
	fprintf(to, "\n-- " CONFIG "%s\n", from ? "" : " (not there, or not for this user)");
	for (int i = 0; from && i < LINES_MAX && fgets(line, sizeof(line), from); i++) {
		mask_config_line(line, mask);
		fputs(line, to);
	}
	if (from)
		(void)fclose(from);
}

static void collect(const struct host *host, const struct kf_readers *readers, struct mask *mask)
{
	for (size_t i = 0; i < host->n_readers; i++)
		mask_add(mask, host->readers[i].serial);
	for (size_t i = 0; i < kf_readers_count(readers); i++)
		mask_add(mask, kf_reader_serial(kf_readers_at(readers, i)));
}

char *bundle_make(const struct host *host, struct kf_client *client, const struct ledger *ledger)
{
	_cleanup_(freep) struct mask *mask = calloc(1, sizeof(*mask));
	_cleanup_(freep) char *text = NULL;
	struct kf_readers *readers = NULL;
	size_t n = 0;
	FILE *to = mask ? open_memstream(&text, &n) : NULL;

	if (!to)
		return NULL;
	(void)kf_reader_list(client, &readers);		/* without a service there are none */
	collect(host, readers, mask);
	fputs("keyferry doctor report; serial numbers are masked\n\n", to);
	write_machine(host, to);
	write_readers(readers, to);
	fputs("\n-- findings\n", to);
	ledger_print(ledger, to);
	write_config(host, mask, to);
	readers = kf_readers_free(readers);
	return fclose(to) == 0 ? mask_apply(mask, text) : NULL;
}
