// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/names.c - Names are those of format/numbers.h. */
#include "libserver/json/names.h"
#include "format/numbers.h"

enum kf_method json_in_method(struct json_in *in, const char *name)
{
	const char *text = json_in_text(in, name);
	enum kf_method method = KF_METHOD_NONE;

	if (in->r == 0 && method_from_name(text, &method) < 0)
		json_in_fail(in, name, "is not the name of a method");
	return method;
}

enum kf_function json_in_function(struct json_in *in, const char *name)
{
	static const enum kf_function functions[] = {
		KF_FUNCTION_IMPORT_KEYPAIR, KF_FUNCTION_CHANGE_AUTHENTICATOR,
		KF_FUNCTION_AUTHENTICATE, KF_FUNCTION_IMPORT_SECRET,
	};
	const char *text = json_in_text(in, name);

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strcmp(text, function_name(functions[i])) == 0)
			return functions[i];
	json_in_fail(in, name, "is not the name of a function");
	return KF_FUNCTION_NONE;
}

uint32_t json_in_target(struct json_in *in, const char *name)
{
	uint32_t container = (uint32_t)json_in_number(in, name, UINT8_MAX);

	if (in->r == 0 && !target_is_valid(container))
		json_in_fail(in, name, "is not a number in range");
	return container;
}

uint32_t json_in_pin(struct json_in *in, const char *name)
{
	uint32_t pin = (uint32_t)json_in_number(in, name, KF_PIN_PUK);

	if (in->r == 0 && pin == 0)
		json_in_fail(in, name, "is not PIN or PUK");
	return pin;
}

enum kf_key_type json_in_key_type(struct json_in *in, const char *name)
{
	const char *text = json_in_text(in, name);
	enum kf_key_type type = KF_KEY_NONE;

	if (in->r == 0 && (key_type_from_name(text, &type) < 0 ||
			   key_type_function(type) == KF_FUNCTION_NONE))
		json_in_fail(in, name, "is not the type of a key that items bring");
	return type;
}

enum kf_purpose json_in_purpose(struct json_in *in, const char *name)
{
	const char *text = json_in_text(in, name);
	enum kf_purpose purpose = KF_PURPOSE_NONE;

	if (in->r == 0 && (purpose_from_name(text, &purpose) < 0 ||
			   (purpose != KF_PURPOSE_SIGN && purpose != KF_PURPOSE_DECRYPT &&
			    purpose != KF_PURPOSE_DERIVE && purpose != KF_PURPOSE_CIPHER &&
			    purpose != KF_PURPOSE_SHARED)))
		json_in_fail(in, name, "is not sign, decrypt, derive, cipher or shared");
	return purpose;
}

enum kf_grade json_in_grade(struct json_in *in, const char *name)
{
	const char *text = json_in_text(in, name);

	for (int grade = KF_GRADE_U; grade <= KF_GRADE_B_VIRTUAL; grade++)
		if (in->r == 0 && strcmp(text, grade_name((enum kf_grade)grade)) == 0)
			return (enum kf_grade)grade;
	json_in_fail(in, name, "is not a grade");
	return KF_GRADE_NONE;
}
