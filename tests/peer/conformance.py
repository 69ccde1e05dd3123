# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/card-application.md command by command, the same for either card.

    conformance.py FUNCTION memory|CARD

A CARD is one of the project's, fresh from personalisation in the directory CARD, in a reader at
CARD.sock; each function leaves it as it was. The card for open_import knows no injector, that for
by_shared_keys has SHARED keys of the master in the file master. The expected status words are the page's."""

import json
import ssl
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

import formats
from card import Card
from certificate import Maker
from der import Reader as Objects, take_all, tlv
from formats import (AES_256, AID, AUTHENTICATE, BATCH, BY_SHARED_KEY, CHANGE, METHOD_DERIVED, METHOD_ECDH, METHOD_RSA,
                     METHOD_SHARED, PINS, PIN_MARK, SIGNED_STATEMENT, STATEMENT, X25519, sha256)
from host import Host, Reader
from server import Order, Server
from voyage import BAD, injector, new_key, read

PIN, PUK, OTHER_PIN = b"123456", b"12345678", b"abcdefgh"
failures = []


class Tester(Host):
    def __init__(self, where, injectors, master=None):
        self.server = Server()
        self.server.injector = injector()
        # RSA 2048 is quick to make, and what keys a server trusts is not the matter here.
        self.server.exchange_types = (1, 4, 5, X25519, AES_256)
        self.server.master = master
        if where == "memory":
            maker, device = Maker(), ec.generate_private_key(ec.SECP256R1())
            certificate = maker.certify(device.public_key(), "PY-RAW")
            shared = {m: formats.card_key(master, m, "PY-RAW") for m in BY_SHARED_KEY} if master else {}
            super().__init__(Card("PY-RAW", device, certificate, injectors, shared=shared))
            self.power, root = self.card.reset, maker.root
        else:
            super().__init__(Reader(where + ".sock"))
            self.power = self.card.power
            certificate = ssl.PEM_cert_to_DER_cert(read(f"{where}/card.pem"))
            root = x509.load_pem_x509_certificate(read(f"{where}/root.pem").encode())
        self.certificate = certificate
        self.server.enroll(certificate, root)
        self.serial = next(iter(self.server.devices))

    def accepted(self, container, kind=1, method=METHOD_RSA):
        self.server.methods = (method,)
        return self.server.accept(self.offer(self.server.challenge(self.serial), container, kind, method))

    def expect(self, sw, head, data=b"", le=65536, answer=None):
        got, out = self.send(head, data, le)
        self.compare(f"{head} | {data[:24].hex()} | Le {le}", (sw, answer), (got, out))
        return out

    def expect_raw(self, answer, apdu):
        """The answer to one APDU, given in hex, as it is."""
        self.compare(apdu, (answer.lower(), None), (self.card.process(bytes.fromhex(apdu)).hex(), None))

    @staticmethod
    def compare(what, want, got):
        if want[0] != got[0] or want[1] not in (None, got[1]):
            shown = [f"{x:04X}" if isinstance(x, int) else x for x in (got[0], want[0])]
            failures.append(f"{what}: {shown[0]}, not {shown[1]}")
            if want[1] is not None and got[1] is not None and want[1] != got[1]:
                failures.append(f"   {got[1].hex()}, not {want[1].hex()}")


