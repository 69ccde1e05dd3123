#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The 31 steps of the minidriver's Secure Key Injection use case, one line each, by two programs
# written against keyferry/cardmod.h alone: client and server under two uids, exchanging files. Then
# the negative cases. K2 comes from the openssl command and K1 and K2 are compared by it.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_up --level extended
plan 82
# They look for the libraries in ../../lib.
mkdir -p tests/e2e post
chmod 1777 post
for program in client server bad search; do
	cp "$KF_BUILD/tests/e2e/cardmod_$program" tests/e2e/
done
{
	stage_key rsa2048 server/k2.pem
	as server openssl pkey -in server/k2.pem -pubout -out mail/k2.pub.pem
	as server openssl rsa -in server/k2.pem -outform MSBLOB -out server/k2.blob
	# Behind header and modulus: p, q, dp, dq, qinv, d.
	as server sh -c 'tail -c +277 server/k2.blob >server/k2.secret'
} >mail/openssl.log 2>&1 || stage_fail "openssl"
atr=$(as client keyferry card show --json | sed -n 's/.*"atr": *"\([0-9A-Fa-f]*\)".*/\1/p')
[ -n "$atr" ] || stage_fail "the card has no ATR"

STEPS_PAUSE=1
export STEPS_PAUSE
as_background server tests/e2e/cardmod_server post mail/card.pem mail/root.pem \
	server/injector.pem server/k2.blob server/s1.bin >mail/server.steps 2>mail/cardmod_server.log
server_pid=$!
printf '%s' "$stage_pin" >client/pin
chmod 644 client/pin
as_background client tests/e2e/cardmod_client post "$atr" 3 \
	>mail/client.steps 2>mail/cardmod_client.log 3<client/pin
client_pid=$!
# search SIDE PID: S1 and K2, each by itself.
search() {
	stage_stopped "$2" || return 0
	# Shadow memory would take hours to search, and is full of copies.
	if sanitized; then
		echo 2 | tee "mail/$1.s1.bin.code" >"mail/$1.k2.secret.code"
		kill -CONT "$2"
		return
	fi
	for what in s1.bin k2.secret; do
		tests/e2e/cardmod_search "$2" "server/$what" >"mail/$1.$what" 2>&1
		echo $? >"mail/$1.$what.code"
	done
	kill -CONT "$2"
}
search server "$server_pid"
search client "$client_pid"
unset STEPS_PAUSE
wait "$server_pid"
server_code=$?
wait "$client_pid"
client_code=$?

# A step nobody reported has failed.
step() {
	line=$(cat mail/client.steps mail/server.steps | grep -E "^(not )?ok $1 " | tail -n 1)
	echo "# ${line:-step $1 was not reached}"
	case $line in ok*) ;; *)
		cat mail/cardmod_client.log mail/cardmod_server.log
		return 1
		;;
	esac
}

# The negative cases, a line each.
cp server/injector.pem server/k2.blob client/ && chmod 755 client && chmod 644 client/*
as client tests/e2e/cardmod_bad "$atr" 3 mail/card.pem mail/root.pem client/injector.pem \
	client/k2.blob >mail/bad.cases 2>mail/bad.log 3<client/pin
bad() {
	grep -x "ok $1" mail/bad.cases || {
		cat mail/bad.cases mail/bad.log
		return 1
	}
}

both_sides_end_well_and_free_what_they_got() {
	grep '^#' mail/client.steps mail/server.steps
	[ "$server_code" = 0 ] && [ "$client_code" = 0 ]
}

k1_is_the_blob_of_a_public_key() {
	openssl rsa -pubin -inform MSBLOB -in post/k1.blob -noout -text | grep '3072 bit'
}

k2_in_the_card_is_the_servers() {
	openssl rsa -pubin -inform MSBLOB -in post/k2.blob -pubout | cmp - mail/k2.pub.pem
}

the_injected_key_decrypts() {
	echo 'cargo manifest' >mail/plain
	openssl pkeyutl -encrypt -pubin -inkey mail/k2.pub.pem -pkeyopt rsa_padding_mode:oaep \
		-pkeyopt rsa_oaep_md:sha256 -in mail/plain -out mail/secret
	printf '%s' "$stage_pin" | as client keyferry key decrypt --container 1 --padding oaep \
		--hash sha256 --in mail/secret --pin-fd 0 -o mail/opened
	cmp mail/plain mail/opened
}

# searched SIDE CODE: both were found (0), or neither (1).
searched() {
	for what in s1.bin k2.secret; do
		[ ! -e "mail/$1.$what" ] || cat "mail/$1.$what"
		case $(cat "mail/$1.$what.code") in
		"$2") ;;
		2) skip "cannot look into processes" ;;
		*) return 1 ;;
		esac
	done
}

# The search finds what is there, or it would prove nothing.
s1_and_k2_are_in_the_servers_memory() { searched server 0; }
s1_and_k2_are_not_in_the_clients_memory() { searched client 1; }

for i in $(seq 1 31); do
	eval "step_$i() { step $i; }"
	t "step_$i"
done
t both_sides_end_well_and_free_what_they_got
t k1_is_the_blob_of_a_public_key
t k2_in_the_card_is_the_servers
t the_injected_key_decrypts
t s1_and_k2_are_in_the_servers_memory
t s1_and_k2_are_not_in_the_clients_memory
for name in \
	version_3_is_refused \
	version_5_stays_5_and_gets_nothing_of_later_ones \
	version_9_becomes_7 \
	an_unknown_flag_is_refused \
	a_handle_of_0_is_refused \
	no_allocator_is_refused \
	another_atr_is_an_unknown_card \
	no_card_mode_takes_the_listed_calls \
	no_card_mode_takes_no_others \
	nothing_is_sealed_before_the_statement_is_verified \
	a_key_is_destroyed_once \
	flags_of_a_key_property_are_0 \
	an_unknown_key_property_is_refused \
	a_mode_the_card_lacks_is_refused \
	a_buffer_one_byte_short_is_refused_with_the_length \
	injection_properties_cannot_be_set \
	without_the_pin_no_key_is_made \
	a_session_key_in_the_clear_stays_away_from_the_card \
	an_empty_container_has_no_information \
	a_wrong_pin_says_how_many_tries_are_left \
	keys_in_the_clear_are_not_imported \
	an_occupied_container_is_not_overwritten \
	an_ec_container_takes_no_session_key \
	an_empty_container_takes_no_session_key \
	without_a_statement_there_is_no_session \
	a_virtual_card_is_refused_unless_it_is_allowed \
	a_statement_over_another_nonce_is_refused \
	without_mode_and_iv_nothing_is_sealed \
	without_padding_only_whole_blocks_are_sealed \
	a_container_the_card_did_not_attest_is_refused \
	one_handle_seals_once \
	the_label_of_another_statement_is_refused \
	another_hash_is_refused \
	paddings_of_the_other_family_are_refused \
	a_header_inside_the_wrapped_key_is_not_known \
	a_mode_the_card_lacks_is_refused_there_too \
	a_blob_whose_end_is_cut_changes_nothing \
	an_iv_serves_one_call \
	a_blob_with_another_bit_changes_nothing \
	there_is_no_receipt_before_the_key_is_in \
	the_whole_blob_is_taken_all_the_same \
	and_taken_once \
	a_receipt_with_another_bit_proves_nothing \
	a_key_in_the_card_is_destroyed_once \
	all_that_was_allocated_was_freed; do
	eval "$name() { bad $name; }"
	t "$name"
done
finish
