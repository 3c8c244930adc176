r"""Fully connected EigenGAN: a noise vector a layer, each entering through its own linear subspace.

========  ===================  =============================================
symbol    shape                meaning
========  ===================  =============================================
``z``     ``[B, num, q]``      noise, one vector of N(0, I_q) a layer
``U``     ``[q, width]``       orthonormal basis of a layer's subspace
``L``     ``[q]``              importance of each basis vector
``mu``    ``[width]``          origin of the subspace
========  ===================  =============================================
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scgan.nn.mlp import by_rows, initialise


class SubspaceLayer(nn.Module):
    r"""One layer's subspace, :math:`\phi = U \mathrm{diag}(L) z + \mu`.

    Args:
        width: Dimension of the space the subspace lies in.
        noise_dim: :math:`q`, dimensions of the subspace; at most ``width``.
        scale: Largest initial importance; the q importances start at ``scale * (q, ..., 1) / q``.
        generator: Draws the initial basis.

    Source: [EIGENGAN] Sec. 3.
    """

    def __init__(
        self, width: int, noise_dim: int, scale: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        drawn = torch.randn(width, noise_dim, generator=generator)
        basis = torch.linalg.qr(drawn).Q.T  # [q, width]
        self.U = nn.Parameter(basis.contiguous())
        self.L = nn.Parameter(scale * torch.arange(noise_dim, 0, -1) / noise_dim)
        self.mu = nn.Parameter(torch.zeros(width))

    def forward(self, z: Tensor) -> Tensor:
        """Map noise ``[B, q]`` into the layer's space ``[B, width]``."""
        return (self.L * z) @ self.U + self.mu


class SubspaceDecoder(nn.Module):
    r"""Stochastic decoder p(x | eps): fully connected, every layer also fed from its subspace.

    :math:`x = A \varepsilon + a + W h_n + b` with :math:`h_{l+1} = \mathrm{act}(W_l (h_l +
    \phi_l(z_l)) + b_l)` and :math:`h_0 = V \varepsilon + v`. The linear part keeps directions in
    which the data hardly varies: a network alone blurs them.

    Args:
        code_dim: Dimension of eps.
        data_dim: Dimension of x.
        width: Width of the hidden layers.
        num_layers: Hidden layers, each with its subspace.
        noise_dim: Noise dimensions a layer.
        noise_scale: Largest initial importance of the noise.
        generator: Draws the initial weights.

    Source: [SCGAN] Sec. 1 and 2.3, [EIGENGAN] Sec. 3. Differs: fully connected, for tables.
    """

    def __init__(
        self,
        code_dim: int,
        data_dim: int,
        *,
        width: int,
        num_layers: int,
        noise_dim: int,
        noise_scale: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.noise_shape = (num_layers, noise_dim)
        self.input = nn.Linear(code_dim, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(num_layers))
        self.output = nn.Linear(width, data_dim)
        self.linear = nn.Linear(code_dim, data_dim)
        initialise(self, generator)
        self.subspaces = nn.ModuleList(
            SubspaceLayer(width, noise_dim, noise_scale, generator) for _ in range(num_layers)
        )

    def bases(self) -> list[Tensor]:
        """U of every layer, ``[noise_dim, width]`` each."""
        return [subspace.get_parameter("U") for subspace in self.subspaces]

    def forward(self, eps: Tensor, z: Tensor | None = None) -> Tensor:
        """Decode.

        Args:
            eps: Codes, ``[B, code_dim]``.
            z: Noise, ``[B, num_layers, noise_dim]``; None fixes it at its mean, zero
                (reconstruction mode).

        Returns:
            Samples, ``[B, data_dim]``.
        """
        if z is None:
            z = eps.new_zeros(len(eps), *self.noise_shape)
        h = nn.functional.silu(self.input(eps))
        for layer, subspace, noise in zip(self.hidden, self.subspaces, z.unbind(1), strict=True):
            h = nn.functional.silu(layer(h + subspace(noise)))
        return self.linear(eps) + self.output(h)

    @torch.no_grad()
    def scale_noise(self, factor: float) -> None:
        """Multiply the importance of all noise by ``factor``."""
        for subspace in self.subspaces:
            subspace.get_parameter("L").mul_(factor)

    @torch.no_grad()
    def start(self, eps: Tensor, x: Tensor) -> None:
        """Begin as the linear map that decodes these codes best, by least squares.

        Args:
            eps: Codes, ``[N, code_dim]``.
            x: Their rows, ``[N, data_dim]``.
        """
        centre, origin = eps.double().mean(0), x.double().mean(0)
        codes, rows = eps.double() - centre, x.double() - origin
        ridge = 1e-9 * len(codes) * torch.eye(codes.shape[1], device=codes.device)
        slopes = torch.linalg.solve(codes.T @ codes + ridge, codes.T @ rows)  # [code_dim, data_dim]

        self.linear.weight.copy_(slopes.T)
        self.linear.bias.copy_(origin - centre @ slopes)
        self.output.weight.zero_()
        self.output.bias.zero_()

    def noise(self, num: int, generator: torch.Generator) -> Tensor:
        """Draw z ~ N(0, I), ``[num, num_layers, noise_dim]``, on the generator's device."""
        return torch.randn(num, *self.noise_shape, generator=generator, device=generator.device)

    def draw(self, eps: Tensor, generator: torch.Generator) -> Tensor:
        """Decode many codes ``[N, code_dim]``, each with a noise of its own: ``[N, data_dim]``."""
        return by_rows(self, eps, self.noise(len(eps), generator))
