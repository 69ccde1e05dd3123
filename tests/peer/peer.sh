#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A second implementation of docs/card-application.md and docs/formats.md, in Python and from the
# pages alone, against the first: its server with the project's card, its card with the project's
# server.
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"

export KF_SRC KF_BUILD PYTHONDONTWRITEBYTECODE=1
py=/usr/bin/python3
bin=$KF_BUILD/bin
$py -c 'import cryptography' 2>/dev/null || skip_all "needs python3-cryptography for $py"

dir=$(mktemp -d)
jobs=
# shellcheck disable=SC2317 # reached by the trap
quit() {
	# shellcheck disable=SC2086 # a list of process ids
	[ -z "$jobs" ] || kill $jobs 2>/dev/null
	wait
	rm -rf "$dir"
}
trap quit EXIT
cd "$dir" || exit 1

wait_for() {
	for _ in $(seq 100); do
		[ ! -S "$1" ] || return 0
		sleep 0.1
	done
	echo "no socket $1"
	return 1
}

# attach READER-SOCKET BROKER-SOCKET: keyferryd for one reader.
attach() {
	wait_for "$1" &&
		{
			"$bin/keyferryd" --socket "$2" --virtual "$1" \
				--grant "$(id -u):look,use,inject,create,delete,pin" 2>"$2.log" &
			jobs="$jobs $!"
		} &&
		wait_for "$2" &&
		"$bin/keyferry" reader wait --socket "$2" --timeout 10 >/dev/null
}

# serve_project NAME BROKER: the project's card in the project's reader.
serve_project() {
	"$bin/keyferry-vreader" run --state "$1" --listen "$1.sock" 2>"$1.log" &
	jobs="$jobs $!"
	attach "$1.sock" "$2"
}

voyage() {
	$py "$KF_SRC/tests/peer/voyage.py" "$@" || fail "the Python card: $(tail -n 3 py.log)"
}

personalise() {
	"$bin/keyferry-vreader" personalise --pin 123456 --puk 12345678 "$@" >/dev/null
}

prepare() {
	for bits in 2048 3072 4096; do
		cp "$KF_SRC/tests/keys/rsa$bits.pem" "rsa$bits.key"
	done
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out injector.key
	openssl pkey -in injector.key -pubout -out injector.pub
	openssl rand -hex 32 >master
}

