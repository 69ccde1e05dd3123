#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The server's subcommands as a person types them: what they say, their exit codes, and that a
# second seal, a wrong passphrase or somebody else's receipt gets nowhere. The card is real enough:
# keyferry-vreader behind keyferryd.
#
# Faces: tools/server_state.c tools/cmd.c
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

desk keyferry keyferryd keyferry-broker keyferry-driver keyferry-vreader

echo 'injector words' >injector.pass
echo 'key words' >key.pass
echo 'other words' >wrong.pass
{
	kf server init --state server --passphrase-fd 3 3<injector.pass &&
		"$bin/keyferry-vreader" personalise --state card --serial KF-1 --pin 123456 \
			--puk 12345678 --injector server/injector.pub.pem &&
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out plain.pem &&
		openssl pkcs8 -topk8 -in plain.pem -passout file:key.pass -out key.pem
} >setup 2>&1 || { cat setup; exit 1; }
"$bin/keyferry-vreader" run --state card --listen "$dir/reader.sock" >reader.log 2>&1 &
pids="$pids $!"
until_ok test -S reader.sock
"$bin/keyferryd" --socket "$KEYFERRY_SOCKET" --virtual "$dir/reader.sock" >daemon.log 2>&1 &
pids="$pids $!"

every_command_explains_itself() {
	for c in 'server init' 'server enroll' 'server list' 'server show' 'server crl' 'server forget' challenge \
		seal 'receipt verify'; do
		# shellcheck disable=SC2086 # words
		code 0 kf $c --help
		says "^usage: keyferry $c"
	done
	for c in server receipt; do
		code 0 kf "$c" --help
		code 2 kf "$c"
		code 2 kf "$c" nonsense
	done
}

a_wrong_command_line_is_exit_code_2() {
	code 2 kf server init
	code 2 kf server forget --state server
	code 2 kf challenge --state server --device KF-1
	code 2 kf challenge --state server --device KF-1 -o c --ttl soon
	code 2 kf seal --state server --offer o --key k
	code 2 kf seal --state server --offer o --key k -o c --usage exchange
	code 2 kf seal --state server --offer o --key k -o c --archive-out a
	code 2 kf seal --state server --offer o --key k -o c --device KF-1 --any-genuine
	code 2 kf seal --state server --offer o --key k -o c --replace 12
	code 2 kf receipt verify --state server
}

a_state_is_made_once_and_private() {
	code 1 kf server init --state server
	says 'rule: '
	says 'next: '
	[ "$(stat -c %a server)" = 700 ]
	[ "$(find server -type f ! -perm 600)" = '' ]
	grep -q ENCRYPTED server/injector.pem
}

a_virtual_card_is_enrolled_on_purpose_only() {
	code 1 kf server enroll --state server --cert card/card.pem --root card/root.pem
	says virtual
	code 1 kf challenge --state server --device KF-1 -o c1
	says 'enroll it first'
	code 0 kf server enroll --state server --cert card/card.pem --root card/root.pem \
		--allow-virtual
	code 0 kf server list --state server
	says '^KF-1 *keyferry *virtual *ok *[0-9a-f]\{64\}$'
	kf server list --state server --json | grep -q '"serial": "KF-1"'
	code 0 kf server show --state server --device KF-1
	says 'fingerprint: '
}

# A SmartCard-HSM is told by the form of its certificates.
a_smartcard_hsm_is_enrolled_listed_and_forgotten() {
	"$bin/keyferry-vreader" personalise --app schsm --state hsm --serial A1
	code 1 kf server enroll --state server --cert hsm/device.cvc --root hsm/root.cvc
	says 'is virtual: software'
	code 1 kf server enroll --state server --cert hsm/device.cvc --root card/root.pem --allow-virtual
	says 'the root is no card-verifiable certificate'
	code 1 kf server enroll --state server --cert hsm/device.cvc --root hsm/root.cvc --allow-virtual \
		--crl hsm/root.cvc
	says 'no revocation lists'
	code 0 kf server list --state server
	! grep -q ZZVIRT said || fail 'it is listed before it is enrolled'
	code 0 kf server enroll --state server --cert hsm/device.cvc --root hsm/root.cvc --allow-virtual
	code 0 kf server list --state server
	says '^ZZVIRTA1 *schsm *virtual *ok *[0-9a-f]\{64\}$'
	says '^KF-1 *keyferry '
	code 0 kf server show --state server --device ZZVIRTA1
	says '^card: *schsm'
	code 0 kf server show --state server --device ZZVIRTA1 --json
	says '"card": "schsm"'
	code 1 kf server forget --state server --device KF-1
	says 'no SmartCard-HSM KF-1'
	code 0 kf server forget --state server --device ZZVIRTA1
	code 1 kf server show --state server --device ZZVIRTA1
	code 1 kf server forget --state server --device ZZVIRTA1 --json
	says '"why": "no SmartCard-HSM ZZVIRTA1 is enrolled"'
}

