"""Tries every case from the client's side, and looks each connection up in Envoy's access log.

Without a filter every connection has to arrive all the same, and every case to fail.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path

from cases import CASES, GATEWAY_OUTSIDE

FILTER = os.environ["FILTER"]
LOG = Path("/var/log/envoy/access.log")
PATIENCE = 20


class Wrong(Exception):
    """What became of a connection is not what has to."""


def ask(to):
    """Connects: the client's own address, and the line that the other side sends before the end."""
    ip, port = to.rsplit(":", 1)
    with socket.create_connection((ip.strip("[]"), int(port)), timeout=PATIENCE) as connection:
        ip, port = connection.getsockname()[:2]
        own = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        try:
            return own, connection.makefile().read().strip()
        except ConnectionResetError:
            return own, ""


def entries():
    """The log's complete lines."""
    lines = LOG.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def logged(since, matches):
    """The first entry that matches behind so many others, as soon as it is written."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        new = entries()[since:]
        found = [entry for entry in new if matches(entry)]
        if found:
            return found[0]
        time.sleep(0.05)
    raise TimeoutError(f"the access log lacks the connection; it has {new}")


def check(what, found, expected):
    if found != expected:
        raise Wrong(f"{what}: {found or 'none'} instead of {expected or 'none'}")


def arrival(case, own, since):
    """The log's entry for the connection, once it has arrived where it has to without any filter."""
    entry = logged(
        since, lambda entry: (entry["client"], entry["arrived_at"]) == (own, case.arrived_at)
    )
    if case.is_tunnelled:
        return logged(since, lambda entry: entry["arrived_at"].startswith("envoy://inner/"))
    return entry


def attempt(case):
    since = len(entries())
    own, answer = ask(case.to)
    entry = arrival(case, own, since)
    check("refused", entry["refused"], case.refused)
    if case.reaches:
        check("answer", answer, f"{case.reaches} {GATEWAY_OUTSIDE[case.version]}")
        check("restored", entry["restored"], case.reaches)
    else:
        check("answer", answer, "")
    check("upstream", entry["upstream"], case.reaches)


def judge(case):
    """What to say of a case, and whether it is as it has to be."""
    try:
        attempt(case)
        outcome, passed = "passes", FILTER != "none"
    except Wrong as wrong:
        outcome, passed = f"fails: {wrong}", FILTER == "none"
    except OSError as error:
        outcome, passed = f"broken: {error}", False
    return f"{case.name}, IPv{case.version} {outcome}", passed


def main():
    wanted = [case for case in CASES if case.shared or FILTER != "builtin"]
    failed = 0
    for case in wanted:
        line, passed = judge(case)
        failed += not passed
        print("ok    " if passed else "FAILED", f"{FILTER}: {line}", flush=True)
    print(f"{len(wanted) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
