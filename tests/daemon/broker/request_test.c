/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: daemon/broker/serve_broker.c
 * Faces: daemon/broker/serve_reader.c
 */
#include "daemon/broker/request.h"
#include "tests/daemon/broker/rig.h"

FIXTURE(request) { struct rig rig; struct peer a; uint64_t context; };
FIXTURE_SETUP(request)
{
	rig_init(&self->rig);
	self->context = peer_init(&self->rig, &self->a);
}
FIXTURE_TEARDOWN(request)
{
	peer_deinit(&self->a);
	rig_deinit(&self->rig);
}

TEST(every_row_has_a_shape_and_every_request_of_clients_a_row)
{
	for (size_t i = 0; request_at(i); i++) {
		EXPECT_NOT_NULL(shape_find(request_at(i)->request));
		EXPECT_EQ(request_at(i), request_find(request_at(i)->request));
		EXPECT_NOT_NULL(request_at(i)->handler);
	}
	for (size_t i = 0; shape_at(i); i++)
		EXPECT_EQ(_IOC_NR(shape_at(i)->request) < 0xc0,
			  request_find(shape_at(i)->request) != NULL);
}

/* The policy, spelled out a second time: a change here is a change of who may do what. */
TEST(rights_are_what_the_security_page_says)
{
	static const struct { uint32_t request, right; } want[] = {
		{ KF_PIN_VERIFY, KF_RIGHT_USE }, { KF_PIN_CHANGE, KF_RIGHT_USE },
		{ KF_PIN_UNBLOCK, KF_RIGHT_USE }, { KF_SIGN, KF_RIGHT_USE },
		{ KF_DECRYPT, KF_RIGHT_USE }, { KF_AGREE, KF_RIGHT_USE },
		{ KF_TXN_BEGIN, KF_RIGHT_USE }, { KF_OFFER, KF_RIGHT_INJECT },
		{ KF_SESSION_IMPORT, KF_RIGHT_INJECT }, { KF_PROCESS, KF_RIGHT_INJECT },
		{ KF_CONTAINER_CREATE, KF_RIGHT_CREATE }, { KF_CERT_STORE, KF_RIGHT_CREATE },
		{ KF_CONTAINER_DELETE, KF_RIGHT_DELETE }, { KF_CARD_RESET, KF_RIGHT_ADMIN },
		{ KF_RELAY_BEGIN, KF_RIGHT_RELAY }, { KF_RELAY_APDU, KF_RIGHT_RELAY },
		{ KF_RELAY_END, KF_RIGHT_RELAY },
		{ KF_APDU, KF_RIGHT_RAW }, { KF_READER_LIST, KF_RIGHT_LOOK },
		{ KF_CARD_INFO, KF_RIGHT_LOOK }, { KF_CERT_READ, KF_RIGHT_LOOK },
		{ KF_CIPHER, KF_RIGHT_USE }, { KF_BYOK_IMPORT, KF_RIGHT_INJECT },
		{ KF_KEK_CREATE, KF_RIGHT_KEK }, { KF_KEK_SET, KF_RIGHT_KEK },
		{ KF_KEK_LIST, KF_RIGHT_LOOK }, { KF_KEK_ATTEST, KF_RIGHT_LOOK },
		{ KF_CARD_INIT, KF_RIGHT_INIT }, { KF_DKEK_STATUS, KF_RIGHT_LOOK },
		{ KF_DKEK_SHARE, KF_RIGHT_KEK }, { KF_DKEK_DOMAIN, KF_RIGHT_KEK },
		{ KF_BLOB_WRAP, KF_RIGHT_WRAP }, { KF_BLOB_UNWRAP, KF_RIGHT_INJECT },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		EXPECT_EQ(want[i].right, request_find(want[i].request)->right);
}

/* Sends @packet with its struct @n bytes long. */
static int sized(struct fixture_request *self, struct packet packet, size_t n, bool tail)
{
	uint8_t buf[2048];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct packet reply = { 0 };

	packet.header.request = _IOC(_IOC_DIR(packet.header.request), KF_TYPE,
				     _IOC_NR(packet.header.request), (uint32_t)n);
	packet.header.seq = ++self->a.seq;
	EXPECT_EQ(0, packet_pack(&packet, &p));
	if (tail)
		buf[sizeof(struct kf_header) + n - 1] = 1;
	EXPECT_EQ(0, wire_send(self->a.fd, pack_done(&p), 0));
	rig_run(&self->rig);
	EXPECT_TRUE(peer_get(&self->a, &reply));
	return reply.header.result;
}

/* A request that gets past the table, whatever comes of it. */
static struct packet good(struct fixture_request *self, const struct request_rule *rule)
{
	return ask(rule->request, rule->handle == HANDLE_NONE ? 0 : self->context);
}

TEST_F(request, every_row_short_long_and_long_but_zero)
{
	for (size_t i = 0; request_at(i); i++) {
		const struct request_rule *rule = request_at(i);
		const struct shape *shape = shape_find(rule->request);
		size_t known = shape_size(shape);
		int usual = sized(self, good(self, rule), known, false);

		EXPECT_EQ(-EINVAL, sized(self, good(self, rule), shape->min - 1u, false));
		EXPECT_EQ(-E2BIG, sized(self, good(self, rule), known + 8, true));
		if (rule->request == KF_CONTEXT_CLOSE)
			self->context = peer_open(&self->rig, &self->a);
		int longer = sized(self, good(self, rule), known + 8, false);
		if (rule->request == KF_TXN_BEGIN || rule->request == KF_TXN_END)
			EXPECT_EQ(-EPROTO, longer);	/* understood, but not twice */
		else
			EXPECT_EQ(usual, longer);
		if (rule->request == KF_CONTEXT_CLOSE)
			self->context = peer_open(&self->rig, &self->a);
	}
}

TEST_F(request, every_row_without_its_right_is_refused_and_nothing_happens)
{
	for (size_t i = 0; request_at(i); i++) {
		const struct request_rule *rule = request_at(i);
		struct packet p = good(self, rule), reply;

		if (rule->right == 0)
			continue;
		rig_policy(&self->rig, RIG_ALL & ~(rule->right | rule->pin_right));
		self->rig.n_asked = 0;
		EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
		EXPECT_EQ(KF_REASON_RIGHT, reply.header.reason);
		EXPECT_EQ(rule->right, reply.header.detail);
		EXPECT_EQ(0u, self->rig.n_asked);
	}
}

TEST_F(request, every_row_with_a_handle_refuses_anothers_a_wrong_one_and_none)
{
	struct peer b;
	uint64_t theirs = peer_init(&self->rig, &b);

	for (size_t i = 0; request_at(i); i++) {
		const struct request_rule *rule = request_at(i);
		const uint64_t wrong[] = { theirs, 0, 1, UINT64_MAX, self->context + 1 };

		for (size_t k = 0; rule->handle != HANDLE_NONE && k < 5; k++) {
			struct packet p = ask(rule->request, 0), reply;

			*(uint64_t *)packet_body(&p) = wrong[k];
			self->rig.n_asked = 0;
			EXPECT_EQ(-EBADF, peer_call(&self->rig, &self->a, &p, &reply));
			EXPECT_EQ(0u, self->rig.n_asked);
		}
	}
	peer_deinit(&b);
}

TEST_F(request, drivers_requests_and_unknown_ones_are_unknown)
{
	static const uint32_t unknown[] = {
		KF_DRV_HELLO, KF_DRV_DROP, KF_DRV_POWER_CYCLE, KF_EVENT, KF_DRV_EVENT,
		KF_DRV_SILENT, KF_DRV_POWERING,
		_IOWR(KF_TYPE, 0xbf, struct kf_sign), _IOWR('X', 0x50, struct kf_sign),
		_IOW(KF_TYPE, 0x50, struct kf_sign),
	};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct packet p = ask(unknown[i], 0), reply;

		EXPECT_EQ(-ENOTTY, peer_call(&self->rig, &self->a, &p, &reply));
	}
}

