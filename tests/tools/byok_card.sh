#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry byok with a card: a KEK is made in it and attested, keys are wrapped for it elsewhere, the card opens
# them, and what it then signs holds. The card is keyferry-vreader's behind keyferryd.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

desk keyferry keyferryd keyferry-broker keyferry-driver keyferry-vreader
byok() { "$bin/keyferry" byok "$@"; }
with_puk() { echo 12345678 | byok "$@" --pin-fd 0; }
with_pin() { echo 123456 | byok "$@" --pin-fd 0; }

"$bin/keyferry-vreader" personalise --state card --serial KF-1 --pin 123456 --puk 12345678 >setup 2>&1 ||
	{ cat setup; exit 1; }
"$bin/keyferry-vreader" run --state card --listen "$dir/reader.sock" >reader.log 2>&1 &
pids="$pids $!"
until_ok test -S reader.sock
"$bin/keyferryd" --socket "$KEYFERRY_SOCKET" --virtual "$dir/reader.sock" \
	--grant "$(id -u):look,use,inject,create,delete,kek" >daemon.log 2>&1 &
pids="$pids $!"
until_ok kf card show
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem 2>/dev/null
cp "$KF_SRC/tests/keys/rsa2048.pem" rsa.pem
openssl rand -out key.aes 32

every_command_explains_itself() {
	for c in import 'receipt verify' 'receipt get' 'kek create' 'kek list' 'kek export' 'kek disable' 'kek enable' 'kek delete'; do
		# shellcheck disable=SC2086 # words
		code 0 byok $c --help
		says "^usage: keyferry byok $c"
	done
	code 2 byok kek
	code 2 byok kek create
	code 2 byok kek create --name k --size 1024
	code 2 byok kek create --name k --allow p256,des
	code 2 byok kek create --name k --hash md5
	code 2 byok kek export --name k
	code 2 byok import x
	code 2 byok import x --ops sign --type p999
	code 2 byok import x --ops sign --name 3 --container 3
	code 2 byok import x --ops sign --replace
	code 2 byok import x --ops sign --name signing
	says 'a card keeps no names'
}

a_kek_is_made_by_the_administrator() {
	got=0
	echo 99999999 | byok kek create --name first --size 2048 --pin-fd 0 >said 2>&1 || got=$?
	[ "$got" -eq 5 ] || fail "$got $(cat said)"
	code 0 with_puk kek create --name first --size 2048
	says '^kek: *https://kf-1\.keyferry\.localhost/keys/first/[0-9a-f]\{32\}$'
	sed -n 's/^kek: *//p' said >kid
	code 0 with_puk kek create --name narrow --size 2048 --allow p256,aes256 --hash sha256
	code 0 byok kek list
	says 'rsa2048 *sha1 *enabled *https://kf-1.*first'
	says 'rsa2048 *sha256 *enabled *https://kf-1.*narrow'
	byok kek list --json | grep -q '"keks"'
	code 1 byok kek export --name third -o out
	says 'no KEK of this card has this name'
}

its_public_key_comes_with_the_cards_word() {
	code 0 byok kek export --name first -o kek.pem --attestation kek.json
	openssl pkey -pubin -in kek.pem -noout
	grep -q '"format": "keyferry-kek"' kek.json
	code 0 byok kek export --name "$(cat kid)" -o again.pem
	cmp kek.pem again.pem
	code 0 byok kek export --name narrow -o narrow.pem --attestation narrow.json
	byok kek export --name first -o - | cmp - kek.pem
}

wrap() {
	byok wrap --kek kek.pem --kek-attestation kek.json --root card/root.pem --device KF-1 --allow-virtual "$@"
}

the_card_vouches_and_nobody_else() {
	code 0 wrap --key key.pem -o key.byok
	says 'attested by the card'
	says '^grade: *A-virtual$'
	says "^kid: *$(cat kid)\$"
	code 1 byok wrap --kek kek.pem --kek-attestation kek.json --root card/root.pem --device KF-1 \
		--key key.pem -o bad
	says 'virtual'
	code 1 byok wrap --kek kek.pem --kek-attestation kek.json --root card/root.pem --device KF-2 \
		--allow-virtual --key key.pem -o bad
	says 'it is of card KF-1'
	code 1 byok wrap --kek narrow.pem --kek-attestation kek.json --root card/root.pem --device KF-1 \
		--allow-virtual --key key.pem -o bad
	says 'another key'
	code 1 wrap --key key.pem --hash sha256 -o bad
	says 'with SHA-1, and not with SHA-256'
	code 1 byok wrap --kek narrow.pem --kek-attestation narrow.json --root card/root.pem --device KF-1 \
		--allow-virtual --key rsa.pem -o bad
	says 'unwraps no key of type rsa2048'
	code 1 wrap --key key.pem --kid https://other/keys/k -o bad
	says 'the card calls this KEK'
	[ ! -e bad ]
}

