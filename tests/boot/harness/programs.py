# SPDX-License-Identifier: GPL-2.0-only
"""Programs of a scenario: what runs in the guest, and how C is compiled."""

import os
import shutil
import subprocess

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


def cache_dir():
    """As in scripts/common.sh."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(
        os.environ.get("HOME") or "/root", ".cache")
    return os.path.abspath(os.environ.get("IOMMU_HANDOVER_CACHE") or
                           os.path.join(base, "iommu-handover"))


def compile_c(inputs, output, words):
    compiler = os.environ.get("CC", "gcc")
    if not shutil.which(compiler):
        raise SetupTrouble(f"{compiler}: not found; install packages gcc "
                           "and libc6-dev")
    command = [compiler, "-O2", "-g", "-Wall", "-pthread", "-D_GNU_SOURCE=",
               "-o", output] + inputs + words
    # Each scenario compiles the guest's library for itself: the same objects.
    environment = {**os.environ, "CCACHE_DIR": os.path.join(cache_dir(),
                                                            "ccache")}
    if "-c" in words and shutil.which("ccache"):
        command.insert(0, "ccache")
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=environment)
    if done.returncode:
        raise SetupTrouble(f"{' '.join(inputs)}: does not compile:\n"
                           f"{done.stdout}".rstrip())
    if done.stdout:
        print(done.stdout, end="")


class Compiler:
    """Compiles C files with the helper library, which is built on demand."""

    def __init__(self, lib_dir, out_dir, includes):
        self.lib_dir, self.out_dir = lib_dir, out_dir
        self.includes = includes
        self.archive = None

    def objects(self, sources, out_dir, words):
        """Compile each file to an object in @out_dir; their paths."""
        os.makedirs(out_dir, exist_ok=True)
        objects = []
        for source in sources:
            stem = os.path.splitext(os.path.basename(source))[0]
            objects.append(os.path.join(out_dir, stem + ".o"))
            compile_c([source], objects[-1], ["-c"] + words)
        return objects

    def build_library(self):
        sources = [os.path.join(self.lib_dir, name)
                   for name in sorted(os.listdir(self.lib_dir))
                   if name.endswith(".c")]
        objects = self.objects(sources, self.out_dir, self.includes)
        self.archive = os.path.join(self.out_dir, "libhandover.a")
        subprocess.run(["ar", "rcs", self.archive] + objects, check=True)

    def program(self, sources, output, guest, headers=None, libraries=()):
        """Make one program: static for the guest, plain for the host.

        Headers are looked for beside @sources, then in the directory
        @headers, then in ours. @libraries are words for the linker.
        """
        words = ["-I" + os.path.dirname(sources[0])]
        if headers:
            words.append("-I" + headers)
        objects = self.objects(
            sources, os.path.join(self.out_dir, os.path.basename(output)),
            words + self.includes)
        words = []
        if guest:
            if not self.archive:
                self.build_library()
            words = ["-static", self.archive, "-lm"]
        compile_c(objects, output, words + list(libraries))
