#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The files of udev/, judged by the programs that will read them: systemd's own, and udev's.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

: "${KF_BUILD:=$KF_SRC/build}"
KF_BUILD=$(realpath "$KF_BUILD")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
units=$KF_BUILD/udev

needs() {
	command -v "$1" >/dev/null || skip "no $1"
}

# --threshold is ten times the score.
scores_at_most() {
	needs systemd-analyze
	systemd-analyze security --offline=yes --no-pager --threshold="$2" "$units/$1" >"$dir/score" 2>&1 || {
		grep '✗' "$dir/score" || true
		fail "$(tail -n 1 "$dir/score")"
	}
	tail -n 1 "$dir/score"
}

the_monitors_unit_scores_at_most_0_8() {
	scores_at_most keyferryd.service 8
}

the_brokers_unit_scores_at_most_0_5() {
	scores_at_most keyferry-broker.service 5
}

no_unit_has_a_capability_or_hides_who_the_clients_are() {
	for u in keyferryd keyferry-broker; do
		grep -qx 'CapabilityBoundingSet=' "$units/$u.service"
		grep -qx 'AmbientCapabilities=' "$units/$u.service"
		! grep -q '^PrivateUsers=' "$units/$u.service" || fail "$u: PrivateUsers="
		! grep -qE '^(User|Group)=(root|0)?$' "$units/$u.service" || fail "$u: root"
	done
}

# Both name them: no group of system calls that systemd 252 allows them has these.
our_own_filters_can_be_loaded_in_the_units() {
	needs systemd-analyze
	for call in seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret; do
		for u in keyferryd keyferry-broker; do
			grep '^SystemCallFilter=[a-z]' "$units/$u.service" | grep -qw "$call" ||
				fail "$u: $call is not allowed"
		done
	done
}

