"""The reference against numbers worked by hand from the rules, and against published vectors."""

from __future__ import annotations

import hashlib
import random
from fractions import Fraction
from typing import TYPE_CHECKING

from . import wct1
from .random_epochs import write_season

if TYPE_CHECKING:
    from pathlib import Path

WAD = 10**18
A, B, C, D = (f"0x{digit * 40}" for digit in "abcd")
DISTRIBUTOR, TOKEN = f"0x{'1' * 40}", f"0x{'2' * 40}"


# --------------------------------------------------------------------------- hashes


def test_keccak_vectors() -> None:
    assert wct1.keccak256(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )
    assert wct1.keccak256(b"abc").hex() == (
        "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
    )
    assert wct1.keccak256(b"The quick brown fox jumps over the lazy dog").hex() == (
        "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"
    )


def test_permutation_and_padding_against_the_standard_library() -> None:
    for length in (0, 1, 135, 136, 137, 160, 271, 272, 273):
        messages = [bytes((i * k + k) % 256 for i in range(length)) for k in range(1, 6)]
        got = wct1.keccak256_many(messages, domain=0x06)
        assert got == [hashlib.sha3_256(m).digest() for m in messages]
        assert wct1.keccak256_many(messages) == [wct1.keccak256(m) for m in messages]


def test_checksum_vectors_of_eip_55() -> None:
    known = [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ]
    assert wct1.checksums(known) == known


