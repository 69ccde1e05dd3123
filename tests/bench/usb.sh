#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One APDU through us and through Debian's pcscd and libccid, on one and the same USB reader: the virtual
# reader as a gadget on dummy_hcd, in a virtual machine, in turns in one run. And what usbmon sees on
# the bus: the transfers an APDU costs, those from a cold start to the first answer and from a client's
# connect to it, and those of ten seconds in which nothing happens.
#
# The machine's clock counts instructions (-icount), so nothing else on the host can be seen in the
# figures, and they are the same each time. How fast it is decides what fits between two frames of the
# bus, so there are three of them: 1, 2 and 4 ns an instruction. Calls come at random moments.
#
#	KF_BENCH_CALLS	calls a round, 300 unless set
#	KF_BENCH_ROUNDS	of each, 3 unless set
. "${KF_SRC:=$(pwd)}/tests/vm/rig.sh"
. "$KF_SRC/tests/vm/service.sh"
. "$KF_SRC/tests/vm/beside.sh"

if outside; then
	[ -x "$(built tests/bench/pcsc_bench)" ] || {
		echo "no peer: needs libpcsclite-dev"
		exit 0
	}
	export KF_VM_ACCEL=tcg		# the clock of another one is its own
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	make_card card KF-BENCH-1
	for shift in 0 1 2; do
		echo "${KF_BENCH_CALLS:-300} ${KF_BENCH_ROUNDS:-3} $((1 << shift))" >"$dir/how"
		(
			rig_service --root tree --timeout 900 --modules 'dummy_hcd usb_f_fs usbmon' \
				--smp 1 --qemu-args "-icount shift=$shift,sleep=off" \
				--file "$KF_SRC/tests/vm/beside.sh:/tests/vm/beside.sh" \
				--file "$dir/card:/srv/card" --file "$dir/how:/srv/how" \
				--prog "$(built tests/bench/keyferry_bench)" \
				--prog "$(built tests/bench/pcsc_bench)"
		) >"$dir/figures" || failed=1
		cat "$dir/figures"
		grep ' of pcscd$' "$dir/figures" >>"$dir/ratios"
	done
	for column in p50 p99; do
		sed -n "s/^$column .*: \\([0-9.]*\\) of pcscd\$/\\1/p" "$dir/ratios" | sort -n |
			sed -n "2s/.*/$column of one APDU: & of pcscd in the median of the three/p"
	done
	echo "aim: 0.8 of pcscd's p50"
	exit "${failed:-0}"
fi

read -r calls rounds ns </srv/how

fail() {
	echo "usb.sh: $*"
	exit 1
}

# --- the two, each with the same verbs

pcscd_calls() {
	timeout 300 pcsc_bench 1 "$1" 1000 || fail "pcscd: $(cat /tmp/pcscd.err)"
}

keyferry_up() {
	service_up
}

keyferry_down() {
	service_down
}

keyferry_calls() {
	client keyferry reader wait --timeout 60 >/dev/null || fail "no card: $(said)"
	client timeout 300 keyferry_bench $KEYFERRY_SOCKET 1 "$1" 1000 || fail "keyferry: $(said)"
}

# --- the bus

bus=/sys/kernel/debug/usb/usbmon/1u

# on_the_wire WHAT COMMAND...: how many transfers of each kind the host submits to the reader meanwhile.
on_the_wire() {
	printf '%s: ' "$1"
	shift
	cat $bus >/tmp/bus &
	monitor=$!
	"$@" >/tmp/figures
	sleep 1
	kill $monitor
	wait $monitor 2>/dev/null
	awk '$3 == "S" && $4 !~ /:001:/ { n[substr($4, 1, 2)]++; all++ }
		END { printf "%d transfers: %d bulk out, %d bulk in, %d interrupt, %d control\n",
			all, n["Bo"], n["Bi"], n["Ii"], n["Ci"] + n["Co"] }' /tmp/bus
}

from_a_cold_start() {
	"$1_up"
	"$1_calls" 1
}

# Of the APDUs that were just seen: the medians of how long the reader had the command and of how long
# everybody else took until it had the next.
where_the_time_goes() {
	awk '$4 ~ /:001:/ { next }
		$3 == "S" && $4 ~ /^Bo/ { if (got) print "host", $2 - got; sent = $2; got = 0 }
		$3 == "C" && $4 ~ /^Bi/ && sent { print "reader", $2 - sent; got = $2; sent = 0 }' \
		/tmp/bus >/tmp/times
	for side in reader host; do
		sed -n "s/^$side //p" /tmp/times | sort -n |
			awk -v side=$side '{ v[NR] = $1 } END { printf " %s %d us", side, v[int((NR + 1) / 2)] }'
	done
}

# counts PEER: the reader is in nobody's hands before and after.
counts() {
	on_the_wire "$1, cold start to first answer" from_a_cold_start "$1"
	on_the_wire "$1, connect and one APDU" "$1_calls" 1
	on_the_wire "$1, connect and $((calls + 1)) APDUs" "$1_calls" $((calls + 1))
	echo "$1, an APDU spends:$(where_the_time_goes)"
	on_the_wire "$1, ten idle seconds" sleep 10
	"$1_down"
}

# The median over the rounds of column @2 of the lines of @1.
median() {
	awk -v name="$1" -v column="$2" '$1 == name { for (i = 1; i < NF; i++) if ($i == column) print $(i + 1) }' \
		/tmp/rounds | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# ratio COLUMN
ratio() {
	ours=$(median keyferry "$1") theirs=$(median pcscd "$1")
	echo "$1 of one APDU: keyferry $ours us, pcscd $theirs us: $(awk -v a="$ours" -v b="$theirs" \
		'BEGIN { printf "%.2f", a / b }') of pcscd"
}

mount -t debugfs debugfs /sys/kernel/debug || fail "no debugfs"
echo "$ns ns an instruction:"
plug --level short
if [ "$ns" = 1 ]; then
	for peer in pcscd keyferry; do counts $peer; done
fi
i=0
while [ "$i" -lt "$rounds" ]; do
	for peer in pcscd keyferry; do
		"${peer}_up"
		"${peer}_calls" "$calls"
		"${peer}_down"
	done
	i=$((i + 1))
done >/tmp/rounds 2>&1
cat /tmp/rounds
unplug
ratio p50
ratio p99
