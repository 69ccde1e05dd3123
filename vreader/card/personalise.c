/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a blank card becomes one (docs/card-application.md 1 leaves it to the maker). Everything is
 * made in memory and judged first; the state is written last and makes the card.
 */
#include "format/keys.h"
#include "format/kid.h"
#include "format/ossl.h"
#include "format/shared.h"
#include "vreader/card/blank.h"
#include "vreader/card/card.h"
#include "vreader/card/kek.h"
#include "vreader/card/maker.h"

#include <openssl/err.h>

enum {
	NEW_PIN_DIGITS = 8,
	NEW_PUK_DIGITS = 12,
	PEM_MAX = 8192,
};

/* --- what is wanted --- */

static int take_serial(struct state *state, const char *serial, char why[static VCARD_WHY_MAX])
{
	struct bytes b = BYTES(serial, strlen(serial));

	if (!serial_is_valid(b))
		return blank_refuse(why, -EINVAL, "the serial has to be 1 to 32 characters out of "
			      "A-Z a-z 0-9 . - (docs/card-application.md 1)");
	memcpy(state->serial, b.p, b.n);
	return 0;
}

static int take_injectors(struct state *state, const struct vcard_personalisation *want,
			  char why[static VCARD_WHY_MAX])
{
	for (size_t i = 0; i < want->n_injectors; i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		enum kf_key_type type;
		int r;

		if (spki_parse(want->injectors[i], &key, &type) < 0 || type != KF_KEY_EC_P256)
			return blank_refuse(why, -EINVAL, "injector key %zu is not a P-256 public key; "
				      "make it with `openssl ecparam -name prime256v1`", i + 1);
		r = state_add_injector(state, want->injectors[i]);
		if (r == -ENOSPC)
			return blank_refuse(why, -EINVAL, "a card takes %d injector keys at most, not %zu",
				      APP_INJECTORS_MAX, want->n_injectors);
		if (r < 0)
			return blank_refuse(why, r, "injector key %zu: %s", i + 1, strerror(-r));
	}
	return 0;
}

/* Which RSA key it is, of those a KEK can be. Return: 0 and a key, -EBADMSG, -EIO, -ENOMEM. */
static int read_kek(struct bytes der, EVP_PKEY **out)
{
	int r = -EBADMSG;

	for (int type = KF_KEY_RSA_2048; type <= KF_KEY_RSA_4096 && r == -EBADMSG; type++)
		r = key_plain_decode(der, (enum kf_key_type)type, out);
	return r;
}

static struct number_list list_of(struct bytes numbers)
{
	struct number_list list = { .n = numbers.n };

	assert(numbers.n <= sizeof(list.v));
	memcpy(list.v, numbers.p, numbers.n);
	return list;
}

static int put_kek(struct container *container, const struct vcard_kek *kek)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int r = read_kek(kek->key, &key);

	if (r == 0)
		r = card_key_new(key, &container->key);
	if (r < 0)
		return r;
	container->purpose = KF_PURPOSE_KEK;
	container->origin = KF_ORIGIN_FACTORY;
	container->kek = (struct kek_rule){
		.hash = (enum kf_hash)kek->hash,
		.key_types = list_of(kek_key_types()),
		.purposes = list_of(kek_purposes()),
	};
	return blob_new(BYTES(kek->name, strlen(kek->name)), &container->kek.name);
}

/* From the last container down, so that they are out of the way of what is imported. */
static int take_keks(struct state *state, const struct vcard_personalisation *want,
		     char why[static VCARD_WHY_MAX])
{
	for (size_t i = 0; i < want->n_keks; i++) {
		struct bytes name = BYTES(want->keks[i].name, strlen(want->keks[i].name));
		int r;

		if (i == APP_CONTAINERS)
			return blank_refuse(why, -EINVAL, "a card has %d containers for KEKs and all other "
				      "keys, not %zu", APP_CONTAINERS, want->n_keks);
		if (!kid_is_valid(name) || !hash_name((enum kf_hash)want->keks[i].hash))
			return blank_refuse(why, -EINVAL, "KEK %zu: a name has 1 to 255 characters out of "
				      "A-Z a-z 0-9 - . _ ~ : / @ %% (docs/card-application.md 7)", i + 1);
		if (state_find_kek(state, name) != STATE_NO_CONTAINER)
			return blank_refuse(why, -EINVAL, "KEK %zu is called like another, whatever the "
				      "case of its letters; give it a name of its own", i + 1);
		r = put_kek(&state->containers[APP_CONTAINERS - 1 - i], &want->keks[i]);
		if (r == -EBADMSG)
			return blank_refuse(why, -EINVAL, "KEK %zu is not an RSA key of 2048, 3072 or 4096 "
				      "bits that is whole; make one with `openssl genrsa`", i + 1);
		if (r < 0)
			return blank_refuse(why, r, "KEK %zu: %s", i + 1, strerror(-r));
	}
	return 0;
}

