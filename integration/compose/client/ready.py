"""Whether the Envoy of this container serves."""

import os
import sys

from envoys import Envoy

sys.exit(Envoy(os.environ["ENVOY"]).admin("/ready") != b"LIVE\n")
