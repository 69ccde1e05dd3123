#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The header, what the library exports, its version script and its man page tell one story.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

header=$KF_SRC/include/keyferry/keyferry.h
page=$KF_SRC/docs/man/libkeyferry.3.scd
map=$KF_SRC/libclient/lib.map
library=$KF_BUILD/lib/libkeyferry.so
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Prototypes, one a line, one space between words.
one_a_line() {
	tr '\n\t' '  ' | tr ';' '\n' | sed 's/.*[{}]//; s/  */ /g; s/^ //; s/ $//; s/( /(/g' |
		grep -E '\(?\*?kf_[a-z_0-9]+\)?\(' | sort
}
names() { sed -n 's/.*[ *]\(kf_[a-z_0-9]*\)(.*/\1/p' "$1" | sort -u; }

sed '/^#/d; /^extern "C"/d' "$header" | awk '
	{ while (1) {
		if (c) { i = index($0, "*/"); if (!i) next; $0 = substr($0, i + 2); c = 0 }
		i = index($0, "/*"); if (!i) break
		j = index(substr($0, i + 2), "*/")
		if (j) $0 = substr($0, 1, i - 1) substr($0, i + j + 3)
		else { print substr($0, 1, i - 1); c = 1; next }
	} print }' | one_a_line >"$dir/header"
awk '/^\*[a-z][a-z_0-9\\]* .*kf\\_.*\(/ { on = 1 } on { print } /;\*(\+\+)?$/ { on = 0 }' "$page" |
	sed 's/++$//; s/\\\*/@/g; s/\*//g; s/@/*/g; s/\\//g' | one_a_line >"$dir/page"
names "$dir/header" >"$dir/names"

the_header_declares_what_the_library_exports() {
	[ -s "$dir/names" ]
	nm -D --defined-only "$library" | sed -n 's/.* T \([^@]*\).*/\1/p' | sort -u >"$dir/exported"
	diff "$dir/names" "$dir/exported"
}

the_version_script_lists_them_one_by_one() {
	sed -n 's/^\t\(kf_[a-z_0-9]*\);$/\1/p' "$map" | sort -u | diff "$dir/names" -
}

every_symbol_has_a_version() {
	nm -D --defined-only "$library" | grep ' T ' >"$dir/versions"
	! grep -v '@@KEYFERRY_0$' "$dir/versions"
}

the_man_page_has_every_prototype_as_it_is() {
	diff "$dir/header" "$dir/page"
}

it_needs_nothing_but_libc() {
	readelf -d "$library" | grep NEEDED | grep -v 'libc\.so\|san\.so\|libm\.so\|libgcc' >"$dir/needs" || :
	[ ! -s "$dir/needs" ] || fail "$(cat "$dir/needs")"
	readelf -d "$library" | grep -q 'SONAME.*libkeyferry\.so\.0\]'
}

# compiles COMPILER SUFFIX OPTION...
compiles() {
	compiler=$1
	suffix=$2
	shift 2
	command -v "$compiler" >/dev/null || skip "no $compiler"
	printf '#include <keyferry/keyferry.h>\nint main(void) { return kf_cancel(0) == 0; }\n' \
		>"$dir/use.$suffix"
	"$compiler" "$@" -Wall -Wextra -Werror -pedantic -I"$KF_SRC/include" -fsyntax-only \
		"$dir/use.$suffix"
}

a_c_program_can_use_it() { compiles "${CC:-cc}" c -std=c17; }
a_cpp_program_can_use_it() { compiles c++ cc -std=c++17; }

plan 7
t the_header_declares_what_the_library_exports
t the_version_script_lists_them_one_by_one
t every_symbol_has_a_version
t the_man_page_has_every_prototype_as_it_is
t it_needs_nothing_but_libc
t a_c_program_can_use_it
t a_cpp_program_can_use_it
finish
