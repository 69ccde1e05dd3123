/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * personalise: make a card. The command line is turned into values here; the card half does the
 * making and owns every rule about it.
 */
#include "vreader/cmd.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "format/numbers.h"
#include "format/shared.h"
#include "vreader/card/pem.h"
#include "vreader/vcard.h"

#include <fcntl.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INJECTORS_MAX = 8, KEKS_MAX = 16, PIN_MIN = 4, PIN_MAX = 32 };	/* docs/card-application.md 1 */

/**
 * struct maker - what the command line asked for
 * @injectors:	DER, allocated by OpenSSL
 * @keks:	likewise, and wiped
 * @kek_hash:	of those that follow
 */
struct maker {
	const char *app;
	const char *state_dir;
	const char *serial;
	const char *maker_dir;
	struct secret pin;
	struct secret puk;
	struct bytes injectors[INJECTORS_MAX];
	size_t n_injectors;
	struct vcard_kek keks[KEKS_MAX];
	size_t n_keks;
	enum kf_hash kek_hash;
	struct shared_keys shared;
};

enum option_id {
	OPT_STATE = 256, OPT_SERIAL, OPT_INJECTOR, OPT_PIN, OPT_PUK, OPT_PIN_FD, OPT_PUK_FD, OPT_MAKER,
	OPT_KEK, OPT_KEK_HASH, OPT_SHARED_KEY, OPT_APP,
};

static const struct option options[] = {
	{ "app", required_argument, NULL, OPT_APP },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "serial", required_argument, NULL, OPT_SERIAL },
	{ "injector", required_argument, NULL, OPT_INJECTOR },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "puk", required_argument, NULL, OPT_PUK },
	{ "pin-fd", required_argument, NULL, OPT_PIN_FD },
	{ "puk-fd", required_argument, NULL, OPT_PUK_FD },
	{ "maker", required_argument, NULL, OPT_MAKER },
	{ "kek", required_argument, NULL, OPT_KEK },
	{ "kek-hash", required_argument, NULL, OPT_KEK_HASH },
	{ "shared-key", required_argument, NULL, OPT_SHARED_KEY },
	{ NULL, 0, NULL, 0 },
};

static int check_pin(const struct secret *pin, const char *name)
{
	if (pin->n >= PIN_MIN && pin->n <= PIN_MAX)
		return 0;
	return cmd_fail(CMD_USAGE, "%s: the card takes %d to %d bytes.", name, PIN_MIN, PIN_MAX);
}

static int secret_begin(struct secret *s, const char *name)
{
	int r;

	if (s->p)
		return cmd_fail(CMD_USAGE, "%s: given twice.", name);
	r = secret_init(s, PIN_MAX + 2);	/* one byte too many shows, and a newline fits */
	if (r < 0)
		return cmd_fail(CMD_FAILED, "%s: cannot lock memory for it: %s. Raise the limit on "
				"locked memory (ulimit -l).", name, strerror(-r));
	return 0;
}

/* The argument is overwritten at once, but it was in the process list until then: see the man page. */
static int pin_from_argument(struct secret *s, const char *name, char *text)
{
	struct bytes b = BYTES(text, strlen(text));
	int r = secret_begin(s, name);

	if (r == 0 && secret_set(s, b) < 0)
		s->n = s->cap;
	wipe(text, b.n);
	return r != 0 ? r : check_pin(s, name);
}

/* Up to the end or the first newline. */
static int pin_from_fd(struct secret *s, const char *name, const char *text)
{
	int r = secret_begin(s, name);
	char *end;
	long fd = strtol(text, &end, 10);

	if (r != 0)
		return r;
	if (end == text || *end != '\0' || fd < 0 || fd > 65535)
		return cmd_fail(CMD_USAGE, "%s %s: not the number of a file descriptor.", name, text);
	while (s->n < s->cap) {
		ssize_t n = read((int)fd, s->p + s->n, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cmd_fail(CMD_FAILED, "%s %s: cannot read: %s.", name, text,
					strerror(errno));
		if (n == 0 || s->p[s->n] == '\n')
			break;
		s->n++;
	}
	return check_pin(s, name);
}

/* Into memory of ours, which is wiped; stdio's is not. */
static int read_pem(const char *path, struct secret *out)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	r = secret_init(out, PEM_TEXT_MAX);
	if (r < 0)
		return r;
	n = io_read(fd, out->p, out->cap);
	if (n < 0)
		return (int)n;
	out->n = (size_t)n;
	return 0;
}

