#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How a session key is established, with the real programs: each method with each type of key at level
# extended, each method at each level with P-256, and with RSA-4096 where a TPDU is the reader's unit, the
# receipt verified and the key used; and what must not work. With KF_FULL each method with each type at each
# level. A party's files are the other's only through mail/.
# shellcheck disable=SC2154,SC2317 # from stage.sh; reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"

pair_types='rsa2048 rsa3072 rsa4096 p256 p384 p521'
key_types="$pair_types aes256"
# What is in the envelope is the same by every method: the sanitizers see each type by one of them.
short_types=$key_types
! sanitized || [ -n "${KF_FULL:-}" ] || short_types='rsa4096 p256 aes256'

# One key of each type for all of it.
make_keys() {
	for bits in 2048 3072 4096; do
		stage_key "rsa$bits" "server/rsa$bits.pem"
	done
	for bits in 256 384 521; do
		as server openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:P-$bits" \
			-out "server/p$bits.pem"
	done
	as server openssl rand -out server/aes256.raw 32
	for type in $pair_types; do
		as server openssl pkey -in "server/$type.pem" -pubout -out "mail/$type.pub.pem"
	done
	echo 'bill of lading' >mail/message
	printf '%s\n' "$stage_pin" >mail/pin
	chmod 644 mail/pin mail/message
}

server() { as server keyferry "$@"; }
client() { as client keyferry "$@"; }
with_pin() { as client keyferry "$@" --pin-fd 0 <mail/pin; }

# A fresh RSA key takes its time: where none is asked for, this one serves again and again.
rsa_container=9
make_standing_key() {
	with_pin container create --type rsa3072 --usage exchange --container "$rsa_container"
}

# offer NAME METHOD [OPTIONS]: challenge and offer for container 3
offer() {
	offer_name=$1 offer_method=$2
	shift 2
	[ "$offer_method $#" != 'rsa 0' ] || set -- --exchange-container "$rsa_container"
	server challenge --state server --device "$stage_serial" -o "mail/$offer_name.challenge"
	with_pin offer --challenge "mail/$offer_name.challenge" --container 3 --method "$offer_method" \
		-o "mail/$offer_name.offer" "$@"
}
# By the method of the last offer, be it the worst: which the server takes is a row of its own.
seal() {
	seal_from="--key server/$2.pem"
	[ "$2" != aes256 ] || seal_from='--raw server/aes256.raw'
	# shellcheck disable=SC2086 # an option and its argument
	server seal --state server --offer "mail/$1.offer" --methods "$offer_method" $seal_from \
		-o "mail/$1.cargo"
}
inject() { with_pin inject "mail/$1.cargo" -o "mail/$1.receipt"; }

# gcm_open KEY FILE: what an AES key encrypted, by somebody else
gcm_open() {
	/usr/bin/python3 -IS -c '
import sys
sys.path.append("/usr/lib/python3/dist-packages")
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
key, sealed = (open(name, "rb").read() for name in sys.argv[1:])
sys.stdout.buffer.write(AESGCM(key).decrypt(sealed[:12], sealed[12:], None))' "$1" "$2"
}

# use TYPE: what the key in the card made, judged by somebody else
use() {
	if [ "$1" = aes256 ]; then
		with_pin key encrypt --container 3 --in mail/message -o mail/message.gcm
		gcm_open server/aes256.raw mail/message.gcm | cmp - mail/message
		with_pin key decrypt --container 3 --in mail/message.gcm -o mail/message.again
		as client cmp mail/message.again mail/message
		rm -f mail/message.gcm mail/message.again
		return
	fi
	with_pin key sign --container 3 --hash sha256 --in mail/message -o mail/message.sig
	openssl dgst -sha256 -verify "mail/$1.pub.pem" -signature mail/message.sig mail/message
	rm -f mail/message.sig
}