def transport(t):
    """2, 4.1 and 4.10."""
    t.power()
    for sw, head in (
            # CLA comes before INS, and INS before the selection
            (0x6881, "40CA0100"), (0x6881, "7FCA0100"), (0x6881, "01CA0100"), (0x6881, "03CA0100"),
            (0x6882, "0CCA0100"), (0x6882, "04CA0100"), (0x6882, "08CA0100"), (0x6882, "84500000"),
            (0x6881, "81500000"), (0x6E00, "20CA0100"), (0x6E00, "A0500000"), (0x6E00, "C0CA0100"),
            (0x6E00, "FFCA0100"), (0x6D00, "00FF0000"), (0x6D00, "80CA0100"), (0x6D00, "00500000"),
            (0x6985, "00CA0100"), (0x6985, "00CAFFFF"), (0x6985, "80500000"), (0x6985, "00C00000"),
            (0x6A86, "00A40000"), (0x6A86, "00A40401")):
        t.expect(sw, head)
    t.expect(0x6A82, "00A40400", bytes(10))
    t.expect(0x6985, "00CA0100")
    t.expect(0x6A82, "00A40400", AID[:8])
    t.expect(0x6A82, "00A40400", AID + b"\1")
    t.expect(0x9000, "00A4040C", AID, None, b"")
    t.expect(0x9000, "00A40400", AID[:9], answer=tlv(0x6F, tlv(0x84, AID)))
    t.expect(0x6A82, "00A40400", bytes(10))
    t.expect(0x9000, "00CA0101", answer=t.certificate)

    # Ne bytes at a time
    whole = t.certificate + b"\x90\x00"
    rest = len(t.certificate) - 16
    t.expect_raw("61" + ("00" if len(t.certificate) > 255 else f"{len(t.certificate):02x}"), "00CA0101")
    t.expect_raw("61" + ("00" if len(t.certificate) > 255 else f"{len(t.certificate):02x}"), "00CA0101")
    t.expect_raw(whole[:16].hex() + f"61{rest if rest < 256 else 0:02x}", "00CA010110")
    t.expect_raw(whole[16:32].hex() + f"61{rest - 16 if rest - 16 < 256 else 0:02x}", "00C0000010")
    t.expect_raw("6d00", "00FF0000")
    t.expect_raw("6985", "00C0000000")
    t.expect_raw("6700", "00C00000")
    t.expect_raw(whole.hex(), "00CA0101000000")

    # Lengths that fit no case
    for apdu in ("00CA01000501", "00CA01000000", "00CA01000100", "00CA010002000000",
                 "00CA010000000000", "00CA0100000002000000", "00CA01"):
        t.expect_raw("6700", apdu)

    # Chaining: SELECT in three parts; a command in the middle; 8192 bytes and one more
    t.power()
    t.compare("chained SELECT", (0x9000, None), (t.chained("00A40400", AID, 4)[0], None))
    t.expect_raw("9000", "10A4040004F06B6579")
    t.expect(0x9000, "00CA0101", answer=t.certificate)
    t.expect_raw("6a82", "00A404000666657272790100")
    nonce = tlv(0x80, bytes(32))
    t.compare("chained OFFER", (0x6A80, None), (t.chained("80500000", nonce + bytes(8192 - len(nonce)))[0], None))
    t.compare("chained OFFER", (0x6700, None), (t.chained("80500000", nonce + bytes(8193 - len(nonce)))[0], None))
    t.expect(0x6700, "80500000", bytes(8193))

    # GET CHALLENGE
    for sw, le in ((0x6700, None), (0x9000, 1), (0x9000, 256), (0x6700, 257), (0x6700, 65536)):
        assert len(t.expect(sw, "00840000", le=le)) == (le if sw == 0x9000 else 0)
    t.expect(0x6700, "00840000", b"\0", 8)
    t.expect(0x6A86, "00840001", le=8)


KEK_TYPES, KEK_HASHES = bytes([1, 2, 3, 4, 5, 6, 8, 9, 10, 13]), bytes([1, 2, 3, 4])


def without_keks(info):
    """E1 may go on after 8E: 8F and 90, all of section 7 or nothing of it; 91; 92, more functions than 01: with AES keys or without."""
    for functions in b"\1\2\3\4", b"\1\2\3":
        info = info.removesuffix(tlv(0x92, functions))
    keks = tlv(0x8F, KEK_TYPES) + tlv(0x90, KEK_HASHES)
    kinds = tlv(0x91, bytes([1, 2, 3, 4, 5, 7]))
    info = info.removesuffix(kinds)
    return info[:-len(keks)] if info.endswith(keks) else info


def information(t):
    """4.2."""
    t.expect(0x9000, "00A40400", AID)
    info = t.expect(0x9000, "00CA0100")
    values = take_all(without_keks(*take_all(info, 0xE1)), *range(0x80, 0x8F))
    want = [
        b"\1", t.serial.encode(), b"\2", b"\2\4", bytes(range(1, 7)), None, b"\2", b"\1", b"\x10",
        (4096).to_bytes(2, "big"), (8192).to_bytes(2, "big"), (8192).to_bytes(2, "big"), b"\x08", b"\x04",
        sha256(formats.spki(t.server.injector.public_key()))]
    for tag, (value, wanted) in enumerate(zip(values, want), 0x80):
        t.compare(f"E1 {tag:02x}", (0, value if wanted is None else wanted), (0, value))
    t.compare("algorithms", (0, sorted(bytes.fromhex("1112132122233132334151525354 61"))), (0, sorted(values[5])))
    t.expect(0x9000, "00CA0102", answer=bytes.fromhex("E20A 8103030300 8203080800"))
    t.expect(0x9000, "00CA0110", answer=bytes.fromhex("E303800100"))
    t.expect(0x6A88, "00CA012F")
    for head in ("00CA0103", "00CA0140", "00CA0000", "00CA0200"):
        t.expect(0x6A86, head)
    t.expect(0x6700, "00CA0100", b"\0")


