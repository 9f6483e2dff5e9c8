"""Generating pictures: latent vectors from the prior, from fitted densities, and between pictures."""
