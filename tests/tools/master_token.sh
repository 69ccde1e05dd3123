#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A state whose master of shared keys is in a token, SoftHSM 2 or shim.c in front of it, beside one that has
# the same master in a file: cards of the one open what the other sealed. What a token has that is no master is
# refused in words, and what fails half way says what it has cost.
#
# Faces: tools/master_token.c tools/pkcs11/master.c
# shellcheck disable=SC2016,SC2317 # the backquotes are the page's; reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

token=$KF_BUILD/tests/tools/token
[ -x "$token" ] || skip_all "$token is not built"
for p in softhsm2-util pkcs11-tool; do command -v $p >/dev/null || skip_all "needs $p"; done
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do [ ! -e "$module" ] || break; done
[ -e "$module" ] || skip_all "needs libsofthsm2"
desk keyferry keyferryd keyferry-broker keyferry-driver keyferry-vreader keyferry-pkcs11
mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir" >softhsm2.conf
SOFTHSM2_CONF=$dir/softhsm2.conf
export SOFTHSM2_CONF
pin=1234
echo $pin >pin
echo 9999 >wrong
echo 123456 >card.pin

tool() { pkcs11-tool --module "$module" --token-label hsm --login --pin $pin "$@"; }
# store LABEL FLAGS: the AES key on stdin
store() { "$token" secret "$module" hsm $pin "$1" "$2"; }
# shared STATE SERIAL FILE
shared() { kf server shared --state "$1" --serial "$2" -o "$3" --token-pin-fd 3 3<pin; }
# card NAME SERIAL KEYS
card() {
	"$bin/keyferry-vreader" personalise --state "$1" --serial "$2" --pin 123456 --puk 12345678 \
		--injector file/injector.pub.pem --shared-key "$3" &&
		for state in file hsm; do
			kf server enroll --state "$state" --cert "$1/card.pem" --root "$1/root.pem" --allow-virtual || return
		done
}
# into LABEL [OPTION...]: the state hsm has its master there
into() {
	label=$1
	shift
	kf server master --state hsm --pkcs11 "$module" --token hsm --label "$label" --pin-fd 3 "$@" 3<pin
}

# One state, twice: the same injector, cards and master, but the second will have it in its token.
{
	softhsm2-util --init-token --free --label hsm --pin $pin --so-pin 12345678 &&
		kf server init --state file &&
		kf server shared --state file --serial KF-F -o keys.file &&
		tr -d '\n' <file/master.key >hex &&
		store master gs <hex &&
		store loose gse <hex &&
		store silent s <hex &&
		store open ge <hex &&
		head -c 32 hex | store short gs &&
		openssl rand -hex 32 | store other gs &&
		openssl rand -hex 32 | store twice gs && openssl rand -hex 32 | store twice gs &&
		tool --keypairgen --key-type EC:prime256v1 --label ec --id 05 --sensitive &&
		cp -a file hsm &&
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem &&
		${CC:-cc} -shared -fPIC -o shim.so "$KF_SRC/tests/tools/shim.c" -lcrypto
} >setup 2>&1 || { cat setup; exit 1; }
KF_SHIM_MODULE=$module
KF_SHIM_LOG=$dir/log
export KF_SHIM_MODULE KF_SHIM_LOG

a_wrong_command_line_is_exit_code_2() {
	code 0 kf server master --help
	code 2 kf server master
	code 2 kf server master --state hsm --make
	code 2 kf server master --state hsm --token hsm
	code 2 kf server master --state hsm --pkcs11 "$module" --label master
	code 2 kf server master --state hsm --pkcs11 "$module" --token hsm
	code 2 kf server master --state hsm --pkcs11 "$module" --token hsm --label ''
	code 2 kf server master --state hsm --pkcs11 "$module" --token hsm --id 0g
}

the_state_says_where_its_master_is() {
	kf server init --state empty
	code 0 kf server master --state empty
	says '^master: none yet$'
	code 0 kf server master --state file
	says '^master: in the state$'
	says '^check:  [0-9a-f]\{32\}$'
	sed -n 's/^check:  //p' said >check
	! grep -qF "$(cat check)" hex || fail "that is a piece of it"
	echo words >words
	kf server init --state locked --passphrase-fd 3 3<words
	kf server shared --state locked --serial KF-L -o keys.locked --passphrase-fd 3 3<words
	code 0 kf server master --state locked --json
	says '"master": "in the state, encrypted"'
}

