#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# docs/catalogue.md says where each row of the catalogue is tested: there must be a test with that number.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

page=$KF_SRC/docs/catalogue.md
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2

# "D1-D3, F5" one a line.
rows() {
	printf '%s\n' "$1" | tr ',' '\n' | tr -d ' ' | while IFS=- read -r from to; do
		part=${from%%[0-9]*} to=${to:-$from}
		seq -f "$part%.0f" "${from#"$part"}" "${to#"$part"}"
	done
}

every_row_has_a_test_with_its_number() {
	sed -n 's/^| \([A-Z][0-9][^|]*\) | [^|]* | \(tests[^ |]*\) |$/\1|\2/p' "$page" >table
	[ "$(wc -l <table)" -ge 6 ] || return 1
	while IFS='|' read -r which file; do
		for row in $(rows "$which"); do
			name=$(printf '%s' "$row" | tr '[:upper:]' '[:lower:]')
			grep -Eq "^(ROW|B|TEST[A-Z_]*)\(([a-z]+, )?${name}_|^(rows|t) ${name}_" "$KF_SRC/$file" ||
				echo "$row: no test in $file" >>missing
		done
	done <table
	[ ! -s missing ] || { cat missing; return 1; }
}

the_parts_are_complete() {
	sed -n 's/^| \([A-Z][0-9][^|]*\) | .*/\1/p' "$page" | while read -r which; do
		rows "$which"
	done | sort -u >listed
	for last in D21 F27 T14 A15 Z11 B21 K10; do
		part=${last%%[0-9]*}
		seq -f "$part%.0f" 1 "${last#"$part"}"
	done >all
	while read -r row; do
		grep -qx "$row" listed || grep -Eq "[ ,:]$row([ ,.]|\$)" "$page" ||
			echo "$row is not mentioned"
	done <all >unmentioned
	[ ! -s unmentioned ] || { cat unmentioned; return 1; }
}

plan 2
t every_row_has_a_test_with_its_number
t the_parts_are_complete
finish
