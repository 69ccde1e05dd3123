#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry policy check and explain: by a file, and by what a real broker has in force.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

: "${KF_BUILD:=$KF_SRC/build}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
keyferry=$KF_BUILD/bin/keyferry

cat >"$dir/conf" <<'EOF'
[policy]
shipped-rules = no
[rule desk]
user = 1001
group = 61500
reader = usb:*
container = 0-3
allow = look use inject
[rule all]
user = *
allow = look
EOF

# says STATUS TEXT COMMAND...: the exit status, and a text in what it prints.
says() {
	want=$1 text=$2
	shift 2
	status=0
	"$@" >"$dir/out" 2>&1 || status=$?
	[ "$status" = "$want" ] || fail "exit status $status: $(cat "$dir/out")"
	grep -qF -e "$text" "$dir/out" || fail "not said: $text: $(cat "$dir/out")"
}

a_good_file_is_good() {
	says 0 "good, 3 rows of rules" "$keyferry" policy check "$dir/conf"
	says 0 '"good": true' "$keyferry" policy check --json "$dir/conf"
}

a_mistake_is_told_with_file_and_line() {
	printf '[limits]\nkeys = many\n[what]\n' >"$dir/bad"
	says 1 "$dir/bad:2: keys = many: a number from 1 to 8192" "$keyferry" policy check "$dir/bad"
	grep -qF "$dir/bad:3: no section [what]; there are [service]" "$dir/out"
	says 1 '"line": 2' "$keyferry" policy check --json "$dir/bad"
	says 1 "-:1: no section [x]" sh -c "echo '[x]' | '$keyferry' policy check -"
}

a_draft_may_be_anybodys_but_that_is_said() {
	cp "$dir/conf" "$dir/draft"
	chmod 666 "$dir/draft"
	says 0 "only once root owns it" "$keyferry" policy check "$dir/draft"
}

the_shipped_file_is_good_and_so_is_each_line_it_suggests() {
	says 0 "good" "$keyferry" policy check "$KF_BUILD/udev/keyferryd.conf"
	grep -E '^(\[|#[a-z-]+ = |#\[)' "$KF_BUILD/udev/keyferryd.conf" |
		sed -e 's/^#//' -e 's/^owner = .*/owner = root/' -e 's/^group = .*/group = root/' >"$dir/all"
	for key in idle-stop connections contexts keys bytes take leave path owner shipped-rules group \
		reader container allow; do
		grep -q "^$key = " "$dir/all" || fail "the shipped file does not show $key"
	done
	says 0 "good" "$keyferry" policy check "$dir/all"
}

the_man_pages_example_is_good() {
	# shellcheck disable=SC2016 # no command: what a page has round an example
	sed -n '/^# EXAMPLE/,$p' "$KF_SRC/docs/man/keyferryd.conf.5.scd" |
		sed -n '/^```/,/^```/{/^```/d;p}' >"$dir/example"
	[ -s "$dir/example" ]
	says 0 "good, 3 rows of rules" "$keyferry" policy check "$dir/example"
}

explain() { "$keyferry" policy explain --config "$dir/conf" "$@"; }

the_rule_that_decides_is_named() {
	says 0 "rule desk (line 3): user 1001" explain --uid 1001 --reader usb:a --container 3 inject
	says 0 "allowed" explain --uid 1001 offer
	says 0 "rule all (line 9): everybody" explain --uid 7 look
	says 0 '"name": "desk"' explain --json --uid 1001 sign
}

of_a_refusal_each_rule_says_why() {
	says 1 "is about other readers" explain --uid 1001 --reader virtual:a sign
	says 1 "is about other containers" explain --uid 1001 --reader usb:a --container 4 sign
	says 1 "is about some containers, not about any" explain --uid 1001 --container any inject
	says 1 "names others" explain --uid 7 sign
	grep -qF "rule all (line 9): everybody; readers all, containers all; allows look - does not allow it" \
		"$dir/out"
	grep -qF "no rule allows it (no rule = deny)" "$dir/out"
	says 1 "nobody is always refused" explain --uid 65534 look
	says 1 '"why not": "names others"' explain --json --uid 7 sign
}

what_makes_no_sense_is_a_usage_error() {
	says 2 "no operation 'sing'; there are: look use inject" explain sing
	says 2 "no such user" explain --uid no-such-user look
	says 2 "--container x" explain --container x look
}

start_daemon() {
	[ "$(id -u)" = 0 ] || skip "needs root to be several users"
	cp -L "$KF_BUILD"/bin/keyferry "$KF_BUILD"/lib/libkeyferry.so.0 "$KF_BUILD"/lib/libkeyferry-server.so.0 \
		"$dir"
	chmod 755 "$dir"/keyferry
	rm -f "$dir/ready"
	mkfifo "$dir/ready"
	exec 6<>"$dir/ready"		# else a byte written before anybody reads is lost
	"$KF_BUILD/bin/keyferryd" --socket "$dir/sock" --config "$dir/conf" --ready-fd 5 5<>"$dir/ready" \
		2>"$dir/said" &
	daemon=$!
	trap 'kill "$daemon"' EXIT	# of this test, which is a shell of its own
	timeout 20 head -c 1 <&6 >/dev/null || fail "not ready: $(cat "$dir/said")"
}

# as UID GID COMMAND...
as() {
	uid=$1 gid=$2
	shift 2
	LD_LIBRARY_PATH=$dir setpriv --reuid "$uid" --regid "$gid" --clear-groups "$dir/keyferry" "$@" \
		--socket "$dir/sock"
}

the_broker_is_asked_for_the_rules_in_force() {
	start_daemon
	says 0 "rule developer: user 0" as 0 0 policy explain create
	says 0 "rule desk (line 3): user 1001" as 0 0 policy explain --uid 1001 --reader usb:a sign
	says 0 "rule desk (line 3): group 61500" as 61500 61500 policy explain --reader usb:a sign
	says 0 '"policy": 1' as 0 0 policy explain --json look
}

only_administrators_hear_about_others() {
	start_daemon
	says 1 "the broker tells rules about others to administrators alone" \
		as 61500 61500 policy explain --uid 1001 sign
	says 1 "no rule that names this user allows it" as 61501 61501 policy explain sign
	! grep -q "rule desk" "$dir/out" || fail "it told a rule about others"
}

plan 10
t a_good_file_is_good
t a_mistake_is_told_with_file_and_line
t a_draft_may_be_anybodys_but_that_is_said
t the_shipped_file_is_good_and_so_is_each_line_it_suggests
t the_man_pages_example_is_good
t the_rule_that_decides_is_named
t of_a_refusal_each_rule_says_why
t what_makes_no_sense_is_a_usage_error
t the_broker_is_asked_for_the_rules_in_force
t only_administrators_hear_about_others
finish
