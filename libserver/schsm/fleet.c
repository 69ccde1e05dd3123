// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/fleet.c - A key is worth no more than what protected it on its way. No share is known
 * here to have come by an attested path, so no grade is A: it is C if a host saw one, else unknown. What a state
 * has noted is in dkeks.c.
 */
#include "libserver/schsm/fleet.h"
#include "base/error.h"
#include "format/schsm/dkek_share.h"

int kf_fleet_new(struct kf_fleet **out, struct kf_error *e)
{
	_cleanup_(kf_fleet_freep) struct kf_fleet *fleet = calloc(1, sizeof(*fleet));
	int r = fleet ? dkek_init(&fleet->dkek) : -ENOMEM;

	if (r < 0)
		return error_what(e, r, "cannot begin a DKEK");
	*out = take_ptr(fleet);
	return 0;
}

struct kf_fleet *kf_fleet_free(struct kf_fleet *fleet)
{
	if (fleet)
		dkek_deinit(&fleet->dkek);
	free(fleet);
	return NULL;
}

int kf_fleet_add_share(struct kf_fleet *fleet, const void *share, size_t len, struct kf_error *e)
{
	int r = dkek_add_share(&fleet->dkek, BYTES(share, len));

	if (r == -EINVAL)
		(void)error_why(e, r, "a share is 32 bytes, and nothing else",
				"give the bytes themselves; a password-protected share file goes to "
				"--share", "there are %zu bytes in it", len);
	if (r == 0)
		r = dkek_kcv(&fleet->dkek, fleet->kcv);
	if (r == 0)
		fleet->n_shares++;
	return error_what(e, r, "cannot take the share");
}

static int open_failed(int r, struct kf_error *e)
{
	if (r == -EKEYREJECTED)
		return error_why(e, r, "the password opens the share file", "try another password",
				 "the password is wrong, or the file is damaged");
	if (r == -EBADMSG)
		return error_why(e, r, "a share file is 64 bytes that begin with Salted__",
				 "give what sc-hsm-tool --create-dkek-share wrote",
				 "it is no share file");
	return r;
}

int kf_fleet_add_share_file(struct kf_fleet *fleet, const struct kf_fleet_share_file *file,
			    struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret share = SECRET_INIT;
	int r = secret_init(&share, DKEK_SIZE);

	if (file->size != sizeof(*file))
		r = error_why(e, -EINVAL, "struct kf_fleet_share_file", "set its size",
			      "it is of another version");
	if (r == 0)
		r = open_failed(dkek_share_open(BYTES(file->file, file->file_len),
						BYTES(file->password, file->password_len),
						(struct dkek_progress){ file->progress, file->arg },
						&share), e);
	if (r == 0)
		r = kf_fleet_add_share(fleet, share.p, share.n, e);
	return error_what(e, r, "cannot open the share file");
}

void kf_fleet_set_on_host(struct kf_fleet *fleet, int on_host)
{
	fleet->on_host = on_host != 0;
}

const uint8_t *kf_fleet_check_value(const struct kf_fleet *fleet)
{
	return fleet->n_shares != 0 ? fleet->kcv : NULL;
}

enum kf_grade kf_fleet_grade(const struct kf_fleet *fleet)
{
	return fleet_grade(fleet);
}

bool fleet_is_public(const struct kf_fleet *fleet)
{
	const struct secret *value = &fleet->dkek.value;
	unsigned int same = 0, counting = 0;

	for (size_t i = 0; i < value->n; i++) {
		same |= (unsigned int)(value->p[i] ^ value->p[0]);
		counting |= (unsigned int)(value->p[i] ^ i);
	}
	return same == 0 || counting == 0;
}

enum kf_grade fleet_grade(const struct kf_fleet *fleet)
{
	return fleet->on_host || fleet_is_public(fleet) ? KF_GRADE_C : KF_GRADE_U;
}
