"""The data catalogue: one statement of every table, and everything that is made from it."""
