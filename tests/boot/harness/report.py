# SPDX-License-Identifier: GPL-2.0-only
"""Collects what a run is about and decides."""

import hashlib
import json
import os
import re
import subprocess

from images import first_difference, ids_of, maps_of

# Reported once per kexec; the value belongs to the kexec before which (offset
# 1) or after which (offset 0) the stage that reported it ran.
PER_KEXEC = {"frames_before": 1, "frames_after": 0}
SUMMED = ("trees_compared", "trees_equal", "trees_adopted", "iommu_faults")
KEYS = ("verdict", "reason", "scenario", "kexecs", "boot_ids", "kernel_before",
        "kernel_after", "contexts", "records", "ids_identical",
        "maps_identical", "trees_compared", "trees_equal", "trees_adopted",
        "frames_before",
        "frames_after", "iommu_faults", "image_bytes", "blackout_ms",
        "frozen_ms", "seal_locked_ms")

CHECKERS = ("KernelAddressSanitizer initialized", "Lock dependency validator:",
            "kmemleak: Kernel memory leak detector initialized")


# What the old kernel says of a seal, and last of all.
SEALED = re.compile(r"iommu-handover: sealed .* in (\d+) us$")
JUMPS = "kexec_core: Starting new kernel"
BOOTS = "Linux version "


