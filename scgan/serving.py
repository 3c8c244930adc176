"""A trained system as an MLflow model: a folder of its artifacts, and the code that samples. No pickle.

This module imports MLflow only in functions, so that reading and sampling a saved system needs none.
"""

import importlib
import inspect
import json
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from scgan import systems
from scgan.artifacts import Artifact, versions
from scgan.data.schema import Schema
from scgan.spec import Spec
from scgan.systems.base import Model

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 10_000_000

# What MLflow copies beside the weights and runs to load the model ("models from code"), instead of a pickle.
MODEL_CODE = """\
from mlflow.models import set_model

from scgan.serving import python_model

set_model(python_model())
"""

_MLFLOW_TYPES = {"b": "boolean", "f4": "float", "f2": "float", "f8": "double"}


@dataclass(frozen=True)
class TrainedSystem:
    """A trained system and the columns of its data.

    Args:
        spec: What was run.
        schema: From the model's standardised columns to the user's.
        model: Draws standardised samples.
        num_clusters: K, or None for a system without clusters.
    """

    spec: Spec
    schema: Schema
    model: Model
    num_clusters: int | None

    def sample(self, n: int, *, seed: int = 0, cluster: int | None = None) -> "pd.DataFrame":
        """Draw rows in the user's units, names and types.

        Args:
            n: How many, 1 to 10,000,000.
            seed: The same seed gives the same rows.
            cluster: Only from this cluster; None draws from all by their weights.

        Returns:
            A row a sample, a column a column of the data.

        Raises:
            ValueError: In one line, for a number of rows or a cluster that is not allowed.
        """
        import pandas as pd

        if not 1 <= n <= MAX_ROWS:
            raise ValueError(f"n is {n}, but must be 1 to {MAX_ROWS:,}; draw more in several calls")
        how = {} if cluster is None else {"cluster": self._checked(cluster)}
        x = self.model.sample(n, torch.Generator().manual_seed(seed), **how)
        return pd.DataFrame(self.schema.decode(x))

    def _checked(self, cluster: int) -> int:
        if self.num_clusters is None or "cluster" not in inspect.signature(self.model.sample).parameters:
            raise ValueError(f"cluster is {cluster}, but {self.spec.system} has no clusters; leave it out")
        if not 0 <= cluster < self.num_clusters:
            raise ValueError(f"cluster is {cluster}, but must be 0 to {self.num_clusters - 1}, or -1 for all")
        return cluster


def write_system(folder: Path, spec: Spec, schema: Schema, artifacts: Mapping[str, Artifact]) -> None:
    """Write a trained system into a folder: ``system.json`` and a safetensors file a stage.

    Args:
        folder: Made where it is missing.
        spec: What was run.
        schema: The data's columns.
        artifacts: Of each stage, by its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stage, artifact in artifacts.items():
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in artifact.tensors.items()}
        safetensors.torch.save_file(tensors, folder / f"{stage}.safetensors")
    meta = {stage: dict(artifact.meta) for stage, artifact in artifacts.items()}
    record = {"spec": spec.to_json(), "schema": schema.to_json(), "stages": meta, "versions": versions()}
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
    counts = next((a.tensors["counts"] for a in artifacts.values() if "counts" in a.tensors), None)
    schema = Schema.from_json(record["schema"])
    return TrainedSystem(spec, schema, model, None if counts is None else len(counts))


def num_rows(model_input: Any) -> int:
    """The number of rows that a caller asks for.

    Args:
        model_input: A number, or a table or mapping with one row and a column ``n``, or a list of one number.

    Returns:
        The number, of either sign.

    Raises:
        ValueError: In one line, for anything else.
    """
    import numpy as np
    import pandas as pd

    value = model_input
    if isinstance(value, pd.DataFrame | Mapping):
        if list(value) != ["n"]:
            given = ", ".join(map(str, value)) or "none"
            raise ValueError(f"the input has the columns {given}; it must have one: n, how many rows to draw")
        value = value["n"]
    values = np.asarray(value)
    if values.size != 1:
        raise ValueError(f"the input has {values.size} numbers; it must have one: n, how many rows to draw")
    n = values.reshape(()).item()
    if isinstance(n, bool) or not isinstance(n, int | float) or n != n // 1:
        raise ValueError(f"n is {n!r}, but must be a whole number, 1 to {MAX_ROWS:,}")
    return int(n)


def python_model() -> Any:
    """What MLflow calls: ``predict(n, params={"seed": 7, "cluster": 3})`` gives a table of n samples."""
    import pandas as pd
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import PythonModel

    class Sampler(PythonModel):
        def load_context(self, context: Any) -> None:
            self.system = read_system(Path(context.artifacts["system"]))

        # MLflow reads the hint of the input: with this one, and no schema, it hands on whatever it is given.
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
            given = {"seed": 0, "cluster": -1} | (params or {})
            cluster = None if given["cluster"] == -1 else given["cluster"]
            try:
                return self.system.sample(num_rows(model_input), seed=given["seed"], cluster=cluster)
            except ValueError as error:  # served, only MLflow's own errors reach the caller
                raise MlflowException.invalid_parameter_value(str(error)) from None

    return Sampler()


def save_model(
    folder: Path, spec: Spec, schema: Schema, artifacts: Mapping[str, Artifact], mlflow_model: Any = None
) -> None:
    """Write a trained system as an MLflow model.

    Args:
        folder: Must not exist.
        spec: What was run.
        schema: The data's columns.
        artifacts: Of each stage, by its name.
        mlflow_model: MLflow's description to fill in; a new one by default.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec
    from mlflow.types import Schema as MLflowSchema

    outputs = MLflowSchema([ColSpec(mlflow_type(column.dtype), column.name) for column in schema.columns])
    params = ParamSchema([ParamSpec("seed", "long", 0), ParamSpec("cluster", "long", -1)])
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_system(work / "system", spec, schema, artifacts)
        (work / "model.py").write_text(MODEL_CODE)
        _pyfunc().save_model(
            folder,
            python_model=str(work / "model.py"),
            artifacts={"system": str(work / "system")},
            signature=ModelSignature(None, outputs, params),
            input_example=({"n": [5]}, {"seed": 7}),
            pip_requirements=requirements(),
            mlflow_model=mlflow_model,
        )


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
    """What a model needs where it is served, at the versions it was made with."""
    from importlib.metadata import version

    packages = ("scgan", "mlflow", "torch", "numpy", "pandas", "pydantic", "safetensors")
    return [f"{package}=={version(package).partition('+')[0]}" for package in packages]
