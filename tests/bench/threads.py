# SPDX-License-Identifier: GPL-2.0-only
"""Map and unmap from several threads, on the stock and on the patched kernel.

Both kernels run threads.c, booted in turn, so that what else the host does
hits both. The times are those of a guest on this host, and nothing is judged by
them: printed is how much longer the patched kernel takes, for each pair of
boots, and what controls find of a lock or cache line that threads share. An
emulator's CPU is so much slower than the host's memory that a shared line may
cost next to nothing there; ACCEL=kvm shows more of it.
"""

import os
import statistics

from instructions import PARAMETERS, build_program
from twokernels import KERNELS, Broken, boot

# Boots of each kernel; as many CPUs as the kernels of the boot tests have.
PAIRS = 5
CPUS = (2,)
THREADS = (1, 2, 4)
MACHINE = [word for slot in range(4, 8)
           for word in ("-device", f"edu,addr={slot}.0")]

CASES = {"bare": "an IOAS each, no HWPT",
         "hwpt": "an IOAS and a device each",
         "preserved": "no HWPT, preserved"}
CONTROLS = {"one-ioas": ("bare", "one IOAS for all threads"),
            "one-line": ("own-line", "one cache line, no iommufd")}
# The stock kernel can preserve no iommufd.
STOCK_CASE = {"preserved": "bare"}


def parse(text, cpus):
    """{(case, threads): [nanoseconds of each round]} of what threads.c said."""
    rounds, said = {}, "nothing"
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] in ("#", "end"):
            continue
        if words[0] != "round":
            said = line
            continue
        case, threads, _, total = words[1], *map(int, words[2:5])
        took = [int(word) for word in words[5:]]
        if len(took) != threads or max(took) > total:
            raise Broken(f"threads that do not fit their round: {line}")
        rounds.setdefault((case, threads), []).append(total)
    if said != f"all measured on {cpus} CPUs":
        raise Broken(f"not all was measured; the last it said: {said}")
    return rounds


def spread(values):
    return {"min": round(min(values), 3), "max": round(max(values), 3),
            "median": round(statistics.median(values), 3)}


def ratios(over, under):
    """{threads: spread} of the best rounds of two cases, (boots, case) each."""
    out = {}
    for threads in THREADS:
        out[threads] = spread([
            min(left[over[1], threads]) / min(right[under[1], threads])
            for left, right in zip(over[0], under[0])])
    return out


def print_row(label, row):
    print(f"  {label:<30}" + "".join(
        f"   {one['min']:.2f} {one['median']:.2f} {one['max']:.2f}"
        for one in row.values()))


def compare(boots, cpus):
    """Print what boots with @cpus CPUs found; for the report."""
    found = {"patched/stock": {}, "controls": {}}
    print(f"\n{cpus} CPUs, {PAIRS} boots of each kernel: least, median, most")
    print(f"  {'threads':<30}"
          + "".join(f"{threads:>10}       " for threads in THREADS).rstrip())
    print("  patched against stock")
    for case, label in CASES.items():
        row = ratios((boots["patched"], case),
                     (boots["stock"], STOCK_CASE.get(case, case)))
        found["patched/stock"][case] = row
        print_row("  " + label, row)
    print("  control, stock: shared against a separate one for each thread")
    for case, (apart, label) in CONTROLS.items():
        row = ratios((boots["stock"], case), (boots["stock"], apart))
        found["controls"][case] = row
        print_row("  " + label, row)
    found["ns"] = {name: [{f"{case} {threads}": values
                           for (case, threads), values in one.items()}
                          for one in boots[name]] for name in KERNELS}
    return found


def controls():
    """The arithmetic on made-up figures: [(name, seen)]."""
    fast = {("bare", threads): [100, 90, 200] for threads in THREADS}
    slow = {key: [2 * value for value in values]
            for key, values in fast.items()}
    rows = ratios(([slow, fast], "bare"), ([fast, fast], "bare"))
    text = "round bare 2 10 100 90 {}\nall measured on 2 CPUs\n"
    refused = 0
    for wrong in (text.format(""), text.format(101),
                  text.format(80).replace("on 2", "on 1")):
        try:
            parse(wrong, 2)
        except Broken:
            refused += 1
    return [
        ("a kernel that takes twice as long is seen",
         all(row == {"min": 1, "median": 1.5, "max": 2}
             for row in rows.values())),
        ("a round is read", parse(text.format(80), 2) ==
         {("bare", 2): [100]}),
        ("a thread or CPU that is missing is seen", refused == 3),
    ]


def measure(qemu, where):
    """Boot, print. Returns (report, sentences for what failed, checks)."""
    initramfs = build_program(where, "threads")
    report = {"unit": "ratio of the best round of each boot"}
    for cpus in CPUS:
        boots = {name: [] for name in KERNELS}
        for number in range(PAIRS):
            for name in KERNELS:
                text = boot(name, qemu, initramfs,
                            os.path.join(where, f"{name}-{cpus}-{number}"),
                            ["-smp", str(cpus)] + MACHINE, PARAMETERS)
                try:
                    boots[name].append(parse(text, cpus))
                except Broken as trouble:
                    raise Broken(f"{name}, {cpus} CPUs: {trouble}") from None
        report[f"{cpus} CPUs"] = compare(boots, cpus)
    checks = controls()
    failed = [f"control: {name}: not so" for name, seen in checks if not seen]
    return report, failed, len(checks)
