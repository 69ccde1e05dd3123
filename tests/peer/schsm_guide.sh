#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What docs/cards/schsm.md has people do with OpenSC, run as it stands there: the lines that put the virtual card into
# pcscd's slot, and those that make a fleet's shares and give them to a card. sc-hsm-tool is a wrapper that
# waits for the card and answers where one would be asked at a terminal. keyferry's lines are those of
# tests/e2e/schsm_guide.sh.
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/pcsc.sh"
pcsc_enter "$0" "${1:-}" sc-hsm-tool openssl

bin=$(realpath "${KF_BUILD:-build}/bin")
dir=$(mktemp -d)
# shellcheck disable=SC2046 # it may be empty
trap 'kill $pcscd $(cat "$dir/reader.pid" 2>/dev/null) 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
page=$KF_SRC/docs/cards/schsm.md
tool=$(command -v sc-hsm-tool)
mkdir bin
cat >bin/sc-hsm-tool <<EOF2
#!/bin/sh
. "$KF_SRC/tests/ktap.sh"
. "$KF_SRC/tests/pcsc.sh"
pcsc_log=$dir/pcscd.log
pcsc_says 0 Yes
case " \$* " in
*' --password '* | *' --pin '*) ;;
*' --create-dkek-share '* | *' --import-dkek-share '*) set -- "\$@" --password 'correct horse' ;;
*' --initialize '*) set -- "\$@" --so-pin 3537363231383830 --pin 648219 ;;
esac
exec timeout 240 $tool "\$@" </dev/null
EOF2
cat >bin/keyferry-vreader <<EOF2
#!/bin/sh
[ "\$1" != run ] || echo \$\$ >"$dir/reader.pid"
exec "$bin/keyferry-vreader" "\$@"
EOF2
chmod 755 bin/*
PATH=$dir/bin:$PATH
pcsc_start pcscd.log

# lines FROM TO: the commands between two headings
lines() { sed -n "/^$1/,/^$2/s/^    //p" "$page"; }
run() {
	[ -s "$1" ] || fail "$1 has no commands"
	cat "$1"
	sh -e "$1" </dev/null >log 2>&1 || fail "$(cat log)"
	cat log
}

the_virtual_card_is_initialised_by_sc_hsm_tool() {
	lines '## The virtual card' '### Commands' >virtual
	grep -q '^sc-hsm-tool --initialize' virtual
	run virtual
	sc-hsm-tool | grep -q '1 share(s) still missing'
}

shares_with_passwords_make_a_fleets_dkek() {
	lines '## From a new Nitrokey' '### What goes wrong' | grep '^sc-hsm-tool' >fleet
	for want in '--create-dkek-share share-1.pbe' '--create-dkek-share share-2.pbe' '--initialize' \
		'--import-dkek-share share-1.pbe' '--import-dkek-share share-2.pbe'; do
		grep -q -e "$want" fleet || fail "the page has no $want"
	done
	run fleet
	sc-hsm-tool >state
	sed -n 's/.*DKEK key check value *: *//p' state | tr -d : | tr A-F a-f >kcv
	[ -s kcv ] || fail "$(cat state)"
}

# What OpenSC made keyferry reads: the same two files are the same DKEK.
the_same_files_are_the_same_dkek_to_us() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key
	"$bin/keyferry" server init --state server
	printf 'correct horse\ncorrect horse\n' >passwords
	"$bin/keyferry" seal --card schsm --state server --share share-1.pbe --share share-2.pbe \
		--share-password-fd 3 --container 1 --key key -o cargo 3<passwords >said
	grep -q "^DKEK: *$(cat kcv)$" said || fail "$(cat kcv said)"
}

plan 3
t the_virtual_card_is_initialised_by_sc_hsm_tool
t shares_with_passwords_make_a_fleets_dkek
t the_same_files_are_the_same_dkek_to_us
finish
