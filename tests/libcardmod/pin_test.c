// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libcardmod/pin_test.c - PINs go on as they came, to the PIN that was meant. */
#include "tests/libcardmod/card_fixture.h"

#include <poll.h>

FIXTURE(pin) { struct card_rig r; DWORD left; };
FIXTURE_SETUP(pin) { card_begin(&self->r); }
FIXTURE_TEARDOWN(pin) { card_end(&self->r); }

static BYTE one[] = "1234", two[] = "56789";

static DWORD authenticate(struct fixture_pin *self, PIN_ID id, DWORD flags)
{
	CARD_DATA *c = &self->r.card;

	return c->pfnCardAuthenticateEx(c, id, flags, one, 4, NULL, NULL, &self->left);
}

TEST_F(pin, the_user_pin_is_verified_by_name_and_by_id)
{
	CARD_DATA *c = &self->r.card;
	struct packet p;

	card_answer(&self->r, KF_PIN_VERIFY, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardAuthenticatePin(c, wszCARD_USER_USER, one, 4, &self->left));
	EXPECT_EQ(KF_PIN_USER, ((const struct kf_pin_verify *)card_asked(&self->r, KF_PIN_VERIFY,
									 &p))->pin);
	EXPECT_BYTES_EQ(BYTES("1234", 4), packet_get(&p, kf_pin_verify, value));
	card_answer(&self->r, KF_PIN_VERIFY, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, authenticate(self, ROLE_USER, CARD_PIN_SILENT_CONTEXT));
	(void)card_asked(&self->r, KF_PIN_VERIFY, &p);
}

TEST_F(pin, tries_are_reported)
{
	card_answer(&self->r, KF_PIN_VERIFY, -EKEYREJECTED, KF_REASON_PIN_WRONG, 2);
	EXPECT_EQ(SCARD_W_WRONG_CHV, authenticate(self, ROLE_USER, 0));
	EXPECT_EQ(2, self->left);
	expect_told(&self->r.card);
	card_answer(&self->r, KF_PIN_VERIFY, -EKEYREJECTED, KF_REASON_PIN_WRONG, KF_TRIES_UNKNOWN);
	EXPECT_EQ(SCARD_W_WRONG_CHV, authenticate(self, ROLE_USER, 0));
	EXPECT_EQ(CARD_DATA_VALUE_UNKNOWN, self->left);
	card_answer(&self->r, KF_PIN_VERIFY, -EKEYREVOKED, 0, 0);
	EXPECT_EQ(SCARD_W_CHV_BLOCKED, authenticate(self, ROLE_USER, 0));
	EXPECT_EQ(0, self->left);
}

TEST_F(pin, the_last_try_is_not_spent)
{
	const struct kf_pin_verify *verify;
	struct packet p;

	card_answer(&self->r, KF_PIN_VERIFY, -EPERM, KF_REASON_PIN_LAST_TRY, 0);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, authenticate(self, ROLE_USER, 0));
	EXPECT_EQ(1, self->left);
	verify = card_asked(&self->r, KF_PIN_VERIFY, &p);
	EXPECT_EQ(0, verify->flags);
}

TEST_F(pin, what_the_card_has_not_is_refused_without_asking)
{
	CARD_DATA *c = &self->r.card;

	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, authenticate(self, ROLE_ADMIN, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, authenticate(self, ROLE_EVERYONE, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, authenticate(self, 3, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  authenticate(self, ROLE_USER, CARD_AUTHENTICATE_GENERATE_SESSION_PIN));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  authenticate(self, ROLE_USER, CARD_AUTHENTICATE_SESSION_PIN));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, authenticate(self, ROLE_USER, 1));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardAuthenticatePin(c, u"User", one, 4, &self->left));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardAuthenticatePin(c, wszCARD_USER_USER, NULL, 4, &self->left));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardUnblockPin(c, wszCARD_USER_USER, one, 4, two, 5, 0,
				       CARD_AUTHENTICATE_PIN_CHALLENGE_RESPONSE));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardUnblockPin(c, wszCARD_USER_ADMIN, one, 4, two, 5, 0,
				       CARD_AUTHENTICATE_PIN_PIN));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardChangeAuthenticatorEx(c, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_USER, one, 4,
						  ROLE_USER, two, 5, 9, &self->left));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardChangeAuthenticatorEx(c, 3, ROLE_USER, one, 4, ROLE_USER, two, 5, 0,
						  &self->left));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardChangeAuthenticatorEx(c, PIN_CHANGE_FLAG_UNBLOCK, ROLE_USER, one, 4,
						  ROLE_USER, two, 5, 0, &self->left));
}

