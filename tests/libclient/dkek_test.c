/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cards with a DKEK: what each call asks, and what it makes of the answer. */
#include "tests/libclient/fake.h"

FIXTURE(dkek) { struct fake f; };
FIXTURE_SETUP(dkek) { fake_begin(&self->f); }
FIXTURE_TEARDOWN(dkek) { fake_end(&self->f); }

static const struct kf_card_init_spec spec = {
	.flags = KF_INIT_DKEK | KF_INIT_UNBLOCKS, .tries = 5, .n_shares = 2, .label = "fleet 1",
};

TEST_F(dkek, a_card_is_initialised_with_both_pins_and_neither_for_the_other)
{
	const struct kf_card_init *asked;
	struct packet p;

	fake_answer(&self->f, KF_CARD_INIT, 0);
	ASSERT_EQ(0, kf_card_init(self->f.context, &spec, "3537363231383830", 16, "648219", 6));
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(FAKE_CONTEXT, asked->context);
	EXPECT_EQ(KF_INIT_DKEK | KF_INIT_UNBLOCKS, asked->flags);
	EXPECT_EQ(5u, asked->tries);
	EXPECT_EQ(2u, asked->n_shares);
	EXPECT_EQ(0u, asked->n_domains);
	EXPECT_BYTES_EQ(BYTES("3537363231383830", 16), packet_get(&p, kf_card_init, so_pin));
	EXPECT_BYTES_EQ(BYTES("648219", 6), packet_get(&p, kf_card_init, pin));
	EXPECT_BYTES_EQ(BYTES("fleet 1", 7), packet_get(&p, kf_card_init, label));
	EXPECT_EQ(-EINVAL, kf_card_init(self->f.context, &spec, NULL, 0, "648219", 6));
	EXPECT_EQ(-EINVAL, kf_card_init(self->f.context, NULL, "x", 1, "648219", 6));
}

TEST_F(dkek, a_wrong_so_pin_is_called_that)
{
	static const int results[] = { -EKEYREJECTED, -EKEYREVOKED };

	for (size_t i = 0; i < 2; i++) {
		struct packet p = fake_reply_begin(&self->f, KF_CARD_INIT, results[i]);

		p.header.detail = 9;
		fake_send(&self->f, &p);
		EXPECT_EQ(results[i], kf_card_init(self->f.context, &spec, "1", 1, "648219", 6));
		expect_explained(self->f.client, results[i]);
		EXPECT_NOT_NULL(strstr(kf_client_error(self->f.client)->why, "SO-PIN"));
	}
}

TEST_F(dkek, a_status_has_rows_and_a_check_value_only_when_it_is_ready)
{
	struct packet p = fake_reply_begin(&self->f, KF_DKEK_STATUS, 0);
	struct kf_dkek_entry rows[2] = {
		{ .domain = 0, .state = KF_DKEK_READY, .n_shares = 2, .check_value = { 0x63, 0x0d } },
		{ .domain = 1, .state = KF_DKEK_INCOMPLETE, .n_shares = 3, .outstanding = 1,
		  .check_value = { 1 } },
	};
	struct kf_dkeks *dkeks = NULL;

	((struct kf_dkek_status *)packet_body(&p))->n_dkeks = 2;
	packet_set(&p, kf_dkek_status, dkeks, BYTES(rows, sizeof(rows)));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_dkek_status(self->f.context, &dkeks));
	(void)fake_asked(&self->f);
	ASSERT_EQ(2u, kf_dkeks_count(dkeks));
	EXPECT_MEMEQ(rows[0].check_value, kf_dkek_check_value(kf_dkeks_at(dkeks, 0)), KF_DKEK_CHECK_SIZE);
	EXPECT_NULL(kf_dkek_check_value(kf_dkeks_at(dkeks, 1)));
	EXPECT_EQ(1u, kf_dkek_value(kf_dkeks_at(dkeks, 1), KF_DKEK_DOMAIN_NUMBER));
	EXPECT_EQ((uint32_t)KF_DKEK_INCOMPLETE, kf_dkek_value(kf_dkeks_at(dkeks, 1), KF_DKEK_STATE));
	EXPECT_EQ(3u, kf_dkek_value(kf_dkeks_at(dkeks, 1), KF_DKEK_SHARES));
	EXPECT_EQ(1u, kf_dkek_value(kf_dkeks_at(dkeks, 1), KF_DKEK_OUTSTANDING));
	EXPECT_EQ(0u, kf_dkek_value(kf_dkeks_at(dkeks, 1), (enum kf_dkek_fact)99));
	EXPECT_NULL(kf_dkeks_at(dkeks, 2));
	dkeks = kf_dkeks_free(dkeks);

	p = fake_reply_begin(&self->f, KF_DKEK_STATUS, 0);
	((struct kf_dkek_status *)packet_body(&p))->n_dkeks = 3;
	packet_set(&p, kf_dkek_status, dkeks, BYTES(rows, sizeof(rows) - 1));
	fake_send(&self->f, &p);
	EXPECT_EQ(-EBADMSG, kf_dkek_status(self->f.context, &dkeks));
	EXPECT_NULL(dkeks);
}

