#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whole injections of a P-256 key by each method, through the library and through the tool, broker, driver
# and virtual reader; what of their time is the card's own, taken in the card's process in the same run; and
# how often the server seals by each method on one processor, beside the bare OpenSSL operations of it.
#
#	KF_BENCH_VOYAGES	of each kind, 50 unless set; a tenth of them where the card makes an RSA key
#	KF_BENCH_SEALS		of each kind, 500 unless set
set -u

KF_SRC=${KF_SRC:-$(pwd)}
# shellcheck disable=SC2034 # stage.sh asks for it
stage_share=1
. "$KF_SRC/tests/e2e/stage.sh"
helpers=${KF_BUILD:?}/tests/bench
voyages=${KF_BENCH_VOYAGES:-50}
seals=${KF_BENCH_SEALS:-500}

# The reader that the stage started makes room for one that takes the time. It is named like it.
stage_up --level extended
stage_unplug card
KF_CARD_TIME=$stage/run/card-time
export KF_CARD_TIME
cp "$helpers/timed_vreader" bin/keyferry-vreader
stage_reader card reader --level extended
as client keyferry reader wait --reader virtual:reader >/dev/null || stage_fail "no card"

# Server and client are one program here, which takes the time of each.
cp -a server client/state
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client/key.pem
[ "$uid_here" != 0 ] || chown -R "$uid_client:$uid_client" client
echo "$stage_pin" | as client keyferry container create --type rsa3072 --usage exchange \
	--container 5 --pin-fd 0 >/dev/null || stage_fail "no standing key"

# injections METHOD EXCHANGE HOW-MANY
injections() {
	for way in library tool; do
		(
			cd client || exit 1
			as client "$helpers/inject_bench" "$way" "$KEYFERRY_SOCKET" "$KF_CARD_TIME" state \
				"$stage_serial" key.pem "$stage_pin" 3 "$@"
		) || stage_fail "inject $way $*"
	done
	cp client/offer "mail/offer-$1-$2"
}

# seals METHOD EXCHANGE
seals() {
	"$helpers/seal_bench" "$1" "$2" mail/card.pem mail/root.pem server/injector.pem server/master.key \
		"mail/offer-$1-$2" client/key.pem "$seals" || stage_fail "seal $*"
}

injections rsa rsa3072 $((voyages / 10 + 1))
injections rsa 5 "$voyages"
for exchange in p256 p384 x25519; do
	injections ecdh "$exchange" "$voyages"
done
injections derived - "$voyages"
injections shared - "$voyages"

seals rsa rsa3072
for exchange in p256 p384 x25519; do
	seals ecdh "$exchange"
done
seals derived -
seals shared -
