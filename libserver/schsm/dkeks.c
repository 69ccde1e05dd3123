// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/dkeks.c - Notes are only added, and a worse one never gives way to a better: a share that was
 * seen once is seen for good.
 */
#include "libserver/schsm/dkeks.h"
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/names.h"
#include "libserver/schsm/fleet.h"
#include "libserver/state.h"

#define FORMAT "keyferry-dkek"
#define NAME_SIZE (2 * DKEK_KCV_SIZE + 6)
#define RULE "how cards came by a DKEK, docs/formats.md 17"

void dkek_record_deinit(struct dkek_record *record)
{
	free(record->cards);
	*record = DKEK_RECORD_INIT;
}

/* SECURITY section 5, from the bottom up. */
static int rank(enum kf_grade grade)
{
	static const enum kf_grade order[] = {
		KF_GRADE_NONE, KF_GRADE_U, KF_GRADE_C, KF_GRADE_B_VIRTUAL, KF_GRADE_B, KF_GRADE_A_VIRTUAL,
		KF_GRADE_A,
	};
	int i = 0;

	while (i < (int)(sizeof(order) / sizeof(order[0])) - 1 && order[i] != grade)
		i++;
	return i;
}

enum kf_grade dkek_record_grade(const struct dkek_record *record)
{
	enum kf_grade lowest = KF_GRADE_A;

	if (record->on_host)
		return KF_GRADE_C;
	if (!record->complete || record->n_cards == 0)
		return KF_GRADE_U;
	for (size_t i = 0; i < record->n_cards; i++)
		if (rank(record->cards[i].grade) < rank(lowest))
			lowest = record->cards[i].grade;
	return lowest;
}

/* --- the file --- */

static void name_of(const uint8_t kcv[static DKEK_KCV_SIZE], char out[static NAME_SIZE])
{
	char text[2 * DKEK_KCV_SIZE + 1];

	hex_print(BYTES(kcv, DKEK_KCV_SIZE), text);
	(void)snprintf(out, NAME_SIZE, "%s.json", text);
}

static int take_cards(struct json_in *outer, struct dkek_record *record)
{
	json_t *list = json_in_array(outer, "cards", 0, DKEK_CARDS_MAX);
	size_t n = json_array_size(list);

	record->cards = n ? calloc(n, sizeof(*record->cards)) : NULL;
	if (n && !record->cards)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct json_in in = json_in_enter(outer, list, i);
		struct dkek_card *card = &record->cards[i];

		json_in_serial(&in, "serial", card->serial);
		card->grade = json_in_grade(&in, "grade");
		json_in_leave(outer, &in);
	}
	record->n_cards = n;
	return 0;
}

static int parse(struct bytes text, struct dkek_record *record, struct kf_error *e)
{
	struct json_in in = json_in_begin(text, FORMAT, "record of a DKEK", e);
	int r, end;

	json_in_copy(&in, "check_value", record->kcv, sizeof(record->kcv));
	record->on_host = json_in_bool(&in, "on_host");
	record->complete = json_in_bool(&in, "complete");
	r = take_cards(&in, record);
	end = json_in_end(&in);
	return r < 0 ? r : end;
}

int dkeks_load(const struct folder *dkeks, const uint8_t kcv[static DKEK_KCV_SIZE], struct dkek_record *out,
	       struct kf_error *e)
{
	_cleanup_(dkek_record_deinit) struct dkek_record record = DKEK_RECORD_INIT;
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	char name[NAME_SIZE];
	int r = 0;

	name_of(kcv, name);
	memcpy(record.kcv, kcv, sizeof(record.kcv));
	if (dkeks->fd >= 0 && folder_has(dkeks, name)) {
		r = folder_read(dkeks, name, JSON_TEXT_MAX, &text, e);
		if (r == 0)
			r = parse(blob_bytes(&text), &record, e);
		if (r == 0 && !bytes_equal(BYTES_OF(record.kcv), BYTES(kcv, DKEK_KCV_SIZE)))
			r = error_why(e, -EBADMSG, "the state directory", "restore it from a backup",
				      "the record %s is of another DKEK", name);
	}
	if (r < 0)
		return r;
	*out = record;
	record = DKEK_RECORD_INIT;
	return 0;
}

