"""What a pickle says, without doing it: a tree of plain values and of calls that are never made.

Python's own unpickler imports names and calls them. This machine knows the same opcodes (protocols 0 to 5, see
`pickletools`) but turns a name into a `Global` and a call into a `Made`: records that other readers translate one by
one. Names that are not on the caller's list are refused at once, so that a user learns what the file asked for.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Any

from likeness.errors import WeightsError
from likeness.weights.readers.mapped import Bytes, damaged, refused

__all__ = ["Global", "Made", "canonical", "read_pickle"]

MOST_STEPS = 5_000_000
"""No weight file needs more opcodes; a file of nothing but opcodes would fill the memory."""


class Global:
    """A name in a module, as the pickle spells it."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Made:
    """An object the pickle wants: what it would call, with what, and what it would put in afterwards."""

    __slots__ = ("arguments", "items", "made_of", "state")

    def __init__(self, made_of: Global, arguments: tuple[Any, ...]) -> None:
        self.made_of = made_of
        self.arguments = arguments
        self.state: Any = None
        self.items: list[Any] = []


def canonical(module: str, name: str) -> str:
    """One spelling for Python 2's, NumPy 1's and SciPy's older names."""
    if module == "__builtin__":
        module = "builtins"
    elif module == "copy_reg":
        module = "copyreg"
    elif module.startswith("numpy.core"):
        module = "numpy._core" + module.removeprefix("numpy.core")
    elif module.startswith("scipy.sparse."):
        module = "scipy.sparse"
    elif module == "pathlib._local":
        module = "pathlib"
    elif module.startswith("chumpy."):
        module = "chumpy"
    return f"{module}.{name}"


_MARK = object()
_KEYS = (str, bytes, int, float, bool, type(None))


def read_pickle(
    data: Bytes, allows: Callable[[str], bool], start: int = 0, persistent: Callable[[Any], Any] | None = None
) -> tuple[Any, int]:
    """The tree of the pickle that begins at `start`, and where it ends.

    Args:
        data: the file.
        allows: says of a canonical name ("collections.OrderedDict") whether the file may mention it.
        persistent: makes something of a persistent id (PyTorch's storages); without it they are refused.

    Returns:
        dicts, lists, tuples, strings (Python 2's as Latin-1), bytes, numbers, `Global` and `Made`. The tree may
        share parts and may hold itself.

    Raises:
        WeightsError: the file is damaged, or asks for something that is not allowed, which the error names.
    """
    return _Machine(data, allows, start, persistent).run()


