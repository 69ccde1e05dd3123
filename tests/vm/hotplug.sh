#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Real USB, by QEMU: its own reader is plugged and unplugged under a running keyferryd --usb with the
# real driver. hotplug-inside.sh does it, in one virtual machine; each thing it saw is a test here. With
# KF_FULL a hundred cycles instead of thirty.
#
# Catalogue: H1, H2, H8, H9, H12, H15, H18, H19
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

vm=$KF_SRC/scripts/vm
bin=${KF_BUILD:-build}/bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$vm" prepare initramfs 2>"$dir/why"
case $? in
0) ;;
77) skip_all "$(cat "$dir/why")" ;;
*)
	cat "$dir/why" >&2
	exit 1
	;;
esac

"$vm" run --script "$KF_SRC/tests/vm/hotplug-inside.sh" --prog "$bin/keyferryd" \
	--prog "$bin/keyferry" --prog "$bin/keyferry-broker" --prog "$bin/keyferry-driver" \
	--prog "${KF_BUILD:-build}/tests/vm/holder" --modules 'xhci-pci usbhid' \
	--qemu-args '-device qemu-xhci,id=usb' --timeout 900 \
	-- "$([ -n "${KF_FULL:-}" ] && echo 100 || echo 30)" >"$dir/out" 2>"$dir/err"
echo "hotplug-inside.sh ended with $?" >>"$dir/out"
grep '^status: ' "$dir/out" | sed 's/^status: /# /'

seen() {
	if grep -q "^no $1" "$dir/out" || ! grep -qx "yes $1" "$dir/out"; then
		cat "$dir/out"
		tail -n 20 "$dir/err"
		fail "not seen"
	fi
}

tests='a_reader_that_is_there_at_the_start_is_served
one_that_is_unplugged_is_gone
it_has_its_name_again_after_a_replug
a_second_of_its_kind_is_another_reader
a_killed_driver_is_followed_by_another
and_it_serves_the_reader
nobody_takes_a_reader_from_us
a_keyboard_keeps_its_driver
a_reader_another_program_holds_is_busy_elsewhere
and_ours_when_it_is_let_go
nobody_wakes_up_while_nothing_happens
many_cycles_leave_nothing_behind
a_node_that_is_not_ours_is_no_access
and_is_served_once_it_is
no_process_of_ours_is_root'

for name in $tests; do
	eval "$name() { seen $name; }"
done
# shellcheck disable=SC2086 # one name a word
set -- $tests
plan $#
for name in "$@"; do
	t "$name"
done
finish
