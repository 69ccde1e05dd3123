#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The harness itself: a program whose tests fail in every way, and what has to be said about each.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

program=${KF_BUILD:-$KF_SRC/build}/tests/build/harness_fails
log=$(mktemp)
trap 'rm -f "$log" "$log.err" "$log.none"' EXIT
KF_TEST_SLOWER='' "$program" >"$log" 2>"$log.err"
status=$?

# The verdict on a test without its number.
verdict() {
	sed -n "s/^\(ok\|not ok\) [0-9]* $1\( .*\)*\$/\1\2/p" "$log"
}

is() {
	[ "$(verdict "$1")" = "$2" ] || fail "$1: want '$2', got '$(verdict "$1")'"
}

# The comments between the previous result and that of test $1.
notes() {
	awk -v name="$1" '/^(not )?ok / { n = $1 == "not" ? $4 : $3; if (n == name) print text; text = "" }
		/^#/ { text = text $0 "\n" }' "$log"
}

notes_have() {
	notes "$1" | grep -qF -- "$2" || fail "$1: no '$2' in: $(notes "$1")"
}

notes_lack() {
	! notes "$1" | grep -qF -- "$2" || fail "$1: '$2' must not be said"
}

the_plan_is_kept_and_numbers_run() {
	head -n 1 "$log" | grep -qx 'KTAP version 1'
	n=$(sed -n 's/^1\.\.//p' "$log")
	[ "$(grep -cE '^(not )?ok ' "$log")" = "$n" ]
	grep -E '^(not )?ok ' "$log" | sed 's/^not //' | awk '$2 != NR { exit 1 }'
	[ "$("$program" -l | wc -l)" = "$n" ]
}

failures_make_the_exit_status() {
	[ "$status" = 1 ] || fail "exit status $status"
	"$program" passes >/dev/null || fail "a green run is not 0"
	! "$program" no-such-test >/dev/null || fail "a run of no test is 0"
}

passes_and_failures_are_told_apart() {
	is passes ok
	is expect_fails_and_goes_on "not ok"
	is assert_fails_and_ends "not ok"
	is signs_are_compared_by_value ok
	is arguments_are_evaluated_once ok
	is each_comparison_can_fail "not ok"
	is a_helper_ends_the_test "not ok"
}

expect_goes_on_and_assert_ends() {
	notes_have expect_fails_and_goes_on "went on"
	notes_lack assert_fails_and_ends "must not be said"
	notes_lack a_helper_ends_the_test "must not be said"
}

both_values_are_printed() {
	notes_have assert_fails_and_ends "want -74 (-EBADMSG)"
	notes_have assert_fails_and_ends "got  -13 (-EACCES)"
	notes_have each_comparison_can_fail 'want "one"'
	notes_have each_comparison_can_fail 'got  NULL'
	notes_have each_comparison_can_fail "want 616263"
	notes_have each_comparison_can_fail "3 and 2 bytes, the first 2 alike"
	notes_have a_long_difference_is_shown_where_it_is "..0000000000000000bb"
}

every_comparison_is_noted() {
	[ "$(notes each_comparison_can_fail | grep -c 'harness_fails.c:')" = 17 ] ||
		fail "$(notes each_comparison_can_fail)"
}

values_cannot_forge_results() {
	is a_forged_result_stays_a_comment "not ok"
	! grep -qE '^ok (99|77|1 printed)' "$log" || fail "a forged result"
	is stdout_is_not_ktap ok
	grep -q 'printed by a test' "$log.err"
}

a_skip_has_its_reason_on_one_line() {
	is is_skipped "ok # SKIP no reader ok 77 here   SKIP"
}

time_limits_hold() {
	is hangs "not ok"
	is hangs_deaf_to_signals "not ok"
	notes_have hangs "timed out after"
	notes_have hangs "out of time: "
}

signals_and_early_exits_are_failures() {
	for test in crashes aborts leaves_with_0 leaves_with_3 a_failure_in_a_forked_process_counts; do
		is "$test" "not ok"
	done
	notes_have aborts "SIGABRT"
	notes_have leaves_with_0 "left by exit(0)"
	notes_have leaves_with_3 "left by exit(3)"
}

strays_are_killed() {
	is leaves_strays_behind ok
	# The brackets keep grep from finding itself.
	! cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -q 'sleep 98765[.]4321' ||
		fail "a stray process is still there"
}

fixtures_and_variants_do_as_they_say() {
	is order.one.teardown_follows_an_assert "not ok"
	notes_have order.one.teardown_follows_an_assert "teardown with 11"
	notes_have order.two.teardown_follows_an_assert "teardown with 12"
	is order.broken.teardown_follows_an_assert "not ok"
	notes_lack order.broken.teardown_follows_an_assert "teardown with"
	is dies.a_teardown_that_fails_fails_the_test "not ok"
}

tests_are_chosen_by_a_part_of_their_name() {
	[ "$("$program" -l order. | grep teardown)" = "order.one.teardown_follows_an_assert
order.two.teardown_follows_an_assert
order.broken.teardown_follows_an_assert" ]
	"$program" signs_are once | grep -qx '1\.\.2'
}

a_test_of_some_variants_is_none_of_the_others() {
	is order.two.is_about_two_alone ok
	[ "$("$program" -l is_about)" = order.two.is_about_two_alone ]
	! HARNESS_OF_NONE=1 "$program" signs_are >"$log.none" 2>&1 || fail 'a test of no variant is well'
	grep -qx 'order.is_about_two_alone: no variant is like that' "$log.none" || fail "$(cat "$log.none")"
}

plan 14
t the_plan_is_kept_and_numbers_run
t failures_make_the_exit_status
t passes_and_failures_are_told_apart
t expect_goes_on_and_assert_ends
t both_values_are_printed
t every_comparison_is_noted
t values_cannot_forge_results
t a_skip_has_its_reason_on_one_line
t time_limits_hold
t signals_and_early_exits_are_failures
t strays_are_killed
t fixtures_and_variants_do_as_they_say
t tests_are_chosen_by_a_part_of_their_name
t a_test_of_some_variants_is_none_of_the_others
finish
