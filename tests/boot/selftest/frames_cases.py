# SPDX-License-Identifier: GPL-2.0-only
"""What is made of frames, marks and logs: a run that is good, and each thing wrong.

noboot runs these.
"""

import importlib.machinery
import importlib.util
import json
import os
import re
import struct
import subprocess
import tempfile
import xml.etree.ElementTree

import phases
import timeline
from frames import LAST_S, FrameLog, account, histogram

HERE = os.path.dirname(os.path.realpath(__file__))
SCENARIOS = os.path.join(os.path.dirname(HERE), "scenarios")

RATE = 100
KEXECS = 2
# A kexec of the made-up run, seconds after its load; the next one is loaded later.
EVENTS = {"load": 0.0, "loaded": 0.5, "exec": 1.0, "seal": 1.1, "jump": 1.2,
          "clock": 2.0, "user": 3.0, "boot": 3.2, "retrieve": 3.4, "test": 3.5,
          "retrieve2": 3.9, "bind": 4.0, "device": 4.2, "usable": 4.3}
PERIOD, START, HOST = 6.0, 2.0, 1000.0


def at(kexec, event):
    """When, by the host's clock; kexecs count from 1."""
    return HOST + START + (kexec - 1) * PERIOD + EVENTS[event]


def frame_lines(change=None):
    """A log; @change(events) alters what happened: [when, event, number]."""
    end = START + KEXECS * PERIOD
    events = [[HOST, "rate", RATE]]
    for number in range(1, int(end * RATE)):
        when = HOST + number / RATE
        events += [[when, "sent", number], [when + 0.004, "landed", number]]
    events.append([HOST + end, "end", ""])
    if change:
        events = change(events)
    return [f"{when:.6f} {event} {number}\n"
            for when, event, number in sorted(events, key=lambda e: e[0])]


def serial_lines(without=None, fault=None):
    """What the kernels say; @fault is a line for the last one."""
    lines = []

    def say(clock, host, text):
        if text != without:
            lines.append(f"[{host - clock:12.6f}] {text}\n")

    clock = HOST
    for kexec in range(1, KEXECS + 2):
        stage = kexec - 1
        say(clock, clock, "Linux version 7.3")
        if stage:
            say(clock, at(stage, "user"), "Run /init as init process")
            say(clock, at(stage, "boot") - 0.001,
                f"handover: stage {stage}: boot")
            for event in ("retrieve", "test", "retrieve2", "bind", "device",
                          "usable"):
                if event == "device":
                    say(clock, at(stage, "usable") + 0.05,
                        "vfio-pci 0000:00:04.0: iommu-handover: DMA goes on "
                        "with HWPT 3")
                say(clock, at(stage, event),
                    f"handover: phase {event.rstrip('2')}")
        if fault and kexec == KEXECS + 1:
            say(clock, at(stage, "usable") + 0.1, fault)
        if kexec <= KEXECS:
            for event in ("load", "loaded", "exec"):
                say(clock, at(kexec, event),
                    f"handover: stage {stage}: {event}")
            say(clock, at(kexec, "seal"),
                "iommu-handover: sealed 1 contexts, 2 records in 40000 us")
            say(clock, at(kexec, "jump"), "kexec_core: Starting new kernel")
            clock = at(kexec, "clock")
    return lines


def good_report():
    marks = [[0, "boot", HOST + 1.0]]
    for kexec in range(1, KEXECS + 1):
        # Some come late.
        marks += [[kexec - 1, "load", at(kexec, "load")],
                  [kexec - 1, "loaded", at(kexec, "loaded") + 0.02],
                  [kexec - 1, "exec", at(kexec, "exec") + 0.003],
                  [kexec, "boot", at(kexec, "boot") - 0.001]]
    return {"kexecs": KEXECS, "marks": marks, "frozen_ms": [100] * KEXECS,
            "interrupts_in_blackout": [1] * KEXECS,
            "interrupts_lost": [0] * KEXECS,
            "interrupts_spurious": [0] * KEXECS, "kernel_before": "7.3",
            "kernel_after": "7.3", "iommu_faults": 0, "trees_compared": 2,
            "trees_equal": 2, "verdict": "pass", "reason": None}


def without(number, event):
    return lambda events: [item for item in events
                           if item[1:] != [event, number]]