def value_of(text):
    """A reported value: true, false, a number, or the text itself."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def read_patterns(*paths):
    patterns = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            patterns += [line.rstrip("\n") for line in file if line.strip()]
    return [re.compile(item) for item in patterns]


class Report:
    def __init__(self, scenario, kexecs, say, series=()):
        self.scenario, self.kexecs, self.say = scenario, kexecs, say
        self.series = list(series)  # of the kernels, in turn
        self.adopts = True   # inherited page tables; else all are rebuilt
        self.facts = {}      # stage -> key -> value
        self.boots = {}      # stage -> (boot_id, release)
        self.when = {}       # (stage, event) -> monotonic seconds
        self.marks = []      # all of them: stage, event, monotonic seconds
        self.images = {}     # number -> dict
        self.frozen = {}     # stage that is left -> milliseconds
        self.locked = {}     # likewise, of the seal's lock alone
        self.plain = set()   # stages at which no iommufd was preserved
        self.troubles = []
        self.bad_line = None  # of the serial log, the first, from 0
        self.stage = 0
        self.last_event = "start"

    # ---- as the run goes --------------------------------------------------

    def trouble(self, text):
        self.say(f"FAIL: {text}")
        self.troubles.append(text)

    def mark(self, stage, event, rest, now):
        self.when.setdefault((stage, event), now)
        self.marks.append([stage, event, round(now, 6)])
        self.stage, self.last_event = stage, event
        if event == "boot":
            boot_id, _, release = rest.partition(" ")
            if stage in self.boots:
                self.trouble(f"stage {stage} booted twice")
            self.boots[stage] = (boot_id, release)
            took = self.blackout(stage)
            self.say(f"stage {stage}: Linux {release} is up"
                     + (f", blackout {took} ms" if took is not None else ""))
        elif event == "ran":
            self.say(f"stage {stage}: {rest.replace(' ', ' exited with ')}")
        elif event in ("load", "kmemleak"):
            self.say(f"stage {stage}: {event}")
        elif event == "plain":
            self.plain.add(stage)
            self.say(f"stage {stage}: no iommufd is preserved, no image")
        elif event == "exec":
            self.say(f"stage {stage}: kexec {stage + 1} of {self.kexecs}")

    def fact(self, stage, key, text, now):
        if key == "back":
            self.when.setdefault((stage, "back"), now)
            return
        facts = self.facts.setdefault(stage, {})
        if key.endswith("[]"):
            facts.setdefault(key[:-2], []).append(value_of(text))
        else:
            facts[key] = value_of(text)

    def image(self, number, path, tool):
        """Check an image on the host and read what it holds."""
        with open(path, "rb") as file:
            data = file.read()
        entry = {"file": os.path.basename(path), "bytes": len(data),
                 "sha256": hashlib.sha256(data).hexdigest()}
        self.images[number] = entry
        for words in (["check"], ["show", "--json"]):
            done = subprocess.run([tool] + words + [path],
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
            if done.returncode:
                self.trouble(
                    f"iommu-handover {' '.join(words)} {entry['file']} exited "
                    f"with {done.returncode} on the host: "
                    + done.stderr.decode(errors="replace").strip())
                return
        try:
            entry["shown"] = json.loads(done.stdout)
        except ValueError as error:
            self.trouble(f"show --json {entry['file']}: {error}")

    # ---- afterwards -------------------------------------------------------

    def blackout(self, stage, event="boot"):
        """Milliseconds from the old kernel's "exec" to @event, or None."""
        begin = self.when.get((stage - 1, "exec"))
        end = self.when.get((stage, event))
        if begin is None or end is None:
            return None
        return round((end - begin) * 1000)

    def scan_serial(self, path, bad, faults, allowed):
        """Count fault lines; any other bad line of the kernel is trouble.

        And measure from the lock of a seal to the jump, by the kernel's clock.

        The guest scans its own log, but nothing that a kernel says between
        that scan and its end.
        """
        count, stage, sealed = 0, -1, None
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file):
                # Only the kernel's lines have a time stamp.
                match = re.search(r"\[ *(\d+\.\d{6})\](\[[^]]*\])? (.*)",
                                  line)
                if not match:
                    continue
                now, text = float(match.group(1)), match.group(3).rstrip()
                if text.startswith(BOOTS):
                    stage, sealed = stage + 1, None
                elif SEALED.match(text):
                    took = int(SEALED.match(text).group(1))
                    sealed = now - took / 1e6
                elif text == JUMPS and sealed is not None:
                    self.frozen[stage] = round((now - sealed) * 1000)
                    self.locked[stage] = took / 1000
                fault = any(item.search(text) for item in faults)
                count += fault
                if not fault and not any(item.search(text) for item in bad):
                    continue
                if any(item.search(text) for item in allowed):
                    continue
                if self.bad_line is None:
                    self.bad_line = number
                    self.trouble(f"kernel log: {text}")
        return count

    def scan_trace(self, text, fault, allowed):
        """Count the faults that QEMU's trace shows; the first is trouble."""
        lines = [line for line in text.splitlines() if fault.match(line)]
        bad = [line for line in lines
               if not any(item.search(line) for item in allowed)]
        if bad:
            self.trouble(f"QEMU's trace: {bad[0]}")
        return len(lines)

    def require_checkers(self, path):
        """Every kernel of a debug run has to say that its checkers are on.

        A configuration can drop KASAN without a word.
        """
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        for line in CHECKERS:
            if text.count(line) < len(self.boots):
                self.trouble(f"{len(self.boots)} kernels booted, "
                             f"{text.count(line)} said '{line}'")

    def per_kexec(self, key, offset):
        """One value for each kexec, or None when the scenario has none."""
        values = [self.facts.get(number - offset, {}).get(key)
                  for number in range(1, self.kexecs + 1)]
        if all(value is None for value in values):
            return None
        return values

    def last(self, key):
        """The last value of @key, or all its values when it is a list."""
        values = [self.facts[stage][key] for stage in sorted(self.facts)
                  if key in self.facts[stage]]
        if values and isinstance(values[0], list):
            return sum((item for item in values if isinstance(item, list)), [])
        return values[-1] if values else None

    def summed(self, key):
        values = [facts[key] for facts in self.facts.values()
                  if isinstance(facts.get(key), int)]
        return sum(values) if values else None

    def result(self, verdict, faults):
        """The JSON object; adds what the facts themselves show to be wrong."""
        boot_ids = [self.boots[stage][0] for stage in sorted(self.boots)]
        if verdict and (len(boot_ids) != self.kexecs + 1
                        or len(set(boot_ids)) != len(boot_ids)):
            self.trouble(f"{len(set(boot_ids))} distinct boot IDs for "
                         f"{self.kexecs} kexecs")
        releases = {stage: boot[1] for stage, boot in self.boots.items()}
        for stage, release in sorted(releases.items() if self.series else ()):
            name = self.series[stage % len(self.series)].split("-")[0]
            if not release.startswith(name + "."):
                self.trouble(f"stage {stage} is Linux {release}, not of "
                             f"series {name}")
        out = dict.fromkeys(KEYS)
        own = {key for facts in self.facts.values() for key in facts}
        for key in own - set(PER_KEXEC) - set(SUMMED):
            out[key] = self.last(key)
        for key in SUMMED:
            out[key] = self.summed(key)
        for key, offset in PER_KEXEC.items():
            out[key] = self.per_kexec(key, offset)
            if verdict and out[key] and None in out[key]:
                self.trouble(f"{key} is missing for kexec "
                             f"{out[key].index(None) + 1}")
        out["iommu_faults"] = max(out["iommu_faults"] or 0, faults)
        out.update(scenario=self.scenario.name, kexecs=self.kexecs,
                   boot_ids=boot_ids, kernel_before=releases.get(0),
                   kernel_after=releases.get(self.kexecs),
                   kernels=[releases[stage] for stage in sorted(releases)])
        out["blackout_ms"] = [self.blackout(stage) for stage
                              in range(1, self.kexecs + 1)]
        for key, values in (("frozen_ms", self.frozen),
                            ("seal_locked_ms", self.locked)):
            out[key] = [None if stage in self.plain else values.get(stage)
                        for stage in range(self.kexecs)]
        outage = [self.blackout(stage, "back") for stage
                  in range(1, self.kexecs + 1)]
        if any(value is not None for value in outage):
            out["outage_ms"] = outage
        out["marks"] = self.marks
        self.add_images(out, verdict)
        out["verdict"] = "pass" if verdict and not self.troubles else "fail"
        out["reason"] = self.troubles[0] if self.troubles else None
        return out

    def measure(self, command, path, out):
        """Add what a scenario's program makes of the report at @path to @out."""
        done = subprocess.run([command, path], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        try:
            found = json.loads(done.stdout)
            if not isinstance(found, dict):
                raise ValueError("no object")
        except ValueError as error:
            done.returncode = done.returncode or 1
            found = {}
            done.stderr += f"its output is no JSON object: {error}"
        out.update(found)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["it does not say"]
            self.trouble(f"measure exited with {done.returncode}: {last[0]}")
        out["verdict"] = "pass" if out["verdict"] == "pass" \
            and not self.troubles else "fail"
        out["reason"] = self.troubles[0] if self.troubles else None

    def add_images(self, out, verdict):
        numbers = sorted(self.images)
        out["images"] = []
        for number in numbers:
            entry = dict(self.images[number])
            shown = entry.pop("shown", None)
            if shown:
                entry["contexts"] = len(shown["contexts"])
                entry["records"] = shown["records"]
                entry["generation"] = shown["generation"]
            out["images"].append(entry)
        if not self.scenario.conf.hands_over:
            return
        wanted = [number for number in range(1, self.kexecs + 1)
                  if self.scenario.conf.steady or number - 1 not in self.plain]
        if verdict and numbers != wanted:
            self.trouble(f"{len(numbers)} images arrived, {len(wanted)} "
                         "expected")
        if numbers:
            last = out["images"][-1]
            out["image_bytes"] = last["bytes"]
            out["contexts"] = last.get("contexts")
            out["records"] = last.get("records")
        if self.scenario.conf.steady:
            self.compare_images(out)
            self.compare_trees(out, verdict)
        for key in ("ids_identical", "maps_identical"):
            if any(facts.get(key) is False for facts in self.facts.values()):
                out[key] = False
            if out[key] is False:
                self.trouble(f"{key} is false")

    def compare_images(self, out):
        """Each image with the one before."""
        shown = [self.images[number].get("shown")
                 for number in sorted(self.images)]
        if len(shown) < 2 or None in shown:
            return
        for key, reduce in (("ids_identical", ids_of),
                            ("maps_identical", maps_of)):
            same = True
            for index in range(1, len(shown)):
                found = first_difference(reduce(shown[index - 1]),
                                         reduce(shown[index]))
                if found:
                    self.trouble(f"image-{index}.iho and image-{index + 1}"
                                 f".iho: {found}")
                    same = False
                    break
            out[key] = same and out[key] is not False

    def compare_trees(self, out, verdict):
        """Every page table handed over was compared and found equal."""
        tables = sum(len(image["shown"]["tables"])
                     for image in self.images.values() if "shown" in image)
        if not verdict:
            return
        compared, equal = out["trees_compared"] or 0, out["trees_equal"] or 0
        if compared < tables or equal != compared:
            self.trouble(f"{tables} page tables were handed over, {compared} "
                         f"compared, {equal} equal")
        adopted, wanted = out["trees_adopted"] or 0, equal * self.adopts
        if adopted != wanted:
            self.trouble(f"{adopted} of {equal} page tables were adopted, "
                         f"{wanted} should have been")
