/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/share_file.c - The three forms have three lengths, so one is never taken for another. */
#include "tools/share_file.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hex.h"
#include "format/schsm/dkek_share.h"

enum { SHARE_HEX = 2 * DKEK_SIZE, FILE_MAX = 80, PASSWORD_MAX = 256 };

#define RULE "docs/cards/schsm.md"

static void tell_progress(void *context, unsigned int percent)
{
	if (percent % 20 == 0)
		ui_progress(context, "deriving the key of the share file ... %u %%", percent);
}

/* As sc-hsm-tool and SCSH3 keep one, under a password [cards 2.4]. */
static int open_protected(const struct ui *ui, int password_fd, struct bytes file, struct secret *out,
			  struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret password = SECRET_INIT;
	struct ui copy = *ui;
	int r = secret_init(&password, PASSWORD_MAX);

	if (r == 0 && password_fd >= 0)
		r = ui_secret_from_fd(password_fd, &password, e);
	else if (r == 0)
		r = ui_secret_ask("Password of the share", &password, e);
	if (r == 0)
		r = secret_init(out, DKEK_SIZE);
	if (r < 0)
		return r;
	r = dkek_share_open(file, secret_bytes(&password), (struct dkek_progress){ tell_progress, &copy }, out);
	if (r == -EKEYREJECTED)
		return error_why(e, r, RULE, "try again", "the password is not that of this share");
	if (r == -EBADMSG)
		return error_why(e, r, RULE, "name a file that sc-hsm-tool --create-dkek-share made, or 32 bytes",
				 "the file is no share");
	return r;
}

static int take_hex(struct bytes text, struct secret *out)
{
	int r = secret_init(out, DKEK_SIZE);

	if (r == 0)
		r = hex_read(text, HEX_ANY, out->p, DKEK_SIZE);
	return r < 0 ? r : secret_resize(out, DKEK_SIZE);
}

static int take(struct bytes file, struct secret *out)
{
	int r;

	if (file.n == DKEK_SIZE) {
		r = secret_init(out, DKEK_SIZE);
		return r < 0 ? r : secret_set(out, file);
	}
	if (file.n == SHARE_HEX + 1 && file.p[SHARE_HEX] == '\n')
		file.n = SHARE_HEX;
	return file.n == SHARE_HEX ? take_hex(file, out) : -EINVAL;
}

static bool is_protected(struct bytes file)
{
	return file.n == DKEK_SHARE_FILE_SIZE && memcmp(file.p, "Salted__", 8) == 0;
}

int share_file_read(const struct ui *ui, const char *path, int password_fd, struct secret *out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret file = SECRET_INIT, share = SECRET_INIT;
	int r = ui_secret_from_file(path, FILE_MAX, &file, e);

	if (r < 0)
		return r;
	r = is_protected(secret_bytes(&file)) ?
		open_protected(ui, password_fd, secret_bytes(&file), &share, e) : take(secret_bytes(&file), &share);
	if (r == -EINVAL)
		(void)error_why(e, r, RULE, "name a share, or a file that sc-hsm-tool --create-dkek-share made",
				"a share has 32 bytes, or 64 hexadecimal digits");
	if (r == 0)
		*out = secret_take(&share);
	return error_what(e, r, "cannot read the share");
}
