"""Tables 4 to 6: whose attributes, how long, each beside its ceiling; by true painters."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scgan import reproductions
from scgan.data.images import synthetic
from scgan.data.images.schema import ImageSchema
from scgan.metrics.scores import Score
from scgan.reproductions import Result
from scgan.reproductions import infoscc_gan_attributes as module

IMAGES = torch.zeros(12, 3, 32, 32)


@pytest.fixture
def holding(monkeypatch):
    """Data of these attributes, as it would be read."""

    def hold(attributes, size=32):
        schema = ImageSchema(3, size, tuple(attributes), "many")
        monkeypatch.setattr(module, "load", lambda config, seed: SimpleNamespace(schema=schema))

    return hold


def test_the_drawn_set_is_taken_if_no_other_is_named(holding):
    holding(synthetic.NAMES)
    ((*groups,),) = reproductions.load("infoscc_gan_attributes").rounds([0, 1], 0.1, None)
    cells = [cell for group in groups for cell in group]
    assert [(cell.row, cell.spec.seed) for cell in cells] == [
        (number, seed) for seed in (0, 1) for number in ("5", "10", "15")
    ]
    for cell in cells:
        data, config = cell.spec.data, cell.spec.config
        assert (data.source, data.image_size) == ("shapes", 32)
        assert (
            len(data.attributes) == int(cell.row) <= len(set(synthetic.NAMES) & {*data.attributes})
        )
        assert config.attributes.source == "external" and config.encoder.backbone == "small"
        assert config.generator.num_samples == 12_800 and cell.more is module.strengths


def test_at_the_whole_length_images_are_taken_as_they_are(holding):
    holding(synthetic.NAMES, size=64)
    for groups in module.rounds([0], 1.0, None):
        for (cell,) in groups:
            assert cell.spec.data.image_size is None
            assert cell.spec.config.encoder.backbone == "resnet18"


def test_celebas_attributes_are_the_papers(holding):
    holding([*module.CELEBA["10"].split(","), *module.CELEBA["15"].split(",")])
    (((first,), *_),) = module.rounds([0], 0.1, "celeba")
    assert first.spec.data.attributes == tuple(module.CELEBA["5"].split(","))
    holding(["Bald", "Sun"])
    with pytest.raises(ValueError, match="has not the attributes of Tables 4 to 6"):
        module.rounds([0], 0.1, "mine")


def made_up(holding, seed):
    holding(synthetic.NAMES)
    cell = module.rounds([seed], 0.1, None)[0][0][0]
    shares = {"Legs": (0.5 + 0.2 * seed, 0.9), "Red-Body": (0.25, None)}
    scores = {"fid_encoder_2k": Score(3.0, 1.0, "lower")}
    for begin, less in (("control", 0.0), ("judge_control", 0.125)):
        for name, (value, ceiling) in shares.items():
            scores[f"{begin}_of_{name}"] = Score(value - less, ceiling, "higher")
        scores[f"{begin}_accuracy"] = Score(0.75 - less, 0.875, "higher")
        scores[f"{begin}_balanced"] = Score(0.625 - less, 0.8125, "higher")
    scores |= {
        "strength_of_Red_Body": Score(0.5, 0.75, "higher"),
        "strength_of_Red_Body_slope": Score(0.25, 0.7, "higher"),
    }
    return Result(cell, scores, IMAGES, IMAGES)


def test_each_attribute_stands_beside_its_ceiling(holding):
    pages = module.render([made_up(holding, seed) for seed in (0, 1)])
    text = pages.markdown
    assert "### Tables 4 to 6: many attributes an image" in text and "27.84 / 9.91" in text
    assert "### 5 attributes: recall beside its ceiling" in text
    for line in (
        "|  | by the judge | ceiling | by the classifier | ceiling |",
        "| Legs | 0.475 ± 0.1 | 0.9 ± 0 | 0.6 ± 0.1 | 0.9 ± 0 |",
        "| Red-Body | 0.125 ± 0 | - | 0.25 ± 0 | - |",
        "| all that were asked for | 0.625 ± 0 | 0.875 ± 0 | 0.75 ± 0 | 0.875 ± 0 |",
        "| balanced accuracy | 0.5 ± 0 | 0.812 ± 0 | 0.625 ± 0 | 0.812 ± 0 |",
        "|  | correlation | ceiling | slope | ceiling |",
        "| Red_Body | 0.5 ± 0 | 0.75 ± 0 | 0.25 ± 0 | 0.7 ± 0 |",
    ):
        assert line in text.splitlines(), line
    assert [row["seed"] for row in pages.rows] == [0, 1] and list(pages.figures) == ["samples.png"]


class Painter:
    """Draws what it is asked for, or a share of it, by the script that drew the set."""

    def __init__(self, names, share):
        self.device, self.share = torch.device("cpu"), share
        self.attributes = SimpleNamespace(names=names, sample=self.attributes_of)
        self.places = [synthetic.NAMES.index(name) for name in names]

    def attributes_of(self, num, generator):
        return torch.randint(2, (num, len(self.places)), generator=generator).float()

    def sample(self, num, generator, *, attributes):
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        strengths = synthetic.draw(num, seed=5).strengths
        strengths[:, self.places] = self.share * attributes.numpy()
        images = synthetic.paint(strengths, synthetic.Scenes.draw(num, rng))
        return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.mark.parametrize(("share", "followed"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_a_painter_that_does_what_it_is_asked_reaches_the_ceiling(monkeypatch, share, followed):
    monkeypatch.setattr(module, "NUM_DRAWN", 300)
    monkeypatch.setattr(module, "NUM_KNOWN", 2000)
    names = ("Red_Body", "Legs", "Hazy")
    schema = ImageSchema(3, 64, names, "many")
    outcome = SimpleNamespace(
        model=Painter(names, share),
        data=SimpleNamespace(image_schema=schema),
        spec=SimpleNamespace(seed=0),
    )
    scores = module.strengths(outcome, None)
    assert {name.removeprefix("strength_of_") for name in scores} == {
        *("Red_Body", "Red_Body_slope", "Hazy", "Hazy_slope")
    }
    for name in ("Red_Body", "Hazy"):
        slope = scores[f"strength_of_{name}_slope"]
        assert slope.value / slope.floor == pytest.approx(followed, abs=0.2)
    assert (scores["strength_of_Hazy"].value > 0.7) == (share > 0)


def test_without_truth_no_strength_is_measured():
    schema = ImageSchema(3, 64, ("Red_Body", "Bald"), "many")
    outcome = SimpleNamespace(
        model=Painter(("Red_Body",), 1.0), data=SimpleNamespace(image_schema=schema)
    )
    outcome.model.attributes.names = ("Red_Body", "Bald")
    assert module.strengths(outcome, None) == {}
