"""What importing brings in: neither Ray nor MLflow nor anything slow."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import scgan

PACKAGE = Path(scgan.__file__).parent
MODULES = sorted(module.name for module in pkgutil.walk_packages([str(PACKAGE)], "scgan."))
FAR = {"ray", "mlflow", "optuna", "boto3", "botocore"}
SLOW = {"sklearn", "pandas", "pyarrow", "matplotlib", "scipy"}

MEASURE = """
import json, sys, time
start = time.perf_counter()
import scgan
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted({name.partition(".")[0] for name in sys.modules})]))
"""

BLOCKED = """
import importlib, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Block())
failed = []
for name in {modules}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append(f"{{name}}: {{error}}")
print(failed)
assert not failed
"""


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_importing_scgan_is_quick_and_brings_nothing_far():
    measured = [json.loads(python(MEASURE)) for _ in range(3)]
    assert min(seconds for seconds, _ in measured) < 2.5
    assert not (FAR | SLOW) & set(measured[0][1])


def test_the_command_line_is_there_without_anything_slow():
    code = MEASURE.replace(
        "import scgan\n", "import scgan.cli.main, scgan.pipeline.run, scgan.systems.scgan\n"
    )
    assert not (FAR | SLOW) & set(json.loads(python(code))[1])


def test_every_module_imports_without_ray_mlflow_optuna_and_boto3():
    assert len(MODULES) > 40
    python(BLOCKED.format(blocked=FAR, modules=MODULES))


def test_scgan_never_imports_ray():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                names = [node.module]
            for name in names:
                assert name.partition(".")[0] not in {"ray", "ray_jobs"}, f"{path} imports {name}"


def test_far_packages_are_imported_only_where_they_are_used():
    """Nor is scikit-learn, at the top of a module; the estimator is asked for, and may."""
    for path in PACKAGE.rglob("*.py"):
        if "estimator" in path.parts:
            continue
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & (FAR | SLOW), f"{path}: {names}"
