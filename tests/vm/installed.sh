#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry as it is installed: what `make install` puts into a Debian with systemd and udev, where a
# reader is plugged in. QEMU's own reader, by device_add and device_del; our card in it, which runs
# outside, where keys are made in no time. Two users of the machine are client and server.
#
# The card obeys the script in the machine by two FIFOs: insert (power it up anew), hold (it falls
# silent in the middle of whatever it does).
#
# Catalogue: H1, H5, H9, H15
. "${KF_SRC:=$(pwd)}/tests/vm/rig.sh"

pin=123456

outside_card() {
	pid=
	while read -r word; do
		case $word in
		insert)
			# Its state is locked until it has gone.
			[ -z "$pid" ] || { kill -KILL "$pid"; wait "$pid"; } 2>/dev/null
			"$(built bin/keyferry-vreader)" run --state "$dir/card" \
				--vscard "$dir/card.sock" >>"$dir/card.log" 2>&1 &
			pid=$!
			echo "$pid" >"$dir/card.pid"
			;;
		hold) kill -STOP "$pid" ;;
		esac
		echo obeyed >"$dir/hand.in"
	done <"$dir/hand.out"
}

prepare() {
	mkdir "$dir/server"
	"$(built bin/keyferry)" server init --state "$dir/state"
	"$(built bin/keyferry-vreader)" personalise --state "$dir/card" --serial KF-VM-0001 \
		--injector "$dir/state/injector.pub.pem" --pin $pin --puk 12345678
	cp "$dir/card/card.pem" "$dir/card/root.pem" "$dir/state/injector.pem" "$dir/server/"
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$dir/server/k2.pem"
	openssl req -x509 -newkey rsa:2048 -noenc -keyout "$dir/archive.key.pem" \
		-out "$dir/server/archive.pem" -subj /CN=archive -days 30 \
		-addext keyUsage=critical,keyEncipherment
	. "$KF_SRC/tests/make_install.sh"
	make_install "$dir/dest"
}

if outside; then
	nm "$(built bin/keyferry)" 2>/dev/null | grep -q __asan_init &&
		skip_all "a sanitized build is not installed"
	dir=$(mktemp -d)
	hand=
	# shellcheck disable=SC2317 # by trap
	leave() {
		[ -z "$hand" ] || kill "$hand"
		[ ! -e "$dir/card.pid" ] || kill -KILL "$(cat "$dir/card.pid")"
		rm -rf "$dir"
	} 2>/dev/null
	trap leave EXIT
	(set -e; prepare) >"$dir/prepare.log" 2>&1 || {
		cat "$dir/prepare.log"
		exit 1
	}
	mkfifo "$dir/hand.in" "$dir/hand.out"
	outside_card &
	hand=$!
	rig --root debian --timeout 850 --tree "$dir/dest" --modules xhci-pci \
		--qemu-args "-device qemu-xhci,id=usb
			-chardev socket,id=card,path=$dir/card.sock,server=on,wait=off
			-chardev pipe,id=hand,path=$dir/hand
			-device virtserialport,chardev=hand,name=vm.hand" \
		--prog "$(built tests/e2e/steps_client)" --prog "$(built tests/e2e/steps_server)" \
		--file "$dir/server:/srv/server" --file "$KF_SRC/docs/admin.md:/srv/admin.md"
fi

exec 9<>"$(vm_port vm.hand)"

card() {
	echo "$1" >&9
	read -r _ <&9
}

plug() {
	card insert
	vm_qmp device_add '{ "driver": "usb-ccid", "id": "r", "bus": "usb.0", "port": "1" }' >/dev/null
	vm_qmp device_add '{ "driver": "ccid-card-passthru", "id": "c", "bus": "r.0", "chardev": "card" }' \
		>/dev/null
}

unplug() {
	vm_qmp device_del '{ "id": "r" }' >/dev/null
}

alice() {
	su alice -c "$*"
}

# Soon, on a machine that does other things, too.
within() {
	vm_wait "$@" || {
		shift
		journalctl -q --no-pager -n 30 -u keyferryd -u keyferry-broker -u pcscd
		fail "not seen: $*"
	}
}

