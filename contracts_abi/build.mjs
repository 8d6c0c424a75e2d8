// Compiles the contracts with npm's solc and writes the artifacts that the Python package reads.
//
//     node build.mjs             writes them
//     node build.mjs --check     writes nothing; exit 1, naming each file that differs, is missing or too many
//
// The bytes depend on the sources, package-lock.json and this file alone: sources and keys are sorted, line
// ends are LF, source names are relative, and the metadata hash is left out of the bytecode.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(import.meta.url)("solc");

const settings = {
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none" },
  optimizer: { enabled: true, runs: 200 },
  outputSelection: {
    "*": {
      "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"],
    },
  },
};

function readSource(name) {
  const path = name.startsWith("@") ? join(here, "node_modules", name) : join(here, name);
  if (!existsSync(path)) throw new Error(`${name}: no such source`);
  return readFileSync(path, "utf8").replaceAll("\r\n", "\n");
}

/** The sources of a folder and all they import, sorted by name. */
function collectSources(folder) {
  const sources = new Map();
  const wanted = readdirSync(join(here, folder))
    .filter((file) => file.endsWith(".sol"))
    .map((file) => `${folder}/${file}`);
  while (wanted.length > 0) {
    const name = wanted.pop();
    if (sources.has(name)) continue;
    const content = readSource(name);
    sources.set(name, { content });
    for (const [, imported] of content.matchAll(/^import\s+(?:[^"';]*?\s+from\s+)?["']([^"']+)["'];/gm)) {
      wanted.push(imported.startsWith(".") ? posix.join(posix.dirname(name), imported) : imported);
    }
  }
  return Object.fromEntries([...sources].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Warnings are errors, but for the one about transient storage, in OpenZeppelin's guard, which clears it as asked. */
function compile(input) {
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const findings = (output.errors ?? []).filter((finding) => finding.errorCode !== "2394");
  for (const finding of findings) console.error(finding.formattedMessage);
  if (findings.length > 0) throw new Error("the compiler reported errors or warnings");
  return output;
}

function sortKeys(value) {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sortKeys(value[key])]));
}

const toJson = (value) => `${JSON.stringify(sortKeys(value), null, 2)}\n`;

/** Adds to `files` an artifact for each contract that a source directly in `folder` defines, interfaces aside. */
function build(folder, files, prefix) {
  const input = { language: "Solidity", settings, sources: collectSources(folder) };
  const output = compile(input);
  const { outputSelection, ...shown } = settings;
  for (const sourceName of Object.keys(input.sources)) {
    if (posix.dirname(sourceName) !== folder) continue;
    for (const [contractName, { abi, evm }] of Object.entries(output.contracts[sourceName])) {
      if (evm.bytecode.object === "") continue;
      const artifact = {
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        compiler: { name: "solc", version: solc.version() },
        contractName,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
        immutableReferences: evm.deployedBytecode.immutableReferences,
        settings: shown,
        sourceName,
      };
      files.set(`${prefix}${contractName}.json`, toJson(artifact));
    }
  }
  return input;
}

const files = new Map();
files.set("standard-input.json", toJson(build("src", files, "")));
build("src/test", files, "test/");

if (process.argv[2] === "--check") {
  const read = (name) => (existsSync(join(here, name)) ? readFileSync(join(here, name), "utf8") : undefined);
  const committed = ["", "test/"].flatMap((folder) => readdirSync(join(here, folder)).map((file) => folder + file));
  const known = committed.filter((name) => name.endsWith(".json") && !name.startsWith("package"));
  const differing = [...new Set([...files.keys(), ...known])].filter((name) => read(name) !== files.get(name)).sort();
  for (const name of differing) console.error(`contracts_abi/${name}: not what the sources compile to`);
  process.exitCode = differing.length > 0 ? 1 : 0;
} else {
  mkdirSync(join(here, "test"), { recursive: true });
  for (const [name, content] of files) writeFileSync(join(here, name), content);
}
