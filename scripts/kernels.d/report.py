"""Tells what came of suites under kernels: a table on standard output, report.md and report.json.

Usage: report.py DIRECTORY ENVOY_VERSION KERNEL...; DIRECTORY/results/KERNEL has what the guest left.
Ends with 1 if a suite failed, or has not run to its end.
"""

import datetime
import json
import pathlib
import re
import sys

COUNTS = re.compile(r"^(?:test result: \w+\. )?(\d+) passed[;,] (\d+) failed", re.MULTILINE)
FAILED = re.compile(r"^test (\S+) \.\.\. FAILED$|^ +failed: (.*)$", re.MULTILINE)
NOT_RUN = re.compile(r"NOT RUN: (.*)$", re.MULTILINE)


def read(path):
    return path.read_text(errors="replace") if path.exists() else ""


def suite(directory, name):
    """What came of a suite in a guest."""
    log = read(directory / f"{name}.log")
    status = read(directory / f"{name}.status").split()
    counts = COUNTS.findall(log)
    passed, failed = map(int, counts[-1]) if counts else (0, 0)
    return {
        "suite": name,
        "passed": passed,
        "failed": failed,
        "names_failed": [one or other for one, other in FAILED.findall(log)],
        "not_run": sorted(set(NOT_RUN.findall(log))),
        "seconds": int(status[1]) if status else None,
        # A suite that says nothing of what it ran has shown nothing.
        "ok": status[:1] == ["0"] and passed > 0 and failed == 0,
    }


def guest(directory):
    """What came of a guest."""
    names = [line.split()[0] for line in read(directory / "plan").splitlines()]
    return {
        "kernel": directory.name,
        "release": read(directory / "release").strip() or "did not start",
        "architecture": "arm64" if directory.name.startswith("arm64-") else "x86-64",
        "suites": [suite(directory, name) for name in names],
        "left_out": read(directory / "left-out").split(),
    }


def cell(one):
    """What came of a suite, in a few words."""
    if one["seconds"] is None:
        return "NOT RUN to its end"
    parts = [f"{one['passed']} passed"]
    if not one["ok"]:
        parts.append(f"{one['failed']} FAILED")
    if one["not_run"]:
        parts.append(f"{len(one['not_run'])} not run")
    return f"{', '.join(parts)} ({one['seconds']} s)"


def table(report):
    """The table as lines of Markdown."""
    ran = [one["suite"] for guest in report["guests"] for one in guest["suites"]]
    names = list(dict.fromkeys(ran + [name for guest in report["guests"] for name in guest["left_out"]]))
    rows = [["kernel", "release", "architecture", *names], ["---"] * (3 + len(names))]
    for guest in report["guests"]:
        by_name = {one["suite"]: cell(one) for one in guest["suites"]}
        told = [by_name.get(name, "not run") for name in names]
        rows.append([guest["kernel"], guest["release"], guest["architecture"], *told])
    return [f"| {' | '.join(row)} |" for row in rows]


def details(report):
    """The names of what failed and of what was not run, and why."""
    for guest in report["guests"]:
        for name in guest["left_out"]:
            yield f"- {guest['kernel']}: not run: {name}: it compiles as it runs"
        for one in guest["suites"]:
            for name in one["names_failed"]:
                yield f"- {guest['kernel']}, {one['suite']}: FAILED: {name}"
            for name in one["not_run"]:
                yield f"- {guest['kernel']}, {one['suite']}: not run: {name}"


def main():
    directory, envoy, *kernels = sys.argv[1:]
    directory = pathlib.Path(directory)
    report = {
        "date": datetime.date.today().isoformat(),
        "envoy": envoy,
        "guests": [guest(directory / "results" / name) for name in kernels],
    }
    text = "\n".join([f"Envoy {envoy}, {report['date']}", "", *table(report), "", *details(report)]) + "\n"
    (directory / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (directory / "report.md").write_text(text)
    print(text, end="")
    suites = [one for guest in report["guests"] for one in guest["suites"]]
    return 0 if suites and all(one["ok"] for one in suites) else 1


sys.exit(main())
