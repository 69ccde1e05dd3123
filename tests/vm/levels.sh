#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The whole service on real USB: keyferryd, broker, driver and the keyferry tool against the virtual reader
# as a gadget on dummy_hcd, at each exchange level, with an interrupt endpoint and without, with two
# slots, with a keypad, at high speed and at full speed. The service stays up while readers come and go;
# each comes empty and is then given its card. A key is carried into it at level tpdu-t0, with KF_FULL
# also at tpdu-t1: the card makes an RSA key for that, which takes its time without KVM.
. "${KF_SRC:=$(pwd)}/tests/vm/rig.sh"
. "$KF_SRC/tests/vm/service.sh"

if outside; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	make_card card KF-LEVELS-1
	make_card other KF-LEVELS-2
	rig_service --timeout 600 --modules 'dummy_hcd usb_f_fs' \
		--file "$dir/card:/srv/card" --file "$dir/other:/srv/other" -- ${KF_FULL:+full}
fi
full_run=${1:-}

# plug OPTION...: one reader on the bus, until unplug or the next one.
plug() {
	leave
	keyferry-vreader run --state /srv/card --gadget --empty "$@" 2>/tmp/reader.err &
	reader=$!
	echo "$reader" >/tmp/reader.pid
	vm_wait 60 is_empty || fail "not served: $(cat /tmp/reader.err; said)"
	kill -USR2 "$reader"
	client keyferry reader wait --timeout 60 >/dev/null ||
		fail "no card: $(cat /tmp/reader.err; said)"
}

# Whom a failed test has left behind still has the card.
leave() {
	[ -e /tmp/reader.pid ] || return 0
	kill "$(cat /tmp/reader.pid)" 2>/dev/null || return 0
	vm_wait 20 is_gone
}

is_gone() {
	! kill -0 "$(cat /tmp/reader.pid)" 2>/dev/null
}

is_empty() {
	client keyferry reader list | grep '1:1\.0  *empty'
}

unplug() {
	kill "$reader"
	wait "$reader"
}

speed_is() {
	[ "$(cat /sys/bus/usb/devices/1-1/speed)" = "$1" ]
}

# works SPEED LEVEL OPTION...
works() {
	speed=$1
	shift
	plug --level "$@"
	speed_is "$speed"
	client keyferry card show --timeout 120 | grep '^serial  *KF-LEVELS-1$'
	with_pin keyferry card pin verify --timeout 120
	[ -e /tmp/public.1 ] || makes_a_key 1
	signs 1
	# An item is longer than a short APDU.
	case $* in
	short) takes_a_sealed_key 4 KF-LEVELS-1 2048 ;;
	tpdu-t0) takes_a_sealed_key 2 KF-LEVELS-1 2048 ;;
	tpdu-t1) [ -z "$full_run" ] || takes_a_sealed_key 3 KF-LEVELS-1 2048 ;;
	esac
	unplug
}

# The PIN is typed at the next entry.
a_pin_typed_at_the_reader() {
	plug --keypad /tmp/keypad --level "$@"
	echo "$pin" >/tmp/keypad &
	client keyferry card pin verify --pinpad --timeout 120
	unplug
}

# name SLOT: as the list has it.
name() {
	client keyferry reader list | sed -n "s/^\\([^ ]*:1\\.0$1\\)  *\\(card\\|empty\\) .*/\\1/p"
}

two_slots() {
	plug --state /srv/other --level "$@"
	for slot in '' ' slot 1'; do
		client keyferry reader wait --reader "$(name "$slot")" --timeout 60 ||
			fail "$(client keyferry reader list; said)"
		client keyferry card show --reader "$(name "$slot")" >/tmp/shown
		grep "^serial  *KF-LEVELS-$([ -z "$slot" ] && echo 1 || echo 2)\$" /tmp/shown
		with_pin keyferry card pin verify --reader "$(name "$slot")"
	done
	unplug
}

# full: from here on the bus is full speed.
full() {
	rmmod dummy_hcd
	modprobe dummy_hcd is_high_speed=0
}

# at NAME FUNCTION ARGUMENT...
at() {
	case=$1
	shift
	eval "$case() { $*; }"
	t "$case"
}

plan 12
service_up
at level_short_at_high_speed works 480 short
at level_extended_at_high_speed_without_interrupts works 480 extended --no-interrupt
at level_tpdu_t0_at_high_speed works 480 tpdu-t0
at level_tpdu_t1_at_high_speed_without_interrupts works 480 tpdu-t1 --no-interrupt
at a_keypad_at_level_extended_at_high_speed a_pin_typed_at_the_reader extended
at two_slots_at_level_tpdu_t1_at_high_speed two_slots tpdu-t1
full
at level_short_at_full_speed_without_interrupts works 12 short --no-interrupt
at level_extended_at_full_speed works 12 extended
at level_tpdu_t0_at_full_speed_without_interrupts works 12 tpdu-t0 --no-interrupt
at level_tpdu_t1_at_full_speed works 12 tpdu-t1
at a_keypad_at_level_tpdu_t1_at_full_speed a_pin_typed_at_the_reader tpdu-t1
at two_slots_at_level_extended_at_full_speed_without_interrupts two_slots extended --no-interrupt
finish
