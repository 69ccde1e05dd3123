#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Offers that are not what they should be: each is refused by seal in words, spends no nonce, leaves
# no file, and the good offer still seals. KF_FULL=1 flips every bit instead of a sample.
# shellcheck disable=SC2034,SC2154 # for and from stage.sh and bad.sh
# shellcheck disable=SC2119
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_maker=1
stage_readers=second
bad_up
make_key
new_offer 3
cp mail/offer mail/first	# for what only looks at the form

# bad WHY [RULE [NEXT]]: mail/bad is refused, and nothing has changed
bad() { refused 1 "$@" -- seal mail/bad mail/nothing; }
the_good_one_still_seals() {
	unchanged
	rm -f mail/good
	seal mail/offer mail/good >mail/log
}

a_swapped_exchange_key_is_refused() {
	new_offer 3
	before
	openssl pkey -in "$KF_SRC/tests/keys/rsa3072.pem" -pubout -outform DER -out mail/swapped.der
	edit mail/offer mail/bad "d['exchange_key'] = t(open('mail/swapped.der','rb').read())"
	bad 'swapped: it is not the one the card signed' 'SECURITY section 3' 'distrust that machine'
	the_good_one_still_seals
}

each_member_that_disagrees_with_the_signed_bytes_is_named() {
	new_offer 3
	before
	edit mail/offer mail/bad "d['serial'] = 'KF-OTHER'"
	bad 'its "serial" is not what the card signed' 'JSON copies' 'new offer'
	edit mail/offer mail/bad "d['container'] = 4"
	bad 'its "container" is not what the card signed'
	edit mail/offer mail/bad "d['sid'] = flip(d['sid'], 0)"
	bad 'its "sid" is not what the card signed'
	edit mail/offer mail/bad "d['method'] = 'ecdh'"
	bad 'its "method" is not what the card signed'
	edit mail/offer mail/bad "d['nonce'] = flip(d['nonce'], 255)"
	bad 'its challenge was never issued by this server' 'SECURITY section 3' 'keyferry challenge'
	the_good_one_still_seals
}

another_nonce_of_the_same_card_is_refused() {
	new_challenge
	cp mail/challenge mail/other
	new_offer 3
	before
	edit mail/offer mail/bad "d['nonce'] = load('mail/other')['nonce']"
	bad 'answers another challenge' 'statement' 'newest challenge'
	the_good_one_still_seals
}

a_used_nonce_is_refused() {
	new_offer 3
	seal mail/offer mail/sealed >mail/log
	cp mail/offer mail/bad
	before
	bad 'its challenge was used before' 'spent once' 'make a new challenge'
	new_offer 3
	before
	the_good_one_still_seals
}

an_expired_nonce_is_refused() {
	new_challenge --ttl 1
	rm -f mail/bad
	card_with_pin "$stage_pin" offer --challenge mail/challenge --container 3 \
		--exchange-container "$exchange_container" -o mail/bad >mail/log
	sleep 1.1
	new_offer 3
	before
	bad 'its challenge has expired' 'expires' 'make a new challenge'
	the_good_one_still_seals
}

each_bit_of_what_is_signed_or_signs_counts() {
	new_offer 3
	before
	if [ -n "${KF_FULL:-}" ]; then step=1; else step=197; fi
	rm -rf mail/flips && mkdir mail/flips
	python "
d, n = load('mail/offer'), 0
for name in 'statement', 'signature', 'exchange_key', 'device_certificate':
    bits = len(b(d[name])) * 8
    # The last bit of each, whatever the step.
    for bit in sorted({*range(n % 8, bits, $step), bits - 1}):
        save(dict(d, **{name: flip(d[name], bit)}), f'mail/flips/{name}.{bit}')
    n += 3"
	for bad in mail/flips/*; do
		case $bad in
		*/statement.* | */signature.*) why="the card's signature on the statement does not hold" ;;
		*/exchange_key.*) why='the EXCHANGE key was swapped' ;;
		*) why='it comes from another card' ;;
		esac
		refused 1 "$why" SECURITY -- seal "$bad" mail/nothing
	done
	echo "$(find mail/flips -type f | wc -l) flips"
	the_good_one_still_seals
}

