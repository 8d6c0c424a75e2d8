// Bundle keccak.js anew from the locked npm packages, after `npm ci --ignore-scripts`;
// with --check only compare with what is committed.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const here = (name) => new URL(name, import.meta.url);
const bundled = await build({
  absWorkingDir: here(".").pathname,
  entryPoints: ["entry.mjs"],
  bundle: true,
  format: "iife",
  globalName: "noble",
  target: "es2020",
  charset: "utf8",
  write: false,
});
const files = {
  "keccak.js": Buffer.from(bundled.outputFiles[0].contents),
  "keccak.LICENSE": readFileSync(here("node_modules/@noble/hashes/LICENSE")),
};
for (const [name, content] of Object.entries(files)) {
  if (!process.argv.includes("--check")) writeFileSync(here(name), content);
  else if (content.equals(readFileSync(here(name)))) console.log(`${name}: as committed`);
  else {
    console.error(`${name}: DIFFERS from what is committed`);
    process.exitCode = 1;
  }
}