# voyage NAME METHOD TYPE [OFFER OPTIONS]
voyage() {
	voyage_name=$1 voyage_method=$2 voyage_type=$3
	shift 3
	offer "$voyage_name" "$voyage_method" "$@"
	seal "$voyage_name" "$voyage_type" >mail/said
	grep -qx "method:    $voyage_method" mail/said
	inject "$voyage_name"
	server receipt verify --state server "mail/$voyage_name.receipt" >mail/said
	grep -qx 'proved:    1 of 1' mail/said
	use "$voyage_type"
	with_pin container delete 3
}

# must_fail CODE WORDS COMMAND...: and says so
must_fail() {
	[ -n "$2" ] || fail "every failure says something: $*"
	fail_code=$1 fail_words=$2 fail_got=0
	shift 2
	"$@" >mail/said 2>&1 || fail_got=$?
	cat mail/said
	[ "$fail_got" = "$fail_code" ] || fail "exit status $fail_got instead of $fail_code: $*"
	grep -q -- "$fail_words" mail/said || fail "says nothing of '$fail_words': $*"
}

# edit IN OUT PYTHON: d is the object, b() and t() are base64url
edit() {
	/usr/bin/python3 -IS -c '
import base64, json, sys
def b(s): return bytearray(base64.urlsafe_b64decode(s + "=" * (-len(s) % 4)))
def t(x): return base64.urlsafe_b64encode(bytes(x)).decode().rstrip("=")
d = json.load(open(sys.argv[1]))
exec(sys.argv[3])
json.dump(d, open(sys.argv[2], "w"))' "mail/$1" "mail/$2" "$3"
	chmod 644 "mail/$2"
}

every_key_type_arrives_by_ecdh() {
	for type in $key_types; do
		voyage "ecdh-$type" ecdh "$type"
	done
}

every_key_type_arrives_by_derived() {
	for type in $short_types; do
		voyage "derived-$type" derived "$type"
	done
}

every_key_type_arrives_by_shared() {
	for type in $short_types; do
		voyage "shared-$type" shared "$type"
	done
}

# What the maker loaded others had: no key that came under it is better.
a_key_under_a_shared_one_has_the_makers_grade() {
	for method in derived shared; do
		offer "grade-$method" "$method"
		seal "grade-$method" p256 >mail/said
		grep -q '^grade:     C,' mail/said
		inject "grade-$method"
		server receipt verify --state server "mail/grade-$method.receipt" >mail/said
		grep -qx 'grade:     C' mail/said
		with_pin container delete 3
	done
}

# mark METHOD: of the key that the card has for it, as it says in an offer
mark() {
	offer "mark-$1" "$1"
	/usr/bin/python3 -IS -c '
import base64, json, sys
s = json.load(open(sys.argv[1]))["exchange_key"]
print(base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))[7:39].hex())' "mail/mark-$1.offer"
}

# The server's own, under a key of the card's own: nobody else ever had them, so the grade is the card's.
shared_keys_are_loaded_by_a_signed_injection() {
	server challenge --state server --device "$stage_serial" -o mail/share.challenge
	client offer --challenge mail/share.challenge --shared-keys -o mail/share.offer
	must_fail 1 'is for the keys the card shares' server seal --state server --offer mail/share.offer \
		--key server/p256.pem -o mail/never
	old_shared=$(mark shared) old_derived=$(mark derived)
	# not over the maker's without a word
	server seal shared --state server --offer mail/share.offer -o mail/share.cargo
	must_fail 1 'purpose does not allow' with_pin inject mail/share.cargo -o mail/share.receipt
	server challenge --state server --device "$stage_serial" -o mail/share.challenge
	client offer --challenge mail/share.challenge --shared-keys -o mail/share.offer
	server seal shared --state server --offer mail/share.offer -o mail/share.cargo \
		--replace-shared "${old_shared##*
}" --replace-derived "${old_derived##*
}" >mail/said
	grep -q '^grade:     A-virtual,' mail/said
	with_pin inject mail/share.cargo -o mail/share.receipt >mail/said
	[ "$(grep -c 'a key shared with the server: installed' mail/said)" = 2 ]
	server receipt verify --state server mail/share.receipt >mail/said
	grep -qx 'proved:    2 of 2' mail/said
	for method in derived shared; do
		for type in p256 aes256; do
			voyage "loaded-$method-$type" "$method" "$type"
			grep -qx 'grade:     A-virtual' mail/said || fail "$(cat mail/said)"
		done
	done
	offer plain ecdh
	must_fail 1 'is not for the keys' server seal shared --state server --offer mail/plain.offer -o mail/never
	[ ! -e mail/never ]
}

