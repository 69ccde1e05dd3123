#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The commands of docs/cards/schsm.md, from a new card to a fleet, run as they stand there on a virtual card.
# keyferry is a wrapper that answers where one would be asked at a terminal. What sc-hsm-tool does is
# for tests/peer/schsm_guide.sh.
# shellcheck disable=SC2034,SC2119,SC2154,SC2317 # for and from stage.sh; reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_app=schsm
stage_serial=A1
stage_rights=look,use,inject,create,delete,init,kek,wrap	# as the guide's rule has it
command -v jq >/dev/null || { plan 1; t_skip() { skip 'no jq'; }; t t_skip; finish; exit; }
stage_up
in_sequence=1
folder=$stage/mail/guide
mkdir "$folder" "$folder/bin" && chmod 1777 "$folder"

cat >"$folder/bin/keyferry" <<EOF2
#!/bin/sh
case " \$* " in
*' --pin-fd '*) exec 0<&3 ;;
' card init '*) exec <'$folder/both'; set -- "\$@" --yes --pin-fd 0 ;;
' container create '* | ' dkek unwrap '*) exec <'$folder/pin'; set -- "\$@" --pin-fd 0 ;;
esac
[ "$uid_client" = "\$(id -u)" ] ||
	exec setpriv --reuid $uid_client --regid $uid_client --clear-groups '$stage/bin/keyferry' "\$@"
exec '$stage/bin/keyferry' "\$@"
EOF2
chmod 755 "$folder/bin/keyferry"
printf '648219\n' >"$folder/pin"
printf '3537363231383830\n648219\n' >"$folder/both"

sed -n '/^## From a new Nitrokey/,/^### What goes wrong/s/^    //p' "$KF_SRC/docs/cards/schsm.md" |
	grep -v '^sc-hsm-tool\|^\[rule\|^user = \|^allow = ' >all
sed '/dkek unwrap/,$d' all >until_unwrap
sed -n '/dkek unwrap/,$p' all >from_unwrap

run() {
	[ -s "$1" ] || fail "$1 has no commands"
	cat "$1"
	here=$(pwd)
	(cd "$folder" && umask 022 && PATH=$folder/bin:$PATH sh -e "$here/$1") </dev/null 2>&1
}

the_rule_is_one() {
	sed -n '/^    \[rule fleet\]/,/^$/s/^    //p' "$KF_SRC/docs/cards/schsm.md" |
		sed 's/= alice/= root/' >mail/rule
	[ "$(wc -l <mail/rule)" = 3 ]
	[ "$(sed -n 's/^allow = //p' mail/rule | tr ' ' ,)" = "$stage_rights" ] || fail "the guide allows something else"
	keyferry policy check mail/rule
}

a_new_card_becomes_one_of_a_fleet() {
	run until_unwrap >mail/log || fail "$(cat mail/log)"
	grep -q ready mail/log
	grep -q 'p256 *sign *generated' mail/log
}

wrapped_keys_go_in() {
	python3 "$KF_SRC/tests/e2e/dkek_blob.py" "$folder/share-1" "$folder/share-2" >"$folder/key.wrapped"
	run from_unwrap >mail/log || fail "$(cat mail/log)"
	as client keyferry container list >mail/list
	cat mail/list
	[ "$(grep -c aes256 mail/list)" = 2 ]
}

plan 3
t the_rule_is_one
t a_new_card_becomes_one_of_a_fleet
t wrapped_keys_go_in
finish
