#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A key's whole voyage to SmartCard-HSMs of one DKEK: sealed on a server that has no card, carried in through
# client, broker and driver, proved by the key itself, used. What such a card cannot do is said. Then every way
# to bend a blob: one clear error, and not a bit of the card is changed; and what a card says of a key it made.
#
#	KF_FULL=1	RSA 3072 and 4096, too, and every bend of RSA 3072
# shellcheck disable=SC2034,SC2119,SC2154 # for and from stage.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_app=schsm
stage_serial=A1
stage_rights=look,use,inject,create,delete,init,kek,wrap
stage_readers=second
stage_up
stage_pin=648219
so_pin=3537363231383830
mkdir said keys bent
chmod 755 bent

mkdir -m 700 second
[ "$uid_here" != 0 ] || chown "$uid_service:$uid_service" second
as service keyferry-vreader personalise --app schsm --state second --serial B2 >mail/log
stage_reader second second
reader=second card reader wait >mail/log

pin() { card_with_pin "$stage_pin" "$@"; }
denied() { ! "$@" >mail/said 2>&1 || fail "$* was not refused"; }
says() { grep -q -- "$1" mail/said || fail "it said: $(cat mail/said)"; }

the_fleet_has_one_dkek() {
	server server init --state server >mail/log
	as server head -c 32 /dev/urandom >mail/share
	cp mail/share server/dkek
	[ "$uid_here" != 0 ] || chown "$uid_server:$uid_server" server/dkek
	chmod 644 mail/share
	for reader in reader second; do
		printf '%s\n%s\n' "$so_pin" "$stage_pin" |
			card card init --dkek-shares 1 --yes --pin-fd 0 >mail/log
		card dkek import mail/share | grep -q complete
	done
}

# new_key TYPE: server/key.pem
new_key() {
	case $1 in
	rsa*) stage_key "$1" server/key.pem ;;
	p256k) set -- EC -pkeyopt ec_paramgen_curve:secp256k1 ;;
	brainpool) set -- EC -pkeyopt ec_paramgen_curve:brainpoolP256r1 ;;
	p*) set -- EC -pkeyopt "ec_paramgen_curve:P-${1#p}" ;;
	esac
	[ $# = 1 ] || as server openssl genpkey -quiet -algorithm "$@" -out server/key.pem
	as server openssl pkey -in server/key.pem -pubout >mail/pub.pem
}

# seal_pair USAGE CONTAINER OPTION...: mail/cargo
seal_pair() {
	usage=$1 container=$2
	shift 2
	server seal --card schsm --state server --dkek server/dkek --key server/key.pem --usage "$usage" \
		--container "$container" -o mail/cargo "$@" >mail/said
}

# voyage CONTAINER: mail/cargo goes in, and is proved
voyage() {
	rm -f mail/receipt
	pin inject mail/cargo -o mail/receipt >mail/said || fail "$(cat mail/said)"
	says ': installed in container'
	says 'no policy but the card.s PIN is enforced'
	says 'The card signs no receipt'
	says 'every card with this DKEK'
	proved
}

proved() {
	server receipt verify --state server mail/receipt >mail/said || fail "$(cat mail/said)"
	says '^proved: .*sign nothing about themselves'
	says "^grade: *${grade:-U}"
}

use_sign() {
	rm -f mail/sig
	pin key sign --container "$1" -i mail/text -o mail/sig --hash sha384 >mail/log
	openssl dgst -sha384 -verify mail/pub.pem -signature mail/sig mail/text
}
use_decrypt() {
	openssl pkeyutl -encrypt -pubin -inkey mail/pub.pem -in mail/text -out mail/sealed \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256
	rm -f mail/opened
	pin key decrypt --container "$1" -i mail/sealed -o mail/opened >mail/log
	cmp mail/text mail/opened
}
use_derive() {
	openssl ecparam -name "$2" -genkey -noout -out mail/own
	openssl pkey -in mail/own -pubout -out mail/own.pub
	openssl pkeyutl -derive -inkey mail/own -peerkey mail/pub.pem -out mail/ours
	rm -f mail/theirs
	pin key derive --container "$1" --peer mail/own.pub -o mail/theirs >mail/log
	cmp mail/ours mail/theirs
}

