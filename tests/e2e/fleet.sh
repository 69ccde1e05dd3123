#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A fleet: one key into twenty SmartCard-HSMs of one DKEK at once, by one broker. Each card takes 200 ms for
# an answer, so what is measured is whether they wait for one another: all twenty may take 1.3 times as
# long as one, both measured here. How long that is is only told.
#
#	KF_FLEET	how many cards, 20 unless set
# shellcheck disable=SC2034,SC2119,SC2154 # for and from stage.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_app=schsm
stage_serial=A1
stage_rights=look,use,inject,delete,admin,init,kek
fleet=${KF_FLEET:-20}
so_pin=3537363231383830
pin=648219
numbers=$(seq 1 "$fleet")

stage_up
for i in $numbers; do
	mkdir -m 700 "card$i"
	[ "$uid_here" != 0 ] || chown "$uid_service:$uid_service" "card$i"
	as service keyferry-vreader personalise --app schsm --state "card$i" --serial "F$i" >mail/prepare.log
	stage_readers="${stage_readers:-} r$i"
done
head -c 32 /dev/zero >mail/share	# the DKEK is all zeros, for all to see: nothing here is worth keeping
chmod 644 mail/share

card() {
	number=$1
	shift
	as client keyferry "$@" --reader "virtual:r$number"
}
# readers OPTIONS: all of them, anew, and a service that knows them
readers() {
	for i in $numbers; do
		[ ! -e "pids/card$i" ] || stage_unplug "card$i"
		rm -f "run/r$i.sock"
		stage_reader "card$i" "r$i" "$@"
	done
	stage_service_anew
	for i in $numbers; do
		card "$i" reader wait --timeout 60 >mail/show.log
	done
}

one() {
	echo "$pin" | card "$1" dkek unwrap mail/blob --type aes256 --container "$2" --pin-fd 0 \
		>"mail/out.$1" 2>&1 && echo "card $1 of $fleet has the key" >>mail/progress
}
all_at_once() {
	waited=
	for i in $numbers; do
		one "$i" "$1" &
		waited="$waited $!"
	done
	# shellcheck disable=SC2086 # a list of numbers
	wait $waited
}
now_ms() { date +%s%3N; }

the_fleet_gets_its_dkek() {
	readers
	for i in $numbers; do
		printf '%s\n%s\n' "$so_pin" "$pin" | card "$i" card init --dkek-shares 1 --yes --pin-fd 0 >mail/log
		card "$i" dkek import mail/share >mail/log
		grep -q complete mail/log
	done
	python3 "$KF_SRC/tests/e2e/dkek_blob.py" mail/share >mail/blob
	chmod 644 mail/blob
}

# ratio ROUND: injects into one card and then into all at once, and says how they compare in per cent
ratio() {
	container=$((2 * $1))
	start=$(now_ms)
	one 1 "$container" || fail "$(cat mail/out.1)"
	alone=$(($(now_ms) - start))
	: >mail/progress
	start=$(now_ms)
	all_at_once "$((container + 1))"
	all=$(($(now_ms) - start))
	[ "$(wc -l <mail/progress)" = "$fleet" ] || fail "$(cat mail/out.*)"
	per_cent=$((100 * all / alone))
	echo "one card $alone ms, $fleet cards $all ms: $per_cent %"
}

# The machine may have been busy with something else, so the best of three counts.
twenty_cards_take_no_longer_than_one() {
	readers --latency 200
	# Who had the card before has to leave it first, and for one as for all somebody has.
	all_at_once 100
	best=1000000
	for round in 1 2 3; do
		ratio "$round"
		[ "$per_cent" -ge "$best" ] || best=$per_cent
		[ "$best" -gt 130 ] || break
	done
	tail -n 3 mail/progress
	[ "$best" -le 130 ] || fail "$best %"
}

without_latency_it_is_only_told() {
	readers
	ratio 5
}

plan 3
t the_fleet_gets_its_dkek
t twenty_cards_take_no_longer_than_one
t without_latency_it_is_only_told
finish
