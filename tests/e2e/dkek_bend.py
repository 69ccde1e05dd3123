# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every way to bend a key wrapped under a DKEK, by nobody of us: the layout of the card dossier 2.6, openssl
for the rest.

dkek_bend.py DKEK CARGO OUT: opens the blob in the cargo with the DKEK and writes the cargo again with each
thing wrong that can be, as OUT/NAME. Says of each, in a line: "before NAME WHY" where who injects it can know
and says WHY, "card NAME" where only the card can. Whatever only the card can know has a good MAC, but for
those that are about the MAC.
"""
import base64
import hashlib
import json
import os
import subprocess
import sys

TYPES = {5: ("bits", "d", "n", "e"),
         6: ("bits", "dP", "dQ", "p", "qInv", "q", "n", "e"),
         12: ("bits", "a", "b", "p", "n", "G", "d", "Q")}
FORM = "the blob is not in form"


def openssl(*args, data):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


class Dkek:
    def __init__(self, dkek):
        self.kcv = hashlib.sha256(dkek).digest()[:8]
        self.enc, self.mac = (hashlib.sha256(dkek + n.to_bytes(4, "big")).hexdigest() for n in (1, 2))

    def cbc(self, direction, data):
        return openssl("enc", direction, "-aes-256-cbc", "-nopad", "-K", self.enc, "-iv", "00" * 16, data=data)

    def cmac(self, data):
        return openssl("mac", "-cipher", "AES-256-CBC", "-macopt", "hexkey:" + self.mac, "-binary",
                       "-in", "/dev/stdin", "CMAC", data=data)


def field(value, claim=0):
    return (len(value) + claim).to_bytes(2, "big") + value


class Blob:
    """A blob in its parts: head (type, then four fields), plain part (random, bits, fields or the key)."""

    def __init__(self, dkek, blob):
        self.dkek, self.kcv, self.type = dkek, blob[:8], blob[8]
        at, self.head = 9, []
        for _ in range(4):
            n = int.from_bytes(blob[at:at + 2], "big")
            self.head.append(blob[at + 2:at + 2 + n])
            at += 2 + n
        plain = dkek.cbc("-d", blob[at:-16])
        self.random, self.bits, rest = plain[:8], plain[8:10], plain[10:]
        self.fields = []
        if self.type == 15:
            self.fields.append(rest[:int.from_bytes(self.bits, "big")])
        for _ in TYPES.get(self.type, ())[1:]:
            n = int.from_bytes(rest[:2], "big")
            self.fields.append(rest[2:2 + n])
            rest = rest[2 + n:]

    def plain(self, claims=None):
        if self.type == 15:
            return self.random + self.bits + self.fields[0]
        claims = claims or {}
        return self.random + self.bits + b"".join(field(f, claims.get(i, 0)) for i, f in enumerate(self.fields))

    def header(self, claims=None):
        claims = claims or {}
        return self.kcv + bytes([self.type]) + b"".join(field(f, claims.get(i, 0)) for i, f in enumerate(self.head))

    def build(self, plain=None, header=None, pad=True):
        plain = self.plain() if plain is None else plain
        if pad:
            plain += b"\x80"
            plain += bytes(-len(plain) % 16)
        whole = (self.header() if header is None else header) + self.dkek.cbc("-e", plain)
        return whole + self.dkek.cmac(whole)


def but(values, i, value):
    return values[:i] + [value] + values[i + 1:]


def bent_heads(b, blob):
    """(name, blob, what who injects it says)"""
    names = ["algorithm", "list", "conditions", "oid"]
    yield "type-unknown", b.build(header=b.kcv + b"\x07" + b.header()[9:]), FORM
    other = b"\x0c" if b.type != 12 else b"\x06"
    yield "type-another", b.build(header=b.kcv + other + b.header()[9:]), FORM
    name = bytes.fromhex("00086086480165030401" if b.type != 15 else "000a04007f00070202020203")
    head = b.kcv + (b"\x0f" if b.type != 15 else b"\x0c") + name
    yield "type-of-another-key", b.build(header=head + b.header()[11 + len(b.head[0]):]), \
        '"key_type" is not what the blob says'
    for i, name in enumerate(names):
        yield name + "-claims-more", b.build(header=b.header({i: 1})), FORM
        if b.head[i]:
            yield name + "-claims-less", b.build(header=b.header({i: -1})), FORM
    for i, name in ((0, "algorithm-short"), (2, "conditions-there"), (3, "oid-there")):
        keep, b.head = b.head, but(b.head, i, b.head[i][:-1] if i == 0 else b"\x01")
        yield name, b.build(), FORM
        b.head = keep
    keep, b.head = b.head, but(b.head, 0, b.head[0] + b"\x01")
    yield "algorithm-long", b.build(), FORM
    b.head = but(keep, 1, bytes(range(0x70, 0x76)) * 40)
    yield "list-too-long", b.build(), FORM
    b.head = keep
    yield "cut-0", b"", '"blob" is empty'
    for n in (1, 7, 8, 9, 20, len(b.header()), len(blob) - 1, len(blob) - 8):
        yield f"cut-{n}", blob[:n], FORM
    yield "a-byte-more", blob + b"\0", FORM
    yield "no-text", b.header() + blob[-16:], FORM
    yield "check-value", bytes([blob[0] ^ 1]) + blob[1:], '"check_value" is not what the blob says'


def bent_macs(b, blob):
    yield "mac-first-bit", blob[:-16] + bytes([blob[-16] ^ 0x80]) + blob[-15:]
    yield "mac-last-bit", blob[:-1] + bytes([blob[-1] ^ 1])
    yield "mac-zero", blob[:-16] + bytes(16)
    yield "text-bit", blob[:-40] + bytes([blob[-40] ^ 1]) + blob[-39:]
    yield "a-block-less", blob[:-32] + blob[-16:]
    yield "a-block-more", blob + bytes(16)
    body = blob[len(b.header()):]
    keep, b.head = b.head, but(b.head, 1, b.head[1][:-1])
    yield "list-changed", b.header() + body
    b.head = keep
    other = Dkek(hashlib.sha256(b.dkek.kcv).digest())
    own, b.dkek = b.dkek, other
    yield "another-dkek-under-this-check-value", b.build()
    b.dkek = own


def bent_plain(b):
    names = TYPES.get(b.type, ("bits", "key"))
    bits = int.from_bytes(b.bits, "big")
    keep = b.bits
    for name, value in (("less", bits - 1), ("more", bits + 1), ("none", 0), ("double", 2 * bits)):
        b.bits = (value & 0xffff).to_bytes(2, "big")
        yield "bits-" + name, b.build()
    b.bits = keep
    fields = b.fields
    for i, name in enumerate(names[1:]):
        for how, value in (("short", fields[i][:-1]), ("long", fields[i] + b"\x01"), ("none", b""),
                           ("wrong", fields[i][:-1] + bytes([fields[i][-1] ^ 2]))):
            if how == "none" and b.type == 12 and name == "a":
                continue    # a card's habit: the curve is told by the rest
            if how == "wrong" and b.type == 15:
                continue    # any 16, 24 or 32 bytes are a key
            b.fields = but(fields, i, value)
            yield f"{name}-{how}", b.build()
        b.fields = fields
        if b.type != 15:
            yield f"{name}-claims-more", b.build(b.plain({i: 1}))
            yield f"{name}-claims-less", b.build(b.plain({i: -1}))
    if b.type == 12:
        b.fields = but(fields, 5, fields[3])
        yield "d-is-the-order", b.build()
        b.fields = but(fields, 5, bytes(len(fields[5])))
        yield "d-is-zero", b.build()
        b.fields = fields
    plain = b.plain()
    room = -len(plain) % 16
    if room:
        yield "padding-zero", b.build(plain + bytes(room), pad=False)
        yield "padding-ff", b.build(plain + b"\xff" * room, pad=False)
    yield "padding-a-block-more", b.build(plain + b"\x80" + bytes(-(len(plain) + 1) % 16 + 16), pad=False)
    yield "cut-after-random", b.build(b.random, pad=True)


def main():
    with open(sys.argv[1], "rb") as f:
        dkek = Dkek(f.read())
    with open(sys.argv[2], encoding="ascii") as f:
        cargo = json.load(f)
    text = cargo["blob"]
    blob = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    b = Blob(dkek, blob)
    # What is bent here is what was sealed: taken apart and put together it is the same.
    assert b.build() == blob, "this is not how the blob is made"

    def write(name, bent, **more):
        with open(os.path.join(sys.argv[3], name), "w", encoding="ascii") as out:
            json.dump(cargo | {"blob": base64.urlsafe_b64encode(bent).decode().rstrip("=")} | more, out)

    for name, bent, why in bent_heads(b, blob):
        write(name, bent)
        print("before", name, why)
    other = bytes([dkek.kcv[0] ^ 1]) + dkek.kcv[1:]
    keep, b.kcv = b.kcv, other
    write("check-value-of-another-dkek", b.build(),
          check_value=base64.urlsafe_b64encode(other).decode().rstrip("="))
    b.kcv = keep
    print("before", "check-value-of-another-dkek", "the card has no DKEK " + other.hex())
    for i, name in ((92, "list-with-wrap"), (0, "list-empty")):
        keep = b.head
        b.head = but(b.head, 1, b.head[1] + b"\x92" if i else b"")
        write(name, b.build())
        b.head = keep
        print("before", name, "the key may be wrapped out again")
    for name, bent in list(bent_macs(b, blob)) + list(bent_plain(b)):
        write(name, bent)
        print("card", name)


main()
