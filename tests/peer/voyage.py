# SPDX-License-Identifier: LGPL-2.1-or-later
"""What peer.sh asks for: voyages of keys through the project's programs, one function a test.

    voyage.py FUNCTION [ARGUMENT...]

The work is done in the current directory; see peer.sh for what is in it."""

import json
import os
import ssl
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

import formats
from server import Server

PIN = "123456"
KEYFERRY = os.path.join(os.environ["KF_BUILD"], "bin", "keyferry")
PURPOSES = {name: number for number, name in formats.PURPOSE_NAMES.items()}


def keyferry(*words, status=0, socket="broker"):
    """Run keyferry with the PIN on a descriptor; its output, or an exception."""
    command = [KEYFERRY, *map(str, words)]
    if socket:
        command += ["--socket", socket, "--pin-fd", "0"]
    done = subprocess.run(command, input=PIN + "\n", capture_output=True, text=True, timeout=60)
    if done.returncode != status:
        raise AssertionError(f"{words}: {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def read(path):
    with open(path) as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def injector():
    """The injector key that the card in card/ knows."""
    with open("injector.key", "rb") as file:
        return serialization.load_pem_private_key(file.read(), None)


def new_key(kind):
    """RSA keys are made once by peer.sh."""
    if kind.startswith("rsa"):
        with open(kind + ".key", "rb") as file:
            return serialization.load_pem_private_key(file.read(), None)
    return ec.generate_private_key({"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}[kind]())


def server_for(card="card"):
    server = Server()
    if os.path.exists("injector.key"):
        server.injector = injector()
    root = x509.load_pem_x509_certificate(read(f"{card}/root.pem").encode())
    server.enroll(ssl.PEM_cert_to_DER_cert(read(f"{card}/card.pem")), root)
    return server


def offer(server, container, *options):
    serial = next(iter(server.devices))
    write("challenge", server.challenge(serial))
    keyferry("offer", "--challenge", "challenge", "-c", container, "-o", "offer",
             "--exchange-type", "rsa3072", *options)
    return server.accept(read("offer"))


def inject(cargo, status=0):
    write("cargo", cargo)
    if os.path.exists("receipt"):
        os.unlink("receipt")
    return keyferry("inject", "cargo", "-o", "receipt", status=status)


# The injected key, used through the project's program and checked here.


def use(key, purpose, container=0):
    write("in", os.urandom(1000))
    {"sign": use_sign, "decrypt": use_decrypt, "derive": use_derive}[purpose](key, container)


def use_sign(key, container):
    public, data = key.public_key(), open("in", "rb").read()
    for name, algorithm in (("sha256", hashes.SHA256()), ("sha512", hashes.SHA512())):
        schemes = [["--hash", name]]
        if isinstance(key, rsa.RSAPrivateKey):
            schemes.append(["--hash", name, "--pss"])
        for scheme in schemes:
            keyferry("key", "sign", "-c", container, "-i", "in", "-o", "out", *scheme)
            signature = open("out", "rb").read()
            if isinstance(key, ec.EllipticCurvePrivateKey):
                public.verify(signature, data, ec.ECDSA(algorithm))
            elif "--pss" in scheme:
                pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
                public.verify(signature, data, pss, algorithm)
            else:
                public.verify(signature, data, padding.PKCS1v15(), algorithm)


def use_decrypt(key, container):
    secret = os.urandom(40)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA384()), hashes.SHA384(), None)
    for scheme, options in ((oaep, ["--hash", "sha384"]), (padding.PKCS1v15(), ["--padding", "pkcs1"])):
        write("in", key.public_key().encrypt(secret, scheme))
        keyferry("key", "decrypt", "-c", container, "-i", "in", "-o", "out", *options)
        assert open("out", "rb").read() == secret


def use_derive(key, container):
    peer = ec.generate_private_key(key.curve)
    write("peer.pem", peer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    keyferry("key", "derive", "-c", container, "--peer", "peer.pem", "-o", "out")
    assert open("out", "rb").read() == peer.exchange(ec.ECDH(), key.public_key())


def delete(container):
    keyferry("container", "delete", container)


# Tests: this server, the project's card.


def carry(kind, purpose):
    """A key of this server arrives in the card, is receipted, and works."""
    server, key = server_for(), new_key(kind)
    inject(server.seal(offer(server, 0), (key, PURPOSES[purpose])))
    receipt, = server.check_receipt(read("receipt"))
    use(key, purpose)
    delete(0)


def refuse(what):
    """Four bad cargoes, then the good one for the same offer; 5.4: changes nothing but the tries."""
    server, key = server_for(), new_key("p256")
    accepted = offer(server, 0)
    for change in BAD[what]:
        inject(server.seal(accepted, (key, formats.SIGN), **change(accepted)), status=1)
        assert not os.path.exists("receipt"), "a receipt for a refused item"
        state = json.loads(keyferry("container", "list", "--all", "--json"))
        assert "p256" not in json.dumps(state), state
    inject(server.seal(accepted, (key, formats.SIGN)))
    server.check_receipt(read("receipt"))
    delete(0)


def flip(name, at=-1):
    """The item with one bit of a field turned over after MAC and signature were made."""

    def damage(item):
        value = bytearray(item[name])
        value[at] ^= 1
        return {name: bytes(value)}

    return lambda offer: {"damage": damage}


def field(**change):
    """An item that is right in all but this field."""
    return lambda offer: {"body": change}


def without(name):
    return lambda offer: {"damage": lambda item: {name: b""}}


def ec_text(change_d=lambda d: d, change_q=lambda q: q):
    def text(key):
        d = key.private_numbers().private_value.to_bytes(32, "big")
        return formats.ec_plaintext(change_d(d), change_q(formats.point(key.public_key())))

    return lambda offer: {"plaintext": text}


OTHER = ec.generate_private_key(ec.SECP256R1())

BAD = {
    "bits": [flip("body"), flip("mac"), flip("signature"), flip("mac", 0)],
    "keys": [
        lambda offer: {"h": bytes(32)},
        lambda offer: {"label": bytes(32)},
        lambda offer: {"s1": bytes(31)},
        lambda offer: {"key_number": 2},
    ],
    "senders": [
        lambda offer: {"signer": OTHER},
        lambda offer: {"signer": OTHER, "body": {
            "sender": formats.sha256(formats.spki(OTHER.public_key()))}},
        field(sender=b""),
        without("signature"),
    ],
    "numbers": [field(number=2, count=2), field(count=65), field(count=0), field(pin=0)],
    "names": [field(serial="KF-2"), field(container=1), field(exchange=bytes(32)), field(replaces=bytes(32))],
    "kinds": [field(purpose=formats.DECRYPT), field(purpose=formats.EXCHANGE), field(keyType=5),
              field(suite=2)],
    "plaintexts": [
        ec_text(change_d=lambda d: bytes(32)),
        ec_text(change_d=lambda d: d[:-1] + bytes([d[-1] ^ 1])),
        ec_text(change_q=lambda q: formats.point(OTHER.public_key())),
        ec_text(change_d=lambda d: b"\0" + d),
    ],
}


def refuse_rsa():
    """RSA keys that are wrong in one number each (5.4 step 6)."""
    server, key = server_for(), new_key("rsa2048")
    accepted = offer(server, 0)
    numbers = key.private_numbers()
    good = {"n": numbers.public_numbers.n, "e": numbers.public_numbers.e, "d": numbers.d, "p": numbers.p,
            "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qinv": numbers.iqmp}
    for name in ("d", "dp", "qinv", "q"):
        bad = dict(good)
        bad[name] += 2
        text = formats.rsa_plaintext(*bad.values())
        inject(server.seal(accepted, (key, formats.SIGN), plaintext=lambda key: text), status=1)
    inject(server.seal(accepted, (key, formats.SIGN)))
    server.check_receipt(read("receipt"))
    delete(0)


def exhausted():
    """card-application.md 5.4 step 3: five tries, and the offer is gone."""
    server, key = server_for(), new_key("p256")
    accepted = offer(server, 0)
    for _ in range(5):
        inject(server.seal(accepted, (key, formats.SIGN), h=bytes(32)), status=1)
    inject(server.seal(accepted, (key, formats.SIGN)), status=1)


def two_items():
    """Two items under one sid; the second replaces what the first installed."""
    server = server_for()
    keys = (new_key("p256"), formats.SIGN), (new_key("rsa2048"), formats.DECRYPT)
    inject(server.seal(offer(server, 0), *keys))
    first, second = server.check_receipt(read("receipt"))
    assert second["counter"] == first["counter"] + 1
    use(keys[1][0], "decrypt")
    delete(0)


def open_card(card):
    """A card without injectors takes an item without sender, and says so; a signed one it refuses."""
    server, key = server_for(card), new_key("p256")
    accepted = offer(server, 0)
    mine = formats.sha256(formats.spki(server.injector.public_key()))
    inject(server.seal(accepted, (key, formats.SIGN), body={"sender": mine}), status=1)
    inject(server.seal(accepted, (key, formats.SIGN)))
    receipt, = server.check_receipt(read("receipt"))
    assert receipt["sender"] == b""
    delete(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
