"""A trained system as an MLflow model: a folder of its artifacts and the code that samples.

No pickle. This module imports MLflow only in functions, so that reading and sampling a saved
system needs none.
"""

import importlib
import json
import secrets
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from scgan import systems
from scgan.capabilities import Model, Option, choose
from scgan.data.images.schema import ImageSchema, schema_from_json
from scgan.data.tables.frames import to_pandas
from scgan.data.tables.schema import Schema
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, versions

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MAX_ROWS, MAX_IMAGES = 10_000_000, 100_000
MAX_ROWS_SERVED, MAX_IMAGES_SERVED = 1_000_000, 10_000  # of a call: seconds, tens of megabytes
ABSENT_SEED = -1  # the plain value that stands for none given

# What MLflow copies beside the weights and runs to load the model ("models from code"), instead of
# a pickle.
MODEL_CODE = """\
from mlflow.models import set_model

from scgan.tracking.model import python_model

set_model(python_model())
"""

_MLFLOW_TYPES = {
    **{"b": "boolean", "f4": "float", "f2": "float", "f8": "double"},
    **{"U": "string", "M": "datetime", "m": "long"},
}


@dataclass(frozen=True)
class TrainedSystem:
    """A trained system and what its data is.

    Args:
        spec: What was run.
        schema: From what the model draws to the user's columns, or to pixels.
        model: Draws standardised rows, or images in [-1, 1].
    """

    spec: Spec
    schema: Schema | ImageSchema
    model: Model

    @property
    def most_served(self) -> int:
        """Rows or images of a call over HTTP, at most."""
        return MAX_ROWS_SERVED if isinstance(self.schema, Schema) else MAX_IMAGES_SERVED

    def sample(self, n: int, *, seed: int = 0, **options: Any) -> "pd.DataFrame | np.ndarray":
        """Draw rows in the user's units, names and types, or images.

        Args:
            n: How many, 1 to 10,000,000 rows or 100,000 images.
            seed: The same seed gives the same samples.
            **options: What the model lets choose, by ``model.options``.

        Returns:
            A row a sample, a column a column of the data; or uint8, ``[n, H, W, C]``.

        Raises:
            ValueError: In one line, for a number or an option that is not allowed.
        """
        most = MAX_ROWS if isinstance(self.schema, Schema) else MAX_IMAGES
        if not 1 <= n <= most:
            raise ValueError(f"n is {n}, but must be 1 to {most:,}; draw more in several calls")

        generator = torch.Generator().manual_seed(seed)
        x = self.model.sample(n, generator, **choose(self.model, options))
        if isinstance(self.schema, Schema):
            return to_pandas(self.schema.decode(x), self.schema.meanings)

        size = self.schema.size
        return self.schema.decode(x).reshape(n, size, size, self.schema.channels)