def pin(t):
    """4.4 to 4.6."""
    t.expect(0x9000, "00A40400", AID)
    t.expect(0x63C3, "00200081")
    t.expect(0x63C2, "00200081", b"wrong!")
    t.expect(0x63C1, "00200081", bytes(200))
    t.expect(0x9000, "00200081", PIN)
    t.expect(0x9000, "00200081")
    t.expect(0x9000, "00CA0102", answer=bytes.fromhex("E20A 8103030301 8203080800"))
    t.expect(0x63C2, "00200081", b"1")
    t.expect(0x63C2, "00200081")
    t.expect(0x9000, "00200081", PIN)
    t.expect(0x6700, "0020FF81", b"\0")
    t.expect(0x9000, "0020FF81")
    t.expect(0x63C3, "00200081")
    for head in ("00200082", "00200080", "00200181", "00240083", "00240181", "002C0082", "002C0181"):
        t.expect(0x6A86, head)

    change = lambda old, new: tlv(0x80, old) + tlv(0x81, new)
    for bad in (b"123", bytes(33)):
        t.expect(0x6A80, "00240081", change(PIN, bad))
        t.expect(0x6A80, "00240081", change(b"wrong!", bad))
        t.expect(0x6A80, "002C0081", change(PUK, bad))
    for bad in (b"", tlv(0x80, PIN), tlv(0x81, PIN) + tlv(0x80, PIN), change(PIN, PIN) + b"\0",
                b"\x80\x81\x06" + PIN + tlv(0x81, PIN)):
        t.expect(0x6A80, "00240081", bad)
    t.expect(0x63C3, "00200081")
    t.expect(0x63C2, "00240081", change(b"wrong!", OTHER_PIN))
    t.expect(0x9000, "00240081", change(PIN, OTHER_PIN))
    t.expect(0x9000, "00200081")
    t.expect(0x63C2, "00200081", PIN)
    t.expect(0x9000, "00240081", change(OTHER_PIN, PIN))
    t.expect(0x63C7, "00240082", change(b"wrong!", PUK))
    t.expect(0x9000, "00200081")
    t.expect(0x9000, "00240082", change(PUK, PUK + b"9"))
    t.expect(0x9000, "00240082", change(PUK + b"9", PUK))
    for sw in (0x63C2, 0x63C1, 0x63C0, 0x6983, 0x6983):
        t.expect(sw, "00200081", b"wrong!")
    t.expect(0x6983, "00200081", PIN)
    t.expect(0x6983, "00200081")
    t.expect(0x6983, "00240081", change(PIN, PIN))
    t.expect(0x63C7, "002C0081", change(b"wrong!", PIN))
    t.expect(0x9000, "002C0081", change(PUK, PIN))
    t.expect(0x63C3, "00200081")
    # SELECT and reset end the verified state
    for again in (lambda: None, t.power):
        t.expect(0x9000, "00200081", PIN)
        again()
        t.expect(0x9000, "00A40400", AID)
        t.expect(0x63C3, "00200081")


def generate(t, container, kind, purpose, policy=1, sw=0x9000):
    return t.expect(sw, f"004780{container:02x}", bytes([0x80, 1, kind, 0x81, 1, purpose, 0x82, 1, policy]))


def containers(t):
    """4.2, 4.3, 4.7 and 5.7."""
    t.expect(0x9000, "00A40400", AID)
    generate(t, 1, 4, 6, sw=0x6982)
    t.expect(0x6A88, "80E40001")
    t.expect(0x9000, "00200081", PIN)
    for kind, purpose, policy in ((4, 7, 1), (1, 8, 1), (6, 2, 1), (4, 1, 1), (7, 8, 1), (0, 6, 1), (4, 6, 2),
                                  (4, 6, 0x81), (1, 9, 0)):
        generate(t, 1, kind, purpose, policy, 0x6A80)
    t.expect(0x6A80, "00478001", bytes.fromhex("810106 800104 820101"))
    t.expect(0x6A86, "00470001", bytes.fromhex("800104 810106 820101"))
    t.expect(0x6985, "00DB0121", b"\x30\0")

    made = generate(t, 1, 4, 6)
    point, = take_all(*take_all(made, 0x7F49), 0x86)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    generate(t, 1, 4, 6, sw=0x6985)
    spki = formats.spki(public)

    def shown(used=0, certificate=0):
        return tlv(0xE3, bytes.fromhex("800101 810104 820106 830101 840101"), tlv(0x85, spki), b"\x86\1", bytes([used]),
                   b"\x87\2", certificate.to_bytes(2, "big"), b"\x88\x08", bytes(8))

    t.expect(0x9000, "00CA0111", answer=shown())
    longest = tlv(0x30, bytes(4092))
    for bad in (b"\x31\0", b"\x30\0\0", tlv(0x30, bytes(4093)), b"\x30\x80\0\0", b"\x30\x81\1\0"):
        t.expect(0x6A80, "00DB0121", bad)
    t.expect(0x9000, "00DB0121", longest)
    t.expect(0x9000, "00CA0121", answer=longest)
    t.expect(0x9000, "00CA0111", answer=shown(certificate=4096))
    t.expect(0x9000, "00DB0121")
    t.expect(0x6A88, "00CA0121")
    t.expect(0x9000, "0020FF81")
    t.expect(0x6982, "00DB0121", b"\x30\0")
    t.expect(0x6A80, "00DB0121", b"\x31\0")
    t.expect(0x6982, "80E40001")
    t.expect(0x9000, "00200081", PIN)

    # 4.8, 4.9
    digest = sha256(b"data")
    t.expect(0x6985, "002A9E9A", digest)
    t.expect(0x9000, "002241B6", bytes.fromhex("800131 840101"))
    signature = t.expect(0x9000, "002A9E9A", digest)
    public.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    t.expect(0x9000, "00CA0111", answer=shown(used=1))
    for sw, head, data in (
            (0x6A88, "002241B6", "800131 840110"), (0x6A88, "002241B6", "800131 840102"),
            (0x6A80, "002241B6", "800161 840101"), (0x6A80, "002241B6", "800111 840101"),
            (0x6A80, "002241B6", "800134 840101"), (0x6985, "002241A6", "800161 840101"),
            (0x6A80, "002241A6", "800131 840101"), (0x6A86, "002241B7", "800131 840101"),
            (0x6A86, "002281B6", "800131 840101"), (0x6A80, "002241B6", "840101 800131")):
        t.expect(sw, head, bytes.fromhex(data))
    # The selection is as before, and PSO checks what goes in
    t.expect(0x9000, "002A9E9A", digest)
    t.expect(0x6A80, "002A9E9A", digest + b"\0")
    t.expect(0x6A80, "002A9E9A", digest[1:])
    t.expect(0x6985, "002A8086", digest)
    t.expect(0x6A86, "002A9E9B", digest)
    t.expect(0x9000, "0020FF81")
    t.expect(0x6985, "002A9E9A", digest)
    t.expect(0x9000, "002241B6", bytes.fromhex("800131 840101"))
    t.expect(0x6982, "002A9E9A", digest)
    t.expect(0x9000, "00200081", PIN)
    t.expect(0x9000, "80E40001")
    t.expect(0x6985, "002A9E9A", digest)
    t.expect(0x9000, "00CA0111", answer=bytes.fromhex("E303800100"))


