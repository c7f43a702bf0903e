"""A certificate chain into a TLS context, without the library that makes certificates."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path


def load(context: ssl.SSLContext, text: bytes) -> None:
    """Load a certificate chain and its key (PEM) into a context that may be in use.

    Connections that stand go on with what they have, new ones see the newest certificate.
    """
    # OpenSSL's interface takes files only: a private folder that lives as long as the call.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "webhook.pem")
        file.touch(mode=0o600)
        file.write_bytes(text)
        context.load_cert_chain(file)
