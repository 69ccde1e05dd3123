# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make_install DIR: "make install" of the build under test, below DIR.
#
# It goes on with the compiler and flags of the make that called us, since to build anything anew
# would take the programs away from the tests that run beside this one.
make_install() {
	(
		build=${KF_BUILD:-build}
		case ${MAKEFLAGS-} in
		*' -- '*) MAKEFLAGS="-- ${MAKEFLAGS#* -- }" ;;
		*) MAKEFLAGS="-- CC=$(sed -n 's/^made@[^ ]* := \([^ ]*\) .*/\1/p' \
			"$build/tests/harness.o.cmd")" ;;
		esac
		export MAKEFLAGS
		unset MAKELEVEL MFLAGS
		make -C "$KF_SRC" O="$build" install DESTDIR="$1" PREFIX=/usr
	)
}
