# SPDX-License-Identifier: GPL-2.0-only
"""Results of upstream's selftests: read, compared by name, counted.

A run is a dictionary {"program test": "ok" | "not ok" | "skip"}.
"""

import re

from twokernels import Broken, SetupTrouble, bad_line, say


def parse(text):
    """The run that the TAP of several programs tells of.

    "# program NAME" begins each, "end kernel ..." ends them all. Raises Broken
    when a result is missing or there twice.
    """
    results, program, planned, seen = {}, None, None, 0

    def close():
        if program and planned is None:
            raise Broken(f"{program}: no plan, so it did not start")
        if program and planned != seen:
            raise Broken(f"{program}: {seen} results of {planned}")

    for line in text.splitlines():
        found = re.fullmatch(r"# program (\S+)", line)
        if found:
            close()
            program, planned, seen = found.group(1), None, 0
            continue
        found = re.fullmatch(r"1\.\.(\d+)", line)
        if found and program:
            planned = int(found.group(1))
            continue
        found = re.fullmatch(
            r"(ok|not ok) +(\d+) +(?:- )?(.*?)( *# (?:SKIP|skip)\b.*)?", line)
        if found and program:
            name = f"{program} {found.group(3).strip()}"
            if name in results:
                raise Broken(f"{name}: two results")
            seen += 1
            results[name] = "skip" if found.group(4) else found.group(1)
    close()
    if not re.search(r"^end kernel ", text, re.M):
        raise Broken("it ended before all programs had run")
    if not results:
        raise Broken("no results at all")
    return results


def compare(runs, enough):
    """What is wrong with @runs, {side: run}: a list of sentences.

    The first side is what the others are compared with; each must have at
    least @enough passes.
    """
    rows = []
    first, *others = runs
    for side in others:
        stock, other = runs[first], runs[side]
        for name in sorted(stock.keys() | other.keys()):
            left = stock.get(name, "missing")
            right = other.get(name, "missing")
            if left != right:
                rows.append(f"{name}: {first} {left}, {side} {right}")
    for side, run in runs.items():
        passed = sum(value == "ok" for value in run.values())
        if passed < enough:
            rows.append(f"{side}: {passed} tests passed, at least {enough} "
                        "are expected")
    return rows


def failures(runs):
    """Sentences, one for each result that is no pass."""
    return [f"{side}: {name}: {value}" for side, run in runs.items()
            for name, value in run.items() if value != "ok"]


def same(runs):
    """How many results of the first side every other side has too."""
    first, *others = runs.values()
    return sum(run.get(name) == value for run in others
               for name, value in first.items())


def table(runs):
    wide = max(map(len, runs)) + 2
    print(f"{'kernel':<{wide}}{'tests':>6}{'ok':>6}{'not ok':>8}{'skip':>6}")
    for side, run in runs.items():
        values = list(run.values())
        print(f"{side:<{wide}}{len(values):>6}{values.count('ok'):>6}"
              f"{values.count('not ok'):>8}{values.count('skip'):>6}")


def is_broken(call, *arguments):
    try:
        call(*arguments)
    except Broken:
        return True
    return False


def controls(enough):
    """All of this must see what was broken on purpose: [(name, seen)]."""
    good = {f"iommufd t{i}": "ok" for i in range(enough)}
    good["iommufd fails"] = "not ok"
    text = "# program iommufd\n1..2\nok 1 a\nnot ok 2 b\nend kernel x\n"

    def rows(stock, patched):
        return compare({"stock": stock, "patched": patched}, enough)

    return [
        ("equal results agree", rows(good, dict(good)) == []),
        ("a pass that turns into a failure is seen",
         len(rows(good, {**good, "iommufd t7": "not ok"})) > 0),
        ("a failure that turns into a pass is seen",
         len(rows(good, {**good, "iommufd fails": "ok"})) == 1),
        ("a pass that turns into a skip is seen",
         len(rows(good, {**good, "iommufd t7": "skip"})) > 0),
        ("a test that is missing is seen",
         len(rows(good, {k: v for k, v in good.items()
                         if k != "iommufd fails"})) == 1),
        ("too few passes on both sides are seen",
         len(rows({"iommufd a": "ok"}, {"iommufd a": "ok"})) == 2),
        ("a difference in a third run is seen",
         len(compare({"stock": good, "patched": good,
                      "both": {**good, "iommufd t7": "not ok"}},
                     enough)) > 0),
        ("a failure in a run by itself is seen",
         len(failures({"alone": {"x a": "ok", "x b": "not ok",
                                 "x c": "skip"}})) == 2),
        ("results are read as they were sent",
         parse(text) == {"iommufd a": "ok", "iommufd b": "not ok"}),
        ("a run that was cut short is seen",
         is_broken(parse, text.replace("end kernel x\n", ""))),
        ("a result that is lost is seen",
         is_broken(parse, text.replace("ok 1 a\n", "", 1))),
        ("a program that crashes at once is seen",
         is_broken(parse, "# program iommufd\nend kernel x\n")),
        ("a warning in the kernel log is seen",
         bad_line(["[    1.0] fine\n", "[    2.0] WARNING: at x\n"])
         == "[    2.0] WARNING: at x"),
        ("a clean kernel log passes", bad_line(["[    1.0] fine\n"]) is None),
    ]


def decide(name, enough, tried, gather):
    """Print what came out and return the exit code.

    @tried are controls; @gather() gives the runs to compare and the runs of
    which every test must pass, or is None when only the controls were asked
    for.
    """
    failed = 0
    for control, seen in tried:
        if not seen:
            failed += 1
            print(f"not ok: control: {control}")
    passed = len(tried) - failed
    if not gather:
        print(f"{passed} passed, {failed} failed")
        return 1 if failed else 0
    try:
        runs, alone = gather()
    except (SetupTrouble, OSError) as trouble:
        say(f"{name}: {trouble}")
        return 2
    except Broken as trouble:
        print(f"not ok: {trouble}")
        print(f"{passed} passed, {failed + 1} failed")
        return 1

    rows = compare(runs, enough) + failures(alone)
    equal = same(runs)
    passed += sum(value == "ok" for run in alone.values()
                  for value in run.values())
    table({**runs, **alone})
    for row in rows:
        print(f"not ok: {row}")
    print(f"{len(tried)} controls, {equal} results the same as on the "
          f"{next(iter(runs))} kernel")
    print(f"{passed + equal} passed, {failed + len(rows)} failed")
    return 1 if failed or rows else 0
