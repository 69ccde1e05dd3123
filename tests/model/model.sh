#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# lifetimes.pml with the transitions of daemon/broker/*.def, under spin: what it claims in each of the
# settings named here, every state of them; then what must be found, a row changed at a time.
#
# shellcheck disable=SC2317 # t calls them by name
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

model=$KF_SRC/tests/model
tables=$KF_SRC/daemon/broker
command -v spin >/dev/null || skip_all "needs spin: scripts/deps.sh check"
command -v gcc >/dev/null || skip_all "needs gcc, for spin"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# verifier NAME SETTING CHANGE [COMPILER FLAG...] makes $dir/NAME/pan.
verifier() {
	at=$dir/$1
	setting=$2
	change=$3
	shift 3
	mkdir "$at"
	cp "$model/lifetimes.pml" "$at"
	awk -v change="$change" -f "$model/promela.awk" "$tables"/*.def >"$at/tables.pml"
	cd "$at"
	spin_flags=
	for word in $setting; do spin_flags="$spin_flags -D$word"; done
	# shellcheck disable=SC2086 # a list of words
	spin $spin_flags -a lifetimes.pml
	gcc -w -O0 -DCOLLAPSE -DMEMLIM=1500 "$@" -o pan pan.c
}

# What pan says of itself: how many states, how long, which claim broke.
figures() {
	grep -E '^pan:1:|states, stored|elapsed time|errors:' "$1" || true
}

# holds SETTING...: no claim breaks in any of these, and every state was seen.
holds() {
	for setting in "$@"; do
		name=$(echo "$setting" | tr ' =' -_)
		(
			verifier "$name" "$setting" '' -DSAFETY
			./pan -m"${depth:-1000000}" -w22 >out || true
		)
		echo "$setting:"
		figures "$dir/$name/out"
		grep -q 'errors: 0$' "$dir/$name/out" || fail "a claim breaks with: $setting"
		! grep -qE 'Search not completed|max search depth' "$dir/$name/out" ||
			fail "not every state was seen with: $setting"
		grep '^row not taken: ' "$dir/$name/out" | sort >"$dir/$name.rows"
	done
}

# finds CLAIM TEXT SETTING CHANGE: with that row another, the claim (a letter of lifetimes.pml) breaks, in
# the assertion that says TEXT. A table that is merely broken breaks another one: there is no row.
finds() {
	name=seeded
	rm -rf "${dir:?}/$name"
	(
		verifier "$name" "$3 ONLY ONLY_$1" "$4" -DSAFETY
		./pan -m1000000 -w22 >out || true
	)
	echo "$4:"
	figures "$dir/$name/out"
	grep '^pan:1: assertion violated' "$dir/$name/out" >"$dir/broke" ||
		fail "claim $1 holds although there is a row: $4"
	grep -qF "$2" "$dir/broke" || fail "it broke in another way than by claim $1, $2"
}

no_handle_is_found_after_disconnect_removal_reset_or_destroy() {
	holds 'KEYS LEAVES FAILS' 'KEYS FAULTS' 'KEYS PULLS' 'KEYS TXNS RESETS CANCELS' 'KEYS CLOSES' 'PINS KEYS'
}

no_pin_of_one_context_serves_another() {
	holds 'PINS LEAVES FAULTS' 'PINS LEAVES TXNS RESETS FAILS' 'PINS CLOSES LEAVES CANCELS FAILS'
}

every_request_is_answered_once() {
	holds 'OPENS CANCELS CLOSES LEAVES HANGS PULLS DEATHS'
}

transactions_cancel_and_unplug_never_wait_for_each_other() {
	holds 'TXNS CANCELS POLITE READERS=2' 'TXNS CANCELS LEAVES HANGS PULLS'
}

# About three times the states of the same with one request a client, so the greater ones in --full alone.
two_requests_of_one_client_do_not_get_into_each_others_way() {
	holds 'MORE KEYS CLOSES' 'MORE TXNS CANCELS LEAVES HANGS PULLS' \
		'MORE OPENS CANCELS CLOSES LEAVES HANGS PULLS DEATHS'
	[ -n "${KF_FULL:-}" ] || return 0
	depth=3000000
	holds 'MORE KEYS FAULTS' 'MORE KEYS PULLS' 'MORE KEYS TXNS RESETS CANCELS' 'MORE PINS LEAVES FAULTS'
}

deadlines_end_what_nobody_cancels() {
	holds 'PINS OPENS DEADLINES HANGS PULLS'
}

nothing_goes_in_circles() {
	for setting in 'TXNS CANCELS POLITE READERS=2' 'TXNS CANCELS LEAVES HANGS PULLS'; do
		name=circles$(echo "$setting" | tr ' =' -_)
		(
			verifier "$name" "$setting DRAINS" '' -DNOREDUCE
			./pan -a -m1000000 -w22 >out || true
		)
		figures "$dir/$name/out"
		grep -q 'errors: 0$' "$dir/$name/out" || fail "it may go on for ever with: $setting"
		! grep -qE 'Search not completed|max search depth' "$dir/$name/out" ||
			fail "not every state was seen"
	done
}

# What the model leaves out: looks at readers, a second key of a context, and what allocation and random
# numbers refuse.
every_row_of_the_tables_was_taken() {
	cat >"$dir/expected" <<-'END'
		row not taken: handle LIVE RELEASE FREE NOTHING
		row not taken: job LOOKS ANSWER DONE NOTHING
		row not taken: job LOOKS CANCEL DONE FAIL
		row not taken: job LOOKS CLIENT_LEFT DONE DROP
		row not taken: job LOOKS DEADLINE LOOKS LATE
		row not taken: job LOOKS SERVED DONE NOTHING
		row not taken: job NEW CLIENT_LEFT DONE DROP
		row not taken: job NEW LOOK LOOKS NOTHING
		row not taken: txn FOR_KEYS KEYS_CAME FOR_KEYS NOTHING
	END
	n=$(find "$dir" -name '*.rows' | wc -l)
	[ "$n" -ge 10 ] || fail "only $n settings told their rows"
	cat "$dir"/*.rows | sort | uniq -c | awk -v n="$n" '$1 == n { sub(/^ *[0-9]+ /, ""); print }' >"$dir/never"
	diff "$dir/expected" "$dir/never"
}

a_stale_handle_after_a_reset_is_found() {
	finds A 'context[x].key_dead' 'KEYS FAULTS' 'context BOUND RESET BOUND NOTHING'
}

a_pin_that_leaks_to_another_client_is_found() {
	finds B 'card[r].pin==link[r].who' 'PINS' 'turn IDLE FOREIGN TRIES NOTHING'
	finds B 'card[r].pin==link[r].who' 'PINS LEAVES' 'security OWNED LEFT CLEAN DISOWN'
	finds B 'card[r].pin==link[r].who' 'PINS FAULTS' 'security CLEAN ANSWERED CLEAN NOTHING'
	finds B 'card[r].pin==link[r].who' 'PINS FAILS' 'turn DROP BAD TRIES DROPPED'
}

a_lost_cancel_is_found() {
	finds D 'waits[0]' 'CANCELS HANGS' 'job AT_CARD CANCEL AT_CARD GIVE_UP'
	finds D 'waits[0]' 'CANCELS OPENS PULLS' 'job PARKED CANCEL PARKED NOTHING'
}

an_end_that_is_forgotten_is_found() {
	finds C 'job[c].given_up' 'PINS CANCELS' 'job TAKEN CANCEL GIVEN_UP NOTHING'
}

a_broken_table_is_not_taken_for_what_is_to_be_found() {
	at=$dir/broken
	mkdir "$at"
	cp "$tables"/*.def "$at"
	sed -i '/^STEP(AT_CARD,  ANSWER/d' "$at/job.def"
	! (tables=$at finds D 'waits[0]' 'CANCELS HANGS' 'job AT_CARD CANCEL AT_CARD GIVE_UP') >"$dir/told" ||
		fail "a lost row was taken for a lost cancel"
	cat "$dir/told"
	grep -qF 'row_!=0' "$dir/broke" || fail "it broke by something else: $(cat "$dir/broke")"
}

a_double_release_on_unplug_is_found() {
	finds C '.running!=' 'PULLS' 'job AT_CARD CONTEXT_ENDED AT_CARD FAIL'
	finds C '.running!=' 'PULLS' 'job AT_CARD CONTEXT_ENDED DONE FAIL'
}

a_deadlock_of_two_transactions_is_found() {
	finds D 'waits[0]' 'TXNS CANCELS POLITE READERS=2' 'txn HELD RAN_OUT HELD NOTHING'
}

a_transaction_without_its_holder_is_found() {
	finds F '[reader[r].holder].state' 'TXNS LEAVES' 'txn HELD HOLDER_LEFT HELD NOTHING'
}

a_reader_held_for_keys_that_are_gone_is_found() {
	finds F '[reader[r].holder].key' 'KEYS FAULTS' 'txn FOR_KEYS KEYS_WENT FOR_KEYS NOTHING'
}

a_file_with_more_than_rows_is_refused() {
	cp "$tables/txn.def" "$dir/bad.def"
	echo 'if (broken) STEP(HELD, BEGUN, HELD, TAKE)' >>"$dir/bad.def"
	! awk -f "$model/promela.awk" "$dir/bad.def" >/dev/null || fail "code among the rows was taken"
	{ cat "$tables/txn.def" && echo 'STEP(HELD, ENDED, HELD, NOTHING)'; } >"$dir/bad.def"
	! awk -f "$model/promela.awk" "$dir/bad.def" >/dev/null || fail "a second row was taken"
	! awk -v change='txn HELD BEGUN HELD TAKE' -f "$model/promela.awk" "$tables/txn.def" >/dev/null ||
		fail "a row that is not there was changed"
	! awk -v change='txn HELD ENDED HOLD CLEAR' -f "$model/promela.awk" "$tables/txn.def" >/dev/null ||
		fail "a state that no row has was taken"
	! awk -v change='txn HELD ENDED NONE CLEARS' -f "$model/promela.awk" "$tables/txn.def" >/dev/null ||
		fail "an action that no row has was taken"
}

plan 18
t no_handle_is_found_after_disconnect_removal_reset_or_destroy
t no_pin_of_one_context_serves_another
t every_request_is_answered_once
t transactions_cancel_and_unplug_never_wait_for_each_other
t two_requests_of_one_client_do_not_get_into_each_others_way
t deadlines_end_what_nobody_cancels
t nothing_goes_in_circles
t every_row_of_the_tables_was_taken
t a_stale_handle_after_a_reset_is_found
t a_pin_that_leaks_to_another_client_is_found
t a_lost_cancel_is_found
t an_end_that_is_forgotten_is_found
t a_broken_table_is_not_taken_for_what_is_to_be_found
t a_double_release_on_unplug_is_found
t a_deadlock_of_two_transactions_is_found
t a_transaction_without_its_holder_is_found
t a_reader_held_for_keys_that_are_gone_is_found
t a_file_with_more_than_rows_is_refused
finish
