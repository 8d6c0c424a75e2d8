// Builds the tree of the same leaves with OpenZeppelin's library; prints seconds and root.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, csv, chainId, distributor, epoch] = process.argv.slice(2);
const { StandardMerkleTree } = createRequire(modules)("@openzeppelin/merkle-tree");
const leaves = readFileSync(csv, "utf8").trimEnd().split("\n").map((line) => {
  const [account, cumulative] = line.split(",");
  return [chainId, distributor, epoch, account, cumulative];
});
const start = performance.now();
const tree = StandardMerkleTree.of(leaves, ["uint256", "address", "uint256", "address", "uint256"]);
console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000, root: tree.root }));
