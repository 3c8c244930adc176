"""Requests to a served model, without a server: what is answered, and what is refused."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from scgan.capabilities import WholeNumber
from scgan.data.images.schema import ImageSchema
from scgan.data.tables.schema import Schema
from scgan.serving.http import ARROW, Front, from_arrow, plain, to_arrow_stream
from scgan.serving.service import Service
from scgan.tracking.model import TrainedSystem

ROWS = {
    "x": np.linspace(-3, 5, 400),
    "kind": np.array(["a", "b", "a", "b"] * 100),
    "age": np.arange(400) % 60 + 18,
}
SCHEMA = Schema.fit(ROWS)


class Clusters:
    """Two clusters by the sign of the first column; samples are noise, or one cluster's ones."""

    device = torch.device("cpu")
    options = (WholeNumber("cluster", "of this cluster alone", 2),)
    counts = torch.tensor([200, 200])
    cluster_columns: dict = {}

    def __init__(self):
        self.calls = []

    def sample(self, num, generator, cluster=None):
        self.calls.append((num, cluster))
        x = torch.randn(num, SCHEMA.dim, generator=generator)
        return x if cluster is None else x.abs() * (2 * cluster - 1)

    def encode(self, x):
        self.calls.append((len(x), "encode"))
        return 2 * x[:, :2]

    def assign(self, x):
        self.calls.append((len(x), "assign"))
        return (x[:, 0] > 0).long()


def spec():
    return SimpleNamespace(system="mine", run_id="mine-rows-12345678")


@pytest.fixture
def service():
    return Service(TrainedSystem(spec(), SCHEMA, Clusters()), max_rows=1000)


def ask(service, path, given=None, *, method="POST", token="", **headers):
    """Status and answer of a request of JSON."""

    async def run(asked):
        return service.run([asked])[0]

    front = Front(service, token, run)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    answer = asyncio.run(front.answer(method, path, names, body))
    is_json = answer.media_type == "application/json"
    return answer.status, json.loads(answer.body) if is_json else answer.body


def test_samples_are_in_the_users_units_and_a_seed_decides_them(service):
    status, answer = ask(service, "/sample", {"num": 50, "seed": 7})
    assert status == 200 and set(answer["columns"]) == set(ROWS)
    x = torch.randn(50, SCHEMA.dim, generator=torch.Generator().manual_seed(7))
    wanted = SCHEMA.decode(x)
    assert answer["columns"] == {name: values.tolist() for name, values in wanted.items()}
    assert ask(service, "/sample", {"num": 50, "seed": 7})[1] == answer
    without = [ask(service, "/sample", {"num": 50})[1] for _ in range(2)]
    assert without[0] != without[1]


def test_what_the_model_lets_choose_can_be_chosen(service):
    low, high = (
        ask(service, "/sample", {"num": 20, "cluster": k})[1]["columns"]["x"] for k in (0, 1)
    )
    assert max(low) <= min(high) + 1e-6


@pytest.mark.parametrize(
    ("path", "given", "status", "said"),
    [
        ("/sample", {}, 400, "num is None, but must be a whole number, 1 to 1,000"),
        ("/sample", {"num": 0}, 400, "num is 0, but must be"),
        ("/sample", {"num": 1001}, 400, "num is 1001, but must be a whole number, 1 to 1,000"),
        ("/sample", {"num": 2.5}, 400, "num is 2.5"),
        ("/sample", {"num": True}, 400, "num is True"),
        ("/sample", {"num": 5, "seed": -1}, 400, "seed is -1"),
        ("/sample", {"num": 5, "cluster": 9}, 400, "cluster is 9, but must be 0 to 1"),
        ("/sample", {"num": 5, "colour": 1}, 400, "this model has no colour to choose"),
        ("/sample", [5], 400, "the body must be a JSON object"),
        ("/sample", b"{", 400, "the body is no JSON"),
        ("/encode", {"rows": []}, 400, "give the rows as"),
        ("/encode", {"columns": {}}, 400, "rows are columns of one length"),
        ("/encode", {"columns": {"x": [1], "kind": []}}, 400, "rows are columns of one length"),
        ("/encode", {"columns": {"x": [1.0]}}, 400, "columns 'kind', 'age' are missing"),
        ("/cluster", {"columns": {"x": [1], "kind": ["?"], "age": [3]}}, 400, "?"),
        ("/evaluate", {"columns": {"x": [1], "kind": ["a"], "age": [3]}}, 400, "40 to 20,000"),
        ("/encode", {"columns": {"x": [[1], [1, 2]]}}, 400, "are not all of one kind"),
        ("/dream", {}, 404, "no 'dream' here; there are sample"),
    ],
)
def test_what_is_wrong_is_a_4xx_with_a_line(service, path, given, status, said):
    answered, answer = ask(service, path, given)
    assert answered == status and said in answer["error"] and "\n" not in answer["error"]


