"""Of what samples' columns are brought to."""

_NN, _REFINE, _SCGAN = (
    "scgan/nn/margins.py",
    "scgan/stages/tables/refine.py",
    "scgan/systems/scgan.py",
)
_ALONE = ("tests/nn/test_margins.py",)
_STAGE = ("tests/stages/tables/test_refine.py",)
_MODEL = ("tests/systems/test_scgan.py",)

MUTANTS = [
    (
        _NN,
        "return torch.where(self.matched[:, None], z + beyond, columns).T",
        "return (z + beyond).T",
        _ALONE,
    ),
    (_NN, "z + beyond, columns", "z, columns", _ALONE),
    (_NN, "* len(x) - 0.5", "* len(x) * 0.9", _ALONE),
    (_NN, "margins.matched.copy_(matched)", "margins.matched.fill_(True)", _ALONE),
    (_NN, "share * (self.levels[right] - self.levels[right - 1])", "0.5 * 0.0125", _ALONE),
    (
        _REFINE,
        "name: sampling.margins(name, each)",
        'name: sampling.margins(name, latents["real"])',
        _STAGE,
    ),
    (
        _REFINE,
        "Margins.fit(self.decoder.draw(eps, generator), self.matched)",
        "Margins.fit(self.decoder(eps), self.matched)",
        _STAGE,
    ),
    (_SCGAN, "x = margins(self.decoder", "x = (self.decoder", _MODEL),
    (
        _SCGAN,
        "self.margins[name], list[Tensor]()",
        "self.margins[self.trained_latent], list[Tensor]()",
        _MODEL,
    ),
]
