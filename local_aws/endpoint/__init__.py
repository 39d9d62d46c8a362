"""AWS on a laptop: moto behind layers that keep the lake in plain directories and answer what moto cannot."""