what_is_no_offer_is_refused() {
	before
	format='docs/formats.md 8' again='get the file again'
	head -c 300 mail/first >mail/bad
	bad 'the offer is not JSON: line ' "$format" "$again"
	: >mail/bad
	bad 'the offer is not JSON' "$format" "$again"
	echo '[]' >mail/bad
	bad 'the offer is not a JSON object' "$format" "$again"
	{ cat mail/first && echo x; } >mail/bad
	bad 'the offer is not JSON' "$format" "$again"
	printf '\377' | cat - mail/first >mail/bad
	bad 'the offer is not JSON' "$format" "$again"
	sed 's/^{$/{ "container": 3,/' mail/first >mail/bad
	bad 'duplicate object key' "$format" "$again"
	edit mail/first mail/bad "d['comment'] = 'x'"
	bad 'members that do not belong there' "$format" "$again"
	edit mail/first mail/bad "d['format'] = 'keyferry-cargo'"
	bad '"format" is not "keyferry-offer"' "$format" 'right file'
	edit mail/first mail/bad "d['version'] = 2"
	bad 'of a version this program does not know' "$format" 'use a keyferry as new'
	edit mail/first mail/bad "d['version'] = '1'"
	bad '"version" is not a number in range' "$format" "$again"
	edit mail/first mail/bad "d['container'] = 16"
	bad '"container" is not a number in range' "$format" "$again"
	edit mail/first mail/bad "d['container'] = 3.0"
	bad '"container" is not a number in range' "$format" "$again"
	edit mail/first mail/bad "d['serial'] = 'a b'"
	bad '"serial" is not a serial number' "$format" "$again"
	edit mail/first mail/bad "d['serial'] = 7"
	bad '"serial" is not a string' "$format" "$again"
	edit mail/first mail/bad "d['method'] = 'none'"
	bad '"method" ' "$format" "$again"
	for member in format version serial container sid nonce method exchange_key \
		device_certificate statement signature; do
		edit mail/first mail/bad "del d['$member']"
		bad "\"$member\" is missing" "$format"
	done
	python "open('mail/bad', 'w').write(' ' * 1048577)"
	bad 'longer than 1048576 bytes' "$format"
	refused 1 'No such file' 'file system' 'check the path' -- seal mail/absent mail/nothing
	unchanged
	seal mail/first mail/good >mail/log
}

base64url_is_strict() {
	new_offer 3
	before
	edit mail/offer mail/bad "d['sid'] += '=='"
	bad '"sid" is not base64url of the right length' 'docs/formats.md 8'
	# In the middle, where no bits have to be zero.
	edit mail/offer mail/bad "s = d['statement']; d['statement'] = s[:8] + '+' + s[9:]"
	bad '"statement" is not base64url'
	edit mail/offer mail/bad "s = d['statement']; d['statement'] = s[:8] + '/' + s[9:]"
	bad '"statement" is not base64url'
	edit mail/offer mail/bad "d['signature'] = d['signature'][:8] + chr(10) + d['signature'][8:]"
	bad '"signature" is not base64url'
	edit mail/offer mail/bad "d['nonce'] = ' ' + d['nonce']"
	bad '"nonce" is not base64url'
	# 16 bytes are 22 digits, of which the last one carries two bits.
	edit mail/offer mail/bad "s = d['sid']; d['sid'] = s[:-1] + chr(ord(s[-1]) + 1)"
	bad '"sid" is not base64url'
	edit mail/offer mail/bad "d['sid'] = d['sid'][:-1]"
	bad '"sid" is not base64url'
	edit mail/offer mail/bad "d['nonce'] = d['nonce'][:40]"
	bad '"nonce" is not base64url of the right length'
	# A lone digit carries no byte, and its six bits may be zero.
	edit mail/offer mail/bad "s = d['statement']; d['statement'] = s[:len(s) // 4 * 4] + 'A'"
	bad '"statement" is not base64url'
	edit mail/offer mail/bad "d['signature'] = ''"
	bad '"signature" is empty or too long'
	the_good_one_still_seals
}

