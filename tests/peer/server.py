# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server side of a voyage, formats.md 8, with everything that it must check."""

import os
import time

from cryptography.hazmat.primitives.asymmetric import ec

import formats
from certificate import Device
from der import Malformed
from formats import (AID, BODY, EXCHANGE, GENERATED, IMPORT_KEY_PAIR, ITEM, METHOD_RSA, PADDING_OAEP,
                     RECEIPT, SIGNED_RECEIPT, STATEMENT, SUITE_CBC_CMAC, b64, sha256, unb64)


def require(condition, what):
    if not condition:
        raise Malformed(what)


class Server:
    exchange_types = (2, 3)

    def __init__(self):
        self.injector = ec.generate_private_key(ec.SECP256R1())
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

        copies = (statement["serial"], statement["container"], b64(statement["sid"]),
                  b64(statement["nonce"]), "rsa")
        require((serial, container, sid, nonce, method) == copies, "JSON is not the statement")
        key = formats.load_spki(exchange)
        want = {
            "context": "keyferry/attest/v1", "application": AID, "version": 1, "level": device.level,
            "serial": device.serial, "device": device.fingerprint, "exchange": sha256(exchange),
            "exchangeType": formats.key_type(key), "purpose": EXCHANGE, "origin": GENERATED}
        for name, value in want.items():
            require(statement[name] == value, name)
        require(METHOD_RSA in statement["methods"], "methods")
        require(0 <= statement["container"] <= 15, "container")
        require(statement["exchangeType"] in self.exchange_types, "EXCHANGE key is too short")
        require(PADDING_OAEP in statement["paddings"] and SUITE_CBC_CMAC in statement["suites"],
                "no common padding or suite")
        statement.update(h=sha256(statement_der), exchange_key=key, device_object=device)
        return statement

    def seal(self, offer, *keys, **change):
        """A cargo (8.3) with one item for each (key, purpose), and a ticket for it.

        What stands in `change` goes wrong, or otherwise than usual, and the item is then signed as
        if it were right."""
        s1 = os.urandom(32)
        h = change.get("h", offer["h"])
        wrapped = offer["exchange_key"].encrypt(change.get("s1", s1),
                                                formats.oaep(change.get("label", offer["h"])))
        items, ticket = [], []
        for number, (key, purpose) in enumerate(keys, 1):
            body = self.body(offer, key, purpose, number, len(keys))
            body.update(change.get("body", {}))
            item = self.item(offer, key, body, s1, h, change)
            items.append({
                "number": number, "function": "import-keypair",
                "key_type": formats.TYPE_NAMES[formats.key_type(key)],
                "purpose": formats.PURPOSE_NAMES[purpose], "container": offer["container"],
                "iv": b64(body["iv"]), "chaining_mode": "ChainingModeCBC", "item": b64(item)})
            ticket.append((body, sha256(item), formats.spki(key.public_key())))
        self.tickets[offer["sid"]] = (offer["device_object"], ticket)
        virtual = "-virtual" if offer["level"] == formats.VIRTUAL else ""
        return formats.write_json({
            "format": "keyferry-cargo", "version": 1, "serial": offer["serial"],
            "sid": b64(offer["sid"]), "container": offer["container"], "method": "rsa",
            "sender": self.sender(offer).hex() or None, "grade": "A" + virtual,
            "session_key": {"algorithm": "AES-256", "padding": "oaep-sha256", "wrapped": b64(wrapped)},
            "items": items})

    def sender(self, offer):
        """Empty if the card takes items from anybody (5.4 step 5)."""
        mine = sha256(formats.spki(self.injector.public_key()))
        require(not offer["injectors"] or mine in offer["injectors"], "the card has other injectors")
        return mine if offer["injectors"] else b""

    def body(self, offer, key, purpose, number, count):
        return {
            "context": "keyferry/item/v1", "version": 1, "suite": SUITE_CBC_CMAC,
            "method": METHOD_RSA, "function": IMPORT_KEY_PAIR, "sid": offer["sid"], "number": number,
            "count": count, "serial": offer["serial"], "exchange": offer["exchange"],
            "container": offer["container"],
            "replaces": offer["holds"] if number == 1 else None, "pin": 1,
            "keyType": formats.key_type(key), "purpose": purpose,
            "policy": {"pinNeeded": True, "notAfter": 0}, "sender": self.sender(offer),
            "iv": os.urandom(16)}

    def item(self, offer, key, body, s1, h, change):
        if body["replaces"] is None:
            body["replaces"] = self.previous
        self.previous = sha256(formats.spki(key.public_key()))

        def derived(what):
            number = change.get("key_number", body["number"])
            return formats.item_key(s1, what, METHOD_RSA, IMPORT_KEY_PAIR, h, number)

        text = change.get("plaintext", formats.plaintext)(key)
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
        body, item_hash, public = expected
        want = {name: body[name] for name in ("sid", "number", "function", "method", "exchange",
                                              "container", "pin", "keyType", "purpose", "policy",
                                              "sender")}
        want.update(context="keyferry/receipt/v1", version=1, device=device.fingerprint,
                    serial=device.serial, item=item_hash, confirmation=b"", result=0, evidence=public)
        for name, value in want.items():
            require(receipt[name] == value, name)
        require(set(receipt) == set(want) | {"counter"}, "a field is not checked")
        return receipt
