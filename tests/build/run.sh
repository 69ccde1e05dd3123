#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The runner: whatever can go wrong with a test program makes it fail and is said.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$KF_SRC" || exit 1

# program NAME TEXT: a test program of those lines of shell.
program() {
	printf '#!/bin/sh\n%s\n' "$2" >"$dir/$1"
	chmod +x "$dir/$1"
}

good='echo "KTAP version 1"; echo "1..2"; echo "ok 1 a"; echo "ok 2 b # SKIP no card"'
program good "$good"

# run WANTED-STATUS LAST-LINE ARGUMENTS
run() {
	want=$1 last=$2
	shift 2
	status=0
	tests/run -j 2 -o "$dir" "$@" >"$dir/out" 2>&1 || status=$?
	[ "$(tail -n 1 "$dir/out")" = "$last" ] || fail "$(cat "$dir/out")"
	[ "$status" = "$want" ] || fail "status $status: $(cat "$dir/out")"
}

refuses() {
	program bad "$1"
	run 1 "1 passed, $2 failed, 1 skipped" "$dir/good" "$dir/bad"
	grep -q "$3" "$dir/out" || fail "no '$3' in: $(cat "$dir/out")"
}

a_good_program_is_green() {
	run 0 "1 passed, 0 failed, 1 skipped" "$dir/good"
	grep -q 'ok 2 b # SKIP no card' "$dir/out" || fail "the reason is not shown"
}

sums_go_over_all_programs() {
	run 0 "3 passed, 0 failed, 3 skipped" "$dir/good" "$dir/good" -- "$dir/good"
}

a_failed_test_is_shown() {
	refuses 'echo "KTAP version 1"; echo "1..1"; echo "# want 1"; echo "not ok 1 a"; exit 1' 1 \
		'# want 1'
}

what_failed_is_said_again_before_the_sum() {
	program bad 'echo "KTAP version 1"; echo "1..2"; echo "not ok 1 a"; echo "ok 2 b"; exit 1'
	program dead 'exit 3'
	run 1 "2 passed, 2 failed, 1 skipped" "$dir/bad" "$dir/dead" "$dir/good"
	tail -n 4 "$dir/out" | head -n 3 >"$dir/again"
	printf 'failed: %s\nfailed:   not ok 1 a\nfailed: %s does not speak KTAP (exit status 3)\n' bad dead |
		diff - "$dir/again"
}

a_crash_after_good_results_fails() {
	# shellcheck disable=SC2016 # for the program's shell
	program bad 'echo "KTAP version 1"; echo "1..1"; echo "ok 1 a"; kill -SEGV $$'
	run 1 "2 passed, 1 failed, 1 skipped" "$dir/good" "$dir/bad"
	grep -q "ended with status 139 although no test failed" "$dir/out"
}

a_crash_before_the_end_fails() {
	# shellcheck disable=SC2016 # for the program's shell
	refuses 'echo "KTAP version 1"; echo "1..3"; echo "not ok 1 a"; kill -KILL $$' 2 \
		"planned 3 tests and reported 1\|ran longer"
}

too_many_results_fail() {
	refuses 'echo "KTAP version 1"; echo "1..1"; echo "not ok 1 a"; echo "not ok 2 b"; exit 1' 3 \
		"planned 1 tests and reported 2"
}

results_out_of_order_fail() {
	refuses 'echo "KTAP version 1"; echo "1..1"; echo "not ok 2 a"; exit 1' 2 "out of order"
}

a_program_without_a_test_fails() {
	refuses 'echo "KTAP version 1"; echo "1..0"' 1 "ran no test"
}

a_program_without_ktap_fails() {
	refuses 'echo hello' 1 "does not speak KTAP"
}

a_missing_program_fails() {
	run 1 "1 passed, 1 failed, 1 skipped" "$dir/good" "$dir/missing"
}

a_lying_exit_status_fails() {
	refuses 'echo "KTAP version 1"; echo "1..1"; echo "not ok 1 a"' 2 "ended with status 0"
}