static void expect_pair(struct fixture_pin *self, uint32_t request)
{
	struct packet p;

	(void)card_asked(&self->r, request, &p);
	if (request == KF_PIN_CHANGE) {
		EXPECT_BYTES_EQ(BYTES("1234", 4), packet_get(&p, kf_pin_change, old_value));
		EXPECT_BYTES_EQ(BYTES("56789", 5), packet_get(&p, kf_pin_change, new_value));
	} else {
		EXPECT_BYTES_EQ(BYTES("1234", 4), packet_get(&p, kf_pin_unblock, puk));
		EXPECT_BYTES_EQ(BYTES("56789", 5), packet_get(&p, kf_pin_unblock, new_value));
	}
}

TEST_F(pin, old_and_new_are_not_swapped)
{
	CARD_DATA *c = &self->r.card;

	card_answer(&self->r, KF_PIN_CHANGE, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardChangeAuthenticator(c, wszCARD_USER_USER, one, 4, two, 5, 0,
						CARD_AUTHENTICATE_PIN_PIN, &self->left));
	expect_pair(self, KF_PIN_CHANGE);
	card_answer(&self->r, KF_PIN_CHANGE, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardChangeAuthenticatorEx(c, PIN_CHANGE_FLAG_CHANGEPIN, ROLE_USER, one, 4,
						  ROLE_USER, two, 5, 0, &self->left));
	expect_pair(self, KF_PIN_CHANGE);
	card_answer(&self->r, KF_PIN_UNBLOCK, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardChangeAuthenticatorEx(c, PIN_CHANGE_FLAG_UNBLOCK, ROLE_ADMIN, one, 4,
						  ROLE_USER, two, 5, 0, &self->left));
	expect_pair(self, KF_PIN_UNBLOCK);
	card_answer(&self->r, KF_PIN_UNBLOCK, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardUnblockPin(c, wszCARD_USER_USER, one, 4, two, 5, 0,
				       CARD_AUTHENTICATE_PIN_PIN));
	expect_pair(self, KF_PIN_UNBLOCK);
}

TEST_F(pin, deauthentication_of_the_user_is_a_logout)
{
	CARD_DATA *c = &self->r.card;
	struct packet p;

	card_answer(&self->r, KF_PIN_LOGOUT, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDeauthenticateEx(c, PIN_SET_ALL_ROLES, 0));
	(void)card_asked(&self->r, KF_PIN_LOGOUT, &p);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDeauthenticateEx(c, CREATE_PIN_SET(ROLE_EVERYONE), 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDeauthenticateEx(c, 0x100, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDeauthenticateEx(c, 2, 1));
	card_answer(&self->r, KF_PIN_LOGOUT, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDeauthenticate(c, wszCARD_USER_USER, 0));
	(void)card_asked(&self->r, KF_PIN_LOGOUT, &p);
}

TEST_F(pin, deauthentication_of_the_puk_which_never_logs_in_leaves_the_user)
{
	CARD_DATA *c = &self->r.card;
	struct pollfd sent = { .fd = self->r.f.peer, .events = POLLIN };

	/* No reply is queued: asking the card would end in -ETIMEDOUT. */
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDeauthenticate(c, wszCARD_USER_ADMIN, 0));
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDeauthenticateEx(c, CREATE_PIN_SET(ROLE_ADMIN), 0));
	EXPECT_EQ(0, poll(&sent, 1, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDeauthenticate(c, wszCARD_USER_ADMIN, 1));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDeauthenticate(c, u"guest", 0));
}
