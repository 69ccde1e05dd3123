#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# scripts/deps.sh with a dpkg-query, an apt-get and an id made for it.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"

# stub NAME TEXT
stub() {
	printf '#!/bin/sh\n%s\n' "$2" >"$dir/$1"
	chmod 755 "$dir/$1"
}

stub apt-get "echo \"\$*\" >>'$dir/called'; touch '$dir/now-installed'"
# shellcheck disable=SC2016 # the stub expands it
stub env 'while [ "${1#*=}" != "$1" ]; do shift; done; exec "$@"'

installed() {
	stub dpkg-query 'printf installed'
}

# Missing until apt-get was called.
missing() {
	rm -f "$dir/called" "$dir/now-installed"
	stub dpkg-query "[ -e '$dir/now-installed' ] && printf installed"
}

user() {
	stub id "echo $1"
	stub sudo 'exit 1'
}

deps() {
	status=0
	PATH=$dir:$PATH "$KF_SRC/scripts/deps.sh" "$@" >"$dir/out" 2>&1 </dev/null || status=$?
}

with_everything_installed_apt_is_not_called() {
	installed
	user 1000
	deps check
	[ "$status" = 0 ] || fail "status $status: $(cat "$dir/out")"
	[ ! -e "$dir/called" ] || fail "apt-get was called"
	[ ! -s "$dir/out" ] || fail "it said: $(cat "$dir/out")"
}

root_installs_what_is_missing() {
	missing
	user 0
	deps demo
	[ "$status" = 0 ] || fail "status $status: $(cat "$dir/out")"
	grep -q ' update' "$dir/called"
	grep -q ' install -y .* gcc .* libssl-dev ' "$dir/called"
	! grep -q clang "$dir/called" || fail "the demo needs no clang"
}

check_needs_more_than_demo() {
	missing
	user 0
	deps
	grep -q ' install -y .* gcc .* clang .* shellcheck ' "$dir/called"
}

without_root_it_says_the_command_and_fails() {
	missing
	user 1000
	deps demo
	[ "$status" = 1 ] || fail "status $status: $(cat "$dir/out")"
	grep -q 'apt-get update && apt-get install -y --no-install-recommends .*gcc' "$dir/out"
	[ ! -e "$dir/called" ] || fail "apt-get was called"
}

a_package_apt_did_not_bring_is_named() {
	missing
	user 0
	stub apt-get 'exit 0'
	deps demo
	[ "$status" = 1 ] || fail "status $status: $(cat "$dir/out")"
	grep -q 'gcc is still missing' "$dir/out"
}

a_wrong_group_is_refused() {
	deps everything
	[ "$status" = 2 ]
	grep -q '^usage:' "$dir/out"
}

plan 6
t with_everything_installed_apt_is_not_called
t root_installs_what_is_missing
t check_needs_more_than_demo
t without_root_it_says_the_command_and_fails
t a_package_apt_did_not_bring_is_named
t a_wrong_group_is_refused
finish
