"""A JSON object read field by field: what is wrong is collected, so that all of it is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput
from rewards.files.documents import parse_json
from rewards.files.grammar import GrammarError, parse_address, parse_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SAFE_INTEGER = 2**53
"""From here on a JSON number is no longer exact in JavaScript, so two readers may differ."""
UNKNOWN_LIMIT = 20
"""Unknown fields that are named one by one."""
EXPORTED = "take the file as it was exported"


class Fields:
    """One JSON object of a file; its findings go into a list shared with its neighbours.

    Attributes:
        known: The fields that are there and expected.
        complete: Whether it is an object with every field that it must have.
    """

    def __init__(
        self,
        value: object,
        file: str,
        findings: list[Finding],
        *,
        path: str = "",
        required: Iterable[str] = (),
        optional: Iterable[str] = (),
        others: bool = False,
    ) -> None:
        """Take an object.

        Args:
            value: What stands in the file.
            file: The file's name, for findings.
            findings: Where findings go.
            path: Where in the file the object stands.
            required: Fields that must be there.
            optional: Fields that may be there.
            others: Whether further fields are passed over. A field whose name only looks like an
                expected one is refused all the same: another reader may take it for the real one.
        """
        self._file, self._findings, self._path = file, findings, path
        self.known: Mapping[str, Any] = {}
        self.complete = False
        if not isinstance(value, dict):
            self._report("", "is no JSON object", EXPORTED)
            return
        expected = {*required, *optional}
        self.known = {key: value[key] for key in value if key in expected}
        missing = [key for key in required if key not in value]
        for key in missing:
            self._report(key, "is missing", EXPORTED)
        self._refuse([key for key in value if key not in expected], expected, others=others)
        self.complete = not missing

    def _refuse(self, unknown: list[str], expected: set[str], *, others: bool) -> None:
        folded = {_fold(key) for key in expected}
        refused = [
            key for key in unknown if not others or not key.isascii() or _fold(key) in folded
        ]
        for key in refused[:UNKNOWN_LIMIT]:
            self._report(ascii(key)[1:-1], "is no field of this format", "take it out")

    def _report(self, key: str, problem: str, remedy: str, value: object = "") -> None:
        shown = value if isinstance(value, str) else repr(value)
        self._findings.append(
            Finding(self._file, problem, remedy, column=self.path(key), value=shown)
        )

    def path(self, key: str) -> str:
        """Return where a field stands in the file."""
        return f"{self._path}.{key}" if self._path and key else self._path or key

    def take(self, key: str, parse: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        """Return the field as `parse` reads it; None, and a finding, where it cannot."""
        if key not in self.known:
            return None
        try:
            return parse(self.known[key])
        except GrammarError as error:
            self._report(key, error.problem, error.remedy, self.known[key])
            return None

    def text(self, key: str, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401
        """Return a field that must be text, as `parse` reads it."""
        return self.take(key, text_as(parse))

    def child(
        self,
        key: str,
        *,
        required: Iterable[str] = (),
        optional: Iterable[str] = (),
        others: bool = False,
    ) -> Fields:
        """Return a field that must be an object."""
        return Fields(
            self.known.get(key),
            self._file,
            self._findings,
            path=self.path(key),
            required=required,
            optional=optional,
            others=others,
        )

    def children(
        self, key: str, *, required: Iterable[str] = (), optional: Iterable[str] = ()
    ) -> list[Fields]:
        """Return a field that must be a list of objects."""
        entries = self.known.get(key)
        if not isinstance(entries, list):
            if key in self.known:
                self._report(key, "is no list", EXPORTED, entries)
            return []
        return [
            Fields(
                entry,
                self._file,
                self._findings,
                path=f"{self.path(key)}[{number}]",
                required=required,
                optional=optional,
            )
            for number, entry in enumerate(entries)
        ]


def read_document(content: bytes, file: str) -> dict[str, Any]:
    """Return a JSON object whose nesting and text are bounded as well as its grammar.

    Raises:
        InvalidInput: It is no JSON object, nested too deeply, or holds half a character: the first
            would overrun the stack where a library has raised Python's limit on recursion (py-evm
            does), the second would fail further on, when the text is written or hashed.
    """
    document = parse_json(content, file)
    level: list[Any] = [document]
    while level:
        texts = (value for value in level if isinstance(value, str))
        if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
            raise InvalidInput(Finding(file, "holds half a character", EXPORTED))
        held = [value for value in level if isinstance(value, dict | list)]
        level = [inner for value in held for inner in value]  # a dict yields its keys
        level += [inner for value in held if isinstance(value, dict) for inner in value.values()]
    return document


def _fold(key: str) -> str:
    """Return a field's name as a careless reader takes it: `safe_tx_gas` for `safeTxGas`."""
    return "".join(letter for letter in key.casefold() if letter.isalnum())


def text_as(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return a parser that takes nothing but text."""

    def checked(value: Any) -> Any:  # noqa: ANN401
        if not isinstance(value, str):
            raise GrammarError("is no text", "put it into quotes")
        return parse(value)

    return checked


def null_or(parse: Callable[[Any], Any], null: Any = None) -> Callable[[Any], Any]:  # noqa: ANN401
    """Return a parser that takes `null` for a value of its own."""
    return lambda value: null if value is None else parse(value)


def exactly(expected: str) -> Callable[[Any], Any]:
    """Return a parser of one spelling."""

    def checked(value: Any) -> Any:  # noqa: ANN401
        if value != expected or not isinstance(value, str):
            raise GrammarError(f"is not {expected!r}", EXPORTED)
        return value

    return checked


def number(value: object) -> int:
    """Return a non-negative integer, written as decimal text or as a small JSON number.

    Raises:
        GrammarError: Hexadecimal, an exponent, a leading zero, a boolean, a number that JavaScript
            would round: anything that another reader could take for another number.
    """
    if isinstance(value, str):
        return parse_integer(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise GrammarError("is no integer", "write it as decimal text")
    if not 0 <= value < SAFE_INTEGER:
        raise GrammarError("is negative or too large for a JSON number", "write it as decimal text")
    return value


def parse_data(text: str) -> bytes:
    """Return bytes written as `0x` and lower-case digits, two for each byte.

    Raises:
        GrammarError: Another prefix, another case, an odd number of digits.
    """
    problem = GrammarError("is not hexadecimal", "write 0x and lower-case digits, two a byte")
    if not text.startswith("0x") or text != text.lower() or not text.isascii():
        raise problem
    try:
        content = bytes.fromhex(text[2:])
    except ValueError:
        raise problem from None
    if len(content) * 2 != len(text) - 2:  # fromhex passes over spaces
        raise problem
    return content


def parse_lower_address(text: str) -> str:
    """Return an address that is written in lower case.

    Raises:
        GrammarError: It is no address, or in another case.
    """
    if text != text.lower():
        raise GrammarError("is not in lower case", "write the address in lower case")
    return parse_address(text)
