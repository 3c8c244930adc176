"""One-line mutations of the latent models: flows, mappers of each kind, codes, the choice of K."""

from __future__ import annotations

_FLOWS, _MAPPERS, _ENCODER = "scgan/nn/flows.py", "scgan/nn/mappers.py", "scgan/nn/encoder.py"
_STAGES = "scgan/stages/tables/"
_FITS, _MAP, _CLUSTER = _STAGES + "mapper_fits.py", _STAGES + "map.py", _STAGES + "cluster.py"
_EVIDENCE, _CONTRASTIVE = "scgan/clustering/evidence.py", "scgan/losses/contrastive.py"

FLOWS = ("tests/nn/test_flows.py",)
LIKELIHOOD = ("tests/losses/test_likelihood.py",)
CONTRASTIVE = ("tests/losses/test_contrastive.py",)
NETWORKS = ("tests/nn/test_networks.py",)
EVIDENCE = ("tests/clustering/test_evidence.py",)
FED = ("tests/stages/tables/test_fed.py",)
SYSTEM = ("tests/systems/test_scgan.py",)
_CODE_DIM = (
    "tests/stages/tables/test_wiring.py::test_every_setting_changes_what_its_stage_makes"
    "[encoder-code_dim]",
)
_WIDE = ("tests/stages/tables/test_equations.py::test_an_isometric_start_is_as_wide_as_is_best",)
_KINDS = "tests/stages/tables/test_mapper_kinds.py"
_JACOBIAN = (f"{_KINDS}::test_a_flows_density_is_that_of_all_axes",)
_KEPT = (f"{_KINDS}::test_the_weights_that_held_out_codes_prefer_are_kept_a_flow_each",)
_HELD = (f"{_KINDS}::test_a_tenth_of_a_clusters_codes_is_held_out_by_its_own_draw",)
_MEASURED = (f"{_KINDS}::test_a_mapper_is_measured_on_codes_it_was_not_trained_on",)
_PACKING = (f"{_KINDS}::test_any_packing_makes_the_same_to_the_bit",)
_PUT = (f"{_KINDS}::test_a_mixtures_components_are_put_in_the_codes_own_coordinates",)
_WEIGHTS = (f"{_KINDS}::test_a_mixture_has_the_components_of_its_cluster_and_their_weights",)
_NEVER = (f"{_KINDS}::test_a_component_without_weight_is_never_drawn",)
_BESIDE = (f"{_KINDS}::test_rows_of_clusters_side_by_side_are_drawn_by_their_own_weights",)
_NUMBER = (f"{_KINDS}::test_a_mixtures_number_of_components_is_what_held_out_codes_prefer",)
_FEW = (f"{_KINDS}::test_few_codes_have_few_components",)
_TOLD = (f"{_KINDS}::test_how_far_mixtures_are_is_told_after_each_cluster",)
_TAKEN_UP = (f"{_KINDS}::test_a_fit_that_is_taken_up_is_the_uninterrupted_one",)
_CURVE = (f"{_KINDS}::test_the_curve_of_a_flow_is_in_nats",)

