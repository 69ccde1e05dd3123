/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"
#include "vreader/card/tlv.h"
#include "vreader/schsm/issuer.h"

FIXTURE(chain)
{
	struct rig rig;
	uint8_t buf[HSM_FILE_MAX];
	struct cvc device, issuer;
};

/* The card's own chain, as another card of the same maker would be shown it. */
FIXTURE_SETUP(chain)
{
	struct unpacker u;

	rig_init(&self->rig);
	ASSERT_EQ(SW_END_OF_FILE, rig_read(&self->rig, FILE_DEVICE_CERT));
	memcpy(self->buf, self->rig.data, self->rig.n);
	u = unpack_begin(BYTES(self->buf, self->rig.n));
	ASSERT_EQ(0, cvc_take(&u, &self->device));
	ASSERT_EQ(0, cvc_take(&u, &self->issuer));
	ASSERT_EQ(0, unpack_end(&u));
}

FIXTURE_TEARDOWN(chain)
{
	rig_deinit(&self->rig);
}

static uint16_t choose(struct rig *rig, struct bytes name)
{
	uint8_t buf[32];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x83, name);
	return rig_send(rig, 0x00, INS_MSE, 0x81b6, pack_done(&p));
}

/* Body and signature, without what is round them. */
static uint16_t verify(struct rig *rig, struct bytes whole)
{
	struct unpacker u = unpack_begin(whole);

	return rig_send(rig, 0x00, INS_PSO, 0x00be, tlv_take(&u, 0x7f21));
}

TEST_F(chain, it_is_climbed_from_the_root_link_by_link)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_CONDITIONS, verify(rig, self->issuer.whole));	/* nobody was chosen */
	EXPECT_EQ(SW_NO_OBJECT, choose(rig, self->device.car));		/* not verified yet */
	EXPECT_EQ(SW_OK, choose(rig, self->issuer.car));
	EXPECT_EQ(SW_DATA, verify(rig, self->device.whole));		/* another's issuer */
	EXPECT_EQ(SW_OK, verify(rig, self->issuer.whole));
	EXPECT_EQ(SW_DATA, verify(rig, self->device.whole));
	EXPECT_EQ(SW_OK, choose(rig, self->device.car));
	EXPECT_EQ(SW_OK, verify(rig, self->device.whole));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x00, INS_MSE, 0x81a4, BYTES("\x83\x10" RIG_HOLDER, 18)));
}

TEST_F(chain, it_is_forgotten_with_the_power)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, choose(rig, self->issuer.car));
	ASSERT_EQ(SW_OK, verify(rig, self->issuer.whole));
	hsm_power_on(rig->hsm);
	ASSERT_EQ(SW_OK, rig_select(rig));
	EXPECT_EQ(SW_NO_OBJECT, choose(rig, self->device.car));
	EXPECT_EQ(SW_CONDITIONS, verify(rig, self->issuer.whole));
}

TEST_F(chain, a_certificate_that_was_changed_is_none)
{
	struct rig *rig = &self->rig;
	struct unpacker u = unpack_begin(self->issuer.whole);
	struct bytes value = tlv_take(&u, 0x7f21);
	uint8_t *p = self->buf + (value.p - self->buf);

	ASSERT_EQ(SW_OK, choose(rig, self->issuer.car));
	for (size_t i = 0; i < value.n; i++) {
		p[i] ^= 1;
		EXPECT_EQ(SW_DATA, rig_send(rig, 0x00, INS_PSO, 0x00be, value));
		p[i] ^= 1;
	}
	EXPECT_EQ(SW_NO_OBJECT, choose(rig, self->issuer.chr));
	EXPECT_EQ(SW_DATA, rig_send(rig, 0x00, INS_PSO, 0x00be, self->issuer.body));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x00, INS_PSO, 0x00be, value));
}

/* The same names by another maker: the name is not what is trusted. */
TEST_F(chain, another_makers_certificate_is_none)
{
	_cleanup_(issuer_freep) struct issuer *stranger = NULL;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;
	struct rig *rig = &self->rig;
	struct cvc theirs;
	uint8_t buf[HSM_FILE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct unpacker u;

	ASSERT_EQ(0, issuer_new(&stranger));
	ASSERT_EQ(0, issuer_make_pair(&device));
	ASSERT_EQ(0, issuer_certify(stranger, device, "X", &p));
	u = unpack_begin(pack_done(&p));
	ASSERT_EQ(0, cvc_take(&u, &theirs));
	ASSERT_EQ(0, cvc_take(&u, &theirs));
	EXPECT_BYTES_EQ(self->issuer.chr, theirs.chr);
	ASSERT_EQ(SW_OK, choose(rig, self->issuer.car));
	EXPECT_EQ(SW_DATA, verify(rig, theirs.whole));
	EXPECT_EQ(SW_DATA, verify(rig, issuer_root(stranger)));
	EXPECT_EQ(SW_OK, verify(rig, self->issuer.whole));
}

TEST_F(chain, the_card_remembers_four_and_says_when_it_is_full)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, choose(rig, self->issuer.car));
	for (size_t i = 0; i < HSM_TRUSTED_MAX; i++)
		EXPECT_EQ(SW_OK, verify(rig, self->issuer.whole));
	EXPECT_EQ(SW_FULL, verify(rig, self->issuer.whole));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_MSE, 0x81b6, "84 01 00"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_MSE, 0x81b6, "83 01 41 00"));
}
