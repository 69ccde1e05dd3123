// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/status.c - The one table at the edge [minidriver 2.2, 3.8]. What the card found wrong
 * with a sealed item stays one code, SCARD_E_UNEXPECTED [SECURITY section 6].
 */
#include "libcardmod/status.h"
#include "keyferry/proto.h"

#include <errno.h>

static const struct status_row {
	int code;		/* errno */
	DWORD status;
} rows[] = {
	{ EINVAL, SCARD_E_INVALID_PARAMETER },
	{ EPERM, SCARD_W_SECURITY_VIOLATION },
	{ EACCES, SCARD_W_SECURITY_VIOLATION },
	{ EKEYREJECTED, SCARD_W_WRONG_CHV },
	{ EKEYREVOKED, SCARD_W_CHV_BLOCKED },
	{ EOPNOTSUPP, SCARD_E_UNSUPPORTED_FEATURE },
	{ ENOTTY, SCARD_E_UNSUPPORTED_FEATURE },
	{ ENOMEDIUM, SCARD_E_NO_SMARTCARD },
	{ ENODEV, SCARD_E_READER_UNAVAILABLE },
	{ ESTALE, SCARD_E_INVALID_HANDLE },
	{ EBADF, SCARD_E_INVALID_HANDLE },
	{ ENOENT, SCARD_E_NO_KEY_CONTAINER },
	{ EEXIST, ERROR_FILE_EXISTS },
	{ ENOSPC, SCARD_E_WRITE_TOO_MANY },
	{ EMSGSIZE, ERROR_INSUFFICIENT_BUFFER },
	{ ENOMEM, SCARD_E_NO_MEMORY },
	{ ETIMEDOUT, SCARD_E_TIMEOUT },
	{ ECANCELED, SCARD_E_CANCELLED },
	{ EBUSY, SCARD_E_SHARING_VIOLATION },
	{ EDQUOT, SCARD_E_SERVER_TOO_BUSY },
	{ ENOTCONN, SCARD_E_SERVICE_STOPPED },
	{ ECONNREFUSED, SCARD_E_NO_SERVICE },
	{ EIO, SCARD_F_COMM_ERROR },
	{ EPROTO, SCARD_E_INVALID_PARAMETER },
	{ EIO, SCARD_F_INTERNAL_ERROR },	/* the other way only: module_server_result() */
	{ EREMOTEIO, SCARD_E_UNEXPECTED },
	{ EBADMSG, SCARD_E_UNEXPECTED },
	/* Ours alone, in none of the libraries' answers to these calls. */
	{ EPROTONOSUPPORT, ERROR_REVISION_MISMATCH },
	{ ENOTDIR, SCARD_E_DIR_NOT_FOUND },
	{ ENOTEMPTY, ERROR_DIR_NOT_EMPTY },
	{ ENXIO, SCARD_E_UNKNOWN_CARD },
	{ ENODATA, SCARD_E_FILE_NOT_FOUND },
	{ EADDRNOTAVAIL, SCARD_E_UNKNOWN_READER },
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

DWORD status_from_errno(int r, uint32_t reason)
{
	if (r >= 0)
		return SCARD_S_SUCCESS;
	if (r == -ESTALE && reason == KF_REASON_REMOVED)
		return SCARD_W_REMOVED_CARD;
	if (r == -ESTALE && reason == KF_REASON_RESET)
		return SCARD_W_RESET_CARD;
	if (r == -ESTALE && reason == KF_REASON_READER_GONE)
		return SCARD_E_READER_UNAVAILABLE;
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].code == -r)
			return rows[i].status;
	return SCARD_E_UNEXPECTED;
}

int status_to_errno(DWORD status)
{
	if (status == SCARD_S_SUCCESS)
		return 0;
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].status == status)
			return -rows[i].code;
	return -EREMOTEIO;
}
