"""The cluster files, without an account: Ray's schema, botocore's, moto's EC2, KubeRay's keys."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import boto3
import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

ROOT = Path(__file__).parents[1]
RAY_VERSION = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M).group(1)
ANY, TEXT, WHOLE, FLAG = object, str, int, bool


@pytest.fixture(scope="module")
def config():
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


@pytest.fixture(scope="module")
def job():
    return yaml.safe_load((ROOT / "docs" / "rayjob.yaml").read_text())


def nodes(config):
    return {name: kind["node_config"] for name, kind in config["available_node_types"].items()}


def test_rays_schema_takes_it(config):
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(config)
    validate_config(prepared)
    assert prepared["setup_commands"] == config["setup_commands"]  # else Ray's nightly wheel


def test_the_schema_would_see_a_mistake(config):
    from ray.autoscaler._private.util import validate_config

    with pytest.raises(Exception, match="idle_timeout_minute"):
        validate_config({**config, "idle_timeout_minute": 5})


def run_instances_shape():
    model = botocore.session.get_session().get_service_model("ec2")
    return model.operation_model("RunInstances").input_shape


def mistakes(node):
    request = {
        key: value for key, value in node.items() if key != "SubnetIds"
    }  # Ray's own: one of them a call
    request |= {"MinCount": 1, "MaxCount": 1}
    found = ParamValidator().validate(request, run_instances_shape())
    kinds = run_instances_shape().members["InstanceType"].enum
    return [found.generate_report()] * found.has_errors() + [node["InstanceType"]] * (
        node["InstanceType"] not in kinds
    )


def test_aws_would_take_each_node(config):
    for name, node in nodes(config).items():
        assert not mistakes(node), name
    node = nodes(config)["gpu_spot"]
    assert mistakes({**node, "InstanceTyp": "g6.xlarge"}) and mistakes(
        {**node, "InstanceType": "g6.xlarg"}
    )


def test_unsafe_defaults_are_overridden(config):
    workers = {
        name: kind
        for name, kind in config["available_node_types"].items()
        if name != config["head_node_type"]
    }
    for node in nodes(config).values():
        assert node["SecurityGroupIds"]  # else Ray makes one with SSH open to the world
        assert node["MetadataOptions"]["HttpTokens"] == "required"
        assert all(disk["Ebs"]["Encrypted"] for disk in node["BlockDeviceMappings"])
    profiles = {name: node["IamInstanceProfile"]["Name"] for name, node in nodes(config).items()}
    assert profiles == {
        "head": "scgan-head",
        "gpu_spot": "scgan-worker",
        "gpu_on_demand": "scgan-worker",
    }
    assert config["available_node_types"]["head"]["resources"] == {"CPU": 0}
    assert "InstanceMarketOptions" not in nodes(config)["head"]
    assert all(
        kind["min_workers"] == 0 and kind["resources"]["GPU"] == 1 for kind in workers.values()
    )
    assert nodes(config)["gpu_spot"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert workers["gpu_spot"]["priority"] > workers["gpu_on_demand"]["priority"]
    assert "--env=RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    (start,) = (line for line in config["head_start_ray_commands"] if "ray start" in line)
    assert "--dashboard-host=127.0.0.1" in start
    assert config["provider"]["cache_stopped_nodes"] is False and config["idle_timeout_minutes"] > 0


def test_one_ray_everywhere(config, job):
    images = [config["docker"]["image"], config["docker"]["head_image"], *images_of(job)]
    assert all(f"-ray{RAY_VERSION}-" in image.rpartition(":")[2] for image in images)
    assert images_of(job) == {config["docker"]["image"]}
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == RAY_VERSION
    import ray

    assert ray.__version__ == RAY_VERSION


def test_what_is_shipped_is_there_and_holds_no_secret(config):
    assert list(config["file_mounts"]) == ["~/.ray/auth_token"]  # from whatever folder
    assert not [line for line in config["setup_commands"] if "install" in line]  # the image has it
    shipped = ("rayjob.yaml", "iam-head.json", "iam-worker.json", "mlflow-server.yaml")
    for path in ("cluster.yaml", "Dockerfile", *(f"docs/{name}" for name in shipped)):
        text = (ROOT / path).read_text()
        assert not re.search(
            r"AKIA|ASIA|aws_secret|BEGIN .*KEY|[0-9a-f]{40}|://[^/\s]+:[^/\s]+@", text, re.I
        ), path
        for number in re.findall(r"arn:aws:[a-z0-9]+:[a-z0-9-]*:(\d+)", text):
            assert number == "123456789012"  # the documentation's own


@pytest.fixture
def aws(config, monkeypatch, tmp_path):
    """moto's EC2 and IAM in this process, with key, networks, profiles; the file with their ids."""
    from moto import mock_aws
    from ray.autoscaler._private.aws import utils

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    with mock_aws():
        for cached in (utils.resource_cache, utils.client_cache):
            cached.cache_clear()
        ec2, iam = boto3.client("ec2", "us-east-1"), boto3.client("iam")
        network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(
            VpcId=network, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a"
        )
        ec2.modify_subnet_attribute(
            SubnetId=subnet["Subnet"]["SubnetId"], MapPublicIpOnLaunch={"Value": True}
        )
        group = ec2.create_security_group(GroupName="scgan", Description="-", VpcId=network)[
            "GroupId"
        ]
        image = ec2.describe_images()["Images"][0]["ImageId"]
        for name in ("scgan-head", "scgan-worker"):
            iam.create_instance_profile(InstanceProfileName=name)
        for node in nodes(config).values():
            node |= {
                "SubnetIds": [subnet["Subnet"]["SubnetId"]],
                "SecurityGroupIds": [group],
                "ImageId": image,
            }
        yield ec2
        for cached in (utils.resource_cache, utils.client_cache):
            cached.cache_clear()


