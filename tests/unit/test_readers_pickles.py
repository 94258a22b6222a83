"""Pickles are read as data: nothing is imported or called, and what asks for more is refused by name."""

import builtins
import os
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likeness.errors import WeightsError
from likeness.weights.readers import numpy_file, pickles, plain, torch_file


class Calls:
    """Pickles to a call of anything with anything."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.what = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.what


@pytest.fixture(autouse=True)
def nothing_happens(tmp_path: Path) -> Iterator[None]:
    """Whatever a test reads, no file appears beside it."""
    yield
    assert not (tmp_path / "owned").exists()


def read(path: Path, data: bytes) -> Any:
    path.write_bytes(data)
    return plain.read(path)


def hostile(owned: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that would make the file `owned`, and what the refusal must name."""
    command = f"echo > {owned}"
    cases: dict[str, tuple[bytes, str]] = {}
    for protocol in range(6):
        cases[f"os.system {protocol}"] = (pickle.dumps(Calls(os.system, command), protocol), r"(posix|nt)\.system")
    code = f"open({str(owned)!r}, 'w')"
    cases["eval"] = (pickle.dumps(Calls(eval, code)), r"builtins\.eval")
    cases["exec"] = (pickle.dumps(Calls(exec, code), 2), r"__builtin__\.exec")
    cases["open"] = (pickle.dumps(Calls(open, str(owned), "w")), r"io\.open|builtins\.open")
    cases["getattr"] = (_getattr(), r"builtins\.getattr")
    cases["Popen"] = (pickle.dumps(Calls(subprocess.Popen, command)), r"subprocess\.Popen")
    cases["import"] = (pickle.dumps(Calls(builtins.__import__, "os")), r"builtins\.__import__")
    cases["python 2"] = (b"c__builtin__\neval\n(S'1'\ntR.", r"__builtin__\.eval")
    cases["inst"] = (f"(S{command!r}\nios\nsystem\n.".encode(), r"os\.system")
    cases["obj"] = (b"(cos\nsystem\nS'true'\no.", r"os\.system")
    cases["stack global"] = (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", r"os\.system")
    cases["newobj"] = (b"\x80\x02cos\nsystem\nU\x04true\x85\x81.", r"os\.system")
    cases["hidden in an allowed name"] = (b"cnumpy\nload\n(S'x'\ntR.", r"numpy\.load")
    cases["a submodule's attribute"] = (b"\x80\x04\x8c\x05numpy\x8c\x0bcore.x.eval\x93.", r"numpy\.core\.x\.eval")
    cases["chumpy's neighbour"] = (b"cchumpyx.ch\nCh\n)\x81.", r"chumpyx\.ch\.Ch")
    cases["numpy's pickle"] = (b"cnumpy.lib.npyio\nload\n.", r"numpy\.lib\.npyio\.load")
    cases["runstring"] = (b"cnumpy.testing._private.utils\nrunstring\n.", r"runstring")
    cases["torch's loader"] = (b"ctorch.serialization\nload\n(S'x'\ntR.", r"torch\.serialization\.load")
    cases["a call's result called"] = (
        b"ccollections\nCounter\n(tR(S'x'\ntR.",
        "a call of something that is no plain name",
    )
    cases["a class changed"] = (b"cnumpy\nndarray\n}S'__reduce__'\nS'x'\nsb.", r"changes to numpy\.ndarray")
    cases["a list changed"] = (b"]}b.", "changes to list")
    cases["two states"] = (b"cargparse\nNamespace\n)\x81}b}b.", "two states for one argparse.Namespace")
    cases["extension"] = (b"\x80\x02\x82\x01.", "extension registry")
    cases["persistent"] = (b"Pos.system\n.", "data kept outside")
    cases["out of band"] = (b"\x80\x05\x97.", "data kept outside")
    cases["deep key"] = (b"}" + b")" + b"2\x86" * 60 + b"Ns.", "keys are of type tuple")
    return cases


def _getattr() -> bytes:
    return b"c__builtin__\ngetattr\n(cos\nsystem\nS'x'\ntR.".replace(b"__builtin__", b"builtins")


@pytest.mark.parametrize("name", hostile(Path("owned")))
def test_what_asks_for_more_is_refused_and_named(tmp_path: Path, name: str) -> None:
    data, says = hostile(tmp_path / "owned")[name]
    with pytest.raises(WeightsError, match=says) as caught:
        read(tmp_path / "model.pkl", data)
    assert str(caught.value).startswith("model.pkl was refused: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", hostile(Path("owned")))
def test_nor_in_a_checkpoint_or_a_table(tmp_path: Path, name: str) -> None:
    data, says = hostile(tmp_path / "owned")[name]
    checkpoint = tmp_path / "model.pth"
    checkpoint.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + data)
    expected = says if "outside" not in says else "."  # a checkpoint's own storages lie outside
    with pytest.raises(WeightsError, match=expected):
        torch_file.read(checkpoint)
    table = tmp_path / "table.npy"
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    table.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
    with pytest.raises(WeightsError, match=says):
        numpy_file.read(table)


def test_the_examples_are_real(tmp_path: Path) -> None:
    """Python's own unpickler, in a process of its own, does run such a file."""
    data, _ = hostile(tmp_path / "pwned")["os.system 2"]
    subprocess.run([sys.executable, "-c", "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"], input=data)
    assert (tmp_path / "pwned").exists()


