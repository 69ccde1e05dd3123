/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/catalogue/catalogue_test.c - The catalogue of hostile readers and cards, row by row and by number,
 * against the real driver process: D descriptors, F frames, T time and chaining, A card start, Z T=0,
 * B T=1. docs/catalogue.md says which row is where; what a socket cannot say is in tests/vm.
 *
 * A row has a reader (its descriptors, what it says to what), one APDU, and what the broker sees: the
 * first event, the reply, and whether the card was powered anew behind it. Every reply has to come
 * by its deadline. Where a row leaves the card in use, another APDU must succeed.
 */
#include "base/deadline.h"
#include "base/driver_exit.h"
#include "proto/wire.h"
#include "tests/catalogue/stand.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum start { READY, MUTE, EMPTY, REFUSED };
enum after { STAYS, RESET, LEAVES };

#define STEPS 14

/**
 * struct variant_row - one stimulus; whatever is 0 is as usual
 * @features, @max_message: an extended reader with 65554 bytes
 * @shape:	changes the descriptors
 * @atr:	hex; and @card, what is behind it
 * @preface:	said unasked when the driver connects
 * @steps:	ended by one that hears nothing; begin behind the greeting unless @at_once
 * @hasty:	run the driver with the short limits
 * @soon:	the reader is there long before all of its start is over time
 * @start:	what the driver makes of reader and card
 * @says:	a part of what it says on stderr
 * @heard:	a part of the commands it gave, as scripted.h notes them; @unheard: one it must not give
 * @exchange, @message, @slots, @busy, @product: what it tells about the reader
 * @apdu:	hex, @zeros behind it; "-" for none
 * @deadline_ms: 3000
 * @result, @response: of the APDU; @on_card: the broker is told that it may have run
 * @after:	what became of the card
 */
FIXTURE_VARIANT(row) {
	uint32_t features, max_message;
	void (*shape)(struct scripted *s);
	const char *atr;
	enum scripted_card card;
	const char *preface;
	struct scripted_step steps[STEPS];
	bool at_once, hasty, soon;
	enum start start;
	const char *says, *heard, *unheard;
	uint32_t exchange, message, slots, busy;
	const char *product;
	const char *apdu;
	size_t zeros;
	uint32_t deadline_ms;
	int result;
	const char *response;
	bool on_card;
	enum after after;
};

FIXTURE(row) { struct stand stand; };

#define ROW(name, ...) FIXTURE_VARIANT_ADD(row, name) { __VA_ARGS__ };
#define HEAR(what, ...) { .hear = what, .say = { __VA_ARGS__ } }
#define ALWAYS(what, ...) { .hear = what, .say = { __VA_ARGS__ }, .again = true }

/* --- what goes wrong on the card's way costs the card its power --- */
#define GARBLED .result = -EBADMSG, .on_card = true, .after = RESET
#define FAILED(error) .result = error, .on_card = true, .after = RESET
#define XFR(...) .steps = { HEAR("016f", __VA_ARGS__) }

/* ================================ descriptors ================================ */

#define DEVICE_AT 0
#define CONFIG_AT 18
#define INTERFACE_AT 27
#define CLASS_AT 36
#define OUT_AT 90
#define IN_AT 97
#define INTERRUPT_AT 104
#define ALL 111

static void set_le32(struct scripted *s, size_t at, uint32_t value)
{
	for (size_t i = 0; i < 4; i++)
		*scripted_class(s, at + i) = (uint8_t)(value >> 8 * i);
}

/* Puts @n bytes of @part where @old_n bytes are; the total length stays right. */
static void splice(struct scripted *s, size_t at, size_t old_n, const uint8_t *part, size_t n)
{
	uint8_t copy[128];
	size_t rest = s->descriptors_n - at - old_n;

	ASSERT_LE(n, sizeof(copy));
	if (n != 0)
		memcpy(copy, part, n);
	memmove(s->descriptors + at + n, s->descriptors + at + old_n, rest);
	if (n != 0)
		memcpy(s->descriptors + at, copy, n);
	s->descriptors_n += n;
	s->descriptors_n -= old_n;
	s->descriptors[CONFIG_AT + 2] = (uint8_t)(s->descriptors_n - CONFIG_AT);
	s->descriptors[CONFIG_AT + 3] = (uint8_t)((s->descriptors_n - CONFIG_AT) >> 8);
}

static void class_behind(struct scripted *s)
{
	uint8_t class[54];

	memcpy(class, s->descriptors + CLASS_AT, 54);
	splice(s, ALL, 0, class, 54);
	splice(s, CLASS_AT, 54, NULL, 0);
}

static void class_twice(struct scripted *s)
{
	splice(s, CLASS_AT, 0, s->descriptors + CLASS_AT, 54);
	s->descriptors[CLASS_AT + 54 + 44] = 9;	/* the second one is bad */
}

/* A class descriptor of @n bytes that says so. */
static void class_of(struct scripted *s, size_t n)
{
	uint8_t class[64] = { 0 };

	memcpy(class, s->descriptors + CLASS_AT, 54);
	class[0] = (uint8_t)n;
	splice(s, CLASS_AT, 54, class, n);
}

static void class_53(struct scripted *s) { class_of(s, 53); }
static void class_55(struct scripted *s) { class_of(s, 55); }
static void class_10(struct scripted *s) { class_of(s, 10); }
static void class_says_0(struct scripted *s) { *scripted_class(s, 0) = 0; }
static void class_says_1(struct scripted *s) { *scripted_class(s, 0) = 1; }
static void class_none(struct scripted *s) { splice(s, CLASS_AT, 54, NULL, 0); }

#define NONE .apdu = "-"
#define REFUSES(words) .start = REFUSED, .says = words
#define WHOLE .exchange = KF_EXCHANGE_EXTENDED_APDU

ROW(d1_an_ordinary_descriptor_is_taken_as_it_is, WHOLE, .message = 65554)
ROW(d2_a_class_descriptor_behind_the_last_endpoint_is_found, .shape = class_behind, WHOLE)
ROW(d3_55_bytes_are_54_and_one_too_many, .shape = class_55, WHOLE)
ROW(d3_53_bytes_are_refused, .shape = class_53, REFUSES("shorter than 54 bytes"))
ROW(d3_10_bytes_are_refused, .shape = class_10, REFUSES("shorter than 54 bytes"))
ROW(d3_a_length_of_0_is_refused, .shape = class_says_0, REFUSES("lengths"))
ROW(d3_a_length_of_1_is_refused, .shape = class_says_1, REFUSES("lengths"))
ROW(d3_none_is_refused, .shape = class_none, REFUSES("no class descriptor"))
ROW(d4_of_two_the_first_counts, .shape = class_twice, WHOLE, .message = 65554)

static void message_0(struct scripted *s) { set_le32(s, 44, 0); }

ROW(d5_no_message_length_is_refused, .shape = message_0, REFUSES("dwMaxCCIDMessageLength"))
ROW(d5_a_message_length_of_9_is_refused, .max_message = 9, REFUSES("dwMaxCCIDMessageLength"))
ROW(d5_a_message_length_of_10_is_refused, .max_message = 10, REFUSES("dwMaxCCIDMessageLength"))
ROW(d6_a_message_length_of_4_gigabytes_is_clamped, .max_message = 0xffffffff, .message = 65554)
ROW(d6_a_message_length_of_524288_is_clamped, .max_message = 524288, .message = 65554)

#define APDU_260 .apdu = "00da0000ff", .zeros = 255
#define NEXT_PART "01 80 00000000 00 ss 00 00 10"

ROW(d7_an_extended_reader_of_261_bytes_gets_its_apdus_in_parts, .max_message = 261, WHOLE,
    APDU_260, .response = "9000",
    .steps = { HEAR("01 6f fb000000", NEXT_PART),
	       HEAR("01 6f 09000000", "01 80 02000000 00 ss 00 00 00 9000") })
ROW(d7_an_extended_reader_of_271_bytes_gets_short_apdus_whole, .max_message = 271, WHOLE,
    APDU_260, .response = "9000",
    .steps = { HEAR("01 6f 04010000", "01 80 02000000 00 ss 00 00 00 9000") })

#define SHORT_LEVEL 0x000204bau
#define NO_CHAINING_ATR "3b85 01 8073000000 77"

ROW(d8_apdus_too_long_for_a_short_reader_are_refused_here, .features = SHORT_LEVEL,
    .max_message = 64, .exchange = KF_EXCHANGE_SHORT_APDU, .atr = NO_CHAINING_ATR,
    APDU_260, .result = -EOPNOTSUPP)

#define TPDU SCRIPTED_TPDU
#define T1_CARD .features = TPDU, .max_message = 271, .card = SCRIPTED_T1
#define IFSD_ANSWER(value) "01 80 05000000 00 ss 00 00 00 00e101" value

static void ifsd_0(struct scripted *s) { set_le32(s, 28, 0); }
static void ifsd_255(struct scripted *s) { set_le32(s, 28, 255); }
static void ifsd_3062(struct scripted *s) { set_le32(s, 28, 3062); }

