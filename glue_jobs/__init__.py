"""The jobs, one thin script each, and the rooms that they stand on.

From the bottom: ``runtime``, ``lake``, ``engine``, ``stages``; ``sources``, ``star`` and ``warehouse`` beside
each other; ``validation``; ``transformation``, ``reconciliation``, ``maintenance`` and ``documentation``; the
scripts. None imports one above it. May import ``bi``, ``catalog``, ``expectations`` and ``sites``. Begin with
:func:`glue_jobs.sources.capture.capture`, :func:`glue_jobs.star.build.build_table` and
:func:`glue_jobs.lake.publish.publish`.
"""
