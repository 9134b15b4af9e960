# SPDX-License-Identifier: GPL-2.0-only
"""A scenario directory: what is in it, and what it becomes in the guest."""

import os
import re
import shutil
import string

from conf import Conf, lines_of
from machine import IOMMUS
from programs import SetupTrouble, check_runs_in_guest

HOST_ONLY = {"conf", "host", "qemu-args", "kernel-args", "kexecs",
             "allow-lines", "table", "measure"}
HOST_ONLY |= {f"qemu-args-{name}" for name in IOMMUS}


def description_in(directory):
    """First line of the README, for --list."""
    for name in ("README", "README.md"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return file.readline().strip("# \n")
    return ""


def cases_in(directory):
    """The README's list items, each one a case that is tried."""
    path = os.path.join(directory, "README")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line[2:].strip() for line in file if line.startswith("- ")]


class Scenario:
    """Reads a scenario directory; nothing is compiled before prepare()."""

    def __init__(self, directory):
        self.dir = os.path.abspath(directory)
        self.name = os.path.basename(self.dir)
        if not re.fullmatch(r"[A-Za-z0-9._-]+", self.name):
            raise SetupTrouble(f"{self.name!r}: a scenario's name has letters,"
                               " digits, '.', '_' and '-' only")
        self.files = set(os.listdir(self.dir))
        self.sources = {}
        for name in sorted(self.files):
            self.find_sources(name)
        self.program = self.find_program()
        self.conf = Conf(self.dir)
        self.table, self.measure = (
            os.path.join(self.dir, name) if name in self.files else None
            for name in ("table", "measure"))

    def find_sources(self, name):
        """Note what NAME.c, or a directory NAME of C files, is compiled to."""
        path = os.path.join(self.dir, name)
        program, suffix = os.path.splitext(name)
        if os.path.isdir(path):
            program, inside = name, sorted(os.listdir(path))
            sources = [item for item in inside if item.endswith(".c")]
            if not sources:
                return
            for item in inside:
                if os.path.splitext(item)[1] not in (".c", ".h"):
                    raise SetupTrouble(f"{path}/{item}: neither .c nor .h in "
                                       "the directory of a program")
            sources = [os.path.join(path, item) for item in sources]
        elif suffix == ".c":
            sources = [path]
            if program in self.files:
                raise SetupTrouble(f"{self.dir} has both {program} and {name}")
        else:
            return
        self.sources[program] = sources

    def has(self, program):
        return (program in self.sources
                or os.path.isfile(os.path.join(self.dir, program)))

    def find_program(self):
        """The program that is setup and verify, or None when these exist."""
        parts = [part for part in ("setup", "verify") if self.has(part)]
        if len(parts) == 2:
            return None
        if parts or not self.has(self.name):
            raise SetupTrouble(
                f"{self.dir}: a scenario has setup and verify, or else a "
                f"program {self.name}; this has "
                + (f"only {parts[0]}" if parts else "neither"))
        return self.name

    def text(self, name):
        """The lines of an optional file, without comments."""
        return lines_of(os.path.join(self.dir, name))

    def settings(self):
        """What the guest's init has to know, see initramfs.build()."""
        return {"PROGRAM": self.program or "",
                "INIT": self.conf.init or "",
                "HANDS_OVER": self.conf.hands_over or "no",
                "SEALS": "late" if self.conf.seals_late else "early",
                "PARKS": "yes" if self.conf.parks else "no"}

    def description(self):
        return description_in(self.dir)

    def cases(self):
        return cases_in(self.dir)

    def runs(self):
        """What make check-full runs it as.

        Tuples: "debug", "plain", "host" or "variant"; name of that step; options
        of tests/boot/run; in which way it differs, for people.
        """
        found = []
        if self.conf.kernel in (None, "plain"):
            found.append(("plain", self.name, [], "plain kernel"))
        if self.conf.kernel in (None, "debug"):
            found.append(("debug", f"{self.name}-debug", ["--debug-kernel"],
                          "debug kernel"))
        if self.conf.kernel == "host" or self.conf.on_host:
            found.append(("host", f"{self.name}-host", ["--host-kernel"],
                          "a distribution's kernel"))
        for name in self.conf.iommus:
            found.append(("variant", f"{self.name}-{name}",
                          ["--iommu", name], f"--iommu {name}"))
        for name, qemu, kernel in self.conf.variants:
            found.append(("variant", f"{self.name}-{name}",
                          ["--kexecs", "2", f"--qemu-args={qemu}",
                           f"--kernel-args={kernel}"],
                          f"{qemu} -- {kernel}" if kernel else qemu))
        return found

    def default_kexecs(self, debug):
        return self.conf.kexecs[1 if debug else 0]

    def qemu_args(self, iommu):
        """The name of the file with QEMU's words for that IOMMU."""
        name = f"qemu-args-{iommu}"
        return name if name in self.files else "qemu-args"

    def arguments(self, name, variables):
        """The words of qemu-args or kernel-args, with ${NAME} replaced."""
        words = []
        for line in self.text(name):
            try:
                line = string.Template(line).substitute(variables)
            except (KeyError, ValueError) as error:
                known = " ".join(sorted(variables))
                raise SetupTrouble(f"{self.dir}/{name}: {line!r}: {error}; "
                                   f"known are: {known}") from None
            words += line.split()
        return words

    def prepare(self, out_dir, compiler):
        """Compile and collect.

        Returns the directory to be /scenario in the guest and the command of
        the host part, or None.
        """
        guest = os.path.join(out_dir, "guest")
        shutil.rmtree(guest, ignore_errors=True)
        os.makedirs(guest)
        host = None
        for program, sources in self.sources.items():
            if program == "host":
                host = os.path.join(out_dir, "host")
                compiler.program(sources, host, False, self.dir)
            else:
                compiler.program(sources, os.path.join(guest, program), True,
                                 self.dir)
        for name in sorted(self.files - HOST_ONLY - set(self.sources)):
            path = os.path.join(self.dir, name)
            target = os.path.join(guest, name)
            if name.endswith(".c"):
                continue
            if os.path.isdir(path):
                shutil.copytree(path, target)
                continue
            shutil.copy(path, target)
            if name in ("setup", "verify", self.program):
                direct = check_runs_in_guest(path, path)
                os.chmod(target, 0o755 if direct else 0o644)
        if "host" in self.files and not host:
            host = os.path.join(self.dir, "host")
            if not os.path.isfile(host) or not os.access(host, os.X_OK):
                raise SetupTrouble(f"{host} is not executable")
        return guest, host