ROW(d9_no_ifsd_is_32, T1_CARD, .shape = ifsd_0, .at_once = true, .heard = "62 61 6f 6f ",
    .unheard = "6f 6f 6f 6f 6f ",	/* two SELECTs, two APDUs: it is not told */
    .steps = { HEAR("01 6f", "01 80 06000000 00 ss 00 00 00 00 00 02 6a82 ea"),
	       HEAR("01 6f", "01 80 06000000 00 ss 00 00 00 00 40 02 6a82 aa") })
ROW(d9_an_ifsd_of_255_is_254, T1_CARD, .shape = ifsd_255, .at_once = true,
    .steps = { HEAR("01 6f 05000000 00 05 00 0000 00c101fe3e", IFSD_ANSWER("fe1e")) })
ROW(d9_an_ifsd_of_3062_is_254, T1_CARD, .shape = ifsd_3062, .at_once = true,
    .steps = { HEAR("01 6f 05000000 00 05 00 0000 00c101fe3e", IFSD_ANSWER("fe1e")) })
ROW(d9_an_ifsd_no_longer_than_the_message_holds, .features = TPDU, .max_message = 64,
    .card = SCRIPTED_T1, .at_once = true,
    .steps = { HEAR("01 6f 05000000 00 05 00 0000 00c10132f2", IFSD_ANSWER("32d2")) })

ROW(d10_character_level_is_refused_by_name, .features = 0xba, REFUSES("character level"))
ROW(d10_of_several_levels_the_greatest_counts, .features = 0x000704ba, WHOLE)
ROW(d10_but_not_if_the_messages_are_too_short_for_it, .features = 0x000700ba, .max_message = 64,
    .card = SCRIPTED_T1, .exchange = KF_EXCHANGE_TPDU)

ROW(d11_a_reader_of_both_negotiations_is_left_alone, .features = 0x000404fa, .unheard = "61 ")

static void slots_256(struct scripted *s) { *scripted_class(s, 4) = 255; *scripted_class(s, 53) = 0; }
static void busy_255(struct scripted *s) { *scripted_class(s, 4) = 1; *scripted_class(s, 53) = 255; }

ROW(d12_256_slots_are_32_and_no_busy_slot_is_one, .shape = slots_256, WHOLE, .slots = 32, .busy = 1)
ROW(d12_255_busy_slots_are_clamped, .shape = busy_255, WHOLE, .slots = 2, .busy = 2)

static void no_interrupt(struct scripted *s) { splice(s, INTERRUPT_AT, 7, NULL, 0); }
static void no_bulk_in(struct scripted *s) { splice(s, IN_AT, 7, NULL, 0); }
static void two_bulk_in(struct scripted *s)
{
	splice(s, INTERRUPT_AT, 0, (const uint8_t[]){ 7, 5, 0x84, 2, 64, 0, 0 }, 7);
}
static void isochronous(struct scripted *s)
{
	splice(s, OUT_AT, 0, (const uint8_t[]){ 7, 5, 0x85, 1, 64, 0, 1 }, 7);
}
static void packet_of(struct scripted *s, uint16_t n)
{
	s->descriptors[IN_AT + 4] = (uint8_t)n;
	s->descriptors[IN_AT + 5] = (uint8_t)(n >> 8);
}
static void packet_0(struct scripted *s) { packet_of(s, 0); }
static void packet_8(struct scripted *s) { packet_of(s, 8); }
static void packet_1023(struct scripted *s) { packet_of(s, 1023); }

ROW(d13_a_reader_without_interrupts_serves, .shape = no_interrupt, WHOLE)
ROW(d14_a_reader_without_bulk_in_is_refused, .shape = no_bulk_in, REFUSES("lacks a bulk endpoint"))
ROW(d14_packets_of_0_bytes_are_refused, .shape = packet_0, REFUSES("wMaxPacketSize 0"))
ROW(d14_packets_of_8_bytes_serve, .shape = packet_8, WHOLE)
ROW(d14_packets_of_1023_bytes_serve, .shape = packet_1023, WHOLE)

static void vendor_class(struct scripted *s) { s->descriptors[INTERFACE_AT + 5] = 0xff; }

ROW(d15_a_vendor_class_that_is_not_listed_is_none, .shape = vendor_class, REFUSES("no CCID interface"))

static void protocol_1(struct scripted *s) { s->descriptors[INTERFACE_AT + 7] = 1; }
static void protocol_2(struct scripted *s)
{
	s->descriptors[INTERFACE_AT + 7] = 2;
	splice(s, OUT_AT, 21, NULL, 0);
}

ROW(d17_protocol_1_with_three_endpoints_is_a_ccid_reader, .shape = protocol_1, WHOLE)
ROW(d17_protocol_2_is_an_iccd_token_and_refused_by_name, .shape = protocol_2, REFUSES("ICCD"))

static void no_voltage(struct scripted *s) { *scripted_class(s, 5) = 0; }
#define NOT_AT(voltage) HEAR("01 62 00000000 00 ?? " voltage, "01 80 00000000 00 ss 41 fe 00")

ROW(d18_a_reader_that_names_no_voltage_is_tried_at_all, .features = 0x000404b0, .shape = no_voltage,
    .at_once = true, .heard = "62 62 62 62 61 ",
    .steps = { NOT_AT("00"), NOT_AT("01"), NOT_AT("02"),
	       HEAR("01 62 00000000 00 ?? 03", "01 80 04000000 00 ss 00 00 00 3b800181") })

#define NAMED(string, name) .shape = named, .at_once = true, .product = name, \
	.steps = { HEAR("03 80 06 0203", "03 00 " string) }
static void named(struct scripted *s) { s->descriptors[DEVICE_AT + 15] = 2; }

ROW(d19_a_name_with_escape_sequences_and_slashes_is_made_harmless,
    NAMED("1003 1b00 5b00 4100 2f00 0000 00d8 4200", "?[A-??B"))
ROW(d19_a_name_that_says_it_is_longer_than_it_is, NAMED("ff03 4100", "CCID reader 1209:0001"))
ROW(d19_a_name_of_nothing, NAMED("02 03", "CCID reader 1209:0001"))

/* What the reader is told of a T=1 card's speed, which is TA1. */
#define SPEED(ta1) HEAR("01 61 07000000 00 ?? 01 0000 " ta1, "01 82 07000000 00 ss 00 00 01 " ta1 "100045002000")
static void up_to(struct scripted *s, uint32_t bps) { set_le32(s, 23, bps); }
static void fast(struct scripted *s) { up_to(s, 500000); }
static void half_as_fast(struct scripted *s) { up_to(s, 250000); }
static void rates_3(struct scripted *s)
{
	fast(s);
	*scripted_class(s, 27) = 3;
}
/* Without a list it is dwMaxDataRate that counts, and it allows 97; these lists do not. */
#define RATES(ta1, ...) T1_CARD, .shape = rates_3, .atr = "3b 90 97 01 06", .at_once = true, \
	.exchange = KF_EXCHANGE_TPDU, .steps = { HEAR("03 a1 03 0000 0000 0c00", __VA_ARGS__), SPEED(ta1) }

ROW(d20_rates_stalled, RATES("97", "03 01"))
ROW(d20_rates_never_said, RATES("97", NULL), .soon = true)
ROW(d20_rates_of_1_byte, RATES("97", "03 00 01"))
ROW(d20_rates_of_2_bytes, RATES("97", "03 00 0102"))
ROW(d20_rates_of_3_bytes, RATES("97", "03 00 010203"))
ROW(d20_rates_of_5_bytes, RATES("97", "03 00 0102030405"))
ROW(d20_rates_of_nothing, RATES("97", "03 00 000000000000000000000000"))
ROW(d20_rates_are_believed, RATES("11", "03 00 002a0000002a0000002a0000"))
ROW(d20_rates_longer_than_asked_for, RATES("97", "03 00 002a0000002a0000002a0000002a0000002a0000"))

static void three_interfaces(struct scripted *s)
{
	uint8_t one[ALL - INTERFACE_AT];

	rates_3(s);
	memcpy(one, s->descriptors + INTERFACE_AT, sizeof(one));
	for (uint8_t i = 1; i < 3; i++) {
		one[2] = i;
		splice(s, s->descriptors_n, 0, one, sizeof(one));
	}
	s->descriptors[CONFIG_AT + 4] = 3;
}

/* wIndex of a request says which. */
ROW(d16_of_three_interfaces_a_socket_has_the_first, T1_CARD, .shape = three_interfaces, .at_once = true,
    .steps = { HEAR("03 a1 03 0000 0000 0c00", "03 01") })

static void no_clock(struct scripted *s)
{
	set_le32(s, 10, 0);
	set_le32(s, 19, 0);
	set_le32(s, 23, 0);
}
#define FAST_ATR "3b 90 18 01 89"

ROW(d21_without_clock_and_rate_the_default_speed_is_kept, .features = 0x0001003a,
    .max_message = 271, .card = SCRIPTED_T1, .shape = no_clock, .atr = FAST_ATR, .at_once = true,
    .steps = { SPEED("11") })

/* ================================ frames ================================ */

#define GOOD "01 80 04000000 00 ss 00 00 00 aabb 9000"
#define READ .apdu = "00b0000002"
#define AABB .response = "aabb9000"

