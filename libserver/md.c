// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/md.c - The minidriver's server half. Every item has keys of its own, derived from S1,
 * H and its number, so neither a chosen IV nor a second item can weaken another.
 */
#include "libserver/md.h"
#include "base/error.h"
#include "format/agree.h"
#include "format/der.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/seal.h"
#include "format/shared.h"
#include "libserver/random.h"

#include <time.h>

enum { BLOCK = 16, INPUT_MAX = 512 };

/* --- S1 --- */

static int wrap(const struct kf_verified_offer *offer, const struct secret *s1, struct blob *out)
{
	uint8_t buf[INPUT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r = session_key_wrap(offer->exchange, offer->h, s1, &p);

	return r < 0 ? r : blob_set(out, pack_done(&p));
}

/* What is not wrapped nobody chooses: S1 comes of both sides' keys. */
static int check_wraps(const struct kf_verified_offer *offer, struct kf_error *e)
{
	if (offer->method == KF_METHOD_RSA)
		return 0;
	return error_why(e, -EOPNOTSUPP, "docs/card-application.md 5.3",
			 "give no session key: it is made with the cargo",
			 "method %s wraps no session key", method_name(offer->method));
}

int kf_session_key_wrap(const struct kf_verified_offer *offer, const uint8_t s1[KF_S1_SIZE],
			uint8_t **wrapped, size_t *len, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret copy = SECRET_INIT;
	struct blob out = BLOB_INIT;
	int r = check_wraps(offer, e);

	if (r == 0)
		r = secret_init(&copy, KF_S1_SIZE);
	if (r == 0)
		r = secret_set(&copy, BYTES(s1, KF_S1_SIZE));
	if (r == 0)
		r = wrap(offer, &copy, &out);
	if (r < 0)
		return error_what(e, r, "cannot wrap the session key");
	*wrapped = out.p;
	*len = out.n;
	return 0;
}

static int take_s1(struct kf_md_key *key, struct bytes s1, struct kf_error *e)
{
	int r = secret_init(&key->s1, KF_S1_SIZE);

	if (r == 0)
		r = secret_resize(&key->s1, KF_S1_SIZE);
	if (r < 0)
		return r;
	if (s1.p)
		return secret_set(&key->s1, s1);
	return random_secret(key->s1.p, KF_S1_SIZE, e);
}

/* --- method ecdh --- */

static int agree(struct kf_md_key *key, EVP_PKEY *ephemeral, struct packer *input,
		 struct agreed *agreed)
{
	uint8_t fixed[AGREE_POINT_MAX];
	struct packer card = pack_begin(fixed, sizeof(fixed));
	struct agree_facts facts = {
		.type = key->offer->statement.exchange_type, .h = key->offer->h,
	};
	int r = agree_point(key->offer->exchange, &card);

	if (r == 0)
		r = agree_point(ephemeral, input);
	if (r < 0)
		return r;
	facts.fixed = pack_done(&card);
	facts.ephemeral = pack_done(input);
	r = agree_ephemeral(ephemeral, &facts, agreed);
	if (r < 0)
		return r;
	pack_bytes(input, BYTES_OF(agreed->host));
	return pack_end(input);
}

/* The ephemeral pair lives in here: one for each cargo [SP 800-56A 5.6.3.3]. */
static int establish_ecdh(struct kf_md_key *key, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ephemeral = NULL;
	uint8_t buf[INPUT_MAX];
	struct packer input = pack_begin(buf, sizeof(buf));
	struct agreed agreed = { .s1 = &key->s1 };
	int r = secret_init(&key->s1, KF_S1_SIZE);

	if (r == 0)
		r = key_generate(key->offer->statement.exchange_type, &ephemeral);
	if (r == 0)
		r = agree(key, ephemeral, &input, &agreed);
	if (r == -EBADMSG)
		r = error_why(e, -EACCES, "SECURITY section 9, ECDH", "distrust that card",
			      "the card's EXCHANGE key is no proper point");
	if (r < 0)
		return r;
	key->ticket.confirms = true;
	memcpy(key->ticket.confirmation, agreed.card, sizeof(key->ticket.confirmation));
	return blob_set(&key->cargo.input, pack_done(&input));
}

/* --- methods by a SHARED key --- */

/* [SECURITY section 9, 3]: a challenge of ours must not be the card's. */
static int challenge(const struct kf_verified_offer *offer, uint8_t out[static CHALLENGE_SIZE],
		     struct kf_error *e)
{
	int r;

	do
		r = random_public(out, CHALLENGE_SIZE, e);
	while (r == 0 && bytes_equal(BYTES(out, CHALLENGE_SIZE), BYTES_OF(offer->shared.challenge)));
	return r;
}

static int derive(struct kf_md_key *key, struct shared_facts *facts, struct agreed *agreed)
{
	_cleanup_(secret_deinit) struct secret shared = SECRET_INIT;
	const struct kf_verified_offer *offer = key->offer;
	int r = shared_key_derive(&key->server->master, offer->method, offer->statement.serial, &shared);

	facts->method = offer->method;
	facts->h = offer->h;
	facts->sid = offer->statement.sid;
	facts->serial = offer->statement.serial;
	facts->card = offer->shared.challenge;
	if (r == 0)
		r = secret_init(&key->s1, KF_S1_SIZE);
	return r < 0 ? r : shared_establish(&shared, facts, agreed);
}

static int establish_shared(struct kf_md_key *key, struct kf_error *e)
{
	const uint8_t *id = key->server->injector_hash;	/* check_import() saw that there is one */
	uint8_t ours[CHALLENGE_SIZE], buf[INPUT_MAX];
	struct packer input = pack_begin(buf, sizeof(buf));
	struct shared_facts facts = { .server = id, .host = ours };
	struct agreed agreed = { .s1 = &key->s1 };
	int r = challenge(key->offer, ours, e);

	if (r == 0)
		r = derive(key, &facts, &agreed);
	if (r < 0)
		return r;
	if (method_confirms(key->offer->method))
		pack_bytes(&input, BYTES(id, SERVER_ID_SIZE));
	pack_bytes(&input, BYTES_OF(ours));
	if (method_confirms(key->offer->method)) {
		pack_bytes(&input, BYTES_OF(agreed.host));
		key->ticket.confirms = true;
		memcpy(key->ticket.confirmation, agreed.card, sizeof(key->ticket.confirmation));
	}
	return blob_set(&key->cargo.input, pack_done(&input));
}

static int establish(struct kf_md_key *key, struct bytes s1, struct kf_error *e)
{
	int r;

	if (method_is_shared(key->offer->method))
		return establish_shared(key, e);
	if (key->offer->method == KF_METHOD_ECDH)
		return establish_ecdh(key, e);
	r = take_s1(key, s1, e);
	return r < 0 ? r : wrap(key->offer, &key->s1, &key->cargo.input);
}

static int describe(struct kf_md_key *key)
{
	const struct kf_verified_offer *offer = key->offer;
	const struct statement *s = &offer->statement;
	struct cargo_file *cargo = &key->cargo;
	struct ticket *ticket = &key->ticket;

	memcpy(cargo->serial, s->serial, sizeof(cargo->serial));
	memcpy(cargo->sid, s->sid, sizeof(cargo->sid));
	cargo->container = s->container;
	cargo->method = offer->method;
	cargo->signed_by = offer->sender.present;
	memcpy(cargo->sender, offer->sender.digest, sizeof(cargo->sender));
	cargo->grade = offer->grade;

	memcpy(ticket->serial, s->serial, sizeof(ticket->serial));
	memcpy(ticket->device, s->device, sizeof(ticket->device));
	ticket->any_genuine = offer->any_genuine;
	memcpy(ticket->sid, s->sid, sizeof(ticket->sid));
	memcpy(ticket->h, offer->h, sizeof(ticket->h));
	memcpy(ticket->nonce, s->nonce, sizeof(ticket->nonce));
	memcpy(ticket->exchange, s->exchange, sizeof(ticket->exchange));
	ticket->sealed = time(NULL);

	cargo->items = calloc(key->items, sizeof(*cargo->items));
	ticket->items = calloc(key->items, sizeof(*ticket->items));
	if (!cargo->items || !ticket->items)
		return -ENOMEM;
	return blob_set(&ticket->certificate, blob_bytes(&offer->certificate));
}

static int check_import(const struct kf_server *server, const struct kf_verified_offer *offer,
			const void *s1, size_t len, unsigned int items, struct kf_error *e)
{
	uint32_t most = offer->statement.limit_items < KF_ITEMS_MAX ? offer->statement.limit_items
								    : KF_ITEMS_MAX;

	if (s1 && check_wraps(offer, e) < 0)
		return -EOPNOTSUPP;
	if (s1 ? len != KF_S1_SIZE : len != 0)
		return error_why(e, -EINVAL, "docs/card-application.md 6: S1 is 32 bytes",
				 "give 32 random bytes, or none", "a session key of %zu bytes", len);
	if (items < 1 || items > most)
		return error_why(e, -EINVAL, "the limits the card attested",
				 "seal in several voyages", "%u items, where 1 to %u are possible",
				 items, most);
	return offer_check_method(offer, server, e);
}

int kf_md_import_session_key(const struct kf_server *server,
			     const struct kf_verified_offer *offer, const void *s1, size_t len,
			     unsigned int items, struct kf_md_key **out, struct kf_error *e)
{
	_cleanup_(kf_md_destroy_keyp) struct kf_md_key *key = NULL;
	int r;

	r = check_import(server, offer, s1, len, items, e);
	if (r < 0)
		return error_what(e, r, "cannot import the session key");
	key = calloc(1, sizeof(*key));
	if (!key)
		return error_what(e, -ENOMEM, "cannot import the session key");
	key->server = server;
	key->offer = offer;
	key->items = items;
	key->holds = offer->statement.holds;
	r = establish(key, BYTES(s1, len), e);
	if (r == 0)
		r = describe(key);
	if (r < 0)
		return error_what(e, r, "cannot import the session key");
	*out = take_ptr(key);
	return 0;
}

struct kf_md_key *kf_md_destroy_key(struct kf_md_key *key)
{
	if (!key)
		return NULL;
	secret_deinit(&key->s1);
	cargo_file_deinit(&key->cargo);
	ticket_deinit(&key->ticket);
	free(key);
	return NULL;
}

static int hand_out(const struct blob *b, uint8_t **p, size_t *n)
{
	struct blob copy = BLOB_INIT;
	int r = blob_set(&copy, blob_bytes(b));

	if (r < 0)
		return r;
	*p = copy.p;
	*n = copy.n;
	return 0;
}

int kf_md_wrap_session_key(const struct kf_md_key *key, uint8_t **wrapped, size_t *len,
			   struct kf_error *e)
{
	int r = check_wraps(key->offer, e);

	if (r == 0)
		r = hand_out(&key->cargo.input, wrapped, len);
	return error_what(e, r, "cannot hand out the wrapped session key");
}

int kf_md_session_input(const struct kf_md_key *key, uint8_t **input, size_t *len,
			struct kf_error *e)
{
	int r = hand_out(&key->cargo.input, input, len);

	return error_what(e, r, "cannot hand out what establishes the session key");
}

/* --- properties --- */

int kf_md_set_chaining_mode(struct kf_md_key *key, uint32_t mode, struct kf_error *e)
{
	if (mode != KF_CHAIN_CBC) {
		(void)error_why(e, -EOPNOTSUPP, "docs/card-application.md 1.2: item suites",
				"set KF_CHAIN_CBC", "items are chained by CBC only");
		return error_what(e, -EOPNOTSUPP, "cannot set the chaining mode");
	}
	key->mode_is_set = true;
	return 0;
}

int kf_md_set_iv(struct kf_md_key *key, const void *iv, size_t len, struct kf_error *e)
{
	int r = 0;

	if (iv ? len != KF_IV_SIZE : len != 0) {
		(void)error_why(e, -EINVAL, "one cipher block", "give 16 bytes, or none",
				"an initialisation vector of %zu bytes", len);
		return error_what(e, -EINVAL, "cannot set the initialisation vector");
	}
	if (iv)
		memcpy(key->iv, iv, KF_IV_SIZE);
	else
		r = random_public(key->iv, KF_IV_SIZE, e);
	if (r < 0)
		return error_what(e, r, "cannot make an initialisation vector");
	key->iv_is_set = true;
	return 0;
}

size_t kf_md_block_length(const struct kf_md_key *key)
{
	(void)key;
	return BLOCK;
}

/* --- items --- */

int md_check_pair(const struct kf_verified_offer *offer, const struct kf_keypair *pair,
		  const struct spki_hash *holds, struct kf_error *e)
{
	char text[HEX_DIGEST_SIZE];

	if (offer->statement.container == KF_CONTAINER_PINS)
		return error_why(e, -EACCES, "docs/card-application.md 5.1",
				 "make an offer for a container",
				 "the offer is about PINs, and takes no key");
	if (!kf_verified_offer_takes(offer, pair->type))
		return error_why(e, -EOPNOTSUPP, "key types the card attested",
				 "use a key of another type", "card %s takes no key of type %s",
				 offer->statement.serial, key_type_name(pair->type));
	if (offer->statement.container == KF_CONTAINER_BATCH)
		return pair->container < APP_CONTAINERS ? 0 :
		       error_why(e, -EINVAL, "docs/card-application.md 5.1",
				 "name a container for each key of a batch",
				 "the offer is for a batch, and the key has no container");
	if (pair->replaces.present == holds->present &&
	    (!holds->present ||
	     bytes_equal(BYTES_OF(pair->replaces.digest), BYTES_OF(holds->digest))))
		return 0;
	if (!holds->present)
		return error_why(e, -EACCES, "docs/card-application.md 5.4 step 7",
				 "seal without naming a key to replace",
				 "container %u of card %s is empty", offer->statement.container,
				 offer->statement.serial);
	hex_print(BYTES_OF(holds->digest), text);
	return error_why(e, -EACCES, "an occupied container is replaced only by name",
			 "offer an empty container, or say --replace with that hash",
			 "container %u of card %s holds key %s", offer->statement.container,
			 offer->statement.serial, text);
}

int md_check_order(const struct kf_verified_offer *offer, struct kf_error *e)
{
	if (offer->statement.container == KF_CONTAINER_PINS)
		return 0;
	return error_why(e, -EACCES, "docs/card-application.md 5.1",
			 "make an offer about PINs: keyferry offer --pins",
			 "the offer is for a key in container %u, and takes no order about PINs",
			 offer->statement.container);
}

/**
 * struct content - what an item is made of: a key, or an order about PINs; the other is NULL
 */
struct content {
	const struct kf_keypair *pair;
	const struct kf_pin_order *order;
};

static void describe_content(struct item_body *body, const struct content *content)
{
	const struct kf_keypair *pair = content->pair;

	if (!pair) {
		body->function = content->order->function;
		body->pin = content->order->target;
		return;
	}
	body->function = KF_FUNCTION_IMPORT_KEYPAIR;
	if (body->container == KF_CONTAINER_BATCH)
		body->container = pair->container;
	body->replaces = pair->replaces;
	body->pin = pair->policy.pin_needed ? KF_PIN_USER : 0;
	body->key_type = pair->type;
	body->purpose = pair->purpose;
	body->policy = pair->policy;
}

static struct item_body body_for(const struct kf_md_key *key, const struct content *content)
{
	const struct statement *s = &key->offer->statement;
	struct item_body body = {
		.suite = SUITE_AES256_CBC_CMAC,
		.method = key->offer->method,
		.number = (uint32_t)key->cargo.n_items + 1,
		.count = key->items,
		.container = s->container,
		.sender = key->offer->sender,
	};

	describe_content(&body, content);
	memcpy(body.sid, s->sid, sizeof(body.sid));
	memcpy(body.serial, s->serial, sizeof(body.serial));
	memcpy(body.exchange, s->exchange, sizeof(body.exchange));
	memcpy(body.iv, key->iv, sizeof(body.iv));
	return body;
}

static int encode_content(const struct content *content, struct secret *plain)
{
	int r;

	if (!content->pair)
		return pin_order_encode(content->order, plain);
	r = secret_init(plain, KEY_PLAIN_MAX);
	return r < 0 ? r : key_plain_encode(content->pair->key, plain);
}

static int encrypt_content(const struct item_keys *keys, const struct kf_md_key *key,
			   const struct content *content, struct packer *out)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	int r = encode_content(content, &plain);

	if (r == 0)
		r = item_encrypt(keys, key->iv, &plain, out);
	return r;
}

