/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From bytes to a row of the table and back to a status word. Nothing here knows what a command
 * does; nothing behind the table sees an APDU.
 */
#include "vreader/card/command.h"

#include "vreader/card/apdu.h"

static RUN(get_response_run);

#define ISO(name, ins, p1, p2, data, pin, check, run) \
	{ name, 0x00, ins, p1, p2, p2, data, pin, check, run }
#define ISO_RANGE(name, ins, p1, p2, last, data, pin, check, run) \
	{ name, 0x00, ins, p1, p2, last, data, pin, check, run }
#define OWN(name, ins, p1, p2, last, data, pin, check, run) \
	{ name, 0x80, ins, p1, p2, last, data, pin, check, run }

static const struct command_rule rules[] = {
	/*  name		INS		P1    P2 (to)	 data	    PIN		check, run */
	ISO("select",		INS_SELECT,	  0x04, 0x00, DATA_SOME, PIN_NEVER, select_check, select_run),
	ISO("select, silent",	INS_SELECT,	  0x04, 0x0c, DATA_SOME, PIN_NEVER, select_check, select_run),
	ISO("get response",	INS_GET_RESPONSE, 0x00, 0x00, DATA_NONE, PIN_NEVER, NULL, get_response_run),
	ISO("card information",	INS_GET_DATA,	  0x01, 0x00, DATA_NONE, PIN_NEVER, NULL, card_info_run),
	ISO("device cert",	INS_GET_DATA,	  0x01, 0x01, DATA_NONE, PIN_NEVER, NULL, device_cert_run),
	ISO("pin information",	INS_GET_DATA,	  0x01, 0x02, DATA_NONE, PIN_NEVER, NULL, pin_info_run),
	ISO_RANGE("container",	INS_GET_DATA, 0x01, 0x10, 0x1f, DATA_NONE, PIN_NEVER, NULL, container_info_run),
	ISO_RANGE("get cert",	INS_GET_DATA, 0x01, 0x20, 0x2f, DATA_NONE, PIN_NEVER, get_cert_check, get_cert_run),
	ISO_RANGE("kek",	INS_GET_DATA, 0x01, 0x30, 0x3f, DATA_NONE, PIN_NEVER, kek_info_check, kek_info_run),
	ISO_RANGE("put cert",	INS_PUT_DATA, 0x01, 0x20, 0x2f, DATA_SOME, PIN_ALWAYS, put_cert_check, put_cert_run),
	ISO("verify",		INS_VERIFY,	0x00, 0x81, DATA_SOME, PIN_NEVER, NULL, verify_run),
	ISO("unverify",		INS_VERIFY,	0xff, 0x81, DATA_NONE, PIN_NEVER, NULL, unverify_run),
	ISO("change pin",	INS_CHANGE,	0x00, 0x81, DATA_SOME, PIN_NEVER, change_check, change_pin_run),
	ISO("change puk",	INS_CHANGE,	0x00, 0x82, DATA_SOME, PIN_NEVER, change_check, change_puk_run),
	ISO("unblock",		INS_UNBLOCK,	0x00, 0x81, DATA_SOME, PIN_NEVER, change_check, unblock_run),
	ISO_RANGE("generate",	INS_GENERATE, 0x80, 0x00, 0x0f, DATA_SOME, PIN_ALWAYS, generate_check, generate_run),
	ISO("mse, sign",	INS_MSE,	0x41, 0xb6, DATA_SOME, PIN_NEVER, mse_check, mse_run),
	ISO("mse, decipher",	INS_MSE,	0x41, 0xb8, DATA_SOME, PIN_NEVER, mse_check, mse_run),
	ISO("mse, agree",	INS_MSE,	0x41, 0xa6, DATA_SOME, PIN_NEVER, mse_check, mse_run),
	ISO("pso, sign",	INS_PSO,	0x9e, 0x9a, DATA_SOME, PIN_BY_KEY, sign_check, sign_run),
	ISO("pso, decipher",	INS_PSO,	0x80, 0x86, DATA_SOME, PIN_BY_KEY, decipher_check, decipher_run),
	ISO("challenge",	INS_GET_CHALLENGE, 0x00, 0x00, DATA_NONE, PIN_NEVER, challenge_check, challenge_run),
	OWN("offer",		INS_OFFER,	0x00, 0x00, 0x00, DATA_SOME, PIN_NEVER, offer_check, offer_run),
	OWN("import session, shared", INS_IMPORT_SESSION, 0x01, 0x00, 0x00, DATA_SOME, PIN_BY_KEY, import_check, import_run),
	OWN("import session, derived", INS_IMPORT_SESSION, 0x03, 0x00, 0x00, DATA_SOME, PIN_BY_KEY, import_check, import_run),
	OWN("import session, rsa", INS_IMPORT_SESSION, 0x02, 0x00, 0x00, DATA_SOME, PIN_BY_KEY, import_check, import_run),
	OWN("import session, ecdh", INS_IMPORT_SESSION, 0x04, 0x00, 0x00, DATA_SOME, PIN_BY_KEY, import_check, import_run),
	OWN("process item",	INS_PROCESS,	0x01, 0x00, 0xff, DATA_SOME, PIN_BY_KEY, process_check, process_run),
	OWN("process, set pin",	INS_PROCESS,	0x02, 0x00, 0xff, DATA_SOME, PIN_BY_KEY, process_check, process_run),
	OWN("process, log in",	INS_PROCESS,	0x03, 0x00, 0xff, DATA_SOME, PIN_BY_KEY, process_check, process_run),
	OWN("process, secret",	INS_PROCESS,	0x04, 0x00, 0xff, DATA_SOME, PIN_BY_KEY, process_check, process_run),
	OWN("get receipt",	INS_GET_RECEIPT, 0x00, 0x00, 0x00, DATA_SOME, PIN_NEVER, get_receipt_check, get_receipt_run),
	OWN("destroy session",	INS_DESTROY_SESSION, 0x00, 0x00, 0xff, DATA_NONE, PIN_NEVER, destroy_check, destroy_run),
	OWN("convert",		INS_CONVERT,	0x00, 0x00, 0x0f, DATA_NONE, PIN_ALWAYS, convert_check, convert_run),
	OWN("list pending",	INS_LIST_PENDING, 0x00, 0x00, 0x00, DATA_NONE, PIN_NEVER, NULL, pending_run),
	OWN("delete",		INS_DELETE,	0x00, 0x00, 0x0f, DATA_NONE, PIN_ALWAYS, delete_check, delete_run),
	OWN("create kek",	INS_CREATE_KEK,	0x00, 0x00, 0x0f, DATA_SOME, PIN_NEVER, create_kek_check, create_kek_run),
	OWN("attest kek",	INS_ATTEST_KEK,	0x00, 0x00, 0x0f, DATA_NONE, PIN_NEVER, kek_info_check, attest_kek_run),
	OWN("disable kek",	INS_SET_KEK,	0x00, 0x00, 0x0f, DATA_SOME, PIN_NEVER, set_kek_check, set_kek_run),
	OWN("enable kek",	INS_SET_KEK,	0x01, 0x00, 0x0f, DATA_SOME, PIN_NEVER, set_kek_check, set_kek_run),
	OWN("delete kek",	INS_SET_KEK,	0x02, 0x00, 0x0f, DATA_SOME, PIN_NEVER, set_kek_check, set_kek_run),
	OWN("unwrap",		INS_UNWRAP,	0x00, 0x00, 0x0f, DATA_SOME, PIN_ALWAYS, unwrap_check, unwrap_run),
	OWN("cipher, cbc encrypt", INS_CIPHER,	0x01, 0x00, 0x0f, DATA_SOME, PIN_BY_KEY, cipher_check, cipher_run),
	OWN("cipher, cbc decrypt", INS_CIPHER,	0x02, 0x00, 0x0f, DATA_SOME, PIN_BY_KEY, cipher_check, cipher_run),
	OWN("cipher, gcm encrypt", INS_CIPHER,	0x03, 0x00, 0x0f, DATA_SOME, PIN_BY_KEY, cipher_check, cipher_run),
	OWN("cipher, gcm decrypt", INS_CIPHER,	0x04, 0x00, 0x0f, DATA_SOME, PIN_BY_KEY, cipher_check, cipher_run),
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

const struct command_rule *command_rules(size_t *n)
{
	*n = N_RULES;
	return rules;
}

/* Never called: command_answer() serves it from the reply of the command before. */
static RUN(get_response_run)
{
	(void)card;
	(void)request;
	(void)out;
	return SW_INTERNAL;
}

static bool is_get_response(const struct command_rule *rule)
{
	return rule->run == get_response_run;
}

/* Bits 4 and 3 are secure messaging, 2 and 1 the channel, in the first interindustry range and in
 * our class alike; 40 to 7F name channels from 4 on [7816-4 class byte]. */
static int check_cla(uint8_t cla)
{
	if ((cla & 0xc0) == 0x40)
		return SW_CHANNEL;
	if ((cla & 0x60) != 0)
		return SW_CLA;
	if ((cla & 0x0c) != 0)
		return SW_SECURE_MESSAGING;
	if ((cla & 0x03) != 0)
		return SW_CHANNEL;
	return SW_OK;
}

static bool rule_has_ins(const struct command_rule *rule, const struct apdu *apdu)
{
	return rule->cla == (apdu->cla & 0x80) && rule->ins == apdu->ins;
}

static bool rule_matches(const struct command_rule *rule, const struct apdu *apdu)
{
	return rule_has_ins(rule, apdu) && rule->p1 == apdu->p1 && rule->p2 <= apdu->p2 &&
	       apdu->p2 <= rule->p2_last;
}

static int find_rule(const struct card *card, const struct apdu *apdu,
		     const struct command_rule **out)
{
	bool known = false;
	int sw = check_cla(apdu->cla);

	if (sw != SW_OK)
		return sw;
	for (size_t i = 0; i < N_RULES; i++)
		known |= rule_has_ins(&rules[i], apdu);
	if (!known)
		return SW_INS;
	if (!card->selected && apdu->ins != INS_SELECT)
		return SW_CONDITIONS;
	for (size_t i = 0; i < N_RULES; i++) {
		if (rule_matches(&rules[i], apdu)) {
			*out = &rules[i];
			return SW_OK;
		}
	}
	return SW_P1P2;
}

static bool pin_is_missing(const struct card *card, const struct command_rule *rule,
			   const struct request *request)
{
	if (card->pin_verified || rule->pin == PIN_NEVER)
		return false;
	return rule->pin == PIN_ALWAYS || request->pin_needed;
}

static int run_rule(struct card *card, const struct command_rule *rule, const struct apdu *apdu,
		    struct packer *out)
{
	struct request request = {
		.p1 = apdu->p1, .p2 = apdu->p2, .ne = apdu->ne,
		.data = secret_bytes(&card->chain.data),
		.number = (unsigned int)(apdu->p2 - rule->p2),
	};
	int sw = SW_OK;

	if (rule->data == DATA_NONE && request.data.n != 0)
		return SW_LENGTH;
	if (rule->check)
		sw = rule->check(card, &request);
	if (sw != SW_OK)
		return sw;
	if (pin_is_missing(card, rule, &request))
		return SW_PIN_NEEDED;
	return rule->run(card, &request, out);
}

/* The rest of an earlier reply; nothing left is a state, no Le asks for nothing. */
static uint16_t get_response(struct card *card, const struct apdu *apdu, struct packer *out)
{
	if (apdu->ne == 0 || apdu->data.n != 0)
		return SW_LENGTH;
	if (!reply_is_pending(&card->reply))
		return SW_CONDITIONS;
	return reply_send(&card->reply, apdu->ne, out);
}

static uint16_t run_whole(struct card *card, const struct command_rule *rule,
			  const struct apdu *apdu, struct packer *out)
{
	struct packer reply = reply_begin(&card->reply);
	int sw = run_rule(card, rule, apdu, &reply);

	chain_drop(&card->chain);
	if (reply_take(&card->reply, &reply) < 0 && sw == SW_OK)
		sw = SW_INTERNAL;
	if (sw != SW_OK) {
		reply_drop(&card->reply);
		return sw < 0 ? SW_INTERNAL : (uint16_t)sw;
	}
	return reply_send(&card->reply, apdu->ne, out);
}

uint16_t command_answer(struct card *card, struct bytes command, struct packer *out)
{
	const struct command_rule *rule;
	struct apdu apdu;
	int sw = SW_LENGTH;

	if (apdu_parse(command, &apdu) == 0)
		sw = find_rule(card, &apdu, &rule);
	if (sw != SW_OK) {
		chain_drop(&card->chain);
		reply_drop(&card->reply);
		return (uint16_t)sw;
	}
	if (is_get_response(rule)) {
		chain_drop(&card->chain);
		return get_response(card, &apdu, out);
	}
	reply_drop(&card->reply);
	if (chain_add(&card->chain, &apdu) < 0)
		return SW_LENGTH;
	if (card->chain.open)
		return SW_OK;
	return run_whole(card, rule, &apdu, out);
}