def test_a_model_that_can_not_is_told_apart(service):
    service.model = SimpleNamespace(options=(), sample=None)
    for kind in ("encode", "cluster"):
        status, answer = ask(service, kind, {"columns": {"x": [1.0]}})
        assert status == 400 and answer["error"] == f"a model of mine can't {kind}"


def test_a_token_is_asked_for_but_of_health(service):
    assert ask(service, "/sample", {"num": 1}, token="secret")[0] == 401
    assert ask(service, "/about", method="GET", token="secret")[0] == 401
    wrong = ask(service, "/sample", {"num": 1}, token="secret", authorization="Bearer secre")
    assert wrong[0] == 401 and "secret" not in wrong[1]["error"]
    right = ask(service, "/sample", {"num": 1}, token="secret", authorization="Bearer secret")
    assert right[0] == 200
    assert ask(service, "/health", method="GET", token="secret") == (200, {"status": "ok"})


def test_other_methods_and_types_are_refused(service):
    assert ask(service, "/sample", method="GET")[0] == 405
    assert ask(service, "/sample", {"num": 1}, content_type="text/csv")[0] == 415
    typed = ask(service, "/sample", {"num": 1}, content_type="application/json; charset=utf-8")
    assert typed[0] == 200


def test_rows_come_and_go_in_arrow(service):
    stream = to_arrow_stream(ROWS, {})
    status, body = ask(service, "/encode", stream, content_type=ARROW, accept=ARROW)
    table = pa.ipc.open_stream(body).read_all()
    codes = np.stack(table["code"].to_numpy())
    assert status == 200 and json.loads(table.schema.field("code").metadata[b"shape"]) == [2]
    np.testing.assert_allclose(codes, 2 * SCHEMA.encode(ROWS)[:, :2].numpy())
    _, as_json = ask(service, "/encode", {"columns": {n: v.tolist() for n, v in ROWS.items()}})
    np.testing.assert_allclose(as_json["columns"]["code"], codes, rtol=1e-6)
    _, samples = ask(service, "/sample", {"num": 9, "seed": 1}, accept=ARROW)
    _, wanted = ask(service, "/sample", {"num": 9, "seed": 1})
    assert pa.ipc.open_stream(samples).read_all().to_pydict() == wanted["columns"]
    assert ask(service, "/encode", b"nothing", content_type=ARROW)[0] == 400


