"""Lambda functions on a laptop: moto keeps them, and here they run."""
