# SPDX-License-Identifier: GPL-2.0-only
"""What each step of a handover takes as the number of maps grows.

Runs the scenario "scale" and reads its report. Each step is given per map,
between one number of maps and the next: the same at every size is linear.

Runs it once more with page tables that are rebuilt instead of adopted, and says for
both how much of what user space needs for the same by itself they take.

Runs it once more without counting instructions, for the milliseconds that the
guest's own clock shows. They are those of an emulator on this host, however
busy that is: they are printed and nothing is judged by them.
"""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "upstream"))

from twokernels import Broken, SetupTrouble  # noqa: E402

TIMEOUT = 1500  # seconds

STEPS = {"snapshot": "SNAPSHOT", "seal": "SEAL",
         "loader": "loader: build, check, save",
         "early_parse": "early parse",
         "given_back": "retrieve: iommufd is given back",
         "retrieve": "retrieve: and IOAS replayed",
         "bind": "bind: HWPT, compare tree",
         "redo_map": "user space's own: maps",
         "redo_bind": "user space's own: bind, attach"}
# What a handover does in place of what user space would, after the jump.
OURS = ("early_parse", "retrieve", "bind")
THEIRS = ("redo_map", "redo_bind")
# In KiB; the sign makes what is taken positive.
MEMORY = {"seal_kib": ("seal, load, saved image", 1),
          "loader_kib": ("loader, while it runs", 1),
          "boot_free_kib": ("held at boot for it", -1),
          "replay_kib": ("retrieve and bind", 1),
          "finish_kib": ("FINISH", 1)}
# At the peak within a call, from the run by the clock: the one that counts
# instructions has no second CPU to look from. Of a map, in bytes, so much at
# most: SNAPSHOT has the 72 bytes of a record twice, in the kernel and in the pages
# of the loader's buffer, which it is the first to touch; SEAL the image and what it
# is compared with.
PEAK = {"snapshot_peak_kib": ("SNAPSHOT", 180),
        "seal_peak_kib": ("SEAL, image included", 240)}
# There is no clock as early as that; instructions are counted all the same.
CLOCKLESS = {"early_parse"}
# Does not grow with the maps: so many instructions more for each at most, against so
# many of them, the second being an index. KHO reserves the pages of image and page
# tables, which takes two; 1,000 maps are replayed at once, and more behind.
FLAT = {"early_parse": (3, 0), "given_back": (3, 1)}
# Time per map may grow so much from one number of maps to the next.
STEEPEST = 1.25


def per_map(maps, values):
    """Cost of a map from each number of maps to the next."""
    return [(values[i] - values[i - 1]) / (maps[i] - maps[i - 1])
            for i in range(1, len(maps))]


def too_steep(maps, values):
    """Whether a map costs more the more there are.

    The first step starts at one map and is small against what surrounds it:
    it is not compared.
    """
    costs = per_map(maps, values)[1:]
    return any(after > STEEPEST * before
               for before, after in zip(costs, costs[1:]))


def not_flat(step, maps, values):
    """Whether a step that is not to grow does."""
    most, than = FLAT[step]
    return any(value - values[than] > most * number
               for number, value in zip(maps, values))


def blackout(report):
    """What the most maps take before the iommufd is there, each."""
    maps = report["maps"]
    more = sum(report[step][-1] - report[step][0]
               for step in ("early_parse", "given_back"))
    return more / (maps[-1] - maps[0])


def bytes_per_map(maps, kib):
    """What the last of the maps take, in bytes each."""
    return 1024 * per_map(maps, kib)[-1]


def too_much(maps, peaks):
    """Sentences, one for each call that takes more memory than it may."""
    return [f"{label} takes {bytes_per_map(maps, peaks[key]):.0f} bytes a map "
            f"at its peak, more than {most}"
            for key, (label, most) in PEAK.items()
            if bytes_per_map(maps, peaks[key]) > most]


