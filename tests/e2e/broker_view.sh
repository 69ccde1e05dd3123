#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The catalogue's K rows, what a client sees of hostile readers, cards and neighbours: real daemon,
# driver and card; between driver and card stands hostile_reader.py, which lies about one command.
# shellcheck disable=SC2034,SC2119,SC2154 # for and from stage.sh and bad.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

command -v python3 >/dev/null || skip_all "needs python3"

stage_readers=second
bad_up
make_key

import_s1=52 process=54 get_receipt=56 # [card-application 5]
drop=20 # VERIFY that unverifies [card-application 4.4]

behind() {
	stage_reader second behind
	cp pids/second lies/pid
}
# The honest one is never lied about, so it is never put back.
replug() {
	stage_unplug second
	rm -rf second lies/do
	cp -a "$2" second
	behind
	reader=second card reader wait >mail/log
}

# The second card behind a reader that lies, as virtual:second; the honest one stays virtual:reader.
hostile_reader() {
	make_second_card
	mkdir -m 777 lies
	behind
	cp "$KF_SRC/tests/e2e/hostile_reader.py" .
	# shellcheck disable=SC2086 # a command and its options
	as_background service $python hostile_reader.py run/second.sock run/behind.sock lies \
		>mail/lies.log 2>&1
	reader=second card reader wait >mail/log
	folders='card server second'
	server server enroll --state server --cert mail/second.pem --root mail/second-root.pem \
		--allow-virtual >mail/log
	device=KF-STAGE-0002 reader=second
	make_exchange
}

# lie INS WHAT: about the next APDU of that instruction
lie() {
	rm -f lies/seen lies/done
	echo "$*" >lies/do.new
	mv lies/do.new lies/do
}
honest_cargo() {
	rm -f lies/do
	new_cargo "$1"
}
told() { [ -e lies/done ] || fail "nothing was lied about"; }
times_seen() { grep -cx "$1" lies/seen || :; }
until_ok() {
	tries=0
	until "$@" >mail/until 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || fail "never: $* $(cat mail/until)"
		sleep 0.1
	done
}
is_dead() { ! grep -q '^State:.[^ZX]' "/proc/$1/status"; }
holds() { card container list --json >mail/list && grep -q "\"container\": $1\b" mail/list; }
is_empty() { ! holds "$1"; }

# Two cargoes are there at once, since a card keeps eight offers.
k1_two_clients_injecting_into_one_card_both_get_their_turn() {
	honest_cargo 3
	cp mail/cargo mail/cargo3
	new_cargo 4
	{ inject mail/cargo3 mail/receipt3 >mail/log3 2>&1 || echo "failed: $?"; } >mail/end3 &
	one=$!
	inject mail/cargo mail/receipt4 >mail/log4
	wait "$one"
	[ ! -s mail/end3 ] || fail "$(cat mail/end3 mail/log3)"
	server receipt verify --state server mail/receipt3 >mail/log
	server receipt verify --state server mail/receipt4 >mail/log
	delete_key 3
	delete_key 4
}

# Whoever comes next meets a card without its command and without its PIN.
k3_a_client_that_dies_in_mid_command_leaves_the_card_to_others() {
	honest_cargo 3
	lie "$process" hold
	# Its own pid: the shell's would be killed in its place.
	printf '%s\n' "$stage_pin" >mail/pin
	as_background client keyferry --reader virtual:second inject mail/cargo --pin-fd 3 \
		-o mail/none 3<mail/pin >mail/log 2>&1
	victim=$!
	until_ok grep -qx "$process" lies/seen
	kill -9 "$victim"
	until_ok card card show
	rm -f lies/do
	[ ! -e mail/none ]
	grep -qx power lies/seen || fail "the card was not reset: $(tr '\n' ' ' <lies/seen)"
	[ "$(times_seen "$process")" = 1 ] || fail "sent again: $(tr '\n' ' ' <lies/seen)"
	# What the card did stands; the same again finds its receipt.
	inject mail/cargo mail/receipt >mail/log
	server receipt verify --state server mail/receipt >mail/log
	delete_key 3
}

# The same when the command comes to its end and there was no abort, after which the card is powered
# anew: only the broker is in the way of a card with a dead client's PIN in it.
k3_a_client_that_died_does_not_leave_its_pin_in_the_card() {
	honest_cargo 3
	lie "$process" hold
	printf '%s\n' "$stage_pin" >mail/pin
	as_background client keyferry --reader virtual:second inject mail/cargo --pin-fd 3 \
		-o mail/none 3<mail/pin >mail/log 2>&1
	victim=$!
	until_ok grep -qx "$process" lies/seen
	kill -9 "$victim"
	until_ok is_dead "$victim"
	rm -f lies/do
	until_ok card card show
	[ ! -e mail/none ]
	after=$(sed -n "/^$process\$/,\$p" lies/seen | tr '\n' ' ')
	case $after in
	"$process $drop "*) ;;
	*) fail "what came next: $after" ;;
	esac
	delete_key 3
}

k4_a_card_swapped_before_the_injection_is_not_injected_into() {
	honest_cargo 3
	lie "$import_s1" swap
	inject mail/cargo mail/nothing >mail/log 2>&1 && fail "injected"
	told
	[ "$(times_seen "$process")" = 0 ] || fail "the item went to the other card"
	# Its driver has left over it; a session that is merely unknown there is a later line of defence.
	grep -Eq 'reader or driver failed|card was removed|driver process ended' mail/log ||
		fail "nobody saw the swap: $(cat mail/log)"
	[ ! -e mail/nothing ]
	until_ok card card show
	is_empty 3
	honest_cargo 3
	inject mail/cargo mail/receipt >mail/log
	server receipt verify --state server mail/receipt >mail/log
	delete_key 3
}

