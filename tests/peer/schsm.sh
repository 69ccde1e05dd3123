#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Debian's pcscd and OpenSC with the virtual SmartCard-HSM, as with a real one: from the first
# initialisation to pkcs11-tool's own test. What OpenSC does not offer has its line in
# docs/cards/schsm.md.
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/pcsc.sh"
pcsc_enter "$0" "${1:-}" sc-hsm-tool pkcs11-tool pkcs15-tool openssl

vreader=$(realpath "${KF_BUILD:-build}/bin/keyferry-vreader")
dir=$(mktemp -d)
readers=
# shellcheck disable=SC2086 # a list of process ids
trap 'kill $pcscd $readers 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
so_pin=3537363231383830
pin=648219

# Nobody answers a question: whoever asks one gets the end of its input. Slot 0 is the card, slot 1 another
# of its fleet.
hsm() { timeout 120 sc-hsm-tool -r 0 "$@" </dev/null; }
other() { timeout 120 sc-hsm-tool -r 1 "$@" </dev/null; }
p11() { timeout 120 pkcs11-tool --slot 0 "$@" </dev/null; }
user() { p11 --login --pin "$pin" "$@"; }

# insert SLOT CARD
insert() {
	"$vreader" personalise --app schsm --state "$2" --serial "$2" >/dev/null
	"$vreader" run --state "$2" --vpcd "127.0.0.1:$((35963 + $1))" 2>>reader.err &
	readers="$readers $!"
	pcsc_says "$1" Yes
}

# By pkcs15-tool: pkcs11-tool cannot write down a key on brainpool's curves.
public_key() {
	pkcs15-tool -r 0 --read-public-key "$1" -o "$2.pem"
}

# Where the key with a label is, as sc-hsm-tool wants it.
reference() {
	pkcs15-tool -r 0 -k | sed -n "/\[$1\]/,/Key ref/ s/.*Key ref *: \([0-9]*\).*/\1/p"
}

pcsc_start pcscd.log
insert 0 A1
insert 1 B2
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out peer.key
openssl pkey -in peer.key -pubout -outform der -out peer.der
cp "$KF_SRC/tests/keys/rsa2048.pem" ca.key
openssl req -x509 -new -key ca.key -subj /CN=issuer -out ca.pem
echo "what is signed" >message

a_new_card_says_that_it_is_one() {
	opensc-tool -r 0 -a | grep -q '^3b:fe:18:00:00:81:31:fe:45:80:31:81:54:48:53:4d:31:73:80:21:40:81:07:fa$'
	opensc-tool -r 0 -n | grep -q SmartCard-HSM
	hsm | grep -q 'never been initialized'
}

sc_hsm_tool_initialises_it() {
	hsm --initialize --so-pin "$so_pin" --pin "$pin" --dkek-shares 1 --label fleet
	hsm >out
	grep -q 'User PIN tries left  : 3' out
	grep -q 'SO-PIN tries left    : 15' out
	grep -q '1 share(s) still missing' out
	p11 -L | grep -q 'token label *: fleet'
	p11 -L | grep -q 'serial num *: ZZVIRTA1'
}

# Each opens the share file, which is some seconds of work on the host, so both do at once.
a_share_is_made_and_imported_into_two_cards() {
	other --initialize --so-pin "$so_pin" --pin "$pin" --dkek-shares 1 --label other
	hsm --create-dkek-share share.pbe --password secret1
	other --import-dkek-share share.pbe --password secret1 &
	hsm --import-dkek-share share.pbe --password secret1
	wait $!
	hsm | grep 'DKEK key check value' >kcv
	other | grep 'DKEK key check value' | cmp - kcv
}

pkcs11_tool_makes_keys() {
	user --keypairgen --key-type rsa:2048 --id 10 --label rsa
	user --keypairgen --key-type EC:prime256v1 --id 11 --label ec
	user --keypairgen --key-type EC:secp384r1 --id 12 --label p384
	user --keypairgen --key-type EC:brainpoolP256r1 --id 13 --label brainpool
	public_key 10 rsa
	public_key 11 ec
	public_key 12 p384
	public_key 13 brainpool
}

signatures_verify() {
	user --sign --id 10 -m SHA256-RSA-PKCS -i message -o sig
	openssl dgst -sha256 -verify rsa.pem -signature sig message
	user --sign --id 10 -m SHA256-RSA-PKCS-PSS -i message -o sig
	openssl dgst -sha256 -sigopt rsa_padding_mode:pss -verify rsa.pem -signature sig message
	for key in 11:ec 12:p384 13:brainpool; do
		user --sign --id "${key%:*}" -m ECDSA-SHA256 --signature-format openssl -i message -o sig
		openssl dgst -sha256 -verify "${key#*:}.pem" -signature sig message
	done
}

