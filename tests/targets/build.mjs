// Compiles the stand-ins in contracts/ with the solc and OpenZeppelin Contracts of contracts_abi.
//
//     node build.mjs             writes artifacts.json
//     node build.mjs --check     writes nothing; exit 1 if artifacts.json differs

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, "../../contracts_abi/package.json");
const solc = createRequire(packages)("solc");
const read = (path) => readFileSync(path, "utf8").replaceAll("\r\n", "\n");

const sources = {};
for (const file of readdirSync(join(here, "contracts")).sort()) {
  sources[`contracts/${file}`] = { content: read(join(here, "contracts", file)) };
}
const settings = {
  evmVersion: "cancun",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  optimizer: { enabled: true, runs: 200 },
  outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
};
const resolve = { import: (name) => ({ contents: read(join(dirname(packages), "node_modules", name)) }) };
const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", settings, sources }), resolve));
for (const finding of output.errors ?? []) console.error(finding.formattedMessage);
if (output.errors?.length) process.exit(1);

const artifacts = { compiler: `solc ${solc.version()}`, creation: {} };
for (const name of Object.keys(sources)) {
  for (const [contract, { evm }] of Object.entries(output.contracts[name])) {
    artifacts.creation[contract] = `0x${evm.bytecode.object}`;
  }
}
const text = `${JSON.stringify(artifacts, null, 2)}\n`;
const committed = join(here, "artifacts.json");
if (process.argv[2] !== "--check") writeFileSync(committed, text);
else if (read(committed) !== text) {
  console.error("artifacts.json: not what the sources compile to");
  process.exit(1);
}
