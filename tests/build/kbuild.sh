#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The build rules on a tree of four folders made for them: what is built, what is built again, and
# what a mistake in a Kbuild says.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
unset MAKEFLAGS MAKELEVEL MFLAGS O SAN FUZZ ARGS

make_tree() {
	cp -r "$KF_SRC/Makefile" "$KF_SRC/scripts" .
	mkdir -p include low/deep app lib tests/low
	cp "$KF_SRC/tests/run" "$KF_SRC/tests/sum.awk" "$KF_SRC/tests/harness.c" \
		"$KF_SRC/tests/harness.h" tests/
	cp -r "$KF_SRC/include/base" include/
	printf 'obj-y += low/\nobj-y += app/\nobj-y += lib/\nobj-y += tests/\n' >Kbuild
	printf 'obj-y += low.o\nobj-y += deep/\nccflags-y += -DLOW=1\n' >low/Kbuild
	printf 'obj-y += deep.o\n' >low/deep/Kbuild
	printf 'prog-y += app\napp-y := main.o\napp-libs := low libdemo.so\n' >app/Kbuild
	printf 'obj-y += demo.o\nlib-y += libdemo.so\nlib-y += libdemo.a\nlibdemo-libs := low\n' >lib/Kbuild
	printf 'obj-y += low/\n' >tests/Kbuild
	printf 'test-y += low_test\n' >tests/low/Kbuild
	echo 'int low(void); int deep(void);' >low/low.h
	printf '#include "low/low.h"\nint low(void) { return deep() + LOW; }\n' >low/low.c
	printf '#include "low/low.h"\nint deep(void) { return 1; }\n' >low/deep/deep.c
	echo 'int demo(void);' >lib/demo.h
	printf '#include "lib/demo.h"\n#include "low/low.h"\n%s int demo(void) { return low(); }\n' \
		'__attribute__((visibility("default")))' >lib/demo.c
	echo 'demo_0 { global: demo; local: *; };' >lib/lib.map
	printf '#include "lib/demo.h"\n#include "low/low.h"\n%s\n' \
		'int main(void) { return demo() == 2 && low() == 2 ? 0 : 1; }' >app/main.c
	printf '#include "low/low.h"\n#include "tests/harness.h"\n%s\n' \
		'TEST(low_is_two) { EXPECT_EQ(2, low()); }' >tests/low/low_test.c
}

run_make() {
	make -j2 O=out "$@" >make.log 2>&1 || {
		cat make.log
		return 1
	}
}

# The commands of the last run, as "CC LINK" pairs with their short names.
did() {
	sed -n 's/^  \([A-Z]*\)  *\(.*\)/\1 \2/p' make.log | sort
}

a_tree_is_built_and_its_program_runs() {
	run_make
	out/bin/app
}

an_unchanged_tree_rebuilds_nothing() {
	run_make
	[ ! -s make.log ] || fail "$(cat make.log)"
}

the_build_directory_has_many_spellings() {
	for dir in out/ ./out "$tree/out" "$tree/../${tree##*/}/out"; do
		run_make O="$dir"
		[ ! -s make.log ] || fail "O=$dir: $(cat make.log)"
	done
}

a_header_rebuilds_those_who_include_it() {
	sleep 0.01
	touch lib/demo.h
	run_make
	did | grep -q '^CC app/main.o'
	did | grep -q '^CC lib/demo.o'
	! did | grep -q 'low/low.o' || fail "low.c does not include it"
}

a_deleted_header_does_not_break_the_build() {
	touch lib/gone.h
	echo '#include "lib/gone.h"' >>app/main.c
	run_make
	sed -i '/gone/d' app/main.c
	rm lib/gone.h
	run_make
}

a_flag_of_one_folder_rebuilds_that_folder_alone() {
	sed -i 's/-DLOW=1/-DLOW=1 -DMORE/' low/Kbuild
	run_make
	did | grep -q '^CC low/low.o'
	! did | grep -E '^CC (app|lib|low/deep)/' || fail "other folders were compiled again"
}

another_compiler_flag_rebuilds_everything() {
	run_make CFLAGS=-O1
	[ "$(did | grep -c '^CC')" = 6 ] || fail "$(did)"
	run_make CFLAGS=-O1
	[ ! -s make.log ]
	run_make
}