def test_root_of_the_example_in_the_readme_of_openzeppelin_merkle_tree() -> None:
    values = [(int("11" * 20, 16), 5 * WAD), (int("22" * 20, 16), 25 * WAD // 10)]
    encoded = [a.to_bytes(32, "big") + v.to_bytes(32, "big") for a, v in values]
    leaves = wct1.keccak256_many(wct1.keccak256_many(encoded))
    assert wct1.merkle_root(leaves).hex() == (
        "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"
    )


def test_shape_of_a_tree_with_three_leaves() -> None:
    # Sorted x < y < z fill the array of 5 from its end: [0], [1], z, y, x; [1] joins y and x,
    # [0] joins [1] and z.
    x, y, z = sorted(wct1.keccak256(bytes([i])) for i in range(3))
    lower = wct1.keccak256(x + y)
    assert wct1.merkle_root([z, x, y]) == wct1.keccak256(min(lower, z) + max(lower, z))


# --------------------------------------------------------------------------- formulas


def _policy(**settings: object) -> wct1.Policy:
    sections: dict[str, object] = {"ruleset": "wct-1", "first_epoch": 1, "approval": "test"}
    return wct1.read_policy({**sections, **settings})


def test_score() -> None:
    # 4/5 of the day up; mean 1.1 s lies half way between 0.2 s and 2 s.
    got = wct1.score(_policy(), 86_400, 69_120, 11_000_000, 10)
    assert (got.uptime, got.latency, got.total) == (
        Fraction(4, 5),
        Fraction(1, 2),
        Fraction(2, 5),
    )
    # The weighted mean of 4/5 (weight 3) and 1/2 (weight 1) is (2.4 + 0.5) / 4 = 0.725.
    mean = {"combine": "weighted_mean", "uptime_weight": "3", "latency_weight": "1"}
    got = wct1.score(_policy(performance=mean), 86_400, 69_120, 11_000_000, 10)
    assert got.total == Fraction("0.725")
    # 1/3 of three seconds is cut to the grid: 0.333...333 (18 digits).
    got = wct1.score(_policy(), 3, 1, 0, 1)
    assert wct1.wad(got.total) == "333333333333333333"


def test_latency_edges() -> None:
    for response, requests, latency in [
        (0, 0, "0"),
        (200_000 * 7, 7, str(WAD)),
        # one microsecond more over 7 requests: (12600000 - 1) / 12600000 = 0.99999992063492063|492
        (200_000 * 7 + 1, 7, "999999920634920634"),
        # one microsecond before the ceiling: 1 / 12600000 = 0.0000000793650793650|79
        (2_000_000 * 7 - 1, 7, "79365079365"),
        (2_000_000 * 7, 7, "0"),
    ]:
        assert wct1.wad(wct1.score(_policy(), 1, 1, response, requests).latency) == latency


def test_curve() -> None:
    assert wct1.curve(Fraction(4), (1, 1)) == 4 * WAD
    # 4 ** (5/4) = 4 * sqrt(2) = 5.656854249492380195|2...
    assert wct1.curve(Fraction(4), (5, 4)) == 5_656_854_249_492_380_195
    # 2 ** (1/8) = 1.090507732665257659|2...
    assert wct1.curve(Fraction(2), (1, 8)) == 1_090_507_732_665_257_659
    assert wct1.curve(Fraction(0), (5, 4)) == 0
    assert wct1.curve(Fraction(1), (7, 3)) == WAD
    # (10**-18) ** 2 is below the grid.
    assert wct1.curve(Fraction(1, WAD), (2, 1)) == 0


def _apportion(pool: int, weights: dict[str, int], cap: str | None) -> tuple[dict[str, int], int]:
    exact = {k: Fraction(v) for k, v in weights.items()}
    return wct1.apportion(pool, exact, None if cap is None else Fraction(cap))


def test_apportion() -> None:
    # Remainders 1/3 each; the one unit left goes to the first id ("B" sorts before "a").
    assert _apportion(10, {"a": 1, "B": 1, "c": 1}, None) == ({"a": 3, "B": 4, "c": 3}, 0)
    # 7 * 5/7 = 5, 7 * 1/7 = 1: nothing is left over.
    assert _apportion(7, {"a": 5, "b": 1, "c": 1}, None) == ({"a": 5, "b": 1, "c": 1}, 0)
    # 10 * 2/3 = 6 2/3 and 10 * 1/3 = 3 1/3: the larger remainder takes the unit.
    assert _apportion(10, {"a": 1, "b": 2}, None) == ({"a": 3, "b": 7}, 0)
    # K = 40: a would have 80; the other two share 60.
    assert _apportion(100, {"a": 8, "b": 1, "c": 1}, "0.4") == ({"a": 40, "b": 30, "c": 30}, 0)
    # K = 30: a leaves, then b and c at 35 leave too; 10 stay.
    assert _apportion(100, {"a": 8, "b": 1, "c": 1}, "0.3") == ({"a": 30, "b": 30, "c": 30}, 10)
    # A share of exactly K does not leave.
    assert _apportion(100, {"a": 1, "b": 1}, "0.5") == ({"a": 50, "b": 50}, 0)
    # K = 1 // 2 = 0: everyone leaves with nothing.
    assert _apportion(1, {"a": 1, "b": 1}, "0.5") == ({"a": 0, "b": 0}, 1)
    assert _apportion(5, {"a": 0}, None) == ({"a": 0}, 5)
    assert _apportion(0, {"a": 1}, "0.5") == ({"a": 0}, 0)


def _by_the_letter(pool: int, weights: dict[str, int], cap: int | None) -> dict[str, int]:
    """``apportion`` in rounds and integers, as the rules put it."""
    amounts = dict.fromkeys(weights, 0)
    members = {k for k, w in weights.items() if w > 0}
    rest = pool
    while cap is not None and members:
        ceiling = pool * cap // WAD
        whole = sum(weights[k] for k in members)
        leaving = {k for k in members if rest * weights[k] > ceiling * whole}
        if not leaving:
            break
        for k in leaving:
            amounts[k] = ceiling
        rest -= ceiling * len(leaving)
        members -= leaving
    whole = sum(weights[k] for k in members)
    for k in members:
        amounts[k] = rest * weights[k] // whole
    units = rest - sum(amounts[k] for k in members)
    order = sorted(members, key=lambda k: (-(rest * weights[k] % whole), k.encode()))
    for k in order[: units if members else 0]:
        amounts[k] += 1
    return amounts


def test_peeling_is_the_same_as_rounds() -> None:
    rng = random.Random(5)
    for _ in range(400):
        top = rng.choice([1, 3, 10, 10**6, 2**128])
        weights = {f"n{i}": rng.randint(0, top) for i in range(rng.randint(0, 12))}
        pool = rng.choice([0, 1, rng.randint(0, 50), rng.randint(0, 10**24)])
        cap = rng.choice([None, 1, WAD, WAD // rng.randint(2, 9), rng.randint(1, WAD)])
        text = None if cap is None else f"0.{cap:018d}" if cap < WAD else "1"
        amounts, left = _apportion(pool, weights, text)
        assert amounts == _by_the_letter(pool, weights, cap)
        assert sum(amounts.values()) + left == pool


# --------------------------------------------------------------------------- a small season


def _write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(text, encoding="utf-8")
    return folder


_NODES = "node_id,payout_address,stake_weight,machine_ready,exit_requested,status\n"
_SCORES = "node_id,uptime_seconds,response_time_us,requests\n"
_WALLETS = "wallet_id,payout_address,connections,signatures,certified\n"
_ADJUST = "payout_address,amount,reason,approved_by\n"
_SETTLEMENT = f'chain_id = 31337\ndistributor = "{DISTRIBUTOR}"\ntoken = "{TOKEN}"\ndecimals = 18\n'
_POLICY = """
ruleset = "wct-1"
first_epoch = 7
approval = "by hand"
[nodes]
active_target = 2
total_target = 3
penalty_rate = "10"
"""


def _epoch(number: int, pools: tuple[str, str, str]) -> str:
    genesis = "genesis = true\n" if number == 7 else ""
    return (
        f"epoch = {number}\n{genesis}"
        f"start = 2026-01-{number:02d}T00:00:00Z\nend = '2026-01-{number + 1:02d}T00:00:00Z'\n"
        f"[pools]\nnodes = '{pools[0]}'\nwallets_eligible = '{pools[1]}'\n"
        f"wallets_certified = '{pools[2]}'\n"
    )


def _column(rows: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_two_epochs(tmp_path: Path) -> None:
    season = wct1.Season()
    first = season.epoch(
        _write(
            tmp_path / "7",
            epoch_toml=_epoch(7, ("0.000000000000001", "0.0000000000000006", "0.000000000000001")),
            policy_toml=_POLICY,
            settlement_toml=_SETTLEMENT,
            nodes_csv=_NODES
            + f"a,{A},3,true,false,active\n"
            + f"b,{B},1,true,false,active\n"
            + f"s,{A},9,false,false,standby\n"
            + f"t,{D},8,true,false,standby\n",
            node_scores_csv=_SCORES + "a,86400,0,1\nb,69120,1100000,1\n",
            wallet_scores_csv=_WALLETS
            + f"w1,{A},0,100000,true\n"
            + f"w2,{C},0,200000,false\n"
            + f"w3,{D},0,400000,true\n",
            adjustments_csv=_ADJUST + f"{C},-1000,paid twice,council\n",
        )
    )
    # Pool 1000: 500 base, 500 bonus. Base 250 each; bonus of a: 500 * 3 * 1 / (3 + 1) = 375.
    # b has P = 0.4: penalty 250 * 10 * (0.8 - 0.4) / 0.8 = 1250, so 1000 of debt stay.
    names = ("node_id", "base", "bonus", "penalty", "debt_out", "withheld", "paid")
    assert _column(first["nodes"], *names) == [
        ("a", "250", "375", "0", "0", "0", "625"),
        ("b", "250", "0", "1250", "1000", "250", "0"),
        ("s", "0", "0", "0", "0", "0", "0"),
        ("t", "0", "0", "0", "0", "0", "0"),
    ]
    assert _column(first["nodes"], "score", "pay_factor")[1:3] == [
        (str(4 * WAD // 10), str(WAD)),
        ("", "0"),
    ]
    # b is confined; one of three stays, so s (not ready) and t are called, and t takes b's seat.
    assert _column(first["transitions"], "node_id", "step", "from", "to") == [
        ("b", "confine", "active", "confined"),
        ("s", "call_up", "standby", "deactivated"),
        ("t", "call_up", "standby", "reserved"),
        ("t", "promote", "reserved", "active"),
    ]
    end = 1_767_830_400  # 2026-01-08
    assert _column(first["nodes"], "closing_status", "confined_until") == [
        ("active", ""),
        ("confined", str(end + 86_400)),
        ("deactivated", ""),
        ("active", ""),
    ]
    # 100000 is not over 100000. Eligible: 600 as 2 to 4. Certified: w3 alone; its weight is
    # 4 ** (5/4).
    assert _column(first["wallets"], "tier", "reason", "amount_eligible", "amount_certified") == [
        ("ineligible", "below_threshold", "0", "0"),
        ("eligible", "", "200", "0"),
        ("certified", "", "400", "1000"),
    ]
    assert _column(first["wallets"], "weight_eligible", "weight_certified")[2] == (
        str(4 * WAD),
        "5656854249492380195",
    )
    ledger = ("account", "adjustment", "recovery_in", "recovery_out", "epoch_amount", "cumulative")
    assert _column(first["allocations"], *ledger) == [
        (A, "0", "0", "0", "625", "625"),
        (C, "-1000", "0", "800", "0", "0"),
        (D, "0", "0", "0", "1400", "1400"),
    ]
    # Leaves: A, D and the sentinel.
    tuples = [(A, 625), (D, 1400), (DISTRIBUTOR, 2025)]
    leaves = [(31_337, int(DISTRIBUTOR, 16), 7, int(who, 16), amount) for who, amount in tuples]
    x, y, z = sorted(wct1.leaf_hashes(leaves))
    lower = wct1.keccak256(x + y)
    root = wct1.keccak256(min(lower, z) + max(lower, z))
    assert first["totals"] == [
        {
            "cumulative_total": "2025",
            "epoch_amount": "2025",
            "leaf_count": "3",
            "merkle_root": "0x" + root.hex(),
        }
    ]
    assert first["pools"][0] == {
        "pool": "nodes",
        "amount": "1000",
        "paid": "625",
        "withheld": "250",
        "unallocated": "125",
    }

    second = season.epoch(
        _write(
            tmp_path / "8",
            epoch_toml=_epoch(8, ("0.000000000000000101", "0.0000000000000003", "0")),
            policy_toml=_POLICY,
            settlement_toml=_SETTLEMENT,
            nodes_csv=_NODES
            + f"t,{D},8,true,false,\n"
            + f"b,{B},1,false,false,confined\n"
            + f"a,{A},0,true,true,active\n",
            node_scores_csv=_SCORES + "a,86400,0,1\nt,86400,200000,1\n",
            wallet_scores_csv=_WALLETS + f"w2,{C},0,100001,false\n",
        )
    )
    # Pool 101: base pool 50, bonus pool 51, all of it to t, for a's stake is 0 now. s is left out.
    names = ("node_id", "opening_status", "base", "bonus", "debt_in", "debt_out", "paid")
    assert _column(second["nodes"], *names) == [
        ("a", "active", "25", "0", "0", "0", "25"),
        ("b", "confined", "0", "0", "1000", "1000", "0"),
        ("t", "active", "25", "51", "0", "0", "76"),
    ]
    # The confinement of b ends with this epoch; its machine is not ready, so it is not fit.
    assert _column(second["transitions"], "node_id", "step", "to") == [
        ("a", "exit", "deactivated"),
        ("b", "release", "reserved"),
    ]
    assert _column(second["allocations"], *ledger) == [
        (A, "0", "0", "0", "25", "650"),
        (C, "0", "800", "500", "0", "0"),
        (D, "0", "0", "0", "76", "1476"),
    ]
    states = {k: (s.status, s.debt) for k, s in season.nodes.items()}
    assert states == {
        "a": ("deactivated", 0),
        "b": ("reserved", 1000),
        "s": ("deactivated", 0),
        "t": ("active", 0),
    }


# --------------------------------------------------------------------------- the generator


def test_generated_seasons_are_valid_and_repeatable(tmp_path: Path) -> None:
    for seed in range(25):
        first = write_season(seed, tmp_path / f"{seed}-first")
        again = write_season(seed, tmp_path / f"{seed}-again")
        season = wct1.Season()
        for one, other in zip(first, again, strict=True):
            names = sorted(p.name for p in one.iterdir())
            assert names == sorted(p.name for p in other.iterdir())
            assert all((one / n).read_bytes() == (other / n).read_bytes() for n in names)
            assert season.epoch(one)["totals"]