/* Made for one serial: on another card they would answer for that one. */
static int take_shared(struct state *state, const struct shared_keys *keys,
		       char why[static VCARD_WHY_MAX])
{
	int r;

	if (!keys)
		return 0;
	if (strcmp(keys->serial, state->serial) != 0)
		return blank_refuse(why, -EINVAL, "the shared keys are those of card %s; have the server make "
			      "some for %s (keyferry server shared)", keys->serial, state->serial);
	r = state_set_shared(state, KF_METHOD_SHARED, secret_bytes(&keys->shared), KF_ORIGIN_FACTORY);
	if (r == 0)
		r = state_set_shared(state, KF_METHOD_DERIVED, secret_bytes(&keys->derived),
				     KF_ORIGIN_FACTORY);
	return r < 0 ? blank_refuse(why, r, "no room for the shared keys: %s", strerror(-r)) : 0;
}

/* Digits without bias: 250 is the largest multiple of ten in a byte. */
static int random_digits(struct secret *out, size_t n)
{
	assert(out->cap >= n);
	out->n = 0;
	while (out->n < n) {
		uint8_t byte;

		if (card_random(&byte, 1) < 0)
			return -EIO;
		if (byte < 250)
			out->p[out->n++] = (uint8_t)('0' + byte % 10);
	}
	return 0;
}

/* The wanted value, or a new one of @digits that is reported in @made. */
static int take_pin(struct pin *pin, const struct secret *wanted, struct secret *made,
		    size_t digits)
{
	int r;

	if (!wanted) {
		r = random_digits(made, digits);
		if (r < 0)
			return r;
		wanted = made;
	}
	if (wanted->n < APP_PIN_MIN || wanted->n > APP_PIN_MAX)
		return -EINVAL;
	return pin_set(pin, secret_bytes(wanted));
}

static int take_pins(struct state *state, const struct vcard_personalisation *want,
		     char why[static VCARD_WHY_MAX])
{
	int r = take_pin(&state->pin, want->pin, want->new_pin, NEW_PIN_DIGITS);

	if (r == 0)
		r = take_pin(&state->puk, want->puk, want->new_puk, NEW_PUK_DIGITS);
	if (r == -EINVAL)
		return blank_refuse(why, r, "PIN and PUK have to be %d to %d bytes long", APP_PIN_MIN,
			      APP_PIN_MAX);
	if (r < 0)
		return blank_refuse(why, r, "no PIN could be made: %s", strerror(-r));
	return 0;
}

/* --- device key and certificate --- */

static int open_maker(const char *dir, struct maker **out, char why[static VCARD_WHY_MAX])
{
	int r = dir ? maker_open(dir, out) : maker_new(out);

	if (r == -EBADMSG)
		return blank_refuse(why, r, "root.key and root.pem in %s are not a CA key and its "
			      "certificate; name another --maker directory", dir);
	if (r < 0)
		return blank_refuse(why, r, "the maker root in %s cannot be opened: %s",
			      dir ? dir : "memory", strerror(-r));
	return 0;
}

static int make_device(struct state *state, const struct maker *maker)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;
	uint8_t der[KF_CERT_MAX];
	struct packer p = pack_begin(der, sizeof(der));
	int r = key_generate(KF_KEY_EC_P256, &device);

	if (r == 0)
		r = maker_issue(maker, device, state->serial, &p);
	if (r == 0)
		r = blob_new(pack_done(&p), &state->device_cert);
	if (r == 0)
		r = card_key_new(device, &state->device);
	return r;
}

/* --- writing --- */

static int put_pem(struct store *store, const char *name, const struct packer *pem)
{
	return store_put_file(store, name, pack_done(pem), 0644);
}

static int write_certs(struct store *store, const struct state *state, const struct maker *maker)
{
	uint8_t card_buf[PEM_MAX], root_buf[PEM_MAX];
	struct packer card = pack_begin(card_buf, sizeof(card_buf));
	struct packer root = pack_begin(root_buf, sizeof(root_buf));
	int r = cert_to_pem(blob_bytes(state->device_cert), &card);

	if (r == 0)
		r = maker_root_pem(maker, &root);
	if (r == 0)
		r = put_pem(store, "card.pem", &card);
	if (r == 0)
		r = put_pem(store, "root.pem", &root);
	return r;
}

static int write_state(struct store *store, const struct state *state)
{
	_cleanup_(secret_deinit) struct secret blob = SECRET_INIT;
	struct packer p;
	int r = secret_init(&blob, CODEC_MAX);

	if (r < 0)
		return r;
	p = pack_begin(blob.p, blob.cap);
	r = state_encode(state, &p);
	if (r < 0)
		return r;
	return store_commit(store, pack_done(&p));
}

int card_personalise(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX])
{
	_cleanup_(state_freep) struct state *state = NULL;
	_cleanup_(maker_freep) struct maker *maker = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	int r = state_new(&state);

	if (r < 0)
		return blank_refuse(why, r, "out of memory");
	r = take_serial(state, want->serial, why);
	if (r == 0)
		r = take_injectors(state, want, why);
	if (r == 0)
		r = take_keks(state, want, why);
	if (r == 0)
		r = take_shared(state, want->shared, why);
	if (r == 0)
		r = take_pins(state, want, why);
	if (r == 0)
		r = blank_open(want->state_dir, &store, why);
	if (r == 0)
		r = open_maker(want->maker_dir, &maker, why);
	if (r < 0)
		return r;
	r = make_device(state, maker);
	if (r == 0)
		r = write_certs(store, state, maker);
	if (r == 0)
		r = write_state(store, state);
	ERR_clear_error();
	if (r < 0)
		return blank_refuse(why, r, "the card in %s could not be written: %s", want->state_dir,
			      strerror(-r));
	return 0;
}
