/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists and snapshots: whatever rows the broker sends, only whole and valid ones get through.
 *
 * Faces: libclient/reader.c libclient/card.c libclient/container.c libclient/service.c
 * Faces: libclient/serial.c libclient/policy.c
 */
#include "libclient/serial.h"
#include "tests/libclient/fake.h"

FIXTURE(list) { struct fake f; };
FIXTURE_SETUP(list) { fake_begin(&self->f); }
FIXTURE_TEARDOWN(list) { fake_end(&self->f); }

static void queue_readers(struct fake *f, uint32_t n, struct bytes rows)
{
	struct packet p = fake_reply_begin(f, KF_READER_LIST, 0);
	struct kf_reader_list *list = packet_body(&p);

	list->n_readers = n;
	packet_set(&p, kf_reader_list, readers, rows);
	fake_send(f, &p);
}

static struct kf_reader_entry entry_of(const char *name, uint32_t state)
{
	struct kf_reader_entry entry = { .reader = 3, .state = state, .vendor = 0x1234,
					 .product = 0x5678 };

	packet_set_string(entry.name, name);
	packet_set_string(entry.serial, "4B462D31");
	return entry;
}

TEST_F(list, readers_are_taken_over)
{
	struct kf_reader_entry rows[2] = { entry_of("virtual:a", KF_READER_EMPTY),
					   entry_of("virtual:b", KF_READER_CARD) };
	struct kf_readers *readers = NULL;

	queue_readers(&self->f, 2, BYTES(rows, sizeof(rows)));
	ASSERT_EQ(0, kf_reader_list(self->f.client, &readers));
	ASSERT_EQ(2, kf_readers_count(readers));
	EXPECT_STREQ("virtual:b", kf_reader_name(kf_readers_at(readers, 1)));
	EXPECT_EQ(KF_READER_CARD, kf_reader_state(kf_readers_at(readers, 1)));
	EXPECT_EQ(0x12345678, kf_reader_usb_id(kf_readers_at(readers, 0)));
	EXPECT_STREQ("KF-1", kf_reader_serial(kf_readers_at(readers, 0)));
	EXPECT_NULL(kf_readers_at(readers, 2));
	readers = kf_readers_free(readers);
}

TEST_F(list, rows_of_a_newer_broker_may_be_longer)
{
	struct { struct kf_reader_entry entry; uint32_t news; } rows[2] = {
		{ entry_of("virtual:a", KF_READER_CARD), 0x99 },
		{ entry_of("virtual:b", KF_READER_CARD), 0x99 },
	};
	struct kf_readers *readers = NULL;

	queue_readers(&self->f, 2, BYTES(rows, sizeof(rows)));
	ASSERT_EQ(0, kf_reader_list(self->f.client, &readers));
	EXPECT_STREQ("virtual:b", kf_reader_name(kf_readers_at(readers, 1)));
	readers = kf_readers_free(readers);
}

static void expect_broken(struct fake *f, uint32_t n, struct bytes rows)
{
	struct kf_readers *readers = NULL;

	queue_readers(f, n, rows);
	EXPECT_EQ(-EBADMSG, kf_reader_list(f->client, &readers));
	EXPECT_NULL(readers);
	expect_explained(f->client, -EBADMSG);
	EXPECT_EQ(-ENOTCONN, kf_client_fd(f->client));
}

TEST_F(list, rows_shorter_than_known_are_refused)
{
	struct kf_reader_entry row = entry_of("virtual:a", KF_READER_CARD);

	expect_broken(&self->f, 1, BYTES(&row, sizeof(row) - 1));
}

TEST_F(list, a_count_that_does_not_divide_is_refused)
{
	struct kf_reader_entry rows[2] = { entry_of("virtual:a", KF_READER_CARD),
					   entry_of("virtual:b", KF_READER_CARD) };

	expect_broken(&self->f, 3, BYTES(rows, sizeof(rows)));
}

TEST_F(list, a_count_beyond_all_bounds_is_refused)
{
	struct kf_reader_entry row = entry_of("virtual:a", KF_READER_CARD);

	expect_broken(&self->f, UINT32_MAX, BYTES(&row, sizeof(row)));
}

TEST_F(list, no_rows_and_yet_bytes_are_refused)
{
	expect_broken(&self->f, 0, BYTES("x", 1));
}

TEST_F(list, a_name_without_an_end_is_refused)
{
	struct kf_reader_entry row = entry_of("virtual:a", KF_READER_CARD);

	memset(row.name, 'x', sizeof(row.name));
	expect_broken(&self->f, 1, BYTES(&row, sizeof(row)));
}

