"""Mutants of the scores that papers on tables report, of the rule for better, and of the race."""

from __future__ import annotations

_STANDARD, _COMPARING = "scgan/metrics/standard.py", "scgan/metrics/comparing.py"
_FIDELITY, _DISTRIBUTIONS = "scgan/metrics/fidelity.py", "scgan/metrics/distributions.py"
_SCORES, _MODES = "scgan/metrics/scores.py", "scgan/metrics/modes.py"
_DEFAULT = "scgan/metrics/default_scores.py"
_ABLATIONS = "ray_jobs/benchmarks/ablations.py"
_PEERS, _COURSES = "ray_jobs/benchmarks/peers.py", "ray_jobs/benchmarks/courses.py"
_TRAINING = "ray_jobs/benchmarks/training.py"
_RACE, _REPORT = "ray_jobs/benchmarks/race.py", "ray_jobs/benchmarks/race_report.py"
_BOLD, _LATENTS = "scgan/reproductions/__init__.py", "scgan/reproductions/scgan.py"
_MAGIC = "ray_jobs/benchmarks/magic.py"

_OF_PEERS = ("tests/ray_jobs/benchmarks/test_peers.py",)
_OF_TRAINING = tuple(
    f"{_OF_PEERS[0]}::{name}"
    for name in (
        "test_the_weights_that_were_best_on_held_out_rows_are_kept",
        "test_a_clock_counts_process_time",
        "test_a_peer_learns_in_its_budget_and_draws_by_its_seed",
    )
)
_OF_COURSES = tuple(
    f"{_OF_PEERS[0]}::{name}"
    for name in (
        "test_a_mixture_has_separate_modes_of_unequal_weights",
        "test_coordinates_lead_back_to_the_users_numbers",
        "test_raw_numbers_are_only_standardised_and_whole_ones_held_in_their_range",
        "test_scgans_length_is_what_its_pace_allows",
        "test_scgans_networks_are_timed_without_what_refines_their_samples",
        "test_scgan_is_trained_by_the_pipeline_in_the_views_coordinates",
    )
)
_OF_RACE = ("tests/ray_jobs/benchmarks/test_race.py",)
_TESTS = {
    _STANDARD: ("tests/metrics/test_standard.py",),
    _COMPARING: ("tests/metrics/test_comparing.py",),
    _FIDELITY: ("tests/metrics/test_fidelity.py",),
    _DISTRIBUTIONS: ("tests/metrics/test_distributions.py",),
    _SCORES: ("tests/metrics/test_scores.py",),
    _MODES: ("tests/metrics/test_modes.py",),
    _DEFAULT: ("tests/metrics/test_default_scores.py",),
    _PEERS: _OF_PEERS,
    _COURSES: _OF_COURSES,
    _TRAINING: _OF_TRAINING,
    _RACE: _OF_RACE,
    _ABLATIONS: ("tests/ray_jobs/benchmarks/test_ablations.py",),
    _REPORT: _OF_RACE,
    _MAGIC: _OF_RACE,
    _BOLD: ("tests/reproductions/test_tables.py",),
    _LATENTS: ("tests/reproductions/test_tables.py",),
}

