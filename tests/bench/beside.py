# SPDX-License-Identifier: GPL-2.0-only
"""Guests that are taken back two at a time, against one after another.

Runs the scenario "beside". The times are those of a guest on this host: nothing is
judged by them. One guest keeps more than one CPU busy, since its memory is filled
beside the replay of its records; two that never wait for each other keep all busy, and
take as much less time. Beside it in the same run: what two processes do that make such
maps themselves, and a loop that shares nothing.
"""

import os

from growth import HERE, run_scenario
from twokernels import Broken

WORK = {"retrieve": "taken back until all is done",
        "own": "the maps, as user space makes them",
        "spin": "a loop that shares nothing"}


def figures(report, name):
    in_turn, at_once = (report[f"{name}_{how}_us"] for how in ("in_turn", "at_once"))
    return {"in_turn_us": in_turn, "at_once_us": at_once,
            "ratio": round(at_once / in_turn, 3),
            "busy": [report[f"{name}_{how}_busy"] for how in ("in_turn", "at_once")]}


def measure(where):
    """Run, print. Returns (report, sentences for what failed, checks)."""
    report = run_scenario(where, os.path.join(HERE, "beside"), "beside")
    if report["trees_equal"] != report["vms"]:
        raise Broken(f"beside: {report['trees_equal']} page tables came back, of "
                     f"{report['vms']} guests")
    found = {"maps": report["maps"]}
    print(f"\nPairs of guests of {report['maps']:,} maps, by the guest's clock; two CPUs "
          "and how busy they are")
    print(f"  {'':<38}{'in turn':>18}{'at once':>18}    ratio")
    for name, label in WORK.items():
        row = found[name] = figures(report, name)
        print(f"  {label:<38}"
              + "".join(f"{row[how] / 1000:>10,.0f} ms {busy:>4.0%}" for how, busy
                        in zip(("in_turn_us", "at_once_us"), row["busy"]))
              + f"{row['ratio']:>9.2f}")
    return found, [], 1
