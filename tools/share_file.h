/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/share_file.h - One share of a DKEK out of a file: 32 bytes, 64 hexadecimal digits, or a password-protected
 * file of sc-hsm-tool's.
 */
#pragma once

#include "tools/ui.h"

/*
 * @password_fd: where the password of a protected one comes from; -1: the terminal. @out comes from SECRET_INIT.
 * Return: 0, -EINVAL it is none, -EKEYREJECTED the password is wrong, and as ui_secret_from_file().
 */
int share_file_read(const struct ui *ui, const char *path, int password_fd, struct secret *out, struct kf_error *e);
