# SPDX-License-Identifier: LGPL-2.1-or-later
"""Device certificates, formats.md 2. By hand: the library of Debian 12 refuses arcs of 128 bits."""

import datetime
import os
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography import x509
from cryptography.x509.oid import NameOID

import formats
from der import ANY_SEQUENCE, BOOLEAN, INTEGER, Malformed, Reader, tlv


def oid(text):
    first, second, *rest = (int(arc) for arc in text.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.insert(0, arc & 0x7F | 0x80)
        content += bytes(digits)
    return tlv(0x06, content)


ECDSA_SHA256 = tlv(0x30, oid("1.2.840.10045.4.3.2"))
SERIAL_NUMBER = oid("2.5.4.5")
BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE = oid("2.5.29.19"), oid("2.5.29.15"), oid("2.5.29.37")
KEYFERRY_DEVICE, KEYFERRY_VIRTUAL = oid(formats.ARC + ".1"), oid(formats.ARC + ".2")
CRITICAL = BOOLEAN.write(True)


class Maker:
    """A maker's root."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Peer maker")])
        now = datetime.datetime.utcnow()
        self.root = (
            x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(True, 0), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False),
                           critical=True)
            .sign(self.key, hashes.SHA256()))

    def pem(self):
        return self.root.public_bytes(serialization.Encoding.PEM)

    def certify(self, public, serial, virtual=True, days=30, signer=None, usage=b"\x07\x80",
                virtual_value=b"\x05\x00", leave=None, critical=True, serials=1):
        """The certificate of a device key, DER. The last six arguments make bad ones."""
        extensions = [
            (BASIC_CONSTRAINTS, tlv(0x30)),
            (KEY_USAGE, tlv(0x03, usage)),
            (EXTENDED_KEY_USAGE, tlv(0x30, KEYFERRY_DEVICE)),
        ]
        if leave is not None:
            del extensions[leave]
        if virtual:
            extensions.append((KEYFERRY_VIRTUAL, virtual_value))
        mark = CRITICAL if critical else b""
        tbs = tlv(
            0x30,
            tlv(0xA0, INTEGER.write(2)),
            INTEGER.write(int.from_bytes(os.urandom(8), "big") | 1),
            ECDSA_SHA256,
            self.root.subject.public_bytes(),
            tlv(0x30, _time(-3600), _time(days * 86400)),
            tlv(0x30, *[tlv(0x31, tlv(0x30, SERIAL_NUMBER, tlv(0x13, serial.encode())))] * serials),
            formats.spki(public),
            tlv(0xA3, tlv(0x30, *(tlv(0x30, name, mark, tlv(0x04, value))
                                  for name, value in extensions))))
        signature = formats.sign(signer or self.key, tbs)
        return tlv(0x30, tbs, ECDSA_SHA256, tlv(0x03, b"\0", signature))


def _time(offset):
    return tlv(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + offset)).encode())


def _read_time(reader):
    if reader.peek() == 0x17:
        text = reader.take(0x17).decode()
        text = ("20" if text < "50" else "19") + text
    else:
        text = reader.take(0x18).decode()
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ")


class Device:
    """A device certificate that has passed every check of formats.md 2."""

    def __init__(self, der, root):
        outer = Reader(der)
        whole = Reader(outer.take(0x30))
        outer.end()
        tbs, algorithm, signature = whole.element(0x30), whole.element(0x30), whole.take(0x03)
        whole.end()
        self.check_signature(root.public_key(), algorithm, signature, tbs)

        t = Reader(Reader(tbs).take(0x30))
        if t.take(0xA0) != INTEGER.write(2):
            raise Malformed("not X.509 v3")
        INTEGER.read(t)
        if t.element(0x30) != algorithm or t.element(0x30) != root.subject.public_bytes():
            raise Malformed("algorithm or issuer")
        validity = Reader(t.take(0x30))
        if not _read_time(validity) <= datetime.datetime.utcnow() <= _read_time(validity):
            raise Malformed("not valid now")
        self.serial = self.subject_serial(t.take(0x30))
        self.public = formats.load_spki(ANY_SEQUENCE.read(t))
        if formats.key_type(self.public) != 4:
            raise Malformed("device key is not P-256")
        self.check_extensions(Reader(t.take(0xA3)).take(0x30))
        t.end()
        self.der, self.fingerprint = der, formats.sha256(der)

    @staticmethod
    def check_signature(key, algorithm, signature, tbs):
        if signature[:1] != b"\0":
            raise Malformed("signature")
        if isinstance(key, ec.EllipticCurvePublicKey):
            if algorithm != ECDSA_SHA256 or not formats.verified(key, signature[1:], tbs):
                raise Malformed("not signed by the root")
        else:
            key.verify(signature[1:], tbs, padding.PKCS1v15(), hashes.SHA256())

    @staticmethod
    def subject_serial(rdns):
        found, reader = [], Reader(rdns)
        while reader.peek() is not None:
            attribute = Reader(Reader(reader.take(0x31)).take(0x30))
            if attribute.element(0x06) == SERIAL_NUMBER:
                # "PrintableString or UTF8String"
                found.append(attribute.take(0x13 if attribute.peek() == 0x13 else 0x0C).decode())
        if len(found) != 1:
            raise Malformed("subject serialNumber, once")
        return found[0]

    def check_extensions(self, extensions):
        reader, found = Reader(extensions), {}
        while reader.peek() is not None:
            extension = Reader(reader.take(0x30))
            name = extension.element(0x06)
            critical = extension.peek() == 0x01 and BOOLEAN.read(extension)
            if name in found:
                raise Malformed("extension twice")
            found[name] = (critical, extension.take(0x04))
            extension.end()
        for name, value in ((BASIC_CONSTRAINTS, tlv(0x30)), (KEY_USAGE, tlv(0x03, b"\x07\x80")),
                            (EXTENDED_KEY_USAGE, tlv(0x30, KEYFERRY_DEVICE))):
            if found.pop(name, None) != (True, value):
                raise Malformed("extension")
        virtual = found.pop(KEYFERRY_VIRTUAL, None)
        if virtual not in (None, (True, b"\x05\x00")):
            raise Malformed("virtual extension")
        if any(critical for critical, _ in found.values()):
            raise Malformed("unknown critical extension")
        self.level = formats.VIRTUAL if virtual else formats.CHIP
