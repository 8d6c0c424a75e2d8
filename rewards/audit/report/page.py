"""The page itself: template, style, scripts, and the policy that keeps anything else out."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rewards import __version__
from rewards.audit.diff import EpochDiff, compare
from rewards.audit.report import figures, plots
from rewards.audit.report.books import books_of
from rewards.audit.report.checks import read_review, subject_of
from rewards.audit.report.lookup import Lookup, compact_json
from rewards.audit.report.settlement import ACTIONS_SHOWN
from rewards.audit.report.words import FILTERS
from rewards.files.grammar import format_time

if TYPE_CHECKING:
    from rewards.audit.report.source import Source
    from rewards.audit.report.wct1 import WctOneView
    from rewards.measure.explain import Measurement

SCRIPTS = (
    "vendor/keccak.js",
    "static/expression.js",
    "static/derivation.js",
    "static/merkle.js",
    "static/store.js",
    "static/page.js",
)
LIBRARY_LICENSE = "vendor/keccak.LICENSE"
STYLE = "static/report.css"
NODES_SHOWN = 500
MOVES_SHOWN = 15
CHANGES_SHOWN = 200


def render_page(
    source: Source,
    view: WctOneView,
    lookup: Lookup,
    season: str | None,
    measurement: Measurement | None,
) -> str:
    """Return the whole HTML document."""
    environment = Environment(
        loader=PackageLoader("rewards.audit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS, subject=subject_of)
    style, script = _asset(STYLE), _script()
    return environment.get_template("report.html.j2").render(
        _facts(source, view),
        season=season,
        measurement=measurement,
        overrides=measurement.overrides if measurement else (),
        version=__version__,
        # Inline code is code that the file itself was published with: by its hash, nothing else.
        policy=content_policy(script, style),
        style=Markup(style),  # noqa: S704 - our own asset
        script=Markup(script),  # noqa: S704
        head=data_text(compact_json(lookup.head)),
        blocks=lookup.blocks,
    )


def content_policy(script: str, style: str) -> str:
    """Return the Content-Security-Policy: no network, no code but the given, no HTML from text."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash_source(script)}'",
            f"style-src '{_hash_source(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def data_text(json_text: str) -> Markup:
    """Return JSON that cannot end its `<script>` element or open a comment in it."""
    return Markup(json_text.replace("<", "\\u003c"))  # noqa: S704 - no `<` is left


def _hash_source(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _script() -> str:
    """Return every script as one, in a scope of its own, the library's licence at the head."""
    licence = "\n".join(f" * {line}".rstrip() for line in _asset(LIBRARY_LICENSE).splitlines())
    parts = "\n".join(_asset(name) for name in SCRIPTS)
    script = (
        f"/*\n * The first part is @noble/hashes:\n *\n{licence}\n */\n"
        f'(() => {{\n"use strict";\n{parts}}})();\n'
    )
    if "</script" in script.lower():
        raise ValueError("a script asset would end its own element")
    return script


def _asset(name: str) -> str:
    return files("rewards.audit.report").joinpath(name).read_text(encoding="utf-8")


# --- what the template shows -------------------------------------------------------------------


def _facts(source: Source, view: WctOneView) -> dict[str, Any]:
    manifest = source.published.manifest
    document = manifest.document
    inputs = source.explainer.inputs
    groups = figures.concentrations(source)
    nodes = figures.ranked_nodes(source)
    pools = figures.pools(source)
    window = inputs.header.wallet_window
    return {
        "manifest": manifest,
        "document": document,
        "wallet_window": (format_time(window.start), format_time(window.end)),
        "has_nodes": bool(source.nodes),
        "has_wallets": bool(source.wallets),
        "pools": [(pool, plots.pool_bar(pool, f"pool-{i}")) for i, pool in enumerate(pools)],
        "withheld": sum(pool.withheld for pool in pools),
        "unallocated": sum(pool.unallocated for pool in pools),
        "approved": sum(pool.approved for pool in pools),
        "identities": figures.identities(source),
        "payees": sum(row["epoch_amount"] > 0 for row in source.allocations),
        "recovering": sum(row["recovery_out"] for row in source.allocations),
        "debts": sum(row["debt_out"] for row in source.nodes),
        "statuses": figures.status_tallies(source) if source.nodes else [],
        "transitions": source.transitions,
        "nodes": nodes[:NODES_SHOWN],
        "nodes_left_out": len(nodes[NODES_SHOWN:]),
        "tau": view.parameters.nodes.tau,
        "stake_weighted": view.parameters.nodes.weighting == "stake",
        "tiers": figures.tier_tallies(source),
        "activity_words": view.activity_words,
        "wallets_grouped": sum(row["amount"] > 0 for row in source.wallets)
        > plots.DRAWN_ONE_BY_ONE,
        "threshold_words": view.threshold_words,
        "adjustments": inputs.adjustments or (),
        "concentrations": groups,
        "top": figures.top_payees(source),
        "change": _change(source),
        "review": read_review(source.published, source.looked),
        "receipts": source.receipts,
        "books": books_of(source.statement),
        "actions_shown": ACTIONS_SHOWN,
        "parameters": sorted(inputs.policy.canonical.items()),
        "plot_nodes": plots.score_against_pay(source, view),
        "plot_wallets": plots.wallets_against_activity(source, view),
        "plot_lorenz": plots.lorenz(groups),
        "library": _library(),
    }


def _change(source: Source) -> dict[str, Any] | None:
    """Return the comparison with the predecessor; None without one."""
    if source.previous is None:
        return None
    difference: EpochDiff = compare(source.previous, source.published)
    moves = difference.accounts[:MOVES_SHOWN]
    largest = max((abs(row.delta) for row in moves), default=0)
    kinds = [row.kind for row in difference.accounts]
    return {
        "before": difference.before,
        "kinds": [(kind, kinds.count(kind)) for kind in ("new", "changed", "returned", "vanished")],
        "moves": [(row, plots.move_bar(row.delta, largest)) for row in moves],
        "left_out": len(difference.accounts) - len(moves),
        "amount_before": source.previous.manifest.epoch_amount,
        "pools": [
            (figures.POOL_LABELS[name], int(change.before or 0), int(change.after or 0))
            for change in difference.pools
            if change.name.endswith(".pool")
            and (name := change.name.removesuffix(".pool")) in figures.POOL_LABELS
        ],
        "parameters": difference.parameters,
        "payout_addresses": difference.payout_addresses[:CHANGES_SHOWN],
        "payout_left_out": len(difference.payout_addresses[CHANGES_SHOWN:]),
    }


def _library() -> str:
    """Return the name and version of the hash library, from its lock file."""
    lock: dict[str, Any] = json.loads(_asset("vendor/package-lock.json"))
    return f"@noble/hashes {lock['packages']['node_modules/@noble/hashes']['version']}"
