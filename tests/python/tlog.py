"""Reads a log with tlog-scales: checkpoint, cosignatures, root, entries, and inclusion proofs."""

import json
import sys
from pathlib import Path

from tlog_scales import backend, signing, tiles
from tlog_scales.reader import TilesReader
from tlog_scales.utils import b64enc

asked = json.load(sys.stdin)
reader = TilesReader(backend.LocalBackend(Path(asked["public"])))
checkpoint = reader.get_checkpoint()
answer = {"size": checkpoint.size, "origin": checkpoint.origin, "faults": []}


def check(what, test):
    try:
        if test() is False:
            answer["faults"].append(what)
    except Exception as error:
        answer["faults"].append(f"{what}: {error!r}")


for vkey in asked["vkeys"]:
    check(f"signature by {vkey}", lambda: checkpoint.verify(signing.Vkey.from_string(vkey)))
check("root", lambda: reader.calculate_root_hash() == checkpoint.root_hash)
proofs = []
for index in range(checkpoint.size):
    proof = reader.get_inclusion_proof(index, checkpoint.size)
    leaf = reader.get_entry(index)
    check(f"entry {index}", lambda: proof.check(tiles.leaf_hash(leaf), checkpoint.root_hash))
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}", *map(b64enc, proof.node_hashes), "", checkpoint.serialize()]
    proofs.append("\n".join(lines))
answer["proofs"] = proofs
json.dump(answer, sys.stdout)
