# SPDX-License-Identifier: LGPL-2.1-or-later
"""What docs/formats.md and section 6 of docs/card-application.md describe, and nothing else."""

import base64
import datetime
import hashlib
import json
import os
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from der import (ANY_SEQUENCE, BOOLEAN, ENUMERATED, INTEGER, OCTETS, UTF8, Malformed, Reader, Type, octets,
                 sequence, sequence_of, tlv)

AID = bytes.fromhex("F06B6579666572727901")
ARC = "2.25.315007932491006175092051259904916213513"

# card-application.md 1.1
DEVICE, EXCHANGE, KEK, SHARED, SESSION, SIGN, DECRYPT, DERIVE, CIPHER = range(1, 10)
# card-application.md 1.2
RSA_BITS = {1: 2048, 2: 3072, 3: 4096}
CURVES = {4: ec.SECP256R1, 5: ec.SECP384R1, 6: ec.SECP521R1}
ORDERS = {
    4: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    5: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    6: int("01FF" + "F" * 62 + "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}
KEY_TYPES = [1, 2, 3, 4, 5, 6]
X25519, AES_256 = 7, 10
METHOD_SHARED, METHOD_RSA, METHOD_DERIVED, METHOD_ECDH = range(1, 5)
BY_SHARED_KEY, CONFIRMING = (METHOD_SHARED, METHOD_DERIVED), (METHOD_DERIVED, METHOD_ECDH)
# The types of an EXCHANGE key by method.
EXCHANGES = {METHOD_RSA: [1, 2, 3], METHOD_ECDH: [4, 5, X25519]}
PADDING_OAEP, SUITE_CBC_CMAC = 2, 1
IMPORT_KEY_PAIR, CHANGE, AUTHENTICATE = range(1, 4)
GENERATED, INJECTED, INJECTED_OPEN, LOADED = range(1, 5)
# Targets that are no container: a batch, and PINs
BATCH, PINS = 254, 255
PIN, PUK = 1, 2
CHIP, VIRTUAL = 1, 2
METHOD_NAMES = {1: "shared", 2: "rsa", 3: "derived", 4: "ecdh"}
FUNCTION_NAMES = {1: "import-keypair", 2: "change-authenticator", 3: "authenticate"}
# formats.md 8.3
TYPE_NAMES = {1: "rsa2048", 2: "rsa3072", 3: "rsa4096", 4: "p256", 5: "p384", 6: "p521"}
PURPOSE_NAMES = {SIGN: "sign", DECRYPT: "decrypt", DERIVE: "derive"}

HASH, SID, NUMBERS = octets(32), octets(16), sequence_of(ENUMERATED)
HASH_OR_EMPTY = octets(0, 32)
POLICY = sequence(pinNeeded=BOOLEAN, notAfter=INTEGER)

# formats.md 4
STATEMENT = sequence(
    context=UTF8, application=octets(10), version=INTEGER, level=ENUMERATED, serial=UTF8, device=HASH,
    exchangeId=octets(16), exchange=HASH, exchangeType=ENUMERATED, purpose=ENUMERATED,
    origin=ENUMERATED, container=INTEGER, holds=HASH_OR_EMPTY, methods=NUMBERS, keyTypes=NUMBERS,
    paddings=NUMBERS, suites=NUMBERS, limits=sequence(item=INTEGER, items=INTEGER, tries=INTEGER),
    injectors=sequence_of(HASH), sid=SID, nonce=HASH)
SIGNED_STATEMENT = sequence(statement=ANY_SEQUENCE, signature=OCTETS, exchangeKey=ANY_SEQUENCE)
# formats.md 4.1
SHARED_KEY_INFO = sequence(method=ENUMERATED, mark=HASH, challenge=HASH_OR_EMPTY)
# formats.md 13
PIN_ITEM = sequence(authenticator=INTEGER, leastTries=INTEGER, flags=INTEGER, proof=octets(64), newValue=octets(64))
PIN_MARK = sequence(pin=INTEGER, tries=INTEGER)
# formats.md 5
BODY = sequence(
    context=UTF8, version=INTEGER, suite=ENUMERATED, method=ENUMERATED, function=ENUMERATED, sid=SID,
    number=INTEGER, count=INTEGER, serial=UTF8, exchange=HASH, container=INTEGER,
    replaces=HASH_OR_EMPTY, pin=INTEGER, keyType=ENUMERATED, purpose=ENUMERATED, policy=POLICY,
    sender=HASH_OR_EMPTY, iv=octets(16), length=INTEGER, ciphertext=OCTETS)
ITEM = sequence(body=ANY_SEQUENCE, mac=octets(16), signature=OCTETS)
# formats.md 7; of the methods that do not confirm the field is not there
CONFIRMATION = Type(lambda v: OCTETS.write(v) if v else b"",
                    lambda r: octets(16).read(r) if r.peek() == 0x04 else b"")
RECEIPT = sequence(
    context=UTF8, version=INTEGER, device=HASH, serial=UTF8, sid=SID, number=INTEGER, item=HASH,
    function=ENUMERATED, method=ENUMERATED, exchange=HASH, confirmation=CONFIRMATION, container=INTEGER,
    pin=INTEGER, keyType=ENUMERATED, purpose=ENUMERATED, policy=POLICY, sender=HASH_OR_EMPTY,
    result=ENUMERATED, counter=INTEGER, evidence=ANY_SEQUENCE)
SIGNED_RECEIPT = sequence(receipt=ANY_SEQUENCE, signature=OCTETS)


def sha256(data):
    return hashlib.sha256(data).digest()


# Keys


def spki(key):
    """formats.md 3. The library writes exactly this form."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_spki(der):
    """A public key whose SubjectPublicKeyInfo is of the one form of formats.md 3."""
    try:
        key = serialization.load_der_public_key(der)
    except Exception as e:
        raise Malformed("SubjectPublicKeyInfo") from e
    if key_type(key) is None or spki(key) != der:
        raise Malformed("SubjectPublicKeyInfo")
    return key


def key_type(key):
    """The number of card-application.md 1.2 for a public or private key, or None."""
    if isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        return {bits: n for n, bits in RSA_BITS.items()}.get(key.key_size)
    if isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        return {c.name: n for n, c in CURVES.items()}.get(key.curve.name)
    if isinstance(key, (x25519.X25519PublicKey, x25519.X25519PrivateKey)):
        return X25519
    return None


def valid_pair(kind, purpose):
    """card-application.md 1.2: the valid pairs of type and purpose."""
    return purpose in (SIGN, DECRYPT) if kind in RSA_BITS else kind in CURVES and purpose in (SIGN, DERIVE)


def signed_part(body, mac):
    """formats.md 5: the DER of body followed by the DER of mac, tag and length included."""
    return body + OCTETS.write(mac)


def sign(key, data):
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def verified(key, signature, data):
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def oaep(h):
    """card-application.md 5.3: label = H."""
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), h)


# card-application.md 6


def cmac(key, data):
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def is_in_form(body):
    """The ranges at the head of formats.md, for an item's body."""
    return (body["context"] == "keyferry/item/v1" and body["version"] == 1
            and all(body[n] < 128 for n in ("suite", "method", "function", "keyType", "purpose"))
            and re.fullmatch("[A-Za-z0-9.-]{1,32}", body["serial"])
            and max(body["container"], body["pin"]) < 256
            and max(body["number"], body["count"], body["length"]) < 65536
            and body["length"] == len(body["ciphertext"])
            and body["policy"]["notAfter"] < 1 << 63)


def item_key(s1, what, method, function, h, number):
    """K(what): the counter of 32 bits, the label, 00, the context, 256 as 32 bits."""
    label = "keyferry/%s/%s/%s" % (METHOD_NAMES[method], FUNCTION_NAMES[function], what)
    return kbkdf(s1, label, h + number.to_bytes(4, "big"), 32)


def kbkdf(key, label, context, size):
    fixed = label.encode() + b"\0" + context + (8 * size).to_bytes(4, "big")
    return b"".join(cmac(key, i.to_bytes(4, "big") + fixed) for i in range(1, size // 16 + 1))


# card-application.md 6.1


def agree(kind, z, ephemeral, fixed, h):
    """S1, the host confirmation and the card's."""
    f = bytes([kind, len(ephemeral)]) + ephemeral + bytes([len(fixed)]) + fixed + h
    s1 = HKDF(hashes.SHA256(), 32, h, b"keyferry/ecdh/s1\0" + f).derive(z)
    return s1, kbkdf(s1, "keyferry/ecdh/host", f, 16), kbkdf(s1, "keyferry/ecdh/card", f, 16)


def new_like(public):
    """A fresh pair of the type of a public key."""
    if key_type(public) == X25519:
        return x25519.X25519PrivateKey.generate()
    return ec.generate_private_key(public.curve)


def shared_secret(private, public):
    """Z; raises Malformed for what is no point, or one that yields all zero."""
    try:
        if key_type(private) == X25519:
            return private.exchange(x25519.X25519PublicKey.from_public_bytes(public))
        if public[:1] != b"\4":
            raise Malformed("point")
        return private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(private.curve, public))
    except ValueError as e:
        raise Malformed("point") from e


# card-application.md 6.2


def card_key(master, method, serial):
    return kbkdf(master, f"keyferry/{METHOD_NAMES[method]}/key", serial.encode(), 32)


def mark(key, method):
    return kbkdf(key, f"keyferry/{METHOD_NAMES[method]}/mark", b"", 32)


def from_shared(key, method, h, sid, serial, *rest):
    """S1 and, of method derived, both confirmations. The rest: salt, or server's id and both challenges."""
    f = h + sid + bytes([len(serial)]) + serial.encode() + b"".join(rest)
    s1 = kbkdf(key, f"keyferry/{METHOD_NAMES[method]}/s1", f, 32)
    if method == METHOD_SHARED:
        return s1, b"", b""
    return s1, kbkdf(s1, "keyferry/derived/host", f, 16), kbkdf(s1, "keyferry/derived/card", f, 16)


def maker_file(master, serial):
    """formats.md 9: the SHARED keys of one card, for its maker."""
    lines = [f"serial {serial}"]
    lines += [f"{METHOD_NAMES[m]} {card_key(master, m, serial).hex()}" for m in BY_SHARED_KEY]
    return "".join(line + "\n" for line in lines)


# formats.md 13


def pin_plaintext(authenticator, proof, new=b"", least=1, flags=0):
    pad = lambda value: value + b"\x80" + bytes(63 - len(value))
    return PIN_ITEM.write({"authenticator": authenticator, "leastTries": least, "flags": flags,
                           "proof": pad(proof), "newValue": pad(new)})


def load_pin_plaintext(data):
    """The order with both values as they are; raises Malformed."""
    order = PIN_ITEM.decode(data)
    if order["flags"] or not 1 <= order["leastTries"] <= 127:
        raise Malformed("order")
    for name in ("proof", "newValue"):
        value = order[name].rstrip(b"\0")
        if value[-1:] != b"\x80":
            raise Malformed("padding of a PIN")
        order[name] = value[:-1]
    return order


def encrypt(key, iv, plaintext):
    padded = plaintext + b"\x80" + bytes(-(len(plaintext) + 1) % 16)
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return cipher.update(padded) + cipher.finalize()


def decrypt(key, iv, ciphertext):
    if not ciphertext or len(ciphertext) % 16:
        raise Malformed("ciphertext")
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = cipher.update(ciphertext) + cipher.finalize()
    text = padded.rstrip(b"\0")
    # "as few 00 as reach a multiple of 16": at most 15 of them
    if text[-1:] != b"\x80" or len(padded) - len(text) > 15:
        raise Malformed("padding")
    return text[:-1]


# formats.md 6


def plaintext(key):
    numbers = key.private_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        public = numbers.public_numbers
        return rsa_plaintext(public.n, public.e, numbers.d, numbers.p, numbers.q, numbers.dmp1,
                             numbers.dmq1, numbers.iqmp)
    size = (key.curve.key_size + 7) // 8
    return ec_plaintext(numbers.private_value.to_bytes(size, "big"), point(key.public_key()))


def rsa_plaintext(*numbers):
    return tlv(0x30, INTEGER.write(0), *(INTEGER.write(n) for n in numbers))


def ec_plaintext(d, q):
    return tlv(0x30, INTEGER.write(1), tlv(0x04, d), tlv(0xA1, tlv(0x03, b"\0", q)))


def point(public):
    if key_type(public) == X25519:
        return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def load_plaintext(kind, data):
    """Parse and check as card-application.md 5.4 step 6 says; raises Malformed."""
    whole = Reader(data)
    inner = Reader(whole.take(0x30))
    whole.end()
    return (_load_rsa if kind in RSA_BITS else _load_ec)(kind, inner)


def _load_rsa(kind, inner):
    version, n, e, d, p, q, dp, dq, qinv = (INTEGER.read(inner) for _ in range(9))
    inner.end()
    bits = RSA_BITS[kind]
    good = (
        version == 0
        and n.bit_length() == bits
        and e & 1 and 65537 <= e < 1 << 64
        and p.bit_length() == q.bit_length() == bits // 2
        and p != q
        and p * q == n
        and is_prime(p) and is_prime(q)
        and d * e % (p - 1) == 1 and d * e % (q - 1) == 1
        and dp == d % (p - 1) and dq == d % (q - 1) and qinv == pow(q, -1, p)
    )
    if not good:
        raise Malformed("RSA key")
    try:
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qinv, rsa.RSAPublicNumbers(e, n)).private_key()
    except ValueError as e:
        raise Malformed("RSA key") from e


def _load_ec(kind, inner):
    version = INTEGER.read(inner)
    secret = inner.take(0x04)
    public = Reader(inner.take(0xA1))
    inner.end()
    bits = public.take(0x03)
    public.end()
    d = int.from_bytes(secret, "big")
    curve = CURVES[kind]()
    if version != 1 or len(secret) != (curve.key_size + 7) // 8 or not 0 < d < ORDERS[kind]:
        raise Malformed("EC key")
    key = ec.derive_private_key(d, curve)
    if bits != b"\0" + point(key.public_key()):
        raise Malformed("EC public key")
    return key


def is_prime(n, rounds=16):
    """Miller-Rabin with random bases."""
    if n < 3 or n % 2 == 0:
        return n == 2
    s = ((n - 1) & (1 - n)).bit_length() - 1
    for _ in range(rounds):
        x = pow(2 + int.from_bytes(os.urandom(32), "big") % (n - 3), (n - 1) >> s, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


# formats.md 8: the JSON files


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text):
    if not isinstance(text, str):
        raise Malformed("base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise Malformed("base64url")
    return data


def stamp(seconds):
    return datetime.datetime.utcfromtimestamp(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_json(value):
    return json.dumps(value, indent=1)


def members(value, *names):
    """The values of exactly these members."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise Malformed("members: %r" % (sorted(value) if isinstance(value, dict) else value))
    return [value[name] for name in names]


def read_json(text, kind, *names):
    """The members of a file of this format: no others, none twice."""

    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise Malformed("duplicate member")
        return dict(pairs)

    if len(text) > 1 << 20:
        raise Malformed("longer than 1 MiB")
    value = json.loads(text, object_pairs_hook=unique)
    fmt, version, *rest = members(value, "format", "version", *names)
    if fmt != kind or type(version) is not int or version != 1:
        raise Malformed("format")
    return rest
