#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The client's subcommands as a person types them: real broker, driver, reader and card; what comes
# out is judged by the openssl command.
#
# Faces: tools/tool.c
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

desk keyferry keyferryd keyferry-broker keyferry-driver keyferry-vreader

# with_pin PIN ARGUMENT...
with_pin() {
	pin=$1
	shift
	printf '%s\n' "$pin" | "$bin/keyferry" "$@" --pin-fd 0
}
user() { with_pin 123456 "$@"; }

{
	kf server init --state server &&
		"$bin/keyferry-vreader" personalise --state card --serial KF-1 --pin 123456 \
			--puk 12345678 --injector server/injector.pub.pem
} >setup 2>&1 || { cat setup; exit 1; }
"$bin/keyferry-vreader" run --state card --listen "$dir/reader.sock" >reader.log 2>&1 &
pids="$pids $!"
until_ok test -S reader.sock
"$bin/keyferryd" --socket "$KEYFERRY_SOCKET" --virtual "$dir/reader.sock" \
	--grant "$(id -u):look,use,inject,create,delete,admin" >daemon.log 2>&1 &
pids="$pids $!"
echo "The cargo is sealed." >message

nothing_listens_is_exit_code_4() {
	code 4 kf reader list --socket "$dir/nobody.sock"
	says 'no broker listens'
	says 'next: '
	code 4 kf --json --socket="$dir/nobody.sock" status
	says '"errno": 2'
}

a_card_is_waited_for() {
	[ "$(kf reader wait --timeout 20)" = virtual:reader ]
	kf reader list >said
	says 'virtual:reader *card *keyferry *KF-1'
	kf reader list --json | grep -q '"serial": "KF-1"'
}

a_card_tells_what_it_can() {
	kf card show --cert chain.der >said
	says '^level *virtual'
	says '^key types .*rsa3072.*p256'
	openssl x509 -inform DER -in chain.der -noout -subject | grep -q KF-1
}

a_wrong_command_line_is_exit_code_2() {
	code 2 kf key sign --container x -o f
	code 2 kf key sign --container 1
	code 2 kf container show
	code 2 kf container list extra
	code 2 kf nonsense
	code 2 kf reader list --no-such
}

an_empty_name_is_no_reader() {
	for c in 'reader wait' 'reader list' 'card show'; do
		# shellcheck disable=SC2086 # words
		code 2 kf $c --reader '' --timeout 20
		says '--reader is empty'
		# shellcheck disable=SC2086 # words
		code 2 kf --reader= $c
	done
}

a_reader_that_is_not_there_yet_is_waited_for() {
	code 4 kf reader wait --reader virtual:none --timeout 1
	says 'no card came'
}

every_command_explains_itself() {
	for c in 'reader list' 'reader wait' 'card show' 'card pin verify' 'card pin change' \
		'card pin unblock' 'container list' 'container show' 'container create' \
		'container delete' 'container cert store' 'container cert read' \
		'container cert remove' 'key sign' 'key decrypt' 'key derive' 'key mac' offer inject status \
		clients; do
		# shellcheck disable=SC2086 # words
		code 0 kf $c --help
		says "^usage: keyferry $c"
		says -- '--timeout SECONDS'
	done
}

without_a_pin_it_is_exit_code_5() {
	setsid "$bin/keyferry" container create --type p256 </dev/null >said 2>&1 && fail "made"
	says 'no terminal to ask on'
	code 5 with_pin 000000 container create --type p256
	says 'tries left: 2'
	user card pin verify >/dev/null
}

the_last_try_is_not_spent_unasked() {
	code 5 with_pin 000000 card pin verify
	code 5 with_pin 000000 card pin verify
	code 5 with_pin 000000 card pin verify
	says 'one try is left'
	code 5 user card pin verify
	user card pin verify --allow-last-try >/dev/null
	user card pin verify >/dev/null
}

# signs CONTAINER HASH VERIFY-OPTIONS...
signs() {
	kf container show "$1" --pubkey -o pub.pem
	user key sign --container "$1" --hash "$2" -i message -o signature >/dev/null
	openssl dgst "-$2" -verify pub.pem -signature signature message >/dev/null
}

