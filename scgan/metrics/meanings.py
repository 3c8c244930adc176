"""What each score says, in one place: its label, its meaning, which direction is better."""

from __future__ import annotations

from collections.abc import Mapping

from scgan.metrics.image_meanings import IMAGES
from scgan.metrics.meaning import Meaning

# By name, or by what a name begins with: scores of images say with what extractor and how many
# images, fid_encoder_10k.
MEANINGS: Mapping[str, Meaning] = {
    "sliced_wasserstein": Meaning(
        "Sliced Wasserstein-1",
        "How far probability must be moved to turn the samples into the data, averaged "
        "over directions, in standard deviations.",
    ),
    "energy_distance": Meaning(
        "Energy distance",
        "A distance between two distributions, by distances between their rows; 0 only if "
        "they are equal.",
    ),
    "off_support_fraction": Meaning(
        "Off-support fraction",
        "Share of samples farther from the data than 99.9 % of real rows: samples where "
        "none should be.",
    ),
    "off_support_exact": Meaning(
        "Off the known support",
        "Share of samples whose true density is below that of 99.9 % of real rows: on the "
        "checkerboard those at density 0.",
    ),
    "density": Meaning(
        "Density",
        "How many balls around real rows a sample lies in, against a real row: below its floor "
        "where samples lie beside the data, above it where they crowd.",
        "higher",
        perfect=1.0,
    ),
    "coverage": Meaning(
        "Coverage",
        "Share of real rows with a sample in the ball of their nearest neighbours: trimmed tails "
        "and lost modes cost it.",
        "higher",
    ),
    "closer_share": Meaning(
        "Closer to training rows",
        "Share of samples closer to a training row than held-out rows typically are: 0.5 for new "
        "rows, towards 1 for copies of training rows.",
        "lower",
        "difference",
        0.5,
    ),
    "dcr_share": Meaning(
        "Nearer to training rows (DCR)",
        "Share of samples nearer to the training rows than to as many held-out rows: 0.5 for new "
        "rows, towards 1 for copies.",
        "lower",
        "difference",
        0.5,
    ),
    "constants_kept": Meaning(
        "Constants kept",
        "Share of samples with the real rows' only value, of the column where it is smallest: no "
        "distance looks at such columns.",
        "higher",
    ),
    "repeats_kept": Meaning(
        "Repetitions kept",
        "Share of samples in which a column equals the one it repeats, of the column where it is "
        "smallest: no distance looks at such columns.",
        "higher",
    ),
    "within_range": Meaning(
        "Within the range",
        "Share of samples of which no value lies below the lowest or above the highest real one, "
        "and no category or gap is one that no real row has.",
        "higher",
    ),
    "c2st_accuracy": Meaning(
        "Classifier accuracy (C2ST), trees",
        "How often boosted trees tell samples from data: 0.5 is guessing, 1 is always.",
        "lower",
        "difference",
        0.5,
    ),
    "c2st_network": Meaning(
        "Classifier accuracy (C2ST), network",
        "The same by a network of two layers.",
        "lower",
        "difference",
        0.5,
    ),
    "detection_logistic": Meaning(
        "Detection, logistic regression",
        "How badly a logistic regression tells samples from data, as SDMetrics has it: 1 is "
        "guessing, 0 is always.",
        "higher",
    ),
    "detection_xgboost": Meaning(
        "Detection, XGBoost",
        "The same by boosted trees.",
        "higher",
    ),
    "shape": Meaning(
        "Shape",
        "How well each column's own distribution agrees, as SDMetrics has it: 1 is all of it.",
        "higher",
    ),
    "trend": Meaning(
        "Trend",
        "How well the correlations of pairs of columns agree, as SDMetrics has it: 1 is all.",
        "higher",
    ),
    "alpha_precision": Meaning(
        "Alpha-precision",
        "Whether samples lie as deep in the data as real rows do: 1 is so, less where they crowd "
        "to the centre or lie too far out.",
        "higher",
    ),
    "beta_recall": Meaning(
        "Beta-recall",
        "Share of the data that samples meet: 0.48 for new rows, towards 0 where parts are missed, "
        "towards 1 for copies.",
        "higher",
        perfect=14 / 29,
    ),
    "modes_captured": Meaning(
        "Modes captured",
        "Modes with at least one sample of high quality: one is enough, so read it beside the "
        "high-quality share.",
        "higher",
    ),
    "modes_total": Meaning(
        "Modes in all",
        "Modes of the true distribution.",
        "none",
    ),
    "high_quality_share": Meaning(
        "High-quality share",
        "Share of samples within 3 standard deviations of their nearest mode, or in more than two "
        "dimensions within what 98.9 % of a mode's own samples are.",
        "higher",
    ),
    "modes_kl_divergence": Meaning(
        "Divergence over modes",
        "How far the samples' shares of the modes are from the true ones: KL divergence, in nats.",
    ),
    "modes_total_variation": Meaning(
        "Total variation over modes",
        "Share of the samples that would have to change their mode for the true shares.",
    ),
    "prior_distance": Meaning(
        "Weights of the modes and data",
        "Share of held-out rows that would have to change their mode for the weights with which "
        "modes are drawn: total variation.",
    ),
    "mode_share_distance": Meaning(
        "Samples and weights of the modes",
        "Share of samples that would have to change the mode they are found in for the weights "
        "with which modes are drawn: total variation.",
    ),
    "mode_share_gap": Meaning(
        "Samples and weights of the modes, worst",
        "The same of the mode whose share of samples is farthest from its weight.",
    ),
    "modes_empty": Meaning(
        "Modes without data",
        "Modes in which hardly any held-out row is found; the divergences leave them out.",
    ),
    "mode_kl_mean": Meaning(
        "Divergence in a mode",
        "How far a mode's samples are from the held-out rows that are found in it: KL divergence "
        "by nearest neighbours, in nats, mean over modes.",
        "lower",
        "difference",
    ),
    "mode_kl_worst": Meaning(
        "Divergence in a mode, worst",
        "The same of the worst mode.",
        "lower",
        "difference",
    ),
    "view_information": Meaning(
        "Information kept of a view",
        "What the codes of two noisy views of a held-out row tell of each other, as InfoNCE "
        "estimates it: mutual information, in nats.",
        "higher",
    ),
    "view_information_bound": Meaning(
        "Information kept of a view, bound",
        "The most that the estimate can be in batches of that size: log(2B - 1), in nats.",
        "none",
    ),
    "mapper_distance_median": Meaning(
        "Mapper distance, median",
        "How far a mapper's codes are from held-out ones of its cluster: sliced Wasserstein-1 in "
        "the cluster's own coordinates; the floor is that of codes it was trained on.",
    ),
    "mapper_distance_worst": Meaning(
        "Mapper distance, worst",
        "The same of the worst cluster.",
    ),
    "noise_spread": Meaning(
        "Spread of the noise",
        "How far samples of one code spread over the decoder's noise, against how far rows lie "
        "from what their codes give: 1 where the noise stands for what codes leave open, 0 of a "
        "deterministic decoder.",
        "none",
    ),
    "label_nmi": Meaning(
        "Clusters and labels, NMI",
        "How much of the labels the clusters tell, normalised mutual information: 0 "
        "nothing, 1 the same partition.",
        "higher",
    ),
    "label_ari": Meaning(
        "Clusters and labels, ARI",
        "How often clusters and labels agree on whether two are of a kind, adjusted Rand index: 0 "
        "by chance, 1 the same partition.",
        "higher",
    ),
    "label_purity": Meaning(
        "Clusters and labels, purity",
        "Share of held-out rows whose label is the commonest of their cluster.",
        "higher",
    ),
    "label_hungarian": Meaning(
        "Clusters and labels, Hungarian accuracy",
        "Share of held-out rows labelled right when each cluster stands for one label of its own.",
        "higher",
    ),
    "label_majority": Meaning(
        "Clusters and labels, majority of a label",
        "Share of a label's held-out rows in the cluster that holds most of them, mean over the "
        "labels: 1 with one cluster, so read it beside the others.",
        "higher",
    ),
    "silhouette": Meaning(
        "Silhouette",
        "How much nearer held-out rows are to their own cluster than to the next, of rows without "
        "labels: 1 far apart, 0 at the border, negative in the wrong one.",
        "higher",
    ),
    "reconstruction_mse": Meaning(
        "Reconstruction error",
        "Mean square difference between held-out rows and their reconstructions, in "
        "standardised columns.",
    ),
    "reconstruction_mse_data_units": Meaning(
        "Reconstruction error, data units",
        "The same in the data's own units, as papers give it for toy sets.",
    ),
    **IMAGES,
}


def meaning_of(name: str) -> tuple[Meaning, str]:
    """The longest entry of MEANINGS that a score's name is or begins with, up to an underscore.

    Returns:
        The entry, and the rest of the name: ``encoder_10k``.

    Raises:
        KeyError: If there is none.
    """
    known = [entry for entry in MEANINGS if f"{name}_".startswith(f"{entry}_")]
    if not known:
        raise KeyError(f"no meaning is written down for the score {name!r}")
    entry = max(known, key=len)
    return MEANINGS[entry], name.removeprefix(entry).strip("_")