ROW(f1_an_ordinary_answer_is_delivered, READ, XFR(GOOD), AABB)
ROW(f2_nine_bytes_are_no_answer, READ, XFR("01 80 02 00 00 00 00 ss 00 00"), GARBLED)
ROW(f2_one_byte_is_no_answer, READ, XFR("01 80"), GARBLED)
ROW(f2_four_empty_packets_are_passed_over, READ, XFR("*4 01", GOOD), AABB)
ROW(f2_twenty_empty_packets_are_not, READ, XFR("*20 01"), GARBLED)
ROW(f3_a_length_over_what_came_is_malformed, READ, XFR("01 80 64000000 00 ss 00 00 00 9000"), GARBLED)
ROW(f4_ffffffff_bytes, READ, XFR("01 80 ffffffff 00 ss 00 00 00 9000"), GARBLED)
ROW(f4_80000000_bytes, READ, XFR("01 80 00000080 00 ss 00 00 00 9000"), GARBLED)
ROW(f4_fffffff6_bytes, READ, XFR("01 80 f6ffffff 00 ss 00 00 00 9000"), GARBLED)
ROW(f5_padding_is_dropped, READ, XFR(GOOD " 5555555555"), AABB)
ROW(f6_a_stale_answer_is_passed_over, READ, XFR("01 80 02000000 00 tt 00 00 00 6666", GOOD), AABB)
ROW(f7_stale_answers_for_ever_end_it, READ, XFR("*30 01 80 02000000 00 tt 00 00 00 6666"), GARBLED)
ROW(f8_slot_1_is_not_there, READ, XFR("01 80 02000000 01 ss 00 00 00 9000"), GARBLED)
ROW(f8_slot_255_is_not_there, READ, XFR("01 80 02000000 ff ss 00 00 00 9000"), GARBLED)
ROW(f9_parameters_are_no_answer_to_a_block, READ, XFR("01 82 02000000 00 ss 00 00 00 9000"), GARBLED)
ROW(f10_what_waited_in_the_pipe_is_no_answer, READ, XFR(GOOD), AABB,
    .preface = "*3 01 80 02000000 00 00 00 00 00 6666")
ROW(f11_an_answer_said_twice_counts_once, READ, XFR(GOOD, GOOD), AABB)
ROW(f12_a_reserved_command_status, READ, XFR("01 80 02000000 00 ss c0 00 00 9000"), GARBLED)
ROW(f12_a_reserved_card_status, READ, XFR("01 80 02000000 00 ss 03 00 00 9000"), GARBLED)
ROW(f13_a_failure_with_data_gives_no_data, READ, XFR("01 80 02000000 00 ss 40 fb 00 9000"), FAILED(-EIO))
ROW(f14_an_error_code_beside_success_is_nothing, READ, XFR("01 80 04000000 00 ss 00 fb 00 aabb 9000"), AABB)
ROW(f15_error_0_is_unsupported_and_did_not_run, READ, XFR("01 80 00000000 00 ss 40 00 00"), .result = -EOPNOTSUPP)
ROW(f15_error_0_to_parameters_is_lived_with, .at_once = true, .steps = { HEAR("0161", "01 82 00000000 00 ss 40 00 00") })
#define BUSY(error) HEAR("016f", "01 80 00000000 00 ss 40 " error " 00")
ROW(f16_a_busy_slot_is_asked_again, READ, AABB, .steps = { BUSY("e0"), BUSY("e0"), HEAR("016f", GOOD) })
ROW(f16_a_slot_busy_for_ever_is_given_up, READ, .result = -EBUSY,
    .steps = { BUSY("e0"), BUSY("e0"), BUSY("e0"), BUSY("e0"), BUSY("e0"), BUSY("e0") })
ROW(f17_an_automatic_sequence_is_waited_for, READ, AABB, .steps = { BUSY("f2"), HEAR("016f", GOOD) })
ROW(f17_but_not_for_ever, READ, .result = -EBUSY,
    .steps = { BUSY("f2"), BUSY("f2"), BUSY("f2"), BUSY("f2"), BUSY("f2"), BUSY("f2") })
ROW(f18_a_status_with_a_payload_is_a_status, .at_once = true,
    .steps = { ALWAYS("0165", "01 81 05000000 00 ss 01 00 00 1122334455") })
#define PARAMETERS(number, answer) .at_once = true, \
	.steps = { HEAR("0161", "01 82 " number " 00 ss 00 00 " answer) }
ROW(f19_parameters_of_0_bytes, PARAMETERS("00000000", "01"))
ROW(f19_parameters_of_4_bytes, PARAMETERS("04000000", "01 01020304"))
ROW(f19_parameters_of_6_bytes, PARAMETERS("06000000", "01 010203040506"))
ROW(f19_parameters_of_protocol_9, PARAMETERS("07000000", "09 18100045002000"))
ROW(f23_two_answers_in_one_transfer_are_one_and_padding, READ, XFR(GOOD " 80 02000000 00 ss 00 00 00 6666"), AABB)
ROW(f25_a_stalled_in_pipe_may_have_run, READ, XFR("04 82 01"), FAILED(-EIO), .heard = "04 04 ")
ROW(f25_a_stalled_out_pipe_has_not_run, READ, XFR("04 01 01"), .result = -EIO, .after = RESET, .heard = "04 04 ")
/* A stall names its endpoint, and what another one does is nothing to us. */
#define SERVES_AT_82 READ, XFR("04 82 01"), FAILED(-EIO)
ROW(d14_of_two_bulk_ins_the_first_serves, .shape = two_bulk_in, SERVES_AT_82)
ROW(d14_an_isochronous_endpoint_is_passed_over, .shape = isochronous, SERVES_AT_82)

/* ================================ time and chaining ================================ */

#define SAYS(n, hex) "01 80 " n "000000 00 ss 00 00 00 " hex
#define MORE_TIME(times) "01 80 00000000 00 ss 80 " times " 00"

ROW(t1_more_time_is_given, READ, XFR(MORE_TIME("02"), "~50 " GOOD), AABB)
ROW(t2_more_time_by_0_is_once, READ, XFR(MORE_TIME("00"), "~50 " GOOD), AABB)
ROW(t2_more_time_by_ff_is_once, READ, XFR(MORE_TIME("ff"), "~50 " GOOD), AABB)
ROW(t3_more_time_every_10_ms_ends_at_the_deadline, READ, .deadline_ms = 1000,
    XFR("*300~10 " MORE_TIME("01")), FAILED(-ETIMEDOUT))
ROW(t3_more_time_a_thousand_times_is_enough, READ, .deadline_ms = 20000,
    XFR("*1001 " MORE_TIME("01"), GOOD), FAILED(-ETIMEDOUT))
ROW(t4_more_time_just_in_time_for_ever_ends_at_the_deadline, READ, .hasty = true, .deadline_ms = 2500,
    XFR("*12~400 " MORE_TIME("01")), FAILED(-ETIMEDOUT))
ROW(t5_who_has_no_card_to_wait_for_needs_no_time, .at_once = true, .hasty = true, .start = MUTE,
    .says = "cannot be used", NONE, .steps = { HEAR("0163", "*9 01 81 00000000 00 ss 80 01 00",
						 "01 81 00000000 00 ss 01 00 00") })
ROW(t7_an_abort_that_stalls_is_climbed_over, READ, .hasty = true, FAILED(-ETIMEDOUT),
    .heard = "6f 03 04 04 65 ", .steps = { HEAR("016f", NULL), HEAR("0321", "03 01") })
ROW(t8_an_abort_that_is_never_answered_is_climbed_over, READ, .hasty = true, FAILED(-ETIMEDOUT),
    .heard = "6f 03 72 04 04 65 ", .steps = { HEAR("016f", NULL), HEAR("0172", NULL) })
ROW(t8_an_abort_with_a_wrong_number_is_climbed_over, READ, .hasty = true, FAILED(-ETIMEDOUT),
    .heard = "6f 03 72 04 04 65 ",
    .steps = { HEAR("016f", NULL), HEAR("0172", "01 81 00000000 00 55 00 00 00") })
ROW(t9_the_answer_of_who_was_aborted_is_passed_over, READ, .hasty = true, FAILED(-ETIMEDOUT),
    .heard = "6f 03 72 63 ",
    .steps = { HEAR("016f", NULL),
	       HEAR("0172", "01 80 02000000 00 tt 00 00 00 9000", "01 81 00000000 00 ss 00 00 00") })
#define PART(chain, n, data) HEAR("016f", "01 80 " n "000000 00 ss 00 00 " chain " " data)
ROW(t10_a_response_in_parts_is_joined, READ, .response = "0102030405 9000",
    .steps = { PART("01", "02", "0102"), PART("03", "02", "0304"), PART("03", "01", "05"),
	       PART("02", "02", "9000") })
ROW(t11_a_chain_that_continues_first, READ, GARBLED, .steps = { PART("03", "01", "aa") })
ROW(t11_a_chain_that_ends_first, READ, GARBLED, .steps = { PART("02", "01", "aa") })
ROW(t11_a_chain_that_begins_twice, READ, GARBLED, .steps = { PART("01", "01", "aa"), PART("01", "01", "aa") })
ROW(t11_a_next_part_wanted_with_data, READ, GARBLED, .steps = { PART("10", "01", "aa") })
ROW(t11_a_chain_parameter_of_55, READ, GARBLED, .steps = { PART("55", "01", "aa") })
ROW(t12_a_byte_at_a_time_for_ever_ends_at_the_deadline, READ, .deadline_ms = 1500, FAILED(-ETIMEDOUT),
    .steps = { PART("01", "01", "aa"), ALWAYS("01 6f 00000000", "~20 01 80 01000000 00 ss 00 00 03 aa") })
