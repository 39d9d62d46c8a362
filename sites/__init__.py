"""Pages that the documentation and the results of validation are shown on."""
