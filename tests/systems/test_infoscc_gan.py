"""InfoSCC-GAN's own: drawing by attribute, scores by two judges, the paper's tables, refusals."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from scgan import reproductions, systems
from scgan.config import leaves, override
from scgan.data.dataset import DataConfig
from scgan.metrics.scores import Score
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.spec import Spec
from scgan.reproductions import Cell, Result
from scgan.store.artifacts import ArtifactStore


@pytest.fixture(scope="module")
def spec():
    config = systems.load("infoscc_gan").presets["smoke"]
    changes = {key: 512 for key, _ in leaves(config) if key.endswith(".num_samples")}
    changes |= {"evaluation.num_images": 200, "attributes.num_clusters": 4}
    return Spec("infoscc_gan", DataConfig(source="digits"), override(config, changes))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ArtifactStore(str(tmp_path_factory.mktemp("infoscc")))


@pytest.fixture(scope="module")
def outcome(spec, store, few_samples):
    return pipeline.run(spec, pipeline.prepare(spec), store, LocalExecutor())


def test_draws_have_the_attribute_that_was_asked_for(outcome):
    model = outcome.model
    x, y = model.draw(6, torch.Generator().manual_seed(0), attribute="cluster 2")
    assert x.shape == (6, 1, 28, 28) and torch.equal(y, torch.eye(4)[[2] * 6])
    half = torch.full((3, 4), 0.5)
    x, y = model.draw(3, torch.Generator().manual_seed(0), attributes=half)
    assert torch.equal(y, half) and x.isfinite().all()
    with pytest.raises(ValueError, match="unknown attribute 'cluster 7'; did you mean"):
        model.sample(1, torch.Generator(), attribute="cluster 7")


def test_the_scores_name_their_extractor_and_count(outcome):
    names = outcome.scores.keys()
    assert {
        "fid_encoder_200",
        "kid_encoder_200",
        "fid_judge_200",
        "is_judge_200",
        "label_nmi",
    } <= names
    assert {
        "control_accuracy",
        "judge_control_accuracy",
        "diversity_pixels",
        "diversity_encoder",
    } <= names
    assert any(name.startswith("chamfer_sum_encoder") for name in names)


def test_the_two_judges_are_two(outcome):
    """The pipeline's classifier and the independent one read different features."""
    model, x = outcome.model, outcome.model.sample(200, torch.Generator().manual_seed(0))
    assert model.read(x).shape == model.judged(x).shape == (200,)
    assert not torch.equal(model.read(x), model.judged(x))


def test_every_figure_is_drawn(outcome):
    figures = dict(systems.load("infoscc_gan").figures(outcome.model, outcome.data, 0))
    assert len(figures) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder.views": "simclr"}, "the images are grey; choose affine"),
        ({"attributes.num_clusters": 5000}, "there are only 1438 training images"),
    ],
)
def test_what_the_images_cannot_bear_is_refused(spec, changes, message):
    with pytest.raises(ValueError, match=message):
        pipeline.prepare(Spec(spec.system, spec.data, override(spec.config, changes)))


def test_tables_and_images_keep_to_their_systems(spec):
    with pytest.raises(
        ValueError,
        match="scgan models a table, but digits is images: take --system .*eigengan",
    ):
        pipeline.prepare(Spec("scgan", spec.data, systems.load("scgan").presets["smoke"]))
    with pytest.raises(ValueError, match="take --system .*plain_gan or scgan"):
        pipeline.prepare(
            Spec("infoscc_gan", DataConfig(source="ring", num_train=50, num_test=50), spec.config)
        )


def test_the_papers_tables_are_laid_beside_what_was_published(outcome):
    module = reproductions.load("infoscc_gan")
    first, others = module.rounds([0], 0.01, None)
    cells = [cell for group in others for cell in group]
    assert len(cells) == 12 + 2 + 5 + 8
    rows = {cell.row for cell in cells}
    assert {
        "global, hinge_clipped",
        "patch, quartic",
        "inner",
        "external",
        "3",
        "15",
        "eigengan, inner",
    } <= rows
    images = torch.zeros(12, 1, 28, 28)
    pages = module.render(
        [Result(cell, outcome.scores, images, images) for cell in [*first[0], *cells]]
    )
    assert "| patch, least_squares |" in pages.markdown and "11.59 / 11.06 / 3645" in pages.markdown
    assert len(pages.rows) == len(cells) and list(pages.figures) == ["samples.png"]
    many = module._many(
        outcome.spec.config,
        DataConfig(source="celeba"),
        SimpleNamespace(attributes=(*module.CELEBA["5"].split(","), "Smiling")),
        0,
    )
    assert [cell.row for cell in many] == ["5"]


def fake_scores(**values):
    return {name: Score.of(name, *pair) for name, pair in values.items()}


