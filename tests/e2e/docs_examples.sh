#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The commands that README.md and the man pages show are run as they stand there, on a stage. What
# is replaced is what a reader replaces, too, and nothing else:
#
#	SERIAL, D	the card's serial		PEM		key.pem
#	DIR		S, the server's state		FILE		archive.p7m
#	/tmp/		the stage's own folder, so that nothing outside is touched
#
# keyferry is a wrapper that runs each command as client or server, gives the PIN where one would
# be asked for at a terminal, and says --allow-virtual once, as the card is software.
# shellcheck disable=SC2016,SC2034,SC2119,SC2154 # for and from stage.sh and bad.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_readers=second
stage_rights=look,use,inject,create,delete,pin
stage_up
folder=$stage/mail/docs
mkdir "$folder" && chmod 1777 "$folder"
docs=$KF_SRC/docs/man

make_wrapper() {
	mkdir "$folder/bin"
	cat >"$folder/bin/keyferry" <<-EOF2
		#!/bin/sh
		fd=''
		case " \$* " in *' --pin-fd '*) fd=given ;; esac
		case \$1 in
		server | challenge | seal | receipt) uid=$uid_server ;;
		*) uid=$uid_client ;;
		esac
		case \$1.\$2 in
		server.enroll) set -- "\$@" --allow-virtual ;;
		inject.* | container.create | key.sign)
			if [ -z "\$fd" ]; then
				exec <'$folder/pin'
				set -- "\$@" --pin-fd 0
			fi ;;
		esac
		[ "\$uid" = "\$(id -u)" ] ||
			exec setpriv --reuid \$uid --regid \$uid --clear-groups '$stage/bin/keyferry' "\$@"
		exec '$stage/bin/keyferry' "\$@"
	EOF2
	chmod 755 "$folder/bin/keyferry"
	printf '%s\n' "$stage_pin" >"$folder/pin"
}

replaced() {
	sed -e 's/^\(server\|client\): *//' -e "s/\bSERIAL\b/KF-DOCS/; s/--device D\b/--device KF-DOCS/" \
		-e 's/--state DIR\b/--state S/; s/--key PEM\b/--key key.pem/' \
		-e 's/-in FILE\b/-in archive.p7m/' -e "s#/tmp/#$folder/tmp/#g"
}
# literal PAGE HEADING: its ``` blocks; a line that ends in \\ goes on
literal() {
	sed -n "/^# $2/,/^# /p" "$docs/$1.scd" | sed -n '/^```/,/^```/{/^```/d;p}' |
		sed -e ':a' -e '/\\\\$/{N;s/\\\\\n[[:space:]]*/ /;ba' -e '}' | replaced
}
# indented PAGE HEADING: its indented commands; ++ ends a line, \\++ joins two
indented() {
	sed -n "/^# $2/,/^# /p" "$docs/$1.scd" | sed -n '/^	/,/^$/p' | sed -e 's/^	//' |
		sed -e ':a' -e '/\\\\++$/{N;s/\\\\++\n[[:space:]]*/ /;ba' -e '}' -e 's/++$//' | replaced
}

# run FILE: each line of it, in the docs' folder; a line that fails is named
run() {
	[ -s "$1" ] || fail "$1 has no examples"
	cp "$1" lines
	while read -r line; do
		[ -n "$line" ] || continue
		echo "\$ $line"
		(cd "$folder" && PATH=$folder/bin:$PATH && export PATH && umask 022 && eval "$line") \
			</dev/null || fail "failed: $line"
	done <lines
}

