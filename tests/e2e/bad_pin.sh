#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# PINs: a wrong one says how many tries are left, the last is not spent unasked, a blocked one is
# unblocked by the PUK, and a cargo survives all of it.
# shellcheck disable=SC2034,SC2119,SC2154 # for and from stage.sh and bad.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

bad_up
make_key
in_sequence=1	# tries are counted through all of a test

pin() { card_with_pin "$@"; }
tries() { card card show | sed -n "s/^$1 tries left *//p"; }
# tries_are WHICH N
tries_are() {
	left=$(tries "$1")
	[ "$left" = "$2" ] || wrong "$1 has $left tries left instead of $2"
}
# wrong_until N: wrong PINs until that many tries are left
wrong_until() {
	for _ in 1 2 3; do
		[ "$(tries PIN)" -gt "$1" ] || break
		pin 000000 card pin verify --allow-last-try >mail/log 2>&1 || :
	done
	[ "$(tries PIN)" = "$1" ] || fail "there are not $1 tries left after wrong PINs"
}

# Tries are the card's and wrong ones are counted by the broker: each test has both as they were.
alone() {
	rewind base
	stage_service_anew
}

a_wrong_pin_costs_a_try_and_not_the_cargo() {
	alone
	new_cargo 3
	before
	refused 5 'the PIN is wrong; tries left: 2' 'the card' 'the right PIN' -- \
		pin 000000 inject mail/cargo -o mail/nothing
	unchanged
	tries_are PIN 2
	refused 5 'no terminal to ask on' 'never arguments' '--pin-fd' -- \
		as client setsid keyferry inject mail/cargo -o mail/nothing
	unchanged
	inject mail/cargo mail/receipt >mail/log
	server receipt verify --state server mail/receipt >mail/log
	tries_are PIN 3
}

a_new_pin_out_of_bounds_costs_nothing() {
	alone
	before
	bounds='fewer or more bytes than the card takes'
	printf '%s\n123\n' "$stage_pin" >new
	refused 1 "$bounds" 'the card' '4 to 32' -- change new
	printf '%s\n%033d\n' "$stage_pin" 0 >new
	refused 1 "$bounds" 'the card' '4 to 32' -- change new
	printf '%s\n123\n' "$stage_puk" >new
	refused 1 "$bounds" 'the card' '4 to 32' -- unblock new
	refused 1 "$bounds" 'the card' '4 to 32' -- pin 123 card pin verify
	tries_are PIN 3
	tries_are PUK 8
	unchanged
	pin "$stage_pin" card pin verify >mail/log
}
change() { card card pin change --pin-fd 0 <"$1"; }
unblock() { card card pin unblock --pin-fd 0 <"$1"; }

the_last_try_is_not_spent_unasked() {
	alone
	before
	refused 5 'the PIN is wrong; tries left: 2' -- pin 000000 card pin verify
	refused 5 'the PIN is wrong; tries left: 1' -- pin 000000 card pin verify
	refused 5 'one try is left, and this could spend it' policy '--allow-last-try' -- \
		pin 000000 card pin verify
	refused 5 'one try is left' policy '--allow-last-try' -- pin "$stage_pin" card pin verify
	tries_are PIN 1
	printf '%s\nnew-pin-4711\n' "$stage_pin" >new
	refused 5 'one try is left' policy '--allow-last-try' -- change new
	tries_are PIN 1
	unchanged
	pin "$stage_pin" card pin verify --allow-last-try >mail/log
	tries_are PIN 3
}

a_blocked_pin_says_so_and_the_puk_helps() {
	alone
	new_cargo 5
	wrong_until 1
	before
	refused 5 'tries left: 0|the PIN is blocked' 'the card' . -- \
		pin 000000 card pin verify --allow-last-try
	refused 5 'the PIN is blocked' 'the card' 'keyferry card pin unblock' -- \
		pin "$stage_pin" card pin verify --allow-last-try
	refused 5 'the PIN is blocked' 'the card' 'keyferry card pin unblock' -- \
		inject mail/cargo mail/nothing
	tries_are PIN 0
	unchanged
	printf '%s\nnew-pin-4711\n' "$stage_puk" >new
	unblock new >mail/log
	tries_are PIN 3
	pin new-pin-4711 inject mail/cargo -o mail/receipt5 >mail/log
	server receipt verify --state server mail/receipt5 >mail/log
}

too_many_wrong_ones_wait() {
	alone
	wrong_until 1
	pin "$stage_pin" card pin verify --allow-last-try >mail/log
	wrong_until 1
	before
	printf '0000\n12345\n' >new
	refused 5 'the PUK is wrong; tries left: 7' 'the card' 'right PUK' -- unblock new
	# The fifth wrong one of this user was the last: the PUK is not for trying either.
	refused 5 'too many wrong PINs' policy 'wait [0-9]+ seconds' -- unblock new
	refused 5 'too many wrong PINs' policy 'wait [0-9]+ seconds' -- \
		pin "$stage_pin" card pin verify --allow-last-try
	tries_are PUK 7
	tries_are PIN 1
	unchanged
}

plan 5
keep base
rows a_wrong_pin_costs_a_try_and_not_the_cargo
rows a_new_pin_out_of_bounds_costs_nothing
rows the_last_try_is_not_spent_unasked
rows a_blocked_pin_says_so_and_the_puk_helps
rows too_many_wrong_ones_wait
finish
