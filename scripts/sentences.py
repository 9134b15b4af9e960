# SPDX-License-Identifier: GPL-2.0-only
"""Sentences in C sources: calls, their literals, and what varies in words.

For scripts/messages, which says what is an error.
"""

import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

CONVERSION = re.compile(r"%(?:%|[-+ #0]*[0-9]*(?:\.[0-9]+)?(?:ll|l|z|h|hh)?"
                        r"(?:pV|pe|[a-zA-Z]))")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\]|\\.)*"|'
                   r"'(?:[^'\\]|\\.)*'", re.S)
CURE = re.compile(r"Cure(?: \(([^)]+)\))?:\s*(.*)", re.S)

# What a place in a sentence is, by the words before it and by the argument. A
# word after "=" is what is there always.
BEFORE = [
    (r'session "$', "session"), (r"token $", "token"), (r"IOAS $", "ioas"),
    (r"IOVA $", "iova"), (r"HWPT $", "hwpt"), (r"\berror $", "errno"),
    (r"address $", "address"), (r"PASID $", "pasid"),
    (r"(?:device|object) $", "id"), (r"generation $|, not of $", "generation"),
    (r"record $", "number"), (r"-$|extent $", "index"),
    (r"extent <index> at $", "address"), (r" at $|, byte $", "offset"),
    (r"has moved to $", "generation"),
    (r"permissions $|> with $", "permissions"), (r"of kind $", "kind"),
    (r"(?:IOVA <iova> is|page table,) $", "address"),
    (r"more than $|the limit is $", "limit"),
]
ARGUMENT = [
    (r"iho_strerror\(", "reason"), (r"iho_error_name\(", "name"),
    (r"iho_where_text\(|^place$", "place"), (r"\bstrerror\(", "error"),
    (r"strsignal\(", "signal"), (r"(?:pci|dev)_name\(", "device"),
    (r"liveupdate_session_name\(", "session"), (r"object_kind\(", "kind"),
    (r"hint\(|misfit\(|handover_absent", "hint"), (r"^ioas->obj\.id", "ioas"),
    (r"_MAX_", "limit"), (r"_REFUSALS$", "number"), (r"MAJOR|_major$", "major"),
    (r"MINOR|_minor$", "minor"), (r"DEVICE$", "=/dev/iommu-handover"),
    (r"len$|\bcap$", "bytes"),
    (r"\bundone\b", "why"), (r"(?:^|[.>])nr$|devices - 1", "number"),
    (r"unfinished|unknown$|^tables$|^growths$", "number"), (r"where[.>-]+node|at->node",
     "node"), (r"prop$", "property"), (r"message$", "sentence"),
    (r"^(?:tmp|name)$", "file"), (r"^why$", "why"), (r"^fact\.generation$",
     "generation"),
    (r"COMPATIBLE$", "abi"), (r"_kind\(", "kind"), (r">> 20$", "number"),
    (r"CMDLINE_SPARE", "bytes"),
]
WORD = re.compile(r"[a-z]{3,}(?:_[a-z]+)*$")

# What a cure that is in the sentence begins with.
VERBS = set("""
add allocate allow attach bind boot build choose close copy correct destroy
detach disable do enable end finish free give grow jump leave let load map
mount move name preserve put release report run see shorten sign stop take try
unbind unlink unload unmap unpack unseal use wait write""".split())


class Trouble(Exception):
    """The script cannot work."""