def write_system(
    folder: Path, spec: Spec, schema: Schema | ImageSchema, artifacts: Mapping[str, Artifact]
) -> None:
    """Write a trained system into a folder: ``system.json`` and a safetensors file a stage.

    Args:
        folder: Made where it is missing.
        spec: What was run.
        schema: Of the data.
        artifacts: Of each stage, by its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stage, artifact in artifacts.items():
        tensors = {
            name: tensor.detach().cpu().contiguous() for name, tensor in artifact.tensors.items()
        }
        safetensors.torch.save_file(tensors, folder / f"{stage}.safetensors")

    meta = {stage: dict(artifact.meta) for stage, artifact in artifacts.items()}
    record = {
        "spec": spec.to_json(),
        "schema": schema.to_json(),
        "stages": meta,
        "versions": versions(),
    }

    (folder / "system.json").write_text(json.dumps(record, indent=1, allow_nan=False))


def read_system(folder: Path) -> TrainedSystem:
    """The system that :func:`write_system` wrote, on the CPU."""
    record = json.loads((folder / "system.json").read_text())
    spec = Spec.from_json(record["spec"])
    artifacts = {
        stage: Artifact(safetensors.torch.load_file(folder / f"{stage}.safetensors"), meta)
        for stage, meta in record["stages"].items()
    }
    model = systems.load(spec.system).model(spec.config, artifacts, torch.device("cpu"))
    return TrainedSystem(spec, schema_from_json(record["schema"]), model)


def python_model() -> Any:
    """What MLflow calls: ``predict({"n": [5]}, params={"seed": 7, "cluster": 3})`` gives samples.

    They are a table, or images as uint8, ``[n, H, W, C]``. A row of the input is a request; the
    samples of all come one after another. A column beside ``n`` is a choice of its row's; params,
    a seed and the model's options, are choices of all. A plain value stands for none given (-1,
    or no text), and samples without a seed are others each time.
    """
    import numpy as np
    import pandas as pd
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import PythonModel

    class Sampler(PythonModel):
        def load_context(self, context: Any) -> None:
            self.system = read_system(Path(context.artifacts["system"]))
            answer_quickly()

        # MLflow reads the hint of the input.
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
            requests = [{**(params or {}), **row} for row in model_input.to_dict("records")]
            try:
                drawn = self._draw([self._given(request) for request in requests])
            except ValueError as error:  # served, only MLflow's own errors reach the caller
                raise MlflowException.invalid_parameter_value(str(error)) from None
            if isinstance(drawn[0], pd.DataFrame):
                return pd.concat(drawn, ignore_index=True) if len(drawn) > 1 else drawn[0]
            return np.concatenate(drawn)

        def _given(self, request: Mapping[str, Any]) -> dict[str, Any]:
            """What a request chooses, without what stands for nothing."""
            options = self.system.model.options
            absent = {"seed": ABSENT_SEED} | {option.name: option.absent for option in options}
            return {
                name: value
                for name, value in request.items()
                if not (name in absent and (value == absent[name] or value != value))
            }

        def _draw(self, requests: Sequence[dict[str, Any]]) -> list[Any]:
            total = sum(request["n"] for request in requests)
            most = self.system.most_served
            if not 1 <= total <= most:
                raise ValueError(
                    f"n is {total}, but must be 1 to {most:,} in a call; draw more in several calls"
                )
            return [
                self.system.sample(**{"seed": secrets.randbits(63), **request})
                for request in requests
            ]

    return Sampler()


def answer_quickly() -> None:
    """Have MLflow's server, if this process is one, write answers by Python's fast encoder.

    Its own call writes the same text piece by piece, a second for 100,000 rows.
    """
    import numpy as np
    import pandas as pd

    server: Any = sys.modules.get("mlflow.pyfunc.scoring_server")
    usual = getattr(server, "predictions_to_json", None)
    if usual is None or hasattr(usual, "usual"):
        return

    def predictions_to_json(raw_predictions: Any, output: Any, metadata: Any = None) -> Any:
        if metadata or not isinstance(raw_predictions, pd.DataFrame | np.ndarray):
            return usual(raw_predictions, output, metadata)
        if isinstance(raw_predictions, pd.DataFrame):
            names = list(raw_predictions)
            rows = zip(*(raw_predictions[name].tolist() for name in names), strict=True)
            told = [dict(zip(names, row, strict=True)) for row in rows]
        else:
            told = raw_predictions.tolist()
        return output.write(json.dumps({"predictions": told}, cls=server.NumpyEncoder))

    predictions_to_json.usual = usual  # type: ignore[attr-defined]
    server.predictions_to_json = predictions_to_json


def save_model(
    folder: Path,
    spec: Spec,
    schema: Schema | ImageSchema,
    artifacts: Mapping[str, Artifact],
    mlflow_model: Any = None,
) -> None:
    """Write a trained system as an MLflow model.

    Args:
        folder: Must not exist.
        spec: What was run.
        schema: Of the data.
        artifacts: Of each stage, by its name.
        mlflow_model: MLflow's description to fill in; a new one by default.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_system(work / "system", spec, schema, artifacts)
        (work / "model.py").write_text(MODEL_CODE)

        _pyfunc().save_model(
            folder,
            python_model=str(work / "model.py"),
            artifacts={"system": str(work / "system")},
            signature=_signature(schema, read_system(work / "system").model.options),
            input_example=({"n": [5]}, {"seed": 7}),
            pip_requirements=requirements(),
            code_paths=[str(Path(systems.__file__).parents[1])],  # it is on no index
            mlflow_model=mlflow_model,
        )


def _signature(schema: Schema | ImageSchema, options: Sequence[Option]) -> Any:
    """What ``predict`` takes, a number and by row or call a seed and options; what it returns."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, TensorSpec
    from mlflow.types import Schema as MLflowSchema

    if isinstance(schema, Schema):
        columns = [
            ColSpec(mlflow_type(c.dtype), c.name, required=c.gaps is None) for c in schema.columns
        ]
        outputs = MLflowSchema(columns)
    else:
        shape = (-1, schema.size, schema.size, schema.channels)
        outputs = MLflowSchema([TensorSpec(np.dtype("uint8"), shape)])

    chosen: list[tuple[str, str, int | str]] = [("seed", "long", ABSENT_SEED)]
    chosen += [(option.name, option.scalar, option.absent) for option in options]
    own = [ColSpec(kind, name, required=False) for name, kind, _ in chosen]
    params = ParamSchema([ParamSpec(*each) for each in chosen])
    return ModelSignature(MLflowSchema([ColSpec("long", "n"), *own]), outputs, params)


def _pyfunc() -> Any:
    """MLflow's module, whose import warns of type hints in its own code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
        return importlib.import_module("mlflow.pyfunc")


def mlflow_type(dtype: str) -> str:
    """MLflow's name of the type that holds numpy's ``dtype``."""
    import numpy as np

    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return "integer" if kind.itemsize < 4 or dtype == "int32" else "long"
    return _MLFLOW_TYPES[kind.str[1:] if kind.kind == "f" else kind.kind]


def requirements() -> list[str]:
    """What a model needs beside its own code where it is served, at the versions of now."""
    from importlib.metadata import version

    packages = (
        *("torch", "safetensors", "numpy", "pandas", "pyarrow"),
        *("pydantic", "typing-extensions", "mlflow"),
    )
    return [f"{package}=={version(package).partition('+')[0]}" for package in packages]
