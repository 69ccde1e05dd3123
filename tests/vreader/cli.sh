#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry-vreader from the outside: command lines, exit codes, signals, what is left behind.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

vreader=${KF_BUILD:-build}/bin/keyferry-vreader
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# ends STATUS WORDS ARGUMENTS: that exit code, and those words on stderr.
ends() {
	want=$1 words=$2
	shift 2
	status=0
	timeout 10 "$vreader" "$@" >"$dir/out" 2>"$dir/err" || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status: $(cat "$dir/err")"
	grep -q -- "$words" "$dir/err" || fail "$*: no '$words' in: $(cat "$dir/err")"
}

card() {
	"$vreader" personalise --state "$dir/$1" --serial "KF-$1" --pin 1234 --puk 12345678 >/dev/null
}

# Waits until somebody listens on $1 (a dead socket looks alive in the file system, not in the
# kernel's table, which keeps the name it was bound to); the caller started the reader as $reader.
listening() {
	beside=${1%?}~
	for _ in $(seq 200); do
		! grep -q " 00010000 .* $beside\$" /proc/net/unix || [ -e "$beside" ] || return 0
		kill -0 "$reader" || fail "the reader ended: $(cat "$dir/err")"
		sleep 0.05
	done
	fail "nobody listens on $1"
}

start() {
	"$vreader" run --state "$dir/$1" --listen "$dir/$1.sock" 2>"$dir/err" &
	reader=$!
	listening "$dir/$1.sock"
}

stop() {
	kill "-$1" "$reader"
	status=0
	wait "$reader" 2>/dev/null || status=$?
}

help_and_version_are_shown() {
	"$vreader" --help | grep -q personalise
	"$vreader" --version | grep -q '^keyferry-vreader [0-9]'
}

wrong_command_lines_are_named() {
	ends 2 "personalise"
	ends 2 "no command 'fly'" fly
	ends 2 "state is missing" run --listen x
	ends 2 "say one of" run --state x
	ends 2 "say one of" run --state x --listen a --vpcd b:1
	ends 2 "say one of" run --state x --listen a --gadget
	ends 2 "say one of" run --state x --vpcd b:1 --udc c
	ends 2 "somebody else's" run --state x --ffs a --udc c
	ends 2 "no such level" run --state x --listen a --level apdu
	ends 2 "is for TPDU levels" run --state x --listen a --level short --manual
	ends 2 "no misbehaviour" run --state x --listen a --misbehave charm
	ends 2 "counts from 1" run --state x --listen a --misbehave silent=0
	ends 2 "the reader's" run --state x --vpcd a:1 --misbehave silent
	ends 2 "not HOST:PORT" run --state x --vpcd a
	ends 2 "say one of" run --state x --vscard a --listen b
	ends 2 "with --vscard it is not" run --state x --vscard a --misbehave silent
	ends 2 "with --vscard it is not" run --state x --vscard a --keypad b
	ends 2 "with --vscard it is not" run --state x --vscard a --slots 2
	ends 2 "max-message 270" run --state x --listen a --max-message 270
	ends 2 "latency -1" run --state x --listen a --latency -1
	ends 2 "usb-id" run --state x --listen a --usb-id 1209-0001
	ends 2 "one word too many" run --state x --listen a more
	ends 2 "serial is missing" personalise --state x
	ends 2 "state is missing" personalise --serial x
	ends 2 "serial a b" personalise --state x --serial "a b"
	ends 2 "given twice" personalise --state x --serial x --pin 1234 --pin 1234
	ends 2 "there are keyferry and schsm" personalise --app piv --state x --serial x
	ends 2 "1 to 5 characters" personalise --app schsm --state x --serial KF-123
	ends 2 "no PINs before INITIALIZE" personalise --app schsm --state x --serial x --pin 123456
	ends 2 "4 to 32" personalise --state x --serial x --pin 123
	ends 2 "4 to 32" personalise --state x --serial x --pin 123456789012345678901234567890123
}

misbehaviours_are_listed() {
	[ "$("$vreader" run --misbehave list | wc -l)" -ge 50 ]
}

a_card_is_made_once_and_private() {
	card one
	[ "$(stat -c %a "$dir/one")" = 700 ]
	[ "$(stat -c %a "$dir/one/state")" = 600 ]
	openssl verify -ignore_critical -CAfile "$dir/one/root.pem" "$dir/one/card.pem"
	ends 3 "already" personalise --state "$dir/one" --serial KF-2
}

