"""totesys on a laptop: its schema, a generator of its rows, a loader of its files, its daily life, a demo.

The example of this repository's project; nothing imports it but what ``pipeline.yaml`` names. Begin with
:func:`totesys.example.fill`, :func:`totesys.business.live_one_tick` and :mod:`totesys.demo`.
"""