class _Machine:
    def __init__(
        self, data: Bytes, allows: Callable[[str], bool], start: int, persistent: Callable[[Any], Any] | None
    ) -> None:
        self.data = data
        self.at = start
        self.allows = allows
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> tuple[Any, int]:
        try:
            for _ in range(MOST_STEPS):
                code = self.take(1)[0]
                if code == 0x2E:  # STOP
                    return self.pop(), self.at
                step = _STEPS.get(code)
                if step is None:
                    raise damaged(self.data.name, f"byte 0x{code:02x} at {self.at - 1} is no pickle opcode")
                step(self)
        except (IndexError, KeyError, ValueError, TypeError, struct.error, UnicodeError) as error:
            raise damaged(self.data.name, f"{error or type(error).__name__} at {self.at}") from error
        raise self.refused("more steps than any model needs")

    def refused(self, what: str) -> WeightsError:
        return refused(self.data.name, what)

    # reading

    def take(self, count: int) -> memoryview:
        taken = self.data.take(self.at, count)
        self.at += count
        return taken

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self) -> bytes:
        text, self.at = self.data.line(self.at)
        return text.removesuffix(b"\r")

    # the stack

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value belongs")
        return value

    def top(self) -> Any:
        if self.stack[-1] is _MARK:
            raise ValueError("a mark where a value belongs")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def push(self, value: Any) -> None:
        self.stack.append(value)

    # names and calls, recorded

    def name(self, module: str, name: str) -> None:
        if not self.allows(canonical(module, name)):
            raise self.refused(f"{module}.{name}")
        self.push(Global(module, name))

    def call(self, what: Any, arguments: Any) -> None:
        if not isinstance(what, Global):
            raise self.refused("a call of something that is no plain name")
        if not isinstance(arguments, tuple):
            raise ValueError("arguments that are no tuple")
        if canonical(what.module, what.name) == "collections.OrderedDict":
            pairs = arguments[0] if arguments else []
            ordered: dict[Any, Any] = {}
            for key, value in pairs:
                self.put(ordered, key, value)
            self.push(ordered)
        else:
            self.push(Made(what, arguments))

    def build(self) -> None:
        state = self.pop()
        made = self.top()
        if isinstance(made, Made):
            if made.state is not None:
                raise self.refused(f"two states for one {made.made_of}")
            made.state = state
        elif not isinstance(made, dict):  # an OrderedDict's attributes (`_metadata`) say nothing about tensors
            raise self.refused(f"changes to {made if isinstance(made, Global) else type(made).__name__}")

    # containers

    def put(self, target: Any, key: Any, value: Any) -> None:
        if isinstance(target, Made):
            target.items.append((key, value))
            return
        if not isinstance(target, dict):
            raise ValueError("items for something that is no dict")
        flat = isinstance(key, tuple) and all(isinstance(k, _KEYS) for k in key)
        if not (flat or isinstance(key, _KEYS)):  # hashing a deep tuple can take for ever
            raise self.refused(f"a dict whose keys are of type {type(key).__name__}")
        target[key] = value

    def put_all(self) -> None:
        values = self.since_mark()
        if len(values) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            self.put(self.top(), key, value)

    def add_all(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Made):
            target.items.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise ValueError("items for something that is no list")

    def dict_of_mark(self) -> None:
        values = self.since_mark()
        self.push({})
        self.stack += [_MARK, *values]
        self.put_all()

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.put(self.top(), key, value)

    def tuple_of(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    # scalars

    def int_line(self) -> None:
        text = self.line()
        self.push(text == b"01" if text in (b"00", b"01") else int(text))

    def string_line(self) -> None:
        text = self.line().strip()
        if len(text) < 2 or text[0] != text[-1] or text[:1] not in (b"'", b'"'):
            raise ValueError("a string without quotes")
        self.push(codecs.escape_decode(text[1:-1])[0].decode("latin-1"))

    def long(self, count: int) -> None:
        if not 0 <= count <= 256:
            raise ValueError(f"a whole number of {count} bytes")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def text(self, count: int, encoding: str) -> None:
        self.push(str(self.take(count), encoding, "surrogatepass" if encoding == "utf-8" else "strict"))

    def persistent_id(self, value: Any) -> None:
        if self.persistent is None:
            raise self.refused("data kept outside the pickle")
        self.push(self.persistent(value))

    def fetch(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError(f"memo {index} was never written")
        self.push(self.memo[index])

    def keep(self, index: int) -> None:
        self.memo[index] = self.top()

    def instance(self) -> None:
        module, name = self.line().decode(), self.line().decode()
        arguments = tuple(self.since_mark())
        self.name(module, name)
        self.call(self.pop(), arguments)

    def object(self) -> None:
        values = self.since_mark()
        self.call(values[0], tuple(values[1:]))

    def new(self, with_names: bool) -> None:
        names = self.pop() if with_names else {}
        arguments, what = self.pop(), self.pop()
        if names:
            raise self.refused("a call with named arguments")
        self.call(what, arguments)

    def reduce(self) -> None:
        arguments, what = self.pop(), self.pop()
        self.call(what, arguments)

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("a name that is no text")
        self.name(module, name)


def _refuse(what: str) -> Callable[[_Machine], None]:
    def step(m: _Machine) -> None:
        raise m.refused(what)

    return step


_STEPS: dict[int, Callable[[_Machine], Any]] = {
    ord(code): step
    for code, step in {
        "(": lambda m: m.push(_MARK),
        "0": lambda m: m.stack.pop(),
        "1": lambda m: m.since_mark(),
        "2": lambda m: m.push(m.top()),
        "F": lambda m: m.push(float(m.line())),
        "G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        "I": _Machine.int_line,
        "J": lambda m: m.push(m.number("<i")),
        "K": lambda m: m.push(m.number("<B")),
        "M": lambda m: m.push(m.number("<H")),
        "L": lambda m: m.push(int(m.line().rstrip(b"L"))),
        "\x8a": lambda m: m.long(m.number("<B")),
        "\x8b": lambda m: m.long(m.number("<i")),
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "S": _Machine.string_line,
        "T": lambda m: m.text(m.number("<i"), "latin-1"),
        "U": lambda m: m.text(m.number("<B"), "latin-1"),
        "V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
        "X": lambda m: m.text(m.number("<I"), "utf-8"),
        "\x8c": lambda m: m.text(m.number("<B"), "utf-8"),
        "\x8d": lambda m: m.text(m.number("<Q"), "utf-8"),
        "B": lambda m: m.push(bytes(m.take(m.number("<I")))),
        "C": lambda m: m.push(bytes(m.take(m.number("<B")))),
        "\x8e": lambda m: m.push(bytes(m.take(m.number("<Q")))),
        "\x96": lambda m: m.push(bytes(m.take(m.number("<Q")))),
        "]": lambda m: m.push([]),
        "a": lambda m: m.add_all([m.pop()]),
        "e": lambda m: m.add_all(m.since_mark()),
        "l": lambda m: m.push(m.since_mark()),
        "}": lambda m: m.push({}),
        "d": _Machine.dict_of_mark,
        "s": _Machine.set_item,
        "u": _Machine.put_all,
        ")": lambda m: m.push(()),
        "t": lambda m: m.push(tuple(m.since_mark())),
        "\x85": lambda m: m.tuple_of(1),
        "\x86": lambda m: m.tuple_of(2),
        "\x87": lambda m: m.tuple_of(3),
        "\x8f": lambda m: m.push([]),  # a set: order and repeats do no harm
        "\x90": lambda m: m.add_all(m.since_mark()),
        "\x91": lambda m: m.push(m.since_mark()),
        "P": lambda m: m.persistent_id(m.line().decode()),
        "Q": lambda m: m.persistent_id(m.pop()),
        "c": lambda m: m.name(m.line().decode(), m.line().decode()),
        "\x93": _Machine.stack_global,
        "i": _Machine.instance,
        "o": _Machine.object,
        "R": _Machine.reduce,
        "\x81": lambda m: m.new(False),
        "\x92": lambda m: m.new(True),
        "b": _Machine.build,
        "g": lambda m: m.fetch(int(m.line())),
        "h": lambda m: m.fetch(m.number("<B")),
        "j": lambda m: m.fetch(m.number("<I")),
        "p": lambda m: m.keep(int(m.line())),
        "q": lambda m: m.keep(m.number("<B")),
        "r": lambda m: m.keep(m.number("<I")),
        "\x94": lambda m: m.keep(len(m.memo)),
        "\x80": lambda m: m.take(1),
        "\x95": lambda m: m.take(8),  # a frame's length; the opcodes inside are checked one by one
        "\x82": _refuse("an entry of copyreg's extension registry"),
        "\x83": _refuse("an entry of copyreg's extension registry"),
        "\x84": _refuse("an entry of copyreg's extension registry"),
        "\x97": _refuse("data kept outside the pickle"),
        "\x98": _refuse("data kept outside the pickle"),
    }.items()
}
