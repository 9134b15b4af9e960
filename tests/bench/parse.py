# SPDX-License-Identifier: GPL-2.0-only
"""What the image library takes as records and contexts grow.

Runs parse.c, which has the library's files compiled in as the kernel has, in one
boot that counts instructions. What boots may not grow with the records; what is
done when iommufds are retrieved grows with contexts and records no faster than
they do.
"""

import os

from growth import count, per_map, too_steep
from instructions import MACHINE, PARAMETERS, TOP, build_program
from twokernels import Broken, boot

# The early parse of the most records may take so much more than of the fewest.
EARLY_LIMIT = 1.05


def library():
    """The library's files."""
    path = os.path.join(TOP, "lib")
    words = []
    with open(os.path.join(path, "lib.mk"), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                words += line.replace("\\", " ").split()
    return [os.path.join(path, word) for word in words if word.endswith(".c")]


def parse(text):
    """{(contexts, maps): {"head", "whole", "replay", "unindexed"}}."""
    rows, said = {}, "nothing"
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] in ("#", "end"):
            continue
        said = line
        if said == "begin":
            rows = {}
        if words[0] == "parse":
            numbers = [int(word) for word in words[1:]]
            rows[tuple(numbers[:2])] = dict(
                zip(("head", "whole", "replay", "unindexed"), numbers[2:]))
    if said != "all parsed" or "counter exact" not in text:
        raise Broken(f"not all was parsed; the last it said: {said}")
    return rows


def grows(values):
    """Whether the early parse takes more the more records there are."""
    return max(values) > EARLY_LIMIT * values[0]


def column(rows, name):
    return [row[name] for row in rows.values()]


def print_rows(title, rows, which):
    names = [name for name in ("head", "whole", "replay", "unindexed")
             if name in which]
    print(f"\n{title}")
    print("  " + "".join(f"{label:>24}" for label in
                         ["", *(which[name] for name in names)]))
    for number, row in rows.items():
        print(f"  {count(number):>24}"
              + "".join(f"{count(row[name]):>24}" for name in names))


def measure(qemu, where):
    """Boot, print. Returns (report, sentences for what failed, checks)."""
    initramfs = build_program(
        where, "parse", library(),
        [os.path.join(TOP, name) for name in ("lib", "formats")],
        ["-lfdt", "-lz", "-lmd"])
    found = parse(boot("patched", qemu, initramfs,
                       os.path.join(where, "parse-boot"), MACHINE, PARAMETERS))
    records = {maps: row for (contexts, maps), row in found.items()
               if contexts == 1 and maps != 10}
    contexts = {contexts: row for (contexts, maps), row in found.items()
                if maps == 10}
    print_rows("Instructions of the library, one context, by maps", records,
               {"head": "early parse", "whole": "the whole image",
                "replay": "retrieve"})
    print_rows("The same by contexts, each with 10 maps and a device", contexts,
               {"head": "early parse", "replay": "all retrieved",
                "unindexed": "plans without index"})
    early = column(records, "head")
    print(f"early parse of {count(max(records))} maps against one: "
          f"{100 * (early[-1] / early[0] - 1):+.2f} %")

    checks = [("the early parse takes more the more records there are",
               not grows(early)),
              ("control: what reads the records is not seen to grow",
               grows(column(records, "whole")))]
    numbers = list(contexts)
    for name, label in (("head", "the early parse"),
                        ("replay", "what is done at retrieve")):
        checks.append((f"{label} is not linear in contexts: each "
                       + ", ".join(count(cost) for cost in per_map(
                           numbers, column(contexts, name))),
                       not steeper(numbers, column(contexts, name))))
    checks.append(("what is done at retrieve is not linear in maps",
                   not too_steep(list(records), column(records, "replay"))))
    checks.append(("control: plans that step through the FDT look linear",
                   steeper(numbers, column(contexts, "unindexed"))))
    failed = [sentence for sentence, good in checks if not good]
    return ({"maps": {str(key): row for key, row in records.items()},
             "contexts": {str(key): row for key, row in contexts.items()}},
            failed, len(checks))


def steeper(numbers, values):
    """As too_steep(), the first step included: there is nothing round it."""
    costs = per_map(numbers, values)
    return any(after > 1.25 * before for before, after in zip(costs, costs[1:]))
