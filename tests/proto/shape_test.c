/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/shape.h"
#include "tests/harness.h"

TEST(every_request_has_one_row_and_the_rows_are_in_range)
{
	for (size_t i = 0; shape_at(i); i++) {
		const struct shape *shape = shape_at(i);

		EXPECT_EQ(shape, shape_find(shape->request));
		EXPECT_LE(shape_size(shape), (size_t)SHAPE_BODY_MAX);
		EXPECT_LE(shape->min, shape_size(shape));
		EXPECT_EQ(0u, shape_size(shape) % 4);
	}
}

TEST(parts_are_listed_in_the_order_of_their_struct)
{
	for (size_t i = 0; shape_at(i); i++) {
		size_t last = 0;

		for (size_t k = 0; k < SHAPE_FIELDS; k++) {
			const struct shape_field *field = &shape_at(i)->fields[k];

			if (field->kind != SHAPE_PART_IN && field->kind != SHAPE_PART_OUT)
				continue;
			EXPECT_EQ(sizeof(struct kf_part), (size_t)field->len);
			EXPECT_EQ(0, field->off % 4);
			EXPECT_LE(last, (size_t)field->off);
			last = field->off + 1u;
		}
	}
}

TEST(the_size_in_a_number_does_not_matter_for_finding_it)
{
	EXPECT_EQ(shape_find(KF_SIGN), shape_find(_IOC(_IOC_READ | _IOC_WRITE, KF_TYPE, 0x50, 9)));
	EXPECT_NULL(shape_find(_IOWR('k', 0x50, struct kf_sign)));
	EXPECT_NULL(shape_find(_IOWR(KF_TYPE, 0x7f, struct kf_sign)));
}