TEST_F(request, hello_comes_first_and_once)
{
	struct packet p = ask(KF_READER_LIST, 0), reply;
	struct peer b;

	peer_connect(&self->rig, &b);
	EXPECT_EQ(-EPROTO, peer_call(&self->rig, &b, &p, &reply));
	EXPECT_EQ(KF_REASON_NO_HELLO, reply.header.reason);
	EXPECT_EQ(0, peer_hello(&self->rig, &b));
	EXPECT_EQ(0, peer_call(&self->rig, &b, &p, &reply));
	EXPECT_EQ(-EPROTO, peer_hello(&self->rig, &b));
	peer_deinit(&b);
}

TEST_F(request, who_is_in_no_rule_is_told_so_even_at_hello)
{
	struct peer b;

	rig_policy(&self->rig, 0);
	peer_connect(&self->rig, &b);
	EXPECT_EQ(-EACCES, peer_hello(&self->rig, &b));
	peer_deinit(&b);
}

TEST_F(request, a_new_policy_counts_for_those_already_connected)
{
	struct packet p = ask(KF_SIGN, self->context), reply;

	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	rig_policy(&self->rig, KF_RIGHT_LOOK);
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
}

TEST_F(request, turning_a_container_for_ever_needs_more_than_inject)
{
	struct packet p = ask(KF_OFFER, self->context), reply;

	((struct kf_offer *)packet_body(&p))->flags = KF_OFFER_EXISTING;
	rig_policy(&self->rig, KF_RIGHT_LOOK | KF_RIGHT_INJECT);
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	((struct kf_offer *)packet_body(&p))->flags = 0;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
}

