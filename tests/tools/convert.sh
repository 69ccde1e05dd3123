#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry convert there and back again, and what it refuses. openssl reads what sc-hsm-tool would.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

desk keyferry

{
	kf server init --state server &&
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem &&
		openssl req -x509 -new -key ec.pem -subj /CN=key -out ec.crt &&
		head -c 32 /dev/urandom >dkek && head -c 16 /dev/urandom >aes &&
		kf seal --card schsm --state server --dkek dkek --container 5 --key ec.pem --cert ec.crt \
			--name 'my key' -o cargo &&
		kf seal --card schsm --state server --dkek dkek --container 5 --raw aes -o aes.cargo &&
		kf seal --card schsm --state server --dkek dkek --container 5 --key ec.pem --ops any \
			--allow-rewrap --cert ec.crt -o loose.cargo
} >setup 2>&1 || { cat setup; exit 1; }

a_wrong_command_line_is_exit_code_2() {
	code 2 kf convert
	code 2 kf convert cargo
	code 0 kf convert cargo -o wrapped
	code 2 kf convert wrapped -o c
	code 2 kf convert wrapped -o c --state server
	code 2 kf convert wrapped -o c --state server --container 5 --usage dance
}

a_cargo_becomes_what_sc_hsm_tool_reads() {
	code 0 kf convert cargo -o wrapped --json
	says '"kind": "wrapped key"'
	openssl asn1parse -inform DER -in wrapped >asn1
	[ "$(grep -c 'd=1 ' asn1)" = 3 ]
	grep -q 'd=1 .* OCTET STRING' asn1
	grep -q 'd=1 .* cont \[ 0 \]' asn1
	grep -q 'UTF8STRING *:my key' asn1
}

a_wrapped_key_becomes_a_cargo() {
	kf convert cargo -o wrapped
	code 0 kf convert wrapped -o again --state server --container 9
	says 'for ever'
	grep -q '"label": "my key"' again && grep -q '"container": 9' again
	for member in blob certificate check_value public_key_sha256; do
		[ "$(grep "\"$member\"" cargo)" = "$(grep "\"$member\"" again)" ] || fail "$member differs"
	done
	[ "$(grep '"sid"' cargo)" != "$(grep '"sid"' again)" ]
	code 0 kf convert wrapped -o again --state server --container 9 --name other --device SC-1
	grep -q '"label": "other"' again && grep -q '"serial": "SC-1"' again
}

what_lets_its_key_leave_takes_insisting() {
	code 1 kf convert loose.cargo -o loose
	says 'its list is empty'
	[ ! -e loose ]
	code 0 kf convert loose.cargo -o loose --allow-rewrap
	code 1 kf convert loose -o again --state server --container 9
	says 'its list is empty'
	code 0 kf convert loose -o again --state server --container 9 --allow-rewrap
}

what_is_no_wrapped_key_is_refused() {
	rm -f c
	code 1 kf convert ec.pem -o c --state server --container 9
	says 'neither such a file nor a cargo'
	kf convert aes.cargo -o aes.wrapped
	code 1 kf convert aes.wrapped -o c --state server --container 9
	kf convert cargo -o wrapped
	head -c 300 wrapped >short
	code 1 kf convert short -o c --state server --container 9
	[ ! -e c ]
}

plan 5
t a_wrong_command_line_is_exit_code_2
t a_cargo_becomes_what_sc_hsm_tool_reads
t a_wrapped_key_becomes_a_cargo
t what_lets_its_key_leave_takes_insisting
t what_is_no_wrapped_key_is_refused
finish
