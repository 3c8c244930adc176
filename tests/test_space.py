"""The space of a search as plain data, and what trials are scored on and by."""

from __future__ import annotations

import json

import pytest

from scgan import space as search
from scgan import systems
from scgan.config import override
from scgan.space import (
    Choice,
    Float,
    Int,
    Range,
    When,
    change,
    describe,
    start_point,
)

CONFIG = override(systems.load("scgan").presets["smoke"], {"decoder.lambda_x": 1.0})
SPACE = systems.load("scgan").search_space


def test_every_system_declares_a_space_that_its_presets_can_take():
    for name in systems.available():
        system = systems.load(name)
        for preset in system.presets.values():
            search.check(system.search_space, preset)
            assert set(start_point(system.search_space, preset)) <= set(system.search_space)


def test_a_search_of_scgan_starts_at_the_default_whose_clusters_evidence_chooses():
    default = systems.load("scgan").presets["default"]
    start = start_point(SPACE, default)
    assert start["clusters.num_clusters"] is None
    assert override(default, start) == default


def test_words_narrow_widen_add_and_fix():
    words = [
        "decoder.lambda_x=loguniform(0.001,10)",
        "clusters.num_clusters=choice(4,8,16,32)",
        "decoder.adversarial=choice(hinge, non_saturating)",
        "decoder.r1_weight=uniform(0,1) if decoder.adversarial=hinge|least_squares",
        "decoder.width=logint(16,64)",
        "mappers.learning_rate=0.005",
    ]
    space, config = change(SPACE, words, CONFIG)
    assert space["decoder.lambda_x"] == Float(0.001, 10, log=True)
    assert space["clusters.num_clusters"] == Choice((4, 8, 16, 32))
    assert space["decoder.adversarial"].options == ("hinge", "non_saturating")
    assert space["decoder.r1_weight"] == Float(
        0, 1, when=When("decoder.adversarial", ("hinge", "least_squares"))
    )
    assert space["decoder.width"] == Int(16, 64, log=True)
    assert "mappers.learning_rate" not in space and config.mappers.learning_rate == 0.005
    assert space["mappers.lambda_eps"] == SPACE["mappers.lambda_eps"]
    assert "decoder.width" not in SPACE and CONFIG.mappers.learning_rate != 0.005


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "decoder.lamda_x=uniform(0,1)",
            r"unknown setting 'decoder.lamda_x'; did you mean 'decoder.lambda_x'\?",
        ),
        ("decoder.lambda_x=uniform(1,0)", "range from 1 to 0 is empty"),
        ("decoder.lambda_x=uniform(1,1)", "range from 1 to 1 is empty"),
        ("decoder.lambda_x=uniform()", "takes two numbers"),
        ("decoder.lambda_x=uniform(0,nan)", "not finite"),
        ("decoder.lambda_x=loguniform(0,1)", "must begin above 0"),
        ("decoder.lambda_x=uniform(-1,1)", r"decoder.lambda_x: .*greater than or equal to 0"),
        ("decoder.lambda_x=gauss(0,1)", "don't know 'gauss'"),
        ("decoder.lambda_x=unifrom(0,1)", "did you mean 'uniform'"),
        ("clusters.num_clusters=uniform(4,8)", "clusters.num_clusters: .*integer"),
        ("clusters.num_clusters=int(4.5,8)", "'4.5' is no whole number"),
        ("clusters.num_clusters=choice()", "at least one value"),
        ("decoder.adversarial=choice(hinge,best)", "'best'"),
        ("decoder.lambda_x", "takes KEY="),
        (
            "decoder.width=int(8,16) if decoder.adversarial=hinge",
            "depends on decoder.adversarial, which must be searched",
        ),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(word, message):
    with pytest.raises(ValueError, match=message) as caught:
        change(SPACE, [word], CONFIG)
    assert "\n" not in str(caught.value)


def test_the_start_is_the_settings_own_or_the_nearest():
    space = {
        "decoder.lambda_x": Float(0.01, 10, log=True),
        "decoder.learning_rate": Float(1e-2, 1e-1, log=True),
        "clusters.num_clusters": Choice((4, 20, 64)),
        "decoder.adversarial": Choice(("hinge", "non_saturating")),
        "decoder.width": Int(16, 64, when=When("decoder.adversarial", ("hinge",))),
    }
    point = start_point(space, override(CONFIG, {"clusters.num_clusters": 24}))
    assert point == {
        "decoder.lambda_x": CONFIG.decoder.lambda_x,
        "decoder.learning_rate": 1e-2,
        "clusters.num_clusters": 20,
        "decoder.adversarial": "non_saturating",
    }
    assert Int(8, 512, log=True, start=256).nearest(None) == 256
    assert Range(1, 100, log=True).nearest(None) == pytest.approx(10)
    assert Choice((None, 4)).nearest(None) is None


def test_a_description_tells_spaces_apart_and_is_plain():
    one, other = describe(SPACE), describe({**SPACE, "decoder.lambda_x": Float(0.01, 11, log=True)})
    assert json.loads(json.dumps(one)) == json.loads(
        json.dumps(describe(dict(reversed(SPACE.items()))))
    )
    assert one != other


def test_every_point_of_a_small_space():
    space = {"a": search.Choice((1, 2)), "b": search.Int(3, 5)}
    assert search.every_point(space, 6) == [{"a": a, "b": b} for a in (1, 2) for b in (3, 4, 5)]
    assert search.every_point(space, 5) == []
    assert search.every_point({"a": search.Float(0, 1)}, 100) == []
    assert (
        search.every_point({**space, "c": search.Choice((1,), search.When("a", (1,)))}, 100) == []
    )
