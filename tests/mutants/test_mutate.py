from __future__ import annotations

import importlib
import inspect

from tests.mutants.__main__ import SUBJECTS, defined_functions, key_of
from tests.mutants.explained import EXPLAINED
from tests.mutants.mutate import mutants

SOURCE = '''
def paid(x, y):
    """Return what is paid."""
    if x > 1 and y:
        return max(x - y, 0)
    return "words"


class Pool:
    def total(self):
        return self.a + self.b
'''


def test_mutants__of_a_small_module__are_these() -> None:
    made = list(mutants(SOURCE, "m"))
    assert [(m.before, m.after) for m in made] == [
        ("if x > 1 and y", "if not (x > 1 and y)"),
        ("x > 1 and y", "x > 1 or y"),
        ("x > 1", "x >= 1"),
        ("x > 1", "x <= 1"),
        ("max(x - y, 0)", "min(x - y, 0)"),
        ("1", "2"),
        ("x - y", "x + y"),
        ("0", "1"),
        ("self.a + self.b", "self.a - self.b"),
    ]
    assert all({"paid", "Pool.total"} <= set(m.compile()) for m in made)


def test_explained__names_mutants_that_there_are() -> None:
    keys = set()
    for name in SUBJECTS:
        module = importlib.import_module(name)
        assert defined_functions(module)
        source = inspect.getsource(module)
        if any(key.startswith(f"{name.rpartition('.')[2]}: ") for key in EXPLAINED):
            keys |= {key_of(name, mutant) for mutant in mutants(source, name)}
    assert set(EXPLAINED) <= keys
