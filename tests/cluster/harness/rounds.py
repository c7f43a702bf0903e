"""How often a promise is tried: a few times in `make test`, twenty times in `make soak`."""

import os
from typing import Final

ROUNDS: Final = 20 if os.environ.get("QUOTATREE_SOAK") else 3
