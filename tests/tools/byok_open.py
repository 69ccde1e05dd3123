#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The receiver of a wrapped key, from the receivers' own pages and with pyca/cryptography, which has an
AES key wrap of its own: byok_open.py FORMAT HASH MODE KEK-PRIVATE FILE writes what is inside to stdout.
With --make instead of FILE it is the sender: it wraps what comes on stdin.
"""
import base64
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384,
          "sha512": hashes.SHA512}
KID = "https://card.vault.localhost:8443/keys/kek/051928341be67dcba03f0e04104d9047"


def oaep(name):
    return padding.OAEP(padding.MGF1(HASHES[name]()), HASHES[name](), None)


def from_azure(data):
    file = json.loads(data.decode())
    assert file["schema_version"] == "1.0.0" and file["header"]["alg"] == "dir"
    assert file["header"]["enc"] == "CKM_RSA_AES_KEY_WRAP" or "_WRAP_" in file["header"]["enc"]
    text = file["ciphertext"]
    assert not set(text) & set("+/=\n")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def from_vault(data):
    assert len(data.splitlines()) == 1
    return base64.b64decode(data.strip(), validate=True)


FORMATS = {"azure": from_azure, "vault": from_vault, "aws": bytes, "gcp": bytes, "pkcs11": bytes}


def open_blob(kek, name, mode, blob):
    if mode == "direct":
        return kek.decrypt(blob, oaep(name))
    k = kek.key_size // 8
    aes = kek.decrypt(blob[:k], oaep(name))
    assert len(aes) == 32
    return keywrap.aes_key_unwrap_with_padding(aes, blob[k:])


def make_blob(kek, name, mode, plain):
    if mode == "direct":
        return kek.public_key().encrypt(plain, oaep(name))
    aes = os.urandom(32)
    return (kek.public_key().encrypt(aes, oaep(name)) +
            keywrap.aes_key_wrap_with_padding(aes, plain))


def make_file(form, blob):
    if form == "vault":
        return base64.b64encode(blob)
    if form != "azure":
        return blob
    text = base64.urlsafe_b64encode(blob).decode().rstrip("=")
    return json.dumps({"schema_version": "1.0.0", "header": {
        "kid": KID, "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"},
        "ciphertext": text, "generator": "byok_open.py; pyca"}).encode()


def main(form, name, mode, key, path):
    with open(key, "rb") as f:
        kek = load_pem_private_key(f.read(), None)
    if path == "--make":
        sys.stdout.buffer.write(make_file(form, make_blob(kek, name, mode, sys.stdin.buffer.read())))
        return
    with open(path, "rb") as f:
        blob = FORMATS[form](f.read())
    sys.stdout.buffer.write(open_blob(kek, name, mode, blob))


main(*sys.argv[1:])
