# SPDX-License-Identifier: LGPL-2.1-or-later
"""The card side of docs/card-application.md; section numbers in comments are its."""

import dataclasses
import hmac
import os

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils, x25519

import formats
from der import Malformed, Reader, take_all, tlv
from formats import (AES_256, AID, AUTHENTICATE, BATCH, BODY, BY_SHARED_KEY, CHANGE, CONFIRMING, CURVES, DECRYPT, DERIVE,
                     EXCHANGE, EXCHANGES, GENERATED, IMPORT_KEY_PAIR, INJECTED, INJECTED_OPEN, ITEM, KEK, KEY_TYPES,
                     LOADED, METHOD_DERIVED, METHOD_ECDH, METHOD_RSA, METHOD_SHARED, PADDING_OAEP, PINS, PIN_MARK,
                     RECEIPT, RSA_BITS, SHARED, SHARED_KEY_INFO, SIGN, SIGNED_RECEIPT, SIGNED_STATEMENT, STATEMENT,
                     SUITE_CBC_CMAC, VIRTUAL, X25519, sha256)

# 2 and the limits of formats.md 4
LONGEST, ITEMS, TRIES = 8192, 64, 5
CONTAINERS, CERTIFICATE, OFFERS, RECEIPTS, SESSIONS = 16, 4096, 8, 16, 4

# 1.2
HASHES = {1: hashes.SHA256(), 2: hashes.SHA384(), 3: hashes.SHA512()}
OAEP_HASHES = {1: hashes.SHA1(), 2: hashes.SHA256(), 3: hashes.SHA384(), 4: hashes.SHA512()}
PKCS1, PSS, ECDSA, RSAES, OAEP, ECDH = range(1, 7)
ALGORITHMS = bytes.fromhex("111213 212223 313233 41 51525354 61")
# 4.8: template to purpose, and to the algorithms that fit it
TEMPLATES = {
    0xB6: (SIGN, (PKCS1, PSS, ECDSA)),
    0xB8: (DECRYPT, (RSAES, OAEP)),
    0xA6: (DERIVE, (ECDH,)),
}


class Refused(Exception):
    """Ends a command with a status word."""

    def __init__(self, sw):
        super().__init__(f"{sw:04X}")
        self.sw = sw


def require(condition, sw):
    if not condition:
        raise Refused(sw)


class Command:
    def __init__(self, apdu):
        self.cla, self.ins, self.p1, self.p2 = apdu[:4]
        self.p = self.p1 << 8 | self.p2
        self._data, self.ne = self.split(apdu[4:])

    @staticmethod
    def split(body):
        """Data field and Ne of the seven cases of ISO 7816-4; (None, None) if it is none of them."""
        if not body:
            return b"", None
        if len(body) == 1:
            return b"", body[0] or 256
        if len(body) == 3 and body[0] == 0:
            return b"", int.from_bytes(body[1:], "big") or 65536
        wide = body[0] == 0
        if wide and len(body) < 3:
            return None, None
        head = 3 if wide else 1
        lc = int.from_bytes(body[:head], "big")
        data, le = body[head : head + lc], body[head + lc :]
        if lc and len(data) == lc:
            if not le:
                return data, None
            if len(le) == (2 if wide else 1):
                return data, int.from_bytes(le, "big") or (65536 if wide else 256)
        return None, None

    @property
    def data(self):
        """Checked when it is first looked at: P1 P2 come before the length (2)."""
        require(self._data is not None and len(self._data) <= LONGEST, 0x6700)
        return self._data

    def no_data(self):
        require(not self.data, 0x6700)

    def objects(self, **lengths):
        """The objects _80, _81, ...: all there, in order, each as long as said (None: any length)."""
        values = take_all(self.data, *(int(tag[1:], 16) for tag in lengths))
        for value, length in zip(values, lengths.values()):
            if length is not None and len(value) != length:
                raise Malformed("length of an object")
        return [value[0] if length == 1 else value for value, length in zip(values, lengths.values())]