failures_are_one_json_object_too() {
	code 1 kf challenge --state server --device NOBODY -o c1 --json
	says '"why": "no card NOBODY is enrolled"'
	code 1 kf server list --state nowhere --json
	says '"errno": 2'
}

# one_object: what was said is one JSON text and nothing else
one_object() { python3 -c 'import json, sys; json.load(sys.stdin)' <said; }

a_list_that_breaks_off_is_one_json_object_too() {
	kf server init --state torn
	kf server enroll --state torn --cert card/card.pem --root card/root.pem --allow-virtual
	code 0 kf server list --state torn --json
	one_object
	echo '{' >torn/devices/ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff.json
	chmod 600 torn/devices/*
	code 1 kf server list --state torn --json
	says '"error": {'
	one_object
}

seal() { kf seal --state server --offer offer --key key.pem "$@"; }

passphrases_are_needed_and_judged() {
	kf challenge --state server --device KF-1 -o challenge
	until_ok kf card show
	kf offer --challenge challenge --container 1 -o offer
	code 5 setsid "$bin/keyferry" seal --state server --offer offer --key key.pem -o cargo
	says 'no terminal to ask on'
	code 5 seal -o cargo --injector-passphrase-fd 3 3<wrong.pass
	code 5 seal -o cargo --injector-passphrase-fd 3 --passphrase-fd 4 3<injector.pass \
		4<wrong.pass
	says 'does not open the private key'
	[ ! -e cargo ]
}

the_shared_keys_of_an_encrypted_state_ask_for_its_passphrase() {
	code 5 setsid "$bin/keyferry" server shared --state server --serial KF-1 -o shared
	says 'no terminal to ask on'
	code 5 kf server shared --state server --serial KF-1 -o shared --passphrase-fd 3 3<wrong.pass
	[ ! -e shared ] && [ ! -e server/master.key ]
	code 0 kf server shared --state server --serial KF-1 -o shared --passphrase-fd 3 3<injector.pass
	grep -qx -- '-----BEGIN ENCRYPTED KEYFERRY MASTER-----' server/master.key
	rm shared
}

an_offer_is_sealed_once_and_its_receipt_proves_it() {
	code 1 seal -o cargo --device KF-2 --injector-passphrase-fd 3 3<injector.pass
	code 0 seal -o cargo --device KF-1 --usage derive --injector-passphrase-fd 3 \
		--passphrase-fd 4 3<injector.pass 4<key.pass
	says '^grade: *A-virtual'
	says '^sender: *signed'
	code 1 seal -o again --injector-passphrase-fd 3 --passphrase-fd 4 3<injector.pass \
		4<key.pass
	says 'used before'
	[ ! -e again ]
	echo 123456 | kf inject cargo -o receipt --pin-fd 0
	code 0 kf receipt verify --state server receipt
	says '^proved: *1 of 1'
	says '^grade: *A-virtual'
	code 0 kf receipt verify --state server --device KF-1 --json receipt
	says '"proved": true'
}

the_key_is_in_neither_cargo_nor_state() {
	openssl pkey -in plain.pem -text -noout | sed -n '/priv:/,/pub:/p' | tr -d ' :\n' |
		sed 's/priv//; s/pub//' >scalar
	[ "$(wc -c <scalar)" -ge 64 ]
	for f in cargo receipt offer $(find server -type f); do
		! od -An -v -tx1 "$f" | tr -d ' \n' | grep -qF "$(cat scalar)" || fail "it is in $f"
		! grep -qF "$(cat scalar)" "$f" || fail "it is in $f"
	done
}

a_receipt_nobody_waits_for_is_refused() {
	kf server init --state other
	code 1 kf receipt verify --state other receipt
	says 'sealed no cargo'
	sed 's/"receipt": "\(....................\)./"receipt": "\1_/' receipt >bent
	code 1 kf receipt verify --state server bent
	says 'the receipt is refused'
}

plan 12
t every_command_explains_itself
t a_wrong_command_line_is_exit_code_2
t a_state_is_made_once_and_private
t a_virtual_card_is_enrolled_on_purpose_only
t a_smartcard_hsm_is_enrolled_listed_and_forgotten
t failures_are_one_json_object_too
t a_list_that_breaks_off_is_one_json_object_too
t passphrases_are_needed_and_judged
t the_shared_keys_of_an_encrypted_state_ask_for_its_passphrase
t an_offer_is_sealed_once_and_its_receipt_proves_it
t the_key_is_in_neither_cargo_nor_state
t a_receipt_nobody_waits_for_is_refused
finish
