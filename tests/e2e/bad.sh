# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# shellcheck disable=SC2154 # from stage.sh
# shellcheck disable=SC2119,SC2120 # options are optional
# shellcheck disable=SC2015,SC3013 # A && B || C as meant; POSIX has test -nt since 2024, dash for long
#
# For the e2e scripts on bad input, after tests/ktap.sh and tests/e2e/stage.sh. Every row of them
# says the same four things: the exit status; that the error has its four parts, and the words in
# them; that nothing changed and no file was written; that the good file still works afterwards.
#
# Rows stand alone. before keeps the cards and the server as the test has prepared them, and a row
# that leaves anything else behind is followed by a return to that, so the next one starts from what
# it was written for, whatever the product did wrong. The test goes on, and fails at its end.
#
# There are hundreds of rows, and most of what one costs is the programs it starts. So one Python does
# all the editing, one awk judges the words of a whole test, and whether a row has touched anything is
# asked by test -nt: the product replaces files, so the folder of a changed one is newer. unchanged,
# behind the rows, looks at every file.
#
#	bad_up				stage_up, a standing exchange key and the editor
#	refused STATUS WHY [RULE [NEXT]] -- COMMAND...	the error; patterns are awk's
#	answers STATUS COMMAND...	the exit status, and that nothing changed
#	before				from here on nothing may change
#	in_sequence=1			rows that follow from each other: only a failed one is undone
#	may_change=1			rows that are refused too late, as documented
#	row_is=WORDS			which one of many alike, for the reader of a failure
#	rows TEST			t; if it fails, the next one starts from what keep base kept
#	edit IN OUT PYTHON		a JSON file with something changed: d is the object,
#					b(text) and t(bytes) are base64url, flip(text, bit) flips,
#					load(name) is another file; what it defines stays defined
#	python CODE			the same without a file
#	server / card COMMAND...	keyferry as that party
#	new_offer CONTAINER		challenge and offer, by a standing exchange key: quick
#	new_cargo CONTAINER [SEAL OPTIONS]
#	inject CARGO OUT		with the right PIN

