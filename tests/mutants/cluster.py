"""One-line mutations of what a job asks of its cluster, waits for, and closes when it is ended."""

from __future__ import annotations

_CLUSTER, _TESTS = "ray_jobs/cluster/", "tests/ray_jobs/cluster/test_"
_NODES, _RESOURCES = _CLUSTER + "nodes.py", _CLUSTER + "resources.py"
_WAITING, _ENDING = _CLUSTER + "waiting.py", _CLUSTER + "ending.py"
_CARDS, _SESSION = _CLUSTER + "cards.py", _CLUSTER + "session.py"
_SETTINGS = "ray_jobs/tuning/settings.py"

_OF_NODES, _OF_ENDING = (_TESTS + "nodes.py",), (_TESTS + "ending.py",)
_OF_CARDS = (_TESTS + "cards.py::test_a_share_of_a_gpu_bounds_the_memory",)
_OF_JOBS = tuple(
    f"tests/ray_jobs/test_full_pipeline.py::test_{name}"
    for name in (
        "a_job_that_misses_its_data_is_told_what_is_uploaded",
        "the_database_of_a_job_never_lies_in_rays_copy",
    )
)

MUTANTS = [
    (_NODES, 'if node["Alive"]]', "]", _OF_NODES),
    (_NODES, "for node in there if HEAD_RESOURCE in node)", "for node in there)", _OF_NODES),
    (_NODES, '    kinds.pop(config["head_node_type"], None)\n', "", _OF_NODES),
    (_NODES, '-kind.get("priority", 0)', 'kind.get("priority", 0)', _OF_NODES),
    (_NODES, "    return workers[:most]", "    return workers", _OF_NODES),
    (_NODES, "found += min(held", "found += max(held", _OF_NODES),
    (_NODES, " + 1e-9)", ")", _OF_NODES),
    (_NODES, "found.get(ADDRESS) == address", "True", _OF_NODES),
    (_NODES, "names[launch.ray_node_type_name] += launch.count", "pass", _OF_NODES),
    (_NODES, "for launch in status.failed_launches[-1:]:", "for launch in ():", _OF_NODES),
    (_RESOURCES, "now = max(total(there,", "now = max(total(nodes,", _OF_NODES),
    (
        _RESOURCES,
        "return places(possible(), bundle)",
        "return places(present(), bundle)",
        _OF_NODES,
    ),
    (_RESOURCES, 'grown["CPU"] = resources.num_cpus', "pass", _OF_NODES),
    (_RESOURCES, "if held < len(bundles):", "if held <= len(bundles):", _OF_NODES),
    (_RESOURCES, 'total(possible(), "GPU"))', 'total(present(), "GPU"))', _OF_NODES),
    (_SETTINGS, "if self.workers == 1 else", "if True else", _OF_NODES),
    (_SETTINGS, "        if self.gpus is not None:", "        if self.gpus:", _OF_NODES),
    (_WAITING, "if not resources.unknown_growth and not", "if not", _OF_NODES),
    (_ENDING, "        if not _terminated.is_set():\n", "        if False:\n", _OF_ENDING),
    (_ENDING, "    except BaseException as end:", "    except SystemExit as end:", _OF_ENDING),
    (_ENDING, "        _terminated.clear()\n", "", _OF_ENDING),
    (_ENDING, "signal.signal(signal.SIGTERM, before)", "pass", _OF_ENDING),
    (_CARDS, "if 0 < share < 1 and", "if 0 < share and", _OF_CARDS),
    (_CARDS, "    keep_to_share()\n    return", "    return", _OF_CARDS),
    (_CARDS, "if not (ray.get_gpu_ids() and torch", "if not (torch", _OF_CARDS),
    (_SESSION, "if not (in_job() and", "if not (", _OF_JOBS),
    (_SESSION, "return results_folder() if", "return Path.cwd() if", _OF_JOBS),
]
