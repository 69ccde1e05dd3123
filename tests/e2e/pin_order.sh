#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sealed orders about PINs: a help desk unblocks a card, changes its PIN or logs a client in, and the
# client's machine carries what it cannot read. Whoever carries it needs the right to do that and no
# more. Then what is refused, in words, with the PINs as they were.
#
# Faces: tools/seal_offer.c
# shellcheck disable=SC2034,SC2119,SC2154 # for and from stage.sh and bad.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_rights=look,use,pin
stage_readers=second
bad_up_no_key() {
	stage_up
	mkdir said keys
	editor_up
}
bad_up_no_key
in_sequence=1	# tries are counted through all of a test

new_pin=new-pin-4711
tries() { card card show | sed -n "s/^$1 tries left *//p"; }
tries_are() {
	left=$(tries "$1")
	[ "$left" = "$2" ] || wrong "$1 has $left tries left instead of $2"
}
pin_is() { card_with_pin "$1" card pin verify >mail/log || fail "$1 is not the PIN"; }

# A challenge and an offer about PINs. An RSA key takes its time, so it is the other method's unless one says so.
pins_offer() {
	rm -f mail/challenge mail/offer
	server challenge --state server --device "${device:-$stage_serial}" -o mail/challenge >mail/log
	chmod 644 mail/challenge
	card offer --challenge mail/challenge --pins -o mail/offer "$@" >mail/log
}
# seal_order VALUES OPTIONS...: a cargo, of the lines of VALUES
seal_order() {
	values=$1
	shift
	rm -f mail/cargo
	printf '%b\n' "$values" | server seal pin --state server --offer mail/offer -o mail/cargo \
		--pin-fd 0 "$@"
}
new_order() {
	pins_offer && seal_order "$@" >mail/log && chmod 644 mail/cargo
}
# Nobody is asked for a PIN.
carry() {
	rm -f mail/receipt
	card inject "${1:-mail/cargo}" -o mail/receipt </dev/null
}
proved() {
	rm -f mail/proof
	server receipt verify --state server mail/receipt >mail/proof || fail "$(cat mail/proof)"
	grep -q "$1" mail/proof || fail "$(cat mail/proof)"
}
block() {
	for guess in 111111 222222 333333; do
		card_with_pin "$guess" card pin verify --allow-last-try >mail/log 2>&1 || :
	done
	[ "$(tries PIN)" = 0 ]
}
alone() {
	rewind base
	stage_service_anew
}

a_blocked_card_is_unblocked_without_its_machine_seeing_a_pin() {
	alone
	block
	new_order "$stage_puk\n$new_pin" --unblock
	carry >mail/log
	grep -q 'item 1, set the PIN: done' mail/log || fail "$(cat mail/log)"
	proved 'proved, set the PIN, which has 3 tries'
	tries_are PIN 3
	pin_is "$new_pin"
	# What the machine carried has neither value in it, in any of their usual clothes.
	for value in "$stage_puk" "$new_pin"; do
		for form in "$value" "$(printf %s "$value" | base64 | tr -d =)" \
			"$(printf %s "$value" | xxd -p)"; do
			! grep -qi "$form" mail/cargo mail/offer mail/receipt || fail "$form is in a file"
		done
	done
}

a_pin_and_a_puk_are_changed_and_a_client_is_logged_in() {
	alone
	new_order "$stage_pin\n$new_pin" --set
	carry >mail/log
	proved 'set the PIN, which has 3 tries'
	pin_is "$new_pin"
	server server methods --state server --set rsa >mail/log
	pins_offer --exchange-type rsa3072
	seal_order "$stage_puk\nnew-puk-0815" --set-puk >mail/log
	chmod 644 mail/cargo
	server server methods --state server --set ecdh >mail/log
	carry >mail/log
	proved 'set the PUK, which has 8 tries'
	new_order "new-puk-0815\n$stage_pin" --unblock
	carry >mail/log
	pin_is "$stage_pin"
	new_order "$stage_pin" --authenticate
	carry >mail/log
	grep -q 'log in by the PIN: done' mail/log || fail "$(cat mail/log)"
	proved 'logged in by the PIN, which has 3 tries'
}

a_replay_changes_nothing_and_finds_the_receipt() {
	alone
	new_order "$stage_puk\n$new_pin" --unblock
	cp mail/cargo mail/old
	carry >mail/log
	cp mail/receipt mail/first
	new_order "$new_pin\n$stage_pin" --set
	carry >mail/log
	carry mail/old >mail/log
	grep -q 'done before' mail/log || fail "$(cat mail/log)"
	cmp mail/receipt mail/first
	pin_is "$stage_pin"
}

below_the_least_tries_the_card_refuses() {
	alone
	card_with_pin 111111 card pin verify >mail/log 2>&1 || :
	card_with_pin 111111 card pin verify >mail/log 2>&1 || :
	tries_are PIN 1
	new_order "$stage_pin\n$new_pin" --set
	before
	refused 1 'fewer tries of the PIN are left than the sender asks for' least-tries \
		'have an order sealed' -- card inject mail/cargo -o mail/nothing
	unchanged
	tries_are PIN 1
	new_order "$stage_pin\n$new_pin" --set --least-tries 1
	carry >mail/log
	proved 'set the PIN, which has 3 tries'
	pin_is "$new_pin"
}

a_wrong_pin_in_it_costs_a_try_and_sets_nothing() {
	alone
	new_order "00000000\n$new_pin" --unblock
	before
	refused 5 'the PIN is wrong; tries left: 7' 'the card' . -- \
		card inject mail/cargo -o mail/nothing
	tries_are PUK 7
	unchanged
	pin_is "$stage_pin"
}