# what_is_no_master LABEL WORDS
what_is_no_master() {
	code 1 into "$1"
	says "$2"
	says '  rule: '
	says '  next: '
	[ -e hsm/master.key ] && [ ! -e hsm/master.json ]
}
a_key_that_is_no_master_is_refused() {
	what_is_no_master silent 'CKA_SIGN is false'
	what_is_no_master open 'CKA_SENSITIVE is false'
	what_is_no_master short 'the key has 16 bytes, and a master has 32'
	what_is_no_master ec 'the key is no AES key'
	what_is_no_master nothing 'no private or secret key "nothing"'
	what_is_no_master twice 'more than one private or secret key "twice"'
	code 1 kf server master --state hsm --pkcs11 "$module" --token other --label master --pin-fd 3 3<pin
	says 'no token called "other"'
	code 1 kf server master --state hsm --pkcs11 libsofthsm2.so --token hsm --label master --pin-fd 3 3<pin
	code 1 kf server master --state hsm --pkcs11 /nonexistent.so --token hsm --label master --pin-fd 3 3<pin
	says 'cannot be loaded'
	KF_SHIM=nocmac
	export KF_SHIM
	code 1 kf server master --state hsm --pkcs11 "$dir/shim.so" --token hsm --label master --pin-fd 3 3<pin
	says 'does no CMAC with AES'
	[ -e hsm/master.key ] && [ ! -e hsm/master.json ]
}

another_key_is_not_the_states_master() {
	what_is_no_master other "another master than the state's"
	code 1 into new --make
	says 'has a master already'
	! tool -O 2>/dev/null | grep -q 'label: *new' || fail "it was made"
}

the_pin_is_needed_and_judged() {
	code 5 setsid "$bin/keyferry" server master --state hsm --pkcs11 "$module" --token hsm --label master
	says 'no terminal to ask on'
	code 5 kf server master --state hsm --pkcs11 "$module" --token hsm --label master --pin-fd 3 3<wrong
	says 'the PIN is wrong'
	[ -e hsm/master.key ] && [ ! -e hsm/master.json ]
}

the_master_moves_into_the_token() {
	code 0 into loose
	says '^warning: this master can leave its token'
	[ ! -e hsm/master.key ]
	code 0 into master
	says '^master: in a token$'
	says "^check:  $(cat check)\$"
	! grep -q warning said || fail "$(cat said)"
	[ "$(stat -c %a hsm/master.json)" = 600 ]
	code 0 kf server master --state hsm --json
	says '"label": "master"'
	says '"token": "hsm"'
	code 1 into other
	says "another master than the state's"
	[ "$(find hsm -type f -exec grep -lF "$(head -c 16 hex)" {} +)" = '' ] || fail "a piece of it stays in the state"
}

the_keys_of_cards_are_the_same_from_both() {
	for serial in KF-F A ABCDEFGHIJKLMNOPQRSTUVWXYZ.-0123; do
		shared hsm "$serial" keys.there
		kf server shared --state file --serial "$serial" -o keys.here
		cmp keys.here keys.there || fail "other keys for $serial"
		[ "$(stat -c %a keys.there)" = 600 ]
		rm keys.here keys.there
	done
}

both_cards_are_there() {
	shared hsm KF-H keys.hsm
	card card-f KF-F keys.file
	card card-h KF-H keys.hsm
	for name in f h; do
		"$bin/keyferry-vreader" run --state "card-$name" --listen "$dir/$name.sock" >"$name.log" 2>&1 &
		echo $! >>pids
	done
	until_ok test -S f.sock
	until_ok test -S h.sock
	"$bin/keyferryd" --socket "$KEYFERRY_SOCKET" --virtual "$dir/f.sock" --virtual "$dir/h.sock" >daemon.log 2>&1 &
	echo $! >>pids
	until_ok kf card show --reader virtual:f
	until_ok kf card show --reader virtual:h
}

# offer STATE CARD OPTION...
offer() {
	to=$2
	code 0 kf challenge --state "$1" --device "KF-$(echo "$2" | tr fh FH)" -o challenge
	shift 2
	code 0 kf offer --reader "virtual:$to" --challenge challenge -o offer "$@"
}
seal() {
	from=$1
	shift
	kf seal --state "$from" --offer offer --key key.pem -o cargo --token-pin-fd 3 "$@" 3<pin
}
inject() { kf inject --reader "virtual:$1" cargo -o receipt --pin-fd 3 3<card.pin; }