def running(ec2):
    found = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    return {i["InstanceId"]: i for i in found if i["State"]["Name"] == "running"}


def test_rays_aws_provider_starts_and_ends_head_and_spot_worker(aws, config):
    from ray.autoscaler._private.providers import _get_node_provider
    from ray.autoscaler._private.util import prepare_config
    from ray.autoscaler.node_provider import NodeProvider
    from ray.autoscaler.tags import TAG_RAY_NODE_KIND, TAG_RAY_USER_NODE_TYPE

    groups = len(aws.describe_security_groups()["SecurityGroups"])
    prepared = prepare_config(config)
    provider = _get_node_provider(prepared["provider"], prepared["cluster_name"], use_cache=False)
    ready = provider.bootstrap_config(prepared)
    assert len(aws.describe_security_groups()["SecurityGroups"]) == groups
    assert not boto3.client("iam").list_roles()["Roles"]  # Ray's own would have all of EC2 and S3
    provider = _get_node_provider(ready["provider"], ready["cluster_name"], use_cache=False)
    assert isinstance(provider, NodeProvider)
    for kind, name in (("head", "head"), ("worker", "gpu_spot")):
        tags = {TAG_RAY_NODE_KIND: kind, TAG_RAY_USER_NODE_TYPE: name}
        provider.create_node(dict(nodes(ready)[name]), tags, 1)
    (head,) = provider.non_terminated_nodes({TAG_RAY_NODE_KIND: "head"})
    (worker,) = provider.non_terminated_nodes({TAG_RAY_NODE_KIND: "worker"})
    up = running(aws)
    assert up[worker]["InstanceLifecycle"] == "spot" and "InstanceLifecycle" not in up[head]
    assert (up[head]["InstanceType"], up[worker]["InstanceType"]) == ("m6i.xlarge", "g6.xlarge")
    assert up[worker]["IamInstanceProfile"]["Arn"].endswith("scgan-worker")
    assert up[head]["MetadataOptions"]["HttpTokens"] == "required"
    provider.terminate_nodes([head, worker])
    assert not running(aws)


