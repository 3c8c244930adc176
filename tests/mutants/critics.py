"""One-line mutations of stage 3's critics, its switches, and the measure of its noise."""

from __future__ import annotations

_DECODE, _CRITICS = "scgan/stages/tables/decode.py", "scgan/nn/critics.py"
_NOISE, _LOSSES, _SYSTEM = (
    "scgan/metrics/noise.py",
    "scgan/losses/scgan.py",
    "scgan/systems/scgan.py",
)
_DECODING, _NETWORKS = "tests/stages/tables/test_decoding.py", "tests/nn/test_critics.py"
_EQ4 = "tests/stages/tables/test_equations.py::test_decoder_minimises_equation_4"
_WIRING = "tests/stages/tables/test_wiring.py"
_PASSES = "tests/stages/tables/test_decoding.py"
_GENERATES = f"{_WIRING}::test_it_generates_from_the_latents_that_are_set"
_FIXED = f"{_WIRING}::test_it_reconstructs_from_the_rows_own_codes_with_the_noise_fixed"
_PENALTY = f"{_WIRING}::test_the_penalty_comes_now_and_then_and_weighs_what_is_set"
_SWITCHES = f"{_DECODING}::test_a_term_that_is_off_has_no_critic_no_loss_and_no_pass"
_SEES = f"{_DECODING}::test_each_critic_sees_its_own_samples_and_the_real_rows"
_SET = f"{_DECODING}::test_a_critic_has_the_settings_that_are_set"
_AXES = f"{_DECODING}::test_axes_that_the_data_hardly_uses_are_not_blown_up_to_noise"
_REFUSED = f"{_DECODING}::test_a_batch_that_is_no_multiple_of_the_pack_is_refused"

# Who notices what is changed in a file, where a mutation doesn't say otherwise.
_TESTS = {
    _DECODE: _DECODING,
    _CRITICS: _NETWORKS,
    _NOISE: "tests/metrics/test_noise.py",
    _LOSSES: "tests/losses/test_scgan.py",
    _SYSTEM: "tests/systems/test_noise_spread.py",
}

# The file, its text, what a careless hand makes of it, and who notices.
_CHANGES: list[tuple[str, str, str, str | None]] = [
    (_DECODE, "within_passes(config.decoder, inputs", "config.decoder; (inputs", _PASSES),
    (_DECODE, "max(c.max_passes * num_rows, LEAST_STEPS * c.batch_size)", "c.max_passes", _PASSES),
    (_DECODE, "LEAST_STEPS * c.batch_size)", "0)", _PASSES),
    (_DECODE, "min(c.num_samples, most)", "most", _PASSES),
    (_DECODE, "if c.max_passes is None:", "if not num_rows:", _PASSES),
    (_DECODE, "own(network(latent, z))", "own(network(code, z))", _GENERATES),
    (_DECODE, "own(network(latent, z))", "own(network(latent))", _SWITCHES),
    (_DECODE, "own(network(code))", "own(network(latent))", _FIXED),
    (_DECODE, "own(network(code))", "own(network(code, z))", _FIXED),
    (_DECODE, "        if c.lambda_x:\n", "        if True:\n", _SWITCHES),
    (_DECODE, "c.r1_weight if number %", "c.r1_weight * c.r1_every if number %", _PENALTY),
    (_DECODE, "if number % c.r1_every == 0 else", "if number % 16 == 0 else", _PENALTY),
    (_DECODE, "r1_every == 0 else 0.0", "r1_every == 0 else c.r1_weight", _PENALTY),
    (
        _DECODE,
        "torch.cat([rows, fakes[name].detach()])",
        "torch.cat([fakes[name].detach(), rows])",
        _SEES,
    ),
    (
        _DECODE,
        "critic(torch.cat([rows, fakes[name]",
        'critic(torch.cat([rows, fakes["generated"]',
        _SEES,
    ),
    (_DECODE, "{name: critic(fakes[name])", '{name: critic(fakes["generated"])', _SEES),
    (_DECODE, "total = total + loss.total", "total = loss.total", _EQ4),
    (_DECODE, "requires_grad_(penalty > 0)", "requires_grad_(False)", _EQ4),
    (_DECODE, 'fakes["reconstructed"],\n        {name', 'fakes["generated"],\n        {name', _EQ4),
    (_DECODE, "float(c.reconstruction_critic)", "1.0", _SWITCHES),
    (_DECODE, '"generated": c.lambda_x}', '"generated": 1.0}', _EQ4),
    (_DECODE, 'losses |= {f"{name}_g_loss"', 'losses |= {f"{name}_loss"', _SWITCHES),
    (
        _DECODE,
        'losses[f"{name}_d_loss"] = loss.d_loss',
        'losses["d_loss"] = loss.d_loss',
        _SWITCHES,
    ),
    (_DECODE, "width=c.d_width", "width=c.width", _SET),
    (_DECODE, "num_layers=c.d_num_layers", "num_layers=c.num_layers", _SET),
    (_DECODE, "normalisation=c.d_normalisation", 'normalisation="none"', _SET),
    (_DECODE, "pack=c.d_pack", "pack=1", _SET),
    (_DECODE, "if not c.whitened:", "if c.whitened:", _AXES),
    (_DECODE, "whitening.fit([rows], AXIS_FLOOR)", "whitening.fit([rows], 1e-9)", _AXES),
    (_DECODE, "with frozen(critics.values()):", "with frozen([]):", None),
    (_DECODE, "if num_rows % c.d_pack:", "if c.d_pack > num_rows:", _REFUSED),
    (_CRITICS, "nn.LeakyReLU(SLOPE)", "nn.SiLU()", None),
    (_CRITICS, "sizes = [pack * data_dim,", "sizes = [data_dim,", None),
    (_CRITICS, "layers.append(nn.LayerNorm(width))", "layers.append(nn.Identity())", None),
    (_CRITICS, "            initialise(layer, generator)\n", "", None),
    (_CRITICS, "        torch.manual_seed(seed)\n", "", None),
    (
        _CRITICS,
        'if normalisation == "spectral" else layer',
        'if normalisation == "layer" else layer',
        None,
    ),
    (_NOISE, "draws.var(0).mean()", "draws.var(0, correction=0).mean()", None),
    (_NOISE, " - spread / len(draws)", "", None),
    (_NOISE, "math.sqrt(spread / left)", "spread / left", None),
    (_NOISE, "len(draws) < 2", "len(draws) < 1", None),
    (_LOSSES, "total = total + weights[name] * divergence", "total = total + divergence", None),
    (_SYSTEM, "decode.check_packs(config.decoder, config.decoder.batch_size)\n        ", "", None),
    (_SYSTEM, "redraw(rows, 16,", "redraw(rows, 2,", None),
]

MUTANTS = [(path, old, new, (test or _TESTS[path],)) for path, old, new, test in _CHANGES]
