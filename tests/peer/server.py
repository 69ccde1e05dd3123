# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server side of a voyage, formats.md 8, with everything that it must check."""

import os
import time

from cryptography.hazmat.primitives.asymmetric import ec

import formats
from certificate import Device
from der import Malformed
from formats import (AES_256, AID, BATCH, BODY, BY_SHARED_KEY, EXCHANGE, GENERATED, IMPORT_KEY_PAIR, ITEM, LOADED,
                     METHOD_DERIVED, METHOD_ECDH, METHOD_NAMES, METHOD_RSA, METHOD_SHARED, PADDING_OAEP, PIN_MARK, PINS,
                     RECEIPT, SHARED, SHARED_KEY_INFO, SIGNED_RECEIPT, STATEMENT, SUITE_CBC_CMAC, b64, sha256, unb64)


def require(condition, what):
    if not condition:
        raise Malformed(what)


class Order:
    """What an item about a PIN does (formats.md 13)."""

    def __init__(self, function, pin, authenticator, proof, new=b"", **more):
        self.function, self.pin = function, pin
        self.text = formats.pin_plaintext(authenticator, proof, new, **more)


class Server:
    exchange_types = (2, 3, 4, 5, formats.X25519, AES_256)
    # "an explicit ordered method list"
    methods = (METHOD_RSA,)

    def __init__(self):
        self.injector = ec.generate_private_key(ec.SECP256R1())
        self.master = os.urandom(32)
        self.devices, self.nonces, self.tickets = {}, {}, {}

    def enroll(self, certificate, root):
        device = Device(certificate, root)
        self.devices[device.serial] = device

    def challenge(self, serial):
        nonce, now = os.urandom(32), time.time()
        self.nonces[nonce] = serial
        return formats.write_json({
            "format": "keyferry-challenge", "version": 1, "serial": serial,
            "device": self.devices[serial].fingerprint.hex(), "nonce": b64(nonce),
            "issued": formats.stamp(now), "expires": formats.stamp(now + 600)})

    def accept(self, text):
        """Verify an offer (8.2): the statement and the EXCHANGE key, facts from the DER only."""
        (serial, container, sid, nonce, method, exchange_key, certificate, statement_der,
         signature) = formats.read_json(
            text, "keyferry-offer", "serial", "container", "sid", "nonce", "method", "exchange_key",
            "device_certificate", "statement", "signature")
        statement_der, exchange = unb64(statement_der), unb64(exchange_key)
        statement = STATEMENT.decode(statement_der)
        # The nonce is good once, for the card that it was issued for.
        device = self.devices[self.nonces.pop(statement["nonce"])]
        require(device.der == unb64(certificate), "another device certificate")
        require(formats.verified(device.public, unb64(signature), statement_der), "signature")

        shared = statement["exchangeType"] == AES_256
        key = SHARED_KEY_INFO.decode(exchange) if shared else formats.load_spki(exchange)
        offered = key["method"] if shared else next(
            m for m, kinds in formats.EXCHANGES.items() if statement["exchangeType"] in kinds)
        copies = (statement["serial"], statement["container"], b64(statement["sid"]),
                  b64(statement["nonce"]), METHOD_NAMES[offered])
        require((serial, container, sid, nonce, method) == copies, "JSON is not the statement")
        want = {
            "context": "keyferry/attest/v1", "application": AID, "version": 1, "level": device.level,
            "serial": device.serial, "device": device.fingerprint, "exchange": sha256(exchange),
            "exchangeType": AES_256 if shared else formats.key_type(key),
            "purpose": SHARED if shared else EXCHANGE, "origin": LOADED if shared else GENERATED}
        for name, value in want.items():
            require(statement[name] == value, name)
        best = next((m for m in self.methods if m in statement["methods"]), None)
        require(best == offered, "another method is to be offered")
        if shared:
            self.check_mark(device.serial, key)
        require(0 <= statement["container"] <= 15 or statement["container"] in (BATCH, PINS), "container")
        require(statement["exchangeType"] in self.exchange_types, "EXCHANGE key is too short")
        require(offered != METHOD_RSA or PADDING_OAEP in statement["paddings"], "no common padding")
        require(SUITE_CBC_CMAC in statement["suites"], "no common suite")
        statement.update(h=sha256(statement_der), exchange_key=key, device_object=device, method=offered)
        return statement

    def check_mark(self, serial, info):
        mine = formats.mark(formats.card_key(self.master, info["method"], serial), info["method"])
        require(info["mark"] == mine, "not a key of this server's")
        require(len(info["challenge"]) == (32 if info["method"] == METHOD_DERIVED else 0), "challenge")

    # card-application.md 5.3 and 6: S1, what the card is given for it, and what it has to confirm

    def establish(self, offer, change):
        by = {METHOD_RSA: self.by_rsa, METHOD_ECDH: self.by_ecdh}.get(offer["method"], self.by_shared)
        return by(offer, change)

    @staticmethod
    def by_rsa(offer, change):
        s1 = os.urandom(32)
        return s1, offer["exchange_key"].encrypt(
            change.get("s1", s1), formats.oaep(change.get("label", offer["h"]))), b""

    @staticmethod
    def by_ecdh(offer, _):
        card = offer["exchange_key"]
        ephemeral = formats.new_like(card)
        fixed, mine = formats.point(card), formats.point(ephemeral.public_key())
        z = formats.shared_secret(ephemeral, fixed)
        s1, host, confirmation = formats.agree(offer["exchangeType"], z, mine, fixed, offer["h"])
        return s1, mine + host, confirmation

    def by_shared(self, offer, change):
        method, info = offer["method"], offer["exchange_key"]
        key = formats.card_key(self.master, method, offer["serial"])
        about = (key, method, offer["h"], offer["sid"], offer["serial"])
        if method == METHOD_SHARED:
            salt = os.urandom(32)
            return formats.from_shared(*about, salt)[0], salt, b""
        mine = sha256(formats.spki(self.injector.public_key()))
        challenge = change.get("challenge", os.urandom(32))
        s1, host, confirmation = formats.from_shared(*about, mine, info["challenge"], challenge)
        return s1, mine + challenge + host, confirmation

    def seal(self, offer, *contents, **change):
        """A cargo (8.3) with one item for each (key, purpose), (key, purpose, container) or Order, and a
        ticket for it.

        What stands in `change` goes wrong, or otherwise than usual, and the item is then signed as
        if it were right."""
        s1, given, confirmation = self.establish(offer, change)
        h, entries, ticket = change.get("h", offer["h"]), [], []
        self.previous = {}
        for number, content in enumerate(contents, 1):
            body = self.body(offer, content, number, len(contents))
            body.update(change.get("body", {}))
            item = self.item(offer, content, body, s1, h, change)
            entries.append(self.entry(content, body, item))
            ticket.append((body, sha256(item), self.evidence(content), confirmation))
        self.tickets[offer["sid"]] = (offer["device_object"], ticket)
        grade = "C" if offer["method"] in BY_SHARED_KEY else "A"
        if grade == "A" and offer["level"] == formats.VIRTUAL:
            grade = "A-virtual"
        rsa = offer["method"] == METHOD_RSA
        session_key = {"padding": "oaep-sha256", "wrapped": b64(given)} if rsa else {"input": b64(given)}
        return formats.write_json({
            "format": "keyferry-cargo", "version": 1, "serial": offer["serial"],
            "sid": b64(offer["sid"]), "container": offer["container"], "method": METHOD_NAMES[offer["method"]],
            "sender": self.sender(offer).hex() or None, "grade": grade,
            "session_key": {"algorithm": "AES-256"} | session_key, "items": entries})

    @staticmethod
    def entry(content, body, item):
        """An item of the cargo file (8.3)."""
        what = {"pin": body["pin"]} if isinstance(content, Order) else {
            "key_type": formats.TYPE_NAMES[formats.key_type(content[0])],
            "purpose": formats.PURPOSE_NAMES[content[1]]}
        return what | {
            "number": body["number"], "function": formats.FUNCTION_NAMES[body["function"]],
            "container": body["container"], "iv": b64(body["iv"]), "chaining_mode": "ChainingModeCBC",
            "item": b64(item)}

    @staticmethod
    def evidence(content):
        """What the receipt has to show: the SubjectPublicKeyInfo, or of an order which PIN."""
        return content.pin if isinstance(content, Order) else formats.spki(content[0].public_key())

    def sender(self, offer):
        """Empty if the card takes items from anybody (5.4 step 5)."""
        mine = sha256(formats.spki(self.injector.public_key()))
        require(not offer["injectors"] or mine in offer["injectors"], "the card has other injectors")
        return mine if offer["injectors"] else b""

    def body(self, offer, content, number, count):
        common = {
            "context": "keyferry/item/v1", "version": 1, "suite": SUITE_CBC_CMAC,
            "method": offer["method"], "sid": offer["sid"], "number": number,
            "count": count, "serial": offer["serial"], "exchange": offer["exchange"],
            "container": offer["container"], "sender": self.sender(offer), "iv": os.urandom(16)}
        if isinstance(content, Order):
            return common | {
                "function": content.function, "replaces": b"", "pin": content.pin, "keyType": 0, "purpose": 0,
                "policy": {"pinNeeded": False, "notAfter": 0}}
        key, purpose, *container = content
        if container:
            common["container"] = container[0]
        holds = offer["holds"] if offer["container"] != BATCH else b""
        return common | {
            "function": IMPORT_KEY_PAIR, "replaces": self.previous.get(common["container"], holds), "pin": 1,
            "keyType": formats.key_type(key), "purpose": purpose, "policy": {"pinNeeded": True, "notAfter": 0}}

    def item(self, offer, content, body, s1, h, change):
        def derived(what):
            number = change.get("key_number", body["number"])
            return formats.item_key(s1, what, offer["method"], body["function"], h, number)

        if isinstance(content, Order):
            text = content.text
        else:
            text = change.get("plaintext", formats.plaintext)(content[0])
            self.previous[body["container"]] = sha256(formats.spki(content[0].public_key()))
        body["ciphertext"] = formats.encrypt(derived("enc"), body["iv"], text)
        body["length"] = len(body["ciphertext"])
        der = BODY.write(body)
        mac = formats.cmac(derived("mac"), der)
        signature = b""
        if body["sender"]:
            signature = formats.sign(change.get("signer", self.injector), formats.signed_part(der, mac))
        item = {"body": der, "mac": mac, "signature": signature}
        item.update(change.get("damage", lambda _: {})(item))
        return ITEM.write(item)

    def check_receipt(self, text):
        """Compare a receipt file (8.4) with the ticket, field by field; the receipts."""
        serial, sid, entries = formats.read_json(text, "keyferry-receipt", "serial", "sid", "receipts")
        device, ticket = self.tickets[unb64(sid)]
        require(serial == device.serial and len(entries) == len(ticket), "serial or number of receipts")
        receipts = []
        for expected, entry in zip(ticket, entries):
            number, der = formats.members(entry, "number", "receipt")
            receipts.append(self.check_signed_receipt(device, expected, unb64(der)))
            require(number == receipts[-1]["number"], "number")
        return receipts

    @staticmethod
    def check_signed_receipt(device, expected, der):
        signed = SIGNED_RECEIPT.decode(der)
        require(formats.verified(device.public, signed["signature"], signed["receipt"]), "signature")
        receipt = RECEIPT.decode(signed["receipt"])
        body, item_hash, evidence, confirmation = expected
        want = {name: body[name] for name in ("sid", "number", "function", "method", "exchange",
                                              "container", "pin", "keyType", "purpose", "policy",
                                              "sender")}
        want.update(context="keyferry/receipt/v1", version=1, device=device.fingerprint,
                    serial=device.serial, item=item_hash, confirmation=confirmation, result=0)
        if isinstance(evidence, int):
            # the tries left are the card's to say
            require(PIN_MARK.decode(receipt["evidence"])["pin"] == evidence, "the PIN it was about")
        else:
            want["evidence"] = evidence
        for name, value in want.items():
            require(receipt[name] == value, name)
        require(set(receipt) == set(want) | {"counter", "evidence"}, "a field is not checked")
        return receipt
