#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One APDU on the same virtual card: the floor of three socket hops, keyferry with 1 and 16
# clients, and pcscd through vpcd, all in one run, interleaved, and as ratios. The peer needs root
# (a network and mount namespace of its own) and Debian's pcscd and vsmartcard-vpcd.
#
# pcscd's vpcd talks TCP; without quick acknowledgements its figures are those of a delayed-ACK
# timer, so a peer median above 1 ms voids the comparison instead of flattering us.
#
#	KF_BENCH_CALLS	calls a round, 5000 unless set
set -u

KF_SRC=${KF_SRC:-$(pwd)}
. "$KF_SRC/tests/e2e/stage.sh"
calls=${KF_BENCH_CALLS:-5000}
rounds=11

if [ "${1:-}" = --peer ]; then
	# Inside the namespaces: $2 is the stage, $3 the programs.
	ip link set lo up
	ip route change local 127.0.0.1 dev lo table local quickack 1 2>/dev/null
	mount -t tmpfs tmpfs /run
	mkdir -p /run/pcscd
	pcscd --foreground >"$2/mail/pcscd.log" 2>&1 &
	pcscd=$!
	sleep 1
	as_background service "$2/bin/keyferry-vreader" run --state "$2/peer" \
		--vpcd 127.0.0.1:35963 >"$2/mail/vpcd.log" 2>&1
	card=$!
	# One round for each number of clients that is asked for, one line of figures each.
	while read -r n; do
		"$3/pcsc_bench" "$n" "$calls" || {
			tail -n 3 "$2/mail/vpcd.log" "$2/mail/pcscd.log" >&2
			break
		}
	done
	kill "$card" "$pcscd"
	exit 0
fi

# The median over the rounds of column $3 of lines named $1 with $2 clients.
median() {
	awk -v name="$1" -v clients="$2" -v column="$3" '
		$1 == name && $3 == clients { for (i = 1; i < NF; i++) if ($i == column) v[++n] = $(i + 1) + 0 }
		END {
			for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
			if (n) print v[int((n + 1) / 2)]
		}' "$stage/mail/figures"
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

helpers=$KF_BUILD/tests/bench
stage_up --level extended
cp -a card peer
ask=
if [ "$(id -u)" = 0 ] && [ -x "$helpers/pcsc_bench" ] && command -v pcscd >/dev/null; then
	mkfifo mail/ask mail/figure
	KF_BUILD=$KF_BUILD unshare -n -m sh "$KF_SRC/tests/bench/apdu.sh" --peer "$stage" "$helpers" \
		<mail/ask >mail/figure &
	ask=mail/ask
	exec 8>mail/ask 9<mail/figure
fi

# peer N: a round of pcscd with N clients, if there is one.
peer() {
	[ -n "$ask" ] || return 0
	echo "$1" >&8
	read -r figure <&9 && echo "$figure" || ask=
}

# Interleaved, so that what the machine does meanwhile is done to all of them.
i=0
while [ $i -lt $rounds ]; do
	"$helpers/floor_bench" "$calls"
	as client "$helpers/keyferry_bench" run/broker.sock 1 "$calls"
	peer 1
	as client "$helpers/keyferry_bench" run/broker.sock 16 "$calls"
	peer 16
	i=$((i + 1))
done >mail/figures
cat mail/figures
[ -z "$ask" ] || exec 8>&- 9<&-

ours=$(median keyferry 1 p50) floor=$(median floor 1 p50) peer=$(median pcscd 1 p50)
echo "p50 of one APDU: keyferry $ours us, floor $floor us: $(ratio "$ours" "$floor") of the floor (aim 1.35)"
if [ -z "$peer" ]; then
	echo "no peer: needs root, pcscd, vsmartcard-vpcd and libpcsclite-dev"
elif [ "${peer%.*}" -ge 1000 ]; then
	echo "void: pcscd's median is $peer us, a delayed-ACK timer and not pcscd"
	exit 1
else
	echo "p50 of one APDU: pcscd $peer us: $(ratio "$ours" "$peer") of pcscd (aim 1.0)"
fi
