#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Our driver and other people's, on the same USB readers, one after the other: the virtual reader as
# a gadget on dummy_hcd. What pcscd, libccid and opensc-tool hear from the card, we hear. At two levels,
# with KF_FULL at each.
. "${KF_SRC:=$(pwd)}/tests/vm/rig.sh"
. "$KF_SRC/tests/vm/service.sh"
. "$KF_SRC/tests/vm/beside.sh"

if outside; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	make_card card KF-READERS-1
	rig_service --root tree --timeout 600 --modules 'dummy_hcd usb_f_fs' \
		--file "$KF_SRC/tests/vm/beside.sh:/tests/vm/beside.sh" \
		--file "$dir/card:/srv/card" --prog "$(built tests/vm/say_apdu)" \
		-- ${KF_FULL:+full}
fi

# SELECT, card information, device certificate (longer than a short answer), PIN state, an empty container,
# an instruction that there is none, another application, and the first again.
apdus='00A404000AF06B657966657272790100 00CA010000 00CA010100 00CA010200 00CA011000 00CA012000
	00EE000000 00A4040005A00000030800 00CA010000'

# What opensc-tool prints, the ATR and a line an answer. Its lines have up to 16 bytes as "XX ", then a character for
# each, and nothing between: three quarters are the bytes.
by_pcscd() {
	# shellcheck disable=SC2046,SC2086 # words
	timeout 60 opensc-tool -r 0 -a $(printf ' -s %s' $apdus) >/tmp/opensc || return 1
	awk 'NR == 1 { gsub(/:/, ""); print; next }
	/^Received/ {
		sw = substr($2, 8, 2) substr($3, 7, 2)
		data = ""; open = 1; next
	}
	/^Sending/ { if (open) print data sw; open = 0; next }
	open { hex = substr($0, 1, length($0) / 4 * 3); gsub(/ /, "", hex); data = data hex }
	END { if (open) print data sw }' /tmp/opensc
}

by_us() {
	client keyferry card show | sed -n 's/^atr  *//p'
	# shellcheck disable=SC2086 # words
	client timeout 60 say_apdu "$KEYFERRY_SOCKET" $apdus
}

hears_the_same() {
	plug --level "$1"
	pcscd_up
	by_pcscd >/tmp/theirs || fail "opensc-tool: $(cat /tmp/opensc /tmp/pcscd.err)"
	pcscd_down
	service_up
	by_us >/tmp/ours || fail "say_apdu: $(said)"
	service_down
	unplug
	[ "$(wc -l </tmp/ours)" = $((1 + $(echo "$apdus" | wc -w))) ]
	cmp /tmp/theirs /tmp/ours || {
		cat /tmp/theirs /tmp/ours
		return 1
	}
}

levels='short tpdu-t1'
[ -z "${1:-}" ] || levels="$levels extended tpdu-t0"
# shellcheck disable=SC2086 # words
set -- $levels
plan $#
for level in "$@"; do
	name=the_same_answers_at_level_$(echo "$level" | tr - _)
	eval "$name() { hears_the_same $level; }"
	t "$name"
done
finish