def controls(maps):
    """The judgement on made-up figures: [(name, seen)]."""
    base = 10 ** 8
    return [
        ("cost in proportion to the maps is linear",
         not too_steep(maps, [base + 5000 * n for n in maps])),
        ("cost that grows with the square of the maps is seen",
         too_steep(maps, [base + n * n for n in maps])),
        ("a map that takes a third more among ten times as many is seen",
         too_steep(maps, [base + int(5000 * n ** 1.125) for n in maps])),
        ("a step that stays as it is does not grow",
         not not_flat("early_parse", maps, [base + 2 * n for n in maps])),
        ("four instructions for each map are seen in a step that is not to grow",
         not_flat("early_parse", maps, [base + 4 * n for n in maps])),
        ("what is done at once may grow up to there",
         not not_flat("given_back", maps, [10 ** 6, 10 ** 7, 10 ** 6, 10 ** 6])),
        ("what is done behind may not be waited for",
         not_flat("given_back", maps, [10 ** 6 + 100 * n for n in maps])),
        ("a node of 576 bytes for each map is seen in either call",
         len(too_much(maps, {key: [n * (60 + 576) // 1024 for n in maps]
                             for key in PEAK})) == len(PEAK)),
        ("memory that a map may take is not complained about",
         not too_much(maps, {key: [n * (most - 1) // 1024 for n in maps]
                             for key, (_, most) in PEAK.items()})),
    ]


def run_scenario(where, scenario, name):
    """The scenario's report. What is left of the run has @name."""
    path = os.path.join(where, name + ".json")
    with open(os.path.join(where, name + ".log"), "w") as log:
        done = subprocess.run(
            [os.path.join(TOP, "tests", "boot", "run"), scenario, "--json",
             path, "--timeout", str(TIMEOUT), "--keep",
             os.path.join(where, "run-" + name)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        with open(log.name, errors="replace") as file:
            last = file.read().strip().splitlines()[-1:]
        kind = Broken if done.returncode == 1 else SetupTrouble
        raise kind(f"{last[0] if last else 'scale failed'}; see {log.name}")
    with open(path) as file:
        return json.load(file)


def variant(where, name, **files):
    """The scenario with other arguments."""
    path = os.path.join(where, name, "scale")
    shutil.copytree(os.path.join(HERE, "scale"), path)
    for option, words in files.items():
        with open(os.path.join(path, option.replace("_", "-")), "w") as file:
            file.write(words + "\n")
    return path


def in_time(where):
    """On a guest that has a clock instead of a counter."""
    return variant(where, "in-time", qemu_args="-device igb,addr=4.0",
                   kernel_args="scale.ns=1")


def rebuilt(where):
    """No inherited page table is adopted."""
    return variant(where, "rebuilt", kernel_args="nox2apic trees=rebuilt")


def of_user_space(report):
    """What a map takes after the jump, against what user space needs for it."""
    ours, theirs = (sum(per_map(report["maps"], report[step])[-1]
                        for step in steps) for steps in (OURS, THEIRS))
    return ours, theirs, ours / theirs


def count(number):
    return f"{number:,.0f}"


def measure(where):
    """Run, print. Returns (report, sentences for what failed, checks)."""
    report = run_scenario(where, os.path.join(HERE, "scale"), "scale")
    timed = run_scenario(where, in_time(where), "scale-ns")
    again = run_scenario(where, rebuilt(where), "scale-rebuilt")
    for name, run, most in (("adopted", report, len(report["maps"])),
                            ("rebuilt", again, 0)):
        if run["trees_adopted"] != most:
            raise Broken(f"scale: {run['trees_adopted']} page tables were "
                         f"adopted, {most} should have been ({name})")
    maps = report["maps"]
    if report["maps_compared"] != maps or timed["maps_compared"] != maps:
        raise Broken(f"scale: {maps} maps crossed and "
                     f"{report['maps_compared']} were compared")
    sizes = [image["bytes"] for image in report["images"]]
    memory = {key: [sign * value for value in report[key]]
              for key, (_, sign) in MEMORY.items()}
    peaks = {key: timed[key] for key in PEAK}
    lists = {**{step: report[step] for step in STEPS}, "image": sizes}
    for name, values in {**lists, **peaks}.items():
        if len(values) != len(maps):
            raise Broken(f"scale: {len(values)} figures for {name}, and "
                         f"{len(maps)} kexecs")

    heads = "".join(f"{count(number):>13}" for number in maps[1:])
    print("\nThousands of instructions more than with one map, in one iommufd "
          "with a device")
    print(f"  {'maps':<28}{heads}  per map, {count(maps[-2])} to "
          f"{count(maps[-1])}")
    for step, label in STEPS.items():
        values = report[step]
        print(f"  {label:<28}"
              + "".join(f"{count((value - values[0]) / 1000):>13}"
                        for value in values[1:])
              + f"{count(per_map(maps, values)[-1]):>9} instructions")
    print(f"  {'image':<28}"
          + "".join(f"{count(size):>13}" for size in sizes[1:])
          + f"{per_map(maps, sizes)[-1]:>9.1f} bytes")
    shares = {}
    for name, run in (("adopted", report), ("rebuilt", again)):
        ours, theirs, share = of_user_space(run)
        shares[name] = round(share, 3)
        print(f"  page tables {name}: {count(ours)} instructions a map after the "
              f"jump, user space's own {count(theirs)}: {share:.2f}; of these "
              f"{blackout(run):.1f} before the iommufd is given back: "
              f"{blackout(run) / theirs:.4f}")
    print("\nKiB of memory more than with one map; what is given back is "
          "negative")
    for key, values in memory.items():
        print(f"  {MEMORY[key][0]:<28}"
              + "".join(f"{count(value - values[0]):>13}"
                        for value in values[1:])
              + f"{1024 * per_map(maps, values)[-1]:>9.1f} bytes")
    print("\nThe same at the peak within a call")
    for key, values in peaks.items():
        print(f"  {PEAK[key][0]:<28}"
              + "".join(f"{count(value - values[0]):>13}"
                        for value in values[1:])
              + f"{bytes_per_map(maps, values):>9.1f} bytes")
    print("\nMilliseconds by the guest's clock, under TCG on this host")
    for step, label in STEPS.items():
        if step not in CLOCKLESS:
            print(f"  {label:<28}" + "".join(f"{value / 1e6:>13,.1f}"
                                             for value in timed[step][1:]))
    print(f"  {'SEAL, its locks held':<28}"
          + "".join(f"{value:>13,.1f}" for value in timed["seal_locked_ms"][1:]))

    failed = [f"control: {name}: not so"
              for name, seen in controls(maps) if not seen]
    print("control: growth that is not linear, and too much memory: "
          + ("not told apart" if failed else "told apart"))
    for name, values in lists.items():
        if name in FLAT:
            if not_flat(name, maps, values):
                failed.append(f"{STEPS[name]} grows with the maps: "
                              + ", ".join(count(value) for value in values))
        elif too_steep(maps, values):
            failed.append(f"{STEPS.get(name, name)} is not linear: per map "
                          + ", ".join(count(cost) for cost
                                      in per_map(maps, values)))
    failed += too_much(maps, peaks)
    out = {"maps": maps, "image_bytes": sizes,
           "instructions": {step: report[step] for step in STEPS},
           "per_map": {name: [round(cost, 1) for cost
                              in per_map(maps, values)]
                       for name, values in lists.items()},
           "ms": {step: [round(value / 1e6, 1) for value in timed[step]]
                  for step in STEPS if step not in CLOCKLESS},
           "of_user_space": shares,
           "before_given_back": round(blackout(report), 1),
           "seal_locked_ms": timed["seal_locked_ms"],
           **memory, **peaks}
    return out, failed, len(controls(maps)) + len(lists) + len(PEAK)
