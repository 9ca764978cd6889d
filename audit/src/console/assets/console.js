// What pages do beyond reading: verify the proof in this browser too, and show entries as they come.
"use strict";
const tell = (element, text, kind) => {
  element.textContent = text;
  element.className = kind;
};

const proof = document.getElementById("proof");
if (proof) {
  const out = document.getElementById("browser-proof");
  fetch(proof.dataset.receipt)
    .then((answer) => answer.text())
    .then((text) => Receipt.verify(text, proof.dataset.vkey))
    .then((found) => tell(out, `Verified in this browser too: entry ${found.index} of the ${found.size} entries of ${found.origin}.`, "good"))
    .catch((error) => tell(out, `Not verified in this browser: ${error.message}.`, "bad"));
}

const live = document.getElementById("live");
if (live) {
  const [status, body] = [document.getElementById("live-status"), live.querySelector("tbody")];
  let next = live.dataset.next;
  const line = (row) => {
    const tr = document.createElement("tr");
    tr.className = row.class;
    const head = document.createElement("th");
    head.scope = "row";
    const link = document.createElement("a");
    link.href = `/entry/${row.index}`;
    link.textContent = row.index;
    head.append(link);
    tr.append(head, ...row.cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return tr;
  };
  const look = async () => {
    try {
      const answer = await fetch(`/live.json?after=${next}`);
      if (!answer.ok) throw new Error(`the console answers ${answer.status}`);
      const found = await answer.json();
      next = found.next;
      body.prepend(...found.rows.reverse().map(line));
      while (body.rows.length > 200) body.lastElementChild.remove();
      tell(status, "New ones appear by themselves.", "");
    } catch (error) {
      tell(status, `Not live: ${error.message}; trying again.`, "bad");
    }
    setTimeout(look, 3000);
  };
  look();
}
