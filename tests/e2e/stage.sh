# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For e2e scripts, after tests/ktap.sh: a folder with a personalised virtual card, an enrolled
# server and a running service, each party under its own uid if the script runs as root.
#
#	stage_up [reader options]	builds it; $stage is the folder and the working directory;
#					$stage_maker=1: the maker's root stays in maker/,
#					$stage_readers: names of further sockets in run/ to watch,
#				$stage_rights: the client's, if not those to do with keys
#				$stage_app=schsm: a SmartCard-HSM, as it comes from its maker, and no server
#	as ROLE COMMAND...		ROLE is service, client or server
#	with LINES COMMAND...		card COMMAND, which the script defines, with the lines it asks for
#	stage_reader FOLDER SOCKET [OPTIONS]	starts a reader with the card of that folder
#	stage_unplug FOLDER		stops it
#	stage_key NAME FILE		a prepared key of tests/keys, for the server alone
#	stage_stopped PID		waits until that process has stopped itself
#	stage_service_anew [OPTIONS]	a service that knows of nothing before it, with more options
#	stage_down			kills what runs, removes the folder; runs at exit anyway

stage_pin=correct-horse-42
stage_puk=battery-staple-77
stage_serial=KF-STAGE-0001
stage_pids=

uid_here=$(id -u)
if [ "$uid_here" = 0 ]; then
	uid_service=61001 uid_client=61002 uid_server=61003
else
	uid_service=$uid_here uid_client=$uid_here uid_server=$uid_here
fi

as() {
	case $1 in
	service) as_uid=$uid_service ;;
	client) as_uid=$uid_client ;;
	server) as_uid=$uid_server ;;
	esac
	shift
	[ "$as_uid" = "$uid_here" ] ||
		set -- setpriv --reuid "$as_uid" --regid "$as_uid" --clear-groups "$@"
	"$@"
}

# The same in the background, its pid in $stage_pids and $!.
as_background() {
	case $1 in
	service) as_uid=$uid_service ;;
	client) as_uid=$uid_client ;;
	server) as_uid=$uid_server ;;
	esac
	shift
	[ "$as_uid" = "$uid_here" ] ||
		set -- setpriv --reuid "$as_uid" --regid "$as_uid" --clear-groups "$@"
	"$@" &
	stage_pids="$stage_pids $!"
}

# PINs, a line each, on a descriptor.
with() {
	with_lines=$1
	shift
	printf '%b\n' "$with_lines" | card "$@" --pin-fd 0
}

# stage_stopped PID: until it stopped itself.
stage_stopped() {
	stopped_tries=0
	while read -r _ _ stopped_state _ <"/proc/$1/stat" && [ "$stopped_state" != T ]; do
		stopped_tries=$((stopped_tries + 1))
		[ "$stopped_tries" -lt 3000 ] || return 1
		sleep 0.05
	done 2>/dev/null
	[ "$stopped_state" = T ]
}

# Readers have their pids in files, because a test is a subshell and may start one anew.
stage_reader() {
	stage_folder=$1 stage_socket=$2
	shift 2
	as_background service keyferry-vreader run --state "$stage_folder" \
		--listen "run/$stage_socket.sock" "$@" >"mail/$stage_folder.log" 2>&1
	echo $! >"pids/$stage_folder"
}

stage_unplug() {
	stage_pid=$(cat "pids/$1")
	kill "$stage_pid"
	while read -r _ _ stage_state _ <"/proc/$stage_pid/stat" &&
		[ "$stage_state" != Z ] && [ "$stage_state" != X ]; do sleep 0.01; done 2>/dev/null
}