_CHANGES = [
    # Shape and trend
    (_STANDARD, "np.abs(below[0] - below[1]).max()", "np.abs(below[0] - below[1]).mean()"),
    (_STANDARD, "_total_variation if i in", "_total_variation if i not in"),
    (_STANDARD, "np.abs(shares[0] - shares[1]).sum() / 2", "np.abs(shares[0] - shares[1]).sum()"),
    (_STANDARD, "(len(numbers), 1)] / 2)", "(len(numbers), 1)])"),
    (_STANDARD, "triu_indices(len(numbers), 1)", "triu_indices(len(numbers), 0)"),
    (_STANDARD, "sizes[sizes == 0] = np.inf", "sizes[sizes == 0] = np.nan"),
    (_STANDARD, "histogram_bin_edges(real[:, i]", "histogram_bin_edges(rows[:, i]"),
    (_STANDARD, "np.where(found, places, len(known))", "places"),
    (_STANDARD, "if i in categorical or j in categorical:", "if i in categorical:"),
    # Detection
    (_STANDARD, "advantages.append(2 * max", "advantages.append(max"),
    (_STANDARD, "classifier.predict_proba(rows[asked])", "classifier.predict_proba(rows[known])"),
    (_STANDARD, "return 1 - float(np.mean(advantages))", "return float(np.mean(advantages))"),
    (_STANDARD, "shuffle=True, random_state=seed", "shuffle=True, random_state=0"),
    (_STANDARD, 'if detector == "logistic":', 'if detector != "logistic":'),
    # Alpha-precision, beta-recall, nearness to training rows
    (_FIDELITY, "_norm(fake - centre)", "_norm(fake - fake.mean(0))"),
    (_FIDELITY, "_norm(fake - fake.mean(0))[nearest]", "_norm(fake - centre)[nearest]"),
    (_FIDELITY, "kthvalue(2, dim=1)", "kthvalue(1, dim=1)"),
    (_FIDELITY, "(within & met[:, None])", "within"),
    (_FIDELITY, "1 - 2 * (curve", "1 - (curve"),
    (_FIDELITY, "tied.double() / 2", "tied.double()"),
    (_FIDELITY, "if len(part) == num][:PARTS]", "][:PARTS]"),
    (_FIDELITY, "nearer, tied = to_train < to_others", "nearer, tied = to_train > to_others"),
    # C2ST by a network, modes, the exact support
    (_DISTRIBUTIONS, 'if classifier == "trees" else', 'if classifier != "network" or True else'),
    (_DISTRIBUTIONS, "random_state=seed)\n    return make_pipeline", ")\n    return make_pipeline"),
    (_MODES, "(shares - true_shares).abs().sum()) / 2", "(shares - true_shares).abs().sum())"),
    (_SCORES, "share_beyond, -log_density, *halves", "share_beyond, log_density, *halves"),
    (_SCORES, ", (-real_log_density).tensor_split(2)", ", real_log_density.tensor_split(2)"),
    (_DEFAULT, "toy_scores(data.toy, _raw(columns), real)", "toy_scores(data.toy, samples, real)"),
    # The rule for better
    (_COMPARING, "return abs(value - meaning.perfect)", "return value - meaning.perfect"),
    (_COMPARING, 'meaning.better == "lower" else -value', 'meaning.better == "lower" else value'),
    (_COMPARING, "> NUM_ERRORS * error", "> error"),
    (_COMPARING, "/ math.sqrt(len(values))", "/ len(values)"),
    (_COMPARING, "math.hypot(standard_error(a), standard_error(b))", "standard_error(a)"),
    (_COMPARING, "not beats(name, known[best], known[model])", "model == best"),
    # The peers
    (_TRAINING, "return float(self.loss(network.eval(), held))", "return -float(self.share)"),
    (_TRAINING, "            torch.manual_seed(0)\n", "            pass\n"),
    (_TRAINING, "            torch.manual_seed(seed)\n            starts", "            starts"),
    (_TRAINING, "if value < best:\n", "if value > -best:\n"),
    (_PEERS, "noise + t * (x - noise), t)", "x + t * (noise - x), t)"),
    (_PEERS, "x = x + step * network(half", "x = x - step * network(half"),
    (
        _PEERS,
        ".permutation(self.mixture.sample(num)[0])",
        ".choice(self.mixture.sample(1)[0], num)",
    ),
    (_TRAINING, "time.process_time() - self.start", "time.monotonic() - self.start"),
    (_PEERS, "best, chosen, misses = value, k, 0", "best, chosen, misses = value, 1, 0"),
    (_PEERS, "@ self.steps[child].softmax(1).T", "@ self.steps[child].softmax(1)"),
    (_PEERS, "+ self.start.log_softmax(0), 1)", ", 1)"),
    (_PEERS, "self.steps[child].softmax(1)[states", "self.steps[child].softmax(0)[states"),
    (_PEERS, "information.max() + 1 - information", "information + 1"),
    # Mixtures, coordinates, SC-GAN's length
    (_COURSES, "float(nearest_two) / 10", "float(nearest_two) / 5"),
    (_COURSES, "weights = 16 ** torch.rand", "weights = 1 + 0 * torch.rand"),
    (_COURSES, "np.rint(found).clip(self.low[i], self.high[i])", "np.rint(found)"),
    (_COURSES, "np.rint(found).clip", "found.clip"),
    (_COURSES, "- self.mean) / self.std)", "- self.mean))"),
    (_COURSES, "SHORTEST + (seconds - self.refining_seconds - few) / pace", "seconds / pace"),
    (_COURSES, "(seconds - self.refining_seconds - few)", "(seconds - few)"),
    (_COURSES, "abs(took + self.refining_seconds - seconds)", "abs(took - seconds)"),
    (_COURSES, "seed, refined=part == 1.0)", "seed)"),
    (_COURSES, "store, executor, only=networks)", "store, executor)"),
    (_COURSES, "            if not refined:", "            if False:"),
    (_COURSES, "= self.training_seconds - took", "= self.training_seconds"),
    (_COURSES, "self.share = max(part * wanted,", "self.share = max(wanted,"),
    (_COURSES, "<= TOLERANCE * seconds or", "<= 100 * seconds or"),
    (_COURSES, "or self.share == SHORTEST", "or False"),
    (_COURSES, "        self._train(SHORTEST, seed)  # with", "        # with"),
    (_COURSES, 'mark = f"{self.data.fingerprint}/{self.columns}"', "mark = self.data.fingerprint"),
    (_COURSES, "replace(self.data, train=self.train,", "replace(self.data, train=self.data.train,"),
    (_RACE, "(view.train))[again]", "(view.train))[0 * again]"),
    # Ablations
    (_ABLATIONS, "variant.data and data.toy is not None", "data.toy is not None"),
    (_ABLATIONS, "load(theirs, seed)", "load(source, seed)"),
    (_ABLATIONS, 'View(data, "encoded"), seed)', 'View(encoded, "encoded"), seed)'),
    (_ABLATIONS, 'View(encoded, "encoded").decode', 'View(data, "encoded").decode'),
    (_ABLATIONS, "if key in done:", "if False:"),
    (_ABLATIONS, "if found is None:", "if not found and False:"),
    (_ABLATIONS, "len(others)) < 2", "len(others)) < 0"),
    (_ABLATIONS, "beats(score, others, values) else", "beats(score, values, others) else"),
    (_ABLATIONS, "num_train=rows, num_test=rows", "num_test=rows"),
    (_ABLATIONS, '"mappers.adversarial_weight": 0.0', '"mappers.adversarial_weight": 1.0'),
    # What is raced, scored and said
    (_RACE, "if key in done:", "if key not in done and done:"),
    (_RACE, "in NEEDS and importlib", "not in NEEDS and importlib"),
    (_RACE, "rows.isfinite().all(1)", "rows.isfinite().any(1)"),
    (_RACE, "training_share(x, train, real", "training_share(x, real, train"),
    (_RACE, "for y in (x, other))", "for y in (other, x))"),
    (_RACE, "peer.sample(NUM_MODE_SAMPLES, seed)", "peer.sample(NUM_SAMPLES, seed)"),
    (_RACE, "if not only_report:", "if True:"),
    (_RACE, "self.preset, self.own_length)", "self.preset)"),
    (_RACE, "*chosen, preset, own_length)", "*chosen, preset)"),
    (_RACE, 'columns == "encoded" or numbers', "True"),
    (_RACE, "all(c.is_number for c", "any(c.is_number for c"),
    (_RACE, 'f" {self.preset}"', '""'),
    (_RACE, "', own length' if", "'' if"),
    (_COURSES, "if self.own_length:", "if False:"),
    (_RACE, '{"missing": "model"}', "{}"),
    (_BOLD, "if model in best else text", "if model not in best else text"),
    (_LATENTS, 'by_latent.pop("real", [])', 'by_latent.get("real", [])'),
    (
        _REPORT,
        'key=lambda row: not row["peer"].startswith',
        'key=lambda row: row["peer"].startswith',
    ),
    (_REPORT, "beats(score, theirs, best)", "beats(score, best, theirs)"),
    (_REPORT, "return [value / floor for", "return [floor / value for"),
    (_REPORT, "{row['budget']:g} s\"]", '100 s"]'),
    (_MAGIC, "score(train, test, (last,))", "score(train, train, (last,))"),
    (_MAGIC, "score(train, samples, (last,))", "score(test, samples, (last,))"),
    (_MAGIC, "training_share(made, real, held_out,", "training_share(made, held_out, real,"),
    (
        _MAGIC,
        "alpha_precision_beta_recall(real, made)",
        "alpha_precision_beta_recall(held_out, made)",
    ),
]

MUTANTS = [(path, old, new, _TESTS[path]) for path, old, new in _CHANGES]
