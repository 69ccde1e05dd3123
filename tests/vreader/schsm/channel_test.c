/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chip authentication and secure messaging against the server's half of format/schsm/, and against the
 * published numbers [card dossier 11.3].
 */
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/eac.h"
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"
#include "vreader/card/tlv.h"

FIXTURE(card)
{
	struct rig rig;
	struct sm sm;
};

FIXTURE_SETUP(card)
{
	rig_init(&self->rig);
	self->sm = SM_INIT;
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, "92 01 01"));
}

FIXTURE_TEARDOWN(card)
{
	sm_end(&self->sm);
	rig_deinit(&self->rig);
}

#define CHOOSE "80 0A 04007F00070202030202"

static uint16_t choose(struct rig *rig)
{
	return rig_send_hex(rig, 0x00, INS_MSE, 0x41a4, CHOOSE);
}

static uint16_t authenticate(struct rig *rig, struct bytes point)
{
	uint8_t inner[160], buf[160];
	struct packer i = pack_begin(inner, sizeof(inner)), p = pack_begin(buf, sizeof(buf));

	tlv_put(&i, 0x80, point);
	tlv_put(&p, 0x7c, pack_done(&i));
	return rig_send(rig, 0x00, INS_GENERAL_AUTHENTICATE, 0x0000, pack_done(&p));
}

/* The server's half; the device key it takes from the card's certificate. */
static void agree(struct fixture_card *self)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL, *ephemeral = NULL;
	struct rig *rig = &self->rig;
	struct unpacker u;
	uint8_t point[CURVE_POINT_MAX], token[EAC_TOKEN_SIZE];
	struct packer p = pack_begin(point, sizeof(point));
	struct cvc cert;

	ASSERT_EQ(SW_END_OF_FILE, rig_read(rig, FILE_DEVICE_CERT));
	u = unpack_begin(rig_data(rig));
	ASSERT_EQ(0, cvc_take(&u, &cert));
	ASSERT_EQ(0, cvc_key_load(&cert.key, NULL, &device));
	ASSERT_EQ(0, eac_ephemeral(device, &ephemeral));
	ASSERT_EQ(0, curve_point(ephemeral, &p));
	ASSERT_EQ(SW_OK, choose(rig));
	ASSERT_EQ(SW_OK, authenticate(rig, pack_done(&p)));
	ASSERT_EQ(22u, rig->n);
	EXPECT_BYTES_EQ(BYTES("\x7c\x14\x81\x08", 4), BYTES(rig->data, 4));
	EXPECT_BYTES_EQ(BYTES("\x82\x08", 2), BYTES(rig->data + 12, 2));
	p.n = 0;
	ASSERT_EQ(0, curve_point(device, &p));
	sm_end(&self->sm);
	ASSERT_EQ(0, eac_agree(ephemeral, pack_done(&p), rig->data + 4, &self->sm));
	p.n = 0;
	ASSERT_EQ(0, curve_point(ephemeral, &p));
	ASSERT_EQ(0, eac_token(&self->sm, pack_done(&p), token));
	EXPECT_MEMEQ(token, rig->data + 14, EAC_TOKEN_SIZE);
}

static uint16_t send_sealed(struct fixture_card *self, const struct sm_command *command)
{
	static uint8_t buf[HSM_DATA_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, sm_protect_command(&self->sm, command, &p));
	return rig_send(&self->rig, command->cla | SM_CLA, command->ins,
			(unsigned int)command->p1 << 8 | command->p2, pack_done(&p));
}

