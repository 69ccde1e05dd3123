#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry byok wrap --pkcs11, with SoftHSM 2 as the source and, where it cannot be one, with shim.c in front of
# it. 51 is the number in docs/byok.md 8.
#
# Faces: tools/helper.c tools/byok_source.c tools/pkcs11/rv.c tools/pkcs11/token.c tools/pkcs11/selftest.c
# Faces: tools/pkcs11/wrapping.c tools/pkcs11/extract.c
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

open=$KF_SRC/tests/tools/byok_open.py
token=$KF_BUILD/tests/tools/token
[ -x "$token" ] || skip_all "$token is not built"
for p in softhsm2-util pkcs11-tool; do command -v $p >/dev/null || skip_all "needs $p"; done
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || skip_all "needs python3-cryptography"
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do [ ! -e "$module" ] || break; done
[ -e "$module" ] || skip_all "needs libsofthsm2"
desk keyferry keyferry-pkcs11
mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir" >softhsm2.conf
SOFTHSM2_CONF=$dir/softhsm2.conf
export SOFTHSM2_CONF
kid=https://card.vault.localhost:8443/keys/kek/051928341be67dcba03f0e04104d9047
pin=1234
echo "$pin" >words

# wrap MODULE LABEL OPTION...
wrap() {
	with=$1 label=$2
	shift 2
	echo "$pin" | "$bin/keyferry" byok wrap --kek kek.pem --kid "$kid" --insecure-unattested --pkcs11 "$with" \
		--token source --label "$label" --pin-fd 0 -o out "$@"
}
theirs() { /usr/bin/python3 "$open" "$1" "$2" "$3" kek.key out >opened || fail "it does not open"; }
tool() { pkcs11-tool --module "$module" --token-label source --login --pin $pin "$@"; }
# The public half of what was opened is that of the token's key; there are 0 to 7 zeros behind it.
same_as_token() {
	openssl pkey -inform DER -in opened -pubout -outform DER >public
	# pkcs11-tool of OpenSC 0.23 cannot read a point on P-384.
	[ "$1" = ec384 ] || tool --read-object --type pubkey --label "$1" -o theirs
	[ "$1" = ec384 ] || cmp theirs public || fail "another key"
	/usr/bin/python3 -c 'import sys
d = open("opened", "rb").read()
n = d[1] + 2 if d[1] < 128 else int.from_bytes(d[2:2 + d[1] - 128], "big") + 2 + d[1] - 128
assert len(d) - n < 8 and not any(d[n:]), (len(d), n)'
	grep -q "$(sha256sum <public | cut -d' ' -f1)" said || fail "its hash is not told: $(cat said)"
}

build_shim() {
	${CC:-cc} -shared -fPIC -o shim.so "$KF_SRC/tests/tools/shim.c" -lcrypto
}

{
	softhsm2-util --init-token --free --label source --pin $pin --so-pin 12345678 &&
		tool --keypairgen --key-type EC:prime256v1 --label ec --id 01 --sensitive --extractable &&
		tool --keypairgen --key-type EC:secp384r1 --label ec384 --id 02 --sensitive --extractable &&
		tool --keypairgen --key-type rsa:2048 --label rsa --id 03 --sensitive --extractable &&
		tool --keygen --key-type AES:32 --label aes --id 04 --sensitive --extractable &&
		tool --keypairgen --key-type EC:prime256v1 --label fixed --id 05 --sensitive &&
		tool --keygen --key-type AES:16 --label twice --id 06 --extractable &&
		tool --keygen --key-type AES:16 --label twice --id 07 --extractable &&
		tool --keygen --key-type AES:32 --label openaes --id 09 --extractable &&
		tool --keypairgen --key-type rsa:1024 --label small --id 08 --extractable &&
		"$token" trusted "$module" source $pin trusted &&
		"$token" open "$module" source $pin openec p256 &&
		"$token" open "$module" source $pin openec521 p521 &&
		"$token" open "$module" source $pin openrsa rsa &&
		cp "$KF_SRC/tests/keys/rsa2048.pem" kek.key &&
		openssl pkey -in kek.key -pubout -out kek.pem &&
		build_shim
} >setup 2>&1 || { cat setup; exit 1; }
KF_SHIM_MODULE=$module
KF_SHIM_LOG=$dir/log
export KF_SHIM_MODULE KF_SHIM_LOG
# shim KIND LABEL OPTION...
shim() {
	KF_SHIM=$1
	export KF_SHIM
	shift
	: >log
	wrap "$dir/shim.so" "$@"
}

