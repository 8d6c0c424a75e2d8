"""What an attester signs: the proposal and its rise, typed (EIP-712), and the file it travels in.

Whoever recomputed an epoch says with it: this root, total and manifest are right, as this attempt,
on top of that epoch. The digest is the contract's `attestationDigest`.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from rewards.chain.contract import encode
from rewards.chain.distributor import Proposal
from rewards.chain.endpoint import Call
from rewards.chain.errors import Reverted
from rewards.chain.safe.fields import parse_lower_address
from rewards.errors import Finding, InvalidInput, InvariantBroken
from rewards.files.documents import canonical_json, parse_json
from rewards.files.grammar import GrammarError, parse_hash, parse_integer
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eth_account.messages import SignableMessage
    from eth_account.signers.local import LocalAccount

    from rewards.chain.endpoint import Endpoint

ATTESTATION_FORMAT = "wct-attestation-1"
ATTESTATION_LIMIT = 1 << 16
SIGNATURE_LIMIT = 8192
"""Bytes; 65 for a key, 65 per owner and more for a wallet with several."""
TAKE_AGAIN = "take the attestation as `rewards attest` wrote it"

FIELDS = (
    ("previousEpoch", "uint256"),
    ("epoch", "uint256"),
    ("attempt", "uint256"),
    ("root", "bytes32"),
    ("cumulativeTotal", "uint256"),
    ("manifestHash", "bytes32"),
    ("rise", "uint256"),
)
DOMAIN_FIELDS = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
NAME, VERSION = "EpochDistributor", "1"
KEY_SIGNATURE_LENGTH = 65
HIGHEST_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half of secp256k1's order: every signature has a twin above it, which is refused."""
VALID_SIGNATURE = bytes.fromhex("1626ba7e")
"""What `isValidSignature(bytes32,bytes)` returns for a good one, and its selector. ERC-1271."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is attested.

    Attributes:
        chain_id: The chain.
        distributor: The contract, lower-case `0x` text.
        proposal: As the contract's struct.
        rise: By how much the cumulative total rises, in base units; 0 where it falls.
    """

    chain_id: int
    distributor: str
    proposal: Proposal
    rise: int

    @property
    def digest(self) -> bytes:
        """The EIP-712 digest, equal to the contract's `attestationDigest`."""
        values = (*astuple(self.proposal), self.rise)
        kinds = [kind for _, kind in FIELDS]
        struct = keccak256(_type_hash("Attestation", FIELDS) + encode(kinds, values))
        return keccak256(b"\x19\x01" + self._domain_separator + struct)

    @property
    def _domain_separator(self) -> bytes:
        return keccak256(
            _type_hash("EIP712Domain", DOMAIN_FIELDS)
            + keccak256(NAME.encode())
            + keccak256(VERSION.encode())
            + encode(["uint256", "address"], [self.chain_id, self.distributor])
        )

    def typed_data(self) -> dict[str, Any]:
        """Return what a wallet shows and signs (`eth_signTypedData_v4`); integers as text."""
        values = (*astuple(self.proposal), self.rise)
        shown = (f"0x{v.hex()}" if isinstance(v, bytes) else str(v) for v in values)
        return {
            "types": {
                "EIP712Domain": [{"name": n, "type": k} for n, k in DOMAIN_FIELDS],
                "Attestation": [{"name": n, "type": k} for n, k in FIELDS],
            },
            "primaryType": "Attestation",
            "domain": {
                "name": NAME,
                "version": VERSION,
                "chainId": str(self.chain_id),
                "verifyingContract": self.distributor,
            },
            "message": dict(zip((name for name, _ in FIELDS), shown, strict=True)),
        }


