#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# keyferry byok as a person types it, without card or service: what is wrapped opens in other programs,
# what others wrapped is told apart and put right, and what nobody should do is refused in words. Numbers in
# names are those of docs/byok.md 8.
#
# Faces: libserver/json/byok_blob.c
# shellcheck disable=SC2317 # reached through t
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/tools/desk.sh"

open=$KF_SRC/tests/tools/byok_open.py
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || skip_all "needs python3-cryptography"
desk keyferry

kid=https://card.vault.localhost:8443/keys/kek/051928341be67dcba03f0e04104d9047

byok() { kf byok "$@"; }
wrap() { byok wrap --insecure-unattested "$@"; }
# theirs FORMAT HASH MODE KEK FILE: as the receiver opens it
theirs() { /usr/bin/python3 "$open" "$1" "$2" "$3" "kek$4.key" "$5" >opened || fail "it does not open: $5"; }
same() { cmp "$1" opened || fail "something else is in it than $1"; }

{
	for n in 2048 3072 4096; do
		cp "$KF_SRC/tests/keys/rsa$n-b.pem" kek$n.key &&
			openssl pkey -in kek$n.key -pubout -out kek$n.pem
	done
	for c in P-256 P-384 P-521 secp256k1; do
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$c -out $c.pem &&
			openssl pkcs8 -topk8 -nocrypt -in $c.pem -outform DER -out $c.der
	done
	for n in 2048 3072 4096; do
		cp "$KF_SRC/tests/keys/rsa$n.pem" rsa$n.pem &&
			openssl pkcs8 -topk8 -nocrypt -in rsa$n.pem -outform DER -out rsa$n.der
	done
	for n in 16 24 32; do openssl rand -out aes$n $n; done
} >setup 2>&1 || { cat setup; exit 1; }

every_command_explains_itself() {
	for c in wrap inspect verify convert; do
		code 0 byok "$c" --help
		says "^usage: keyferry byok $c"
	done
	code 0 byok --help
	code 2 byok
	code 2 byok nonsense
}

a_wrong_command_line_is_exit_code_2() {
	set -- --kek kek2048.pem --kid "$kid" -o out
	code 2 byok wrap "$@" --key P-256.pem
	says 'whose is the KEK'
	code 2 wrap "$@"
	code 2 wrap "$@" --key P-256.pem --raw aes16
	code 2 wrap --kid "$kid" -o out --key P-256.pem
	code 2 wrap --kek kek2048.pem --kid "$kid" --key P-256.pem
	code 2 wrap "$@" --key P-256.pem --kek-fingerprint 00
	code 2 byok wrap "$@" --key P-256.pem --kek-fingerprint 00
	code 2 byok wrap "$@" --key P-256.pem --kek-attestation a
	code 2 wrap "$@" --key P-256.pem --root r
	code 2 wrap "$@" --key P-256.pem --format Azure
	code 2 wrap "$@" --key P-256.pem --hash md5
	code 2 byok convert x
	code 2 byok inspect
	[ ! -e out ]
}

byok_1_each_key_opens_under_each_kek() {
	for k in 2048 3072 4096; do
		for t in rsa2048 rsa3072 rsa4096; do
			code 0 wrap --kek "kek$k.pem" --kid "$kid" --key "$t.pem" -o out
			theirs azure sha1 hybrid "$k" out
			same "$t.der"
		done
	done
}

byok_2_each_curve_opens() {
	for c in P-256 P-384 P-521 secp256k1; do
		code 0 wrap --kek kek2048.pem --kid "$kid" --key "$c.pem" -o out
		theirs azure sha1 hybrid 2048 out
		same "$c.der"
		hash=$(openssl pkey -in "$c.pem" -pubout -outform DER | sha256sum | cut -d' ' -f1)
		says "^key: .*$hash\$"
	done
}

byok_3_aes_keys_open() {
	for n in 16 24 32; do
		code 0 wrap --kek kek4096.pem --kid "$kid" --raw "aes$n" -o out
		theirs azure sha1 hybrid 4096 out
		same "aes$n"
		check=$(head -c 16 /dev/zero | openssl enc -aes-$((n * 8))-ecb -nopad \
			-K "$(od -An -v -tx1 "aes$n" | tr -d ' \n')" | od -An -tx1 -N3 | tr -d ' \n')
		says "^key: *aes$((n * 8)), check value $check\$"
	done
	code 1 wrap --kek kek4096.pem --kid "$kid" --raw P-256.der -o bad
	says 'there are 138 bytes in it'
	[ ! -e bad ]
}