an_object_that_leaves_the_list_leaves_the_archive() {
	printf 'int extra(void);\nint extra(void) { return 0; }\n' >low/extra.c
	echo 'obj-y += extra.o' >>low/Kbuild
	run_make
	ar t out/low/built-in.a | grep -q extra.o
	sed -i '/extra/d' low/Kbuild
	run_make
	! ar t out/low/built-in.a | grep -q extra.o || fail "extra.o is still there"
}

a_failed_compile_is_tried_again() {
	cp low/low.c keep
	echo 'syntax error' >>low/low.c
	! run_make CFLAGS=-O0 >/dev/null || fail "make was content"
	cp keep low/low.c
	touch -d '1 hour ago' low/low.c
	run_make CFLAGS=-O0
	did | grep -q '^CC low/low.o'
	run_make
}

the_shared_library_shows_only_its_map() {
	nm -D --defined-only out/lib/libdemo.so | awk '$2 == "T" { print $3 }' >syms
	[ "$(cat syms)" = demo@@demo_0 ] || fail "$(cat syms)"
	readelf -d out/lib/libdemo.so | grep -q 'SONAME.*\[libdemo.so.0\]'
}

the_static_library_stands_alone() {
	printf 'int demo(void);\nint main(void) { return demo() == 2 ? 0 : 1; }\n' >alone.c
	gcc -o alone alone.c out/lib/libdemo.a
	./alone
}

programs_are_hardened() {
	readelf -h out/bin/app | grep -q 'Type:.*DYN'
	readelf -d out/bin/app | grep -q 'BIND_NOW\|FLAGS.*NOW'
	readelf -lW out/bin/app | grep -q GNU_RELRO
	readelf -lW out/bin/app | grep 'GNU_STACK' | grep -qv 'RWE'
}

make_check_runs_the_tests() {
	run_make check
	[ "$(tail -n 1 make.log)" = "1 passed, 0 failed, 0 skipped" ]
	sed -i 's/return 1/return 2/' low/deep/deep.c
	! run_make check >/dev/null || fail "make check was content with a failed test"
	grep -q '0 passed, 1 failed, 0 skipped' make.log
	sed -i 's/return 2/return 1/' low/deep/deep.c
	run_make check
}

says() {
	! run_make >/dev/null || fail "make was content"
	grep -q "$1" make.log || fail "make did not say '$1' but: $(cat make.log)"
}

a_misspelt_folder_is_named() {
	cp app/Kbuild keep
	sed -i 's/low /lwo /' app/Kbuild
	says "app/Kbuild: app needs 'lwo', which no Kbuild makes"
	cp keep app/Kbuild
}

a_missing_package_says_what_to_run() {
	cp app/Kbuild keep
	echo 'app-pkgs := no-such-library' >>app/Kbuild
	says "the library no-such-library is not installed: run scripts/deps.sh"
	cp keep app/Kbuild
}

a_sanitized_build_has_its_own_directory() {
	make -j2 SAN=1 progs >make.log 2>&1
	nm build-san/bin/app | grep -q __asan_init
	./build-san/bin/app
}

compile_commands_are_json_for_every_source() {
	command -v python3 >/dev/null || skip "no python3"
	run_make compile_commands.json
	python3 -c 'import json; c = json.load(open("compile_commands.json")); assert len(c) == 6, c'
}

make_tree
plan 17
t a_tree_is_built_and_its_program_runs
t an_unchanged_tree_rebuilds_nothing
t the_build_directory_has_many_spellings
t a_header_rebuilds_those_who_include_it
t a_deleted_header_does_not_break_the_build
t a_flag_of_one_folder_rebuilds_that_folder_alone
t another_compiler_flag_rebuilds_everything
t an_object_that_leaves_the_list_leaves_the_archive
t a_failed_compile_is_tried_again
t the_shared_library_shows_only_its_map
t the_static_library_stands_alone
t programs_are_hardened
t make_check_runs_the_tests
t a_misspelt_folder_is_named
t a_missing_package_says_what_to_run
t a_sanitized_build_has_its_own_directory
t compile_commands_are_json_for_every_source
finish
