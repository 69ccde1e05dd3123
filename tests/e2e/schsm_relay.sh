#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A server drives a SmartCard-HSM through a client that may relay: it sets a PIN by the SO-PIN, gives the card its DKEK and
# a key, live and by files; the client then signs with that key. Of PIN, SO-PIN, shares and blob nothing is in what went
# through its hands. Then what is refused, and what is called indeterminate.
#
# Faces: tools/channel_run.c tools/cmd_channel.c tools/share_file.c
# shellcheck disable=SC2034,SC2086,SC2119,SC2154,SC2317 # for and from stage.sh; words that are several; run by name
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_app=schsm
stage_serial=A1
stage_rights=look,use,init,relay
stage_up
in_sequence=1
so_pin=3537363231383830
pin=648219
python='/usr/bin/python3 -IS'

card() { as client keyferry "$@" --reader virtual:reader; }
# server_with LINES COMMAND...: as with, of the server
server_with() {
	lines=$1
	shift
	printf '%b\n' "$lines" | as server keyferry "$@" --pin-fd 0
}

prepare() {
	cp card/root.cvc mail/root.cvc
	chmod 644 mail/root.cvc
	mkdir -m 700 other
	[ "$uid_here" != 0 ] || chown "$uid_service:$uid_service" other
	as service keyferry-vreader personalise --app schsm --state other --serial B2
	cp other/root.cvc mail/other-root.cvc
	chmod 644 mail/other-root.cvc
	with "$so_pin\n$pin" card init --dkek-shares 2 --yes
	as server keyferry server init --state server/state
	as server sh -c 'cd server && head -c 32 /dev/urandom >share.1 && head -c 32 /dev/urandom >share.2 &&
		openssl ecparam -name prime256v1 -genkey -noout -out key.pem && openssl pkey -in key.pem -pubout -out key.pub'
	as server $python -c '
a, b = (open("server/share.%d" % i, "rb").read() for i in (1, 2))
open("server/dkek", "wb").write(bytes(x ^ y for x, y in zip(a, b)))'
	as server keyferry seal --card schsm --state server/state --dkek server/dkek --key server/key.pem --container 9 \
		-o server/cargo
	as server $python -c '
import base64, json
text = json.load(open("server/cargo"))["blob"]
open("server/key.blob", "wb").write(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))'
}

the_card='--device ZZVIRTA1 --root mail/root.cvc --allow-virtual'

