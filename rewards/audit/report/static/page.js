/*
 * The page: form, results, proof check, tips. Whatever comes from the epoch is written as text,
 * never as markup.
 */

const SUGGESTIONS = 10;
const LONG_FACT = 32;
const LISTED = 8;

const FUNCTION_WORDS = new Set([
  "iroot",
  "max",
  "min",
  "sum",
  "len",
  "sorted",
  "zip",
  "enumerate",
  "and",
  "or",
  "not",
  "in",
  "for",
  "if",
]);

/** Return a new element: attributes by name, children as nodes or text. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Return base units as WCT, or a WAD as a ratio, exactly. */
function scaled(text, group = true) {
  const sign = text.startsWith("-") ? "−" : "";
  const digits = text.replace("-", "").padStart(19, "0");
  const fraction = digits.slice(-18).replace(/0+$/, "");
  const whole = digits.slice(0, -18);
  return sign + (group ? grouped(whole) : whole) + (fraction ? `.${fraction}` : "");
}

/** Return a step's value for a person, or nothing where the plain number says it. */
function inUnit(value, unit) {
  if (unit === "count" || !/^-?\d+$/.test(value) || value === "0") return "";
  return scaled(value) + (unit === "wct" ? " WCT" : "");
}

function inputText(input, lengths) {
  if (Array.isArray(input) && input.length > LISTED) return `${input.length} values`;
  if (Array.isArray(input)) return input.join(", ") || "none";
  if (typeof input === "object") {
    const count = lengths[input.file.replace("inputs/", "")];
    return `the ${grouped(String(count))} values of ${input.column} in ${input.file}`;
  }
  return input === "1000000000000000000" ? "10^18" : String(input);
}

/** Return the numbers that a step's formula or condition names. */
function numbersOf(step, lengths) {
  const words = `${step.formula} ${step.when ?? ""}`.match(/[A-Za-z_]\w*/g) ?? [];
  const used = new Set(words.filter((name) => !FUNCTION_WORDS.has(name)));
  return Object.entries(step.inputs)
    .filter(([name]) => used.has(name))
    .map(([name, input]) => `${name} = ${inputText(input, lengths)}`);
}

function stepItem(step, lengths) {
  const readable = inUnit(step.value, step.unit);
  const value = element("span", { class: "value" }, readable || grouped(step.value));
  if (readable) value.append(element("span", { class: "exact" }, `= ${step.value}`));
  const item = element(
    "li",
    { class: "step" },
    element("span", { class: "section" }, `§${step.section}`),
    element("code", { class: "formula" }, `${step.symbol} = ${step.formula}`),
    value,
  );
  if (step.note) item.append(element("p", { class: "because" }, step.note));
  const lines = numbersOf(step, lengths);
  if (step.when) item.append(element("p", { class: "because" }, `because ${step.when}`));
  if (lines.length) {
    item.append(element("ul", { class: "numbers" }, ...lines.map((l) => element("li", {}, l))));
  }
  return item;
}

const KIND_WORDS = { node: "Node", wallet: "Wallet", account: "Ledger of the address" };

/** Return a derivation with its facts and steps; the steps are drawn when it is opened. */
function derivationBlock(derivation, { head, columns }, open) {
  const block = element("details", { class: "derivation" });
  const title = KIND_WORDS[derivation.kind] + (derivation.kind === "account" ? "" : ": ");
  block.append(
    element(
      "summary",
      {},
      element("span", { class: "what" }, title),
      derivation.kind === "account" ? "" : element("b", { class: "who" }, derivation.subject),
      element("span", { class: "amount" }, `${scaled(derivation.amount)} WCT`),
    ),
  );
  block.addEventListener("toggle", () => fill(), { once: true });
  const fill = () => {
    if (block.childElementCount > 1) return;
    const facts = Object.entries(derivation.facts);
    if (derivation.kind !== "account") {
      facts.unshift(["paid to", checksumAddress(derivation.payout_address)]);
    }
    block.append(
      element("p", { class: "told" }, derivation.summary.join(" ")),
      element(
        "dl",
        { class: "facts" },
        ...facts.map(([name, text]) =>
          element(
            "div",
            text.length > LONG_FACT ? { class: "long" } : {},
            element("dt", {}, name),
            element("dd", {}, text),
          ),
        ),
      ),
      element("ol", { class: "steps" }, ...derivation.steps.map((s) => stepItem(s, head.lengths))),
      recheckLine(derivation, columns),
    );
  };
  if (open) {
    block.open = true;
    fill();
  }
  return block;
}

/** Say what came of evaluating every step in this browser. */
function recheckLine(derivation, columns) {
  const { evaluated, wrong } = recheck(derivation, columns);
  if (wrong.length)
    return element("p", { class: "bad" }, `✗ Does not come out: ${wrong.join("; ")}`);
  return element("p", { class: "good" }, `✓ All ${evaluated} steps evaluated in this browser`);
}

/** The look-up: from what was typed to what is shown. */
class Look {
  constructor(epoch) {
    this.epoch = epoch;
    this.input = document.getElementById("look-input");
    this.status = document.getElementById("look-status");
    this.result = document.getElementById("look-result");
    this.turn = 0;
  }