/* Return: the status word that the answer proves; the data is then the answer's. */
static uint16_t ask(struct fixture_card *self, uint8_t cla, uint8_t ins, unsigned int p1p2,
		    struct bytes data, uint32_t le)
{
	const struct sm_command command = {
		.cla = cla, .ins = ins, .p1 = (uint8_t)(p1p2 >> 8), .p2 = (uint8_t)p1p2,
		.data = data, .le = le,
	};
	static uint8_t buf[HSM_DATA_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	uint16_t sw = send_sealed(self, &command);

	ASSERT_EQ(0, sm_open_answer(&self->sm, rig_data(&self->rig), sw, &p, &sw));
	self->rig.n = p.n;
	memcpy(self->rig.data, buf, p.n);
	return sw;
}

/* [card dossier 11.3] */
TEST_F(card, the_published_numbers_come_out_of_the_card)
{
	static const uint8_t nonce[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	static const uint8_t token[] = { 0xf9, 0xb3, 0xe4, 0x53, 0x82, 0xb2, 0xee, 0x36 };
	static const uint8_t keys[] = {
		0x7b, 0x29, 0x1f, 0x88, 0x4f, 0x32, 0xe2, 0xda, 0x8b, 0x69, 0x22, 0xf0, 0x6e, 0xae, 0xb1, 0x38,
		0x5e, 0x69, 0xc1, 0x49, 0xca, 0xf6, 0x86, 0x05, 0xf3, 0xf5, 0x15, 0x97, 0x7b, 0x03, 0x45, 0x52,
	};
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL, *ephemeral = NULL;
	uint8_t d[32], point[CURVE_POINT_MAX];
	struct packer p = pack_begin(point, sizeof(point));
	struct rig *rig = &self->rig;

	memset(d, 0xbe, sizeof(d));
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "secp256k1", &device));
	memset(d, 0x11, sizeof(d));
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "secp256k1", &ephemeral));
	rig_set_device(rig, device);
	rig_restart(rig);
	rig_set_random(BYTES_OF(nonce));
	ASSERT_EQ(0, curve_point(ephemeral, &p));
	ASSERT_EQ(SW_OK, choose(rig));
	ASSERT_EQ(SW_OK, authenticate(rig, pack_done(&p)));
	EXPECT_MEMEQ(nonce, rig->data + 4, 8);
	EXPECT_MEMEQ(token, rig->data + 14, 8);
	EXPECT_BYTES_EQ(BYTES_OF(keys), secret_bytes(&rig->hsm->channel.sm.keys));
}

TEST_F(card, a_share_a_key_and_a_pin_go_through_the_channel)
{
	struct rig *rig = &self->rig;

	agree(self);
	EXPECT_EQ(SW_OK, ask(self, 0x80, HSM_DOMAIN, 0x0000, rig_share(), 256));
	EXPECT_EQ(10u, rig->n);
	EXPECT_EQ(SW_TRIES | 2, ask(self, 0x00, INS_VERIFY, 0x0081, BYTES("000000", 6), 0));
	EXPECT_EQ(SW_OK, ask(self, 0x00, INS_UNBLOCK, 0x0081, BYTES(RIG_SO_PIN "123456", 14), 0));
	EXPECT_EQ(SW_OK, ask(self, 0x00, INS_VERIFY, 0x0081, BYTES("123456", 6), 0));
	EXPECT_EQ(SW_OK, ask(self, 0x00, INS_UPDATE_BINARY, 0xcf01,
			     BYTES("\x54\x02\x00\x00\x53\x03" "abc", 9), 0));
	EXPECT_EQ(SW_END_OF_FILE, ask(self, 0x00, INS_READ_BINARY, 0xcf01,
				      BYTES("\x54\x02\x00\x00", 4), 256));
	EXPECT_BYTES_EQ(BYTES("abc", 3), rig_data(rig));
	EXPECT_EQ(SW_NO_FILE, ask(self, 0x00, INS_READ_BINARY, 0xcf02, BYTES("\x54\x02\x00\x00", 4), 256));
	EXPECT_EQ(SW_P1P2, ask(self, 0x80, HSM_ENUMERATE, 0x0100, BYTES_NONE, 256));
	EXPECT_EQ(SW_OK, ask(self, 0x80, HSM_ENUMERATE, 0x0000, BYTES_NONE, 65536));
	EXPECT_BYTES_EQ(BYTES("\xcc\x00\xcf\x01", 4), rig_data(rig));
}