wait_for() {
	tries=0
	until [ -e "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "$1 never came: $(cat mail/server.err)"
		sleep 0.05
	done
}

# through "TAP ARGUMENTS" PIN... ORDER...: the server's order, over the client's relay; what went by is added to mail/wire
through() {
	tap_args=$1 lines=$2
	shift 2
	rm -f server/socket mail/tunnel mail/wire.now
	as server $python "$KF_SRC/tests/e2e/relay_tap.py" mail/tunnel server/socket mail/wire.now $tap_args 2>mail/tap.log &
	tap=$!
	server_with "$lines" channel "$@" $the_card --listen server/socket >mail/server.out 2>mail/server.err &
	server=$!
	wait_for mail/tunnel
	client=0
	card relay connect mail/tunnel >mail/client.log 2>&1 || client=$?
	got=0
	wait "$server" || got=$?
	wait "$tap" || :
	cat mail/wire.now >>mail/wire
	return "$got"
}

# refused STATUS WORDS -- as through
refused() {
	status=$1 words=$2
	shift 3
	got=0
	through "$@" || got=$?
	[ "$got" = "$status" ] || fail "$*: $got, not $status: $(cat mail/server.err mail/server.out)"
	grep -q -- "$words" mail/server.err || fail "$*: $(cat mail/server.err)"
}

a_pin_is_set_by_a_server() {
	prepare
	through '' "$so_pin\nnew-pin-4711" pin reset || fail "$(cat mail/server.err mail/client.log)"
	[ "$client" = 0 ] || fail "$(cat mail/client.log)"
	grep -q 'The PIN is set' mail/server.out
	grep -q 'grade:  *B-virtual' mail/server.out || fail "$(cat mail/server.out)"
	with new-pin-4711 card pin verify >mail/log
}

# by_files PIN... ORDER...
by_files() {
	lines=$1
	shift
	rm -f mail/list-* mail/answers-*
	server_with "$lines" channel "$@" $the_card --list 'mail/list-%' --answers 'mail/answers-%' >mail/server.out \
		2>mail/server.err &
	server=$!
	wait_for mail/list-1
	client=0
	card relay run 'mail/list-%' -o 'mail/answers-%' >mail/client.log 2>&1 || client=$?
	got=0
	wait "$server" || got=$?
	return "$got"
}

it_is_changed_by_files() {
	by_files "new-pin-4711\n$pin-files" pin change --json || fail "$(cat mail/server.err mail/client.log)"
	[ "$client" = 0 ] || fail "$(cat mail/client.log)"
	$python -c '
import json
d = json.load(open("mail/server.out"))
assert d["order"] == "pin change" and d["serial"] == "ZZVIRTA1" and d["virtual"] and d["grade"] == "B-virtual", d
assert len(d["device"]) == 64 and not d["any_genuine"], d'
	with "$pin-files" card pin verify >mail/log
	$python -c '
import base64, glob, json
def b(s): return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))
with open("mail/wire", "ab") as out:
    for name in glob.glob("mail/list-*"):
        d = json.load(open(name))
        out.write(b"".join(b(a["command"]) for a in d["apdus"]))
    for name in glob.glob("mail/answers-*"):
        d = json.load(open(name))
        out.write(b"".join(b(a["data"]) for a in d["answers"]))'
	# What an earlier run has left is not taken for answers.
	rm -f mail/answers-*
	touch mail/answers-7
	got=0
	server_with "$pin-files\n$pin" channel pin change $the_card --list 'mail/list-%' --answers 'mail/answers-%' \
		>mail/server.out 2>mail/server.err || got=$?
	[ "$got" = 1 ]
	grep -q 'is there already' mail/server.err || fail "$(cat mail/server.err)"
}

a_dkek_and_a_key_under_it_go_in() {
	refused 1 'outstanding' -- '' "$pin-files" dkek unwrap server/key.blob --type p256 --container 9
	through '' "$pin-files" dkek import server/share.1 --share server/share.2 --json ||
		fail "$(cat mail/server.err mail/client.log)"
	card dkek status >mail/status
	grep -Eq '^ *0 +ready +2 +0' mail/status || fail "$(cat mail/status)"
	kcv=$(sha256sum <server/dkek | cut -c 1-16 | tr a-f A-F)
	grep -q "$kcv" mail/status || fail "$(cat mail/status)"
	grep -q "\"$kcv\"" mail/server.out || fail "$(cat mail/server.out)"
	refused 1 'no share is outstanding' -- '' "$pin-files" dkek import server/share.1
	through '' "$pin-files" dkek unwrap server/key.blob --type p256 --container 9 --label ferried ||
		fail "$(cat mail/server.err mail/client.log)"
	grep -q 'grade:  *U' mail/server.out || fail "$(cat mail/server.out)"
	grep -q 'how the card came by its DKEK' mail/server.out
	refused 1 'container 9 holds a key' -- '' "$pin-files" dkek unwrap server/key.blob --type p256 --container 9
}

the_client_signs_with_it() {
	echo 'so it is written' >mail/text
	chmod 644 mail/text
	with "$pin-files" key sign --container 9 -i mail/text -o mail/sig --hash sha256
	openssl dgst -sha256 -verify server/key.pub -signature mail/sig mail/text
}

