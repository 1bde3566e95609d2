"""Names of units that change with what is asked."""

import hashlib
import json
from typing import Any


def content_name(name: str, *content: Any) -> str:
    """``name``, and a few digits of a digest of ``content`` in JSON's plain values.

    What was measured of a document is not taken for another that came to its name.
    """
    text = json.dumps(content, sort_keys=True)
    return f"{name} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
