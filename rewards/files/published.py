"""A published epoch: its stages, its state, what it hands to the next."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput
from rewards.files.csv_tables import read_by_column, read_table
from rewards.files.grammar import GrammarError, parse_hash
from rewards.files.manifest import STATE, TAKE_AGAIN, Manifest, PublishedFolder, sha256_of
from rewards.files.outputs import ALLOCATIONS, STATE_FORMAT, state_from
from rewards.rules.records import Account, Address, Allocation, Opening

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rewards.files.csv_tables import Table

__all__ = ["TAKE_AGAIN", "Manifest", "PublishedEpoch", "sha256_of"]

STATE_LIMIT = 1 << 28
NOTHING = Account()


class PublishedEpoch(PublishedFolder):
    """The folder of one published epoch, with its stages as records."""

    def __init__(self, folder: Path, *, by_column: bool | None = None) -> None:
        """Read the manifest.

        Args:
            folder: Where the epoch lies.
            by_column: Whether to hold its ledger by column; by default where it is very long.

        Raises:
            InvalidInput: It is no published folder.
            CheckFailed: Its manifest is damaged.
        """
        super().__init__(folder)
        self._by_column = by_column

    @cached_property
    def state(self) -> dict[str, Any]:
        """`state.json`."""
        document = self.read_json(STATE, STATE_LIMIT)
        if document.get("format") != STATE_FORMAT:
            raise InvalidInput(Finding(STATE, f"is not of format {STATE_FORMAT}", TAKE_AGAIN))
        return document

    @cached_property
    def allocations(self) -> Sequence[Allocation]:
        """The rows of `allocations.csv`, in address order."""
        path = self.folder / ALLOCATIONS.name
        table: Sequence[Allocation] | None = read_by_column(
            path, ALLOCATIONS, Allocation, by_column=self._by_column
        )
        return self._read_allocations() if table is None else table

    def _read_allocations(self) -> tuple[Allocation, ...]:
        path = self.folder / ALLOCATIONS.name
        findings: list[Finding] = []
        rows = read_table(path, ALLOCATIONS, findings)
        if findings:
            raise InvalidInput(findings)
        return tuple(Allocation(*row.values) for row in rows)

    def some_columns(self, table: Table, record: Callable[..., Any]) -> Any:  # noqa: ANN401
        """Return some columns of a very long table, by column; None where it is not so long.

        Raises:
            CheckFailed: The file is not the one that the manifest names.
        """
        path = self.folder / table.name
        rows = read_by_column(path, table, record, by_column=self._by_column, some=True)
        if rows is not None:
            self.require_digest(table.name)
        return rows

    def opening_for_successor(self) -> Opening:
        """Return this epoch as its successor opens on it.

        Raises:
            InvalidInput: A file is altered, missing or extra: not a predecessor to build on.
        """
        findings = self.altered_files()
        if findings:
            raise InvalidInput(
                [
                    Finding(f"{self.folder.name}/{f.file}", f.problem, f.remedy, value=f.value)
                    for f in findings
                ]
            )
        return self.closing()

    def closing(self) -> Opening:
        """Return what this epoch closes with, of a folder that is known to be unaltered."""
        closing = self._state_section("closing")
        return Opening(closing, self._ledger("cumulative", "recovery_out"), self.manifest.hash)

    def own_opening(self) -> Opening | None:
        """Return the predecessor as this folder itself records it; None in a first epoch."""
        if self.state.get("opening") is None:
            return None
        ledger = self._ledger("previous_cumulative", "recovery_in")
        opening = self.state["opening"]
        try:
            return Opening(
                self._state_section("opening"), ledger, parse_hash(opening["manifest_hash"])
            )
        except (GrammarError, KeyError, TypeError) as error:
            raise InvalidInput(
                Finding(STATE, "names no predecessor's manifest hash", TAKE_AGAIN)
            ) from error

    def _ledger(self, cumulative: str, recovery: str) -> Mapping[Address, Account]:
        """Return what is carried of each account, by the columns that say it; no zeros."""
        names = ("account", cumulative, recovery)
        few = replace(ALLOCATIONS, columns=tuple(c for c in ALLOCATIONS.columns if c.name in names))
        table = read_by_column(
            self.folder / ALLOCATIONS.name, few, tuple, by_column=self._by_column, some=True
        )
        if table is not None:
            from rewards.rules.columns import ledger_of  # noqa: PLC0415 - needs numpy

            return ledger_of(table, cumulative, recovery)
        held = (
            (row.account, Account(getattr(row, cumulative), getattr(row, recovery)))
            for row in self._read_allocations()
        )
        return {account: carried for account, carried in held if carried != NOTHING}

    def _state_section(self, name: str) -> Any:  # noqa: ANN401 - State
        try:
            return state_from(self.state[name])
        except (GrammarError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(
                Finding(STATE, f"has no usable section {name}: {error}", TAKE_AGAIN)
            ) from error
