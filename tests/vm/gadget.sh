#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The virtual reader as a USB device, by the host of gadget_host.c, at high speed (levels.sh: at full).
. "${KF_SRC:=$(pwd)}/tests/vm/rig.sh"

outside && rig --timeout 300 --modules 'dummy_hcd usb_f_fs' \
	--prog "$(built bin/keyferry-echo-reader)" \
	--prog "$(built tests/vm/gadget_host)"

SPEED=${SPEED:-high} gadget_host
