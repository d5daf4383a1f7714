"""What a page may do where it is shown: have its own style, by its hash, and nothing else (W3C, CSP level 3)."""

from __future__ import annotations

import base64
import hashlib
import re

# Nothing is loaded, framed, sent or reached.
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'"
NOT_FRAMED = "frame-ancestors 'none'"
_BEFORE = '<meta name="viewport"'


def sources(page: str, element: str) -> str:
    """The contents of the page's own elements of this name as sources of a policy; none where there is no such."""
    contents = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"


def policy_of(page: str) -> str:
    """The policy of a page that has no script and loads nothing."""
    return f"{NOTHING}; style-src {sources(page, 'style')}"


def guarded(page: str) -> str:
    """The page with its policy in it, for where it is opened as a file; what it shows has to be escaped already."""
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy_of(page)}">\n'
    return page.replace(_BEFORE, meta + _BEFORE, 1)
