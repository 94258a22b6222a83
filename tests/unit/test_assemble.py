"""What is put together from a reconstruction: names that every file system takes."""

import pytest

from likeness.assemble import file_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Anna", "Anna"),
        ("anna & bob (1)", "anna_bob_1"),
        ("../../etc/passwd", "etc_passwd"),
        ("a/b\\c:d", "a_b_c_d"),
        ("...", "head"),
        ("", "head"),
        ("Zoë Müller", "Zoë_Müller"),
        ("O\u0308zge", "Özge"),  # a letter and its mark become one
        ("山田 花子", "山田_花子"),
        ("हिन्दी", "हिन्दी"),
        ("a\u202eb", "a_b"),  # what turns the line about is no letter
        ("nul", "nul_"),
        ("con.1", "con.1_"),
        ("v1.2-final", "v1.2-final"),
        ("x" * 300, "x" * 80),
        ("é" * 300, "é" * 40),
        ("a" + "山" * 300, "a" + "山" * 26),
    ],
)
def test_file_name(text: str, name: str) -> None:
    assert file_name(text) == name
