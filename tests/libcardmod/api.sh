#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the library exports and what its header is to strangers.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

library=$KF_BUILD/lib/libkeyferry-cardmod.so
page=$KF_SRC/docs/man/libkeyferry-cardmod.3.scd
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

it_exports_two_names_with_a_version() {
	nm -D --defined-only "$library" | sed -n 's/.* T //p' | sort >"$dir/exported"
	printf '%s\n' CardAcquireContext@@KEYFERRY_CARDMOD_0 kf_cardmod_error@@KEYFERRY_CARDMOD_0 |
		diff - "$dir/exported"
}

it_needs_no_library_of_ours() {
	readelf -d "$library" | grep NEEDED >"$dir/needs"
	! grep keyferry "$dir/needs" || fail "one file does not load alone"
	readelf -d "$library" | grep -q 'SONAME.*libkeyferry-cardmod\.so\.0\]'
}

it_loads_as_a_minidriver_does() {
	sanitized && skip "a sanitized library loads into sanitized programs only"
	python3 - "$library" <<-'EOF2'
	import ctypes, sys
	library = ctypes.CDLL(sys.argv[1])
	assert library.CardAcquireContext(None, 0) & 0xffffffff == 0x80100004
	EOF2
}

# compiles COMPILER SUFFIX OPTION...
compiles() {
	compiler=$1
	suffix=$2
	shift 2
	command -v "$compiler" >/dev/null || skip "no $compiler"
	printf '#include <keyferry/cardmod.h>\nint main(void) { CARD_DATA c; c.dwVersion = 7; return (int)CardAcquireContext(&c, 0); }\n' \
		>"$dir/use.$suffix"
	"$compiler" "$@" -Wall -Wextra -Werror -pedantic -I"$KF_SRC/include" -fsyntax-only \
		"$dir/use.$suffix"
}

a_c_program_can_use_it() { compiles "${CC:-cc}" c -std=c11; }
# Each by itself: what one of them takes for an extension the other may not.
a_cpp_program_can_use_it() { compiles c++ cc -std=c++17; }
a_cpp_program_of_gcc_can_use_it() { compiles g++ cc -std=c++17; }
a_cpp_program_of_clang_can_use_it() { compiles clang++ cc -std=c++17; }

# The two disagree about the width of DWORD: better said by the compiler than found in a card.
pcsc_lites_header_is_refused_beside_it() {
	printf '#define __wintypes_h__\n#include <keyferry/cardmod.h>\n' >"$dir/both.c"
	! "${CC:-cc}" -I"$KF_SRC/include" -fsyntax-only "$dir/both.c" 2>"$dir/said" ||
		fail "they compile together"
	grep -q 'disagree about DWORD' "$dir/said"
}

the_man_page_has_both_functions_and_every_vendor_property() {
	grep -q 'CardAcquireContext' "$page"
	grep -q 'kf_cardmod_error' "$page"
	sed -n 's/^#define KF_[A-Z_]*_PROPERTY[^"]*"\([^"]*\)".*/\1/p' \
		"$KF_SRC/include/keyferry/cardmod.h" >"$dir/names"
	[ -s "$dir/names" ]
	while read -r name; do
		grep -q "$name" "$page" || fail "$name is not in the man page"
		grep -q "$name" "$KF_SRC/docs/cardmod.md" || fail "$name is not in docs/cardmod.md"
	done <"$dir/names"
}

# docs/cardmod.md says of every entry point what it does here.
the_page_maps_every_entry_point() {
	sed -n 's/^	PFN_[A-Z_]* pfn\([CM][aD][A-Za-z]*\);$/\1/p' "$KF_SRC/include/keyferry/cardmod.h" \
		>"$dir/entries"
	[ "$(wc -l <"$dir/entries")" = 44 ]
	while read -r name; do
		grep -q "\`$name\`" "$KF_SRC/docs/cardmod.md" || fail "$name is not in docs/cardmod.md"
	done <"$dir/entries"
}

plan 10
t it_exports_two_names_with_a_version
t it_needs_no_library_of_ours
t it_loads_as_a_minidriver_does
t a_c_program_can_use_it
t a_cpp_program_can_use_it
t a_cpp_program_of_gcc_can_use_it
t a_cpp_program_of_clang_can_use_it
t pcsc_lites_header_is_refused_beside_it
t the_man_page_has_both_functions_and_every_vendor_property
t the_page_maps_every_entry_point
finish
