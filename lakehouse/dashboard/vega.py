"""The charting library as one script: Vega, Vega-Lite and Vega-Embed, out of the wheel that brings them."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def script(folder: Path) -> bytes:
    """The script that defines ``vegaEmbed``; made once for a version, which takes seconds, then read.

    Args:
        folder: Where it is kept; made if missing.
    """
    kept = folder / f"vega-{version('vl-convert-python')}.js"
    if not kept.exists():
        import vl_convert

        folder.mkdir(parents=True, exist_ok=True)
        whole = kept.with_suffix(f".{os.getpid()}")
        whole.write_text(vl_convert.javascript_bundle(_SNIPPET), encoding="utf-8")
        whole.replace(kept)
    return kept.read_bytes()
