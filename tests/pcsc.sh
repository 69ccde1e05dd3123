# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For test scripts that have a pcscd with one of our cards in vsmartcard's virtual slot, in a network and
# mount namespace of their own, so that no pcscd of the machine is disturbed. Behind tests/ktap.sh:
#
#	pcsc_enter "$0" "${1:-}" TOOL...	skips, or goes on inside; TOOL: what else has to be there
#	pcsc_start LOG				pcscd; its process id is $pcscd
#	pcsc_says 0 Yes				slot 0 has a card (No: has none), sooner or later

pcsc_enter() {
	pcsc_script=$1
	if [ "$2" = inside ]; then
		ip link set lo up
		mount -t tmpfs none /run
		mkdir /run/pcscd
		return 0
	fi
	shift 2
	[ "$(id -u)" = 0 ] || skip_all "needs root, for a namespace of its own"
	for tool in pcscd opensc-tool unshare ip "$@"; do
		command -v "$tool" >/dev/null || skip_all "$tool is not installed"
	done
	[ -e /etc/reader.conf.d/vpcd ] || skip_all "vsmartcard-vpcd is not installed"
	unshare -n -m true 2>/dev/null || skip_all "no namespaces here"
	exec unshare -n -m "$pcsc_script" inside
}

pcsc_start() {
	pcsc_log=$1
	pcscd -f >"$pcsc_log" 2>&1 &
	# shellcheck disable=SC2034 # the script stops it
	pcscd=$!
}

pcsc_says() {
	for _ in $(seq 100); do
		timeout 20 opensc-tool -l 2>/dev/null | grep -Eq "^$1 +$2 " && return 0
		sleep 0.1
	done
	fail "slot $1 never said $2: $(cat "$pcsc_log")"
}