def test_nothing_is_even_imported(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(WeightsError, match=r"evil\.Thing"):
            read(tmp_path / "model.pkl", b"cevil\nThing\n)\x81.")
    finally:
        sys.path.remove(str(tmp_path))


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_through(tmp_path: Path, protocol: int) -> None:
    value = {
        "text": "häd \u4e2d 'quoted'\n",
        "bytes": b"\0\xff",
        "numbers": [0, 1, -1, 255, 65536, -(2**31), 2**40, -(2**70), 1.5, float("-inf"), True, False, None],
        "tuples": ((), (1,), (1, 2), (1, 2, 3), tuple(range(10))),
        "nested": {"a": {"b": [{}]}},
        "ordered": OrderedDict([("x", 1), ("y", 2)]),
        3: "a number as key",
    }
    assert read(tmp_path / "model.pkl", pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_through(tmp_path: Path, protocol: int) -> None:
    arrays = {
        "f8": np.linspace(0, 1, 12).reshape(3, 4),
        "f4 fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "big endian": np.arange(5, dtype=">i4"),
        "u2": np.array([65535], np.uint16),
        "bool": np.array([[True], [False]]),
        "none": np.zeros((0, 3)),
        "point": np.array(2.5),
        "text": np.array(["a", "bcd"]),
    }
    found = read(tmp_path / "model.pkl", pickle.dumps(arrays, protocol))
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].dtype.isnative
    assert read(tmp_path / "model.pkl", pickle.dumps(np.float32(1.5), protocol)) == 1.5


def test_sets_objects_and_shared_parts(tmp_path: Path) -> None:
    shared = np.arange(3.0)
    value = {"set": {1, 2}, "a": shared, "b": [shared, shared], "objects": np.array([{"x": 1}, None], object)}
    found = read(tmp_path / "model.pkl", pickle.dumps(value))
    assert sorted(found["set"]) == [1, 2]
    assert found["a"] is found["b"][1]
    assert found["objects"] == [{"x": 1}, None]


DAMAGED = {
    "empty": b"",
    "no stop": b"N",
    "nothing to return": b".",
    "not a pickle": b"hello world",
    "no mark": b"Nt.",
    "a mark alone": b"(.",
    "unknown opcode": b"\xff.",
    "lying length": b"\x80\x04B\xff\xff\xff\x7fabc.",
    "lying length of eight bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "negative length": b"T\xff\xff\xff\xffabc.",
    "lying long": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "memo of nothing": b"h\x05.",
    "odd items": b"}(N u.",
    "string without quotes": b"Sabc\n.",
    "no number": b"Iabc\n.",
    "many digits": b"I" + b"9" * 6000 + b"\n.",
    "bad text": b"X\x01\x00\x00\x00\xff.",
    "append to nothing": b"Na.",
    "a line without end": b"cnumpy",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=r"^model\.pkl (is damaged|was refused)"):
        read(tmp_path / "model.pkl", DAMAGED[name])


def test_what_holds_itself_is_told(tmp_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(WeightsError, match="hold themselves"):
        read(tmp_path / "model.pkl", pickle.dumps(loop))
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(WeightsError, match="nested without end"):
        read(tmp_path / "model.pkl", pickle.dumps(deep))


def test_a_file_that_doubles_itself_stays_small(tmp_path: Path) -> None:
    """A billion laughs: sixty lists, each of the one before, twice."""
    found = read(tmp_path / "model.pkl", b"]" + b"2\x86" * 60 + b".")
    assert len(found) == 2
    with pytest.raises(WeightsError):
        plain.flatten(read(tmp_path / "model.pkl", b"K\x01" + b"2\x86" * 30 + b"."), "model.pkl")


def array_pickle(shape: Any, kind: bytes, raw: bytes, state: bytes = b"") -> bytes:
    """An array as NumPy 1 pickles it, with a shape, type and bytes of our choice."""
    said = pickle.dumps(shape, 2)[2:-1]
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + said
        + (state or b"cnumpy\ndtype\nU" + bytes([len(kind)]) + kind + b"K\x00K\x01\x87R")
        + b"\x89T"
        + struct.pack("<i", len(raw))
        + raw
        + b"tb."
    )


def test_an_array_is_what_its_bytes_are(tmp_path: Path) -> None:
    good = array_pickle((2,), b"f8", struct.pack("<2d", 1, 2))
    np.testing.assert_array_equal(read(tmp_path / "a.pkl", good), [1, 2])
    for shape, kind in [
        ((3,), b"f8"),
        ((2**40, 2**40), b"f8"),
        ((-1,), b"f8"),
        ((2.0,), b"f8"),
        ("ab", b"f8"),
        ((2,), b"(9999999999,)f8"),
        ((2,), b"f8,f8"),
        ((2,), b"V8"),
        ((2,), b"O"),
        ((2,), b"float64"),
    ]:
        with pytest.raises(WeightsError, match=r"a\.pkl is damaged"):
            read(tmp_path / "a.pkl", array_pickle(shape, kind, struct.pack("<2d", 1, 2)))


def test_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="an array of records"):
        read(tmp_path / "a.pkl", pickle.dumps(np.zeros(2, [("x", "f4"), ("y", "i4")])))


def test_a_file_of_nothing_but_steps_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_STEPS", 1000)
    with pytest.raises(WeightsError, match="more steps than any model needs"):
        read(tmp_path / "model.pkl", b"N" * 2000 + b".")
