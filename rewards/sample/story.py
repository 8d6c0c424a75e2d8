"""The story of the sample season: who takes part, and what happens on each of seven days.

Everything here is invented. `DAYS` says what befalls the nodes (the input files are written from
it) and what comes of it (`moves`, which the rules must reproduce: a test compares them).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rewards.rules.records import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIVE, RESERVED, STANDBY = Status.ACTIVE, Status.RESERVED, Status.STANDBY
CONFINED, DEACTIVATED = Status.CONFINED, Status.DEACTIVATED


@dataclass(frozen=True, slots=True)
class Operator:
    """A node as its operator registered it: `region-number.operator`.

    Attributes:
        node_id: Its id; the part after the point names the operator, who is the payee.
        stake: Stake weight in whole WCT; the generator adds a fraction.
        status: Opening status in the first epoch; None for a node that joins later.
    """

    node_id: str
    stake: int
    status: Status | None

    @property
    def payee(self) -> str:
        """The operator's name: all nodes of an operator pay to one address."""
        return operator_of(self.node_id)


def operator_of(node_id: str) -> str:
    """Return the operator's part of a node id."""
    return node_id.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Incident:
    """How a node's day went where it was not an ordinary one.

    Attributes:
        uptime_seconds: Time online out of 86,400; None: as on an ordinary day.
        latency_ms: Mean response time; None: as on an ordinary day.
    """

    uptime_seconds: int | None = None
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """A row of `adjustments.csv`: `amount` in signed base units, paid to a node's operator."""

    node_id: str
    amount: int
    reason: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class Move:
    """A change of status that the rules make at the end of the day."""

    node_id: str
    step: str
    after: Status


@dataclass(frozen=True, slots=True)
class Day:
    """One daily epoch.

    Attributes:
        headline: What happens, in a sentence; stands as a comment in `epoch.toml`.
        incidents: By node id, the days that were not ordinary.
        without_machine: Nodes whose machine is not ready at the end of the day.
        exiting: Nodes that ask to leave.
        left_out: Deactivated nodes that the registry does not list on this day.
        joining: Nodes that are listed from this day on.
        corrections: What the treasury corrects by hand.
        moves: The changes of status that follow, in the order in which the rulebook makes them.
    """

    headline: str
    moves: tuple[Move, ...]
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    without_machine: frozenset[str] = frozenset()
    exiting: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    joining: tuple[Operator, ...] = ()
    corrections: tuple[Correction, ...] = ()


# --- who takes part --------------------------------------------------------------------------

NORTHWIND = "eu-central-01.northwind"
KESTREL_US = "us-east-01.kestrel"  # one operator, two nodes, one payout address
KESTREL_EU = "eu-west-02.kestrel"
MERIDIAN = "ap-southeast-01.meridian"
HARBORLIGHT = "eu-west-01.harborlight"  # the operator has a wallet too: WALLET_OF_HARBORLIGHT
BLUEPEAK = "us-west-01.bluepeak"
SALTMARSH = "eu-north-01.saltmarsh"
ARAUCARIA = "sa-east-01.araucaria"
TIDEWATER = "us-east-02.tidewater"
FOXGLOVE = "us-east-03.foxglove"
LATTICE = "eu-central-02.lattice"
EMBERLINE = "ap-northeast-01.emberline"
JUNIPER = "us-west-02.juniper"
QUARRY = "af-south-01.quarry"
MISTRAL = "eu-south-01.mistral"
GRANITE = "us-central-01.granite"
POLARIS = "ap-southeast-02.polaris"
WRENFIELD = "eu-central-03.wrenfield"
CORDILLERA = "sa-east-02.cordillera"
LANTERNFISH = "eu-west-03.lanternfish"
IRONBARK = "us-east-04.ironbark"
MONSOON = "ap-south-01.monsoon"
FJORDLINE = "eu-north-02.fjordline"
REDWOOD = "us-west-03.redwood"
ATACAMA = "sa-west-01.atacama"
OASIS = "me-central-01.oasis"
BIRCHGROVE = "ap-northeast-02.birchgrove"