a_smartcard_hsm_is_made_once_and_names_its_certificates() {
	"$vreader" personalise --app schsm --state "$dir/hsm" --serial H1 --maker "$dir/hsm-maker" >"$dir/out"
	sed -n "s/.*certificates: //p; s/.*root: //p" "$dir/out" | xargs stat >/dev/null
	cmp "$dir/hsm/root.cvc" "$dir/hsm-maker/schsm-root.cvc"
	grep -q ZZVIRTH100001 "$dir/hsm/device.cvc"
	[ "$(grep -c PIN "$dir/out")" = 0 ]
	ends 3 "already" personalise --app schsm --state "$dir/hsm" --serial H2
}

random_pins_are_printed_and_given_ones_are_not() {
	"$vreader" personalise --state "$dir/pins" --serial KF-3 --pin-fd 3 3<<-END >"$dir/out"
	secret-pin
	END
	grep -q '^PUK: ....' "$dir/out"
	[ "$(grep -c '^PIN: ' "$dir/out")" = 0 ]
	[ "$(grep -c secret-pin "$dir/out")" = 0 ]
}

an_injector_key_has_to_be_one() {
	echo nonsense >"$dir/no.pem"
	ends 1 "no PEM public key" personalise --state "$dir/two" --serial x --injector "$dir/no.pem"
	ends 1 "No such file" personalise --state "$dir/two" --serial x --injector "$dir/none.pem"
	[ ! -e "$dir/two/state" ]
	openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout >"$dir/inj.pem" 2>/dev/null
	set --
	for _ in 1 2 3 4 5 6 7 8 9; do
		set -- "$@" --injector "$dir/inj.pem"
	done
	ends 2 "8 injector keys" personalise --state "$dir/two" --serial x "$@"
	"$vreader" personalise --state "$dir/two" --serial x --injector "$dir/inj.pem" >/dev/null
}

# OpenSSL would ask: at the terminal if there is one, for ever, else on stderr.
nobody_is_asked_for_a_passphrase() {
	openssl genrsa -traditional -aes128 -passout pass:secret -out "$dir/rsa.pem" 2048 2>/dev/null
	openssl pkcs8 -topk8 -in "$dir/rsa.pem" -passin pass:secret -passout pass:secret \
		-out "$dir/pkcs8.pem"
	for kek in rsa pkcs8; do
		ends 1 "or an encrypted one" personalise --state "$dir/asked" --serial x \
			--kek "K=$dir/$kek.pem" </dev/null
		! grep -qi "pass *phrase" "$dir/err" || fail "$kek: $(cat "$dir/err")"
	done
	sed 's/PRIVATE KEY/PUBLIC KEY/;s/RSA //' "$dir/rsa.pem" >"$dir/public.pem"
	ends 1 "no PEM public key" personalise --state "$dir/asked" --serial x \
		--injector "$dir/public.pem" </dev/null
	! grep -qi "pass *phrase" "$dir/err" || fail "public: $(cat "$dir/err")"
	[ ! -e "$dir/asked/state" ]
	openssl pkey -in "$dir/rsa.pem" -passin pass:secret -out "$dir/open.pem"
	"$vreader" personalise --state "$dir/asked" --serial x --kek "K=$dir/open.pem" >/dev/null
}

cards_of_one_maker_have_one_root() {
	for c in m1 m2; do
		"$vreader" personalise --state "$dir/$c" --serial "$c" --maker "$dir/maker" >/dev/null
	done
	cmp "$dir/m1/root.pem" "$dir/m2/root.pem"
}

a_state_that_cannot_be_used_is_explained() {
	ends 3 "personalise" run --state "$dir/nowhere" --listen "$dir/x.sock"
	card open
	chmod 755 "$dir/open"
	ends 3 "$dir/open" run --state "$dir/open" --listen "$dir/x.sock"
	chmod 700 "$dir/open"
	printf x >>"$dir/open/state"
	ends 3 "$dir/open" run --state "$dir/open" --listen "$dir/x.sock"
}

a_reader_stops_cleanly() {
	card run
	start run
	stop TERM
	[ "$status" = 0 ]
	[ ! -e "$dir/run.sock" ]
}

one_state_and_one_socket_have_one_user() {
	card busy
	card other
	start busy
	ends 3 "another process" run --state "$dir/busy" --listen "$dir/x.sock"
	ends 4 "another program listens" run --state "$dir/other" --listen "$dir/busy.sock"
	stop KILL
	[ -S "$dir/busy.sock" ]
	start busy
	stop INT
	[ "$status" = 0 ]
}