TEST_F(card, an_agreement_takes_its_algorithm_first_and_a_point_of_the_curve)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = EVP_EC_gen("prime256v1");
	struct rig *rig = &self->rig;
	uint8_t point[CURVE_POINT_MAX];
	struct packer p = pack_begin(point, sizeof(point));

	ASSERT_EQ(0, curve_point(other, &p));
	EXPECT_EQ(SW_CONDITIONS, authenticate(rig, pack_done(&p)));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_MSE, 0x41a4, "80 0A 04007F00070202030201"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_MSE, 0x41a4, CHOOSE " 83 01 00"));
	EXPECT_EQ(SW_CONDITIONS, authenticate(rig, pack_done(&p)));
	ASSERT_EQ(SW_OK, choose(rig));
	EXPECT_EQ(SW_DATA, authenticate(rig, pack_done(&p)));		/* of another curve */
	EXPECT_EQ(SW_CONDITIONS, authenticate(rig, pack_done(&p)));	/* and it was one chance */
	ASSERT_EQ(SW_OK, choose(rig));
	EXPECT_EQ(SW_DATA, authenticate(rig, BYTES_NONE));
	ASSERT_EQ(SW_OK, choose(rig));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_GENERAL_AUTHENTICATE, 0x0000, "7C 02 81 00"));
	EXPECT_FALSE(sm_is_alive(&rig->hsm->channel.sm));
	EXPECT_EQ(SW_SECURE_MESSAGING, rig_send(rig, 0x0c, INS_VERIFY, 0x0081, BYTES_NONE));
}

TEST_F(card, a_changed_command_ends_the_session_and_does_nothing)
{
	const struct sm_command verify = {
		.ins = INS_VERIFY, .p2 = 0x81, .data = BYTES("000000", 6),
	};
	static uint8_t buf[HSM_DATA_MAX];
	struct rig *rig = &self->rig;
	size_t n;

	agree(self);
	for (size_t i = 0; ; i++) {
		struct packer p = pack_begin(buf, sizeof(buf));

		agree(self);
		ASSERT_EQ(0, sm_protect_command(&self->sm, &verify, &p));
		n = p.n;
		if (i == n)
			break;
		buf[i] ^= 1;
		EXPECT_EQ(SW_SM_OBJECT, rig_send(rig, 0x0c, INS_VERIFY, 0x0081, BYTES(buf, n)));
		EXPECT_EQ(0u, rig->n);
		EXPECT_EQ(SW_SECURE_MESSAGING, rig_send(rig, 0x0c, INS_VERIFY, 0x0081, BYTES(buf, n)));
	}
	EXPECT_EQ(SW_SM_OBJECT, rig_send(rig, 0x0c, INS_VERIFY, 0x0088, BYTES(buf, n)));
	EXPECT_EQ(SW_TRIES | 3, rig_send(rig, 0x00, INS_VERIFY, 0x0081, BYTES_NONE));
}

TEST_F(card, a_command_that_was_heard_cannot_be_said_again)
{
	const struct sm_command enumerate = { .cla = 0x80, .ins = HSM_ENUMERATE, .le = 256 };
	static uint8_t buf[HSM_DATA_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct rig *rig = &self->rig;

	agree(self);
	ASSERT_EQ(0, sm_protect_command(&self->sm, &enumerate, &p));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x8c, HSM_ENUMERATE, 0x0000, pack_done(&p)));
	EXPECT_EQ(SW_SM_OBJECT, rig_send(rig, 0x8c, HSM_ENUMERATE, 0x0000, pack_done(&p)));
}

TEST_F(card, a_plain_command_and_the_power_end_the_session)
{
	struct rig *rig = &self->rig;

	agree(self);
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_ENUMERATE, 0x0000, BYTES_NONE));
	EXPECT_EQ(SW_SECURE_MESSAGING, rig_send(rig, 0x8c, HSM_ENUMERATE, 0x0000, BYTES_NONE));
	agree(self);
	hsm_power_on(rig->hsm);
	EXPECT_EQ(SW_SECURE_MESSAGING, rig_send(rig, 0x8c, HSM_ENUMERATE, 0x0000, BYTES_NONE));
}

TEST_F(card, inside_a_session_the_table_holds_as_outside)
{
	agree(self);
	EXPECT_EQ(SW_PIN_NEEDED, ask(self, 0x80, HSM_WRAP, 0x0192, BYTES_NONE, 65536));
	EXPECT_EQ(SW_INS, ask(self, 0x80, 0x01, 0x0000, BYTES_NONE, 256));
	EXPECT_EQ(SW_LENGTH, ask(self, 0x80, HSM_ENUMERATE, 0x0000, BYTES("x", 1), 256));
	EXPECT_EQ(SW_CONDITIONS, ask(self, 0x00, INS_GET_RESPONSE, 0x0000, BYTES_NONE, 256));
}
