"""The settings of a search and the options of its command, which are made of them."""

from __future__ import annotations

from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from ray_jobs.tuning.settings import TuneSettings, resolve, tune_options, with_metrics
from scgan import systems
from scgan.data.dataset import DataConfig
from scgan.pipeline.spec import Spec

SPEC = Spec("scgan", DataConfig(source="two moons.csv"), systems.load("scgan").presets["smoke"])


@click.command()
@tune_options
def command(**given):
    click.echo(TuneSettings(**given).model_dump_json())


def said(*words):
    done = CliRunner().invoke(command, list(words))
    return done.exit_code, done.output


def test_every_field_is_an_option_with_its_default_and_description():
    fields, options = TuneSettings.model_fields, {p.name: p for p in command.params}
    assert list(fields) == list(options)
    assert all(options[name].help == field.description for name, field in fields.items())
    assert all(field.description for field in fields.values())
    assert said() == (0, TuneSettings().model_dump_json() + "\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials", "0"], "0 is not in the range 1<=x<=100000"),
        (["--length", "1.5"], "1.5 is not in the range 0.001<=x<=1"),
        (["--validation", "1"], "1.0 is not in the range 0<x<1"),
        (["--cpus", "0"], "0.0 is not in the range x>0"),
        (["--stop", "hyperband"], "is not one of 'asha', 'none'"),
        (["--workers", "1.5"], "is not a valid integer range"),
    ],
)
def test_an_option_has_its_fields_limits(words, message):
    code, output = said(*words)
    assert code == 2 and message in output


def test_an_option_given_twice_is_a_list():
    code, output = said("--metric", "a", "--metric", "b", "--max-failed", "0.1")
    expected = TuneSettings(metric=("a", "b"), max_failed=0.1)
    assert (code, TuneSettings.model_validate_json(output)) == (0, expected)


def test_what_is_left_to_the_system_is_filled_in():
    words = ("decoder.lambda_x=uniform(1,2)", "decoder.width=48")
    asked = TuneSettings(space=words, only="decoder.lambda_x", study="mine")
    settings, spec, space = resolve(asked, SPEC)
    assert settings.metric == ()
    data = SimpleNamespace(kind="table")
    assert with_metrics(settings, spec, data).metric == ("sliced_wasserstein",)
    with pytest.raises(ValueError, match="unknown metric 'energy'"):
        with_metrics(TuneSettings(metric=("energy",)), spec, data)
    assert spec.config.decoder.width == 48 and list(space) == ["decoder.lambda_x"]
    named = resolve(TuneSettings(), Spec("scgan", DataConfig(source="moons.csv"), SPEC.config))[0]
    assert named.study == "scgan-moons"
    with pytest.raises(ValueError, match="'scgan-two moons' is no name for a study"):
        resolve(TuneSettings(), SPEC)


def test_early_stopping_is_for_one_metric():
    assert TuneSettings(metric=("a",)).stops_early
    assert not TuneSettings(metric=("a", "b")).stops_early
    assert not TuneSettings(metric=("a",), stop="none").stops_early