what_a_blob_is_not_is_said_when_it_is_sealed() {
	new_key p256
	seal_pair sign 1
	says 'opens on every card with this DKEK, for ever, and is bound to nothing'
	says 'signs no receipt'
	says '^grade: *U, once the receipt is verified'
	seal_pair sign 1 --json
	says '"policy_enforced": false'
	says '"bound_to_one_card": false'
}

pairs_of_every_kind_go_in_answer_and_work() {
	echo 'so it is written' >mail/text
	number=1
	for row in 'rsa2048 sign' 'rsa2048 decrypt' 'p256 sign' 'p384 sign' 'p521 sign' 'p256 derive secp256r1' \
		'p384 derive secp384r1' 'p521 derive secp521r1' \
		${KF_FULL:+'rsa3072 sign' 'rsa3072 decrypt' 'rsa4096 sign' 'rsa4096 decrypt'}; do
		# shellcheck disable=SC2086 # type, usage, curve
		set -- $row
		new_key "$1"
		seal_pair "$2" "$number"
		voyage
		"use_$2" "$number" "${3:-}"
		number=$((number + 1))
	done
	card container list
}

# The library takes no others into a cargo; dkek unwrap takes what another card has wrapped.
a_pair_on_another_curve_is_refused_by_name() {
	for row in 'brainpool P-256' 'p256k by unwrapping alone'; do
		new_key "${row%% *}"
		! server seal --card schsm --state server --dkek server/dkek --key server/key.pem --container 60 \
			-o mail/nothing >mail/said 2>&1 || fail "${row%% *} was taken"
		says "${row#* }"
	done
}

aes_keys_go_in_and_answer() {
	for n in 16 24 32; do
		as server head -c "$n" /dev/urandom >mail/aes
		server seal --card schsm --state server --dkek server/dkek --raw mail/aes --container "$((20 + n))" \
			-o mail/cargo >mail/log
		voyage
		pin inject mail/cargo -o mail/receipt --prove >mail/said
		proved
	done
	card container list | grep -Eq '^ *52 +aes256 +cipher'
}

a_certificate_goes_along() {
	new_key p256
	as server openssl req -x509 -new -key server/key.pem -subj /CN=x >mail/cert.pem
	seal_pair sign 70 --cert mail/cert.pem --name 'my key'
	voyage
	card container show 70 --pubkey -o mail/shown
	openssl pkey -pubin -in mail/shown -outform der >mail/shown.der
	openssl pkey -pubin -in mail/pub.pem -outform der | cmp - mail/shown.der
}

one_blob_opens_on_each_card_of_the_fleet() {
	new_key p256
	seal_pair sign 71
	voyage
	use_sign 71
	reader=second
	voyage
	use_sign 71
	says 'ZZVIRTB2, container 71, as the client says'
}

# A cargo that went in once is not installed again, whatever lies beside the key; its key answers again.
the_same_cargo_again_installs_nothing() {
	in_sequence=1
	for more in '' "--cert mail/cert.pem"; do
		new_key p256
		as server openssl req -x509 -new -key server/key.pem -subj /CN=x >mail/cert.pem
		# shellcheck disable=SC2086 # two words or none
		seal_pair sign 72 $more
		voyage
		sha256sum card/state >before
		rm mail/receipt
		pin inject mail/cargo -o mail/receipt >mail/said
		if [ -n "$more" ]; then says ': installed before'; else says 'one was there before'; fi
		proved
		sha256sum -c --quiet before
		pin container delete 72 >mail/log
	done
	as server head -c 32 /dev/urandom >mail/aes
	server seal --card schsm --state server --dkek server/dkek --raw mail/aes --container 72 -o mail/cargo \
		>mail/log
	voyage
	sha256sum card/state >before
	pin inject mail/cargo -o mail/receipt >mail/said
	says 'was there before'
	proved
	sha256sum -c --quiet before
	# Another key at the place does not pass for it.
	as server head -c 32 /dev/urandom >mail/aes
	server seal --card schsm --state server --dkek server/dkek --raw mail/aes --container 72 -o mail/cargo \
		>mail/log
	pin inject mail/cargo -o mail/receipt >mail/said
	denied server receipt verify --state server mail/receipt
	says 'no answer of the key that was sealed'
	sha256sum -c --quiet before
	pin container delete 72 >mail/log
}

