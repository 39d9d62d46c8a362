"""An audit that cannot ask says so; it is not taken for one that found something."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests import needs
from tools import audit


def test_a_database_that_cannot_be_asked_is_told_in_words(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program = needs.checker("pip-audit")
    with socket.socket() as nobody:
        # Bound and not listening: whatever is sent there is refused.
        nobody.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(audit.AuditError) as caught:
            audit.audit([root / "requirements" / "bootstrap.txt"], program)
    said = str(caught.value)
    assert said.startswith("bootstrap.txt was not audited")
    assert "cannot be asked" in said
    assert "Run it again where the internet can be reached." in said
    assert "Traceback" not in said + "".join(capfd.readouterr())
