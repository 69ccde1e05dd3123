/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vm/holder.c - Any other program that wants the reader: claims an interface of a device node
 * and keeps it until its input ends.
 *
 *	holder NODE INTERFACE
 *
 * Says "claimed" or why not. Exit status: 0 claimed, 1 not, 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned int interface;
	char byte;
	int fd;

	if (argc != 3)
		return 2;
	interface = (unsigned int)atoi(argv[2]);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, USBDEVFS_CLAIMINTERFACE, &interface) < 0) {
		printf("%s\n", strerror(errno));
		return 1;
	}
	puts("claimed");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
