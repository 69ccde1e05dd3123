// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/byok_source.c - Two questions to the process that has the module. */
#include "tools/byok_source.h"
#include "base/cleanup.h"
#include "base/error.h"

static int find_key(struct byok_source *source, const struct key_name *name,
		    const struct secret *pin, struct secret *packet, struct kf_error *e)
{
	struct packer p = pack_begin(packet->p, packet->cap);
	struct source_found found = { 0 };
	const struct source_open open = key_name_open(name, pin);
	int r;

	source_open_pack(&p, &open);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	packet->n = p.n;
	r = helper_ask(&source->helper, secret_bytes(packet), packet, e);
	if (r < 0)
		return r;
	if (source_found_parse(secret_bytes(packet), &found) < 0)
		return helper_failure(packet, e);
	source->type = found.type;
	source->spki_len = found.spki.n;
	if (found.spki.n > 0)
		memcpy(source->spki, found.spki.p, found.spki.n);
	return 0;
}

int byok_source_open(struct byok_source *source, const struct key_name *name,
		     const struct secret *pin, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret packet = SECRET_INIT;
	int r = secret_init(&packet, SOURCE_PACKET_MAX);

	if (r == 0)
		r = helper_start(&source->helper, e);
	if (r == 0)
		r = find_key(source, name, pin, &packet, e);
	return error_what(e, r, "cannot use the PKCS #11 source");
}

int byok_source_wrap(struct byok_source *source, const struct source_wrap *want, struct packer *blob,
		     enum source_way *way, bool *zeros, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret packet = SECRET_INIT;
	struct source_wrapped wrapped = { 0 };
	struct packer p;
	int r = secret_init(&packet, SOURCE_PACKET_MAX);

	if (r < 0)
		return r;
	p = pack_begin(packet.p, packet.cap);
	source_wrap_pack(&p, want);
	packet.n = p.n;
	r = helper_ask(&source->helper, secret_bytes(&packet), &packet, e);
	if (r == 0 && source_wrapped_parse(secret_bytes(&packet), &wrapped) < 0)
		r = helper_failure(&packet, e);
	if (r < 0)
		return error_what(e, r, "cannot wrap the key in its token");
	pack_bytes(blob, wrapped.blob);
	*way = wrapped.way;
	*zeros = wrapped.zeros;
	return pack_end(blob);
}

void byok_source_close(struct byok_source *source)
{
	helper_stop(&source->helper);
}

const char *byok_way_words(enum source_way way)
{
	switch (way) {
	case SOURCE_WHOLE:
		return "inside the token, by CKM_RSA_AES_KEY_WRAP";
	case SOURCE_TWO_STEPS:
		return "inside the token, under an AES key of its own";
	case SOURCE_DIRECT:
		return "inside the token, by OAEP alone";
	case SOURCE_OUR_AES:
		return "inside the token, but under an AES key that was in this machine's memory";
	default:
		return "outside: the key itself was in this machine's memory";
	}
}
