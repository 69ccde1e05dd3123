/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_card.c - keyferry card show; card pin is in cmd_card_pin.c, card init in cmd_card_init.c. */
#include "format/numbers.h"
#include "tools/client_cmds.h"
#include "tools/tool.h"

#include <stdlib.h>

struct bit_name {
	uint32_t bit;
	const char *name;
};

static const struct bit_name import_names[] = {
	{ KF_IMPORT_PLAIN, "plain" }, { KF_IMPORT_RSA, "rsa" }, { KF_IMPORT_ECC, "ecdh" },
	{ KF_IMPORT_SHARED, "shared" }, { 0, NULL },
};
static const struct bit_name padding_names[] = {
	{ KF_PADDING_NONE, "none" }, { KF_PADDING_PKCS1, "pkcs1" }, { KF_PADDING_PSS, "pss" },
	{ KF_PADDING_OAEP, "oaep" }, { KF_PADDING_BLOCK, "block" }, { 0, NULL },
};
static const struct bit_name chaining_names[] = {
	{ KF_CHAIN_CBC, "cbc" }, { KF_CHAIN_ECB, "ecb" }, { KF_CHAIN_GCM, "gcm" }, { 0, NULL },
};
static const struct bit_name hash_names[] = {
	{ 1u << KF_HASH_SHA1, "sha1" }, { 1u << KF_HASH_SHA256, "sha256" },
	{ 1u << KF_HASH_SHA384, "sha384" }, { 1u << KF_HASH_SHA512, "sha512" }, { 0, NULL },
};
static const struct bit_name cipher_names[] = {
	{ 1u << KF_KEY_AES_128, "aes128" }, { 1u << KF_KEY_AES_192, "aes192" },
	{ 1u << KF_KEY_AES_256, "aes256" }, { 1u << KF_KEY_3DES_112, "3des-112" },
	{ 1u << KF_KEY_3DES_168, "3des-168" }, { 0, NULL },
};

static json_t *names_of_bits(uint32_t mask, const struct bit_name *names)
{
	json_t *array = json_array();

	for (; names->name; names++)
		if (mask & names->bit)
			(void)json_array_append_new(array, json_string(names->name));
	return array;
}

static const char *type_name(int number)
{
	return key_type_name((enum kf_key_type)number);
}

static const char *purpose_text(int number)
{
	return purpose_name((enum kf_purpose)number);
}

static const char *method_text(int number)
{
	return method_name((enum kf_method)number);
}

/* Masks whose bits are the numbers of an enum. */
static json_t *names_of_numbers(uint32_t mask, const char *(*name)(int))
{
	json_t *array = json_array();

	for (int i = 0; i < 32; i++)
		if (mask & 1u << i && name(i))
			(void)json_array_append_new(array, json_string(name(i)));
	return array;
}

static const char *level_name(uint32_t level)
{
	return level == KF_LEVEL_CHIP ? "chip" : level == KF_LEVEL_VIRTUAL ? "virtual" : "unknown";
}

static json_t *hex(const uint8_t *p, size_t n)
{
	char text[2 * 64 + 1] = "";

	for (size_t i = 0; i < n && i < 64; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", p[i]);
	return json_string(text);
}

static json_t *tries_json(const struct kf_card *card, uint32_t pin)
{
	uint32_t tries = kf_card_tries(card, pin);

	return tries == KF_TRIES_UNKNOWN ? json_null() : json_integer(tries);
}

static json_t *identity_json(const struct kf_card *card)
{
	uint32_t flags = kf_card_value(card, KF_CP_FLAGS);
	size_t atr_len, aid_len;
	const uint8_t *atr = kf_card_atr(card, &atr_len), *aid = kf_card_aid(card, &aid_len);

	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:b,s:b,s:b}",
			 "serial", kf_card_serial(card), "driver", kf_card_driver(card),
			 "label", kf_card_label(card),
			 "level", level_name(kf_card_value(card, KF_CP_LEVEL)),
			 "atr", hex(atr, atr_len), "aid", hex(aid, aid_len),
			 "attests", !!(flags & KF_CARD_ATTESTS),
			 "receipts", !!(flags & KF_CARD_RECEIPTS),
			 "open import", !!(flags & KF_CARD_OPEN_IMPORT));
}