static int sign_item(const struct kf_md_key *key, struct bytes body, struct bytes mac_der,
		     struct packer *out)
{
	if (!key->offer->sender.present)
		return 0;
	if (!key->server->injector)
		return -ENOKEY;
	return ecdsa_sign(key->server->injector, body, mac_der, out);
}

/* [formats 5]: Item is body, MAC over its DER, signature over body and MAC as they stand. */
static int finish_item(const struct kf_md_key *key, const struct item_keys *keys,
		       struct bytes body_der, struct packer *out)
{
	uint8_t mac[ITEM_MAC_SIZE], mac_der_buf[ITEM_MAC_SIZE + 2], signature_buf[ECDSA_SIG_MAX];
	struct packer mac_der = pack_begin(mac_der_buf, sizeof(mac_der_buf));
	struct packer signature = pack_begin(signature_buf, sizeof(signature_buf));
	int r;

	r = item_mac(keys, body_der, mac);
	if (r < 0)
		return r;
	der_put(&mac_der, DER_OCTETS, BYTES_OF(mac));
	r = sign_item(key, body_der, pack_done(&mac_der), &signature);
	if (r < 0)
		return r;
	item_pack(out, body_der, mac, pack_done(&signature));
	return pack_end(out);
}

static int make_item(const struct kf_md_key *key, const struct content *content,
		     struct item_body *body, struct packer *out)
{
	_cleanup_(item_keys_deinit) struct item_keys keys = ITEM_KEYS_INIT;
	struct item_place place = {
		.method = body->method, .function = body->function, .number = body->number,
	};
	uint8_t sealed_buf[KEY_PLAIN_MAX + BLOCK], body_buf[KF_ITEM_MAX];
	struct packer sealed = pack_begin(sealed_buf, sizeof(sealed_buf));
	struct packer body_der = pack_begin(body_buf, sizeof(body_buf));
	int r;

