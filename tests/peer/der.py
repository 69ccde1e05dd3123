# SPDX-License-Identifier: LGPL-2.1-or-later
"""BER-TLV as the two pages want it: definite minimal lengths, order kept, nothing left over."""


class Malformed(ValueError):
    pass


def tlv(tag, *contents):
    """One object; tags of two bytes are written as 0x7F49."""
    value = b"".join(contents)
    head = tag.to_bytes(2 if tag > 0xFF else 1, "big")
    if len(value) < 0x80:
        return head + bytes([len(value)]) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return head + bytes([0x80 | len(length)]) + length + value


class Reader:
    """Takes objects off the front of a byte string."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def _bytes(self, n):
        if self.at + n > len(self.data):
            raise Malformed("cut short")
        self.at += n
        return self.data[self.at - n : self.at]

    def peek(self):
        """The next tag, or None at the end."""
        if self.at == len(self.data):
            return None
        tag = self.data[self.at]
        if tag & 0x1F != 0x1F:
            return tag
        return int.from_bytes(self.data[self.at : self.at + 2], "big")

    def take(self, tag):
        """The content of the next object, which has to have this tag."""
        if self.peek() != tag:
            raise Malformed(f"no tag {tag:02x}")
        self._bytes(2 if tag > 0xFF else 1)
        length = self._bytes(1)[0]
        if length >= 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise Malformed("length")
            length = int.from_bytes(self._bytes(count), "big")
            if length < 0x80 or length >> (8 * count - 8) == 0:
                raise Malformed("length not minimal")
        return self._bytes(length)

    def element(self, tag):
        """The next object whole, head included."""
        start = self.at
        self.take(tag)
        return self.data[start : self.at]

    def end(self):
        if self.at != len(self.data):
            raise Malformed("bytes left over")


def take_all(data, *tags):
    """The contents of exactly these objects."""
    reader = Reader(data)
    values = [reader.take(tag) for tag in tags]
    reader.end()
    return values


# The types of formats.md, each a pair of functions: value to DER, and Reader to value.


class Type:
    def __init__(self, write, read):
        self.write, self.read = write, read

    def decode(self, data):
        reader = Reader(data)
        value = self.read(reader)
        reader.end()
        return value


def _number(tag):
    def write(n):
        return tlv(tag, n.to_bytes(n.bit_length() // 8 + 1, "big"))

    def read(reader):
        value = reader.take(tag)
        # "INTEGER minimal and not negative"
        if not value or value[0] & 0x80 or (len(value) > 1 and value[0] == 0 and value[1] < 0x80):
            raise Malformed("number")
        return int.from_bytes(value, "big")

    return Type(write, read)


def octets(*lengths):
    """OCTET STRING, of one of these lengths if any are given."""

    def check(value):
        if lengths and len(value) not in lengths:
            raise Malformed("length of an OCTET STRING")
        return value

    return Type(lambda v: tlv(0x04, check(v)), lambda r: check(r.take(0x04)))


def _read_boolean(reader):
    value = reader.take(0x01)
    if value not in (b"\0", b"\xff"):
        raise Malformed("BOOLEAN")
    return value == b"\xff"


def _read_utf8(reader):
    try:
        return reader.take(0x0C).decode("utf-8")
    except UnicodeDecodeError as e:
        raise Malformed("UTF8String") from e


def sequence(**fields):
    """SEQUENCE of named fields, to and from a dict."""

    def read(reader):
        inner = Reader(reader.take(0x30))
        value = {name: kind.read(inner) for name, kind in fields.items()}
        inner.end()
        return value

    return Type(lambda v: tlv(0x30, *(kind.write(v[name]) for name, kind in fields.items())), read)


def sequence_of(kind):
    def read(reader):
        inner, values = Reader(reader.take(0x30)), []
        while inner.peek() is not None:
            values.append(kind.read(inner))
        return values

    return Type(lambda v: tlv(0x30, *(kind.write(x) for x in v)), read)


INTEGER = _number(0x02)
ENUMERATED = _number(0x0A)
OCTETS = octets()
BOOLEAN = Type(lambda v: tlv(0x01, b"\xff" if v else b"\0"), _read_boolean)
UTF8 = Type(lambda v: tlv(0x0C, v.encode()), _read_utf8)
# A SEQUENCE that stays DER: the DER itself is the value.
ANY_SEQUENCE = Type(lambda v: v, lambda r: r.element(0x30))