TEST_F(dkek, a_share_goes_to_its_domain_and_what_is_outstanding_comes_back)
{
	struct packet p = fake_reply_begin(&self->f, KF_DKEK_SHARE, 0);
	uint8_t share[KF_DKEK_SHARE_SIZE] = { 1, 2, 3 };
	const struct kf_dkek_share *asked;
	uint32_t left = 0;

	((struct kf_dkek_share *)packet_body(&p))->entry.outstanding = 4;
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_dkek_share(self->f.context, 2, share, &left));
	EXPECT_EQ(4u, left);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(2u, asked->entry.domain);
	EXPECT_BYTES_EQ(BYTES_OF(share), packet_get(&p, kf_dkek_share, share));
	EXPECT_EQ(-EINVAL, kf_dkek_share(self->f.context, 2, NULL, &left));
}

TEST_F(dkek, a_domain_is_made_of_shares)
{
	const struct kf_dkek_domain *asked;
	struct packet p;

	fake_answer(&self->f, KF_DKEK_DOMAIN, 0);
	EXPECT_EQ(0, kf_dkek_domain(self->f.context, 3, KF_DOMAIN_CREATE, 2));
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(3u, asked->domain);
	EXPECT_EQ((uint32_t)KF_DOMAIN_CREATE, asked->action);
	EXPECT_EQ(2u, asked->n_shares);
}

TEST_F(dkek, a_key_is_wrapped_into_a_blob)
{
	struct packet p = fake_reply_begin(&self->f, KF_BLOB_WRAP, 0);
	struct kf_blob *blob = NULL;

	packet_set(&p, kf_blob_wrap, blob, BYTES("wrapped", 7));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_blob_wrap(self->f.context, 5, &blob));
	EXPECT_BYTES_EQ(BYTES("wrapped", 7), BYTES(kf_blob_data(blob), kf_blob_size(blob)));
	blob = kf_blob_free(blob);
	p = fake_asked(&self->f);
	EXPECT_EQ(5u, ((const struct kf_blob_wrap *)packet_read(&p))->container);
}

TEST_F(dkek, a_blob_goes_with_all_that_shall_stand_beside_the_key)
{
	const uint8_t replaces[KF_DIGEST_SIZE] = { 7 };
	const struct kf_unwrap_spec want = {
		.number = 9, .key_type = KF_KEY_EC_P256, .purposes = 0x40, .flags = KF_BLOB_REWRAP,
		.replaces = replaces, .cert = (const uint8_t *)"cert", .cert_len = 4,
		.label = "mail", .id = (const uint8_t *)"id", .id_len = 2,
	};
	struct packet p = fake_reply_begin(&self->f, KF_BLOB_UNWRAP, 0);
	const struct kf_blob_unwrap *asked;
	uint32_t number = 0;

	((struct kf_blob_unwrap *)packet_body(&p))->container = 9;
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_blob_unwrap(self->f.context, &want, (const uint8_t *)"blob", 4, &number));
	EXPECT_EQ(9u, number);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(9u, asked->container);
	EXPECT_EQ((uint32_t)KF_KEY_EC_P256, asked->key_type);
	EXPECT_EQ(0x40u, asked->purposes);
	EXPECT_EQ(KF_BLOB_REWRAP | KF_BLOB_REPLACE, asked->flags);
	EXPECT_MEMEQ(replaces, asked->replaces, sizeof(replaces));
	EXPECT_BYTES_EQ(BYTES("blob", 4), packet_get(&p, kf_blob_unwrap, blob));
	EXPECT_BYTES_EQ(BYTES("cert", 4), packet_get(&p, kf_blob_unwrap, cert));
	EXPECT_BYTES_EQ(BYTES("mail", 4), packet_get(&p, kf_blob_unwrap, label));
	EXPECT_BYTES_EQ(BYTES("id", 2), packet_get(&p, kf_blob_unwrap, id));
}

/* A refusal by the card, and one before it: two errors, and each has words for a person. */
TEST_F(dkek, why_a_blob_is_not_taken_is_told)
{
	const struct kf_unwrap_spec want = { .number = KF_CONTAINER_ANY };
	struct packet p = fake_reply_begin(&self->f, KF_BLOB_UNWRAP, -ENOENT);

	p.header.reason = KF_REASON_BLOB;
	p.header.detail = KF_BLOB_DKEK;
	fake_send(&self->f, &p);
	EXPECT_EQ(-ENOENT, kf_blob_unwrap(self->f.context, &want, (const uint8_t *)"b", 1, NULL));
	expect_explained(self->f.client, -ENOENT);
	EXPECT_NOT_NULL(strstr(kf_client_error(self->f.client)->why, "another DKEK"));
	EXPECT_EQ(KF_BLOB_DKEK, kf_client_detail(self->f.client));
	p = fake_reply_begin(&self->f, KF_BLOB_UNWRAP, -EREMOTEIO);
	p.header.reason = KF_REASON_BLOB_REFUSED;
	p.header.sw = 0x6a80;
	fake_send(&self->f, &p);
	EXPECT_EQ(-EREMOTEIO, kf_blob_unwrap(self->f.context, &want, (const uint8_t *)"b", 1, NULL));
	expect_explained(self->f.client, -EREMOTEIO);
	EXPECT_NOT_NULL(strstr(kf_client_error(self->f.client)->why, "6a80"));
}
