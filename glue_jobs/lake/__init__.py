"""The lake's own mechanism: objects with checksums, commits, and their projection into the catalogue."""
