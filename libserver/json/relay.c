// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/relay.c - Member by member, in the order of docs/formats.md 14. */
#include "libserver/json/relay.h"
#include "base/error.h"

enum { APDU_MAX = 65544, SW_SIZE = 2, SW_TEXT = 2 * SW_SIZE + 1 };

static uint16_t take_sw(struct json_in *in, const char *name)
{
	uint8_t sw[SW_SIZE] = { 0 };
	const char *text = json_in_text(in, name);

	if (in->r == 0 && hex_parse(text, sw, sizeof(sw)) < 0)
		json_in_fail(in, name, "is not four lower-case hexadecimal digits");
	return (uint16_t)(sw[0] << 8 | sw[1]);
}

static void take_step(struct json_in *in, uint32_t number, struct relay_step *step)
{
	step->number = (uint32_t)json_in_number(in, "number", RELAY_NUMBERS_MAX);
	if (in->r == 0 && (step->number == 0 || (number != 0 && step->number != number)))
		json_in_fail(in, "number", "is not the next one");
	json_in_blob(in, "command", APDU_MAX, &step->command);
	step->expect = take_sw(in, "expect");
	step->mask = take_sw(in, "mask");
}

static void take_steps(struct json_in *in, struct relay_list *list)
{
	json_t *array = json_in_array(in, "apdus", 1, RELAY_LIST_MAX);
	uint32_t next = 0;

	if (in->r < 0)
		return;
	list->steps = calloc(json_array_size(array), sizeof(*list->steps));
	if (!list->steps) {
		in->r = -ENOMEM;
		return;
	}
	list->n = json_array_size(array);
	for (size_t i = 0; i < list->n && in->r == 0; i++) {
		struct json_in one = json_in_enter(in, array, i);

		take_step(&one, next, &list->steps[i]);
		next = list->steps[i].number + 1;
		json_in_leave(in, &one);
	}
}

int relay_list_parse(struct bytes text, struct relay_list *out, struct kf_error *e)
{
	_cleanup_(relay_list_deinit) struct relay_list list = RELAY_LIST_INIT;
	struct json_in in = json_in_begin(text, "keyferry-relay-list", "list", e);
	int r;

	list.any_card = !json_in_has(&in, "serial");
	if (!list.any_card)
		json_in_serial(&in, "serial", list.serial);
	json_in_copy(&in, "relay", list.id, sizeof(list.id));
	list.round = (uint32_t)json_in_number(&in, "round", RELAY_ROUNDS_MAX);
	if (in.r == 0 && list.round == 0)
		json_in_fail(&in, "round", "counts from 1");
	list.more = json_in_bool(&in, "more");
	list.seconds = (uint32_t)json_in_number(&in, "seconds", RELAY_SECONDS_MAX);
	if (in.r == 0 && list.seconds == 0)
		json_in_fail(&in, "seconds", "is none at all");
	take_steps(&in, &list);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the list");
	*out = list;
	list = RELAY_LIST_INIT;
	return 0;
}

void relay_list_deinit(struct relay_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		blob_deinit(&list->steps[i].command);
	free(list->steps);
	*list = RELAY_LIST_INIT;
}

static json_t *sw_out(uint16_t sw)
{
	const uint8_t bytes[SW_SIZE] = { (uint8_t)(sw >> 8), (uint8_t)sw };
	char text[SW_TEXT];

	hex_print(BYTES_OF(bytes), text);
	return json_string(text);
}

static json_t *step_out(const struct relay_step *step)
{
	json_t *object = json_object();

	json_out(&object, "number", json_integer(step->number));
	json_out(&object, "command", json_out_bytes(blob_bytes(&step->command)));
	json_out(&object, "expect", sw_out(step->expect));
	json_out(&object, "mask", sw_out(step->mask));
	return object;
}

static json_t *steps_out(const struct relay_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->n; i++) {
		if (json_array_append_new(array, step_out(&list->steps[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

int relay_list_write(const struct relay_list *list, char **text, size_t *len, struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-relay-list");

	if (!list->any_card)
		json_out(&object, "serial", json_string(list->serial));
	json_out(&object, "relay", json_out_bytes(BYTES_OF(list->id)));
	json_out(&object, "round", json_integer(list->round));
	json_out(&object, "more", json_boolean(list->more));
	json_out(&object, "seconds", json_integer(list->seconds));
	json_out(&object, "apdus", steps_out(list));
	return json_out_end(object, text, len, e);
}

static json_t *answer_out(const struct relay_answer *answer)
{
	json_t *object = json_object();

	json_out(&object, "number", json_integer(answer->number));
	json_out(&object, "data", json_out_bytes(blob_bytes(&answer->data)));
	json_out(&object, "sw", sw_out(answer->sw));
	return object;
}

static json_t *answers_out(const struct relay_answers *answers)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < answers->n; i++) {
		if (json_array_append_new(array, answer_out(&answers->answers[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

/* Most answers are a status word alone. */
static void take_data(struct json_in *in, struct blob *data)
{
	if (in->r == 0 && json_string_length(json_object_get(in->object, "data")) == 0)
		json_in_expect(in, "data", "");
	else
		json_in_blob(in, "data", APDU_MAX, data);
}

static void take_answer(struct json_in *in, uint32_t number, struct relay_answer *answer)
{
	answer->number = (uint32_t)json_in_number(in, "number", RELAY_NUMBERS_MAX);
	if (in->r == 0 && (answer->number == 0 || (number != 0 && answer->number != number)))
		json_in_fail(in, "number", "is not the next one");
	take_data(in, &answer->data);
	answer->sw = take_sw(in, "sw");
}

int relay_answers_parse(struct bytes text, struct relay_answers *out, struct kf_error *e)
{
	struct json_in in = json_in_begin(text, "keyferry-relay-answers", "answers", e);
	uint32_t next = 0;
	json_t *array;
	int r;

	json_in_copy(&in, "relay", out->id, sizeof(out->id));
	out->round = (uint32_t)json_in_number(&in, "round", RELAY_ROUNDS_MAX);
	out->ended = json_in_bool(&in, "ended");
	array = json_in_array(&in, "answers", 0, RELAY_LIST_MAX);
	while (in.r == 0 && out->n < json_array_size(array)) {
		struct json_in one = json_in_enter(&in, array, out->n);

		take_answer(&one, next, &out->answers[out->n]);
		next = out->answers[out->n++].number + 1;
		json_in_leave(&in, &one);
	}
	r = json_in_end(&in);
	if (r < 0)
		relay_answers_deinit(out);
	return error_what(e, r, "cannot read the answers");
}

int relay_answers_write(const struct relay_answers *answers, char **text, size_t *len,
			struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-relay-answers");

	json_out(&object, "relay", json_out_bytes(BYTES_OF(answers->id)));
	json_out(&object, "round", json_integer(answers->round));
	json_out(&object, "ended", json_boolean(answers->ended));
	json_out(&object, "answers", answers_out(answers));
	return json_out_end(object, text, len, e);
}

void relay_answers_deinit(struct relay_answers *answers)
{
	for (size_t i = 0; i < answers->n; i++)
		blob_deinit(&answers->answers[i].data);
	*answers = RELAY_ANSWERS_INIT;
}
