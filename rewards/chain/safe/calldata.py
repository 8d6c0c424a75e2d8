"""Calldata in words and back, by the contract ABI's canonical ("strict") encoding and no other.

Many byte strings decode to the same values: offsets may point anywhere, padding may hold anything,
bytes may follow the end. Solidity reads them all, so two of them can look the same and still be two
different transactions. Here exactly one is taken: heads first, each tail where the one before it
ends, padding zero, nothing left over. `decode` therefore needs time linear in the bytes, and
`encode(decode(x)) == x` holds for all it accepts.

Values are as a plan writes them: integers as decimal text, `true` or `false`, addresses and bytes
as lower-case `0x` text. Source: https://docs.soliditylang.org/en/latest/abi-spec.html, "Formal
Specification of the Encoding" and "Strict Encoding Mode".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from rewards.chain.safe.fields import parse_data
from rewards.files.grammar import (
    GrammarError,
    choice_of,
    counted,
    parse_address,
    parse_boolean,
    parse_integer,
    parse_signed,
)
from rewards.merkle.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORD = 32
SELECTOR_LENGTH = 4
NESTING_LIMIT = 8
SIGNATURE_LIMIT = 1_000

_ELEMENTARY = re.compile(r"(uint|int|bytes)([1-9][0-9]{0,2})|address|bool|bytes|string", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(\(.*\))", re.ASCII)
_ARRAY = re.compile(r"(.+)\[([1-9][0-9]{0,3})?\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of the ABI: elementary, a tuple of `parts`, or an array of its one part.

    Attributes:
        text: The canonical type, e.g. `(address,uint256)[]`.
        base: `uint`, `int`, `address`, `bool`, `fixed` (bytesN), `bytes`, `string`, `tuple`,
            `array`.
        size: Bits of an integer, bytes of a bytesN, length of an array; -1 for any length.
        parts: The types inside.
    """

    text: str
    base: str
    size: int = 0
    parts: tuple[Kind, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Whether the encoding stands in the tail, with its offset in the head."""
        if self.base in {"bytes", "string"} or (self.base == "array" and self.size < 0):
            return True
        return any(part.dynamic for part in self.parts)

    @property
    def head(self) -> int:
        """Bytes that it takes in the head."""
        if self.dynamic or not self.parts:
            return WORD
        length = sum(part.head for part in self.parts)
        return length * self.size if self.base == "array" else length


@dataclass(frozen=True, slots=True)
class Argument:
    """A value with its name and type, as a person reads it.

    `value` is text for an elementary type, a tuple of Arguments for a tuple, a tuple of such values
    for an array.
    """

    name: str
    type: str
    value: Any


def function_selector(function: str) -> bytes:
    """Return the four bytes by which a contract knows a function, given its signature."""
    return keccak256(function.encode("ascii"))[:SELECTOR_LENGTH]


@cache
def parameters_of(function: str) -> tuple[Kind, ...]:
    """Return the parameter types of a canonical signature such as `activate(uint256,uint256)`.

    Raises:
        GrammarError: It is no canonical signature.
    """
    match = _FUNCTION.fullmatch(function)
    if match is None or len(function) > SIGNATURE_LIMIT:
        raise GrammarError("is no function signature", "write e.g. activate(uint256,uint256)")
    return _parse_kind(match[1], 0).parts


def _parse_kind(text: str, depth: int) -> Kind:
    if depth > NESTING_LIMIT:
        raise GrammarError("is nested too deeply", "take the signature from the contract's ABI")
    if match := _ARRAY.fullmatch(text):
        return Kind(text, "array", int(match[2] or -1), (_parse_kind(match[1], depth + 1),))
    if text.startswith("(") and text.endswith(")") and (depth == 0 or text != "()"):
        parts = (_parse_kind(part, depth + 1) for part in _split(text[1:-1]))
        return Kind(text, "tuple", parts=tuple(parts))
    match = _ELEMENTARY.fullmatch(text)
    if match is None:
        raise GrammarError(f"holds {text[:40]!r}, no ABI type", "take it from the contract's ABI")
    if match[1] is None:
        return Kind(text, text)
    size = int(match[2])
    allowed = range(1, 33) if match[1] == "bytes" else range(8, 257, 8)
    if size not in allowed:
        raise GrammarError(f"holds {text[:40]!r}, no ABI type", "take it from the contract's ABI")
    return Kind(text, "fixed" if match[1] == "bytes" else match[1], size)


def _split(text: str) -> list[str]:
    """Split at the commas outside of every bracket."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]] if text else []


# --- encoding --------------------------------------------------------------------------------


def encode_call(function: str, arguments: Sequence[Argument]) -> bytes:
    """Return the calldata of a function with these arguments.

    Raises:
        GrammarError: An argument is not of the signature's type.
    """
    kinds = parameters_of(function)
    return function_selector(function) + _encode_parts(kinds, _values_of(kinds, arguments))


def _values_of(kinds: Sequence[Kind], arguments: Any) -> list[Any]:  # noqa: ANN401
    if not isinstance(arguments, tuple) or len(arguments) != len(kinds):
        raise GrammarError("has not as many arguments as the signature", "compare the two")
    for kind, argument in zip(kinds, arguments, strict=True):
        if not isinstance(argument, Argument) or argument.type != kind.text:
            raise GrammarError(f"has an argument that is no {kind.text}", "compare the two")
    return [argument.value for argument in arguments]


def _encode_parts(kinds: Sequence[Kind], values: Sequence[Any]) -> bytes:
    """Encode values beside each other: static ones in the head, offsets for those in the tail."""
    heads, tails = [], []
    offset = sum(kind.head for kind in kinds)
    for kind, value in zip(kinds, values, strict=True):
        content = _encode(kind, value)
        if kind.dynamic:
            heads.append(offset.to_bytes(WORD, "big"))
            tails.append(content)
            offset += len(content)
        else:
            heads.append(content)
    return b"".join(heads + tails)


def _encode(kind: Kind, value: Any) -> bytes:  # noqa: ANN401
    if kind.base == "tuple":
        return _encode_parts(kind.parts, _values_of(kind.parts, value))
    if kind.base == "array":
        return _encode_array(kind, value)
    if not isinstance(value, str):
        raise GrammarError(f"has no text for a {kind.text}", "write the value as text")
    if kind.base in {"bytes", "string"}:
        content = parse_data(value) if kind.base == "bytes" else _utf8(value)
        return len(content).to_bytes(WORD, "big") + _padded(content)
    if kind.base == "fixed":
        content = parse_data(value)
        if len(content) != kind.size:
            raise GrammarError(f"is not {kind.size} bytes long", "write all of them")
        return _padded(content)
    return _integer_of(kind, value).to_bytes(WORD, "big", signed=kind.base == "int")


def _encode_array(kind: Kind, value: Any) -> bytes:  # noqa: ANN401
    if not isinstance(value, tuple) or (kind.size >= 0 and len(value) != kind.size):
        raise GrammarError(f"is no {kind.text}", "write a list of its length")
    content = _encode_parts(kind.parts * len(value), value)
    return content if kind.size >= 0 else len(value).to_bytes(WORD, "big") + content


def _integer_of(kind: Kind, value: str) -> int:
    if kind.base == "bool":
        return int(parse_boolean(value))
    if kind.base == "address":
        if value != value.lower():
            raise GrammarError("is not in lower case", "write the address in lower case")
        return int(parse_address(value), 16)
    if kind.base == "uint":
        number, fits = parse_integer(value), 2**kind.size
        if number >= fits:
            raise GrammarError(f"does not fit {kind.text}", "check the unit")
        return number
    number, half = parse_signed(value), 2 ** (kind.size - 1)
    if not -half <= number < half:
        raise GrammarError(f"does not fit {kind.text}", "check the unit")
    return number


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise GrammarError("is no Unicode text", "write whole characters") from None


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % WORD)


