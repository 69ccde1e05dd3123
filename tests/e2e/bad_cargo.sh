#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Cargoes that are not what they should be: inject refuses each in words, the card's containers stay
# as they were, no receipt appears, and the good cargo still goes in. KF_FULL=1 flips every bit of
# item and wrapped key instead of a sample.
# shellcheck disable=SC2034,SC2154 # for and from stage.sh and bad.sh
# shellcheck disable=SC2119,SC2317
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_readers=second
bad_up
make_key

# bad WHY [RULE [NEXT]]: mail/bad is refused, and nothing has changed
bad() { refused 1 "$@" -- inject mail/bad mail/nothing; }

the_good_one_still_works() {
	unchanged
	inject mail/cargo mail/receipt >mail/log
	grep -q "installed in container $container" mail/log
	rm -f mail/proof
	server receipt verify --state server mail/receipt >mail/log
	delete_key "$container"
}

uniform='sealed for an offer that the card has forgotten'

a_cargo_for_another_card_is_refused() {
	new_cargo 3
	before
	cp mail/cargo mail/bad
	reader=second bad "this card is KF-STAGE-0002, the cargo is for $stage_serial" formats.md \
		'insert that card'
	edit mail/cargo mail/bad "d['serial'] = 'KF-STAGE-0002'"
	bad 'its "serial" is not what item 1 says' 'JSON copies' 'get the cargo again'
	reader=second bad 'its "serial" is not what item 1 says'
	edit mail/cargo mail/bad "
i = d['items'][0]
i['item'] = t(b(i['item']).replace(b'KF-STAGE-0001', b'KF-STAGE-0002'))
d['serial'] = 'KF-STAGE-0002'"
	bad "this card is $stage_serial, the cargo is for KF-STAGE-0002"
	reader=second bad "$uniform" 'does not say which' 'make a new offer'
	the_good_one_still_works
}

# into N: PYTHON that puts container N into the item and its copies
into() {
	echo "
i = d['items'][0]
x = b(i['item'])
at = x.index(bytes.fromhex('0420') + x[x.index(b'KF-STAGE-0001') + 15:][:32]) + 34
assert x[at:at + 3] == bytes((2, 1, d['container']))
i['item'] = t(x[:at + 2] + bytes([$1]) + x[at + 3:])
i['container'] = d['container'] = $1"
}

a_cargo_for_another_container_is_refused() {
	new_cargo 3
	before
	edit mail/cargo mail/bad "d['container'] = 4"
	bad 'its "container" is not what item 1 says' 'JSON copies' 'get the cargo again'
	edit mail/cargo mail/bad "d['items'][0]['container'] = 4"
	bad 'its "container" is not what item 1 says'
	edit mail/cargo mail/bad "d['container'] = d['items'][0]['container'] = 4"
	bad 'its "container" is not what item 1 says'
	edit mail/cargo mail/bad "$(into 4)"
	bad 'sealed for another container than was offered' formats.md 'get the cargo again'
	the_good_one_still_works
}

each_member_that_disagrees_with_the_item_is_named() {
	new_cargo 3
	before
	edit mail/cargo mail/bad "d['sid'] = flip(d['sid'], 7)"
	bad 'its "sid" is not what item 1 says'
	edit mail/cargo mail/bad "d['method'] = 'ecdh'
d['session_key'] = {'algorithm': 'AES-256', 'input': d['session_key']['wrapped']}"
	bad 'its "method" is not what item 1 says'
	edit mail/cargo mail/bad "d['sender'] = None"
	bad 'its "sender" is not what item 1 says'
	edit mail/cargo mail/bad "d['sender'] = '0' * 64"
	bad 'its "sender" is not what item 1 says'
	edit mail/cargo mail/bad "d['items'][0]['key_type'] = 'p384'"
	bad 'its "key_type" is not what item 1 says'
	edit mail/cargo mail/bad "d['items'][0]['purpose'] = 'derive'"
	bad 'its "purpose" is not what item 1 says'
	edit mail/cargo mail/bad "d['items'][0]['iv'] = flip(d['items'][0]['iv'], 127)"
	bad 'its "iv" is not what item 1 says'
	the_good_one_still_works
}