a_wrong_command_line_is_exit_code_2() {
	set -- "$bin/keyferry" byok wrap --kek kek.pem --kid "$kid" --insecure-unattested -o out
	code 2 "$@" --pkcs11 "$module"
	code 2 "$@" --pkcs11 "$module" --token source
	code 2 "$@" --pkcs11 "$module" --token source --label ec --key kek.key
	code 2 "$@" --key kek.key --token source
	code 2 "$@" --key kek.key --allow-extract
	code 2 "$bin/keyferry-pkcs11"
	code 2 "$bin/keyferry-pkcs11" --help
}

byok_5_what_softhsm_wraps_opens() {
	for key in ec ec384 rsa; do
		code 0 wrap "$module" "$key"
		says '^source: wrapped inside the token, under an AES key of its own; the key was never returned'
		says '^note: .* zero bytes behind the key'
		theirs azure sha1 hybrid
		same_as_token "$key"
	done
	code 0 wrap "$module" aes
	theirs azure sha1 hybrid
	[ "$(wc -c <opened)" = 32 ]
	code 0 wrap "$module" aes --format aws --hash sha1
	says 'inside the token, by OAEP alone'
	theirs aws sha1 direct
	[ "$(wc -c <opened)" = 32 ]
}

byok_51_what_may_not_leave_does_not() {
	rm -f out
	code 1 wrap "$module" fixed
	says 'CKA_EXTRACTABLE is false'
	code 1 wrap "$module" fixed --allow-extract
	code 1 wrap "$module" trusted
	says 'CKA_WRAP_WITH_TRUSTED'
	says '  next: have the security officer'
	[ ! -e out ]
}

byok_51_one_name_is_one_key() {
	code 1 wrap "$module" twice
	says 'more than one private or secret key "twice"'
	code 0 wrap "$module" twice --id 07
	code 0 wrap "$module" twice --id 0:7
	for id in 0G 7 '' : "$(printf '%0130d' 0)"; do
		code 2 wrap "$module" twice --id "$id"
	done
	code 2 wrap "$module" ''
	code 1 wrap "$module" nothing
	says 'no private or secret key "nothing"'
	code 1 wrap "$module" small
	says 'do not travel'
	code 1 "$bin/keyferry" byok wrap --kek kek.pem --kid "$kid" --insecure-unattested --pkcs11 "$module" \
		--token other --label ec --pin-fd 3 -o out 3<words
	says 'no token called "other"'
	for _ in 1 2; do softhsm2-util --init-token --free --label twin --pin "$pin" --so-pin 12345678; done
	code 1 "$bin/keyferry" byok wrap --kek kek.pem --kid "$kid" --insecure-unattested --pkcs11 "$module" \
		--token twin --label ec --pin-fd 3 -o out 3<words
	says 'more than one token called "twin"'
}

byok_51_the_pin_is_needed_and_judged() {
	pin=9999
	code 5 wrap "$module" ec
	says 'the PIN is wrong'
	code 5 setsid "$bin/keyferry" byok wrap --kek kek.pem --kid "$kid" --insecure-unattested --pkcs11 "$module" \
		--token source --label ec -o out
	says 'no terminal to ask on'
}

byok_51_a_hash_the_token_does_not_have_is_said() {
	rm -f out
	code 1 wrap "$module" ec --format aws
	says 'the token does no OAEP with this hash'
	says '--allow-extract'
	code 1 wrap "$module" aes --format aws
	[ ! -e out ]
	code 0 wrap "$module" ec --format aws --allow-extract
	says 'under an AES key that was in this machine'
	theirs aws sha256 hybrid
	same_as_token ec
	code 1 wrap "$module" aes --format aws --allow-extract
	says 'the key is sensitive'
	code 0 wrap "$module" twice --id 07 --format pkcs11 --hash sha256 --direct --allow-extract
	says 'outside: the key itself was in this machine'
	theirs pkcs11 sha256 direct
	[ "$(wc -c <opened)" = 16 ]
}

