// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/pkcs11/main.c - keyferry-pkcs11: somebody's PKCS #11 module, in a process where there is nothing
 * but that. It is started by keyferry with one descriptor, gets a PIN through it, and gives back a wrapped
 * key, or what is derived from a master. It runs no program and, unless it is to make a key there, makes no file, as far as
 * this kernel can see to that; who it was started by cannot be read from it.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/harden.h"
#include "format/ossl.h"
#include "sandbox/landlock.h"
#include "tools/pkcs11/master.h"
#include "tools/pkcs11/wrapping.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/socket.h>

enum { LINK_FD = 3, ROOTS_MAX = 64 };

static const char cannot_wrap[] = "cannot wrap the key in its token";
static const char cannot_derive[] = "cannot use the master in its token";

static const char usage_text[] =
	"usage: keyferry-pkcs11\n"
	"Uses a key inside a PKCS #11 token. It is started by keyferry, which hands it a descriptor; there\n"
	"is nothing to gain from starting it by hand.\n";

/*
 * Modules read configuration and open devices anywhere, and talk to appliances. The root folder itself
 * stays shut: by that landlock_enter() sees that it works. Only a token of software that is to make a key makes
 * files.
 */
static int close_in(bool makes)
{
	const unsigned int may = LANDLOCK_READ | LANDLOCK_WRITE | (makes ? LANDLOCK_FILES : 0);

	char names[ROOTS_MAX][sizeof(((struct dirent *)0)->d_name) + 1];
	struct landlock_path paths[ROOTS_MAX];
	DIR *root = opendir("/");
	struct dirent *entry;
	uint32_t guards;
	size_t n = 0;

	while (root && n < ROOTS_MAX && (entry = readdir(root))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(names[n], sizeof(names[n]), "/%s", entry->d_name);
		paths[n] = (struct landlock_path){ names[n], may };
		n++;
	}
	if (root)
		(void)closedir(root);
	return landlock_enter(paths, n, LANDLOCK_NETWORK, &guards);
}

