"""Ranges of epochs: by number, by date, or the folders themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from rewards.cli.epochs import locate, require_season
from rewards.errors import Finding, InvalidInput
from rewards.files.grammar import GrammarError, format_time, parse_time
from rewards.files.published import PublishedEpoch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATE_LENGTH = len("2026-06-01")
NUMBER_LENGTH = 80


def range_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --from and --to."""
    command = click.option(
        "--to", "last", metavar="N|DATE", help="The last epoch, or the last day; inclusive."
    )(command)
    return click.option(
        "--from", "first", metavar="N|DATE", help="The first epoch, or the first day (UTC)."
    )(command)


def folders_of(
    outs: tuple[str, ...], first: str | None, last: str | None, season_folder: Path | None
) -> list[Path]:
    """Return the published folders of a range, ascending.

    Raises:
        InvalidInput: No such epochs; or a date falls into an epoch, which cannot be divided.
    """
    if outs:
        if first or last:
            raise click.UsageError("give folders, or --from and --to, not both")
        folders = [locate(out, season_folder).folder for out in outs]
        return sorted(folders, key=lambda folder: PublishedEpoch(folder).manifest.epoch)
    season = require_season(season_folder)
    published = season.published()
    low, high = _number(first), _number(last)
    chosen = [n for n in published if (low is None or n >= low) and (high is None or n <= high)]
    start, end = _start(first), _end(last)
    if start is not None or end is not None:
        windows = {n: _window(season.epoch(n)) for n in chosen}
        for boundary, option in ((start, "--from"), (end, "--to")):
            _require_boundary(boundary, option, list(windows.values()))
        chosen = [
            n
            for n, (opens, closes) in windows.items()
            if (start is None or opens >= start) and (end is None or closes <= end)
        ]
    if not chosen:
        there = f"it has {published[0]} to {published[-1]}" if published else "compute one first"
        raise InvalidInput(Finding(str(season.root), "has no published epoch in that range", there))
    return [season.epoch(number) for number in chosen]


def _window(folder: Path) -> tuple[int, int]:
    manifest = PublishedEpoch(folder).manifest
    return parse_time(manifest.document["start"]), manifest.end


def _number(text: str | None) -> int | None:
    return (
        int(text)
        if text and len(text) < NUMBER_LENGTH and text.isascii() and text.isdigit()
        else None
    )


def _start(text: str | None) -> int | None:
    return None if text is None or _number(text) is not None else _moment(text, "--from")


def _end(text: str | None) -> int | None:
    """Return the end of the last day, or the moment named."""
    if text is None or _number(text) is not None:
        return None
    moment = _moment(text, "--to")
    if len(text) == DATE_LENGTH:
        day_after = datetime.fromtimestamp(moment, UTC) + timedelta(days=1)
        return int(day_after.timestamp())
    return moment


def _moment(text: str, option: str) -> int:
    try:
        return parse_time(f"{text}T00:00:00Z" if len(text) == DATE_LENGTH else text)
    except GrammarError as error:
        raise InvalidInput(
            Finding(
                option,
                "is no epoch's number, day or time",
                "write e.g. 123, 2026-06-01 or 2026-06-01T00:00:00Z",
                value=text,
            )
        ) from error


def _require_boundary(boundary: int | None, option: str, windows: list[tuple[int, int]]) -> None:
    """Refuse a moment within an epoch: what it paid cannot be divided to the wei."""
    for start, end in windows:
        if boundary is not None and start < boundary < end:
            raise InvalidInput(
                Finding(
                    option,
                    f"falls into the epoch from {format_time(start)} to {format_time(end)}",
                    "choose a boundary between two epochs",
                    value=format_time(boundary),
                )
            )
