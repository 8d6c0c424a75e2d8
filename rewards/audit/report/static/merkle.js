/*
 * Leaves, tree and proofs as OpenZeppelin's StandardMerkleTree makes them, over keccak-256 of the
 * library @noble/hashes. Source: the rulebook, section 6.
 */

const HASH_LENGTH = 32;

function fromHex(text) {
  return Uint8Array.from(text.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function toHex(bytes) {
  return "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function concatenate(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Return the 32-byte word of an integer or an address, as `abi.encode` writes both. */
function word(value) {
  return fromHex("0x" + BigInt(value).toString(16).padStart(64, "0"));
}

/** Return a leaf's hash: keccak-256 twice over the five words of the leaf tuple. */
function leafHash(domain, account, cumulative) {
  const words = [domain.chain_id, domain.distributor, domain.epoch, account, cumulative].map(word);
  return noble.keccak_256(noble.keccak_256(concatenate(...words)));
}

function isBelow(a, b) {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return a[i] < b[i];
  return false;
}

/** Return the hash of two nodes, independent of their order. */
function hashPair(a, b) {
  return noble.keccak_256(isBelow(a, b) ? concatenate(a, b) : concatenate(b, a));
}

/** Return the root that a proof leads to from a leaf. */
function foldProof(leaf, proof) {
  return proof.reduce(hashPair, leaf);
}

/** Return the EIP-55 spelling of a lower-case address. */
function checksumAddress(address) {
  const digits = address.slice(2);
  const nibbles = toHex(noble.keccak_256(new TextEncoder().encode(digits))).slice(2);
  return "0x" + Array.from(digits, (d, i) => (nibbles[i] >= "8" ? d.toUpperCase() : d)).join("");
}

/**
 * The tree, of which the page holds the leaves and one layer in between; every other node is hashed
 * when a proof needs it, so a look-up costs about twice the square root of the number of leaves.
 */
class Tree {
  /** `layer` holds the nodes from `layerStart` to 2 * layerStart, `leaves` the last ones. */
  constructor(leafCount, leaves, layerStart, layer) {
    this.leafCount = leafCount;
    this.leaves = leaves;
    this.layerStart = layerStart;
    this.layer = layer;
    this.made = new Map();
  }

  node(index) {
    if (index >= this.leafCount - 1) return slice(this.leaves, index - this.leafCount + 1);
    if (index >= this.layerStart && index <= 2 * this.layerStart) {
      return slice(this.layer, index - this.layerStart);
    }
    if (!this.made.has(index)) this.made.set(index, this.hashed(index));
    return this.made.get(index);
  }

  hashed(index) {
    return hashPair(this.node(2 * index + 1), this.node(2 * index + 2));
  }

  /** Return the siblings from the node at `index` up to the root. */
  proof(index) {
    const proof = [];
    for (let at = index; at > 0; at = (at - 1) >> 1) {
      proof.push(this.node(at % 2 ? at + 1 : at - 1));
    }
    return proof;
  }

  /** Hash the whole tree from its leaves, with a breath now and then; return its root. */
  async root(breathe) {
    const nodes = new Array(2 * this.leafCount - 1);
    for (let i = nodes.length - 1; i >= 0; i -= 1) {
      const isLeaf = i >= this.leafCount - 1;
      nodes[i] = isLeaf ? this.node(i) : hashPair(nodes[2 * i + 1], nodes[2 * i + 2]);
      if (i % 2000 === 0) await breathe(1 - i / nodes.length);
    }
    return nodes[0];
  }
}

function slice(hashes, position) {
  return hashes.subarray(position * HASH_LENGTH, (position + 1) * HASH_LENGTH);
}
