/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/voyage_test.c - The whole way of one key with the real programs: challenge, offer,
 * cargo, receipt; then the key is used and other people's programs judge it. Under root the
 * service, the client and the server have uids of their own.
 */
#include "tests/e2e/rig.h"
#include "tests/keys/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct outcome o;		/* large; one test at a time */

FIXTURE(voyage)
{
	struct rig rig;
};

FIXTURE_VARIANT(voyage)
{
	const char *level;
	unsigned int rsa;		/* bits of the key; 0: it is on P-256 */
	const char *usage;
};

FIXTURE_VARIANT_ADD(voyage, rsa3072) {
	.level = "extended", .usage = "sign", .rsa = 3072,
};
FIXTURE_VARIANT_ADD(voyage, p256_tpdu) {
	.level = "tpdu-t1", .usage = "sign",
};

FIXTURE_SETUP(voyage)
{
	rig_open(&self->rig);
	rig_personalise(&self->rig);
	self->rig.reader_args[0] = "--level";
	self->rig.reader_args[1] = variant->level;
	rig_start(&self->rig);
}

FIXTURE_TEARDOWN(voyage)
{
	rig_close(&self->rig);
}

/* Runs a shell command in the rig as @who; an OpenSSL or a plain tool is the judge. */
static void shell(struct rig *rig, const char *command)
{
	char line[2048];

	(void)snprintf(line, sizeof(line), "cd '%s' && { %s; } >mail/shell.log 2>&1", rig->dir,
		       command);
	if (system(line) != 0)
		TEST_FAIL("failed: %s (KF_RIG_KEEP=1 keeps %s/mail/shell.log)", command, rig->dir);
}

static void make_key(struct rig *rig, unsigned int rsa)
{
	char line[64];

	if (rsa)
		ASSERT_EQ(0, prepared_rsa_save(rsa, 0, rig_path(rig, "server/k2.pem")));
	else
		shell(rig, "umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "
			   "-out server/k2.pem");
	(void)snprintf(line, sizeof(line), "chown %u server/k2.pem", (unsigned)rig->uid[RIG_SERVER]);
	shell(rig, line);
	shell(rig, "openssl pkey -in server/k2.pem -pubout -out mail/k2.pub.pem");
}

static void make_offer(struct rig *rig)
{
	rig_server(rig, &o, "challenge", "--state", "server", "--device", RIG_SERIAL, "-o",
		   "mail/challenge.json", NULL);
	ASSERT_OK(&o);
	rig_client(rig, NULL, &o, "offer", "--challenge", "mail/challenge.json", "--container", "3",
		   "-o", "mail/offer.json", NULL);
	ASSERT_OK(&o);
}

static void seal(struct rig *rig, const char *usage)
{
	rig_server(rig, &o, "seal", "--state", "server", "--offer", "mail/offer.json", "--key",
		   "server/k2.pem", "--usage", usage, "--allow-virtual", "-o", "mail/cargo.json",
		   NULL);
	ASSERT_OK(&o);
}

static void inject(struct rig *rig)
{
	rig_client(rig, RIG_PIN, &o, "inject", "mail/cargo.json", "--pin-fd", "{pin}", "-o",
		   "mail/receipt.json", NULL);
	ASSERT_OK(&o);
}

TEST_F_TIMEOUT(voyage, a_key_arrives_and_signs, 120)
{
	struct rig *rig = &self->rig;

	make_key(rig, variant->rsa);
	make_offer(rig);
	seal(rig, variant->usage);
	EXPECT_TRUE(strstr(o.out, "A-virtual") != NULL);
	inject(rig);

	rig_server(rig, &o, "receipt", "verify", "--state", "server", "mail/receipt.json", NULL);
	ASSERT_OK(&o);
	EXPECT_TRUE(strstr(o.out, "A-virtual") != NULL);

	shell(rig, "echo 'bill of lading' >mail/message");
	rig_client(rig, RIG_PIN, &o, "key", "sign", "--container", "3", "--hash", "sha256", "--in",
		   "mail/message", "--pin-fd", "{pin}", "-o", "mail/message.sig", NULL);
	ASSERT_OK(&o);
	shell(rig, "openssl dgst -sha256 -verify mail/k2.pub.pem -signature mail/message.sig mail/message");
}

TEST_F_TIMEOUT(voyage, the_same_cargo_again_returns_the_stored_receipt, 120)
{
	struct rig *rig = &self->rig;

	make_key(rig, variant->rsa);
	make_offer(rig);
	seal(rig, variant->usage);
	inject(rig);
	shell(rig, "mv mail/receipt.json mail/first.json");
	inject(rig);
	shell(rig, "cmp mail/receipt.json mail/first.json");
}

