"""Ex-post density estimation (Ghosh et al. 2020): a density fitted to a trained network's encodings, to draw from.

Training pulls the encodings of all pictures together, the aggregated posterior, towards the prior N(0, I), and
never gets there; what is drawn from the prior then falls between them. Fitting a normal distribution, or a mixture
of some, to them afterwards costs seconds, and needs no other network.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from artrestore.errors import UsageError
from artrestore.models.layers import DiagonalGaussian

COMPONENTS = 10  # of the mixture: what Ghosh et al. use
_POINTS_PER_COMPONENT = 400
_VARIED = 32  # principal axes along which components differ
_FLOOR = 1e-6  # on the diagonal of a covariance


@dataclass(frozen=True, kw_only=True)
class Density:
    """A mixture of K normal distributions over latent vectors of length D.

    Attributes:
        weights: (K,), positive.
        means: (K, D).
        roots: (K, D, D), lower triangular L with covariance L L^T.
    """

    weights: Tensor
    means: Tensor
    roots: Tensor

    @classmethod
    def of(cls, weights: Tensor, means: Tensor, covariances: Tensor) -> Self:
        """From covariances (K, D, D), which rounding may have left a little short of positive."""
        floor = _FLOOR * torch.eye(means.shape[1], dtype=covariances.dtype)
        return cls(weights=weights, means=means, roots=torch.linalg.cholesky(covariances + floor))

    def draw(self, count: int, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Draw (count, D), float32; the temperature scales the deviation from each component's mean."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        deviation = torch.einsum("nij,nj->ni", self.roots[chosen], noise)
        return (self.means[chosen] + temperature * deviation).float()


def fit_gaussian(posterior: DiagonalGaussian) -> Density:
    """The normal distribution with the mean and the covariance of the aggregated posterior of N pictures.

    Exactly: the covariance of the means, and on its diagonal the mean of the variances.
    """
    mean, covariance = _moments(posterior)
    return Density.of(torch.ones(1, dtype=mean.dtype), mean[None], covariance[None])


def fit_mixture(posterior: DiagonalGaussian, *, seed: int = 0, components: int = COMPONENTS) -> Density:
    """A mixture of normal distributions, fitted by expectation maximisation to draws from the posteriors.

    The components differ along the 32 axes on which encodings vary most: for more there are too few pictures, and
    too little time.

    Raises:
        UsageError: scikit-learn is not installed, or there are fewer pictures than components.
    """
    try:
        from sklearn.mixture import GaussianMixture
    except ImportError as error:
        raise UsageError(
            "A mixture is fitted by scikit-learn, which is not installed",
            hint="Install it with: pip install 'artrestore[generate]'; or take --posterior gaussian",
        ) from error
    if len(posterior.mu) < components:
        raise UsageError(
            f"{len(posterior.mu)} pictures are too few for a mixture of {components} normal distributions",
            hint="Name a folder with more pictures, or take --posterior gaussian.",
        )
    mean, variances, directions = _principal_axes(posterior)
    varied = min(_VARIED, len(mean))
    points = ((_draws(posterior, _POINTS_PER_COMPONENT * components, seed) - mean) @ directions)[:, :varied]
    mixture = GaussianMixture(components, covariance_type="full", reg_covar=1e-4, random_state=seed)
    mixture.fit(points.numpy())
    weights, means, covariances = (
        torch.from_numpy(values).double() for values in (mixture.weights_, mixture.means_, mixture.covariances_)
    )
    # In all other directions, every component is as the aggregated posterior is.
    whole = torch.diag(variances).repeat(components, 1, 1)
    whole[:, :varied, :varied] = covariances
    return Density.of(weights, mean + means @ directions[:, :varied].T, directions @ whole @ directions.T)


def _principal_axes(posterior: DiagonalGaussian) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,) of the aggregated posterior, and its variances (D,) along its axes, the columns of (D, D)."""
    mean, covariance = _moments(posterior)
    variances, directions = torch.linalg.eigh(covariance)
    return mean, variances.flip(0).clamp(min=0), directions.flip(1)


def _moments(posterior: DiagonalGaussian) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of the aggregated posterior, float64."""
    mu, variance = posterior.mu.double(), posterior.logvar.double().exp()
    mean = mu.mean(dim=0)
    return mean, (mu - mean).T @ (mu - mean) / len(mu) + torch.diag(variance.mean(dim=0))


def _draws(posterior: DiagonalGaussian, least: int, seed: int) -> Tensor:
    """At least so many draws from the aggregated posterior, as many from each picture: (M, D), float64."""
    times = -(-least // len(posterior.mu))
    noise = torch.randn(times, *posterior.mu.shape, generator=torch.Generator().manual_seed(seed))
    drawn = posterior.mu + noise * torch.exp(0.5 * posterior.logvar)
    return drawn.flatten(0, 1).double()
