"""The console: everything that a browser on this machine may see of a lake, on one port under one header.

`app.create_app` makes the pages, `lakehouse.loopback` serves them to this machine alone, and
`reading.Reading` is what they read: the same that the commands print, with the rights of the role that the
console runs under. It may import what the commands import, and no command.
"""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
"""The frame of every page, and the pages."""