TEST_F(list, a_name_that_paints_a_terminal_is_refused)
{
	struct kf_reader_entry row = entry_of("virtual:a", KF_READER_CARD);

	row.name[3] = '\033';
	expect_broken(&self->f, 1, BYTES(&row, sizeof(row)));
}

TEST_F(list, a_card_is_read)
{
	struct packet p = fake_reply_begin(&self->f, KF_CARD_INFO, 0);
	struct kf_card_info *info = packet_body(&p);
	struct kf_card *card = NULL;

	info->key_import = KF_IMPORT_RSA;
	info->n_containers = 16;
	info->unwrap_types = 0x277e;
	info->unwrap_hashes = 0x1e;
	info->serial_len = 2;
	info->serial[0] = 0x00;
	info->serial[1] = 0xfe;
	info->tries[KF_PIN_USER] = 3;
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_card_read(self->f.context, &card));
	EXPECT_EQ(KF_IMPORT_RSA, kf_card_value(card, KF_CP_KEY_IMPORT));
	EXPECT_EQ(16, kf_card_value(card, KF_CP_CONTAINERS));
	EXPECT_EQ(0x277eu, kf_card_value(card, KF_CP_UNWRAP_TYPES));
	EXPECT_EQ(0x1eu, kf_card_value(card, KF_CP_UNWRAP_HASHES));
	EXPECT_EQ(0, kf_card_value(card, (enum kf_card_property)999));
	EXPECT_STREQ("00FE", kf_card_serial(card));
	EXPECT_EQ(3, kf_card_tries(card, KF_PIN_USER));
	EXPECT_EQ(KF_TRIES_UNKNOWN, kf_card_tries(card, KF_PINS_MAX));
	card = kf_card_free(card);
}

TEST_F(list, a_serial_longer_than_any_is_refused)
{
	struct packet p = fake_reply_begin(&self->f, KF_CARD_INFO, 0);
	struct kf_card_info *info = packet_body(&p);
	struct kf_card *card = NULL;

	info->serial_len = KF_SERIAL_MAX + 1;
	fake_send(&self->f, &p);
	EXPECT_EQ(-EBADMSG, kf_card_read(self->f.context, &card));
	EXPECT_NULL(card);
}

TEST_F(list, containers_have_their_public_key_only_when_read_alone)
{
	const struct kf_container_entry rows[2] = {
		{ .container = 0 },
		{ .container = 1, .key_type = KF_KEY_EC_P256, .flags = KF_CONTAINER_PIN },
	};
	struct packet p = fake_reply_begin(&self->f, KF_CONTAINER_LIST, 0);
	struct kf_container_list *list = packet_body(&p);
	struct kf_containers *containers = NULL;
	struct kf_container *one = NULL;
	size_t len = 1;

	list->n_containers = 2;
	packet_set(&p, kf_container_list, containers, BYTES(rows, sizeof(rows)));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_container_list(self->f.context, &containers));
	ASSERT_EQ(2, kf_containers_count(containers));
	EXPECT_EQ(KF_KEY_EC_P256, kf_container_key_type(kf_containers_at(containers, 1)));
	EXPECT_NULL(kf_container_public_key(kf_containers_at(containers, 1), &len));
	EXPECT_EQ(0, len);
	containers = kf_containers_free(containers);

	p = fake_reply_begin(&self->f, KF_CONTAINER_INFO, 0);
	packet_set(&p, kf_container_info, spki, BYTES("spki", 4));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_container_read(self->f.context, 1, &one));
	EXPECT_MEMEQ("spki", kf_container_public_key(one, &len), 4);
	EXPECT_EQ(4, len);
	one = kf_container_free(one);
}

TEST_F(list, a_new_container_is_described_by_the_card)
{
	struct packet p = fake_reply_begin(&self->f, KF_CONTAINER_CREATE, 0);
	struct kf_container_create *create = packet_body(&p);
	struct kf_container *one = NULL;

	create->container = 7;
	fake_send(&self->f, &p);
	p = fake_reply_begin(&self->f, KF_CONTAINER_INFO, 0);
	((struct kf_container_info *)packet_body(&p))->entry.container = 7;
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_container_create(self->f.context, KF_CONTAINER_ANY, KF_KEY_EC_P256,
					 KF_PURPOSE_SIGN, &one));
	EXPECT_EQ(7, kf_container_number(one));
	one = kf_container_free(one);
	(void)fake_asked(&self->f);
	p = fake_asked(&self->f);
	EXPECT_EQ(7, ((const struct kf_container_info *)packet_read(&p))->entry.container);
}