a_new_state_takes_no_shared_keys() {
	as server mkdir -m 700 server/new
	server server init --state server/new
	server server enroll --state server/new --cert mail/card.pem --root mail/root.pem --allow-virtual
	for method in derived shared; do
		server challenge --state server/new --device "$stage_serial" -o "mail/new-$method.challenge"
		client offer --challenge "mail/new-$method.challenge" --container 3 --method "$method" \
			-o "mail/new-$method.offer"
		must_fail 1 'by method ecdh' server seal --state server/new --key server/p256.pem \
			--offer "mail/new-$method.offer" -o mail/never
		# allowed, but without a master; with one, but another
		must_fail 1 'shares no keys' server seal --state server/new --key server/p256.pem \
			--methods "$method" --offer "mail/new-$method.offer" -o mail/never
	done
	server server shared --state server/new --serial "$stage_serial" -o server/new/keys
	for method in derived shared; do
		must_fail 1 "not one of this server's" server seal --state server/new --key server/p256.pem \
			--methods "$method" --offer "mail/new-$method.offer" -o mail/never
	done
	[ ! -e mail/never ]
}

to_service() { [ "$uid_here" != 0 ] || chown "$uid_service:$uid_service" "$1"; }

shared_keys_are_a_cards_own_and_never_written_over() {
	server server shared --state server --serial "$stage_serial" -o server/again
	server server shared --state server --serial OTHER -o server/other
	[ "$(stat -c %a server/again)" = 600 ]
	must_fail 1 'File exists' server server shared --state server --serial OTHER -o server/other
	must_fail 1 'no serial' server server shared --state server --serial 'a b' -o server/never
	[ "$(cut -d' ' -f2 server/again server/other | sort -u | wc -l)" = 6 ]
	cp server/other run/other.key && to_service run/other.key
	as service mkdir -m 700 run/other
	must_fail 2 'shared keys are those of card OTHER' as service keyferry-vreader personalise \
		--state run/other --serial KF-X --shared-key run/other.key
	cp mail/card.pem run/cert.key && chmod 600 run/cert.key && to_service run/cert.key
	must_fail 1 'not what' as service keyferry-vreader personalise \
		--state run/other --serial KF-X --shared-key run/cert.key
	ln -s other.key run/link.key
	others=
	[ "$uid_here" != 0 ] || others='server/other mail/card.pem'
	for path in run/link.key run $others; do
		must_fail 1 'not a file of ours' as service keyferry-vreader personalise \
			--state run/other --serial OTHER --shared-key "$path"
	done
	for mode in 640 604 602; do
		chmod "$mode" run/other.key
		must_fail 1 'not a file of ours' as service keyferry-vreader personalise \
			--state run/other --serial OTHER --shared-key run/other.key
	done
	rm -f server/again server/other run/other.key run/cert.key run/link.key
}

# A cargo of method derived answers one challenge of the card, once.
a_cargo_of_method_derived_is_not_taken_twice() {
	offer once derived
	seal once p256
	inject once
	with_pin container delete 3
	cp mail/once.receipt mail/once.first
	inject once >mail/said
	grep -q 'installed before' mail/said
	cmp mail/once.receipt mail/once.first
	must_fail 1 'container 3 is empty' client container show 3
	# under the challenge of another offer
	offer twice derived
	edit once.cargo moved.cargo 'd["sid"] = json.load(open("mail/twice.offer"))["sid"]'
	must_fail 1 'is not what item 1 says' inject moved
	seal twice p256
	edit twice.cargo mixed2.cargo 'd["session_key"] = json.load(open("mail/once.cargo"))["session_key"]'
	must_fail 1 'the card does not take it' inject mixed2
	inject twice
	with_pin container delete 3
}

