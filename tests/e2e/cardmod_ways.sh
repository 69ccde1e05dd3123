#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every way to a session key through the minidriver interface, with what can be sealed: client and
# server as two programs written against keyferry/cardmod.h alone, under two uids, exchanging files.
# Then what is done wrong on the way, each with its one word and the card as it was.
#
# shellcheck disable=SC2034,SC2154 # for and from stage.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_share=1
stage_rights=look,use,inject,create,delete,pin
stage_up --level extended
mkdir -p tests/e2e
for program in way_client way_server search; do
	cp "$KF_BUILD/tests/e2e/cardmod_$program" tests/e2e/
done
stage_key rsa2048 server/k2.pem
stage_key rsa2048-b server/rival.pem
for key in k2 rival; do
	as server openssl pkey -in "server/$key.pem" -pubout -out "mail/$key.pub.pem" &&
		as server openssl rsa -in "server/$key.pem" -outform MSBLOB -out "server/$key.blob"
done >mail/openssl.log 2>&1 || stage_fail "openssl"
atr=$(as client keyferry card show --json | sed -n 's/.*"atr": *"\([0-9A-Fa-f]*\)".*/\1/p')
[ -n "$atr" ] || stage_fail "the card has no ATR"
new_pin=sealed-pin-4711-by-the-desk
# The PIN as it is now: a test is a subshell.
pin_becomes() {
	printf '%s' "$1" >mail/pin
	chmod 644 mail/pin
}
pin_becomes "$stage_pin"

# sides DIR WAY WHAT PROOF NEW TRIES K2 [BAD]: both in the background, $server_pid and $client_pid
sides() {
	rm -rf "$1"
	mkdir -m 1777 "$1"
	as_background server tests/e2e/cardmod_way_server "$1" "$2" "$3" mail/card.pem mail/root.pem \
		server/injector.pem server/master.key "server/$7.blob" "$4" "$5" "$6" \
		>"mail/$1.server" 2>&1
	server_pid=$!
	# shellcheck disable=SC2086 # an argument or none
	as_background client tests/e2e/cardmod_way_client "$1" "$2" "$3" "$atr" ${8:-} 3<mail/pin \
		>"mail/$1.client" 2>&1
	client_pid=$!
}

# voyage WAY WHAT [PROOF NEW TRIES [BAD]]: both sides, and both have to end well
voyage() {
	voyage_dir=post.$1.$2${6:+.$6}
	sides "$voyage_dir" "$1" "$2" "${3:-none}" "${4:-none}" "${5:-2}" k2 "${6:-}"
	voyage_end=0
	wait "$client_pid" || voyage_end=$?
	[ "$voyage_end" = 0 ] || kill "$server_pid"
	wait "$server_pid" || voyage_end="$voyage_end, the server with $?"
	cat "mail/$voyage_dir.client" "mail/$voyage_dir.server"
	[ "$voyage_end" = 0 ] || fail "the client ended with $voyage_end"
}

# is_there DIR KEY: the key that the client read from the card is that one
is_there() {
	openssl rsa -pubin -inform MSBLOB -in "$1/k2.blob" -pubout 2>mail/openssl.log |
		cmp - "mail/$2.pub.pem"
}
k2_is_there() { is_there "$voyage_dir" k2; }

tries() { as client keyferry card show | sed -n "s/^$1 tries left *//p"; }
pin_is() {
	printf '%s\n' "$1" | as client keyferry card pin verify --pin-fd 0 >mail/log 2>&1 ||
		fail "$1 is not the PIN"
	pin_becomes "$1"
}

for way in rsa_standing ecdh_standing rsa ecdh derived shared; do
	name=$(echo "$way" | tr _ -)
	eval "a_key_arrives_by_$way() { voyage $name key && k2_is_there; }"
	eval "a_pin_is_unblocked_by_$way() {
		voyage $name unblock \"\$stage_puk\" pin-$name
		pin_is pin-$name
	}"
done

the_key_that_arrived_decrypts() {
	echo 'cargo manifest' >mail/plain
	openssl pkeyutl -encrypt -pubin -inkey mail/k2.pub.pem -pkeyopt rsa_padding_mode:oaep \
		-pkeyopt rsa_oaep_md:sha256 -in mail/plain -out mail/secret
	as client keyferry key decrypt --container 5 --padding oaep --hash sha256 --in mail/secret \
		--pin-fd 0 -o mail/opened <mail/pin
	cmp mail/plain mail/opened
}

# A user who has forgotten it, with a card that is blocked.
a_blocked_card_is_unblocked() {
	for guess in 111111 222222 333333; do
		printf '%s\n' "$guess" | as client keyferry card pin verify --pin-fd 0 \
			--allow-last-try >mail/log 2>&1 || :
	done
	[ "$(tries PIN)" = 0 ]
	voyage ecdh unblock "$stage_puk" "$stage_pin"
	[ "$(tries PIN)" = 3 ]
}

a_pin_is_changed_and_changed_back() {
	voyage ecdh change "$stage_pin" "$new_pin"
	pin_is "$new_pin"
	voyage derived change "$new_pin" "$stage_pin"
	pin_is "$stage_pin"
}

# The client has no PIN at all.
a_client_is_logged_in_by_the_server() {
	voyage ecdh authenticate "$stage_pin"
	grep -q '3 tries are left' "mail/$voyage_dir.client"
	grep -q 'the user is logged in' "mail/$voyage_dir.client"
}

