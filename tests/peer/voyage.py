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
from server import Order, Server

PIN, PUK, NEW_PIN = "123456", "12345678", "new-pin-0815"
KEYFERRY = os.path.join(os.environ["KF_BUILD"], "bin", "keyferry")
PURPOSES = {name: number for number, name in formats.PURPOSE_NAMES.items()}


def keyferry(*words, status=0, socket="broker", given=PIN + "\n"):
    """Run keyferry with the PIN on a descriptor; its output. It must end with this status."""
    command = [KEYFERRY, *map(str, words)]
    if socket:
        command += ["--socket", socket, "--pin-fd", "0"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)
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
    if os.path.exists("master"):
        server.master = bytes.fromhex(read("master"))
    root = x509.load_pem_x509_certificate(read(f"{card}/root.pem").encode())
    server.enroll(ssl.PEM_cert_to_DER_cert(read(f"{card}/card.pem")), root)
    return server


def offer(server, container, *options, method="rsa", kind="rsa3072"):
    """container: a number, or an option of keyferry offer in its place."""
    serial = next(iter(server.devices))
    write("challenge", server.challenge(serial))
    where = [container] if isinstance(container, str) else ["-c", container]
    keyferry("offer", "--challenge", "challenge", *where, "-o", "offer", "--method", method,
             *(["--exchange-type", kind] if kind else []), *options)
    server.methods = [number for number, name in formats.METHOD_NAMES.items() if name == method]
    return server.accept(read("offer"))


def inject(cargo, status=0):
    write("cargo", cargo)
    if os.path.exists("receipt"):
        os.unlink("receipt")
    return keyferry("inject", "cargo", "-o", "receipt", status=status)


# The injected key, used through the project's program and checked here.


def use(public, purpose, container=0, socket="broker"):
    def run(*words):
        keyferry("key", purpose, "-c", container, "-o", "out", *words, socket=socket)
        with open("out", "rb") as file:
            return file.read()

    {"sign": use_sign, "decrypt": use_decrypt, "derive": use_derive}[purpose](public, run)


def use_sign(public, run):
    data = os.urandom(1000)
    write("in", data)
    for name, digest in (("sha256", hashes.SHA256()), ("sha512", hashes.SHA512())):
        signature = run("-i", "in", "--hash", name)
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, data, ec.ECDSA(digest))
            continue
        public.verify(signature, data, padding.PKCS1v15(), digest)
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        public.verify(run("-i", "in", "--hash", name, "--pss"), data, pss, digest)


def use_decrypt(public, run):
    secret = os.urandom(40)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA384()), hashes.SHA384(), None)
    for scheme, options in ((oaep, ["--hash", "sha384"]), (padding.PKCS1v15(), ["--padding", "pkcs1"])):
        write("in", public.encrypt(secret, scheme))
        assert run("-i", "in", *options) == secret