# kbkdf LENGTH KEY LABEL CONTEXT: all hexadecimal but the label
kbkdf() {
	openssl kdf -keylen "$1" -kdfopt mode:counter -kdfopt mac:CMAC -kdfopt cipher:AES-256-CBC \
		-kdfopt "hexkey:$2" -kdfopt "salt:$3" -kdfopt "hexinfo:$4" KBKDF | tr -d ': \n'
}

# host_confirmation CHALLENGE: what the server says to echo.offer if that is its own (card-application.md
# 6.2); c is the card's, i the input in echo.cargo
host_confirmation() {
	host_facts=$(/usr/bin/python3 -IS -c '
import base64, hashlib, json, sys
def b(s): return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))
o = json.load(open("mail/echo.offer"))
i = b(json.load(open("mail/echo.cargo"))["session_key"]["input"])
c = b(o["exchange_key"])[-32:]
serial = o["serial"].encode()
print((hashlib.sha256(b(o["statement"])).digest() + b(o["sid"]) + bytes([len(serial)]) + serial + i[:32] + c
       + eval(sys.argv[1])).hex())' "$1")
	host_s1=$(kbkdf 32 "$(sed -n 's/^derived //p' server/echo.keys)" keyferry/derived/s1 "$host_facts")
	kbkdf 16 "$host_s1" keyferry/derived/host "$host_facts"
}

# With a confirmation that is right: only that the two challenges are one tells.
a_challenge_that_comes_back_is_refused() {
	offer echo derived
	seal echo p256
	server server shared --state server --serial "$stage_serial" -o server/echo.keys
	# what is computed here is what the server computes
	edit echo.cargo echoed.cargo "i = b(d['session_key']['input'])
assert i[64:] == bytes.fromhex('$(host_confirmation 'i[32:64]')')"
	edit echo.cargo echoed.cargo "i = b(d['session_key']['input'])
i[32:64] = b(json.load(open('mail/echo.offer'))['exchange_key'])[-32:]
i[64:] = bytes.fromhex('$(host_confirmation c)')
d['session_key']['input'] = t(i)"
	rm server/echo.keys
	must_fail 1 'the card does not take it' inject echoed
	for at in 0 40 -1; do
		edit echo.cargo echoed.cargo "i = b(d['session_key']['input']); i[$at] ^= 1
d['session_key']['input'] = t(i)"
		must_fail 1 'the card does not take it' inject echoed
	done
	inject echo
	server receipt verify --state server mail/echo.receipt
	with_pin container delete 3
}

one_shared_key_is_not_the_other_methods() {
	offer cross derived
	edit cross.offer crossed.offer 'd["method"] = "shared"'
	must_fail 1 'is not what the card signed' seal crossed p256
	seal cross p256
	edit cross.cargo crossed.cargo 'd["method"] = "shared"; d["session_key"]["input"] = t(bytes(32))'
	must_fail 1 '"method" is not what item 1 says' inject crossed
	inject cross
	with_pin container delete 3
}

every_static_key_of_ecdh_serves() {
	for exchange in p256 p384 x25519; do
		voyage "ecdh-by-$exchange" ecdh p256 --exchange-type "$exchange"
	done
}

every_key_type_arrives_by_rsa() {
	for type in $short_types; do
		voyage "rsa-$type" rsa "$type"
	done
	voyage rsa-fresh rsa p256 --exchange-type rsa3072
}

a_standing_key_serves_twice() {
	with_pin container create --type p256 --usage derive --container 5
	voyage standing ecdh p256 --exchange-container 5
	voyage standing-again ecdh p384 --exchange-container 5
	must_fail 1 'purpose does not allow' with_pin key derive --container 5 --peer mail/p256.pub.pem -o mail/never
	[ ! -e mail/never ]
}

