"""The Envoys, as their access logs and counters show them. Each has a directory, which all share."""

import json
import re
import socket
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple, Optional

PATIENCE = 20
ACCEPTED = re.compile(r"listener\.(?!admin\.|.*\.worker_\d).+\.downstream_cx_total")
CONNECTED = re.compile(r"cluster\.original_dst\.upstream_cx_total")
OUTCOME = re.compile(r"listener\..+\.original_dst\.(\w+)")
# What the module closes is not among the accepted connections.
TAKEN = ("accepted", "denied", "unredirected")
# The number of a connection inside Envoy.
INTERNAL = re.compile(r"(?<=envoy://inner/)\d+")


class Entry(NamedTuple):
    """What an access log says of a connection, but for its client."""

    arrived_at: str
    restored: str
    upstream: Optional[str]
    refused: Optional[str]

    def __str__(self):
        return f"{self.arrived_at} restored {self.restored}, " + (
            self.refused or f"upstream {self.upstream}"
        )


class Admin(HTTPConnection):
    """An admin interface at a socket in a file: no rule redirects what asks it."""

    def __init__(self, path):
        super().__init__("envoy", timeout=PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Envoy:
    """What one of them has done since it was told to forget."""

    def __init__(self, name):
        self.name = name
        self.directory = Path("/run/envoys") / name
        self.forgotten = (0, Counter())

    def admin(self, path):
        """What the admin interface answers."""
        admin = Admin(self.directory / "admin")
        try:
            admin.request("GET", path)
            return admin.getresponse().read()
        finally:
            admin.close()

    def entries(self):
        """The access log's complete lines: clients, and the rest."""
        lines = (self.directory / "access.log").read_text().splitlines(keepends=True)
        complete = [INTERNAL.sub("", line) for line in lines if line.endswith("\n")]
        entries = [json.loads(line) for line in complete[self.forgotten[0] :]]
        return [(entry.pop("client"), Entry(**entry)) for entry in entries]

    def counts(self):
        """The counters of connections that have moved."""
        counts = Counter()
        for stat in json.loads(self.admin("/stats?format=json&type=Counters"))["stats"]:
            if ACCEPTED.fullmatch(stat["name"]):
                counts["accepted"] += stat["value"]
            elif CONNECTED.fullmatch(stat["name"]):
                counts["connected"] += stat["value"]
            elif outcome := OUTCOME.fullmatch(stat["name"]):
                counts[outcome[1]] += stat["value"]
        return counts - self.forgotten[1]

    def settled(self):
        """Entries and counters, as soon as each connection that is counted is logged."""
        state = ()

        def is_settled():
            nonlocal state
            entries, counts = state = self.entries(), self.counts()
            return len(entries) == sum(counts[counter] for counter in TAKEN)

        await_that(f"{self.name} has logged what it has counted", is_settled)
        return state

    def forget(self):
        """Forgets what was."""
        entries, counts = self.settled()
        lines, moved = self.forgotten
        self.forgotten = (lines + len(entries), moved + counts)

    def epoch(self):
        """How often it was restarted."""
        return json.loads(self.admin("/server_info"))["command_line_options"]["restart_epoch"]

    def restart(self):
        """Starts the next one beside it, which takes over.

        That one is handed what the counters have moved since they were asked for. So they must not
        be asked for between `forget` and this.
        """
        awaited = self.epoch() + 1
        (self.directory / "restart").write_text("\n")
        await_that(f"{self.name} is restarted", lambda: self.epoch() == awaited)
        self.forgotten = (self.forgotten[0], Counter())


def await_that(what, is_so):
    """Waits for it. An Envoy may be out of reach for a moment."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except (OSError, HTTPException):
            pass
        time.sleep(0.02)
    raise TimeoutError(f"not within {PATIENCE} seconds: {what}")