what_openssl_encrypts_is_decrypted() {
	openssl pkeyutl -encrypt -pubin -inkey rsa.pem -in message -out sealed
	user --decrypt --id 10 -m RSA-PKCS -i sealed -o opened
	cmp message opened
	openssl pkeyutl -encrypt -pubin -inkey rsa.pem -pkeyopt rsa_padding_mode:oaep \
		-pkeyopt rsa_oaep_md:sha256 -in message -out sealed
	user --decrypt --id 10 -m RSA-PKCS-OAEP --hash-algorithm SHA256 -i sealed -o opened
	cmp message opened
}

card_and_openssl_agree() {
	user --derive --id 11 -m ECDH1-DERIVE --input-file peer.der -o ours
	openssl pkeyutl -derive -inkey peer.key -peerkey ec.pem -out theirs
	cmp ours theirs
}

a_certificate_is_written_and_read() {
	openssl req -new -key ca.key -subj /CN=ours -out any.csr
	openssl x509 -req -in any.csr -CA ca.pem -CAkey ca.key -CAcreateserial -force_pubkey rsa.pem \
		-outform der -out cert.der
	user --write-object cert.der --type cert --id 10 --label rsa
	p11 --read-object --type cert --id 10 -o back.der
	cmp cert.der back.der
	pkcs15-tool -r 0 --read-certificate 10 | openssl verify -CAfile ca.pem
}

data_is_stored_for_all_and_for_the_user() {
	echo public >public
	echo secret >secret
	user --write-object public --type data --label public --application-label t
	user --write-object secret --type data --label secret --application-label t --private
	p11 --read-object --type data --label public --application-label t | grep -q public
	user --read-object --type data --label secret --application-label t | grep -q secret
	! p11 --read-object --type data --label secret --application-label t || return 1
}

wrap() {
	hsm --wrap-key "$1.wrapped" --key-reference "$(reference "$1")" --pin "$pin"
}

a_wrapped_key_is_deleted_and_comes_back() {
	wrap rsa
	wrap ec
	user --delete-object --type privkey --id 10
	user --delete-object --type privkey --id 11
	[ -z "$(reference rsa)$(reference ec)" ]
	hsm --unwrap-key rsa.wrapped --key-reference 40 --pin "$pin"
	hsm --unwrap-key ec.wrapped --key-reference 41 --pin "$pin"
	[ "$(reference rsa)$(reference ec)" = 4041 ]
	signatures_verify
	what_openssl_encrypts_is_decrypted
	card_and_openssl_agree
}

a_blob_that_was_changed_is_refused() {
	cp ec.wrapped bad.wrapped
	printf '\125' | dd of=bad.wrapped bs=1 seek=200 conv=notrunc status=none
	! hsm --unwrap-key bad.wrapped --key-reference 50 --pin "$pin" || return 1
	pkcs15-tool -r 0 -k >out
	! grep -q 'Key ref *: 50' out || return 1
}

the_pin_is_changed_blocked_and_unblocked() {
	user --change-pin --new-pin 123456
	for _ in 1 2 3; do
		! p11 --login --pin 000000 -O || return 1
	done
	hsm | grep -q 'User PIN locked\|User PIN tries left  : 0'
	! p11 --login --pin 123456 -O --type privkey || return 1
	p11 --login --login-type so --so-pin "$so_pin" --init-pin --new-pin "$pin"
	user -O --type privkey | grep -q 'label: *rsa'
}

# Signatures, verification and decryption by every mechanism that OpenSC offers for the card.
pkcs11_tools_own_test_passes() {
	user --test >out 2>&1
	cat out
	grep -q 'No errors' out
}

# A fleet has one DKEK: what one card wraps another unwraps.
another_card_with_the_same_share_takes_the_key() {
	other --unwrap-key ec.wrapped --key-reference 1 --pin "$pin"
	timeout 120 pkcs11-tool --slot 4 --login --pin "$pin" --sign --id 11 -m ECDSA-SHA256 \
		--signature-format openssl -i message -o sig
	openssl dgst -sha256 -verify ec.pem -signature sig message
}

plan 14
t a_new_card_says_that_it_is_one
t sc_hsm_tool_initialises_it
t a_share_is_made_and_imported_into_two_cards
t pkcs11_tool_makes_keys
t signatures_verify
t what_openssl_encrypts_is_decrypted
t card_and_openssl_agree
t data_is_stored_for_all_and_for_the_user
t a_wrapped_key_is_deleted_and_comes_back
t a_certificate_is_written_and_read
t a_blob_that_was_changed_is_refused
t the_pin_is_changed_blocked_and_unblocked
t pkcs11_tools_own_test_passes
t another_card_with_the_same_share_takes_the_key
finish