ROW(t12_nothing_at_a_time_ends_after_four, READ, GARBLED,
    .steps = { PART("01", "01", "aa"), ALWAYS("01 6f 00000000", "01 80 00000000 00 ss 00 00 03") })
ROW(t13_a_chain_of_ours_may_end_early_with_an_error, .max_message = 261, APDU_260,
    .response = "6700", .steps = { HEAR("016f", "01 80 02000000 00 ss 00 00 00 6700") })
ROW(t13_and_only_with_an_error, .max_message = 261, APDU_260, GARBLED,
    .steps = { HEAR("016f", "01 80 02000000 00 ss 00 00 00 9000") })
ROW(t14_a_next_part_wanted_when_there_is_none, READ, GARBLED, XFR(NEXT_PART))

/* ================================ card start ================================ */

#define ATR(n, hex) .at_once = true, .steps = { HEAR("0162", "01 80 " n "000000 00 ss 00 00 00 " hex) }
#define NO_ATR(n, hex) .at_once = true, .start = MUTE, NONE, \
	.steps = { ALWAYS("0162", "01 80 " n "000000 00 ss 00 00 00 " hex) }

/* What was read in the ATR is what the reader is told. */
#define TOLD(protocol, n, parameters) .shape = fast, .at_once = true, \
	.steps = { HEAR("01 61 " n "000000 00 ?? " protocol " 0000 " parameters, \
			"01 82 " n "000000 00 ss 00 00 " protocol " " parameters) }
ROW(a1_the_shortest_atr, .atr = "3b00", TOLD("00", "05", "1100000a00"))
ROW(a1_an_atr_of_t0, .atr = "3b 1f 18 80 31 81 73 80 01 c0 57 00 00 00 00 00 00 00", TOLD("00", "05", "1800000a00"))
ROW(a1_an_atr_of_t1, .atr = "3b df 18 00 81 31 fe 45 80 31 81 73 80 01 c0 57 00 00 00 00 00 00 00 84",
    TOLD("01", "07", "1810004500fe00"))
ROW(a1_an_atr_of_both, .atr = "3b 80 80 01 01", TOLD("00", "05", "1100000a00"))
ROW(a2_an_atr_of_0_bytes, NO_ATR("00", ""), .says = "no answer to reset")
ROW(a2_an_atr_of_1_byte, NO_ATR("01", "3b"))
ROW(a2_an_atr_of_34_bytes, NO_ATR("22", "3b8f01 00000000000000000000000000000000000000000000000000000000000000"))
ROW(a3_a_ts_of_00, NO_ATR("02", "0000"), .says = "malformed")
ROW(a3_a_ts_of_03, NO_ATR("02", "0300"))
ROW(a4_an_atr_that_promises_more_than_comes, NO_ATR("03", "3b ff 11"), .says = "malformed")
ROW(a4_an_atr_of_tds_to_the_end, NO_ATR("08", "3b80 80808080 8080"))
ROW(a5_a_wrong_tck_is_lived_with, .atr = "3b 80 01 80")
ROW(a5_a_missing_tck_is_lived_with, .atr = "3b 80 01")
ROW(a5_a_tck_that_t0_does_not_have_is_lived_with, .atr = "3b 00 00")
ROW(a6_bytes_behind_the_atr_are_reported_with_it, .atr = "3b 80 01 81 aa bb")
ROW(a7_specific_mode_with_t1_needs_no_pps, .features = 0x0001003a, .max_message = 271,
    .card = SCRIPTED_T1, .atr = "3b 90 96 11 81 86", .at_once = true, .unheard = "62 6f ",
    .steps = { SPEED("96") })
ROW(a7_specific_mode_with_t14_is_refused, NO_ATR("05", "3b 80 11 0e 9f"), .says = "protocol is not supported")
#define FAST_CARD(ta1, tck, reader, gets) T1_CARD, .shape = reader, .atr = "3b 90 " ta1 " 01 " tck, \
	.at_once = true, .steps = { SPEED(gets) }
ROW(a8_reserved_indices_ff_are_the_default_speed, FAST_CARD("ff", "6e", fast, "11"))
ROW(a8_reserved_indices_00_are_the_default_speed, FAST_CARD("00", "91", fast, "11"))
ROW(a8_97_is_used_if_the_reader_can, FAST_CARD("97", "06", fast, "97"))
ROW(a8_96_in_place_of_97_if_the_reader_cannot, FAST_CARD("97", "06", half_as_fast, "96"))
#define IFSC(value, tck, told) T1_CARD, .atr = "3b 80 81 11 " value " " tck, .at_once = true, \
	.steps = { HEAR("01 61 07000000 00 ?? 01 0000 1110004d00" told, \
			"01 82 07000000 00 ss 00 00 01 1110004d00" told "00") }, .apdu = "00b000000a"
ROW(a9_an_ifsc_of_0_is_32, IFSC("00", "10", "20"))
ROW(a9_an_ifsc_of_255_is_254, IFSC("ff", "ef", "fe"))
ROW(a9_an_ifsc_of_1_works_slowly, IFSC("01", "11", "01"), .heard = "6f 6f 6f 6f 6f 6f 6f 6f 6f 6f 6f ")
ROW(a10_waiting_times_out_of_range_are_capped, T1_CARD, .atr = "3b 80 81 21 ff df", .at_once = true,
    .steps = { HEAR("01 61 07000000 00 ?? 01 0000 1110009f", "01 82 07000000 00 ss 00 00 01 1110009f002000") })
ROW(a10_a_wi_of_0_is_10, .features = TPDU, .max_message = 271, .card = SCRIPTED_T0, .atr = "3b 80 40 00",
    .at_once = true, .steps = { HEAR("01 61 05000000 00 ?? 00 0000 1100000a", "01 82 05000000 00 ss 00 00 00 1100000a00") })
ROW(a10_a_wi_of_255_is_taken_and_the_wait_capped, .features = TPDU, .max_message = 271,
    .card = SCRIPTED_T0, .atr = "3b 80 40 ff", .at_once = true, .apdu = "00b0000002",
    .steps = { HEAR("01 61 05000000 00 ?? 00 0000 110000ff", "01 82 05000000 00 ss 00 00 00 110000ff00") })

#define HOST_PPS_OF(reader) .features = 0x0001003a, .max_message = 271, .card = SCRIPTED_T1, \
	.shape = reader, .atr = FAST_ATR, .at_once = true
#define HOST_PPS HOST_PPS_OF(fast)
#define PPS(n, answer) HEAR("01 6f 04000000 00 ?? 00 0000 ff1118f6", "01 80 " n "000000 00 ss 00 00 00 " answer)
#define SLOW_AGAIN .heard = "63 62 6f 63 62 61 "
#define AT_ONCE .heard = "63 62 6f 61 "
ROW(a11_a_pps_echoed_is_agreed, HOST_PPS, AT_ONCE, .steps = { PPS("04", "ff1118f6"), SPEED("18") })
ROW(a11_a_pps_without_a_speed_is_the_default_one, HOST_PPS, AT_ONCE, .steps = { PPS("03", "ff01fe"), SPEED("11") })
ROW(a11_a_pps_of_another_protocol_resets_the_card, HOST_PPS, SLOW_AGAIN, .steps = { PPS("04", "ff1018f7"), SPEED("11") })
ROW(a11_a_pps_with_a_wrong_pck_resets_the_card, HOST_PPS, SLOW_AGAIN, .steps = { PPS("04", "ff1118f7"), SPEED("11") })
ROW(a11_silence_to_a_pps_resets_the_card_once, HOST_PPS, SLOW_AGAIN,
    .steps = { HEAR("01 6f 04000000 00 ?? 00 0000 ff1118f6", "01 80 00000000 00 ss 40 fe 00"), SPEED("11") })
ROW(a11_a_reader_that_says_nothing_to_a_pps_is_brought_back, HOST_PPS, .hasty = true,
    .heard = "6f 03 72 63 62 61 ",
    .steps = { HEAR("01 6f 04000000 00 ?? 00 0000 ff1118f6", NULL), SPEED("11") })
ROW(a12_the_next_voltage_is_tried, .features = 0x000404b0, .at_once = true, .heard = "63 62 62 61 ",
    .steps = { NOT_AT("01"), HEAR("01 62 00000000 00 ?? 02", "01 80 04000000 00 ss 00 00 00 3b800181") })
ROW(a12_three_voltages_and_the_card_is_mute, .features = 0x000404b0, .at_once = true, .start = MUTE, NONE,
    .heard = "63 62 62 62 63 ", .steps = { NOT_AT("01"), NOT_AT("02"), NOT_AT("03") })
ROW(a13_a_power_on_that_asks_for_time_for_ever_ends, .at_once = true, .hasty = true, .start = MUTE, NONE,
    .steps = { HEAR("0162", "*30~100 " MORE_TIME("01"), SAYS("04", "3b800181")) })
