"""A rolling restart: one sidecar after the other gets a new Envoy, while clients go on.

It is a hot restart. The new Envoy takes over the listening sockets, the old one serves what is open
for a while, and ends. What is still open by then ends with it, and nothing else may fail.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

from case import Wrong, check, check_hops
from connection import Connection
from envoys import await_that
from mesh import CASES

WORKERS = 4
PAUSE = 0.005
ENOUGH = 50
INSIDE = [case for case in CASES if case.name == "service to service"]
OUTSIDE = [case for case in CASES if case.name == "to the outside"]
# What is open when a sidecar is restarted: connections through it, and connections beside it.
RESTARTS = {"front": (INSIDE + OUTSIDE, []), "back": (INSIDE, OUTSIDE)}


def roll(envoys):
    """Does it; what to say of it."""
    for envoy in envoys:
        envoy.forget()
    stopped, seen = Event(), Counter()
    with ThreadPoolExecutor() as pool:
        workers = [pool.submit(connect, stopped) for _ in range(WORKERS)]
        try:
            for envoy in envoys:
                if envoy.name in RESTARTS:
                    through, beside = RESTARTS[envoy.name]
                    restart(envoy, through, beside)
                    seen.update(through + beside)
        finally:
            stopped.set()
    failed = []
    for answered, failures in (worker.result() for worker in workers):
        check("load, enough of it", answered.total() > ENOUGH, True)
        seen.update(answered)
        failed += failures
    check(f"failed of {seen.total() + len(failed)}", failed, [])
    hops = Counter()
    for case, times in seen.items():
        hops.update(dict.fromkeys(case.hops, times))
    check_hops(envoys, hops)
    ended = sum(len(through) for through, _ in RESTARTS.values())
    return f"{seen.total()} connections, 0 failed, {ended} that were open ended with an old Envoy"


def connect(stopped):
    """Connects again and again, until it is stopped: what was answered, and what failed."""
    answered, failed = Counter(), []
    while not stopped.is_set():
        for case in INSIDE:
            try:
                with Connection(case.to) as connection:
                    check("answer", connection.answer(), case.answer)
                answered[case] += 1
            except (Wrong, OSError) as failure:
                failed.append(f"{case.to}: {failure}")
        time.sleep(PAUSE)
    return answered, failed


def restart(envoy, through, beside):
    """Restarts one, with connections open."""
    with ExitStack() as stack:
        held = {case: stack.enter_context(Connection(case.to)) for case in through + beside}
        for case, connection in held.items():
            check("answer", connection.answer(), case.answer)
        envoy.restart()
        for case, connection in held.items():
            check("answer of the old Envoy", connection.ask_again(), case.answer)

        def have_ended():
            envoy.counts()  # The new Envoy is handed those of the old one when it is asked.
            return all(held[case].has_ended() for case in through)

        await_that(f"the old Envoy of {envoy.name} ends", have_ended)
        for case in beside:
            check("answer beside it", held[case].ask_again(), case.answer)