hash_of() { openssl pkey -in "$1" -pubout -outform DER | sha256sum | cut -d' ' -f1; }

the_card_opens_it_and_the_key_works() {
	code 1 with_pin import key.byok --ops sign,decrypt --type p256
	code 0 with_pin import key.byok --ops sign,verify -o receipt
	says "^key: *p256, public key $(hash_of key.pem)\$"
	says '^grade: *A-virtual'
	[ -s receipt ]
	number=$(sed -n 's/^container: *//p' said)
	echo letter >letter
	echo 123456 | kf key sign --container "$number" --hash sha256 --in letter -o signature --pin-fd 0
	openssl pkey -in key.pem -pubout -out public.pem
	openssl dgst -sha256 -verify public.pem -signature signature letter
	wrap --key rsa.pem -o rsa.byok >/dev/null
	code 0 with_pin import rsa.byok --ops decrypt
	says "^key: *rsa2048, public key $(hash_of rsa.pem)\$"
	wrap --raw key.aes -o aes.byok >wrapped
	code 0 with_pin import aes.byok --ops encrypt,decrypt --json
	check=$(sed -n 's/^key: .*check value //p' wrapped)
	says "\"check_value\": \"$check\""
}

# In a form PKCS #11 does not know: the curve inside, too, as some writers have it.
with_curve_inside() {
	/usr/bin/python3 - "$1" "$2" <<-'EOF'
		import base64, json, os, subprocess, sys
		from cryptography.hazmat.primitives import hashes, keywrap, serialization as s
		from cryptography.hazmat.primitives.asymmetric import padding
		der = subprocess.run(["openssl", "ec", "-in", sys.argv[1], "-outform", "DER"], capture_output=True).stdout
		oid = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
		def tlv(tag, b): return bytes([tag]) + (bytes([len(b)]) if len(b) < 128 else bytes([0x81, len(b)])) + b
		plain = tlv(0x30, b"\x02\x01\x00" + oid + tlv(4, der))
		kek = s.load_pem_public_key(open("kek.pem", "rb").read())
		aes = os.urandom(32)
		h = hashes.SHA1()
		c1 = kek.encrypt(aes, padding.OAEP(padding.MGF1(h), h, None))
		blob = json.load(open("key.byok"))
		text = base64.urlsafe_b64encode(c1 + keywrap.aes_key_wrap_with_padding(aes, plain)).decode().rstrip("=")
		blob["ciphertext"] = text
		json.dump(blob, open(sys.argv[2], "w"))
	EOF
}

# proves OPTION...: of ./receipt, or $receipt
proves() {
	byok receipt verify "${receipt:-receipt}" --blob key.byok --kek kek.pem --kek-attestation kek.json \
		--root card/root.pem --device KF-1 --allow-virtual "$@"
}

the_sender_sees_that_the_card_has_it() {
	code 0 proves
	says '^proved: '
	says "^kek: *$(cat kid)\$"
	says "^key: *p256, public key $(hash_of key.pem)\$"
	says '^usage: *sign, in container [0-9]*, with a PIN$'
	says '^grade: *A-virtual$'
	code 0 proves --type p256 --usage sign --public-key "$(hash_of key.pem)" -o proved.pem --json
	says '"proved": true'
	says "\"public_key_sha256\": \"$(hash_of key.pem)\""
	openssl pkey -in key.pem -pubout | cmp - proved.pem
	# The same blob in another form is the same blob.
	byok convert key.byok --format pkcs11 -o key.bin >/dev/null
	code 0 proves --blob key.bin
	code 1 with_pin import aes.byok --ops encrypt,decrypt -o absent/receipt
	says '^container: *[0-9]'
	says 'absent/receipt'
	code 0 with_pin import aes.byok --ops encrypt,decrypt --replace \
		--name "$(sed -n 's/^container: *//p' said)" -o receipt.aes
	check=$(sed -n 's/^key: .*check value //p' said)
	receipt=receipt.aes
	code 0 proves --blob aes.byok --type aes256 --check-value "$check"
	says "check value $check\$"
	code 1 proves --blob aes.byok -o bad
	says 'no public key to be written'
	code 1 proves --blob aes.byok --check-value 000000
	says 'holds another key than was sent'
	[ ! -e bad ]
}

