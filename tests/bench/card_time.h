/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/card_time.h - How long the card itself computed: timed_vreader adds it up in a file that
 * KF_CARD_TIME names, and who measures a voyage looks there before and after.
 */
#pragma once

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

struct card_time {
	_Atomic uint64_t ns;
	_Atomic uint64_t commands;
};

/* @write: make the file, too. Return: the mapping, or NULL. */
static inline struct card_time *card_time_map(const char *path, int write)
{
	int fd = open(path, write ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0644);
	void *p = MAP_FAILED;

	if (fd >= 0 && (!write || ftruncate(fd, sizeof(struct card_time)) == 0))
		p = mmap(NULL, sizeof(struct card_time), PROT_READ | (write ? PROT_WRITE : 0),
			 MAP_SHARED, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	return p == MAP_FAILED ? NULL : p;
}
