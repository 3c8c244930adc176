"""One-line mutations of what a fit owes the device it runs on, and of the benchmark of a GPU."""

from __future__ import annotations

_STATE, _RUNTIME = "scgan/training/state.py", "scgan/training/runtime.py"
_BACKEND, _AUGMENT = "ray_jobs/cluster/backend.py", "scgan/data/images/augment.py"
_LLOYD = "scgan/clustering/lloyd.py"
_GPU, _RATES = "ray_jobs/benchmarks/gpu.py", "ray_jobs/benchmarks/rates.py"

_DEVICES = ("tests/training/test_devices.py",)
_ROUNDS = ("tests/clustering/test_lloyd.py",)
_CHOICE = ("tests/ray_jobs/cluster/test_backend.py",)
_PARTS = ("tests/ray_jobs/benchmarks/test_gpu.py",)
_BF16 = ("tests/gpu/test_device.py::test_bf16_is_another_artifact_near_the_first",)
_DECODER = (
    "tests/stages/tables/test_decoding.py"
    "::test_the_decoder_is_trained_in_the_precision_that_is_set",
)
_DECIDED = (
    "tests/data/images/test_augment.py"
    "::test_what_is_decided_once_a_batch_has_a_generator_of_its_own",
)
_BROUGHT = ("tests/gpu/test_device.py::test_every_layer_is_brought_to_the_device",)
_PACE = ("tests/ray_jobs/benchmarks/test_gpu.py::test_the_pace_is_that_after_the_first_report",)
_DEADLINE = ("tests/ray_jobs/benchmarks/test_gpu.py::test_a_deadline_ends_trainings_but_no_score",)

MUTANTS = [
    (
        "scgan/systems/infoscc_gan.py",
        "        self.attributes.classifier.to(device)\n",
        "",
        _BROUGHT,
    ),
    (
        "scgan/systems/eigengan.py",
        'load_judge(artifacts["judge"]).to(device)',
        'load_judge(artifacts["judge"])',
        _BROUGHT,
    ),
    (_STATE, "{key: value.to(device) for key, value in", "{key: value for key, value in", _DEVICES),
    (_STATE, "0x9E3779B97F4A7C15 * samples)", "0x9E3779B97F4A7C15)", _DEVICES),
    (_STATE, "if generator.device.type in saved:", "if False:", _DEVICES),
    (_STATE, "        self.num_updates += 1\n", "", _DEVICES),
    (
        "scgan/training/loop.py",
        "state.restore(saved, runtime.device)",
        'state.restore(saved, torch.device("cpu"))',
        _DEVICES,
    ),
    (_RUNTIME, "rows = rows.pin_memory()", "rows = rows + 0", _DEVICES),
    (_RUNTIME, "rows.to(self.device, non_blocking=True)", "rows.to(self.device)", _DEVICES),
    (_BACKEND, "workers > 1 and 0 < gpus < 1", "0 < gpus < 1", _CHOICE),
    (_BACKEND, "0 < gpus < 1", "0 < gpus <= 1", _CHOICE),
    (_BACKEND, 'wanted == "nccl" and shared', "False", _CHOICE),
    (_BACKEND, 'wanted == "nccl" and not gpus', "False", _CHOICE),
    (_BACKEND, '"nccl" if gpus and not shared', '"nccl" if gpus', _CHOICE),
    (_AUGMENT, "generator=deciding)", "generator=generator)", _DECIDED),
    (
        "scgan/stages/images/judge.py",
        "runtime.autocast(c.precision)",
        'runtime.autocast("fp32")',
        _BF16,
    ),
    (
        "scgan/stages/images/siamese.py",
        "        with self.runtime.autocast(self.c.precision):",
        '        with self.runtime.autocast("fp32"):',
        _BF16,
    ),
    (
        "scgan/stages/tables/encode.py",
        "runtime.autocast(c.precision)",
        'runtime.autocast("fp32")',
        _BF16,
    ),
    (
        "scgan/stages/tables/decode.py",
        "runtime.mixed(runtime.parallel(decoder), c.precision)",
        'runtime.mixed(runtime.parallel(decoder), "fp32")',
        _DECODER,
    ),
    (_LLOYD, "if torch.equal(moved, centres):", "if True:", _ROUNDS),
    (_LLOYD, "torch.where(counts > 0, sums / counts, centres.double())", "sums / counts", _ROUNDS),
    (_LLOYD, "seed + start)\n        rows", "seed)\n        rows", _ROUNDS),
    (_LLOYD, "min(found, key", "max(found, key", _ROUNDS),
    (
        "scgan/clustering/in_memory.py",
        'if eps.device.type == "cpu":',
        "if True:",
        _ROUNDS,
    ),
    (_GPU, "training = stage != EVALUATE and", "training =", _DEADLINE),
    (_GPU, "threading.current_thread() is threading.main_thread()", "True", _DEADLINE),
    (_RATES, "(last.samples - first.samples)", "last.samples", _PACE),
    (_RATES, "progress.seconds - self.reports[0].seconds", "progress.seconds", _PACE),
    (_RATES, 'names = ("fp32", "bf16")', 'names = ("fp32",)', _PARTS),
    (_RATES, "each * num_clusters / stacked", "each / stacked", _PARTS),
]
