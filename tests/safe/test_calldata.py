"""Our ABI encoding against eth-abi's, on random types and values; and what decoding refuses."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth_abi.abi import encode as eth_encode

from rewards.chain.safe.calldata import (
    Argument,
    Kind,
    arguments_of,
    decode,
    decode_call,
    encode_call,
    function_selector,
    parameters_of,
    signature_of,
)
from rewards.files.grammar import GrammarError
from tests.safe.plans import APPROVE, DISTRIBUTOR, entry

ELEMENTARY = (
    *("uint256", "uint8", "int256", "int16", "address", "bool", "bytes32", "bytes4"),
    *("bytes", "string"),
)


def random_type(dice: random.Random, depth: int = 0) -> str:
    shape = dice.random()
    if depth < 3 and shape < 0.25:
        parts = [random_type(dice, depth + 1) for _ in range(dice.randrange(1, 4))]
        return f"({','.join(parts)})"
    if depth < 3 and shape < 0.5:
        return random_type(dice, depth + 1) + dice.choice(["[]", "[1]", "[3]"])
    return dice.choice(ELEMENTARY)


def random_value(dice: random.Random, kind: Kind) -> tuple[Any, Any]:
    """Return a value as a plan writes it, and as eth-abi takes it."""
    if kind.base == "tuple":
        pairs = [random_value(dice, part) for part in kind.parts]
        named = [
            Argument(f"a{place}", part.text, text)
            for place, (part, (text, _)) in enumerate(zip(kind.parts, pairs, strict=True))
        ]
        return tuple(named), tuple(value for _, value in pairs)
    if kind.base == "array":
        length = dice.randrange(4) if kind.size < 0 else kind.size
        pairs = [random_value(dice, kind.parts[0]) for _ in range(length)]
        return tuple(text for text, _ in pairs), tuple(value for _, value in pairs)
    if kind.base == "bool":
        truth = dice.random() < 0.5
        return str(truth).lower(), truth
    if kind.base == "string":
        text = "".join(dice.choice("aé\u2028\U0001f600\n'\"") for _ in range(dice.randrange(40)))
        return text, text
    if kind.base in {"bytes", "fixed"}:
        content = dice.randbytes(kind.size or dice.choice([0, 1, 31, 32, 33, 65]))
        return "0x" + content.hex(), content
    if kind.base == "address":
        address = "0x" + dice.randbytes(20).hex()
        return address, address
    bits = kind.size - (kind.base == "int")
    number = dice.choice([0, 1, 2**bits - 1, dice.getrandbits(bits)])
    number = -number if kind.base == "int" and dice.random() < 0.5 else number
    return str(number), number


@pytest.mark.parametrize("seed", range(150))
def test_encoding__equals_eth_abis_and_decodes_again(seed: int) -> None:
    dice = random.Random(seed)
    types = [random_type(dice) for _ in range(dice.randrange(4))]
    function = f"f({','.join(types)})"
    kinds = parameters_of(function)
    values = [random_value(dice, kind) for kind in kinds]
    arguments = tuple(
        Argument(f"p{place}", kind.text, text)
        for place, (kind, (text, _)) in enumerate(zip(kinds, values, strict=True))
    )
    encoded = encode_call(function, arguments)
    assert encoded == function_selector(function) + eth_encode(types, [v for _, v in values])
    assert decode_call(function, arguments, encoded) == arguments


@pytest.mark.parametrize("seed", range(60))
def test_decoding__of_anything_else__is_refused_or_encodes_to_the_same_bytes(seed: int) -> None:
    """Whatever is accepted is canonical: no two byte strings decode to the same arguments."""
    dice = random.Random(seed)
    function = "propose((uint256,bytes32),bytes32[],(address,bytes)[],bool,int8,string)"
    kinds = parameters_of(function)
    arguments = tuple(
        Argument(f"p{place}", kind.text, random_value(dice, kind)[0])
        for place, kind in enumerate(kinds)
    )
    whole = encode_call(function, arguments)
    accepted = 0
    for _ in range(200):
        place = dice.randrange(4, len(whole))
        other = bytes([whole[place] ^ (1 << dice.randrange(8))])
        changed = whole[:place] + other + whole[place + 1 :]
        try:
            decoded = decode_call(function, arguments, changed)
        except GrammarError:
            continue
        accepted += 1
        assert decoded != arguments
        assert encode_call(function, decoded) == changed
    assert accepted < 200


@pytest.mark.parametrize(
    ("types", "words", "problem"),
    [
        ("(bytes)", (64, 0, 0), "an offset that is not canonical"),
        ("(bytes)", (32, 1, 0, 0), "bytes after the arguments"),
        ("(bytes)", (32, 1, 1), "padding that is not zero"),
        ("(bytes)", (32, 33, 0), "ends within"),
        ("(bytes)", (32, 2**256 - 1), "ends within"),
        ("(bytes)", (32,), "ends within"),
        ("(uint256[])", (32, 2**256 - 1), "an array longer than its bytes"),
        ("(uint256[])", (32, 2, 1), "ends within"),
        ("(bytes[])", (32, 2, 64, 64, 0, 0), "an offset that is not canonical"),
        ("(bool)", (2,), "not one of the allowed words"),
        ("(address)", (2**160,), "bits beyond address"),
        ("(uint8)", (256,), "bits beyond uint8"),
        ("(int8)", (128,), "bits beyond int8"),
        ("(bytes4)", (1,), "padding that is not zero"),
        ("(string)", (32, 1, 0xFF << 248), "not UTF-8"),
        ("()", (0,), "bytes after the arguments"),
        ("(uint256)", (), "ends within"),
    ],
)
def test_decode__what_is_not_canonical__is_refused(
    types: str, words: tuple[int, ...], problem: str
) -> None:
    content = b"".join(word.to_bytes(32, "big") for word in words)
    with pytest.raises(GrammarError, match=problem):
        decode(parameters_of(f"f{types}"), content)


@pytest.mark.parametrize(
    "function",
    [
        "",
        "f",
        "f(",
        "f(uint)",
        "f(uint7)",
        "f(uint264)",
        "f(bytes33)",
        "f(bytes0)",
        "f(())",
        "f(uint256,)",
        "f(uint256 )",
        "f(uint256[0])",
        "f(uint256)(bool)",
        "f(tuple)",
        "f(" + "(" * 20 + "uint8" + ")" * 20 + ")",
        "f(" + "uint8," * 400 + "uint8)",
        "ф(uint8)",
    ],
)
def test_signature__that_is_none__is_refused(function: str) -> None:
    with pytest.raises(GrammarError):
        parameters_of(function)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint256", "01"),
        ("uint256", "0x1"),
        ("uint8", "256"),
        ("int8", "128"),
        ("bool", "1"),
        ("address", "0x" + "Ab" * 20),
        ("bytes32", "0x00"),
        ("bytes", "0xAB"),
        ("string", "\ud800"),
        ("uint256[2]", ("1",)),
        ("uint256[]", "1"),
        ("(uint256)", ("1",)),
        ("(uint256)", (Argument("a", "uint8", "1"),)),
        ("uint256", ("1",)),
    ],
)
def test_encode__what_is_not_of_the_type__is_refused(kind: str, value: Any) -> None:
    with pytest.raises(GrammarError):
        encode_call(f"f({kind})", (Argument("a", kind, value),))


def test_arguments_of__an_abi_entry__are_named_and_typed() -> None:
    veto = entry("EpochDistributor", "veto")
    assert signature_of(veto) == "veto(uint256,uint256,string)"
    assert arguments_of(veto["inputs"], (7, 1, "why")) == (
        Argument("epoch", "uint256", "7"),
        Argument("attempt", "uint256", "1"),
        Argument("reason", "string", "why"),
    )


def test_approve__is_the_well_known_calldata() -> None:
    data = encode_call(signature_of(APPROVE), arguments_of(APPROVE["inputs"], (DISTRIBUTOR, 1)))
    assert data.hex() == f"095ea7b3{DISTRIBUTOR[2:]:0>64}{1:064x}"


def test_forged_lengths__cost_no_time() -> None:
    """Overlapping tails would decode to exponentially many values; here they are not canonical."""
    kinds = parameters_of("f(uint256[][][][])")
    words = [32, *[30_000] + [32] * 30_000]
    content = b"".join(word.to_bytes(32, "big") for word in words)
    with pytest.raises(GrammarError):
        decode(kinds, content)