GENESIS_NODES = (
    Operator(NORTHWIND, 178_400, ACTIVE),
    Operator(KESTREL_US, 161_250, ACTIVE),
    Operator(MERIDIAN, 149_800, ACTIVE),
    Operator(HARBORLIGHT, 142_300, ACTIVE),
    Operator(BLUEPEAK, 136_700, ACTIVE),
    Operator(KESTREL_EU, 131_050, ACTIVE),
    Operator(SALTMARSH, 126_900, ACTIVE),
    Operator(ARAUCARIA, 121_400, ACTIVE),
    Operator(TIDEWATER, 117_650, ACTIVE),
    Operator(FOXGLOVE, 112_300, ACTIVE),
    Operator(LATTICE, 108_850, ACTIVE),
    Operator(EMBERLINE, 104_200, ACTIVE),
    Operator(JUNIPER, 71_500, ACTIVE),
    Operator(QUARRY, 66_900, ACTIVE),
    Operator(MISTRAL, 41_300, ACTIVE),
    Operator(GRANITE, 98_600, RESERVED),
    Operator(POLARIS, 93_100, RESERVED),
    Operator(WRENFIELD, 88_750, RESERVED),
    Operator(CORDILLERA, 82_400, RESERVED),
    Operator(LANTERNFISH, 63_200, RESERVED),
    Operator(IRONBARK, 57_900, RESERVED),
    Operator(MONSOON, 52_600, STANDBY),
    Operator(FJORDLINE, 49_300, STANDBY),
    Operator(REDWOOD, 38_700, STANDBY),
    Operator(ATACAMA, 33_400, STANDBY),
    Operator(OASIS, 27_800, STANDBY),
)
"""26 nodes: 15 active, 6 reserved, 5 on standby. Nothing demotes an active node for its rank, so
some of the active ones stake less than reserved ones: they were promoted while others were down."""

LATENCY_BY_REGION_MS = {
    "eu": 70,
    "us": 85,
    "sa": 140,
    "ap": 120,
    "me": 150,
    "af": 205,  # far from most clients: a little above the target of 200 ms on most days
}
"""Mean response time of an ordinary day, by the first part of the node id."""

# --- what happens ----------------------------------------------------------------------------

DAYS = (
    Day(
        "the first epoch; one slow node, and a standby node that has no machine when it is needed",
        incidents={
            MISTRAL: Incident(latency_ms=980),
            MERIDIAN: Incident(uptime_seconds=75_600),  # as measured; corrected on the next day
        },
        without_machine=frozenset({MONSOON, OASIS}),
        moves=(
            Move(MISTRAL, "confine", CONFINED),
            Move(MONSOON, "call_up", DEACTIVATED),
            Move(FJORDLINE, "call_up", RESERVED),
            Move(GRANITE, "promote", ACTIVE),
        ),
    ),
    Day(
        "an outage of 21 hours costs more than the day pays; a slow reserved node is passed over",
        incidents={
            JUNIPER: Incident(uptime_seconds=10_800),  # 3 hours: the penalty exceeds the pay
            SALTMARSH: Incident(uptime_seconds=51_840),
            POLARIS: Incident(latency_ms=620),
        },
        without_machine=frozenset({MONSOON, OASIS, SALTMARSH}),
        corrections=(
            Correction(
                MERIDIAN,
                25_120_000_000_000_000_000,
                "Monitor of ap-southeast was down for 3 hours of epoch 1; bonus made good (sample)",
                "Sample treasury, note 2026-06-25",
            ),
        ),
        moves=(
            Move(MISTRAL, "release", RESERVED),
            Move(SALTMARSH, "confine", CONFINED),
            Move(JUNIPER, "confine", CONFINED),
            Move(REDWOOD, "call_up", RESERVED),
            Move(WRENFIELD, "promote", ACTIVE),  # before them stands polaris, below tau
            Move(CORDILLERA, "promote", ACTIVE),
        ),
    ),
    Day(
        "two are released, one of them without its machine and so passed over; one leaves",
        without_machine=frozenset({MONSOON, OASIS, SALTMARSH, LATTICE}),
        exiting=frozenset({LATTICE}),
        corrections=(
            Correction(
                ARAUCARIA,
                -447_250_000_000_000_000_000,
                "Pilot payment of 2026-06-20 was made twice; the second one is recovered (sample)",
                "Sample treasury, note 2026-06-26",
            ),
        ),
        moves=(
            Move(LATTICE, "exit", DEACTIVATED),
            Move(SALTMARSH, "release", RESERVED),
            Move(JUNIPER, "release", RESERVED),
            Move(POLARIS, "promote", ACTIVE),  # before it stands saltmarsh, without a machine
            Move(REDWOOD, "surplus", STANDBY),
        ),
    ),
    Day(
        "a reserved node whose machine is still dark runs into debt and goes to standby",
        incidents={SALTMARSH: Incident(uptime_seconds=0)},
        without_machine=frozenset({MONSOON, OASIS, SALTMARSH}),
        left_out=frozenset({LATTICE}),
        moves=(
            Move(SALTMARSH, "unready", STANDBY),
            Move(REDWOOD, "call_up", RESERVED),
        ),
    ),
    Day(
        "a new policy; trouble in us-east, two replaced; one node joins, the one that left returns",
        incidents={
            TIDEWATER: Incident(latency_ms=840),
            FOXGLOVE: Incident(uptime_seconds=61_200, latency_ms=260),
        },
        without_machine=frozenset({MONSOON, OASIS}),
        joining=(Operator(BIRCHGROVE, 30_150, None),),
        moves=(
            Move(LATTICE, "reentry", STANDBY),
            Move(TIDEWATER, "confine", CONFINED),
            Move(FOXGLOVE, "confine", CONFINED),
            Move(SALTMARSH, "call_up", RESERVED),
            Move(ATACAMA, "call_up", RESERVED),
            Move(SALTMARSH, "promote", ACTIVE),
            Move(JUNIPER, "promote", ACTIVE),
        ),
    ),
    Day(
        "one falls short of tau, one meets it exactly and stays; a machine arrives at last",
        incidents={
            QUARRY: Incident(uptime_seconds=66_000),
            EMBERLINE: Incident(uptime_seconds=69_120, latency_ms=118),  # 0.8 of the day: P = tau
        },
        without_machine=frozenset({OASIS}),
        moves=(
            Move(MONSOON, "reentry", STANDBY),
            Move(TIDEWATER, "release", RESERVED),
            Move(FOXGLOVE, "release", RESERVED),
            Move(QUARRY, "confine", CONFINED),
            Move(TIDEWATER, "promote", ACTIVE),
            Move(ATACAMA, "surplus", STANDBY),
        ),
    ),
    Day(
        "the last day of June: the wallets' month is paid; one more node falls and is replaced",
        incidents={GRANITE: Incident(latency_ms=1_350)},
        without_machine=frozenset({OASIS}),
        moves=(
            Move(QUARRY, "release", RESERVED),
            Move(GRANITE, "confine", CONFINED),
            Move(FOXGLOVE, "promote", ACTIVE),
        ),
    ),
)
"""The seven days, 2026-06-24 to 2026-06-30."""