byok_6_openssl_opens_it_and_no_two_are_the_same() {
	code 0 wrap --kek kek3072.pem --format pkcs11 --key P-256.pem -o out
	code 0 wrap --kek kek3072.pem --format pkcs11 --key P-256.pem -o out2
	head -c 384 out >c1
	tail -c +385 out >c2
	openssl pkeyutl -decrypt -inkey kek3072.key -pkeyopt rsa_padding_mode:oaep -in c1 -out aes
	openssl enc -d -id-aes256-wrap-pad -iv A65959A6 -K "$(od -An -v -tx1 aes | tr -d ' \n')" \
		-in c2 -out opened
	same P-256.der
	! cmp -s out out2 || fail "twice the same"
	[ "$(od -An -v -w8 -tx1 out out2 | sort | uniq -d)" = '' ] || fail "a block twice"
}

# format hash mode kek key-option key plain
byok_53_each_receiver_opens_its_own() {
	while read -r form hash mode k option key plain; do
		set --
		[ "$hash" = - ] || set -- --hash "$hash"
		[ "$mode" = hybrid ] || set -- "$@" --direct
		# AWS has AES keys under OAEP alone without being told.
		[ "$form$option" != aws--raw ] || shift $#
		[ "$hash" != - ] || hash=sha256
		code 0 wrap --kek "kek$k.pem" --kid "$kid" --format "$form" "$option" "$key" -o out "$@"
		theirs "$form" "$hash" "$mode" "$k" out
		same "$plain"
	done <<-EOF2
		azure sha256 hybrid 2048 --key P-256.pem P-256.der
		azure sha384 hybrid 2048 --key P-256.pem P-256.der
		aws - hybrid 2048 --key rsa2048.pem rsa2048.der
		aws sha1 hybrid 4096 --key rsa4096.pem rsa4096.der
		aws - direct 3072 --raw aes32 aes32
		aws sha256 direct 2048 --key P-256.pem P-256.der
		gcp - hybrid 3072 --key rsa2048.pem rsa2048.der
		gcp sha1 hybrid 4096 --raw aes32 aes32
		gcp sha256 direct 4096 --raw aes32 aes32
		vault - hybrid 4096 --key rsa3072.pem rsa3072.der
		vault sha512 hybrid 4096 --raw aes16 aes16
		pkcs11 sha384 hybrid 2048 --key P-384.pem P-384.der
		pkcs11 sha1 direct 2048 --raw aes24 aes24
	EOF2
	code 1 wrap --kek kek2048.pem --format gcp --key P-256.pem -o bad
	says 'format gcp has no KEK of type rsa2048'
	code 1 wrap --kek kek2048.pem --format vault --key P-256.pem -o bad
	code 1 wrap --kek kek2048.pem --format aws --key P-521.pem --direct -o bad
	says '241 bytes long'
	[ ! -e bad ]
}

# As a person would: the hash of the DER, in any case and with colons.
nothing_is_wrapped_for_the_wrong_kek() {
	hash=$(openssl pkey -pubin -in kek2048.pem -outform DER | sha256sum | cut -d' ' -f1)
	colons=$(echo "$hash" | sed 's/../&:/g; s/:$//' | tr a-f A-F)
	code 0 byok wrap --kek kek2048.pem --kid "$kid" --key P-256.pem --kek-fingerprint "$hash" -o out
	says 'its fingerprint was given'
	code 0 byok wrap --kek kek2048.pem --kid "$kid" --key P-256.pem --kek-fingerprint "$colons" -o out
	code 1 byok wrap --kek kek3072.pem --kid "$kid" --key P-256.pem --kek-fingerprint "$hash" -o bad
	says 'its fingerprint is another one'
	says 'next: '
	[ ! -e bad ]
	code 0 wrap --kek kek2048.pem --kid "$kid" --key P-256.pem -o out
	says 'NOBODY VOUCHES FOR IT'
	says '^grade: *U$'
}