def rsa_use(t):
    """4.8, 4.9 and 5.2 for an RSA key."""
    t.start()
    made = generate(t, 2, 1, 7, 0)
    n, e = take_all(*take_all(made, 0x7F49), 0x81, 0x82)
    public = rsa.RSAPublicNumbers(int.from_bytes(e, "big"), int.from_bytes(n, "big")).public_key()
    t.expect(0x9000, "0020FF81")
    for algorithm, scheme in ((0x41, padding.PKCS1v15()), *(
            (0x51 + i, padding.OAEP(padding.MGF1(h), h, None))
            for i, h in enumerate((hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())))):
        t.expect(0x9000, "002241B8", bytes([0x80, 1, algorithm, 0x84, 1, 2]))
        t.expect(0x9000, "002A8086", b"\0" + public.encrypt(b"secret", scheme), answer=b"secret")
    cryptogram = public.encrypt(b"secret", padding.PKCS1v15())
    t.expect(0x6A80, "002A8086", b"\0" + cryptogram)
    t.expect(0x6A80, "002A8086", b"\1" + cryptogram)
    t.expect(0x6A80, "002A8086", cryptogram)
    t.expect(0x6A80, "002A8086", b"\0" + b"\xff" * 256)
    # CONVERT: used, so never
    t.expect(0x6985, "805A0002")
    t.expect(0x9000, "00200081", PIN)
    t.expect(0x6985, "805A0002")
    t.expect(0x6A88, "805A0003")
    t.expect(0x9000, "80E40002")
    generate(t, 2, 1, 7, 0)
    t.expect(0x9000, "002241B8", bytes.fromhex("800141 840102"))
    t.expect(0x6700, "805A0002", b"\0")
    t.expect(0x6A86, "805A0102")
    t.expect(0x9000, "805A0002", answer=b"")
    t.expect(0x6985, "002A8086", b"\0" + cryptogram)
    t.expect(0x6985, "805A0002")
    t.expect(0x6985, "002241B8", bytes.fromhex("800141 840102"))
    offer = tlv(0x80, bytes(32)) + bytes.fromhex("810104 820102 830101 840102")
    first, second = (SIGNED_STATEMENT.decode(t.expect(0x9000, "80500000", offer)) for _ in range(2))
    ids = [STATEMENT.decode(signed["statement"])["exchangeId"] for signed in (first, second)]
    t.compare("exchangeId of a standing key", (0, ids[0]), (0, ids[1]))
    t.compare("standing EXCHANGE key", (0, first["exchangeKey"]), (0, second["exchangeKey"]))
    for sw, end in (
            (0x6985, "810102 820102 830101"), (0x6985, "810102 820102 830101 840102"),
            (0x6985, "810104 820102 830102 840102"), (0x6A88, "810104 820102 830101 840110")):
        t.expect(sw, "80500000", tlv(0x80, bytes(32)) + bytes.fromhex(end))
    assert len(t.expect(0x9000, "805C0000")) == 2 * 30
    # "that offer is forgotten too"
    t.expect(0x9000, "80E40002")
    t.expect(0x9000, "805C0000", answer=b"")


def derive(t):
    """4.9 for ECDH."""
    t.start()
    for kind, curve in formats.CURVES.items():
        point, = take_all(*take_all(generate(t, 4, kind, 8), 0x7F49), 0x86)
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve(), point)
        t.expect(0x9000, "002241A6", bytes.fromhex("800161 840104"))
        peer = ec.generate_private_key(curve())
        encoded = formats.point(peer.public_key())
        wrap = lambda x: tlv(0xA6, tlv(0x7F49, tlv(0x86, x)))
        t.expect(0x9000, "002A8086", wrap(encoded), answer=peer.exchange(ec.ECDH(), public))
        for bad in (encoded[:-1] + bytes([encoded[-1] ^ 1]), encoded[:-1], b"\0", b"\2" + encoded[1:],
                    b"\x04" + bytes(len(encoded) - 1), encoded + b"\0"):
            t.expect(0x6A80, "002A8086", wrap(bad))
        t.expect(0x6A80, "002A8086", wrap(encoded) + b"\0")
        t.expect(0x6A80, "002A8086", tlv(0xA6, tlv(0x86, encoded)))
        t.expect(0x9000, "80E40004")


