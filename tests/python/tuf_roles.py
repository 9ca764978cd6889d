"""What python-tuf and securesystemslib say of role metadata. Reads a list of cases from standard input, writes a list of answers.

{"make": PUBLIC}: the bytes of all roles that are to be signed, in hex, with PUBLIC (hex) as the only key.
{"root": TEXT, "signed": TEXT, "sig": HEX, "keyid": ID}: whether the root's keys accept the signed role.
{"canonical": TEXT}: whether the text is in canonical form.
"""

import json
import sys
from datetime import datetime, timezone

from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import SSlibKey
from securesystemslib.signer._utils import compute_default_keyid
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

EXPIRES = datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone.utc)


def make(public):
    value = {"public": public}
    key = SSlibKey(compute_default_keyid("ed25519", "ed25519", value), "ed25519", "ed25519", value)
    root = Root(version=4, expires=EXPIRES)
    for role in ("root", "timestamp", "snapshot", "targets"):
        root.add_key(key, role)
    files = {f"releases/é \"{n}\"\\.tar": TargetFile.from_data(f"{n}", f"{n}".encode(), ["sha256", "sha512"]) for n in range(20)}
    nightly = DelegatedRole("nightly", [key.keyid], 1, True, paths=["nightly/*"])
    targets = Targets(version=6, expires=EXPIRES, targets=files, delegations=Delegations({key.keyid: key}, {"nightly": nightly}))
    meta = MetaFile.from_data(6, b"data", ["sha256"])
    snapshot = Snapshot(version=7, expires=EXPIRES, meta={"targets.json": meta, "nightly.json": MetaFile(2)})
    roles = [root, Timestamp(version=8, expires=EXPIRES, snapshot_meta=MetaFile(7)), snapshot, targets]
    return {"keyid": key.keyid, "roles": [[role.type, Metadata(role).signed_bytes.hex()] for role in roles]}


def accepted(case):
    signed = json.loads(case["signed"], strict=False)
    document = json.dumps({"signatures": [{"keyid": case["keyid"], "sig": case["sig"]}], "signed": signed})
    root = Metadata.from_dict({"signatures": [], "signed": json.loads(case["root"], strict=False)})
    role = Metadata.from_bytes(document.encode())
    try:
        root.signed.verify_delegate(signed["_type"], role.signed_bytes, role.signatures)
    except UnsignedMetadataError:
        return False
    return True


def is_canonical(text):
    try:
        return encode_canonical(json.loads(text, strict=False)) == text
    except (ValueError, FormatError):
        return False


def answer(case):
    if "make" in case:
        return make(case["make"])
    return accepted(case) if "root" in case else is_canonical(case["canonical"])


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
