"""`explain`: an outside program evaluates every step again, from the JSON and the tables alone."""

from __future__ import annotations

import ast
import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from rewards.audit.explain import derive, document_of
from rewards.errors import CheckFailed, InvalidInput
from rewards.files.epoch import compute_folder, publish_epoch
from rewards.files.published import PublishedEpoch
from tests.reference.random_epochs import write_season

if TYPE_CHECKING:
    from pathlib import Path

    from rewards.files.season import Season


def iroot(q: int, x: int) -> int:
    """Return the largest r with r**q <= x, by bisection: not the program's own way."""
    low, high = 0, 1 << (x.bit_length() // q + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**q <= x else (low, middle - 1)
    return low


FUNCTIONS: dict[str, Any] = {
    "iroot": iroot, "max": max, "min": min, "sum": sum, "len": len, "zip": zip,
    "sorted": sorted, "enumerate": enumerate,
}  # fmt: skip
ALLOWED = (
    ast.Expression, ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Load,
    ast.Constant, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Pow, ast.And, ast.Or,
    ast.Not, ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotIn, ast.Tuple, ast.GeneratorExp,
    ast.comprehension, ast.Store, ast.Subscript, ast.USub,
)  # fmt: skip


def evaluate(expression: str, names: dict[str, Any]) -> Any:
    tree = ast.parse(expression, mode="eval")
    assert all(isinstance(node, ALLOWED) for node in ast.walk(tree)), expression
    return eval(  # noqa: S307 - checked above
        compile(tree, "step", "eval"), {"__builtins__": {}, **FUNCTIONS, **names}
    )


def number(value: Any, folder: Path) -> Any:
    """Return an input of a step as an outside program reads it."""
    if isinstance(value, dict):
        with (folder / value["file"]).open(encoding="utf-8", newline="") as file:
            return [int(row[value["column"]]) for row in csv.DictReader(file)]
    if isinstance(value, list):
        return [int(item) for item in value]
    if isinstance(value, bool):
        return value
    return int(value) if value.lstrip("-").isdigit() else value


def check_document(document: dict[str, Any], folder: Path) -> int:
    """Evaluate every step of a derivation; return how many there were."""
    count = 0
    for derivation in document["derivations"]:
        last: dict[str, str] = {}
        for step in derivation["steps"]:
            names = {name: number(value, folder) for name, value in step["inputs"].items()}
            if "when" in step:
                assert evaluate(step["when"], names), step
            assert str(evaluate(step["formula"], names)) == step["value"], step
            last[step["symbol"]] = step["value"]
            count += 1
        final = {"node": "paid", "wallet": "amount", "account": "epoch_amount"}[derivation["kind"]]
        assert last[final] == derivation["amount"]
    return count


def column(folder: Path, table: str, key: str, name: str) -> dict[str, str]:
    with (folder / table).open(encoding="utf-8", newline="") as file:
        return {row[key]: row[name] for row in csv.DictReader(file)}


def check_epoch(folder: Path, *, every: int = 1) -> int:
    """Explain ids and accounts of an epoch and hold them against the published tables."""
    published = PublishedEpoch(folder)
    steps = 0
    for table, key, name in (
        ("nodes.csv", "node_id", "paid"),
        ("wallets.csv", "wallet_id", "amount"),
        ("allocations.csv", "account", "epoch_amount"),
    ):
        for subject, amount in list(column(folder, table, key, name).items())[::every]:
            document = document_of(published, subject, derive(published, subject))
            document = json.loads(json.dumps(document))
            assert document["derivations"][-1]["amount"] == amount
            steps += check_document(document, folder)
    return steps


@pytest.mark.parametrize("epoch", [2, 3, 4, 7])
def test_sample__every_step_evaluates_to_the_published_amount(season: Season, epoch: int) -> None:
    assert check_epoch(season.epoch(epoch), every=23 if epoch == 7 else 5) > 100


@pytest.mark.parametrize("seed", range(12))
def test_random_policies__every_step_evaluates(seed: int, tmp_path: Path) -> None:
    previous = None
    for inputs in write_season(seed, tmp_path / "inputs")[:2]:
        out = tmp_path / "epochs" / inputs.name
        publish_epoch(compute_folder(inputs, previous), out)
        check_epoch(out, every=3)
        previous = out


def test_confined_node__tells_its_change_and_its_numbers(season: Season) -> None:
    (derivation,) = derive(PublishedEpoch(season.epoch(2)), "us-west-02.juniper")
    assert derivation.facts["opening status"] == "active"
    assert derivation.facts["closing status"] == "confined"
    assert "score 0.125 < tau 0.8" in derivation.facts["change 1"]
    assert derivation.amount == 0
    debts = [step.value for step in derivation.steps if step.symbol == "debt_out"]
    assert debts[0] != 0


def test_capped_wallet__names_the_cap(season: Season) -> None:
    (derivation,) = derive(PublishedEpoch(season.epoch(7)), "lumen-wallet")
    capped = [step for step in derivation.steps if step.when == "Q * w > K * W"]
    assert len(capped) == 1


def test_summary__of_a_confined_node__is_a_tale(season: Season) -> None:
    (derivation,) = derive(PublishedEpoch(season.epoch(2)), "us-west-02.juniper")
    assert " ".join(derivation.summary) == (
        "It was active when the epoch opened, so it is paid in full. It was up for 12.50 % of the "
        "epoch and answered in 117 ms on average (full marks up to 200 ms, none from 2,000 ms "
        "on): score 0.1250, below tau 0.8, so there is no bonus, but a penalty. Base 150.0000 WCT "
        "and bonus 0.0000 WCT, less a penalty of 189.8437 WCT: paid 0.0000 WCT. It still owes "
        "39.8437 WCT, which later epochs take. At the end of the epoch it went from active to "
        "confined."
    )


def test_summary__of_a_certified_wallet__is_a_tale(season: Season) -> None:
    (derivation,) = derive(PublishedEpoch(season.epoch(7)), "lumen-wallet")
    assert " ".join(derivation.summary) == (
        "Its 2,981,264 signatures pass the threshold of 100,000; it is certified. From the "
        "eligible pool of 125,000.0000 WCT it gets 22,818.1871 WCT, by its weight. From the "
        "certified pool of 333,333.3333 WCT it gets 83,333.3333 WCT: the cap of 25.00 %, which "
        "its weight would pass. Together 106,151.5204 WCT."
    )


def test_shared_account__adds_up_what_pays_into_it(season: Season) -> None:
    folder = season.epoch(7)
    account = column(folder, "nodes.csv", "node_id", "payout_address")["eu-west-01.harborlight"]
    derivations = derive(PublishedEpoch(folder), account)
    assert [d.kind for d in derivations] == ["node", "wallet", "account"]
    assert derivations[2].amount == derivations[0].amount + derivations[1].amount


def test_unknown_subject__is_refused(season: Season) -> None:
    published = PublishedEpoch(season.epoch(1))
    with pytest.raises(CheckFailed, match="knows no such id"):
        derive(published, "nobody")
    with pytest.raises(InvalidInput, match="EIP-55"):
        derive(published, "0xEF4461891DfB3AC8572cCf7C794664A8DD927945")
