"""Each peer learns what it is shown in its budget; data, coordinates and SC-GAN's own length."""

from __future__ import annotations

import itertools
import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from ray_jobs.benchmarks import courses, peers
from ray_jobs.benchmarks.courses import SCGAN, View
from ray_jobs.benchmarks.peers import PEERS
from ray_jobs.benchmarks.training import Clock, Trained
from scgan import systems
from scgan.data.dataset import DataConfig
from scgan.data.loading import load

LEAST = {
    "gmm": 0.5,
    "nsf": 1.5,
    "flow_matching": 0.7,
    "vae": 2.0,
    "circuit": 1.0,
}  # process seconds


def rows(num: int, seed: int) -> torch.Tensor:
    """A correlated normal, off the origin."""
    x = torch.randn(num, 2, generator=torch.Generator().manual_seed(seed))
    return torch.stack([1 + 0.5 * x[:, 0], 0.5 * x[:, 0] + 0.5 * x[:, 1]], 1)


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_peer_learns_in_its_budget_and_draws_by_its_seed(name: str) -> None:
    if name in peers.NEEDS:
        pytest.importorskip(peers.NEEDS[name])
    state, peer, start = torch.get_rng_state(), PEERS[name](), time.process_time()
    if isinstance(peer, Trained):  # for so short a time
        peer.batch_size, peer.learning_rate, peer.averaging = 128, 5e-3, 0.9
        peer.num_states = 16  # of the circuit
    peer.fit(rows(4000, 1), LEAST[name], 0)
    assert time.process_time() - start < 4 * LEAST[name] + 2  # imports and all
    x = peer.sample(1500, 0)
    assert x.shape == (1500, 2) and x.dtype == torch.float32 and x.isfinite().all()
    assert x.mean(0).tolist() == pytest.approx([1, 0], abs=0.15)
    assert torch.cov(x.T)[0, 1] == pytest.approx(0.25, abs=0.2 if name == "vae" else 0.15)
    assert peer.num_parameters > 0 and torch.equal(state, torch.get_rng_state())
    assert torch.equal(peer.sample(20, 3), peer.sample(20, 3))
    assert not torch.equal(peer.sample(20, 3), peer.sample(20, 4))


class Overfits(Trained):
    """Its loss falls for ever as its weight grows; that of held-out rows is least at a half."""

    averaging = 0.0

    def build(self, x):
        network = nn.Module()
        network.weight = nn.Parameter(torch.zeros(()))
        return network

    def loss(self, network, x):
        if network.training:
            time.sleep(0.001)
            return -network.weight
        self.draws = [*getattr(self, "draws", []), float(torch.rand(()))]
        self.held = len(x)
        return (network.weight - 0.5).square()

    def draw(self, network, num):
        return torch.full((num, self.dim), float(network.weight))


def test_the_weights_that_were_best_on_held_out_rows_are_kept() -> None:
    peer = Overfits()
    peer.learning_rate = 0.01
    peer.fit(rows(100, 1), 0.4, 0)
    assert float(peer.sample(1, 0)[0, 0]) == pytest.approx(0.5, abs=0.15)
    assert peer.held == 10 and len(peer.draws) > 10
    assert len(set(peer.draws)) == 1  # the same draws at every look


def test_components_are_doubled_as_long_as_held_out_rows_gain() -> None:
    mixture = courses.Mixture.draw(8, 2)
    peer = PEERS["gmm"]()
    peer.fit(mixture.sample(2000, torch.Generator().manual_seed(0)), 20.0, 0)
    k = len(peer.mixture.weights_)
    assert k in (8, 16) and peer.num_parameters == 6 * k - 1
    x = peer.sample(4000, 0)
    assert x.diff(dim=0).norm(dim=1).mean() > 0.3  # shuffled, not a component after the other


def test_a_clock_counts_process_time() -> None:
    clock = Clock(1000.0)
    time.sleep(0.3)
    assert clock.spent < 0.2 and clock.share < 0.001
    assert Clock(1e-9).share == 1