#define PARAMETERS_FAIL(error) .at_once = true, .steps = { HEAR("0161", "01 82 00000000 00 ss 40 " error " 00") }
ROW(a14_parameters_refused_by_index_are_lived_with, PARAMETERS_FAIL("0a"))
ROW(a14_parameters_refused_by_7f_are_lived_with, PARAMETERS_FAIL("7f"))
ROW(a14_parameters_unknown_are_done_without, PARAMETERS_FAIL("00"))
ROW(a14_parameters_that_fail_the_reader_leave_the_card_mute, PARAMETERS_FAIL("fb"), .start = MUTE, NONE)
ROW(a15_a_card_that_leaves_while_it_is_powered_is_no_card, .at_once = true, .start = EMPTY, NONE,
    .steps = { HEAR("0162", "01 80 00000000 00 ss 42 fe 00") })

/* ================================ T=0 ================================ */

#define T0_CARD .features = TPDU, .max_message = 271, .card = SCRIPTED_T0, .atr = "3b00"
#define TPDU_IS(n, hex, ...) HEAR("01 6f " n "000000 00 ?? 00 0000 " hex, __VA_ARGS__)

ROW(z1_case_1, T0_CARD, .apdu = "00 44 00 00", .response = "9000", .steps = { TPDU_IS("05", "0044000000", SAYS("02", "9000")) })
ROW(z1_case_2, T0_CARD, .apdu = "00 b0 00 00 02", AABB, .steps = { TPDU_IS("05", "00b0000002", SAYS("04", "aabb9000")) })
ROW(z1_case_2_with_256, T0_CARD, .apdu = "00 b0 00 00 00", .response = "6282", .steps = { TPDU_IS("05", "00b0000000", SAYS("02", "6282")) })
ROW(z1_case_3, T0_CARD, .apdu = "00 d6 00 00 02 0102", .response = "9000", .steps = { TPDU_IS("07", "00d60000020102", SAYS("02", "9000")) })
ROW(z1_case_4, T0_CARD, .apdu = "00 88 00 00 02 0102 02", AABB,
    .steps = { TPDU_IS("07", "00880000020102", SAYS("02", "6102")), TPDU_IS("05", "00c0000002", SAYS("04", "aabb9000")) })
ROW(z1_case_4_of_a_channel, T0_CARD, .apdu = "01 88 00 00 02 0102 00", AABB,
    .steps = { TPDU_IS("07", "01880000020102", SAYS("02", "6102")), TPDU_IS("05", "01c0000002", SAYS("04", "aabb9000")) })
ROW(z2_a_wrong_le_is_corrected, T0_CARD, .apdu = "00 b0 00 00 00", AABB,
    .steps = { TPDU_IS("05", "00b0000000", SAYS("02", "6c02")), TPDU_IS("05", "00b0000002", SAYS("04", "aabb9000")) })
ROW(z2_a_wrong_le_is_corrected_twice, T0_CARD, .apdu = "00 b0 00 00 00", AABB,
    .steps = { TPDU_IS("05", "00b0000000", SAYS("02", "6c10")), TPDU_IS("05", "00b0000010", SAYS("02", "6c02")),
	       TPDU_IS("05", "00b0000002", SAYS("04", "aabb9000")) })
ROW(z2_and_not_three_times, T0_CARD, .apdu = "00 b0 00 00 00", .response = "6c10",
    .steps = { TPDU_IS("05", "00b0000000", SAYS("02", "6c10")), TPDU_IS("05", "00b0000010", SAYS("02", "6c10")),
	       TPDU_IS("05", "00b0000010", SAYS("02", "6c10")) })
ROW(z3_6100_is_256, T0_CARD, .apdu = "00 88 00 00 02 0102 00", .response = "6282",
    .steps = { TPDU_IS("07", "00880000020102", SAYS("02", "6100")), TPDU_IS("05", "00c0000000", SAYS("02", "6282")) })
ROW(z4_more_announced_and_never_sent_ends_after_two, T0_CARD, .apdu = "00 88 00 00 02 0102 00",
    .result = -EBADMSG, .on_card = true, .after = RESET,
    .steps = { TPDU_IS("07", "00880000020102", SAYS("02", "6110")), ALWAYS("01 6f 05000000 00 ?? 00 0000 00c0", SAYS("02", "6110")) })
ROW(z5_more_data_for_ever_ends_at_its_limit, T0_CARD, .apdu = "00 88 00 00 02 0102 00", .deadline_ms = 20000,
    .result = -EBADMSG, .on_card = true, .after = RESET,
    .steps = { TPDU_IS("07", "00880000020102", SAYS("02", "6101")), ALWAYS("01 6f 05000000 00 ?? 00 0000 00c0", SAYS("03", "aa6101")) })
ROW(z5_or_at_le, T0_CARD, .apdu = "00 88 00 00 02 0102 02", .response = "aabb6110",
    .steps = { TPDU_IS("07", "00880000020102", SAYS("02", "6110")), TPDU_IS("05", "00c0000002", SAYS("04", "aabb6110")) })
ROW(z6_an_answer_of_1_byte, T0_CARD, READ, GARBLED, XFR(SAYS("01", "90")))
ROW(z6_an_answer_of_0_bytes, T0_CARD, READ, GARBLED, XFR(SAYS("00", "")))
ROW(z6_an_answer_that_ends_in_no_status_word, T0_CARD, READ, GARBLED, XFR(SAYS("04", "aabbccdd")))
ROW(z7_an_answer_longer_than_p3, T0_CARD, READ, GARBLED, XFR(SAYS("05", "aabbcc9000")))
ROW(z7_data_where_none_was_asked_for, T0_CARD, .apdu = "00 d6 00 00 01 01", GARBLED, XFR(SAYS("03", "aa9000")))
ROW(z8_9000_without_data_is_returned_as_it_is, T0_CARD, .apdu = "00 88 00 00 02 0102 00", .response = "9000",
    .steps = { TPDU_IS("07", "00880000020102", SAYS("02", "9000")) })
ROW(z9_6700_to_get_response_is_the_answer, T0_CARD, .apdu = "00 88 00 00 02 0102 00", .response = "6700",
    .steps = { TPDU_IS("07", "00880000020102", SAYS("02", "6102")), TPDU_IS("05", "00c0000002", SAYS("02", "6700")) })
ROW(z10_ins_60_is_refused_here, T0_CARD, .apdu = "00 60 00 00", .result = -EINVAL)
ROW(z10_ins_9f_is_refused_here, T0_CARD, .apdu = "00 9f 00 00", .result = -EINVAL)
#define APDU_307 .apdu = "00da0000 00012c", .zeros = 300
ROW(z11_extended_length_goes_by_chaining, T0_CARD, APDU_307, .response = "9000",
    .steps = { HEAR("01 6f 04010000 00 ?? 00 0000 10da0000ff", SAYS("02", "9000")),
	       HEAR("01 6f 32000000 00 ?? 00 0000 00da00002d", SAYS("02", "9000")) })
ROW(z11_or_in_envelopes, .features = TPDU, .max_message = 271, .card = SCRIPTED_T0,
    .atr = "3b05 8073000040", APDU_307, .response = "6a80",
    .steps = { HEAR("01 6f 04010000 00 ?? 00 0000 00c20000ff 00da000000012c", SAYS("02", "9000")),
	       HEAR("01 6f 39000000 00 ?? 00 0000 00c2000034", SAYS("02", "6a80")) })
ROW(z11_or_not_at_all, .features = TPDU, .max_message = 271, .card = SCRIPTED_T0,
    .atr = "3b05 8073000000", APDU_307, .result = -EOPNOTSUPP)

/* ================================ T=1 ================================ */

/* Behind two SELECTs and an APDU, which is said before the script begins, both sides are at N(S) = 1. */
#define B(name, ...) ROW(name, T1_CARD, READ, __VA_ARGS__)
#define LONG .apdu = "00d6000037", .zeros = 55		/* two blocks of an IFSC of 32 */
#define ASKED(...) HEAR("01 6f 09000000 00 ?? 00 0000 00 40 05 00b0000002 f7", __VA_ARGS__)
#define R1(error, ...) HEAR("01 6f 04000000 00 ?? 00 0000 00 9" error " 00", __VA_ARGS__)
#define RIGHT SAYS("08", "00 40 04 aabb9000 xx")
#define OK_1 SAYS("06", "00 40 02 9000 xx")
#define WRONG_EDC SAYS("08", "00 40 04 aabb9000 00")
/*
 * Invalid once, asked about, and then right. There are no blocks but IFSD, two SELECTs and the APDU behind
 * them, those two, another APDU, and one question there, since what a script said is not in the N(S) of the card.
 */
#define INVALID(...) AABB, .unheard = "6f 6f 6f 6f 6f 6f 6f 6f 6f ", \
	.steps = { ASKED(__VA_ARGS__), R1("2", RIGHT) }

B(b1_one_block_each_way, AABB, .steps = { ASKED(RIGHT) })
B(b1_a_chain_of_the_card, .response = "aabb9000", .steps = { ASKED(SAYS("05", "00 60 01 aa xx")),
    HEAR("01 6f 04000000 00 ?? 00 0000 00 80 00 80", SAYS("07", "00 00 03 bb9000 xx")) })