	memcpy(place.h, key->offer->h, sizeof(place.h));
	r = item_keys_derive(&keys, &key->s1, &place);
	if (r == 0)
		r = encrypt_content(&keys, key, content, &sealed);
	if (r < 0)
		return r;
	body->ciphertext = pack_done(&sealed);
	item_body_pack(&body_der, body);
	body->ciphertext = BYTES_NONE;
	r = pack_end(&body_der);
	return r < 0 ? r : finish_item(key, &keys, pack_done(&body_der), out);
}

/* Cargo and ticket get their entry together, or neither. */
static int note_item(struct kf_md_key *key, const struct content *content,
		     const struct item_body *body, struct bytes item)
{
	struct cargo_item *cargo = &key->cargo.items[key->cargo.n_items];
	struct ticket_item *ticket = &key->ticket.items[key->ticket.n_items];
	int r;

	*ticket = (struct ticket_item){
		.function = body->function, .method = body->method, .container = body->container,
		.pin = body->pin, .key_type = body->key_type, .purpose = body->purpose,
		.policy = body->policy, .sender = body->sender, .grade = key->offer->grade,
	};
	if (content->pair)
		memcpy(ticket->key, content->pair->hash, sizeof(ticket->key));
	r = sha256(item, ticket->sha256);
	if (r < 0)
		return r;
	r = blob_set(&cargo->item, item);
	if (r < 0)
		return r;
	cargo->number = body->number;
	cargo->function = body->function;
	cargo->key_type = body->key_type;
	cargo->purpose = body->purpose;
	cargo->container = body->container;
	cargo->pin = content->pair ? 0 : body->pin;
	memcpy(cargo->iv, body->iv, sizeof(cargo->iv));
	key->cargo.n_items++;
	key->ticket.n_items++;
	if (content->pair) {
		key->holds.present = true;
		memcpy(key->holds.digest, content->pair->hash, sizeof(key->holds.digest));
	}
	return 0;
}