an_order_for_another_card_is_refused() {
	alone
	new_order "$stage_puk\n$new_pin" --unblock
	before
	cp mail/cargo mail/bad
	reader=second refused 1 "this card is KF-STAGE-0002, the cargo is for $stage_serial" \
		formats.md 'insert that card' -- reader_second inject mail/bad -o mail/nothing
	edit mail/cargo mail/bad "
i = d['items'][0]
i['item'] = t(b(i['item']).replace(b'KF-STAGE-0001', b'KF-STAGE-0002'))
d['serial'] = 'KF-STAGE-0002'"
	refused 1 'sealed for an offer that the card has forgotten' 'does not say which' \
		'make a new offer' -- reader_second inject mail/bad -o mail/nothing
	unchanged
	carry >mail/log
	pin_is "$new_pin"
	reader=second
	pin_is "$stage_pin"
	reader=reader
}
reader_second() { as client keyferry --reader virtual:second "$@"; }

what_disagrees_with_the_item_is_named() {
	alone
	new_order "$stage_puk\n$new_pin" --unblock
	before
	edit mail/cargo mail/bad "d['items'][0]['pin'] = 2"
	bad 'its "pin" is not what item 1 says' 'JSON copies'
	edit mail/cargo mail/bad "d['items'][0]['pin'] = 3"
	bad '"pin" is ' 'docs/formats.md 8'
	edit mail/cargo mail/bad "d['items'][0]['function'] = 'authenticate'"
	bad 'its "function" is not what item 1 says'
	edit mail/cargo mail/bad "d['items'][0]['function'] = 'session-pin'"
	bad '"function" is not the name of a function'
	edit mail/cargo mail/bad "d['container'] = d['items'][0]['container'] = 3"
	bad 'its "container" is not what item 1 says'
	edit mail/cargo mail/bad "d['container'] = d['items'][0]['container'] = 16"
	bad '"container" is not a number in range' 'docs/formats.md 8'
	edit mail/cargo mail/bad "
i = d['items'][0]
i['item'] = flip(i['item'], 8 * (len(b(i['item'])) - 100))"
	bad 'sealed for an offer that the card has forgotten' 'does not say which'
	carry >mail/log
	pin_is "$new_pin"
}
bad() { refused 1 "$@" -- card inject mail/bad -o mail/nothing; }

what_cannot_be_sealed_is_said() {
	alone
	pins_offer
	before
	refused 1 'the new PIN has 3 bytes' '4 to 32' . -- seal_to_nothing "$stage_puk\n123" --unblock
	refused 1 'the PUK has 3 bytes' '4 to 32' . -- seal_to_nothing "123\n$new_pin" --unblock
	refused 1 'at least 128 tries' formats.md '1 to 127' -- \
		seal_to_nothing "$stage_puk\n$new_pin" --unblock --least-tries 128
	refused 1 'the offer is about PINs, and takes no key' card-application.md \
		'an offer for a container' -- seal_a_key
	unchanged
	seal_order "$stage_puk\n$new_pin" --unblock >mail/log
}
seal_to_nothing() {
	values=$1
	shift
	printf '%b\n' "$values" | server seal pin --state server --offer mail/offer -o mail/nothing \
		--pin-fd 0 "$@"
}
seal_a_key() {
	server seal --state server --offer mail/offer --key mail/key.pem -o mail/nothing
}

# The right to carry orders is none to inject keys, and the other way round.
each_right_is_for_its_own() {
	[ "$uid_here" = 0 ] || skip "needs root: whom the service runs as may do everything"
	alone
	rm -f mail/challenge
	server challenge --state server --device "$stage_serial" -o mail/challenge >mail/log
	chmod 644 mail/challenge
	before
	refused 1 'inject' policy . -- card offer --challenge mail/challenge -o mail/nothing
	unchanged
	new_order "$stage_puk\n$new_pin" --unblock
	stage_rights=look,use,inject
	stage_service_anew
	before
	refused 1 'pin' policy . -- card offer --challenge mail/challenge --pins -o mail/nothing
	refused 1 'pin' policy . -- card inject mail/cargo -o mail/nothing
	unchanged
	stage_rights=look,use,pin
	stage_service_anew
	carry >mail/log
	pin_is "$new_pin"
}

second_card() {
	mkdir -m 700 second
	[ "$(id -u)" != 0 ] || chown "$uid_service:$uid_service" second
	as service keyferry-vreader personalise --state second --serial KF-STAGE-0002 \
		--injector mail/injector.pub.pem --pin "$stage_pin" --puk "$stage_puk" >mail/log &&
		stage_reader second second &&
		reader=second card reader wait >mail/log
	folders='card server second'
}

second_card || stage_fail "no second card"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out mail/key.pem 2>/dev/null
chmod 644 mail/key.pem
plan 9
keep base
rows a_blocked_card_is_unblocked_without_its_machine_seeing_a_pin
rows a_pin_and_a_puk_are_changed_and_a_client_is_logged_in
rows a_replay_changes_nothing_and_finds_the_receipt
rows below_the_least_tries_the_card_refuses
rows a_wrong_pin_in_it_costs_a_try_and_sets_nothing
rows an_order_for_another_card_is_refused
rows what_disagrees_with_the_item_is_named
rows what_cannot_be_sealed_is_said
rows each_right_is_for_its_own
finish
