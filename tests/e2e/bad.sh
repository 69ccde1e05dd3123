# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# shellcheck disable=SC2154 # from stage.sh
# shellcheck disable=SC2119,SC2120 # options are optional
#
# For the e2e scripts on bad input, after tests/ktap.sh and tests/e2e/stage.sh. Every row of them
# says the same four things: the exit status; that the error has its four parts, and the words in
# them; that nothing changed and no file was written; that the good file still works afterwards.
#
# Rows stand alone. before keeps the cards and the server as the test has prepared them, and a row
# that leaves anything else behind is followed by a return to that, so the next one starts from what
# it was written for, whatever the product did wrong. The test goes on, and fails at its end.
#
#	refused STATUS WHY [RULE [NEXT]] -- COMMAND...	the error; patterns are awk's
#	answers STATUS COMMAND...	the exit status, and that nothing changed
#	before				from here on nothing may change
#	in_sequence=1			rows that follow from each other: only a failed one is undone
#	may_change=1			rows that are refused too late, as documented
#	rows TEST			t; if it fails, the next one starts from what keep base kept
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

wrong() {
	echo "row failed: $1"
	said
	echo x >>failed
}

# row STATUS COMMAND...: whether a row's command ends so, and changes nothing
row() {
	want=$1 got=0
	shift
	"$@" >mail/said.out 2>mail/said.err || got=$?
	[ "$got" = "$want" ] || wrong "exit status $got instead of $want: $*"
	if ! untouched && [ -z "${may_change:-}" ]; then
		nothing_changed || wrong "something changed: $*"
		[ -n "${in_sequence:-}" ] && [ ! -e failed ] || rewind row
	fi
	[ "$got" = "$want" ]
}

answers() { row "$@" || :; }

refused() {
	want=$1 why=$2 rule='' next=''
	shift 2
	[ "$1" = -- ] || { rule=$1 && shift; }
	[ "$1" = -- ] || { next=$1 && shift; }
	shift
	row "$want" "$@" || return 0
	# keyferry COMMAND: WHAT: WHY, then the rule, then what to do next; and that is all.
	awk -v why="$why" -v rule="$rule" -v next_="$next" '
		NR == 1 { ok = /^keyferry [a-z ]+: .+: ./ && $0 ~ why }
		NR == 2 { ok = ok && /^  rule: ./ && $0 ~ rule }
		NR == 3 { ok = ok && /^  next: ./ && $0 ~ next_ }
		END { exit !(ok && NR == 3) }' mail/said.err ||
		wrong "not the four parts, or not these: why $why, rule $rule, next $next"
	[ ! -s mail/said.out ] || wrong "an error, and something on standard output"
}

t_ends() {
	[ ! -e failed ] || fail "$(wc -l <failed) rows failed"
}

# --- what there was before ---

folders() { echo card server; [ ! -d second ] || echo second; }
socket_of() { [ "$1" = card ] && echo reader || echo "$1"; }

# Owners and modes count too: the states' own rules are about them.
print_of() {
	tar -c --sort=name --mtime=@0 --numeric-owner --exclude=lock "$@" | sha256sum
}

# folder_differs NAME FOLDER
folder_differs() { ! print_of "$2" | cmp -s "kept/$1/$2.print" -; }

# keys_in FOLDER: asked of the card, but only if its state is not the one they are known of
keys_in() {
	if [ -f kept/base/stamp ] && ! folder_differs base "$1"; then
		cat "kept/base/$1.keys"
	else
		reader=$(socket_of "$1") card container list --all --json
	fi
}

# keep NAME: cards, server and mail as they are now
keep() {
	rm -rf "kept/$1"
	mkdir -p "kept/$1/mail"
	for folder in $(folders); do
		cp -a "$folder" "kept/$1/"
		print_of "$folder" >"kept/$1/$folder.print"
		[ "$folder" = server ] || keys_in "$folder" >"kept/$1/$folder.keys"
	done
	find mail -maxdepth 1 -type f ! -name '*.log' -exec cp -a {} "kept/$1/mail/" \;
	touch "kept/$1/stamp"
}

before() { keep row; }

# Nothing was touched since; only then it is worth to look closer.
untouched() {
	# shellcheck disable=SC2046 # a list of names
	[ -z "$(find $(folders) mail -name 'nothing*' -print -quit -o ! -path 'mail*' ! -name lock \
		-cnewer kept/row/stamp -print -quit)" ]
}

# A failed try costs a card one, and that is written down; what may not change are its keys.
nothing_changed() {
	! untouched || return 0
	for folder in $(folders); do
		folder_differs row "$folder" || continue
		[ "$folder" != server ] || return 1
		keys_in "$folder" | diff "kept/row/$folder.keys" - || return 1
	done
	[ -z "$(find server mail -name 'nothing*')" ]
}

unchanged() { nothing_changed || fail "something changed"; }

# The broker is done with the old card before the new one comes, else that could pass for it.
replug() {
	socket=$(socket_of "$1")
	stage_unplug "$1"
	while card reader list | grep -q "^virtual:$socket .*KF-STAGE"; do :; done
	rm -rf "$1"
	cp -a "$2" "$1"
	stage_reader "$1" "$socket"
	reader=$socket card reader wait >mail/log
}

# rewind NAME: to what keep NAME has kept
rewind() {
	for folder in $(folders); do
		folder_differs "$1" "$folder" || continue
		if [ "$folder" = server ]; then
			rm -rf server
			cp -a "kept/$1/server" server
		else
			replug "$folder" "kept/$1/$folder"
		fi
	done
	find server mail -name 'nothing*' -delete
	touch "kept/$1/stamp"
}

rows() {
	rm -f failed
	rows_failed=$ktap_failed ktap_failed=0
	t "$1"
	[ "$ktap_failed" = 0 ] || {
		rewind base
		cp -a kept/base/mail/. mail/
	}
	ktap_failed=$((rows_failed | ktap_failed))
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
	stage_reader second second
	reader=second card reader wait >mail/log
}
