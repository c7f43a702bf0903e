"""What all tests share: the profiles of the property tests.

`HYPOTHESIS_PROFILE=ci` looks ten times longer and always at the same examples.
"""

import os

from hypothesis import settings

# No deadline: a test's first example pays for imports, and machines are busy.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=500, deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