a_receipt_that_got_lost_is_fetched() {
	code 0 byok receipt get key.byok -o fetched
	cmp receipt fetched
	code 0 byok receipt get key.bin -o fetched.bin
	cmp receipt fetched.bin
	byok receipt get aes.byok -o - >fetched.aes	# of its second import
	cmp receipt.aes fetched.aes
	wrap --key key.pem -o never.byok >/dev/null
	code 1 byok receipt get never.byok -o absent
	says 'the card has none of this blob'
	code 1 byok receipt get letter -o absent
	says 'cannot make out a wrapped key'
	code 2 byok receipt get key.byok
	code 2 byok receipt get -o absent
	[ ! -e absent ]
}

# no WHY OPTION...: it is refused, in four parts
no() {
	why=$1
	shift
	code 1 proves "$@"
	says "^keyferry byok receipt verify: .*$why"
	says '^  rule: '
	says '^  next: '
}

what_proves_nothing_is_refused() {
	no 'another blob' --blob rsa.byok
	no 'another type' --type p384
	no 'another use' --usage derive
	no 'another key than was sent' --public-key "$(hash_of rsa.pem)"
	no 'it is of card KF-1' --device KF-2
	wrap --key key.pem -o again.byok >/dev/null
	no 'another blob' --blob again.byok
	no 'another key' --kek narrow.pem
	no 'another KEK' --kek narrow.pem --kek-attestation narrow.json
	sed "s#$(cat kid)#https://elsewhere/keys/first#" key.byok >elsewhere.byok
	no 'for another KEK than' --blob elsewhere.byok
	receipt=receipt.bad
	head -c 40 receipt >receipt.bad
	no 'not in form'
	printf x | cat receipt - >receipt.bad
	no 'not in form'
	: >receipt.bad
	no 'not in form'
	# The last byte is the signature's, one in the middle is of what it signs.
	for at in $(($(wc -c <receipt) - 1)) 100; do
		cp receipt receipt.bad
		byte=$(od -An -tu1 -j "$at" -N 1 receipt)
		printf '%b' "\\0$(printf %o $((byte ^ 1)))" | dd of=receipt.bad bs=1 seek="$at" conv=notrunc 2>copied
		no 'signature does not hold'
	done
	"$bin/keyferry-vreader" personalise --state other --serial KF-1 --pin 123456 --puk 12345678 >/dev/null
	receipt=receipt
	no '' --root other/root.pem
	code 1 byok receipt verify receipt --blob key.byok --kek kek.pem --kek-attestation kek.json \
		--root card/root.pem --device KF-1
	says 'virtual'
	code 0 proves
	code 2 proves --public-key 12
	code 2 proves --check-value 1234567
	code 2 proves --usage nothing
	code 2 byok receipt verify receipt --kek kek.pem
	code 2 byok receipt
}

its_type_follows_from_its_length_where_it_can() {
	for curve in P-256 P-384 P-521 secp256k1; do
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:"$curve" -out curve.pem 2>/dev/null
		wrap --key curve.pem -o curve.byok >/dev/null
		code 0 with_pin import curve.byok --ops sign
		says "^key: *p[0-9k]*, public key $(hash_of curve.pem)\$"
		echo 123456 | kf container delete "$(sed -n 's/^container: *//p' said)" --pin-fd 0
	done
	with_curve_inside key.pem inside.byok
	code 1 with_pin import inside.byok --ops sign
	says 'name the key type'
	code 0 with_pin import inside.byok --ops sign --type p256
	says "public key $(hash_of key.pem)\$"
	# A guess that was wrong is said to have been one.
	sed 's/"ciphertext": *"[^"]*"/"ciphertext": "'"$(head -c 408 /dev/zero | tr '\0' '\1' | base64 -w0)"'"/' key.byok >wrong.byok
	code 1 with_pin import wrong.byok --ops sign
	says 'its type was taken from its length'
	code 1 with_pin import wrong.byok --ops sign --type p256
	! grep -q 'taken from its length' said || fail "$(cat said)"
}

the_key_that_is_there_goes_if_it_may() {
	code 0 with_pin import --name 9 --ops sign key.byok
	says '^container: *9$'
	code 1 with_pin import --name 9 --ops decrypt rsa.byok
	says 'the container is occupied'
	code 0 with_pin import --name 9 --replace --ops decrypt rsa.byok
	says "^key: *rsa2048, public key $(hash_of rsa.pem)\$"
	says "^replaced: *the key $(hash_of key.pem)\$"
	code 0 with_pin import --name 9 --replace --ops encrypt aes.byok --json
	says "\"replaced\": \"$(hash_of rsa.pem)\""
	code 0 with_pin import --name 9 --replace --ops sign key.byok
	kf container show 9 >said
	says "$(hash_of key.pem)"
	code 0 with_pin import --name 10 --replace --ops sign key.byok
	! grep -q replaced said || fail "$(cat said)"
	kek_at=$(byok kek list | sed -n 's/^ *\([0-9]*\) .*first.*/\1/p')
	code 1 with_pin import --name "$kek_at" --replace --ops sign key.byok
	says 'the container is occupied'
	code 0 byok kek export --name first -o again.pem
	cmp kek.pem again.pem
}

