/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/ward.h"
#include "tests/harness.h"

#include <stdio.h>

#define MS 1000000u
#define START (1000 * (uint64_t)MS)

FIXTURE(ward) { struct ward ward; };
FIXTURE_SETUP(ward) { self->ward = (struct ward){ 0 }; }
FIXTURE_TEARDOWN(ward) { }

TEST_F(ward, eight_faults_in_a_minute_shut_the_port_for_ten)
{
	uint64_t now = START;

	for (int i = 0; i < 7; i++, now += 8000 * (uint64_t)MS)
		EXPECT_EQ(0u, ward_fault(&self->ward, "1-2", now));
	EXPECT_EQ(now + 600000 * (uint64_t)MS, ward_fault(&self->ward, "1-2", now));
	EXPECT_EQ(0u, ward_shut(&self->ward, "1-3", now));
	EXPECT_LT(0u, ward_shut(&self->ward, "1-2", now + 599999 * (uint64_t)MS));
	EXPECT_EQ(0u, ward_shut(&self->ward, "1-2", now + 600000 * (uint64_t)MS));
	EXPECT_EQ(0u, ward_fault(&self->ward, "1-2", now + 600001 * (uint64_t)MS));	/* anew */
}

TEST_F(ward, faults_further_apart_do_not)
{
	uint64_t now = START;

	for (int i = 0; i < 100; i++, now += 8600 * (uint64_t)MS)
		EXPECT_EQ(0u, ward_fault(&self->ward, "1-2", now));
}

TEST_F(ward, a_flood_of_other_ports_does_not_open_a_shut_one_soon)
{
	char name[16];

	for (int i = 0; i < 8; i++)
		ward_fault(&self->ward, "1-2", START + (uint64_t)i);
	for (unsigned int i = 0; i < WARD_PORTS - 1; i++) {
		snprintf(name, sizeof(name), "2-%u", i);
		ward_fault(&self->ward, name, START + 100 + i);
	}
	EXPECT_LT(0u, ward_shut(&self->ward, "1-2", START + 1000));
}

TEST_F(ward, the_shipped_limits_are_those_of_the_page)
{
	EXPECT_EQ(8, WARD_FAULTS);
	EXPECT_EQ(60000, WARD_WINDOW_MS);
}
