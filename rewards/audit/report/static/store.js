/*
 * What the page holds of the epoch. The rows lie in compressed chunks, in id or address order; a
 * look-up finds the chunk by its first key and unpacks that one alone.
 */

async function inflate(base64) {
  const stream = new Blob([fromBase64(base64)]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

function fromBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** Rows in chunks, ordered by their first field. */
class ChunkedTable {
  constructor(name, index, readText) {
    this.name = name;
    this.index = index;
    this.readText = readText;
    this.chunks = new Map();
  }

  get length() {
    return this.index.rows;
  }

  /** Return the rows of a chunk; the promise is kept, so nothing is unpacked twice. */
  chunk(number) {
    if (!this.chunks.has(number)) {
      const text = this.readText(`${this.name}-${number}`);
      this.chunks.set(number, inflate(text).then(JSON.parse));
    }
    return this.chunks.get(number);
  }

  /** Return the number of the chunk in which a key would lie; -1 when it lies before all. */
  chunkOf(key) {
    let [low, high] = [0, this.index.first.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.index.first[middle] <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Return {row, position} of a key, or undefined. */
  async find(key) {
    const number = this.chunkOf(key);
    if (number < 0) return undefined;
    const rows = await this.chunk(number);
    const at = rows.findIndex((row) => row[0] === key);
    return at < 0 ? undefined : { row: rows[at], position: number * this.index.size + at };
  }

  async at(position) {
    const rows = await this.chunk(Math.floor(position / this.index.size));
    return rows[position % this.index.size];
  }

  /** Return up to `limit` keys that begin with a text. */
  async beginningWith(prefix, limit) {
    const keys = [];
    const first = Math.max(this.chunkOf(prefix), 0);
    for (let number = first; number < this.index.first.length && keys.length < limit; number += 1) {
      if (number > first && !this.index.first[number].startsWith(prefix)) break;
      for (const [key] of await this.chunk(number)) if (key.startsWith(prefix)) keys.push(key);
    }
    return keys.slice(0, limit);
  }
}

/** The epoch: its tables, its tree, and the derivations that they lead to. */
class Epoch {
  /** `readText` returns the text of an embedded block by its id. */
  constructor(head, readText) {
    this.head = head;
    this.readText = readText;
    this.accounts = new ChunkedTable("accounts", head.accounts, readText);
    this.nodes = new ChunkedTable("nodes", head.nodes, readText);
    this.wallets = new ChunkedTable("wallets", head.wallets, readText);
    this.columns = new Columns(head.columns, readText);
  }

  get tree() {
    if (!this.builtTree) {
      const { leaf_count: count, layer_start: start } = this.head.tree;
      const [leaves, layer] = ["leaves", "layer"].map((id) => fromBase64(this.readText(id)));
      this.builtTree = new Tree(count, leaves, start, layer);
    }
    return this.builtTree;
  }

  /** Return a wallet's derivation, from its row. */
  async walletDerivation(
    [id, account, signatures, connections, certified, ux, stake, number],
    position,
  ) {
    const own = {
      signatures: BigInt(signatures),
      connections: BigInt(connections),
      certified: certified === 1,
      ux_wad: BigInt(ux),
      stake_weight: BigInt(stake),
      position: BigInt(position),
    };
    const program = this.head.programs[number];
    await this.columns.load(program.steps);
    const [address] = await this.accounts.at(account);
    return expand(program, id, address, own, this.columns);
  }

  async wallet(position) {
    return this.walletDerivation(await this.wallets.at(position), position);
  }

  async node(position) {
    const derivation = (await this.nodes.at(position))[2];
    await this.columns.load(derivation.steps);
    return derivation;
  }

  /** Return {account, parts, ledger, leaf} of a row of the accounts. */
  async account([account, cumulative, amount, recovery, leaf, wallets, nodes, adjustments, isSum]) {
    const parts = [
      ...(await Promise.all(nodes.map((position) => this.node(position)))),
      ...(await Promise.all(wallets.map((position) => this.wallet(position)))),
    ];
    const proven = leaf === null ? undefined : { cumulative, index: leaf };
    if (isSum) return { account, parts, proven, isSum: true };
    const inLedger = amount !== null;
    const row = { cumulative, amount, recovery, adjustments };
    const ledger = inLedger ? this.ledger(account, row, parts) : undefined;
    return { account, parts, proven, ledger, published: amount };
  }

  ledger(account, { cumulative, amount, recovery, adjustments }, parts) {
    const paid = (kind) => parts.filter((p) => p.kind === kind).map((p) => BigInt(p.amount));
    const signed = adjustments.map(([value]) => BigInt(value));
    const own = {
      node_paid: paid("node"),
      wallet_amounts: paid("wallet"),
      positive_adjustments: signed.filter((value) => value > 0n),
      negative_adjustments: signed.filter((value) => value < 0n),
      recovery_in: BigInt(recovery),
      previous_cumulative: BigInt(cumulative) - BigInt(amount),
      origin: "from " + (parts.map((part) => part.subject).join(", ") || "adjustments alone"),
    };
    const program = this.head.account_program;
    const derivation = expand(program, account, account, own, this.columns);
    adjustments.forEach(([value, reason, approver], i) => {
      derivation.facts[`adjustment ${i + 1}`] = `${value}: ${reason} (approved by ${approver})`;
    });
    if (BigInt(cumulative) > 0n) {
      const { chain_id: chain, distributor, epoch } = this.head;
      derivation.facts.leaf = `(${chain}, ${distributor}, ${epoch}, ${account}, ${cumulative})`;
      derivation.facts["leaf hash"] = toHex(leafHash(this.head, account, cumulative));
    }
    return derivation;
  }

  /** Return the proof of a leaf by its index in the tree, as hex. */
  proof(index) {
    return this.tree.proof(index).map(toHex);
  }

  /** Return the root that a proof leads to, for an account and its cumulative amount. */
  rootFrom(account, cumulative, proof) {
    return toHex(foldProof(leafHash(this.head, account, cumulative), proof.map(fromHex)));
  }

  /**
   * Hold every leaf against the accounts' own amounts, hash the tree, and add the amounts up.
   *
   * Returns what was found wrong; nothing when the embedded data leads to the root.
   */
  async audit(breathe) {
    const wrong = [];
    let total = 0n;
    let leaves = 0;
    for (let number = 0; number < this.head.accounts.first.length; number += 1) {
      for (const [account, cumulative, , , leaf, , , , isSum] of await this.accounts.chunk(
        number,
      )) {
        if (leaf === null) continue;
        const expected = toHex(leafHash(this.head, account, cumulative));
        if (toHex(this.tree.node(leaf)) !== expected) wrong.push(`the leaf of ${account}`);
        leaves += 1;
        total += isSum ? 0n : BigInt(cumulative);
      }
      await breathe((0.5 * number) / this.head.accounts.first.length);
    }
    if (leaves !== this.head.tree.leaf_count) wrong.push("the number of leaves");
    if (total.toString() !== this.head.cumulative_total) wrong.push("the sum of all amounts");
    const root = toHex(await this.tree.root((share) => breathe(0.5 + 0.5 * share)));
    if (root !== this.head.root) wrong.push(`the root, ${root}`);
    return { wrong, leaves, total: total.toString() };
  }
}
