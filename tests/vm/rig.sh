# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For a test that runs inside a virtual machine, as its first lines:
#
#	. "${KF_SRC:=$(pwd)}/tests/vm/rig.sh"
#	outside && rig [OPTION OF scripts/vm]...
#
# Outside, rig runs the same script again in the machine, and ends with what it said there. Inside,
# outside is false, and the rest of the script is KTAP as in any other (tests/ktap.sh).

if [ -e /vm/lib ]; then
	# shellcheck source=scripts/vm-lib
	. /vm/lib
fi
# shellcheck source=tests/ktap.sh
. "$KF_SRC/tests/ktap.sh"

outside() {
	[ ! -e /vm/lib ]
}

# A program of this build, as an argument of rig.
built() {
	echo "$(cd "${KF_BUILD:-build}" && pwd)/$1"
}

rig() {
	rig_why=$(mktemp)
	"$KF_SRC/scripts/vm" run --script "$0" --file "$KF_SRC/tests/ktap.sh:/tests/ktap.sh" \
		--file "$KF_SRC/tests/vm/rig.sh:/tests/vm/rig.sh" "$@" 2>"$rig_why"
	rig_status=$?
	[ $rig_status != 77 ] || skip_all "$(cat "$rig_why")"
	cat "$rig_why" >&2
	rm -f "$rig_why"
	exit $rig_status
}