static const struct bit_name keypad_names[] = {
	{ KF_FEATURE_PIN_VERIFY, "verify" }, { KF_FEATURE_PIN_CHANGE, "change" }, { 0, NULL },
};

static json_t *card_json(const struct kf_card *card, uint32_t features)
{
	json_t *object = identity_json(card);
	json_t *abilities = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:o,s:o,s:o}",
		"key import", names_of_bits(kf_card_value(card, KF_CP_KEY_IMPORT), import_names),
		"methods", names_of_numbers(kf_card_value(card, KF_CP_METHODS), method_text),
		"key types", names_of_numbers(kf_card_value(card, KF_CP_KEY_TYPES), type_name),
		"exchange types",
		names_of_numbers(kf_card_value(card, KF_CP_EXCHANGE_TYPES), type_name),
		"purposes", names_of_numbers(kf_card_value(card, KF_CP_PURPOSES), purpose_text),
		"ciphers", names_of_bits(kf_card_value(card, KF_CP_CIPHERS), cipher_names),
		"chaining modes",
		names_of_bits(kf_card_value(card, KF_CP_CHAINING_MODES), chaining_names),
		"paddings", names_of_bits(kf_card_value(card, KF_CP_PADDINGS), padding_names),
		"hashes", names_of_bits(kf_card_value(card, KF_CP_HASHES), hash_names),
		"containers", (json_int_t)kf_card_value(card, KF_CP_CONTAINERS),
		"longest item", (json_int_t)kf_card_value(card, KF_CP_MAX_ITEM),
		"PIN tries left", tries_json(card, KF_PIN_USER),
		"PUK tries left", tries_json(card, KF_PIN_PUK),
		"PIN pad", names_of_bits(features, keypad_names));

	if (object && abilities)
		(void)json_object_update(object, abilities);
	json_decref(abilities);
	return object;
}

static void say_value(const char *name, const json_t *value)
{
	size_t i;
	json_t *element;

	printf("%-16s", name);
	if (json_is_string(value))
		printf("%s", json_string_value(value));
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		printf("%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_null(value))
		printf("unknown");
	json_array_foreach(value, i, element)
		printf("%s%s", i ? " " : "", json_string_value(element));
	putchar('\n');
}

static int print_card(struct tool *tool, const struct kf_card *card, uint32_t features)
{
	json_t *object = card_json(card, features), *value;
	const char *name;

	if (object && !tool->ui.json)
		json_object_foreach(object, name, value)
			say_value(name, value);
	return ui_json(&tool->ui, object);
}

static int cmd_show(int argc, char **argv)
{
	const char *cert = NULL;
	const struct arg args[] = {
		{ "cert", 0, ARG_TEXT, &cert, "FILE", "write the device certificates, DER, to FILE" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry card show");
	struct kf_card *card = NULL;
	struct kf_blob *chain = NULL;
	uint32_t features = 0;
	int code;

	if (!tool_parse(&tool, "Shows what the card is and can.", args, argc, argv, &code))
		return code;
	code = tool_open(&tool);
	if (code == UI_OK && kf_card_read(tool.context, &card) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK && kf_context_features(tool.context, &features) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK && cert && kf_device_cert(tool.context, &chain) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK && cert)
		code = tool_write(&tool, cert, BYTES(kf_blob_data(chain), kf_blob_size(chain)), 0644);
	if (code == UI_OK)
		code = print_card(&tool, card, features);
	chain = kf_blob_free(chain);
	card = kf_card_free(card);
	tool_close(&tool);
	return code;
}

int cmd_card(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "show", "what the card is and can", cmd_show },
		{ "pin", "verify, change, unblock the PIN", cmd_card_pin },
		{ "init", "erase a SmartCard-HSM and set its PINs", cmd_card_init },
	};

	return cmd_dispatch("keyferry card", cmds, 3, argc, argv);
}
