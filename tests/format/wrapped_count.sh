#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whoever sends a blob learns from the time nothing about what is wrong with it [SECURITY section 6]:
# counted in instructions under callgrind, 64 calls a kind, kinds in turn, medians within 500.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

program=$KF_BUILD/tests/format/wrapped_count
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

command -v valgrind >/dev/null || skip_all "no valgrind"
! sanitized || skip_all "built with sanitizers, which valgrind cannot run"

# A dump a call, numbered in order. Names of functions are all it needs: this valgrind does not read the
# debug information that clang writes.
count() {
	strip --strip-debug -o "$dir/program" "$program"
	valgrind -q --tool=callgrind --toggle-collect=measured --dump-after=measured \
		--callgrind-out-file="$dir/out" "$dir/program" >"$dir/order" 2>"$dir/log" ||
		{ cat "$dir/log"; return 1; }
	find "$dir" -name 'out.*' | sed 's/.*\.//' | sort -n | while read -r dump; do
		sed -n 's/^totals: //p' "$dir/out.$dump"
	done >"$dir/all"
	[ "$(wc -l <"$dir/all")" -ge "$(wc -l <"$dir/order")" ] || fail "fewer counts than calls"
	paste "$dir/order" "$dir/all" | awk 'NF == 2 && $1 != "warm-up"' >"$dir/counts"
	for kind in first-byte label-hash padding no-one aes-length kwp-128 kwp-256 good; do
		echo "$kind $(awk -v kind="$kind" '$1 == kind { print $2 }' "$dir/counts" | sort -n |
			awk '{ v[NR] = $1 } END { print NR, v[int((NR + 1) / 2)] }')"
	done >"$dir/medians"
}

all_kinds_were_counted() {
	count
	cat "$dir/medians"
	! awk '$2 != 64 || $3 < 1000000' "$dir/medians" | grep .
}

what_is_refused_costs_the_same_whatever_is_wrong() {
	awk '$1 != "good" { if (!n++ || $3 < least) least = $3; if ($3 > most) most = $3 }
		END { print most - least " instructions apart"; exit most - least > 500 }' "$dir/medians"
}

# The measure sees more than nothing: a blob that opens is told by what it does more.
and_it_would_be_seen_if_it_did_not() {
	awk '{ v[$1] = $3 } END { d = v["good"] - v["kwp-256"]; print d " more when it opens"; exit d == 0 }' \
		"$dir/medians"
}

plan 3
t all_kinds_were_counted
t what_is_refused_costs_the_same_whatever_is_wrong
t and_it_would_be_seen_if_it_did_not
