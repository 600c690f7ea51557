"""What a connection has to look like: to its client, in the access logs and in the counters."""

import os
from collections import Counter
from dataclasses import dataclass
from typing import Optional

from envoys import Entry

FILTER = os.environ["FILTER"]


class Wrong(Exception):
    """What became of a connection is not what has to."""


def check(what, found, expected):
    if found != expected:
        raise Wrong(f"{what}: {found or 'none'} instead of {expected or 'none'}")


@dataclass(frozen=True)
class Hop:
    """A connection that an Envoy takes: what its access log and its counters say of it."""

    envoy: str
    arrived_at: str
    restored: str
    upstream: Optional[str]
    # The module's counter that it moves.
    outcome: Optional[str]

    @property
    def is_refused(self):
        return self.upstream is None

    def entry(self):
        reason = f"original_dst_{self.outcome}" if self.is_refused else None
        return Entry(self.arrived_at, self.restored, self.upstream, reason)

    def counts(self):
        """The counters that it moves, each by one."""
        moves = {
            "accepted": not self.is_refused,
            "connected": self.upstream == self.restored,
            self.outcome: self.outcome is not None and FILTER == "module",
        }
        return [counter for counter, is_moved in moves.items() if is_moved]


def restored(envoy, arrived_at, to, outcome="restored_redirect"):
    """A hop that goes on to where its client asked for."""
    return Hop(envoy, arrived_at, to, to, outcome)


def refused(envoy, arrived_at, outcome):
    """A hop that is closed, with nothing restored."""
    return Hop(envoy, arrived_at, arrived_at, None, outcome)


@dataclass(frozen=True)
class Case:
    """A connection to `to`, and all that it has to become."""

    name: str
    version: int
    to: str
    hops: tuple
    # Where it arrives, and from where; nothing if it is refused.
    answer: str = ""
    # Whether the built-in filter does the same.
    shared: bool = True


def check_hops(envoys, hops):
    """Whether the Envoys have taken these connections, each so many times, and no others."""
    for envoy in envoys:
        entries, counts = envoy.settled()
        expected, moved = Counter(), Counter()
        for hop, times in hops.items():
            if hop.envoy == envoy.name:
                expected[hop.entry()] += times
                moved.update(dict.fromkeys(hop.counts(), times))
        check(f"connections of {envoy.name}", len(entries), expected.total())
        check(f"log of {envoy.name}", lines(Counter(entry for _, entry in entries)), lines(expected))
        check(f"counters of {envoy.name}", counts, moved)


def lines(entries):
    """Entries as text, with how many times each is there."""
    return "; ".join(sorted(f"{times} {entry}" for entry, times in entries.items()))
