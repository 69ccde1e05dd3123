#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Private keys that cannot be sealed, archives that may not be written, server states that are open to
# others: refused in words, before the nonce is spent.
# shellcheck disable=SC2034,SC2119,SC2154 # for and from stage.sh and bad.sh
. "${KF_SRC:=$(pwd)}/tests/ktap.sh"
. "$KF_SRC/tests/e2e/stage.sh"
. "$KF_SRC/tests/e2e/bad.sh"

bad_up

# in server/: readable by the server, written by us
as_server() { as server sh -c "$1"; }
key() { as_server "openssl genpkey -quiet $2 -out server/$1.key"; }
ec() { key "$1" "-algorithm EC -pkeyopt ec_paramgen_curve:$2"; }
# bend NAME BYTE ALGORITHM WHAT: key NAME-WHAT is key NAME with a bit of that byte from its end
# changed, which is one of WHAT
bend() {
	openssl pkey -in "server/$1.key" -outform DER -traditional -out bent.der 2>openssl.log
	python "
x = bytearray(open('bent.der', 'rb').read())
x[-$2] ^= 1
open('bent.der', 'wb').write(x)"
	{
		echo "-----BEGIN $3 PRIVATE KEY-----"
		base64 bent.der
		echo "-----END $3 PRIVATE KEY-----"
	} >bent.pem
	as server tee "server/$1-$4.key" <bent.pem >/dev/null
}

seal_key() {
	which=$1
	shift
	server seal --state server --offer mail/offer --key "server/$which.key" -o mail/nothing "$@"
}

good_seal() {
	unchanged
	rm -f mail/good
	server seal --state server --offer mail/offer --key server/p256.key -o mail/good "$@" >mail/log
}

prepare() {
	key rsa1024 '-algorithm RSA -pkeyopt rsa_keygen_bits:1024'
	stage_key rsa2048 server/rsa2048.key
	ec p256 P-256 && ec k1 secp256k1
	key ed25519 '-algorithm ED25519'
	as_server 'cat server/p256.key server/rsa2048.key >server/two.key
		echo words >server/words; echo other >server/other
		openssl pkcs8 -topk8 -in server/p256.key -passout file:server/words -out server/sealed.key
		openssl pkey -in server/p256.key -pubout -out server/public.key
		: >server/empty.key; head -c 70000 /dev/zero >server/long.key'
	for cert in good:rsa2048:keyEncipherment sign:rsa2048:digitalSignature \
		short:rsa1024:keyEncipherment root:rsa2048:keyCertSign ec:p256:keyEncipherment; do
		echo "$cert" | {
			IFS=: read -r name key usage
			as_server "openssl req -x509 -key server/$key.key -out server/$name.crt \
				-subj /CN=$name -days 30 -addext keyUsage=critical,$usage 2>/dev/null"
		}
	done
	as_server 'openssl req -new -key server/rsa2048.key -subj /CN=leaf \
		-addext keyUsage=critical,keyEncipherment -out server/leaf.csr 2>/dev/null
		openssl x509 -req -in server/leaf.csr -CA server/root.crt -CAkey server/rsa2048.key \
		-copy_extensions copy -days 30 -out server/leaf.crt 2>/dev/null
		openssl x509 -in server/good.crt -signkey server/rsa2048.key -days -1 \
		-out server/late.crt 2>/dev/null'
	new_offer 3
}

a_wrong_passphrase_is_refused() {
	before
	refused 5 'the passphrase does not open the private key' encrypted 'try again' -- \
		seal_key sealed --passphrase-fd 3 3<server/other
	refused 5 'there is no terminal to ask on' 'never arguments' '--passphrase-fd' -- \
		setsid_seal
	good_seal --passphrase-fd 3 3<server/words
	new_offer 3
}
setsid_seal() {
	as server setsid keyferry seal --state server --offer mail/offer --key server/sealed.key \
		-o mail/nothing
}

what_is_no_private_key_is_refused() {
	before
	refused 1 'there is no private key in it' PEM 'right file' -- seal_key public
	refused 1 'there is no private key in it' PEM 'right file' -- seal_key empty
	refused 1 'more than one private key' 'one key a file' 'one key' -- seal_key two
	refused 1 'longer than 65536 bytes' . 'right file' -- seal_key long
	refused 1 'No such file' 'file system' 'check the path' -- seal_key absent
	good_seal
	new_offer 3
}

