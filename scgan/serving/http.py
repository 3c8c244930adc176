"""Requests over HTTP, in JSON and Arrow, without a server: what comes in, what goes out.

========  =======================  ================================================================
``POST``  ``/sample``              ``{"num": 100, "seed": 7, "cluster": 3}``; all but the number
                                   are the caller's choice
``POST``  ``/encode``              ``{"columns": {"x0": [..], ..}}``, or an Arrow stream; the codes
``POST``  ``/cluster``             likewise; each row's cluster, and its probability
``POST``  ``/evaluate``            likewise; how far the model's samples are from these rows
``GET``   ``/health``              200 once the model is loaded; needs no token
``GET``   ``/about``               the system, its data's columns and what can be chosen
``GET``   ``/metrics``             counts, for Prometheus
========  =======================  ================================================================

Answers are JSON, or an Arrow stream where ``Accept`` names
``application/vnd.apache.arrow.stream``. What a caller got wrong is a 4xx with a line that says it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scgan.data.tables.values import gapped, mask_of
from scgan.serving.service import Asked, Columns, Kind, Service

ARROW, JSON = "application/vnd.apache.arrow.stream", "application/json"
MAX_BYTES = 256_000_000  # of a request's body
ASKED: tuple[Kind, ...] = ("sample", "encode", "cluster", "evaluate")

Run = Callable[[Asked], Awaitable[Columns]]
"""Has a request answered, together with whatever else arrives."""


@dataclass(frozen=True)
class Answer:
    """What goes back: a status, a body and its type."""

    status: int
    body: bytes
    media_type: str = JSON


class Refused(Exception):
    """A request that gets no answer.

    Args:
        status: HTTP's.
        message: Why, in a line.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Front:
    """What is in front of a service.

    Args:
        service: The service.
        token: What callers must send as ``Authorization: Bearer ...``; empty for none.
        run: Has a request answered.
    """

    def __init__(self, service: Service, token: str, run: Run) -> None:
        self.service, self.token, self.run = service, token, run

    async def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer a request.

        Args:
            method: ``GET`` or ``POST``.
            path: After the server's address.
            headers: By lower-case name.
            body: As it came.
        """
        try:
            return await self._answer(method, path.strip("/"), headers, body)
        except Refused as error:
            return Answer(error.status, json.dumps({"error": str(error)}).encode())
        except ValueError as error:
            return Answer(400, json.dumps({"error": " ".join(str(error).split())}).encode())

    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if (method, path) == ("GET", "health"):
            return Answer(200, b'{"status": "ok"}')

        given = headers.get("authorization", "")
        if self.token and not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise Refused(401, "give the service's token: Authorization: Bearer TOKEN")

        if (method, path) == ("GET", "metrics"):
            text = self.service.counts.text()
            return Answer(200, text.encode(), "text/plain; version=0.0.4")

        if (method, path) == ("GET", "about"):
            return Answer(200, json.dumps(about(self.service)).encode())

        if path not in ASKED:
            raise Refused(404, f"no {path!r} here; there are {', '.join(ASKED)}, health, about")
        if method != "POST":
            raise Refused(405, f"{path} takes POST")
        if len(body) > MAX_BYTES:
            raise Refused(413, f"a request's body is at most {MAX_BYTES:,} bytes")

        asked = self._read(path, headers, body)
        return await asyncio.to_thread(self._write, await self.run(asked), headers)

    def _read(self, kind: Kind, headers: Mapping[str, str], body: bytes) -> Asked:
        media_type = headers.get("content-type", JSON).partition(";")[0].strip()
        if media_type not in (JSON, ARROW):
            raise Refused(415, f"{media_type!r} is not understood; send {JSON} or {ARROW}")
        if kind != "sample":
            return self.service.ask(kind, from_arrow(body) if media_type == ARROW else rows(body))

        given = _object(body)
        num, seed = given.pop("num", None), given.pop("seed", None)
        return self.service.ask_samples(num, seed, given)

    def _write(self, columns: Columns, headers: Mapping[str, str]) -> Answer:
        if ARROW in headers.get("accept", ""):
            own = {n: m for n, m in self.service.meanings.items() if n in columns}
            return Answer(200, to_arrow_stream(columns, own), ARROW)
        return Answer(200, json.dumps({"columns": plain(columns)}).encode())


def about(service: Service) -> dict[str, Any]:
    """What a caller must know of a service."""
    options = {o.name: {"meaning": o.meaning, "allowed": o.allowed} for o in service.model.options}
    return {
        "run": service.system.spec.run_id,
        "system": service.system.spec.system,
        "data": service.schema.summary,
        "columns": list(getattr(service.schema, "names", ("image",))),
        "options": options,
        "max_rows": service.max_rows,
    }


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise Refused(400, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise Refused(400, "the body must be a JSON object")
    return given


def rows(body: bytes) -> dict[str, np.ndarray]:
    """The rows of ``{"columns": {"x0": [1.5, null], ...}}``; null is no value."""
    columns = _object(body).get("columns")
    if not isinstance(columns, dict) or not all(isinstance(v, list) for v in columns.values()):
        raise Refused(400, 'give the rows as {"columns": {NAME: [VALUE, ...], ...}}')
    return {name: _array(name, values) for name, values in columns.items()}


def _array(name: str, values: list[Any]) -> np.ndarray:
    none = np.array([value is None for value in values])
    if none.any():
        there = next((value for value in values if value is not None), 0.0)
        values = [there if value is None else value for value in values]

    try:
        array = np.array(values)
    except ValueError:
        raise Refused(400, f"the values of {name!r} are not all of one kind") from None
    return gapped(array, none) if none.any() else array


def from_arrow(body: bytes) -> dict[str, np.ndarray]:
    """The rows of an Arrow stream."""
    import pyarrow as pa

    from scgan.data.tables.arrow import from_arrow as read

    try:
        raw = read(pa.ipc.open_stream(body).read_all())
    except (pa.ArrowException, OSError) as error:
        raise Refused(400, f"the body is no Arrow stream: {error}") from None
    columns = {}
    for name, values in raw.columns.items():
        texts = values.astype(str) if values.dtype == object else values
        columns[name] = gapped(texts, raw.missing[name]) if name in raw.missing else texts
    return columns


def to_arrow_stream(columns: Columns, meanings: Mapping[str, Any]) -> bytes:
    """Columns as an Arrow stream; codes and images are lists of one length, a row each."""
    import pyarrow as pa

    from scgan.data.tables.arrow import to_arrow

    fields, arrays = [], []
    for name, values in columns.items():
        if values.ndim == 1:
            table = to_arrow({name: values}, {n: m for n, m in meanings.items() if n == name})
            fields.append(table.schema.field(name))
            arrays.append(table.column(name).combine_chunks())
        else:
            length = int(np.prod(values.shape[1:]))
            arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), length))
            shape = {"shape": json.dumps(values.shape[1:])}
            fields.append(pa.field(name, arrays[-1].type, metadata=shape))

    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def plain(columns: Columns) -> dict[str, list[Any]]:
    """Columns as JSON has them: null where there is no value, times as text."""
    return {name: _plain(values) for name, values in columns.items()}


def _plain(values: np.ndarray) -> list[Any]:
    data, none = np.ma.getdata(values), mask_of(values)
    if data.dtype.kind == "f":
        none = none | np.isnan(data)
    if data.dtype.kind in "Mm":
        data = np.datetime_as_string(data) if data.dtype.kind == "M" else data.astype(np.int64)
    if none.any():
        data = data.astype(object)
        data[none] = None
    return list(data.tolist())
