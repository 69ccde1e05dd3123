/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The power is cut at each commit of each command that changes something: what stands then is the state
 * before that commit, whole, and the card works on.
 */
#include "vreader/schsm/hsm.h"

#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

/* A card with a key, a file, a blob to unwrap, an unused domain, and a wrong try behind it. */
static void prepare(struct rig *rig)
{
	rig_init(rig);
	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 02 97 01 02"));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0000, rig_share()));
	ASSERT_EQ(SW_TRIES | 2, rig_verify(rig, "000000"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0101, BYTES("\x01", 1)));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0001, rig_share()));
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", "90 04 00000005 92 01 01"));
	ASSERT_EQ(SW_OK, rig_write(rig, 0xcf01, BYTES("old", 3)));
}

static uint16_t do_initialize(struct rig *rig) { return rig_initialize(rig, "92 01 00"); }
static uint16_t do_verify(struct rig *rig) { return rig_verify(rig, RIG_PIN); }

static uint16_t do_change(struct rig *rig)
{
	return rig_send(rig, 0x00, INS_CHANGE, 0x0081, BYTES(RIG_PIN "123456", 12));
}

static uint16_t do_reset(struct rig *rig)
{
	return rig_send(rig, 0x00, INS_UNBLOCK, 0x0081, BYTES(RIG_SO_PIN "123456", 14));
}

static uint16_t do_write(struct rig *rig) { return rig_write(rig, 0xcf01, BYTES("new", 3)); }
static uint16_t do_create(struct rig *rig) { return rig_write(rig, 0xcf02, BYTES("new", 3)); }
static uint16_t do_delete_file(struct rig *rig) { return rig_delete(rig, 0xcf01); }
static uint16_t do_delete_key(struct rig *rig) { return rig_delete(rig, 0xcc01); }
static uint16_t do_generate(struct rig *rig) { return rig_generate_ec(rig, 2, "prime256v1", ""); }

static uint16_t do_generate_over(struct rig *rig)
{
	return rig_send(rig, 0x00, INS_GENERATE_SECRET, 0x01b0, BYTES_NONE);
}

static uint16_t do_share(struct rig *rig) { return rig_send(rig, 0x80, HSM_DOMAIN, 0x0000, rig_share()); }
static uint16_t do_forget(struct rig *rig) { return rig_send(rig, 0x80, HSM_DOMAIN, 0x0401, BYTES_NONE); }
static uint16_t do_remove(struct rig *rig) { return rig_send(rig, 0x80, HSM_DOMAIN, 0x0300, BYTES_NONE); }
static uint16_t do_sign(struct rig *rig) { return rig_send(rig, 0x80, HSM_SIGN, 0x0173, BYTES("x", 1)); }
static uint16_t do_wrap(struct rig *rig) { return rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE); }

/* [card dossier 11.2], the AES key */
static uint16_t do_unwrap(struct rig *rig)
{
	return rig_send_hex(rig, 0x80, HSM_UNWRAP, 0x0593,
			    "630DCD2966C433660F0008608648016503040100041011189900000000AAE179FD7BFBC0CD2ACC"
			    "2E9929672E4B49D49326E7178045D788BCC17A8651A3C34EC3FDC9A71FF726D627742AC06AD3BC"
			    "E4EA0288E443F726FC1F55CB34B42D");
}

static const struct change {
	const char *name;
	uint16_t (*run)(struct rig *rig);
	unsigned int commits;
} changes[] = {
	{ "initialize", do_initialize, 2 },	/* the SO-PIN's try, and all of it */
	{ "verify", do_verify, 2 },
	{ "change", do_change, 2 },
	{ "reset", do_reset, 2 },
	{ "write", do_write, 1 },
	{ "create", do_create, 1 },
	{ "delete file", do_delete_file, 1 },
	{ "delete key", do_delete_key, 1 },
	{ "generate", do_generate, 1 },
	{ "generate over", do_generate_over, 1 },
	{ "share", do_share, 1 },
	{ "forget", do_forget, 1 },
	{ "remove", do_remove, 1 },
	{ "sign, counted", do_sign, 1 },
	{ "wrap, counted", do_wrap, 1 },
	{ "unwrap", do_unwrap, 1 },
};

enum { N_CHANGES = sizeof(changes) / sizeof(changes[0]) };

