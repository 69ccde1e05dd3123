# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One virtual SmartCard-HSM that is now in pcscd's reader, with OpenSC, now in keyferry's. Behind tests/pcsc.sh:
#
#	one_card		a folder (and working directory) with pcscd, a service, and the card's state in card/
#	to_opensc, to_keyferry	puts the card there, out of where it was
#	hsm, user		sc-hsm-tool; pkcs11-tool of who has logged in
#	kf, kf_pin		keyferry; with the PIN
#
# $bin has our programs, $pin and $so_pin are the card's once it was initialised.

# shellcheck disable=SC2034 # for the script
so_pin=3537363231383830
pin=648219

# Nobody answers a question: whoever asks one gets the end of its input.
hsm() { timeout 120 sc-hsm-tool -r 0 "$@" </dev/null; }
user() { timeout 120 pkcs11-tool --slot 0 --login --pin "$pin" "$@" </dev/null; }
kf() { "$bin/keyferry" "$@" --socket "$dir/broker.sock" --reader virtual:kf; }
kf_pin() { echo "$pin" | kf "$@" --pin-fd 0; }

# The reader's process id is in a file, because a test is a subshell.
out_of_the_reader() {
	[ -s reader.pid ] || return 0
	kill "$(cat reader.pid)"
	while kill -0 "$(cat reader.pid)" 2>/dev/null; do sleep 0.05; done
}
to_opensc() {
	out_of_the_reader
	"$bin/keyferry-vreader" run --state card --vpcd 127.0.0.1:35963 2>>reader.err &
	echo $! >reader.pid
	pcsc_says 0 Yes
}
to_keyferry() {
	out_of_the_reader
	rm -f kf.sock
	"$bin/keyferry-vreader" run --state card --listen kf.sock 2>>reader.err &
	echo $! >reader.pid
	kf reader wait --timeout 20 >wait.log
}

one_card() {
	bin=$(realpath "${KF_BUILD:-build}/bin")
	dir=$(mktemp -d)
	service=
	# shellcheck disable=SC2086,SC2154 # a list of process ids; pcscd is pcsc_start's
	trap 'kill $pcscd $service $(cat "$dir/reader.pid") 2>/dev/null; rm -rf "$dir"' EXIT
	cd "$dir" || exit 1
	: >reader.pid
	pcsc_start pcscd.log
	"$bin/keyferry-vreader" personalise --app schsm --state card --serial A1 >/dev/null
	"$bin/keyferryd" --socket "$dir/broker.sock" --virtual "$dir/kf.sock" \
		--grant "$(id -u):look,use,inject,create,delete,init,kek,wrap" 2>service.log &
	service=$!
	for _ in $(seq 200); do
		[ ! -S broker.sock ] || return 0
		sleep 0.05
	done
	fail "the service never came up: $(cat service.log)"
}
