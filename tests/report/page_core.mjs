// Runs the page's own scripts, without a page: node page_core.mjs STATIC VENDOR LOOKUP.json
// Prints every derivation and every proof that a look-up would show.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";

const [statics, vendor, lookupFile] = process.argv.slice(2);
const read = (folder, name) => readFileSync(join(folder, name), "utf8");
const { head, blocks } = JSON.parse(readFileSync(lookupFile, "utf8"));
const code = [
  read(vendor, "keccak.js"),
  ...["expression.js", "derivation.js", "merkle.js", "store.js"].map((name) => read(statics, name)),
  "({ Epoch, checksumAddress, recheck, evaluate })",
].join("\n");
const { Epoch, checksumAddress, recheck, evaluate } = vm.runInThisContext(code);

const epoch = new Epoch(head, (id) => blocks[id]);
const answer = { nodes: {}, wallets: {}, accounts: {}, wrong: [], evaluated: {} };
for (let i = 0; i < epoch.wallets.length; i += 1) {
  const derivation = await epoch.wallet(i);
  answer.wallets[derivation.subject] = derivation;
}
for (let i = 0; i < epoch.nodes.length; i += 1) {
  const derivation = await epoch.node(i);
  answer.nodes[derivation.subject] = derivation;
  answer.wrong.push(...recheck(derivation, epoch.columns).wrong);
}
for (let i = 0; i < epoch.accounts.length; i += 1) {
  const row = await epoch.accounts.at(i);
  const found = await epoch.accounts.find(row[0]);
  if (found.position !== i) answer.wrong.push(`${row[0]} is not found`);
  const { account, ledger, proven } = await epoch.account(row);
  const proof = proven && epoch.proof(proven.index);
  answer.accounts[account] = {
    ledger,
    proof,
    cumulative: proven?.cumulative,
    root: proven && epoch.rootFrom(account, proven.cumulative, proof),
    checksum: checksumAddress(account),
  };
}
if (epoch.nodes.length) {
  // A derivation with one wrong number, and one whose condition does not hold.
  const altered = structuredClone(await epoch.node(0));
  altered.steps.find((step) => step.symbol === "paid").value += "1";
  altered.steps.find((step) => step.symbol === "f").when += " and 1 == 2";
  answer.altered = recheck(altered, epoch.columns).wrong;
}
answer.audit = head.tree ? await epoch.audit(() => undefined) : null;
const formulas = JSON.parse(process.env.FORMULAS ?? "[]");
answer.formulas = formulas.map(([formula, names]) => {
  const values = Object.fromEntries(
    Object.entries(names).map(([name, value]) => [
      name,
      typeof value === "number" ? BigInt(value) : Array.isArray(value) ? value.map(BigInt) : value,
    ]),
  );
  return String(evaluate(formula, values));
});
process.stdout.write(JSON.stringify(answer));
