"""Is what a Safe is about to sign exactly the plan? Offline, and every difference by its name.

Whatever a file says of itself is compared; nothing that it says is believed. The calls are taken
from the bytes that are signed, compared with the plan's bytes, and the hashes computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewards.chain.safe.calldata import Argument, decode_call
from rewards.chain.safe.deployments import VERSIONS, multi_send_addresses, multi_send_version
from rewards.chain.safe.export import safe_tx_of
from rewards.chain.safe.hashes import (
    CALL,
    DELEGATECALL,
    ZERO_ADDRESS,
    Hashes,
    domain_hash,
    hashes_of,
)
from rewards.chain.safe.multi_send import InnerCall, decode_multi_send
from rewards.chain.safe.statements import read_statement
from rewards.errors import Finding, RewardsError
from rewards.files.grammar import GrammarError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rewards.chain.plan import Plan, PlannedCall
    from rewards.chain.safe.hashes import SafeTx
    from rewards.chain.safe.statements import Statement

DO_NOT_SIGN = "do not sign it"
EXTRA_LIMIT = 20
"""Calls beyond the plan that are named one by one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out.

    Attributes:
        findings: Every difference; empty where the file is the plan.
        statement: What the file says; None where it cannot be read.
        safe: The Safe that signs, where it is known.
        nonce: The Safe's nonce, where it is known.
        hashes: The three hashes by Safe version, where the Safe and the nonce are known.
        domain_hash: The first of them, which needs no nonce.
        notes: What was not checked, and what a signer should know.
    """

    findings: tuple[Finding, ...]
    statement: Statement | None = None
    safe: str | None = None
    nonce: int | None = None
    hashes: Mapping[str, Hashes] | None = None
    domain_hash: str | None = None
    notes: tuple[str, ...] = ()


def check_file(
    content: bytes, name: str, plan: Plan, safe: str | None = None, nonce: int | None = None
) -> Verdict:
    """Compare a file with a plan.

    Args:
        content: The file's bytes.
        name: Its name, for findings.
        plan: What is to be signed.
        safe: The Safe that is to sign; without it the file's own word is taken, and noted.
        nonce: The Safe's nonce; likewise.
    """
    statement, findings = read_statement(content, name)
    if statement is None:
        return Verdict(tuple(findings))
    check = _Check(name, plan, findings)
    check.surroundings(statement, safe, nonce)
    signer = safe or statement.safe
    calls = check.calls_of(statement)
    if calls is not None:
        check.calls(calls, signer)
    tx = statement.tx
    actual_nonce = tx.nonce if tx else nonce
    hashes = None
    if signer is None:
        check.require_safe(statement)
    elif tx is not None:
        hashes = check.hashes(statement, tx, signer)
    elif nonce is not None and not findings:
        hashes = _hashes_by_version(plan, signer, nonce)
    return Verdict(
        findings=tuple(findings),
        statement=statement,
        safe=signer,
        nonce=actual_nonce,
        hashes=hashes,
        domain_hash=signer and "0x" + domain_hash(plan.chain_id, signer).hex(),
        notes=(*statement.notes, *_taken_on_trust(statement, safe, nonce)),
    )


def _taken_on_trust(statement: Statement, safe: str | None, nonce: int | None) -> list[str]:
    notes = []
    if safe is None:
        notes.append("which Safe signs was taken from the file: give --safe to check it")
    if statement.tx is not None and nonce is None:
        notes.append("the nonce was taken from the file: give --nonce to check it")
    if statement.tx is not None and statement.chain_id is None and not statement.hashes:
        notes.append("the file names no chain: compare the domain hash with the one you are shown")
    return notes


def _hashes_by_version(plan: Plan, safe: str, nonce: int) -> dict[str, Hashes]:
    """Return what a batch's transaction will hash to, by the version of MultiSendCallOnly used."""
    found = {}
    for version in VERSIONS:
        try:
            tx = safe_tx_of(plan, safe, version, nonce)
        except RewardsError:
            continue  # Safe lists no MultiSendCallOnly of this version there
        found[version] = hashes_of(plan.chain_id, safe, tx)
    return found


