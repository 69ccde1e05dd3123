#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One SmartCard-HSM, now in pcscd's reader with OpenSC, now in keyferry's: each finds the keys and
# certificates that the other made, by the same numbers, and takes the other's wrapped keys.
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/pcsc.sh"
pcsc_enter "$0" "${1:-}" sc-hsm-tool pkcs11-tool pkcs15-tool openssl

. "$KF_SRC/tests/peer/one_card.sh"

one_card

what_opensc_made_we_find() {
	to_opensc
	hsm --initialize --so-pin "$so_pin" --pin "$pin" --dkek-shares 1 --label fleet
	hsm --create-dkek-share share.pbe --password secret1
	hsm --import-dkek-share share.pbe --password secret1
	user --keypairgen --key-type rsa:2048 --id 10 --label rsa
	user --keypairgen --key-type EC:prime256v1 --id 11 --label ec
	user --keypairgen --key-type EC:brainpoolP256r1 --id 13 --label brainpool
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out any
	pkcs15-tool -r 0 --read-public-key 10 -o rsa.pem
	pkcs15-tool -r 0 --read-public-key 11 -o ec.pem
	openssl x509 -new -subj /CN=x -key any -force_pubkey ec.pem -outform der -out cert.der
	hsm --wrap-key rsa.wrapped --key-reference 1 --pin "$pin"
	hsm | grep 'DKEK key check value' >kcv
	to_keyferry
	kf card show >shown
	grep -q fleet shown
	kf container list >listed
	cat listed
	grep -Eq '^ *1 +rsa2048 +sign +generated' listed
	grep -Eq '^ *2 +p256 +sign +generated' listed
	grep -Eq '^ *3 +unknown +sign +generated' listed
	for key in 1:rsa 2:ec; do
		kf container show "${key%:*}" --pubkey -o ours.pem
		openssl pkey -pubin -in "${key#*:}.pem" -outform der -out theirs.der
		openssl pkey -pubin -in ours.pem -outform der | cmp - theirs.der
	done
	kf dkek status >state
	grep -q "$(sed 's/.*: *//; s/://g' kcv)" state || fail "$(cat kcv state)"
}

what_opensc_wrapped_we_unwrap() {
	refused=0
	kf_pin dkek unwrap rsa.wrapped 2>said || refused=$?
	[ "$refused" = 1 ]
	grep -q 'wrapped out again' said
	kf_pin dkek unwrap rsa.wrapped --container 9 --allow-rewrap
	kf container show 9 >shown
	grep -q rsa2048 shown
	kf container show 9 --pubkey -o ours.pem
	openssl pkey -pubin -in ours.pem -outform der | cmp - "$(openssl pkey -pubin -in rsa.pem -outform der -out rsa.der; echo rsa.der)"
	echo "what is signed" >message
	kf_pin key sign --container 9 -i message -o sig
	openssl dgst -sha256 -verify rsa.pem -signature sig message
	# The share file that OpenSC made opens here, too: no share is outstanding, so it is told that.
	refused=0
	printf secret1 | kf dkek import share.pbe --password-fd 0 2>said || refused=$?
	[ "$refused" = 1 ]
	grep -q 'no share is outstanding' said || fail "$(cat said)"
	printf secret2 | kf dkek import share.pbe --password-fd 0 2>said || :
	grep -q 'password is not' said || fail "$(cat said)"
}

# It was made here, and then outside: its word is the same, and no more is said than that.
the_word_for_a_key_that_came_back_says_where_it_was_made() {
	kf container list >listed
	grep -Eq '^ *9 +rsa2048 +sign +generated' listed || fail "$(cat listed)"
	kf card show --cert device.cvc >shown
	kf container attest 9 -o voucher
	"$bin/keyferry" server init --state server
	"$bin/keyferry" server enroll --state server --cert device.cvc --root card/root.cvc --allow-virtual
	"$bin/keyferry" attestation verify voucher --state server --device ZZVIRTA1 >said
	cat said
	grep -q '^attested: *was generated on the card ZZVIRTA1$' said
	grep -q 'does not say whether the key may be wrapped out, nor whether it ever was' said
	! grep -qi 'never\|not left\|only' said || fail "$(cat said)"
}

what_we_made_opensc_finds() {
	kf_pin container create --container 20 --type p256 --usage sign >made
	kf container show 20 --pubkey -o made.pem
	kf_pin container cert store -c 2 -i cert.der
	kf_pin dkek wrap 9 -o blob
	kf_pin dkek unwrap blob --type rsa2048 --container 21 --label unproved --allow-rewrap
	to_opensc
	pkcs15-tool -r 0 -k >keys
	cat keys
	grep -q 'key 20' keys
	id=$(sed -n '/\[key 20\]/,$ s/^[[:space:]]*ID *: *//p' keys | head -n 1)
	pkcs15-tool -r 0 --read-public-key "$id" -o theirs.pem
	openssl pkey -pubin -in theirs.pem -outform der -out theirs.der
	openssl pkey -pubin -in made.pem -outform der | cmp - theirs.der
	user --sign --id "$id" -m ECDSA-SHA256 --signature-format openssl -i message -o sig
	openssl dgst -sha256 -verify made.pem -signature sig message
	pkcs15-tool -r 0 --read-certificate 11 -o back.pem
	openssl x509 -in back.pem -outform der | cmp - cert.der
	grep -q 'Key ref *: 9' keys
	# Of this one nothing tells the public half. The mark in its description is in nobody's way.
	sed -n '/\[unproved\]/,$ p' keys | grep -q 'Key ref *: 21'
	sed -n '/\[unproved\]/,$ p' keys | grep -q 'ModLength *: 2048'
}

plan 4
t what_opensc_made_we_find
t what_opensc_wrapped_we_unwrap
t the_word_for_a_key_that_came_back_says_where_it_was_made
t what_we_made_opensc_finds
finish