# The receipt is this card application's secured response: the server proves it, nobody before it.
k5_a_receipt_that_was_changed_proves_nothing() {
	honest_cargo 3
	lie "$process" flip
	inject mail/cargo mail/receipt >mail/log
	told
	before
	refused 1 "the card's signature does not hold" 'receipt against ticket' 'do not trust this key' -- \
		server receipt verify --state server mail/receipt
	inject mail/cargo mail/true >mail/log
	server receipt verify --state server mail/true >mail/log
	delete_key 3
}
k5_a_receipt_that_was_cut_is_none_and_the_outcome_is_asked_for() {
	honest_cargo 3
	lie "$process" cut
	inject mail/cargo mail/receipt >mail/log
	told
	[ "$(times_seen "$process")" = 1 ] || fail "the item was sent again"
	[ "$(times_seen "$get_receipt")" -ge 1 ] || fail "nobody asked for the receipt"
	server receipt verify --state server mail/receipt >mail/log
	delete_key 3
}

# A status word is anybody's: it is told as what it is, and nothing is concluded for the server.
k6_a_plain_status_word_is_reported_and_proves_nothing() {
	honest_cargo 3
	before
	in_sequence=1
	for sw in 6987 6988 6f00; do
		lie "$process" say "$sw"
		answers 1 inject mail/cargo mail/nothing
		told
		grep -qi "$sw" "said/$row_n.err" || wrong "status word $sw is not told"
		is_empty 3
	done
	[ ! -e mail/nothing ]
	inject mail/cargo mail/receipt >mail/log
	server receipt verify --state server mail/receipt >mail/log
	delete_key 3
}

k7_no_log_has_a_pin_or_a_key() {
	# A driver that traces says what it sends [keyferry-driver(8)], and not what is in it.
	printf '#!/bin/sh\nexec "%s" "$@" --trace\n' "$stage/bin/keyferry-driver" >tracing
	chmod 755 tracing
	stage_service_anew --driver "$stage/tracing"
	reader=second card reader wait >mail/log
	honest_cargo 3
	inject mail/cargo mail/receipt >mail/log
	grep -q "reader=virtual:second: apdu .. $process " mail/service.log || fail "there is no trace"
	! grep 'apdu .. 20 ' mail/service.log | grep -v ' lc=- ' || fail "a PIN's length is traced"
	openssl pkey -in server/key.pem -outform DER -out key.der
	python "
import glob
key = open('key.der', 'rb').read()
scalar = key[key.index(b'\\x04\\x20') + 2:][:32]
assert len(scalar) == 32
needles = [scalar, scalar[::-1], scalar.hex().encode(), scalar.hex().upper().encode(),
           b'$stage_pin', b'$stage_pin'.hex().encode()]
logs = [*glob.glob('mail/*.log'), 'mail/log', 'mail/cargo', 'mail/receipt']
assert 'mail/service.log' in logs
for log in logs:
    for needle in needles:
        assert needle not in open(log, 'rb').read(), (log, needle)"
	delete_key 3
}

k8_success_without_a_receipt_is_no_success() {
	honest_cargo 3
	for answer in 9000 30009000 300430000400 6100; do
		lie "$process" say "$answer"
		got=0
		inject mail/cargo mail/nothing >mail/log 2>&1 || got=$?
		told
		[ "$got" != 0 ] || fail "answer $answer was a success"
		[ ! -e mail/nothing ] || fail "answer $answer made a receipt"
		! grep -q installed mail/log || fail "$(cat mail/log)"
		is_empty 3
		until_ok card card show
	done
	inject mail/cargo mail/receipt >mail/log
	server receipt verify --state server mail/receipt >mail/log
	delete_key 3
}

# The slow card holds its command until the fast one has done all of its own.
k9_a_slow_reader_costs_a_fast_one_nothing() {
	honest_cargo 3
	lie "$process" hold
	inject mail/cargo mail/receipt >mail/log 2>&1 &
	slow=$!
	until_ok grep -qx "$process" lies/seen
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		reader=reader card card show >mail/fast
	done
	[ -e lies/do ] || fail "the slow one was not slow"
	kill -0 "$slow" || fail "the slow one is done: $(cat mail/log)"
	rm lies/do
	wait "$slow" || fail "$(cat mail/log)"
	server receipt verify --state server mail/receipt >mail/log
	delete_key 3
}

plan 10
hostile_reader || stage_fail "no hostile reader"
keep base
keep row
rows k1_two_clients_injecting_into_one_card_both_get_their_turn
rows k3_a_client_that_dies_in_mid_command_leaves_the_card_to_others
rows k3_a_client_that_died_does_not_leave_its_pin_in_the_card
rows k4_a_card_swapped_before_the_injection_is_not_injected_into
rows k5_a_receipt_that_was_changed_proves_nothing
rows k5_a_receipt_that_was_cut_is_none_and_the_outcome_is_asked_for
rows k6_a_plain_status_word_is_reported_and_proves_nothing
rows k7_no_log_has_a_pin_or_a_key
rows k8_success_without_a_receipt_is_no_success
rows k9_a_slow_reader_costs_a_fast_one_nothing
finish