# voyage STATE CARD METHOD CONTAINER
voyage() {
	offer "$1" "$2" --method "$3" --container "$4"
	code 0 seal "$1" --methods "$3"
	says "^method: *$3\$"
	code 0 inject "$2"
	code 0 kf receipt verify --state "$1" receipt
	says '^proved: *1 of 1'
}
what_the_token_sealed_a_card_of_the_file_opens() {
	voyage hsm f derived 1
	voyage hsm f shared 2
}
what_the_file_sealed_a_card_of_the_token_opens() {
	voyage file h derived 1
	voyage file h shared 2
}

# mark CARD METHOD: of the key there
mark() {
	offer hsm "$1" --method "$2" --container 7
	/usr/bin/python3 -IS -c '
import base64, json, sys
s = json.load(open(sys.argv[1]))["exchange_key"]
print(base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))[7:39].hex())' offer
}
shared_keys_are_injected_from_the_token() {
	old_shared=$(mark h shared)
	old_derived=$(mark h derived)
	offer hsm h --shared-keys
	code 5 kf seal shared --state hsm --offer offer -o cargo --token-pin-fd 3 3<wrong
	says 'the PIN is wrong'
	! grep -q 'spent' said || fail "the offer is spent: $(cat said)"
	code 0 kf seal shared --state hsm --offer offer -o cargo --token-pin-fd 3 --replace-shared "$old_shared" \
		--replace-derived "$old_derived" 3<pin
	code 0 inject h
	code 0 kf receipt verify --state hsm receipt
	says '^proved: *2 of 2'
	voyage file h derived 3
	voyage hsm h shared 4
}

# Who seals by another method needs no token and no PIN.
another_method_asks_for_no_token() {
	mv tokens away
	mkdir tokens
	offer hsm f --method ecdh --container 3
	code 0 setsid "$bin/keyferry" seal --state hsm --offer offer --key key.pem -o cargo
	code 0 inject f
	offer hsm f --method derived --container 4
	code 1 seal hsm --methods derived
	says 'no token called "hsm"'
	rm -rf tokens
	mv away tokens
	code 0 seal hsm --methods derived
	code 0 inject f
}

# A seal looks at the mark twice before it spends its nonce, and once behind it; each time takes three CMACs.
a_token_that_goes_says_what_it_cost() {
	KF_SHIM=none
	export KF_SHIM
	cp -a hsm/master.json kept
	code 0 kf server master --state hsm --pkcs11 "$dir/shim.so" --token hsm --label master --pin-fd 3 3<pin
	KF_SHIM=gone
	for at in 1 3 6; do
		KF_SHIM_AT=$at
		export KF_SHIM_AT
		offer hsm f --method derived --container 5
		rm -f cargo
		code 4 seal hsm --methods derived
		says 'the token has been removed'
		says '  next: put it back'
		! grep -q 'is spent' said || fail "$(cat said)"
	done
	KF_SHIM_AT=7
	code 4 seal hsm --methods derived
	says 'the token has been removed'
	says 'get a new offer: this one is spent'
	[ ! -e cargo ]
	cp -a kept hsm/master.json
}

another_key_by_the_same_name_is_found_out() {
	tool --delete-object --type secrkey --label master
	offer hsm f --method derived --container 5
	code 1 seal hsm --methods derived
	says 'no private or secret key "master"'
	openssl rand -hex 32 | store master gs
	code 1 seal hsm --methods derived
	says "not this state's master"
	code 1 shared hsm KF-X keys.x
	says "not this state's master"
	[ ! -e keys.x ]
	tool --delete-object --type secrkey --label master
	store master gs <hex
	code 0 seal hsm --methods derived
	code 0 inject f
}

# SoftHSM has it in the process it runs in, which is the control: keyferry-pkcs11, and not keyferry.
the_master_is_not_in_keyferrys_memory() {
	[ "$(id -u)" = 0 ] || skip "reading a process's memory takes root"
	! sanitized || skip "sanitizers map more memory than can be searched"
	KF_SHIM=none
	export KF_SHIM
	kf server master --state hsm --pkcs11 "$dir/shim.so" --token hsm --label master --pin-fd 3 3<pin
	offer hsm f --method derived --container 6
	: >log
	KF_SHIM=hold
	seal hsm --methods derived >held.said 2>&1 &
	held=$!
	n=0
	searched=0
	while kill -0 "$held" 2>/dev/null && [ "$n" -lt 600 ]; do
		n=$((n + 1))
		pid=$(sed -n '/^held/h; ${g;s/^held \([0-9a-f]*\) .*/\1/p;}' log 2>/dev/null || :)
		pid=$(printf '%d' "0x${pid:-0}")
		if [ "$pid" = 0 ] || ! grep -q '^State:.T' "/proc/$pid/status" 2>/dev/null; then
			sleep 0.05
			continue
		fi
		parent=$(sed -n 's/^PPid:.//p' "/proc/$pid/status")
		code 1 /usr/bin/python3 "$KF_SRC/tests/tools/has_bytes.py" "$parent" "$(cat hex)"
		code 0 /usr/bin/python3 "$KF_SRC/tests/tools/has_bytes.py" "$pid" "$(cat hex)"
		searched=$((searched + 1))
		kill -CONT "$pid"
		sleep 0.05
	done
	wait "$held" || fail "$(cat held.said)"
	[ "$searched" -ge 6 ] || fail "searched $searched times"
	cp -a kept hsm/master.json
}

