# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reader as docs/vreader.md describes it, at extended APDU level, with a Python card in it.

    reader.py SOCKET DIRECTORY SERIAL SHARED INJECTOR.pem...

Leaves the device certificate in DIRECTORY/card.pem and its root in DIRECTORY/root.pem. SHARED is a
server's file of SHARED keys for this card, and is deleted."""

import concurrent.futures
import os
import socket
import ssl
import struct
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import formats
from card import Card
from certificate import Maker

# The example of section 3, less the interrupt endpoint: the driver polls.
DESCRIPTORS = bytes.fromhex("""
    12 01 00 02 00 00 00 40 09 12 01 00 00 01 00 00 00 01
    09 02 56 00 01 01 00 80 32  09 04 00 00 02 0b 00 00 00
    36 21 10 01 00 07 03 00 00 00  a0 0f 00 00 a0 0f 00 00 00  00 2a 00 00 00 2a 00 00 00
    fe 00 00 00 00 00 00 00 00 00 00 00  ba 04 04 00  12 00 01 00  ff ff 00 00 00 01
    07 05 01 02 40 00 00  07 05 82 02 40 00 00""")
ATR = bytes.fromhex("3b800181")
T1_PARAMETERS = bytes.fromhex("1110004d00fe00")
BULK, CONTROL, ENDPOINT = 1, 3, 4
POWER_ON, POWER_OFF, SLOT_STATUS, XFR_BLOCK, ABORT = 0x62, 0x63, 0x65, 0x6F, 0x72
PARAMETERS = (0x61, 0x6C, 0x6D)
DATA_BLOCK, STATUS, PARAMETERS_ANSWER = 0x80, 0x81, 0x82
HEADER = struct.Struct("<BIBB3s")
ICC_MUTE, BAD_LENGTH, TIME_EXTENSION = 0xFE, 0x01, 0x80


class Reader:
    def __init__(self, card):
        self.card, self.powered = card, False
        self.worker = concurrent.futures.ThreadPoolExecutor(1)

    def serve(self, connection):
        """One connection, until either side breaks it (sections 4 to 7)."""
        self.connection = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262144)
        connection.send(b"\0" + DESCRIPTORS)
        while packet := connection.recv(65556):
            kind, body = packet[0], packet[1:]
            if kind == BULK:
                self.message(body)
            elif kind == CONTROL:
                connection.send(bytes([CONTROL, 1]))
            elif kind != ENDPOINT:
                break
        self.power_off()

    def power_off(self):
        self.powered = False
        self.card.reset()

    def message(self, message):
        kind, length, slot, self.seq, special = HEADER.unpack_from(message)
        data = message[HEADER.size :]
        if len(data) != length:
            self.answer(STATUS, error=BAD_LENGTH)
        elif kind == POWER_ON:
            self.card.reset()
            self.powered = True
            self.answer(DATA_BLOCK, ATR)
        elif kind == POWER_OFF:
            self.power_off()
            self.answer(STATUS)
        elif kind in (SLOT_STATUS, ABORT):
            self.answer(STATUS)
        elif kind in PARAMETERS:
            self.answer(PARAMETERS_ANSWER, T1_PARAMETERS, last=1)
        elif kind == XFR_BLOCK and self.powered and special[1:] == b"\0\0":
            self.answer(DATA_BLOCK, self.process(data))
        elif kind == XFR_BLOCK:
            self.answer(DATA_BLOCK, error=ICC_MUTE)
        else:
            # "every CCID command it does not know"
            self.answer(STATUS, error=0)

    def process(self, apdu):
        """The card's answer; time extensions until it is there (section 4)."""
        result = self.worker.submit(self.card.process, apdu)
        while True:
            try:
                answer = result.result(timeout=1)
                if answer[-2] not in (0x61, 0x90):
                    print(f"{apdu[:16].hex(' ')}... refused: {answer.hex()}", file=sys.stderr, flush=True)
                return answer
            except concurrent.futures.TimeoutError:
                self.send(DATA_BLOCK, b"", TIME_EXTENSION, 1, 0)

    def answer(self, kind, data=b"", error=None, last=0):
        self.send(kind, data, 0 if error is None else 0x40, error or 0, last)

    def send(self, kind, data, status, error, last):
        status |= 0 if self.powered else 1
        head = HEADER.pack(kind, len(data), 0, self.seq, bytes([status, error, last]))
        self.connection.send(bytes([BULK]) + head + data)


def load_shared(path, serial):
    """formats.md 9: three lines, each ended by a newline."""
    with open(path, encoding="ascii") as file:
        lines = [line.split(" ") for line in file.read().splitlines()]
    names = [formats.METHOD_NAMES[method] for method in formats.BY_SHARED_KEY]
    if [line[0] for line in lines] != ["serial", *names] or lines[0][1] != serial:
        raise ValueError(path)
    os.unlink(path)
    return {method: bytes.fromhex(line[1]) for method, line in zip(formats.BY_SHARED_KEY, lines[1:])}


def main(path, directory, serial, shared, *injectors):
    maker, device = Maker(), ec.generate_private_key(ec.SECP256R1())
    certificate = maker.certify(device.public_key(), serial)
    with open(os.path.join(directory, "card.pem"), "w", encoding="ascii") as file:
        file.write(ssl.DER_cert_to_PEM_cert(certificate))
    with open(os.path.join(directory, "root.pem"), "wb") as file:
        file.write(maker.pem())
    keys = []
    for name in injectors:
        with open(name, "rb") as file:
            keys.append(serialization.load_pem_public_key(file.read()))
    reader = Reader(Card(serial, device, certificate, keys, shared=load_shared(shared, serial)))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        with connection:
            reader.serve(connection)


if __name__ == "__main__":
    main(*sys.argv[1:])