# Made as one, of a type that nothing else can be.
an_exchange_key_is_made_for_it_from_the_start() {
	with_pin container create --type x25519 --usage exchange --container 6
	with_pin container create --type p384 --usage exchange --container 7
	voyage made-x25519 ecdh p256 --exchange-container 6
	voyage made-p384 ecdh p256 --exchange-container 7
	must_fail 1 'card or reader cannot do it' with_pin container create --type p521 --usage exchange --container 8
	must_fail 1 'card or reader cannot do it' with_pin container create --type x25519 --usage derive --container 8
	with_pin container delete 6
	with_pin container delete 7
}

an_exchange_key_of_another_method_is_a_wrong_command() {
	must_fail 2 'does not serve' client offer --challenge mail/none --method ecdh \
		--exchange-type rsa3072 -o mail/none
	must_fail 2 'does not serve' client offer --challenge mail/none --method rsa \
		--exchange-type p256 -o mail/none
	must_fail 2 'no method' client offer --challenge mail/none --method best -o mail/none
}

the_servers_list_decides() {
	# The card attests all four; what the host asked it for counts for nothing.
	for method in shared derived rsa; do
		offer "listed-$method" "$method"
		server server methods --state server --set "ecdh,$method"
		must_fail 1 'make an offer by method ecdh' server seal --state server \
			--offer "mail/listed-$method.offer" --key server/p256.pem -o mail/never
		server seal --state server --methods "$method,ecdh" --offer "mail/listed-$method.offer" \
			--key server/p256.pem -o "mail/listed-$method.cargo" >mail/said
		grep -qx "method:    $method" mail/said
	done
	# unasked, the client takes the better that needs no key of the maker
	server challenge --state server --device "$stage_serial" -o mail/listed.challenge
	client offer --challenge mail/listed.challenge --container 3 -o mail/listed.offer
	must_fail 1 'make an offer by method rsa' server seal --state server --methods rsa,ecdh \
		--offer mail/listed.offer --key server/p256.pem -o mail/never
	server seal --state server --offer mail/listed.offer --key server/p256.pem -o mail/listed.cargo
	[ ! -e mail/never ]
	server server methods --state server --set ecdh,rsa,derived,shared >mail/said
	grep -qx '1. ecdh' mail/said
	must_fail 2 'list' server server methods --state server --set best
	must_fail 1 'twice' server server methods --state server --set rsa,rsa
}

a_method_cannot_be_swapped_on_the_way() {
	offer swap ecdh
	edit swap.offer swapped.offer 'd["method"] = "rsa"'
	must_fail 1 'is not what the card signed' seal swapped p256
	seal swap p256
	edit swap.cargo swapped.cargo 'd["method"] = "rsa"; d["session_key"] = {
		"algorithm": "AES-256", "padding": "oaep-sha256", "wrapped": t(bytes(384)) }'
	must_fail 1 '"method" is not what item 1 says' inject swapped
	inject swap
	server receipt verify --state server mail/swap.receipt
	with_pin container delete 3
}

a_wrong_confirmation_or_point_is_refused_and_the_true_one_still_works() {
	offer wrong ecdh
	seal wrong p256
	edit wrong.cargo flipped.cargo 'i = b(d["session_key"]["input"]); i[-1] ^= 1
d["session_key"]["input"] = t(i)'
	must_fail 1 'the card does not take it' inject flipped
	edit wrong.cargo curve.cargo 'i = b(d["session_key"]["input"]); i[64] ^= 1
d["session_key"]["input"] = t(i)'
	must_fail 1 'the card does not take it' inject curve
	edit wrong.cargo infinity.cargo 'i = b(d["session_key"]["input"]); i[0:65] = bytes(65)
d["session_key"]["input"] = t(i)'
	must_fail 1 'the card does not take it' inject infinity
	[ ! -e mail/flipped.receipt ] && [ ! -e mail/curve.receipt ] && [ ! -e mail/infinity.receipt ]
	inject wrong
	server receipt verify --state server mail/wrong.receipt
	with_pin container delete 3
}