byok_52_what_is_no_kek_is_said() {
	openssl rsa -in kek2048.key -RSAPublicKey_out -out old.pem 2>/dev/null
	openssl req -x509 -key kek2048.key -subj /CN=x -out cert.pem 2>/dev/null
	openssl pkey -in P-256.pem -pubout -out ec.pem
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 2>/dev/null | openssl pkey -pubout -out short.pem
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_pubexp:3 2>/dev/null | openssl pkey -pubout -out three.pem
	while read -r file word; do
		code 1 wrap --kek "$file" --kid "$kid" --key P-256.pem -o bad
		says "$word"
		says '  rule: '
		says '  next: '
	done <<-EOF2
		old.pem PKCS #1
		cert.pem it is a certificate
		kek2048.key it is a private key
		ec.pem not an RSA key
		short.pem 1024 bits is too short
		three.pem exponent is too small
		aes16 no whole PEM block
	EOF2
	for bad in kek2048 http://v/keys/k https://v/keys/../k "$kid/"; do
		code 1 wrap --kek kek2048.pem --kid "$bad" --key P-256.pem -o bad
		says "identifier "
	done
	code 1 wrap --kek kek2048.pem --key P-256.pem -o bad
	says 'identifier is missing'
	[ ! -e bad ]
}

passphrases_are_needed_and_judged() {
	echo 'key words' >words
	echo 'other words' >wrong
	openssl pkcs8 -topk8 -in P-256.pem -passout file:words -out sealed.pem
	set -- --kek kek2048.pem --kid "$kid" --key sealed.pem
	code 5 setsid "$bin/keyferry" byok wrap --insecure-unattested "$@" -o bad
	says 'no terminal to ask on'
	code 5 wrap "$@" -o bad --passphrase-fd 3 3<wrong
	[ ! -e bad ]
	code 0 wrap "$@" -o out --passphrase-fd 3 3<words
	theirs azure sha1 hybrid 2048 out
	same P-256.der
}

the_result_is_told_for_programs_too() {
	code 0 wrap --kek kek2048.pem --kid "$kid" --key P-256.pem -o out --json
	/usr/bin/python3 -c 'import json, sys
o = json.load(open("said"))
assert o["file"] == "out" and o["key"]["key_type"] == "p256" and len(o["key"]["public_key_sha256"]) == 64
assert o["kek_trust"] == "none" and o["grade"] == "U" and o["hash"] == "sha1" and o["blob_bytes"] == 408
assert o["kid"].startswith("https://") and o["mode"] == "hybrid" and o["format"] == "azure"'
	code 1 wrap --kek old.pem --kid "$kid" --key P-256.pem -o bad --json
	/usr/bin/python3 -c 'import json; assert json.load(open("said"))["error"]["rule"]'
	wrap --kek kek2048.pem --kid "$kid" --key P-256.pem -o - >out
	theirs azure sha1 hybrid 2048 out
	same P-256.der
}

what_is_wrapped_is_told_without_opening_it() {
	wrap --kek kek2048.pem --kid "$kid" --key P-256.pem -o out >/dev/null
	code 0 byok inspect out
	says '^form: *\.byok file$'
	says "^kid: *$kid\$"
	says '^hash: *sha1$'
	says '^generator: *keyferry '
	says '^blob: *408 bytes'
	says '^kek 2048: *152 bytes behind the RSA part, as long as those of EC P-256'
	/usr/bin/python3 "$open" azure sha1 hybrid kek4096.key --make <rsa4096.der >theirs
	code 0 byok inspect theirs
	says '^kek 4096: .*RSA 4096'
	says 'byok_open.py; pyca'
	code 0 byok inspect --json theirs
	/usr/bin/python3 -c 'import json
o = json.load(open("said"))
assert o["in_form"] and o["blob_bytes"] == 2896 and o["keks"][2]["guesses"] == ["RSA 4096"], o'
	code 1 byok inspect P-256.pem
	says 'it is PEM'
	code 1 byok inspect /dev/null
	says 'it is empty'
}

byok_4_blobs_of_others_are_told() {
	aes=$(openssl rand -hex 32)
	/usr/bin/python3 -c "import sys; sys.stdout.buffer.write(bytes.fromhex('$aes'))" >k
	openssl pkeyutl -encrypt -pubin -inkey kek2048.pem -pkeyopt rsa_padding_mode:oaep -in k -out cli
	openssl enc -id-aes256-wrap-pad -iv A65959A6 -K "$aes" -in P-384.der >>cli
	code 0 byok inspect cli
	says '^form: *bare blob, binary'
	says '^kek 2048: .*EC P-384'
	code 0 byok convert cli --kid "$kid" --hash sha1 -o out
	theirs azure sha1 hybrid 2048 out
	same P-384.der
	code 1 byok convert cli --kid "$kid" -o bad
	says 'nothing says with which hash'
	code 1 byok convert cli --hash sha1 -o bad
	says 'identifier is missing'
	[ ! -e bad ]
}

