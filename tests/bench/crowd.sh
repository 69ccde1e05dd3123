#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Memory of each process with a thousand clients connected that do nothing, and with 64 virtual
# readers busy at once.
#
#	KF_BENCH_SECONDS	how long they are busy, 5 unless set
set -u

KF_SRC=${KF_SRC:-$(pwd)}
# shellcheck source=tests/e2e/stage.sh
. "$KF_SRC/tests/e2e/stage.sh"
crowd=${KF_BUILD:?}/tests/bench/crowd_bench
readers=64 clients=1000

# memory WHEN: resident size of each of our processes, of drivers the least and the greatest.
memory() {
	for program in keyferryd keyferry-broker keyferry-driver; do
		pgrep -f "^$stage/bin/$program " | while read -r pid; do
			sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/$pid/status"
		done | sort -n | awk -v what="$1: $program" '
			NR == 1 { least = $1 } { most = $1 }
			END { printf "%s: %d, %d to %d KiB resident\n", what, NR, least, most }'
	done
}

# shellcheck disable=SC2119 # no options for its reader
stage_up
kill "$!"			# a service for many readers takes the place of the stage's
wait "$!" 2>/dev/null
prlimit --pid $$ --nofile=4096:	# the broker takes as many clients as its limit has room for
set --
i=0
while [ "$i" -lt "$readers" ]; do
	cp -a card "card$i"
	as_background service keyferry-vreader run --state "card$i" --listen "run/r$i.sock" \
		>>mail/readers.log 2>&1
	set -- "$@" --virtual "$stage/run/r$i.sock"
	i=$((i + 1))
done
as_background service "$stage/bin/keyferryd" --socket "$stage/run/broker.sock" "$@" \
	--limit connections=1024 --grant "$uid_client:look,use" >mail/service.log 2>&1
tries=0
until [ "$(as client keyferry reader list 2>/dev/null | grep -c ' card ')" = "$readers" ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 300 ] || stage_fail "not all readers have a card"
	sleep 0.2
done
memory "no client"
mkfifo mail/idle
as client "$crowd" idle "$clients" "$stage/run/broker.sock" <mail/idle >mail/idle.log &
idle=$!
exec 9>mail/idle
until grep -q ready mail/idle.log; do sleep 0.1; done
memory "$clients idle clients"
exec 9>&-
wait "$idle"
as client "$crowd" busy "$readers" "$stage/run/broker.sock" "${KF_BENCH_SECONDS:-5}" >mail/busy.log &
busy=$!
sleep 2
memory "$readers readers busy"
wait "$busy"
cat mail/busy.log