def test_the_baseline_differs_in_its_conditioning_alone():
    module = reproductions.load("infoscc_gan")
    _, others = module.rounds([3], 0.01, None)
    cells = [group[0] for group in others if group[0].column == module.BASELINE]
    assert len(cells) == 8
    for vanilla, same, own in (cells[:3], cells[3:6]):
        theirs, ours = dict(leaves(vanilla.spec.config)), dict(leaves(same.spec.config))
        assert {key: ours[key] for key in theirs} == theirs
        assert set(ours) - set(theirs) == {
            f"generator.{name}"
            for name in (
                "n",
                "classification_weight",
                "classification_schedule",
                "energy_weight",
                "certainty",
                "attribute_law",
                "balanced_mapper",
            )
        }
        differing = {k for k, v in leaves(own.spec.config) if ours[k] != v}
        assert differing == {"generator.discriminator"}
        assert {cell.spec.seed for cell in (vanilla, same, own)} == {3}
        assert vanilla.spec.system == "eigengan" and same.spec.system == "infoscc_gan"


def test_the_default_is_compared_with_eigengan_by_the_same_judge():
    module = reproductions.load("infoscc_gan")
    _, others = module.rounds([3], 0.01, None)
    cells = [group[0] for group in others if group[0].column == module.BASELINE]
    vanilla, own = (dict(leaves(cell.spec.config)) for cell in cells[6:])
    assert [cell.row for cell in cells[6:]] == ["eigengan, default", "infoscc_gan, default"]
    assert [cell.spec.system for cell in cells[6:]] == ["eigengan", "infoscc_gan"]
    assert {k for k, v in vanilla.items() if own[k] != v} == {"generator.discriminator"}
    plain = dict(leaves(cells[2].spec.config))
    assert {k: v for k, v in own.items() if plain[k] != v} == {
        "attributes.num_clusters": 50,
        "attributes.space": "raw_features",
        "generator.discriminator": "projection",
        "generator.classification_weight": 0.3,
        "generator.energy_weight": 1.0,
    }
    generators = [
        {k: v for k, v in leaves(cell.spec.config) if k.startswith("generator")}
        for cell in (cells[0], cells[6])
    ]
    assert generators[0] == generators[1]  # one training, taken from the store


def test_many_attributes_an_image_have_no_inner_ones_beside_them():
    module = reproductions.load("infoscc_gan")
    base = systems.load("infoscc_gan").presets["plain"]
    schema = SimpleNamespace(labels="many")
    cells = module._baseline(base, DataConfig(source="celeba"), schema, 0)
    assert [cell.row for cell in cells] == [
        "eigengan, external",
        "infoscc_gan, global, external",
        "infoscc_gan, multiclass, external",
    ]
    assert module._ours(base, DataConfig(source="celeba"), schema, 0) == []


def test_the_baseline_shares_encoder_attributes_and_judge_through_the_store(outcome, store):
    """By their keys: EigenGAN's run trains its generator only."""
    made = set(store.keys())
    same = override(outcome.spec.config, {"generator.discriminator": "global"})
    config = reproductions.load("infoscc_gan").unconditional(same)
    vanilla = Spec("eigengan", outcome.spec.data, config)
    pipeline.run(vanilla, pipeline.prepare(vanilla), store, LocalExecutor())
    new = {key.partition("-")[0] for key in set(store.keys()) - made}
    assert new == {"generate", "evaluate"}


def test_ratios_are_of_pairs_of_a_seed_and_ceilings_stand_in_brackets():
    module = reproductions.load("infoscc_gan")
    images = torch.zeros(12, 1, 28, 28)

    def result(row, system, seed, fid):
        cell = Cell(row, module.BASELINE, Spec(system, DataConfig(source="digits"), None, seed))
        scores = fake_scores(fid_encoder_4k=(fid,), control_accuracy=(0.9, 0.95))
        return Result(cell, scores, images, images)

    results = [
        result("eigengan, inner", "eigengan", 0, 2.0),
        result("eigengan, inner", "eigengan", 1, 4.0),
        result("infoscc_gan, global, inner", "infoscc_gan", 0, 1.0),
        result("infoscc_gan, global, inner", "infoscc_gan", 1, 3.0),
    ]
    text = module.render(results).markdown
    assert "| infoscc_gan, global, inner | 0.625 ± 0.2 | - |" in text
    assert "0.9 ± 0 (0.95)" in text


def test_eigengan_takes_no_attributes(spec):
    config = override(
        systems.load("eigengan").presets["smoke"], {"generator.discriminator": "multiclass"}
    )
    with pytest.raises(
        ValueError, match="takes attributes, but eigengan has none; choose global or patch"
    ):
        pipeline.prepare(Spec("eigengan", spec.data, config))
