#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A SmartCard-HSM from the maker's box to a fleet of two with one DKEK, through client, broker and driver,
# each with its own uid: everything the card can, and what is refused, in words.
# shellcheck disable=SC2034,SC2119,SC2154,SC2317 # for and from stage.sh; reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

stage_app=schsm
stage_serial=A1
stage_rights=look,use,inject,create,delete,admin,init,kek,wrap
stage_readers=second
so_pin=3537363231383830
pin=648219

stage_up
mkdir -m 700 second
[ "$uid_here" != 0 ] || chown "$uid_service:$uid_service" second
as service keyferry-vreader personalise --app schsm --state second --serial B2 >mail/prepare.log
stage_reader second second
as client keyferry reader wait --reader virtual:second >mail/show.log
in_sequence=1	# a card is initialised once, and then it has keys

card() { as client keyferry "$@" --reader "virtual:${on:-reader}"; }
refused() {
	want=$1
	shift
	got=0
	"$@" >mail/said.out 2>mail/said.err || got=$?
	[ "$got" != 0 ] || fail "$* was not refused"
	grep -q "$want" mail/said.err || fail "$*: $(cat mail/said.err)"
}
field() { sed -n "s/^$1  *//p"; }

it_is_known_and_says_what_it_is() {
	card card show >mail/show
	cat mail/show
	grep -q schsm mail/show
	grep -q 'ZZVIRTA1\|ZZVIRT.*A1' mail/show
}

it_is_not_erased_by_a_slip() {
	refused 'nobody to ask' with "$so_pin\n$pin" card init --dkek-shares 2
	refused 'one of them' with "$so_pin\n$pin" card init --dkek-shares 2 --domains 2 --yes
}

it_is_initialised_with_a_dkek_of_two_shares() {
	with "$so_pin\n$pin" card init --dkek-shares 2 --label fleet --yes >mail/init
	grep -q '2 shares' mail/init
	card card show >mail/show
	grep -q fleet mail/show
	card dkek status >mail/status
	grep -Eq '^ *0 +incomplete +2 +2' mail/status || fail "$(cat mail/status)"
	with "$pin" card pin verify >/dev/null
}

a_wrong_so_pin_erases_nothing_and_is_called_that() {
	refused 'SO-PIN is wrong; tries left: 14' with "0000000000000000\n$pin" card init --dkek-shares 1 --yes
	card dkek status | grep -q incomplete
}

shares_add_up_to_the_key() {
	head -c 32 /dev/urandom >client-share.1
	# 000102..1F is the DKEK of the published blobs; the second share makes up what the first lacks.
	python3 -c 'import sys; a=open("client-share.1","rb").read(); print(bytes(x ^ i for i, x in enumerate(a)).hex())' >client-share.2
	mv client-share.1 client-share.2 mail/
	chmod 644 mail/client-share.*
	card dkek import mail/client-share.1 | grep -q '1 to go'
	card dkek import mail/client-share.2 | grep -q complete
	card dkek status >mail/status
	grep -q 630DCD2966C43366 mail/status || fail "$(cat mail/status)"
	refused 'no share is outstanding' card dkek import mail/client-share.1
	refused 'longer than 80 bytes' card dkek import mail/status
	echo none >mail/none
	refused '32 bytes' card dkek import mail/none
	refused 'no DKEK here\|without a DKEK' card dkek import mail/client-share.1 --domain 7
}

keys_of_every_kind_are_made_and_used() {
	for row in 'rsa2048 sign' 'p256 sign' 'p384 derive' 'rsa2048 decrypt' 'aes256 cipher' 'p256k sign' 'p521 sign'; do
		with "$pin" container create --type "${row% *}" --usage "${row#* }" >mail/made
		grep -q generated mail/made || grep -q aes256 mail/made || fail "$(cat mail/made)"
	done
	card container list >mail/list
	cat mail/list
	[ "$(wc -l <mail/list)" = 8 ]
	grep -Eq '^ *1 +rsa2048 +sign +generated' mail/list
	grep -Eq '^ *5 +aes256 +cipher' mail/list
	refused occupied with "$pin" container create --container 1 --type p256
}

# verify NUMBER OPTIONS...
verify() {
	number=$1
	shift
	rm -f mail/sig mail/pub
	card container show "$number" --pubkey -o mail/pub
	with "$pin" key sign --container "$number" -i mail/text -o mail/sig "$@"
}

