"""What the service `front` asks for: its peer `back`, itself, the outside, and what would loop."""

from case import Case, refused, restored
from gateway import DENIED, GATEWAY, NOT_ALLOWED, OUTSIDE, REDIRECTED, UPSTREAM

ENVOYS = ["front", "back", "gateway"]
FRONT = {4: "10.89.1.4", 6: "[fd00:89:1::4]"}
BACK = {4: "10.89.1.5", 6: "[fd00:89:1::5]"}
LOOPBACK = {4: "127.0.0.1", 6: "[::1]"}
SERVICE, GUARDED = 8080, 8082
OUTBOUND, INBOUND, EGRESS = 15001, 15006, 15003


def cases(version):
    """All for one version of IP."""
    front, back = FRONT[version], BACK[version]
    # Where REDIRECT turns to: the loopback for what starts here, else the address that was asked for.
    begins, peer = f"{LOOPBACK[version]}:{OUTBOUND}", f"{back}:{INBOUND}"
    egress = f"{REDIRECTED[version]}:{EGRESS}"

    def leaves(to):
        return restored("front", begins, to)

    def fails(name, to, *hops):
        return Case(name, version, to, hops, shared=False)

    outside = f"{UPSTREAM[version]}:{GUARDED}"
    denied, not_allowed = (f"{ip[version]}:{GUARDED}" for ip in (DENIED, NOT_ALLOWED))
    service, itself = f"{back}:{SERVICE}", f"{front}:{SERVICE}"
    own_outbound, own_inbound = f"{front}:{OUTBOUND}", f"{front}:{INBOUND}"
    its_outbound, its_inbound = f"{back}:{OUTBOUND}", f"{back}:{INBOUND}"
    gateway = f"{GATEWAY[version]}:{EGRESS}"
    return [
        Case(
            "service to service",
            version,
            service,
            (leaves(service), restored("back", peer, service)),
            f"{service} {back.strip('[]')}",
        ),
        Case("service to itself", version, itself, (leaves(itself),), f"{itself} {front.strip('[]')}"),
        Case(
            "to the outside",
            version,
            outside,
            (leaves(outside), restored("gateway", egress, outside)),
            f"{outside} {OUTSIDE[version]}",
        ),
        fails("to what is denied", denied, leaves(denied), refused("gateway", egress, "denied")),
        fails(
            "to what is not allowed",
            not_allowed,
            leaves(not_allowed),
            refused("gateway", egress, "denied"),
        ),
        fails("loop, own outbound port", own_outbound, refused("front", begins, "unredirected")),
        fails("loop, own inbound port", own_inbound, refused("front", begins, "unredirected")),
        fails(
            "loop, peer's outbound port",
            its_outbound,
            leaves(its_outbound),
            refused("back", peer, "unredirected"),
        ),
        fails(
            "loop, peer's inbound port",
            its_inbound,
            leaves(its_inbound),
            refused("back", peer, "unredirected"),
        ),
        fails(
            "loop, gateway's port",
            gateway,
            leaves(gateway),
            refused("gateway", gateway, "unredirected"),
        ),
    ]


CASES = cases(4) + cases(6)
