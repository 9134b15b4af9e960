# SPDX-License-Identifier: GPL-2.0-only
"""A scenario directory: what is in it, and what it becomes in the guest."""

import os
import re
import shutil
import string
import subprocess

HOST_ONLY = {"host", "qemu-args", "kernel-args", "kexecs", "allow-lines",
             "table", "debug-kernel", "plain-kernel", "variants"}
GUEST_SHELLS = {"/bin/sh", "/bin/ash", "/bin/busybox", "/usr/bin/env"}


class SetupTrouble(Exception):
    """What is asked for cannot be run at all: exit code 2."""


def interpreter_of_elf(path):
    """The program interpreter that an ELF file asks for, or None."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:5] != b"\x7fELF\x02":
        return None
    phoff = int.from_bytes(data[32:40], "little")
    phentsize = int.from_bytes(data[54:56], "little")
    for index in range(int.from_bytes(data[56:58], "little")):
        entry = data[phoff + index * phentsize:][:phentsize]
        if int.from_bytes(entry[:4], "little") == 3:  # PT_INTERP
            start = int.from_bytes(entry[8:16], "little")
            size = int.from_bytes(entry[32:40], "little")
            return data[start:start + size].rstrip(b"\0").decode()
    return None


def check_runs_in_guest(path, name):
    """Refuse a program that the guest could not start.

    Returns True for an ELF file or a script that names its interpreter.
    """
    with open(path, "rb") as file:
        head = file.read(256)
    if head.startswith(b"\x7fELF"):
        interpreter = interpreter_of_elf(path)
        if interpreter:
            raise SetupTrouble(
                f"{name} is linked dynamically (it wants {interpreter}) and "
                "the guest has no shared libraries: link it with -static")
        return True
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n")[0].decode(errors="replace").split()
        if not words or words[0] not in GUEST_SHELLS:
            raise SetupTrouble(
                f"{name} wants {words[0] if words else 'no interpreter'}, and "
                "the guest has only busybox: use #!/bin/sh")
        return True
    return False


def compile_c(source, output, words):
    command = [os.environ.get("CC", "gcc"), "-O2", "-g", "-Wall", "-pthread",
               "-D_GNU_SOURCE=", "-o", output, source] + words
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise SetupTrouble(f"{command[0]}: not found; install packages gcc "
                           "and libc6-dev") from None
    if done.returncode:
        raise SetupTrouble(f"{source} does not compile:\n{done.stdout}"
                           .rstrip())
    if done.stdout:
        print(done.stdout, end="")


class Compiler:
    """Compiles C files with the helper library, which is built on demand."""

    def __init__(self, lib_dir, out_dir, includes):
        self.lib_dir, self.out_dir = lib_dir, out_dir
        self.includes = includes
        self.archive = None

    def build_library(self):
        os.makedirs(self.out_dir, exist_ok=True)
        objects = []
        for name in sorted(os.listdir(self.lib_dir)):
            stem, suffix = os.path.splitext(name)
            if suffix == ".c":
                objects.append(os.path.join(self.out_dir, stem + ".o"))
                compile_c(os.path.join(self.lib_dir, name), objects[-1],
                          ["-c"] + self.includes)
        self.archive = os.path.join(self.out_dir, "libhandover.a")
        subprocess.run(["ar", "rcs", self.archive] + objects, check=True)

    def program(self, source, output, guest):
        """Compile one file: static for the guest, plain for the host."""
        compiled = os.path.join(self.out_dir,
                                os.path.basename(source) + ".o")
        os.makedirs(self.out_dir, exist_ok=True)
        compile_c(source, compiled,
                  ["-c", "-I" + os.path.dirname(source)] + self.includes)
        words = []
        if guest:
            if not self.archive:
                self.build_library()
            words = ["-static", self.archive, "-lm"]
        compile_c(compiled, output, words)


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
        for part in ("setup", "verify"):
            have = [name for name in (part, part + ".c") if name in self.files]
            if len(have) != 1:
                raise SetupTrouble(
                    f"{self.dir}: a scenario has {part} or {part}.c, this has "
                    + ("both" if have else "neither"))
        self.hands_over = "no-iommu-handover" not in self.files
        self.steady = "steady" in self.files
        self.debug_only = "debug-kernel" in self.files
        self.table = (os.path.join(self.dir, "table")
                      if "table" in self.files else None)

    def text(self, name):
        """The lines of an optional file, without comments."""
        path = os.path.join(self.dir, name)
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            lines = (line.split("#")[0].strip() for line in file)
            return [line for line in lines if line]

    def description(self):
        return description_in(self.dir)

    def cases(self):
        return cases_in(self.dir)

    def variants(self):
        """What make check-full runs it as, and how each differs."""
        kinds = []
        if not self.debug_only:
            kinds.append(f"{self.name} (plain kernel)")
        if self.debug_only:
            kinds.append(f"{self.name} (debug kernel)")
        elif "plain-kernel" not in self.files:
            kinds.append(f"{self.name}-debug (debug kernel)")
        for line in self.text("variants"):
            name, words = line.split(None, 1)
            kinds.append(f"{self.name}-{name} ({words})")
        return kinds

    def default_kexecs(self, debug):
        """The file's first number, or its second for the debug kernel."""
        words = " ".join(self.text("kexecs")).split() or ["3"]
        for word in words:
            if not word.isdigit():
                raise SetupTrouble(f"{self.dir}/kexecs: {word!r} is not a "
                                   "number")
        return int(words[min(len(words) - 1, 1 if debug else 0)])

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
        for name in sorted(self.files):
            path = os.path.join(self.dir, name)
            stem, suffix = os.path.splitext(name)
            if name == "host" and os.path.isfile(path):
                if not os.access(path, os.X_OK):
                    raise SetupTrouble(f"{path} is not executable")
                host = path
            elif name == "host.c":
                host = os.path.join(out_dir, "host")
                compiler.program(path, host, False)
            elif name in HOST_ONLY:
                continue
            elif suffix == ".c":
                if stem in self.files:
                    raise SetupTrouble(f"{self.dir} has both {stem} and "
                                       f"{name}")
                compiler.program(path, os.path.join(guest, stem), True)
            elif os.path.isdir(path):
                shutil.copytree(path, os.path.join(guest, name))
            else:
                target = os.path.join(guest, name)
                shutil.copy(path, target)
                if name in ("setup", "verify"):
                    direct = check_runs_in_guest(path, path)
                    os.chmod(target, 0o755 if direct else 0o644)
        return guest, host
