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
        ("äöü", "head"),
        ("v1.2-final", "v1.2-final"),
        ("x" * 300, "x" * 80),
    ],
)
def test_file_name(text: str, name: str) -> None:
    assert file_name(text) == name
