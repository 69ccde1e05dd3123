#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2317 # the functions are run by name
#
# Users and groups that are not in /etc, in a configuration that is read again by a keyferryd which has
# closed itself in: the modules of the name service run inside its sandbox. In a mount namespace with a
# /run and an nsswitch.conf of its own; libnss_systemd asks a service of ours there, and libnss_hesiod,
# which comes with the C library, would ask the network.
#
# Faces: daemon/monitor/sandbox.c
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

bin=$(cd "${KF_BUILD:-build}/bin" && pwd) || exit 2
[ "$(id -u)" = 0 ] || skip_all "needs root for a mount namespace"
if [ -z "${KF_OWN_MOUNTS:-}" ]; then
	unshare -m true 2>/dev/null || skip_all "this machine gives us no mount namespace"
	KF_OWN_MOUNTS=1 exec unshare -m "$0" "$@"
fi
for module in systemd hesiod; do
	ls /lib/*/libnss_$module.so.2 >/dev/null 2>&1 || ls /usr/lib/libnss_$module.so.2 >/dev/null 2>&1 ||
		skip_all "there is no libnss_$module"
done

service=
directory=
trap 'kill $service $directory 2>/dev/null' EXIT
mount -t tmpfs -o mode=755 tmpfs /run || exit 1
mount -t tmpfs -o mode=755 tmpfs /mnt || exit 1
mkdir -p /run/userdb /run/systemd/userdb
for base in passwd group; do echo "$base: files systemd hesiod"; done >/mnt/nsswitch.conf
mount --bind /mnt/nsswitch.conf /etc/nsswitch.conf || exit 1
cd /mnt || exit 1

# A service of the directory [systemd, io.systemd.UserDatabase]: it knows one group.
cat >directory.py <<'END'
import json, os, socket
path = "/run/systemd/userdb/io.keyferry.Test"
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chmod(path, 0o666)
listener.listen(8)
open("listens", "w").close()
record = {"groupName": "kf-service", "gid": 63334, "disposition": "regular",
          "service": "io.keyferry.Test"}
while True:
    peer, _ = listener.accept()
    data = b""
    while b"\0" not in data:
        more = peer.recv(4096)
        if not more:
            break
        data += more
    else:
        call = json.loads(data.split(b"\0")[0])
        if (call["method"].endswith("GetGroupRecord") and
                call["parameters"].get("groupName") == "kf-service"):
            answer = {"parameters": {"record": record, "incomplete": False}}
        else:
            answer = {"error": "io.systemd.UserDatabase.NoRecordFound", "parameters": {}}
        peer.sendall(json.dumps(answer).encode() + b"\0")
        peer.recv(1)
    peer.close()
END
python3 directory.py &
directory=$!
echo '{"userName":"kf-dropped-in","uid":63333,"gid":63333,"disposition":"regular"}' \
	>/run/userdb/kf-dropped-in.user
# Nobody answers there; that it is asked is what counts.
printf 'lhs=.ns\nrhs=.invalid\n' >hesiod.conf
export HESIOD_CONFIG=/mnt/hesiod.conf

# configure RULE...: as lines.
configure() {
	{
		printf '[policy]\nshipped-rules = no\n[rule root]\nuser = 0\nallow = look admin\n[rule other]\n'
		printf '%s\n' "$@"
	} >new.conf
	mv new.conf keyferryd.conf
}

# soon COMMAND...
soon() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || return 1
		sleep 0.1
	done
}

tells() {
	soon grep -q "$1" said || fail "not said: $1; but $(cat said)"
}

# reload RULE...
reload() {
	: >said
	configure "$@"
	kill -HUP "$service"
}


configure 'user = 1' 'allow = look'
"$bin/keyferryd" --config /mnt/keyferryd.conf --socket /mnt/sock --virtual /mnt/none 2>said &
service=$!

status_is_told() {
	KEYFERRY_SOCKET=/mnt/sock "$bin/keyferry" status >shown 2>&1
}

it_is_closed_in() {
	soon status_is_told || fail "$(cat shown said)"
	grep -A 1 '^process *monitor' shown | grep -q ' seccomp landlock' ||
		skip "without its sandbox there is nothing to see: $(cat shown)"
}

a_group_that_a_service_of_systemd_knows_is_found() {
	soon test -e listens
	reload 'group = kf-service' 'allow = look'
	tells 'policy 2 is in force'
}

a_user_that_was_dropped_in_is_found() {
	reload 'user = kf-dropped-in' 'allow = look'
	tells 'policy 3 is in force'
}

who_would_have_to_be_looked_for_in_the_network_is_nobody_and_the_rules_stay() {
	# The same look-up outside does ask the network.
	strace -f -o calls getent group kf-network || true
	grep -q 'socket(AF_INET, SOCK_DGRAM' calls
	reload 'group = kf-network' 'allow = look'
	tells 'group = kf-network: no such group here'
	tells 'policy 3 stays in force'
	kill -0 "$service"
	reload 'user = 1' 'allow = look'
	tells 'policy 4 is in force'
}

plan 4
t it_is_closed_in
t a_group_that_a_service_of_systemd_knows_is_found
t a_user_that_was_dropped_in_is_found
t who_would_have_to_be_looked_for_in_the_network_is_nobody_and_the_rules_stay
finish