# Its pid is in a file like a reader's, and for the same reason.
stage_service() {
	stage_more=
	for stage_reader in reader ${stage_readers:-}; do
		stage_more="$stage_more --virtual $stage/run/$stage_reader.sock"
	done
	# shellcheck disable=SC2086 # options and their values
	as_background service keyferryd --socket "$stage/run/broker.sock" $stage_more "$@" \
		--grant "$uid_client:${stage_rights:-look,use,inject,create,delete}" >>mail/service.log 2>&1
	echo $! >pids/service
	stage_tries=0
	until [ -S run/broker.sock ]; do
		stage_tries=$((stage_tries + 1))
		[ "$stage_tries" -lt 1000 ] || return 1
		sleep 0.02
	done
}

stage_service_anew() {
	stage_unplug service
	rm -f run/broker.sock
	stage_service "$@"
	# The socket has its name a moment before anybody listens there.
	stage_tries=0
	until as client keyferry reader wait --reader virtual:reader >mail/show.log 2>&1; do
		stage_tries=$((stage_tries + 1))
		[ "$stage_tries" -lt 10 ] || stage_fail "no service: $(cat mail/show.log)"
		sleep 0.1
	done
}

stage_down() {
	# shellcheck disable=SC2046,SC2086 # lists of numbers
	kill $stage_pids $(cat "$stage"/pids/* 2>/dev/null) 2>/dev/null
	stage_pids=
	wait 2>/dev/null
	cd / && rm -rf "${stage:?}"
}

# From the server to the card's maker, who deletes it.
stage_share() {
	as server keyferry server shared --state server --serial "$stage_serial" -o server/card.keys &&
		cp server/card.keys run/ && { [ "$uid_here" != 0 ] || chown "$uid_service:$uid_service" run/card.keys; } &&
		rm server/card.keys
}

stage_fail() {
	echo "# stage: $1" >&2
	tail -n 20 "$stage/mail/"*.log >&2
	exit 1
}

# RSA takes its time, and most tests want just any key.
stage_key() {
	install -m 600 "$KF_SRC/tests/keys/$1.pem" "$2"
	[ "$uid_here" != 0 ] || chown "$uid_server:$uid_server" "$2"
}

stage_prepare() {
	[ "${stage_app:-keyferry}" = keyferry ] || {
		as service keyferry-vreader personalise --app "$stage_app" --state card --serial "$stage_serial"
		return
	}
	as server keyferry server init --state server &&
		cp server/injector.pub.pem mail/ &&
		chmod 644 mail/injector.pub.pem &&
		{ [ -z "${stage_share:-}" ] || stage_share; } &&
		as service keyferry-vreader personalise --state card \
			--serial "$stage_serial" --injector mail/injector.pub.pem \
			--pin "$stage_pin" --puk "$stage_puk" \
			${stage_share:+--shared-key run/card.keys} \
			${stage_maker:+--maker maker} &&
		cp card/card.pem card/root.pem mail/ &&
		chmod 644 mail/*.pem &&
		as server keyferry server enroll --state server --cert mail/card.pem \
			--root mail/root.pem --allow-virtual
}

stage_up() {
	stage=$(mktemp -d "${TMPDIR:-/tmp}/keyferry-stage-XXXXXX")
	trap stage_down EXIT
	trap 'exit 1' INT TERM
	chmod 755 "$stage"
	cp -aL "${KF_BUILD:?}/bin" "$KF_BUILD/lib" "$stage/"
	cd "$stage" || exit 1
	PATH=$stage/bin:$PATH
	KEYFERRY_SOCKET=$stage/run/broker.sock
	export PATH KEYFERRY_SOCKET
	mkdir pids card run server client mail ${stage_maker:+maker}
	if [ "$(id -u)" = 0 ]; then
		chown "$uid_service:$uid_service" card run ${stage_maker:+maker}
		chown "$uid_server:$uid_server" server
		chown "$uid_client:$uid_client" client
	fi
	chmod 700 card server client ${stage_maker:+maker}
	chmod 1777 mail
	stage_prepare >mail/prepare.log 2>&1 || stage_fail "cannot prepare"
	stage_reader card reader "$@"
	stage_service || stage_fail "the service never came up"
	as client keyferry reader wait --reader virtual:reader >mail/show.log 2>&1 ||
		stage_fail "the card never showed"
}
