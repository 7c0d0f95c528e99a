"""Where things are, for tests: the checkout, and data beside it that a machine may have."""

import pathlib

ROOT = pathlib.Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