# mended FILE WORD: inspect finds fault with FILE in this word, convert puts it right
mended() {
	code 1 byok inspect "$1"
	says "$2"
	code 0 byok convert "$1" -o mended
	says '^mended: '
	code 0 byok inspect mended
	theirs azure sha1 hybrid 2048 mended
	same P-256.der
}

byok_17_18_the_usual_mistakes_are_mended() {
	wrap --kek kek2048.pem --kid "$kid" --key P-256.pem -o out >/dev/null
	base64 out >bad1
	mended bad1 'base64 of a .byok file'
	base64 -w 0 out | tr '+/' '-_' | tr -d = >bad2
	mended bad2 'base64 of a .byok file'
	{ printf '\357\273\277'; cat out; } >bad3
	mended bad3 'byte order mark'
	sed '/ciphertext/y,-_,+/,' out >bad4
	grep -q '"ciphertext".*[+/]' bad4
	mended bad4 'standard base64'
	printf '{"key":{"kty":"EC-HSM","key_hsm":"%s"}}' "$(base64 -w 0 out)" >bad5
	mended bad5 'import request'
	sed 's/"dir"/"DIR"/' out >bad6
	mended bad6 'other letters'
	/usr/bin/python3 -c 'import json, sys; print(json.dumps(open("out").read()))' >bad7
	mended bad7 'JSON string'
	for f in bad1 bad2 bad3 bad4 bad5 bad6 bad7; do
		code 0 byok convert "$f" --json -o mended
		/usr/bin/python3 -c 'import json; assert json.load(open("said"))["mended"]'
	done
}

what_stands_behind_a_mark_is_bytes() {
	openssl rand 407 >behind
	{ printf '\357\273\277\000'; cat behind; } >marked
	{ printf '\000'; cat behind; } >bytes
	code 0 byok convert marked --format pkcs11 -o bare
	cmp bytes bare
	printf '\357\273\277\000' >marked
	code 1 byok convert marked --format pkcs11 -o bare2
	[ ! -e bare2 ]
}

a_blob_changes_its_clothes() {
	wrap --kek kek4096.pem --format vault --key P-256.pem -o v >/dev/null
	code 0 byok inspect v
	says 'bare blob in base64'
	code 0 byok convert v --format aws -o a
	theirs aws sha256 hybrid 4096 a
	same P-256.der
	od -An -v -tx1 a >h
	code 0 byok inspect h
	says 'bare blob in hexadecimal'
	code 0 byok convert h --format vault -o v2
	cmp v v2
	code 0 byok convert a --kid "$kid" --hash sha256 -o f
	grep -q RSA_AES_KEY_WRAP_256 f
	theirs azure sha256 hybrid 4096 f
	same P-256.der
	code 1 byok convert f --hash sha1 -o bad
	says 'the file says that its OAEP is with sha256'
	head -c 500 a >short
	code 1 byok inspect short
	says 'KeyTransferPackage'
	code 1 byok convert short --format aws -o bad
	[ ! -e bad ]
}

what_is_wrapped_is_verified_with_the_kek() {
	wrap --kek kek2048.pem --kid "$kid" --key P-256.pem -o out >/dev/null
	code 0 byok verify out --kek-private kek2048.key
	says "^key: *p256, public key $(openssl pkey -in P-256.pem -pubout -outform DER | sha256sum | cut -d' ' -f1)\$"
	code 0 byok verify out --kek-private kek2048.key --kid "$(echo "$kid" | tr '[:lower:]' '[:upper:]')" --type p256
	code 0 byok verify out --kek-private kek2048.key --kid "$kid"
	code 1 byok verify out --kek-private kek2048.key --kid "${kid%?}0"
	says 'it is for another KEK'
	code 1 byok verify out --kek-private kek2048.key --type p384
	says 'it is a key of type p256, not p384'
	code 1 byok verify out --kek-private kek4096.key
	says 'no blob under a KEK of 4096 bits'
	code 1 byok verify out --kek-private P-256.pem
	says 'not an RSA key'
	code 2 byok verify out
	code 2 byok verify out --kek-private kek2048.key --hash sha1
	/usr/bin/python3 "$open" azure sha256 hybrid kek2048.key --make <P-256.der >other
	code 1 byok verify other --kek-private kek2048.key
	says 'with SHA-256, and not with SHA-1'
	openssl rsa -in rsa2048.pem -traditional -outform DER -out old.der 2>/dev/null
	/usr/bin/python3 "$open" azure sha1 hybrid kek2048.key --make <old.der >other
	code 1 byok verify other --kek-private kek2048.key
	says 'PKCS #1'
	openssl ec -in P-256.pem -outform DER -out old.der 2>/dev/null
	/usr/bin/python3 "$open" azure sha1 hybrid kek2048.key --make <old.der >other
	code 1 byok verify other --kek-private kek2048.key
	says 'SEC 1'
	wrap --kek kek2048.pem --kid "$kid" --key P-256.pem --hash sha256 -o named >/dev/null
	code 1 byok verify named --kek-private kek2048.key
	says '--named-hashes takes it'
	code 0 byok verify named --kek-private kek2048.key --named-hashes
	wrap --kek kek2048.pem --format aws --raw aes32 -o direct >/dev/null
	code 0 byok verify direct --kek-private kek2048.key --format aws --direct
	says '^key: *aes256, check value '
}

