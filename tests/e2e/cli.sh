#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command line as a whole: every command there is explains all of its options, in its --help as
# in its man page; refuses what it does not know with exit status 2; and speaks JSON under --json,
# in success and in failure. The list of commands is asked from keyferry itself.
# shellcheck disable=SC2013,SC2034,SC2119,SC2154,SC2317 # for and from stage.sh and bad.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

stage_up

# commands WORDS...: the commands below, one a line
commands() {
	for sub in $(keyferry "$@" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
		if keyferry "$@" "$sub" --help | grep -q ' COMMAND \[OPTION'; then
			commands "$@" "$sub"
		else
			echo "$@" "$sub"
		fi
	done
}

options_of() { keyferry "$@" --help | grep -o -- '--[a-z][a-z-]*' | sort -u; }

page_of() {
	case $1 in
	server | challenge | seal | receipt | channel | attestation) echo "$KF_SRC/docs/man/keyferry-$1.1.scd" ;;
	# A page of its own beside the one that has the options of all client commands.
	policy | doctor | byok) echo "$KF_SRC/docs/man/keyferry-$1.1.scd $KF_SRC/docs/man/keyferry.1.scd" ;;
	*) echo "$KF_SRC/docs/man/keyferry.1.scd" ;;
	esac
}

there_are_all_commands() {
	commands >mail/commands
	cat mail/commands
	[ "$(wc -l <mail/commands)" -ge 28 ]
	[ "$(sort -u mail/commands | wc -l)" = "$(wc -l <mail/commands)" ]
}

every_option_is_in_help_and_man_page() {
	while read -r words; do
		# shellcheck disable=SC2086 # words
		keyferry $words --help >mail/help
		[ -s mail/help ]
		grep -q "^usage: keyferry $words" mail/help
		grep -q '^Exit codes: ' mail/help
		# shellcheck disable=SC2086
		for option in $(options_of $words); do
			# keyferry(1) says it once for all.
			[ "$option" != --help ] || continue
			# shellcheck disable=SC2046 # one page or two
			grep -q -e "$option" $(page_of "${words%% *}") ||
				fail "$words $option is not in $(page_of "${words%% *}")"
		done
	done <mail/commands
}

# The other way round: what a page of one command promises is there.
every_option_of_the_man_page_is_there() {
	for page in challenge seal 'receipt verify' 'attestation verify'; do
		# shellcheck disable=SC2086
		for option in $(sed -n '/^# OPTIONS/,/^# EXIT/p' "$(page_of "${page%% *}")" |
			grep '^\*' | grep -o -- '--[a-z][a-z-]*' | sort -u); do
			options_of $page | grep -qx -e "$option" || fail "$page has no $option"
		done
	done
	while read -r words; do
		# shellcheck disable=SC2086
		options_of $words
	done <mail/commands | sort -u >mail/options
	for page in keyferry keyferry-server; do
		for option in $(grep -v '^\*keyferry' "$KF_SRC/docs/man/$page.1.scd" |
			grep -o -- '--[a-z][a-z-]*' | sort -u); do
			# The last two are keyferry-vreader's.
			case $option in --version | --injector | --shared-key) continue ;; esac
			grep -qx -e "$option" mail/options || fail "$page(1): nothing has $option"
		done
	done
}

unknown_options_and_words_are_exit_status_2() {
	while read -r words; do
		for wrong in --no-such-option '-%' 'one two three four'; do
			got=0
			# shellcheck disable=SC2086
			keyferry $words $wrong >mail/said.out 2>mail/said.err || got=$?
			[ "$got" = 2 ] || says_wrong "$words $wrong: exit status $got"
			grep -q -- '--help tells how' mail/said.err || says_wrong "$words $wrong"
			[ ! -s mail/said.out ] || says_wrong "$words $wrong: output"
		done
	done <mail/commands
	for program in keyferryd keyferry-broker keyferry-driver keyferry-vreader; do
		"$program" --help >mail/help
		[ -s mail/help ]
		got=0
		"$program" --no-such-option >/dev/null 2>&1 || got=$?
		[ "$got" = 2 ]
	done
}

