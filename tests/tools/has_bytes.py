# SPDX-License-Identifier: LGPL-2.1-or-later
"""has_bytes.py PID HEX: exit code 0 if the process has HEX, or a half of it, somewhere in its memory, raw, in
hexadecimal or base64; 1 if not; 2 if it cannot be read."""
import base64
import re
import sys


def needles(secret):
    for half in (secret[:16], secret[16:]):
        yield half
        yield half[::-1]
        yield half.hex().encode()
        yield half.hex().upper().encode()
    yield base64.b64encode(secret)[:40]
    yield base64.urlsafe_b64encode(secret)[:40]


def memory(pid):
    """One region after another, those that cannot be read left out: what the kernel shows as vvar is none."""
    n = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r\S* \S+ \S+ \S+ *(.*)", line)
            if not found or found[3].startswith(("[vvar", "[vsyscall")):
                continue
            start, end = int(found[1], 16), int(found[2], 16)
            mem.seek(start)
            yield mem.read(end - start)
            n += 1
    if n == 0:
        raise OSError("no memory")


def main():
    wanted = list(needles(bytes.fromhex(sys.argv[2])))
    try:
        sys.exit(0 if any(w in region for region in memory(sys.argv[1]) for w in wanted) else 1)
    except OSError as error:
        print(error)
        sys.exit(2)


main()
