"""Takes the Ed25519 signatures out of a summary.sig or .commitmeta with GLib's own GVariant reader.

usage: ostree_signatures.py FILE PREFIX    writes PREFIX-0, PREFIX-1, … and says what it found
"""

import sys

from gi.repository import GLib


def main() -> int:
    with open(sys.argv[1], "rb") as file:
        data = GLib.Bytes.new(file.read())
    container = GLib.Variant.new_from_bytes(GLib.VariantType.new("a{sv}"), data, False)
    if not container.is_normal_form():
        print("not in normal form")
        return 1
    signatures = container.lookup_value("ostree.sign.ed25519", GLib.VariantType.new("aay"))
    count = signatures.n_children() if signatures else 0
    for n in range(count):
        with open(f"{sys.argv[2]}-{n}", "wb") as out:
            out.write(bytes(signatures.get_child_value(n).unpack()))
    keys = ", ".join(container.get_child_value(n).get_child_value(0).get_string() for n in range(container.n_children()))
    print(f"{count} Ed25519 signature{'' if count == 1 else 's'}; keys of the container: {keys}")
    return 0 if count else 1


sys.exit(main())