a_key_whose_dkek_came_by_the_same_channel_has_its_grade() {
	with "$so_pin\n$pin" card init --dkek-shares 2 --yes >mail/log
	through '' "$pin" dkek unwrap server/key.blob --type p256 --container 9 --share server/share.1 --share server/share.2 ||
		fail "$(cat mail/server.err mail/client.log)"
	grep -q 'grade:  *B-virtual' mail/server.out || fail "$(cat mail/server.out)"
	with "$pin" key sign --container 9 -i mail/text -o mail/sig --hash sha256
	openssl dgst -sha256 -verify server/key.pub -signature mail/sig mail/text
}

nothing_secret_went_through_the_clients_hands() {
	$python -c '
import base64
wire = open("mail/wire", "rb").read()
assert len(wire) > 20000, len(wire)
assert bytes.fromhex("e82b0601040181c31f0201") in wire		# what is public is seen, so what is not would be
so = bytes.fromhex("'"$so_pin"'")
secrets = [so, so.hex().encode(), b"new-pin-4711", b"'"$pin"'"]
for name in "share.1", "share.2", "dkek", "key.blob":
    whole = open("server/" + name, "rb").read()
    secrets += [whole[i:i + 8] for i in range(0, len(whole) - 7, 8)]
for s in secrets:
    for form in s, s[::-1], s.hex().encode(), base64.b64encode(s).rstrip(b"="), base64.urlsafe_b64encode(s).rstrip(b"="):
        assert form not in wire, s'
}

what_the_card_refuses_is_told_in_one_way() {
	refused 5 'SO-PIN is wrong; tries left: 14' -- '' '0000000000000000\n123456' pin reset
	refused 5 'PIN is wrong; tries left: 2' -- '' '000000\n123456' pin change
	refused 5 'tries left: 1' -- '' '000000\n123456' pin change
	refused 5 'only one try' -- '' '000000\n123456' pin change
	[ "$client" = 0 ] || fail "the client was left alone: $(cat mail/client.log)"
	refused 5 'tries left: 0' -- '' '000000\n123456' pin change --last-try
	refused 5 'PIN is blocked' -- '' "$pin\n123456" pin change
	through '' "$so_pin\n$pin" pin reset || fail "$(cat mail/server.err)"
	head -c 40 server/key.blob | as server tee server/short.blob >mail/log
	got=0
	server_with "$pin" channel dkek unwrap server/short.blob --type p256 --container 3 $the_card --listen server/socket \
		2>mail/server.err || got=$?
	[ "$got" = 1 ]
	grep -q 'neither a wrapped key' mail/server.err || fail "$(cat mail/server.err)"
}

another_card_or_root_is_refused() {
	keep=$the_card
	the_card='--device ZZVIRTA1 --root mail/other-root.cvc --allow-virtual'
	refused 1 'chain of the card.s certificates does not hold' -- '' "$so_pin\n123456" pin reset
	the_card='--device ZZVIRTA1 --root mail/root.cvc'
	refused 1 'is a virtual one' -- '' "$so_pin\n123456" pin reset
	the_card='--device ZZVIRTB2 --root mail/root.cvc --allow-virtual'
	refused 1 'hung up' -- '' "$so_pin\n123456" pin reset	# the client has seen that it is not for it
	the_card='--any-genuine --root mail/root.cvc --allow-virtual'
	through '' "$so_pin\n$pin" pin reset || fail "$(cat mail/server.err)"
	grep -q 'any genuine card was accepted' mail/server.out
	the_card=$keep
}

an_answer_that_is_not_the_cards_proves_nothing() {
	refused 1 'not one that the card made' -- 'bend 20 0' "$so_pin\n123456" pin reset
	refused 1 'does not have the device key' -- 'bend 86 0' "$so_pin\n123456" pin reset
	refused 3 'may be done, or not' -- 'bend 2c 0' "$so_pin\n123456" pin reset
	grep -q 'next: try the new PIN' mail/server.err
	with 123456 card pin verify >mail/log	# it was done
	refused 3 'may be done, or not' -- 'drop 2c 0' "$so_pin\n$pin" pin reset
	with "$pin" card pin verify >mail/log
	refused 3 'may be done, or not' -- 'hang 2c 0' "$so_pin\n123456" pin reset
	with 123456 card pin verify >mail/log
	refused 1 'the client hung up' -- 'hang 20 0' "$so_pin\n$pin" pin reset
	with 123456 card pin verify >mail/log
	through '' "$so_pin\n$pin" pin reset
}

