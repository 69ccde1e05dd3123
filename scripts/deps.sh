#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs what is missing, on Debian 12 and its kin:
#
#	scripts/deps.sh demo	build keyferry and run scripts/demo
#	scripts/deps.sh check	also all that scripts/check runs: clang, linters, peers (the default)
#	scripts/deps.sh -n ...	only say the command
#
# Needs nothing but sh and apt. Does not call apt when all is there. Neither root nor sudo: says
# the command to run and ends with 1.
set -eu

demo='gcc libc6-dev make pkg-config libssl-dev libusb-1.0-0-dev libnl-3-dev libjansson-dev
	libsmartcols-dev libseccomp-dev libcap-ng-dev libinih-dev libp11-kit-dev scdoc openssl
	procps util-linux findutils mawk'
check='clang clang-tidy clang-format libclang-rt-14-dev shellcheck valgrind strace
	pcscd opensc softhsm2 vsmartcard-vpcd libpcsclite-dev python3 python3-cryptography iproute2 git
	qemu-system-x86 busybox-static cpio debootstrap systemd libnss-systemd udev spin'

only_say=
if [ "${1:-}" = -n ]; then
	only_say=1
	shift
fi
case ${1:-check} in
demo) wanted=$demo ;;
check) wanted="$demo $check" ;;
*)
	echo "usage: scripts/deps.sh [-n] [demo|check]" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "deps: this system has no apt, so nothing was installed. keyferry needs, by their" >&2
	echo "deps: Debian names: $wanted" >&2
	exit 1
fi

# A package counts if it is installed, or if another one stands in for it (mawk, original-awk).
is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] && return 0
	case $1 in
	mawk) command -v awk >/dev/null ;;
	pkg-config) command -v pkg-config >/dev/null ;;
	*) return 1 ;;
	esac
}

missing=
for p in $wanted; do
	is_installed "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ -n "$only_say" ]; then
	echo "$install"
	exit 0
fi
if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
	as_root=sudo
else
	echo "deps: missing:$missing" >&2
	echo "deps: installing needs root, and there is no sudo to ask. As root, run:" >&2
	echo "    apt-get update && $install" >&2
	exit 1
fi

echo "deps: installing$missing"
# A fresh machine has no package lists, an old one has stale ones. Waits for another apt.
apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		-o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" </dev/null
}
apt update
# shellcheck disable=SC2086 # a list of words
apt install -y --no-install-recommends $missing >/dev/null

for p in $missing; do
	is_installed "$p" || {
		echo "deps: apt ended well and $p is still missing: look at 'apt-cache policy $p'" >&2
		exit 1
	}
done