ROW(b1_a_chain_of_ours, T1_CARD, LONG, .response = "9000",
    .steps = { HEAR("01 6f 24000000 00 ?? 00 0000 00 60 20", SAYS("04", "00 80 00 xx")),
	       HEAR("01 6f 20000000 00 ?? 00 0000 00 00 1c", OK_1) })
ROW(b1_an_ifsc_of_254_takes_all_at_once, T1_CARD, .atr = "3b 80 81 11 fe ee", LONG, .response = "9000",
    .steps = { HEAR("01 6f 40000000 00 ?? 00 0000 00 40 3c", OK_1) })
ROW(b1_a_card_with_crc, T1_CARD, .atr = "3b 80 81 41 01 41", .at_once = true, .apdu = "00b0000002", AABB,
    .steps = { HEAR("01 6f 06000000 00 ?? 00 0000 00c101fe", SAYS("06", "00e101fe 5775")),
	       HEAR("01 6f", SAYS("07", "0000026a82 ba0f")),
	       HEAR("01 6f", SAYS("07", "0040026a82 acb8")),
	       HEAR("01 6f 0a000000", SAYS("09", "000004aabb9000 9ab5")),
	       HEAR("01 6f 0a000000", SAYS("07", "0040029000 8ada")) })
B(b2_a_wrong_checksum_once, AABB, .steps = { ASKED(WRONG_EDC), R1("1", RIGHT) })
B(b2_a_wrong_checksum_twice, AABB, .steps = { ASKED(WRONG_EDC), R1("1", WRONG_EDC), R1("1", RIGHT) })
#define RESYNCH(...) HEAR("01 6f 04000000 00 ?? 00 0000 00 c0 00 c0", __VA_ARGS__)
B(b2_a_checksum_that_is_always_wrong, FAILED(-EIO),
    .steps = { ASKED(WRONG_EDC), R1("1", WRONG_EDC), R1("1", WRONG_EDC), RESYNCH(WRONG_EDC),
	       RESYNCH(WRONG_EDC), RESYNCH(WRONG_EDC) })
B(b3_a_len_over_the_block, INVALID(SAYS("08", "00 40 05 aabb9000 xx")))
B(b3_a_len_of_ff, INVALID(SAYS("08", "00 40 ff aabb9000 xx")))
B(b3_a_len_under_what_came, INVALID(SAYS("08", "00 40 03 aabb9000 xx")))
B(b4_a_block_from_another_node, INVALID(SAYS("08", "21 40 04 aabb9000 xx")))
B(b5_a_stale_block_for_ever, FAILED(-EIO),
    .steps = { ASKED(SAYS("06", "00 00 02 6a82 xx")), R1("2", SAYS("06", "00 00 02 6a82 xx")),
	       R1("2", SAYS("06", "00 00 02 6a82 xx")) })
B(b6_a_block_asked_for_again_is_sent_again, AABB, .steps = { ASKED(SAYS("04", "00 90 00 xx")), ASKED(RIGHT) })
B(b6_and_at_most_twice, FAILED(-EIO),
    .steps = { ASKED(SAYS("04", "00 90 00 xx")), ASKED(SAYS("04", "00 90 00 xx")),
	       ASKED(SAYS("04", "00 90 00 xx")) })
B(b7_an_acknowledgement_where_an_answer_is_due, INVALID(SAYS("04", "00 80 00 xx")))
B(b8_an_r_block_with_error_3, INVALID(SAYS("04", "00 93 00 xx")))
B(b8_an_r_block_with_bit_5, INVALID(SAYS("04", "00 b0 00 xx")))
B(b9_an_i_block_with_reserved_bits, INVALID(SAYS("08", "00 41 04 aabb9000 xx")))
#define GRANTED(m, ...) HEAR("01 6f 05000000 00 ?? " m " 0000 00 e3 01 " m, __VA_ARGS__)
B(b10_more_time_by_1_is_granted_and_told_to_the_reader, AABB,
    .steps = { ASKED(SAYS("05", "00 c3 01 01 xx")), GRANTED("01", RIGHT) })
B(b10_more_time_by_255_is_granted_and_the_wait_capped, AABB,
    .steps = { ASKED(SAYS("05", "00 c3 01 ff xx")), GRANTED("ff", RIGHT) })
B(b10_more_time_by_0, INVALID(SAYS("05", "00 c3 01 00 xx")))
B(b10_more_time_by_nothing, INVALID(SAYS("04", "00 c3 00 xx")))
B(b10_more_time_by_two_bytes, INVALID(SAYS("06", "00 c3 02 0101 xx")))
B(b11_more_time_for_ever_ends_after_32, GARBLED,
    .steps = { ASKED(SAYS("05", "00 c3 01 01 xx")),
	       ALWAYS("01 6f 05000000 00 ?? 01 0000 00 e3", SAYS("05", "00 c3 01 01 xx")) })
ROW(b12_a_smaller_ifsc_holds_from_the_next_block, T1_CARD, LONG, .response = "9000",
    .steps = { HEAR("01 6f 24000000 00 ?? 00 0000 00 60 20", SAYS("05", "00 c1 01 10 xx")),
	       HEAR("01 6f 05000000 00 ?? 00 0000 00 e1 01 10", SAYS("04", "00 80 00 xx")),
	       HEAR("01 6f 14000000 00 ?? 00 0000 00 20 10", SAYS("04", "00 90 00 xx")),
	       HEAR("01 6f 10000000 00 ?? 00 0000 00 40 0c", OK_1) })
B(b13_an_ifs_of_0, INVALID(SAYS("05", "00 c1 01 00 xx")))
B(b13_an_ifs_of_255, INVALID(SAYS("05", "00 c1 01 ff xx")))
ROW(b14_an_abort_in_our_chain_is_answered_and_the_command_fails, T1_CARD, LONG, .result = -EIO, .after = RESET,
    .steps = { HEAR("01 6f 24000000 00 ?? 00 0000 00 60 20", SAYS("04", "00 c2 00 xx")),
	       HEAR("01 6f 04000000 00 ?? 00 0000 00 e2 00", SAYS("04", "00 80 00 xx")) })
B(b14_an_abort_outside_a_chain, INVALID(SAYS("04", "00 c2 00 xx")))
B(b15_a_resynch_that_no_card_may_ask_for, INVALID(SAYS("04", "00 c0 00 xx")))
B(b16_a_response_to_nothing, INVALID(SAYS("05", "00 e3 01 01 xx")))
#define IFSD_IS(...) HEAR("01 6f 05000000 00 ?? 00 0000 00 c1 01 fe", __VA_ARGS__)
/* Asked three times, then two SELECTs, two APDUs, and nothing else. */
#define STAYS_32 T1_CARD, .at_once = true, .heard = "62 61 6f 6f 6f 6f 6f 6f 6f ", \
	.unheard = "6f 6f 6f 6f 6f 6f 6f 6f "
ROW(b17_ifsd_answered_with_another_value_stays_32, STAYS_32,
    .steps = { IFSD_IS(IFSD_ANSWER("20c0")), IFSD_IS(IFSD_ANSWER("20c0")), IFSD_IS(IFSD_ANSWER("20c0")) })
ROW(b17_ifsd_answered_by_an_r_block_stays_32, STAYS_32,
    .steps = { IFSD_IS(SAYS("04", "00 92 00 92")), IFSD_IS(SAYS("04", "00 92 00 92")), IFSD_IS(SAYS("04", "00 92 00 92")) })
#define MUTE_ONCE "01 80 00000000 00 ss 40 fe 00"
ROW(b17_ifsd_answered_by_silence_stays_32, STAYS_32,
    .steps = { IFSD_IS(MUTE_ONCE), IFSD_IS(MUTE_ONCE), IFSD_IS(MUTE_ONCE) })
#define GO_ON "01 6f 04000000 00 ?? 00 0000 00 ?? 00"
B(b18_a_chain_for_ever_of_one_byte_ends_at_the_limit, .deadline_ms = 30000, GARBLED,
    .steps = { ASKED(SAYS("05", "00 nn 01 aa xx")), ALWAYS(GO_ON, SAYS("05", "00 nn 01 aa xx")) })
B(b18_a_chain_for_ever_of_nothing_ends_after_four, GARBLED,
    .steps = { ASKED(SAYS("04", "00 nn 00 xx")), ALWAYS(GO_ON, SAYS("04", "00 nn 00 xx")) })
ROW(b19_after_a_resynch_nothing_is_sent_again, T1_CARD, .apdu = "80 54 01 00 01 77", FAILED(-EIO),
    .heard = "6f 6f 6f 6f 63 62 61 ",	/* the command, two questions, the resynch, the reset */
    .steps = { HEAR("01 6f 0a000000 00 ?? 00 0000 00 40 06 805401000177", WRONG_EDC), R1("1", WRONG_EDC),
	       R1("1", WRONG_EDC), RESYNCH(SAYS("04", "00 e0 00 e0")) })
B(b20_a_block_of_0_bytes, INVALID(SAYS("00", "")))
B(b20_a_block_of_1_byte, INVALID(SAYS("01", "00")))
B(b20_a_block_of_2_bytes, INVALID(SAYS("02", "0040")))
B(b20_a_block_of_3_bytes, INVALID(SAYS("03", "004000")))
#define THIRTY_THREE "000000000000000000000000000000000000000000000000000000000000009000"
ROW(b21_a_block_longer_than_ifsd, T1_CARD, READ, .shape = ifsd_0,
    INVALID(SAYS("25", "00 40 21 " THIRTY_THREE " xx")))