TEST_F(request, replacing_a_key_needs_delete_besides_inject)
{
	struct packet p = ask(KF_BYOK_IMPORT, self->context), reply;

	packet_set(&p, kf_byok_import, blob, BYTES("blob", 4));
	rig_policy(&self->rig, KF_RIGHT_LOOK | KF_RIGHT_INJECT);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	((struct kf_byok_import *)packet_body(&p))->flags = KF_BYOK_REPLACE;
	self->rig.n_asked = 0;
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(KF_REASON_RIGHT, reply.header.reason);
	EXPECT_EQ(KF_RIGHT_DELETE, reply.header.detail);
	EXPECT_EQ(0u, self->rig.n_asked);
	rig_policy(&self->rig, KF_RIGHT_LOOK | KF_RIGHT_INJECT | KF_RIGHT_DELETE);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
}

TEST_F(request, replacing_a_key_by_a_dkek_blob_needs_delete_too)
{
	struct packet p = ask(KF_BLOB_UNWRAP, self->context), reply;

	packet_set(&p, kf_blob_unwrap, blob, BYTES("blob", 4));
	rig_policy(&self->rig, KF_RIGHT_LOOK | KF_RIGHT_INJECT);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	((struct kf_blob_unwrap *)packet_body(&p))->flags = KF_BLOB_REPLACE;
	self->rig.n_asked = 0;
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(KF_RIGHT_DELETE, reply.header.detail);
	EXPECT_EQ(0u, self->rig.n_asked);
}

TEST_F(request, replacing_a_key_needs_delete_for_that_container)
{
	struct spawn_rule rules[] = {
		{ .rights = KF_RIGHT_LOOK | KF_RIGHT_INJECT },
		{ .rights = KF_RIGHT_DELETE, .first = 3, .count = 1 } };
	struct packet p = ask(KF_BYOK_IMPORT, self->context), reply;
	struct kf_byok_import *body = packet_body(&p);

	for (size_t i = 0; i < 2; i++) {
		rules[i].who = SPAWN_UID;
		rules[i].id = getuid();
	}
	rig_rules(&self->rig, rules, 2);
	packet_set(&p, kf_byok_import, blob, BYTES("blob", 4));
	body->flags = KF_BYOK_REPLACE;
	body->container = 4;
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(KF_REASON_RIGHT_HERE, reply.header.reason);
	EXPECT_EQ(KF_RIGHT_DELETE, reply.header.detail);
	body->container = 3;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
}