@dataclasses.dataclass
class Secret:
    value: bytes
    most: int
    left: int


@dataclasses.dataclass
class Key:
    key: object
    purpose: int
    origin: int
    policy: int
    not_after: int = 0
    used: bool = False
    certificate: bytes = b""
    exchange_id: bytes = b""

    @property
    def type(self):
        return formats.key_type(self.key)

    @property
    def spki(self):
        return formats.spki(self.key.public_key())


@dataclasses.dataclass
class Described:
    """A SHARED key as one offer describes it (5.1, formats.md 4.1)."""

    key: bytes
    method: int
    challenge: bytes
    exchange_id: bytes
    type = AES_256
    purpose, origin = SHARED, LOADED

    @property
    def spki(self):
        """What stands in its place."""
        return SHARED_KEY_INFO.write({
            "method": self.method, "mark": formats.mark(self.key, self.method), "challenge": self.challenge})


@dataclasses.dataclass
class Offer:
    sid: bytes
    h: bytes
    exchange: Key
    standing: bool
    target: int
    method: int = METHOD_RSA
    opened: bytes = b""
    tries: int = TRIES
    next: int = 1
    count: int = None


class Card:
    level = VIRTUAL

    def __init__(self, serial, device_key, certificate, injectors=(), pin=b"123456", puk=b"12345678", shared=None):
        """shared: the SHARED keys, by method."""
        self.serial, self.device_key, self.certificate = serial, device_key, certificate
        self.injectors, self.shared = list(injectors), dict(shared or {})
        self.pin, self.puk = Secret(pin, 3, 3), Secret(puk, 8, 8)
        self.containers = [None] * CONTAINERS
        self.offers, self.receipts, self.counter = [], {}, 0
        self.reset()

    def reset(self):
        """Power-off (1)."""
        self.sessions, self.rest, self.chain, self.selected = {}, b"", None, False
        self.forget_client()

    def forget_client(self):
        self.verified, self.selection = False, None

    # 2. Transport

    def process(self, apdu):
        if len(apdu) < 4:
            return b"\x67\x00"
        rest, self.rest = self.rest, b""
        chain, self.chain = self.chain, None
        try:
            command = Command(apdu)
            run = self.find(command)
            if run == self.get_response:
                return self.get_response(command, rest)
            if not self.collect(command, chain):
                return b"\x90\x00"
            return self.respond(run(command) or b"", command.ne)
        except Refused as refused:
            return refused.sw.to_bytes(2, "big")
        except Malformed:
            return b"\x6a\x80"

    def find(self, command):
        """CLA, INS, application selected."""
        cla = command.cla
        require(not 0x40 <= cla <= 0x7F, 0x6881)
        require(cla & 0x60 == 0, 0x6E00)
        require(cla & 0x0C == 0, 0x6882)
        require(cla & 0x03 == 0, 0x6881)
        commands = self.OWN if cla & 0x80 else self.ISO
        require(command.ins in commands, 0x6D00)
        require(self.selected or (cla, command.ins) in ((0x00, 0xA4), (0x10, 0xA4)), 0x6985)
        return getattr(self, commands[command.ins])

    def collect(self, command, chain):
        """True if the command is complete, with all parts of its data field in it."""
        name = (command.cla & ~0x10, command.ins, command.p)
        before = chain[1] if chain and chain[0] == name else b""
        if not before and not command.cla & 0x10:
            return True
        command._data = before + command.data
        command.data  # raises if it is too long now
        if command.cla & 0x10:
            self.chain = (name, command._data)
        return not command.cla & 0x10

    def respond(self, data, ne):
        now = data[: ne or 0]
        self.rest = data[len(now) :]
        if self.rest:
            return now + bytes([0x61, len(self.rest) if len(self.rest) < 256 else 0])
        return now + b"\x90\x00"

    def get_response(self, command, rest):
        require(command.p == 0, 0x6A86)
        command.no_data()
        require(command.ne, 0x6700)
        require(rest, 0x6985)
        return self.respond(rest, command.ne)

    # What commands have in common

    def container(self, number, sw=0x6A86):
        """A container by number: above 15 or empty is refused."""
        require(number < CONTAINERS, sw)
        require(self.containers[number], 0x6A88)
        return self.containers[number]

    def need_pin(self):
        require(self.verified, 0x6982)

    def replace(self, number, key):
        """Fill or empty a container; ends a selection of it (4.8)."""
        self.containers[number] = key
        self.end_selection(number)

    def end_selection(self, number):
        if self.selection and self.selection[2] == number:
            self.selection = None

    # 4. ISO commands

    def select(self, command):
        require(command.p in (0x0400, 0x040C), 0x6A86)
        require(command.data in (AID, AID[:9]), 0x6A82)
        self.selected = True
        self.forget_client()
        return tlv(0x6F, tlv(0x84, AID)) if command.p2 == 0 else b""

    def get_data(self, command):
        p = command.p
        require(p in (0x0100, 0x0101, 0x0102) or 0x0110 <= p <= 0x012F, 0x6A86)
        command.no_data()
        if p == 0x0100:
            return self.information()
        if p == 0x0101:
            return self.certificate
        if p == 0x0102:
            return tlv(0xE2, tlv(0x81, bytes([self.pin.left, self.pin.most, self.verified])),
                       tlv(0x82, bytes([self.puk.left, self.puk.most, 0])))
        key = self.containers[p & 0x0F]
        if p >= 0x0120:
            require(key and key.certificate, 0x6A88)
            return key.certificate
        if not key:
            return tlv(0xE3, b"\x80\x01\x00")
        return tlv(
            0xE3, b"\x80\x01\x01", tlv(0x81, bytes([key.type])), tlv(0x82, bytes([key.purpose])),
            tlv(0x83, bytes([key.origin])), tlv(0x84, bytes([key.policy])), tlv(0x85, key.spki),
            tlv(0x86, bytes([key.used])), tlv(0x87, len(key.certificate).to_bytes(2, "big")),
            tlv(0x88, key.not_after.to_bytes(8, "big")))

    def methods(self):
        return [METHOD_RSA, METHOD_ECDH, *self.shared]

    def functions(self):
        """A card without injector keys takes no orders about PINs."""
        return [IMPORT_KEY_PAIR, CHANGE, AUTHENTICATE] if self.injectors else [IMPORT_KEY_PAIR]

    def information(self):
        info = [
            b"\x01", self.serial.encode(), bytes([self.level]), bytes(self.methods()), bytes(KEY_TYPES),
            ALGORITHMS, bytes([PADDING_OAEP]), bytes([SUITE_CBC_CMAC]), bytes([CONTAINERS]),
            CERTIFICATE.to_bytes(2, "big"), LONGEST.to_bytes(2, "big"), LONGEST.to_bytes(2, "big"),
            bytes([OFFERS]), bytes([SESSIONS])]
        if self.injectors:
            info.append(b"".join(self.injector_hashes()))
        functions = self.functions()
        return tlv(0xE1, *(tlv(tag, value) for tag, value in enumerate(info, 0x80)),
                   tlv(0x91, bytes(sum(EXCHANGES.values(), []))),
                   tlv(0x92, bytes(functions)) if len(functions) > 1 else b"")

    def injector_hashes(self):
        return [sha256(formats.spki(key)) for key in self.injectors]

    def put_data(self, command):
        require(command.p1 == 0x01 and 0x20 <= command.p2 <= 0x2F, 0x6A86)
        data = command.data
        if data:
            take_all(data, 0x30)
            require(len(data) <= CERTIFICATE, 0x6A80)
        key = self.containers[command.p2 & 0x0F]
        require(key, 0x6985)
        self.need_pin()
        key.certificate = data

    def verify(self, command):
        require(command.p in (0x0081, 0xFF81), 0x6A86)
        if command.p1 == 0xFF:
            command.no_data()
            self.forget_client()
        elif command.data:
            self.try_pin(command.data)
            self.verified = True
        elif not self.verified:
            raise Refused(0x63C0 | self.pin.left if self.pin.left else 0x6983)

    def try_pin(self, value):
        try:
            self.compare(self.pin, value)
        except Refused:
            self.verified = False
            raise

    @staticmethod
    def compare(secret, value):
        require(secret.left, 0x6983)
        secret.left -= 1
        require(hmac.compare_digest(value, secret.value), 0x63C0 | secret.left)
        secret.left = secret.most

    def change(self, command):
        require(command.p in (0x0081, 0x0082), 0x6A86)
        old, new = command.objects(_80=None, _81=None)
        require(4 <= len(new) <= 32, 0x6A80)
        if command.p2 == 0x82:
            self.compare(self.puk, old)
            self.puk.value = new
        else:
            self.try_pin(old)
            self.pin.value, self.verified = new, True

    def reset_retry(self, command):
        require(command.p == 0x0081, 0x6A86)
        puk, new = command.objects(_80=None, _81=None)
        require(4 <= len(new) <= 32, 0x6A80)
        self.compare(self.puk, puk)
        self.pin, self.verified = Secret(new, 3, 3), False

    def generate(self, command):
        require(command.p1 == 0x80 and command.p2 < CONTAINERS, 0x6A86)
        kind, purpose, policy = command.objects(_80=1, _81=1, _82=1)
        valid = formats.valid_pair(kind, purpose) or (purpose == EXCHANGE and kind in sum(EXCHANGES.values(), []))
        require(valid and policy <= 1, 0x6A80)
        require(not self.containers[command.p2], 0x6985)
        self.need_pin()
        key = self.new_key(kind, purpose, policy)
        self.replace(command.p2, key)
        public = key.key.public_key()
        if kind not in RSA_BITS:
            return tlv(0x7F49, tlv(0x86, formats.point(public)))
        numbers = public.public_numbers()
        return tlv(0x7F49, tlv(0x81, _unsigned(numbers.n)), tlv(0x82, _unsigned(numbers.e)))

    @staticmethod
    def new_key(kind, purpose, policy):
        if kind in RSA_BITS:
            key = rsa.generate_private_key(65537, RSA_BITS[kind])
        elif kind == X25519:
            key = x25519.X25519PrivateKey.generate()
        else:
            key = ec.generate_private_key(CURVES[kind]())
        return Key(key, purpose, GENERATED, policy, exchange_id=os.urandom(16))

    def manage_security(self, command):
        require(command.p1 == 0x41 and command.p2 in TEMPLATES, 0x6A86)
        algorithm, number = command.objects(_80=1, _84=1)
        purpose, families = TEMPLATES[command.p2]
        require(algorithm in ALGORITHMS and algorithm >> 4 in families, 0x6A80)
        key = self.container(number, 0x6A88)
        require((algorithm >> 4 in (ECDSA, ECDH)) == (key.type in CURVES), 0x6A80)
        require(key.purpose == purpose, 0x6985)
        self.selection = (command.p2, algorithm, number)

    def perform_security(self, command):
        require(command.p in (0x9E9A, 0x8086), 0x6A86)
        template, algorithm, number = self.selection or (None, 0, None)
        require(template in ((0xB6,) if command.p == 0x9E9A else (0xB8, 0xA6)), 0x6985)
        work = {0xB6: self.compute_signature, 0xB8: self.decipher, 0xA6: self.agree}[template]
        return work(command.data, algorithm, self.containers[number])

    def begin_use(self, key):
        if key.policy & 1:
            self.need_pin()
        key.used = True

    def compute_signature(self, data, algorithm, key):
        family, digest = algorithm >> 4, HASHES[algorithm & 0x0F]
        require(len(data) == digest.digest_size, 0x6A80)
        self.begin_use(key)
        if family == ECDSA:
            return key.key.sign(data, ec.ECDSA(utils.Prehashed(digest)))
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return key.key.sign(data, pss if family == PSS else padding.PKCS1v15(), utils.Prehashed(digest))

    def decipher(self, data, algorithm, key):
        require(data[:1] == b"\0" and len(data) == 1 + key.key.key_size // 8, 0x6A80)
        self.begin_use(key)
        scheme = padding.PKCS1v15()
        if algorithm >> 4 == OAEP:
            digest = OAEP_HASHES[algorithm & 0x0F]
            scheme = padding.OAEP(padding.MGF1(digest), digest, None)
        try:
            return key.key.decrypt(data[1:], scheme)
        except ValueError as e:
            raise Refused(0x6A80) from e

    def agree(self, data, algorithm, key):
        (public,) = take_all(*take_all(*take_all(data, 0xA6), 0x7F49), 0x86)
        size = (key.key.curve.key_size + 7) // 8
        require(len(public) == 1 + 2 * size and public[0] == 4, 0x6A80)
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(key.key.curve, public)
        except (ValueError, UnsupportedAlgorithm) as e:
            raise Refused(0x6A80) from e
        self.begin_use(key)
        return key.key.exchange(ec.ECDH(), peer)

    def get_challenge(self, command):
        require(command.p == 0, 0x6A86)
        command.no_data()
        require(command.ne and command.ne <= 256, 0x6700)
        return os.urandom(command.ne)

    # 5. Own commands

    def offer(self, command):
        require(command.p == 0, 0x6A86)
        reader, standing = Reader(command.data), None
        nonce, target, method, kind = (reader.take(tag) for tag in (0x80, 0x81, 0x82, 0x83))
        if reader.peek() is not None:
            standing = reader.take(0x84)
            require(len(standing) == 1, 0x6A80)
        reader.end()
        require([len(x) for x in (nonce, target, method, kind)] == [32, 1, 1, 1], 0x6A80)
        target, kind, method = target[0], kind[0], method[0]
        by_shared = method in BY_SHARED_KEY
        require(kind == AES_256 and not standing if by_shared else kind in EXCHANGES.get(method, []), 0x6A80)
        require(not by_shared or method in self.shared, 0x6A88)
        require(target < CONTAINERS or target in (BATCH, PINS), 0x6A88)
        require(target != PINS or len(self.functions()) > 1, 0x6985)
        if standing:
            exchange = self.container(standing[0], 0x6A88)
            require(exchange.purpose == EXCHANGE and exchange.type == kind, 0x6985)
        held = self.held(target)
        require(not held or held.purpose not in (EXCHANGE, KEK, SHARED), 0x6985)
        if by_shared:
            challenge = os.urandom(32) if method == METHOD_DERIVED else b""
            exchange = Described(self.shared[method], method, challenge, os.urandom(16))
        elif not standing:
            exchange = self.new_key(kind, EXCHANGE, 0)

        statement = self.statement(nonce, target, exchange)
        der = STATEMENT.write(statement)
        if len(self.offers) == OFFERS:
            del self.offers[0]
        self.offers.append(Offer(statement["sid"], sha256(der), exchange, bool(standing), target, method))
        return SIGNED_STATEMENT.write({
            "statement": der, "signature": formats.sign(self.device_key, der),
            "exchangeKey": exchange.spki})

    def held(self, target):
        """What a target that is a container holds."""
        return self.containers[target] if target < CONTAINERS else None

    def statement(self, nonce, target, exchange):
        """formats.md 4."""
        held = self.held(target)
        return {
            "context": "keyferry/attest/v1", "application": AID, "version": 1, "level": self.level,
            "serial": self.serial, "device": sha256(self.certificate),
            "exchangeId": exchange.exchange_id, "exchange": sha256(exchange.spki),
            "exchangeType": exchange.type, "purpose": exchange.purpose, "origin": exchange.origin,
            "container": target, "holds": sha256(held.spki) if held else b"",
            "methods": self.methods(), "keyTypes": KEY_TYPES, "paddings": [PADDING_OAEP],
            "suites": [SUITE_CBC_CMAC],
            "limits": {"item": LONGEST, "items": ITEMS, "tries": TRIES},
            "injectors": self.injector_hashes(), "sid": os.urandom(16), "nonce": nonce}

    def find_offer(self, sid):
        return next((offer for offer in self.offers if offer.sid == sid), None)

    def convert(self, command):
        require(command.p1 == 0, 0x6A86)
        require(command.p2 < CONTAINERS, 0x6A86)
        command.no_data()
        key = self.container(command.p2)
        ordinary = DECRYPT if key.type in RSA_BITS else DERIVE
        require(key.type in sum(EXCHANGES.values(), []) and key.purpose == ordinary
                and key.origin == GENERATED and not key.used, 0x6985)
        self.need_pin()
        key.purpose, key.exchange_id = EXCHANGE, os.urandom(16)
        self.end_selection(command.p2)

    def import_session_key(self, command):
        require(command.p1 in (METHOD_SHARED, METHOD_RSA, METHOD_DERIVED, METHOD_ECDH) and not command.p2, 0x6A86)
        sid, given = command.objects(_80=16, _81=None)
        offer = self.find_offer(sid)
        require(offer and offer.method == command.p1, 0x6988)
        require(len(given) == self.input_size(offer), 0x6A80)
        number = next((n for n in range(1, SESSIONS + 1) if n not in self.sessions), None)
        require(number, 0x6A84)
        if offer.target != PINS:
            self.need_pin()
        if offer.method in CONFIRMING:
            s1, confirmation = self.confirmed(offer, given)
            self.sessions[number] = (sid, s1, confirmation)
            return tlv(0x80, bytes([number])) + tlv(0x81, confirmation)
        s1 = self.unwrapped(offer, given) if offer.method == METHOD_RSA else self.from_shared(offer, given)[0]
        self.sessions[number] = (sid, s1, b"")
        return tlv(0x80, bytes([number]))

    @staticmethod
    def input_size(offer):
        if offer.method == METHOD_RSA:
            return offer.exchange.key.key_size // 8
        if offer.method == METHOD_ECDH:
            return {4: 65, 5: 97, X25519: 32}[offer.exchange.type] + 16
        return 32 if offer.method == METHOD_SHARED else 80

    @staticmethod
    def unwrapped(offer, given):
        try:
            s1 = offer.exchange.key.decrypt(given, formats.oaep(offer.h))
        except ValueError:
            s1 = b""
        # "the card goes on with 32 fresh random bytes"
        return s1 if len(s1) == 32 else os.urandom(32)

    def from_shared(self, offer, *rest):
        """6.2."""
        return formats.from_shared(offer.exchange.key, offer.method, offer.h, offer.sid, self.serial, *rest)

    def confirmed(self, offer, given):
        """5.3, methods that confirm: S1 and the card's confirmation."""
        self.spend(offer)
        s1, host, mine, good = (self.by_ecdh if offer.method == METHOD_ECDH else self.by_derived)(offer, given[:-16])
        require(hmac.compare_digest(host, given[-16:]) and good, 0x6988)
        require(offer.opened in (b"", sha256(given)), 0x6988)
        offer.tries, offer.opened = offer.tries + 1, sha256(given)
        return s1, mine

    @staticmethod
    def by_ecdh(offer, public):
        try:
            z = formats.shared_secret(offer.exchange.key, public)
        except Malformed:
            z = os.urandom(32)
        fixed = formats.point(offer.exchange.key.public_key())
        return *formats.agree(offer.exchange.type, z, public, fixed, offer.h), True

    def by_derived(self, offer, given):
        """The server's id and challenge; "a challenge that equals the card's own" is refused."""
        mine = offer.exchange.challenge
        return *self.from_shared(offer, given[:32], mine, given[32:]), given[32:] != mine

    def spend(self, offer):
        if not offer.tries:
            self.offers.remove(offer)
            raise Refused(0x6988)
        offer.tries -= 1

    def process_item(self, command):
        function = command.p1
        require(function in (IMPORT_KEY_PAIR, CHANGE, AUTHENTICATE), 0x6A86)
        # 1.
        item = ITEM.decode(command.data)
        body = BODY.decode(item["body"])
        require(formats.is_in_form(body), 0x6A80)
        require(command.p2 in self.sessions, 0x6A88)
        sid, s1, confirmation = self.sessions[command.p2]
        offer = self.find_offer(sid)
        if function == IMPORT_KEY_PAIR or (offer and offer.target != PINS):
            self.need_pin()
        # 2.
        require(offer, 0x6988)
        # 3.
        self.spend(offer)
        # 4., "whatever the item says"
        name = (offer.method, function, offer.h, offer.next)
        mac = formats.cmac(formats.item_key(s1, "mac", *name), item["body"])
        require(hmac.compare_digest(mac, item["mac"]), 0x6988)
        # 5.
        self.check_body(offer, function, item, body)
        # 6. to 8.
        try:
            text = formats.decrypt(formats.item_key(s1, "enc", *name), body["iv"], body["ciphertext"])
            evidence = (self.install if function == IMPORT_KEY_PAIR else self.obey)(offer, body, text)
        except Malformed as e:
            raise Refused(0x6988) from e
        self.counter += 1
        receipt = RECEIPT.write(self.receipt(command.data, body, confirmation, evidence))
        signed = SIGNED_RECEIPT.write({
            "receipt": receipt, "signature": formats.sign(self.device_key, receipt)})
        self.receipts[sid, body["number"]] = signed
        if len(self.receipts) > RECEIPTS:
            del self.receipts[next(iter(self.receipts))]
        offer.next, offer.count, offer.tries = offer.next + 1, body["count"], offer.tries + 1
        if offer.next > offer.count:
            self.offers.remove(offer)
            self.sessions = {n: s for n, s in self.sessions.items() if s[0] != sid}
        return signed

    def install(self, offer, body, text):
        """Steps 6 to 8 for a key; what the receipt shows."""
        key = formats.load_plaintext(body["keyType"], text)
        held = self.containers[body["container"]]
        require(body["replaces"] == (sha256(held.spki) if held else b""), 0x6985)
        require(not held or held.purpose not in (EXCHANGE, KEK, SHARED), 0x6985)
        policy, origin = body["policy"], INJECTED if body["sender"] else INJECTED_OPEN
        if offer.method in BY_SHARED_KEY:
            origin = LOADED
        self.replace(body["container"], Key(key, body["purpose"], origin, int(policy["pinNeeded"]), policy["notAfter"]))
        return self.containers[body["container"]].spki

    def obey(self, _, body, text):
        """5.4.1; what the receipt shows."""
        order = formats.load_pin_plaintext(text)
        function, pin, proof, new = body["function"], body["pin"], order["authenticator"], order["newValue"]
        allowed = {(CHANGE, 1, 1), (CHANGE, 1, 2), (CHANGE, 2, 2), (AUTHENTICATE, 1, 1)}
        if (function, pin, proof) not in allowed or (len(new) != 0 if function == AUTHENTICATE else not 4 <= len(new) <= 32):
            raise Malformed("order")
        secrets = {1: self.pin, 2: self.puk}
        require(secrets[proof].left, 0x6983)
        require(secrets[proof].left >= order["leastTries"], 0x6985)
        if proof == 1:
            self.try_pin(order["proof"])
        else:
            self.compare(self.puk, order["proof"])
        target = secrets[pin]
        if function == CHANGE:
            target.value, target.left = new, target.most
        if pin == 1:
            self.verified = function == AUTHENTICATE
        return PIN_MARK.write({"pin": pin, "tries": target.left})

    def check_body(self, offer, function, item, body):
        want = {
            "suite": SUITE_CBC_CMAC,
            "method": offer.method, "function": function, "sid": offer.sid, "number": offer.next,
            "count": offer.count or body["count"], "serial": self.serial, "exchange": sha256(offer.exchange.spki)}
        if offer.target != BATCH:
            want["container"] = offer.target
        require(all(body[name] == value for name, value in want.items()), 0x6988)
        require(offer.next <= body["count"] <= ITEMS, 0x6988)
        (self.check_key if function == IMPORT_KEY_PAIR else self.check_order)(offer, body)
        if not self.injectors:
            require(body["sender"] == b"" == item["signature"], 0x6988)
            return
        sender = dict(zip(self.injector_hashes(), self.injectors)).get(body["sender"])
        require(sender, 0x6988)
        part = formats.signed_part(item["body"], item["mac"])
        require(formats.verified(sender, item["signature"], part), 0x6988)

    @staticmethod
    def check_key(offer, body):
        require(offer.target != PINS and body["container"] < CONTAINERS, 0x6988)
        require(body["pin"] == int(body["policy"]["pinNeeded"]), 0x6988)
        require(body["purpose"] in (SIGN, DECRYPT, DERIVE), 0x6988)
        require(formats.valid_pair(body["keyType"], body["purpose"]), 0x6988)

    @staticmethod
    def check_order(offer, body):
        require(offer.target == PINS and body["pin"] in (1, 2) and body["sender"], 0x6988)
        none = {"replaces": b"", "keyType": 0, "purpose": 0, "policy": {"pinNeeded": False, "notAfter": 0}}
        require(all(body[name] == value for name, value in none.items()), 0x6988)

    def receipt(self, item, body, confirmation, evidence):
        """formats.md 7."""
        copies = ("sid", "number", "function", "method", "exchange", "container", "pin", "keyType",
                  "purpose", "policy", "sender")
        return {name: body[name] for name in copies} | {
            "context": "keyferry/receipt/v1", "version": 1, "device": sha256(self.certificate),
            "serial": self.serial, "item": sha256(item), "confirmation": confirmation, "result": 0,
            "counter": self.counter, "evidence": evidence}

    def get_receipt(self, command):
        require(command.p == 0, 0x6A86)
        sid, number = command.objects(_80=16, _81=2)
        receipt = self.receipts.get((sid, int.from_bytes(number, "big")))
        require(receipt, 0x6A88)
        return receipt

    def destroy_session(self, command):
        require(command.p1 == 0, 0x6A86)
        command.no_data()
        require(self.sessions.pop(command.p2, None), 0x6A88)

    def delete(self, command):
        require(command.p1 == 0 and command.p2 < CONTAINERS, 0x6A86)
        command.no_data()
        key = self.container(command.p2)
        self.need_pin()
        self.replace(command.p2, None)
        self.offers = [offer for offer in self.offers if offer.exchange is not key]

    def list_pending(self, command):
        require(command.p == 0, 0x6A86)
        command.no_data()
        return b"".join(
            tlv(0xE4, tlv(0x80, offer.sid), tlv(0x81, bytes([offer.target])),
                tlv(0x82, bytes([offer.tries])), tlv(0x83, offer.next.to_bytes(2, "big")))
            for offer in self.offers)

    ISO = {
        0xA4: "select", 0xC0: "get_response", 0xCA: "get_data", 0xDB: "put_data", 0x20: "verify",
        0x24: "change", 0x2C: "reset_retry", 0x47: "generate", 0x22: "manage_security",
        0x2A: "perform_security", 0x84: "get_challenge"}
    OWN = {
        0x50: "offer", 0x5A: "convert", 0x52: "import_session_key", 0x54: "process_item",
        0x56: "get_receipt", 0x58: "destroy_session", 0xE4: "delete", 0x5C: "list_pending"}


def _unsigned(n):
    return n.to_bytes((n.bit_length() + 7) // 8, "big")
