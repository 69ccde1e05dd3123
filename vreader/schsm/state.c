/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two versions of the state exist while a command runs. They are the case where one key really has
 * two owners, so keys and blobs are counted; everything else is copied by value.
 */
#include "vreader/schsm/state.h"

#include <stdlib.h>

int hsm_state_new(struct hsm_state **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

int hsm_state_copy(const struct hsm_state *state, struct hsm_state **out)
{
	struct hsm_state *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *state;
	(void)hsm_key_ref(copy->device);
	(void)blob_ref(copy->device_cert);
	(void)blob_ref(copy->root);
	(void)blob_ref(copy->user.value);
	(void)blob_ref(copy->so.value);
	for (size_t i = 0; i < copy->n_domains; i++)
		(void)blob_ref(copy->domains[i].kek);
	for (size_t i = 0; i < copy->n_keys; i++)
		(void)hsm_key_ref(copy->keys[i].key);
	for (size_t i = 0; i < copy->n_files; i++)
		(void)blob_ref(copy->files[i].content);
	*out = copy;
	return 0;
}

static void drop_keys(struct hsm_state *state)
{
	for (size_t i = 0; i < state->n_keys; i++)
		state->keys[i].key = hsm_key_unref(state->keys[i].key);
	state->n_keys = 0;
}

static void drop_files(struct hsm_state *state)
{
	for (size_t i = 0; i < state->n_files; i++)
		state->files[i].content = blob_unref(state->files[i].content);
	state->n_files = 0;
}

void hsm_state_erase(struct hsm_state *state)
{
	drop_keys(state);
	drop_files(state);
	for (size_t i = 0; i < state->n_domains; i++)
		state->domains[i].kek = blob_unref(state->domains[i].kek);
	(void)blob_unref(state->user.value);
	(void)blob_unref(state->so.value);
	*state = (struct hsm_state){
		.device = state->device, .device_cert = state->device_cert, .root = state->root,
	};
}

struct hsm_state *hsm_state_free(struct hsm_state *state)
{
	if (!state)
		return NULL;
	hsm_state_erase(state);
	state->device = hsm_key_unref(state->device);
	state->device_cert = blob_unref(state->device_cert);
	state->root = blob_unref(state->root);
	free(state);
	return NULL;
}

int hsm_pin_set(struct hsm_pin *pin, struct bytes value)
{
	struct blob *blob;

	if (blob_new(value, &blob) < 0)
		return -ENOMEM;
	(void)blob_unref(pin->value);
	pin->value = blob;
	pin->tries = pin->max;
	return 0;
}

/* --- memory --- */

static size_t record_size(const struct hsm_record *record)
{
	return hsm_key_private(record->key).n + sizeof(record->algorithms);
}

static size_t memory_used(const struct hsm_state *state)
{
	size_t used = 0;

	for (size_t i = 0; i < state->n_keys; i++)
		used += record_size(&state->keys[i]);
	for (size_t i = 0; i < state->n_files; i++)
		used += blob_bytes(state->files[i].content).n;
	return used;
}

bool hsm_memory_fits(const struct hsm_state *state)
{
	return memory_used(state) <= HSM_MEMORY;
}

size_t hsm_memory_left(const struct hsm_state *state)
{
	assert(hsm_memory_fits(state));
	return HSM_MEMORY - memory_used(state);
}

/* --- files --- */

static struct hsm_file *find_file(struct hsm_state *state, uint16_t fid)
{
	for (size_t i = 0; i < state->n_files; i++) {
		if (state->files[i].fid == fid)
			return &state->files[i];
	}
	return NULL;
}

const struct hsm_file *hsm_find_file(struct hsm_state *state, uint16_t fid)
{
	return find_file(state, fid);
}

int hsm_put_file(struct hsm_state *state, uint16_t fid, struct bytes content)
{
	struct hsm_file *file = find_file(state, fid);
	size_t old = file ? blob_bytes(file->content).n : 0;
	struct blob *blob = NULL;

	if ((!file && state->n_files == HSM_FILES_MAX) || content.n > hsm_memory_left(state) + old)
		return -ENOSPC;
	if (content.n != 0 && blob_new(content, &blob) < 0)
		return -ENOMEM;
	if (!file) {
		file = &state->files[state->n_files++];
		*file = (struct hsm_file){ .fid = fid };
	}
	(void)blob_unref(file->content);
	file->content = blob;
	return 0;
}

void hsm_delete_file(struct hsm_state *state, uint16_t fid)
{
	struct hsm_file *file = find_file(state, fid);

	if (!file)
		return;
	(void)blob_unref(file->content);
	state->n_files--;
	for (; file < &state->files[state->n_files]; file++)
		file[0] = file[1];
}

/* --- keys --- */

struct hsm_record *hsm_find_key(struct hsm_state *state, uint8_t id)
{
	for (size_t i = 0; i < state->n_keys; i++) {
		if (state->keys[i].id == id)
			return &state->keys[i];
	}
	return NULL;
}

int hsm_put_key(struct hsm_state *state, const struct hsm_record *record)
{
	struct hsm_record *place = hsm_find_key(state, record->id);
	size_t old = place ? record_size(place) : 0;

	if ((!place && state->n_keys == HSM_KEYS_MAX) ||
	    record_size(record) > hsm_memory_left(state) + old)
		return -ENOSPC;
	if (place)
		(void)hsm_key_unref(place->key);
	else
		place = &state->keys[state->n_keys++];
	*place = *record;
	return 0;
}

void hsm_delete_key(struct hsm_state *state, uint8_t id)
{
	struct hsm_record *record = hsm_find_key(state, id);

	if (!record)
		return;
	(void)hsm_key_unref(record->key);
	state->n_keys--;
	for (; record < &state->keys[state->n_keys]; record++)
		record[0] = record[1];
}

bool hsm_key_allows(const struct hsm_record *record, uint8_t algorithm)
{
	for (size_t i = 0; i < record->n_algorithms; i++) {
		if (record->algorithms[i] == algorithm)
			return true;
	}
	return record->n_algorithms == 0;
}

struct bytes hsm_domain_kek(const struct hsm_domain *domain)
{
	return domain->made && domain->outstanding == 0 ? blob_bytes(domain->kek) : BYTES_NONE;
}
