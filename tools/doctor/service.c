/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/service.h"

#include <errno.h>
#include <string.h>

static void tell_refused(struct kf_client *client, int r, struct ledger *ledger)
{
	const struct kf_error *e = kf_client_error(client);

	ledger_add(ledger, "service", VERDICT_FAIL, r == -ECONNREFUSED ?
		   "systemctl start keyferryd; journalctl -u keyferryd -u keyferry-broker says why it "
		   "ended; in development start keyferryd" : e->next,
		   "%s: %s", e->what, r == -ECONNREFUSED ?
		   "the socket is there and nobody listens: the service is off" : e->why);
}

static void check_identity(struct kf_client *client, const struct kf_service *service,
			   struct ledger *ledger)
{
	bool dev = kf_service_value(service, KF_SERVICE_FLAGS) & KF_STATUS_DEV;

	ledger_add(ledger, "service", VERDICT_OK, NULL, "broker %s, up %u s, %u readers%s",
		   kf_client_broker_version(client),
		   kf_service_value(service, KF_SERVICE_UPTIME_S),
		   kf_service_value(service, KF_SERVICE_READERS),
		   dev ? ", in development: one user may play several parts" : "");
	if (kf_client_rights(client) == 0)
		ledger_add(ledger, "rights", VERDICT_FAIL,
			   "keyferry policy explain look; then a rule in keyferryd.conf",
			   "no rule lets this user do anything");
}

static const char *role_name(uint32_t role)
{
	return role == KF_ROLE_MONITOR ? "monitor" : role == KF_ROLE_BROKER ? "broker" : "driver";
}

static void check_process(const struct kf_service *service, size_t i, struct ledger *ledger)
{
	static const struct { uint32_t bit, lacking; const char *name; } wanted[] = {
		{ KF_GUARD_NO_NEW_PRIVS, 0, "no-new-privs" },
		{ KF_GUARD_UNDUMPABLE, 0, "undumpable" },
		{ KF_GUARD_NO_CORE, 0, "no-core" },
		{ KF_GUARD_NO_CAPABILITIES, 0, "no-capabilities" },
		{ KF_GUARD_SECCOMP, KF_GUARD_LACKS_SECCOMP, "seccomp" },
		{ KF_GUARD_LANDLOCK, KF_GUARD_LACKS_LANDLOCK, "landlock" },
	};
	uint32_t guards = kf_process_guards(service, i);
	const char *role = role_name(kf_process_role(service, i));
	unsigned int pid = kf_process_pid(service, i);
	bool trouble = false;

	for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++) {
		if (guards & wanted[k].bit)
			continue;
		trouble = true;
		if (guards & wanted[k].lacking)
			ledger_add(ledger, "sandbox", VERDICT_WARN,
				   "use a kernel that has it, and lsm= with landlock in it",
				   "%s, pid %u: %s is off: this kernel lacks it", role, pid,
				   wanted[k].name);
		else
			ledger_add(ledger, "sandbox", VERDICT_FAIL,
				   "install the programs of one package and restart the service",
				   "%s, pid %u: %s is not in force", role, pid, wanted[k].name);
	}
	if (!trouble)
		ledger_add(ledger, "sandbox", VERDICT_OK, NULL, "%s, pid %u: all in force", role, pid);
}

static void check_tries(const struct kf_card *card, const char *reader, struct ledger *ledger)
{
	uint32_t tries = kf_card_tries(card, KF_PIN_USER);

	if (tries == KF_TRIES_UNKNOWN)
		ledger_add(ledger, "PIN", VERDICT_SKIPPED, NULL, "%s: the card does not say", reader);
	else if (tries == 0)
		ledger_add(ledger, "PIN", VERDICT_FAIL, "keyferry card pin unblock, with the PUK",
			   "%s: the user PIN is blocked", reader);
	else if (tries == 1)
		ledger_add(ledger, "PIN", VERDICT_WARN,
			   "make sure of the PIN before the next try; a wrong one blocks the card",
			   "%s: one try is left for the user PIN", reader);
	else
		ledger_add(ledger, "PIN", VERDICT_OK, NULL, "%s: %u tries left", reader, tries);
}

static void check_application(struct kf_client *client, const struct kf_reader *reader,
			      struct ledger *ledger)
{
	const char *name = kf_reader_name(reader);
	struct kf_context *context = NULL;
	struct kf_card *card = NULL;

	if (kf_reader_card(reader)[0] == '\0') {
		ledger_add(ledger, "application", VERDICT_FAIL,
			   "put in a card that keyferry knows, or install its application on this one",
			   "%s: the card has no application that keyferry knows", name);
		return;
	}
	if (kf_context_open(client, name, 0, &context) < 0 || kf_card_read(context, &card) < 0) {
		const struct kf_error *e = kf_client_error(client);

		ledger_add(ledger, "application", VERDICT_FAIL, e->next, "%s: %s: %s", name, e->what,
			   e->why);
	} else {
		ledger_add(ledger, "application", VERDICT_OK, NULL, "%s: %s", name,
			   kf_card_driver(card));
		check_tries(card, name, ledger);
	}
	card = kf_card_free(card);
	context = kf_context_close(context);
}

static void check_reader(struct kf_client *client, const struct kf_reader *reader,
			 struct ledger *ledger)
{
	const char *name = kf_reader_name(reader);

	switch (kf_reader_state(reader)) {
	case KF_READER_CARD:
		ledger_add(ledger, "card", VERDICT_OK, NULL, "%s: a card that answers", name);
		check_application(client, reader, ledger);
		break;
	case KF_READER_EMPTY:
		ledger_add(ledger, "card", VERDICT_WARN, "put a card in", "%s: no card", name);
		break;
	case KF_READER_MUTE:
		ledger_add(ledger, "card", VERDICT_FAIL, "take it out, look at chip and side, put it "
			   "in again; then try this card in another reader, another card in this one",
			   "%s: what is in the slot does not answer", name);
		break;
	case KF_READER_STARTING:
		ledger_add(ledger, "card", VERDICT_WARN,
			   "journalctl -u keyferryd; unplug the reader and plug it in again",
			   "%s: its driver is starting, or the reader does not answer", name);
		break;
	default:
		ledger_add(ledger, "card", VERDICT_FAIL,
			   "keyferry doctor as root names who has it", "%s: not served now", name);
	}
}

static void check_readers(struct kf_client *client, struct ledger *ledger)
{
	struct kf_readers *readers = NULL;

	if (kf_reader_list(client, &readers) < 0) {
		const struct kf_error *e = kf_client_error(client);

		ledger_add(ledger, "card", VERDICT_FAIL, e->next, "%s: %s", e->what, e->why);
		return;
	}
	if (kf_readers_count(readers) == 0)
		ledger_add(ledger, "card", VERDICT_WARN,
			   "plug one in; keyferryd.conf says which ones are ours",
			   "the service has no reader");
	for (size_t i = 0; i < kf_readers_count(readers); i++)
		check_reader(client, kf_readers_at(readers, i), ledger);
	readers = kf_readers_free(readers);
}

void service_check(struct kf_client *client, const char *socket, struct ledger *ledger)
{
	struct kf_service *service = NULL;
	int r = kf_client_connect(client, socket);

	if (r == 0)
		r = kf_service_read(client, &service);
	if (r < 0) {
		tell_refused(client, r, ledger);
		return;
	}
	check_identity(client, service, ledger);
	for (size_t i = 0; i < kf_service_value(service, KF_SERVICE_PROCESSES); i++)
		check_process(service, i, ledger);
	service = kf_service_free(service);
	check_readers(client, ledger);
}
