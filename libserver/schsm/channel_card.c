/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/channel_card.c - Which card is at the other end: by the chain of its device certificate, by its name, and
 * by what must not be there unless it is allowed.
 */
#include "base/error.h"
#include "format/hash.h"
#include "libserver/schsm/channel.h"

#include <time.h>

enum { NAME_SEQUENCE = 5 };		/* digits that number the certificates of one card */

#define RULE "docs/cards/schsm.md, Through a channel"

/* YYMMDD, a digit a byte. */
static void date_of(int64_t now, uint8_t out[static CVC_DATE_SIZE])
{
	const time_t t = now != 0 ? (time_t)now : time(NULL);
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm);
	const int pairs[] = { tm.tm_year % 100, tm.tm_mon + 1, tm.tm_mday };

	for (size_t i = 0; i < 3; i++) {
		out[2 * i] = (uint8_t)(pairs[i] / 10);
		out[2 * i + 1] = (uint8_t)(pairs[i] % 10);
	}
}

static int verify(struct kf_channel *channel)
{
	struct bytes roots[CHANNEL_ROOTS_MAX];
	uint8_t today[CVC_DATE_SIZE];
	const struct device_roots trusted = { .roots = roots, .n = channel->n_roots, .today = BYTES_OF(today) };

	for (size_t i = 0; i < channel->n_roots; i++)
		roots[i] = blob_bytes(&channel->roots[i]);
	date_of(channel->now, today);
	return device_chain_verify(BYTES(channel->file, channel->file_n), &trusted, &channel->chain);
}

static int not_verified(int r, struct kf_error *e)
{
	switch (r) {
	case -EBADMSG:
		return error_why(e, -EACCES, RULE, "is it a SmartCard-HSM?",
				 "what the card gave is no chain of device certificates");
	case -ENOENT:
		return error_why(e, -EACCES, RULE, "give the root of the card's maker, if you trust it: --root",
				 "none of the roots given has issued the card's certificates");
	case -EACCES:
		return error_why(e, r, RULE, "do not trust that card",
				 "the chain of the card's certificates does not hold, or one is out of date");
	default:
		return r;
	}
}

/* What clients show, too: the holder without the number of the certificate. */
static void name_card(struct kf_channel *channel)
{
	struct bytes chr = channel->chain.device.chr;
	struct bytes name = bytes_slice(chr, 0, chr.n > NAME_SEQUENCE ? chr.n - NAME_SEQUENCE : chr.n);

	if (serial_is_valid(name))
		memcpy(channel->serial, name.p, name.n);
}

static bool is_named_virtual(struct bytes name)
{
	return bytes_have_prefix(name, BYTES("ZZVIRT", 6));
}

static int check(const struct kf_channel *channel, struct kf_error *e)
{
	const char *serial = channel->serial[0] ? channel->serial : "without a name";

	if (channel->chain.fixed && !channel->allow_virtual)
		return error_why(e, -EACCES, RULE, "use a card with a key of its own; for trials, --allow-virtual",
				 "the device key of card %s is that of an emulator, which everybody knows", serial);
	if (channel->is_virtual && !channel->allow_virtual)
		return error_why(e, -EACCES, RULE, "for trials, --allow-virtual", "card %s is a virtual one", serial);
	if (!channel->any && strcmp(channel->device, channel->serial) != 0)
		return error_why(e, -EACCES, "the right card, not just a genuine one", "insert that card, or name this one",
				 "this is card %s, and it has to be %s", serial, channel->device);
	if (channel->enrolled[0] != '\0' && strcmp(channel->enrolled, channel->fingerprint) != 0)
		return error_why(e, -EACCES, "the right card, not just a genuine one",
				 "see which one is in, and enroll it anew if it is meant",
				 "card %s has another device certificate than the enrolled one", serial);
	return 0;
}

int channel_recognise(struct kf_channel *channel, struct kf_error *e)
{
	uint8_t digest[KF_DIGEST_SIZE];
	int r = verify(channel);

	if (r < 0)
		return not_verified(r, e);
	r = sha256(channel->chain.device.whole, digest);
	if (r < 0)
		return r;
	hex_print(BYTES_OF(digest), channel->fingerprint);
	name_card(channel);
	channel->is_virtual = is_named_virtual(channel->chain.device.chr) ||
			      is_named_virtual(channel->chain.device.car) ||
			      is_named_virtual(channel->chain.issuer.car);
	r = check(channel, e);
	if (r == 0)
		channel->phase = CHANNEL_AGREEING;
	return r;
}
