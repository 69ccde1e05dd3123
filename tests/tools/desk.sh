# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A desk of one person: an empty folder to work in, which is gone at the end with every process in
# $pids, and words for what is typed there.
#
#	. "$KF_SRC/tests/tools/desk.sh"
#	desk PROGRAM...		skips all if one of them is not built; then we are in $dir
# shellcheck disable=SC2034 # for the script
bin=$KF_BUILD/bin

desk() {
	for p in "$@"; do
		[ -x "$bin/$p" ] || skip_all "$p is not built"
	done
	pids=
	dir=$(mktemp -d)
	cd "$dir" || exit 1
	KEYFERRY_SOCKET=$dir/broker.sock
	export KEYFERRY_SOCKET
	trap leave_desk EXIT
	trap 'exit 1' INT TERM
}

leave_desk() {
	# shellcheck disable=SC2086 # a list
	kill $pids 2>/dev/null
	# shellcheck disable=SC2086
	wait $pids 2>/dev/null
	cd /
	rm -rf "$dir"
}

# until_ok COMMAND...: waits for it to succeed, patiently
until_ok() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || return 1
		sleep 0.05
	done
}

kf() { "$bin/keyferry" "$@"; }

# code WANTED COMMAND...: it ends with that exit code; its words are in ./said
code() {
	wanted=$1
	shift
	got=0
	"$@" >said 2>&1 || got=$?
	[ "$got" -eq "$wanted" ] || fail "exit code $got instead of $wanted: $(cat said)"
}
says() { grep -q -- "$1" said || fail "it said: $(cat said)"; }
