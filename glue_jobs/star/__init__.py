"""From accepted raw rows to the star: functions over DataFrames, and the reading and writing around them.

``shape``, ``project``, ``history``, ``current``, ``joined``, ``members``, ``numbering``, ``calendar``,
``partitions``, ``gates`` and ``verdicts`` are pure. ``read``, ``write``, ``tables`` and ``stage`` touch
storage, with clients that are passed in.
"""