runs() {
	for u in "$@"; do [ "$(systemctl is-active "$u")" = active ] || return 1; done
}

rests() {
	for u in "$@"; do [ "$(systemctl is-active "$u")" = inactive ] || return 1; done
}

card_is_there() {
	alice keyferry card show | grep -q '^serial *KF-VM-0001$'
}

reader_is() {
	alice keyferry reader list | grep -q "^QEMU-USB-CCID[^ ]*  *$*"
}

# Pids of what is ours.
ours() {
	pgrep '^keyferry(d$|-)'
}

resets() {
	dmesg | grep -c 'reset .* USB device' || true
}

# The commands of a section of docs/admin.md, but for the installation itself.
admin() {
	sed -n "/^## $1\./,/^## /s/^    //p" /srv/admin.md | sed 's/  *#.*//' | grep "^$2"
}

nothing_runs_before_a_reader_is_there() {
	[ -z "$(ours)" ]
	rests keyferryd keyferry-broker
}

installing_it_goes_as_the_page_says() {
	admin 1 '[^m]' >/tmp/admin
	admin 2 adduser >>/tmp/admin
	[ "$(wc -l </tmp/admin)" = 8 ] || fail "$(cat /tmp/admin)"
	sh -ex /tmp/admin
	runs keyferry.socket keyferry-monitor.socket
	rests keyferryd keyferry-broker
}

plugging_a_reader_starts_the_service() {
	plug
	within 120 runs keyferryd keyferry-broker
	within 120 card_is_there
}

the_node_is_the_drivers_alone() {
	node=$(udevadm info -q name "$(readlink -f /sys/bus/usb/devices/1-1)")
	[ "$(stat -c '%U %G %a' "/dev/$node")" = 'keyferry-dev keyferry-dev 600' ]
}

no_process_of_ours_is_root() {
	ours >/tmp/pids
	[ "$(wc -l </tmp/pids)" = 3 ]
	while read -r pid; do
		[ "$(stat -c %U "/proc/$pid")" != root ]
		grep -qx 'CapPrm:	0*' "/proc/$pid/status"
	done </tmp/pids
}

our_own_filters_load_under_the_units() {
	alice keyferry status >/tmp/status
	cat /tmp/status
	all='no-new-privs undumpable no-core no-capabilities seccomp landlock'
	for role in monitor broker driver; do
		grep -A 1 "^process  *$role " /tmp/status | grep -qx "guards  *$all" || fail "$role"
	done
}

the_units_expose_next_to_nothing() {
	systemd-analyze security --offline=yes --no-pager --threshold=8 keyferryd.service >/tmp/score
	systemd-analyze security --offline=yes --no-pager --threshold=5 keyferry-broker.service >/tmp/score
}

who_is_in_no_group_is_kept_out() {
	if su bob -c 'keyferry card show' 2>/tmp/why; then fail "bob sees the card"; fi
	grep -q /run/keyferry/broker.sock /tmp/why
}

# --- the voyage: alice is the client, bob the server

client_is_paused() {
	grep -q '^State:	T' "/proc/$(pgrep -x steps_client)/status"
}

the_voyage_goes_as_far_as_the_item() {
	mkdir -m 1777 /tmp/voyage
	chown -R bob /srv/server
	(
		cd /srv/server
		su bob -c 'exec steps_server /tmp/voyage/meeting card.pem root.pem injector.pem k2.pem \
			archive.pem archive.p7m' >/tmp/voyage/server 2>&1 9>&- &
	)
	within 120 test -S /tmp/voyage/meeting
	chmod 777 /tmp/voyage/meeting
	printf %s "$pin" | su alice -c 'exec env STEPS_PAUSE=27 steps_client /tmp/voyage/meeting \
		/run/keyferry/broker.sock 0' >/tmp/voyage/client 2>&1 9>&- &
	vm_wait 120 client_is_paused || fail "$(cat /tmp/voyage/client /tmp/voyage/server)"
	cat /tmp/voyage/client /tmp/voyage/server
}