def pending(t):
    entries, reader = [], Objects(t.expect(0x9000, "805C0000"))
    while reader.peek() is not None:
        entries.append(take_all(reader.take(0xE4), 0x80, 0x81, 0x82, 0x83))
    return entries


def offers(t):
    """5.1, 5.3, 5.5, 5.6, 5.8. RSA 2048: offers come quickly."""
    t.start()
    nonce = tlv(0x80, bytes(32))
    for sw, end in (
            (0x6A80, "810100 820104 830101"), (0x6A80, "810100 820102 830104"), (0x6A88, "810110 820102 830101"),
            (0x6A80, "810100 820101 830101"), (0x6A80, "810100 830101 820102"), (0x6A80, "810100 820102"),
            (0x6A80, "810100 820102 830101 850100"), (0x6A80, "81020000 820102 830101")):
        t.expect(sw, "80500000", nonce + bytes.fromhex(end))
    t.expect(0x6A80, "80500000", tlv(0x80, bytes(31)) + bytes.fromhex("810100 820102 830101"))
    t.expect(0x6A86, "80500100", nonce)

    good = nonce + bytes.fromhex("810105 820102 830101")
    made = [STATEMENT.decode(SIGNED_STATEMENT.decode(t.must("80500000", good))["statement"]) for _ in range(9)]
    t.compare("pending offers", (0, [x["sid"] for x in made[1:]]), (0, [entry[0] for entry in pending(t)]))
    t.compare("an entry", (0, [b"\5", b"\5", b"\0\1"]), (0, pending(t)[0][1:]))
    t.compare("exchangeId is new", (9, None), (len({x["exchangeId"] for x in made}), None))

    def session(sid, size=256):
        return tlv(0x80, sid) + tlv(0x81, b"\1" * size)

    gone, sid = made[0]["sid"], made[1]["sid"]
    t.expect(0x6988, "80520200", session(gone))
    t.expect(0x6988, "80520200", session(gone, 255))
    t.expect(0x6A80, "80520200", session(sid, 255))
    t.expect(0x6A86, "80520500", session(sid))
    t.expect(0x6988, "80520400", session(sid))
    t.expect(0x6A80, "80520200", session(sid[1:]))
    t.expect(0x9000, "0020FF81")
    t.expect(0x6982, "80520200", session(sid))
    t.expect(0x9000, "00200081", PIN)
    for number in range(1, 5):
        t.expect(0x9000, "80520200", session(sid), answer=bytes([0x80, 1, number]))
    t.expect(0x6A84, "80520200", session(sid))
    t.expect(0x9000, "0020FF81")
    t.expect(0x6A84, "80520200", session(sid))
    # SELECT keeps sessions
    t.start()
    t.expect(0x9000, "80580002")
    t.expect(0x6A88, "80580002")
    t.expect(0x6A88, "80580005")
    t.expect(0x9000, "80520200", session(sid), answer=b"\x80\1\2")
    t.expect(0x6700, "80580001", b"\0")
    t.expect(0x6A80, "80540101", b"garbage")
    t.expect(0x6A80, "80540105", b"garbage")
    t.expect(0x6A88, "80560000", tlv(0x80, sid) + bytes.fromhex("81020001"))
    t.expect(0x6A80, "80560000", tlv(0x80, sid) + bytes.fromhex("810101"))
    t.expect(0x6A86, "80560001")
    t.expect(0x6700, "805C0000", b"\0")
    # Power-off ends them
    t.power()
    t.start()
    t.expect(0x6A88, "80580001")
    t.compare("offers stay", (8, None), (len(pending(t)), None))


def sealed(t, accepted, key, **change):
    """The item of a fresh cargo, and the session that its S1 was imported into."""
    cargo = json.loads(t.server.seal(accepted, (key, formats.SIGN), **change))
    wrapped = formats.unb64(cargo["session_key"]["wrapped"])
    session, = take_all(t.must("80520200", tlv(0x80, accepted["sid"]) + tlv(0x81, wrapped)), 0x80)
    return formats.unb64(cargo["items"][0]["item"]), session[0]