def stopped(begin, end):
    """Nothing lands in between; what was sent then lands at the end."""
    def change(events):
        return [[end if event == "landed" and begin < when < end else when,
                 event, number] for when, event, number in events]
    return change


def number_at(when):
    return int((when - HOST) * RATE)


def accounts(case):
    usable = [at(kexec, "usable") for kexec in (1, 2)]
    blackouts = [(at(kexec, "exec"), at(kexec, "boot")) for kexec in (1, 2)]

    def counted(change=None, second=None):
        return account([FrameLog(frame_lines(change)),
                        FrameLog(frame_lines(second))], usable, blackouts)

    out = counted()
    total = 2 * (int((START + KEXECS * PERIOD) * RATE) - 1)
    case("all frames are accounted for",
         sum(out["frames_sent"]) == sum(out["frames_landed"]) == total, out)
    case("none is lost or twice there", out["frames_lost"] == [0, 0]
         and out["frames_duplicated"] == [0, 0], out)
    case("frames in the blackout", all(abs(value - 440) < 4 for value
                                       in out["frames_in_blackout"]), out)
    case("no gap longer than the sender's interval",
         max(out["dma_gap_ms_max"]) < 11, out)

    out = counted(lambda events: [
        [when, "found" if event == "landed" and number < 50 else event, number]
        for when, event, number in events])
    case("what is found at the first look is there", out["frames_lost"] == [0, 0]
         and out["frames_duplicated"] == [0, 0]
         and sum(out["frames_landed"]) == total, out)
    case("and found again later is there twice", counted(
        lambda events: events + [[HOST + 0.001, "found", 900]])
        ["frames_duplicated"] == [0, 1])

    second = number_at(at(2, "bind"))
    case("a lost frame", counted(without(second, "landed"))["frames_lost"]
         == [0, 1])
    case("a lost frame of the other controller",
         counted(None, without(9, "landed"))["frames_lost"] == [1, 0])
    case("a lost frame that the sender's log does not have, either", counted(
        lambda events: without(second, "sent")(
            without(second, "landed")(events)))["frames_lost"] == [0, 1])
    case("a frame that landed twice", counted(
        lambda events: events + [[at(1, "jump"), "landed", 7]])
        ["frames_duplicated"] == [1, 0])
    begin, end = at(1, "jump"), at(1, "jump") + 0.5
    out = counted(stopped(begin, end))
    case("a gap in one kexec of one controller", 500 <= out["dma_gap_ms_max"][0]
         < 520 and out["dma_gap_ms_max"][1] < 11
         and out["frames_lost"] == [0, 0], out)
    out = counted(stopped(at(1, "usable") - 0.3, at(1, "usable") + 0.3))
    case("a gap that two kexecs have a part of",
         min(out["dma_gap_ms_max"]) >= 600, out)
    out = counted(lambda events: [item for item in events if item[1] != "landed"
                                  or item[0] < at(2, "jump")])
    missing = number_at(HOST + START + 2 * PERIOD - LAST_S) \
        - number_at(at(2, "jump"))
    case("a controller that stops for good", abs(out["frames_lost"][1] - missing)
         < 3 and out["dma_gap_ms_max"][1] > 4000, out)
    out = counted(lambda events: [item for item in events if item[1] != "landed"
                                  or item[0] < HOST + START + 2 * PERIOD - 1])
    case("what was just sent at the end need not have landed",
         out["frames_lost"] == [0, 0], out)
    out = counted(lambda events: [item for item in events
                                  if item[1] != "landed"])
    case("a controller for which nothing lands", sum(out["frames_lost"])
         == total // 2, out)
    out = counted(lambda events: [
        item for item in events if item[1] != "landed"
        or not at(2, "exec") <= item[0] <= at(2, "boot")])
    case("nothing in one blackout", out["frames_in_blackout"][1] * 2 - 440 < 4
         and out["frames_lost"][1] > 200, out)
    log = FrameLog(frame_lines())
    case("a histogram has them all", sum(histogram(
        log, HOST, HOST + 100, 0.1)) == total // 2)


def parts(case):
    stages = phases.read_stages(serial_lines())
    phases.set_clocks(stages, good_report()["marks"])
    case("the clocks", [round(stage.offset, 3) for stage in stages]
         == [HOST, at(1, "clock"), at(2, "clock")],
         [stage.offset for stage in stages])
    found = phases.parts_of(stages[0], stages[1])
    want = {"load": 500, "snapshot": 60, "seal": 40, "shutdown": 100,
            "jump": 800, "boot": 1000, "user space": 400, "retrieve": 200,
            "bind": 200, "device": 100, "test": 400, "switch": 50, "sum": 2900}
    case("where the time goes", found == want, found)
    case("the parts add up", abs(sum(found[name] for name in phases.PARTS)
                                 - found["sum"]) < 1, found)
    case("usable", phases.usable_ms(found) == 900)
    for text in ("kexec_core: Starting new kernel", "Run /init as init process",
                 "handover: phase usable", "handover: stage 0: exec"):
        stages = phases.read_stages(serial_lines(without=text))
        phases.set_clocks(stages, good_report()["marks"])
        case(f"a log without '{text}'",
             phases.parts_of(stages[0], stages[1]) is None)
    stages = phases.read_stages(
        [re.sub(r"^\[ *([0-9.]+)\]", r"[\1][    T1]", line)
         for line in serial_lines()])
    case("a debug kernel's log", len(stages) == 3
         and phases.switches(stages[1]) == 1)


def load_host():
    """The host part of scenario demo, as a module."""
    path = os.path.join(SCENARIOS, "demo", "host")
    loader = importlib.machinery.SourceFileLoader("demo_host", path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("demo_host", loader))
    loader.exec_module(module)
    return module


def buffers(case):
    host = load_host()
    memory = bytearray(4 << 20)
    low = 2 << 20
    pages = [0x3000, (1 << 32) + 0x5000, 0x1000]

    def fresh():
        memory[:] = bytes(len(memory))
        new = host.Buffers(6, 2048)
        for page in pages:
            new.add_pages(page, 1)
        new.watch(memory, low)
        return new

    def land(place, number, nonce=7):
        page = pages[place // 2]
        offset = page if page < low else page - (1 << 32) + low
        struct.pack_into("<QQ", memory, offset + place % 2 * 2048 + 16, number,
                         nonce)

    new = fresh()
    case("nothing landed", new.look(7) == [])
    for place in range(3):
        land(place, place + 1)
    case("three landed, one above 4 GiB", new.look(7) == [1, 2, 3])
    case("none is seen again", new.look(7) == [])
    for place in range(3, 7):
        land(place % 6, place + 1)
    case("the first buffer again", new.look(7) == [4, 5, 6, 7])
    land(1, 7)
    case("a number again is looked at twice", new.look(7) == [])
    case("and then it is one that came twice", new.look(7) == [7])
    land(2, 99)
    new.look(7)
    land(2, 8)
    case("half of a number does not count", new.look(7) == [8])
    land(3, 9, nonce=6)
    case("another start's", new.look(7) == [])
    for name, count, page in (("pages are missing", 8, 0x1000),
                              ("beyond the memory", 2, 0xfffff000)):
        new = host.Buffers(count, 2048)
        new.add_pages(page, 1)
        try:
            new.watch(memory, low)
            case(f"buffers: {name}", False)
        except ValueError:
            case(f"buffers: {name}", True)


def pictures(case):
    logs = {"nic0": FrameLog(frame_lines()), "nic1": FrameLog(frame_lines())}
    jumps = [(at(kexec, "exec"), at(kexec, "boot")) for kexec in (1, 2)]
    rows = timeline.text(timeline.Timeline(logs, jumps))
    case("at most 100 columns of plain characters",
         max(map(len, rows)) <= 100 and all(row.isascii() for row in rows),
         max(map(len, rows)))
    case("blackouts are marked", rows[-3].count("=") in range(26, 32)
         and rows[-2].split() == ["kexec", "1", "2"], rows[-3:])
    case("a line without a gap", " " not in rows[3][9:].rstrip()[1:-1], rows)
    logs["nic1"] = logs["nic0"] = FrameLog(frame_lines(
        lambda events: [item for item in events if item[1] != "landed"
                        or not at(1, "jump") < item[0] < at(1, "user")]))
    case("a line with one", " " in timeline.text(timeline.Timeline(
        logs, jumps))[3][9:].rstrip()[1:-1])
    many = [(HOST + index, HOST + index + 0.5) for index in range(12)]
    rows = timeline.text(timeline.Timeline(logs, many))
    case("ten kexecs in a band", [row.split()[1] for row in rows
                                  if "kexec" in row] == ["1", "11"], rows)
    text = timeline.svg(timeline.Timeline(logs, jumps), phases.PARTS,
                        [dict.fromkeys(phases.PARTS + ("sum",), 100.0), None])
    root = xml.etree.ElementTree.fromstring(text.encode())
    case("the SVG is XML and leads nowhere", root.tag.endswith("}svg")
         and not re.search(r"href|url\(|@import|<script|https?://(?!www\.w3\.org"
                           "/2000/svg)", text))
    case("the SVG has its blackouts", text.count("blackout of 2200 ms") == 2)


def measured(case):
    """The program as a whole, on a directory as a run leaves it."""
    def run(change=None, serial=None, report=None):
        with tempfile.TemporaryDirectory() as directory:
            for name, lines in (("nic0.frames", frame_lines(change)),
                                ("serial.log", serial or serial_lines())):
                with open(os.path.join(directory, name), "w",
                          encoding="utf-8") as file:
                    file.writelines(lines)
            path = os.path.join(directory, "report.json")
            whole = {**good_report(), **(report or {})}
            with open(path, "w", encoding="utf-8") as file:
                json.dump(whole, file)
            done = subprocess.run([os.path.join(SCENARIOS, "dma", "measure"),
                                   path], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
            out = json.loads(done.stdout or "{}")
            with open(path, "w", encoding="utf-8") as file:
                json.dump({**whole, **out}, file)
            table = subprocess.run([os.path.join(SCENARIOS, "dma", "table"),
                                    path], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
            return (done.returncode, done.stderr.strip(), out, table.stdout,
                    os.path.exists(os.path.join(directory, "timeline.svg")))

    code, said, out, table, picture = run()
    case("measure: a good run", code == 0 and picture
         and out["switches"] == [1, 1] and out["switch_faults"] == [0, 0]
         and out["usable_ms"] == [900, 900]
         and out["sender_interval_ms"] == 10, (code, said, out))
    case("its table", max(map(len, table.splitlines())) <= 100
         and "mean" in table and "Traceback" not in table, table)

    jumps = number_at(at(2, "jump"))
    fault = "DMAR: [DMA Write NO_PASID] Request device [00:04.0] fault addr 0x1"
    for name, reason, keys in (
            ("a lost frame", "frames_lost is 1 for kexec 2",
             {"change": without(jumps, "landed")}),
            ("a frame twice", "frames_duplicated is 1 for kexec 1",
             {"change": lambda events: events
              + [[at(1, "jump"), "landed", 7]]}),
            ("nothing in a blackout", "frames_in_blackout is 0 for kexec 2",
             {"change": stopped(at(2, "exec") - 0.1, at(2, "boot") + 0.1)}),
            ("a switch that the kernel does not tell of",
             "switches is 0 for kexec 1",
             {"serial": serial_lines("vfio-pci 0000:00:04.0: iommu-handover: "
                                     "DMA goes on with HWPT 3")}),
            ("a fault", "switch_faults is 1 for kexec 2",
             {"serial": serial_lines(fault=fault)}),
            ("an interrupt that is lost", "interrupts_lost is 1 for kexec 2",
             {"report": {"interrupts_lost": [0, 1]}}),
            ("one without a cause", "interrupts_spurious is 3 for kexec 1",
             {"report": {"interrupts_spurious": [3, 0]}}),
            ("none that was held back",
             "interrupts_in_blackout is 0 for kexec 2",
             {"report": {"interrupts_in_blackout": [1, 0]}}),
            ("a kexec without interrupts",
             "interrupts_lost: 1 values for 2 kexecs",
             {"report": {"interrupts_lost": [0]}}),
            ("devices that are never usable", "does not say when the devices",
             {"serial": serial_lines("handover: phase usable")}),
            ("a log without the jump", "do not have all parts of kexec 1",
             {"serial": serial_lines("kexec_core: Starting new kernel")}),
            ("a kernel that did not boot", "3 kernels in the serial log, 4",
             {"report": {"kexecs": 3}})):
        code, said, *_ = run(**keys)
        case(f"measure: {name}", code == 1 and reason in said, (code, said))


def run_all(case):
    for part in (accounts, parts, buffers, pictures, measured):
        part(case)
