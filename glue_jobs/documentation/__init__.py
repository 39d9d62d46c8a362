"""What is published in the documentation bucket: pages for people, made again when there is more to say.

May import ``sites``, ``glue_jobs.validation`` and what is below. Begin with
:func:`glue_jobs.documentation.front.publish_front_page`,
:func:`glue_jobs.documentation.health.read_health` and :class:`glue_jobs.documentation.bucket.Bucket`.
"""
