"""The validation site: a page for each table and batch as Great Expectations renders it, and an index.

It is made of validation results, which hold counts and no value of any row.
"""
