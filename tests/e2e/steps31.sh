#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The 31 steps of the minidriver's Secure Key Injection use case, one line each: client and server
# are two programs under two uids, each on its public library only. The archive is opened by the
# openssl command afterwards, and the injected key decrypts.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_up --level extended
plan 33
# They look for the libraries in ../../lib.
mkdir -p tests/e2e
cp "$KF_BUILD/tests/e2e/steps_client" "$KF_BUILD/tests/e2e/steps_server" tests/e2e/
{
	stage_key rsa2048 server/k2.pem
	as server openssl pkey -in server/k2.pem -pubout -out mail/k2.pub.pem
	stage_key rsa2048-b server/archive.key.pem
	as server openssl req -x509 -key server/archive.key.pem \
		-out server/archive.cert.pem -subj "/CN=archive" -days 30 \
		-addext keyUsage=critical,keyEncipherment
} >mail/openssl.log 2>&1 || stage_fail "openssl"

as_background server tests/e2e/steps_server mail/meeting.sock mail/card.pem mail/root.pem \
	server/injector.pem server/k2.pem server/archive.cert.pem server/archive.p7m \
	>mail/server.steps 2>mail/steps_server.log
server_pid=$!
tries=0
until [ -S mail/meeting.sock ] || [ $tries -gt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
chmod 777 mail/meeting.sock
printf '%s' "$stage_pin" | as client tests/e2e/steps_client mail/meeting.sock run/broker.sock 0 \
	>mail/client.steps 2>mail/steps_client.log
wait "$server_pid"

# A step nobody reported has failed.
step() {
	line=$(cat mail/client.steps mail/server.steps | grep -E "^(not )?ok $1 " | tail -n 1)
	echo "# ${line:-step $1 was not reached}"
	case $line in ok*) ;; *)
		cat mail/steps_client.log mail/steps_server.log
		return 1
		;;
	esac
}

the_archive_opens_by_openssl() {
	as server sh -c 'openssl cms -decrypt -inform DER -in server/archive.p7m \
		-inkey server/archive.key.pem | openssl pkey -pubout' | cmp - mail/k2.pub.pem
}

the_injected_key_decrypts() {
	echo 'cargo manifest' >mail/plain
	openssl pkeyutl -encrypt -pubin -inkey mail/k2.pub.pem -pkeyopt rsa_padding_mode:oaep \
		-pkeyopt rsa_oaep_md:sha256 -in mail/plain -out mail/secret
	printf '%s' "$stage_pin" | as client keyferry key decrypt --container 1 --padding oaep \
		--hash sha256 --in mail/secret --pin-fd 0 -o mail/opened
	cmp mail/plain mail/opened
}

for i in $(seq 1 31); do
	eval "step_$i() { step $i; }"
	t "step_$i"
done
t the_archive_opens_by_openssl
t the_injected_key_decrypts
finish