/* The memory before commit @n of the command; without a failure all of them are done. */
static void cut(const struct change *change, unsigned int n, int with)
{
	static struct rig rig;
	static uint8_t before[HSM_CODEC_MAX];
	size_t len;

	prepare(&rig);
	rig_fail_at(&rig, n, with);
	len = rig.blob_len;
	memcpy(before, rig.blob, len);
	if (n == 1) {
		EXPECT_EQ(with == -EIO ? 0 : SW_MEMORY, change->run(&rig));
		EXPECT_EQ(0u, rig.n);
		EXPECT_BYTES_EQ(BYTES(before, len), BYTES(rig.blob, rig.blob_len));
	} else {
		EXPECT_EQ(with == -EIO ? 0 : SW_MEMORY, change->run(&rig));
	}
	if (with == -EIO)
		EXPECT_EQ(0u, rig_select(&rig));	/* mute until its power was gone */
	rig_restart(&rig);
	EXPECT_EQ(SW_OK, rig_verify(&rig, RIG_PIN));
	EXPECT_EQ(SW_OK, rig_send(&rig, 0x80, HSM_SIGN, 0x0173, BYTES("x", 1)));
	EXPECT_EQ(1u, rig_lists(&rig, 0xcf01));
	EXPECT_EQ(0u, rig_lists(&rig, 0xcf02));
	EXPECT_EQ(0u, rig_lists(&rig, 0xcc02));
	EXPECT_EQ(0u, rig_lists(&rig, 0xcc05));
	EXPECT_EQ(SW_END_OF_FILE, rig_read(&rig, 0xcf01));
	EXPECT_BYTES_EQ(BYTES("old", 3), rig_data(&rig));
	rig_deinit(&rig);
}

TEST(a_command_takes_as_many_commits_as_it_should)
{
	static struct rig rig;

	for (size_t i = 0; i < N_CHANGES; i++) {
		prepare(&rig);
		rig.commits = 0;
		EXPECT_EQ(SW_OK, changes[i].run(&rig));
		EXPECT_EQ(changes[i].commits, rig.commits);
		rig_deinit(&rig);
	}
}

TEST(a_cut_at_any_commit_leaves_the_card_as_it_was)
{
	for (size_t i = 0; i < N_CHANGES; i++) {
		for (unsigned int n = 1; n <= changes[i].commits; n++)
			cut(&changes[i], n, -EIO);
	}
}

TEST(a_full_disk_at_any_commit_leaves_the_card_as_it_was)
{
	for (size_t i = 0; i < N_CHANGES; i++) {
		for (unsigned int n = 1; n <= changes[i].commits; n++)
			cut(&changes[i], n, -ENOSPC);
	}
}

TEST(a_mute_card_reads_its_memory_when_the_power_comes_back)
{
	struct rig rig;

	rig_init_ready(&rig);
	rig_fail_at(&rig, 1, -EIO);
	EXPECT_EQ(0u, rig_write(&rig, 0xcf01, BYTES("x", 1)));
	EXPECT_EQ(0u, rig_select(&rig));
	hsm_power_on(rig.hsm);
	EXPECT_EQ(SW_OK, rig_select(&rig));
	EXPECT_EQ(SW_NO_FILE, rig_read(&rig, 0xcf01));
	ASSERT_EQ(SW_OK, rig_verify(&rig, RIG_PIN));
	EXPECT_EQ(SW_OK, rig_write(&rig, 0xcf01, BYTES("x", 1)));
	rig_deinit(&rig);
}

TEST(without_power_nothing_is_answered_and_with_it_nobody_is_logged_in)
{
	struct rig rig;

	rig_init_ready(&rig);
	ASSERT_EQ(SW_OK, rig_write(&rig, FILE_SCRATCH, BYTES("x", 1)));
	hsm_power_on(rig.hsm);			/* a reset */
	EXPECT_EQ(SW_INS, rig_send(&rig, 0x80, HSM_ENUMERATE, 0x0000, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_select(&rig));
	EXPECT_EQ(SW_TRIES | 3, rig_send(&rig, 0x00, INS_VERIFY, 0x0081, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_verify(&rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_write(&rig, FILE_SCRATCH, BYTES("x", 1)));
	hsm_power_off(rig.hsm);
	EXPECT_EQ(0u, rig_select(&rig));
	hsm_power_on(rig.hsm);
	EXPECT_EQ(SW_INS, rig_send(&rig, 0x80, HSM_ENUMERATE, 0x0000, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_select(&rig));
	EXPECT_EQ(SW_TRIES | 3, rig_send(&rig, 0x00, INS_VERIFY, 0x0081, BYTES_NONE));
	EXPECT_EQ(SW_PIN_NEEDED, rig_write(&rig, 0xcf01, BYTES("x", 1)));
	ASSERT_EQ(SW_OK, rig_verify(&rig, RIG_PIN));
	EXPECT_EQ(SW_NO_FILE, rig_read(&rig, FILE_SCRATCH));
	rig_deinit(&rig);
}

TEST(a_memory_without_a_state_makes_no_card)
{
	struct rig rig;
	struct hsm_memory memory;
	struct hsm *hsm;

	rig_init(&rig);
	memory = rig.hsm->memory;
	rig.blob_len = 0;
	EXPECT_EQ(-ENOENT, hsm_new(&memory, &hsm));
	rig.blob_len = 3;
	EXPECT_EQ(-EBADMSG, hsm_new(&memory, &hsm));
	rig_deinit(&rig);
}