def items(t):
    """5.4: each bad item costs a try and has no other effect."""
    t.start()
    key = new_key("p256")
    for what, changes in BAD.items():
        accepted = t.accepted(6)
        for tries, change in zip((4, 3, 2, 1), changes):
            item, session = sealed(t, accepted, key, **change(accepted))
            # "changes nothing": what the item wants replaced is step 7
            sw = 0x6985 if what == "names" and tries == 1 else 0x6988
            t.compare(f"{what} {tries}", (sw, None), (t.send(f"805401{session:02x}", item)[0], None))
            t.compare(f"tries after {what} {tries}", (0, bytes([tries])), (0, pending(t)[-1][2]))
            t.expect(0x9000, "00CA0116", answer=bytes.fromhex("E303800100"))
            t.expect(0x9000, f"805800{session:02x}")
        item, session = sealed(t, accepted, key)
        t.expect(0x6A88, "80540100", item)
        t.expect(0x6A80, f"805401{session:02x}", item + b"\0")
        t.expect(0x9000, "0020FF81")
        t.expect(0x6982, f"805401{session:02x}", item)
        t.expect(0x9000, "00200081", PIN)
        # by chaining, for a change
        sw, receipt = t.chained(f"805401{session:02x}", item)
        t.compare(f"the good item after {what}", (0x9000, None), (sw, None))
        t.expect(0x9000, "80560000", tlv(0x80, accepted["sid"]) + bytes.fromhex("81020001"), answer=receipt)
        (device, (expected,)) = t.server.tickets[accepted["sid"]]
        t.server.check_signed_receipt(device, expected, receipt)
        # the sid and its session are gone
        t.expect(0x6A88, f"805401{session:02x}", item)
        shown = t.expect(0x9000, "00CA0116")
        t.compare("origin and policy", (0, bytes.fromhex("800101 810104 820106 830102 840101")), (0, take_all(shown, 0xE3)[0][:15]))
        t.expect(0x9000, "80E40006")


def exhausted(t):
    """5.4 step 3: the sixth try forgets the offer; the session then only answers 6988."""
    t.start()
    key = new_key("p256")
    accepted = t.accepted(7)
    item, session = sealed(t, accepted, key, h=bytes(32))
    for tries in (4, 3, 2, 1, 0):
        t.expect(0x6988, f"805401{session:02x}", item)
        t.compare("tries", (0, bytes([tries])), (0, pending(t)[-1][2]))
    before = len(pending(t))
    t.expect(0x6988, f"805401{session:02x}", item)
    t.compare("forgotten", (before - 1, None), (len(pending(t)), None))
    t.expect(0x6988, f"805401{session:02x}", item)
    t.expect(0x9000, f"805800{session:02x}")


def many_items(t):
    """5.4 and 1: items of one sid agree in count; no more than 16 receipts are kept."""
    t.start()
    accepted = t.accepted(8)
    keys = [(new_key("p256"), formats.SIGN) for _ in range(17)]
    cargo = json.loads(t.server.seal(accepted, *keys))
    wrapped = tlv(0x81, formats.unb64(cargo["session_key"]["wrapped"]))
    session, = take_all(t.must("80520200", tlv(0x80, accepted["sid"]) + wrapped), 0x80)
    all_items = [formats.unb64(item["item"]) for item in cargo["items"]]
    head = f"805401{session[0]:02x}"
    t.expect(0x6988, head, all_items[1])
    for number, item in enumerate(all_items, 1):
        _, receipt = t.send(head, item)
        device, ticket = t.server.tickets[accepted["sid"]]
        t.server.check_signed_receipt(device, ticket[number - 1], receipt)
        if number == 1:
            # the try before it stays spent, the one of the good item came back
            t.compare("after one item", (0, [b"\4", b"\0\2"]), (0, pending(t)[-1][2:]))
            t.expect(0x6988, head, item)
    for number in range(1, 18):
        name = tlv(0x80, accepted["sid"]) + tlv(0x81, number.to_bytes(2, "big"))
        t.expect(0x6A88 if number == 1 else 0x9000, "80560000", name)
    t.expect(0x6A88, f"805800{session[0]:02x}")
    t.expect(0x9000, "80E40008")


def wrong_inputs(t, accepted, given):
    """5.3: what a card of a method that confirms refuses, each with one word."""
    yield given[:-1] + bytes([given[-1] ^ 1])
    yield bytes([given[0] ^ 2]) + given[1:]
    if accepted["method"] == METHOD_DERIVED:
        # the card's own challenge, with a confirmation that is right for it
        yield t.server.by_shared(accepted, {"challenge": accepted["exchange_key"]["challenge"]})[1]
    elif accepted["exchangeType"] == X25519:
        yield bytes(32) + given[-16:]
    else:
        yield b"\4" + bytes(len(given) - 17) + given[-16:]


def established(t, method, kind):
    """5.3, 5.4 and 6: what opens a session, what it costs, and a key under it."""
    t.start()
    key = new_key("p256")
    accepted = t.accepted(10, kind, method)
    cargo = json.loads(t.server.seal(accepted, (key, formats.SIGN)))
    given, tries = formats.unb64(cargo["session_key"]["input"]), 5
    name = f"method {method}, EXCHANGE key {kind}"

    def opened(given, sw=0x9000):
        got, answer = t.import_session_key(cargo, given)
        t.compare(name, (sw, None), (got, None))
        t.compare(f"{name}: tries", (0, bytes([tries])), (0, pending(t)[-1][2]))
        return answer

    opened(given + b"\0", 0x6A80)
    opened(given[1:], 0x6A80)
    if method == METHOD_SHARED:
        wrong = opened(bytes(32))
        t.expect(0x6988, f"805401{wrong[2]:02x}", formats.unb64(cargo["items"][0]["item"]))
        t.expect(0x9000, f"805800{wrong[2]:02x}")
        tries -= 1
    else:
        for wrong in wrong_inputs(t, accepted, given):
            tries -= 1
            opened(wrong, 0x6988)
    sessions = [opened(given), opened(given)]
    if method != METHOD_SHARED:
        # "from then on only this same input opens it"
        tries -= 1
        opened(t.server.establish(accepted, {})[1], 0x6988)
        t.compare(f"{name}: confirmation", (0, sessions[0][3:]), (0, sessions[1][3:]))
    for session in sessions:
        t.expect(0x9000, f"805800{session[2]:02x}")
    t.server.check_receipt(t.inject(json.dumps(cargo)))
    shown = t.expect(0x9000, "00CA011A")
    origin = formats.LOADED if method in BY_SHARED_KEY else formats.INJECTED
    t.compare(f"{name}: origin", (0, bytes([0x83, 1, origin])), (0, take_all(shown, 0xE3)[0][9:12]))
    t.expect(0x9000, "80E4000A")


