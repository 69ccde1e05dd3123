#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry doctor with real services, readers and cards, one planted fault after another; what lies
# below the service is in host_test.c.
#
# Faces: tools/doctor/access.c tools/doctor/service.c tools/doctor/bundle.c
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_readers='echo empty mute'
stage_up --level extended
mkdir -p "$stage/image/etc"
echo "client:x:$uid_client:$uid_client::/:/bin/sh" >"$stage/image/etc/passwd"
echo "keyferry-users:x:61010:" >"$stage/image/etc/group"

# doctor ARGUMENT...: what it says is in ./said, its exit status in $status
doctor() {
	status=0
	as client keyferry doctor --root "$stage/image" "$@" >"$stage/said" 2>&1 || status=$?
}
# says VERDICT CHECK WORDS: a line that has them, the check being about this
says() {
	grep -Eq "^$1 +$2 +.*$3" "$stage/said" || fail "no '$1 $2 ... $3' in: $(cat "$stage/said")"
}
has_next_step() { grep -q "next: .*$1" "$stage/said" || fail "no such next step: $(cat "$stage/said")"; }

until_it_says() {
	tries=0
	while :; do
		doctor
		if grep -Eq "^$1 +$2 +.*$3" "$stage/said"; then return 0; fi
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "it never said '$1 $2 $3': $(cat "$stage/said")"
		sleep 0.1
	done
}

a_good_service_is_good_from_socket_to_pin() {
	doctor
	says ok socket 'everybody'
	says ok service 'in development'
	says ok card 'virtual:reader'
	says ok application 'keyferry'
	says ok PIN '3 tries left'
}

every_process_has_its_sandbox() {
	sanitized &&
		skip "builds with sanitizers have no system call filter"
	doctor
	says ok sandbox 'monitor, pid [0-9]*: all in force'
	says ok sandbox 'broker, pid [0-9]*: all in force'
	says ok sandbox 'driver, pid [0-9]*: all in force'
}

json_is_one_object_with_the_same_findings() {
	doctor --json
	python3 - "$stage/said" <<-'END'
		import json, sys
		d = json.load(open(sys.argv[1]))
		pin = [c for c in d["checks"] if c["check"] == "PIN"]
		assert pin and pin[0]["verdict"] == "ok", d
		assert d["failures"] == sum(c["verdict"] == "FAIL" for c in d["checks"])
		assert all(c["next"] for c in d["checks"] if c["verdict"] in ("warn", "FAIL")), d
	END
}

a_failure_shows_in_the_exit_status() {
	doctor
	# The image has neither USB nor our rule.
	[ "$status" -eq 1 ] || fail "exit status $status"
	says FAIL 'udev rule' 'no '
}

a_report_has_no_serial_number() {
	mkdir -p "$stage/image/etc/keyferry"
	printf '[readers]\nleave = serial=TOPSECRET-77*\n' >"$stage/image/etc/keyferry/keyferryd.conf"
	doctor --bundle "$stage/client/report"
	grep -q '<serial 1>' "$stage/client/report"
	grep -q 'virtual:reader' "$stage/client/report"
	grep -q 'ok       PIN' "$stage/client/report"
	! grep -qi -e "$stage_serial" -e TOPSECRET-77 -e "$stage_pin" "$stage/client/report" ||
		fail "$(cat "$stage/client/report")"
	[ "$(stat -c %a "$stage/client/report")" = 600 ]
}

no_card() {
	until_it_says warn card 'virtual:empty: no card'
	has_next_step 'put a card in'
}

a_mute_card() {
	until_it_says FAIL card 'virtual:mute: .*does not answer'
}

a_card_with_another_application() {
	until_it_says FAIL application 'virtual:echo: .*no application that keyferry knows'
}

one_try_left() {
	for i in 1 2; do
		echo "wrong-pin-$i" | as client keyferry card pin verify --reader virtual:reader \
			--pin-fd 0 || :
	done
	doctor
	says warn PIN 'one try is left'
}

a_blocked_pin() {
	echo wrong-pin-3 | as client keyferry card pin verify --reader virtual:reader \
		--allow-last-try --pin-fd 0 || :
	doctor
	says FAIL PIN 'blocked'
	has_next_step 'unblock'
}

a_socket_of_the_wrong_group() {
	[ "$(id -u)" = 0 ] || skip "only root can give a socket to another group"
	chgrp 61011 run/broker.sock
	chmod 660 run/broker.sock
	doctor
	says FAIL socket 'belongs to group 61011'
}

a_user_who_is_not_in_the_group() {
	[ "$(id -u)" = 0 ] || skip "only root can give a socket to another group"
	chgrp 61010 run/broker.sock
	doctor
	says ok socket 'keyferry-users'
	says FAIL group "uid $uid_client is not in the group"
	has_next_step 'usermod -aG keyferry-users'
}

a_user_whose_session_is_older_than_the_membership() {
	[ "$(id -u)" = 0 ] || skip "only root can give a socket to another group"
	echo "keyferry-users:x:61010:client" >"$stage/image/etc/group"
	doctor
	says FAIL group 'after this session began'
	chmod 666 run/broker.sock
}

a_kernel_without_landlock() {
	sanitized &&
		skip "builds with sanitizers have no system call filter"
	tries=0
	until doctor --socket "$stage/run/old.sock" && grep -q '^ok *service' "$stage/said"; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "it never came up: $(cat "$stage/said")"
		sleep 0.1
	done
	says warn sandbox 'monitor, pid .*: landlock is off: this kernel lacks it'
	says warn sandbox 'broker, pid .*: landlock is off: this kernel lacks it'
}

the_service_is_off() {
	doctor --socket "$stage/run/nobody.sock"
	says FAIL socket 'the service is off'
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1])' "$stage/run/dead.sock"
	chmod 666 "$stage/run/dead.sock"
	doctor --socket "$stage/run/dead.sock"
	says FAIL service 'nobody listens'
	[ "$status" -eq 1 ]
}

plan 15
for card in card2 card3; do
	mkdir $card && chmod 700 $card && chown "$uid_service:$uid_service" $card
	as service keyferry-vreader personalise --state $card --serial $card \
		--pin "$stage_pin" --puk "$stage_puk" >"$stage/mail/$card.log" 2>&1
done
t a_good_service_is_good_from_socket_to_pin
t every_process_has_its_sandbox
t json_is_one_object_with_the_same_findings
t a_failure_shows_in_the_exit_status
t a_report_has_no_serial_number
# Started here, as what is started in a test is not stopped at the end.
as_background service keyferry-vreader run --empty --state card2 --listen run/empty.sock
as_background service keyferry-vreader run --misbehave mute --state card3 \
	--listen run/mute.sock
as_background service keyferry-echo-reader run --state card2 --listen run/echo.sock
t no_card
t a_mute_card
t a_card_with_another_application
t one_try_left
t a_blocked_pin
t a_socket_of_the_wrong_group
t a_user_who_is_not_in_the_group
t a_user_whose_session_is_older_than_the_membership
as_background service "$KF_BUILD/tests/tools/doctor/without_landlock" "$stage/bin/keyferryd" \
	--socket "$stage/run/old.sock" --virtual "$stage/run/none.sock" --admit-uid "$uid_client"
t a_kernel_without_landlock
t the_service_is_off
finish
