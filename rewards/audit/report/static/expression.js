/*
 * The formulas of a derivation, evaluated exactly: Python's syntax over integers (BigInt), words,
 * booleans and lists, with the functions that `rewards explain` documents. Nothing is ever handed
 * to the browser's own evaluation, so a formula cannot do anything but arithmetic.
 */

const TOKEN = /\s*(?:(\d+)|'([^']*)'|([A-Za-z_]\w*)|(\*\*|\/\/|==|!=|<=|>=|[-+*%<>(),[\]]))/y;

/** Return Python's floor division of two BigInts. */
function floorDivide(a, b) {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** Return the largest r with r**q <= x: Newton's method from a start at or above the root. */
function iroot(q, x) {
  if (q === 1n || x === 0n) return x;
  let root = 1n << ((BigInt(x.toString(16).length) * 4n + q - 1n) / q);
  for (;;) {
    const next = ((q - 1n) * root + x / root ** (q - 1n)) / q;
    if (next >= root) return root;
    root = next;
  }
}

const FUNCTIONS = {
  iroot,
  max: (...values) => values.reduce((a, b) => (a > b ? a : b)),
  min: (...values) => values.reduce((a, b) => (a < b ? a : b)),
  sum: (values) => values.reduce((a, b) => a + b, 0n),
  len: (values) => BigInt(values.length),
  sorted: (values) => [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
  zip: (first, second) => first.map((value, i) => [value, second[i]]),
  enumerate: (values) => values.map((value, i) => [BigInt(i), value]),
};

/** Return an item of a list as Python does: a negative index counts from the end. */
function item(values, index) {
  const at = Number(index < 0n ? index + BigInt(values.length) : index);
  if (!(at >= 0 && at < values.length)) throw new Error(`formula: no item ${index}`);
  return values[at];
}

const COMPARISONS = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  in: (a, b) => b.includes(a),
  "not in": (a, b) => !b.includes(a),
};

const OPERATORS = [
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "*": (a, b) => a * b, "//": floorDivide, "%": (a, b) => a - floorDivide(a, b) * b },
];

/** A recursive-descent parser; every rule returns a function from names to a value. */
class Parser {
  constructor(text) {
    this.tokens = tokenize(text);
    this.at = 0;
  }

  get next() {
    return this.tokens[this.at] ?? { kind: "end", text: "" };
  }

  /** Consume the next token if it is this operator or keyword. */
  take(text) {
    const found = this.next.text === text && this.next.kind !== "text";
    if (found) this.at += 1;
    return found;
  }

  expect(text) {
    if (!this.take(text)) throw new Error(`formula: ${text} expected, not ${this.next.text}`);
  }

  whole() {
    const value = this.disjunction();
    if (this.next.kind !== "end") throw new Error(`formula: ${this.next.text} is left over`);
    return value;
  }

  disjunction() {
    let left = this.conjunction();
    while (this.take("or")) {
      const [a, b] = [left, this.conjunction()];
      left = (names) => a(names) || b(names);
    }
    return left;
  }

  conjunction() {
    let left = this.negation();
    while (this.take("and")) {
      const [a, b] = [left, this.negation()];
      left = (names) => a(names) && b(names);
    }
    return left;
  }

  negation() {
    if (!this.take("not")) return this.comparison();
    const value = this.negation();
    return (names) => !value(names);
  }

  /** Python chains comparisons: a < b < c is a < b and b < c. */
  comparison() {
    const first = this.binary(0);
    const links = [];
    for (let name = this.comparator(); name; name = this.comparator()) {
      links.push([COMPARISONS[name], this.binary(0)]);
    }
    if (!links.length) return first;
    return (names) => {
      let left = first(names);
      return links.every(([holds, operand]) => {
        const right = operand(names);
        const result = holds(left, right);
        left = right;
        return result;
      });
    };
  }

  comparator() {
    if (this.next.text === "not" && this.tokens[this.at + 1]?.text === "in") {
      this.at += 2;
      return "not in";
    }
    const text = this.next.text;
    return this.next.kind !== "text" && Object.hasOwn(COMPARISONS, text) && this.take(text) && text;
  }

  binary(level) {
    if (level === OPERATORS.length) return this.factor();
    let left = this.binary(level + 1);
    while (this.next.kind === "operator" && Object.hasOwn(OPERATORS[level], this.next.text)) {
      const apply = OPERATORS[level][this.next.text];
      this.at += 1;
      const [a, b] = [left, this.binary(level + 1)];
      left = (names) => apply(a(names), b(names));
    }
    return left;
  }

  factor() {
    if (this.take("-")) {
      const value = this.factor();
      return (names) => -value(names);
    }
    const base = this.subscripted();
    if (!this.take("**")) return base;
    const exponent = this.factor();
    return (names) => base(names) ** exponent(names);
  }

  subscripted() {
    let value = this.atom();
    while (this.take("[")) {
      const [list, index] = [value, this.disjunction()];
      this.expect("]");
      value = (names) => item(list(names), index(names));
    }
    return value;
  }

  atom() {
    const { kind, text } = this.next;
    this.at += 1;
    if (kind === "number") return () => BigInt(text);
    if (kind === "text") return () => text;
    if (kind === "name") return this.take("(") ? this.call(text) : lookup(text);
    if (text !== "(") throw new Error(`formula: ${text || "its end"} is out of place`);
    const items = [this.disjunction()];
    let tuple = false;
    while (this.take(",")) {
      tuple = true;
      if (this.next.text !== ")") items.push(this.disjunction());
    }
    this.expect(")");
    return tuple ? (names) => items.map((item) => item(names)) : items[0];
  }

  call(name) {
    if (!Object.hasOwn(FUNCTIONS, name)) throw new Error(`formula: no function ${name}`);
    const apply = FUNCTIONS[name];
    const first = this.disjunction();
    if (this.take("for")) return this.comprehension(apply, first);
    const values = [first];
    while (this.take(",")) values.push(this.disjunction());
    this.expect(")");
    return (names) => apply(...values.map((value) => value(names)));
  }

  /** `sum(f * s for f, s in zip(x, y) if f > 0)`: the only place where a formula binds names. */
  comprehension(apply, made) {
    const bound = [this.name()];
    while (this.take(",")) bound.push(this.name());
    this.expect("in");
    const source = this.disjunction();
    const holds = this.take("if") ? this.disjunction() : () => true;
    this.expect(")");
    return (names) => {
      const scope = { ...names };
      const values = [];
      for (const row of source(names)) {
        if (bound.length === 1) scope[bound[0]] = row;
        else bound.forEach((name, i) => (scope[name] = row[i]));
        if (holds(scope)) values.push(made(scope));
      }
      return apply(values);
    };
  }

  name() {
    const { kind, text } = this.next;
    if (kind !== "name") throw new Error(`formula: a name expected, not ${text}`);
    this.at += 1;
    return text;
  }
}

function lookup(name) {
  return (names) => {
    if (!Object.hasOwn(names, name)) throw new Error(`formula: ${name} has no value`);
    return names[name];
  };
}

function tokenize(text) {
  const tokens = [];
  const kinds = ["number", "text", "name", "operator"];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const start = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (!found) throw new Error(`formula: cannot read ${text.slice(start)}`);
    const which = [1, 2, 3, 4].find((group) => found[group] !== undefined);
    tokens.push({ kind: kinds[which - 1], text: found[which] });
  }
  return tokens;
}

const parsed = new Map();

/** Return the value of a formula for the given names. */
function evaluate(formula, names) {
  if (!parsed.has(formula)) parsed.set(formula, new Parser(formula).whole());
  return parsed.get(formula)(names);
}
