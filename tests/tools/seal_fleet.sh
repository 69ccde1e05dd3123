#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry seal --card schsm as a person types it: what it wraps, what it says a blob is not, and what it
# refuses. The card's half is tests/e2e's.
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

desk keyferry

{
	kf server init --state server &&
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem &&
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem &&
		openssl req -x509 -new -key ec.pem -subj /CN=key -out ec.crt &&
		openssl req -x509 -new -key other.pem -subj /CN=other -out other.crt &&
		head -c 32 /dev/urandom >dkek && head -c 24 /dev/urandom >aes &&
		head -c 31 /dev/urandom >short
} >setup 2>&1 || { cat setup; exit 1; }

wrap() {
	kf seal --card schsm --state server --dkek dkek --container 5 "$@"
}

the_command_explains_itself() {
	code 0 kf seal --card schsm --help
	says '^usage: keyferry seal --card schsm'
	says 'for ever'
}

a_wrong_command_line_is_exit_code_2() {
	code 2 wrap --card other --key ec.pem -o c
	code 2 wrap -o c
	code 2 wrap --key ec.pem --raw aes -o c
	code 2 wrap --key ec.pem
	code 2 kf seal --card schsm --state server --container 5 --key ec.pem -o c
	code 2 wrap --key ec.pem -o c --ops 3
	code 2 wrap --key ec.pem -o c --ops 30,
	code 2 wrap --key ec.pem -o c --ops 30:40
	code 2 wrap --raw aes -o c --usage sign
	code 2 wrap --key ec.pem -o c --archive-out a
	[ ! -e c ]
}

what_a_blob_is_not_is_said_each_time() {
	code 0 wrap --key ec.pem -o c
	says 'opens on every card with this DKEK, for ever, and is bound to nothing'
	says 'signs no receipt'
	says '^grade: *U'
	grep -q '"format": "keyferry-dkek-cargo"' c
	grep -q '"operation": "sign-ecdsa-sha256"' c
	code 0 wrap --raw aes -o c2 --json
	says '"bound_to_one_card": false'
	says '"policy_enforced": false'
	says '"key_type": "aes192"'
	code 0 wrap --key ec.pem -o c3 --dkek-on-host
	says '^grade: *C'
}

# The state signs nothing here, so nobody has to open its keys.
a_locked_state_is_good_enough() {
	echo 'injector words' >injector.pass
	kf server init --state locked --passphrase-fd 3 3<injector.pass >/dev/null
	code 0 setsid "$bin/keyferry" seal --card schsm --state locked --dkek dkek --container 5 --key ec.pem -o c10
	code 2 wrap --key ec.pem -o c11 --injector-passphrase-fd 3 3<injector.pass
}

what_was_said_of_a_dkek_once_is_remembered() {
	head -c 32 /dev/urandom >dkek2
	seal2() { kf seal --card schsm --state server --dkek dkek2 --container 5 --key ec.pem -o "$@"; }
	code 0 seal2 c12
	says '^grade: *U'
	check=$(sed -n 's/^DKEK: *//p' said)
	code 2 kf server dkek --state server --check-value "$check"
	code 2 kf server dkek --state server --on-host
	code 1 kf server dkek --state server --check-value "${check}0" --on-host
	says 'is none'
	code 0 kf server dkek --state server --check-value "$check" --complete
	says "^$check *U *0 *1 *0\$"
	code 0 seal2 c13
	says '^grade: *U'
	code 0 seal2 c14 --dkek-on-host
	says '^grade: *C'
	code 0 seal2 c15
	says '^grade: *C'
	code 0 kf server dkek --state server
	says "^$check *C *1 *1 *0\$"
	head -c 32 /dev/urandom >dkek2
	code 0 seal2 c16
	says '^grade: *U'
	check=$(sed -n 's/^DKEK: *//p' said | tr a-f A-F)
	code 0 kf server dkek --state server --check-value "$check" --on-host --json
	says '"grade": "C"'
	code 0 seal2 c17 --json
	says '"grade": "C"'
}

a_key_that_could_leave_takes_insisting() {
	code 1 wrap --key ec.pem -o c4 --ops any
	says 'rule: '
	says 'its list is empty'
	code 1 wrap --key ec.pem -o c4 --ops 70,92
	[ ! -e c4 ]
	code 0 wrap --key ec.pem -o c4 --ops 70,92 --allow-rewrap
	says 'may take the key out again'
}

a_certificate_is_of_its_key() {
	code 1 wrap --key ec.pem -o c5 --cert other.crt
	says 'of another key'
	code 0 wrap --key ec.pem -o c5 --cert ec.crt --name 'my key'
	grep -q '"certificate"' c5 && grep -q '"label": "my key"' c5
}

what_is_no_dkek_is_refused() {
	code 1 kf seal --card schsm --state server --dkek short --container 5 --key ec.pem -o c6
	says 'there are 31 bytes'
	code 1 kf seal --card schsm --state server --share dkek --share-password-fd 3 --container 5 \
		--key ec.pem -o c6 3<<-EOF
		words
	EOF
	says 'no share file'
	[ ! -e c6 ]
}

# The file is that of tests/format/schsm/dkek_share_test.c.
share_files_are_combined() {
	! sanitized || skip "60 million rounds of MD5 in one loop take the sanitizers too long"
	echo 'U2FsdGVkX18BAgMEBQYHCIo9HWzxXZgJAw+l+wbQeyL2sLlEb93MJcxNPcjxCkwdYpUJKaxymZ7UTFBD1gjX6g==' |
		openssl base64 -d -A >share
	code 0 kf seal --card schsm --state server --dkek dkek --share share --share-password-fd 3 --container 5 \
		--key ec.pem -o c7 3<<-EOF
		correct horse
	EOF
	says '^DKEK: *[0-9a-f]\{16\}$'
	code 5 kf seal --card schsm --state server --share share --share-password-fd 3 --container 5 \
		--key ec.pem -o c8 3<<-EOF
		wrong
	EOF
	says 'the password is wrong'
}

archives_are_kept_first_and_never_replaced() {
	cp "$KF_SRC/tests/keys/rsa2048.pem" rec.pem
	openssl req -x509 -key rec.pem -subj /CN=rec \
		-addext keyUsage=critical,keyEncipherment -out rec.crt 2>/dev/null
	code 1 wrap --key ec.pem -o c9 --archive-cert rec.crt --archive-out a9
	says 'deniable'
	[ ! -e a9 ]
	code 0 wrap --key ec.pem -o c9 --archive-cert rec.crt --archive-out a9 --archive-signing-key
	openssl cms -decrypt -inform DER -in a9 -inkey rec.pem | grep -q 'keyferry-archive: 1'
	code 1 wrap --key ec.pem -o c9 --archive-cert rec.crt --archive-out a9 --archive-signing-key
	says 'never overwritten'
}

plan 10
t the_command_explains_itself
t a_wrong_command_line_is_exit_code_2
t what_a_blob_is_not_is_said_each_time
t a_locked_state_is_good_enough
t what_was_said_of_a_dkek_once_is_remembered
t a_key_that_could_leave_takes_insisting
t a_certificate_is_of_its_key
t what_is_no_dkek_is_refused
t share_files_are_combined
t archives_are_kept_first_and_never_replaced
finish
