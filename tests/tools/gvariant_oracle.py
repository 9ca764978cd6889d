#!/usr/bin/python3
"""Says what GLib makes of serialised GVariants.

Reads cases from standard input until its end: a type string and data, each after its length (u32, little-endian).
Answers each with one byte, 1 when the data is in normal form and 0 when not, and the value's normal form after its length.
The normal form is not copied from the data: GLib takes the value apart and builds it again.
"""
import struct
import sys

import gi

gi.require_version("GLib", "2.0")
from gi.repository import GLib  # noqa: E402 (the version must be chosen first)


def counted(stream):
    head = stream.read(4)
    if not head:
        return None
    return stream.read(struct.unpack("<I", head)[0])


def rebuilt(value):
    if value.get_type_string() == "ay":
        # Bytes have no framing of their own, and taking them one by one takes minutes.
        return GLib.Variant.new_from_bytes(value.get_type(), value.get_data_as_bytes(), True)
    if not value.is_container():
        return GLib.Variant(value.get_type_string(), value.unpack())
    builder = GLib.VariantBuilder.new(value.get_type())
    for index in range(value.n_children()):
        builder.add_value(rebuilt(value.get_child_value(index)))
    return builder.end()


def main():
    while (kind := counted(sys.stdin.buffer)) is not None:
        data = counted(sys.stdin.buffer)
        value = GLib.Variant.new_from_bytes(GLib.VariantType.new(kind.decode()), GLib.Bytes.new(data), False)
        normal = rebuilt(value).get_data_as_bytes().get_data() or b""
        sys.stdout.buffer.write(struct.pack("<BI", value.is_normal_form(), len(normal)) + normal)


main()