# shared SERIAL: the SHARED keys of a card, as the Python server writes them for its maker.
shared() {
	(umask 077 && cd "$KF_SRC/tests/peer" && $py -c "import formats, sys
print(formats.maker_file(bytes.fromhex(sys.argv[1]), sys.argv[2]), end='')" "$(cat "$dir/master")" "$1") >"$1.keys" &&
		chmod 600 "$1.keys"
}

serve_projects_card() {
	shared KF-1 && personalise --state card --serial KF-1 --injector injector.pub --shared-key KF-1.keys &&
		serve_project card broker
}

serve_python_card() {
	"$bin/keyferry" server init --state state && mkdir pycard || return 1
	"$bin/keyferry" server shared --state state --serial PY-1 -o shared.keys || return 1
	$py "$KF_SRC/tests/peer/reader.py" py.sock pycard PY-1 shared.keys state/injector.pub.pem 2>py.log &
	jobs="$jobs $!"
	attach py.sock py.broker &&
		"$bin/keyferry" server enroll --state state --allow-virtual \
			--cert pycard/card.pem --root pycard/root.pem
}

# start WHAT: its daemons stay, and what it said is shown by the test that asks with started WHAT.
start() {
	"$@" >"$1.log" 2>&1
	echo $? >"$1.status"
}

started() {
	[ "$(cat "$1.status")" = 0 ] || fail "$(cat "$1.log" ./*.log)"
}

# Cards without keyferryd: the tests speak to their readers.
serve_raw_cards() {
	personalise --state raw --serial KF-RAW --injector injector.pub &&
		personalise --state open --serial KF-OPEN && shared KF-SHARED &&
		personalise --state shared --serial KF-SHARED --injector injector.pub \
			--shared-key KF-SHARED.keys || return 1
	for card in raw open shared; do
		"$bin/keyferry-vreader" run --state "$card" --listen "$card.sock" 2>"$card.log" &
		jobs="$jobs $!"
		wait_for "$card.sock" || return 1
	done
}

start prepare
start serve_projects_card
start serve_python_card
start serve_raw_cards

keys_are_prepared() { started prepare; }

the_projects_card_is_served() { started serve_projects_card; }
rsa2048_sign_arrives() { voyage carry rsa2048 sign; }
rsa3072_decrypt_arrives() { voyage carry rsa3072 decrypt; }
rsa4096_sign_arrives() { voyage carry rsa4096 sign; }
p256_sign_arrives() { voyage carry p256 sign; }
p384_derive_arrives() { voyage carry p384 derive; }
p521_sign_arrives() { voyage carry p521 sign; }
p521_derive_arrives() { voyage carry p521 derive; }
p256_by_ecdh_on_p256_arrives() { voyage carry p256 sign ecdh p256; }
p384_by_ecdh_on_p384_arrives() { voyage carry p384 sign ecdh p384; }
rsa2048_by_ecdh_on_x25519_arrives() { voyage carry rsa2048 sign ecdh x25519; }
p256_by_derived_arrives() { voyage carry p256 sign derived ''; }
rsa2048_by_shared_arrives() { voyage carry rsa2048 sign shared ''; }
a_batch_arrives() { voyage carry_batch; }
orders_about_pins_arrive() { voyage carry_orders; }
two_items_arrive() { voyage two_items; }
turned_bits_are_refused() { voyage refuse bits; }
wrong_keys_are_refused() { voyage refuse keys; }
foreign_senders_are_refused() { voyage refuse senders; }
wrong_numbers_are_refused() { voyage refuse numbers; }
wrong_names_are_refused() { voyage refuse names; }
wrong_kinds_are_refused() { voyage refuse kinds; }
wrong_plaintexts_are_refused() { voyage refuse plaintexts; }
wrong_rsa_keys_are_refused() { voyage refuse_rsa; }
five_tries_exhaust_an_offer() { voyage exhausted; }

the_python_card_is_served() { started serve_python_card; }
the_python_card_is_shown() { voyage show_python; }
the_python_card_makes_keys() { voyage create_in_python; }
rsa2048_arrives_in_python() { voyage to_python rsa2048 sign; }
rsa4096_arrives_in_python() { voyage to_python rsa4096 decrypt; }
p256_arrives_in_python() { voyage to_python p256 sign; }
p384_arrives_in_python() { voyage to_python p384 sign --no-pin --not-after 2040-01-01T00:00:00Z; }
p521_arrives_in_python() { voyage to_python p521 derive; }
p256_arrives_by_ecdh_on_p256() { voyage by_ecdh_to_python p256 p256 sign; }
p256_arrives_by_ecdh_on_p384() { voyage by_ecdh_to_python p384 p256 sign; }
p256_arrives_by_ecdh_on_x25519() { voyage by_ecdh_to_python x25519 p256 sign; }
p256_arrives_by_derived() { voyage by_shared_key_to_python derived p256 sign; }
rsa2048_arrives_by_shared() { voyage by_shared_key_to_python shared rsa2048 sign; }
a_batch_arrives_in_python() { voyage batch_to_python; }
orders_about_pins_arrive_in_python() { voyage orders_to_python; }

cheats() {
	$py "$KF_SRC/tests/peer/cheats.py" "$@"
}

a_swapped_exchange_key_is_found_out() { cheats offers swapped_exchange; }
another_device_certificate_is_found_out() { cheats offers other_certificate; }
another_signer_is_found_out() { cheats offers other_signer; }
wrong_facts_are_found_out() { cheats offers wrong_facts; }
json_that_disagrees_is_found_out() { cheats offers disagreeing_json; }
loose_der_is_found_out() { cheats offers loose_der; }
lying_receipts_are_found_out() { cheats receipts; }
bad_certificates_are_found_out() { cheats certificates; }
a_chip_that_says_virtual_is_found_out() { cheats chip; }

conform() {
	$py "$KF_SRC/tests/peer/conformance.py" "$@"
}

python_transport_conforms() { conform transport memory; }
python_information_conforms() { conform information memory; }
python_pin_conforms() { conform pin memory; }
python_containers_conforms() { conform containers memory; }
python_rsa_use_conforms() { conform rsa_use memory; }
python_derive_conforms() { conform derive memory; }
python_offers_conforms() { conform offers memory; }
python_items_conforms() { conform items memory; }
python_many_items_conforms() { conform many_items memory; }
python_exhausted_conforms() { conform exhausted memory; }
python_open_import_conforms() { conform open_import memory; }
python_ecdh_conforms() { conform by_ecdh memory; }
python_shared_keys_conforms() { conform by_shared_keys memory; }
python_without_shared_keys_conforms() { conform without_shared_keys memory; }
python_orders_conforms() { conform orders memory; }
python_batch_conforms() { conform batch memory; }

the_raw_cards_are_served() { started serve_raw_cards; }
project_transport_conforms() { conform transport raw; }
project_information_conforms() { conform information raw; }
project_pin_conforms() { conform pin raw; }
project_containers_conforms() { conform containers raw; }
project_rsa_use_conforms() { conform rsa_use raw; }
project_derive_conforms() { conform derive raw; }
project_offers_conforms() { conform offers raw; }
project_items_conforms() { conform items raw; }
project_many_items_conforms() { conform many_items raw; }
project_exhausted_conforms() { conform exhausted raw; }
project_open_import_conforms() { conform open_import open; }
project_ecdh_conforms() { conform by_ecdh raw; }
project_shared_keys_conforms() { conform by_shared_keys shared; }
project_without_shared_keys_conforms() { conform without_shared_keys raw; }
project_orders_conforms() { conform orders raw; }
project_batch_conforms() { conform batch raw; }

plan 83
t keys_are_prepared
t the_projects_card_is_served
t rsa2048_sign_arrives
t rsa3072_decrypt_arrives
t rsa4096_sign_arrives
t p256_sign_arrives
t p384_derive_arrives
t p521_sign_arrives
t p521_derive_arrives
t p256_by_ecdh_on_p256_arrives
t p384_by_ecdh_on_p384_arrives
t rsa2048_by_ecdh_on_x25519_arrives
t p256_by_derived_arrives
t rsa2048_by_shared_arrives
t a_batch_arrives
t orders_about_pins_arrive
t two_items_arrive
t turned_bits_are_refused
t wrong_keys_are_refused
t foreign_senders_are_refused
t wrong_numbers_are_refused
t wrong_names_are_refused
t wrong_kinds_are_refused
t wrong_plaintexts_are_refused
t wrong_rsa_keys_are_refused
t five_tries_exhaust_an_offer
t the_python_card_is_served
t the_python_card_is_shown
t the_python_card_makes_keys
t rsa2048_arrives_in_python
t rsa4096_arrives_in_python
t p256_arrives_in_python
t p384_arrives_in_python
t p521_arrives_in_python
t p256_arrives_by_ecdh_on_p256
t p256_arrives_by_ecdh_on_p384
t p256_arrives_by_ecdh_on_x25519
t p256_arrives_by_derived
t rsa2048_arrives_by_shared
t a_batch_arrives_in_python
t orders_about_pins_arrive_in_python
t a_swapped_exchange_key_is_found_out
t another_device_certificate_is_found_out
t another_signer_is_found_out
t wrong_facts_are_found_out
t json_that_disagrees_is_found_out
t loose_der_is_found_out
t lying_receipts_are_found_out
t bad_certificates_are_found_out
t a_chip_that_says_virtual_is_found_out
t python_transport_conforms
t python_information_conforms
t python_pin_conforms
t python_containers_conforms
t python_rsa_use_conforms
t python_derive_conforms
t python_offers_conforms
t python_items_conforms
t python_many_items_conforms
t python_exhausted_conforms
t python_open_import_conforms
t python_ecdh_conforms
t python_shared_keys_conforms
t python_without_shared_keys_conforms
t python_orders_conforms
t python_batch_conforms
t the_raw_cards_are_served
t project_transport_conforms
t project_information_conforms
t project_pin_conforms
t project_containers_conforms
t project_rsa_use_conforms
t project_derive_conforms
t project_offers_conforms
t project_items_conforms
t project_many_items_conforms
t project_exhausted_conforms
t project_open_import_conforms
t project_ecdh_conforms
t project_shared_keys_conforms
t project_without_shared_keys_conforms
t project_orders_conforms
t project_batch_conforms
finish