def by_ecdh(t):
    for kind in (4, 5, X25519):
        established(t, METHOD_ECDH, kind)


def by_shared_keys(t):
    """6.2, and 5.1 and 4.2 of a card that has SHARED keys."""
    for method in BY_SHARED_KEY:
        established(t, method, AES_256)
    info = take_all(t.must("00CA0100"), 0xE1)[0]
    methods = take_all(info[: info.index(b"\x84")], *range(0x80, 0x84))[3]
    t.compare("methods", (0, [1, 2, 3, 4]), (0, sorted(methods)))
    t.compare("in the statement's order", (0, list(methods)), (0, t.accepted(10, AES_256, METHOD_SHARED)["methods"]))
    nonce = tlv(0x80, bytes(32))
    for sw, end in ((0x6A80, "810100 820101 830104"), (0x6A80, "810100 820103 83010A 840100"), (0x6A80, "810100 820102 83010A")):
        t.expect(sw, "80500000", nonce + bytes.fromhex(end))
    # a challenge of its own for each offer
    challenges = {t.accepted(10, AES_256, METHOD_DERIVED)["exchange_key"]["challenge"] for _ in range(3)}
    t.compare("challenges", (3, None), (len(challenges), None))


def without_shared_keys(t):
    """5.1: of a card that was given none."""
    t.start()
    for method in BY_SHARED_KEY:
        t.expect(0x6A88, "80500000", tlv(0x80, bytes(32)) + bytes([0x81, 1, 0, 0x82, 1, method, 0x83, 1, AES_256]))


class Desk:
    """Orders about PINs to one card, each under an offer of its own."""

    def __init__(self, tester):
        self.t = tester

    def order(self, sw, *order, body=None, target=PINS, **more):
        t, what = self.t, Order(*order, **more)
        cargo = json.loads(t.server.seal(t.accepted(target, 4, METHOD_ECDH), what, body=body or {}))
        opened, answer = t.import_session_key(cargo)
        t.compare(f"session for {order}", (0x9000, None), (opened, None))
        got, receipt = t.send(f"8054{what.function:02x}{answer[2]:02x}", formats.unb64(cargo["items"][0]["item"]))
        t.compare(f"{order} {body} {more}", (sw, None), (got, None))
        if got != 0x9000:
            t.expect(0x9000, f"805800{answer[2]:02x}")
            return
        device, (expected,) = t.server.tickets[formats.unb64(cargo["sid"])]
        shown = PIN_MARK.decode(t.server.check_signed_receipt(device, expected, receipt)["evidence"])
        t.compare(f"{order}: tries", (8 if what.pin == 2 else 3, None), (shown["tries"], None))

    def tries(self, pin, puk):
        answer = self.t.expect(0x9000, "00CA0102")
        self.t.compare("tries of PIN and PUK", (0, [pin, puk]), (0, [answer[4], answer[9]]))

    def verified(self, yes):
        self.t.compare("PIN verified", (yes, None), (self.t.send("00200081")[0] == 0x9000, None))