no_value_of_a_pin_is_in_what_travels() {
	voyage ecdh change "$stage_pin" "$new_pin"
	for value in "$stage_pin" "$new_pin"; do
		! grep -rqaF "$value" "$voyage_dir" || fail "$value is in a file"
	done
	# The search finds what is there, or it would prove nothing.
	grep -rqaF "$stage_serial" "$voyage_dir"
	voyage ecdh change "$new_pin" "$stage_pin"
}

# found SIDE PID: whether the PIN is in the memory of that process, which goes on then
found() {
	stage_stopped "$2"
	found_code=0
	tests/e2e/cardmod_search "$2" mail/new-pin >"mail/found.$1" 2>&1 || found_code=$?
	kill -CONT "$2"
	cat "mail/found.$1"
	[ "$found_code" != 2 ] || skip "cannot look into processes"
	[ "$found_code" = 0 ]
}

the_client_never_has_the_pin_that_it_sets() {
	# Shadow memory would take hours to search, and is full of copies.
	! sanitized || skip "not with address sanitizer"
	printf '%s' "$new_pin" >mail/new-pin
	STEPS_PAUSE=1
	export STEPS_PAUSE
	sides post.found ecdh change "$stage_pin" "$new_pin" 2 k2
	unset STEPS_PAUSE
	# The search finds what is there, or it would prove nothing.
	found server "$server_pid"
	if found client "$client_pid"; then fail "the client has it"; fi
	wait "$client_pid"
	wait "$server_pid"
	pin_is "$new_pin"
	voyage ecdh change "$new_pin" "$stage_pin"
	pin_becomes "$stage_pin"
}

# refused_voyage CODE VOYAGE...: the client says it, and no receipt is there
refused_voyage() {
	refused_code=$1 refused_dir=post.$2.$3
	shift
	if (voyage "$@") >mail/refused 2>&1; then fail "it went through"; fi
	cat mail/refused
	grep -q "not ok 0 $refused_code" mail/refused
	[ ! -e "$refused_dir/receipt" ]
}

a_wrong_pin_in_an_order_sets_nothing() {
	refused_voyage 0x8010006b ecdh change 00000000 "$new_pin"
	[ "$(tries PIN)" = 2 ]
	pin_is "$stage_pin"
}

fewer_tries_than_asked_for_compare_nothing() {
	refused_voyage 0x8010006a ecdh change "$stage_pin" "$new_pin" 4
	[ "$(tries PIN)" = 3 ]
	pin_is "$stage_pin"
}

# Both have an offer for it while it is empty, and S1 in the card.
of_two_clients_racing_for_a_container_one_has_it() {
	as client keyferry container delete 5 --pin-fd 0 <mail/pin >mail/log
	for side in k2 rival; do
		race_first=${client_pid:-} race_server=${server_pid:-}
		sides "post.race.$side" shared key none none 2 "$side" race
		race_tries=0
		until [ -e "post.race.$side/ready" ]; do
			race_tries=$((race_tries + 1))
			[ "$race_tries" -lt 600 ] || fail "$(cat mail/post.race.*)"
			sleep 0.05
		done
	done
	touch post.race.k2/go post.race.rival/go
	race_end=0
	wait "$race_first" || race_end=$?
	wait "$client_pid" || race_end=$?
	cat mail/post.race.*
	[ "$race_end" = 0 ]
	won=$(grep -lx 'ok 0 race: 0x00000000' mail/post.race.*.client)
	grep -qx 'ok 0 race: 0x00000050' mail/post.race.*.client	# ERROR_FILE_EXISTS
	won=${won#mail/post.race.} won=${won%.client}
	is_there "post.race.$won" "$won"
	# The winner's server has its receipt; the other's would wait for ever.
	if [ "$won" = k2 ]; then
		kill "$server_pid" && wait "$race_server"
	else
		kill "$race_server" && wait "$server_pid"
	fi
}

a_wrong_confirmation_of_ecdh_is_refused() { voyage ecdh-standing key none none 2 confirmation && k2_is_there; }
a_wrong_confirmation_of_derived_is_refused() { voyage derived key none none 2 confirmation && k2_is_there; }
a_replayed_derived_key_is_refused() { voyage derived key none none 2 replay && k2_is_there; }
an_item_without_its_end_is_refused() { voyage ecdh key none none 2 cut && k2_is_there; }
an_item_with_another_bit_is_refused() { voyage ecdh key none none 2 mac && k2_is_there; }
an_item_under_another_iv_is_refused() { voyage ecdh key none none 2 iv && k2_is_there; }
an_item_of_another_function_is_refused() { voyage shared key none none 2 function && k2_is_there; }

plan 28
for way in rsa_standing ecdh_standing rsa ecdh derived shared; do
	t "a_key_arrives_by_$way"
	t "a_pin_is_unblocked_by_$way"
done
t the_key_that_arrived_decrypts
t a_blocked_card_is_unblocked
t a_pin_is_changed_and_changed_back
t a_client_is_logged_in_by_the_server
t no_value_of_a_pin_is_in_what_travels
t the_client_never_has_the_pin_that_it_sets
t a_wrong_pin_in_an_order_sets_nothing
t fewer_tries_than_asked_for_compare_nothing
t a_wrong_confirmation_of_ecdh_is_refused
t a_wrong_confirmation_of_derived_is_refused
t a_replayed_derived_key_is_refused
t an_item_without_its_end_is_refused
t an_item_with_another_bit_is_refused
t an_item_under_another_iv_is_refused
t an_item_of_another_function_is_refused
t of_two_clients_racing_for_a_container_one_has_it
finish
