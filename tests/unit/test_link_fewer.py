"""A FLAME head may come with fewer of its numbered expressions."""

import sys
from dataclasses import replace
from pathlib import Path

import made_avatar
import numpy as np
import pytest

from likeness import package

sys.path.insert(0, str(Path(__file__).parents[2]))

from blender_addon.link.fewer import with_fewer
from blender_addon.link.package import open_package


@pytest.fixture(scope="module")
def flame_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head with a dozen numbered expressions between two others."""
    made = made_avatar.bending()
    names = [*made.expression_names[:3], *(f"FLAME exp {i:03}" for i in range(12)), "tongueOut"]
    random = np.random.default_rng(1)
    deltas = random.normal(0, 0.001, (len(names), len(made.vertices), 3)).astype(np.float32)
    deltas[:, ::3] = 0
    limits = {n: (-3.0, 3.0) for n in names if n.startswith("FLAME")}
    view = replace(made.views[0], expression={"FLAME exp 011": -1.0})
    skin = replace(made.materials["Skin"], maps={})
    made = replace(
        made, expression_names=tuple(names), expression=deltas, expression_limits=limits, views=(view,),
        materials=made.materials | {"Skin": skin},
    )  # fmt: skip
    return package.save(made, tmp_path_factory.mktemp("fewer") / "F.likeness")


def test_the_first_of_them_stay_and_all_others(flame_like: Path) -> None:
    with open_package(flame_like) as whole:
        some = with_fewer(whole, 10)
        assert [n for n in whole.expressions if n not in some.expressions] == ["FLAME exp 010", "FLAME exp 011"]
        assert some.expressions[-1] == "tongueOut"
        assert set(some.expression_limits) == {f"FLAME exp {i:03}" for i in range(10)}
        for i, name in enumerate(some.expressions):
            for mine, theirs in zip(
                some.expression.row(i), whole.expression.row(whole.expressions.index(name)), strict=True
            ):
                np.testing.assert_array_equal(mine, theirs)


def test_enough_for_all_changes_nothing(flame_like: Path) -> None:
    with open_package(flame_like) as whole:
        assert with_fewer(whole, 12) is whole
