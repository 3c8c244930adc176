"""Mutants of the encoders' losses and training, the patch critic, the papers' presets."""

from __future__ import annotations

_LOSS = "tests/losses/test_contrastive.py::"
_TRAINING = "tests/stages/images/test_encoder_training.py::"
_LIMITED = "tests/losses/test_classification.py::test_the_limited_loss_of_"
_NETWORKS = "tests/nn/test_image_networks.py::"
_GENERATING = "tests/stages/images/test_generator_training.py::"
_ATTRIBUTES = "tests/stages/images/test_attribute_training.py::"
_PRESETS = "tests/systems/images/test_paper_presets.py::"
_SCORING = "tests/systems/images/test_image_scoring.py::"
_BASELINE = "tests/systems/test_infoscc_gan.py::"

_CHANGES = {
    "scgan/losses/contrastive.py": {
        _LOSS + "test_byol_equals_the_slow_loop_and_its_closed_form[6-2]": [
            ("F.normalize(target, dim=1)", "target"),
            (".square().sum(1).mean()", ".square().mean()"),
        ],
        _LOSS + "test_byols_momentum_starts_at_the_base_and_ends_at_1": [
            ("(math.cos(math.pi * done) + 1) / 2", "math.cos(math.pi * done)"),
        ],
        _LOSS + "test_barlow_twins_equals_the_slow_loop[0.005-9-2]": [
            ("F.normalize(u - u.mean(0), dim=0)", "F.normalize(u, dim=0)"),
            ("F.normalize(u - u.mean(0), dim=0)", "F.normalize(u - u.mean(0), dim=1)"),
            ("correlation.square().sum() - alike.square().sum()", "correlation.square().sum()"),
            ("(1 - alike).square().sum()", "(1 - alike).square().mean()"),
        ],
    },
    "scgan/losses/energy.py": {
        "tests/losses/test_energy.py::test_equals_the_slow_loop": [
            ("(first - second, dim=1)) / 2", "(first - second, dim=1))"),
            ("+ vector_norm(second - x", "- vector_norm(second - x"),
        ],
    },
    "scgan/losses/classification.py": {
        _LIMITED + "classes_equals_the_slow_loop": [
            ("- y @ allowed)", "- allowed.mean())"),
        ],
        _LIMITED + "many_attributes_equals_the_slow_loop": [
            ("y > 0.5, allowed[1], allowed[0]", "y > 0.5, allowed[0], allowed[1]"),
            ("F.relu(entropies - torch", "(entropies - torch"),
        ],
        "tests/losses/test_classification.py::test_what_real_images_cost_is_by_attribute": [
            ("torch.stack([1 - y, y])", "torch.stack([y, 1 - y])"),
            ("(y.T @ entropies) / y.sum(0).clamp_min(1)", "(y.T @ entropies) / len(y)"),
            ("groups.sum(1).clamp_min(1)", "groups.sum(1)"),
        ],
    },
    "scgan/nn/discriminators.py": {
        _NETWORKS + "test_projection_adds_an_images_attributes_to_a_logit_of_all_images": [
            ("return psi + (y * projections)", "return (y * projections)"),
            ("(y * projections).sum(1", "(y * projections).mean(1"),
            ("(y * projections).sum(1", "projections.sum(1"),
            ("tensor_split([-1], 1)", "roll(-1, 1).tensor_split([-1], 1)"),
        ],
        "tests/stages/images/test_generator_step.py::"
        "test_every_update_is_the_papers[projection-hinge_clipped]": [
            ('if name == "multiclass" else ProjectionDiscriminator', "if True else None"),
        ],
        _NETWORKS + "test_each_logit_of_the_patch_critic_sees_the_whole_image[28]": [
            ("*[2] * (num_blocks(size) - 1)", "*[2] * (num_blocks(size) - 2)"),
        ],
        _NETWORKS + "test_spectral_normalisation_bounds_every_layer_and_replaces_groups[patch]": [
            ("normalised=not spectral", "normalised=True"),
            ("    if spectral:\n", "    if False:\n"),
            ("        torch.default_generator.manual_seed(seed)\n", ""),
        ],
    },
    "scgan/nn/eigengan.py": {
        _NETWORKS + "test_resizing_repeats_pixels_and_then_convolves": [
            ("nn.Upsample(scale_factor=2)", 'nn.Upsample(scale_factor=2, mode="bilinear")'),
        ],
        _NETWORKS + "test_the_mapper_of_the_papers_code_starts_as_a_linear_layer_does": [
            ("        if balanced:\n", "        if True:\n"),
        ],
    },
    "scgan/stages/images/generate.py": {
        _GENERATING + "test_upsampling_the_mapper_and_spectral_normalisation_are_as_set": [
            ("upsampling=c.upsampling", 'upsampling="transposed"'),
            ("spectral=c.spectral", "spectral=False"),
            ("and c.balanced_mapper", "and True"),
        ],
        _GENERATING + "test_combinations_are_asked_for_alike_where_that_is_set[one]": [
            ('law="uniform")', 'law="frequency")'),
        ],
        _GENERATING + "test_the_weight_of_the_attributes_follows_its_schedule": [
            ("[self.c.classification_schedule](done)", "[self.c.classification_schedule](0)"),
        ],
        _GENERATING + "test_samples_are_made_no_surer_than_real_images_where_that_is_set[one]": [
            ('if self.c.certainty == "as_real":', "if False:"),
        ],
        _GENERATING
        + "test_two_samples_of_each_real_images_attributes_are_scored_by_features_where_that_is_set"
        "[one]": [
            ("y = y.repeat(times, 1)", "y = y.repeat_interleave(times, 0)"),
            ("(h, y.repeat(times, 1))", "(h, y.repeat_interleave(times, 0))"),
            ("conditions.c.energy_weight * losses", "losses"),
        ],
    },
    "scgan/stages/images/attributes.py": {
        _ATTRIBUTES + "test_combinations_are_drawn_alike_where_that_is_wanted[None-shares0]": [
            ('if law == "frequency" else torch.ones(len(self.counts))', "if True else law"),
        ],
    },
    "scgan/systems/infoscc_gan.py": {
        _PRESETS
        + "test_infoscc_gans_is_the_best_row_of_table_1_with_the_codes_mapper_rates_and_laws": [
            ('"generator.attribute_law": "uniform"', '"generator.attribute_law": "frequency"'),
            ('"generator.adversarial": "quartic"', '"generator.adversarial": "least_squares"'),
        ],
    },
    "scgan/systems/eigengan.py": {
        _SCORING + "test_the_unconditional_is_scored_by_the_same_networks": [
            ('            "judge": self.judge,\n', ""),
        ],
        _SCORING + "test_chamfer_distances_are_by_the_networks_and_points_that_are_set": [
            ("chamfer=c.chamfer,", 'chamfer=("encoder",),'),
            ("chamfer_points=c.chamfer_points,", "chamfer_points=1000,"),
        ],
    },
    "ray_jobs/reproduce.py": {
        "tests/ray_jobs/test_reproduce.py::test_some_tables_only": [
            ("if not cell.column or cell.column in wanted", "if cell.column in wanted"),
            ("only.lower() in title.lower()", "only in title"),
        ],
    },
    "scgan/reproductions/infoscc_gan.py": {
        _BASELINE + "test_the_default_is_compared_with_eigengan_by_the_same_judge": [
            ('for name in ("plain", "default")', 'for name in ("plain", "plain")'),
            ("unconditional(override(config, SAME_CRITIC))", "unconditional(config)"),
        ],
        _BASELINE + "test_many_attributes_an_image_have_no_inner_ones_beside_them": [
            ('    if schema.labels == "many":\n', "    if False:\n"),
        ],
        _BASELINE + "test_the_baseline_differs_in_its_conditioning_alone": [
            ('{"generator.discriminator": "global"}', '{"generator.n": 3}'),
            ("for key, value in leaves(config) if key in shared", "for key, value in ()"),
        ],
        _BASELINE + "test_ratios_are_of_pairs_of_a_seed_and_ceilings_stand_in_brackets": [
            ("pair[0].value / pair[1].value", "pair[1].value / pair[0].value"),
        ],
    },
    "scgan/stages/images/siamese.py": {
        _TRAINING + "test_every_update_goes_down_equation_1[0.2]": [
            ("return nt_xent(", "return -nt_xent("),
            ("nt_xent(u0, u1, self.c.temperature", "nt_xent(u0, u1, 0.5"),
            ("nt_xent(u0, u1, self", "nt_xent(u0, u0, self"),
            (
                "self.network(views).float().chunk(2)",
                "self.network(views).float().view(-1, 2, self.c.projection_dim).unbind(1)",
            ),
        ],
        _TRAINING + "test_a_worker_takes_its_half_and_has_the_others_views_as_negatives[1]": [
            ("rank=self.runtime.rank)", "rank=0)"),
            ("gathered=gathered", "gathered=None"),
        ],
        _TRAINING + "test_a_worker_correlates_the_views_of_all_workers": [
            ("(self.runtime.gather(u) for u in self._project(views))", "self._project(views)"),
        ],
        _TRAINING + "test_every_update_of_barlow_twins_goes_down_its_equation_1[0.3]": [
            ("self.c.redundancy_weight", "5e-3"),
        ],
        _TRAINING + "test_every_update_of_byol_goes_down_its_equation_2_and_the_target_follows": [
            ("byol(q0, t1) + byol(q1, t0)", "byol(q0, t0) + byol(q1, t1)"),
            ("byol(q0, t1) + byol(q1, t0)", "byol(q0, t1)"),
            ("self.target(views)", "self.encoder(views)"),
            ("1 - keep)", "keep)"),
            ("byol_momentum(self.c.target_momentum, done)", "self.c.target_momentum"),
        ],
        _TRAINING
        + "test_byols_target_starts_as_the_encoder_and_alone_is_stored_without_its_predictor": [
            (
                "copy.deepcopy(encoder).requires_grad_(False)",
                "copy.deepcopy(encoder).apply(\n"
                '            lambda m: getattr(m, "reset_parameters", int)()\n'
                "        ).requires_grad_(False)",
            ),
        ],
        _TRAINING + "test_a_killed_training_of_the_encoder_goes_on_bit_for_bit[byol]": [
            ('{"encoder": online, "target": self.target}', '{"encoder": online}'),
        ],
    },
}

MUTANTS = [
    (path, old, new, (tests,))
    for path, by_test in _CHANGES.items()
    for tests, changes in by_test.items()
    for old, new in changes
]