# Reads IN, OUT and code, each ended by a NUL, and answers each three with a line.
edit_py='
import base64, json, os, sys, traceback
def b(s): return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))
def t(x): return base64.urlsafe_b64encode(x).decode().rstrip("=")
def flip(s, bit):
    x = bytearray(b(s))
    x[bit // 8] ^= 0x80 >> bit % 8
    return t(bytes(x))
def load(name): return json.load(open(name))
def save(d, name):
    if os.path.exists(name): os.unlink(name)
    with open(name, "w") as f: json.dump(d, f, indent=2)
def words():
    left = b""
    while got := sys.stdin.buffer.read1():
        *whole, left = (left + got).split(b"\0")
        yield from (w.decode() for w in whole)
w = words()
for name in w:
    out, code, answer = next(w), next(w), "edited"
    try:
        if name: d = load(name)
        exec(code, globals())
        if out: save(d, out)
    except Exception:
        traceback.print_exc()
        answer = "failed"
    print(answer, flush=True)
'
# The system one: others may be wrapped and slow.
python='/usr/bin/python3 -IS'
[ -x /usr/bin/python3 ] || python='python3 -IS'

editor_up() {
	mkfifo edit.in edit.out
	# shellcheck disable=SC2086 # a command and its options
	$python -c "$edit_py" <edit.in >edit.out &
	stage_pids="$stage_pids $!"
	exec 7>edit.in 8<edit.out
}

edit() {
	printf '%s\0%s\0%s\0' "$1" "$2" "$3" >&7
	read -r edited <&8 && [ "$edited" = edited ]
}
python() { edit '' '' "$1"; }

bad_up() {
	stage_up "$@"
	mkdir said keys
	editor_up
	make_exchange || stage_fail "no exchange key"
	as server keyferry server methods --state server --set rsa >mail/methods.log ||
		stage_fail "cannot set the methods"
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

wrong() {
	echo "row failed: $1${row_is:+ ($row_is)}"
	cat "said/$row_n.out" "said/$row_n.err"
	echo x >>failed
}

# row STATUS COMMAND...: whether a row's command ends so, and changes nothing
row_n=0
row() {
	want=$1 got=0
	shift
	row_n=$((row_n + 1))
	"$@" >"said/$row_n.out" 2>"said/$row_n.err" || got=$?
	[ "$got" = "$want" ] || wrong "exit status $got instead of $want: $*"
	if ! seems_untouched && [ -z "${may_change:-}" ]; then
		nothing_changed || wrong "something changed: $*"
		[ -n "${in_sequence:-}" ] && [ ! -s failed ] || rewind row
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
	[ ! -s "said/$row_n.out" ] || wrong "an error, and something on standard output"
	printf '%s\t%s\t%s\t%s\t%s\n' "$row_n" "$why" "$rule" "$next" "$* ${row_is:-}" >>said/wanted
}

# keyferry COMMAND: WHAT: WHY, then the rule, then what to do next; and that is all.
judge() {
	[ -s said/wanted ] || return 0
	awk -F '\t' '{
		file = "said/" $1 ".err"
		for (n = 0; (getline line[n + 1] < file) > 0;)
			n++
		close(file)
		if (n == 3 && line[1] ~ /^keyferry [a-z ]+: .+: ./ && line[1] ~ $2 &&
		    line[2] ~ /^  rule: ./ && line[2] ~ $3 && line[3] ~ /^  next: ./ && line[3] ~ $4)
			next
		print "row failed: not the four parts, or not these: " $5
		print "wanted: why " $2 ", rule " $3 ", next " $4
		for (i = 1; i <= n; i++)
			print line[i]
		print "x" >>"failed"
	}' said/wanted
	: >said/wanted
}

t_ends() {
	judge
	[ ! -s failed ] || fail "$(wc -l <failed) rows failed"
}

# --- what there was before ---

folders='card server'
socket_of() { [ "$1" = card ] && echo reader || echo "$1"; }

# Owners and modes count too: the states' own rules are about them.
print_of() {
	tar -c --sort=name --mtime=@0 --numeric-owner --exclude=lock "$@" | sha256sum
}

# folder_differs NAME FOLDER
folder_differs() {
	[ -f "kept/$1/$2.print" ] || (cd "kept/$1" && print_of "$2" >"$2.print")
	print_of "$2" | cmp -s "kept/$1/$2.print" -
	[ $? = 1 ]
}

# know_keys: keys/FOLDER is what the card in it says, asked again only if its state was written since
know_keys() {
	for folder in $folders; do
		[ "$folder" != server ] || continue
		[ -s "keys/$folder" ] && [ ! "$folder" -nt "keys/$folder" ] ||
			reader=$(socket_of "$folder") card container list --all --json \
				>"keys/$folder"
	done
}

# keep NAME: cards, server and mail as they are now
keep() {
	know_keys
	rm -rf "kept/$1"
	mkdir -p "kept/$1/mail"
	# shellcheck disable=SC2086 # a list
	cp -a $folders keys "kept/$1"
	[ "$1" = row ] || find mail -maxdepth 1 -type f ! -name '*.log' -exec cp -at "kept/$1/mail" {} +
	: >"kept/$1/stamp"
}

before() { keep row; }

# No folder is newer; and nothing that must not be written is there.
seems_untouched() {
	for place in $folders server/nonces server/nonces/used server/tickets server/devices; do
		[ ! "$place" -nt kept/row/stamp ] || return 1
	done
	for place in mail/nothing* server/nothing*; do
		[ ! -e "$place" ] || return 1
	done
}

# The same of each file, and its owner and mode.
untouched() {
	# shellcheck disable=SC2086 # a list of names
	[ -z "$(find $folders mail -name 'nothing*' -print -quit -o ! -path 'mail*' ! -name lock \
		-cnewer kept/row/stamp -print -quit)" ]
}

# A failed try costs a card one, and that is written down; what may not change are its keys.
nothing_changed() {
	! untouched || return 0
	! folder_differs row server || return 1
	know_keys
	for folder in $folders; do
		[ "$folder" != server ] && [ "keys/$folder" -nt kept/row/stamp ] || continue
		diff "kept/row/keys/$folder" "keys/$folder" || return 1
	done
	[ -z "$(find server mail -name 'nothing*')" ]
}

unchanged() { nothing_changed || fail "something changed"; }

# The service is started anew, too: to one that stays, a reader that is replaced this quickly has failed, and the
# next driver has to wait.
replug() {
	socket=$(socket_of "$1")
	stage_unplug "$1"
	rm -rf "$1"
	cp -a "$2" "$1"
	stage_reader "$1" "$socket"
	stage_service_anew
	reader=$socket card reader wait >mail/log
}

# rewind NAME: to what keep NAME has kept
rewind() {
	for folder in $folders; do
		# Of a card there is one file.
		[ "$folder" = server ] || [ "$folder" -nt "kept/$1/stamp" ] || continue
		folder_differs "$1" "$folder" || continue
		if [ "$folder" = server ]; then
			rm -rf server
			cp -a "kept/$1/server" server
		else
			replug "$folder" "kept/$1/$folder"
			cat "kept/$1/keys/$folder" >"keys/$folder"
		fi
	done
	find server mail -name 'nothing*' -delete
	: >"kept/$1/stamp"
}

rows() {
	: >failed
	: >said/wanted
	rows_failed=$ktap_failed ktap_failed=0
	t "$1"
	[ "$ktap_failed" = 0 ] || {
		rewind base
		cp -a kept/base/mail/* mail	# not the folder: it is everybody's
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
	server challenge --state server --device "${device:-$stage_serial}" -o mail/challenge \
		"$@" >mail/log
}

new_offer() {
	new_challenge
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
	seal mail/offer mail/cargo "$@" >mail/log
}

delete_key() { card_with_pin "$stage_pin" container delete "$1" >mail/log; }

make_key() {
	as server openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-out server/key.pem
}

# A second card of another maker, in no reader yet.
make_second_card() {
	mkdir -m 700 second
	[ "$(id -u)" != 0 ] || chown "$uid_service:$uid_service" second
	as service keyferry-vreader personalise --state second --serial KF-STAGE-0002 \
		--injector mail/injector.pub.pem --pin "$stage_pin" --puk "$stage_puk" >mail/log
	cp second/card.pem mail/second.pem
	cp second/root.pem mail/second-root.pem
	chmod 644 mail/second*.pem
}

# It, in a reader of its own; the server does not know it yet. Wants stage_readers=second.
second_card() {
	make_second_card
	stage_reader second second
	folders='card server second'
	reader=second card reader wait >mail/log
}