a_key_the_card_cannot_hold_is_refused() {
	before
	for k in rsa1024 ed25519; do
		refused 1 'the card knows no key of this type or size' 'card-application.md 1.2' \
			'RSA 2048, 3072, 4096 or EC P-256' -- seal_key "$k"
	done
	refused 1 'type p256k comes into a card by unwrapping alone' 'card-application.md 1.2' \
		'keyferry byok wrap' -- seal_key k1
	refused 1 'key of type rsa2048 does not do that' 1.2 'RSA keys sign or decrypt' -- \
		seal_key rsa2048 --usage derive
	refused 1 'key of type p256 does not do that' 1.2 'EC keys sign or derive' -- \
		seal_key p256 --usage decrypt
	good_seal
	new_offer 3
}

a_key_whose_numbers_do_not_fit_is_refused() {
	bend rsa2048 1 RSA qinv
	bend rsa2048 700 RSA d
	bend p256 90 EC scalar
	before
	refused 1 'do not belong together' 'step 6' 'new key' -- seal_key rsa2048-d
	refused 1 'do not belong together' 'step 6' 'new key' -- seal_key rsa2048-qinv
	refused 1 'do not belong together' 'step 6' 'new key' -- seal_key p256-scalar
	good_seal
	new_offer 3
}

# archive CERT OPTIONS...: p256 with an archive that must not come to be
archive() {
	cert=$1
	shift
	seal_key p256 --usage derive --archive-cert "server/$cert.crt" \
		--archive-out server/nothing.p7m "$@"
}

an_archive_nobody_could_open_is_refused() {
	before
	refused 1 'key usage does not say keyEncipherment' 'archive recipient' 'addext' -- archive sign
	refused 1 'the certificate is not valid now' 'archive recipient' 'current' -- archive late
	refused 1 'not RSA of 2048 bits or more' 'archive recipient' 'RSA key of 3072' -- archive ec
	refused 1 'not RSA of 2048 bits or more' 'archive recipient' 'RSA key of 3072' -- archive short
	refused 1 'not self-signed and no root is given' 'archive recipient' '--archive-root' -- \
		archive leaf
	refused 1 'issuer certificate' 'path' . -- archive leaf --archive-root mail/root.pem
	refused 1 'cannot be read' 'X.509' 'right file' -- seal_key p256 --usage derive \
		--archive-cert server/public.key --archive-out server/nothing.p7m
	good_seal --usage derive --archive-cert server/leaf.crt --archive-root server/root.crt \
		--archive-out server/leaf.p7m
	new_offer 3
}

an_archive_is_neither_overwritten_nor_lost() {
	as_server 'echo mine >server/kept.p7m'
	before
	refused 1 'server/kept.p7m exists' 'never overwritten' 'another file' -- seal_key p256 \
		--usage derive --archive-cert server/good.crt --archive-out server/kept.p7m
	[ "$(cat server/kept.p7m)" = mine ]
	refused 1 'cannot write server/absent/nothing.p7m' 'durable' 'check the folder' -- seal_key \
		p256 --usage derive --archive-cert server/good.crt --archive-out server/absent/nothing.p7m
	refused 1 'only signs makes its signatures deniable' 'signing keys' '--archive-signing-key' -- \
		seal_key p256 --archive-cert server/good.crt --archive-out server/nothing.p7m
	good_seal --archive-cert server/good.crt --archive-out server/a.p7m --archive-signing-key
	as_server 'openssl cms -decrypt -inform DER -in server/a.p7m -inkey server/rsa2048.key |
		openssl pkey' | cmp - server/p256.key
	new_offer 3
}

a_cargo_that_cannot_be_written_is_told() {
	before
	# The nonce is spent by then, as documented: what was sealed may be anywhere.
	may_change=1
	refused 1 'No such file' 'file system' 'check the folder' -- server seal --state server \
		--offer mail/offer --key server/p256.key -o mail/absent/cargo
	may_change=
	before
	refused 1 'used before' 'spent once' 'new challenge' -- seal_key p256
	new_offer 3
	before
	good_seal
	new_offer 3
}

