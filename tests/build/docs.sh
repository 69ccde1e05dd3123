#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The pages name files; a file that moved has to move there too.
# shellcheck disable=SC2016 # the backquotes are the pages'
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

cd "$KF_SRC" || exit 1

# Every `path/with.c` in a page, also in bold, is a file; a bare name.c is one in the folder named last.
architecture_names_files_that_exist() {
	grep -oE '`[a-z_0-9]+(/[a-z_0-9]+)+\.[ch]`' docs/architecture.md docs/threat-model.md docs/protocol.md |
		sed 's/^.*:`\(.*\)`$/\1/' | sort -u | while read -r path; do
		[ -f "$path" ] || echo "no such file: $path"
	done >"$tmp"
	cat "$tmp"
	[ ! -s "$tmp" ]
}

pages_link_to_pages_that_exist() {
	grep -oE '\]\([a-z-]+\.md\)' docs/*.md | sed 's/^\(.*\):](\(.*\))$/\2/' | sort -u | while read -r page; do
		[ -f "docs/$page" ] || echo "no such page: $page"
	done >"$tmp"
	cat "$tmp"
	[ ! -s "$tmp" ]
}

# In the last table of methods.md a file is followed by what it has.
methods_are_shown_by_tests_that_exist() {
	sed -n '/^## Which test shows it/,$p' docs/methods.md | grep -o '`[^`]*`' | tr -d '`' | while read -r name; do
		case $name in
		*/*) file=$name ;;
		*) grep -qs "\<$name\>" "$file" || echo "no $name in $file" ;;
		esac
	done >"$tmp"
	cat "$tmp"
	[ ! -s "$tmp" ] && grep -q '^| refusals tell nothing | `tests/' docs/methods.md
}

tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
plan 3
t architecture_names_files_that_exist
t pages_link_to_pages_that_exist
t methods_are_shown_by_tests_that_exist
finish