signatures_verify_for_openssl() {
	echo 'so it is written' >mail/text
	verify 1 --hash sha256
	openssl dgst -sha256 -verify mail/pub -signature mail/sig mail/text
	verify 1 --hash sha512
	openssl dgst -sha512 -verify mail/pub -signature mail/sig mail/text
	verify 1 --hash sha256 --pss
	openssl dgst -sha256 -verify mail/pub -signature mail/sig -sigopt rsa_padding_mode:pss mail/text
	for number in 2 6 7; do
		verify "$number" --hash sha256
		openssl dgst -sha256 -verify mail/pub -signature mail/sig mail/text
	done
	refused purpose with "$pin" key sign --container 4 -i mail/text -o mail/sig
	refused 'PIN' card key sign --container 1 -i mail/text -o mail/sig </dev/null
}

texts_are_decrypted() {
	printf secret >mail/plain
	card container show 4 --pubkey -o mail/pub
	openssl pkeyutl -encrypt -pubin -inkey mail/pub -in mail/plain -out mail/sealed \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256
	rm -f mail/opened
	with "$pin" key decrypt --container 4 -i mail/sealed -o mail/opened
	cmp mail/plain mail/opened
}

points_are_agreed() {
	card container show 3 --pubkey -o mail/pub
	openssl ecparam -name secp384r1 -genkey -noout -out mail/own
	openssl pkey -in mail/own -pubout -out mail/own.pub
	openssl pkeyutl -derive -inkey mail/own -peerkey mail/pub -out mail/ours
	rm -f mail/theirs
	with "$pin" key derive --container 3 --peer mail/own.pub -o mail/theirs
	cmp mail/ours mail/theirs
}

a_key_that_stays_stays() {
	refused purpose with "$pin" dkek wrap 1 -o mail/blob
	[ ! -e mail/blob ]
}

# [cards 11.2], made elsewhere: AES-256 with four algorithms, none of them WRAP.
blob_aes=630DCD2966C433660F0008608648016503040100041011189900000000AAE179FD7BFBC0CD2ACC2E9929672E4B49D49326E7178045D788BCC17A8651A3C34EC3FDC9A71FF726D627742AC06AD3BCE4EA0288E443F726FC1F55CB34B42D

a_published_blob_is_unwrapped() {
	printf %s "$blob_aes" | xxd -r -p >mail/aes.blob
	with "$pin" dkek unwrap mail/aes.blob --type aes256 --label published --container 20 >mail/log
	card container show 20 >mail/show
	grep -q aes256 mail/show
	refused occupied with "$pin" dkek unwrap mail/aes.blob --type aes256 --container 20
	with "$pin" dkek unwrap mail/aes.blob --type aes256 --container 20 --replace >mail/log
}

# The key in the blob is 40 41 .. 5F, so openssl can say what the MACs are. A byte, a block, a block and more,
# and as much as the card takes at once.
macs_are_those_of_openssl() {
	key=$(printf '%02X' $(seq 64 95))
	for n in 1 16 17 1000; do
		head -c "$n" /dev/zero | tr '\0' m >mail/text
		rm -f mail/mac
		with "$pin" key mac --container 20 -i mail/text -o mail/mac
		openssl mac -cipher AES-256-CBC -macopt "hexkey:$key" -binary -in mail/text -out mail/theirs.mac CMAC
		cmp mail/mac mail/theirs.mac
	done
	printf more >>mail/text
	refused 'cannot do it' with "$pin" key mac --container 20 -i mail/text -o mail/mac
	: >mail/nothing
	refused 'out of range' with "$pin" key mac --container 20 -i mail/nothing -o mail/mac
	refused purpose with "$pin" key mac --container 1 -i mail/theirs.mac -o mail/mac
}

what_does_not_fit_is_told_and_nothing_changes() {
	card container list >mail/before
	with "$pin" dkek unwrap mail/aes.blob --type rsa2048 >mail/said 2>&1 && fail 'a lie about the type'
	grep -q 'another type' mail/said || fail "$(cat mail/said)"
	printf %s "00$(printf %s "$blob_aes" | cut -c 3-)" | xxd -r -p >mail/bent.blob
	refused 'another DKEK' with "$pin" dkek unwrap mail/bent.blob --type aes256
	printf %s "${blob_aes%??}00" | xxd -r -p >mail/bent.blob
	refused 'the card does not take it' with "$pin" dkek unwrap mail/bent.blob --type aes256
	# A blob that is refused costs nobody the key it was to replace.
	refused 'the card does not take it' with "$pin" dkek unwrap mail/bent.blob --type aes256 \
		--container 20 --replace
	head -c 40 mail/aes.blob >mail/bent.blob
	refused 'neither a blob' with "$pin" dkek unwrap mail/bent.blob --type aes256
	card container list >mail/after
	cmp mail/before mail/after
}