def orders(t):
    """5.4.1; nobody verifies a PIN for it."""
    t.expect(0x9000, "00A40400", AID)
    t.expect(0x9000, "0020FF81")
    desk = Desk(t)
    desk.order(0x9000, CHANGE, 1, 2, PUK, OTHER_PIN)
    desk.verified(False)
    t.expect(0x9000, "00200081", OTHER_PIN)
    # "whatever it was"
    desk.order(0x9000, CHANGE, 1, 1, OTHER_PIN, PIN)
    desk.verified(False)
    desk.order(0x9000, AUTHENTICATE, 1, 1, PIN)
    desk.verified(True)
    desk.order(0x9000, CHANGE, 2, 2, PUK, PUK + b"9")
    desk.order(0x9000, CHANGE, 2, 2, PUK + b"9", PUK)
    desk.verified(True)
    # under an offer for a key, with the PIN that this one takes
    desk.order(0x6988, AUTHENTICATE, 1, 1, PIN, target=3)
    desk.order(0x6988, AUTHENTICATE, 1, 1, PIN, target=BATCH)
    desk.order(0x63C2, AUTHENTICATE, 1, 1, b"wrong!")
    desk.verified(False)
    # "nothing is compared"
    desk.order(0x6985, AUTHENTICATE, 1, 1, PIN, least=3)
    desk.tries(2, 8)
    desk.order(0x9000, AUTHENTICATE, 1, 1, PIN, least=2)
    desk.tries(3, 8)
    desk.order(0x63C7, CHANGE, 1, 2, b"wrong!", PIN)
    desk.tries(3, 7)
    desk.order(0x9000, CHANGE, 2, 2, PUK, PUK)
    for function, pin, by, new in ((AUTHENTICATE, 2, 2, b""), (AUTHENTICATE, 1, 2, b""), (CHANGE, 2, 1, PUK),
                                   (CHANGE, 1, 1, b""), (CHANGE, 1, 1, b"123"), (CHANGE, 1, 1, bytes(33)),
                                   (AUTHENTICATE, 1, 1, PIN)):
        desk.order(0x6988, function, pin, by, PIN if by == 1 else PUK, new)
    for more in ({"flags": 1}, {"least": 0}, {"least": 128}):
        desk.order(0x6988, CHANGE, 1, 1, PIN, PIN, **more)
    for body in ({"pin": 2}, {"replaces": bytes(32)}, {"keyType": 4}, {"purpose": 6}, {"container": 3},
                 {"policy": {"pinNeeded": True, "notAfter": 0}}, {"policy": {"pinNeeded": False, "notAfter": 1}}):
        desk.order(0x6988, AUTHENTICATE, 1, 1, PIN, body=body)
    desk.tries(3, 8)
    for sw in (0x63C2, 0x63C1, 0x63C0, 0x6983):
        desk.order(sw, AUTHENTICATE, 1, 1, b"wrong!")
    desk.order(0x9000, CHANGE, 1, 2, PUK, PIN)
    # keys under an offer about PINs
    t.start()
    item, session = sealed(t, t.accepted(PINS), new_key("p256"))
    t.expect(0x6988, f"805401{session:02x}", item)
    t.expect(0x9000, "0020FF81")
    t.expect(0x6982, f"805401{session:02x}", item)


def batch(t):
    """5.1 and 5.4 of target FE: each item names a container of its own, and what it replaces there."""
    t.start()
    keys = {11: new_key("p256"), 12: new_key("p384"), 13: new_key("p256")}
    accepted = t.accepted(BATCH, 4, METHOD_ECDH)
    t.compare("what a batch replaces", (0, b""), (0, accepted["holds"]))
    contents = [(key, formats.SIGN, number) for number, key in keys.items()]
    contents.append((new_key("p521"), formats.DERIVE, 11))
    receipts = t.server.check_receipt(t.inject(t.server.seal(accepted, *contents)))
    t.compare("containers", (0, [11, 12, 13, 11]), (0, [receipt["container"] for receipt in receipts]))
    # One there is not, and one that is full
    for container, sw in ((16, 0x6988), (PINS, 0x6988), (12, 0x6985)):
        cargo = json.loads(t.server.seal(t.accepted(BATCH, 4, METHOD_ECDH), (new_key("p256"), formats.SIGN, container)))
        session = t.import_session_key(cargo)[1][2]
        t.expect(sw, f"805401{session:02x}", formats.unb64(cargo["items"][0]["item"]))
        t.expect(0x9000, f"805800{session:02x}")
    for number in keys:
        t.expect(0x9000, f"80E400{number:02x}")


def open_import(t):
    """5.4 step 5: a card without injectors takes items without sender and signature only."""
    t.start()
    take_all(without_keks(*take_all(t.expect(0x9000, "00CA0100"), 0xE1)), *range(0x80, 0x8E))
    key = new_key("p256")
    accepted = t.accepted(9)
    t.compare("injectors", (0, []), (0, accepted["injectors"]))
    mine = sha256(formats.spki(t.server.injector.public_key()))
    for change in ({"body": {"sender": mine}}, {"damage": lambda item: {"signature": b"\x30\0"}}):
        item, session = sealed(t, accepted, key, **change)
        t.expect(0x6988, f"805401{session:02x}", item)
    item, session = sealed(t, accepted, key)
    receipt = t.expect(0x9000, f"805401{session:02x}", item)
    (device, (expected,)) = t.server.tickets[accepted["sid"]]
    t.server.check_signed_receipt(device, expected, receipt)
    # "has no such offer"
    t.expect(0x6985, "80500000", tlv(0x80, bytes(32)) + bytes.fromhex("8101FF 820104 830104"))
    # origin 3
    shown = t.expect(0x9000, "00CA0119")
    t.compare("origin", (0, b"\x83\1\3"), (0, take_all(shown, 0xE3)[0][9:12]))
    t.expect(0x9000, "80E40009")


if __name__ == "__main__":
    open_card = sys.argv[1] == "open_import"
    master = bytes.fromhex(read("master")) if sys.argv[1] == "by_shared_keys" else None
    tester = Tester(sys.argv[2], [] if open_card else [injector().public_key()], master)
    globals()[sys.argv[1]](tester)
    if failures:
        sys.exit("\n".join(failures))
