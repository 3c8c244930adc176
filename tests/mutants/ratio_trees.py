"""Mutants of trees that tell data from samples, of what they are shown and are used for."""

from __future__ import annotations

_TREES, _GROWTH = "scgan/nn/ratio_trees.py", "scgan/nn/ratio_growth.py"
_REFINE, _REFIT = "scgan/stages/tables/refine.py", "scgan/stages/tables/refit.py"
_MIXTURES, _MAPPERS = "scgan/clustering/mixtures.py", "scgan/nn/mappers.py"
_SYSTEM = "scgan/systems/scgan.py"
_ALONE, _OF_STAGE = "tests/nn/test_ratio_trees.py", "tests/stages/tables/test_refine.py"
_OF_REFIT = "tests/stages/tables/test_refit.py"

_CHANGES = {
    (_TREES, _ALONE): [
        ("(cuts.flatten()[:, None] - values)", "(values - cuts.flatten()[:, None])"),
        ("alpha=2**level", "alpha=level + 1"),
        ("+ first.int()[:, None]", "+ 0 * first.int()[:, None]"),
        ("total += found", "total = found"),
        ("exp().clamp(LEAST_CHANCE, 1)", "exp().clamp(0, 1)"),
        ("(log_ratios - self.bound).exp()", "log_ratios.exp()"),
    ],
    (_GROWTH, _ALONE): [
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
        ("made.divergence.fill_(divergence)", "pass"),
        ("f.double().softmax(0)", "(0 * f).double().softmax(0)"),
        ("log_w.clamp(max=bound_of(log_w))", "(0 * log_w)"),
        ("log_w.clamp(max=bound_of(log_w))", "log_w"),
        ("min(SUBSAMPLE, ASKED * asked / num_drawn)", "SUBSAMPLE"),
        ("(SUBSAMPLE, ASKED", "(1, ASKED"),
        ("(num, asked / num)", "(num, 1)"),
        ("min(SUBSAMPLE * num, MOST_ASKED)", "SUBSAMPLE * num"),
        ("depth, LEARNING_RATE, every", "depth, 1.0, every"),
        ("return (trees[:kept], best) if", "return (trees, best) if"),
        ("if best > SURE * doubt else", "if best > 0 else"),
        ("f.var() / len(f) + w", "w"),
        ("+ w.var() / (len(w) * w.mean() ** 2)", ""),
        ("* w.mean() ** 2)", ")"),
        ("some.questions(columns)", "compared.questions(columns)"),
        ("rows[column] > cut) * 2**level", "rows[column] > cut) * 2 * level"),
        ("chosen.append((column, cut))", "chosen.append((place, cut))"),
        ("learning_rate * _log_ratio(p, q, prior)", "_log_ratio(p, q, prior)"),
        ("((p * _log_ratio(p, q, prior))", "((q * _log_ratio(p, q, prior))"),
        ("p[..., -1:] - p[..., :-1]", "p[..., -1:]"),
        ("(q.clamp(min=0) + prior)", "(q.clamp(min=0) + 0.1 * prior)"),
    ],
    (_REFINE, _OF_STAGE): [
        ("return margins(sampling.decoder.draw(latents", "return (sampling.decoder.draw(latents"),
        (">= self.EVERY", ">= 100"),
        ("Progress(num_trees, 0, told", "Progress(0, 0, told"),
        ("grown=_Growing(runtime)", "grown=lambda num, bound: None"),
        (".at(0)[:NUM_ROWS]", ".at(0)"),
        ("max(NUM_CODES, len(sampling.rows))", "NUM_CODES"),
        (
            "min(math.ceil(samples_a_row * len(rows)), MOST_DRAWN)",
            "math.ceil(samples_a_row * len(rows))",
        ),
        ("c.samples_a_row /", "4 /"),
        ("(FEWER if", "(1 if"),
        ('step == "refit" else 1)', 'step == "accept" else 1)'),
        ('"both": ("refit", "accept")', '"both": ("accept", "refit")'),
        ("depth=c.tree_depth", "depth=5"),
        ("num_trees=c.num_trees", "num_trees=400"),
        ("c.match_margins and column.is_normal", "column.is_normal"),
        ("c.match_margins and column.is_normal", "c.match_margins"),
        ("if c.num_trees else ()", "if True else ()"),
        ('if step == "refit" and mixtures is None:', "if False:"),
        ("if trees.divergence == 0:", "if False:"),
        ("            margins[trained] = sampling.margins(trained, source)\n", ""),
        ("source = refit(mixtures", "_ = refit(mixtures"),
        ('named_weights("trees", trees)', 'named_weights("other", trees)'),
        ('named_weights("mappers", source.mappers)', 'named_weights("other", source.mappers)'),
        ("sampling, source, margins[trained]", 'sampling, source, margins["real"]'),
        ("sampling, source, margins[trained]", "sampling, latents[trained], margins[trained]"),
        ("num_drawn < MOST_CODES * num and", ""),
        ("sum(map(len, codes)) < num", "True"),
        ("CODES_A_ROW * len(sampling.rows)", "len(sampling.rows)"),
        ("kept.codes, kept.clusters)", "kept.codes, kept.clusters.flip(0))"),
        ("if isinstance(source, MappingLatents):", "if False:"),
        ("nearest_centre(kept.codes, clusters", "nearest_centre(0 * kept.codes, clusters"),
        ("for _ in range(SHARE_ROUNDS)", "for _ in range(0)"),
        ("for _ in range(SHARE_ROUNDS)", "for _ in range(1)"),
        ("shares / shares[around.unique()].sum()", "shares"),
        ("mean.where(accepted > 0, 1.0)", "mean"),
        ("    factors = factors.clamp(1 / MOST_HELD, MOST_HELD)\n", ""),
        ("    trees.rate.copy_((accepted", "    ((accepted"),
        ("held / held.sum()", "shares"),
        ("counts if weights is None else weights", "counts"),
        ("if section or weights is not None:", "if section:"),
        ('if section else artifacts["map"]', 'if True else artifacts["map"]'),
        ("clusters.append(k[kept])", "clusters.append(k[~kept][: len(eps[kept])])"),
        ("codes.append(eps[kept])", "codes.append(eps[: len(eps[kept])])"),
        ("trees.accepts(margins(sampling", "trees.accepts((sampling"),
    ],
    (_REFIT, _OF_REFIT): [
        ("eps[k == cluster]", "eps"),
        (">= LEAST_CODES * mappers.dim", ">= 2"),
        ("own(codes[None])[0], components, ROUNDS", "own(codes[None])[0], components, 1"),
        ("own(codes[None])[0], components", "codes, components"),
        ("variance[:, -1:].sqrt()", "variance[:, -1:]"),
        ("axes[:, :, -1]", "axes[:, :, 0]"),
        ("components.covariances - step", "components.covariances + 0 * step"),
        ("repeat_interleave(2) / 2", "repeat_interleave(2)"),
        ("components.means - step]", "components.means]"),
    ],
    (_MIXTURES, _OF_REFIT): [
        ("max_iter=num_rounds", "max_iter=50"),
        ("torch.linalg.inv(covariances)", "torch.linalg.inv(covariances / 9)"),
        ("means_init=means.numpy()", "means_init=(0 * means).numpy()"),
        ("        weights_init=(weights / weights.sum()).numpy(),\n", ""),
    ],
    (_MAPPERS, _OF_REFIT): [
        ("centre[:, 0] - own.centre[0].double()", "centre[:, 0]"),
        ("own.axes[0] / own.scale[0]", "own.axes[0]"),
        ("to_own.T @ (axes * scale)", "to_own.T @ axes"),
    ],
    (_SYSTEM, _OF_STAGE): [
        ("self.trees if name == self.trained_latent else None", "self.trees"),
        ("x[trees.accepts(x, generator)][:missing]", "x[trees.accepts(x, generator)]"),
        ("x if trees is None else", "x if True else"),
        ('self.latents["mapping"] = refined.mapping', "pass"),
    ],
}

MUTANTS = [
    (path, old, new, (tests,))
    for (path, tests), changes in _CHANGES.items()
    for old, new in changes
]