byok_51_padding_that_is_another_is_found_by_trying() {
	rm -f out
	code 1 shim pkcs7 ec
	says 'PKCS #7 style'
	[ ! -e out ]
	grep -q created log
	gone
}

byok_51_what_a_vendor_calls_by_its_own_number_is_tried_too() {
	for kind in luna:80000171 cloudhsm:8000216f nss:ce534352; do
		code 0 shim "${kind%:*}" ec
		says 'inside the token, under an AES key of its own'
		grep -q "^wrap ${kind#*:} " log || fail "$(cat log)"
		theirs azure sha1 hybrid
		same_as_token ec
		gone
	done
	rm -f out
	code 1 shim vendor7 ec
	says 'PKCS #7 style'
	[ ! -e out ]
	gone
}

# What the token cannot wrap is read, if somebody allows it and the token lets it go.
what_may_be_read_is_read_only_when_allowed() {
	rm -f out
	for key in openec openec521 openrsa; do
		code 1 shim nowrap "$key"
		says 'no key wrap with padding'
		says '--allow-extract'
		[ ! -e out ]
	done
	for key in ec rsa; do
		code 1 shim nowrap "$key" --allow-extract
		says 'the key is sensitive: its value cannot be read'
		[ ! -e out ]
	done
	for key in openec openec521 openrsa; do
		code 0 shim nowrap "$key" --allow-extract
		says 'outside: the key itself was in this machine'
		says 'never returned to our code, but for this'
		theirs azure sha1 hybrid
		[ "$key" = openec521 ] || same_as_token "$key"
		openssl pkey -inform DER -in opened -check -noout >checked
		code 0 shim vendor7 "$key" --allow-extract --format aws
		theirs aws sha256 hybrid
		openssl pkey -inform DER -in opened -check -noout >checked
	done
	gone
	code 0 wrap "$module" openec --format pkcs11 --hash sha256 --direct --allow-extract
	theirs pkcs11 sha256 direct
	same_as_token openec
	code 0 shim nowrap twice --id 07 --allow-extract
	theirs azure sha1 hybrid
	[ "$(wc -c <opened)" = 16 ]
	code 0 shim nowrap openaes --allow-extract
	rm out
	code 1 shim short openaes --allow-extract
	says 'or not of the type it says'
	[ ! -e out ]
}

# The public key with its id is another object, and may be of anybody.
the_public_half_beside_a_key_that_is_read_is_its_own() {
	rm -f out
	code 1 shim other openec --allow-extract
	says 'the public half of another key'
	[ ! -e out ]
	code 0 shim other openrsa --allow-extract
	rm out
}

the_whole_mechanism_comes_first() {
	code 0 shim whole ec
	says 'inside the token, by CKM_RSA_AES_KEY_WRAP'
	grep -q '^whole 220 1$' log
	theirs azure sha1 hybrid
	same_as_token ec
	# SoftHSM's OAEP inside it refuses: then there is no way but the one that was not allowed.
	code 1 shim whole ec --format pkcs11 --hash sha384
	grep -q '^whole 260 3$' log
	says 'the token does no OAEP with this hash'
}

# Whatever was made is destroyed again.
gone() {
	sed -n 's/^\(created\|generated\) \([0-9a-f]*\) .*/\2/p' log | sort >made
	sed -n 's/^destroyed \([0-9a-f]*\) .*/\1/p' log | sort >destroyed
	[ -s made ]
	diff made destroyed
}

# sensitive 1, wrap 1, token 0, encrypt, decrypt, unwrap 0: SECURITY section 8
the_wrapping_key_only_wraps_and_does_not_stay() {
	code 0 shim none ec
	grep -q '^generated [0-9a-f]* 110000$' log || fail "$(cat log)"
	[ "$(grep -c '^generated' log)" = 1 ]
	gone
	code 1 shim stuck ec
	says 'the token failed'
	grep -q '^generated' log
	gone
	code 1 shim none fixed
	gone
	code 1 shim none ec --format aws
	gone
	code 0 shim none ec --format aws --allow-extract
	grep -q '^created [0-9a-f]* 110000$' log || fail "$(cat log)"
	! grep -q '^generated .* 1100' log || [ "$(grep -c '^generated' log)" = 1 ]
	gone
}