static json_t *cards_out(const struct dkek_record *record)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < record->n_cards; i++) {
		json_t *card = json_object();

		json_out(&card, "serial", json_string(record->cards[i].serial));
		json_out(&card, "grade", json_string(grade_name(record->cards[i].grade)));
		if (!card || json_array_append_new(list, card) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static int store(struct kf_state *state, const struct dkek_record *record, struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	json_t *object = json_out_begin(FORMAT);
	char name[NAME_SIZE];
	size_t len = 0;
	int r;

	json_out(&object, "check_value", json_out_bytes(BYTES_OF(record->kcv)));
	json_out(&object, "on_host", json_boolean(record->on_host));
	json_out(&object, "complete", json_boolean(record->complete));
	json_out(&object, "cards", cards_out(record));
	r = json_out_end(object, &text, &len, e);
	name_of(record->kcv, name);
	if (r == 0)
		r = state_need_folder(state, "dkeks", &state->dkeks, e);
	return r < 0 ? r : folder_write(&state->dkeks, name, BYTES(text, len), e);
}

/* --- notes --- */

static int note_card(struct dkek_record *record, const char *serial, enum kf_grade grade, struct kf_error *e)
{
	struct dkek_card *cards;

	for (size_t i = 0; i < record->n_cards; i++) {
		struct dkek_card *card = &record->cards[i];

		if (strcmp(card->serial, serial) == 0) {
			if (rank(grade) < rank(card->grade))
				card->grade = grade;
			return 0;
		}
	}
	if (record->n_cards == DKEK_CARDS_MAX)
		return error_why(e, -ENOSPC, RULE, "use another DKEK for the next thousand",
				 "%d cards have this DKEK already", DKEK_CARDS_MAX);
	cards = reallocarray(record->cards, record->n_cards + 1, sizeof(*cards));
	if (!cards)
		return -ENOMEM;
	record->cards = cards;
	cards[record->n_cards] = (struct dkek_card){ .grade = grade };
	(void)snprintf(cards[record->n_cards].serial, sizeof(cards->serial), "%s", serial);
	record->n_cards++;
	return 0;
}

static int check_note(const struct kf_dkek_note *note, struct kf_error *e)
{
	if (note->size != sizeof(*note) || !note->check_value)
		return error_why(e, -EINVAL, "struct kf_dkek_note", "set its size and its check value",
				 "the note is incomplete");
	if (note->serial && !serial_is_valid(BYTES(note->serial, strlen(note->serial))))
		return error_why(e, -EINVAL, "docs/card-application.md 1",
				 "a serial is 1 to 32 of A-Z a-z 0-9 . -", "%s is no serial", note->serial);
	if (note->serial && !grade_name(note->grade))
		return error_why(e, -EINVAL, RULE, "tell the grade of the way", "there is no such grade");
	return 0;
}

int kf_state_dkek_note(struct kf_state *state, const struct kf_dkek_note *note, struct kf_error *e)
{
	_cleanup_(dkek_record_deinit) struct dkek_record record = DKEK_RECORD_INIT;
	int r = check_note(note, e);

	if (r == 0)
		r = dkeks_load(&state->dkeks, note->check_value, &record, e);
	if (r == 0 && note->serial)
		r = note_card(&record, note->serial, note->grade, e);
	/* A worse way that finds no room is one that is missing from now on. */
	if (r == -ENOSPC && rank(note->grade) < rank(dkek_record_grade(&record))) {
		record.complete = false;
		(void)store(state, &record, NULL);
	}
	if (r == 0) {
		record.on_host |= note->on_host != 0;
		record.complete |= note->complete != 0;
		r = store(state, &record, e);
	}
	return error_what(e, r, "cannot note how the DKEK came to its cards");
}

int kf_state_fleet_grade(struct kf_state *state, const struct kf_fleet *fleet, enum kf_grade *out,
			 struct kf_error *e)
{
	_cleanup_(dkek_record_deinit) struct dkek_record record = DKEK_RECORD_INIT;
	int r = dkeks_load(&state->dkeks, fleet->kcv, &record, e);

	if (r < 0)
		return error_what(e, r, "cannot tell the grade of the DKEK");
	*out = fleet_grade(fleet) == KF_GRADE_C ? KF_GRADE_C : dkek_record_grade(&record);
	return 0;
}

int kf_state_each_dkek(struct kf_state *state,
		       int (*visit)(void *arg, const struct kf_dkek_facts *facts), void *arg,
		       struct kf_error *e)
{
	char **names = NULL;
	size_t n = 0;
	int r = state->dkeks.fd < 0 ? 0 : folder_list(&state->dkeks, &names, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(dkek_record_deinit) struct dkek_record record = DKEK_RECORD_INIT;
		uint8_t kcv[DKEK_KCV_SIZE];

		if (strlen(names[i]) != NAME_SIZE - 1)
			continue;
		names[i][2 * DKEK_KCV_SIZE] = '\0';
		if (hex_parse(names[i], kcv, sizeof(kcv)) < 0)
			continue;
		r = dkeks_load(&state->dkeks, kcv, &record, e);
		if (r == 0)
			r = visit(arg, &(struct kf_dkek_facts){
				.check_value = record.kcv, .on_host = record.on_host,
				.complete = record.complete, .n_cards = record.n_cards,
				.grade = dkek_record_grade(&record),
			});
	}
	names_free(names, n);
	return r;
}
