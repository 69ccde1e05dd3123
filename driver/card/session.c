/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/session.c - A small array. In our items the IV and the mode stand in the signed and
 * authenticated item itself; a client that sets them all the same, as the minidriver's callers do,
 * gets them compared with the item before the card is asked.
 */
#include "driver/card/session.h"

#define BLOCK_SIZE	16u	/* AES, the only cipher of an item [keyferry card, item suite] */

struct card_session *card_session_find(struct card_sessions *all, uint64_t key)
{
	for (size_t i = 0; key != 0 && i < CARD_SESSIONS_MAX; i++)
		if (all->slots[i].key == key)
			return &all->slots[i];
	return NULL;
}

int card_session_new(struct card_sessions *all, struct card_session **out)
{
	for (size_t i = 0; i < CARD_SESSIONS_MAX; i++) {
		if (all->slots[i].key != 0)
			continue;
		all->slots[i] = (struct card_session){
			.key = ++all->last_key,
			.container = KF_CONTAINER_ANY,
			.next_item = 1,
		};
		*out = &all->slots[i];
		return 0;
	}
	return -ENOSPC;
}

void card_session_drop(struct card_session *session)
{
	*session = (struct card_session){ 0 };
}

void card_sessions_clear(struct card_sessions *all)
{
	for (size_t i = 0; i < CARD_SESSIONS_MAX; i++)
		card_session_drop(&all->slots[i]);
}

int card_session_get(const struct card_session *session, uint32_t prop, struct packer *value)
{
	switch (prop) {
	case KF_PROP_CHAINING_MODE:
		pack_le32(value, session->chaining ? session->chaining : KF_CHAIN_CBC);
		break;
	case KF_PROP_IV:
		pack_bytes(value, BYTES(session->iv, session->iv_len));
		break;
	case KF_PROP_BLOCK_LENGTH:
		pack_le32(value, BLOCK_SIZE);
		break;
	case KF_PROP_ALGORITHM:
		pack_le32(value, session->algorithm);
		break;
	case KF_PROP_SID:
		pack_bytes(value, BYTES_OF(session->sid));
		break;
	case KF_PROP_NEXT_ITEM:
		pack_le32(value, session->next_item);
		break;
	default:
		return -EINVAL;
	}
	return pack_end(value);
}

static int chaining_set(struct card_session *session, struct bytes value)
{
	struct unpacker u = unpack_begin(value);
	uint32_t mode = unpack_le32(&u);

	if (unpack_end(&u) < 0)
		return -EINVAL;
	if (mode == KF_CHAIN_ECB || mode == KF_CHAIN_GCM)
		return -EOPNOTSUPP;
	if (mode != KF_CHAIN_CBC)
		return -EINVAL;
	session->chaining = mode;
	return 0;
}

static int iv_set(struct card_session *session, struct bytes value)
{
	struct unpacker u = unpack_begin(value);

	if (value.n != BLOCK_SIZE)
		return -EINVAL;
	unpack_copy(&u, session->iv, BLOCK_SIZE);
	session->iv_len = BLOCK_SIZE;
	return 0;
}

int card_session_set(struct card_session *session, uint32_t prop, struct bytes value)
{
	switch (prop) {
	case KF_PROP_CHAINING_MODE:
		return chaining_set(session, value);
	case KF_PROP_IV:
		return iv_set(session, value);
	default:
		return -EINVAL;
	}
}