a_module_that_crashes_takes_nothing_with_it() {
	rm -f out
	code 1 shim crash ec
	says 'the module ended its process'
	code 1 wrap /nonexistent.so ec
	says 'cannot be loaded'
	code 1 wrap "$(command -v true)" ec
	says 'cannot be loaded'
	crypto=$(ldd "$bin/keyferry-pkcs11" | sed -n 's/.*=> \(.*libcrypto[^ ]*\).*/\1/p')
	code 1 wrap "$crypto" ec
	says 'no PKCS #11 module'
	[ ! -e out ]
}

byok_6_what_we_wrap_softhsm_opens() {
	openssl pkcs8 -topk8 -nocrypt -in kek.key -out kek.p8
	softhsm2-util --import kek.p8 --token source --label kek --id 0a --pin "$pin" >/dev/null
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ours.pem
	set -- --kek kek.pem --insecure-unattested --format pkcs11 -o ours
	"$bin/keyferry" byok wrap "$@" --key ours.pem >/dev/null
	"$token" unwrap "$module" source "$pin" kek ec ours >value
	openssl pkey -in ours.pem -text -noout | sed -n '/priv:/,/pub:/{/priv:/d;/pub:/d;p;}' | tr -d ' :\n' >scalar
	[ "$(sed 's/^0*//' value)" = "$(sed 's/^0*//' scalar)" ] || fail "$(cat value)"
	openssl rand -out ours.aes 32
	"$bin/keyferry" byok wrap "$@" --raw ours.aes >/dev/null
	"$token" unwrap "$module" source "$pin" kek aes ours >value
	[ "$(cat value)" = "$(od -An -v -tx1 ours.aes | tr -d ' \n')" ]
}

# Its commands as they stand there; HEX is what a reader puts in, and the PIN what he types.
byok_md_7_runs() {
	mkdir tutorial tutorial/tokens
	cd tutorial
	printf 'directories.tokendir = %s/tutorial/tokens\nobjectstore.backend = file\n' "$dir" >softhsm2.conf
	SOFTHSM2_CONF=$dir/tutorial/softhsm2.conf
	sed -n '/^## 7\. /,/^With a card/s/^    //p' "$KF_SRC/docs/byok.md" >lines
	[ "$(wc -l <lines)" -ge 14 ] || fail "the tutorial has $(wc -l <lines) commands"
	echo "$pin" >pin
	hex=
	while read -r line; do
		[ ! -e kek.pem ] || hex=$(openssl pkey -pubin -in kek.pem -outform DER | sha256sum | cut -d' ' -f1)
		case $line in *--pkcs11*) line="$line --pin-fd 3" ;; esac
		echo "\$ $line"
		echo "$line" | sed "s#/usr/lib/softhsm/libsofthsm2.so#$module#; s/\bHEX\b/$hex/" >now
		(PATH=$bin:$PATH && export PATH && sh ./now) </dev/null 3<pin || fail "failed: $line"
	done <lines
	cmp key.byok again.byok || grep -q '"ciphertext"' again.byok
	[ -s mine.bin ]
}

plan 15
t a_wrong_command_line_is_exit_code_2
t byok_5_what_softhsm_wraps_opens
t byok_51_what_may_not_leave_does_not
t byok_51_one_name_is_one_key
t byok_51_the_pin_is_needed_and_judged
t byok_51_a_hash_the_token_does_not_have_is_said
t byok_51_padding_that_is_another_is_found_by_trying
t byok_51_what_a_vendor_calls_by_its_own_number_is_tried_too
t what_may_be_read_is_read_only_when_allowed
t the_public_half_beside_a_key_that_is_read_is_its_own
t the_whole_mechanism_comes_first
t the_wrapping_key_only_wraps_and_does_not_stay
t a_module_that_crashes_takes_nothing_with_it
t byok_6_what_we_wrap_softhsm_opens
t byok_md_7_runs
finish