class Sources:
    """The C sources, and the errors found in them."""

    def __init__(self):
        self.errors = []

    def error(self, where, text):
        self.errors.append(f"{where}: {text}")

    def files(self, *patterns):
        """Path, text without comments and as long, {end: comment}."""
        for pattern in patterns:
            paths = sorted(glob.glob(os.path.join(ROOT, pattern),
                                     recursive=True))
            if not paths:
                raise Trouble(f"no {pattern}")
            for path in paths:
                path = os.path.relpath(path, ROOT)
                if "/kunit/" not in path:
                    yield (path, *split_comments(read(path)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def split_comments(text):
    comments = {}

    def blank(match):
        if match[0][0] in "\"'":
            return match[0]
        words = re.sub(r"\n\s*\*? ?", " ", match[0].strip("/*"))
        comments[match.end()] = " ".join(words.split())
        return re.sub(r"[^\n]", " ", match[0])

    return TOKEN.sub(blank, text), comments


def arguments(text, start):
    """The arguments of the call whose "(" is at start - 1."""
    args, depth, begin, at = [], 0, start, start
    while at < len(text):
        string = LITERAL.match(text, at)
        if string:
            at = string.end()
            continue
        char = text[at]
        if char in "([{":
            depth += 1
        elif char in ")]}" and depth:
            depth -= 1
        elif char == ")":
            return args + [" ".join(text[begin:at].split())]
        elif char == "," and not depth:
            args.append(" ".join(text[begin:at].split()))
            begin = at + 1
        at += 1
    raise Trouble("a call without end")


def literal(arg):
    """The text of adjacent string literals, or None."""
    if not arg or LITERAL.sub("", arg).strip():
        return None
    text = "".join(LITERAL.findall(arg))
    return text.replace('\\"', '"').replace("\\n", "").replace("\\\\", "\\")


def is_declaration(args):
    return any(re.match(r"(const )?(struct \w+ \*|char|int|u32|enum )", a)
               for a in args)


def function_at(text, pos):
    """Name of the function that pos is in."""
    name = ""
    for match in re.finditer(r"^([a-z][^;{}#]*?)\n\{", text[:pos], re.M):
        head = re.sub(r"__printf\([0-9, ]+\)", "", match[1])
        found = re.search(r"(\w+)\s*\(", head)
        name = found[1] if found else name
    return name


def comment_above(text, comments, pos):
    """The last comment that is in the statement at pos, or right above it."""
    begin = max(text.rfind(c, 0, pos) for c in ";{}")
    inside = [end for end in comments if begin < end <= pos]
    return comments[max(inside)] if inside else ""


def placeholder(before, arg):
    """What varies, in a word; None when nothing readable is known."""
    arg = re.sub(r"^\([\w ]+\)\s*", "", arg)
    if re.match(r"hint|handover_\w*(?:hint|misfit|absent)\(", arg):
        return "hint"
    for pattern, word in BEFORE:
        if re.search(pattern, before):
            return word
    either = re.fullmatch(r'.*\? "([^"]{1,24})" : "([^"]{1,24})"', arg)
    if either:
        return f"{either[2]} or {either[1]}"
    if re.match(r'.*\? "', arg):
        return "why"
    for pattern, word in ARGUMENT:
        if re.search(pattern, arg):
            return word
    last = re.split(r"->|\.", arg)[-1]
    return last.replace("_", " ") if WORD.match(last) else None


class Reader:
    """Makes messages of calls."""

    def __init__(self, sources):
        self.sources = sources
        self.seen = {}

    def fill(self, where, text, args):
        """The sentence with <words> for its conversions."""
        out, at, args = "", 0, list(args)
        for match in CONVERSION.finditer(text):
            out += text[at:match.start()]
            at = match.end()
            if match[0] == "%%":
                out += "%"
                continue
            arg = args.pop(0) if args else ""
            word = placeholder(out, arg)
            if not word:
                self.sources.error(where, f"no readable name for \"{arg}\" in "
                                   f"\"{text}\": add one to scripts/sentences.py")
                word = "?"
            out += word[1:] if word[0] == "=" else f"<{word}>"
        return out + text[at:]

    def cure(self, where, sentence, comment, mark=";"):
        """The cure and the errnos that its comment names."""
        noted = CURE.match(comment)
        if noted:
            return noted[2].strip().rstrip("."), noted[1] or ""
        parts = re.split(f"[{mark}] ", sentence)
        first = re.match(r"[A-Za-z]*", parts[-1])[0].lower()
        if sentence.endswith("<hint>"):
            return "the hint says it", ""
        if len(parts) > 1 and first in VERBS:
            return parts[-1], ""
        self.sources.error(where, "no cure: end it with \"; do this\" or put "
                           f"/* Cure: ... */ above the call: {sentence}")
        return "", ""

    def once(self, where, table, sentence):
        if (table, sentence) in self.seen:
            self.sources.error(where, "said at "
                               f"{self.seen[table, sentence]} as well: "
                               f"{sentence}")
            return False
        self.seen[table, sentence] = where
        return True


def calls(sources, patterns, name):
    """(where, arguments, function, comment above) of each call."""
    for path, text, comments in sources.files(*patterns):
        for match in re.finditer(rf"(?<![\w>.]){name}\s*\(", text):
            where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
            args = arguments(text, match.end())
            if is_declaration(args):
                continue
            yield (path, where, args, function_at(text, match.start()),
                   comment_above(text, comments, match.start()))
