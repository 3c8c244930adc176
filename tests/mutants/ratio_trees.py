"""Mutants of trees by which samples are accepted, and of what they are shown."""

from __future__ import annotations

_TREES, _ACCEPT = "scgan/nn/ratio_trees.py", "scgan/stages/tables/accept.py"
_DECODE, _SYSTEM = "scgan/stages/tables/decode.py", "scgan/systems/scgan.py"
_OF_STAGE = "tests/stages/tables/test_accept.py"

_CHANGES = {
    (_TREES, "tests/nn/test_ratio_trees.py"): [
        ("(asked > cuts", "(asked >= cuts"),
        ("alpha=2**level", "alpha=level + 1"),
        ("+ first.int()[:, None]", "+ 0 * first.int()[:, None]"),
        ("total += found", "total = found"),
        ("exp().clamp(LEAST_CHANCE, 1)", "exp().clamp(0, 1)"),
        ("(log_ratios - self.bound).exp()", "log_ratios.exp()"),
        ("weights / weights.sum())", "weights)"),
        ("/ self.real.shape[1]\n", "/ self.drawn.shape[1]\n"),
        ("compared.some(generator), compared,", "compared, compared,"),
        ("list(range(len(edges))) * MARGIN_ROUNDS", "list(range(len(edges))) * 0"),
        ("binned(draw(num_drawn), edges)\n", "binned(draw(num_drawn) + 0.1, edges)\n"),
        ("- number * w  #", "- (number - 1) * w  #"),
        ("(lost <= LOST)", "(lost <= 2 * LOST)"),
        ("nonzero().max()", "nonzero().min()"),
        ("bound.copy_(bound_of(log_w))", "bound.copy_(log_w.max())"),
        ("made.chances(log_w).mean()", "made.chances(log_w).max()"),
        ("f.double().softmax(0)", "(0 * f).double().softmax(0)"),
        ("log_w.double().softmax(0)", "(0 * log_w).double().softmax(0)"),
        ("depth, LEARNING_RATE, every", "depth, 1.0, every"),
        ("return trees[:kept]", "return trees"),
        ("some.asked(columns)", "compared.asked(columns)"),
        ("rows[column] > cut) * 2**level", "rows[column] > cut) * 2 * level"),
        ("asked.append((column, cut))", "asked.append((place, cut))"),
        ("learning_rate * _log_ratio(p, q, prior)", "_log_ratio(p, q, prior)"),
        ("((p * _log_ratio(p, q, prior))", "((q * _log_ratio(p, q, prior))"),
        ("p[..., -1:] - p[..., :-1]", "p[..., -1:]"),
        ("(q.clamp(min=0) + prior)", "(q.clamp(min=0) + 0.1 * prior)"),
    ],
    (_ACCEPT, _OF_STAGE): [
        ("latent_model(c.latent,", 'latent_model("centres",'),
        ("return margins(decoder.draw(eps, generator))", "return decoder.draw(eps, generator)"),
        ("runtime.rank == 0 and", "runtime.rank == 1 and"),
        (">= self.EVERY", ">= 100"),
        ("Progress(num_trees, 0, told", "Progress(0, 0, told"),
        ("grown=_Growing(runtime)", "grown=lambda num, bound: None"),
        ("real = rows[:NUM_ROWS]", "real = rows"),
        ("min(DRAWN * len(real), MOST_DRAWN)", "DRAWN * len(real)"),
        ("depth=c.ratio_depth", "depth=5"),
        ("num_trees=c.ratio_trees", "num_trees=2000"),
    ],
    (_DECODE, _OF_STAGE): [
        ("    if c.ratio_trees:\n", "    if True:\n"),
        ('named_weights("accept", trees)', 'named_weights("other", trees)'),
        ("load_margins(Artifact(tensors), c.latent)", 'load_margins(Artifact(tensors), "mapping")'),
    ],
    (_SYSTEM, _OF_STAGE): [
        ("self.acceptance if name == self.trained_latent else None", "self.acceptance"),
        ("trees.accepted(x, generator)[:missing]", "trees.accepted(x, generator)"),
        ("x if trees is None else", "x if True else"),
    ],
}

MUTANTS = [
    (path, old, new, (tests,))
    for (path, tests), changes in _CHANGES.items()
    for old, new in changes
]
