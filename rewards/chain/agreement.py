"""One block that every endpoint asked calls final, and what all of them say of it.

An endpoint that lies, lags or serves another chain is noticed by its disagreement with the others.
With one endpoint there is nobody to disagree: two that share no operator are better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rewards.chain.endpoint import FINALIZED, LATEST, Block, Endpoint
from rewards.errors import CheckFailed, Finding

Answer = TypeVar("Answer")
Reporter = Callable[[str, int], None]
"""Gets what is being done, and how many more of it are done."""

DO_NOT_TRUST = "do not rely on this endpoint; ask a third one which of them is right"


@dataclass(frozen=True, slots=True)
class Sight:
    """The chain as all the endpoints see it at one final block.

    Attributes:
        endpoints: At least one, all on the same chain and the same block.
        block: The last block that all of them call final.
        chain_id: The chain.
        progress: Told about reads that take long.
    """

    endpoints: tuple[Endpoint, ...]
    block: Block
    chain_id: int
    progress: Reporter | None = None

    @classmethod
    def at_final_block(
        cls, endpoints: Sequence[Endpoint], chain_id: int, progress: Reporter | None = None
    ) -> Sight:
        """Return what the endpoints agree on as final.

        Raises:
            CheckFailed: One serves another chain, or sees another block of that number.
            EndpointTrouble: One gives no usable answer.
        """
        return cls._at(FINALIZED, endpoints, chain_id, progress)

    @classmethod
    def at_latest_block(
        cls, endpoints: Sequence[Endpoint], chain_id: int, progress: Reporter | None = None
    ) -> Sight:
        """Return the same of the latest block, for what cannot wait until it is final."""
        return cls._at(LATEST, endpoints, chain_id, progress)

    @classmethod
    def _at(
        cls, tag: str, endpoints: Sequence[Endpoint], chain_id: int, progress: Reporter | None
    ) -> Sight:
        _require_chain(endpoints, chain_id)
        number = min(endpoint.block(tag).number for endpoint in endpoints)
        sight = cls(tuple(endpoints), endpoints[0].block(number), chain_id, progress)
        sight.read(f"hash of block {number}", lambda endpoint, at: endpoint.block(at).hash)
        return sight

    @property
    def first(self) -> Endpoint:
        """The endpoint to ask where one is enough."""
        return self.endpoints[0]

    def read(self, what: str, ask: Callable[[Endpoint, int], Answer]) -> Answer:
        """Ask every endpoint the same at the block and return what all answer.

        Raises:
            CheckFailed: They answer differently.
        """
        answers = [ask(endpoint, self.block.number) for endpoint in self.endpoints]
        findings = [
            Finding(
                endpoint.name,
                f"tells another {what} than {self.first.name} for the same block",
                DO_NOT_TRUST,
                column=what,
                value=str(answer),
            )
            for endpoint, answer in zip(self.endpoints, answers, strict=True)
            if answer != answers[0]
        ]
        if findings:
            raise CheckFailed(findings)
        return answers[0]

    def reporter(self, what: str) -> Callable[[int], None]:
        """Return a function to which the count of finished reads is given."""

        def report(count: int) -> None:
            if self.progress:
                self.progress(what, count)

        return report


def _require_chain(endpoints: Sequence[Endpoint], chain_id: int) -> None:
    findings = [
        Finding(
            endpoint.name,
            f"serves another chain than {chain_id}",
            f"name an endpoint of chain {chain_id}",
            column="chain id",
            value=str(served),
        )
        for endpoint in endpoints
        if (served := endpoint.chain_id()) != chain_id
    ]
    if findings:
        raise CheckFailed(findings)
