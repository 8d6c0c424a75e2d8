/*
 * Derivations as `rewards explain --json` gives them. A node's comes whole; a wallet's and an
 * account's are made from a program, that is the steps as explain words them, with a wallet's own
 * numbers put in. Every formula is evaluated here, in the page.
 */

/** The published columns that steps add up; those of wallets are unpacked when one is needed. */
class Columns {
  /** `blocks` names the embedded block of each column, by `file/column`. */
  constructor(blocks, readText) {
    this.blocks = blocks;
    this.readText = readText;
    this.values = new Map();
    this.evaluated = new Map();
  }

  /** Unpack the columns that some steps name. */
  async load(steps) {
    for (const key of steps.flatMap((step) => Object.values(step.inputs)).map(columnKey)) {
      if (key === undefined || this.values.has(key)) continue;
      const texts = JSON.parse(await inflate(this.readText(this.blocks[key])));
      this.values.set(key, texts.map(BigInt));
    }
  }

  get(input) {
    return this.values.get(columnKey(input));
  }

  /** Return the value of a step over a column: for all members of a pool it is the same. */
  once(step, evaluated) {
    const key = JSON.stringify([step.formula, step.inputs]);
    if (!this.evaluated.has(key)) this.evaluated.set(key, evaluated());
    return this.evaluated.get(key);
  }
}

/** Return `file/column` where an input is a column, undefined where it is anything else. */
function columnKey(input) {
  return typeof input === "object" && "column" in input
    ? `${input.file}/${input.column}`
    : undefined;
}

/** Return a step's input as a value to calculate with. */
function inputValue(input, columns) {
  if (Array.isArray(input)) return input.map((item) => BigInt(item));
  if (typeof input === "object") return columns.get(input);
  return typeof input === "string" && /^-?\d+$/.test(input) ? BigInt(input) : input;
}

/** Evaluate a step from its formula and inputs; throws when its condition does not hold. */
function evaluateStep(step, columns) {
  const names = {};
  for (const [name, input] of Object.entries(step.inputs)) names[name] = inputValue(input, columns);
  if (step.when && !evaluate(step.when, names)) {
    throw new Error(`${step.symbol}: ${step.when} does not hold`);
  }
  const value = () => evaluate(step.formula, names);
  return Object.values(step.inputs).some(columnKey) ? columns.once(step, value) : value();
}

/** Return a value as a derivation writes it: integers as text, lists item by item. */
function asJson(value) {
  if (Array.isArray(value)) return value.map(asJson);
  return typeof value === "bigint" ? value.toString() : value;
}

/** Return the input that a program's binding means: its own number, an earlier step, a constant. */
function bound(binding, own, values) {
  if ("own" in binding) return asJson(own[binding.own]);
  if ("step" in binding) return asJson(values.get(binding.step));
  return "is" in binding ? binding.is : binding;
}

/** Return a value for a sentence, cut off: `in_short` of explain. */
function inShort(value, form) {
  if (form === "count") return grouped(value.toString());
  const wad = 10n ** 18n;
  const pad = (number, width) => number.toString().padStart(width, "0");
  if (form === "percent") {
    return `${(value * 100n) / wad}.${pad(((value * 10000n) / wad) % 100n, 2)} %`;
  }
  const digits = `${grouped((value / wad).toString())}.${pad((value % wad) / 10n ** 14n, 4)}`;
  return form === "wct" ? `${digits} WCT` : digits;
}

/** Return a sentence with the values of the steps that it names. */
function filled(sentence, values) {
  return sentence.replace(/\{([^|}]+)\|([a-z]+)\}/g, (_, symbol, form) =>
    inShort(values.get(symbol), form),
  );
}

/** Return an integer with its thousands set apart. */
function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Return the derivation that a program makes of somebody's own numbers. */
function expand(program, subject, payoutAddress, own, columns) {
  const values = new Map();
  const steps = program.steps.map((template) => {
    const step = { ...template, inputs: {} };
    for (const [name, binding] of Object.entries(template.inputs)) {
      step.inputs[name] = bound(binding, own, values);
    }
    if (template.note && typeof template.note === "object") step.note = own[template.note.own];
    const value = evaluateStep(step, columns);
    values.set(step.symbol, value);
    step.value = String(value);
    return step;
  });
  const facts = program.facts.map(([name, fact]) => [
    name,
    typeof fact === "object" ? String(own[fact.own]) : fact,
  ]);
  return {
    kind: program.kind,
    subject,
    payout_address: payoutAddress,
    summary: program.sentences.map((sentence) => filled(sentence, values)),
    facts: Object.fromEntries(facts),
    steps,
    amount: String(values.get(program.amount)),
  };
}

/** Evaluate every step of a derivation again; return how many, and what did not come out. */
function recheck(derivation, columns) {
  const outcome = { evaluated: 0, wrong: [] };
  for (const step of derivation.steps) {
    try {
      const value = evaluateStep(step, columns);
      if (String(value) === step.value) outcome.evaluated += 1;
      else outcome.wrong.push(`${step.symbol} is ${value}, not ${step.value}`);
    } catch (error) {
      outcome.wrong.push(error.message);
    }
  }
  return outcome;
}
