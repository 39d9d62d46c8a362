"""The commands of ``lakehouse``, by what they are for; each registers itself with the group.

They may import everything of this package; what takes a moment to import is imported where it is used.
Begin with :func:`lakehouse.commands.stack.up`, :func:`lakehouse.commands.pipeline.run` and
:func:`lakehouse.commands.questions.sql`.
"""
