"""The trained SC-GAN: what its decoder is given, which clusters it knows, what is told of it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from scgan.config import override
from scgan.nn.margins import Margins
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables import decode, encode
from scgan.stages.tables import map as mapping
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.latents import LATENTS
from scgan.store.artifacts import Artifact
from scgan.systems import scgan
from scgan.training.state import named_weights

CPU = torch.device("cpu")
PLACES = {"gaussian": None, "centres": 1000.0, "mapping": 5000.0, "real": 1000.0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model_of(**changes):
    """Codes about 1000 and -1000, mappers that draw about 5000 and -5000, three to one."""
    config = override(scgan.SCGANConfig(), {"mappers.kind": "adversarial", **changes})
    config = override(config, {"encoder.code_dim": 4})
    encoder = encode.build_encoder(config.encoder, 2, seeded(1), 0.25)
    k = (torch.arange(400) % 4 == 3).long()
    centres = torch.tensor([[1000.0] * 4, [-1000.0] * 4])
    codes = centres[k] + torch.randn(400, 4, generator=seeded(2))
    found = ClusteredCodes(centres, torch.bincount(k), torch.tensor([1.0, 2.0]), 0, k, codes)
    mappers = mapping.build_mappers(config.mappers, 4, 2, [seeded(3), seeded(4)])
    mappers.whitening.centre[0], mappers.whitening.centre[1] = 5000.0, -5000.0
    told = {"data_dim": 2, "quality": [0.3, 0.1], "quality_floor": [0.05, 0.02]}
    decoder = decode.build_decoder(config.decoder, 4, 2, seeded(5))
    artifacts = {
        "encode": Artifact(named_weights("encoder", encoder), {"data_dim": 2, "noise_std": 0.25}),
        "cluster": found.to_artifact(),
        "map": Artifact(dict(mappers.state_dict()), told),
        "decode": Artifact(named_weights("decoder", decoder)),
        "refine": Artifact(),
    }
    return scgan.SCGANModel(config, artifacts, CPU), artifacts


@pytest.fixture
def decoded(monkeypatch):
    """What the decoder is called with: pairs (eps, z)."""
    calls = []
    forward = SubspaceDecoder.forward

    def recorded(self, eps, z=None):
        calls.append((eps, z))
        return forward(self, eps, z)

    monkeypatch.setattr(SubspaceDecoder, "forward", recorded)
    return calls


def place_of(eps):
    return eps.mean(1).abs().mean().item()


@pytest.mark.parametrize("latent", LATENTS)
def test_it_samples_from_the_latents_it_was_trained_with_or_those_asked_for(decoded, latent):
    trained, _ = model_of(**{"decoder.latent": latent})
    other, _ = model_of(**{"decoder.latent": "mapping" if latent != "mapping" else "real"})
    trained.sample(2000, seeded())
    other.sample(2000, seeded(), latent=latent)
    (eps, z), (again, _) = decoded
    assert torch.equal(eps, again)
    if PLACES[latent] is None:
        assert (eps.mean(1).abs() < 700).float().mean() > 0.3
    else:
        assert place_of(eps) == pytest.approx(PLACES[latent], abs=10)
        assert (eps[:, 0] > 0).float().mean() == pytest.approx(0.75, abs=0.03)


def test_samples_have_noise_of_their_own_and_a_cluster_if_one_is_asked_for(decoded):
    model, _ = model_of()
    for number, side in ((0, 1), (1, -1)):
        model.sample(500, seeded(), cluster=number)
        eps, z = decoded[-1]
        assert (side * eps.mean(1) > 4000).all()
        assert z.shape == (500, 3, 6)
        assert_close(z.mean().item(), 0.0, rtol=0, atol=0.05)
        assert_close(z.square().mean().item(), 1.0, rtol=0, atol=0.08)
        assert z.pow(4).mean() == pytest.approx(3, abs=0.5)


def test_as_many_as_are_asked_for_in_chunks_that_differ():
    model, _ = model_of()
    rows = model.sample(25, seeded(), chunk=10)
    assert rows.shape == (25, 2) and len(rows.unique(dim=0)) == 25
    assert model.sample(0, seeded()).shape == (0, 2)


def test_it_reconstructs_from_the_rows_codes_with_the_noise_fixed(decoded):
    model, artifacts = model_of()
    x = torch.randn(50, 2, generator=seeded(6))
    x_hat = model.reconstruct(x)
    ((eps, z),) = decoded
    encoder = encode.load_encoder(model_config(), artifacts["encode"])
    assert z is None and torch.equal(eps, encoder.embed(x)) and torch.equal(model.encode(x), eps)
    decoder = decode.load_decoder(scgan.SCGANConfig().decoder, artifacts["decode"])
    assert torch.equal(x_hat, decoder(eps, torch.zeros(50, 3, 6)))


def model_config():
    return override(scgan.SCGANConfig(), {"encoder.code_dim": 4}).encoder


def test_rows_belong_to_the_nearest_centre_of_their_code(monkeypatch):
    model, _ = model_of()
    codes = torch.tensor([[900.0] * 4, [-10.0] * 4, [10.0] * 4])
    monkeypatch.setattr(model.encoder, "embed", lambda x: codes)
    assert model.assign(torch.zeros(3, 2)).tolist() == [0, 1, 0]


def test_a_row_between_two_clusters_may_be_of_either(monkeypatch):
    model, _ = model_of()
    monkeypatch.setattr(model.encoder, "embed", lambda x: torch.tensor([[0.0] * 4, [0.0005] * 4]))
    p = model.probabilities(torch.zeros(2, 2))
    # Pooled over 300 rows of spread 1 and 100 of 2, the variance is 7 / 4.
    gap = ((1000.0005**2 - 999.9995**2) * 4) / (2 * 7 / 4)
    assert p[0].tolist() == pytest.approx([0.5, 0.5])
    assert p[1, 0].item() == pytest.approx(1 / (1 + math.exp(-gap)), abs=0.01)


def test_what_is_known_of_its_clusters():
    model, _ = model_of()
    assert model.counts.tolist() == [300, 100]
    assert model.cluster_columns == {"mapper distance": [0.3, 0.1], "spread": [1.0, 2.0]}
    assert model.mapper_distance_floors == [0.05, 0.02]
    number, words = model.options
    assert number.read("1") == 1 and words.choices == LATENTS
    with pytest.raises(ValueError, match="cluster is 2, but must be 0 to 1"):
        number.read(2)


def test_mapper_distances_are_scored_beside_their_floors(monkeypatch):
    monkeypatch.setattr(scgan.System, "evaluate", lambda *args: iter([("first", "of all systems")]))
    data = SimpleNamespace(test=torch.full((3, 2), 7.0))
    model = SimpleNamespace(
        device=CPU,
        mapper_distances=[0.9, 0.1, 0.3],
        mapper_distance_floors=[0.01, 0.02, 0.06],
        view_information=lambda x, generator: (float(x[0, 0]), float(generator.initial_seed())),
        redraw=lambda x, num, generator: torch.stack([x + i for i in range(num)]),
    )
    scores = dict(scgan.SYSTEM.evaluate(model, data, 9))
    assert scores.pop("first") == "of all systems"
    told, bound = (scores.pop(name) for name in ("view_information", "view_information_bound"))
    assert told.value == 7 and told.better == "higher" and told.floor is None
    assert bound.value == 9 and bound.better == "none"
    assert list(scores) == ["mapper_distance_median", "mapper_distance_worst", "noise_spread"]
    median, worst = scores["mapper_distance_median"], scores["mapper_distance_worst"]
    assert (median.value, median.floor) == (0.3, 0.02)
    assert (worst.value, worst.floor) == (0.9, 0.06)
    assert median.label != worst.label


def test_what_codes_tell_of_a_view_is_measured_with_the_trainings_noise():
    model, _ = model_of(**{"encoder.batch_size": 64})
    x = 3 * torch.randn(500, 2, generator=seeded(8))
    told, bound = model.view_information(x, seeded(9))
    assert bound == pytest.approx(math.log(127)) and 0.5 < told < bound
    model.noise_std = 5.0
    assert model.view_information(x, seeded(9))[0] < told / 2
    few, its_bound = model.view_information(x[:20], seeded(9))
    assert its_bound == pytest.approx(math.log(39)) and few < its_bound


def test_each_latent_model_is_drawn_under_its_own_name(monkeypatch):
    drawn = {}
    model, _ = model_of(**{"decoder.latent": "centres"})

    def sample(num, generator, latent=None):
        return torch.full((num, 2), float(LATENTS.index(latent)))

    monkeypatch.setattr(model, "sample", sample)
    monkeypatch.setattr(model, "reconstruct", lambda x: x + 7)
    monkeypatch.setattr(scgan.tables, "latent_space", lambda *given: drawn.update(space=given))
    monkeypatch.setattr(scgan, "draw_samples", lambda *given: drawn.update(samples=given) or ())
    x = torch.randn(300, 2, generator=seeded(7))
    data = SimpleNamespace(test=x, train=x + 100)
    list(scgan.SYSTEM.figures(model, data, 0))

    eps, k, codes = drawn["space"]
    assert torch.equal(eps, model.encode(x)) and torch.equal(k, model.assign(x))
    assert codes.keys() == {"single Gaussian", "noisy centres", "mapping networks"}
    assert place_of(codes["noisy centres"]) == pytest.approx(1000, abs=10)
    assert place_of(codes["mapping networks"]) == pytest.approx(5000, abs=10)

    _, real, samples, main, x_hat, title = drawn["samples"]
    assert torch.equal(real, x) and torch.equal(x_hat, x + 7)
    assert main == "noisy centres" and title.endswith("codes of the noisy centres")
    titles = ("single Gaussian", "noisy centres", "mapping networks", "real codes")
    assert {name: float(rows[0, 0]) for name, rows in samples.items()} == {
        name: float(place) for place, name in enumerate(titles)
    }
    plt.close("all")


def test_samples_are_brought_to_their_own_latents_margins():
    model, artifacts = model_of()
    plain = {name: model.sample(3000, seeded(), latent=name) for name in LATENTS}
    tensors = {}
    for name in LATENTS:
        margins = Margins.fit(plain[name], torch.tensor([True, False]))
        tensors |= named_weights(f"margins_{name}", margins)

    config = override(scgan.SCGANConfig(), {"mappers.kind": "adversarial", "encoder.code_dim": 4})
    matched = scgan.SCGANModel(config, artifacts | {"refine": Artifact(tensors)}, CPU)
    for name in LATENTS:
        x = matched.sample(3000, seeded(), latent=name)
        assert torch.equal(x[:, 1], plain[name][:, 1])
        assert stats.kstest(x[:, 0], "norm").statistic < 0.01
        assert stats.kstest(plain[name][:, 0], "norm").statistic > 0.1
    assert torch.equal(matched.sample(9, seeded()), matched.sample(9, seeded(), latent="mapping"))