@dataclass(frozen=True, slots=True)
class Attestation:
    """A statement and who signed it; whether the signature is good is for `is_signed_by`."""

    statement: Statement
    attester: str
    signature: bytes

    def to_bytes(self) -> bytes:
        """Return the file's canonical bytes."""
        proposal = self.statement.proposal
        return canonical_json(
            {
                "format": ATTESTATION_FORMAT,
                "chain_id": str(self.statement.chain_id),
                "distributor": self.statement.distributor,
                "previous_epoch": str(proposal.previous_epoch),
                "epoch": str(proposal.epoch),
                "attempt": str(proposal.attempt),
                "merkle_root": "0x" + proposal.root.hex(),
                "cumulative_total": str(proposal.cumulative_total),
                "manifest_hash": "0x" + proposal.manifest_hash.hex(),
                "rise": str(self.statement.rise),
                "digest": "0x" + self.statement.digest.hex(),
                "attester": self.attester,
                "signature": "0x" + self.signature.hex(),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Attestation:
        """Return the attestation in a file.

        Raises:
            InvalidInput: It is none, not canonical, or its digest is not that of what it says.
        """
        document = parse_json(content, name)
        try:
            attestation = _read(document)
        except (GrammarError, KeyError, TypeError, AttributeError) as error:
            problem = f"is no attestation: {type(error).__name__} {error}"
            raise InvalidInput(Finding(name, problem, TAKE_AGAIN)) from error
        if attestation.to_bytes() != content:
            problem = "is not in canonical form, or states another digest than its own"
            raise InvalidInput(Finding(name, problem, TAKE_AGAIN))
        return attestation


def _type_hash(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return keccak256(f"{name}({','.join(f'{k} {n}' for n, k in fields)})".encode())


def _read(document: Mapping[str, Any]) -> Attestation:
    def number(key: str) -> int:
        return parse_integer(document[key])

    def digest(key: str) -> bytes:
        return bytes.fromhex(parse_hash(document[key])[2:])

    if document["format"] != ATTESTATION_FORMAT:
        raise GrammarError(f"its format is not {ATTESTATION_FORMAT}", TAKE_AGAIN)
    proposal = Proposal(
        number("previous_epoch"),
        number("epoch"),
        number("attempt"),
        digest("merkle_root"),
        number("cumulative_total"),
        digest("manifest_hash"),
    )
    statement = Statement(
        number("chain_id"), parse_lower_address(document["distributor"]), proposal, number("rise")
    )
    attester = parse_lower_address(document["attester"])
    return Attestation(statement, attester, parse_signature(document["signature"]))


def parse_signature(text: str) -> bytes:
    """Return a signature's bytes.

    Raises:
        GrammarError: It is not `0x` and pairs of hexadecimal digits, or is too long.
    """
    digits = text.removeprefix("0x")
    held = len(digits) % 2 == 0 and all(c in "0123456789abcdefABCDEF" for c in digits)
    if not (text.startswith("0x") and held and digits) or len(digits) > 2 * SIGNATURE_LIMIT:
        raise GrammarError("is no signature", "write 0x and its bytes in hexadecimal")
    return bytes.fromhex(digits)


def sign(statement: Statement, account: LocalAccount) -> Attestation:
    """Return the statement signed with a key."""
    signature = bytes(account.sign_message(_signable(statement)).signature)
    return Attestation(statement, str(account.address).lower(), signature)


def recovered(attestation: Attestation) -> str | None:
    """Return whose key made the signature, lower-case; None where it is no key's signature.

    As OpenZeppelin's ECDSA on chain: 65 bytes, v of 27 or 28, and the lower of the two s.
    """
    from eth_account import Account  # noqa: PLC0415 - half a second

    signature = attestation.signature
    if len(signature) != KEY_SIGNATURE_LENGTH or signature[-1] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > HIGHEST_S:
        return None
    message = _signable(attestation.statement)
    try:
        return str(Account.recover_message(message, signature=signature)).lower()
    except Exception:  # noqa: BLE001 - eth-keys' own errors have no common public base
        return None


def _signable(statement: Statement) -> SignableMessage:
    """Return the statement as eth-account encodes it.

    Raises:
        InvariantBroken: Its digest is not the one computed here.
    """
    from eth_account.messages import encode_typed_data  # noqa: PLC0415

    typed = statement.typed_data()
    typed["domain"]["chainId"] = statement.chain_id
    message = encode_typed_data(full_message=typed)
    other = keccak256(b"\x19" + message.version + message.header + message.body)
    if other != statement.digest:
        raise InvariantBroken("two EIP-712 encodings of one statement differ")
    return message


def is_signed_by_key(attestation: Attestation) -> bool:
    """Return whether the attester's own key signed; needs no chain."""
    return recovered(attestation) == attestation.attester


def is_signed(attestation: Attestation, endpoint: Endpoint, at: int | str) -> bool:
    """Return whether the contract would accept the signature: by key, or by ERC-1271 at a block."""
    if is_signed_by_key(attestation):
        return True
    return accepts_signature(
        endpoint, attestation.attester, attestation.statement.digest, attestation.signature, at
    )


def accepts_signature(
    endpoint: Endpoint, wallet: str, digest: bytes, signature: bytes, at: int | str
) -> bool:
    """Return whether a contract wallet (a Safe, say) accepts a signature of a digest."""
    arguments = encode(["bytes32", "bytes"], [digest, signature])
    try:
        returned = endpoint.call(Call(wallet, VALID_SIGNATURE + arguments), at)
    except Reverted:
        return False
    return returned == VALID_SIGNATURE + bytes(28)


def attested(
    attestations: tuple[Attestation, ...], by: Callable[[Attestation], bool]
) -> tuple[Attestation, ...]:
    """Return the good ones in the order that the contract asks for: attesters ascending, once."""
    chosen = {one.attester: one for one in attestations if by(one)}
    return tuple(chosen[attester] for attester in sorted(chosen))
