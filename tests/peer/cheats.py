# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cards that lie, in front of the project's server: it must find each of them out.

    cheats.py FUNCTION

Offers and receipts are made in memory; `keyferry seal` and `keyferry receipt verify` judge them."""

import json
import os
import ssl
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import formats
from card import Card, Key
from certificate import Maker
from der import tlv
from formats import EXCHANGE, GENERATED, RECEIPT, SIGNED_RECEIPT, STATEMENT, b64, unb64
from host import Host
from voyage import keyferry, new_key, read, write

REFUSED = 1
OTHER = ec.generate_private_key(ec.SECP256R1())
SERIAL = "PY-LIAR"


class QuickCard(Card):
    """Takes its EXCHANGE key from a file: RSA keys take long to make."""

    @staticmethod
    def new_key(kind, purpose, policy):
        return Key(new_key("rsa3072"), purpose, GENERATED, policy, exchange_id=os.urandom(16))


class Bench:
    """A card, and a fresh state of the project's server that knows it."""

    def __init__(self, state, level=formats.VIRTUAL, **certificate):
        keyferry("server", "init", "--state", state, socket=None)
        keyferry("server", "methods", "--state", state, "--set", "rsa", socket=None)
        self.state, self.maker, self.device = state, Maker(), ec.generate_private_key(ec.SECP256R1())
        with open(f"{state}/injector.pub.pem", "rb") as file:
            injector = serialization.load_pem_public_key(file.read())
        der = self.maker.certify(self.device.public_key(), SERIAL,
                                 **{"virtual": level == formats.VIRTUAL, **certificate})
        self.card = QuickCard(SERIAL, self.device, der, [injector])
        self.card.level = level
        self.host = Host(self.card)
        self.host.start()
        write("device.pem", ssl.DER_cert_to_PEM_cert(der))
        write("root.pem", self.maker.pem())
        write("key.pem", new_key("p256").private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def enroll(self, status=0):
        return keyferry("server", "enroll", "--state", self.state, "--cert", "device.pem",
                        "--root", "root.pem", "--allow-virtual", socket=None, status=status)

    def offer(self):
        keyferry("challenge", "--state", self.state, "--device", SERIAL, "-o", "challenge", socket=None)
        return json.loads(self.host.offer(read("challenge")))

    def seal(self, offer, status=0):
        write("offer", offer if isinstance(offer, str) else json.dumps(offer))
        if os.path.exists("cargo"):
            os.unlink("cargo")
        said = keyferry("seal", "--state", self.state, "--offer", "offer", "--key", "key.pem",
                        "-o", "cargo", socket=None, status=status)
        assert os.path.exists("cargo") == (status == 0), said
        return said

    def judge(self, receipt, status=0):
        write("receipt", receipt if isinstance(receipt, str) else json.dumps(receipt))
        return keyferry("receipt", "verify", "receipt", "--state", self.state, socket=None, status=status)


def restate(key, offer, signer=None, raw=lambda der: der, **fields):
    """The offer with other fields in its statement, signed anew, its JSON equal to it."""
    statement = STATEMENT.decode(unb64(offer["statement"]))
    statement.update(fields)
    der = raw(STATEMENT.write(statement))
    return offer | {
        "serial": statement["serial"], "container": statement["container"], "sid": b64(statement["sid"]),
        "nonce": b64(statement["nonce"]), "statement": b64(der),
        "signature": b64(formats.sign(signer or key, der))}


def swapped_exchange(bench):
    """The EXCHANGE key of somebody else beside the true statement."""
    other = formats.spki(rsa.generate_private_key(65537, 3072).public_key())
    yield bench.offer() | {"exchange_key": b64(other)}


def other_certificate(bench):
    """A genuine certificate of the same maker and serial, but not the enrolled one."""
    der = bench.maker.certify(OTHER.public_key(), SERIAL)
    yield bench.offer() | {"device_certificate": b64(der)}
    yield restate(OTHER, bench.offer() | {"device_certificate": b64(der)}, device=formats.sha256(der))


def other_signer(bench):
    yield restate(bench.device, bench.offer(), OTHER)
    offer = bench.offer()
    signature = bytearray(unb64(offer["signature"]))
    signature[-1] ^= 1
    yield offer | {"signature": b64(bytes(signature))}
    yield offer | {"signature": ""}


def wrong_facts(bench):
    """One field of the statement wrong, all signatures right."""
    h = bytes(32)
    for fields in (
            {"context": "keyferry/attest/v2"}, {"application": bytes(10)}, {"version": 2},
            {"level": formats.CHIP}, {"level": 3}, {"serial": "PY-TRUE"}, {"device": h}, {"exchange": h},
            {"exchangeType": 3}, {"exchangeType": 4}, {"purpose": formats.DECRYPT}, {"origin": 2},
            {"container": 16}, {"holds": h}, {"methods": [4]}, {"methods": []},
            {"keyTypes": [1, 2, 3]}, {"paddings": [1]}, {"suites": [2]}, {"suites": []},
            {"limits": {"item": 64, "items": 64, "tries": 5}},
            {"limits": {"item": 8192, "items": 0, "tries": 5}},
            {"injectors": [h]}, {"nonce": h}):
        yield restate(bench.device, bench.offer(), **fields)


def disagreeing_json(bench):
    offer = bench.offer()
    for fields in (
            {"serial": "PY-TRUE"}, {"container": 1}, {"sid": b64(bytes(16))}, {"nonce": b64(bytes(32))},
            {"method": "ecdh"}, {"format": "keyferry-cargo"}, {"version": 2}, {"note": "unknown member"},
            {"sid": offer["sid"] + "=="}, {"statement": " " + offer["statement"]}):
        yield offer | fields
    yield {name: value for name, value in offer.items() if name != "method"}
    yield json.dumps(offer)[:-1] + ', "version": 1}'


def loose_der(bench):
    """What DER forbids, signed."""
    for raw in (
            lambda der: der + b"\0",
            lambda der: der[:1] + b"\x83\0" + der[2:],
            lambda der: tlv(0x30, der[4:] + b"\x05\0"),
            # version 1 as 02 02 00 01
            lambda der: tlv(0x30, der[4:].replace(b"\2\1\1\x0a", b"\2\2\0\1\x0a", 1)),
            # an indefinite length
            lambda der: b"\x30\x80" + der[4:] + b"\0\0"):
        yield restate(bench.device, bench.offer(), raw=raw)


def offers(cheat):
    """Each is refused, whatever it does to its challenge; an honest offer is then sealed."""
    bench = Bench("liar-" + cheat)
    bench.enroll()
    for lie in globals()[cheat](bench):
        refused(bench.seal, lie)
    honest = bench.offer()
    bench.seal(honest)
    # The same offer again is a replay: its challenge is used up.
    refused(bench.seal, honest)


def refused(judge, lie):
    """In words, which become comments of the test."""
    print(" ".join(judge(lie, REFUSED).split()))


def receipts():
    """Receipts that lie in one field, or are of another item."""
    bench = Bench("liar-receipts")
    bench.enroll()
    bench.seal(bench.offer())
    earlier = json.loads(bench.host.inject(read("cargo")))
    bench.judge(earlier)
    write("key.pem", new_key("p256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    bench.host.must("80E40000")
    bench.seal(bench.offer())
    truth = json.loads(bench.host.inject(read("cargo")))
    entry = truth["receipts"][0]

    def with_receipt(der):
        return truth | {"receipts": [entry | {"receipt": b64(der)}]}

    def signed(fields, signer=bench.device, raw=lambda der: der):
        receipt = RECEIPT.decode(SIGNED_RECEIPT.decode(unb64(entry["receipt"]))["receipt"])
        der = raw(RECEIPT.write(receipt | fields))
        return with_receipt(SIGNED_RECEIPT.write({
            "receipt": der, "signature": formats.sign(signer, der)}))

    h = bytes(32)
    evidence = formats.spki(OTHER.public_key())
    for fields in (
            {"context": "keyferry/receipt/v2"}, {"version": 2}, {"device": h}, {"serial": "PY-TRUE"},
            {"sid": bytes(16)}, {"number": 2}, {"item": h}, {"function": 2}, {"method": 4},
            {"exchange": h}, {"container": 1}, {"pin": 0}, {"keyType": 5}, {"purpose": formats.DERIVE},
            {"policy": {"pinNeeded": False, "notAfter": 0}}, {"policy": {"pinNeeded": True, "notAfter": 1}},
            {"sender": b""}, {"sender": h}, {"result": 1}, {"evidence": evidence}):
        refused(bench.judge, signed(fields))
    refused(bench.judge, signed({}, OTHER))
    refused(bench.judge, signed({}, raw=lambda der: der + b"\0"))
    refused(bench.judge, with_receipt(unb64(entry["receipt"]) + b"\0"))
    # Receipts of another item, with and without the sid that it belongs to.
    refused(bench.judge, truth | {"receipts": earlier["receipts"]})
    refused(bench.judge, earlier | {"receipts": truth["receipts"]})
    for lie in (
            {"receipts": []}, {"receipts": [entry, entry]}, {"receipts": [entry | {"number": 2}]},
            {"serial": "PY-TRUE"}, {"sid": b64(bytes(16))}, {"version": 2}, {"note": 1}):
        refused(bench.judge, truth | lie)
    bench.judge(signed({}))
    assert "A-virtual" in bench.judge(truth)


def certificates():
    """formats.md 2: enrolment refuses what is no device certificate of that root."""
    for number, wrong in enumerate((
            {"days": -1 / 48}, {"signer": OTHER}, {"leave": 0}, {"leave": 1}, {"leave": 2},
            {"serials": 2}, {"serials": 0}, {"usage": b"\x06\xc0"}, {"critical": False},
            {"virtual_value": b"\x05\x01\x00"})):
        bench = Bench(f"liar-certificate{number}", **wrong)
        refused(lambda _, status: bench.enroll(status), wrong)


def chip():
    """A card that is no virtual one by its certificate has to say so in its statement."""
    bench = Bench("liar-chip", formats.CHIP)
    bench.enroll()
    offer = bench.offer()
    refused(bench.seal, restate(bench.device, offer, level=formats.VIRTUAL))
    bench.seal(bench.offer())
    said = bench.judge(bench.host.inject(read("cargo")))
    assert "A-virtual" not in said, said


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