an_ec_key_signs_as_openssl_verifies() {
	user container create --type p256 --usage sign --container 1 >said
	says '^origin *generated'
	signs 1 sha256
	user container create --type p521 --usage sign --container 2 >/dev/null
	signs 2 sha512
}

an_rsa_key_signs_both_ways() {
	user container create --type rsa2048 --usage sign --container 3 >/dev/null
	signs 3 sha256
	user key sign --container 3 --hash sha384 --pss -i message -o signature
	openssl dgst -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
		-verify pub.pem -signature signature message
}

an_rsa_key_decrypts() {
	user container create --type rsa2048 --usage decrypt --container 4 >/dev/null
	kf container show 4 --pubkey -o pub.pem
	openssl pkeyutl -encrypt -pubin -inkey pub.pem -in message -out sealed \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256
	user key decrypt --container 4 -i sealed -o opened
	cmp message opened
	openssl pkeyutl -encrypt -pubin -inkey pub.pem -in message -out sealed
	user key decrypt --container 4 --padding pkcs1 -i sealed -o opened
	cmp message opened
	[ "$(stat -c %a opened)" = 600 ]
	code 1 user key sign --container 4 -i message -o nothing
	says "purpose does not allow"
	[ ! -e nothing ]
}

two_sides_derive_the_same() {
	user container create --type p384 --usage derive --container 5 >/dev/null
	kf container show 5 --pubkey -o pub.pem
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out peer.pem
	openssl pkey -in peer.pem -pubout -out peer.pub
	user key derive --container 5 --peer peer.pub -o ours
	openssl pkeyutl -derive -inkey peer.pem -peerkey pub.pem -out theirs
	cmp ours theirs
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkey -pubout -out peer.pub
	code 1 user key derive --container 5 --peer peer.pub -o nothing
}

a_certificate_is_kept_beside_a_key() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null \
		-subj /CN=test -out cert.pem -days 2 2>/dev/null
	user container cert store --container 1 -i cert.pem >/dev/null
	kf container cert read --container 1 | cmp - cert.pem
	kf container list | grep -q '^ *1 p256 .* 1$'
	code 1 user container cert store --container 1 -i message
	says 'no certificate'
	user container cert remove --container 1 >/dev/null
	code 1 kf container cert read --container 1
}

a_key_is_destroyed() {
	user container delete 2 >/dev/null
	code 1 user container delete 2
	code 1 user key sign --container 2 -i message -o nothing
	kf container list --json >said
	says '"container": 1'
	! grep -q '"container": 2,' said
}

a_pin_is_changed_by_its_holder_and_replaced_by_the_puk() {
	printf '123456\n654321\n' | kf card pin change --pin-fd 0
	with_pin 654321 card pin verify
	printf '12345678\n123456\n' | kf card pin unblock --pin-fd 0
	user card pin verify
	code 1 sh -c "printf '123456\n1\n' | '$bin/keyferry' card pin change --pin-fd 0"
}

wrong_pins_are_budgeted() {
	for _ in 1 2 3; do
		with_pin 000000 card pin verify --allow-last-try >said 2>&1 && fail "verified"
	done
	code 5 with_pin 000000 card pin verify --allow-last-try
	says 'too many wrong PINs\|blocked'
}

# offer_for CONTAINER
offer_for() {
	kf challenge --state server --device KF-1 -o challenge >/dev/null
	kf offer --challenge challenge --container "$1" -o offer >/dev/null
}

a_sealed_key_is_carried_in_and_proved() {
	kf server enroll --state server --cert card/card.pem --root card/root.pem --allow-virtual
	offer_for 6
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out secret.pem
	kf seal --state server --offer offer --key secret.pem -o cargo >/dev/null
	user inject cargo -o receipt >said
	says 'installed in container 6'
	says 'grade A-virtual'
	kf receipt verify --state server receipt >/dev/null
	openssl pkey -in secret.pem -pubout -out public.pem
	user key sign --container 6 -i message -o signature
	openssl dgst -sha256 -verify public.pem -signature signature message
}

