"""What the client asks the gateway for."""

from case import Case, Hop, refused, restored

ENVOYS = ["gateway"]
UPSTREAM = {4: "198.51.100.10", 6: "[2001:db8:89::10]"}
TUNNELLED = {4: "198.51.100.20", 6: "[2001:db8:89::20]"}
DENIED = {4: "198.51.100.66", 6: "[2001:db8:89::66]"}
NOT_ALLOWED = {4: "203.0.113.10", 6: "[2001:db8:113::10]"}
GATEWAY = {4: "10.89.1.2", 6: "[fd00:89:1::2]"}
# The address that REDIRECT turns to: the first of the interface for IPv4, the last for IPv6.
REDIRECTED = {4: GATEWAY[4], 6: "[fd00:89:1::fe]"}
OUTSIDE = {4: "10.89.2.2", 6: "fd00:89:2::2"}


def cases(version):
    """All for one version of IP."""
    gateway, upstream = GATEWAY[version], UPSTREAM[version]

    def reaches(name, to, *hops, **more):
        answer = f"{hops[-1].upstream} {OUTSIDE[version]}"
        return Case(name, version, to, hops, answer, **more)

    def directly(name, to, arrived_at, outcome="restored_redirect", **more):
        return reaches(name, to, restored("gateway", arrived_at, to, outcome), **more)

    def fails(name, to, arrived_at, outcome):
        return Case(name, version, to, (refused("gateway", arrived_at, outcome),), shared=False)

    redirect, guard = (f"{REDIRECTED[version]}:{port}" for port in (15001, 15003))
    tproxied, tunnel, direct = f"{upstream}:8081", f"{gateway}:15004", f"{gateway}:15003"
    tunnelled = f"{TUNNELLED[version]}:8080"
    return [
        directly("REDIRECT", f"{upstream}:8080", redirect),
        directly("TPROXY", tproxied, tproxied, "restored_transparent"),
        reaches(
            "internal listener",
            tunnel,
            Hop("gateway", tunnel, tunnel, "envoy://inner/", None),
            restored("gateway", "envoy://inner/", tunnelled, "restored_metadata"),
        ),
        directly("guarded, allowed", f"{upstream}:8082", guard),
        fails("guarded, denied", f"{DENIED[version]}:8082", guard, "denied"),
        fails("guarded, not allowed", f"{NOT_ALLOWED[version]}:8082", guard, "denied"),
        fails("guarded, direct", direct, direct, "unredirected"),
    ]


CASES = cases(4) + cases(6)