# Between the README's first command and its second a maker personalises a card for this server.
the_readmes_server_is_made() {
	sed -n '/^## The four files/,/^## Building/s/^    //p' "$KF_SRC/README.md" | replaced >all
	[ "$(wc -l <all)" = 7 ] || fail "the README's voyage has $(wc -l <all) steps"
	head -n 1 all >first
	tail -n +2 all >rest
	run first
}
the_readmes_voyage_arrives() {
	run rest
	grep -q keyferry-receipt "$folder/receipt.json"
}
a_card_for_it() {
	cp "$folder/S/injector.pub.pem" mail/docs-injector.pem
	chmod 644 mail/docs-injector.pem
	mkdir -m 700 second
	[ "$(id -u)" != 0 ] || chown "$uid_service:$uid_service" second
	as service keyferry-vreader personalise --state second --serial KF-DOCS \
		--injector mail/docs-injector.pem --pin "$stage_pin" --puk "$stage_puk" >mail/log
	cp second/card.pem second/root.pem "$folder"
	chmod 644 "$folder"/*.pem
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/key.pem"
	chmod 644 "$folder/key.pem"
	# The reader of the stage's own card goes, so that the one with a card is this one.
	kill "$reader_pid"
	as_background service keyferry-vreader run --state second --listen run/second.sock
	tries=0
	until keyferry_client card show | grep -q KF-DOCS; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || return 1
		sleep 0.1
	done
}
keyferry_client() { as client keyferry "$@" 2>/dev/null; }

keyferry_1_runs() {
	literal keyferry.1 DESCRIPTION >voyage
	[ "$(wc -l <voyage)" = 5 ] || fail "$(cat voyage)"
	run voyage
	echo 'Dear Sir or Madam' >"$folder/letter"
	literal keyferry.1 EXAMPLES >examples
	run examples
}

card_has_pin() { printf '%s\n' "$1" | as client keyferry card pin verify --pin-fd 0; }
keyferry_seal_1_runs() {
	cd "$folder"
	openssl req -x509 -newkey rsa:2048 -noenc -keyout archive-key.pem -out archive.pem -days 2 \
		-subj /CN=archive -addext keyUsage=critical,keyEncipherment 2>/dev/null
	rm -f c o
	bin/keyferry challenge --state S --device KF-DOCS -o c
	bin/keyferry offer --challenge c -o o
	bin/keyferry seal --state S --offer o --key key.pem --usage derive --archive-cert archive.pem \
		--archive-out archive.p7m -o archived
	cd "$stage"
	[ "$(id -u)" != 0 ] || chmod 644 "$folder/archive.p7m"
	printf '%s\nnew-pin-4711\n' "$stage_puk" >"$folder/puk-and-pin"
	literal keyferry-seal.1 EXAMPLES >examples
	run examples | tee opened
	grep -q 'proved, set the PIN, which has 3 tries' opened || fail "$(cat opened)"
	card_has_pin new-pin-4711
	sed -n '/^-----BEGIN/,/^-----END/p' opened | cmp - "$folder/key.pem"
}

# Its servers are stopped again; the line for OpenSC and pcscd has its own test, and the reader on USB
# is tried in a virtual machine, tests/vm/gadget.sh, and that of such a machine in tests/vm/qemu_reader.sh.
keyferry_vreader_1_and_keyferryd_8_run() {
	mkdir -p "$folder/tmp/kf"
	cp mail/injector.pub.pem "$folder/server.pub.pem"
	pids=
	# shellcheck disable=SC2086 # a list
	trap 'kill $pids 2>/dev/null || :' EXIT
	indented keyferry-vreader.1 EXAMPLES >all
	cat all
	grep -v -e vpcd -e opensc-tool -e modprobe -e --gadget -e qemu -e vscard all >lines
	[ "$(grep -c '^keyferry' lines)" = 4 ] || fail "$(cat lines)"
	cd "$folder"
	rm -rf card
	eval "$(grep personalise "$stage/lines")"
	[ -s card/card.pem ]
	eval "$(grep 'reader.sock' "$stage/lines" | sed 's/ &$//; s/$/ \& pids="$pids $!"/')"
	served "$folder/tmp/broker.sock"
	# shellcheck disable=SC2086 # a list
	kill $pids && wait
	pids=
	eval "$(grep misbehave "$stage/lines") & pids=\$!"
	appears r.sock
	kill "$pids" && wait
	"$stage/bin/keyferry-vreader" run --state card --listen tmp/kf/card.sock &
	pids=$!
	literal keyferryd.8 EXAMPLE >daemon
	cat daemon
	eval "$(cat daemon) & pids=\"\$pids \$!\""
	served "$folder/tmp/kf/broker.sock"
	# shellcheck disable=SC2086
	kill $pids && wait
	pids=
}
appears() {
	tries=0
	until [ -S "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "$1 never appeared"
		sleep 0.1
	done
}
served() {
	tries=0
	until "$stage/bin/keyferry" --socket "$1" card show 2>&1 | grep KF-1; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "nobody served the card at $1"
		sleep 0.1
	done
}

make_wrapper || stage_fail "no wrapper"
reader_pid=$(echo "$stage_pids" | awk '{ print $1 }')
plan 5
t the_readmes_server_is_made
a_card_for_it || stage_fail "no card for the README's server"
t the_readmes_voyage_arrives
t keyferry_1_runs
t keyferry_seal_1_runs
t keyferry_vreader_1_and_keyferryd_8_run
finish
