# SPDX-License-Identifier: GPL-2.0-only
"""Where the time of a kexec goes, by the kernels' logs and the host's clock.

A kernel's log has times of its own clock, which begins when it boots. The guest's
init writes each of its marks to the log and to a port: so the host knows what its
own clock was then, and when the kernel said the rest.

A program in the guest may say in the log which part of the work begins:
"handover: phase NAME". The part "usable" is none any more, it ends the last one.
"""

import re

LINE = re.compile(r"\[ *(\d+\.\d{6})\](?:\[[^]]*\])? (.*)")
MARK = re.compile(r"handover: stage (\d+): (\S+)")
PHASE = re.compile(r"handover: phase (\S+)$")
BOOTS = "Linux version "
JUMPS = "kexec_core: Starting new kernel"
USER = re.compile(r"Run \S+ as init process$")
SEALED = re.compile(r"iommu-handover: sealed .* in (\d+) us$")
SWITCHED = re.compile(r".*iommu-handover: DMA goes on with HWPT \d+$")

# What stands in a table, in this order, from the command that jumps until the
# devices are usable.
PARTS = ("snapshot", "seal", "shutdown", "jump", "boot", "user space", "retrieve",
         "bind", "device")
# What only a test does meanwhile, which is taken out.
TEST = "test"
# How long after that the last device had its rebuilt page table.
SWITCH = "switch"


class Stage:
    """What one kernel said: (its seconds, text) of each line.

    @offset: what to add to its clock to get the host's, None when nobody knows
    """

    def __init__(self):
        self.lines = []
        self.offset = None

    def find(self, pattern):
        """The first line that matches: its time by the kernel's clock, the match."""
        for now, text in self.lines:
            found = re.match(pattern, text)
            if found:
                return now, found
        return None, None

    def marks(self):
        """(event, time by the kernel's clock)"""
        return [(found.group(2), now) for now, text in self.lines
                for found in [MARK.match(text)] if found]

    def at(self, pattern):
        """The same as find() by the host's clock, without the match."""
        now, _ = self.find(pattern)
        return None if now is None or self.offset is None \
            else now + self.offset


def read_stages(lines):
    """The kernels of a serial log, in their order."""
    stages = []
    for line in lines:
        found = LINE.search(line)
        if not found:
            continue
        text = found.group(2).rstrip()
        if text.startswith(BOOTS) or not stages:
            stages.append(Stage())
        stages[-1].lines.append((float(found.group(1)), text))
    return stages


def set_clocks(stages, marks):
    """@marks are the report's: stage, event, seconds of the host's clock.

    A mark may come late, and never early: the earliest is right.
    """
    when = {}
    for stage, event, host in marks:
        when.setdefault((stage, event), host)
    for number, stage in enumerate(stages):
        found = [when[(number, event)] - now for event, now in stage.marks()
                 if (number, event) in when]
        stage.offset = min(found) if found else None


def phases_of(stage):
    """(name, seconds) of each part that the guest's program named, and its end."""
    begun = [(found.group(1), now) for now, text in stage.lines
             for found in [PHASE.match(text)] if found]
    parts, end = [], None
    for (name, now), following in zip(begun, begun[1:] + [(None, None)]):
        if name == "usable":
            end = now
            break
        if following[1] is not None:
            parts.append((name, following[1] - now))
    return parts, end


def parts_of(old, new):
    """Milliseconds that each part of a kexec took, from @old to @new.

    A dictionary with the names of PARTS; "load", which comes before them and stops
    nothing; TEST; SWITCH; and "sum", from the command that jumps until all is usable
    without TEST. None when the logs do not have it all. A kernel that was sealed at its load has no snapshot and
    no seal in the sum.
    """
    marks = dict(old.marks())
    jumps, _ = old.find(re.escape(JUMPS) + "$")
    user, _ = new.find(USER)
    named, usable = phases_of(new)
    begun, _ = new.find(PHASE)
    if None in (jumps, user, usable, begun, old.offset, new.offset) \
            or "exec" not in marks:
        return None
    out = dict.fromkeys(PARTS + (TEST,), 0.0)
    begin = marks["exec"]
    sealed, found = old.find(SEALED)
    if sealed is not None and sealed > begin:
        locked = sealed - int(found.group(1)) / 1e6
        out["snapshot"], out["seal"] = locked - begin, sealed - locked
        begin = sealed
    out["shutdown"] = jumps - begin
    out["jump"] = new.offset - (jumps + old.offset)
    out["boot"] = user
    out["user space"] = begun - user
    for name, seconds in named:
        if name not in out:
            raise ValueError(f"phase {name!r} is none of " + ", ".join(PARTS))
        out[name] += seconds
    out["sum"] = (usable + new.offset) - (marks["exec"] + old.offset) \
        - out[TEST]
    last = max([now for now, text in new.lines if SWITCHED.match(text)],
               default=usable)
    out[SWITCH] = max(0.0, last - usable)
    if "loaded" in marks:
        out["load"] = marks["loaded"] - marks["load"]
    return {key: round(value * 1000, 1) for key, value in out.items()}


def usable_ms(parts):
    """From the first instruction of user space to usable devices."""
    return None if parts is None else round(
        sum(parts[name] for name in ("user space", "retrieve", "bind",
                                     "device")), 1)


def usable_at(stage):
    """The same moment by the host's clock."""
    _, end = phases_of(stage)
    return None if end is None or stage.offset is None else end + stage.offset


def switches(stage):
    return sum(1 for _, text in stage.lines if SWITCHED.match(text))


def faults(old, new, patterns):
    """Lines that tell of an IOMMU fault, from the command that jumps to the next.

    Where that is not in the log, all of the kernel's count.
    """
    def after(stage, event):
        return dict(stage.marks()).get(event)

    begin, end = after(old, "exec"), after(new, "exec")
    texts = [text for now, text in old.lines if begin is None or now >= begin]
    texts += [text for now, text in new.lines if end is None or now <= end]
    return sum(1 for text in texts
               if any(item.search(text) for item in patterns))