/* One rule for us, besides one that lets us look everywhere. */
static void narrow(struct fixture_request *self, struct spawn_rule rule)
{
	struct spawn_rule rules[] = {
		{ .who = SPAWN_UID, .id = getuid(), .rights = KF_RIGHT_LOOK }, rule };

	rules[1].who = SPAWN_UID;
	rules[1].id = getuid();
	rig_rules(&self->rig, rules, 2);
}

static int ask_container(struct fixture_request *self, uint32_t request, size_t at, uint32_t container,
			 struct packet *reply)
{
	struct packet p = ask(request, self->context);

	if (request == KF_KEK_CREATE) {
		packet_set(&p, kf_kek_create, puk, BYTES("12345678", 8));
		packet_set(&p, kf_kek_create, name, BYTES("kek", 3));
	}
	if (request == KF_KEK_SET)
		packet_set(&p, kf_kek_set, puk, BYTES("12345678", 8));
	if (request == KF_BYOK_IMPORT)
		packet_set(&p, kf_byok_import, blob, BYTES("blob", 4));
	if (request == KF_BLOB_UNWRAP)
		packet_set(&p, kf_blob_unwrap, blob, BYTES("blob", 4));
	memcpy((uint8_t *)packet_body(&p) + at, &container, sizeof(container));
	return peer_call(&self->rig, &self->a, &p, reply);
}

TEST_F(request, a_rule_about_another_reader_gives_nothing_here)
{
	struct packet p = ask(KF_SIGN, self->context), reply;

	narrow(self, (struct spawn_rule){ .rights = KF_RIGHT_USE, .reader = "usb:*" });
	self->rig.n_asked = 0;
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(KF_REASON_RIGHT_HERE, reply.header.reason);
	EXPECT_EQ(KF_RIGHT_USE, reply.header.detail);
	EXPECT_EQ(0u, self->rig.n_asked);
	narrow(self, (struct spawn_rule){ .rights = KF_RIGHT_USE, .reader = "virtual:t?st" });
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
}

TEST_F(request, every_row_that_names_a_container_is_held_to_it)
{
	size_t rows = 0;

	for (size_t i = 0; request_at(i); i++) {
		const struct request_rule *rule = request_at(i);
		struct packet reply;

		if (rule->container == 0 || rule->right == KF_RIGHT_LOOK)
			continue;
		rows++;
		narrow(self, (struct spawn_rule){ .rights = rule->right, .first = 3, .count = 2 });
		self->rig.n_asked = 0;
		EXPECT_EQ(-EACCES, ask_container(self, rule->request, rule->container, 2, &reply));
		EXPECT_EQ(KF_REASON_RIGHT_HERE, reply.header.reason);
		EXPECT_EQ(-EACCES, ask_container(self, rule->request, rule->container, 5, &reply));
		EXPECT_EQ(-EACCES, ask_container(self, rule->request, rule->container,
						 KF_CONTAINER_ANY, &reply));
		EXPECT_EQ(0u, self->rig.n_asked);
		EXPECT_EQ(0, ask_container(self, rule->request, rule->container, 4, &reply));
	}
	EXPECT_EQ(13u, rows);
}

TEST_F(request, looking_into_a_container_needs_a_rule_about_it)
{
	struct spawn_rule rule = { .who = SPAWN_UID, .id = getuid(), .rights = KF_RIGHT_LOOK,
				   .first = 1, .count = 1 };
	struct packet reply;
	size_t at = offsetof(struct kf_container_info, entry.container);

	rig_rules(&self->rig, &rule, 1);
	EXPECT_EQ(0, ask_container(self, KF_CONTAINER_INFO, at, 1, &reply));
	EXPECT_EQ(-EACCES, ask_container(self, KF_CONTAINER_INFO, at, 0, &reply));
}

