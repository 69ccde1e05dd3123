/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From bytes to a row of the table and back to a status word. Nothing here knows what a command
 * does; nothing behind the table sees an APDU.
 */
#include "vreader/schsm/command.h"

static HSM_RUN(get_response);

#define ISO(name, ins, p1, p2, data, auth, run) \
	{ name, 0x00, ins, p1, p1, p2, p2, HSM_DATA_##data, HSM_AUTH_##auth, run }
#define ISO_FILE(name, ins, data, auth, run) \
	{ name, 0x00, ins, 0x00, 0xff, 0x00, 0xff, HSM_DATA_##data, HSM_AUTH_##auth, run }
#define OWN(name, ins, p1, p2, data, auth, run) \
	{ name, 0x80, ins, p1, p1, p2, p2, HSM_DATA_##data, HSM_AUTH_##auth, run }
/* P1 is a key, P2 an algorithm or some in a row. */
#define ISO_KEY(name, ins, p2, last, data, auth, run) \
	{ name, 0x00, ins, 0x01, 0xff, p2, last, HSM_DATA_##data, HSM_AUTH_##auth, run }
#define OWN_KEY(name, ins, p2, last, data, auth, run) \
	{ name, 0x80, ins, 0x01, 0xff, p2, last, HSM_DATA_##data, HSM_AUTH_##auth, run }
/* P2 is a key domain. */
#define OWN_DOMAIN(name, ins, p1, data, auth, run) \
	{ name, 0x80, ins, p1, p1, 0x00, 0xff, HSM_DATA_##data, HSM_AUTH_##auth, run }

static const struct hsm_rule rules[] = {
	ISO("select application", INS_SELECT,	    0x04, 0x00, SOME, NONE, hsm_select_app),
	ISO("select, silent",	  INS_SELECT,	    0x04, 0x0c, SOME, NONE, hsm_select_app),
	ISO("select file",	  INS_SELECT,	    0x00, 0x00, SOME, NONE, hsm_select_file),
	ISO("select file, silent", INS_SELECT,	    0x00, 0x0c, SOME, NONE, hsm_select_file),
	ISO("get response",	  INS_GET_RESPONSE, 0x00, 0x00, NONE, NONE, get_response),
	ISO("verify user PIN",	  INS_VERIFY,	    0x00, HSM_USER_PIN, ANY, NONE, hsm_verify),
	ISO("verify SO-PIN",	  INS_VERIFY,	    0x00, HSM_SO_PIN, ANY, NONE, hsm_verify),
	ISO("change user PIN",	  INS_CHANGE,	    0x00, HSM_USER_PIN, SOME, NONE, hsm_change),
	ISO("change SO-PIN",	  INS_CHANGE,	    0x00, HSM_SO_PIN, SOME, NONE, hsm_change),
	ISO("reset retry counter", INS_UNBLOCK,	    0x00, HSM_USER_PIN, SOME, NONE, hsm_reset_retry),
	ISO("reset, SO-PIN verified", INS_UNBLOCK,  0x02, HSM_USER_PIN, SOME, NONE,
	    hsm_reset_retry_verified),
	ISO("get challenge",	  INS_GET_CHALLENGE, 0x00, 0x00, NONE, NONE, hsm_challenge),
	ISO_FILE("read binary",	  INS_READ_BINARY,  SOME, NONE, hsm_read_binary),
	ISO_FILE("update binary", INS_UPDATE_BINARY, SOME, USER, hsm_update_binary),
	ISO("delete file",	  INS_DELETE_FILE,  0x02, 0x00, SOME, USER, hsm_delete),
	OWN("initialize",	  HSM_INITIALIZE,   0x00, 0x00, ANY, NONE, hsm_initialize),
	OWN("manage pka",	  HSM_PKA,	    0x00, 0x00, ANY, NONE, hsm_pka),
	OWN("enumerate",	  HSM_ENUMERATE,    0x00, 0x00, NONE, NONE, hsm_enumerate),
	ISO_KEY("generate pair",  INS_GENERATE_PAIR, 0x00, 0x00, SOME, USER, hsm_generate_pair),
	ISO_KEY("generate secret", INS_GENERATE_SECRET, ALG_AES_128, ALG_AES_256, ANY, USER,
		hsm_generate_secret),
	OWN_DOMAIN("share",	  HSM_DOMAIN,	    0x00, ANY, NONE, hsm_domain_share),
	OWN_DOMAIN("create domain", HSM_DOMAIN,	    0x01, SOME, USER, hsm_domain_create),
	OWN_DOMAIN("create xkek domain", HSM_DOMAIN, 0x02, SOME, USER, hsm_refuse),
	OWN_DOMAIN("delete domain", HSM_DOMAIN,	    0x03, NONE, USER, hsm_domain_delete),
	OWN_DOMAIN("delete kek",  HSM_DOMAIN,	    0x04, NONE, USER, hsm_domain_forget),
	OWN_KEY("wrap",		  HSM_WRAP,	    ALG_WRAP, ALG_WRAP, NONE, USER, hsm_wrap),
	OWN_KEY("unwrap",	  HSM_UNWRAP,	    ALG_UNWRAP, ALG_UNWRAP, ANY, USER, hsm_unwrap),
	OWN_KEY("sign",		  HSM_SIGN,	    ALG_RSA_RAW, ALG_EC | 0x0f, SOME, USER, hsm_sign),
	OWN_KEY("decipher",	  HSM_DECIPHER,	    ALG_RSA_DECRYPT, ALG_RSA_DECRYPT_OAEP, SOME, USER,
		hsm_decipher),
	OWN_KEY("agree",	  HSM_DECIPHER,	    ALG_EC_DH, ALG_EC_DH, SOME, USER, hsm_agree),
	OWN_KEY("derive xkek",	  HSM_DECIPHER,	    ALG_EC_XKEK, ALG_EC_XKEK, ANY, USER, hsm_refuse),
	OWN_KEY("cbc",		  HSM_CIPHER,	    ALG_AES_ENCRYPT, ALG_AES_DECRYPT, SOME, USER, hsm_cipher),
	OWN_KEY("cmac",		  HSM_CIPHER,	    ALG_AES_CMAC, ALG_AES_CMAC, SOME, USER, hsm_cipher),
	OWN_KEY("derive value",	  HSM_CIPHER,	    ALG_AES_DERIVE, ALG_AES_DERIVE, ANY, USER, hsm_refuse),
	ISO("choose agreement",	  INS_MSE,	    0x41, 0xa4, SOME, NONE, hsm_choose_agreement),
	ISO("choose issuer",	  INS_MSE,	    0x81, 0xb6, SOME, NONE, hsm_choose_issuer),
	ISO("choose issuer, at",  INS_MSE,	    0x81, 0xa4, SOME, NONE, hsm_choose_issuer),
	ISO("verify certificate", INS_PSO,	    0x00, 0xbe, SOME, NONE, hsm_verify_cert),
	ISO("authenticate chip",  INS_GENERAL_AUTHENTICATE, 0x00, 0x00, SOME, NONE, hsm_authenticate_chip),
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

const struct hsm_rule *hsm_rules(size_t *n)
{
	*n = N_RULES;
	return rules;
}

/* Never called: hsm_answer() serves it from the reply of the command before. */
static HSM_RUN(get_response)
{
	(void)hsm;
	(void)request;
	(void)out;
	return SW_INTERNAL;
}

static bool is_get_response(const struct hsm_rule *rule)
{
	return rule->run == get_response;
}

static bool rule_has_ins(const struct hsm_rule *rule, const struct apdu *apdu)
{
	return rule->cla == apdu->cla && rule->ins == apdu->ins;
}

static bool rule_matches(const struct hsm_rule *rule, const struct apdu *apdu)
{
	return rule_has_ins(rule, apdu) && rule->p1 <= apdu->p1 && apdu->p1 <= rule->p1_last &&
	       rule->p2 <= apdu->p2 && apdu->p2 <= rule->p2_last;
}

static int find_rule(const struct hsm *hsm, const struct apdu *apdu, const struct hsm_rule **out)
{
	bool known = false;

	if (apdu->cla != 0x00 && apdu->cla != 0x80)
		return SW_CLA;
	for (size_t i = 0; i < N_RULES; i++)
		known |= rule_has_ins(&rules[i], apdu);
	/* What a card without us would say to commands that are ours. */
	if (!known || (!hsm->selected && apdu->ins != INS_SELECT))
		return SW_INS;
	for (size_t i = 0; i < N_RULES; i++) {
		if (rule_matches(&rules[i], apdu)) {
			*out = &rules[i];
			return SW_OK;
		}
	}
	return SW_P1P2;
}

static int run_rule(struct hsm *hsm, const struct hsm_rule *rule, const struct apdu *apdu,
		    struct packer *out)
{
	const struct hsm_request request = {
		.p1 = apdu->p1, .p2 = apdu->p2, .data = apdu->data, .ne = apdu->ne,
	};

	if (apdu->data.n > HSM_DATA_MAX || (rule->data == HSM_DATA_NONE && apdu->data.n != 0) ||
	    (rule->data == HSM_DATA_SOME && apdu->data.n == 0))
		return SW_LENGTH;
	if (rule->auth == HSM_AUTH_USER && !hsm->user_verified)
		return SW_PIN_NEEDED;
	return rule->run(hsm, &request, out);
}

/* A warning goes with data. */
static bool sw_has_data(int sw)
{
	return sw == SW_OK || sw == SW_END_OF_FILE;
}

static uint16_t run_whole(struct hsm *hsm, const struct hsm_rule *rule, const struct apdu *apdu,
			  struct packer *out)
{
	struct packer reply = reply_begin(&hsm->reply);
	int sw = run_rule(hsm, rule, apdu, &reply);
	uint16_t sent;

	if (reply_take(&hsm->reply, &reply) < 0 && sw_has_data(sw))
		sw = SW_INTERNAL;
	if (!sw_has_data(sw)) {
		reply_drop(&hsm->reply);
		return sw < 0 ? SW_INTERNAL : (uint16_t)sw;
	}
	sent = reply_send(&hsm->reply, apdu->ne, out);
	return sent == SW_OK ? (uint16_t)sw : sent;
}

/* The rest of an earlier reply; nothing left is a state, no Le asks for nothing. */
static uint16_t rest_of_reply(struct hsm *hsm, const struct apdu *apdu, struct packer *out)
{
	if (apdu->ne == 0 || apdu->data.n != 0)
		return SW_LENGTH;
	if (!reply_is_pending(&hsm->reply))
		return SW_CONDITIONS;
	return reply_send(&hsm->reply, apdu->ne, out);
}

/* What is wrong inside a session is said inside it. */
static int run_inside(struct hsm *hsm, const struct apdu *apdu, struct packer *out)
{
	const struct hsm_rule *rule;
	int sw = find_rule(hsm, apdu, &rule);

	if (sw == SW_OK && is_get_response(rule))
		sw = SW_CONDITIONS;
	if (sw == SW_OK)
		sw = run_rule(hsm, rule, apdu, out);
	if (pack_end(out) < 0)
		sw = SW_INTERNAL;
	return sw < 0 ? SW_INTERNAL : sw;
}

static int run_protected(struct hsm *hsm, struct apdu *apdu, struct packer *reply)
{
	_cleanup_(secret_deinit) struct secret command = SECRET_INIT, answer = SECRET_INIT;
	struct packer in, out;
	int sw, r = secret_init(&command, HSM_DATA_MAX);

	if (r == 0)
		r = secret_init(&answer, APP_DATA_MAX);
	if (r < 0)
		return r;
	in = pack_begin(command.p, command.cap);
	out = pack_begin(answer.p, answer.cap);
	sw = hsm_channel_open(&hsm->channel, apdu, &in);
	if (sw != SW_OK)
		return sw;
	sw = run_inside(hsm, apdu, &out);
	r = hsm_channel_close(&hsm->channel, sw_has_data(sw) ? pack_done(&out) : BYTES_NONE,
			      (uint16_t)sw, reply);
	return r < 0 ? r : sw;
}

/* Whatever the status word, the proof of it is in the data. */
static uint16_t answer_protected(struct hsm *hsm, struct apdu *apdu, struct packer *out)
{
	size_t ne = apdu->ne;
	struct packer reply = reply_begin(&hsm->reply);
	int sw = run_protected(hsm, apdu, &reply);
	uint16_t sent;

	if (reply_take(&hsm->reply, &reply) < 0 || sw < 0) {
		reply_drop(&hsm->reply);
		return SW_INTERNAL;
	}
	sent = reply_send(&hsm->reply, ne, out);
	return sent == SW_OK ? (uint16_t)sw : sent;
}

static uint16_t answer_plain(struct hsm *hsm, const struct apdu *apdu, struct packer *out)
{
	const struct hsm_rule *rule;
	int sw = find_rule(hsm, apdu, &rule);

	if (sw == SW_OK && is_get_response(rule))
		return rest_of_reply(hsm, apdu, out);
	sm_end(&hsm->channel.sm);
	reply_drop(&hsm->reply);
	return sw == SW_OK ? run_whole(hsm, rule, apdu, out) : (uint16_t)sw;
}

uint16_t hsm_answer(struct hsm *hsm, struct bytes command, struct packer *out)
{
	struct apdu apdu;

	if (apdu_parse(command, &apdu) < 0) {
		reply_drop(&hsm->reply);
		return SW_LENGTH;
	}
	return (apdu.cla & SM_CLA) == SM_CLA ? answer_protected(hsm, &apdu, out) :
					       answer_plain(hsm, &apdu, out);
}
