# SPDX-License-Identifier: GPL-2.0-only
"""What became of numbered frames, by the log that the host part keeps.

nicN.frames has a line for each event, seconds of the host's monotonic clock first:

    TIME rate N         so many numbers a second
    TIME sent NUMBER    QEMU's socket took the frame
    TIME landed NUMBER  it was seen in the guest's memory
    TIME found NUMBER   it was there already when the host part began to look
    TIME blind SECONDS  the host part had not looked for so long
    TIME end            the guest has ended
"""

import bisect
import os
import re

# What was sent so shortly before the end need not have landed.
LAST_S = 2.0


class FrameLog:
    """One controller's.

    @sent: number -> when
    @landed: (when, number), as they came
    @found: numbers that came before, at an unknown time
    @blind: (when, seconds before that without a look)
    """

    def __init__(self, lines):
        self.rate = None
        self.sent, self.landed, self.blind, self.end = {}, [], [], None
        self.found = []
        for line in lines:
            words = line.split()
            now, event = float(words[0]), words[1]
            if event == "sent":
                self.sent[int(words[2])] = now
            elif event == "landed":
                self.landed.append((now, int(words[2])))
            elif event == "found":
                self.found.append(int(words[2]))
            elif event == "blind":
                self.blind.append((now, float(words[2])))
            elif event == "rate":
                self.rate = float(words[2])
            elif event == "end":
                self.end = now
            else:
                raise ValueError(f"{line!r} is no event")

    def lost(self):
        """Numbers that are not there, of those that must be.

        From the first that landed on; also what was sent after the last one, unless
        that was just before the end.
        """
        there = {number for _, number in self.landed} | set(self.found)
        if not self.landed:
            return sorted(set(self.sent) - there)
        first, last = min(there), max(there)
        limit = (self.end or self.landed[-1][0]) - LAST_S
        return sorted(number for number in
                      set(range(first, last + 1)) | set(self.sent)
                      if number not in there and number >= first
                      and (number < last
                           or self.sent.get(number, limit) < limit))

    def duplicated(self):
        """(when, number) of each that landed and had landed before."""
        seen, again = set(), []
        begin = self.landed[0][0] if self.landed else 0.0
        for when, number in [(begin, number) for number in self.found] \
                + self.landed:
            if number in seen:
                again.append((when, number))
            seen.add(number)
        return again

    def sent_at(self, number):
        """When it was sent, or the next that is known to have been."""
        while number not in self.sent and number < max(self.sent, default=0):
            number += 1
        return self.sent.get(number, self.end or 0.0)

    def gaps(self):
        """(from, to) between landings, and from the last one to the end."""
        times = [when for when, _ in self.landed]
        if times and self.end:
            times.append(max(self.end, times[-1]))
        return list(zip(times, times[1:]))


def read_logs(directory):
    """The logs of all controllers that are there, by their names."""
    logs = {}
    for name in sorted(os.listdir(directory)):
        if re.fullmatch(r"nic\d+\.frames", name):
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                logs[name[:-len(".frames")]] = FrameLog(file)
    return logs


def ms(seconds):
    return round(seconds * 1000, 1)


def account(logs, usable, blackouts):
    """Lists with a value for each kexec.

    @usable: when the devices were usable again after each; what is between two such
    moments, and what is before the first or after the last, counts for one kexec, so
    that sums are those of the whole run
    @blackouts: (from, to) of each
    """
    nr = len(blackouts)
    edges = usable[:nr - 1]
    out = {key: [0] * nr for key in (
        "frames_sent", "frames_landed", "frames_lost", "frames_duplicated",
        "frames_in_blackout", "dma_gap_ms_max", "send_gap_ms_max",
        "host_blind_ms_max")}

    def period(when):
        return bisect.bisect_right(edges, when)

    def longest(key, begin, end):
        """It counts wherever a part of it is."""
        for index in range(period(begin), period(end) + 1):
            out[key][index] = max(out[key][index], ms(end - begin))

    for log in logs:
        for when in log.sent.values():
            out["frames_sent"][period(when)] += 1
        out["frames_landed"][0] += len(log.found)
        for when, _ in log.landed:
            out["frames_landed"][period(when)] += 1
            for index, (begin, end) in enumerate(blackouts):
                out["frames_in_blackout"][index] += begin <= when <= end
        for number in log.lost():
            out["frames_lost"][period(log.sent_at(number))] += 1
        for when, _ in log.duplicated():
            out["frames_duplicated"][period(when)] += 1
        for begin, end in log.gaps():
            longest("dma_gap_ms_max", begin, end)
        times = sorted(log.sent.values())
        for begin, end in zip(times, times[1:]):
            longest("send_gap_ms_max", begin, end)
        for when, seconds in log.blind:
            longest("host_blind_ms_max", when - seconds, when)
    return out


def histogram(log, begin, end, width):
    """How many landed in each @width seconds from @begin on."""
    counts = [0] * max(1, int((end - begin) / width + 0.999999))
    for when, _ in log.landed:
        index = int((when - begin) / width)
        if 0 <= index < len(counts):
            counts[index] += 1
    return counts