/* The cargo says which container it is for, and the card knows from the sid; the client may lie. */
TEST_F(request, a_session_key_for_another_container_is_taken_away_at_once)
{
	struct packet p = ask(KF_SESSION_IMPORT, self->context), reply;

	narrow(self, (struct spawn_rule){ .rights = KF_RIGHT_INJECT, .first = 1, .count = 1 });
	self->rig.target = 2;
	self->rig.n_asked = 0;
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(KF_REASON_RIGHT_HERE, reply.header.reason);
	EXPECT_ASKED(&self->rig, NR(KF_SESSION_IMPORT), NR(KF_KEY_DESTROY));
	self->rig.target = KF_CONTAINER_ANY;
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	self->rig.target = 1;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
}

TEST_F(request, a_session_key_outlives_a_new_table_and_is_judged_by_it)
{
	struct packet p = ask(KF_SESSION_IMPORT, self->context), reply;
	uint64_t key;

	self->rig.target = 1;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	key = ((const struct kf_session_import *)packet_read(&reply))->key;
	p = ask(KF_PROCESS, key);
	narrow(self, (struct spawn_rule){ .rights = KF_RIGHT_INJECT, .first = 2, .count = 1 });
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	narrow(self, (struct spawn_rule){ .rights = KF_RIGHT_INJECT, .first = 1, .count = 1 });
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	narrow(self, (struct spawn_rule){ .rights = KF_RIGHT_INJECT, .reader = "usb:*" });
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	p = ask(KF_KEY_DESTROY, key);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
}

static uint64_t key_for(struct fixture_request *self, uint32_t target)
{
	struct packet p = ask(KF_SESSION_IMPORT, self->context), reply;

	self->rig.target = target;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	return ((const struct kf_session_import *)packet_read(&reply))->key;
}

/* Orders about PINs and keys have a right each; neither stands for the other. */
TEST_F(request, the_right_to_carry_pins_is_another_than_that_to_inject_keys)
{
	const struct { uint32_t right, other, target, foreign; } sides[] = {
		{ KF_RIGHT_PIN, KF_RIGHT_INJECT, KF_CONTAINER_PINS, 3 },
		{ KF_RIGHT_INJECT, KF_RIGHT_PIN, 3, KF_CONTAINER_PINS },
	};
	size_t at = offsetof(struct kf_offer, container);

	for (size_t i = 0; i < 2; i++) {
		uint64_t own = key_for(self, sides[i].target), foreign = key_for(self, sides[i].foreign);
		struct packet p = ask(KF_PROCESS, foreign), import = ask(KF_SESSION_IMPORT, self->context);
		struct packet reply;

		narrow(self, (struct spawn_rule){ .rights = sides[i].right });
		self->rig.n_asked = 0;
		EXPECT_EQ(-EACCES, ask_container(self, KF_OFFER, at, sides[i].foreign, &reply));
		EXPECT_EQ(KF_REASON_RIGHT, reply.header.reason);
		EXPECT_EQ(sides[i].other, reply.header.detail);
		EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
		EXPECT_EQ(sides[i].other, reply.header.detail);
		EXPECT_EQ(0u, self->rig.n_asked);

		EXPECT_EQ(0, ask_container(self, KF_OFFER, at, sides[i].target, &reply));
		p = ask(KF_PROCESS, own);
		EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));

		/* The cargo may say what it likes: the card tells what the sid is for. */
		self->rig.target = sides[i].foreign;
		self->rig.n_asked = 0;
		EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &import, &reply));
		EXPECT_EQ(sides[i].other, reply.header.detail);
		EXPECT_ASKED(&self->rig, NR(KF_SESSION_IMPORT), NR(KF_KEY_DESTROY));
		self->rig.target = sides[i].target;
		EXPECT_EQ(0, peer_call(&self->rig, &self->a, &import, &reply));
		narrow(self, (struct spawn_rule){ .rights = RIG_ALL });
	}
}