/* ================================ products that are known to be odd ================================ */

static void product(struct scripted *s, uint16_t vendor, uint16_t id, uint16_t release)
{
	const uint16_t ids[] = { vendor, id, release };

	for (size_t i = 0; i < 6; i++)
		s->descriptors[DEVICE_AT + 8 + i] = (uint8_t)(ids[i / 2] >> 8 * (i % 2));
}

static void spr532(struct scripted *s) { product(s, 0x04e6, 0xe003, 0x0510); }
static void scr335(struct scripted *s) { product(s, 0x04e6, 0x5115, 0x0518); }
static void au9540(struct scripted *s) { fast(s); product(s, 0x058f, 0x9540, 0x0120); }
static void oz776(struct scripted *s) { fast(s); product(s, 0x0b97, 0x7762, 0x0111); }
static void qemu(struct scripted *s) { product(s, 0x08e6, 0x4433, 0x0000); }
static void cl1356d(struct scripted *s) { product(s, 0x0b81, 0x0200, 0x0100); }
static void tribank(struct scripted *s) { product(s, 0x0d46, 0x3010, 0x0100); }
static void cardman(struct scripted *s) { product(s, 0x076b, 0x3022, 0x0100); }
static void aviator(struct scripted *s) { product(s, 0x076b, 0x3a21, 0x0100); }
static void kc1000_old(struct scripted *s) { product(s, 0x046a, 0x00a1, 0x0100); }
static void kc1000_new(struct scripted *s) { product(s, 0x046a, 0x00a1, 0x0101); }
static void etoken_old(struct scripted *s) { product(s, 0x0529, 0x0620, 0x0013); }
static void etoken_new(struct scripted *s) { product(s, 0x0529, 0x0620, 0x0014); }

#define SELECTS_FIRST \
	HEAR("01 6f ??000000 00 ?? 00 0000 00 00 ?? 00a40400", SAYS("06", "00 00 02 6a82 xx")), \
	HEAR("01 6f ??000000 00 ?? 00 0000 00 40 ?? 00a40400", SAYS("06", "00 40 02 6a82 xx"))
#define IFSD_FIRST(n, answer) HEAR("01 6f 05000000 00 ?? 00 0000 00 c1 01 " n, IFSD_ANSWER(answer))

ROW(quirk_an_spr532_gets_no_block_over_48_bytes, T1_CARD, .shape = spr532, .at_once = true,
    .steps = { IFSD_FIRST("30", "30d0") })
ROW(quirk_an_scr335_takes_271_bytes_whatever_it_says, .max_message = 263, .shape = scr335, .message = 271)
ROW(quirk_an_au9540_is_told_no_parameters_and_no_speed, HOST_PPS_OF(au9540), .unheard = "61 ",
    .heard = "63 62 6f 6f 6f ", .steps = { IFSD_FIRST("fe", "fe1e") })
ROW(quirk_an_oz776_stays_at_the_default_speed, HOST_PPS_OF(oz776), .steps = { SPEED("11") })
ROW(quirk_qemus_reader_is_not_asked_to_abort, READ, .shape = qemu, .hasty = true, FAILED(-ETIMEDOUT),
    .heard = "6f 04 04 65 ", .unheard = "72 ", .steps = { HEAR("016f", NULL) })
ROW(quirk_a_cl1356d_may_take_its_time, .shape = cl1356d, .hasty = true, .at_once = true,
    .steps = { HEAR("0162", "~2000 01 80 04000000 00 ss 00 00 00 3b800181") })
ROW(quirk_and_who_is_not_known_may_not, .hasty = true, .at_once = true, .start = MUTE, NONE,
    .steps = { HEAR("0162", "~2000 01 80 04000000 00 ss 00 00 00 3b800181") })
ROW(quirk_a_tribank_delivers_short_apdus, .shape = tribank, .exchange = KF_EXCHANGE_SHORT_APDU)
ROW(quirk_a_cardman_3021_takes_blocks, .features = SHORT_LEVEL, .max_message = 271, .card = SCRIPTED_T1,
    .shape = cardman, .exchange = KF_EXCHANGE_TPDU)
ROW(quirk_an_aviator_chains, .features = SHORT_LEVEL, .max_message = 271, .shape = aviator, WHOLE)
ROW(quirk_an_old_kc1000sc_chains, .features = SHORT_LEVEL, .max_message = 271, .shape = kc1000_old, WHOLE)
ROW(quirk_a_newer_one_is_believed, .features = SHORT_LEVEL, .max_message = 271, .shape = kc1000_new,
    .exchange = KF_EXCHANGE_SHORT_APDU)
ROW(quirk_an_old_etoken_is_not_asked_for_ifsd, T1_CARD, .shape = etoken_old, .at_once = true,
    .heard = "62 61 6f 6f 6f 6f ", .apdu = "00b0000000", .steps = { SELECTS_FIRST })
ROW(quirk_a_newer_one_is, T1_CARD, .shape = etoken_new, .at_once = true, .steps = { IFSD_FIRST("fe", "fe1e") })

/* ================================ the row is played ================================ */

FIXTURE_SETUP(row)
{
	struct stand *stand = &self->stand;
	struct scripted *s = &stand->s;
	size_t n = 0;

	stand_init(stand, variant->features ? variant->features : SCRIPTED_EXTENDED,
		   variant->max_message ? variant->max_message : 65554);
	if (variant->card != SCRIPTED_ECHO)
		s->card = variant->card;
	if (variant->atr)
		s->atr_n = unhex(variant->atr, s->atr, sizeof(s->atr));
	s->preface = variant->preface;
	if (variant->shape)
		variant->shape(s);
	while (n < STEPS && variant->steps[n].hear)
		n++;
	stand_start(stand, variant->hasty ? STAND_HASTY : STAND_DRIVER, variant->steps, n,
		    variant->at_once);
}

FIXTURE_TEARDOWN(row)
{
	stand_end(&self->stand);
}

static void expect_refused(struct stand *stand, const struct variant_row *row)
{
	EXPECT_EQ(DRIVER_EXIT_REFUSED, stand_left(stand));
	EXPECT_NOT_NULL(strstr(stand_words(stand), "reader refused: "));
	if (row->says && !strstr(stand_words(stand), row->says))
		TEST_FAIL("it says: %s", stand_words(stand));
}

static void expect_start(struct stand *stand, const struct variant_row *row)
{
	static const enum kf_change first[] = {
		[READY] = KF_CHANGE_CARD_INSERTED,
		[MUTE] = KF_CHANGE_CARD_MUTE,
		[EMPTY] = KF_CHANGE_CARD_REMOVED,
	};
	struct kf_drv_event event;

	ASSERT_EQ(0, stand_event(stand, 20000, &event));
	EXPECT_EQ((uint32_t)first[row->start], event.change);
	if (row->start == READY && row->atr)
		EXPECT_BYTES_EQ(BYTES(stand->s.atr, stand->s.atr_n), BYTES(event.atr, event.atr_len));
	if (row->says && !strstr(stand_words(stand), row->says))
		TEST_FAIL("it says: %s", stand_words(stand));
}

static void expect_hello(const struct kf_drv_hello *hello, const struct variant_row *row)
{
	if (row->exchange)
		EXPECT_EQ(row->exchange, hello->exchange);
	if (row->message)
		EXPECT_EQ(row->message, hello->max_message);
	if (row->slots) {
		EXPECT_EQ(row->slots, hello->n_slots);
		EXPECT_EQ(row->busy, hello->busy_slots);
	}
	if (row->product)
		EXPECT_STREQ(row->product, hello->product_name);
}

static void expect_reply(struct stand *stand, const struct variant_row *row)
{
	const char *want = row->response ? row->response : "9000";
	char hex[1024];
	uint8_t bytes[64];
	struct packet reply;
	int n;

	n = snprintf(hex, sizeof(hex), "%s", row->apdu ? row->apdu : "00b0000002");
	for (size_t i = 0; i < row->zeros; i++, n += 2)
		(void)snprintf(hex + n, sizeof(hex) - (size_t)n, "00");
	EXPECT_EQ(row->result, stand_apdu(stand, hex, row->deadline_ms ? row->deadline_ms : 3000, &reply));
	if (row->result == 0)
		EXPECT_BYTES_EQ(BYTES(bytes, unhex(want, bytes, sizeof(bytes))),
				packet_get(&reply, kf_apdu, response));
	else
		EXPECT_EQ(0u, packet_get(&reply, kf_apdu, response).n);
	EXPECT_EQ((uint32_t)(row->on_card ? KF_REASON_ON_CARD : KF_REASON_NONE), reply.header.reason);
}

static void expect_after(struct stand *stand, const struct variant_row *row)
{
	struct kf_drv_event event;
	struct packet reply;

	if (row->after == RESET) {
		ASSERT_EQ(0, stand_event(stand, 20000, &event));
		EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, event.change);
	}
	ASSERT_EQ(0, stand_apdu(stand, "00b0000000", 5000, &reply));
	EXPECT_BYTES_EQ(BYTES("\x90\x00", 2), packet_get(&reply, kf_apdu, response));
}

