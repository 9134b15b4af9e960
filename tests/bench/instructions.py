# SPDX-License-Identifier: GPL-2.0-only
"""Instructions per iommufd call on the stock and on the patched kernel.

Both kernels run cost.c under "qemu -icount shift=0" with one CPU, where the
guest's time stamp counter counts instructions exactly: time does not matter,
and a busy host changes nothing.
"""

import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "boot", "harness"))
sys.path.insert(0, os.path.join(TOP, "tests", "upstream"))

from programs import Compiler  # noqa: E402
from twokernels import OUT, Broken, boot, write_initramfs  # noqa: E402

# An iteration of a repeated string instruction counts as one: without the
# fast ones the kernel clears and copies with code that counts as it runs.
MACHINE = ["-smp", "1", "-icount", "shift=0,sleep=off",
           "-cpu", "max,la57=off,-erms,-fsrm",
           "-device", "igb,addr=4.0"]
PARAMETERS = ("kho=on liveupdate=on kho_scratch=32M,192M,32M intel_iommu=on "
              "mitigations=off norandmaps no_timer_check tsc=reliable "
              "nox2apic "  # counting ends QEMU at an APIC's MSR
              "hugepages=2")

# Loops of a map and its unmap: what the limit is about.
LOOPS = {"bare-4K": "4 KiB of a memfd, no HWPT",
         "bare-user": "4 KiB of user memory, no HWPT",
         "bare-2M": "2 MiB huge page, no HWPT",
         "hwpt-4K": "4 KiB of a memfd, a device",
         "hwpt-user": "4 KiB of user memory, a device",
         "hwpt-2M": "2 MiB huge page, a device"}
CASES = {**LOOPS, "ioas": "IOAS", "none": "no iommufd"}
PAIR = "map+unmap"
# A system call is at least so many instructions.
SYSCALL = 50


class Figures:
    """Calls of one case, in instructions."""

    def __init__(self):
        self.least, self.medians, self.sum, self.calls = [], [], 0, 0

    def add(self, calls, least, median, total):
        self.least.append(least)
        self.medians.append(median)
        self.sum += total
        self.calls += calls

    @property
    def median(self):
        return statistics.median_low(self.medians)

    def as_json(self):
        return {"min": min(self.least), "median": self.median,
                "mean": round(self.sum / self.calls, 1), "calls": self.calls}


def parse(text):
    """{mode: {(case, call): Figures}} of what cost.c printed."""
    modes, said = {}, "nothing"
    for line in text.splitlines():
        words = line.split()
        if words and words[0] not in ("sample", "#", "end"):
            said = line
        if not words or words[0] != "sample":
            continue
        mode, case, call = words[1:4]
        figures = modes.setdefault(mode, {}).setdefault((case, call),
                                                        Figures())
        figures.add(*map(int, words[4:]))
    if ("\ncounter exact " not in text or "\nall measured\n" not in text or
            "plain" not in modes):
        raise Broken(f"not all was measured; the last it said: {said}")
    return modes


def medians(cases):
    """{(case, call): median}, with each map/unmap loop as one more call."""
    rows = {name: figures.median for name, figures in cases.items()}
    for case in LOOPS:
        rows[case, PAIR] = rows[case, "map"] + rows[case, "unmap"]
    return rows


def compare(left, right):
    """{(case, call): (left, right, difference, percent)}."""
    left, right = medians(left), medians(right)
    if left.keys() != right.keys():
        raise Broken(f"other cases: {sorted(left.keys() ^ right.keys())}")
    return {name: (value, right[name], right[name] - value,
                   100 * (right[name] - value) / value)
            for name, value in left.items()}


# Two boots lay memory out differently, which costs a call a branch or two. So
# each kernel is booted so often, and the boot counts that was best for a call.
BOOTS = 3
BOOT_NOISE = 16                                         # instructions


def best(boots):
    """Of each call the Figures of the boot where it took least."""
    if any(boot.keys() != boots[0].keys() for boot in boots):
        raise Broken("not the same was measured in each boot")
    return {mode: {name: min((boot[mode][name] for boot in boots),
                             key=lambda figures: figures.median)
                   for name in cases}
            for mode, cases in boots[0].items()}


def unequal(stock, again):
    """Sentences, one for each case that differs between two stock boots."""
    return [f"stock against stock: {case} {call}: {row[0]} and {row[1]} "
            "instructions"
            for (case, call), row in compare(stock, again).items()
            if abs(row[2]) > BOOT_NOISE * (1 + (call == PAIR))]


