/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/sandbox.h"

#include "sandbox/guard.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/ioctl.h>

/* What one reader needs is a few hundred kilobytes and ten descriptors. */
enum {
	DRIVER_FILES = 64,
	DRIVER_DATA_BYTES = 64 * 1024 * 1024,
};

static const struct filter_rule calls[] = {
	FILTER_ANY(getsockopt),		/* what kind of link we were handed */
	/* libusb: its event descriptors, and usbfs on the descriptor we were handed */
	FILTER_ANY(timerfd_settime),
	FILTER_ANY(epoll_ctl),
	FILTER_ANY(epoll_pwait),
	FILTER_ANY(epoll_wait),
	FILTER_IOCTL(USBDEVFS_SUBMITURB),
	FILTER_IOCTL(USBDEVFS_REAPURB),
	FILTER_IOCTL(USBDEVFS_REAPURBNDELAY),
	FILTER_IOCTL(USBDEVFS_DISCARDURB),
	FILTER_IOCTL(USBDEVFS_CLAIMINTERFACE),
	FILTER_IOCTL(USBDEVFS_RELEASEINTERFACE),
	FILTER_IOCTL(USBDEVFS_SETINTERFACE),
	FILTER_IOCTL(USBDEVFS_CLEAR_HALT),
	FILTER_IOCTL(USBDEVFS_RESET),
	FILTER_IOCTL(USBDEVFS_RESETEP),
	FILTER_IOCTL(USBDEVFS_DISCONNECT_CLAIM),
	FILTER_IOCTL(USBDEVFS_GETDRIVER),
	FILTER_IOCTL(USBDEVFS_CONTROL),
	FILTER_IOCTL(USBDEVFS_GET_CAPABILITIES),
};

/*
 * OpenSSL reads its configuration and fetches algorithms at first use, when it could no longer
 * open a file. Nobody's configuration is wanted here anyway.
 */
static int prepare_crypto(void)
{
	EVP_MD *md;

	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return -ENOMEM;
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
	EVP_MD_free(md);
	return md ? 0 : -EOPNOTSUPP;
}

int driver_sandbox(uint32_t *guards)
{
	static const struct sandbox sandbox = {
		.calls = calls, .n_calls = sizeof(calls) / sizeof(calls[0]) };
	int r;

	r = prepare_crypto();
	if (r == 0)
		r = guard_limit(DRIVER_FILES, DRIVER_DATA_BYTES);
	return r < 0 ? r : sandbox_enter(&sandbox, guards);
}
