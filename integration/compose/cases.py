"""What the client asks for, and what has to come of it."""

from dataclasses import dataclass
from typing import Optional

UPSTREAM = {4: "198.51.100.10", 6: "[2001:db8:89::10]"}
TUNNELLED = {4: "198.51.100.20", 6: "[2001:db8:89::20]"}
DENIED = {4: "198.51.100.66", 6: "[2001:db8:89::66]"}
GATEWAY = {4: "10.89.1.2", 6: "[fd00:89:1::2]"}
# The address that REDIRECT turns to: the first of the interface for IPv4, the last for IPv6.
REDIRECTED = {4: GATEWAY[4], 6: "[fd00:89:1::fe]"}
GATEWAY_OUTSIDE = {4: "10.89.2.2", 6: "fd00:89:2::2"}


@dataclass
class Case:
    """A connection to `to`, which arrives at a listener of the gateway by the address `arrived_at`.

    It reaches the upstream at `reaches`, or is refused for the reason `refused`.
    """

    name: str
    version: int
    to: str
    arrived_at: str
    reaches: Optional[str] = None
    refused: Optional[str] = None
    # Whether the built-in filter does the same.
    shared: bool = True
    # Whether the destination is restored in the internal listener.
    is_tunnelled: bool = False


def cases(version):
    """All for one version of IP."""
    upstream, denied, gateway = UPSTREAM[version], DENIED[version], GATEWAY[version]
    redirected = REDIRECTED[version]

    def case(name, to, arrived_at, **outcome):
        return Case(name, version, to, arrived_at, **outcome)

    def restored(name, to, arrived_at, **more):
        return case(name, to, arrived_at, reaches=to, **more)

    def refused(name, to, arrived_at, reason):
        return case(name, to, arrived_at, refused=reason, shared=False)

    guard, direct = f"{redirected}:15003", f"{gateway}:15003"
    return [
        restored("REDIRECT", f"{upstream}:8080", f"{redirected}:15001"),
        restored("TPROXY", f"{upstream}:8081", f"{upstream}:8081"),
        case(
            "internal listener",
            f"{gateway}:15004",
            f"{gateway}:15004",
            reaches=f"{TUNNELLED[version]}:8080",
            is_tunnelled=True,
        ),
        restored("guarded, allowed", f"{upstream}:8082", guard, shared=False),
        refused("guarded, denied", f"{denied}:8082", guard, "original_dst_denied"),
        refused("guarded, direct", direct, direct, "original_dst_unredirected"),
    ]


CASES = cases(4) + cases(6)
