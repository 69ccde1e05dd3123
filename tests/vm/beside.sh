# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For what compares us with Debian's pcscd on one USB reader, inside a virtual machine with --root tree:
#
#	plug OPTION...		the virtual reader with the card of /srv/card, as a gadget on dummy_hcd
#	unplug
#	pcscd_up, pcscd_down
#
# libccid serves a reader of these ids, which are in its list.

# plug OPTION...: the reader is on the bus when this returns.
plug() {
	[ ! -e /tmp/reader.pid ] || kill "$(cat /tmp/reader.pid)" 2>/dev/null || :
	keyferry-vreader run --state /srv/card --gadget --usb-id 1209:2702 "$@" 2>/tmp/reader.err &
	reader=$!
	echo "$reader" >/tmp/reader.pid
	vm_wait 60 on_the_bus || fail "not on the bus: $(cat /tmp/reader.err)"
}

on_the_bus() {
	cat /sys/bus/usb/devices/*/product | grep 'keyferry virtual reader'
}

unplug() {
	kill "$reader"
	wait "$reader"
}

pcscd_up() {
	mkdir -p /run/pcscd
	pcscd --foreground >/tmp/pcscd.err 2>&1 &
	pcscd=$!
	vm_wait 60 test -S /run/pcscd/pcscd.comm || fail "no pcscd: $(cat /tmp/pcscd.err)"
}

pcscd_down() {
	kill "$pcscd"
	wait "$pcscd" || :
	rm -f /run/pcscd/*
}
