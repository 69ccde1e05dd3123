#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Other people's programs judge our card: pcscd holds it in vsmartcard's virtual slot, OpenSC's
# opensc-tool talks to it.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/pcsc.sh"
pcsc_enter "$0" "${1:-}"

vreader=$(realpath "${KF_BUILD:-build}/bin/keyferry-vreader")
dir=$(mktemp -d)
reader=
trap 'kill $pcscd $reader 2>/dev/null; rm -rf "$dir"' EXIT
pcsc_start "$dir/pcscd.log"
"$vreader" personalise --state "$dir/card" --serial KF-PCSC --pin 1234 --puk 12345678 >/dev/null
"$vreader" run --state "$dir/card" --vpcd 127.0.0.1:35963 2>"$dir/err" &
reader=$!

tool() {
	timeout 20 opensc-tool -r 0 "$@"
}

the_card_appears_with_its_atr() {
	pcsc_says 0 Yes
	tool -a | grep -q '^3b:df:18:00:81:31:fe:45:80:31:81:73:80:01:c0:57:6b:65:79:66:65:72:72:ed$'
}

the_application_is_selected_and_names_its_serial() {
	tool -s 00A404000AF06B6579666572727901 -s 00CA010000 >"$dir/out"
	[ "$(grep -c 'SW1=0x90, SW2=0x00' "$dir/out")" = 2 ]
	grep -q 'KF-PCSC' "$dir/out"
}

a_pin_is_verified() {
	tool -s 00A404000AF06B6579666572727901 -s 002000810431323334 >"$dir/out"
	[ "$(grep -c 'SW1=0x90, SW2=0x00' "$dir/out")" = 2 ]
}

a_wrong_pin_costs_a_try() {
	tool -s 00A404000AF06B6579666572727901 -s 002000810439393939 >"$dir/out"
	grep -q 'SW1=0x63, SW2=0xC2' "$dir/out"
}

the_card_is_pulled_and_put_back() {
	kill -USR1 "$reader"
	pcsc_says 0 No
	kill -USR2 "$reader"
	pcsc_says 0 Yes
}

the_reader_ends_with_pcscd() {
	kill "$pcscd"
	for _ in $(seq 100); do
		kill -0 "$reader" 2>/dev/null || return 0
		sleep 0.1
	done
	fail "it runs on without pcscd"
}

plan 6
t the_card_appears_with_its_atr
t the_application_is_selected_and_names_its_serial
t a_pin_is_verified
t a_wrong_pin_costs_a_try
t the_card_is_pulled_and_put_back
t the_reader_ends_with_pcscd
finish
