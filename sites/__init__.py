"""The pages of the documentation: what every table means, and what became of every captured row.

They are made of values, and read nothing by themselves. May import ``bi``, ``catalog`` and ``expectations``.
Begin with :func:`sites.catalog.pages.site`, :func:`sites.catalog.render.render` and
:func:`sites.validation.overview.overview`.
"""
