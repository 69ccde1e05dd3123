#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Somebody else's reader on real USB, with our card in it: QEMU's own usb-ccid, set up as the example in
# keyferry-vreader(1) says, is served by keyferryd --usb in the guest. The card stays outside.
. "${KF_SRC:=$(pwd)}/tests/vm/rig.sh"
. "$KF_SRC/tests/vm/service.sh"

# The card goes into the reader as soon as QEMU has one. Signals for it come by a virtio port.
outside_card() {
	until [ -S "$dir/card.sock" ]; do
		[ -d "$dir" ] || exit
		sleep 0.1
	done
	"$(built bin/keyferry-vreader)" run --state "$dir/card" --vscard "$dir/card.sock" &
	card=$!
	trap 'kill $card 2>/dev/null; exit 1' TERM
	while read -r signal; do kill "-$signal" $card; done <"$dir/hand.out"
	wait $card
}

if outside; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	make_card card KF-QEMU-1
	example=$(sed -n '/^	qemu-system/,/^$/p' "$KF_SRC/docs/man/keyferry-vreader.1.scd" |
		tr -d '\n\\\\+&' | sed "s#^.* -S \(.*\)keyferry-vreader.*#\1#; s#card.sock#$dir/card.sock#")
	mkfifo "$dir/hand.in" "$dir/hand.out"
	outside_card &
	holder=$!
	trap 'kill $holder 2>/dev/null; rm -rf "$dir"' EXIT
	trap 'exit 1' INT TERM
	rig_service --timeout 600 --modules xhci-pci --qemu-args "$example" --qemu-args \
		"-chardev pipe,id=hand,path=$dir/hand -device virtserialport,chardev=hand,name=vm.hand"
fi

# hand SIGNAL: to the card outside.
hand() {
	echo "$1" >"$(vm_port vm.hand)"
}

the_card_in_it_is_shown() {
	service_up
	card_shows | grep '^serial  *KF-QEMU-1$'
	client keyferry reader list | grep QEMU-USB-CCID
}

a_key_is_made_in_it_and_signs() {
	with_pin keyferry card pin verify --timeout 120
	makes_a_key 1
	signs 1
}

a_sealed_key_is_carried_into_it() {
	takes_a_sealed_key 2 KF-QEMU-1 2048
	signs 2
}

slot_is() {
	client keyferry reader list | grep "QEMU-USB-CCID.* $1"
}

a_card_pulled_from_it_is_gone_and_comes_again() {
	hand USR1
	vm_wait 60 slot_is empty || fail "$(client keyferry reader list; said)"
	hand USR2
	card_shows
	signs 2
}

plan 4
t the_card_in_it_is_shown
t a_key_is_made_in_it_and_signs
t a_sealed_key_is_carried_into_it
t a_card_pulled_from_it_is_gone_and_comes_again
finish