# --- the wallets -----------------------------------------------------------------------------

WALLET_OF_HARBORLIGHT = "harborlight-wallet"


@dataclass(frozen=True, slots=True)
class NamedWallet:
    """A wallet with a part in the story; `payee` names whose address it pays to."""

    wallet_id: str
    signatures: int
    certified: bool
    payee: str


NAMED_WALLETS = (
    # A few giants: two signatures in five.
    NamedWallet("lumen-wallet", 2_981_264, certified=True, payee="lumen-wallet"),
    NamedWallet("trailhead-wallet", 1_904_118, certified=True, payee="trailhead-wallet"),
    NamedWallet("parallax-wallet", 1_383_902, certified=True, payee="parallax-wallet"),
    NamedWallet("ferry-pay", 970_577, certified=False, payee="ferry-pay"),
    NamedWallet("oriole-wallet", 712_431, certified=True, payee="oriole-wallet"),
    # An operator's own wallet: node and wallet share one payout address.
    NamedWallet(WALLET_OF_HARBORLIGHT, 163_870, certified=True, payee=operator_of(HARBORLIGHT)),
    # On the threshold: "over 100,000" leaves out the first two.
    NamedWallet("almost-wallet", 99_999, certified=False, payee="almost-wallet"),
    NamedWallet("exactly-wallet", 100_000, certified=True, payee="exactly-wallet"),
    NamedWallet("justover-wallet", 100_001, certified=False, payee="justover-wallet"),
)


@dataclass(frozen=True, slots=True)
class Band:
    """A group of wallets of similar size.

    Attributes:
        name: What the group is.
        count: How many wallets.
        low: Fewest signatures in the month.
        high: Most signatures in the month.
        certified_percent: How many of 100 are certified.
        staked_percent: How many of 100 have a stake weight.
    """

    name: str
    count: int
    low: int
    high: int
    certified_percent: int
    staked_percent: int


BANDS = (
    Band("large", 26, 130_000, 640_000, 75, 70),
    Band("over the threshold", 22, 100_002, 130_000, 35, 50),
    Band("under the threshold", 28, 62_000, 99_998, 20, 40),
    Band("tail", 615, 310, 62_000, 1, 6),
)