# The file, its text, what a careless hand makes of it, and the tests that must fail then.
MUTANTS: list[tuple[str, str, str, tuple[str, ...]]] = [
    # Splines.
    (_FLOWS, "d0 * xi * (1 - xi)) / (s + bend", "d1 * xi * (1 - xi)) / (s + bend", FLOWS),
    (_FLOWS, "bend = d0 + d1 - 2 * s", "bend = d0 + d1 - s", FLOWS),
    (_FLOWS, "d1 * xi.square() + 2 * s * between", "d1 * xi.square() + s * between", FLOWS),
    (_FLOWS, "knots_y if inverse else knots_x", "knots_x", FLOWS),
    (_FLOWS, "return value, -slope if inverse else slope", "return value, slope", FLOWS),
    (_FLOWS, "torch.where(inside, value, x)", "value", FLOWS),
    (_FLOWS, "math.log(math.expm1(1 - _LEAST))", "0.0", FLOWS),
    (_FLOWS, "2 * BOUND * shares.cumsum", "BOUND * shares.cumsum", FLOWS),
    # Couplings.
    (
        _FLOWS,
        "digit, wanted = layer // 2 % digits, layer % 2",
        "digit, wanted = 0, layer % 2",
        FLOWS,
    ),
    (_FLOWS, "            total = total + slope.sum(-1)\n", "", FLOWS),
    (_FLOWS, "margins if which is None else margins[which]", "margins", FLOWS),
    (_FLOWS, "raw = network(v[..., kept], which)", "raw = network(v[..., kept])", FLOWS),
    (_FLOWS, "last_gain=0.0", "last_gain=1.0", FLOWS),
    ("scgan/nn/stacked.py", "if weight.shape[1] == 1:", "if False:", FLOWS),
    # The likelihood.
    ("scgan/losses/likelihood.py", "(normal - slope)", "(normal + slope)", LIKELIHOOD),
    ("scgan/losses/likelihood.py", "* math.log(2 * math.pi)", "* math.log(math.pi)", LIKELIHOOD),
    # Mappers.
    (_MAPPERS, "slope - log_spread.sum(-1)", "slope + log_spread.sum(-1)", _JACOBIAN),
    (_MAPPERS, "self.log_spread.clamp_min(", "self.log_spread + 0 * (", _JACOBIAN),
    (_MAPPERS, "self.others(v, which) + spread", "spread", _JACOBIAN),
    (_MAPPERS, "own.inverse(means[None]).transpose(0, 1)", "means[:, None]", _PUT),
    (_MAPPERS, "own.axes * own.scale @ torch", "own.axes @ torch", _PUT),
    (_MAPPERS, "self.weights.to(device).double().cumsum(1)", "self.weights.double()", _WEIGHTS),
    (_MAPPERS, "k.to(device) + u, right=True)", "0 * k.to(device) + u, right=True)", _BESIDE),
    (_MAPPERS, "ends = ends / ends[:, -1:] + torch", "ends = ends + torch", _NEVER),
    (_MAPPERS, "u, right=True)", "u.mul_(0))", _NEVER),
    # Fits.
    (_FITS, "num = min(HELD_OUT, len(eps) // 10)", "num = len(eps) // 10", _HELD),
    (_FITS, "train.append(eps if few else rest)", "train.append(eps)", _HELD),
    (_FITS, 'inputs.generator("map", f"parts {unit}")', 'inputs.generator("map", "")', _HELD),
    (_FITS, 'f"{purpose} {self.units[place]}"', 'f"{purpose} {place}"', _PACKING),
    (_FITS, "better = loss < self.loss", "better = loss > self.loss", _KEPT),
    (_FITS, "        self.loss[better] = loss[better]\n", "", _KEPT),
    (_FITS, '{"mappers": mappers, "best": best}', '{"mappers": mappers}', _TAKEN_UP),
    (_FITS, "number % every == every - 1", "number % every == 1", _CURVE),
    (_FITS, "if reached < score:", "if False:", _NUMBER),
    (_FITS, "        done += len(train_eps)\n", "", _TOLD),
    (_FITS, "total = time.monotonic(), 0, sum(map(len,", "total = 0.0, 0, sum(map(id,", _TOLD),
    (_FITS, "min(c.num_components, len(v))", "c.num_components", _FEW),
    (_MAP, "len(held_out)\n", "len(train)\n", _MEASURED),
    (_MAP, "(held_out, real, made)", "(real, real, made)", _MEASURED),
    (_MAP, "torch.cat(rows)[order].flatten(0, 1)", "torch.cat(rows).flatten(0, 1)", _PACKING),
    (_MAP, "mappers.whitening.fit(codes.train, c.axis_floor)", "pass", FED),
    (_MAP, "quality.append(float((drawn - here)", "quality.append(float((there - here)", FED),
    (_MAP, "floor.append(float((there - here)", "floor.append(float((drawn - here)", FED),
    (_STAGES + "encode.py", "c.code_dim or data_dim", "data_dim", _CODE_DIM),
    (_ENCODER, "[:, : self.code_dim] - self.centre) /", "[:, : self.code_dim]) /", NETWORKS),
    # Codes.
    (_CONTRASTIVE, "+ b[:, -1]", "- b[:, -1]", CONTRASTIVE),
    (_CONTRASTIVE, "math.log(2 * num - 1) - loss", "math.log(num) - loss", CONTRASTIVE),
    (_ENCODER, "start = stretch * rotation", "start = rotation", NETWORKS),
    (_ENCODER, "nn.init.zeros_(parameter)", "nn.init.ones_(parameter)", NETWORKS),
    (_STAGES + "encode.py", "/ (2 * noise_std)", "/ noise_std", _WIDE),
    (_STAGES + "encode.py", "math.log(2 * size - 1)", "math.log(2 * len(x) - 1)", SYSTEM),
    ("scgan/nn/subspace.py", "origin - centre @ slopes", "origin", NETWORKS),
    ("scgan/nn/subspace.py", "        self.output.weight.zero_()\n", "", NETWORKS),
    # K.
    (_EVIDENCE, "share = np.log(count / len(eps))", "share = 0.0", EVIDENCE),
    (_EVIDENCE, "share + mixture.score_samples", "mixture.score_samples", EVIDENCE),
    (
        _EVIDENCE,
        "(train, clusters, held_out, most, seed)",
        "(train, clusters, train, most, seed)",
        EVIDENCE,
    ),
    (_EVIDENCE, "near = NEARLY if len(eps) > num_rows else 0.0", "near = 9.0", EVIDENCE),
    (_EVIDENCE, "max(LEAST_ROWS, round(SHARE * len(eps)))", "LEAST_ROWS", EVIDENCE),
    (_EVIDENCE, "max(LEAST_ROWS, round(SHARE * len(eps)))", "round(SHARE * len(eps))", EVIDENCE),
    (_EVIDENCE, "num * min_rows <= len(train)", "num <= len(train)", EVIDENCE),
    (_CLUSTER, "return c.num_clusters, {}", "pass", FED),
]