# --- decoding --------------------------------------------------------------------------------


def decode_call(function: str, names: Sequence[Argument], calldata: bytes) -> tuple[Argument, ...]:
    """Return the arguments of calldata, named as in `names`.

    Raises:
        GrammarError: It is another function, or not the canonical encoding of any arguments.
    """
    if calldata[:SELECTOR_LENGTH] != function_selector(function):
        raise GrammarError(
            f"calls 0x{calldata[:SELECTOR_LENGTH].hex()}, not {function}", "compare the two"
        )
    kinds = parameters_of(function)
    values = decode(kinds, calldata[SELECTOR_LENGTH:])
    return tuple(_named(kinds, values, names))


def decode(kinds: Sequence[Kind], content: bytes) -> list[Any]:
    """Return the values that these bytes are the canonical encoding of; tuples as lists.

    Raises:
        GrammarError: They are not, or bytes are left over.
    """
    values, end = _decode_parts(kinds, content, 0)
    if end != len(content):
        raise GrammarError(
            f"has {counted(len(content) - end, 'byte')} after the arguments", "do not sign it"
        )
    return values


def _decode_parts(kinds: Sequence[Kind], content: bytes, start: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    place, tail = start, start + sum(kind.head for kind in kinds)
    for kind in kinds:
        if kind.dynamic:
            if _uint(content, place) != tail - start:
                raise GrammarError("has an offset that is not canonical", "do not sign it")
            value, tail = _decode(kind, content, tail)
            place += WORD
        else:
            value, place = _decode(kind, content, place)
        values.append(value)
    return values, tail


def _decode(kind: Kind, content: bytes, place: int) -> tuple[Any, int]:
    if kind.base == "tuple":
        return _decode_parts(kind.parts, content, place)
    if kind.base == "array":
        return _decode_array(kind, content, place)
    if kind.base in {"bytes", "string"}:
        length = _uint(content, place)
        held, end = _held(content, place + WORD, length)
        return ("0x" + held.hex() if kind.base == "bytes" else _text_of(held)), end
    if kind.base == "fixed":
        held, end = _held(content, place, kind.size)
        return "0x" + held.hex(), end
    return _text_of_integer(kind, _uint(content, place)), place + WORD


def _decode_array(kind: Kind, content: bytes, place: int) -> tuple[list[Any], int]:
    length = kind.size
    if length < 0:
        length = _uint(content, place)
        place += WORD
    # Each element takes at least a word; without this a forged length would cost all memory.
    if length > len(content) // WORD:
        raise GrammarError("has an array longer than its bytes", "do not sign it")
    return _decode_parts(kind.parts * length, content, place)


def _uint(content: bytes, place: int) -> int:
    word = content[place : place + WORD]
    if len(word) != WORD:
        raise GrammarError("ends within its arguments", "do not sign it")
    return int.from_bytes(word, "big")


def _held(content: bytes, place: int, length: int) -> tuple[bytes, int]:
    """Return bytes that are padded with zeros to whole words, and where the padding ends."""
    end = place + length + -length % WORD
    if end > len(content):
        raise GrammarError("ends within its arguments", "do not sign it")
    if any(content[place + length : end]):
        raise GrammarError("has padding that is not zero", "do not sign it")
    return content[place : place + length], end


def _text_of(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise GrammarError("has text that is not UTF-8", "do not sign it") from None


def _text_of_integer(kind: Kind, word: int) -> str:
    if kind.base == "bool":
        return choice_of("false", "true")({0: "false", 1: "true"}.get(word, "another value"))
    if kind.base == "int":
        number = word - 2**256 if word >= 2**255 else word
        fits = -(2 ** (kind.size - 1)) <= number < 2 ** (kind.size - 1)
    else:
        number, fits = word, word < 2 ** (160 if kind.base == "address" else kind.size)
    if not fits:
        raise GrammarError(f"has bits beyond {kind.text}", "do not sign it")
    return f"0x{number:040x}" if kind.base == "address" else str(number)


def _named(kinds: Sequence[Kind], values: Sequence[Any], names: Any) -> list[Argument]:  # noqa: ANN401
    """Return decoded values as Arguments; where `names` has none, their place is their name."""
    known = names if isinstance(names, tuple) and len(names) == len(kinds) else ()
    return [
        Argument(
            known[place].name if known and isinstance(known[place], Argument) else str(place),
            kind.text,
            _named_value(kind, value, known[place].value if known else ()),
        )
        for place, (kind, value) in enumerate(zip(kinds, values, strict=True))
    ]


def _named_value(kind: Kind, value: Any, names: Any) -> Any:  # noqa: ANN401
    if kind.base == "tuple":
        return tuple(_named(kind.parts, value, names))
    if kind.base == "array":
        pattern = names[0] if isinstance(names, tuple) and names else ()
        return tuple(_named_value(kind.parts[0], element, pattern) for element in value)
    return value


# --- from an ABI -----------------------------------------------------------------------------


def signature_of(entry: Mapping[str, Any]) -> str:
    """Return the canonical signature of a function's ABI entry."""
    return f"{entry['name']}({','.join(_type_of(one) for one in entry['inputs'])})"


def _type_of(parameter: Mapping[str, Any]) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inside = ",".join(_type_of(part) for part in parameter["components"])
    return f"({inside}){kind.removeprefix('tuple')}"


def arguments_of(
    parameters: Sequence[Mapping[str, Any]], values: Sequence[Any]
) -> tuple[Argument, ...]:
    """Return values (integers, booleans, bytes, text, sequences) as an ABI entry names them."""
    return tuple(
        Argument(one["name"], _type_of(one), _written(one, one["type"], value))
        for one, value in zip(parameters, values, strict=True)
    )


def decode_as(parameters: Sequence[Mapping[str, Any]], content: bytes) -> tuple[Argument, ...]:
    """Return the values that these bytes encode, as an ABI entry names them.

    Raises:
        GrammarError: They are not the canonical encoding of such values.
    """
    kinds = _parse_kind(f"({','.join(map(_type_of, parameters))})", 0).parts
    return tuple(
        Argument(one["name"], kind.text, _read(one, one["type"], value))
        for one, kind, value in zip(parameters, kinds, decode(kinds, content), strict=True)
    )


def _read(parameter: Mapping[str, Any], kind: str, value: Any) -> Any:  # noqa: ANN401
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return tuple(_read(parameter, inner, element) for element in value)
    if kind != "tuple":
        return value
    parts = zip(parameter["components"], value, strict=True)
    return tuple(
        Argument(one["name"], _type_of(one), _read(one, one["type"], part)) for one, part in parts
    )


def _written(parameter: Mapping[str, Any], kind: str, value: Any) -> Any:  # noqa: ANN401
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return tuple(_written(parameter, inner, element) for element in value)
    if kind == "tuple":
        return arguments_of(parameter["components"], value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.lower() if kind == "address" else str(value)
