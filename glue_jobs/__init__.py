"""The jobs, one thin script each, and the packages that they stand on."""
