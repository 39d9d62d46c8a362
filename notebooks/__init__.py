"""Analyses for managers: notebooks over Athena, what they share, what runs them and makes pages of them."""
