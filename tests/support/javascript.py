"""Where the stock JavaScript clients and the Node that runs them are."""

import shutil
import sys
from pathlib import Path

JAVASCRIPT = Path(__file__).resolve().parents[1] / "end_to_end" / "javascript"


def _node() -> str:
    beside = Path(sys.executable).parent / "node"
    found = str(beside) if beside.exists() else shutil.which("node")
    if found is None:
        raise RuntimeError("Node.js is missing: run `make install`")
    return found


NODE = _node()