# json STATUS COMMAND...: that status, and one JSON object with nothing else on either output
json() {
	want=$1 got=0
	shift
	"$@" >mail/said.out 2>mail/said.err || got=$?
	[ "$got" = "$want" ] || says_wrong "exit status $got instead of $want: $*"
	# shellcheck disable=SC2086
	$python -c 'import json, sys
d = json.load(open("mail/said.out"))
assert type(d) is dict
if int(sys.argv[1]):
    e = d["error"]
    assert set(e) == {"errno", "what", "why", "rule", "next"}
    assert type(e["errno"]) is int and e["errno"] > 0
    assert all(type(e[k]) is str and e[k] for k in ("what", "why", "rule", "next")), e
else:
    assert "error" not in d' "$want" 2>&1 || says_wrong "not one JSON object: $*"
	[ ! -s mail/said.err ] || says_wrong "something on standard error, too: $*"
}
# with the PIN
json_pin() {
	want=$1
	shift
	printf '%s\n' "$stage_pin" >mail/pin
	json "$want" card_fd "$@"
}
card_fd() { card "$@" --json --pin-fd 0 <mail/pin; }

a_whole_voyage_speaks_json() {
	make_key
	json 0 card reader list --json
	json 0 card reader wait --json
	json 0 card card show --json
	json 0 card status --json
	json 0 card clients --json
	json_pin 0 card pin verify
	json_pin 0 container create --type p256 --container 1
	json 0 card container show 1 --json
	json 0 card container list --json
	json_pin 0 key sign --container 1 -i mail/pin -o mail/signature
	json 0 server server list --state server --json
	json 0 server server show --state server --device "$stage_serial" --json
	json 0 server server dkek --state server --json
	json 0 server server dkek --state server --check-value 0011223344556677 --on-host --json
	json 0 server server methods --state server --json
	json 0 server server methods --state server --set ecdh,rsa --json
	json 0 server server shared --state server --serial OTHER -o server/keys --json
	json 0 server challenge --state server --device "$stage_serial" -o mail/challenge --json
	json 0 card offer --challenge mail/challenge --container 3 -o mail/offer --json
	json 0 server seal --state server --offer mail/offer --key server/key.pem -o mail/cargo --json
	json_pin 0 inject mail/cargo -o mail/receipt
	json 0 card inject mail/cargo -o mail/again --json
	json 0 server receipt verify --state server mail/receipt --json
	json_pin 0 container delete 1
	as server mkdir -m 700 server/more
	json 0 server server init --state server/more --json
	json 0 server server enroll --state server/more --cert mail/card.pem --root mail/root.pem \
		--allow-virtual --json
}

failures_speak_json_too() {
	json 4 as client keyferry --socket "$stage/none" --json reader list
	json 4 as client keyferry --reader virtual:none --json card show
	json 1 card container show 9 --json
	json_pin 1 container delete 9
	json_pin 1 key sign --container 9 -i mail/pin -o mail/nothing
	json 1 card offer --challenge mail/absent -o mail/nothing --json
	json_pin 1 inject mail/challenge -o mail/nothing
	json 1 server server init --state server --json
	json 1 server server enroll --state server --cert mail/pin --root mail/root.pem --json
	json 1 server server show --state server --device NOBODY --json
	json 1 server server forget --state server --device NOBODY --json
	json 1 server server dkek --state server --check-value none --on-host --json
	json 1 server attestation verify mail/cargo --state server --device NOBODY --json
	json 1 card container attest 3 -o mail/nothing --json
	grep -q 'this card vouches for no key' mail/said.out || says_wrong 'container attest'
	json 1 server server methods --state server --set rsa,rsa --json
	json 1 server server shared --state server --serial OTHER -o server/keys --json
	json 1 server server crl --state server --crl mail/pin --json
	json 1 server challenge --state server --device NOBODY -o mail/nothing --json
	json 1 server seal --state server --offer mail/offer --key server/key.pem -o mail/nothing --json
	json 1 server receipt verify --state server mail/cargo --json
	printf '000000\n' >mail/pin
	json 5 card_fd card pin verify
	[ -z "$(find mail -name 'nothing*')" ]
}

plan 6
t there_are_all_commands
t every_option_is_in_help_and_man_page
t every_option_of_the_man_page_is_there
t unknown_options_and_words_are_exit_status_2
t a_whole_voyage_speaks_json
t failures_speak_json_too
finish