another_voyages_session_key_opens_nothing() {
	offer one ecdh
	offer two ecdh
	seal one p256
	seal two p256
	edit one.cargo mixed.cargo 'd["session_key"] = json.load(open("mail/two.cargo"))["session_key"]'
	must_fail 1 'the card does not take it' inject mixed
	inject one
	server receipt verify --state server mail/one.receipt
	with_pin container delete 3
}

a_receipt_without_the_cards_confirmation_proves_nothing() {
	offer proof ecdh
	seal proof p256
	inject proof
	edit proof.receipt forged.receipt 'r = b(d["receipts"][0]["receipt"]); i = r.index(b"\x04\x10", 150)
r[i + 5] ^= 1; d["receipts"][0]["receipt"] = t(r)'
	must_fail 1 'signature does not hold' server receipt verify --state server mail/forged.receipt
	server receipt verify --state server mail/proof.receipt
	with_pin container delete 3
}

# level NAME [TYPE...]: a reader of that level; P-256 by every method, and these types, in KF_FULL all
at_level() {
	level=$1
	shift
	stage_unplug card
	stage_reader card reader --level "$level"
	client reader wait --reader virtual:reader
	# shellcheck disable=SC2086 # a word each
	[ -z "${KF_FULL:-}" ] || set -- $key_types
	for method in $methods; do
		voyage "$level-$method" "$method" p256
		for type in "$@"; do
			[ "$type" = p256 ] || voyage "$level-$method-$type" "$method" "$type"
		done
	done
}
# The EXCHANGE key as long as the key it carries: no command and no answer is longer.
longest_by_rsa() {
	[ -e mail/longest ] || with_pin container create --type rsa4096 --usage exchange --container 10 >mail/longest
	voyage "$level-longest" rsa rsa4096 --exchange-container 10
}
every_method_works_at_level_short() { at_level short; }
every_method_works_at_level_tpdu_t0_and_with_rsa4096() { at_level tpdu-t0 rsa4096 && longest_by_rsa; }
every_method_works_at_level_tpdu_t1_and_with_rsa4096() { at_level tpdu-t1 rsa4096 && longest_by_rsa; }

methods='rsa ecdh derived shared'
stage_share=1
stage_up --level extended
server server methods --state server --set ecdh,rsa,derived,shared >mail/said
make_keys >mail/keys.log 2>&1 || stage_fail "cannot make the keys"
make_standing_key >mail/keys.log 2>&1 || stage_fail "cannot make the standing key"

plan 23
t every_key_type_arrives_by_rsa
t every_key_type_arrives_by_ecdh
t every_key_type_arrives_by_derived
t every_key_type_arrives_by_shared
t a_key_under_a_shared_one_has_the_makers_grade
t a_new_state_takes_no_shared_keys
t shared_keys_are_a_cards_own_and_never_written_over
t a_cargo_of_method_derived_is_not_taken_twice
t a_challenge_that_comes_back_is_refused
t one_shared_key_is_not_the_other_methods
t every_static_key_of_ecdh_serves
t a_standing_key_serves_twice
t an_exchange_key_is_made_for_it_from_the_start
t an_exchange_key_of_another_method_is_a_wrong_command
t the_servers_list_decides
t a_method_cannot_be_swapped_on_the_way
t a_wrong_confirmation_or_point_is_refused_and_the_true_one_still_works
t another_voyages_session_key_opens_nothing
t a_receipt_without_the_cards_confirmation_proves_nothing
t every_method_works_at_level_short
t every_method_works_at_level_tpdu_t0_and_with_rsa4096
t every_method_works_at_level_tpdu_t1_and_with_rsa4096
t shared_keys_are_loaded_by_a_signed_injection
finish