def test_gaps_pass_through_arrow_and_json():
    table = pa.table({"a": [1, None, 3], "b": ["x", None, "z"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    read = from_arrow(bytes(sink.getvalue()))
    assert np.ma.getmaskarray(read["a"]).tolist() == [False, True, False]
    back = pa.ipc.open_stream(to_arrow_stream(read, {})).read_all().to_pydict()
    assert back == {"a": [1, None, 3], "b": ["x", None, "z"]}
    assert plain(read) == back  # and NaN, which JSON has not
    assert plain({"c": np.array([1.5, np.nan])}) == {"c": [1.5, None]}


def test_clusters_and_their_probabilities(service):
    columns = {name: values.tolist() for name, values in ROWS.items()}
    _, answer = ask(service, "/cluster", {"columns": columns})
    assert answer["columns"]["cluster"] == [int(x > 1.0) for x in ROWS["x"]]
    assert set(answer["columns"]["probability"]) == {1.0}


def test_scores_tell_good_samples_from_bad_ones(service):
    good = SCHEMA.decode(torch.randn(400, SCHEMA.dim, generator=torch.Generator().manual_seed(1)))
    far = {**good, "x": good["x"] + 8}
    scores = [
        ask(service, "/evaluate", {"columns": {n: v.tolist() for n, v in columns.items()}})[1]
        for columns in (good, far)
    ]
    place = scores[0]["columns"]["metric"].index("sliced_wasserstein")
    (value, floor), (worse, _) = (
        (each["columns"]["value"][place], each["columns"]["floor"][place]) for each in scores
    )
    assert value < 2 * floor < worse


def test_requests_that_arrive_together_are_one_call_where_they_are_alike(service):
    asked = [
        service.ask_samples(3),
        service.ask_samples(2, 7),
        service.ask_samples(4, None, {"cluster": 1}),
        service.ask_samples(5),
        service.ask("cluster", {name: values[:6] for name, values in ROWS.items()}),
        service.ask("cluster", {name: values[198:202] for name, values in ROWS.items()}),
    ]
    answers = service.run(asked)
    assert [len(next(iter(answer.values()))) for answer in answers] == [3, 2, 4, 5, 6, 4]
    assert sorted(service.model.calls, key=str) == sorted(
        [(8, None), (2, None), (4, 1), (10, "assign"), (10, "assign")], key=str
    )
    alone = service.run(asked[1:2])[0]
    assert all(np.array_equal(alone[name], answers[1][name]) for name in alone)
    assert answers[4]["cluster"].tolist() == [0] * 6
    assert answers[5]["cluster"].tolist() == [0, 0, 1, 1]


def test_no_more_rows_are_drawn_together_than_one_may_ask_for(service):
    answers = service.run([service.ask_samples(600) for _ in range(5)])
    assert [len(answer["x"]) for answer in answers] == [600] * 5
    assert max(num for num, _ in service.model.calls) <= 1200 and len(service.model.calls) >= 3


def test_what_was_answered_is_counted(service):
    service.run([service.ask_samples(3), service.ask_samples(5)])
    _, text = ask(service, "/metrics", method="GET")
    lines = text.decode().splitlines()
    assert 'scgan_rows_total{kind="sample"} 8' in lines
    assert 'scgan_requests_total{kind="sample"} 2' in lines
    assert 'scgan_calls_total{kind="sample"} 1' in lines


def test_it_says_what_it_is(service):
    _, answer = ask(service, "/about", method="GET")
    assert answer["columns"] == list(ROWS) and answer["max_rows"] == 1000
    assert answer["options"] == {
        "cluster": {"meaning": "of this cluster alone", "allowed": "0 to 1"}
    }


class Pictures:
    device = torch.device("cpu")
    options = ()
    counts = torch.tensor([1, 1])
    cluster_columns: dict = {}

    def sample(self, num, generator):
        return torch.rand(num, 1, 8, 8, generator=generator) * 2 - 1

    def assign(self, x):
        assert x.is_floating_point() and -1 <= x.min() <= x.max() <= 1
        return (x.mean((1, 2, 3)) > 0).long()


def test_images_are_pixels():
    service = Service(TrainedSystem(spec(), ImageSchema(1, 8, (), "none"), Pictures()))
    assert service.max_rows == 10_000
    _, body = ask(service, "/sample", {"num": 3, "seed": 1}, accept=ARROW)
    table = pa.ipc.open_stream(body).read_all()
    shape = json.loads(table.schema.field("image").metadata[b"shape"])
    images = np.stack(table["image"].to_numpy()).reshape(3, *shape)
    assert images.dtype == np.uint8 and shape == [8, 8]
    _, answer = ask(service, "/sample", {"num": 3, "seed": 1})
    assert np.array_equal(answer["columns"]["image"], images)
    black, white = np.zeros((8, 8), int).tolist(), np.full((8, 8), 255).tolist()
    _, answer = ask(service, "/cluster", {"columns": {"image": [black, white]}})
    assert answer["columns"]["cluster"] == [0, 1]
    for columns in ({"image": [[300]]}, {"picture": [black]}):
        assert ask(service, "/cluster", {"columns": columns})[0] == 400
    refused = ask(service, "/evaluate", {"columns": {"image": [black] * 100}})
    assert refused[0] == 400 and "scgan evaluate" in refused[1]["error"]
