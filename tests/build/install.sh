#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What make install puts where, and that a stranger can build against it.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/make_install.sh"

dest=$(mktemp -d)
trap 'rm -rf "$dest" "$dest.log"' EXIT
cd "$KF_SRC" || exit 1
: "${KF_BUILD:=build}"
sanitized &&
	skip_all "a sanitized build is not installed"

pkg() {
	PKG_CONFIG_SYSROOT_DIR=$dest PKG_CONFIG_PATH=$dest/usr/lib/pkgconfig pkg-config "$@"
}

everything_is_installed_under_destdir() {
	make_install "$dest" >"$dest.log"
	! grep -E '^  (CC|AR) ' "$dest.log" || fail "built anew under the tests' feet"
	for f in bin/keyferry bin/keyferryd bin/keyferry-driver bin/keyferry-vreader \
		libexec/keyferry/keyferry-broker lib/udev/rules.d/69-keyferry.rules \
		lib/systemd/system/keyferryd.service lib/systemd/system/keyferry-broker.service \
		lib/systemd/system/keyferry.socket lib/systemd/system/keyferry-monitor.socket \
		lib/sysusers.d/keyferry.conf lib/tmpfiles.d/keyferry.conf include/keyferry/proto.h \
		include/keyferry/keyferry.h include/keyferry/server.h lib/libkeyferry.so.0 \
		lib/libkeyferry-server.so.0 lib/pkgconfig/libkeyferry.pc include/keyferry/cardmod.h \
		lib/libkeyferry-cardmod.so.0; do
		[ -e "$dest/usr/$f" ] || fail "/usr/$f is not there"
	done
}

the_units_name_programs_and_files_that_are_there() {
	! grep -r '@[A-Z]*@' "$dest/usr/lib/systemd" "$dest/usr/lib/udev" "$dest/etc" || fail "not filled in"
	for path in $(sed -nE 's/^Exec(Start|Reload)=(.*)/\2/p' "$dest"/usr/lib/systemd/system/*.service |
		tr ' ' '\n' | grep -E '^/(usr|etc)'); do
		[ -e "$dest$path" ] || fail "$path is not installed"
	done
	[ -x "$dest/usr/libexec/keyferry/keyferry-broker" ]
}

what_a_person_configured_is_not_overwritten() {
	echo "# mine" >>"$dest/etc/keyferry/keyferryd.conf"
	make_install "$dest" >/dev/null
	[ "$(tail -n 1 "$dest/etc/keyferry/keyferryd.conf")" = "# mine" ]
}

installed_programs_have_no_run_path() {
	for f in "$dest"/usr/bin/*; do
		! readelf -d "$f" | grep -qE 'RUNPATH|RPATH' || fail "$f has one"
	done
}

installed_programs_run() {
	LD_LIBRARY_PATH=$dest/usr/lib "$dest/usr/bin/keyferry" --help >/dev/null
}

no_file_names_the_build_directory() {
	! grep -rlF "$dest" "$dest" || fail "these name the staging directory"
}

# builds PACKAGE HEADER FUNCTION: C and C++ programs of a stranger.
builds() {
	[ -e "$dest/usr/lib/$1.so" ] || fail "$1.so is not installed"
	printf '#include <%s>\nint main(void) { volatile void *p = (void *)%s; return !p; }\n' \
		"$2" "$3" >"$dest/stranger.c"
	# shellcheck disable=SC2046 # a list of flags
	gcc -std=c11 -Wall -Wextra -Werror -o "$dest/stranger" "$dest/stranger.c" \
		$(pkg --cflags --libs "$1")
	LD_LIBRARY_PATH=$dest/usr/lib "$dest/stranger"
	command -v g++ >/dev/null || return 0
	# shellcheck disable=SC2046 # a list of flags
	g++ -x c++ -Wall -Wextra -Werror -fsyntax-only "$dest/stranger.c" $(pkg --cflags "$1")
}

a_stranger_builds_against_the_client_library() {
	builds libkeyferry keyferry/keyferry.h kf_client_new
}

a_stranger_builds_against_the_server_library() {
	builds libkeyferry-server keyferry/server.h kf_state_open
}

a_stranger_builds_against_the_minidriver_interface() {
	builds libkeyferry-cardmod keyferry/cardmod.h CardAcquireContext
}

every_exported_symbol_is_in_a_public_header() {
	for lib in "$dest"/usr/lib/*.so; do
		nm -D --defined-only "$lib" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' |
			while read -r symbol; do
				grep -qw "$symbol" "$dest"/usr/include/keyferry/*.h ||
					echo "$(basename "$lib"): $symbol"
			done
	done >"$dest/unknown"
	[ ! -s "$dest/unknown" ] || fail "$(cat "$dest/unknown")"
}

every_installed_program_has_a_man_page() {
	command -v scdoc >/dev/null || skip "no scdoc"
	missing=
	for f in "$dest"/usr/bin/*; do
		n=$(basename "$f")
		[ -e "$dest/usr/share/man/man1/$n.1" ] || [ -e "$dest/usr/share/man/man8/$n.8" ] ||
			missing="$missing $n"
	done
	[ -z "$missing" ] || fail "these have none:$missing"
}

plan 11
t everything_is_installed_under_destdir
t the_units_name_programs_and_files_that_are_there
t what_a_person_configured_is_not_overwritten
t installed_programs_have_no_run_path
t installed_programs_run
t no_file_names_the_build_directory
t a_stranger_builds_against_the_client_library
t a_stranger_builds_against_the_server_library
t a_stranger_builds_against_the_minidriver_interface
t every_exported_symbol_is_in_a_public_header
t every_installed_program_has_a_man_page
finish