static int check_turn(const struct kf_md_key *key, struct kf_error *e)
{
	if (key->cargo.n_items == key->items)
		return error_why(e, -EPROTO, "items of one session key", "get a new offer",
				 "all %u items of this session key are made", key->items);
	if (!key->mode_is_set || !key->iv_is_set)
		return error_why(e, -EPROTO, "CKP_CHAINING_MODE, CKP_INITIALIZATION_VECTOR",
				 "set both before each item; an IV serves one",
				 "chaining mode or initialisation vector is not set");
	return 0;
}

static int seal_content(struct kf_md_key *key, const struct content *content, uint8_t **item,
			size_t *len, struct kf_error *e)
{
	uint8_t buf[KF_ITEM_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct item_body body = body_for(key, content);
	int r;

	key->iv_is_set = false;
	r = make_item(key, content, &body, &p);
	if (r == -EMSGSIZE || (r == 0 && p.n > key->offer->statement.limit_item))
		r = error_why(e, -EOPNOTSUPP, "the limits the card attested", "use a smaller key",
			      "the item would be longer than the card takes");
	if (r == 0)
		r = note_item(key, content, &body, pack_done(&p));
	if (r == 0)
		r = hand_out(&key->cargo.items[key->cargo.n_items - 1].item, item, len);
	return r;
}

int kf_md_encrypt_data(struct kf_md_key *key, enum kf_function function,
		       const struct kf_keypair *pair, uint8_t **item, size_t *len,
		       struct kf_error *e)
{
	int r = 0;

	if (function != KF_FUNCTION_IMPORT_KEYPAIR)
		r = error_why(e, -EOPNOTSUPP, "this version", "import a key pair",
			      "this version seals no other function around a key pair");
	if (r == 0)
		r = check_turn(key, e);
	if (r == 0)
		r = md_check_pair(key->offer, pair, &key->holds, e);
	if (r == 0)
		r = seal_content(key, &(struct content){ .pair = pair }, item, len, e);
	return error_what(e, r, "cannot seal the key");
}

int kf_md_encrypt_pin(struct kf_md_key *key, const struct kf_pin_order *order, uint8_t **item,
		      size_t *len, struct kf_error *e)
{
	int r = check_turn(key, e);

	if (r == 0)
		r = md_check_order(key->offer, e);
	if (r == 0)
		r = seal_content(key, &(struct content){ .order = order }, item, len, e);
	return error_what(e, r, "cannot seal the order about a PIN");
}

static int check_complete(const struct kf_md_key *key, struct kf_error *e)
{
	if (key->cargo.n_items == key->items)
		return 0;
	return error_why(e, -EPROTO, "items of one session key", "seal the other items first",
			 "%zu of %u items are made", key->cargo.n_items, key->items);
}

int kf_md_cargo(const struct kf_md_key *key, char **json, size_t *len, struct kf_error *e)
{
	int r = check_complete(key, e);

	if (r == 0)
		r = cargo_file_write(&key->cargo, json, len, e);
	return error_what(e, r, "cannot write the cargo");
}

int kf_md_ticket(const struct kf_md_key *key, char **json, size_t *len, struct kf_error *e)
{
	int r = check_complete(key, e);

	if (r == 0)
		r = ticket_write(&key->ticket, json, len, e);
	return error_what(e, r, "cannot write the ticket");
}
