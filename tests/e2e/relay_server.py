# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server at the end of a tunnel: relay_server.py SOCKET LIST... sends each list (docs/formats.md 14)
as it stands and writes what comes back beside it, with .answers behind its name. "-" in place of a list
hangs up there; "slow" waits three seconds before the next."""

import socket
import sys
import time


def take(connection, n):
    got = b""
    while len(got) < n:
        part = connection.recv(n - len(got))
        if not part:
            sys.exit("the client hung up")
        got += part
    return got


listener = socket.socket(socket.AF_UNIX)
listener.settimeout(30)
listener.bind(sys.argv[1])
listener.listen(1)
connection, _ = listener.accept()
connection.settimeout(30)
for name in sys.argv[2:]:
    if name == "-":
        break
    if name == "slow":
        time.sleep(3)
        continue
    text = open(name, "rb").read()
    connection.sendall(len(text).to_bytes(4, "big") + text)
    answers = take(connection, int.from_bytes(take(connection, 4), "big"))
    with open(name + ".answers", "wb") as out:
        out.write(answers)
