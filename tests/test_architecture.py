"""The rooms of the house: who may import whom, and what the rulebook's code may not hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rewards"

HEAVY = {"web3", "eth_account", "eth_tester", "eth", "pandas", "duckdb", "ibis", "pyspark"} | {
    "numba",
    "numpy",
    "pyarrow",
}

# Per room: the other rooms it may import, and the packages beyond the standard library.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "rules": (set(), set()),
    "merkle": (set(), {"sha3", "numpy", "numba"}),
    "files": ({"errors", "rules", "merkle"}, {"pandas", "numpy", "pyarrow"}),
    "sample": ({"errors", "rules", "merkle", "files"}, set()),
    "measure": ({"errors", "files", "rules"}, {"ibis", "duckdb", "pyarrow", "pyspark", "py4j"}),
    "chain": (
        {"errors", "merkle", "files"},
        {"contracts_abi", "web3", "eth_account", "eth_abi", "eth_utils", "eth_tester", "eth"}
        | {"eth_typing", "hexbytes", "dotenv", "requests"},
    ),
    "audit": (
        {"__init__", "errors", "rules", "merkle", "files", "measure"},
        {"jinja2", "markupsafe"},
    ),
    "rehearsal": (
        {"errors", "rules", "merkle", "files", "chain", "audit"},
        {"contracts_abi", "web3", "eth_utils", "eth_typing"},
    ),
    "targets": ({"errors", "rules", "merkle", "files", "chain"}, set()),
    "settling": (
        {"errors", "rules", "merkle", "files", "chain", "audit", "targets"},
        {"contracts_abi", "eth_abi", "eth_utils", "eth_account"},
    ),
    "cli": (
        {"errors", "rules", "merkle", "files", "sample", "measure", "chain", "audit"}
        | {"rehearsal", "targets", "settling", "__init__"},
        {"click", "rich", "dotenv", "eth_account"},
    ),
    "__init__": (set(), set()),
    "__main__": ({"cli"}, set()),
}
# A package that only these modules may import; all that imports them does so when it must.
ONLY_IN = {
    "pandas": {"rewards/files/frames.py"},
    "numba": {"rewards/merkle/kernels.py"},
    "pyarrow": {
        "rewards/files/column_tables.py",
        "rewards/files/parquet.py",
        "rewards/sample/telemetry.py",
    },
    # The formulas are plain Python; what composes them for tables held by column needs arrays.
    "numpy": {
        "rewards/rules/columns.py",
        "rewards/rules/wide.py",
        "rewards/rules/wct1/columns.py",
        "rewards/merkle/batch.py",
        "rewards/merkle/kernels.py",
        "rewards/merkle/large.py",
        "rewards/files/column_tables.py",
        "rewards/sample/telemetry.py",
    },
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[tuple[int, str]]:
    """Return (line, dotted name) of every import, type-checking ones and lazy ones included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "rewards":
                found += [(node.lineno, f"rewards.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, node.module or ""))
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports__point_one_way(path: Path) -> None:
    rooms, packages = ROOMS[room_of(path)]
    wrong = []
    for line, name in imported(path):
        top, *rest = name.split(".")
        if top == "rewards":
            target = rest[0] if rest and rest[0] in ROOMS else "__init__"
            if target not in rooms | {room_of(path)}:
                wrong.append(f"line {line}: {name}")
        elif path.relative_to(ROOT).as_posix() in ONLY_IN.get(top, set()):
            continue
        elif top not in sys.stdlib_module_names and top not in packages:
            wrong.append(f"line {line}: {name}")
    assert not wrong


@pytest.mark.parametrize("package", ONLY_IN)
def test_large_package__is_imported_by_the_named_modules_alone(package: str) -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if room_of(path) != "measure"
        and any(name.split(".")[0] == package for _, name in imported(path))
    }
    assert users == ONLY_IN[package]


RULES = [path for path in modules() if room_of(path) == "rules"]

# What a pure formula needs of the standard library; no clock, environment, file or float.
PURE = {
    "__future__",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "importlib",
    "itertools",
    "math",
    "operator",
    "typing",
}
# Names through which a float, a file or the environment would come in, numpy's among them.
IMPURE = {"float", "round", "open", "Decimal", "Fraction", "eval", "exec", "complex"}
FLOATING = {"float16", "float32", "float64", "floating", "divide", "true_divide", "mean", "average"}
FLOATING |= {"sqrt", "cbrt", "power", "float_power", "log", "exp", "std", "var", "median"}


def impurities(path: Path) -> list[str]:
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            wrong.append(f"line {line}: true division")
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            wrong.append(f"line {line}: {node.value}")
        if isinstance(node, ast.Name) and node.id in IMPURE:
            wrong.append(f"line {line}: {node.id}")
        if isinstance(node, ast.Attribute) and node.attr in FLOATING:
            wrong.append(f"line {line}: .{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module == "math":
            names = {alias.name for alias in node.names}
            wrong += [f"line {line}: math.{name}" for name in sorted(names - {"isqrt"})]
    tops = {name.split(".")[0] for _, name in imported(path)} - {"rewards", "numpy"}
    return wrong + sorted(tops - PURE)


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rules__are_pure_integer_arithmetic(path: Path) -> None:
    assert not impurities(path)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1 / 2",
        "x /= 2",
        "x = 0.5",
        "x = float(1)",
        "import time",
        "from os import environ",
        "from pathlib import Path",
        "from math import sqrt",
        "import math\nx = math.sqrt(2)",
        "x = column.mean()",
        "from decimal import Decimal",
        "x = open('f')",
    ],
)
def test_impurity__is_noticed(line: str, tmp_path: Path) -> None:
    (tmp_path / "rule.py").write_text(line)
    assert impurities(tmp_path / "rule.py")


