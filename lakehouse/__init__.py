"""The command ``lakehouse``: the command line, and the stack that it starts, asks and stops on a laptop.

May import everything but a project's own packages; what it knows of a business comes from the project. Begin
with :func:`lakehouse.stack.up`, :func:`lakehouse.drive.run_until_idle` and :mod:`lakehouse.cli`.
"""