  /** Look something up and show it; a later look-up overtakes an earlier one. */
  async show(text) {
    const subject = text.trim();
    const turn = (this.turn += 1);
    this.input.value = subject;
    this.result.replaceChildren();
    this.status.className = "";
    this.status.textContent = subject ? "Looking …" : "Type an address, a node id or a wallet id.";
    if (!subject) return;
    try {
      const found = /^0x/i.test(subject) ? await this.byAddress(subject) : await this.byId(subject);
      if (turn === this.turn) this.display(subject, found);
    } catch (error) {
      if (turn === this.turn) this.refuse(error.message);
    }
  }

  async byAddress(text) {
    const address = parseAddress(text);
    const found = await this.epoch.accounts.find(address);
    if (!found)
      throw new Error("No such address in this epoch: it earned nothing and has no leaf.");
    return [await this.epoch.account(found.row)];
  }

  async byId(id) {
    const node = await this.epoch.nodes.find(id);
    const wallet = await this.epoch.wallets.find(id);
    const places = new Set([node?.row[1], wallet?.row[1]].filter((place) => place !== undefined));
    if (!places.size) return this.suggest(id);
    const accounts = [];
    for (const place of places) {
      accounts.push(await this.epoch.account(await this.epoch.accounts.at(place)));
    }
    return accounts;
  }

  async suggest(id) {
    const tables = [this.epoch.nodes, this.epoch.wallets];
    const lists = await Promise.all(tables.map((t) => t.beginningWith(id, SUGGESTIONS)));
    const ids = [...new Set(lists.flat())].slice(0, SUGGESTIONS);
    if (ids.length === 1) return this.byId(ids[0]);
    this.status.className = "bad";
    if (!ids.length) throw new Error("No node or wallet of this epoch has this id. Case matters.");
    this.status.textContent = "No exact match. Ids that begin with it:";
    const links = ids.map((name) => element("li", {}, lookLink(name)));
    this.result.append(element("ul", { class: "suggestions" }, ...links));
    return undefined;
  }

  refuse(message) {
    this.status.className = "bad";
    this.status.textContent = message;
  }

  display(subject, accounts) {
    if (!accounts) return;
    for (const account of accounts) this.result.append(this.card(subject, account));
    this.status.textContent = `Found ${subject}.`;
    this.result.querySelector("h3").focus({ preventScroll: true });
    this.result.scrollIntoView({ block: "nearest" });
  }

  card(subject, found) {
    const { account, parts, proven, ledger, isSum } = found;
    const asked = (part) => part.subject === subject;
    const heading = element("h3", { tabindex: "-1", class: "hash" }, checksumAddress(account));
    const card = element("article", { class: "card" }, heading);
    if (isSum) {
      const words =
        "The distributor itself: its leaf is the sentinel, with the sum of all amounts.";
      card.append(element("p", {}, words));
    }
    if (ledger) card.append(this.summary(found));
    card.append(proven ? this.proof(account, proven) : noLeaf());
    const ordered = [...parts.filter(asked), ...parts.filter((part) => !asked(part))];
    for (const part of ordered) {
      card.append(derivationBlock(part, this.epoch, asked(part) || parts.length === 1));
    }
    if (ledger) card.append(derivationBlock(ledger, this.epoch, !parts.some(asked)));
    return card;
  }

  summary({ ledger, published, proven }) {
    const agrees = ledger.amount === published;
    const entries = [
      ["In this epoch", scaled(published)],
      ["In all epochs", scaled(proven?.cumulative ?? "0")],
    ];
    return element(
      "div",
      {},
      element(
        "dl",
        { class: "tiles" },
        ...entries.map(([name, amount]) =>
          element(
            "div",
            {},
            element("dt", {}, name),
            element("dd", {}, amount, " ", element("span", { class: "unit" }, "WCT")),
          ),
        ),
      ),
      agrees
        ? element(
            "p",
            { class: "good" },
            "✓ The derivations below lead to the published amount, to the last unit",
          )
        : element("p", { class: "bad" }, `✗ Derived ${ledger.amount}, published ${published}`),
    );
  }

  proof(account, { cumulative, index }) {
    const proof = this.epoch.proof(index);
    const block = element("div", { class: "proof-block" });
    block.append(verdict(this.epoch, account, cumulative, proof));
    const list = element(
      "ol",
      { class: "hashes" },
      ...proof.map((node) => element("li", { class: "hash" }, node)),
    );
    const change = element("button", { type: "button" }, "Check it by hand, or another one");
    change.addEventListener("click", () => fillChecker(account, cumulative, proof));
    const size = `${proof.length} hash${proof.length === 1 ? "" : "es"}`;
    block.append(
      element("details", {}, element("summary", {}, `The proof, ${size}`), list),
      change,
    );
    return block;
  }
}

function noLeaf() {
  const words = "No leaf, so no proof: nothing was ever allotted to this address up to this epoch.";
  return element("p", { class: "note" }, words);
}

function lookLink(subject) {
  return element("a", { href: `#look=${encodeURIComponent(subject)}` }, subject);
}

