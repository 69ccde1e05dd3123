// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/schsm/hsm.c - Verified whenever it is loaded, and against the calendar whenever it is used. */
#include "libserver/schsm/hsm.h"
#include "base/error.h"
#include "format/hash.h"

#include <time.h>

#define RULE "a SmartCard-HSM's certificates, docs/formats.md 16"

static int check_root(struct bytes root, struct kf_error *e)
{
	struct cvc cvc;

	if (root.n > CVC_MAX || cvc_parse(root, &cvc) < 0)
		return error_why(e, -EBADMSG, RULE, "give the maker's root as the maker publishes it, in binary",
				 "the root is no card-verifiable certificate");
	return 0;
}

/* Up to the root, in words. @today empty: nobody asks how old a certificate is. */
static int verify(struct bytes file, struct bytes root, struct bytes today, struct device_chain *out,
		  struct kf_error *e)
{
	const struct device_roots roots = { .roots = &root, .n = 1, .today = today };
	int r = device_chain_verify(file, &roots, out);

	if (r == -EBADMSG)
		return error_why(e, r, RULE, "have the client write it: keyferry card show --cert FILE",
				 "it is not a card's certificate and its issuer's, one behind the other");
	if (r == -ENOENT)
		return error_why(e, -EACCES, RULE, "give the root that it names",
				 "this root has not certified the card's issuer");
	if (r == -EACCES && today.n != 0)
		return error_why(e, r, RULE, "check the clock; an old card needs new certificates",
				 "a certificate of the card is out of date");
	if (r == -EACCES)
		return error_why(e, r, RULE, "do not trust this card",
				 "a signature, a name or a role between the card and the root does not hold");
	return r;
}

static int take(struct kf_hsm *hsm, struct bytes file, struct bytes root, struct kf_error *e)
{
	uint8_t digest[KF_DIGEST_SIZE];
	struct bytes serial;
	int r = check_root(root, e);

	if (r == 0 && file.n > HSM_CHAIN_MAX)
		r = error_why(e, -EBADMSG, RULE, "check that it is the right file",
			      "it is longer than two certificates");
	if (r == 0)
		r = blob_set(&hsm->root, root);
	if (r == 0)
		r = blob_set(&hsm->file, file);
	if (r == 0)
		r = verify(blob_bytes(&hsm->file), blob_bytes(&hsm->root), BYTES_NONE, &hsm->chain, e);
	if (r < 0)
		return r;
	serial = cvc_serial(hsm->chain.device.chr);
	if (serial.n == 0)
		return error_why(e, -EBADMSG, RULE, "ask the card's maker",
				 "its holder reference has no serial");
	memcpy(hsm->serial, serial.p, serial.n);
	r = sha256(hsm->chain.device.whole, digest);
	hex_print(BYTES_OF(digest), hsm->fingerprint);
	return r;
}

int hsm_load(struct bytes file, struct bytes root, bool allow_virtual, struct kf_hsm **out,
	     struct kf_error *e)
{
	_cleanup_(kf_hsm_freep) struct kf_hsm *hsm = calloc(1, sizeof(*hsm));
	int r;

	if (!hsm)
		return -ENOMEM;
	hsm->allow_virtual = allow_virtual;
	r = take(hsm, file, root, e);
	if (r == 0)
		*out = take_ptr(hsm);
	return r;
}

/* YYMMDD, a digit a byte [TR-03110-3 D.2.1.3]. */
static void print_today(uint8_t out[static CVC_DATE_SIZE])
{
	time_t now = time(NULL);
	struct tm tm;
	int parts[3];

	(void)gmtime_r(&now, &tm);
	parts[0] = tm.tm_year % 100;
	parts[1] = tm.tm_mon + 1;
	parts[2] = tm.tm_mday;
	for (size_t i = 0; i < 3; i++) {
		out[2 * i] = (uint8_t)(parts[i] / 10);
		out[2 * i + 1] = (uint8_t)(parts[i] % 10);
	}
}

int hsm_check(const struct kf_hsm *hsm, struct kf_error *e)
{
	struct device_chain chain = DEVICE_CHAIN_INIT;
	uint8_t today[CVC_DATE_SIZE];
	int r;

	if (hsm->chain.fixed && !hsm->allow_virtual)
		return error_why(e, -EACCES, "emulators, SECURITY section 3",
				 "allow it with --allow-virtual if you mean a test card",
				 "everybody knows the device key of card %s: it is an emulator's", hsm->serial);
	if (hsm->chain.is_virtual && !hsm->allow_virtual)
		return error_why(e, -EACCES, "virtual cards, SECURITY section 3",
				 "allow it with --allow-virtual if you mean a test card",
				 "card %s is virtual: software, not a chip", hsm->serial);
	print_today(today);
	r = verify(blob_bytes(&hsm->file), blob_bytes(&hsm->root), BYTES_OF(today), &chain, e);
	device_chain_deinit(&chain);
	return r;
}

int kf_hsm_new(const struct kf_server *server, const void *chain, size_t chain_len, const void *root,
	       size_t root_len, struct kf_hsm **out, struct kf_error *e)
{
	_cleanup_(kf_hsm_freep) struct kf_hsm *hsm = NULL;
	int r = hsm_load(BYTES(chain, chain_len), BYTES(root, root_len), server->allow_virtual, &hsm, e);

	if (r == 0)
		r = hsm_check(hsm, e);
	if (r == 0)
		*out = take_ptr(hsm);
	return error_what(e, r, "cannot take the card's certificates");
}

struct kf_hsm *kf_hsm_free(struct kf_hsm *hsm)
{
	if (!hsm)
		return NULL;
	device_chain_deinit(&hsm->chain);
	blob_deinit(&hsm->file);
	blob_deinit(&hsm->root);
	free(hsm);
	return NULL;
}

const char *kf_hsm_serial(const struct kf_hsm *hsm)
{
	return hsm->serial;
}

const char *kf_hsm_fingerprint(const struct kf_hsm *hsm)
{
	return hsm->fingerprint;
}

int kf_hsm_is_virtual(const struct kf_hsm *hsm)
{
	return hsm->chain.is_virtual || hsm->chain.fixed;
}

enum kf_grade kf_hsm_grade(const struct kf_hsm *hsm)
{
	return kf_hsm_is_virtual(hsm) ? KF_GRADE_A_VIRTUAL : KF_GRADE_A;
}
