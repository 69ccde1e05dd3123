# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host side: APDUs to a card, in memory or through a reader, and the files of a voyage."""

import json
import socket
import struct

import formats
from der import tlv
from formats import SIGNED_STATEMENT, STATEMENT, b64, unb64


class Reader:
    """The driver's end of docs/vreader.md, as much of it as it takes to send APDUs."""

    HEADER = struct.Struct("<BIBB3s")

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262144)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.seq = 0
        self.power()

    def power(self):
        self.command(0x63)
        self.command(0x62)

    def close(self):
        self.socket.close()

    def process(self, apdu):
        return self.command(0x6F, apdu)

    def command(self, kind, data=b""):
        self.seq = (self.seq + 1) & 0xFF
        self.socket.send(b"\1" + self.HEADER.pack(kind, len(data), 0, self.seq, bytes(3)) + data)
        while True:
            packet = self.socket.recv(65556)
            if packet[0] != 1:
                continue
            _, length, _, seq, (status, error, _) = self.HEADER.unpack_from(packet, 1)
            if seq == self.seq and status & 0xC0 == 0:
                return packet[11 : 11 + length]
            if seq == self.seq and status & 0xC0 != 0x80:
                raise OSError(f"CCID command {kind:02x}: error {error}")


class Host:
    """Sends commands to anything with process(apdu)."""

    def __init__(self, card):
        self.card = card

    def send(self, head, data=b"", le=65536):
        """One command, extended; head is "80 50 00 00". Status word and data, gathered if need be."""
        body = b"" if not data else b"\0" + len(data).to_bytes(2, "big") + data
        if le is not None:
            body += (b"" if data else b"\0") + (le & 0xFFFF).to_bytes(2, "big")
        return self.raw(bytes.fromhex(head) + body)

    def raw(self, apdu):
        answer = self.card.process(apdu)
        data = answer[:-2]
        while answer[-2] == 0x61:
            answer = self.card.process(bytes.fromhex("00C00000") + answer[-1:])
            data += answer[:-2]
        return int.from_bytes(answer[-2:], "big"), data

    def chained(self, head, data, size=255):
        """One command in short APDUs."""
        head = bytes.fromhex(head)
        parts = [data[i : i + size] for i in range(0, len(data), size)]
        for part in parts[:-1]:
            sw, _ = self.raw(bytes([head[0] | 0x10]) + head[1:] + bytes([len(part)]) + part)
            if sw != 0x9000:
                return sw, b""
        return self.raw(head + bytes([len(parts[-1])]) + parts[-1] + b"\0")

    def must(self, head, data=b"", le=65536):
        sw, data = self.send(head, data, le)
        if sw != 0x9000:
            raise OSError(f"{head}: {sw:04X}")
        return data

    def start(self, pin=b"123456"):
        self.must("00A40400", formats.AID)
        self.must("00200081", pin)

    # The client's part of formats.md 8

    def offer(self, challenge, container=0, kind=2, method=formats.METHOD_RSA):
        nonce = unb64(json.loads(challenge)["nonce"])
        data = tlv(0x80, nonce) + bytes([0x81, 1, container, 0x82, 1, method, 0x83, 1, kind])
        signed = SIGNED_STATEMENT.decode(self.must("80500000", data))
        statement = STATEMENT.decode(signed["statement"])
        return formats.write_json({
            "format": "keyferry-offer", "version": 1, "serial": statement["serial"],
            "container": statement["container"], "sid": b64(statement["sid"]),
            "nonce": b64(statement["nonce"]), "method": formats.METHOD_NAMES[method],
            "exchange_key": b64(signed["exchangeKey"]),
            "device_certificate": b64(self.must("00CA0101")), "statement": b64(signed["statement"]),
            "signature": b64(signed["signature"])})

    def import_session_key(self, cargo, given=None):
        """The input of a cargo, or another; status word and what the card answers."""
        method = next(m for m, name in formats.METHOD_NAMES.items() if name == cargo["method"])
        key = cargo["session_key"]
        given = given or unb64(key["wrapped"] if method == formats.METHOD_RSA else key["input"])
        return self.send(f"8052{method:02x}00", tlv(0x80, unb64(cargo["sid"])) + tlv(0x81, given))

    def inject(self, cargo):
        cargo = json.loads(cargo)
        sw, answer = self.import_session_key(cargo)
        if sw != 0x9000:
            raise OSError(f"session key: {sw:04X}")
        receipts = []
        for item in cargo["items"]:
            function = next(f for f, name in formats.FUNCTION_NAMES.items() if name == item["function"])
            receipt = self.must(f"8054{function:02x}{answer[2]:02x}", unb64(item["item"]))
            receipts.append({"number": item["number"], "receipt": b64(receipt)})
        return formats.write_json({
            "format": "keyferry-receipt", "version": 1, "serial": cargo["serial"],
            "sid": cargo["sid"], "receipts": receipts})