# Instead of ssh and rsync: writes down what would run where, and answers what Ray reads.
REMOTE = """#!/bin/sh
echo "$(basename "$0") $*" | tr '\\n' ' ' >> "$REMOTE_LOG"; echo >> "$REMOTE_LOG"
case "$*" in
    *"command -v docker"*) echo docker ;;
    *"printenv HOME"*) echo /home/ray ;;
    *"json .Config.Env"*) echo '["HOME=/home/ray"]' ;;
esac
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that Ray leaves open
def test_ray_up_sets_the_head_up_in_order_and_shows_no_token(aws, config, monkeypatch, tmp_path):
    from ray.autoscaler._private.commands import create_or_update_cluster

    for name in ("ssh", "rsync"):
        (tmp_path / name).write_text(REMOTE)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("REMOTE_LOG", str(tmp_path / "log"))
    token = "5ca1ab1e" * 8
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(token)
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)  # from any folder
    create_or_update_cluster(
        str(tmp_path / "cluster.yaml"), None, None, False, False, yes=True, no_config_cache=True
    )

    (head,) = running(aws).values()
    assert {"Key": "ray-node-status", "Value": "up-to-date"} in head["Tags"]
    lines = (tmp_path / "log").read_text().splitlines()
    image = config["docker"]["head_image"]
    steps = [
        "uptime",
        "rsync .*auth_token",
        f"docker pull {image}",
        f"docker run .*{image}",
        "chmod 600 .*auth_token",
    ]
    steps += ["ray stop"]
    steps += ["ray start --head .*--dashboard-host=127.0.0.1"]
    found = [next(i for i, line in enumerate(lines) if re.search(step, line)) for step in steps]
    assert found == sorted(found)
    (start,) = (line for line in lines if "docker run" in line)
    for option in ("RAY_AUTH_MODE=token", "SCGAN_STORE=s3://", "MLFLOW_TRACKING_URI=http://"):
        assert f"--env={option}" in start
    assert all(f"ubuntu@{head['PublicIpAddress']}" in line for line in lines)
    assert not [line for line in lines if token in line]


@pytest.mark.parametrize("name", ["head", "worker"])
def test_a_node_may_do_what_it_needs_and_no_more(name):
    policy = json.loads((ROOT / "docs" / f"iam-{name}.json").read_text())
    for statement in policy["Statement"]:
        actions = (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
        assert statement["Effect"] == "Allow" and not [
            action for action in actions if "*" in action
        ]
        if any(not action.startswith("ec2:Describe") for action in actions):
            assert statement["Resource"] != "*"
        if any(action.startswith("s3:") for action in actions):
            limited = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix") == [
                "scgan",
                "scgan/*",
            ]
            assert limited or statement["Resource"] == "arn:aws:s3:::example-bucket/scgan/*"
        if "iam:PassRole" in actions:
            assert statement["Resource"].endswith("role/scgan-worker")
    allowed = {
        action
        for s in policy["Statement"]
        for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
    }
    assert {"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"} <= allowed
    assert ("ec2:RunInstances" in allowed) == (name == "head")


# Keys and types of KubeRay's v1 RayJob, as far as the manifest needs them; pods are Kubernetes'
# own.
CONTAINER = {
    "name": TEXT,
    "image": TEXT,
    "env": [{"name": TEXT, "value": TEXT}],
    "securityContext": ANY,
    "resources": ANY,
}
POD = {
    "spec": {
        "serviceAccountName": TEXT,
        "securityContext": ANY,
        "nodeSelector": ANY,
        "tolerations": [ANY],
        "containers": [CONTAINER],
    }
}
HEAD = {"rayStartParams": ANY, "template": POD, "serviceType": TEXT}
WORKERS = {
    "groupName": TEXT,
    "replicas": WHOLE,
    "minReplicas": WHOLE,
    "maxReplicas": WHOLE,
    "priority": WHOLE,
    "idleTimeoutSeconds": WHOLE,
    "rayStartParams": ANY,
    "template": POD,
}
CLUSTER = {
    "rayVersion": TEXT,
    "enableInTreeAutoscaling": FLAG,
    "autoscalerOptions": {
        "version": ("v1", "v2"),
        "idleTimeoutSeconds": WHOLE,
        "upscalingMode": TEXT,
    },
    "authOptions": {"mode": ("disabled", "token"), "secretName": TEXT},
    "headGroupSpec": HEAD,
    "workerGroupSpecs": [WORKERS],
}
RAYJOB = {
    "apiVersion": ("ray.io/v1",),
    "kind": ("RayJob",),
    "metadata": {"name": TEXT},
    "spec": {
        "entrypoint": TEXT,
        "submissionMode": ("K8sJobMode", "HTTPMode", "SidecarMode"),
        "shutdownAfterJobFinishes": FLAG,
        "ttlSecondsAfterFinished": WHOLE,
        "activeDeadlineSeconds": WHOLE,
        "backoffLimit": WHOLE,
        "rayClusterSpec": CLUSTER,
    },
}


def misfits(value, shape, where="job"):
    """Where a manifest has a key or a type that the shape has not."""
    if isinstance(shape, dict):
        unknown = [f"{where}.{key}" for key in value if key not in shape]
        return unknown + [
            m
            for key in value
            if key in shape
            for m in misfits(value[key], shape[key], f"{where}.{key}")
        ]
    if isinstance(shape, list):
        return [
            m
            for number, item in enumerate(value)
            for m in misfits(item, shape[0], f"{where}[{number}]")
        ]
    if isinstance(shape, tuple):
        return [where] * (value not in shape)
    return [where] * (type(value) is not shape and shape is not ANY)


def images_of(job):
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return {
        container["image"]
        for group in groups
        for container in group["template"]["spec"]["containers"]
    }


def test_the_manifest_has_kuberays_keys_and_types(job):
    assert misfits(job, RAYJOB) == []
    job = yaml.safe_load((ROOT / "docs" / "rayjob.yaml").read_text())
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][1]["minReplica"] = 0
    job["spec"]["submissionMode"] = "Foo"
    job["spec"]["rayClusterSpec"]["rayVersion"] = 2.6
    assert misfits(job, RAYJOB) == [
        "job.spec.submissionMode",
        "job.spec.rayClusterSpec.rayVersion",
        "job.spec.rayClusterSpec.workerGroupSpecs[1].minReplica",
    ]


def test_the_manifest_is_the_same_cluster(config, job):
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"} and cluster["enableInTreeAutoscaling"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    most = {
        group["groupName"].replace("-", "_"): group["maxReplicas"]
        for group in cluster["workerGroupSpecs"]
    }
    kinds = config["available_node_types"]
    assert most == {name: kind["max_workers"] for name, kind in kinds.items() if name != "head"}
    assert all(
        group["minReplicas"] == 0 == group["replicas"] for group in cluster["workerGroupSpecs"]
    )
    for group in cluster["workerGroupSpecs"]:
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert {entry["name"] for entry in container["env"]} == {
            "SCGAN_STORE",
            "MLFLOW_TRACKING_URI",
        }