@pytest.mark.parametrize("num_modes,dim", [(8, 2), (64, 8)])
def test_a_mixture_has_separate_modes_of_unequal_weights(num_modes: int, dim: int) -> None:
    mixture = courses.Mixture.draw(num_modes, dim)
    assert mixture.centres.shape == (num_modes, dim)
    assert torch.pdist(mixture.centres).min() == pytest.approx(10 * mixture.std, rel=1e-4)
    assert mixture.weights.sum() == pytest.approx(1, abs=1e-5)
    assert 4 < mixture.weights.max() / mixture.weights.min() <= 16
    x = mixture.sample(40_000, torch.Generator().manual_seed(1))
    nearest = torch.cdist(x, mixture.centres).argmin(1)
    shares = torch.bincount(nearest, minlength=num_modes) / len(x)
    assert shares.tolist() == pytest.approx(mixture.weights.tolist(), abs=0.01)
    assert (x - mixture.centres[nearest]).std() == pytest.approx(mixture.std, rel=0.02)


@pytest.fixture
def counted(tmp_path):
    """A table of a whole number and of a number with a long tail."""
    rng = np.random.default_rng(0)
    path = tmp_path / "counted.csv"
    pairs = zip(rng.integers(2, 9, 400), np.exp(rng.normal(size=400)), strict=True)
    path.write_text("n,size\n" + "\n".join(f"{n},{size}" for n, size in pairs))
    return load(DataConfig(source=str(path)), seed=0)


@pytest.mark.parametrize("columns", ["encoded", "raw"])
def test_coordinates_lead_back_to_the_users_numbers(counted, columns) -> None:
    view = View(counted, columns)
    near = 1e-4 if columns == "raw" else 0.1
    assert view.train.mean(0).tolist() == pytest.approx([0, 0], abs=near)
    assert view.train.std(0, correction=0).tolist() == pytest.approx([1, 1], abs=near)
    expected = counted.table_schema.decode(counted.train)
    found = view.decode(view.train)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_allclose(found[name], values, rtol=1e-4)
    scored = counted.table_schema.encode(expected)
    torch.testing.assert_close(view.encode(found), scored, rtol=1e-3, atol=1e-3)
    assert torch.equal(view.dataset.train, view.train) and len(view.dataset.test) == 80
    assert view.dataset.fingerprint != counted.fingerprint


def test_raw_numbers_are_only_standardised_and_whole_ones_held_in_their_range(counted) -> None:
    view = View(counted, "raw")
    size = counted.table_schema.decode(counted.train)["size"]
    expected = (size - size.mean()) / size.std()
    np.testing.assert_allclose(view.train[:, 1].numpy(), expected, rtol=1e-4, atol=1e-4)
    far = view.decode(torch.tensor([[99.0, -99.0], [-99.0, 0.1], [0.1, 0.2]]))
    assert far["n"].tolist()[:2] == [8, 2] and far["n"].dtype == np.int64
    assert far["size"][0] < 0  # a model of raw columns says what it says


def test_scgans_length_is_what_its_pace_allows(counted, monkeypatch) -> None:
    asked, refining = [], 0.0

    def seconds(share):
        return 0.4 + 50 * share + 30 * max(share - 0.03, 0)  # of which a part does not grow

    def trained(self, share, seed, refined=True):
        asked.append(share)
        assert refined == (len(asked) not in (2, 3, 4))  # nobody looks at a probe's samples
        if refined:
            self.refining_seconds = refining
        return seconds(share) + (7.0 if len(asked) == 1 else 0.0)  # of what is imported

    monkeypatch.setattr(SCGAN, "_train", trained)
    peer = SCGAN(View(counted, "encoded"))
    peer.fit(counted.train, 10.4, 0)
    assert asked[:3] == [0.01, 0.01, 0.03] and asked[3] == pytest.approx(0.15 * 0.2)
    assert asked[4] == pytest.approx(0.2)  # 15.5 s: done again
    assert len(asked) == 6 and asked[5] == peer.share
    assert seconds(peer.share) == pytest.approx(10.4, rel=0.1)

    asked.clear()
    peer.fit(counted.train, 160.4, 0)  # the longer probe sees that long trainings are slower
    assert asked[3] == pytest.approx(0.15 * 3.2) and 2 < peer.share < 2.2 and len(asked) == 5

    asked.clear()
    peer.fit(counted.train, 0.1, 0)
    assert peer.share == courses.SHORTEST and len(asked) == 5  # nothing is shorter

    asked.clear()
    refining = 40.0  # is not to be had again by shorter networks
    peer.fit(counted.train, 50.4, 0)
    assert seconds(peer.share) + 40 == pytest.approx(50.4, rel=0.1) and len(asked) == 6

    asked.clear()
    took = iter([1.0, 1.0, 2.0, 3.0, *[50.0, 1.0] * 9])  # a budget that is never met
    monkeypatch.setattr(
        SCGAN, "_train", lambda self, share, seed, refined=True: asked.append(share) or next(took)
    )
    peer.refining_seconds = 0.0
    peer.fit(counted.train, 10.0, 0)
    assert len(asked) == 4 + courses.MOST_TRIALS

    asked.clear()
    SCGAN(View(counted, "encoded"), own_length=True).fit(counted.train, 10.0, 0)
    assert asked == [1.0]


