#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Batches: one cargo with many keys for one card, each into a container of its own. Cut off at any moment, the
# same cargo goes on from the item that is missing, and what was finished is not done twice: the receipts prove
# all of it, also where there are more than a card keeps.
#
# Faces: tools/kept_receipts.c libserver/archive_file.c
# shellcheck disable=SC2034,SC2119,SC2154,SC2317 # for and from stage.sh and bad.sh, run by name
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_up
mkdir said keys
editor_up

for n in 2 4 5 7 9; do
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "server/$n.pem" 2>/dev/null
done
cat >server/list <<-END
	# containers of the first floor
	2 sign server/2.pem
	4 derive server/4.pem no-pin

	5 sign server/5.pem
	7 sign server/7.pem
	9 sign server/9.pem
END
[ "$(id -u)" != 0 ] || chown "$uid_server:$uid_server" server/*.pem server/list

# batch_offer [WHAT [OPTION...]]: an RSA key takes its time, so it is the other method's unless one says so
batch_offer() {
	rm -f mail/challenge mail/offer
	server challenge --state server --device "$stage_serial" -o mail/challenge >mail/log
	chmod 644 mail/challenge
	[ $# != 0 ] || set -- --batch
	card offer --challenge mail/challenge -o mail/offer "$@" >mail/log
}
seal_batch() {
	rm -f mail/cargo
	server seal batch server/list --state server --offer mail/offer -o mail/cargo >mail/log
	chmod 644 mail/cargo
}
new_batch() {
	batch_offer
	seal_batch
}
put() { card_with_pin "$stage_pin" inject mail/cargo -o mail/receipt --timeout "${1:-30}"; }
all_proved() {
	server receipt verify --state server mail/receipt >mail/proof || fail "$(cat mail/proof)"
	grep -q 'proved:    5 of 5' mail/proof || fail "$(cat mail/proof)"
	for c in 2 4 5 7 9; do
		grep -q "proved, container $c, sender signed" mail/proof || fail "$(cat mail/proof)"
	done
}

many_keys_come_in_one_cargo() {
	rewind base
	new_batch
	put >mail/log
	[ "$(grep -c ': installed in container' mail/log)" = 5 ] || fail "$(cat mail/log)"
	all_proved
	[ "$(grep -c 'p256, sign, PIN needed' mail/proof)" = 4 ] || fail "$(cat mail/proof)"
	grep -q 'p256, derive, no PIN needed' mail/proof || fail "$(cat mail/proof)"
	echo text >mail/text
	card_with_pin "$stage_pin" key sign --container 7 -i mail/text -o mail/sig >mail/log
	openssl pkey -in server/7.pem -pubout -out mail/7.pub
	openssl dgst -sha256 -verify mail/7.pub -signature mail/sig mail/text
	# No PIN for the one that says so.
	card container list --json >mail/listed
	python "
c = { x['container']: x for x in load('mail/listed')['containers'] }
assert sorted(c) == [2, 4, 5, 7, 9], c"
	# Again it is all there, and nobody is asked for a PIN.
	cp mail/receipt mail/first
	card inject mail/cargo -o mail/receipt </dev/null >mail/log
	[ "$(grep -c ': installed before in container' mail/log)" = 5 ] || fail "$(cat mail/log)"
	cmp mail/receipt mail/first
}

under_an_rsa_key_they_come_too() {
	rewind base
	server server methods --state server --set rsa >mail/log
	batch_offer --batch --exchange-type rsa3072
	before
	refused 1 '4096' . . -- to_nothing server/list --exchange-bits 4096
	unchanged
	seal_batch
	put >mail/log
	all_proved
}

# The reader and its card die at that command, before the first key, between two of them, after the last.
cut_off_anywhere_it_goes_on_where_it_was() {
	halves=''
	for n in 20 23 26 29 32; do
		rewind base
		stage_service_anew	# to which this is no reader that dies again and again
		new_batch
		stage_unplug card
		stage_reader card reader --misbehave "die=$n"
		card reader wait >mail/log
		put 3 >mail/log 2>&1 || :
		stage_unplug card 2>/dev/null || :
		stage_reader card reader
		card reader wait >mail/log
		before=$(card container list --json | grep -c '"container"' || :)
		put >mail/log
		[ "$(grep -c ': installed before in container' mail/log)" = "$before" ] ||
			fail "cut off at $n with $before keys: $(cat mail/log)"
		all_proved
		case $before in [1234]) halves=$halves$before ;; esac
		echo "# cut off at command $n: $before of 5 were there"
	done
	[ -n "$halves" ] || fail 'it was never cut off between two keys'
}

an_occupied_container_stops_it_there_and_no_further() {
	rewind base
	new_batch
	card_with_pin "$stage_pin" container create --type p256 --container 5 >mail/log
	rm -f mail/receipt
	! put >mail/log 2>&1 || fail 'over a key that nobody named'
	grep -q 'holds something else than the item may replace' mail/log || fail "$(cat mail/log)"
	! server receipt verify --state server mail/receipt >mail/proof || fail 'proved'
	grep -q 'proved:    2 of 5' mail/proof || fail "$(cat mail/proof)"
	card_with_pin "$stage_pin" container delete 5 >mail/log
	put >mail/log
	[ "$(grep -c ': installed before in container' mail/log)" = 2 ] || fail "$(cat mail/log)"
	all_proved
	# Before the first there is nothing to prove, and what a file held stays.
	rewind base
	new_batch
	card_with_pin "$stage_pin" container create --type p256 --container 2 >mail/log
	cp mail/receipt mail/first
	! put >mail/log 2>&1 || fail 'over a key that nobody named'
	cmp mail/receipt mail/first
}

# A list of 24: eight containers twice, each time by the name of what is there.
long_list() {
	: >server/long
	for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		echo "$n sign server/2.pem" >>server/long
	done
	hash=$(openssl pkey -in server/2.pem -pubout -outform DER | sha256sum | cut -d' ' -f1)
	for n in 0 1 2 3 4 5 6 7; do
		echo "$n derive server/4.pem no-pin replaces=$hash" >>server/long
	done
}

receipts_there() {
	python "
import os
n = 0
if os.path.exists('mail/receipt'): n = len(load('mail/receipt')['receipts'])
open('run/there', 'w').write(str(n))" && cat run/there
}

# The card hangs behind item 18 and the client is killed: of these the card has forgotten the first two. What its file has is all there is.
a_long_batch_loses_no_receipt_though_the_client_is_killed() {
	rewind base
	long_list
	batch_offer
	rm -f mail/cargo mail/receipt
	server seal batch server/long --state server --offer mail/offer -o mail/cargo >mail/log
	chmod 644 mail/cargo
	echo "$stage_pin" >mail/long-pin
	chmod 644 mail/long-pin
	stage_unplug card
	stage_reader card reader --misbehave hang=101
	card reader wait >mail/log
	# shellcheck disable=SC2016 # for the inner shell
	as_background client sh -c 'exec keyferry --reader virtual:reader inject mail/cargo -o mail/receipt \
		--timeout 60 --pin-fd 0 <mail/long-pin >mail/long-log 2>&1'
	killed=$!
	there=0
	for _ in $(seq 300); do
		there=$(receipts_there)
		[ "$there" -lt 18 ] || break
		sleep 0.1
	done
	kill -9 "$killed" || fail "it ended with $there receipts: $(cat mail/long-log)"
	wait "$killed" 2>/dev/null || :
	stage_unplug card 2>/dev/null || :
	stage_reader card reader
	card reader wait >mail/log
	there=$(receipts_there)
	echo "# killed with $there receipts on the disk"
	[ "$there" -ge 18 ] || fail 'no receipts were kept on the way'
	put 60 >mail/log
	[ "$(grep -c ': installed before in container' mail/log)" -ge 18 ] || fail "$(cat mail/log)"
	server receipt verify --state server mail/receipt >mail/proof || fail "$(cat mail/proof)"
	grep -q 'proved:    24 of 24' mail/proof || fail "$(cat mail/proof)"
}

# Receipts of another cargo, or bent ones, are not taken for this one's.
what_is_in_the_file_has_to_be_this_cargos() {
	rewind base
	new_batch
	put >mail/log
	edit mail/receipt mail/bent "d['receipts'][0]['receipt'] = d['receipts'][1]['receipt']"
	chmod 644 mail/bent
	cp mail/bent mail/receipt
	put >mail/log
	all_proved
	cp mail/receipt mail/first
	rewind base
	new_batch
	cp mail/first mail/receipt
	put >mail/log
	[ "$(grep -c ': installed in container' mail/log)" = 5 ] || fail "$(cat mail/log)"
	all_proved
	echo 'no receipt at all' >mail/receipt
	put >mail/log
	all_proved
	cp mail/receipt mail/first
	# Each by itself: what the card signed names number, session and item, and a file can say anything.
	for bent in "flip_at(sid + b'\x02\x01', len(sid) + 2)" 'flip_at(sid, 0)' 'flip_at(digest, 0)' \
		"d['receipts'].append(dict(d['receipts'][4], number=6))"; do
		edit mail/first mail/bent "
import hashlib
sid, digest = b(d['sid']), hashlib.sha256(b(load('mail/cargo')['items'][0]['item'])).digest()
def flip_at(known, behind):
    r = d['receipts'][0]
    r['receipt'] = flip(r['receipt'], 8 * (b(r['receipt']).index(known) + behind) + 7)
$bent"
		cat mail/bent >mail/receipt
		put >mail/log || fail "$bent: $(cat mail/log)"
		cmp mail/receipt mail/first || fail "taken from the file: $bent"
	done
}

# In one piece, at the end: a pipe is no file that the next item could replace.
receipts_go_to_standard_output_in_one_piece() {
	rewind base
	new_batch
	put_out() { card_with_pin "$stage_pin" inject mail/cargo -o - >mail/receipt 2>mail/log; }
	put_out
	all_proved
	[ ! -e ./- ] || fail 'a file named -'
	put_out
	all_proved
	put_json() { card_with_pin "$stage_pin" inject mail/cargo -o mail/receipt --json >mail/told; }
	put_json
	python "
d = load('mail/told')
assert [i['number'] for i in d['items']] == [1, 2, 3, 4, 5], d
assert {i['outcome'] for i in d['items']} == {'installed before'} and d['sender authenticated'], d"
}

# What was sent to a card that is not heard of again is neither in it nor not: that is said, and the next run knows.
of_what_was_sent_and_not_answered_nothing_is_claimed() {
	for n in 27 28 26; do
		rewind base
		stage_service_anew	# to which this is no reader that dies again and again
		new_batch
		stage_unplug card
		stage_reader card reader --misbehave "die=$n"
		card reader wait >mail/log
		code=0
		put 3 >mail/log 2>&1 || code=$?
		[ "$code" != 3 ] || break
	done
	[ "$code" = 3 ] || fail "status $code: $(cat mail/log)"
	grep -q 'indeterminate: it was sent and nothing came back' mail/log || fail "$(cat mail/log)"
	stage_unplug card 2>/dev/null || :
	stage_reader card reader
	card reader wait >mail/log
	put >mail/log
	all_proved
}

# The first receipt cannot be kept: nothing is sent behind it.
a_receipt_that_cannot_be_kept_stops_the_batch() {
	rewind base
	new_batch
	as client mkdir -p mail/full
	! card_with_pin "$stage_pin" inject mail/cargo -o mail/absent/receipt >mail/log 2>&1 || fail 'into nothing'
	grep -q 'cannot write' mail/log || fail "$(cat mail/log)"
	[ "$(card container list --json | grep -c '"container"')" = 1 ] || fail "$(card container list)"
	put >mail/log
	all_proved
}

each_key_of_a_batch_is_archived() {
	rewind base
	stage_key rsa2048 server/archive.key
	openssl req -x509 -key server/archive.key -out server/archive.pem -days 2 \
		-subj /CN=archive -addext keyUsage=critical,keyEncipherment 2>/dev/null
	openssl rand -out server/9.raw 32
	printf '4 derive server/4.pem\n9 cipher server/9.raw\n' >server/mixed
	as server mkdir -p server/kept
	[ "$(id -u)" != 0 ] || chown "$uid_server:$uid_server" server/archive.* server/9.raw server/mixed
	batch_offer
	before
	archived() {
		server seal batch "$1" --state server --offer mail/offer -o mail/nothing --archive-cert server/archive.pem \
			--archive-out "$2"
	}
	refused 1 'signatures deniable' . . -- archived server/list server/kept
	refused 1 'cannot write server/absent/1.cms' . . -- archived server/mixed server/absent
	unchanged
	! server seal batch server/mixed --state server --offer mail/offer -o mail/nothing \
		--archive-cert server/archive.pem 2>mail/log || fail 'an archive without a place'
	grep -q 'belong together' mail/log || fail "$(cat mail/log)"
	[ -z "$(ls server/kept)" ] || fail "left behind: $(ls server/kept)"
	archived server/mixed server/kept >mail/log
	mv mail/nothing mail/cargo
	chmod 644 mail/cargo
	put >mail/log
	server receipt verify --state server mail/receipt >mail/proof || fail "$(cat mail/proof)"
	grep -q 'proved:    2 of 2' mail/proof || fail "$(cat mail/proof)"
	open_archive() { openssl cms -decrypt -inform DER -in "server/kept/$1.cms" -inkey server/archive.key; }
	open_archive 1 >server/opened
	grep -qx 'container: 4' server/opened || fail 'no container in the archive'
	openssl pkey -in server/opened | cmp - server/4.pem
	[ "$(open_archive 2 | tail -n 1)" = "$(od -An -v -tx1 server/9.raw | tr -d ' \n')" ] || fail 'another key'
	batch_offer
	before
	refused 1 'server/kept/1.cms exists' . . -- archived server/mixed server/kept
	unchanged
}

what_is_no_list_is_said() {
	rewind base
	batch_offer
	before
	awk 'BEGIN { for (i = 0; i < 65; i++) print i % 16, "sign server/2.pem" }' >mail/many
	awk 'BEGIN { for (i = 0; i < 1100; i++) print "# sixty characters that nobody but the reader of a list will see" }' \
		>mail/long
	bad_list() {
		printf '%b' "$1" >mail/list
		refused 1 "$2" . . -- to_nothing mail/list
	}
	bad_list '2 sign' 'line 1: it has fewer than three words'
	bad_list '# x\n2 sign server/2.pem\nx sign server/4.pem\n' 'line 3: the first word is not the number'
	bad_list '2 paint server/2.pem\n' 'line 1: the second word is not sign'
	bad_list '2 decrypt server/2.pem\n' 'a key of type p256 does not do that'
	bad_list '16 sign server/2.pem\n' 'no card has a container 16'
	bad_list '2 sign server/2.pem maybe\n' 'line 1: an option is neither'
	bad_list '2 sign server/2.pem replaces=12\n' 'line 1: an option is neither'
	bad_list '\n# nothing\n' 'the list names no key'
	bad_list '2 sign server/2.pem\n2 sign server/4.pem\n' 'container 2 comes twice'
	bad_list '2 sign server/absent.pem\n' 'server/absent.pem'
	bad_list '2 sign server/2.pem\n\0\n' 'line 1: the list is not text'
	bad_list '2 sign server/2.pem no-pin no-pin maybe\n' 'line 1: an option is neither'
	bad_list '256 sign server/2.pem\n' 'line 1: the first word is not the number'
	refused 1 'line 65: a batch has at most 64 keys' . . -- to_nothing mail/many
	refused 1 'it is longer than 65536 bytes' . . -- to_nothing mail/long
	refused 1 'no card KF-STAGE-0009|not the card' . . -- to_nothing server/list --device KF-STAGE-0009
	unchanged
	for missing in state offer output; do
		case $missing in
		state) set -- --offer mail/offer -o mail/nothing ;;
		offer) set -- --state server -o mail/nothing ;;
		output) set -- --state server --offer mail/offer ;;
		esac
		answers 2 server seal batch server/list "$@"
	done
	batch_offer --container=3
	before
	refused 1 'the offer is not for a batch' . 'keyferry offer --batch' -- to_nothing server/list
	batch_offer
	before
	refused 1 'the key has no container' . 'for each key of a batch' -- \
		server seal --state server --offer mail/offer --key server/2.pem -o mail/nothing
	unchanged
}
to_nothing() {
	list=$1
	shift
	server seal batch "$list" --state server --offer mail/offer -o mail/nothing "$@"
}

plan 11
keep base
rows many_keys_come_in_one_cargo
rows under_an_rsa_key_they_come_too
rows cut_off_anywhere_it_goes_on_where_it_was
rows an_occupied_container_stops_it_there_and_no_further
rows a_long_batch_loses_no_receipt_though_the_client_is_killed
rows what_is_in_the_file_has_to_be_this_cargos
rows receipts_go_to_standard_output_in_one_piece
rows of_what_was_sent_and_not_answered_nothing_is_claimed
rows a_receipt_that_cannot_be_kept_stops_the_batch
rows each_key_of_a_batch_is_archived
rows what_is_no_list_is_said
finish