a_master_is_made_in_the_token() {
	code 0 kf server master --state empty --pkcs11 "$module" --token hsm --label fresh --id 0a:0b --make --pin-fd 3 3<pin
	says '^key:    fresh, id 0a0b$'
	! grep -q warning said || fail "$(cat said)"
	tool -O --type secrkey 2>/dev/null | sed -n '/label: *fresh/,/Access/p' >made
	grep -q 'never extractable' made || fail "$(cat made)"
	! grep -Eq 'Usage:.*(encrypt|decrypt|wrap)' made || fail "$(cat made)"
	code 0 shared empty KF-1 keys.made
	kf server init --state again
	code 1 kf server master --state again --pkcs11 "$module" --token hsm --label fresh --make --pin-fd 3 3<pin
	says 'has a key of that name'
	# The same master serves another state, and gives the same keys.
	code 0 kf server master --state again --pkcs11 "$module" --token hsm --id 0A0B --pin-fd 3 3<pin
	says '^key:    id 0a0b$'
	code 0 shared again KF-1 keys.again
	cmp keys.made keys.again
}

# shim.c writes its log, a file of its own as a token of software has them, from inside the helper.
only_a_helper_that_makes_a_key_makes_files() {
	! "$KF_BUILD/tests/sandbox/landlock_test" | grep -q 'this kernel has no Landlock' || skip "no Landlock here"
	KF_SHIM=none
	export KF_SHIM
	kf server init --state files
	rm -f log
	code 0 kf server master --state files --pkcs11 "$dir/shim.so" --token hsm --label files --make --pin-fd 3 3<pin
	grep -q '^generated' log
	: >log
	code 0 shared files KF-1 keys.files
	# the check value's, and for each of two keys that again and two halves
	[ "$(grep -c '^signed' log)" = 7 ] || fail "$(cat log)"
	rm log keys.files
	code 0 shared files KF-1 keys.files
	[ ! -e log ]
}

# Its commands as they stand there; the PIN is what a reader types.
the_pages_example_runs() {
	kf server init --state doc
	sed -n '/^# A MASTER IN A TOKEN/,/^# OPTIONS/p' "$KF_SRC/docs/man/keyferry-server.1.scd" |
		sed -n '/^```/,/^```/{/^```/d;p}' >lines
	[ "$(wc -l <lines)" = 2 ] || fail "the page has $(wc -l <lines) commands"
	while read -r line; do
		case $line in *--pkcs11*) line="$line --pin-fd 3" ;; esac
		echo "$line" | sed "s#/usr/lib/softhsm/libsofthsm2.so#$module#; s/\bDIR\b/doc/" >now
		(PATH=$bin:$PATH && export PATH && sh ./now) 3<pin >said || fail "failed: $line"
		says '^master: in a token$'
	done <lines
}

plan 18
t a_wrong_command_line_is_exit_code_2
t the_state_says_where_its_master_is
t a_key_that_is_no_master_is_refused
t another_key_is_not_the_states_master
t the_pin_is_needed_and_judged
t the_master_moves_into_the_token
t the_keys_of_cards_are_the_same_from_both
t both_cards_are_there
pids="$pids $(cat pids 2>/dev/null)"
t what_the_token_sealed_a_card_of_the_file_opens
t what_the_file_sealed_a_card_of_the_token_opens
t shared_keys_are_injected_from_the_token
t another_method_asks_for_no_token
t a_token_that_goes_says_what_it_cost
t another_key_by_the_same_name_is_found_out
t the_master_is_not_in_keyferrys_memory
t a_master_is_made_in_the_token
t only_a_helper_that_makes_a_key_makes_files
t the_pages_example_runs
finish
