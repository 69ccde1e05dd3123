#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2317,SC2119 # the functions are run by name
#
# PINs typed at the reader: the real client, broker, driver and virtual reader, at each exchange
# level. A person is a line written to the keypad's FIFO, which blocks until the reader asks.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_pin=314159265358
stage_puk=271828182845

# types KEYS: at the next entry, in the background.
types() {
	as_background service timeout 60 sh -c "printf '$1' >run/keypad"
	typist=$!
}
card() { as client keyferry card "$@" >mail/out 2>mail/err; }
tries() { as client keyferry card show | sed -n 's/^PIN tries left *//p'; }
# says CODE TEXT COMMAND...: the command ends with CODE and TEXT is in what it says.
says() {
	code=0
	want=$1
	text=$2
	shift 2
	"$@" || code=$?
	wait "$typist" 2>/dev/null || :
	[ "$code" = "$want" ] || fail "status $code: $(cat mail/err)"
	grep -q "$text" mail/out mail/err || fail "$(cat mail/err)"
}

the_card_is_shown_with_its_pin_pad() {
	as client keyferry card show | grep -q '^PIN pad  *verify change$'
}

a_pin_typed_at_the_reader_is_verified() {
	types "$stage_pin\n"
	says 0 'The PIN is right' card pin verify --pinpad
}

digits_can_be_taken_back_before_ok() {
	types "99<<$stage_pin\n"
	says 0 'The PIN is right' card pin verify --pinpad
}

a_wrong_pin_at_the_reader_costs_a_try() {
	types '000000\n'
	says 5 'tries left: 2' card pin verify --pinpad
	[ "$(tries)" = 2 ]
}

a_right_one_gives_it_back() {
	types "$stage_pin\n"
	says 0 'The PIN is right' card pin verify --pinpad
	[ "$(tries)" = 3 ]
}

a_pin_is_changed_at_the_reader() {
	types "314159265358\n$stage_pin\n$stage_pin\n"
	says 0 'The PIN is changed' card pin change --pinpad
	types "$stage_pin\n"
	says 0 'The PIN is right' card pin verify --pinpad
	echo "$stage_pin" >mail/pin
	card pin verify --pin-fd 3 3<mail/pin
}

two_different_new_pins_change_nothing() {
	types "$stage_pin\n111111\n222222\n"
	says 1 'two new PINs typed at the keypad differ' card pin change --pinpad
	[ "$(tries)" = 3 ]
}

too_few_digits_are_no_pin() {
	types '12\n'
	says 1 'too few digits' card pin verify --pinpad
	[ "$(tries)" = 3 ]
}

the_red_key_cancels_and_costs_no_try() {
	types '123c'
	says "$cancelled" "cancelled at the reader's keypad" card pin verify --pinpad
	[ "$(tries)" = 3 ]
}

nobody_types_and_it_ends_by_itself() {
	typist=
	says "$late" "nobody typed" card pin verify --pinpad --timeout 8
	[ "$(tries)" = 3 ]
}

# Ctrl-C: the entry ends, the card is there, and the keys work again.
a_client_that_gives_up_ends_the_entry() {
	as_background client keyferry card pin verify --pinpad >mail/out 2>mail/err
	client=$!
	as service timeout 60 sh -c "printf '31' >run/keypad"	# blocks until the reader asks
	kill -INT "$client"
	if wait "$client"; then fail "it did not give up"; fi
	grep -q 'cancelled' mail/err || fail "$(cat mail/err)"
	types "$stage_pin\n"
	says 0 'The PIN is right' card pin verify --pinpad
}

wrong_pins_at_the_reader_stop_before_the_last_try() {
	types '000000\n'
	says 5 'tries left: 2' card pin verify --pinpad
	types '000000\n'
	says 5 'tries left: 1' card pin verify --pinpad
	typist=
	says 5 'last' card pin verify --pinpad
	says 5 'last' card pin change --pinpad
	types "$stage_pin\n"
	says 0 'The PIN is right' card pin verify --pinpad --allow-last-try
}

# running NAME: the pids of the stage's programs of that name.
running() {
	for exe in /proc/[0-9]*/exe; do
		[ "$(readlink "$exe")" != "$stage/bin/$1" ] || basename "${exe%/exe}"
	done
}

no_process_of_the_host_remembers_the_pin() {
	[ "$(id -u)" = 0 ] || skip "needs root to look into other processes"
	[ -x /usr/bin/python3 ] || skip "needs python3"
	if sanitized; then skip "sanitizers keep what is freed"; fi
	types "$stage_pin\n"
	says 0 'The PIN is right' card pin verify --pinpad
	for name in keyferryd keyferry-broker keyferry-driver; do
		pids=$(running "$name")
		[ -n "$pids" ] || fail "no $name to look into"
		for pid in $pids; do
			if holds "$pid"; then fail "$name has the PIN"; fi
		done
	done
	holds "$(running keyferry-vreader)" || fail "control: the card itself must have it"
}
# holds PID: the PIN is in the memory of the process.
holds() {
	/usr/bin/python3 - "$1" "$stage_pin" <<'PY'
import sys
pid, pin = sys.argv[1], sys.argv[2].encode()
hit = False
for line in open(f'/proc/{pid}/maps'):
    f = line.split()
    if 'r' not in f[1] or f[-1].startswith('[v'):
        continue
    lo, hi = (int(x, 16) for x in f[0].split('-'))
    try:
        with open(f'/proc/{pid}/mem', 'rb', 0) as m:
            m.seek(lo)
            hit |= pin in m.read(hi - lo)
    except OSError:
        pass
sys.exit(0 if hit else 1)
PY
}

a_reader_without_a_keypad_says_so() {
	typist=
	says "$unsupported" 'no keypad' card pin verify --pinpad
	says "$unsupported" 'no keypad' card pin change --pinpad
	if as client keyferry card show | grep -q '^PIN pad.*verify'; then fail "it is shown"; fi
}

# at LEVEL NAME: the same test at another level, under a name that tells.
at() {
	level_of=$(echo "$1" | tr - _)
	eval "${2}_at_$level_of() { $2; }"
	t "${2}_at_$level_of"
}

cancelled=1 late=1 unsupported=1
plan 27
for level in extended short tpdu-t0 tpdu-t1; do
	stage_pin=314159265358
	stage_up --level "$level" --keypad run/keypad
	at "$level" a_pin_typed_at_the_reader_is_verified
	at "$level" a_wrong_pin_at_the_reader_costs_a_try
	at "$level" a_right_one_gives_it_back
	stage_pin=2718281828
	at "$level" a_pin_is_changed_at_the_reader
	if [ "$level" = extended ]; then
		t the_card_is_shown_with_its_pin_pad
		t digits_can_be_taken_back_before_ok
		t two_different_new_pins_change_nothing
		t too_few_digits_are_no_pin
		t the_red_key_cancels_and_costs_no_try
		t nobody_types_and_it_ends_by_itself
		t a_client_that_gives_up_ends_the_entry
		t no_process_of_the_host_remembers_the_pin
		t wrong_pins_at_the_reader_stop_before_the_last_try
	fi
	[ "$level" != tpdu-t1 ] || at "$level" a_client_that_gives_up_ends_the_entry
	stage_down
done
stage_up
t a_reader_without_a_keypad_says_so
finish
