"""Housekeeping: which objects nobody can need any more, and their removal. Nothing else deletes."""
