"""docs/weights.md lists what the catalogue holds, in its words."""

from pathlib import Path

from likeness.weights import catalog

PAGE = Path(__file__).parents[2] / "docs" / "weights.md"


def rows() -> list[str]:
    return [f"| `{e.name}` | {e.title}; {e.strictest} | {e.how} ([page]({e.url})) |" for e in catalog.load().values()]


def test_the_page_lists_the_catalogue() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [row for row in rows() if row not in page]
    assert not missing, "put these rows into docs/weights.md:\n" + "\n".join(missing)
    assert page.count("\n| `") == len(rows())
