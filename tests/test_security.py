"""No open door: tokens are asked for, ports are closed, secrets stay where they were."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "hush-aws-0123456789",
    "AWS_SESSION_TOKEN": "hush-session-0123456789",
    "RAY_AUTH_TOKEN": "hush-ray-0123456789abcdef0123456789abcdef",
}
SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 4096)
TINY = (
    "--data",
    "ring",
    "--data.num_train",
    600,
    "--data.num_test",
    400,
    "--preset",
    "smoke",
    *SHORT,
)

LISTEN = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ray_jobs.cluster.session import connect
import psutil, ray

assert connect()
ray.get(ray.remote(lambda: 1).remote())
me = psutil.Process()
found = [
    (process.name(), connection.laddr.ip)
    for process in (me, *me.children(recursive=True))
    for connection in process.net_connections("inet")
    if connection.status == psutil.CONN_LISTEN
]
ray.shutdown()
print(json.dumps(found))
"""


@pytest.mark.ray
def test_a_private_ray_listens_on_loopback_alone():
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64}
    said = subprocess.run(
        [sys.executable, "-c", LISTEN, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout.splitlines()[-1])
    assert {"gcs_server", "raylet"} <= {name for name, _ in found}
    assert {ip.removeprefix("::ffff:") for _, ip in found} == {"127.0.0.1"}


@pytest.fixture(scope="module")
def guarded_head(another_head, tmp_path_factory):
    """A head that asks for a token, beside the session's that does not: its dashboard's address."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "token").write_text(SECRETS["RAY_AUTH_TOKEN"])
    settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
    with another_head(folder / "head.log", "--num-cpus=1", **settings) as head:
        yield head.dashboard


def ask(url, token=None, body=None):
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.ray
def test_a_job_without_the_token_is_refused(guarded_head, tmp_path):
    witness = tmp_path / "ran"
    job = {"entrypoint": f"touch {witness}"}
    jobs = f"{guarded_head}/api/jobs/"
    assert ask(jobs, body=job) == 401 and ask(jobs) == 401
    assert ask(jobs, "b" * 64, body=job) == 403
    assert not witness.exists()
    until(lambda: ask(jobs, SECRETS["RAY_AUTH_TOKEN"], body=job) == 200)  # once its agent is up
    until(witness.exists)


def until(done):
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)


def calls(tree):
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


def test_nothing_reads_a_pickle():
    """By the code: no pickle module, torch and numpy only with pickles off, no Tune restore."""
    for path in [*(ROOT / "scgan").rglob("*.py"), *(ROOT / "ray_jobs").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {
                    "pickle",
                    "cloudpickle",
                    "joblib",
                    "dill",
                    "marshal",
                    "shelve",
                }, path
        for call in calls(tree):
            name = f"{getattr(call.func.value, 'id', '')}.{call.func.attr}"
            off = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
            assert name != "torch.load" or off.get("weights_only") is True, path
            assert name != "np.load" or off.get("allow_pickle") is False, path
            assert name not in {"Tuner.restore", "pd.read_pickle"}, path


@pytest.fixture
def secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def holding_secrets(texts):
    return [where for where, text in texts.items() if b"hush-" in text]


def test_keys_and_tokens_are_in_no_output_store_or_mlflow(
    secrets, mlflow_here, scgan_command, tmp_path, monkeypatch
):
    """A run on S3 with secrets in its environment, and one that fails: every byte they wrote."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("SCGAN_STORE", "s3://bucket/runs")
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        good = scgan_command("fit", *TINY, "--clusters.num_clusters", 4)
        assert good.code == 0, good.err
        bad = scgan_command(
            "fit", *TINY, "--clusters.num_clusters", 4, "--encoder.learning_rate", "1e30"
        )
        assert bad.code == 1
        names = [entry["Key"] for entry in client.list_objects_v2(Bucket="bucket")["Contents"]]
        texts = {
            name: client.get_object(Bucket="bucket", Key=name)["Body"].read() for name in names
        }
    finally:
        server.stop()
    assert any(name.endswith("report.html") for name in texts)
    texts |= {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert str(tmp_path / "mlflow.db") in texts
    texts |= {name: getattr(said, name).encode() for said in (good, bad) for name in ("out", "err")}
    assert holding_secrets(texts) == []
    assert holding_secrets({"x": b".. hush-aws"}) == ["x"]


@pytest.mark.ray
def test_keys_and_tokens_are_in_no_job_record_or_log(guarded_head, tmp_path):
    """Submitted as the README says, by a shell with secrets in its environment."""
    environment = {**os.environ, **SECRETS, "RAY_AUTH_MODE": "token"}
    code = "import os, ray; ray.init(log_to_driver=False); print(sorted(os.environ)[:0], 'ran')"
    (tmp_path / "job.py").write_text(code)
    command = [
        *(str(Path(sys.executable).parent / "ray"), "job", "submit", "--address", guarded_head),
        *("--working-dir", str(tmp_path), "--", sys.executable, "job.py"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert said.returncode == 0 and "ran" in said.stdout, said.stdout + said.stderr
    request = urllib.request.Request(f"{guarded_head}/api/jobs/")
    request.add_header("Authorization", f"Bearer {SECRETS['RAY_AUTH_TOKEN']}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        record = answer.read()
    assert b"job.py" in record
    assert (
        holding_secrets(
            {"record": record, "out": said.stdout.encode(), "err": said.stderr.encode()}
        )
        == []
    )