an_endless_program_fails() {
	KF_TEST_LIMIT=1
	export KF_TEST_LIMIT
	refuses 'echo "KTAP version 1"; echo "1..1"; exec sleep 100' 1 "ran longer"
}

a_program_skipped_as_a_whole_is_one_skip() {
	program whole 'echo "KTAP version 1"; echo "1..0 # SKIP needs root"'
	run 0 "1 passed, 0 failed, 2 skipped" "$dir/good" "$dir/whole"
	grep -q 'needs root' "$dir/out"
}

no_test_at_all_is_not_green() {
	run 1 "0 passed, 0 failed, 0 skipped"
	run 1 "0 passed, 0 failed, 0 skipped" -k nothing-like-it "$dir/good"
	run 0 "0 passed, 0 failed, 0 skipped" -z -k nothing-like-it "$dir/good"
}

parts_choose_and_leave_out() {
	program other "$good"
	run 0 "1 passed, 0 failed, 1 skipped" -k other "$dir/good" "$dir/other"
	run 0 "1 passed, 0 failed, 1 skipped" -x other "$dir/good" "$dir/other"
}

# Fails the first time, and leaves word for the second.
flaky() {
	program "$1" "echo 'KTAP version 1'; echo 1..1
		if [ -e '$dir/$1.was' ]; then echo 'ok 1 a'; exit 0; fi
		: >'$dir/$1.was'; echo '# too late'; echo 'not ok 1 a'; exit 1"
}

a_second_try_counts_and_the_first_is_told() {
	flaky late
	run 0 "2 passed, 0 failed, 1 skipped" -r "$dir/good" "$dir/late"
	[ "$(tail -n 2 "$dir/out" | head -n 1)" = "passed only the second time: late" ]
	grep -q '# too late' "$dir/out"
}

who_fails_twice_has_failed() {
	program bad 'echo "KTAP version 1"; echo "1..1"; echo "not ok 1 a"; exit 1'
	run 1 "0 passed, 1 failed, 0 skipped" -r "$dir/bad"
	! grep -q 'second time' "$dir/out"
}

without_being_asked_nobody_has_a_second_try() {
	flaky once
	run 1 "0 passed, 1 failed, 0 skipped" "$dir/once"
}

# The loader's own words, say, have no end of line.
no_line_without_an_end_hides_the_next_program() {
	program noisy "printf 'KTAP version 1\n1..1\nok 1 a\n'; printf x >&2"
	program dead 'exit 139'
	run 1 "1 passed, 1 failed, 0 skipped" "$dir/noisy" "$dir/dead"
	program cut "printf 'KTAP version 1\n1..1\nok 1 a'"
	run 1 "1 passed, 1 failed, 0 skipped" "$dir/cut" "$dir/dead"
}

skipping_is_no_second_try() {
	flaky away
	sed -i "s/echo 'ok 1 a'/echo 'ok 1 a # SKIP no machine'/" "$dir/away"
	run 1 "1 passed, 1 failed, 2 skipped" -r "$dir/good" "$dir/away"
	grep -q 'did not do all of it' "$dir/out"
}

plan 21
t a_good_program_is_green
t sums_go_over_all_programs
t a_failed_test_is_shown
t what_failed_is_said_again_before_the_sum
t a_crash_after_good_results_fails
t a_crash_before_the_end_fails
t too_many_results_fail
t results_out_of_order_fail
t a_program_without_a_test_fails
t a_program_without_ktap_fails
t a_missing_program_fails
t a_lying_exit_status_fails
t an_endless_program_fails
t a_program_skipped_as_a_whole_is_one_skip
t no_test_at_all_is_not_green
t parts_choose_and_leave_out
t a_second_try_counts_and_the_first_is_told
t who_fails_twice_has_failed
t without_being_asked_nobody_has_a_second_try
t no_line_without_an_end_hides_the_next_program
t skipping_is_no_second_try
finish
