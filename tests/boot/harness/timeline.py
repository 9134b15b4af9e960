# SPDX-License-Identifier: GPL-2.0-only
"""Frames landed per second over a run with its kexecs, as text and as SVG."""

from html import escape

from frames import histogram

COLUMNS = 100
HEIGHT = 6
KEXECS_IN_BAND = 10


class Timeline:
    """What both pictures show.

    @logs: FrameLog by name
    @jumps: (from, to) of each kexec's blackout, seconds of the host's clock
    @begin, @end: of the picture
    """

    def __init__(self, logs, jumps):
        self.logs, self.jumps = logs, jumps
        times = [when for log in logs.values() for when, _ in log.landed]
        self.begin = min(times, default=0.0)
        self.end = max([log.end or 0.0 for log in logs.values()]
                       + [max(times, default=0.0), self.begin + 1.0])

    def rates(self, begin, end, width):
        """Frames per second of each controller, one value for each @width seconds."""
        return {name: [count / width for count
                       in histogram(log, begin, end, width)]
                for name, log in self.logs.items()}

    def dark(self, begin, end):
        """Whether a blackout has most of this time."""
        middle = (begin + end) / 2
        return any(first <= middle <= last for first, last in self.jumps)


def nice(value):
    """A round number that is not below @value."""
    power = 1
    while power * 10 < value:
        power *= 10
    for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if factor * power >= value:
            return factor * power
    return value


# ---- text -----------------------------------------------------------------

def bands(timeline):
    """(from, to, first kexec) of each line of pictures, with so many kexecs."""
    starts = [timeline.jumps[index][0] for index
              in range(0, len(timeline.jumps), KEXECS_IN_BAND)]
    # A band begins in the middle between two kexecs.
    edges = [timeline.begin]
    for index in range(KEXECS_IN_BAND, len(timeline.jumps), KEXECS_IN_BAND):
        edges.append((timeline.jumps[index - 1][1]
                      + timeline.jumps[index][0]) / 2)
    edges.append(timeline.end)
    return [(edges[number], edges[number + 1], number * KEXECS_IN_BAND)
            for number in range(max(1, len(starts)))]


def text(timeline, columns=COLUMNS):
    """Lines of at most @columns plain characters."""
    room = columns - 10
    rows = ["frames landed per second, all controllers  "
            "(# = landed, + = in a blackout, ^ = more)"]
    pictures = []
    for begin, end, first in bands(timeline):
        width = (end - begin) / room
        total = [sum(values) for values
                 in zip(*timeline.rates(begin, end, width).values())]
        pictures.append((begin, end, first, width, total[:room]))
    # What waited comes in a burst, which is not to make all else low.
    top = 1.2 * sum(log.rate or 0 for log in timeline.logs.values()) or nice(
        max((max(item[4], default=0) for item in pictures), default=1))
    for begin, end, first, width, total in pictures:
        dark = [timeline.dark(begin + index * width,
                              begin + (index + 1) * width)
                for index in range(len(total))]
        for level in range(HEIGHT, 0, -1):
            label = f"{top * level / HEIGHT:.0f}"
            rows.append(f"{label:>7} |" + "".join(
                "^" if level == HEIGHT and value > top else
                ("+" if dark[index] else "#")
                if value >= top * (level - 0.5) / HEIGHT else " "
                for index, value in enumerate(total)))
        rows.append(f"{0:>7} +" + "".join("=" if item else "-"
                                          for item in dark))
        marks = [" "] * room
        for number in range(first, min(first + KEXECS_IN_BAND,
                                       len(timeline.jumps))):
            at = int((timeline.jumps[number][0] - begin) / width)
            for place, sign in enumerate(str(number + 1)):
                if 0 <= at + place < room:
                    marks[at + place] = sign
        rows.append(f"{'kexec':>7}  " + "".join(marks).rstrip())
        rows.append(f"{begin - timeline.begin:>7.0f} s"
                    + f"{end - timeline.begin:.0f} s".rjust(room))
    return [row.rstrip() for row in rows]