a_named_hash_goes_all_the_way() {
	code 0 byok wrap --kek narrow.pem --kek-attestation narrow.json --root card/root.pem --device KF-1 \
		--allow-virtual --key key.pem -o narrow.byok
	says 'OAEP with sha256'
	code 1 with_pin import narrow.byok --ops sign --type p256
	says 'named-hashes'
	code 0 with_pin import narrow.byok --ops sign --type p256 --named-hashes
}

# Two at a time and somebody who looks: each gets a container of its own, and nobody gets half a list.
byok_48_imports_do_not_get_into_each_others_way() {
	kf container list >before
	for n in 1 2; do
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "key$n.pem" 2>/dev/null
		wrap --key "key$n.pem" -o "key$n.byok" >/dev/null
	done
	for n in 1 2; do
		with_pin import "key$n.byok" --ops sign --timeout 60 >"said$n" 2>&1 &
		eval "import$n=$!"
	done
	for _ in 1 2 3 4 5 6; do
		kf container list >seen
		[ "$(wc -l <seen)" -ge "$(wc -l <before)" ] || fail "$(cat seen)"
		byok kek list | grep -q 'first'
	done
	# shellcheck disable=SC2154 # by eval
	wait "$import1" || fail "$(cat said1)"
	# shellcheck disable=SC2154
	wait "$import2" || fail "$(cat said2)"
	for n in 1 2; do
		grep -q "public key $(hash_of "key$n.pem")\$" "said$n" || fail "$(cat "said$n")"
		at=$(sed -n 's/^container: *//p' "said$n")
		kf container show "$at" >shown
		grep -q "$(hash_of "key$n.pem")" shown || fail "$(cat shown)"
		echo 123456 | kf container delete "$at" --pin-fd 0
	done
	[ "$(sed -n 's/^container: *//p' said1)" != "$(sed -n 's/^container: *//p' said2)" ]
}

what_is_not_for_this_card_is_refused() {
	sed 's#keyferry.localhost#elsewhere.localhost#' key.byok >other.byok
	code 1 with_pin import other.byok --ops sign --type p256
	says 'no KEK of this card is called so'
	code 1 with_pin import key.byok --ops sign --type p384
	base64 key.byok >coded.byok
	code 1 with_pin import coded.byok --ops sign --type p256
	says 'base64 of a .byok file'
	code 0 with_puk kek disable --name first
	code 1 with_pin import key.byok --ops sign --type p256
	says 'the KEK is disabled'
	code 0 with_puk kek enable --name first
	code 0 with_pin import key.byok --ops sign --type p256
}

a_kek_that_is_gone_opens_nothing() {
	code 0 with_puk kek delete --name first
	code 1 with_pin import key.byok --ops sign --type p256
	says 'no KEK of this card is called so'
	code 0 byok kek list
	! grep -q first said || fail "$(cat said)"
}

# The commands of the page as they stand there, on a card of their own KEK; the PUK and the PIN are typed, and
# a virtual card is allowed on purpose.
byok_md_7_runs() {
	cp card/root.pem root.pem
	sed -n '/^With a card/,/^## 8\. /s/^    //p' "$KF_SRC/docs/byok.md" >lines
	[ "$(wc -l <lines)" = 6 ] || fail "$(cat lines)"
	while read -r line; do
		echo "\$ $line"
		case $line in
		*create*) line="echo 12345678 | $line --pin-fd 0" ;;
		*import*) line="echo 123456 | $line --pin-fd 0" ;;
		*attestation*--root*) line="$line --allow-virtual" ;;
		esac
		echo "$line" | sed 's/\bSERIAL\b/KF-1/' >now
		(PATH=$bin:$PATH && export PATH && sh ./now) </dev/null || fail "failed: $line"
	done <lines
}

plan 15
t every_command_explains_itself
t a_kek_is_made_by_the_administrator
t its_public_key_comes_with_the_cards_word
t the_card_vouches_and_nobody_else
t the_card_opens_it_and_the_key_works
t the_sender_sees_that_the_card_has_it
t a_receipt_that_got_lost_is_fetched
t what_proves_nothing_is_refused
t its_type_follows_from_its_length_where_it_can
t the_key_that_is_there_goes_if_it_may
t a_named_hash_goes_all_the_way
t byok_48_imports_do_not_get_into_each_others_way
t what_is_not_for_this_card_is_refused
t a_kek_that_is_gone_opens_nothing
t byok_md_7_runs
finish
