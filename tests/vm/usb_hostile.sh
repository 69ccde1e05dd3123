#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry-driver against a USB device that breaks the rules of the bus: usb_hostile.c, in a virtual
# machine. A full speed bus, as its packets are the smallest that bulk endpoints have.
#
# With KF_FULL a hundred pluggings instead of forty, and a silent device meets the limits that ship and
# not those of brisk.c.
set -u
src=${KF_SRC:-.} build=${KF_BUILD:-build}
. "$src/tests/ktap.sh"

dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cat >"$dir/script" <<-END
	#!/bin/sh
	# Nothing is fast in here.
	export KF_TEST_SLOWER=4 KF_FULL="${KF_FULL:-}"
	exec usb_hostile "\$@"
END
"$src/scripts/vm" run --script "$dir/script" --timeout 600 --memory 768 \
	--modules 'dummy_hcd,is_high_speed=0 libcomposite usb_f_fs usb_f_hid usbhid vhci-hcd' \
	--prog "$build/bin/keyferry-driver" --prog "$build/tests/vm/brisk_driver" --prog "$build/tests/vm/usb_hostile" -- "$@" \
	>"$dir/out" 2>"$dir/why"
status=$?
[ $status -ne 77 ] || skip_all "$(tr '#\n' '  ' <"$dir/why")"
cat "$dir/out"
sed 's/^/# /' "$dir/why"
exit $status
