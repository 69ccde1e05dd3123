// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/master_token.c - What comes back is a half of some card's key: it goes from locked memory to locked memory. */
#include "tools/master_token.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "tools/ui.h"

#include <stdio.h>

static_assert((int)MASTER_MAC_SIZE == (int)KF_MASTER_MAC_SIZE, "one CMAC");

static int get_pin(const struct master_token *token, struct secret *pin, struct kf_error *e)
{
	char prompt[128];
	int r = secret_init(pin, SOURCE_PIN_MAX);

	if (r < 0)
		return r;
	if (token->pin_fd >= 0)
		return ui_secret_from_fd(token->pin_fd, pin, e);
	(void)snprintf(prompt, sizeof(prompt), "PIN of the token %s", token->name.token);
	return ui_secret_ask(prompt, pin, e);
}

static int ask_for_key(struct master_token *token, const struct secret *pin, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret packet = SECRET_INIT;
	const struct master_open open = { key_name_open(&token->name, pin), token->make };
	struct packer p;
	int r = secret_init(&packet, SOURCE_PACKET_MAX);

	if (r < 0)
		return r;
	p = pack_begin(packet.p, packet.cap);
	master_open_pack(&p, &open);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	packet.n = p.n;
	r = helper_ask(&token->helper, secret_bytes(&packet), &packet, e);
	if (r == 0 && master_ready_parse(secret_bytes(&packet), &token->extractable) < 0)
		r = helper_failure(&packet, e);
	return r;
}

int master_token_open(struct master_token *token, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	int r;

	if (token->is_open)
		return 0;
	r = get_pin(token, &pin, e);
	if (r == 0)
		r = helper_start(&token->helper, e);
	if (r == 0)
		r = ask_for_key(token, &pin, e);
	token->is_open = r == 0;
	if (r < 0)
		helper_stop(&token->helper);
	return error_what(e, r, "cannot use the master in its token");
}

static int mac(void *arg, const uint8_t *in, size_t len, uint8_t out[KF_MASTER_MAC_SIZE],
	       struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret packet = SECRET_INIT;
	struct master_token *token = arg;
	struct packer p, result = pack_begin(out, KF_MASTER_MAC_SIZE);
	struct bytes told;
	int r = master_token_open(token, e);

	if (r == 0)
		r = secret_init(&packet, SOURCE_PACKET_MAX);
	if (r < 0)
		return r;
	p = pack_begin(packet.p, packet.cap);
	master_mac_pack(&p, BYTES(in, len));
	packet.n = p.n;
	r = helper_ask(&token->helper, secret_bytes(&packet), &packet, e);
	if (r < 0)
		return r;
	if (master_maced_parse(secret_bytes(&packet), &told) < 0)
		return helper_failure(&packet, e);
	pack_bytes(&result, told);
	return pack_end(&result);
}

struct kf_master_keeper master_token_keeper(struct master_token *token)
{
	return (struct kf_master_keeper){ sizeof(struct kf_master_keeper), mac, token };
}

int master_token_attach(struct master_token *token, struct kf_state *state, int pin_fd, struct kf_error *e)
{
	struct kf_master_keeper keeper = master_token_keeper(token);
	struct kf_master_place place = { .size = sizeof(place) };
	int r = kf_state_master_place(state, &place);

	if (r < 0)
		return r == -ENOENT ? 0 : error_what(e, r, "cannot tell where the master is");
	token->name = (struct key_name){
		place.module, place.token, place.label, place.id ? BYTES(place.id, place.id_len) : BYTES_NONE,
	};
	token->pin_fd = pin_fd;
	return kf_server_set_master_keeper(kf_state_server(state), &keeper, e);
}

void master_token_close(struct master_token *token)
{
	helper_stop(&token->helper);
	token->is_open = false;
}
