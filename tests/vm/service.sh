# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For tests in a virtual machine in which the whole service runs, after tests/vm/rig.sh. Outside:
#
#	make_card NAME SERIAL		a card and a server that knows it, as $dir/NAME and $dir/server
#	rig_service [OPTION]...		rig, with our programs, that server and openssl
#
# Inside the server is root's and the client is alice:
#
#	service_up			keyferryd --usb, broker and driver
#	client COMMAND...		as alice; with_pin COMMAND... types the PIN into it
#	card_shows			once there is one
#	makes_a_key NUMBER		p256; its public half goes to /tmp/public.NUMBER
#	signs NUMBER			with that key, and openssl believes it
#	takes_a_sealed_key NUMBER SERIAL BITS	from the challenge to a receipt; BITS: of the exchange key
#	said				what the service said, for fail
#	service_down

pin=314159265358
puk=271828182845
KEYFERRY_SOCKET=/run/kf.sock
export KEYFERRY_SOCKET

# shellcheck disable=SC2154 # $dir is the folder of the test
make_card() {
	{
		[ -d "$dir/server" ] ||
			"$(built bin/keyferry)" server init --state "$dir/server"
		"$(built bin/keyferry-vreader)" personalise --state "$dir/$1" --serial "$2" \
			--injector "$dir/server/injector.pub.pem" --pin $pin --puk $puk &&
			"$(built bin/keyferry)" server enroll --state "$dir/server" --allow-virtual \
				--cert "$dir/$1/card.pem" --root "$dir/$1/root.pem"
	} >"$dir/made" 2>&1 || {
		cat "$dir/made" >&2
		exit 1
	}
}

rig_service() {
	openssl=$(command -v openssl) || skip_all "openssl is not installed: run scripts/deps.sh check"
	rig --file "$KF_SRC/tests/vm/service.sh:/tests/vm/service.sh" --file "$dir/server:/srv/server" \
		--prog "$(built bin/keyferry)" --prog "$(built bin/keyferryd)" \
		--prog "$(built bin/keyferry-broker)" --prog "$(built bin/keyferry-driver)" \
		--prog "$(built bin/keyferry-vreader)" --prog "$openssl" "$@"
}

service_up() {
	keyferryd --socket $KEYFERRY_SOCKET --usb --grant 1000:look,use,inject,create,delete,raw \
		2>>/tmp/service.err &
	service=$!
	vm_wait 60 test -S $KEYFERRY_SOCKET || fail "no service: $(said)"
}

service_down() {
	kill "$service"
	wait "$service"
}

said() {
	tail -n 5 /tmp/service.err
	dmesg | grep -i usb | tail -n 3
}

client() {
	# shellcheck disable=SC2016 # the inner shell expands it
	su -c 'exec "$0" "$@"' -- alice "$@"
}

with_pin() {
	echo $pin | client "$@" --pin-fd 0
}

card_shows() {
	client keyferry reader wait --timeout 60 >/dev/null || fail "no card: $(said)"
	client keyferry card show --timeout 120
}

makes_a_key() {
	with_pin keyferry container create --type p256 --container "$1" --timeout 120
	client keyferry container show "$1" --pubkey -o "/tmp/public.$1"
}

signs() {
	with_pin keyferry key sign --container "$1" --timeout 120 --in /etc/passwd -o /tmp/sig
	openssl dgst -sha256 -verify "/tmp/public.$1" -signature /tmp/sig /etc/passwd
}

takes_a_sealed_key() {
	cd /tmp || return
	openssl ecparam -name prime256v1 -genkey -noout -out /srv/key
	openssl ec -in /srv/key -pubout -out "public.$1"
	keyferry server methods --state /srv/server --set rsa
	keyferry challenge --state /srv/server --device "$2" -o "$1.challenge"
	client keyferry offer --challenge "$1.challenge" --container "$1" --exchange-type "rsa$3" \
		--timeout 120 -o "$1.offer"
	keyferry seal --state /srv/server --offer "$1.offer" --key /srv/key --exchange-bits "$3" \
		-o "$1.cargo"
	chmod a+r "$1.cargo"
	with_pin keyferry inject "$1.cargo" --timeout 120 -o "$1.receipt"
	keyferry receipt verify --state /srv/server "$1.receipt"
}