# The hostile client rewrites the challenge, so that the foreign card answers it.
foreign_offer() {
	new_challenge
	fingerprint=$(openssl x509 -in mail/second.pem -outform DER | sha256sum | cut -d' ' -f1)
	edit mail/challenge mail/bent \
		"d['serial'] = 'KF-STAGE-0002'; d['device'] = '$fingerprint'"
	rm -f mail/bad
	reader=second card_with_pin "$stage_pin" offer --challenge mail/bent --container 3 \
		--exchange-container "$exchange_container" -o mail/bad >mail/log
}

a_foreign_card_is_refused() {
	new_offer 3
	foreign_offer
	before
	bad "another card than $stage_serial" 'the right card, not just a genuine one' 'enroll this one'
	refused 1 'path|certificate' 'path to the enrolled root' -- \
		seal mail/bad mail/nothing --any-genuine --allow-virtual
	edit mail/bad mail/worse "d['device_certificate'] = load('mail/offer')['device_certificate']"
	cp mail/worse mail/bad
	bad "the card's signature on the statement does not hold"
	the_good_one_still_seals
}

an_enrolled_foreign_card_is_refused_too() {
	server server enroll --state server --cert mail/second.pem --root mail/second-root.pem \
		--allow-virtual >mail/log
	new_offer 3
	foreign_offer
	before
	bad "another card than $stage_serial" 'the right card, not just a genuine one' 'enroll this one'
	the_good_one_still_seals
}

a_nonce_issued_for_another_card_is_refused() {
	server server enroll --state server --cert mail/second.pem --root mail/second-root.pem \
		--allow-virtual >mail/log
	device=KF-STAGE-0002 new_challenge
	before
	rm -f mail/none
	refused 1 "this card is $stage_serial, the challenge is for KF-STAGE-0002" formats.md \
		'insert that card' -- card offer --challenge mail/challenge -o mail/nothing
	fingerprint=$(openssl x509 -in mail/card.pem -outform DER | sha256sum | cut -d' ' -f1)
	edit mail/challenge mail/bent "d['serial'] = '$stage_serial'"
	refused 1 'certificate is not the one the challenge is for' formats.md 'enroll this card' -- \
		card offer --challenge mail/bent -o mail/nothing --exchange-type rsa2048
	edit mail/bent mail/bent2 "d['device'] = '$fingerprint'"
	card_with_pin "$stage_pin" offer --challenge mail/bent2 --container 3 \
		--exchange-container "$exchange_container" -o mail/offer2 >mail/log
	cp mail/offer2 mail/bad
	bad 'another card than KF-STAGE-0002' 'the right card, not just a genuine one'
	refused 1 "made for another card than $stage_serial" 'the right card' 'name the card' -- \
		seal mail/bad mail/nothing --device "$stage_serial"
	unchanged
	new_offer 3
	before
	the_good_one_still_seals
}

a_virtual_card_wants_to_be_allowed() {
	new_offer 3
	before
	refused 1 'is virtual: software, not a chip' 'virtual cards' '--allow-virtual' -- \
		seal mail/offer mail/nothing --any-genuine
	refused 1 'is virtual: software, not a chip' 'virtual cards' '--allow-virtual' -- \
		server server enroll --state server --cert mail/card.pem --root mail/root.pem
	unchanged
	seal mail/offer mail/good --any-genuine --allow-virtual >mail/log
}

a_short_exchange_key_is_refused() {
	new_challenge
	rm -f mail/bad
	card offer --challenge mail/challenge --container 3 --exchange-type rsa2048 -o mail/bad >mail/log
	before
	bad 'the EXCHANGE key has 2048 bits, 3072 are wanted' policy 'larger EXCHANGE key'
	unchanged
	seal mail/bad mail/good --exchange-bits 2048 >mail/log
}

a_bad_challenge_makes_no_offer() {
	new_challenge
	before
	head -c 100 mail/challenge >mail/bent
	refused 1 'not JSON' 'formats.md 8' -- card offer --challenge mail/bent -o mail/nothing
	edit mail/challenge mail/bent "d['nonce'] = d['nonce'][:-4]"
	refused 1 '"nonce" is not base64url' -- card offer --challenge mail/bent -o mail/nothing
	edit mail/challenge mail/bent "d['expires'] = 'tomorrow'"
	refused 1 '"expires" is not a time' -- card offer --challenge mail/bent -o mail/nothing
	refused 1 '"format" is not' -- card offer --challenge mail/first -o mail/nothing
	refused 4 'no such' -- as client keyferry --reader virtual:nowhere offer \
		--challenge mail/challenge -o mail/nothing
	unchanged
	card_with_pin "$stage_pin" offer --challenge mail/challenge --container 3 \
		--exchange-container "$exchange_container" -o mail/good.offer >mail/log
}

