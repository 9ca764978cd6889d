"""What securesystemslib and in-toto say of envelopes. Reads a list of cases from standard input, writes a list of answers.

A case with "envelope" is verified: the answer is the statement's facts, or null. A case with "payload" is signed: the answer is the
envelope. "public" is the key in hex, "keyid" its id.
"""

import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey


def verify(case):
    key = SSlibKey(case["keyid"], "ed25519", "ed25519", {"public": case["public"]})
    try:
        envelope = Envelope.from_dict(json.loads(case["envelope"]))
        envelope.verify([key], 1)
    except (VerificationError, ValueError) as error:
        return print(f"refused: {error}", file=sys.stderr)
    message = json_format.Parse(envelope.payload, statement_pb2.Statement())
    statement = Statement.copy_from_pb(message)
    statement.validate()
    return {
        "type": envelope.payload_type,
        "predicate_type": message.predicate_type,
        "predicate": json_format.MessageToDict(message.predicate),
        "subjects": [[subject.name, dict(subject.digest)] for subject in message.subject],
    }


def sign(case):
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["private"]))
    envelope = Envelope(case["payload"].encode(), "application/vnd.in-toto+json", {})
    envelope.sign(CryptoSigner(private))
    return json.dumps(envelope.to_dict(), indent=1)


json.dump([verify(case) if "envelope" in case else sign(case) for case in json.load(sys.stdin)], sys.stdout)
