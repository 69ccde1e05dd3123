#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry convert judged by the real sc-hsm-tool, in both directions: what it wrapped becomes a cargo that we
# inject, and a cargo of ours becomes a file that it unwraps. Whether the key that arrived is the key that left,
# openssl says each time, by a signature of the card's.
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/pcsc.sh"
pcsc_enter "$0" "${1:-}" sc-hsm-tool pkcs11-tool pkcs15-tool openssl
. "$KF_SRC/tests/peer/one_card.sh"

one_card
cp "$KF_SRC/tests/keys/rsa2048.pem" own-rsa.key
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out own-ec.key
for key in rsa ec; do
	openssl pkey -in "own-$key.key" -pubout -out "own-$key.pem"
	openssl req -x509 -new -key "own-$key.key" -subj "/CN=$key" -out "own-$key.crt"
done
echo "what is signed" >message
head -c 32 /dev/urandom >share
"$bin/keyferry" server init --state server >/dev/null

# Under a bare share: what a password costs is for who tests that.
the_card_gets_a_dkek() {
	to_keyferry
	printf '%s\n%s\n' "$so_pin" "$pin" | kf card init --dkek-shares 1 --yes --pin-fd 0
	kf dkek import share | grep -q complete
}

sc_hsm_tool_wraps_keys() {
	to_opensc
	user --keypairgen --key-type rsa:2048 --id 10 --label 'their rsa'
	user --keypairgen --key-type EC:prime256v1 --id 11 --label 'their ec'
	for key in 1:10:rsa 2:11:ec; do
		name=${key##*:}
		id=${key%:*}
		pkcs15-tool -r 0 --read-public-key "${id#*:}" -o "$name.pem"
		hsm --wrap-key "$name.wrapped" --key-reference "${key%%:*}" --pin "$pin"
		user --delete-object --type privkey --id "${id#*:}"
	done
	pkcs15-tool -r 0 -k >keys
	! grep -q 'Key ref' keys || fail "they are still there: $(cat keys)"
}

# A key of OpenSC's has no list of its own: whoever takes it says that he knows.
what_it_wrapped_becomes_a_cargo_and_goes_in() {
	to_keyferry
	for key in rsa:20 ec:21; do
		name=${key%:*} at=${key#*:}
		refused=0
		"$bin/keyferry" convert "$name.wrapped" -o "$name.cargo" --state server --container "$at" 2>said || refused=$?
		[ "$refused" = 1 ]
		grep -q 'its list is empty' said || fail "$(cat said)"
		"$bin/keyferry" convert "$name.wrapped" -o "$name.cargo" --state server --container "$at" --allow-rewrap
		grep -q "\"label\": \"their $name\"" "$name.cargo"
		kf_pin inject "$name.cargo" -o "$name.receipt" --allow-rewrap
		"$bin/keyferry" receipt verify --state server "$name.receipt"
		kf_pin key sign --container "$at" -i message -o sig
		openssl dgst -sha256 -verify "$name.pem" -signature sig message
	done
}

# The list that a key gets unless its sender says another has what OpenSC asks for: raw RSA, for it pads by itself, and
# ECDSA with the hash on the card (docs/formats.md 15).
a_cargo_becomes_what_it_unwraps() {
	for key in rsa:30 ec:31; do
		name=${key%:*}
		"$bin/keyferry" seal --card schsm --state server --dkek share --key "own-$name.key" --cert "own-$name.crt" \
			--container "${key#*:}" --name "our $name" -o "own-$name.cargo"
		"$bin/keyferry" convert "own-$name.cargo" -o "own-$name.wrapped"
	done
	to_opensc
	for key in rsa:30:SHA256-RSA-PKCS ec:31:ECDSA-SHA256; do
		name=${key%%:*} at=${key#*:}
		hsm --unwrap-key "own-$name.wrapped" --key-reference "${at%:*}" --pin "$pin"
		pkcs15-tool -r 0 -k >keys_now
		id=$(sed -n "/\[our $name\]/,$ s/^[[:space:]]*ID *: *//p" keys_now | head -n 1)
		[ -n "$id" ] || fail "it is not listed: $(cat keys_now)"
		user --sign --id "$id" -m "${at#*:}" --signature-format openssl -i message -o sig
		openssl dgst -sha256 -verify "own-$name.pem" -signature sig message
		pkcs15-tool -r 0 --read-certificate "$id" -o back.pem
		openssl x509 -in back.pem -outform der -out back.der
		openssl x509 -in "own-$name.crt" -outform der | cmp - back.der
	done
}

# The list is the key's, whoever put it into the card: it does not leave again.
what_was_not_to_leave_does_not() {
	! hsm --wrap-key again.wrapped --key-reference 31 --pin "$pin" || return 1
	[ ! -s again.wrapped ]
}

plan 5
t the_card_gets_a_dkek
t sc_hsm_tool_wraps_keys
t what_it_wrapped_becomes_a_cargo_and_goes_in
t a_cargo_becomes_what_it_unwraps
t what_was_not_to_leave_does_not
finish
