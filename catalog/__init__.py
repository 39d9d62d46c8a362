"""Contracts: one statement of every table, and everything that is made from it.

Arrow schemas, Glue tables, registered schemas, warehouse tables, views, the deployment; and the subset of SQL
that contracts and rules may use, on two engines. May import nothing of ours. Begin with
:func:`catalog.catalogue.load_catalogue`, :func:`catalog.expression.star_expression` and
:func:`catalog.glue.table_input`; :mod:`catalog.project` says where the contracts lie.
"""