TEST_F(request, a_reader_one_may_not_look_at_is_not_listed_opened_or_told_of)
{
	struct spawn_rule rule = { .who = SPAWN_UID, .id = getuid(), .rights = RIG_ALL,
				   .reader = "usb:*" };
	struct packet list = ask(KF_READER_LIST, 0), open = ask(KF_CONTEXT_OPEN, 0), reply;
	struct packet events = ask(KF_EVENTS, 0);

	((struct kf_events *)packet_body(&events))->mask = KF_EVENTS_CARD;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &events, &reply));
	rig_rules(&self->rig, &rule, 1);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &list, &reply));
	EXPECT_EQ(0u, ((const struct kf_reader_list *)packet_read(&reply))->n_readers);
	EXPECT_EQ(-ENOENT, peer_call(&self->rig, &self->a, &open, &reply));
	packet_set_string(((struct kf_context_open *)packet_body(&open))->name, RIG_READER);
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &open, &reply));
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->a, &reply));
}

TEST_F(request, rules_about_others_are_shown_to_administrators_alone)
{
	struct spawn_rule rules[] = {
		{ .who = SPAWN_UID, .id = getuid() + 1, .rights = KF_RIGHT_USE, .name = "others" },
		{ .who = SPAWN_UID, .id = getuid(), .rights = KF_RIGHT_LOOK, .name = "ours",
		  .reader = "virtual:*", .first = 2, .count = 3, .line = 8 } };
	struct packet p = ask(KF_POLICY, 0), reply;
	const struct kf_policy_entry *row;

	rig_rules(&self->rig, rules, 2);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	ASSERT_EQ(1u, ((const struct kf_policy *)packet_read(&reply))->n_rules);
	EXPECT_EQ(0u, ((const struct kf_policy *)packet_read(&reply))->flags);
	row = (const void *)packet_get(&reply, kf_policy, rules).p;
	EXPECT_STREQ("ours", row->name);
	EXPECT_STREQ("virtual:*", row->reader);
	EXPECT_EQ(2u, row->first);
	EXPECT_EQ(3u, row->count);
	EXPECT_EQ(8u, row->line);
	rules[1].rights |= KF_RIGHT_ADMIN;
	rig_rules(&self->rig, rules, 2);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(2u, ((const struct kf_policy *)packet_read(&reply))->n_rules);
	EXPECT_EQ(KF_POLICY_WHOLE, ((const struct kf_policy *)packet_read(&reply))->flags);
}

TEST_F(request, status_readers_and_clients_tell_the_truth)
{
	struct packet p = ask(KF_STATUS, 0), reply;

	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(3u, ((const struct kf_status *)packet_read(&reply))->n_processes);
	p = ask(KF_READER_LIST, 0);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	struct bytes rows = packet_get(&reply, kf_reader_list, readers);
	struct kf_reader_entry entry;
	ASSERT_EQ(sizeof(entry), rows.n);
	memcpy(&entry, rows.p, sizeof(entry));
	EXPECT_STREQ(RIG_READER, entry.name);
	EXPECT_STREQ("AB", entry.serial);
	EXPECT_EQ((uint32_t)KF_READER_CARD, entry.state);

	p = ask_txn(self->context, 5000);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	p = ask(KF_CLIENTS, 0);
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	struct kf_client_entry row;
	rows = packet_get(&reply, kf_clients, clients);
	ASSERT_EQ(sizeof(row), rows.n);
	memcpy(&row, rows.p, sizeof(row));
	EXPECT_EQ(KF_CLIENT_TXN, row.flags);
	EXPECT_STREQ("test", row.txn);
	EXPECT_STREQ("test", row.name);
	EXPECT_LT(4000u, row.left_ms);
}

TEST_F(request, a_reply_larger_than_the_client_takes_says_how_large)
{
	struct packet p = ask(KF_READER_INFO, 0), reply;

	self->a.client->max_packet = 64;
	EXPECT_EQ(-EMSGSIZE, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(sizeof(struct kf_header) + sizeof(struct kf_reader_info), reply.header.detail);
}

TEST_F(request, an_older_client_is_answered_in_the_size_it_knows)
{
	size_t old = offsetof(struct kf_card_info, flags);
	struct packet p = ask(_IOC(_IOC_READ | _IOC_WRITE, KF_TYPE, NR(KF_CARD_INFO), (uint32_t)old),
			      self->context), reply;

	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(sizeof(struct kf_header) + old, reply.header.size);
}