what_is_no_cargo_is_refused() {
	new_cargo 3
	before
	head -c 500 mail/cargo >mail/bad
	bad 'the cargo is not JSON' 'docs/formats.md 8' 'get the file again'
	sed 's/^{$/{ "container": 3,/' mail/cargo >mail/bad
	bad 'duplicate object key' 'docs/formats.md 8'
	edit mail/cargo mail/bad "d['items'][0]['comment'] = 1"
	bad 'members that do not belong there' 'docs/formats.md 8'
	edit mail/cargo mail/bad "d['items'] = []"
	bad '"items" is not an array of the right length' 'docs/formats.md 8'
	edit mail/cargo mail/bad "d['items'] *= 2"
	bad '"number" is not the next one' 'docs/formats.md 8'
	edit mail/cargo mail/bad "d['version'] = 2"
	bad 'of a version this program does not know' 'docs/formats.md 8'
	edit mail/cargo mail/bad "d['session_key']['padding'] = 'pkcs1'"
	bad '"padding" is not "oaep-sha256"' 'docs/formats.md 8'
	edit mail/cargo mail/bad "d['session_key']['wrapped'] += '='"
	bad '"wrapped" is not base64url' 'docs/formats.md 8'
	cp mail/offer mail/bad
	bad '"format" is not "keyferry-cargo"' 'docs/formats.md 8' 'right file'
	the_good_one_still_works
}

a_truncated_item_or_key_is_refused() {
	new_cargo 3
	before
	edit mail/cargo mail/bad "d['items'][0]['item'] = t(b(d['items'][0]['item'])[:-1])"
	bad 'item 1 is not in form' 'docs/formats.md 5'
	edit mail/cargo mail/bad "d['items'][0]['item'] = t(b(d['items'][0]['item']) + bytes(1))"
	bad 'item 1 is not in form' 'docs/formats.md 5'
	edit mail/cargo mail/bad "d['session_key']['wrapped'] = t(b(d['session_key']['wrapped'])[1:])"
	bad 'session key' '' ''
	the_good_one_still_works
}

a_replay_returns_the_stored_receipt_and_installs_nothing() {
	new_cargo 3
	inject mail/cargo mail/receipt >mail/log
	before
	# No PIN: nothing is done to the card.
	card inject mail/cargo -o mail/again </dev/null >mail/log
	grep -q 'installed before' mail/log
	cmp mail/receipt mail/again
	unchanged
	delete_key 3
	before
	rm mail/again
	card inject mail/cargo -o mail/again </dev/null >mail/log
	cmp mail/receipt mail/again
	unchanged
	card container list --json >mail/list
	python "assert 3 not in [c['container'] for c in load('mail/list')['containers']]"
	server receipt verify --state server mail/again >mail/log
}

