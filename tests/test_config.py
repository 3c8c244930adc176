"""Settings: from text, by dotted key, and what is said of a wrong one."""

from __future__ import annotations

from typing import Literal

import pydantic
import pytest
from pydantic import Field

from scgan.config import Settings, build, leaves, override, shortened, suggest


class Inner(Settings):
    width: int = Field(8, ge=1, le=64)
    rate: float = Field(0.5, gt=0)
    kind: Literal["one", "two"] = "one"


class Outer(Settings):
    inner: Inner = Inner()
    columns: tuple[str, ...] | None = None
    sizes: tuple[int, ...] = (1, 2)
    rows: int | None = Field(None, ge=1)
    fast: bool = False
    name: str = "a"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("inner.width", "12", 12),
        ("inner.rate", "1e-3", 1e-3),
        ("inner.kind", "two", "two"),
        ("columns", "a,b", ("a", "b")),
        ("columns", '"a,b",c', ("a,b", "c")),
        ("columns", "a", ("a",)),
        ("columns", "None", None),
        ("sizes", "3,4,5", (3, 4, 5)),
        ("rows", "none", None),
        ("rows", "null", None),
        ("rows", "7", 7),
        ("fast", "true", True),
        ("fast", "False", False),
        ("fast", "1", True),
        ("name", "none", "none"),  # text that may not be missing
        ("inner.width", 12, 12),
    ],
)
def test_text_becomes_the_type_of_its_setting(key, text, value):
    found = dict(leaves(override(Outer(columns=("z",), rows=3), {key: text})))[key]
    assert found == value and type(found) is type(value)


def test_leaves_are_in_order_and_build_a_config_again():
    config = override(Outer(), {"inner.width": 3, "columns": "x"})
    assert [key for key, _ in leaves(config)] == [
        *("inner.width", "inner.rate", "inner.kind", "columns", "sizes", "rows", "fast", "name"),
    ]
    assert build(Outer, config.model_dump(mode="json")) == config
    assert config != Outer()


def test_a_change_leaves_the_rest_and_the_original_alone():
    before = Outer(name="b", inner=Inner(rate=2.0))
    after = override(before, {"inner.width": "9"})
    assert (after.inner.width, after.inner.rate, after.name) == (9, 2.0, "b")
    assert before.inner.width == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inner.widht": 1}, "unknown setting 'inner.widht'; did you mean 'inner.width'?"),
        ({"width": 1}, "unknown setting 'width'; did you mean 'inner.width'?"),
        (
            {"inner.width": "0"},
            "inner.width: input should be greater than or equal to 1 (given: '0')",
        ),
        (
            {"inner.width": "65"},
            "inner.width: input should be less than or equal to 64 (given: '65')",
        ),
        ({"inner.rate": "nan"}, "inner.rate: input should be a finite number (given: 'nan')"),
        ({"inner.rate": "inf"}, "inner.rate: input should be a finite number (given: 'inf')"),
        ({"inner.kind": "three"}, "inner.kind: input should be 'one' or 'two' (given: 'three')"),
        (
            {"fast": "perhaps"},
            "fast: input should be a valid boolean, unable to interpret input (given: 'perhaps')",
        ),
        ({"sizes": "1,x"}, "sizes.1: input should be a valid integer"),
        ({"inner.width": "none"}, "inner.width: input should be a valid integer"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_that_names_the_key(changes, message):
    with pytest.raises(ValueError) as error:
        override(Outer(), changes)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_a_section_is_named_in_messages():
    for changes, message in (
        ({"widht": 1}, "unknown setting 'data.widht'; did you mean 'data.width'?"),
        ({"width": 0}, "data.width: input"),
    ):
        with pytest.raises(ValueError) as error:
            override(Inner(), changes, "data")
        assert str(error.value).startswith(message)


def test_an_unknown_key_of_a_tree_is_named_with_the_nearest():
    with pytest.raises(
        ValueError, match=r"^unknown setting 'inner.widt'; did you mean 'inner.width'\?$"
    ):
        build(Outer, {"inner": {"widt": 3}})


def test_a_config_is_frozen():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Outer().name = "b"
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Outer().inner.width = 3


def test_suggestions():
    assert suggest("smok", ["smoke", "default"]) == "; did you mean 'smoke'?"
    assert suggest("SMOKE", ["smoke", "default"]) == "; did you mean 'smoke'?"
    assert suggest("zzz", ["smoke", "default"]) == "; allowed: smoke, default"
    assert suggest("zzz", [f"name{i:03d}" for i in range(50)]) == ""
    assert suggest("zzz", []) == ""
    assert (
        suggest("lambda_x", ["mappers.lambda_eps", "decoder.lambda_x"])
        == "; did you mean 'decoder.lambda_x'?"
    )


class Stage(Settings):
    num_samples: int = Field(1000, ge=1)
    width: int = 100


class Run(Settings):
    encoder: Stage = Stage()
    decoder: Stage = Stage(num_samples=7)
    num_samples: int = 3


def test_shortened_cuts_every_training_and_nothing_else():
    assert dict(leaves(shortened(Run(), 0.25))) == {
        "encoder.num_samples": 250,
        "encoder.width": 100,
        "decoder.num_samples": 2,
        "decoder.width": 100,
        "num_samples": 3,
    }
    assert shortened(Run(), 1e-9).encoder.num_samples == 1