/* The rows count blocks from an odd one on. */
static void say_one_apdu(struct stand *stand)
{
	struct packet reply;

	ASSERT_EQ(0, stand_apdu(stand, "00b0000000", 5000, &reply));
}

/* What the reader was to say, and to what: a driver that never asked has not met the stimulus. */
static void expect_played(const struct scripted *s)
{
	if (s->n_steps != 0 && !s->steps->again)
		TEST_FAIL("the reader never heard: %s", s->steps->hear);
}

TEST_F_TIMEOUT(row, is_dealt_with, 60)
{
	struct stand *stand = &self->stand;
	struct deadline soon = deadline_in((uint64_t)harness_patience_ms(5000));
	struct kf_drv_hello hello;
	int r;

	r = stand_greet(stand, &hello);
	if (variant->soon)
		EXPECT_FALSE(deadline_passed(soon));
	if (variant->start == REFUSED) {
		EXPECT_EQ(-ECONNRESET, r);
		expect_refused(stand, variant);
		return;
	}
	ASSERT_EQ(0, r);
	expect_hello(&hello, variant);
	expect_start(stand, variant);
	if (variant->card == SCRIPTED_T1 && !variant->at_once)
		say_one_apdu(stand);
	stand->s.armed = true;
	if (!variant->apdu || strcmp(variant->apdu, "-") != 0) {
		expect_reply(stand, variant);
		expect_after(stand, variant);
	}
	stand_end(stand);		/* the reader's thread has ended: what it heard stands still */
	expect_played(&stand->s);
	if (variant->heard && !strstr(stand->s.heard, variant->heard))
		TEST_FAIL("the reader heard: %s", stand->s.heard);
	if (variant->unheard && strstr(stand->s.heard, variant->unheard))
		TEST_FAIL("the reader heard: %s", stand->s.heard);
}

/* ================================ what is no row of the table ================================ */

static void serve(struct stand *stand, const char *program, const struct scripted_step *steps,
		  size_t n_steps)
{
	struct kf_drv_hello hello;
	struct kf_drv_event event;

	stand_start(stand, program, steps, n_steps, false);
	ASSERT_EQ(0, stand_greet(stand, &hello));
	ASSERT_EQ(0, stand_event(stand, 20000, &event));
	ASSERT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, event.change);
	stand->s.armed = true;
}

FIXTURE(stand) { struct stand stand; };
FIXTURE_SETUP(stand) { stand_init(&self->stand, SCRIPTED_EXTENDED, 65554); }
FIXTURE_TEARDOWN(stand) { stand_end(&self->stand); }

TEST_F_TIMEOUT(stand, d13_without_interrupts_the_slot_is_asked_about_now_and_then, 60)
{
	struct packet watch = packet_request(KF_DRV_WATCH, 100, 20000), reply;

	no_interrupt(&self->stand.s);
	serve(&self->stand, STAND_DRIVER, NULL, 0);
	((struct kf_drv_watch *)packet_body(&watch))->flags = KF_DRV_WATCH_ON;
	ASSERT_EQ(0, stand_call(&self->stand, &watch, &reply));
	(void)usleep(1500000);
	stand_end(&self->stand);
	/* One question at once, and at least one more, behind the SELECT that found no application. */
	EXPECT_NOT_NULL(strstr(self->stand.s.heard, "6f 65 65 "));
}

TEST_F_TIMEOUT(stand, d13_without_interrupts_and_without_anybody_who_cares_it_is_not, 60)
{
	no_interrupt(&self->stand.s);
	serve(&self->stand, STAND_DRIVER, NULL, 0);
	(void)usleep(700000);
	stand_end(&self->stand);
	EXPECT_NULL(strstr(self->stand.s.heard, "6f 65 "));
}

TEST_F_TIMEOUT(stand, d13_with_interrupts_it_is_not, 60)
{
	serve(&self->stand, STAND_DRIVER, NULL, 0);
	(void)usleep(700000);
	stand_end(&self->stand);
	EXPECT_NULL(strstr(self->stand.s.heard, "6f 65 "));
}

TEST_F_TIMEOUT(stand, t6_a_client_that_goes_aborts_the_command_and_resets_the_card, 60)
{
	static const struct scripted_step steps[] = { HEAR("016f", NULL) };
	struct stand *stand = &self->stand;
	struct packet request = packet_request(KF_APDU, 100, 20000), cancel, reply;
	uint8_t buf[512];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct kf_drv_event event;

	serve(stand, STAND_DRIVER, steps, 1);
	packet_set(&request, kf_apdu, command, BYTES("\x00\xb0\x00\x00\x02", 5));
	ASSERT_EQ(0, packet_pack(&request, &p));
	ASSERT_EQ(0, wire_send(stand->link, pack_done(&p), 0));
	while (stand->s.n_steps != 0)
		(void)usleep(1000);
	cancel = packet_request(KF_CANCEL, 101, 0);
	((struct kf_cancel *)packet_body(&cancel))->seq = 100;
	request.header.seq = 100;
	p = pack_begin(buf, sizeof(buf));
	ASSERT_EQ(0, packet_pack(&cancel, &p));
	ASSERT_EQ(0, wire_send(stand->link, pack_done(&p), 0));
	ASSERT_EQ(0, stand_reply(stand, 10000, &reply));
	EXPECT_EQ(-ECANCELED, reply.header.result);
	EXPECT_EQ((uint32_t)KF_REASON_ON_CARD, reply.header.reason);
	ASSERT_EQ(0, stand_event(stand, 20000, &event));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, event.change);
	stand_end(stand);
	EXPECT_NOT_NULL(strstr(stand->s.heard, "6f 03 72 63 62 "));
}

/* One packet longer than any: made here, as a script would be. */
static char *long_answer(size_t n, char *hex)
{
	int at = sprintf(hex, "01 80 %02x%02x%02x00 00 ss 00 00 00 ", (unsigned)(n & 0xff),
			 (unsigned)(n >> 8 & 0xff), (unsigned)(n >> 16));

	for (size_t i = 0; i < n; i++, at += 2)
		memcpy(hex + at, i + 2 == n ? "90" : "00", 3);
	return hex;
}

TEST_F_TIMEOUT(stand, f22_the_longest_answer_is_taken_and_a_longer_one_is_not, 60)
{
	static char longest[140000], too_long[140000];
	const struct scripted_step steps[] = {
		HEAR("016f", long_answer(65538, longest)),
		HEAR("016f", long_answer(65545, too_long)),
	};
	struct kf_drv_event event;
	struct packet reply;

	serve(&self->stand, STAND_DRIVER, steps, 2);
	EXPECT_EQ(0, stand_apdu(&self->stand, "00b00000000000", 5000, &reply));
	EXPECT_EQ(65538u, packet_get(&reply, kf_apdu, response).n);
	EXPECT_EQ(-EBADMSG, stand_apdu(&self->stand, "00b00000000000", 5000, &reply));
	ASSERT_EQ(0, stand_event(&self->stand, 20000, &event));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_RESET, event.change);
}

TEST_F_TIMEOUT(stand, eight_malformed_answers_in_a_minute_end_the_driver, 60)
{
	static const struct scripted_step steps[] = {
		ALWAYS("01 6f 05000000 00 ?? 00 0000 00b0", "01 80 02000000 00 ss c0 00 00 9000"),
	};
	struct kf_drv_event event;
	struct packet reply;
	int r = 0;

	serve(&self->stand, STAND_DRIVER, steps, 1);
	for (int i = 0; i < 8 && r != -ECONNRESET; i++) {
		r = stand_apdu(&self->stand, "00b0000002", 5000, &reply);
		EXPECT_EQ(i < 7 ? -EBADMSG : -ENODEV, r);
		if (i < 7)
			ASSERT_EQ(0, stand_event(&self->stand, 20000, &event));
	}
	EXPECT_EQ(0, stand_left(&self->stand));
}

/* The quarantine is for the eighth in a minute, and a refusal for descriptors: one may be noise. */
TEST_F_TIMEOUT(stand, a_first_answer_that_is_malformed_bars_no_reader, 60)
{
	static const struct scripted_step steps[] = {
		HEAR("01 65 00000000", "01 81 ffffffff 00 ss 01 00 00"),
	};
	struct kf_drv_hello hello;
	struct kf_drv_event event;

	stand_start(&self->stand, STAND_DRIVER, steps, 1, true);
	EXPECT_EQ(0, stand_greet(&self->stand, &hello));
	EXPECT_EQ(0, stand_event(&self->stand, 20000, &event));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, event.change);
	EXPECT_EQ(0u, self->stand.s.n_steps);
}

TEST_F_TIMEOUT(stand, first_answers_that_are_all_malformed_are_no_refusal_either, 60)
{
	static const struct scripted_step steps[] = {
		ALWAYS("01", "01 81 ffffffff 00 ss 01 00 00"),
	};
	struct kf_drv_hello hello;

	stand_start(&self->stand, STAND_HASTY, steps, 1, true);
	(void)stand_greet(&self->stand, &hello);
	EXPECT_NE(DRIVER_EXIT_REFUSED, stand_left(&self->stand));
}
