"""Run the tests against every mutant of rules, tree, grammar of money and statement.

    python -m tests.mutants [MODULE…] [--results FILE]

The tests are collected once; for each mutant a forked process exchanges the code of the changed
function and runs them until one fails. A mutant that no test notices is a survivor: it is listed
with the reason that `explained.py` gives for it, and without a reason the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.mutants.explained import EXPLAINED
from tests.mutants.mutate import Mutant, functions_of, mutants

if TYPE_CHECKING:
    from types import CodeType, FunctionType, ModuleType

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "RESULTS.md"
PATIENCE = 3
"""Times the processor time of the tests without a mutant; then it counts as noticed: no end."""

RULES = ("tests/rules/test_epoch.py", "tests/golden")
"""What is quick; the laws and the second program come on top, and are not needed for this."""

TREE = "tests/merkle/test_tree.py"
# Module, and the tests that are asked, those that know it best first.
SUBJECTS: dict[str, tuple[str, ...]] = {
    "rewards.rules.integers": (
        "tests/rules/test_integers.py",
        "tests/rules/test_ledger.py",
        *RULES,
    ),
    "rewards.rules.wide": ("tests/large/test_wide.py",),
    "rewards.rules.wct1.scores": ("tests/rules/test_scores.py", *RULES),
    "rewards.rules.wct1.lifecycle": ("tests/rules/test_lifecycle.py", *RULES),
    "rewards.rules.wct1.node_pay": ("tests/rules/test_node_pay.py", *RULES),
    "rewards.rules.wct1.apportion": ("tests/rules/test_apportion.py", *RULES),
    "rewards.rules.wct1.wallet_pay": ("tests/rules/test_wallet_pay.py", *RULES),
    "rewards.rules.wct1.ledger": ("tests/rules/test_ledger.py", *RULES),
    "rewards.rules.wct1.policy": ("tests/rules/test_policy.py", *RULES),
    "rewards.rules.wct1.inputs": ("tests/rules/test_inputs.py", *RULES),
    "rewards.rules.wct1.epoch": ("tests/rules/test_epoch.py", *RULES),
    "rewards.merkle.tree": (TREE,),
    "rewards.merkle.distribution": ("tests/merkle/test_distribution.py", TREE, "tests/golden"),
    "rewards.merkle.keccak": ("tests/merkle/test_keccak.py", "tests/files/test_grammar.py"),
    "rewards.files.grammar": ("tests/files/test_grammar.py",),
    "rewards.audit.statement.attribution": ("tests/statement/test_attribution.py",),
}


class Campaign:
    """A pytest plugin: in place of one run, one for each mutant."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.seconds, self.used = 600, 0.0
        self.noticed = 0
        self.survivors: list[Mutant] = []
        self.folder = Path(tempfile.mkdtemp(prefix="mutants-"))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the mutants one by one."""
        if self._fails(session, {}):
            raise SystemExit(f"the tests of {self.module.__name__} fail without a mutant")
        self.seconds = 3 + PATIENCE * int(self.used)
        source = inspect.getsource(self.module)
        for mutant in mutants(source, str(self.module.__file__)):
            if self._fails(session, mutant.compile()):
                self.noticed += 1
            else:
                self.survivors.append(mutant)
                print(
                    f"line {mutant.line}: {key_of(self.module.__name__, mutant)}", file=sys.stderr
                )
        shutil.rmtree(self.folder, ignore_errors=True)
        return True

    def _fails(self, session: pytest.Session, codes: dict[str, CodeType]) -> bool:
        """Run the tests in a process of their own, with other code in the functions."""
        child = os.fork()
        if child == 0:
            os._exit(self._run(session, codes))
        _, status, used = os.wait4(child, 0)
        self.used = used.ru_utime
        return status != 0

    def _run(self, session: pytest.Session, codes: dict[str, CodeType]) -> int:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (self.seconds, self.seconds))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        session.config._tmp_path_factory._given_basetemp = self.folder / "tmp"  # type: ignore[attr-defined]
        for name, function in defined_functions(self.module).items():
            if name in codes and codes[name] != function.__code__:
                function.__code__ = codes[name]
        items = session.items
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0


def defined_functions(module: ModuleType) -> dict[str, FunctionType]:
    """Return the functions and methods that a module defines, by qualified name."""
    found: dict[str, FunctionType] = {}
    for member in vars(module).values():
        holders = vars(member).values() if inspect.isclass(member) else (member,)
        for held in holders:
            function: Any = held
            if isinstance(held, property):
                function = held.fget
            elif isinstance(held, classmethod | staticmethod):
                function = held.__func__
            elif isinstance(held, cached_property):
                function = held.func
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                found[function.__qualname__] = function
    return found


def key_of(module: str, mutant: Mutant) -> str:
    """Return what names a mutant also when lines have moved."""
    return f"{module.rpartition('.')[2]}: {mutant.before} → {mutant.after}"


def campaign(name: str) -> Campaign:
    """Run a module's mutants."""
    module = importlib.import_module(name)
    unknown = set(defined_functions(module)) - set(
        functions_of(compile(inspect.getsource(module), name, "exec"))
    )
    assert not {n for n in unknown if not n.rpartition(".")[2].startswith("__")}, unknown
    plugin = Campaign(module)
    os.environ.setdefault("HYPOTHESIS_PROFILE", "mutants")
    code = pytest.main(
        ["-q", "--no-header", "-s", "-p", "no:cacheprovider", *SUBJECTS[name]], plugins=[plugin]
    )
    if code or not plugin.noticed:
        raise SystemExit(f"{name}: pytest ended with {code}, {plugin.noticed} mutants noticed")
    return plugin


def main() -> int:
    """Run what is named, or all, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(SUBJECTS))
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    rows, reasons, open_ones = [], [], 0
    for name in arguments.modules:
        started = time.monotonic()
        # A process for each: collected tests hold on to the modules that they know.
        done = in_own_process(name)
        keys = Counter(done["survivors"])
        explained = {key: EXPLAINED.get(key, "") for key in keys}
        without = sum(not reason for reason in explained.values())
        open_ones += without
        count = done["noticed"] + len(done["survivors"])
        rows.append(
            f"| `{name.removeprefix('rewards.')}` | {count} | {done['noticed']} | "
            f"{len(done['survivors'])} | {100 * done['noticed'] // max(count, 1)} % |"
        )
        reasons += [f"| `{key}` | {reason or '**open**'} |" for key, reason in explained.items()]
        print(rows[-1], f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    text = HEAD + "\n".join(rows) + "\n\n" + SURVIVORS + "\n".join(reasons) + "\n"
    if arguments.results:
        arguments.results.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 1 if open_ones else 0


def in_own_process(name: str) -> dict[str, Any]:
    """Return how many mutants of a module were noticed, and the names of those that were not."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pytest's own report
        plugin = campaign(name)
        with os.fdopen(write, "w") as file:
            lines = [key_of(name, mutant) for mutant in plugin.survivors]
            file.write("\n".join([str(plugin.noticed), *lines]))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        noticed, *survivors = file.read().split("\n")
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{name}: the campaign broke off")
    return {"noticed": int(noticed), "survivors": survivors}


HEAD = """# Mutants

What money and proofs rest on, changed in one place at a time: does a test notice? Made by
`make mutants`; the changes are those of [`mutate.py`](mutate.py).

| module | mutants | noticed | survived | score |
|---|---:|---:|---:|---:|
"""
SURVIVORS = """Survivors, each the same function as before or worse only in speed or in words:

| mutant | why no test can or need notice |
|---|---|
"""

if __name__ == "__main__":
    sys.exit(main())