# The card is silent from before the unplugging until it is powered up anew.
unplugged_in_the_middle_of_it_the_client_hears_at_once() {
	card hold
	pkill -CONT -x steps_client
	sleep 0.5
	if grep '^# 27' /tmp/voyage/client; then fail "before it was unplugged"; fi
	unplug
	vm_wait 60 grep '^# 27 broken off' /tmp/voyage/client ||
		fail "$(tail -n 3 /tmp/voyage/client)"
	pgrep -x steps_client
}

plugged_in_again_it_completes() {
	plug
	vm_wait 120 grep '^ok 31 ' /tmp/voyage/server || {
		alice keyferry reader list || true
		journalctl -q --no-pager -n 30 -u keyferryd -u keyferry-broker
		fail "$(tail -n 5 /tmp/voyage/client; tail -n 1 /tmp/voyage/server)"
	}
	cat /tmp/voyage/client /tmp/voyage/server
	for i in $(seq 1 31); do grep -q "^ok $i " /tmp/voyage/client /tmp/voyage/server; done
	grep -q '^ok 27 .*kf_injection_run()' /tmp/voyage/client
}

# --- beside pcscd

pcscd_leaves_a_reader_that_we_have() {
	resets=$(resets) drivers=$(pgrep -x keyferry-driver)
	opensc-tool -l >/tmp/readers 2>&1 || true
	runs pcscd
	grep -q 'No smart card readers' /tmp/readers || fail "$(cat /tmp/readers)"
	journalctl -q -u pcscd --no-pager | grep -i busy
	card_is_there
	[ "$(pgrep -x keyferry-driver)" = "$drivers" ]
	[ "$(resets)" = "$resets" ]
}

pcscd_has_it() {
	opensc-tool -r 0 -a | grep -qi 3b:9f:18:40:8f
}

we_leave_a_reader_that_pcscd_has() {
	resets=$(resets)
	systemctl stop keyferryd pcscd
	within 120 rests keyferry-broker keyferryd
	within 120 pcscd_has_it
	pcscd=$(pgrep -x pcscd)
	systemctl start keyferryd
	within 120 reader_is busy elsewhere
	pcscd_has_it
	[ "$(pgrep -x pcscd)" = "$pcscd" ]
	[ -z "$(pgrep -x keyferry-driver)" ]
	[ "$(resets)" = "$resets" ]
}

it_is_ours_when_pcscd_goes() {
	systemctl stop pcscd.socket pcscd.service
	within 120 card_is_there
}

# --- coming and going

idle_it_leaves_if_so_configured() {
	sed -i 's/^#idle-stop = .*/idle-stop = 1s/' /etc/keyferry/keyferryd.conf
	systemctl reload keyferryd
	within 120 rests keyferryd keyferry-broker
	[ -z "$(systemctl list-units --failed --plain --no-legend 'keyferry*')" ]
	[ -z "$(ours)" ]
}

# And then it is to stay for as long as it takes to look.
the_first_client_starts_it_by_its_socket() {
	sed -i 's/^idle-stop = .*/idle-stop = never/' /etc/keyferry/keyferryd.conf
	alice keyferry reader wait --timeout 60
	runs keyferryd keyferry-broker
}

plan 16
t nothing_runs_before_a_reader_is_there
t installing_it_goes_as_the_page_says
t plugging_a_reader_starts_the_service
t the_node_is_the_drivers_alone
t no_process_of_ours_is_root
t our_own_filters_load_under_the_units
t the_units_expose_next_to_nothing
t who_is_in_no_group_is_kept_out
t the_voyage_goes_as_far_as_the_item
t unplugged_in_the_middle_of_it_the_client_hears_at_once
t plugged_in_again_it_completes
t pcscd_leaves_a_reader_that_we_have
t we_leave_a_reader_that_pcscd_has
t it_is_ours_when_pcscd_goes
t idle_it_leaves_if_so_configured
t the_first_client_starts_it_by_its_socket
finish
