"""Published tables as pandas frames, for comparison and for a notebook.

Amounts stay exact: a column of integers holds Python integers (pandas' own 64-bit columns would
wrap), an empty cell is None. This is the only module that imports pandas.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pandas as pd

from rewards.files.outputs import ALLOCATIONS_CSV

if TYPE_CHECKING:
    from rewards.files.published import PublishedEpoch

TABLES = ("nodes.csv", "transitions.csv", "wallets.csv", ALLOCATIONS_CSV)
TABLE_LIMIT = 1 << 32

_TEXT = {
    "node_id",
    "wallet_id",
    "account",
    "payout_address",
    "opening_status",
    "closing_status",
    "tier",
    "step",
    "from",
    "to",
    "reason",
}


def read_frame(published: PublishedEpoch, name: str) -> pd.DataFrame:
    """Return a published stage table (one of TABLES), checked against the manifest.

    Raises:
        CheckFailed: The file was altered.
    """
    text = published.read(name, TABLE_LIMIT).decode()
    header, *rows = csv.reader(io.StringIO(text))
    frame = pd.DataFrame(rows, columns=header, dtype=object)
    for column in set(header) - _TEXT:
        exact = [int(cell) if cell else None for cell in frame[column]]
        frame[column] = pd.Series(exact, dtype=object, index=frame.index)
    return frame