# What stopped between the key and its proof is finished by doing the same once more.
an_injection_that_was_interrupted_is_finished() {
	new_key p384
	seal_pair sign 73
	got=0
	pin inject mail/cargo -o mail/absent/receipt >mail/said 2>&1 || got=$?
	[ "$got" = 1 ] || fail "exit status $got"
	says 'has answered, but that cannot be written: cannot write'
	pin inject mail/cargo -o mail/receipt >mail/said
	says 'was there before'
	proved
	use_sign 73
}

# The host that imports the share in the first test has seen it.
a_share_that_a_host_has_seen_is_in_the_grade() {
	new_key p256
	seal_pair sign 74 --dkek-on-host
	says '^grade: *C, once'
	grade=C voyage
	# And it is remembered, whoever forgets to say it again.
	seal_pair sign 75
	says '^grade: *C, once'
}

# --- what a card says of a key it made ---

# The commands of docs/cards/schsm.md as they stand there, with this card's serial and root.
the_guides_commands_enroll_the_card_and_verify_its_word() {
	pin container delete 1 >mail/log
	pin container create --type p384 --container 1 >mail/log
	mkdir mail/guide && chmod 1777 mail/guide
	cp card/root.cvc mail/guide/DESRCACC100001
	cp server/dkek mail/guide/dkek
	chmod 644 mail/guide/*
	[ "$uid_here" != 0 ] || chown "$uid_client:$uid_client" mail/guide mail/guide/*
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out mail/guide/new.pem
	chmod 644 mail/guide/new.pem
	sed -n '/^### A server that trusts/,/^### What is different/s/^    //p' "$KF_SRC/docs/cards/schsm.md" >mail/all
	[ "$(grep -c ^keyferry mail/all)" = 7 ] || fail "$(cat mail/all)"
	{
		echo 'keyferry server init --state server'
		sed 's/DENK0404144/ZZVIRTA1/; s/server enroll/& --allow-virtual/; s/inject/& --pin-fd 0/
			s/--container 7 /--container 90 /; s/--key key.pem/--key new.pem/
			/card show\|container attest\|inject/s/$/ --reader virtual:reader/' mail/all
	} >mail/run
	(cd mail/guide && echo "$stage_pin" | as client sh -e ../run) >mail/said 2>&1 || fail "$(cat mail/said)"
	says '^attested: *was generated on the card ZZVIRTA1'
	says '^grade: *A-virtual, of how it was made'
	says 'does not say whether the key may be wrapped out'
	says '^proved: '
	card container show 1 --pubkey -o mail/shown
	cmp mail/shown mail/guide/key.pem
}

# verified VOUCHER [OPTION...]: by the server, in mail/said
verified() {
	voucher=$1
	shift
	server attestation verify "$voucher" --state server --device ZZVIRTA1 "$@" >mail/said 2>&1
}

a_word_is_the_cards_own_and_of_the_key() {
	cp card/root.cvc mail/root
	card card show --cert mail/device >mail/log
	denied server server enroll --state server --cert mail/device --root mail/root
	says 'is virtual'
	card container attest 1 -o mail/voucher >mail/log
	denied verified mail/voucher
	says 'no SmartCard-HSM ZZVIRTA1 is enrolled'
	server server enroll --state server --cert mail/device --root mail/root --allow-virtual >mail/log
	verified mail/voucher --json
	says '"was_generated_on_card": true'
	says '"key_type": "p384"'
	says '"says_whether_it_left": false'
	# Another card of the fleet, enrolled or not, is not this one.
	reader=second pin container create --type p256 --container 30 >mail/log
	reader=second card container attest 30 -o mail/other >mail/log
	denied verified mail/other
	says 'in the name of ZZVIRTB200001, not of card ZZVIRTA1'
	reader=second card card show --cert mail/device2 >mail/log
	denied server server enroll --state server --cert mail/device2 --root mail/root --allow-virtual
	says 'does not hold'	# each has a root of its own here
	# Any bit of it, and any end.
	$python -c 'import sys
whole = open("mail/voucher", "rb").read()
for i in range(0, len(whole), 7):
    open("bent/%d" % i, "wb").write(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1:])
open("bent/short", "wb").write(whole[:-1])
open("bent/long", "wb").write(whole + b"\0")'
	for bent in bent/*; do
		denied verified "$bent"
	done
	rm -f bent/*
}

a_key_from_outside_has_no_word_of_the_card() {
	denied card container attest 74 -o mail/nothing
	says 'no word of the card lies beside the key'
	openssl x509 -new -subj /CN=x -key mail/guide/new.pem -force_pubkey mail/shown -outform der -out mail/cert.der
	pin container cert store -c 1 -i mail/cert.der >mail/log
	denied card container attest 1 -o mail/nothing
	says 'a certificate that is stored takes its place'
	[ ! -e mail/nothing ]
}

# --- bent ones ---

# bend CARGO CONTAINER: each in bent/, in turns into the card
bend() {
	rm -f bent/* kept/row/keys/* keys/*
	: >failed
	[ "$uid_here" != 0 ] || chown "$uid_server:$uid_server" bent
	$python "$KF_SRC/tests/e2e/dkek_bend.py" server/dkek "$1" bent >rows
	[ "$(grep -c . rows)" -ge "$2" ] || fail "only $(grep -c . rows) bends: $(cat rows)"
	echo "$(grep -c ^before rows) told before the card is asked, $(grep -c ^card rows) that it alone can know"
	if sanitized && [ -z "${KF_FULL:-}" ]; then	# each is a whole injection, and slow there
		awk "NR % 3 == 1" rows >third
		mv third rows
	fi
	sha256sum card/state >before
	before
	while read -r when name why; do
		row_is=$name
		if [ "$when" = before ]; then
			refused 1 "$why" -- pin inject "bent/$name" -o mail/nothing </dev/null
		else
			refused 1 'the card does not take it: changed on the way, or not the key' 'does not say which' \
				-- pin inject "bent/$name" -o mail/nothing </dev/null
		fi
		sha256sum -c --quiet before || wrong "$name changed the card"
	done <rows
	row_is=
	t_ends
	rm mail/receipt 2>/dev/null || :
	pin inject "$1" -o mail/receipt >mail/said || fail "$(cat mail/said)"
	proved
}

whatever_is_wrong_with_an_ec_blob() {
	new_key p256
	seal_pair sign 80
	bend mail/cargo 70
}

whatever_is_wrong_with_an_rsa_blob() {
	new_key rsa2048
	seal_pair sign 81
	bend mail/cargo 70
	[ -z "${KF_FULL:-}" ] || {
		new_key rsa3072
		seal_pair sign 82
		bend mail/cargo 50
	}
}

whatever_is_wrong_with_an_aes_blob() {
	as server head -c 32 /dev/urandom >mail/aes
	server seal --card schsm --state server --dkek server/dkek --raw mail/aes --container 83 -o mail/cargo \
		>mail/log
	bend mail/cargo 40
}

plan 16
t the_fleet_has_one_dkek
t what_a_blob_is_not_is_said_when_it_is_sealed
t pairs_of_every_kind_go_in_answer_and_work
t a_pair_on_another_curve_is_refused_by_name
t aes_keys_go_in_and_answer
t a_certificate_goes_along
t one_blob_opens_on_each_card_of_the_fleet
t the_same_cargo_again_installs_nothing
t an_injection_that_was_interrupted_is_finished
t the_guides_commands_enroll_the_card_and_verify_its_word
t a_word_is_the_cards_own_and_of_the_key
t a_key_from_outside_has_no_word_of_the_card
t whatever_is_wrong_with_an_ec_blob
t whatever_is_wrong_with_an_rsa_blob
t whatever_is_wrong_with_an_aes_blob
t a_share_that_a_host_has_seen_is_in_the_grade
finish
