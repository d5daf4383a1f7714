"""Three nodes under everything that happens to servers, and nothing is lost, doubled or left apart.

Stock JavaScript clients of both dialects edit through a load balancer, panels watch two feeds, writers type into
documents that nobody else has, one client reads nothing; meanwhile nodes are killed, Redis and PostgreSQL are restarted
and frozen, connections are cut. `make chaos` runs it longer: CHAOS_SECONDS and CHAOS_SEED.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from chaos import Chaos

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1 << 32)


@pytest.mark.timeout(SECONDS + 300)
def test_n9_three_nodes_agree_after_every_kind_of_fault(tmp_path: Path) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_SECONDS={SECONDS}")
    with Chaos(tmp_path, SEED) as chaos:
        asyncio.run(chaos.run(SECONDS))
    print("\n".join(chaos.report))
