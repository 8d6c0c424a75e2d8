"""The state as the events tell it, and nothing else: what an indexer would know."""

from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import event_abi_to_log_topic
from eth_utils.address import to_checksum_address

from tests.contracts.chain import artifact
from tests.contracts.machine import Log

DAY = 86_400
PAUSE = 14 * DAY
GUARDIAN = 2
ZERO = "0x" + "00" * 20


def _events() -> dict[bytes, dict[str, Any]]:
    abi = artifact("EpochDistributor")["abi"]
    return {event_abi_to_log_topic(item): item for item in abi if item["type"] == "event"}


EVENTS = _events()


def read_event(log: Log) -> tuple[str, dict[str, Any]]:
    """Name and arguments."""
    event = EVENTS[log.topics[0]]
    inputs: list[dict[str, Any]] = event["inputs"]
    topics = iter(log.topics[1:])
    values = iter(decode([i["type"] for i in inputs if not i["indexed"]], log.data))
    read = {
        i["name"]: decode([i["type"]], next(topics))[0] if i["indexed"] else next(values)
        for i in inputs
    }
    for argument in inputs:
        if argument["type"] == "address":
            read[argument["name"]] = to_checksum_address(read[argument["name"]])
    return event["name"], read


@dataclass
class Replay:
    admin: str
    roles: set[tuple[int, str]]
    delays: tuple[int, int]
    threshold: int
    cap: tuple[int, int]
    change_delay: int
    pending_admin: str = ZERO
    active: tuple[int, bytes, bytes, int] = (0, bytes(32), bytes(32), 0)
    candidate: tuple[int, int, bytes, bytes, int, int] | None = None
    vetoed: bool = False
    claimed: dict[str, int] = field(default_factory=dict)
    recipients: dict[str, str] = field(default_factory=dict)
    paused: list[int] = field(default_factory=lambda: [0, 0])
    rests: dict[str, tuple[int, int]] = field(default_factory=dict)
    scheduled: dict[bytes, int] = field(default_factory=dict)
    retired: bool = False
    used: int = 0
    used_at: int = 0

    def apply(self, log: Log, at: int) -> None:
        name, values = read_event(log)
        getattr(self, f"_on_{name}", self._ignore)(values, at)

    def available(self, at: int) -> int:
        return max(self.cap[0] - self._drained(at), 0)

    def settings(self) -> tuple[Any, ...]:
        """As the contract's view."""
        attesters = sum(role == 1 for role, _ in self.roles)
        return (
            *(self.admin, self.pending_admin, *self.delays, self.threshold, attesters),
            *(*self.cap, *self.paused, self.retired),
        )

    def _drained(self, at: int) -> int:
        return max(self.used - self.cap[1] * (at - self.used_at) // DAY, 0)

    def _ignore(self, values: dict[str, Any], at: int) -> None:
        """Attested, Swept: they change no state of the contract."""

    def _on_Proposed(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.candidate = (
            *(v["epoch"], v["attempt"], v["root"]),
            *(v["manifestHash"], v["cumulativeTotal"], v["activatableAt"]),
        )
        self.vetoed = False

    def _on_Vetoed(self, _: dict[str, Any], __: int) -> None:  # noqa: N802
        self.vetoed = True

    def _on_Activated(self, v: dict[str, Any], at: int) -> None:  # noqa: N802
        rise = max(v["cumulativeTotal"] - self.active[3], 0)
        self.used, self.used_at = self._drained(at) + rise, at
        self.active = (v["epoch"], v["root"], v["manifestHash"], v["cumulativeTotal"])
        self.candidate = None
        assert v["outstanding"] == v["cumulativeTotal"] - sum(self.claimed.values())

    def _on_Claimed(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        assert v["epoch"] == self.active[0]
        assert v["recipient"] == self.recipients.get(v["account"], v["account"])
        assert v["amount"] == v["cumulative"] - self.claimed.get(v["account"], 0) > 0
        self.claimed[v["account"]] = v["cumulative"]

    def _on_RecipientSet(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.recipients[v["account"]] = v["recipient"]

    def _on_Paused(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        kinds = (v["claims"], v["activation"])
        rests = self.rests.get(v["guardian"], (0, 0))
        self.paused = [
            v["until"] if on else was for on, was in zip(kinds, self.paused, strict=True)
        ]
        claims, activation = (
            v["until"] + PAUSE if on else was for on, was in zip(kinds, rests, strict=True)
        )
        self.rests[v["guardian"]] = (claims, activation)

    def _on_Unpaused(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        kinds = (v["claims"], v["activation"])
        self.paused = [0 if on else was for on, was in zip(kinds, self.paused, strict=True)]

    def _on_Retired(self, _: dict[str, Any], __: int) -> None:  # noqa: N802
        self.retired = True

    def _on_ChangeScheduled(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.scheduled[v["id"]] = v["readyAt"]

    def _on_ChangeCancelled(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.scheduled[v["id"]] = 0

    def _on_ChangeExecuted(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.scheduled[v["id"]] = 0

    def _on_RoleSet(self, v: dict[str, Any], at: int) -> None:  # noqa: N802
        self.roles ^= {(v["role"], v["account"])}
        if v["role"] == GUARDIAN and v["granted"]:
            claims, activation = self.rests.get(v["account"], (0, 0))
            self.rests[v["account"]] = (max(claims, at + self.change_delay), activation)

    def _on_DelaysSet(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.delays = (v["delay"], v["reductionDelay"])

    def _on_ThresholdSet(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.threshold = v["threshold"]

    def _on_CapSet(self, v: dict[str, Any], at: int) -> None:  # noqa: N802
        self.used, self.used_at = self._drained(at), at
        self.cap = (v["burst"], v["perDay"])

    def _on_AdminTransferStarted(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.pending_admin = v["pendingAdmin"]

    def _on_AdminTransferred(self, v: dict[str, Any], _: int) -> None:  # noqa: N802
        self.admin, self.pending_admin = v["admin"], ZERO
