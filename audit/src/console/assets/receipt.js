// Verifies a receipt (C2SP tlog-proof@v1) in the browser: SHA-256 and Ed25519 are the browser's own.
"use strict";
const Receipt = (() => {
  const bytesOf = (base64) => {
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) throw new Error("something is not base64");
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  };
  const base64Of = (bytes) => btoa(String.fromCharCode(...bytes));
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    parts.reduce((at, p) => (out.set(p, at), at + p.length), 0);
    return out;
  };
  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
  const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  const number = (text) => {
    if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) throw new Error(`${text} is not a number`);
    return BigInt(text);
  };

  const parse = (text) => {
    const at = text.indexOf("\n\n");
    if (at < 0) throw new Error("this is not a receipt: there is no empty line");
    const lines = text.slice(0, at).split("\n");
    if (lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Error("this is not a receipt: it does not begin with c2sp.org/tlog-proof@v1");
    if (!lines[0] || !lines[0].startsWith("extra ")) throw new Error("the receipt does not hold its entry");
    const entry = bytesOf(lines.shift().slice(6));
    if (!lines[0] || !lines[0].startsWith("index ")) throw new Error("the receipt has no index");
    const index = number(lines.shift().slice(6));
    if (lines.length > 63) throw new Error("the receipt has too many hashes");
    const hashes = lines.map(bytesOf);
    if (hashes.some((hash) => hash.length !== 32)) throw new Error("a hash of the receipt has not 32 bytes");
    return { entry, index, hashes, note: text.slice(at + 2) };
  };

  const openNote = (note) => {
    const at = note.lastIndexOf("\n\n");
    if (at < 0 || !note.endsWith("\n")) throw new Error("the checkpoint is not a signed note");
    const text = note.slice(0, at + 1);
    const signatures = note.slice(at + 2, -1).split("\n").map((line) => {
      const [dash, name, blob, more] = line.split(" ");
      if (dash !== "\u2014" || !name || !blob || more !== undefined) throw new Error("a signature line of the checkpoint is malformed");
      return { name, blob: bytesOf(blob) };
    });
    const [origin, size, root] = text.split("\n");
    return { text, signatures, origin, size: number(size), root: bytesOf(root) };
  };

  // RFC 9162, section 2.1.3.2.
  const rootOf = async (leaf, index, size, hashes) => {
    if (index >= size) throw new Error("the entry is beyond the checkpoint");
    let [fn, sn, r] = [index, size - 1n, leaf];
    for (const p of hashes) {
      if (sn === 0n) throw new Error("the proof is too long");
      if ((fn & 1n) === 1n || fn === sn) {
        r = await sha256([1], p, r);
        while ((fn & 1n) === 0n && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
      } else {
        r = await sha256([1], r, p);
      }
      fn >>= 1n; sn >>= 1n;
    }
    if (sn !== 0n) throw new Error("the proof is too short");
    return r;
  };

  const checkNote = async (note, vkey) => {
    const [, name, id, key] = vkey.trim().match(/^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/) || [];
    if (!name) throw new Error("the verification key is not NAME+ID+KEY");
    const bytes = bytesOf(key);
    if (bytes.length !== 33 || bytes[0] !== 1) throw new Error("the verification key is not an Ed25519 key of a log");
    const utf8 = new TextEncoder();
    const hash = (await sha256(utf8.encode(name), [10], bytes)).slice(0, 4);
    if ([...hash].map((b) => b.toString(16).padStart(2, "0")).join("") !== id) throw new Error("the verification key is damaged: its id does not fit");
    const mine = note.signatures.filter((s) => s.name === name && same(s.blob.slice(0, 4), hash));
    if (mine.length !== 1 || mine[0].blob.length !== 68) throw new Error(`the checkpoint has no signature by ${name}`);
    const point = await crypto.subtle.importKey("raw", bytes.slice(1), "Ed25519", false, ["verify"]);
    if (!(await crypto.subtle.verify("Ed25519", point, mine[0].blob.slice(4), utf8.encode(note.text)))) throw new Error("the checkpoint's signature is wrong");
    if (note.origin !== name) throw new Error("the checkpoint is of another log than its key");
  };

  const verify = async (text, vkey) => {
    const receipt = parse(text);
    const note = openNote(receipt.note);
    await checkNote(note, vkey);
    const root = await rootOf(await sha256([0], receipt.entry), receipt.index, note.size, receipt.hashes);
    if (!same(root, note.root)) throw new Error("the entry is not in the log that the checkpoint signs");
    const entry = new TextDecoder("utf-8", { fatal: true }).decode(receipt.entry);
    return { index: receipt.index, size: note.size, origin: note.origin, root: base64Of(root), entry: JSON.parse(entry) };
  };
  return { verify };
})();