# crl OUT INDEX-LINE DAYS: a list of the stage's maker, by the openssl command
crl() {
	mkdir -p ca
	printf '%s' "$2" >ca/index.txt
	echo 01 >ca/number
	cat >ca/conf <<-EOF2
		[ca]
		default_ca = own
		[own]
		database = ca/index.txt
		crlnumber = ca/number
		default_md = sha256
	EOF2
	openssl ca -config ca/conf -gencrl -cert maker/root.pem -keyfile maker/root.key \
		-crldays "$3" -out "mail/$1" 2>mail/openssl.log
	chmod 644 "mail/$1"
}

a_revoked_card_is_refused() {
	new_offer 3
	serial=$(openssl x509 -in mail/card.pem -noout -serial | cut -d= -f2)
	crl revoked.crl "$(printf 'R\t491231235959Z\t240101000000Z\t%s\tunknown\t/CN=x' "$serial")
" 30
	crl good.crl '' 30
	new_challenge
	cp mail/challenge mail/another
	server server crl --state server --crl mail/revoked.crl >mail/log
	before
	cp mail/offer mail/bad
	bad 'it was revoked' 'revocation list' 'ask its maker'
	refused 1 'it was revoked' 'revocation list' 'ask its maker' -- \
		seal mail/offer mail/nothing --any-genuine --allow-virtual
	refused 1 'it was revoked' 'revocation list' -- \
		server challenge --state server --device "$stage_serial" -o mail/nothing
	server server list --state server | grep -q "^$stage_serial .*refused" ||
		wrong "it is not listed as refused"
	unchanged
	server server crl --state server --crl mail/good.crl >mail/log
	before
	the_good_one_still_seals
}

a_bad_revocation_list_is_refused() {
	new_offer 3
	before
	openssl crl -in mail/good.crl -outform DER -out mail/good.der
	python "
x = bytearray(open('mail/good.der', 'rb').read())
x[-1] ^= 1
open('mail/bent.der', 'wb').write(x)"
	refused 1 'no enrolled root has issued it' 'signed by an enrolled root' -- \
		server server crl --state server --crl mail/bent.der
	refused 1 'the revocation list cannot be read' 'X.509' 'right file' -- \
		server server crl --state server --crl mail/card.pem
	unchanged
	# Lists that end are taken, and then refuse the card until there is a newer one.
	crl late.crl '' 30
	faketime=$(date -u -d '2 days ago' +%y%m%d%H%M%SZ) past=$(date -u -d '1 day ago' +%y%m%d%H%M%SZ)
	openssl ca -config ca/conf -gencrl -cert maker/root.pem -keyfile maker/root.key \
		-crl_lastupdate "$faketime" -crl_nextupdate "$past" -out mail/old.crl 2>mail/openssl.log
	chmod 644 mail/old.crl
	before
	refused 1 'the list is older than the one enrolled' 'newer ones only' 'current list' -- \
		server server crl --state server --crl mail/old.crl
	the_good_one_still_seals
}

plan 16
keep base
rows a_swapped_exchange_key_is_refused
rows each_member_that_disagrees_with_the_signed_bytes_is_named
rows another_nonce_of_the_same_card_is_refused
rows a_used_nonce_is_refused
rows an_expired_nonce_is_refused
rows each_bit_of_what_is_signed_or_signs_counts
rows what_is_no_offer_is_refused
rows base64url_is_strict
second_card || stage_fail "no second card"
reader=second make_exchange || stage_fail "no exchange key in the second card"
keep base
rows a_foreign_card_is_refused
rows an_enrolled_foreign_card_is_refused_too
rows a_nonce_issued_for_another_card_is_refused
rows a_virtual_card_wants_to_be_allowed
rows a_short_exchange_key_is_refused
rows a_bad_challenge_makes_no_offer
rows a_revoked_card_is_refused
rows a_bad_revocation_list_is_refused
finish
