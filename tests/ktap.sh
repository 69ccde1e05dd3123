# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For test scripts: . "$KF_SRC/tests/ktap.sh", then plan N, then one t() for each test:
#
#	plan 2
#	t a_missing_folder_is_named
#	t nothing_is_left_behind
#
# t runs the function of that name in a subshell with -e, its output made comments, and reports.
# skip REASON inside it skips it, fail REASON fails it in words. skip_all REASON ends the script; sanitized
# asks whether it is about a build with SAN=1.
# A script that defines t_ends has it run behind each of its tests, in the same subshell, also behind
# one that has failed.

ktap_n=0
ktap_failed=0

t_ends() { :; }

plan() {
	echo "KTAP version 1"
	echo "1..$1"
}

skip_all() {
	echo "KTAP version 1"
	echo "1..0 # SKIP $*"
	exit 0
}

skip() {
	echo "$*" >"$ktap_reason"
	exit 77
}

fail() {
	echo "$*"
	exit 1
}

# Whether the programs at hand were built with the sanitizers, which keep what is freed and take their time.
sanitized() {
	nm "${KF_BUILD:?}/bin/keyferry" 2>/dev/null | grep -q __asan_init
}

t() {
	ktap_n=$((ktap_n + 1))
	ktap_out=$(mktemp)
	ktap_reason=$(mktemp)
	# Not as a condition: there sh ignores -e.
	(
		set -e
		trap t_ends EXIT
		"$@"
	) >"$ktap_out" 2>&1 </dev/null
	ktap_status=$?
	[ ! -s "$ktap_out" ] || sed 's/^/# /' "$ktap_out"
	case $ktap_status in
	0) echo "ok $ktap_n $1" ;;
	77) echo "ok $ktap_n $1 # SKIP $(tr '#\n' '  ' <"$ktap_reason")" ;;
	*)
		echo "not ok $ktap_n $1"
		ktap_failed=1
		;;
	esac
	rm -f "$ktap_out" "$ktap_reason"
}

# At the end of the script.
finish() {
	exit $ktap_failed
}