a_usb_device_that_cannot_be_is_explained() {
	card usb
	ends 4 "modprobe libcomposite" run --state "$dir/usb" --gadget --configfs "$dir"
	mkdir -p "$dir/usb_gadget"
	ends 4 "modprobe usb_f_fs" run --state "$dir/usb" --gadget --configfs "$dir"
	[ -z "$(ls "$dir/usb_gadget")" ]
	ends 4 "mount -t functionfs" run --state "$dir/usb" --ffs "$dir/nowhere"
	ends 4 "FunctionFS does not take" run --state "$dir/usb" --ffs "$dir"
}

a_virtual_machine_that_is_not_there_is_explained() {
	card vm
	ends 4 "QEMU has to listen there: -chardev" run --state "$dir/vm" --vscard "$dir/none.sock"
	ends 4 "longer than the 107 bytes" run --state "$dir/vm" --vscard "$dir/$(printf %0110d 0)"
}

the_process_leaves_no_core_and_gains_no_rights() {
	card hard
	start hard
	grep -q '^NoNewPrivs:.*1$' "/proc/$reader/status"
	grep -Eq '^Max core file size +0 +0' "/proc/$reader/limits"
	stop TERM
}

# An undumpable process's files in /proc belong to root, whoever runs it.
the_process_is_unreadable_to_its_own_user() {
	[ "$(id -u)" = 0 ] || skip "needs root, to become somebody else"
	mkdir "$dir/nobody"
	chown 65534:65534 "$dir/nobody"
	chmod 711 "$dir"
	as="setpriv --reuid 65534 --regid 65534 --clear-groups"
	$as "$vreader" personalise --state "$dir/nobody/card" --serial N >/dev/null ||
		skip "nobody cannot reach the programs here"
	$as "$vreader" run --state "$dir/nobody/card" --listen "$dir/nobody/sock" 2>"$dir/err" &
	reader=$!
	listening "$dir/nobody/sock"
	[ "$(stat -c %u "/proc/$reader/environ")" = 0 ]
	if $as head -c 1 "/proc/$reader/environ" 2>/dev/null; then
		fail "its user reads its memory"
	fi
	stop TERM
}

# Every write, fsync and rename of the making of a card: either no card, or a whole one.
a_card_killed_while_it_is_made_is_made_or_not() {
	command -v strace >/dev/null || skip "strace is not installed"
	strace -o /dev/null true 2>/dev/null || skip "ptrace is not allowed here"
	made=0 unmade=0
	for call in write fsync renameat; do
		for k in $(seq 40); do
			rm -rf "$dir/kill"
			status=0
			strace -f -o "$dir/trace" -e "trace=$call" \
				-e "inject=$call:signal=SIGKILL:when=$k" \
				"$vreader" personalise --state "$dir/kill" --serial K --pin 1234 \
				--puk 12345678 >"$dir/out" 2>&1 || status=$?
			[ "$status" != 0 ] || break
			if [ -e "$dir/kill/state" ]; then
				made=$((made + 1))
				ends 3 already personalise --state "$dir/kill" --serial K
			else
				unmade=$((unmade + 1))
				"$vreader" personalise --state "$dir/kill" --serial K >/dev/null ||
					fail "$call $k: cannot be made again"
			fi
		done
		[ "$k" -gt 1 ] || fail "$call was never called"
	done
	echo "killed $made times after, $unmade times before the commit"
	[ "$unmade" -gt 0 ]
}

plan 17
t help_and_version_are_shown
t wrong_command_lines_are_named
t misbehaviours_are_listed
t a_card_is_made_once_and_private
t a_smartcard_hsm_is_made_once_and_names_its_certificates
t random_pins_are_printed_and_given_ones_are_not
t an_injector_key_has_to_be_one
t nobody_is_asked_for_a_passphrase
t cards_of_one_maker_have_one_root
t a_state_that_cannot_be_used_is_explained
t a_reader_stops_cleanly
t one_state_and_one_socket_have_one_user
t a_usb_device_that_cannot_be_is_explained
t a_virtual_machine_that_is_not_there_is_explained
t the_process_leaves_no_core_and_gains_no_rights
t the_process_is_unreadable_to_its_own_user
t a_card_killed_while_it_is_made_is_made_or_not
finish
