#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Receipts that prove nothing: each is refused in words, and the good one still proves. KF_FULL=1
# flips every bit instead of a sample.
# shellcheck disable=SC2034,SC2119,SC2154 # for and from stage.sh and bad.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_readers=second
bad_up
make_key

verify() {
	receipt=$1
	shift
	server receipt verify --state server "$receipt" "$@"
}
# bad WHY [RULE [NEXT]]: mail/bad is refused, and nothing has changed
bad() { refused 1 "$@" -- verify mail/bad; }
the_good_one_still_proves() {
	unchanged
	verify mail/receipt >mail/log
	grep -q '^grade: *A-virtual' mail/log
}

each_bit_counts() {
	before
	if [ -n "${KF_FULL:-}" ]; then step=1; else step=67; fi
	mkdir mail/flips
	python "
d = load('mail/receipt')
n = len(b(d['receipts'][0]['receipt'])) * 8
whole = d['receipts'][0]['receipt']
for bit in sorted({*range(0, n, $step), n - 1}):
    d['receipts'][0]['receipt'] = flip(whole, bit)
    save(d, f'mail/flips/{bit}')"
	for bad in mail/flips/*; do
		refused 1 "receipt 1 is not in form|receipt 1: the card's signature does not hold" . . -- \
			verify "$bad"
	done
	echo "$(find mail/flips -type f | wc -l) flips"
	the_good_one_still_proves
}

another_cargos_receipt_is_refused() {
	before
	edit mail/receipt mail/bad "d['receipts'] = load('mail/receipt4')['receipts']"
	bad 'receipt 1: it belongs to another cargo' 'receipt against ticket' 'do not trust this key'
	edit mail/receipt mail/bad "d['sid'] = load('mail/receipt4')['sid']"
	bad 'receipt 1: it belongs to another cargo' 'receipt against ticket'
	edit mail/receipt mail/bad "d['sid'] = flip(d['sid'], 9)"
	bad 'this server has sealed no cargo' 'tickets' 'where the key was sealed'
	edit mail/receipt mail/bad "d['serial'] = 'KF-STAGE-0002'"
	bad "it says card KF-STAGE-0002, the key was sealed for $stage_serial" 'receipt against ticket'
	the_good_one_still_proves
}

another_cards_receipt_is_refused() {
	before
	edit mail/receipt mail/bad "d['receipts'] = load('mail/receipt-second')['receipts']"
	bad "receipt 1: the card's signature does not hold" 'receipt against ticket'
	cp mail/receipt mail/bad
	refused 1 'made for another card than KF-STAGE-0002' 'the right card' 'name the card' -- \
		verify mail/bad --device KF-STAGE-0002
	refused 1 'no card NOBODY is enrolled' . . -- verify mail/bad --device NOBODY
	the_good_one_still_proves
	verify mail/receipt-second >mail/log
}

an_item_that_was_never_sealed_is_refused() {
	before
	edit mail/receipt mail/bad "d['receipts'][0]['number'] = 2"
	bad 'receipt 2: the cargo has no such item' 'receipt against ticket'
	edit mail/receipt mail/bad "d['receipts'].append(dict(d['receipts'][0], number=2))"
	bad 'receipt 2: the cargo has no such item' 'receipt against ticket'
	the_good_one_still_proves
}

what_is_no_receipt_is_refused() {
	before
	head -c 200 mail/receipt >mail/bad
	bad 'the receipt is not JSON' 'docs/formats.md 8' 'get the file again'
	edit mail/receipt mail/bad "d['receipts'] *= 2"
	bad '"number" does not ascend from 1' 'docs/formats.md 8'
	edit mail/receipt mail/bad "d['receipts'] = []"
	bad '"receipts" is not an array of the right length' 'docs/formats.md 8'
	edit mail/receipt mail/bad "d['grade'] = 'A'"
	bad 'members that do not belong there' 'docs/formats.md 8'
	sed 's/^{$/{ "serial": "X",/' mail/receipt >mail/bad
	bad 'duplicate object key' 'docs/formats.md 8'
	edit mail/receipt mail/bad "d['receipts'][0]['receipt'] += '='"
	bad '"receipt" is not base64url' 'docs/formats.md 8'
	edit mail/receipt mail/bad \
		"r = d['receipts'][0]; r['receipt'] = t(b(r['receipt'])[:-1])"
	bad 'receipt 1 is not in form' 'docs/formats.md 7'
	cp mail/offer mail/bad
	bad '"format" is not "keyferry-receipt"' 'docs/formats.md 8' 'right file'
	the_good_one_still_proves
}

without_its_ticket_a_receipt_proves_nothing() {
	mkdir elsewhere
	mv server/tickets/* elsewhere
	cp mail/receipt mail/bad
	before
	bad 'this server has sealed no cargo' 'tickets' 'where the key was sealed'
	unchanged
	mv elsewhere/* server/tickets
	before
	the_good_one_still_proves
}

a_ticket_open_to_others_is_not_believed() {
	cp mail/receipt mail/bad
	chmod 644 server/tickets/*
	before
	bad 'is open to others or not ours' 'server files are private' 'chmod 600'
	chmod 600 server/tickets/*
	before
	the_good_one_still_proves
}

# voyage CONTAINER RECEIPT
voyage() {
	rm -f mail/cargo
	new_cargo "$1" && inject mail/cargo "$2" >mail/log
}

voyages() {
	second_card
	voyage 4 mail/receipt4
	voyage 3 mail/receipt
	server server enroll --state server --cert mail/second.pem --root mail/second-root.pem \
		--allow-virtual >mail/log
	device=KF-STAGE-0002 reader=second
	make_exchange
	voyage 3 mail/receipt-second
	unset device reader
}

plan 7
voyages || stage_fail "no voyages"
keep base
rows each_bit_counts
rows another_cargos_receipt_is_refused
rows another_cards_receipt_is_refused
rows an_item_that_was_never_sealed_is_refused
rows what_is_no_receipt_is_refused
rows without_its_ticket_a_receipt_proves_nothing
rows a_ticket_open_to_others_is_not_believed
finish
