"""Mutants of the systems of images and their losses: file, the fewest tests that fail, changes.

Each change is a text that occurs in the file once, and what stands instead.
"""

from __future__ import annotations

_ADVERSARIAL_LOSS = "tests/losses/test_adversarial.py::"
_CLASSIFICATION_LOSS = "tests/losses/test_classification.py::"
_CONTRASTIVE_LOSS = "tests/losses/test_contrastive.py::"
_INFOSCC_GAN_LOSS = "tests/losses/test_infoscc_gan.py::"
_REGULARIZERS_LOSS = "tests/losses/test_regularizers.py::"
_IMAGE_DRAWING = "tests/systems/images/test_image_drawing.py::"
_IMAGE_PICTURES = "tests/systems/images/test_image_pictures.py::"
_IMAGE_SCORING = "tests/systems/images/test_image_scoring.py::"

_CHANGES = {
    "scgan/systems/infoscc_gan.py": {
        _IMAGE_DRAWING + "test_an_attribute_is_asked_for_by_its_name[0]": [
            ("y = y.to(self.device)\n", "y = y.to(self.device).roll(1, 1)\n"),
            ("self.generator(eps, z, rows)", "self.generator(eps, z, rows.roll(1, 1))"),
            (
                "self.attributes.sample(num, generator, attribute, law)",
                "self.attributes.sample(num, generator, None, law)",
            ),
        ],
        _IMAGE_DRAWING
        + "test_attributes_are_drawn_by_their_frequency_and_given_as_they_are[one]": [
            ("self.generator(eps, z, rows)", "self.generator(eps, z, rows.flip(0))"),
            ("self.generator(eps, z, rows)", "self.generator(eps, 0 * z, rows)"),
        ],
        _IMAGE_DRAWING + "test_degrees_are_of_all_images_or_of_each": [
            ("attributes.expand(num, -1)", "attributes.round().expand(num, -1)"),
        ],
        _IMAGE_DRAWING + "test_attributes_are_read_by_two_networks[one]": [
            ("self.attributes.classifier(self.encoder.backbone(x))", "self.judge.classify(x)"),
            (
                "self._decide(images, self.judge.classify)",
                "self.read(images)",
            ),
            ("(y.argmax(1) if", "(y.argmin(1) if"),
            ("(logits.argmax(1) if", "(logits.argmin(1) if"),
        ],
        _IMAGE_DRAWING + "test_attributes_are_read_by_two_networks[many]": [
            ("(logits > 0)", "(logits > 1)"),
        ],
        _IMAGE_DRAWING + "test_real_images_have_the_nearest_centres_attribute_or_their_labels": [
            ("self.attributes.of_images(h, u, labels)", "self.attributes.of_images(u, h, labels)"),
        ],
        _IMAGE_DRAWING + "test_extractors_are_the_backbones_of_encoder_and_judge": [
            ('"encoder": FrozenEncoder(self.encoder)', '"encoder": self.judge'),
        ],
        _IMAGE_SCORING
        + "test_distances_are_of_generated_to_real_images_and_their_floors_of_real_to_held_out": [
            (
                "            data.train,\n            fake,\n",
                "            data.train,\n            data.train,\n",
            ),
            (
                "            data.train,\n            fake,\n",
                "            data.test,\n            fake,\n",
            ),
            ("held_out=data.test", "held_out=None"),
        ],
        _IMAGE_SCORING + "test_scores_are_of_no_more_images_than_are_set": [
            ("compared(data, c.num_images)", "compared(data, 10_000)"),
        ],
        _IMAGE_SCORING + "test_networks_that_the_user_names_are_measured_in": [
            ("*named_networks(c, model.device)]", "]"),
        ],
        _IMAGE_SCORING + "test_control_is_of_what_was_asked_for_and_diversity_within_it[one]": [
            ('(("", model.read), ("judge_", model.judged))', '(("judge_", model.read),)'),
            (
                '(("", model.read), ("judge_", model.judged))',
                '(("", model.read), ("judge_", model.read))',
            ),
            ("control_scores(read(fake), asked,", "control_scores(asked, asked,"),
            ("control_scores(read(fake), asked,", "control_scores(read(data.test), asked,"),
            ("read(data.test), real_y, names", "read(data.train), real_y, names"),
            (
                "diversity_scores(fake, asked, data.test,",
                "diversity_scores(fake, asked, data.train,",
            ),
            (
                "diversity_scores(fake, asked, data.test,",
                "diversity_scores(fake, real_y, data.test,",
            ),
            (
                "fake, asked = fake.cpu(), model.asked(y)",
                "fake, asked = fake.cpu(), model.asked(y.flip(0))",
            ),
        ],
        _IMAGE_SCORING + "test_clusters_are_laid_beside_the_labels_of_the_held_out_images": [
            ("model.attributes_of(data.test, labels)", "model.attributes_of(data.train, labels)"),
            (
                "label_scores(labels.numpy(), real_y)",
                "label_scores(labels.numpy(), real_y.flip(0))",
            ),
            ("model.attributes.centres is not None and labels is not None", "labels is not None"),
        ],
        _IMAGE_SCORING + "test_objectives_are_on_the_held_out_images": [
            ('"fid_judge": fid_of("judge")', '"fid_judge": fid_of("encoder")'),
            ('control_error_of("read")', 'control_error_of("judged")'),
        ],
    },
    "scgan/figures/by_attribute.py": {
        _IMAGE_PICTURES
        + "test_samples_of_an_attribute_stand_beside_real_images_that_have_it[one]": [
            ("model.sample(8, generator, attribute=name)", "model.sample(8, generator)"),
            ("real_y == a if", "real_y != a if"),
            ("to_float(real), real_y)", "to_float(real), real_y.flip(0))"),
        ],
        _IMAGE_PICTURES
        + "test_subspaces_are_traversed_of_an_image_with_a_samples_attributes[one]": [
            (
                "traverse(model.generator, generator, y[:1])",
                "traverse(model.generator, generator, y[:1].roll(1, 1))",
            ),
        ],
        _IMAGE_PICTURES + "test_features_of_held_out_images_and_samples_are_embedded_together": [
            ("features(encoder, fake[:1000])", "features(encoder, real[:1000])"),
            ("model.asked(y)[:1000]", "model.asked(y.flip(0))[:1000]"),
            ("images.tsne(h, real_y[:1000],", "images.tsne(h, real_y[:1000].flip(0),"),
        ],
        _IMAGE_PICTURES
        + "test_samples_of_an_attribute_stand_beside_real_images_that_have_it[many]": [
            ("real_y[:, a] > 0 for", "real_y[:, a] == 0 for"),
        ],
        _IMAGE_PICTURES + "test_degrees_bring_an_attribute_in_with_all_else_fixed[one]": [
            ("(1 - degrees) * start + degrees * identity[a]", "degrees * identity[a]"),
            ("identity[a - 1] if", "identity[a] if"),
        ],
        _IMAGE_PICTURES + "test_degrees_bring_an_attribute_in_with_all_else_fixed[many]": [
            ("torch.zeros_like(identity[a])", "torch.ones_like(identity[a])"),
        ],
    },
    "scgan/stages/images/measures.py": {
        _IMAGE_DRAWING + "test_extractors_are_the_backbones_of_encoder_and_judge": [
            ("return self.encoder.backbone(images)", "return self.encoder(images)"),
        ],
        _IMAGE_DRAWING + "test_networks_that_the_user_names_are_loaded": [
            ("for spec in c.extractors]", "for spec in c.extractors[:1]]"),
        ],
    },
    "scgan/systems/eigengan.py": {
        _IMAGE_DRAWING + "test_the_unconditional_draws_as_many_as_are_asked_for": [
            ("latents(min(chunk, num - start), generator)", "latents(chunk, generator)"),
            (
                "self.generator(eps, z)",
                "self.generator(eps.round(), z.round())",
            ),
        ],
        _IMAGE_SCORING + "test_scores_are_of_no_more_images_than_are_set": [
            ("compared(data, c.num_images)", "compared(data, 10_000)"),
        ],
        _IMAGE_SCORING + "test_networks_that_the_user_names_are_measured_in": [
            ("*named_networks(c, model.device)]", "]"),
        ],
        _IMAGE_PICTURES + "test_the_unconditionals_samples_and_subspaces_are_drawn": [
            ("        yield from super().figures(model, data, seed)\n", ""),
        ],
    },
    "scgan/losses/contrastive.py": {
        _CONTRASTIVE_LOSS + "test_equals_the_slow_loop[0.3-2-7-nt_xent]": [
            ("torch.cat(others)) / temperature", "torch.cat(others)) * temperature"),
            ("F.normalize(a, dim=1) @", "a @"),
            ("itself[:, None], -torch.inf)", "itself[:, None], 0.0)"),
            (
                "return F.cross_entropy(logits, positive)",
                "return -F.cross_entropy(logits, positive)",
            ),
            ("torch.cat([first + total, first])", "torch.cat([first, first + total])"),
        ],
        _CONTRASTIVE_LOSS
        + "test_workers_with_gathered_negatives_average_to_the_joined_batch[nt_xent]": [
            ("+ rank * b", "+ 0 * b"),
            ("others = gathered if gathered is not None else (u0, u1)", "others = (u0, u1)"),
        ],
    },
    "scgan/losses/classification.py": {
        _CLASSIFICATION_LOSS + "test_equals_the_slow_loops": [
            ('"one":\n        return F.cross', '"many":\n        return F.cross'),
            (
                "return F.cross_entropy(logits, y)",
                'return F.cross_entropy(logits, y, reduction="sum")',
            ),
            (
                "return F.binary_cross_entropy_with_logits(logits, y)",
                "return F.binary_cross_entropy_with_logits(-logits, y)",
            ),
        ],
    },
    "scgan/losses/adversarial.py": {
        _ADVERSARIAL_LOSS + "test_both_sides_equal_the_formula[non_saturating]": [
            (
                "return F.softplus(-real_logits) + F.softplus(fake_logits)",
                "return F.softplus(real_logits) + F.softplus(-fake_logits)",
            ),
            ("return F.softplus(-fake_logits)", "return -F.softplus(fake_logits)"),
        ],
        _ADVERSARIAL_LOSS + "test_both_sides_equal_the_formula[hinge]": [
            (
                "F.relu(1 - real_logits) + F.relu(1 + fake_logits)",
                "F.relu(1 - real_logits) + F.relu(1 - fake_logits)",
            ),
            ("return -fake_logits", "return fake_logits"),
        ],
        _ADVERSARIAL_LOSS + "test_both_sides_equal_the_formula[hinge_clipped]": [
            ("return F.relu(1 - fake_logits)", "return 1 - fake_logits"),
            (
                '"hinge_clipped": Pair(hinge_d_loss, hinge_clipped_g_loss)',
                '"hinge_clipped": Pair(hinge_d_loss, hinge_g_loss)',
            ),
        ],
        _ADVERSARIAL_LOSS + "test_both_sides_equal_the_formula[least_squares]": [
            (
                "(real_logits - 1).square() + fake_logits.square()",
                "(real_logits + 1).square() + fake_logits.square()",
            ),
            ("return (fake_logits - 1).square()", "return fake_logits.square()"),
        ],
        _ADVERSARIAL_LOSS + "test_both_sides_equal_the_formula[quartic]": [
            (
                "(real_logits - 1).pow(4) + fake_logits.pow(4)",
                "(real_logits - 1).pow(4) - fake_logits.pow(4)",
            ),
            ("return (fake_logits - 1).pow(4)", "return (fake_logits - 1).pow(2)"),
        ],
    },
    "scgan/losses/regularizers.py": {
        _REGULARIZERS_LOSS + "test_r1_of_a_linear_discriminator_is_its_squared_weight": [
            ("return gradient.square().sum(-1)", "return gradient.square().mean(-1)"),
            ("return gradient.square().sum(-1)", "return gradient.abs().sum(-1)"),
        ],
        _REGULARIZERS_LOSS + "test_r1_passes_gradients_to_the_discriminator": [
            ("create_graph=True", "create_graph=False"),
        ],
        _REGULARIZERS_LOSS
        + "test_orthogonality_equals_a_slow_sum_and_vanishes_for_orthonormal_rows": [
            ("(gram - _identity(gram)).square()", "gram.square()"),
            ("U @ U.T for", "U.T @ U for"),
        ],
    },
    "scgan/losses/infoscc_gan.py": {
        _INFOSCC_GAN_LOSS
        + "test_generator_loss_equals_equations_7_and_9_a_logit_and_basis_at_a_time[shape0]": [
            (
                "g_loss + orthogonality_weight * penalty)",
                "g_loss - orthogonality_weight * penalty)",
            ),
            ("g_loss + orthogonality_weight * penalty)", "g_loss + penalty)"),
            ("g_loss(fake_logits).mean()", "g_loss(fake_logits).sum()"),
        ],
    },
}

MUTANTS = [
    (path, old, new, (test,))
    for path, tests in _CHANGES.items()
    for test, changes in tests.items()
    for old, new in changes
]