def use_derive(public, run):
    peer = ec.generate_private_key(public.curve)
    write("peer.pem", peer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    assert run("--peer", "peer.pem") == peer.exchange(ec.ECDH(), public)


def delete(container):
    keyferry("container", "delete", container)


# Tests: this server, the project's card.


def carry(kind, purpose, method="rsa", exchange="rsa3072"):
    """A key of this server arrives in the card, is receipted, and works."""
    server, key = server_for(), new_key(kind)
    inject(server.seal(offer(server, 0, method=method, kind=exchange), (key, PURPOSES[purpose])))
    receipt, = server.check_receipt(read("receipt"))
    use(key.public_key(), purpose)
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
    use(keys[1][0].public_key(), "decrypt")
    delete(0)


def carry_batch():
    """Keys for three containers in one cargo."""
    server = server_for()
    keys = {number: new_key("p256") for number in (1, 4, 7)}
    accepted = offer(server, "--batch", method="ecdh", kind="p256")
    inject(server.seal(accepted, *((key, formats.SIGN, number) for number, key in keys.items())))
    server.check_receipt(read("receipt"))
    for number, key in keys.items():
        use(key.public_key(), "sign", number)
        delete(number)


def carry_orders():
    """A PIN set by the PUK, changed back and presented: each is carried, proved, and seen in the card."""
    server = server_for()

    def order(pin, *order):
        accepted = offer(server, "--pins", method="ecdh", kind="x25519")
        inject(server.seal(accepted, Order(*order)))
        shown, = server.check_receipt(read("receipt"))
        assert formats.PIN_MARK.decode(shown["evidence"]) == {"pin": 1, "tries": 3}, shown
        keyferry("card", "pin", "verify", given=pin + "\n")

    order(NEW_PIN, formats.CHANGE, 1, 2, PUK.encode(), NEW_PIN.encode())
    order(PIN, formats.CHANGE, 1, 1, NEW_PIN.encode(), PIN.encode())
    order(PIN, formats.AUTHENTICATE, 1, 1, PIN.encode())


# Tests: the project's server, the Python card behind reader.py.


def offer_of_python(*options):
    keyferry("challenge", "--state", "state", "--device", "PY-1", "-o", "py.challenge", socket=None)
    keyferry("offer", "--challenge", "py.challenge", "-o", "py.offer", *options, socket="py.broker")


def proved_of_python(*words):
    keyferry("inject", "py.cargo", "-o", "py.receipt", socket="py.broker")
    said = keyferry("receipt", "verify", "py.receipt", "--state", "state", socket=None)
    assert all(word in said for word in words), said


def orders_to_python():
    """Orders about PINs, sealed by the project and obeyed by the Python card."""
    for how, values, now, words in (
            ("--unblock", (PUK, NEW_PIN), NEW_PIN, "set the PIN, which has 3 tries"),
            ("--set", (NEW_PIN, PIN), PIN, "set the PIN, which has 3 tries"),
            ("--set-puk", (PUK, PUK), PIN, "set the PUK, which has 8 tries"),
            ("--authenticate", (PIN,), PIN, "logged in by the PIN, which has 3 tries")):
        offer_of_python("--pins")
        keyferry("seal", "pin", how, "--state", "state", "--offer", "py.offer", "-o", "py.cargo", "--pin-fd", "0",
                 socket=None, given="".join(value + "\n" for value in values))
        proved_of_python(words)
        keyferry("card", "pin", "verify", socket="py.broker", given=now + "\n")


def batch_to_python():
    """Three keys in one cargo of the project, into the Python card."""
    keys = {number: new_key("p256") for number in (2, 6, 9)}
    for number, key in keys.items():
        write(f"batch{number}.pem", key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    write("batch", "".join(f"{number} sign batch{number}.pem\n" for number in keys))
    offer_of_python("--batch")
    keyferry("seal", "batch", "batch", "--state", "state", "--offer", "py.offer", "-o", "py.cargo", socket=None)
    proved_of_python("3 of 3")
    for number, key in keys.items():
        use(key.public_key(), "sign", number, "py.broker")
        keyferry("container", "delete", number, socket="py.broker")


def to_python(kind, purpose, *options, method=("rsa", "rsa3072")):
    """A key sealed by the project arrives in the Python card, is receipted, and works."""
    key = new_key(kind)
    write("voyage.pem", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    exchange = ["--exchange-type", method[1]] if method[1] else []
    offer_of_python("-c", 3, "--method", method[0], *exchange)
    keyferry("seal", "--state", "state", "--offer", "py.offer", "--key", "voyage.pem", "-o", "py.cargo",
             "--usage", purpose, "--methods", method[0], *options, socket=None)
    proved_of_python("A-virtual" if method[1] else "grade:     C")
    # "nothing is installed twice": the receipt is fetched from the card
    keyferry("inject", "py.cargo", "-o", "py.receipt2", socket="py.broker")
    assert read("py.receipt2") == read("py.receipt")
    use(key.public_key(), purpose, 3, "py.broker")
    keyferry("container", "delete", 3, socket="py.broker")


def by_ecdh_to_python(exchange, kind, purpose):
    to_python(kind, purpose, method=("ecdh", exchange))


def by_shared_key_to_python(method, kind, purpose):
    to_python(kind, purpose, method=(method, None))
    assert not os.path.exists("shared.keys"), "the maker keeps what the card has"


def show_python():
    shown = json.loads(keyferry("card", "show", "--json", "--cert", "shown.der", socket="py.broker"))
    assert "PY-1" in json.dumps(shown), shown
    with open("shown.der", "rb") as file:
        assert ssl.DER_cert_to_PEM_cert(file.read()) == read("pycard/card.pem")


def create_in_python():
    """Keys that the card makes, by the project's program."""
    for kind, purpose in (("rsa2048", "sign"), ("rsa2048", "decrypt"), ("p384", "sign"), ("p256", "derive")):
        keyferry("container", "create", "-c", 5, "--type", kind, "--usage", purpose, socket="py.broker")
        keyferry("container", "show", 5, "--pubkey", "-o", "public.pem", socket="py.broker")
        with open("public.pem", "rb") as file:
            public = serialization.load_pem_public_key(file.read())
        use(public, purpose, 5, "py.broker")
        keyferry("container", "delete", 5, socket="py.broker")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