def unseen(stock, extra):
    """Sentences, one for each case where one more system call is not seen."""
    return [f"one more system call in {case} {call} is seen as {row[2]} "
            "instructions"
            for (case, call), row in compare(stock, extra).items()
            if row[2] < SYSCALL * (1 + (call == PAIR))]


def print_table(title, rows):
    print(f"\n{title}")
    print(f"  {'':<46}{'stock':>9}{'patched':>9}{'more':>6}")
    for case, label in CASES.items():
        for (of, call), row in rows.items():
            if of == case:
                print(f"  {label:<32}{call:<14}{row[0]:>9}{row[1]:>9}"
                      f"{row[2]:>6}{row[3]:>8.2f}%")
                label = ""


def rows_as_json(left, right, names):
    out = []
    for (case, call), row in compare(left, right).items():
        item = {"case": case, "call": call, "difference": row[2],
                "percent": round(row[3], 3)}
        for index, (name, side) in enumerate(zip(names, (left, right))):
            item[name] = (side[case, call].as_json() if (case, call) in side
                          else {"median": row[index]})
        out.append(item)
    return out


def build_program(where, name, sources=(), includes=(), libraries=()):
    """Compile NAME.c, and more @sources with the directories @includes, for a
    guest of either kernel: path of the initramfs.

    One program for both: it makes no call that the stock kernel lacks, but the
    library that it is linked with knows /dev/iommu-handover.
    """
    guest = os.path.join(TOP, "tests", "boot", "guest")
    compiler = Compiler(
        guest, os.path.join(where, "library"),
        ["-I" + guest, "-I" + os.path.join(TOP, "kernel", "include"),
         "-isystem", os.path.join(OUT, "kernel", "patched", "usr", "include")])
    program = os.path.join(where, name)
    compiler.includes += ["-I" + path for path in includes]
    compiler.program([os.path.join(HERE, name + ".c"), *sources], program, True,
                     libraries=libraries)
    initramfs = os.path.join(where, name + ".cpio")
    write_initramfs(initramfs, [program])
    return initramfs


def measure(qemu, where, limit):
    """Boot, print. Returns (report, sentences for what failed, checks)."""
    initramfs = build_program(where, "cost")
    results = {}
    for name in ("stock", "patched", "stock-again"):
        try:
            results[name] = best([
                parse(boot(name.split("-")[0], qemu, initramfs,
                           os.path.join(where, f"{name}-{number}"), MACHINE,
                           PARAMETERS)) for number in range(BOOTS)])
        except Broken as trouble:
            raise Broken(f"{name}: {trouble}") from None
    if "preserved" not in results["patched"]:
        raise Broken("patched: nothing was measured in a preserved iommufd")
    stock, extra = results["stock"]["plain"], results["stock"]["extra"]
    patched, again = results["patched"]["plain"], results["stock-again"]
    preserved = results["patched"]["preserved"]

    rows = compare(stock, patched)
    print_table("Instructions per call, median", rows)
    print_table("The same with the iommufd preserved in a live update session",
                compare(stock, preserved))
    worst = max((row[3], case) for (case, call), row in rows.items()
                if call == PAIR)
    print(f"\nMost in a map/unmap loop: {worst[0]:.2f} %, "
          f"{rows[worst[1], PAIR][2] / 2:.0f} instructions per call, "
          f"{CASES[worst[1]]}")

    differ, blind = unequal(stock, again["plain"]), unseen(stock, extra)
    print("control: stock against stock, a boot later: "
          + ("differs" if differ else
             f"within {BOOT_NOISE} instructions in every call"))
    print("control: one more system call in each call: "
          + ("not seen everywhere" if blind else "seen in every case"))
    failed = ["control: " + sentence for sentence in differ + blind]
    checks = 2 * len(rows)
    if limit is not None:
        checks += 1
        if worst[0] > limit:
            failed.append(f"{CASES[worst[1]]}: {worst[0]:.2f} % is more than "
                          f"{limit} %")
    report = {
        "unit": "instructions per call",
        "worst_percent": round(worst[0], 3), "worst_case": worst[1],
        "cases": rows_as_json(stock, patched, ("stock", "patched")),
        "preserved": rows_as_json(stock, preserved, ("stock", "patched")),
        "control_stock_again": rows_as_json(stock, again["plain"],
                                            ("stock", "again")),
        "control_one_more_syscall": rows_as_json(stock, extra,
                                                 ("stock", "extra"))}
    return report, failed, checks