/* The card half gets the key as DER, so PEM and its surprises end here. */
static int add_injector(struct maker *maker, const char *path)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	unsigned char *der = NULL;
	EVP_PKEY *key;
	int n, r = read_pem(path, &pem);

	if (r < 0)
		return cmd_fail(CMD_FAILED, "--injector %s: %s.", path, strerror(-r));
	if (maker->n_injectors == INJECTORS_MAX)
		return cmd_fail(CMD_USAGE, "--injector %s: a card holds %d injector keys at most.", path,
				INJECTORS_MAX);
	key = pem_public_key(secret_bytes(&pem));
	if (!key)
		return cmd_fail(CMD_FAILED, "--injector %s: no PEM public key in it. 'openssl pkey -in "
				"KEY.pem -pubout' makes one.", path);
	n = i2d_PUBKEY(key, &der);
	EVP_PKEY_free(key);
	if (n <= 0)
		return cmd_fail(CMD_FAILED, "--injector %s: OpenSSL cannot encode this key.", path);
	maker->injectors[maker->n_injectors++] = BYTES(der, n);
	return 0;
}

/* RSAPrivateKey, which is how the card half keeps it. */
static int read_kek(struct vcard_kek *kek, const char *path)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	unsigned char *der = NULL;
	EVP_PKEY *key;
	int n = 0, r = read_pem(path, &pem);

	if (r < 0)
		return cmd_fail(CMD_FAILED, "--kek %s: %s.", path, strerror(-r));
	key = pem_private_key(secret_bytes(&pem));
	if (key && EVP_PKEY_is_a(key, "RSA"))
		n = i2d_PrivateKey(key, &der);
	EVP_PKEY_free(key);
	if (n <= 0)
		return cmd_fail(CMD_FAILED, "--kek %s: no PEM private key of RSA in it, or an encrypted "
				"one. 'openssl genrsa -out KEK.pem 3072' makes one.", path);
	kek->key = BYTES(der, n);
	return 0;
}

static int add_kek(struct maker *maker, char *value)
{
	struct vcard_kek *kek = &maker->keks[maker->n_keks];
	char *path = strchr(value, '=');
	int r;

	if (!path || path == value)
		return cmd_fail(CMD_USAGE, "--kek %s: NAME=PEM is wanted.", value);
	if (maker->n_keks == KEKS_MAX)
		return cmd_fail(CMD_USAGE, "--kek %s: a card has %d containers.", value, KEKS_MAX);
	*path++ = '\0';
	r = read_kek(kek, path);
	if (r != 0)
		return r;
	kek->name = value;
	kek->hash = maker->kek_hash;
	maker->n_keks++;
	return 0;
}

static int set_kek_hash(struct maker *maker, const char *name)
{
	if (hash_from_name(name, &maker->kek_hash) == 0)
		return 0;
	return cmd_fail(CMD_USAGE, "--kek-hash %s: sha1, sha256, sha384 or sha512.", name);
}

/* As the server keeps it: whoever else could read or write it has the card's keys, or chooses them. */
static bool is_private(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & 077) == 0;
}

static int read_private(const char *path, struct secret *text)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (!is_private(fd))
		return -EACCES;
	n = io_read(fd, text->p, text->cap);
	if (n < 0)
		return (int)n;
	text->n = (size_t)n;
	return 0;
}

/* What `keyferry server shared` wrote for this card. */
static int read_shared(struct maker *maker, const char *path)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT;
	int r;

	if (maker->shared.serial[0] != '\0')
		return cmd_fail(CMD_USAGE, "--shared-key: given twice.");
	r = secret_init(&text, SHARED_KEYS_TEXT_MAX);
	if (r == 0)
		r = read_private(path, &text);
	if (r == 0)
		r = shared_keys_parse(&text, &maker->shared);
	if (r == -EACCES || r == -ELOOP)
		return cmd_fail(CMD_FAILED, "--shared-key %s: not a file of ours alone. It is a secret: chmod "
				"600, and run as its owner.", path);
	if (r == -EBADMSG)
		return cmd_fail(CMD_FAILED, "--shared-key %s: not what `keyferry server shared` writes.",
				path);
	return r < 0 ? cmd_fail(CMD_FAILED, "--shared-key %s: %s.", path, strerror(-r)) : 0;
}

static int parse_option(struct maker *maker, int id, char *value)
{
	switch (id) {
	case OPT_APP:
		maker->app = value;
		return 0;
	case OPT_STATE:
		maker->state_dir = value;
		return 0;
	case OPT_SERIAL:
		maker->serial = value;
		return 0;
	case OPT_MAKER:
		maker->maker_dir = value;
		return 0;
	case OPT_KEK:
		return add_kek(maker, value);
	case OPT_KEK_HASH:
		return set_kek_hash(maker, value);
	case OPT_SHARED_KEY:
		return read_shared(maker, value);
	case OPT_INJECTOR:
		return add_injector(maker, value);
	case OPT_PIN:
		return pin_from_argument(&maker->pin, "--pin", value);
	case OPT_PUK:
		return pin_from_argument(&maker->puk, "--puk", value);
	case OPT_PIN_FD:
		return pin_from_fd(&maker->pin, "--pin-fd", value);
	case OPT_PUK_FD:
		return pin_from_fd(&maker->puk, "--puk-fd", value);
	default:
		return cmd_fail(CMD_USAGE, "keyferry-vreader --help shows what personalise understands.");
	}
}

