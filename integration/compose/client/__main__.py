"""Tries the cases of a table, by name: from the client's side, by the access logs and by the counters
of all its Envoys.

With the built-in filter those have to fail that only the module passes. With no filter all have to.
"""

import sys
from collections import Counter
from functools import partial

import gateway
import mesh
from case import FILTER, Wrong, check, check_hops
from connection import Connection
from envoys import Envoy
from rolling import roll


def attempt(case, envoys):
    """Tries one."""
    for envoy in envoys:
        envoy.forget()
    with Connection(case.to) as connection:
        check("answer", connection.answer(), case.answer)
    check_hops(envoys, Counter(case.hops))
    first = case.hops[0]
    entries = next(envoy for envoy in envoys if envoy.name == first.envoy).entries()
    clients = [client for client, entry in entries if entry == first.entry()]
    check("client in the log", clients, [connection.own])
    return ""


def trials(table):
    """What there is to try: what it is, whether the built-in filter passes it, and how to try it."""
    envoys = [Envoy(name) for name in table.ENVOYS]
    for case in table.CASES:
        yield f"{case.name}, IPv{case.version}", case.shared, partial(attempt, case, envoys)
    if table is mesh:
        yield "rolling restart", True, partial(roll, envoys)


def main():
    table = {"gateway": gateway, "mesh": mesh}[sys.argv[1]]
    passed = failed = 0
    for name, shared, trial in trials(table):
        expected = "passes" if FILTER == "module" or shared and FILTER == "builtin" else "fails"
        try:
            remark, outcome = trial(), "passes"
        except Wrong as wrong:
            remark, outcome = str(wrong), "fails"
        except OSError as error:
            remark, outcome = str(error), "is broken"
        is_right = outcome == expected
        passed, failed = passed + is_right, failed + (not is_right)
        line = f"{sys.argv[1]}, {FILTER}: {name} {outcome}" + (remark and f": {remark}")
        print("ok    " if is_right else "FAILED", line, flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