# Under the second card's own DKEK of the same shares a key of it opens here, and not under another.
a_fleet_has_one_dkek() {
	on=second
	with "$so_pin\n111222333" card init --dkek-shares 1 --yes >/dev/null
	card dkek import mail/client-share.1 >/dev/null
	refused 'another DKEK' with 111222333 dkek unwrap mail/aes.blob --type aes256
	with "$so_pin\n111222333" card init --dkek-shares 2 --yes >/dev/null
	card dkek import mail/client-share.1 >/dev/null
	refused 'outstanding' with 111222333 dkek unwrap mail/aes.blob --type aes256
	card dkek import mail/client-share.2 >/dev/null
	with 111222333 dkek unwrap mail/aes.blob --type aes256 >/dev/null
	card container list | grep -q aes256
}

a_certificate_lies_beside_its_key() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x \
		-keyout mail/other -outform der -out mail/foreign.der 2>/dev/null
	refused 'one of another key' with "$pin" container cert store -c 2 -i mail/foreign.der
	card container show 2 --pubkey -o mail/pub
	openssl x509 -new -subj /CN=x -key mail/other -force_pubkey mail/pub -outform der -out mail/cert.der
	with "$pin" container cert store -c 2 -i mail/cert.der >/dev/null
	rm -f mail/cert.out
	card container cert read -c 2 --der -o mail/cert.out
	cmp mail/cert.der mail/cert.out
}

keys_are_deleted_with_what_lies_beside() {
	with "$pin" container delete 2 >/dev/null
	card container list | grep -Eq '^ *2 ' && fail 'it is still there'
	with "$pin" container create --container 2 --type p256 >mail/made
	grep -q generated mail/made
}

pins_are_changed_and_unblocked() {
	with "$pin\n987654" card pin change >/dev/null
	with 987654 card pin verify >/dev/null
	refused 'wrong; tries left: 2' with 111111 card pin verify
	refused 'tries left: 1' with 111111 card pin verify
	refused 'one try is left' with 111111 card pin verify
	refused 'tries left: 0' with 111111 card pin verify --allow-last-try
	refused 'PIN is blocked' with 987654 card pin verify
	with "$so_pin\n$pin" card pin unblock >/dev/null
	with "$pin" card pin verify >/dev/null
}

a_users_pin_serves_nobody_else() {
	with "$pin" card pin verify >/dev/null
	refused 'PIN' as client sh -c 'keyferry key sign --reader virtual:reader --container 1 -i mail/text -o mail/sig </dev/null'
}

# The client's rights in a service of its own: none of the four dangerous ones.
without_a_rule_none_of_it_is_allowed() {
	[ "$uid_here" = 0 ] || skip "needs root: whom the service runs as may do everything"
	stage_rights=look,use
	stage_service_anew
	refused "'init'" with "$so_pin\n$pin" card init --yes
	refused "'kek'" card dkek import mail/client-share.1
	refused "'wrap'" with "$pin" dkek wrap 1 -o mail/blob
	refused "'inject'" with "$pin" dkek unwrap mail/aes.blob --type aes256
	card dkek status | grep -q ready
}

t_all() { for test in "$@"; do t "$test"; done; }
plan 19
t_all it_is_known_and_says_what_it_is it_is_not_erased_by_a_slip \
	it_is_initialised_with_a_dkek_of_two_shares a_wrong_so_pin_erases_nothing_and_is_called_that \
	shares_add_up_to_the_key keys_of_every_kind_are_made_and_used signatures_verify_for_openssl \
	texts_are_decrypted points_are_agreed a_key_that_stays_stays a_published_blob_is_unwrapped macs_are_those_of_openssl \
	what_does_not_fit_is_told_and_nothing_changes a_fleet_has_one_dkek \
	a_certificate_lies_beside_its_key keys_are_deleted_with_what_lies_beside \
	pins_are_changed_and_unblocked a_users_pin_serves_nobody_else without_a_rule_none_of_it_is_allowed
finish