an_enrolled_card_needs_no_root() {
	keep=$the_card
	for file in card/device.cvc:device other/device.cvc:other-device; do
		cp "${file%:*}" "mail/${file#*:}.cvc"
		chmod 644 "mail/${file#*:}.cvc"
	done
	as server keyferry server enroll --state server/state --cert mail/device.cvc --root mail/root.cvc --allow-virtual >mail/log
	the_card='--state server/state --device ZZVIRTA1'
	through '' "$so_pin\n$pin" pin reset || fail "$(cat mail/server.err)"
	grep -q 'grade:  *B-virtual' mail/server.out
	with "$so_pin\n$pin" card init --dkek-shares 2 --yes >mail/log
	through '' "$pin" dkek import server/share.1 --share server/share.2 || fail "$(cat mail/server.err)"
	the_card='--state server/state --device ZZVIRTB2'
	printf 'x\n' | as server keyferry channel pin reset $the_card --listen server/socket --pin-fd 0 2>mail/server.err &&
		fail 'not enrolled'
	grep -q 'enroll it first' mail/server.err || fail "$(cat mail/server.err)"
	the_card=$keep
}

# The shares are in before the key turns out to be another fleet's, and the state has to know.
what_went_in_is_noted_though_the_rest_is_refused() {
	as server sh -c 'rm -rf server/state/dkeks'
	with "$so_pin\n$pin" card init --dkek-shares 2 --yes >mail/log
	as server $python -c '
b = bytearray(open("server/key.blob", "rb").read())
b[0] ^= 1
open("server/foreign.blob", "wb").write(b)'
	keep=$the_card
	the_card='--state server/state --device ZZVIRTA1'
	refused 1 'another DKEK' -- '' "$pin" dkek unwrap server/foreign.blob --type p256 --container 9 \
		--share server/share.1 --share server/share.2
	the_card=$keep
	as server keyferry server dkek --state server/state >mail/log
	grep -Eiq '^[0-9a-f]{16} +U +0 +0 +1' mail/log || fail "$(cat mail/log)"
}

# What was sealed in prepare() was of grade U: the state knew nothing of that DKEK.
a_fleets_key_has_the_grade_of_the_channel_that_brought_its_dkek() {
	kcv=$(as server sha256sum server/dkek | cut -c 1-16)
	as server keyferry server dkek --state server/state >mail/log
	grep -Eiq "^$kcv +U +0 +0 +1" mail/log || fail "$(cat mail/log)"
	as server keyferry server dkek --state server/state --check-value "$kcv" --complete >mail/log
	grep -Eiq "^$kcv +B-virtual +0 +1 +1" mail/log || fail "$(cat mail/log)"
	as server keyferry seal --card schsm --state server/state --dkek server/dkek --key server/key.pem --container 5 \
		-o server/cargo-5 >mail/log
	grep -q 'grade: *B-virtual' mail/log || fail "$(cat mail/log)"
}

# forged WORDS PYTHON: answers to the first list, all of them 9000, changed by that before they are given
forged() {
	rm -f mail/list-* mail/answers-*
	server_with "$so_pin\n123456" channel pin reset $the_card --list 'mail/list-%' --answers 'mail/answers-%' \
		>mail/server.out 2>mail/server.err &
	server=$!
	wait_for mail/list-1
	$python -c "
import json, os
d = json.load(open('mail/list-1'))
a = {'format': 'keyferry-relay-answers', 'version': 1, 'relay': d['relay'], 'round': 1, 'ended': False,
     'answers': [{'number': x['number'], 'data': '', 'sw': '9000'} for x in d['apdus']]}
$2
json.dump(a, open('mail/made', 'w'))
os.rename('mail/made', 'mail/answers-1')"
	got=0
	wait "$server" || got=$?
	[ "$got" = 1 ] || fail "$2: $got"
	grep -q "$1" mail/server.err || fail "$2: $(cat mail/server.err)"
}

