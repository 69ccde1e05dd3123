# SPDX-License-Identifier: LGPL-2.1-or-later
"""A key wrapped under a DKEK, by nobody of us: the layout of the card dossier 2.6, openssl for the rest.

dkek_blob.py SHARE...: writes a blob of the AES-256 key 00 01 .. 1F, which may encrypt, decrypt and make
MACs, under the XOR of those shares.
"""
import hashlib
import subprocess
import sys


def openssl(*args, data):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


dkek = bytes(32)
for name in sys.argv[1:]:
    with open(name, "rb") as share:
        dkek = bytes(a ^ b for a, b in zip(dkek, share.read(), strict=True))
enc, mac = (hashlib.sha256(dkek + n.to_bytes(4, "big")).hexdigest() for n in (1, 2))
plain = bytes(8) + (32).to_bytes(2, "big") + bytes(range(32)) + b"\x80"
plain += bytes(-len(plain) % 16)
blob = hashlib.sha256(dkek).digest()[:8] + b"\x0f" + b"\0\x08" + bytes.fromhex("6086480165030401")
blob += b"\0\3\x10\x11\x18" + bytes(4)
blob += openssl("enc", "-aes-256-cbc", "-nopad", "-K", enc, "-iv", "00" * 16, data=plain)
blob += openssl("mac", "-cipher", "AES-256-CBC", "-macopt", "hexkey:" + mac, "-binary",
                "-in", "/dev/stdin", "CMAC", data=blob)
sys.stdout.buffer.write(blob)
