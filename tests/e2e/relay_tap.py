# SPDX-License-Identifier: LGPL-2.1-or-later
"""Between a client's relay and its server: relay_tap.py LISTEN CONNECT LOG [HOW INS NTH] passes all that goes
either way and writes it down, as it stands and with what is encoded in it decoded. The answer to the NTH command with
that INS, from 0, can have a bit changed ("bend"), be left out with all behind it ("drop"), or be the end of both
connections ("hang")."""

import base64
import json
import os
import socket
import sys
import time

listen, connect, log = sys.argv[1:4]
how, ins, nth = (sys.argv[4], int(sys.argv[5], 16), int(sys.argv[6])) if len(sys.argv) > 4 else ("", 0, 0)


def unbase(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def frame(connection):
    head = b""
    while len(head) < 4:
        part = connection.recv(4 - len(head))
        if not part:
            return None
        head += part
    left, text = int.from_bytes(head, "big"), b""
    while len(text) < left:
        part = connection.recv(left - len(text))
        if not part:
            return None
        text += part
    return text


def put(connection, text):
    connection.sendall(len(text).to_bytes(4, "big") + text)


def spoil(answers, commands):
    global nth
    kept = []
    for answer in answers["answers"]:
        hit = how and commands[answer["number"]][1] == ins
        if hit:
            nth -= 1
        if hit and nth == -1 and how == "hang":
            sys.exit()
        if hit and nth == -1 and how == "drop":
            answers["ended"] = True
            break
        if hit and nth == -1:
            data = bytearray(unbase(answer["data"]))
            data[0] ^= 1
            answer["data"] = base64.urlsafe_b64encode(data).decode().rstrip("=")
        kept.append(answer)
    answers["answers"] = kept
    return json.dumps(answers).encode()


def main():
    out = open(log, "wb")
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(30)
    listener.bind(listen + ".made")
    os.chmod(listen + ".made", 0o777)
    listener.listen(1)
    os.rename(listen + ".made", listen)
    server = socket.socket(socket.AF_UNIX)
    for _ in range(600):
        try:
            server.connect(connect)
            break
        except OSError:
            time.sleep(0.05)
    client, _ = listener.accept()
    for connection in client, server:
        connection.settimeout(30)
    while (text := frame(server)) is not None:
        commands = {a["number"]: unbase(a["command"]) for a in json.loads(text)["apdus"]}
        out.write(text + b"".join(commands.values()))
        put(client, text)
        text = frame(client)
        if text is None:
            break
        answers = json.loads(text)
        out.write(text + b"".join(unbase(a["data"]) for a in answers["answers"]))
        out.flush()
        put(server, spoil(answers, commands))


main()