# ---- SVG ------------------------------------------------------------------

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-size: 16px; font-weight: 600; fill: #111 }
.small { font-size: 11px }
.back { fill: #fff }
.grid { stroke: #ddd; stroke-width: 1 }
.axis { stroke: #666; stroke-width: 1; fill: none }
.dark { fill: #777; fill-opacity: 0.22 }
.n0 { fill: #2a78d6 } .n1 { fill: #1baf7a } .n2 { fill: #eda100 } .n3 { fill: #4a3aa7 }
.p0 { fill: #86b6ef } .p1 { fill: #e34948 } .p2 { fill: #eda100 } .p3 { fill: #4a3aa7 }
.p4 { fill: #2a78d6 } .p5 { fill: #1baf7a } .p6 { fill: #eb6834 } .p7 { fill: #e87ba4 }
.p8 { fill: #008300 }
@media (prefers-color-scheme: dark) {
text { fill: #ccc }
.title { fill: #eee }
.back { fill: #1a1a19 }
.grid { stroke: #3a3a38 }
.axis { stroke: #999 }
.dark { fill: #aaa }
.n0, .p4 { fill: #3987e5 } .n1, .p5 { fill: #199e70 }
.n2, .p2 { fill: #c98500 } .n3, .p3 { fill: #9085e9 }
}
"""

WIDTH, LEFT, RIGHT = 1200, 70, 20
TOP, PLOT = 60, 240
MOST_POINTS = 2000
MOST_BARS = 40


def rect(x, y, width, height, name, title=""):
    inside = f"<title>{escape(title)}</title>" if title else ""
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
            f'height="{height:.1f}" class="{name}">{inside}</rect>')


def label(x, y, words, anchor="start", name=""):
    name = f' class="{name}"' if name else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{name}>'
            f"{escape(words)}</text>")


def line(x1, y1, x2, y2, name):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'class="{name}"/>')


def ticks(span, most):
    """Round numbers from 0 to @span, at most so many steps."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000,
                                  2000, 5000, 10000, 10 ** 9)
                if span / step <= most)
    return [index * step for index in range(int(span / step) + 1)]


def area(lower, upper, x_of, y_of):
    """The path of what is between two rows of steps."""
    path = [f"M{x_of(0):.1f} {y_of(lower[0]):.1f}"]
    for index, value in enumerate(upper):
        path.append(f"V{y_of(value):.1f}H{x_of(index + 1):.1f}")
    for index in range(len(lower) - 1, -1, -1):
        path.append(f"V{y_of(lower[index]):.1f}H{x_of(index):.1f}")
    return "".join(path) + "Z"


def rate_panel(timeline):
    """Frames per second over the whole run."""
    span = timeline.end - timeline.begin
    width = next((width for width in (0.1, 0.2, 0.5, 1, 2, 5, 10)
                  if span / width <= MOST_POINTS), 30)
    # Without the last one, which may not be whole.
    rates = timeline.rates(timeline.begin, timeline.begin
                           + max(1, int(span / width)) * width, width)
    totals = [sum(values) for values in zip(*rates.values())]
    top = nice(max(totals, default=1))
    room = WIDTH - LEFT - RIGHT
    bottom = TOP + PLOT

    def at(seconds):
        return LEFT + room * min(max(seconds, 0), span) / span

    def height(value):
        return bottom - PLOT * value / top

    out = [label(LEFT, 24, "Frames that landed in the guest's memory, through "
                 f"{len(timeline.jumps)} kexecs", name="title"),
           label(LEFT, 44, f"frames per second, counted each {width:g} s by the "
                 "host", name="small")]
    for part in range(5):
        value = top * part / 4
        out.append(line(LEFT, height(value), WIDTH - RIGHT, height(value),
                        "grid"))
        out.append(label(LEFT - 8, height(value) + 4, f"{value:g}", "end"))
    lower = [0.0] * len(totals)
    for number, (name, values) in enumerate(rates.items()):
        upper = [low + value for low, value in zip(lower, values)]
        out.append(f'<path class="n{number % 4}" d="'
                   + area(lower, upper, lambda index: at(index * width),
                          height)
                   + f'"><title>{escape(name)}</title></path>')
        lower = upper
    every = -(-len(timeline.jumps) // 25)
    for number, (begin, end) in enumerate(timeline.jumps, 1):
        left, right = at(begin - timeline.begin), at(end - timeline.begin)
        out.append(rect(left, TOP, right - left, PLOT, "dark",
                        f"kexec {number}: blackout of "
                        f"{(end - begin) * 1000:.0f} ms"))
        if number % every == 0 or number == 1:
            out.append(label((left + right) / 2, TOP - 4, str(number),
                             "middle", "small"))
    for second in ticks(span, 15):
        out.append(line(at(second), bottom, at(second), bottom + 5, "axis"))
        out.append(label(at(second), bottom + 19, str(second), "middle"))
    out.append(label(WIDTH - RIGHT, bottom + 36, "seconds", "end"))
    out.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}'
               f'H{WIDTH - RIGHT}"/>')
    x, y = LEFT, bottom + 36
    for number, name in enumerate(rates):
        out.append(rect(x, y - 10, 12, 12, f"n{number % 4}"))
        out.append(label(x + 17, y, f"controller {name}"))
        x += 150
    out.append(rect(x, y - 10, 12, 12, "dark"))
    out.append(label(x + 17, y, "blackout: from the old kernel's last word to "
                     "the new one's user space"))
    return out, bottom + 60


def parts_panel(names, parts, top):
    """One bar for each kexec: where its time went; @parts are dictionaries."""
    known = [(number, item) for number, item in enumerate(parts, 1) if item]
    dropped = ""
    if len(known) > MOST_BARS:
        known = sorted(sorted(known, key=lambda pair: -pair[1]["sum"])
                       [:MOST_BARS])
        dropped = f", the {MOST_BARS} longest of {len(parts)}"
    if not known:
        return [], top
    bar = 16 if len(known) <= 20 else 10
    longest = max(item["sum"] for _, item in known) / 1000
    room = WIDTH - LEFT - RIGHT
    out = [label(LEFT, top + 16, "Where the time goes, from the command that "
                 "jumps to usable devices, without tests" + dropped,
                 name="title")]
    x = LEFT
    for number, name in enumerate(names):
        out.append(rect(x, top + 28, 12, 12, f"p{number}"))
        out.append(label(x + 17, top + 38, name, name="small"))
        x += 40 + 7 * len(name)
    first = top + 54
    bottom = first + len(known) * (bar + 4)
    for second in ticks(longest, 15):
        at = LEFT + room * second / longest
        out.append(line(at, first - 4, at, bottom + 4, "grid"))
        out.append(label(at, bottom + 19, str(second), "middle"))
    for row, (kexec, item) in enumerate(known):
        y, done = first + row * (bar + 4), 0.0
        out.append(label(LEFT - 8, y + bar - 3, str(kexec), "end", "small"))
        for number, name in enumerate(names):
            value = max(item[name], 0.0)
            out.append(rect(LEFT + room * done / longest / 1000, y,
                            room * value / longest / 1000, bar, f"p{number}",
                            f"kexec {kexec}: {name} {value:g} ms"))
            done += value
    out.append(label(LEFT - 8, first - 8, "kexec", "end", "small"))
    out.append(label(WIDTH - RIGHT, bottom + 36, "seconds", "end"))
    return out, bottom + 50


def svg(timeline, names=(), parts=()):
    """The file's text; @parts has a dictionary or None for each kexec."""
    out, bottom = rate_panel(timeline)
    more, bottom = parts_panel(names, parts, bottom)
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>',
         "<!-- SPDX-License-Identifier: GPL-2.0-only -->",
         f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
         f'{bottom:.0f}" width="{WIDTH}" height="{bottom:.0f}" role="img">',
         "<title>Frames landed through kexecs</title>",
         f"<style>{STYLE}</style>",
         f'<rect width="{WIDTH}" height="{bottom:.0f}" class="back"/>']
        + out + more + ["</svg>", ""])