the_same_cargo_again_gives_the_stored_receipt_without_a_pin() {
	setsid "$bin/keyferry" inject cargo -o again </dev/null >said
	says 'installed before'
	cmp receipt again
}

# one_object FILE: it is one JSON text and nothing else
one_object() { python3 -c 'import json, sys; json.load(sys.stdin)' <"$1"; }

a_receipt_that_cannot_be_kept_is_one_failure() {
	code 1 kf inject cargo -o nowhere/receipt --json
	says '"what": "cannot write nowhere/receipt"'
	one_object said
	kf inject cargo -o - --json >alone
	one_object alone
	grep -q keyferry-receipt alone
}

a_cargo_that_was_changed_is_refused() {
	offer_for 7
	kf seal --state server --offer offer --key secret.pem -o cargo2 >/dev/null
	# the last of the item's bytes, by which the injector signed it
	sed 's/\("item": "[^"]*\)\(.\)\(...."\)/\1\2\3/; s/\("input": "\)\(.\)/\1_/' cargo2 >bad
	cmp -s cargo2 bad && fail 'nothing was changed'
	code 1 user inject bad -o nothing
	says '6988'
	[ ! -e nothing ]
	sed 's/KF-1/KF-2/' cargo2 >bad
	code 1 user inject bad -o nothing
	says 'its "serial" is not what item 1 says'
	head -c 200 cargo2 >bad
	code 1 user inject bad -o nothing
	user inject cargo2 -o receipt2 >/dev/null
	kf receipt verify --state server receipt2 >/dev/null
}

a_challenge_for_another_card_makes_no_offer() {
	sed 's/KF-1/KF-2/' challenge >other
	code 1 kf offer --challenge other -o nothing
	says 'the challenge is for KF-2'
	[ ! -e nothing ]
}

the_first_free_container_is_the_default() {
	kf challenge --state server --device KF-1 -o challenge >/dev/null
	kf offer --challenge challenge -o offer >said
	says 'offers container 0'
}

a_killed_driver_is_replaced_and_the_card_is_as_it_was() {
	kf status >said
	driver=$(sed -n 's/^process *driver pid=\([0-9]*\) .*/\1/p' said)
	kill -9 "$driver"
	until_ok kf card show
	kf status >said
	says 'driver .*restarts=1'
	user key sign --container 6 -i message -o signature
	openssl dgst -sha256 -verify public.pem -signature signature message
}

clients_are_shown_with_what_they_hold() {
	kf clients >said
	says "keyferry *$(id -u)"
	kf clients --json | grep -q '"name": "keyferry"'
}

options_may_stand_in_front() {
	kf --json --timeout 5 --reader virtual:reader container list | grep -q '"containers"'
	code 4 kf --reader virtual:none container list
	says 'rule: '
}

nothing_is_printed_of_the_pin() {
	! grep -r 123456 said ./*.log
}

plan 27
t nothing_listens_is_exit_code_4
t a_card_is_waited_for
t a_card_tells_what_it_can
t a_wrong_command_line_is_exit_code_2
t an_empty_name_is_no_reader
t a_reader_that_is_not_there_yet_is_waited_for
t every_command_explains_itself
t without_a_pin_it_is_exit_code_5
t the_last_try_is_not_spent_unasked
t an_ec_key_signs_as_openssl_verifies
t an_rsa_key_signs_both_ways
t an_rsa_key_decrypts
t two_sides_derive_the_same
t a_certificate_is_kept_beside_a_key
t a_key_is_destroyed
t a_pin_is_changed_by_its_holder_and_replaced_by_the_puk
t a_sealed_key_is_carried_in_and_proved
t the_same_cargo_again_gives_the_stored_receipt_without_a_pin
t a_receipt_that_cannot_be_kept_is_one_failure
t a_cargo_that_was_changed_is_refused
t a_challenge_for_another_card_makes_no_offer
t the_first_free_container_is_the_default
t a_killed_driver_is_replaced_and_the_card_is_as_it_was
t clients_are_shown_with_what_they_hold
t options_may_stand_in_front
t wrong_pins_are_budgeted
t nothing_is_printed_of_the_pin
finish
