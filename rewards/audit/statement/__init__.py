"""A statement for treasury and accounting: where the money of a range of epochs went, to the wei.

Everything is read from verified epochs and tied together by identities: pool by pool
(approved = paid + withheld + unallocated), payee by payee, epoch to epoch, and against the receipts
of settlements where the season has any. Amounts are base units.
"""

from rewards.audit.pools import PoolRow
from rewards.audit.statement.attribution import EARLIER, LINES, Lines
from rewards.audit.statement.books import POOLS, EpochBooks
from rewards.audit.statement.document import document_of, tables
from rewards.audit.statement.identities import Identity
from rewards.audit.statement.model import Statement, earlier_folders, statement_of
from rewards.audit.statement.payees import PayeeRow
from rewards.audit.statement.receipts import Receipt

__all__ = [
    "EARLIER",
    "LINES",
    "POOLS",
    "EpochBooks",
    "Identity",
    "Lines",
    "PayeeRow",
    "PoolRow",
    "Receipt",
    "Statement",
    "document_of",
    "earlier_folders",
    "statement_of",
    "tables",
]
