"""Glue's jobs on a laptop: triggers, workflows, and each run as a process with Glue's own interpreter.

Begin with :class:`local_aws.jobs.runner.GlueRunner`, :func:`local_aws.jobs.job_process.run_job` and
:func:`local_aws.jobs.interpreters.interpreter_for`.
"""