static bool serial_is_good(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");

	return n >= 1 && n <= 32 && s[n] == '\0';
}

static int check(const struct maker *maker)
{
	if (!maker->state_dir)
		return cmd_fail(CMD_USAGE, "--state is missing: the directory that becomes the card.");
	if (!maker->serial)
		return cmd_fail(CMD_USAGE, "--serial is missing: what the card and its certificate are "
				"called.");
	if (!serial_is_good(maker->serial))
		return cmd_fail(CMD_USAGE, "--serial %s: 1 to 32 of A-Z a-z 0-9 . - are allowed.",
				maker->serial);
	return 0;
}

/* It has no PINs before its owner initialises it. */
static int report_schsm(const struct maker *maker)
{
	(void)printf("card %s made in %s\n", maker->serial, maker->state_dir);
	(void)printf("device and issuer certificates: %s/device.cvc\nmaker's root: %s/root.cvc\n",
		     maker->state_dir, maker->state_dir);
	return fflush(stdout) == 0 ? CMD_OK : CMD_FAILED;
}

static int report(const struct maker *maker, const struct secret *new_pin,
		  const struct secret *new_puk)
{
	if (maker->app && strcmp(maker->app, "schsm") == 0)
		return report_schsm(maker);
	(void)printf("card %s made in %s\n", maker->serial, maker->state_dir);
	(void)printf("device certificate: %s/card.pem\nmaker's root: %s/root.pem\n", maker->state_dir,
		     maker->state_dir);
	if (new_pin->n != 0)
		(void)printf("PIN: %.*s\n", (int)new_pin->n, (const char *)new_pin->p);
	if (new_puk->n != 0)
		(void)printf("PUK: %.*s\n", (int)new_puk->n, (const char *)new_puk->p);
	if (maker->n_injectors == 0)
		(void)puts("no injector key: anybody's items are accepted for signing and decryption keys");
	for (size_t i = 0; i < maker->n_keks; i++)
		(void)printf("KEK %s: others know it, and the card says so of every key under it\n",
			     maker->keks[i].name);
	return fflush(stdout) == 0 ? CMD_OK : CMD_FAILED;
}

static int make(const struct maker *maker)
{
	_cleanup_(secret_deinit) struct secret new_pin = SECRET_INIT;
	_cleanup_(secret_deinit) struct secret new_puk = SECRET_INIT;
	const struct vcard_personalisation want = {
		.app = maker->app,
		.state_dir = maker->state_dir,
		.serial = maker->serial,
		.pin = maker->pin.p ? &maker->pin : NULL,
		.puk = maker->puk.p ? &maker->puk : NULL,
		.injectors = maker->injectors,
		.n_injectors = maker->n_injectors,
		.maker_dir = maker->maker_dir,
		.keks = maker->keks,
		.n_keks = maker->n_keks,
		.shared = maker->shared.serial[0] != '\0' ? &maker->shared : NULL,
		.new_pin = &new_pin,
		.new_puk = &new_puk,
	};
	char why[VCARD_WHY_MAX] = "";
	int r = secret_init(&new_pin, PIN_MAX);

	if (r == 0)
		r = secret_init(&new_puk, PIN_MAX);
	if (r < 0)
		return cmd_fail(CMD_FAILED, "cannot lock memory: %s. Raise the limit on locked memory "
				"(ulimit -l).", strerror(-r));
	r = vcard_personalise(&want, why);
	if (r < 0)
		return cmd_fail(cmd_exit_of_state(r), "%s", why);
	return report(maker, &new_pin, &new_puk);
}

int cmd_personalise(int argc, char **argv)
{
	struct maker maker = { .pin = SECRET_INIT, .puk = SECRET_INIT, .kek_hash = KF_HASH_SHA1,
				.shared = SHARED_KEYS_INIT };
	int r = 0, id;

	while (r == 0 && (id = getopt_long(argc, argv, "", options, NULL)) != -1)
		r = parse_option(&maker, id, optarg);
	if (r == 0 && optind != argc)
		r = cmd_fail(CMD_USAGE, "'%s' is one word too many.", argv[optind]);
	if (r == 0)
		r = check(&maker);
	if (r == 0)
		r = make(&maker);
	for (size_t i = 0; i < maker.n_injectors; i++)
		OPENSSL_free((void *)maker.injectors[i].p);
	for (size_t i = 0; i < maker.n_keks; i++)
		OPENSSL_clear_free((void *)maker.keks[i].key.p, maker.keks[i].key.n);
	secret_deinit(&maker.pin);
	secret_deinit(&maker.puk);
	shared_keys_deinit(&maker.shared);
	return r;
}
