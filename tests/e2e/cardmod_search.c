/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_search.c - Looks for the contents of files in the memory of a stopped process.
 * Usage:
 *
 *	cardmod_search PID FILE...
 *
 * Says which it found. Exits with 0 if there is one, 1 if none, 2 if it cannot look.
 */
#include "tests/e2e/needle.h"
#include "tests/e2e/text_file.h"

#include <string.h>

int main(int argc, char **argv)
{
	struct needles *needles = needles_new();
	const char *found;
	int error = 0;

	for (int i = 2; i < argc; i++) {
		struct file file = read_file(argv[i]);

		needles_add(needles, argv[i], BYTES(file.data, file.n));
		explicit_bzero(file.data, file.n);
		free(file.data);
	}
	if (argc < 3 || process_has_memfd_secret(atoi(argv[1])))
		return 2;
	found = needles_find_in_process(needles, atoi(argv[1]), &error);
	needles = needles_free(needles);
	if (error < 0) {
		fprintf(stderr, "%s\n", strerror(-error));
		return 2;
	}
	printf("%s\n", found ? found : "none");
	return found ? 0 : 1;
}