/** Return a lower-case address; a wrong EIP-55 spelling is refused, not repaired. */
function parseAddress(text) {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) {
    throw new Error("An address is 0x and 40 hexadecimal digits.");
  }
  const digits = text.slice(2);
  const address = "0x" + digits.toLowerCase();
  const mixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase();
  if (mixed && checksumAddress(address) !== text) {
    throw new Error("Its upper and lower case fails the checksum of EIP-55: a digit is mistyped.");
  }
  return address;
}

/** Return the line that says whether a proof leads to the epoch's root. */
function verdict(epoch, account, cumulative, proof) {
  const root = epoch.rootFrom(account, cumulative, proof);
  if (root === epoch.head.root) {
    const words = `✓ Verified in this browser: ${proof.length} hashes lead from the leaf to the root ${root}`;
    return element("p", { class: "good hash-line", "data-verdict": "verified" }, words);
  }
  const words = `✗ Refused: it leads to ${root}, which is not the root ${epoch.head.root}`;
  return element("p", { class: "bad hash-line", "data-verdict": "refused" }, words);
}

function fillChecker(account, cumulative, proof) {
  document.getElementById("checker").open = true;
  document.getElementById("proof-account").value = account;
  document.getElementById("proof-cumulative").value = cumulative;
  const nodes = document.getElementById("proof-nodes");
  nodes.value = proof.join("\n");
  nodes.focus();
}

/** Verify what stands in the proof form. */
function checkForm(epoch, status) {
  const value = (id) => document.getElementById(id).value.trim();
  try {
    const account = parseAddress(value("proof-account"));
    const cumulative = value("proof-cumulative");
    const proof = value("proof-nodes")
      .split(/[\s,"[\]]+/)
      .filter(Boolean);
    if (!/^\d+$/.test(cumulative) || BigInt(cumulative) >= 1n << 256n) {
      throw new Error("The cumulative amount is a whole number of base units.");
    }
    if (!proof.every((node) => /^0x[0-9a-fA-F]{64}$/.test(node))) {
      throw new Error("Every line of the proof is 0x and 64 hexadecimal digits.");
    }
    status.replaceChildren(verdict(epoch, account, cumulative, proof));
  } catch (error) {
    status.replaceChildren(element("p", { class: "bad" }, error.message));
  }
}

/** Hold every leaf of the page against the root. */
async function auditAll(epoch, status, button) {
  button.disabled = true;
  const breathe = (share) => {
    status.textContent = `Hashing every leaf: ${Math.floor(share * 100)} %`;
    return new Promise((resolve) => setTimeout(resolve));
  };
  const { wrong, leaves, total } = await epoch.audit(breathe);
  const good = `✓ All ${grouped(String(leaves))} leaves hash to the root, and their amounts add up to ${scaled(total)} WCT`;
  const line = wrong.length
    ? element("p", { class: "bad" }, `✗ Wrong: ${wrong.slice(0, 5).join(", ")}`)
    : element("p", { class: "good" }, good);
  status.replaceChildren(line);
  button.disabled = false;
}

/** Show what a mark of a plot stands for while it is pointed at; a click looks it up. */
function bindPlots() {
  const tip = document.getElementById("tip");
  document.addEventListener("pointerover", (event) => {
    const words = event.target.getAttribute?.("data-tip");
    tip.hidden = !words;
    if (!words) return;
    tip.textContent = words;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    const above = event.clientY - tip.offsetHeight - 12;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${above < 4 ? event.clientY + 18 : above}px`;
  });
  document.addEventListener("scroll", () => (tip.hidden = true), { passive: true });
  document.addEventListener("click", (event) => {
    const subject = event.target.getAttribute?.("data-look");
    if (subject) location.hash = `look=${encodeURIComponent(subject)}`;
  });
}

/** Links to `#look=ID` look it up, so that a result has an address of its own. */
function followHash(look) {
  const found = /^#look=(.*)$/.exec(location.hash);
  if (!found) return;
  let subject = found[1];
  try {
    subject = decodeURIComponent(subject);
  } catch {
    // A stray percent sign: take the text as it stands.
  }
  document.getElementById("lookup").scrollIntoView();
  look.show(subject);
}

function start() {
  const readText = (id) => document.getElementById(id).textContent;
  const epoch = new Epoch(JSON.parse(readText("epoch-data")), readText);
  const look = new Look(epoch);
  document.getElementById("look-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const subject = look.input.value.trim();
    const hash = `#look=${encodeURIComponent(subject)}`;
    if (location.hash === hash) look.show(subject);
    else location.hash = hash;
  });
  const status = document.getElementById("proof-status");
  document.getElementById("proof-form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    checkForm(epoch, status);
  });
  const button = document.getElementById("audit-button");
  button?.addEventListener("click", () => auditAll(epoch, status, button));
  window.addEventListener("hashchange", () => followHash(look));
  window.addEventListener("beforeprint", () => {
    for (const block of document.querySelectorAll("main details")) block.open = true;
  });
  bindPlots();
  followHash(look);
  document.documentElement.dataset.ready = "true";
}

start();
