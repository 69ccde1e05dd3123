#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2317,SC2119 # the functions are run by name
#
# A reader with two slots: each is a reader to clients, and what happens in one is felt in the other
# as a wait at most.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

pin=123456

# two NAME OPTION...: a reader with two cards as virtual:NAME.
two() {
	name=$1
	shift
	as_background service keyferry-vreader run --state "$name.0" --state "$name.1" \
		--listen "run/$name.sock" "$@" >>mail/reader.log 2>&1
	reader=$!
}
# personalise NAME: its two cards.
personalise() {
	for i in 0 1; do
		mkdir "$1.$i"
		chmod 700 "$1.$i"
		[ "$(id -u)" != 0 ] || chown "$uid_service:$uid_service" "$1.$i"
		as service keyferry-vreader personalise --state "$1.$i" --serial "KF-$1-$i" \
			--pin "$pin" --puk 12345678 >/dev/null
	done
}
# until_ok COMMAND...
until_ok() {
	tries=0
	until "$@" >mail/until 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || fail "never: $* $(cat mail/until)"
		sleep 0.1
	done
}
card_in() { as client keyferry card show --reader "$1" | grep -q "^serial  *$2\$"; }
is_empty() { as client keyferry reader list | grep "^$1  *empty"; }
verify() {
	echo "$pin" >mail/pin
	as client keyferry card pin verify --reader "$1" --pin-fd 3 3<mail/pin
}

each_slot_is_a_reader_with_a_card_of_its_own() {
	until_ok card_in virtual:two KF-two-0
	until_ok card_in 'virtual:two slot 1' KF-two-1
}

each_card_has_a_pin_of_its_own() {
	echo 000000 >mail/pin
	if as client keyferry card pin verify --reader 'virtual:two slot 1' --pin-fd 3 3<mail/pin; then
		fail "a wrong PIN was right"
	fi
	as client keyferry card show --reader 'virtual:two slot 1' | grep '^PIN tries left  *2$'
	as client keyferry card show --reader virtual:two | grep '^PIN tries left  *3$'
	verify virtual:two
	verify 'virtual:two slot 1'
}

# The card beside it stays, and so does its driver; the next card gets a fresh one.
a_card_pulled_from_one_slot_leaves_the_other() {
	driver=$(driver_of virtual:two)
	/bin/kill -s USR1 -q 1 "$reader"
	until_ok is_empty 'virtual:two slot 1'
	card_in virtual:two KF-two-0
	[ "$(driver_of virtual:two)" = "$driver" ] || fail "the driver went"
	/bin/kill -s USR2 -q 1 "$reader"
	until_ok card_in 'virtual:two slot 1' KF-two-1
	until_ok card_in virtual:two KF-two-0
	[ "$(driver_of virtual:two)" != "$driver" ] || fail "one driver met two cards"
}
driver_of() { pgrep -f "keyferry-driver .*--name $1( |\$)"; }

# Slot 0 hangs at its eighth command; slot 1 waits for it to be given up, and works all the time.
a_hostile_slot_costs_the_other_a_wait_and_nothing_else() {
	until_ok card_in 'virtual:bad slot 1' KF-bad-1
	as_background client sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do
		keyferry card show --reader virtual:bad --timeout 3 || exit; done' >mail/bad 2>&1
	hostile=$!
	n=0
	while kill -0 "$hostile" 2>/dev/null; do
		verify 'virtual:bad slot 1'
		n=$((n + 1))
	done
	if wait "$hostile"; then fail "the hostile card answered all $n times"; fi
	grep -q 'outcome is unknown' mail/bad || fail "$(cat mail/bad)"
	verify 'virtual:bad slot 1'
	card_in virtual:reader "$stage_serial"
}

plan 4
stage_readers="two bad"
stage_up
personalise two
personalise bad
two bad --misbehave hang=8
two two
t each_slot_is_a_reader_with_a_card_of_its_own
t each_card_has_a_pin_of_its_own
t a_card_pulled_from_one_slot_leaves_the_other
t a_hostile_slot_costs_the_other_a_wait_and_nothing_else
finish
