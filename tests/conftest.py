"""What all tests share: the profiles of the property tests.

Where `CI` is set the examples are always the same ones, so that a change is judged by itself.
`HYPOTHESIS_PROFILE=soak` looks ten times longer, and elsewhere each time.
"""

import os

from hypothesis import settings

# No deadline: a test's first example pays for imports, and machines are busy.
settings.register_profile(
    "dev", max_examples=50, deadline=None, derandomize=bool(os.environ.get("CI"))
)
settings.register_profile("soak", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