def test_scgans_networks_are_timed_without_what_refines_their_samples(counted, monkeypatch) -> None:
    now, trained = [0.0], []

    def fitted(spec, data, store, executor, only=("refine",)):
        trained.append(tuple(only))
        now[0] += 40.0 if "refine" in only else 3.0
        return dict.fromkeys(["cluster"], SimpleNamespace(artifact=None))

    monkeypatch.setattr(courses, "fit_stages", fitted)
    monkeypatch.setattr(time, "process_time", lambda: now[0])
    monkeypatch.setattr(type(systems.load("scgan")), "model", lambda *_: "a model")
    peer = SCGAN(View(counted, "encoded"))
    assert peer._train(0.5, 0, refined=False) == 3.0
    assert trained == [("encode", "cluster", "map", "decode")]
    assert peer._train(0.5, 0) == 3.0
    assert peer.refining_seconds == 40.0 and peer.training_seconds == 43.0


def test_scgan_is_trained_by_the_pipeline_in_the_views_coordinates(counted, monkeypatch) -> None:
    view, seen = View(counted, "raw"), []

    def fitted(spec, data, store, executor, only):
        seen.append((spec, data))
        raise KeyError("enough")

    monkeypatch.setattr(courses, "fit_stages", fitted)
    with pytest.raises(KeyError, match="enough"):
        SCGAN(view, "smoke").fit(view.train, 10.0, 7)
    spec, data = seen[0]
    assert spec.system == "scgan" and spec.seed == 7 and torch.equal(data.train, view.train)
    assert spec.config.encoder.num_samples == round(courses.SHORTEST * 65_536)


def test_a_circuits_density_is_the_sum_over_all_states_and_its_samples_follow_it() -> None:
    torch.manual_seed(0)
    x = torch.randn(40, 3)
    x[:, 2] += 2 * x[:, 0]
    circuit = peers.Circuit(x, 2).requires_grad_(False)
    circuit.steps.copy_(torch.randn(3, 2, 2))
    circuit.start.copy_(torch.randn(2))
    circuit.log_std.copy_(torch.randn(3, 2) / 20 - 0.7)
    circuit.mean.copy_(torch.tensor([[-2.0, 2.0]]).repeat(3, 1))
    links = {frozenset((i, circuit.parents[i])) for i in circuit.order[1:]}
    assert frozenset((0, 2)) in links and len(links) == 2

    def weight(states: tuple[int, ...]) -> float:
        value = float(circuit.start.softmax(0)[states[circuit.order[0]]])
        for i in circuit.order[1:]:
            value *= float(circuit.steps[i].softmax(1)[states[circuit.parents[i]], states[i]])
        return value

    def density(row: torch.Tensor) -> float:
        total = 0.0
        for states in every:
            means = [float(circuit.mean[i, states[i]]) for i in range(3)]
            stds = [float(circuit.log_std[i, states[i]].exp()) for i in range(3)]
            total += weight(states) * float(np.prod(stats.norm.pdf(row.numpy(), means, stds)))
        return math.log(total)

    every = list(itertools.product((0, 1), repeat=3))
    found = circuit.log_prob(x[:5]).tolist()
    assert found == pytest.approx([density(row) for row in x[:5]], rel=1e-4)

    drawn = circuit.sample(20_000)
    for states in every:
        place = torch.tensor([[-2.0, 2.0][state] for state in states])
        share = float(((drawn - place).abs() < 2).all(1).double().mean())
        assert share == pytest.approx(weight(states), abs=0.012)
    assert drawn.abs().std(0).tolist() == pytest.approx([math.exp(-0.7)] * 3, rel=0.15)