TEST_F(list, the_service_names_its_processes)
{
	struct kf_process_entry rows[1] = { { .role = KF_ROLE_BROKER, .pid = 5, .uid = 6 } };
	struct packet p = fake_reply_begin(&self->f, KF_STATUS, 0);
	struct kf_status *status = packet_body(&p);
	struct kf_service *service = NULL;

	packet_set_string(rows[0].version, "1.2");
	status->n_processes = 1;
	status->uptime_s = 9;
	packet_set(&p, kf_status, processes, BYTES(rows, sizeof(rows)));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_service_read(self->f.client, &service));
	EXPECT_EQ(9, kf_service_value(service, KF_SERVICE_UPTIME_S));
	EXPECT_EQ(5, kf_process_pid(service, 0));
	EXPECT_STREQ("1.2", kf_process_version(service, 0));
	EXPECT_EQ(0, kf_process_pid(service, 1));
	EXPECT_STREQ("", kf_process_version(service, 1));
	service = kf_service_free(service);
}

TEST_F(list, rules_are_taken_over)
{
	struct kf_policy_entry row = { .who = KF_WHO_GID, .id = 50, .rights = KF_RIGHT_USE,
				       .first = 3, .count = 2, .line = 14 };
	struct packet p = fake_reply_begin(&self->f, KF_POLICY, 0);
	struct kf_policy *policy = packet_body(&p);
	struct kf_rules *rules = NULL;
	const struct kf_rule *rule;

	packet_set_string(row.name, "desk");
	packet_set_string(row.reader, "usb:*");
	policy->n_rules = 1;
	policy->version = 7;
	policy->flags = KF_POLICY_WHOLE;
	packet_set(&p, kf_policy, rules, BYTES(&row, sizeof(row)));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_rule_list(self->f.client, &rules));
	ASSERT_EQ(1, kf_rules_count(rules));
	EXPECT_EQ(7, kf_rules_version(rules));
	EXPECT_EQ(KF_POLICY_WHOLE, kf_rules_flags(rules));
	rule = kf_rules_at(rules, 0);
	EXPECT_STREQ("desk", kf_rule_name(rule));
	EXPECT_STREQ("usb:*", kf_rule_reader(rule));
	EXPECT_EQ(KF_WHO_GID, kf_rule_value(rule, KF_RULE_WHO));
	EXPECT_EQ(50, kf_rule_value(rule, KF_RULE_ID));
	EXPECT_EQ(KF_RIGHT_USE, kf_rule_value(rule, KF_RULE_RIGHTS));
	EXPECT_EQ(3, kf_rule_value(rule, KF_RULE_FIRST));
	EXPECT_EQ(2, kf_rule_value(rule, KF_RULE_COUNT));
	EXPECT_EQ(14, kf_rule_value(rule, KF_RULE_LINE));
	EXPECT_NULL(kf_rules_at(rules, 1));
	rules = kf_rules_free(rules);
}

TEST_F(list, peers_are_taken_over)
{
	struct kf_client_entry row = { .client = 4, .uid = 1000, .held_ms = 20 };
	struct packet p = fake_reply_begin(&self->f, KF_CLIENTS, 0);
	struct kf_clients *clients = packet_body(&p);
	struct kf_peers *peers = NULL;

	packet_set_string(row.txn, "inject");
	clients->n_clients = 1;
	packet_set(&p, kf_clients, clients, BYTES(&row, sizeof(row)));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_peer_list(self->f.client, &peers));
	ASSERT_EQ(1, kf_peers_count(peers));
	EXPECT_EQ(1000, kf_peer_uid(kf_peers_at(peers, 0)));
	EXPECT_STREQ("inject", kf_peer_transaction(kf_peers_at(peers, 0)));
	peers = kf_peers_free(peers);
}

TEST(serials_are_text_where_they_can_be)
{
	char text[SERIAL_TEXT_SIZE];

	serial_text(BYTES("KF-1", 4), text);
	EXPECT_STREQ("KF-1", text);
	serial_text(BYTES("\x01K", 2), text);
	EXPECT_STREQ("014B", text);
	serial_text(BYTES_NONE, text);
	EXPECT_STREQ("", text);
	serial_text_from_hex("4B46", text);
	EXPECT_STREQ("KF", text);
	serial_text_from_hex("00FF", text);
	EXPECT_STREQ("00FF", text);
	serial_text_from_hex("4B4", text);
	EXPECT_STREQ("4B4", text);
	serial_text_from_hex("zz", text);
	EXPECT_STREQ("zz", text);
	serial_text_from_hex("", text);
	EXPECT_STREQ("", text);
}
