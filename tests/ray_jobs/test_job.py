"""The main job as it is submitted to a cluster: results, logs, failures, what is shipped."""

from __future__ import annotations

import fnmatch
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scgan.store.artifacts import ArtifactStore

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 4096)
TOY = ("--data", "ring", "--data.num_train", 600, "--data.num_test", 400, "--seed", 2)
TINY = (*TOY, "--preset", "smoke", "--clusters.num_clusters", 4, *SHORT)


def submit(ray_head, *words):
    command = [
        *(
            str(Path(sys.executable).parent / "ray"),
            "job",
            "submit",
            "--address",
            ray_head.dashboard,
        ),
        *(
            "--working-dir",
            ".",
            "--",
            sys.executable,
            "ray_jobs/full_pipeline.py",
            *map(str, words),
        ),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240)
    return done.returncode, done.stdout + done.stderr


def contents(store):
    """Keys, and the hashes in the names of their tensors' files, less what is one write's own."""
    artifacts = Path(store) / "artifacts"
    names = {
        key: [path.name for path in (artifacts / key).iterdir()]
        for key in ArtifactStore(str(store)).keys()
    }
    return {key: sorted(name.rpartition("-")[0] for name in files) for key, files in names.items()}


@pytest.mark.slow
def test_a_job_ends_as_a_local_run_does_with_results_that_stay(
    ray_head, scgan_command, tmp_path, monkeypatch
):
    code, log = submit(ray_head, *TINY, "--store", "runs-of-a-job")
    assert code == 0, log
    store = Path.home() / "scgan" / "runs-of-a-job"
    (report,) = store.glob("scgan-ring-*/report.html")
    run = report.parent.name
    assert f"report:  {report}" in log and f"scgan sample {run} --store {store}" in log
    assert (
        f"mlflow ui --backend-store-uri sqlite:///{store}/mlflow.db" in log
        and (store / "mlflow.db").exists()
    )
    assert "sliced_wasserstein" in log and "encode: done in" in log

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    said = scgan_command("fit", *TINY, "--store", tmp_path)
    assert said.code == 0, said.err
    assert contents(tmp_path) == contents(store) and len(contents(store)) == 6
    assert (tmp_path / run / "report.html").exists()

    start = time.monotonic()
    code, log = submit(ray_head, *TINY, "--store", "runs-of-a-job", "--json")
    assert code == 0 and '"trained": []' in log and time.monotonic() - start < 40


@pytest.mark.slow
def test_a_job_with_wrong_input_fails_with_one_line(ray_head):
    code, log = submit(ray_head, "--data", "chekerboard")
    assert code != 0 and "failed" in log
    assert (
        len([line for line in log.splitlines() if "error: unknown data 'chekerboard'" in line]) >= 1
    )
    assert "Traceback" not in log


def test_neither_git_nor_environment_nor_results_are_shipped():
    ignored = (ROOT / ".rayignore").read_text().split()
    for name in (
        ".git/",
        ".venv/",
        "runs/",
        "mlruns/",
        "mlartifacts/",
        "__pycache__/",
        ".mypy_cache/",
        ".pytest_cache/",
    ):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in ignored), name
    kept = ["scgan", "ray_jobs", "pyproject.toml", "scgan/report/templates"]
    kept += ["table.parquet", "images.npz", "rows.csv"]  # a job's data, where it lies in its folder
    assert not [
        name for name in kept for pattern in ignored if fnmatch.fnmatch(name, pattern.rstrip("/"))
    ]


def test_what_is_shipped_is_small(ray_head):
    """By Ray's own count of the package that the first job here shipped."""
    from ray._private.runtime_env.packaging import create_package, get_excludes_from_ignore_files

    excludes = get_excludes_from_ignore_files(ROOT, include_gitignore=True)
    assert excludes
    package = Path(ROOT.anchor) / "tmp" / f"package-{time.time_ns()}.zip"
    try:
        create_package(str(ROOT), package, include_gitignore=True)
        assert package.stat().st_size < 3_000_000
    finally:
        package.unlink(missing_ok=True)