class _Check:
    """The comparison; differences go into the list of findings."""

    def __init__(self, name: str, plan: Plan, findings: list[Finding]) -> None:
        self._name, self._plan, self._findings = name, plan, findings

    def _differ(self, column: str, value: object, problem: str, remedy: str = DO_NOT_SIGN) -> None:
        self._findings.append(Finding(self._name, problem, remedy, column=column, value=str(value)))

    def surroundings(self, statement: Statement, safe: str | None, nonce: int | None) -> None:
        """Compare the chain, the Safe, the nonce and the plan that the file names."""
        plan = self._plan
        if statement.chain_id not in (None, plan.chain_id):
            self._differ("chain", statement.chain_id, f"is not the plan's chain {plan.chain_id}")
        if safe and statement.safe not in (None, safe):
            self._differ("safe", statement.safe, f"is not the Safe {safe}")
        signer = safe or statement.safe
        if plan.sender is not None and signer not in (None, plan.sender):
            self._differ("safe", signer, f"is not {plan.sender}, for whom the plan was made")
        if statement.plan_digest not in (None, plan.digest):
            self._differ("plan_digest", statement.plan_digest, f"is not this plan, {plan.digest}")
        if nonce is not None and statement.tx and statement.tx.nonce != nonce:
            self._differ("nonce", statement.tx.nonce, f"is not the nonce {nonce}")

    def require_safe(self, statement: Statement) -> None:
        """Ask for the Safe of a transaction that names none: its hash depends on it."""
        if statement.tx is not None:
            self._differ("safe", "", "is not named in the file", "say which it is: --safe ADDRESS")

    def calls_of(self, statement: Statement) -> list[InnerCall] | None:
        """Return the calls that are made; None, and findings, where that cannot be said."""
        tx = statement.tx
        if tx is None:
            return list(statement.calls)
        self._refund(tx)
        if tx.operation == CALL:
            return [InnerCall(tx.to, tx.value, tx.data)]
        if tx.operation != DELEGATECALL:
            self._differ("operation", tx.operation, "is neither CALL nor DELEGATECALL")
            return None
        if not self._may_be_delegated_to(tx, statement.version):
            return None
        try:
            return decode_multi_send(tx.data)
        except GrammarError as error:
            self._differ("data", "", error.problem)
            return None

    def _refund(self, tx: SafeTx) -> None:
        """Refuse a refund: it pays whoever executes, or whom it names, out of the Safe."""
        amounts = {
            "safeTxGas": tx.safe_tx_gas,
            "baseGas": tx.base_gas,
            "gasPrice": tx.gas_price,
        }
        for column, amount in amounts.items():
            if amount:
                self._differ(column, amount, "is not 0: gas would be refunded out of the Safe")
        addresses = {"gasToken": tx.gas_token, "refundReceiver": tx.refund_receiver}
        for column, address in addresses.items():
            if address != ZERO_ADDRESS:
                self._differ(column, address, "is not the zero address")

    def _may_be_delegated_to(self, tx: SafeTx, version: str | None) -> bool:
        known = multi_send_version(self._plan.chain_id, tx.to)
        if known is None:
            self._differ("to", tx.to, "is no MultiSendCallOnly of Safe's, and is DELEGATECALLed")
            return False
        if version and tx.to not in multi_send_addresses(self._plan.chain_id, version):
            self._differ("to", tx.to, f"is the MultiSendCallOnly of {known}, not of {version}")
        if tx.value:
            self._differ("value", tx.value, "is not 0 beside a DELEGATECALL")
        return True

    def hashes(self, statement: Statement, tx: SafeTx, safe: str) -> dict[str, Hashes]:
        """Compute the hashes, and compare those that the file states."""
        computed = hashes_of(self._plan.chain_id, safe, tx)
        for column, which, value in statement.hashes:
            expected = getattr(computed, which)
            if value != expected:
                self._differ(column, value, f"is not the hash of this transaction, {expected}")
        return dict.fromkeys(VERSIONS, computed)

    def calls(self, calls: list[InnerCall], safe: str | None) -> None:
        """Compare the calls, in their order, with the plan's."""
        planned = self._plan.calls
        extra = calls[len(planned) :]
        for number, call in enumerate(extra[:EXTRA_LIMIT], len(planned)):
            self._differ(f"calls[{number}]", call.to, "is called and is not in the plan")
        if len(extra) > EXTRA_LIMIT:
            self._differ("calls", len(extra), "calls in all are not in the plan")
        for number, missing in enumerate(planned[len(calls) :], len(calls)):
            problem = f"is missing: the plan calls {missing.to} there"
            self._differ(f"calls[{number}]", "", problem)
        for number, (call, expected) in enumerate(zip(calls, planned, strict=False)):
            self._call(f"calls[{number}]", call, expected)
            if call.to == safe:
                problem = "is the Safe itself: the call would change its own settings"
                self._differ(f"calls[{number}].to", call.to, problem)

    def _call(self, place: str, call: InnerCall, planned: PlannedCall) -> None:
        if call.to != planned.to:
            self._differ(f"{place}.to", call.to, f"is called; the plan calls {planned.to}")
        if call.value != planned.value:
            self._differ(f"{place}.value", call.value, f"wei are sent, not {planned.value}")
        if call.data != planned.data:
            before = len(self._findings)
            self._data(place, call.data, planned)
            if len(self._findings) == before:
                self._differ(f"{place}.data", "", "differs from the plan's bytes")

    def _data(self, place: str, data: bytes, planned: PlannedCall) -> None:
        """Name the arguments that differ."""
        if planned.function is None:
            return
        place = f"{place}.{planned.function.partition('(')[0]}"
        try:
            arguments = decode_call(planned.function, planned.arguments, data)
        except GrammarError as error:
            self._differ(place, "", error.problem)
            return
        self._value(place, arguments, planned.arguments)

    def _value(self, place: str, value: Any, planned: Any) -> None:  # noqa: ANN401
        if isinstance(value, Argument) and isinstance(planned, Argument):
            self._value(f"{place}.{planned.name}", value.value, planned.value)
        elif isinstance(value, tuple) and isinstance(planned, tuple):
            if len(value) != len(planned):
                self._differ(place, len(value), f"elements, not {len(planned)}")
            for number, pair in enumerate(zip(value, planned, strict=False)):
                named = isinstance(pair[0], Argument)
                self._value(place if named else f"{place}[{number}]", *pair)
        elif value != planned:
            self._differ(place, value, f"is not {planned!a}, as planned")