# A process that dies leaves a core where it may: it has read the key and waits for the passphrase of it.
byok_45_a_process_with_a_key_leaves_no_core() {
	[ "$(id -u)" = 0 ] || skip "needs root to look at a process that nobody may look at"
	[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip "cores go to a program here"
	echo 'key words' >words
	openssl pkcs8 -topk8 -in P-256.pem -passout file:words -out sealed.pem
	mkdir cores
	/usr/bin/python3 - "$bin/keyferry" <<-'EOF'
		import os, resource, signal, subprocess, sys, time
		resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
		def die(argv, fd, ready):
		    p = subprocess.Popen(argv, pass_fds=[fd], cwd="cores", stdout=subprocess.DEVNULL)
		    for _ in range(200):
		        time.sleep(0.05)
		        if ready(p.pid): break
		    else: sys.exit("it does not wait")
		    os.kill(p.pid, signal.SIGQUIT)
		    return os.WCOREDUMP(os.waitpid(p.pid, 0)[1])
		r, w = os.pipe()
		def waits(pid): return "pipe" in open(f"/proc/{pid}/wchan").read() or open(f"/proc/{pid}/syscall").read().split()[:2] == ["0", hex(r)]
		if not die(["cat", f"/dev/fd/{r}"], r, lambda pid: True): sys.exit(77)
		here = os.getcwd()
		argv = [sys.argv[1], "byok", "wrap", "--insecure-unattested", "--kek", here + "/kek2048.pem", "--format", "pkcs11", "--key", here + "/sealed.pem", "-o", here + "/bad", "--passphrase-fd", str(r)]
		if die(argv, r, waits): sys.exit("it left a core")
	EOF
}

the_key_is_nowhere_else() {
	openssl pkey -in P-256.pem -text -noout | sed -n '/priv:/,/pub:/p' | tr -d ' :\n' |
		sed 's/priv//; s/pub//; s/^00//' >scalar
	[ "$(wc -c <scalar)" -ge 62 ]
	wrap --kek kek2048.pem --kid "$kid" --key P-256.pem -o out >said
	for f in out said; do
		! od -An -v -tx1 "$f" | tr -d ' \n' | grep -qF "$(cat scalar)" || fail "it is in $f"
		! grep -qF "$(cat scalar)" "$f" || fail "it is in $f"
	done
}

plan 19
t every_command_explains_itself
t a_wrong_command_line_is_exit_code_2
t byok_1_each_key_opens_under_each_kek
t byok_2_each_curve_opens
t byok_3_aes_keys_open
t byok_6_openssl_opens_it_and_no_two_are_the_same
t byok_53_each_receiver_opens_its_own
t nothing_is_wrapped_for_the_wrong_kek
t byok_52_what_is_no_kek_is_said
t passphrases_are_needed_and_judged
t the_result_is_told_for_programs_too
t what_is_wrapped_is_told_without_opening_it
t byok_4_blobs_of_others_are_told
t byok_17_18_the_usual_mistakes_are_mended
t what_stands_behind_a_mark_is_bytes
t a_blob_changes_its_clothes
t what_is_wrapped_is_verified_with_the_kek
t byok_45_a_process_with_a_key_leaves_no_core
t the_key_is_nowhere_else
finish