TEST_F_TIMEOUT(voyage, a_nonce_serves_once, 120)
{
	struct rig *rig = &self->rig;

	make_key(rig, variant->rsa);
	make_offer(rig);
	seal(rig, variant->usage);
	rig_server(rig, &o, "seal", "--state", "server", "--offer", "mail/offer.json", "--key",
		   "server/k2.pem", "--allow-virtual", "-o", "mail/second.json", NULL);
	EXPECT_EQ(1, o.status);
	EXPECT_NE(0, access(rig_path(rig, "mail/second.json"), F_OK));
}

TEST_F_TIMEOUT(voyage, a_changed_cargo_is_refused_and_the_good_one_still_works, 120)
{
	struct rig *rig = &self->rig;

	make_key(rig, variant->rsa);
	make_offer(rig);
	seal(rig, variant->usage);
	/* One base64url letter in the last third of the item: ciphertext, MAC or signature. */
	shell(rig, "python3 -c \"import json; d=json.load(open('mail/cargo.json')); "
		   "i=d['items'][0]['item']; n=len(i)-60; c='A' if i[n]!='A' else 'B'; "
		   "d['items'][0]['item']=i[:n]+c+i[n+1:]; json.dump(d,open('mail/bad.json','w'))\"");
	rig_client(rig, RIG_PIN, &o, "inject", "mail/bad.json", "--pin-fd", "{pin}", "-o",
		   "mail/bad-receipt.json", NULL);
	EXPECT_EQ(1, o.status);
	EXPECT_NE(0, access(rig_path(rig, "mail/bad-receipt.json"), F_OK));
	inject(rig);
}

TEST_F_TIMEOUT(voyage, the_client_reads_neither_card_nor_server_nor_processes, 60)
{
	struct rig *rig = &self->rig;
	char command[512];

	if (!rig_has_uids(rig))
		SKIP("needs root, to be several uids");
	(void)snprintf(command, sizeof(command),
		       "! setpriv --reuid %u --regid %u --clear-groups sh -c '"
		       "ls card || ls server || cat /proc/%d/mem || cat /proc/%d/environ || "
		       "cat /proc/%d/maps'",
		       (unsigned)rig->uid[RIG_CLIENT], (unsigned)rig->uid[RIG_CLIENT],
		       (int)rig->service, (int)rig_pid_of(rig, "keyferry-broker"),
		       (int)rig_pid_of(rig, "keyferry-driver"));
	shell(rig, command);
}

TEST_F_TIMEOUT(voyage, no_process_runs_as_root, 60)
{
	struct rig *rig = &self->rig;
	const pid_t pids[] = { rig->service, rig->reader, rig_pid_of(rig, "keyferry-broker"),
			       rig_pid_of(rig, "keyferry-driver") };

	if (!rig_has_uids(rig))
		SKIP("needs root, to be several uids");
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		char path[64], line[256];
		unsigned real = 0, effective = 0;
		FILE *f;

		ASSERT_GT(pids[i], 0);
		(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pids[i]);
		f = fopen(path, "re");
		ASSERT_TRUE(f != NULL);
		while (fgets(line, sizeof(line), f))
			(void)sscanf(line, "Uid: %u %u", &real, &effective);
		(void)fclose(f);
		EXPECT_EQ(rig->uid[RIG_SERVICE], real);
		EXPECT_EQ(rig->uid[RIG_SERVICE], effective);
	}
}

/* The same way at every exchange level, with the longest key that there is. */
FIXTURE(level)
{
	struct rig rig;
};

FIXTURE_VARIANT(level)
{
	const char *level, *more;
};

FIXTURE_VARIANT_ADD(level, short_apdu) { "short", NULL };
FIXTURE_VARIANT_ADD(level, tpdu_t0) { "tpdu-t0", NULL };
FIXTURE_VARIANT_ADD(level, manual_t0) { "tpdu-t0", "--manual" };
FIXTURE_VARIANT_ADD(level, manual_t1) { "tpdu-t1", "--manual" };

FIXTURE_SETUP(level)
{
	rig_open(&self->rig);
	rig_personalise(&self->rig);
	self->rig.reader_args[0] = "--level";
	self->rig.reader_args[1] = variant->level;
	self->rig.reader_args[2] = variant->more;
	rig_start(&self->rig);
}

FIXTURE_TEARDOWN(level)
{
	rig_close(&self->rig);
}

TEST_F_TIMEOUT(level, an_rsa_4096_key_arrives_and_signs, 120)
{
	struct rig *rig = &self->rig;

	make_key(rig, 4096);
	make_offer(rig);
	seal(rig, "sign");
	inject(rig);
	rig_server(rig, &o, "receipt", "verify", "--state", "server", "mail/receipt.json", NULL);
	ASSERT_OK(&o);
	shell(rig, "echo 'bill of lading' >mail/message");
	rig_client(rig, RIG_PIN, &o, "key", "sign", "--container", "3", "--hash", "sha256", "--in",
		   "mail/message", "--pin-fd", "{pin}", "-o", "mail/message.sig", NULL);
	ASSERT_OK(&o);
	shell(rig, "openssl dgst -sha256 -verify mail/k2.pub.pem -signature mail/message.sig mail/message");
}
