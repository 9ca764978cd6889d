// What sigstore's verifier says of bundles with a public key. Reads a list of {bundle, hint, spki} from standard input (the key as DER in
// hex), writes a list: null for a good one, else why it was refused.
const { readFileSync } = require("node:fs");
const { createPublicKey } = require("node:crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const nobody = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };

function verify({ bundle, hint, spki }) {
  const publicKey = createPublicKey({ key: Buffer.from(spki, "hex"), format: "der", type: "spki" });
  const find = (wanted) => {
    if (wanted !== hint) throw new Error("no key has this hint");
    return { publicKey, validFor: () => true };
  };
  const verifier = new Verifier(toTrustMaterial(nobody, find), { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(bundle))));
    return null;
  } catch (error) {
    return String(error);
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(verify)));