# The programs are those of the build; the rest of the names is looked for on this system.
systemd_finds_no_fault_in_the_units() {
	needs systemd-analyze
	[ -e /lib/systemd/system/sysinit.target ] || skip "no systemd units here"
	mkdir "$dir/units"
	for f in "$units"/*.service "$units"/*.socket; do
		sed -e "s|/[^ ]*/bin/keyferry|$KF_BUILD/bin/keyferry|" \
			-e "s|/[^ ]*/libexec/keyferry/|$KF_BUILD/bin/|" "$f" >"$dir/units/$(basename "$f")"
	done
	systemd-analyze verify --man=no "$dir"/units/*.service "$dir"/units/*.socket >"$dir/verify" 2>&1 || true
	# What other packages' units are blamed for is theirs.
	! grep -i keyferry "$dir/verify" || fail "systemd-analyze verify"
}

the_units_start_and_end_together() {
	grep -qx 'BindsTo=keyferry-broker.service' "$units/keyferryd.service"
	grep -qx 'BindsTo=keyferryd.service' "$units/keyferry-broker.service"
	for s in keyferry keyferry-monitor; do
		grep -qx 'Service=keyferry-broker.service' "$units/$s.socket"
	done
}

users_and_groups_are_made_without_a_login() {
	needs systemd-sysusers
	mkdir -p "$dir/tree/etc"
	systemd-sysusers --root="$dir/tree" "$units/keyferry.sysusers" 2>/dev/null ||
		skip "systemd-sysusers does not work here"
	for u in keyferry keyferry-dev; do
		grep -q "^$u:.*:/usr/sbin/nologin\$" "$dir/tree/etc/passwd" || fail "no user $u"
	done
	for g in keyferry keyferry-dev keyferry-users keyferry-admin; do
		grep -q "^$g:.*:\$" "$dir/tree/etc/group" || fail "no group $g, or one with a member"
	done
}

the_folder_of_the_sockets_is_roots() {
	needs systemd-tmpfiles
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir -p "$dir/tree2"
	systemd-tmpfiles --create --root="$dir/tree2" "$units/keyferry.tmpfiles"
	[ "$(stat -c '%a %u %g' "$dir/tree2/run/keyferry")" = '755 0 0' ]
}

# A device that has no node, made to look like a reader, among the rules that ship with udev and
# matter here; /run and /etc/passwd are our own, so nothing of it stays. 92 stands for libccid's.
# net/lo is no USB device, so the rules are told that it is.
udev_run() {
	needs udevadm
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -m true 2>/dev/null || skip "no mount namespace"
	[ -e /sys/devices/virtual/net/lo ] || skip "no such device"
	mkdir -p "$dir/rules"
	for f in /lib/udev/rules.d/60-fido-id.rules /lib/udev/rules.d/70-uaccess.rules \
		"$units/69-keyferry.rules"; do
		[ -e "$f" ] || skip "no $f"
		sed -e 's/SUBSYSTEM\([!=]\)="usb"/SUBSYSTEM\1="net"/' -e 's/ENV{DEVTYPE}!="usb_device"/ENV{DEVTYPE}=="x"/' \
			-e 's/ENV{DEVTYPE}=="usb_device"/ENV{DEVTYPE}!="x"/' \
			-e 's/ENV{MAJOR}==""/ENV{MAJOR}=="x"/' "$f" >"$dir/rules/$(basename "$f")"
	done
	printf 'ENV{ID_USB_INTERFACES}="%s"\n' "$1" >"$dir/rules/50-test.rules"
	printf '%s\n' "$2" >"$dir/rules/68-test.rules"
	printf 'TAG=="uaccess", ENV{LEFT_OPEN}="1"\n' >"$dir/rules/73-test.rules"
	printf 'GROUP="games", MODE="0666"\n' >"$dir/rules/92-test.rules"
	cp /etc/passwd /etc/group "$dir/"
	echo 'keyferry-dev:x:64001:64001::/:/usr/sbin/nologin' >>"$dir/passwd"
	echo 'keyferry-dev:x:64001:' >>"$dir/group"
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'set -e
		mount --bind "$0/passwd" /etc/passwd
		mount --bind "$0/group" /etc/group
		mount -t tmpfs none /run
		mkdir -p /run/udev/rules.d
		for d in /etc/udev/rules.d /lib/udev/rules.d; do
			[ ! -d "$d" ] || mount -t tmpfs none "$d"
		done
		cp "$0"/rules/* /run/udev/rules.d/
		udevadm test --action=add /sys/devices/virtual/net/lo' "$dir" >"$dir/udev" 2>&1
	! grep -iE 'rules:[0-9]+ .*(invalid|unknown|ignor)' "$dir/udev" || fail "udev finds fault"
}

a_reader_becomes_ours_and_starts_the_service() {
	udev_run ':0b0000:030000:' ''
	grep -qx 'SYSTEMD_WANTS=keyferryd.service' "$dir/udev" || fail "$(cat "$dir/udev")"
	grep -qx 'PCSCLITE_IGNORE=1' "$dir/udev"
	grep -q '^TAGS=.*:systemd:' "$dir/udev"
	! grep -q LEFT_OPEN "$dir/udev" || fail "open to whoever sits at the machine"
	grep -q '69-keyferry.rules:[0-9]* OWNER 64001' "$dir/udev"
	grep -q '69-keyferry.rules:[0-9]* GROUP 64001' "$dir/udev"
	grep -q '69-keyferry.rules:[0-9]* MODE 0600' "$dir/udev"
	! grep -E '92-test.rules:[0-9]+ (GROUP|MODE) ' "$dir/udev" || fail "a later rule took it away"
}

what_is_no_reader_is_left_alone() {
	for interfaces in ':030000:' ':0b0001:' ':0b0002:030101:'; do
		udev_run "$interfaces" ''
		! grep -E 'SYSTEMD_WANTS|PCSCLITE_IGNORE|OWNER 64001' "$dir/udev" || fail "$interfaces"
	done
}

a_reader_can_be_left_to_others() {
	udev_run ':0b0000:' 'ENV{KEYFERRY_IGNORE}="1"'
	! grep -E 'SYSTEMD_WANTS|PCSCLITE_IGNORE|OWNER 64001' "$dir/udev" || fail "taken all the same"
	grep -q LEFT_OPEN "$dir/udev" || fail "and this test would not see it if the others were left open"
}

plan 11
t the_monitors_unit_scores_at_most_0_8
t the_brokers_unit_scores_at_most_0_5
t no_unit_has_a_capability_or_hides_who_the_clients_are
t our_own_filters_can_be_loaded_in_the_units
t systemd_finds_no_fault_in_the_units
t the_units_start_and_end_together
t users_and_groups_are_made_without_a_login
t the_folder_of_the_sockets_is_roots
t a_reader_becomes_ours_and_starts_the_service
t what_is_no_reader_is_left_alone
t a_reader_can_be_left_to_others
finish