# resign SENDER: mail/bad is mail/cargo signed by mail/other.key, under its own name or the real one
resign() {
	python "
import hashlib, subprocess
who = '$1'"'
def tlv(x):                 # tag, content, rest
    n, at = x[1], 2
    if n & 0x80:
        at += n & 0x7f
        n = int.from_bytes(x[2:at], "big")
    return x[0], x[at:at + n], x[at + n:]
def der(tag, x):
    n = len(x)
    size = bytes([n]) if n < 128 else (lambda l: bytes([0x80 | len(l)]) + l)(
        n.to_bytes((n.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + size + x
d = load("mail/cargo")
i = d["items"][0]
_, item, _ = tlv(b(i["item"]))
_, body, rest = tlv(item)
_, mac, _ = tlv(rest)
sender = b""
if who != "none":
    pub = subprocess.run(["openssl", "pkey", "-in", "mail/other.key", "-pubout",
        "-outform", "DER"], capture_output=True, check=True).stdout
    sender = hashlib.sha256(pub).digest()
real = bytes.fromhex(d["sender"])
if who != "real":
    body = body.replace(der(4, real), der(4, sender))
    d["sender"] = sender.hex() or None
signed = der(0x30, body) + der(4, mac)
signature = b"" if who == "none" else subprocess.run(["openssl", "dgst",
    "-sha256", "-sign", "mail/other.key"], input=signed, capture_output=True,
    check=True).stdout
i["item"] = t(der(0x30, signed + der(4, signature)))
save(d, "mail/bad")'
}

an_unsigned_cargo_or_one_of_another_injector_is_refused() {
	new_cargo 3
	before
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out mail/other.key
	resign none
	bad 'only from a sender it knows' 'the card' 'sign it with an injector key'
	resign own
	bad 'only from a sender it knows' 'the card' 'sign it with an injector key'
	resign real
	bad "$uniform" 'does not say which' 'make a new offer'
	edit mail/cargo mail/bad "i = d['items'][0]
x = b(i['item'])
at = x.rindex(bytes.fromhex('0410')) + 18
i['item'] = t(bytes((0x30, 0x82)) + (at - 4 + 2).to_bytes(2, 'big') + x[4:at] + bytes((4, 0)))"
	bad 'only from a sender it knows' 'the card' 'sign it with an injector key'
	the_good_one_still_works
}

a_server_the_card_does_not_know_does_not_seal() {
	as server mkdir -m 700 server/other
	server server init --state server/other >mail/log
	server server enroll --state server/other --cert mail/card.pem --root mail/root.pem \
		--allow-virtual >mail/log
	server server methods --state server/other --set rsa >mail/log
	rm -f mail/challenge mail/offer
	server challenge --state server/other --device "$stage_serial" -o mail/challenge >mail/log
	card_with_pin "$stage_pin" offer --challenge mail/challenge --container 3 \
		--exchange-container "$exchange_container" -o mail/offer >mail/log
	before
	refused 1 'does not know this server as a sender' 'senders the card knows' \
		"this server's injector key" -- server seal --state server/other --offer mail/offer \
		--key server/key.pem -o mail/nothing
	refused 1 'never issued by this server' 'SECURITY section 3' 'new challenge' -- \
		seal mail/offer mail/nothing
	new_cargo 3
	before
	the_good_one_still_works
}

an_offer_that_the_card_has_forgotten_is_refused() {
	new_cargo 3
	cp mail/cargo mail/bad
	for _ in 1 2 3 4 5 6 7 8; do new_offer 4; done
	before
	bad "$uniform" 'does not say which' 'make a new offer'
	new_cargo 3
	before
	the_good_one_still_works
}

tries_run_out_and_a_new_offer_helps() {
	new_cargo 3
	before
	in_sequence=1
	edit mail/cargo mail/bad "d['session_key']['wrapped'] = flip(d['session_key']['wrapped'], 3071)"
	for _ in 1 2 3 4 5; do bad "$uniform" 'does not say which' 'make a new offer'; done
	cp mail/cargo mail/bad
	bad "$uniform" 'does not say which' 'make a new offer'
	unchanged
	new_cargo 3
	before
	the_good_one_still_works
}

a_container_occupied_meanwhile_stays_as_it_is() {
	new_cargo 3
	card_with_pin "$stage_pin" container create --type p256 --container 3 >mail/log
	before
	cp mail/cargo mail/bad
	bad 'holds something else than the item may replace' 'replaced only by name' '--replace'
	unchanged
	delete_key 3
	before
	the_good_one_still_works
}

# inject_json CARGO OUT: out and err are what it says, its exit status is in $got
inject_json() {
	got=0
	card_with_pin "$stage_pin" inject "$1" -o "$2" --json >out 2>err || got=$?
}

# Two items are two moments at which it may end, and each says what it has to say in one document.
of_two_items_a_bad_second_costs_nobody_the_first_receipt() {
	new_offer 3
	as server tests/e2e/two_items server mail/offer server/key.pem >mail/two
	edit mail/two mail/bad "i = d['items'][1]; i['item'] = flip(i['item'], len(b(i['item'])) * 8 - 1)"
	inject_json mail/bad mail/half
	[ "$got" = 1 ] || fail "exit status $got: $(cat out err)"
	[ ! -s err ] || fail "and on standard error: $(cat err)"
	python "
assert '$uniform' in load('out')['error']['why'], load('out')
assert [r['number'] for r in load('mail/half')['receipts']] == [1]"
	# Again: the first is stored, the second as bad as before, and now nothing can be kept.
	inject_json mail/bad mail/absent/half
	[ "$got" = 1 ] || fail "exit status $got: $(cat out err)"
	[ ! -s err ] || fail "and on standard error: $(cat err)"
	python "
why = load('out')['error']['why']
assert '$uniform' in why and 'cannot write mail/absent/half' in why, why"
	# The receipt has standard output to itself.
	inject_json mail/bad -
	[ "$got" = 1 ] || fail "exit status $got: $(cat out err)"
	python "
assert load('out') == load('mail/half')
assert '$uniform' in load('err')['error']['why']"
	# And the offer is not used up: with the true second item it comes to its end.
	inject_json mail/two mail/whole
	[ "$got" = 0 ] || fail "exit status $got: $(cat out err)"
	python "
assert [i['outcome'] for i in load('out')['items']] == ['installed before', 'installed']
assert [r['number'] for r in load('mail/whole')['receipts']] == [1, 2]
assert load('mail/whole')['receipts'][0] == load('mail/half')['receipts'][0]"
	delete_key 3
}

key_hash() {
	card container show "$1" --pubkey -o mail/pub.pem >/dev/null
	openssl pkey -pubin -in mail/pub.pem -outform DER | sha256sum | cut -d' ' -f1
}

only_the_key_that_is_named_is_replaced() {
	card_with_pin "$stage_pin" container create --type p256 --container 3 >mail/log
	hash=$(key_hash 3)
	new_offer 3
	before
	refused 1 "container 3 of card $stage_serial holds key $hash" 'replaced only by name' \
		'--replace with that hash' -- seal mail/offer mail/nothing
	refused 1 "holds key $hash" 'replaced only by name' -- seal mail/offer mail/nothing \
		--replace "$(echo "$hash" | tr 0-9a-f 1-9a-f0)"
	unchanged
	rm -f mail/cargo
	seal mail/offer mail/cargo --replace "$hash" >mail/log
	# Another key comes meanwhile.
	delete_key 3
	card_with_pin "$stage_pin" container create --type p256 --container 3 >mail/log
	before
	cp mail/cargo mail/bad
	bad 'holds something else than the item may replace' 'replaced only by name' '--replace'
	unchanged
	delete_key 3
	before
	bad 'holds something else than the item may replace' 'replaced only by name'
	unchanged
	card_with_pin "$stage_pin" container create --type p256 --container 3 >mail/log
	hash=$(key_hash 3)
	new_cargo 3 --replace "$hash"
	before
	the_replacement_goes_in
	new_offer 3
	before
	refused 1 "container 3 of card $stage_serial is empty" 'step 7' 'without naming a key' -- \
		seal mail/offer mail/nothing --replace "$hash"
	rm -f mail/cargo
	seal mail/offer mail/cargo >mail/log
	container=3
	before
	the_good_one_still_works
}
the_replacement_goes_in() {
	the_good_one_still_works
}

# For the editor: bits() lists what to flip as "item.7", flips() makes mail/flip.N of such a list from
# mail/cargo. What people read follows, so that the card judges.
flip_py='
def fields(x, at=0, end=None):
    end = len(x) if end is None else end
    while at < end:
        tag, n, start = x[at], x[at + 1], at + 2
        if n & 0x80:
            start += n & 0x7f
            n = int.from_bytes(x[at + 2:start], "big")
        if start + n > end: raise ValueError
        yield tag, start, start + n
        at = start + n
def parts(x):
    (_, s, e), = fields(x)
    body, mac, sig = fields(x, s, e)
    return list(fields(x, body[1], body[2])) + [mac, sig]
def refresh(d, i, x):
    f = [x[s:e] for _, s, e in parts(x)]
    d["method"] = [None, "shared", "rsa", "derived", "ecdh"][f[3][0]] or d["method"]
    d["sid"], d["serial"] = t(f[5]), f[8].decode("ascii")
    d["container"] = i["container"] = f[10][0]
    i["key_type"] = [0, "rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521"][f[13][0]]
    i["purpose"] = {6: "sign", 7: "decrypt", 8: "derive"}[f[14][0]]
    d["sender"] = f[16].hex() or None
    i["iv"] = t(f[17])
def bits(full):
    d = load("mail/cargo")
    for what, raw in ("item", b(d["items"][0]["item"])), ("wrapped", b(d["session_key"]["wrapped"])):
        n = len(raw) * 8
        some = set(range(n) if full else [*range(0, n, 401), n - 1])
        if what == "item":      # a bit of the content of every field
            some |= {8 * e - 1 for _, s, e in parts(raw) if e > s}
        yield from (f"{what}.{bit}" for bit in sorted(some))
def flips(which):
    for n, (what, bit) in enumerate(w.split(".") for w in which.split()):
        d = load("mail/cargo")
        i = d["items"][0]
        x = bytearray(b(d["session_key"]["wrapped"] if what == "wrapped" else i["item"]))
        bit = min(int(bit), len(x) * 8 - 1)     # signatures vary in length
        x[bit // 8] ^= 0x80 >> bit % 8
        if what == "wrapped":
            d["session_key"]["wrapped"] = t(x)
        else:
            i["item"] = t(x)
            try: refresh(d, i, bytes(x))
            except Exception: pass
        save(d, f"mail/flip.{n}")
'

# four WHICH...: each refused, and nothing changed but the count of tries
four() {
	new_cargo 3
	before
	python "flips('$*')"
	n=0
	for row_is; do
		refused 1 . . . -- inject "mail/flip.$n" mail/nothing
		case $(cat "said/$row_n.err") in *"$uniform"*) judged=$((judged + 1)) ;; esac
		n=$((n + 1))
	done
	row_is=
	unchanged
}

# tests/vreader/card/item_test.c flips each bit at the card; here is one of each field and some of
# all, through everything that is in front of the card. Each failed item spends one of the offer's
# five tries, so four have an offer; its good cargo shows that nothing else was in their way.
each_bit_of_item_and_wrapped_key_counts() {
	in_sequence=1 may_change=1 judged=0 flipped=0
	new_cargo 3
	python "$flip_py"
	python "open('mail/bits', 'w').write('\n'.join(bits(bool('${KF_FULL:-}'))))"
	# shellcheck disable=SC2046 # one word a line
	set -- $(cat mail/bits)
	while [ $# -gt 0 ]; do
		flipped=$((flipped + ($# < 4 ? $# : 4)))
		four "$1" ${2:+"$2"} ${3:+"$3"} ${4:+"$4"}
		shift $(($# < 4 ? $# : 4))
		the_good_one_still_works
	done
	# Most must have reached the card: a check in front of it is no substitute.
	echo "$flipped bits, $judged judged by the card"
	[ $((judged * 2)) -gt "$flipped" ]
}

plan 14
# It looks for the library in ../../lib.
mkdir -p tests/e2e && cp "$KF_BUILD/tests/e2e/two_items" tests/e2e/
second_card || stage_fail "no second card"
keep base
rows a_cargo_for_another_card_is_refused
rows a_cargo_for_another_container_is_refused
rows each_member_that_disagrees_with_the_item_is_named
rows what_is_no_cargo_is_refused
rows a_truncated_item_or_key_is_refused
rows a_replay_returns_the_stored_receipt_and_installs_nothing
rows an_unsigned_cargo_or_one_of_another_injector_is_refused
rows a_server_the_card_does_not_know_does_not_seal
rows an_offer_that_the_card_has_forgotten_is_refused
rows tries_run_out_and_a_new_offer_helps
rows a_container_occupied_meanwhile_stays_as_it_is
rows of_two_items_a_bad_second_costs_nobody_the_first_receipt
rows only_the_key_that_is_named_is_replaced
rows each_bit_of_item_and_wrapped_key_counts
finish
