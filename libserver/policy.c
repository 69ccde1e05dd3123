// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/policy.h"
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/object.h"

enum { POLICY_MAX = 4096 };

static const char file_name[] = "policy.json";

/* Return: how many, or -EINVAL: not a list of names of methods. */
static int take_methods(struct json_in *in, uint8_t methods[static METHODS_MAX])
{
	const json_t *list = json_in_array(in, "methods", 1, METHODS_MAX);
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(list, i));
		enum kf_method method;

		if (!name || method_from_name(name, &method) < 0) {
			json_in_fail(in, "methods", "is not a list of methods");
			return -EINVAL;
		}
		methods[i] = (uint8_t)method;
	}
	return (int)n;
}

int policy_load(const struct folder *top, struct kf_server *server, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	uint8_t methods[METHODS_MAX];
	struct json_in in;
	int n, r;

	if (!folder_has(top, file_name))
		return 0;
	r = folder_read(top, file_name, POLICY_MAX, &text, e);
	if (r < 0)
		return r;
	in = json_in_begin(blob_bytes(&text), "keyferry-policy", "policy", e);
	n = take_methods(&in, methods);
	r = json_in_end(&in);
	return r < 0 ? r : kf_server_set_methods(server, methods, (size_t)n, e);
}

int policy_keep(const struct folder *top, const struct kf_server *server, struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	json_t *object = json_out_begin("keyferry-policy"), *list = json_array();
	size_t len = 0;
	int r;

	for (size_t i = 0; list && i < server->n_methods; i++) {
		const char *name = method_name((enum kf_method)server->methods[i]);

		if (json_array_append_new(list, json_string(name)) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	json_out(&object, "methods", list);
	r = json_out_end(object, &text, &len, e);
	return r < 0 ? r : folder_write(top, file_name, BYTES(text, len), e);
}
