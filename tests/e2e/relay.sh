#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The relay: a server's APDUs run on a card that is nobody else's meanwhile. A help desk unblocks a PIN in
# three rounds of files, with nothing but the relay at the client's side, and has a receipt for it; the
# same rounds go through a socket. Then what is refused: each with one clear error, and the card as it was.
#
# Faces: tools/relay_channel.c
# shellcheck disable=SC2034,SC2119,SC2154,SC2317 # for and from stage.sh and bad.sh, run by name
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_rights=look,use,relay
stage_up
mkdir said keys
editor_up
server server methods --state server --set rsa >mail/log
in_sequence=1

# make_list FILE PYTHON: d is a list of two harmless APDUs of round 1, to be changed
make_list() {
	python "
d = { 'format': 'keyferry-relay-list', 'version': 1, 'serial': '$stage_serial',
      'relay': t(b'0123456789abcdef'), 'round': 1, 'more': False, 'seconds': 20, 'apdus': [] }
def apdu(text, expect='9000', mask='ffff'):
    d['apdus'].append({ 'number': len(d['apdus']) + first, 'command': t(bytes.fromhex(text)),
                        'expect': expect, 'mask': mask })
def long(head, data): return head + '00' + len(data).to_bytes(2, 'big').hex() + data.hex() + '0000'
first = 1
$2
if not d['apdus']:
    apdu('00A404000AF06B65796665727279 01'.replace(' ', '') + '00')
    apdu('0084000010')
save(d, '$1')"
	chmod 644 "$1"
}
select='00A404000AF06B6579666572727901'
relay() { card relay run "$1" -o "$2"; }

a_list_is_run_and_its_answers_go_back() {
	make_list mail/list ''
	relay mail/list mail/answers >mail/log
	grep -q '2 APDUs in 1 rounds' mail/log || fail "$(cat mail/log)"
	python "
d = load('mail/answers')
assert d['format'] == 'keyferry-relay-answers' and d['ended'] and d['round'] == 1
assert [a['sw'] for a in d['answers']] == ['9000', '9000'], d
assert b(d['answers'][0]['data'])[:2] == b'\x6f\x0c' and len(b(d['answers'][1]['data'])) == 16"
}

# An answer of OFFER is what an offer file is made of.
offer_file="
def parts(der):
    def one(x):
        n, at = x[1], 2
        if n & 0x80: at += n & 0x7f; n = int.from_bytes(x[2:at], 'big')
        return x[:at + n], x[at:at + n], x[at + n:]
    out, rest = [], one(der)[1]
    while rest:
        whole, inside, rest = one(rest)
        out.append((whole, inside))
    return out
import ssl
statement, signature, key = parts(b(load('mail/answers-1')['answers'][1]['data']))
f = [x[1] for x in parts(statement[0])]
save({ 'format': 'keyferry-offer', 'version': 1, 'serial': f[4].decode(), 'container': int.from_bytes(f[11], 'big'),
       'sid': t(f[19]), 'nonce': t(f[20]), 'method': 'rsa', 'exchange_key': t(key[0]),
       'device_certificate': t(ssl.PEM_cert_to_DER_cert(open('mail/card.pem').read())),
       'statement': t(statement[0]), 'signature': t(signature[1]) }, 'mail/offer')"

