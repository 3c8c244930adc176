"""What each score of images says."""

from __future__ import annotations

from collections.abc import Mapping

from scgan.metrics.meaning import Meaning

IMAGES: Mapping[str, Meaning] = {
    "fid": Meaning(
        "Fréchet distance (FID)",
        "How far means and covariances of the samples' features are from real images'; "
        "only figures with the same extractor and number of images compare.",
    ),
    "kid": Meaning(
        "Kernel distance (KID)",
        "Squared maximum mean discrepancy of the features, without bias: around 0 for real images.",
        "lower",
        "difference",
    ),
    "is": Meaning(
        "Inception Score",
        "How sure a classifier is of each sample, and how evenly its classes are met: "
        "from 1 to their number.",
        "higher",
    ),
    "chamfer_sum": Meaning(
        "Chamfer distance, real to generated",
        "Sum over real images of the squared distance to the nearest sample, in a common "
        "3-D t-SNE: as published.",
    ),
    "chamfer_mean": Meaning(
        "Chamfer distance, both ways",
        "The mean instead, and from samples to real images, too.",
    ),
    "control_accuracy": Meaning(
        "Attribute control accuracy",
        "How much of what was asked for the pipeline's classifier finds in the samples; the floor "
        "is what it finds of real images' attributes: the most to be asked.",
        "higher",
    ),
    "control_accuracy_worst": Meaning(
        "Attribute control accuracy, worst", "The same of the worst attribute.", "higher"
    ),
    "control_balanced": Meaning(
        "Attribute control, balanced",
        "Mean over attributes of how often it is found where it was asked for, and not found where "
        "it was not.",
        "higher",
    ),
    "control_of": Meaning("Attribute control accuracy", "The same of one attribute.", "higher"),
    "judge_control_accuracy": Meaning(
        "Attribute control accuracy, judge",
        "How much of what was asked for is found by a classifier of its own, trained on real "
        "images, that the generator never saw.",
        "higher",
    ),
    "judge_control_accuracy_worst": Meaning(
        "Attribute control accuracy, judge, worst", "The same of the worst attribute.", "higher"
    ),
    "judge_control_balanced": Meaning(
        "Attribute control, judge, balanced", "The balanced accuracy by that classifier.", "higher"
    ),
    "judge_control_of": Meaning(
        "Attribute control accuracy, judge", "The same of one attribute.", "higher"
    ),
    "diversity": Meaning(
        "Diversity in an attribute",
        "Root mean square difference of two samples with the same attribute, beside that "
        "of real images: less is a collapse, more is noise.",
        "none",
    ),
    "diversity_worst": Meaning(
        "Diversity in an attribute, smallest ratio",
        "The diversity of the attribute in which samples vary least, as a share of that of its "
        "real images.",
        "none",
    ),
}