answers_that_are_none_of_ours_are_refused() {
	forged 'no chain of device certificates' ''
	forged 'belong to another relay' "a['relay'] = 'A' * 22"
	forged 'are of round 2' "a['round'] = 2"
	forged 'to other commands' "a['answers'] = a['answers'][1:]"
	forged 'to other commands' "a['answers'].append({'number': 8, 'data': '', 'sw': '9000'})"
	forged 'is not the next one' "a['answers'][1]['number'] = 3"
	forged 'longer than any' "a['answers'][0]['data'] = 'A' * 400"
	forged '3 of 7 commands were answered' "a['answers'] = a['answers'][:3]"
	forged 'not JSON' "a = None; open('mail/made', 'w').write('{'); os.rename('mail/made', 'mail/answers-1'); raise SystemExit"
}

# guide CHANNEL RELAY PIN...: two commands of the guide by their numbers, the server's and the client's
guide() {
	printf '%b\n' "$3" | as server sh -c "cd mail/guide && umask 022 &&
		$(sed -n "$1p" mail/commands) --allow-virtual --pin-fd 0" >mail/server.out 2>mail/server.err &
	server=$!
	case $1 in
	5) wait_for mail/guide/list-1 ;;
	*) wait_for mail/guide/desk.sock ;;
	esac
	[ ! -S mail/guide/desk.sock ] || chmod 777 mail/guide/desk.sock	# as a tunnel would
	as client sh -c "cd mail/guide && $(sed -n "$2p" mail/commands) --reader virtual:reader" >mail/client.log 2>&1 ||
		fail "$(cat mail/client.log mail/server.err)"
	wait "$server" || fail "$(cat mail/server.err)"
}

the_commands_of_the_guide_run_as_they_stand() {
	with "$so_pin\n$pin" card init --dkek-shares 2 --yes >mail/log
	mkdir -m 1777 mail/guide
	cp mail/root.cvc mail/guide/root.cvc
	for file in share.1:share-1 share.2:share-2 key.blob:key.wrapped; do
		cp "server/${file%:*}" "mail/guide/${file#*:}"
	done
	chmod 644 mail/guide/*
	sed -n '/^## Through a channel/,/^## The virtual card/s/^    //p' "$KF_SRC/docs/cards/schsm.md" >mail/examples
	grep '^keyferry' mail/examples >mail/commands
	[ "$(wc -l <mail/commands)" = 6 ]
	guide 1 2 "$so_pin\n$pin"
	guide 3 2 "$pin"
	guide 4 2 "$pin"
	guide 5 6 "$so_pin\n$pin"
	card container list | grep -Eq '^ *9 '
	grep -v '^keyferry' mail/examples | sed 's/= alice/= root/' >mail/rule
	keyferry policy check mail/rule
}

without_the_right_nothing_is_relayed() {
	stage_rights=look,use
	stage_service_anew
	refused 1 'hung up' -- '' "$so_pin\n123456" pin reset
	grep -q relay mail/client.log || fail "$(cat mail/client.log)"
	with "$pin" card pin verify >mail/log
}

plan 15
t a_pin_is_set_by_a_server
t it_is_changed_by_files
t a_dkek_and_a_key_under_it_go_in
t the_client_signs_with_it
t a_key_whose_dkek_came_by_the_same_channel_has_its_grade
t nothing_secret_went_through_the_clients_hands
t what_the_card_refuses_is_told_in_one_way
t another_card_or_root_is_refused
t an_answer_that_is_not_the_cards_proves_nothing
t an_enrolled_card_needs_no_root
t a_fleets_key_has_the_grade_of_the_channel_that_brought_its_dkek
t what_went_in_is_noted_though_the_rest_is_refused
t answers_that_are_none_of_ours_are_refused
t the_commands_of_the_guide_run_as_they_stand
t without_the_right_nothing_is_relayed
finish