wait_for_file() {
	tries=0
	until [ -e "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "$1 never came"
		sleep 0.05
	done
}

# The next round's list appears under its name at once, when the server has made it.
give() { mv "$1.made" "$1"; }

a_pin_is_unblocked_in_three_rounds_and_proved() {
	rm -f mail/list-* mail/answers-* mail/challenge
	server challenge --state server --device "$stage_serial" -o mail/challenge >mail/log
	chmod 644 mail/challenge
	make_list mail/list-1 "
d['more'] = True
apdu('$select' + '00')
nonce = b(load('mail/challenge')['nonce'])
apdu('80500000' + '2b' + '8020' + nonce.hex() + '8101ff' + '820102' + '830102' + '00')"
	relay 'mail/list-%' 'mail/answers-%' >mail/relay.log 2>&1 &
	client=$!
	wait_for_file mail/answers-1
	python "$offer_file"
	printf '%s\nnew-pin-4711\n' "$stage_puk" |
		server seal pin --unblock --state server --offer mail/offer --pin-fd 0 -o mail/cargo >mail/log
	chmod 644 mail/cargo
	make_list mail/list-2.made "
first = 3
d.update(round=2, more=True)
c = load('mail/cargo')
wrapped = b(c['session_key']['wrapped'])
apdu(long('80520200', b'\x80\x10' + b(c['sid']) + b'\x81\x82' + len(wrapped).to_bytes(2, 'big') + wrapped))"
	give mail/list-2
	wait_for_file mail/answers-2
	make_list mail/list-3.made "
first = 4
d.update(round=3)
session = b(load('mail/answers-2')['answers'][0]['data'])[2]
apdu(long('805402%02x' % session, b(load('mail/cargo')['items'][0]['item'])))"
	give mail/list-3
	wait "$client" || fail "$(cat mail/relay.log)"
	python "
c, a = load('mail/cargo'), load('mail/answers-3')
assert a['ended']
save({ 'format': 'keyferry-receipt', 'version': 1, 'serial': c['serial'], 'sid': c['sid'],
       'receipts': [{ 'number': 1, 'receipt': a['answers'][0]['data'] }] }, 'mail/receipt')"
	server receipt verify --state server mail/receipt >mail/log
	grep -q 'proved, set the PIN, which has 3 tries' mail/log || fail "$(cat mail/log)"
	card_with_pin new-pin-4711 card pin verify >mail/log
	# Nothing of it was in what the client carried.
	! grep -l new-pin mail/list-* mail/answers-* mail/relay.log
}

# through_socket ARGUMENTS...: the server's
through_socket() {
	rm -f mail/tunnel mail/*.answers
	$python "$KF_SRC/tests/e2e/relay_server.py" mail/tunnel "$@" >mail/server.log 2>&1 &
	server_pid=$!
	wait_for_file mail/tunnel
	chmod 777 mail/tunnel
	got=0
	card relay connect mail/tunnel >mail/relay.log 2>&1 || got=$?
	wait "$server_pid" || :
	return "$got"
}

a_server_drives_it_through_a_socket() {
	make_list mail/one "d['more'] = True"
	make_list mail/two "
first = 3
d['round'] = 2
apdu('00CA010000')"
	through_socket mail/one mail/two || fail "$(cat mail/relay.log)"
	grep -q '3 APDUs in 2 rounds' mail/relay.log || fail "$(cat mail/relay.log)"
	python "
a, z = load('mail/one.answers'), load('mail/two.answers')
assert not a['ended'] and z['ended'] and z['answers'][0]['number'] == 3
assert b'$stage_serial' in b(z['answers'][0]['data'])"
}

an_unexpected_status_word_ends_the_round_and_the_relay() {
	make_list mail/list-1 "
d['more'] = True
apdu('$select' + '00')
apdu('00A4040003010203', '9000')
apdu('0084000010')"
	rm -f mail/answers-*
	before
	refused 1 'APDU 2 ended with status word 6a82' 'which status word' 'answers to the server' -- \
		card relay run 'mail/list-%' -o 'mail/answers-%'
	python "
d = load('mail/answers-1')
assert d['ended'] and [a['sw'] for a in d['answers']] == ['9000', '6a82'], d"
	# What is expected is not unexpected.
	make_list mail/list "
apdu('00A4040003010203', '6a82')
apdu('00A4040003010203', '6a00', 'ff00')
apdu('00A4040003010203', '0000', '0000')"
	relay mail/list mail/answers >mail/log
}

what_is_not_the_servers_to_send_is_refused() {
	rm -f mail/nothing
	before
	for plain in 0020008106313233343536 00240081 002C0081 00D6000001FF 002A9E9A 80E40003 \
		80260003 804A0003 805A0003 00DB0120 0047800300; do
		make_list mail/bad "
apdu('$select' + '00')
apdu('$plain')"
		row_is=$plain refused 1 'APDU 2 is a plain command' 'The relay' 'have the server protect it' -- \
			relay mail/bad mail/nothing
	done
	unchanged
}

a_gap_in_the_numbers_is_refused() {
	before
	make_list mail/bad "
apdu('$select' + '00')
apdu('0084000010')
d['apdus'][1]['number'] = 3"
	refused 1 '"number" is not the next one' 'docs/formats.md 14|docs/formats.md 8' . -- \
		relay mail/bad mail/nothing
	make_list mail/bad "
first = 2
apdu('$select' + '00')"
	refused 1 'APDU 2 is where 1 has to come' 'no gap' 'get the list again' -- \
		relay mail/bad mail/nothing
	unchanged
	# And between rounds.
	make_list mail/one "d['more'] = True"
	make_list mail/two "
first = 4
d['round'] = 2
apdu('00CA010000')"
	! through_socket mail/one mail/two || fail 'a gap between rounds'
	grep -q 'APDU 4 is where 3 has to come' mail/relay.log || fail "$(cat mail/relay.log)"
}

over_the_deadline_it_is_over() {
	before
	make_list mail/one "d.update(more=True, seconds=1)"
	make_list mail/two "
first = 3
d['round'] = 2
apdu('00CA010000')"
	! through_socket mail/one slow mail/two || fail 'over the deadline'
	grep -q 'nothing came from the server in time' mail/relay.log || fail "$(cat mail/relay.log)"
	make_list mail/list-1 "d.update(more=True, seconds=1)"
	rm -f mail/list-2 mail/answers-*
	refused 1 'the next list did not come in time' 'deadline' 'begin anew' -- \
		card relay run 'mail/list-%' -o 'mail/answers-%'
	unchanged
	card card show >mail/log	# and nobody waits for it
}

# Who keeps no deadline has one all the same: the broker's.
a_client_that_stands_still_does_not_keep_the_card() {
	make_list mail/one "d.update(more=True, seconds=1)"
	rm -f mail/tunnel mail/*.answers
	$python "$KF_SRC/tests/e2e/relay_server.py" mail/tunnel mail/one slow slow slow slow >mail/server.log 2>&1 &
	server_pid=$!
	wait_for_file mail/tunnel
	chmod 777 mail/tunnel
	as_background client keyferry --reader virtual:reader relay connect mail/tunnel >mail/relay.log 2>&1
	holder=$!
	wait_for_file mail/one.answers
	kill -STOP "$holder"
	stage_stopped "$holder"
	card card show --timeout 8 >mail/log 2>&1 || fail "it is kept: $(cat mail/log)"
	kill -CONT "$holder"
	! wait "$holder" || fail 'over the deadline'
	wait "$server_pid" || :
	grep -q 'nothing came from the server in time' mail/relay.log || fail "$(cat mail/relay.log)"
}

a_list_that_is_none_is_refused() {
	before
	head -c 100 mail/list >mail/bad
	refused 1 'the list is not JSON' 'formats.md' . -- relay mail/bad mail/nothing
	for change in "d['serial'] = 'KF-OTHER'|this card is $stage_serial, the list is for KF-OTHER" \
		"d['round'] = 2|the list is of round 2, round 1 has to come" \
		"d['round'] = 0|\"round\" counts from 1" \
		"d['seconds'] = 0|\"seconds\" is none" \
		"d['seconds'] = 301|\"seconds\" is not a number in range" \
		"d['comment'] = 1|members that do not belong there" \
		"d['more'] = True|another round follows" \
		"d['apdus'] = [1]|is not an object" \
		"apdu('00'); |APDU 1 is none" \
		"apdu('0084000010', '90')|\"expect\" is not four"; do
		make_list mail/bad "${change%%|*}"
		row_is=${change%%|*} refused 1 "${change#*|}" . . -- relay mail/bad mail/nothing
	done
	unchanged
	! through_socket - || fail 'nothing came, and that was fine'
	grep -q 'the server hung up' mail/relay.log || fail "$(cat mail/relay.log)"
}

it_takes_the_right_and_only_one_card_at_a_time() {
	make_list mail/list ''
	stage_rights=look,use,inject,create,delete
	stage_service_anew
	before
	refused 1 relay policy . -- relay mail/list mail/nothing
	unchanged
	stage_rights=look,use,relay
	stage_service_anew
	# While one waits for its server, nobody else of this card's clients gets between.
	make_list mail/one "d.update(more=True, seconds=60)"
	through_socket mail/one slow slow slow slow &
	holder=$!
	wait_for_file mail/one.answers
	refused 1 'another program|a relay already|another client' . . -- \
		card relay run mail/list -o mail/nothing --timeout 1
	if card card show --timeout 1 >mail/log 2>&1; then
		fail 'got between'
	fi
	wait "$holder" || :
	relay mail/list mail/answers >mail/log
}

plan 10
keep base
rows a_list_is_run_and_its_answers_go_back
rows a_pin_is_unblocked_in_three_rounds_and_proved
rows a_server_drives_it_through_a_socket
rows an_unexpected_status_word_ends_the_round_and_the_relay
rows what_is_not_the_servers_to_send_is_refused
rows a_gap_in_the_numbers_is_refused
rows over_the_deadline_it_is_over
rows a_client_that_stands_still_does_not_keep_the_card
rows a_list_that_is_none_is_refused
rows it_takes_the_right_and_only_one_card_at_a_time
finish