static int receive(struct secret *packet)
{
	ssize_t n;

	secret_clear(packet);
	do
		n = recv(LINK_FD, packet->p, packet->cap, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	if ((size_t)n > packet->cap)
		return -EMSGSIZE;
	packet->n = (size_t)n;
	return 0;
}

static int reply(struct packer *p)
{
	struct bytes b = pack_done(p);

	if (b.n == 0)
		return -EMSGSIZE;
	return send(LINK_FD, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n ? 0 : -errno;
}

static int reply_failed(struct packer *p, int code, struct kf_error *e, const char *what)
{
	(void)error_what(e, code, "%s", what);
	source_failed_pack(p, e);
	return reply(p);
}

/* --- keyferry byok wrap --- */

static int open_source(struct token *token, struct secret *packet, CK_OBJECT_HANDLE *key,
		       struct source_found *found, struct packer *spki, struct kf_error *e)
{
	struct source_open open;
	int r = source_open_parse(secret_bytes(packet), &open);

	if (r == 0)
		r = token_open(token, &open, e);
	if (r == 0)
		r = token_find_key(token, &open, key, e);
	if (r == 0)
		r = token_describe(token, *key, &found->type, spki, e);
	secret_clear(packet);
	found->spki = pack_done(spki);
	return r;
}

static int serve_source(struct token *token, struct secret *packet)
{
	uint8_t out[SOURCE_PACKET_MAX], spki_buf[SOURCE_SPKI_MAX], blob_buf[SOURCE_BLOB_MAX];
	struct packer p = pack_begin(out, sizeof(out)), spki = pack_begin(spki_buf, sizeof(spki_buf));
	struct packer blob = pack_begin(blob_buf, sizeof(blob_buf));
	struct kf_error e = KF_ERROR_INIT;
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	struct source_found found = { 0 };
	struct source_wrapped wrapped;
	struct source_wrap wrap;
	int r = open_source(token, packet, &key, &found, &spki, &e);

	if (r < 0)
		return reply_failed(&p, r, &e, cannot_wrap);
	source_found_pack(&p, &found);
	r = reply(&p);
	if (r == 0)
		r = receive(packet);
	if (r == 0)
		r = source_wrap_parse(secret_bytes(packet), &wrap);
	if (r < 0)
		return r;		/* it has thought better of it, or is gone */
	p = pack_begin(out, sizeof(out));
	r = source_wrap_key(token, key, found.type, &wrap, &blob, &wrapped, &e);
	if (r < 0)
		return reply_failed(&p, r, &e, cannot_wrap);
	source_wrapped_pack(&p, &wrapped);
	return reply(&p);
}

/* --- keyferry server, keyferry seal --- */

static int open_master(struct token *token, struct secret *packet, struct master *out, struct kf_error *e)
{
	struct master_open open;
	int r = master_open_parse(secret_bytes(packet), &open);

	if (r == 0)
		r = token_open(token, &open.key, e);
	if (r == 0)
		r = master_find(token, &open, out, e);
	secret_clear(packet);
	return r;
}

/* Question and answer are in the same locked memory: what is derived is a part of a key. */
static int answer(struct token *token, const struct master *master, struct secret *packet, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret mac = SECRET_INIT;
	struct bytes in;
	struct packer p;
	int r = master_mac_parse(secret_bytes(packet), &in);

	if (r == 0)
		r = secret_init(&mac, MASTER_MAC_SIZE);
	if (r == 0)
		r = master_mac(token, master, in, mac.p, e);
	secret_clear(packet);
	p = pack_begin(packet->p, packet->cap);
	if (r < 0)
		return reply_failed(&p, r, e, cannot_derive);
	mac.n = MASTER_MAC_SIZE;
	master_maced_pack(&p, secret_bytes(&mac));
	packet->n = p.n;
	return reply(&p);
}

static int serve_master(struct token *token, struct secret *packet)
{
	struct kf_error e = KF_ERROR_INIT;
	struct master master = { .key = CK_INVALID_HANDLE };
	struct packer p;
	int r = open_master(token, packet, &master, &e);

	p = pack_begin(packet->p, packet->cap);
	if (r < 0)
		return reply_failed(&p, r, &e, cannot_derive);
	master_ready_pack(&p, master.extractable);
	r = reply(&p);
	while (r == 0) {
		r = receive(packet);
		if (r == -ECONNRESET)
			return 0;	/* it has what it wanted */
		if (r == 0)
			r = answer(token, &master, packet, &e);
	}
	return r;
}

/* The first question is read before anything is closed, for it says how far, and before there is a module. */
static bool makes_a_key(const struct secret *packet)
{
	struct master_open open;

	return master_open_parse(secret_bytes(packet), &open) == 0 && open.make;
}

static int serve(struct token *token, struct secret *packet)
{
	return source_kind_of(secret_bytes(packet)) == MASTER_OPEN ? serve_master(token, packet)
								     : serve_source(token, packet);
}

int main(int argc, char **argv)
{
	_cleanup_(secret_deinit) struct secret packet = SECRET_INIT;
	struct token token = TOKEN_INIT;
	int type = 0, r;
	socklen_t n = sizeof(type);

	(void)argv;
	if (argc > 1 || getsockopt(LINK_FD, SOL_SOCKET, SO_TYPE, &type, &n) < 0 ||
	    type != SOCK_SEQPACKET) {
		fputs(usage_text, stderr);
		return 2;
	}
	r = harden_process();
	if (r == 0)
		r = secret_init(&packet, SOURCE_PACKET_MAX);
	if (r == 0)
		r = receive(&packet);
	if (r == 0)
		r = close_in(makes_a_key(&packet));
	if (r == 0) {
		ossl_secure_heap();
		r = serve(&token, &packet);
	}
	token_close(&token);
	if (r < 0)
		fprintf(stderr, "keyferry-pkcs11: %s\n", strerror(-r));
	return r < 0 ? 1 : 0;
}
