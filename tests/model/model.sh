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

# A setting is words: READERS=2 and DRAINS make another verifier, the others are what each reads.
sizes_of() { echo " $1 " | grep -oE ' (READERS=2|DRAINS)\b' | tr -d '\n'; }
doings_of() { echo " $1" | sed -E 's/ (READERS=2|DRAINS)\b//g; s/^ //'; }

# verifier SETTING: makes what it needs, once; $at is its folder.
verifier() {
	sizes=$(sizes_of "$1")
	for word in $(doings_of "$1"); do
		grep -q "kf_with(\"$word\")" "$model/lifetimes.pml" || fail "no such word: $word"
	done
	at=$dir/pan$(echo "$sizes" | tr ' ' -)
	[ ! -x "$at/pan" ] || return 0
	mkdir "$at"
	awk -f "$model/promela.awk" "$tables"/*.def >"$at/tables.pml"
	for word in $sizes; do echo "#define $word" | tr '=' ' '; done | cat - "$model/lifetimes.pml" >"$at/lifetimes.pml"
	case $sizes in
	*DRAINS*) how= ;;
	*) how=-DSAFETY ;;
	esac
	# To optimize takes longer than it saves; and every step is of things that all can see.
	(
		cd "$at"
		spin -a lifetimes.pml
		gcc -w -O0 -DNOREDUCE -DMEMLIM=1500 ${how:+"$how"} -o pan pan.c
	)
}

# pan SETTING: what it says goes to $dir/out. With DRAINS it looks for circles, too.
pan() {
	verifier "$1"
	case $sizes in
	*DRAINS*) how=-a ;;
	*) how= ;;
	esac
	(cd "$at" && KF_WITH=$(doings_of "$1") ./pan -w22 -m"${depth:-1000000}" ${how:+"$how"}) >"$dir/out" || true
}

# What pan says of itself: how many states, how long, which claim broke.
figures() {
	grep -E '^pan:1:|states, stored|elapsed time|errors:' "$dir/out" || true
}

# holds SETTING...: no claim breaks in any of these, and every state was seen.
holds() {
	for setting in "$@"; do
		echo "$setting:"
		pan "$setting"
		figures
		grep -q 'errors: 0$' "$dir/out" || fail "a claim breaks with: $setting"
		! grep -qE 'Search not completed|max search depth' "$dir/out" ||
			fail "not every state was seen with: $setting"
		grep '^row not taken: ' "$dir/out" | sort >"$dir/$(echo "$setting" | tr ' =' -_).rows"
	done
}

# The same of settings in which nothing happens that a smaller one has not, but more of it at a time.
in_full_holds() {
	[ -z "${KF_FULL:-}" ] || holds "$@"
}

# finds CLAIM TEXT SETTING [CHANGE]: with that row another, the claim (a letter of lifetimes.pml) breaks, in
# the assertion that says TEXT. A table that is merely broken breaks another one: there is no row.
finds() {
	echo "$3${4:+, $4}:"
	KF_CHANGE=${4:+$(awk -v change="$4" -f "$model/promela.awk" "$tables"/*.def)}
	export KF_CHANGE
	pan "$3 ONLY ONLY_$1"
	figures
	grep '^pan:1: assertion violated' "$dir/out" >"$dir/broke" ||
		fail "claim $1 holds although there is: $3${4:+, $4}"
	grep -qF "$2" "$dir/broke" || fail "it broke in another way than by claim $1, $2"
	unset KF_CHANGE
}

no_handle_is_found_after_disconnect_removal_reset_or_destroy() {
	holds 'KEYS LEAVES' 'KEYS FAULTS' 'KEYS PULLS' 'KEYS TXNS RESETS CANCELS' 'KEYS CLOSES' 'PINS KEYS'
	in_full_holds 'KEYS LEAVES FAILS'
}

# Of one client, which has both; then those of two.
to_destroy_one_of_two_keys_leaves_the_other_and_both_end_with_context_card_and_power() {
	holds 'TWO ALONE KEYS LEAVES' 'TWO ALONE KEYS PULLS FAILS' 'TWO ALONE KEYS CLOSES FAULTS' \
		'TWO ALONE KEYS TXNS RESETS CANCELS FAILS' 'TWO ALONE MORE KEYS CLOSES RESETS'
	depth=5000000
	in_full_holds 'TWO ALONE MORE KEYS LEAVES PULLS' 'TWO ALONE MORE KEYS CANCELS FAULTS' 'TWO PINS KEYS' \
		'TWO KEYS CLOSES' 'TWO KEYS LEAVES' 'TWO KEYS PULLS' 'TWO KEYS TXNS RESETS CANCELS'
}

no_pin_of_one_context_serves_another() {
	holds 'PINS FAULTS' 'PINS LEAVES TXNS RESETS' 'PINS CLOSES LEAVES CANCELS FAILS'
	in_full_holds 'PINS LEAVES FAULTS' 'PINS LEAVES TXNS RESETS FAILS'
}

every_request_is_answered_once() {
	holds 'OPENS CANCELS CLOSES LEAVES HANGS PULLS DEATHS'
}

transactions_cancel_and_unplug_never_wait_for_each_other_nor_go_in_circles() {
	holds 'TXNS CANCELS POLITE READERS=2 DRAINS' 'TXNS CANCELS LEAVES HANGS PULLS DRAINS'
}

# About three times the states of the same with one request a client.
two_requests_of_one_client_do_not_get_into_each_others_way() {
	holds 'MORE KEYS CLOSES' 'MORE TXNS CANCELS LEAVES HANGS' 'MORE OPENS CANCELS CLOSES PULLS'
	depth=3000000
	in_full_holds 'MORE TXNS CANCELS LEAVES HANGS PULLS' 'MORE OPENS CANCELS CLOSES LEAVES HANGS PULLS DEATHS' \
		'MORE KEYS FAULTS' 'MORE KEYS PULLS' 'MORE KEYS TXNS RESETS CANCELS' 'MORE PINS LEAVES FAULTS'
}

deadlines_end_what_nobody_cancels() {
	holds 'PINS OPENS DEADLINES HANGS PULLS'
}

# What the model leaves out: looks at readers, and what allocation and random numbers refuse.
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
	! (finds D 'waits[0]' 'CANCELS HANGS' 'job AT_CARD ANSWER') >"$dir/told" ||
		fail "a lost row was taken for a lost cancel"
	cat "$dir/told"
	grep -qF 'row_!=0' "$dir/broke" || fail "it broke by something else: $(cat "$dir/broke")"
}

a_double_release_on_unplug_is_found() {
	finds C '.running!=' 'PULLS' 'job AT_CARD CONTEXT_ENDED AT_CARD FAIL'
	finds C '.running!=' 'PULLS' 'job AT_CARD CONTEXT_ENDED DONE FAIL'
}

a_deadlock_of_two_transactions_is_found() {
	finds D 'waits[0]' 'TXNS CANCELS POLITE READERS=2 DRAINS' 'txn HELD RAN_OUT HELD NOTHING'
}

a_transaction_without_its_holder_is_found() {
	finds F '[reader[r].holder].state' 'TXNS LEAVES' 'txn HELD HOLDER_LEFT HELD NOTHING'
}

a_reader_held_for_keys_that_are_gone_is_found() {
	finds F '[reader[r].holder].key' 'KEYS FAULTS' 'txn FOR_KEYS KEYS_WENT FOR_KEYS NOTHING'
}

# The other key is lost, and the one that is gone is found; or all of them are, or those of everybody.
a_destroy_that_frees_another_key_is_found() {
	finds A 'context[x].key_dead[nth]' 'TWO ALONE KEYS WRONG_KEY'
	finds H 'context[x].key_dead[nth]' 'TWO ALONE KEYS WRONG_KEY'
	finds H 'context[x].key_dead[nth]' 'TWO ALONE KEYS ALL_KEYS'
	finds E '(card[r_].keys&' 'KEYS CLOSES' 'turn CHORE_DESTROY GOOD IDLE WAS_RESET'
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

plan 19
t no_handle_is_found_after_disconnect_removal_reset_or_destroy
t to_destroy_one_of_two_keys_leaves_the_other_and_both_end_with_context_card_and_power
t no_pin_of_one_context_serves_another
t every_request_is_answered_once
t transactions_cancel_and_unplug_never_wait_for_each_other_nor_go_in_circles
t two_requests_of_one_client_do_not_get_into_each_others_way
t deadlines_end_what_nobody_cancels
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
t a_destroy_that_frees_another_key_is_found
t a_file_with_more_than_rows_is_refused
finish
