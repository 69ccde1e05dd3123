# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hostile reader: hostile_reader.py LISTEN READER FOLDER stands between keyferry-driver and the reader at
READER and does to one APDU what the file FOLDER/do says, "INS WHAT": INS in hexadecimal, WHAT is

    say HEX     the card never sees it, the reader answers HEX
    flip        the card does it, the last bit of its answer before the status word is another one
    cut         the card does it, its answer is 20 bytes shorter
    swap        the card does it, is pulled and another is put in (FOLDER/pid is the reader's, which
                knows the signals) before its answer is there
    hold        the card does it, its answer waits until FOLDER/do is gone

FOLDER/seen has what was sent to the card, a line each: the INS of an APDU in hexadecimal, "power" and
"off", "abort".
"""
import os
import select
import signal
import socket
import sys
import time

LISTEN, READER, FOLDER = sys.argv[1:4]
LONGEST = 65556
POWER_ON, POWER_OFF, XFR, DATA_BLOCK, ABORT = 0x62, 0x63, 0x6f, 0x80, 0x72


def order():
    try:
        with open(f"{FOLDER}/do", encoding="ascii") as f:
            words = f.read().split()
        return int(words[0], 16), words[1], bytes.fromhex("".join(words[2:]))
    except (FileNotFoundError, IndexError):
        return None, None, b""


def seen(what):
    with open(f"{FOLDER}/seen", "a", encoding="ascii") as f:
        f.write(what + "\n")


def tell_reader(what):
    with open(f"{FOLDER}/pid", encoding="ascii") as f:
        os.kill(int(f.read()), what)


def sized():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
    return s


def attached():
    """The reader, which may be on its way."""
    for _ in range(1000):
        far = sized()
        try:
            far.connect(READER)
            return far
        except (FileNotFoundError, ConnectionRefusedError):
            far.close()
            time.sleep(0.02)
    raise SystemExit("no reader")


def answer(command, apdu):
    return b"\x01" + bytes([DATA_BLOCK]) + len(apdu).to_bytes(4, "little") + command[5:7] + \
        b"\0\0\0" + apdu


class Attachment:
    def __init__(self, driver, reader):
        self.driver, self.reader, self.what = driver, reader, None

    def command(self, packet):
        """Whatever the driver says; True if it goes on to the card."""
        message = packet[1:]
        self.what = None
        if packet[:1] == b"\x03" and packet[2:3] == b"\x01":
            seen("abort")
        if packet[:1] != b"\x01":
            return True
        if message[0] == XFR:
            ins, what, apdu = order()
            if ins is not None and message[11:12] == bytes([ins]):
                os.rename(f"{FOLDER}/do", f"{FOLDER}/done") if what != "hold" else None
                if what == "say":
                    self.driver.send(answer(message, apdu))
                    return False
                self.what = what
            seen(f"{message[11]:02x}")
        elif message[0] in (POWER_ON, POWER_OFF):
            seen("power" if message[0] == POWER_ON else "off")
        return True

    def reply(self, packet):
        """Whatever the card says, changed."""
        if self.what is None or packet[:1] != b"\x01" or packet[1] != DATA_BLOCK:
            return [packet]
        what, self.what = self.what, None
        command, data, sw = packet[1:11], packet[11:-2], packet[-2:]
        if what == "flip":
            return [answer(command, data[:-1] + bytes([data[-1] ^ 1]) + sw)]
        if what == "cut":
            return [answer(command, data[:-20] + sw)]
        if what == "swap":
            moved = []
            for move in signal.SIGUSR1, signal.SIGUSR2:
                tell_reader(move)
                moved.append(self.reader.recv(LONGEST))
                assert moved[-1][:2] == b"\x02\x50", moved
            return [*moved, packet]
        while os.path.exists(f"{FOLDER}/do"):
            time.sleep(0.01)
            # The driver may leave, or have it aborted, meanwhile.
            if select.select([self.driver], [], [], 0)[0]:
                break
        return [packet]

    def run(self):
        while True:
            for s in select.select([self.driver, self.reader], [], [])[0]:
                packet = s.recv(LONGEST)
                if not packet:
                    return
                if s is self.driver:
                    if self.command(packet):
                        self.reader.send(packet)
                else:
                    for p in self.reply(packet):
                        self.driver.send(p)


listener = sized()
listener.bind(LISTEN)
listener.listen(8)
while True:
    near, _ = listener.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
    far = attached()
    attachment = Attachment(near, far)
    try:
        attachment.run()
    except (BrokenPipeError, ConnectionResetError):
        pass
    near.close()
    far.close()
