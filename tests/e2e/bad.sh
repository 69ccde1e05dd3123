# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# shellcheck disable=SC2154 # from stage.sh
# shellcheck disable=SC2119,SC2120 # options are optional
#
# For the e2e scripts on bad input, after tests/ktap.sh and tests/e2e/stage.sh. Every row of them
# says the same four things: the exit status; that the error has its four parts, and the words in
# them; that nothing changed and no file was written; that the good file still works afterwards.
#
#	refused STATUS WHY [RULE [NEXT]] -- COMMAND...	the error; patterns are awk's
#	before / unchanged		card and server, before and after; no file called nothing*
#	edit IN OUT PYTHON		a JSON file with something changed: d is the object,
#					b(text) and t(bytes) are base64url, flip(text, bit) flips
#	server / card COMMAND...	keyferry as that party
#	new_offer CONTAINER		challenge and offer, by a standing exchange key: quick
#	new_cargo CONTAINER [SEAL OPTIONS]
#	inject CARGO OUT		with the right PIN

edit_py='
import base64, json, sys
def b(s): return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))
def t(x): return base64.urlsafe_b64encode(x).decode().rstrip("=")
def flip(s, bit):
    x = bytearray(b(s))
    x[bit // 8] ^= 0x80 >> bit % 8
    return t(bytes(x))
def load(name): return json.load(open(name))
d = load(sys.argv[1])
exec(sys.argv[3])
json.dump(d, open(sys.argv[2], "w"), indent=2)
'
# The system one: others may be wrapped and slow.
python='/usr/bin/python3 -IS'
[ -x /usr/bin/python3 ] || python='python3 -IS'

edit() {
	rm -f "$2"
	# shellcheck disable=SC2086 # a command and its options
	$python -c "$edit_py" "$1" "$2" "$3"
}

server() { as server keyferry "$@"; }
card() { as client keyferry --reader "virtual:${reader:-reader}" "$@"; }

# card_with_pin PIN COMMAND...
card_with_pin() {
	pin=$1
	shift
	printf '%s\n' "$pin" | card "$@" --pin-fd 0
}

inject() { card_with_pin "$stage_pin" inject "$1" -o "$2"; }

said() {
	echo "--- it said:"
	cat mail/said.out mail/said.err mail/bit 2>/dev/null || :
}

# Not return: where refused is part of a condition, sh would go on.
says_wrong() {
	echo "$1"
	said
	exit 1
}

refused() {
	want=$1 why=$2 rule='' next=''
	shift 2
	[ "$1" = -- ] || { rule=$1 && shift; }
	[ "$1" = -- ] || { next=$1 && shift; }
	shift
	got=0
	"$@" >mail/said.out 2>mail/said.err || got=$?
	[ "$got" = "$want" ] || says_wrong "exit status $got instead of $want: $*"
	# keyferry COMMAND: WHAT: WHY, then the rule, then what to do next; and that is all.
	awk -v why="$why" -v rule="$rule" -v next_="$next" '
		NR == 1 { ok = /^keyferry [a-z ]+: .+: ./ && $0 ~ why }
		NR == 2 { ok = ok && /^  rule: ./ && $0 ~ rule }
		NR == 3 { ok = ok && /^  next: ./ && $0 ~ next_ }
		END { exit !(ok && NR == 3) }' mail/said.err ||
		says_wrong "not the four parts, or not these: why $why, rule $rule, next $next"
	[ ! -s mail/said.out ] || says_wrong "an error, and something on standard output"
}

# Everything that lasts: keys in the card; what the server has issued, spent, sealed and enrolled.
what_lasts() {
	card container list --all --json
	find server -type f ! -name lock ! -name '*.pem' -exec sha256sum {} + | sort
	find server mail -name 'nothing*'
}

before() { what_lasts >before.txt; }
unchanged() {
	what_lasts >after.txt
	diff before.txt after.txt || fail "something changed"
}

exchange_container=15
# Once: a standing exchange key, so that an offer does not have to wait for a fresh one.
make_exchange() {
	card_with_pin "$stage_pin" container create --type rsa3072 --usage exchange \
		--container "$exchange_container" >mail/exchange.log
}

new_challenge() {
	rm -f mail/challenge
	server challenge --state server --device "${device:-$stage_serial}" -o mail/challenge \
		"$@" >mail/log
}

new_offer() {
	new_challenge
	rm -f mail/offer
	card_with_pin "$stage_pin" offer --challenge mail/challenge --container "$1" \
		--exchange-container "$exchange_container" -o mail/offer >mail/log
}

seal() {
	offer=$1 out=$2
	shift 2
	server seal --state server --offer "$offer" --key server/key.pem -o "$out" "$@"
}

new_cargo() {
	container=$1
	shift
	new_offer "$container"
	rm -f mail/cargo
	seal mail/offer mail/cargo "$@" >mail/log
}

delete_key() { card_with_pin "$stage_pin" container delete "$1" >mail/log; }

make_key() {
	as server openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-out server/key.pem
}

# A second card of another maker, in a reader of its own; the server does not know it yet. Wants
# stage_readers=second.
second_card() {
	mkdir -m 700 second
	[ "$(id -u)" != 0 ] || chown "$uid_service:$uid_service" second
	as service keyferry-vreader personalise --state second --serial KF-STAGE-0002 \
		--injector mail/injector.pub.pem --pin "$stage_pin" --puk "$stage_puk" >mail/log
	cp second/card.pem mail/second.pem
	cp second/root.pem mail/second-root.pem
	chmod 644 mail/second*.pem
	as_background service keyferry-vreader run --state second --listen run/second.sock \
		>mail/second.log 2>&1
	reader=second card reader wait >mail/log
}
