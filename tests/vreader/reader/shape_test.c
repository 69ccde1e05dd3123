/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/shape.c: the descriptors are those that docs/vreader.md shows. */
#include "vreader/reader/shape.h"

#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

static struct bytes descriptors(const struct shape *shape, uint8_t buf[static 256])
{
	struct packer p = pack_begin(buf, 256);

	shape_pack_descriptors(shape, &p);
	return pack_done(&p);
}

/* The hexadecimal bytes at the start of the indented example in section 3, comments left out. */
static size_t example(FILE *page, uint8_t out[static 256])
{
	char line[256];
	bool inside = false;
	size_t n = 0;

	while (fgets(line, sizeof(line), page)) {
		unsigned int byte;
		int step;
		const char *at = line + 4;

		if (strncmp(line, "    00   ", 9) == 0)
			inside = true;
		else if (inside && strncmp(line, "    ", 4) != 0)
			break;
		while (inside && n < 256 && sscanf(at, "%2x%n", &byte, &step) == 1 && step == 2 &&
		       (at[2] == ' ' || at[2] == '\n')) {
			out[n++] = (uint8_t)byte;
			at += 3;
		}
	}
	return n;
}

TEST(the_descriptors_are_those_of_the_page)
{
	const char *top = getenv("KF_SRC");
	struct shape shape = SHAPE_INIT;
	uint8_t want[256], got[256];
	char path[512];
	FILE *page;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/docs/vreader.md", top ? top : ".");
	page = fopen(path, "re");
	if (!page)
		SKIP("docs/vreader.md is not here; run from the top of the tree");
	n = example(page, want);
	(void)fclose(page);
	ASSERT_EQ(112u, n);
	EXPECT_BYTES_EQ(BYTES(want + 1, n - 1), descriptors(&shape, got));
}

TEST(the_block_level_differs_in_two_fields_only)
{
	struct shape apdu = SHAPE_INIT, tpdu = SHAPE_INIT;
	uint8_t a[256], t[256];
	struct bytes da, dt;
	size_t differing = 0;

	shape_set_level(&tpdu, SHAPE_TPDU_T1);
	da = descriptors(&apdu, a);
	dt = descriptors(&tpdu, t);
	ASSERT_EQ(da.n, dt.n);
	for (size_t i = 0; i < da.n; i++)
		if (a[i] != t[i]) {
			EXPECT_TRUE(i >= 36 + 40 && i < 36 + 48);	/* dwFeatures, message length */
			differing++;
		}
	EXPECT_GE(differing, 3u);
	EXPECT_BYTES_EQ(BYTES("\xba\x00\x01\x00\x0f\x01\x00\x00", 8), BYTES(t + 76, 8));
}

TEST(every_level_says_what_it_is)
{
	static const struct { enum shape_level level; bool manual; const char *features; } rows[] = {
		{ SHAPE_EXTENDED, false, "\xba\x04\x04\x00\x12\x00\x01\x00" },
		{ SHAPE_SHORT, false, "\xba\x04\x02\x00\x0f\x01\x00\x00" },
		{ SHAPE_TPDU_T0, false, "\xba\x00\x01\x00\x0f\x01\x00\x00" },
		{ SHAPE_TPDU_T1, false, "\xba\x00\x01\x00\x0f\x01\x00\x00" },
		{ SHAPE_TPDU_T0, true, "\x00\x00\x01\x00\x0f\x01\x00\x00" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shape shape = SHAPE_INIT;
		uint8_t buf[256];

		shape_set_level(&shape, rows[i].level);
		shape.manual = rows[i].manual;
		(void)descriptors(&shape, buf);
		EXPECT_BYTES_EQ(BYTES(rows[i].features, 8), BYTES(buf + 76, 8));
	}
}

TEST(a_reader_that_leaves_the_rate_to_its_host_has_a_list_of_them)
{
	struct shape shape = SHAPE_INIT;
	uint8_t buf[256], list[64];
	struct packer p = pack_begin(list, sizeof(list));

	shape_pack_rates(&shape, &p);
	EXPECT_EQ(0u, p.n);
	shape_set_level(&shape, SHAPE_TPDU_T1);
	shape.manual = true;
	shape_pack_rates(&shape, &p);
	EXPECT_BYTES_EQ(BYTES("\x00\x2a\x00\x00\x08\xf8\x01\x00", 8), pack_done(&p));
	(void)descriptors(&shape, buf);
	EXPECT_EQ(2, buf[36 + 27]);				/* bNumDataRatesSupported */
	EXPECT_BYTES_EQ(BYTES("\x08\xf8\x01\x00", 4), BYTES(buf + 36 + 23, 4));
}

TEST(without_interrupt_there_are_two_endpoints)
{
	struct shape shape = SHAPE_INIT;
	uint8_t buf[256];
	struct bytes d;

	shape.interrupt = false;
	d = descriptors(&shape, buf);
	EXPECT_EQ(18u + 9 + 9 + 54 + 14, d.n);
	EXPECT_EQ(d.n - 18, (size_t)(buf[20] | buf[21] << 8));	/* wTotalLength */
	EXPECT_EQ(2, buf[18 + 9 + 4]);				/* bNumEndpoints */
}

TEST(strings_are_utf16_and_an_unknown_one_is_missing)
{
	struct shape shape = SHAPE_INIT;
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));

	EXPECT_EQ(0, shape_pack_string(&shape, 0, &p));
	EXPECT_BYTES_EQ(BYTES("\x04\x03\x09\x04", 4), pack_done(&p));
	p.n = 0;
	(void)strcpy(shape.serial, "K7");
	EXPECT_EQ(0, shape_pack_string(&shape, 3, &p));
	EXPECT_BYTES_EQ(BYTES("\x06\x03K\0007\0", 6), pack_done(&p));
	EXPECT_EQ(-ENOENT, shape_pack_string(&shape, 4, &p));
}