# What a power cut may leave: a spent nonce without a cargo, a copy without a cargo; never the other
# way round.
nonce_and_archive_are_on_the_disk_before_there_is_a_cargo() {
	command -v strace >/dev/null || skip "needs strace"
	before
	rm -f mail/good
	as server env ASAN_OPTIONS=detect_leaks=0 strace -qq -o server/trace \
		-e trace=openat,renameat,fsync keyferry seal --state server --offer mail/offer \
		--key server/p256.key --usage derive --archive-cert server/good.crt \
		--archive-out server/order.p7m -o mail/good >mail/log
	# Names are hidden, the process is not dumpable: the nonce is what is renamed, the copy and then
	# the cargo are what is made outside of the state.
	awk -F '[(, )]+' '
		/^renameat/ && !spent { spent = NR; used = $4 }
		/^fsync/ && spent && $2 == used { on_disk = NR }
		/^fsync/ && copy_fd && $2 == copy_fd { copy = NR; copy_fd = "" }
		/^openat\(AT_FDCWD.*O_DIRECTORY/ && copy { folder = $NF }
		/^fsync/ && folder && $2 == folder && !named { named = NR }
		/^openat\(AT_FDCWD.*O_EXCL/ { made++ }
		/^openat\(AT_FDCWD.*O_EXCL/ && made == 1 { copy_fd = $NF }
		/^openat\(AT_FDCWD.*O_EXCL/ && made == 2 { cargo = NR }
		END {
			print "spent", spent, "on disk", on_disk, "copy", copy, "named", named, "cargo", cargo
			exit !(spent && on_disk && copy && named && cargo > on_disk && cargo > named)
		}' server/trace || { cat server/trace && exit 1; }
	rm server/trace
	new_offer 3
}

private='server files are private'
a_state_open_to_others_is_refused() {
	chmod 755 server
	before
	refused 1 'directory server is open to others' "$private" 'chmod 700' -- seal_key p256
	refused 1 'directory server is open to others' "$private" 'chmod 700' -- \
		server challenge --state server --device "$stage_serial" -o mail/nothing
	refused 1 'directory server is open to others' "$private" 'chmod 700' -- \
		server server list --state server
	chmod 700 server
	chmod 640 server/injector.pem
	before
	refused 1 'file injector.pem is open to others' "$private" 'chmod 600' -- seal_key p256
	chmod 600 server/injector.pem
	for d in devices nonces nonces/used tickets; do
		chmod 750 "server/$d"
		before
		refused 1 "directory ${d##*/} is open to others" "$private" 'chmod 700' -- seal_key p256
		chmod 700 "server/$d"
	done
	mv server/injector.pem injector.kept
	as server ln -s ../injector.kept server/injector.pem
	before
	refused 1 'cannot open injector.pem' 'state directory' . -- seal_key p256
	rm server/injector.pem
	mv injector.kept server/injector.pem
	before
	good_seal
	new_offer 3
}

somebody_elses_state_is_refused() {
	[ "$(id -u)" = 0 ] || skip "needs root, to be several uids"
	before
	refused 1 'directory server is open to others or not ours' "$private" 'as its owner' -- \
		keyferry server list --state server
	refused 1 'Permission denied' 'state directory' 'permissions' -- \
		as client keyferry server list --state server/devices
	mkdir -m 700 mail/none
	chown "$uid_server" mail/none
	refused 1 'holds no keyferry state' . 'server init' -- server server list --state mail/none
	good_seal
}

plan 10
prepare >mail/log 2>&1 || stage_fail "cannot prepare keys"
keep base
rows a_wrong_passphrase_is_refused
rows what_is_no_private_key_is_refused
rows a_key_the_card_cannot_hold_is_refused
rows a_key_whose_numbers_do_not_fit_is_refused
rows an_archive_nobody_could_open_is_refused
rows an_archive_is_neither_overwritten_nor_lost
rows a_cargo_that_cannot_be_written_is_told
rows nonce_and_archive_are_on_the_disk_before_there_is_a_cargo
rows a_state_open_to_others_is_refused
rows somebody_elses_state_is_refused
finish