def test_merkle__reads_and_writes_nothing() -> None:
    wrong = []
    for path in modules():
        if room_of(path) != "merkle":
            continue
        wrong += [f"{path}: {name}" for _, name in imported(path) if name in {"pathlib", "io"}]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id in {"open", "Path"}:
                wrong.append(f"{path}:{node.lineno}: {node.id}")
    assert not wrong


def test_formulas__are_known_to_the_rules_and_to_the_derivations_alone() -> None:
    """Everyone else goes by the name that the policy gives: `rules.RULESETS`."""
    users = {
        path.relative_to(PACKAGE).as_posix().partition("/wct1")[0]
        for path in modules()
        if room_of(path) != "rules"
        and any(name.startswith("rewards.rules.wct1") for _, name in imported(path))
    }
    assert users == {"audit/explain", "audit/report"}


def test_every_room__is_on_the_map_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == {room for room in ROOMS if (PACKAGE / room).is_dir()}
    assert not [room for room in rooms if f"`rewards/{room}/" not in readme]


def test_only_the_command_line__prints_or_reads_the_environment() -> None:
    wrong = []
    for path in modules():
        if room_of(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in {"print", "input", "exit"}:
                    wrong.append(f"{path}:{node.lineno}: {node.func.id}")
            elif isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                wrong.append(f"{path}:{node.lineno}: {node.attr}")
    assert not wrong


POSIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "posix"}
POSIX_CALLS = {"fork", "getuid", "geteuid", "mkfifo", "O_NOFOLLOW", "O_DIRECTORY", "sync"}


def test_offline_rooms__use_nothing_that_only_posix_has() -> None:
    wrong = []
    for path in modules():
        if room_of(path) not in {"errors", "rules", "merkle", "files", "audit"}:
            continue
        wrong += [f"{path}: {name}" for _, name in imported(path) if name in POSIX_MODULES]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in POSIX_CALLS:
                wrong.append(f"{path}:{node.lineno}: {node.attr}")
    assert not wrong


def test_scripts__hold_no_logic() -> None:
    for path in sorted((ROOT / "scripts").glob("*.py")):
        code = [
            line for line in path.read_text(encoding="utf-8").splitlines() if line.strip(" #'\"")
        ]
        assert len(code) <= 60, path


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level packages that a command line loads."""
    code = (
        "import sys\n"
        "from rewards.cli import main\n"
        f"sys.argv = ['rewards', *{list(arguments)!r}]\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(run.stderr.splitlines()[-1].split())


def test_help__loads_no_heavy_package() -> None:
    assert not loaded_by("--help") & (HEAVY | {"rich", "rewards.rules"})


@pytest.mark.parametrize(
    "command",
    ["compute", "verify", "prove", "explain", "next", "checks", "safe", "simulate", "statement"],
)
def test_offline_commands__load_no_heavy_package(command: str) -> None:
    assert not loaded_by(command, "--help") & HEAVY
