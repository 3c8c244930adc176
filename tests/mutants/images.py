"""Mutants of the image stages: file, the fewest tests that fail, changes.

Each change is a text that occurs in the file once, and what stands instead.
"""

from __future__ import annotations

_ATTRIBUTE_TRAINING = "tests/stages/images/test_attribute_training.py::"
_ENCODER_TRAINING = "tests/stages/images/test_encoder_training.py::"
_GENERATOR_AUGMENTATION = "tests/stages/images/test_generator_augmentation.py::"
_GENERATOR_STEP = "tests/stages/images/test_generator_step.py::"
_GENERATOR_TRAINING = "tests/stages/images/test_generator_training.py::"

_CHANGES = {
    "scgan/stages/images/encode.py": {
        _ENCODER_TRAINING + "test_every_update_goes_down_equation_1[0.2]": [
            ("        descend(optimizer, loss)\n", ""),
        ],
        _ENCODER_TRAINING + "test_two_views_of_each_image_are_compared": [
            ("torch.cat([x, x])", "torch.cat([x, x.flip(0)])"),
            ("views(torch.cat([x, x]), seed)", "torch.cat([x, x])"),
            (
                "seed = int(torch.randint(2**62, (), generator=generator)) + runtime.rank",
                "seed = runtime.rank",
            ),
            (
                "to_float(runtime.copy(images[rows]))",
                "images[rows].float()",
            ),
        ],
        _ENCODER_TRAINING
        + "test_a_worker_takes_its_half_and_has_the_others_views_as_negatives[1]": [
            ("generator=generator)) + runtime.rank", "generator=generator))"),
        ],
        _ENCODER_TRAINING + "test_images_are_drawn_anew_and_evenly": [
            (
                "torch.randint(len(images), (c.batch_size,), generator=generator)",
                "torch.arange(c.batch_size) % len(images)",
            ),
        ],
        _ENCODER_TRAINING
        + "test_the_views_suit_the_images_unless_they_are_named[3-affine-affine]": [
            ('c.views if c.views != "auto" else _views_of(channels)', "_views_of(channels)"),
        ],
        _ENCODER_TRAINING + "test_the_views_suit_the_images_unless_they_are_named[3-auto-simclr]": [
            ('"affine" if channels == 1 else "simclr"', '"affine"'),
        ],
        _ENCODER_TRAINING + "test_adam_has_the_rate_the_decay_and_the_schedule_that_are_set": [
            ("weight_decay=c.weight_decay", "weight_decay=0.0"),
            ("adam(siamese.trained, c.learning_rate", "adam(siamese.trained, 1e-3"),
            (
                'train(state, step, c, name="encode"',
                'train(state, step, c.model_copy(update={"schedule": "constant"}), name="encode"',
            ),
        ],
        _ENCODER_TRAINING + "test_the_last_weights_are_stored_and_taken_up_frozen": [
            ("encoder.eval().requires_grad_(False)", "encoder.requires_grad_(False)"),
            (
                'Artifact(named_weights("encoder", encoder), meta)',
                'Artifact(named_weights("encoder", build_image_encoder(c, channels, size)), meta)',
            ),
        ],
        _ENCODER_TRAINING + "test_another_seed_draws_other_weights_and_other_images": [
            ("generator or torch.Generator(),", "torch.Generator(),"),
        ],
        _ENCODER_TRAINING + "test_what_the_images_cannot_bear_is_refused[small backbone]": [
            ("and size > 32", "and size > 64"),
        ],
        _ENCODER_TRAINING + "test_what_they_can_bear_is_not": [
            ('"simclr" and channels == 1', '"simclr" and channels == 3'),
        ],
    },
    "scgan/stages/images/attributes.py": {
        _ATTRIBUTE_TRAINING + "test_clusters_lie_in_the_space_that_is_set[projections]": [
            ("_space(c.space, h, u)", '_space("features", h, u)'),
            ("_space(self.space, h, u), self.centres)", '_space("features", h, u), self.centres)'),
        ],
        _ATTRIBUTE_TRAINING + "test_clusters_lie_in_the_space_that_is_set[raw_features]": [
            ("        return h\n", "        return F.normalize(h, dim=1)\n"),
            ("        return h\n", "        return u\n"),
        ],
        _ATTRIBUTE_TRAINING + "test_clusters_lie_in_the_space_that_is_set[features]": [
            (
                'F.normalize(u if name == "projections" else h, dim=1)',
                'u if name == "projections" else h',
            ),
            ('"projections" else h, dim=1)', '"projections" else h, dim=0)'),
            ('u if name == "projections" else h', 'h if name == "projections" else u'),
            ("h, u), self.centres)\n", "h, u), self.centres.flip(0))\n"),
            ("if self.centres is None:", "if labels is not None:"),
            ('"centres": clusters.centres', '"centres": clusters.centres.flip(0)'),
        ],
        _ATTRIBUTE_TRAINING + "test_attributes_are_sampled_by_their_frequency[None-shares0]": [
            ("weights = self.counts.double()", "weights = torch.ones_like(self.counts).double()"),
            ("[rows].float()", "[rows].float().roll(1, 1)"),
        ],
        _ATTRIBUTE_TRAINING + "test_attributes_are_sampled_by_their_frequency[green-shares2]": [
            ("weights = weights * (self", "weights = 1.0 * (self"),
        ],
        _ATTRIBUTE_TRAINING + "test_attributes_are_sampled_by_their_frequency[red-shares1]": [
            ("self.names.index(attribute)] > 0", "self.names.index(attribute) - 1] > 0"),
        ],
        _ATTRIBUTE_TRAINING + "test_the_classifier_reads_labels_off_features_as_they_are[one]": [
            (
                "F.one_hot(y, len(self.names)).float()",
                "F.one_hot(y, len(self.names)).float().roll(1, 1)",
            ),
            ("classifier(h[rows]), y[rows]", "classifier(F.normalize(h[rows], dim=1)), y[rows]"),
            ("classifier(h[rows]), y[rows]", "classifier(h[rows]), y[rows.flip(0)]"),
            ("        descend(optimizer, loss)\n", ""),
            ("torch.from_numpy(labels).long()", "torch.from_numpy(labels).long().flip(0)"),
        ],
        _ATTRIBUTE_TRAINING + "test_the_classifier_reads_labels_off_features_as_they_are[many]": [
            ("y[rows], kind)", 'y[rows], "one")'),
            ('kind = "one" if y.ndim == 1 else "many"', 'kind = "one"'),
        ],
        _ATTRIBUTE_TRAINING + "test_images_are_drawn_evenly[fit_attributes]": [
            ("torch.randint(len(h), (c.batch_size,),", "torch.randint(3, (c.batch_size,),"),
        ],
        _ATTRIBUTE_TRAINING + "test_k_means_has_the_settings": [
            ("generator=start))", "generator=torch.Generator()))"),
            ("num_starts=c.num_starts", "num_starts=1"),
            ("max_iter=c.max_iter", "max_iter=300"),
            ("mini_batch_above=c.mini_batch_above", "mini_batch_above=200_000"),
            ("min_rows=2", "min_rows=1"),
            ("            c.num_clusters,\n", "            10,\n"),
        ],
        _ATTRIBUTE_TRAINING + "test_combinations_are_counted[one]": [
            ('"counts": counts', '"counts": torch.ones_like(counts)'),
        ],
        _ATTRIBUTE_TRAINING + "test_agreement_is_of_the_trained_classifier_on_all_images[one]": [
            ("logits.argmax(1) == y.argmax(1)", "logits.argmin(1) == y.argmax(1)"),
            (
                'named_weights("classifier", classifier)',
                'named_weights("classifier", nn.Linear(h.shape[1], len(names)))',
            ),
            ("classifier.eval().requires_grad_(False)", "classifier"),
        ],
        _ATTRIBUTE_TRAINING + "test_agreement_is_of_the_trained_classifier_on_all_images[many]": [
            ("(logits > 0) == y.bool()", "(logits < 0) == y.bool()"),
        ],
        _ATTRIBUTE_TRAINING
        + "test_adam_has_the_rate_and_the_schedule_that_are_set[fit_attributes]": [
            ("weight_decay=c.weight_decay", "weight_decay=0.0"),
            ("adam(classifier, c.learning_rate", "adam(classifier, 3e-3"),
        ],
        _ATTRIBUTE_TRAINING
        + "test_another_seed_draws_other_weights_and_other_images[classifier]": [
            (
                'initialise(classifier, inputs.generator("attributes", "weights"))',
                "initialise(classifier, torch.Generator())",
            ),
        ],
    },
    "scgan/stages/images/judge.py": {
        _ATTRIBUTE_TRAINING + "test_the_judge_learns_the_attributes_of_real_images[one]": [
            ("runtime.copy(y[rows])", "runtime.copy(y[rows.flip(0)])"),
            ("runtime.copy(y[rows])", "runtime.copy(y[rows]).roll(1, 1)"),
            ("        descend(optimizer, loss)\n", ""),
            ("to_float(runtime.copy(images[rows]))", "images[rows].float()"),
        ],
        _ATTRIBUTE_TRAINING + "test_the_judge_learns_the_attributes_of_real_images[many]": [
            ("attribute_loss(logits, target, kind)", 'attribute_loss(logits, target, "one")'),
        ],
        _ATTRIBUTE_TRAINING + "test_adam_has_the_rate_and_the_schedule_that_are_set[fit_judge]": [
            ("adam(network, c.learning_rate)", "adam(network, 1e-3)"),
        ],
        _ATTRIBUTE_TRAINING + "test_images_are_drawn_evenly[fit_judge]": [
            ("images = inputs.data.train\n", "images = inputs.data.train[:3]\n"),
        ],
        _ATTRIBUTE_TRAINING + "test_the_judge_is_stored_and_taken_up_frozen": [
            ("judge.eval().requires_grad_(False)", "judge.requires_grad_(False)"),
            ("return self.head(features)", "return self.head(features.sqrt())"),
        ],
        _ATTRIBUTE_TRAINING + "test_another_seed_draws_other_weights_and_other_images[judge]": [
            ('inputs.generator("judge", "weights")', "torch.Generator()"),
        ],
    },
    "scgan/stages/images/generate.py": {
        _GENERATOR_STEP + "test_every_update_is_the_papers[multiclass-hinge_clipped]": [
            ("total = weight * losses", "total = losses"),
            ("self.c.classification_weight * SCHEDULES", "1.0 * SCHEDULES"),
            ("conditions.loss(h, y.repeat(times, 1))", "conditions.loss(h, y.flip(0))"),
            ("conditions.loss(h, y.repeat(times, 1))", "conditions.loss(h, y.roll(1, 1))"),
            ("found.classifier(h)", "found.classifier(nn.functional.normalize(h))"),
            (
                'inputs.artifacts["encode"]).backbone',
                'inputs.artifacts["encode"]).backbone.train()',
            ),
            ("self.c.r1_weight * penalty", "penalty"),
            ("self.c.r1_weight * penalty", "0.5 * self.c.r1_weight * penalty"),
            ("number % self.c.r1_every == 0", "number % self.c.r1_every == 1"),
            ("self._penalise(x, y_real)", "self._penalise(x, y_real.flip(0))"),
            ("self._penalise(x, y_real)", "self._penalise(x, self._attributes(self._rows()))"),
            ("penalty = r1(logits, flat).mean()", "penalty = r1(logits, flat).sum()"),
            ("self._play(x, y_real, y)", "self._play(x, y, y_real)"),
            ("torch.cat([y_real, y])", "torch.cat([y, y_real])"),
            ("torch.cat([y_real, y])", "torch.cat([y_real, y_real])"),
            ("torch.cat([real, faked])", "torch.cat([faked, real])"),
            ("logits.split(len(x))", "logits.split(len(x))[::-1]"),
            ("fake = self._generate(y)\n", "fake = self._generate(y_real)\n"),
            ("self.augment(fake, fake_draws), y)", "self.augment(fake, fake_draws), y_real)"),
            (
                "attributes.rows(attributes.y[rows])",
                "attributes.rows(attributes.y[rows]).roll(1, 1)",
            ),
            ("attributes.rows(attributes.y[rows])", "attributes.rows(attributes.y[rows.flip(0)])"),
            (
                "to_float(self.runtime.copy(self.images[rows]))",
                "self.images[rows].float()",
            ),
        ],
        _GENERATOR_STEP + "test_weights_and_periods_are_the_settings[changes1]": [
            ("number % self.conditions.c.n == 0", "number % self.conditions.c.n == 1"),
        ],
        _GENERATOR_STEP + "test_images_have_none_one_or_many_attributes[multiclass]": [
            (
                "return attribute_loss(logits, y, found.kind)",
                'return attribute_loss(logits, y, "one")',
            ),
        ],
        _GENERATOR_STEP + "test_weights_and_periods_are_the_settings[changes2]": [
            ("self.c.r1_weight > 0 and", "True and"),
            ('"orthogonality_weight": c.orthogonality_weight', '"orthogonality_weight": 1.0'),
        ],
        _GENERATOR_STEP + "test_every_update_is_the_papers[global-quartic]": [
            ("PAIRS[c.adversarial].d_loss", 'PAIRS["hinge"].d_loss'),
            ("adversarial=c.adversarial", 'adversarial="hinge_clipped"'),
        ],
        _GENERATOR_AUGMENTATION + "test_real_and_generated_images_alike_are_augmented[cutout]": [
            ("self.augment(x, real_draws)", "x"),
            ("self.augment(x, real_draws)", "self.augment(x, fake_draws)"),
            ("self.augment(fake.detach(), fake_draws)", "fake.detach()"),
            ("self.augment(fake, fake_draws)", "fake"),
            ("self.augment(fake, fake_draws)", "self.augment(fake, real_draws)"),
            ("self.augment(flat.view_as(x), self._augmentation())", "flat.view_as(x)"),
            ("DiffAugment(c.diff_augment,", "DiffAugment((),"),
        ],
        _GENERATOR_AUGMENTATION
        + "test_generated_images_pass_their_gradient_through_the_augmentation": [
            (
                "self.augment(fake, fake_draws)",
                "self.augment(fake, fake_draws).detach() + 0 * fake",
            ),
        ],
        _GENERATOR_AUGMENTATION + "test_parts_of_the_augmentation_come_together": [
            ("DiffAugment(c.diff_augment,", "DiffAugment(c.diff_augment[:1],"),
        ],
        _GENERATOR_AUGMENTATION + "test_a_batch_is_augmented_as_often_as_is_set[0.0]": [
            ("c.augment_probability)", "1.0)"),
        ],
        _GENERATOR_TRAINING
        + "test_attributes_are_drawn_by_their_frequency_apart_from_the_real_batch[one]": [
            ("self._attributes(self._rows())", "y_real"),
        ],
        _GENERATOR_TRAINING + "test_real_images_are_drawn_evenly": [
            (
                "torch.randint(len(self.images), shape, generator=self.batches)",
                "torch.arange(*shape) % len(self.images)",
            ),
        ],
        _GENERATOR_TRAINING + "test_latents_are_normal_and_new_at_every_call[one]": [
            ("self.network(eps, z, y)", "self.network(eps, 0 * z, y)"),
            ("self.network(eps, z, y)", "self.network(eps.sigmoid(), z, y)"),
            (
                "self.generator.latents(self.c.batch_size, self.noise)",
                "self.generator.latents(self.c.batch_size, torch.Generator())",
            ),
        ],
        _GENERATOR_TRAINING + "test_each_network_has_its_own_learning_rate_and_the_schedule[one]": [
            ("adam(self.generator, c.learning_rate", "adam(self.generator, c.d_learning_rate"),
            (
                "adam(self.discriminator, c.d_learning_rate",
                "adam(self.discriminator, c.learning_rate",
            ),
            ("c.learning_rate, betas=GAN_BETAS", "c.learning_rate"),
            ("c.d_learning_rate, betas=GAN_BETAS", "c.d_learning_rate"),
            ("training.step, c,", 'training.step, c.model_copy(update={"schedule": "constant"}),'),
        ],
        _GENERATOR_TRAINING + "test_the_average_of_the_weights_is_stored[1.5]": [
            ("training.average.module", "training.generator"),
            ("        self.average.update(self.generator)\n", ""),
            ("Average(self.generator, c.ema_half_life", "Average(self.generator, 2_000"),
        ],
        _GENERATOR_TRAINING + "test_the_stored_generator_is_taken_up_frozen": [
            ("network.eval().requires_grad_(False)", "network"),
        ],
        _GENERATOR_TRAINING + "test_workers_take_each_their_half_of_a_batch": [
            ("(self.runtime.share(eps), self.runtime.share(z))", "(eps[: len(y)], z[: len(y)])"),
            (
                "self.runtime.share(draws[1])",
                "draws[1][: len(draws[1]) // self.runtime.world_size]",
            ),
        ],
        _GENERATOR_TRAINING + "test_the_networks_are_of_the_widths_that_are_set": [
            ("width=c.d_width", "width=c.width"),
            ("noise_dim=c.noise_dim", "noise_dim=6"),
        ],
        _GENERATOR_TRAINING + "test_importances_start_at_the_scale_that_is_set": [
            ("noise_scale=c.noise_scale", "noise_scale=18.0"),
        ],
        _GENERATOR_TRAINING + "test_another_seed_draws_other_weights_images_and_latents": [
            ('weights = inputs.generator("generate", "weights")', "weights = torch.Generator()"),
        ],
    },
}

MUTANTS = [
    (path, old, new, (test,))
    for path, tests in _CHANGES.items()
    for test, changes in tests.items()
    for old, new in changes
]
