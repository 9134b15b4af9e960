# SPDX-License-Identifier: GPL-2.0-only
"""Run the same static programs on the stock and on the patched kernel.

A boot under QEMU with an initramfs that holds busybox, init and the programs;
what they print comes back through a port of its own.
"""

import os
import re
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "boot", "harness"))

from initramfs import Archive, find_busybox  # noqa: E402
from machine import (cpu_model, die_with_parent,  # noqa: E402
                     find_qemu, iommu_words, left_out)  # noqa: F401
from programs import SetupTrouble  # noqa: E402

OUT = os.path.abspath(os.environ.get("O", os.path.join(TOP, "build")))
KERNELS = ("stock", "patched")
TIMEOUT = 900  # seconds for one boot with all programs of a suite

# Lines of the kernel log that fail a run whatever the tests say.
BAD = re.compile(r"(?<!fault_inj)\b(WARNING:|BUG:|Oops|Kernel panic|"
                 r"general protection fault|refcount_t:|UBSAN:|"
                 r"possible circular locking)")


class Broken(Exception):
    """What a guest did or sent is not what was asked of it."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def build_kernel(variant, no_build=False):
    """Bring build/kernel/@variant up to date: where it was built.

    With @no_build take what is there.
    """
    if no_build:
        headers = os.path.join(OUT, "kernel", variant, "usr", "include")
        if not os.path.isdir(headers):
            raise SetupTrouble(f"{headers}: not there, and --no-build")
        return os.path.dirname(os.path.dirname(os.path.realpath(headers)))
    done = subprocess.run([os.path.join(TOP, "scripts", "kernel"), "--where",
                           variant], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SetupTrouble(f"the {variant} kernel could not be built")
    return done.stdout.strip()


def build_kexec(no_build=False):
    """The path of kexec, which is brought up to date unless @no_build."""
    if not no_build and subprocess.run(
            [os.path.join(TOP, "scripts", "kexec-tools")]).returncode:
        raise SetupTrouble("kexec could not be built")
    return os.path.join(OUT, "bin", "kexec")


def build_selftests(suite, objects, where, wanted):
    """Upstream's programs of tools/testing/selftests/@suite, static.

    From the tree that @objects was built of; @where is for the log. Returns the
    paths of the @wanted ones.
    """
    log = os.path.join(where, "build.log")
    tree = os.path.dirname(objects)
    output = os.path.join(objects, f"selftests-{suite}")
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "O")}
    os.makedirs(output, exist_ok=True)
    with open(log, "ab") as file:
        done = subprocess.run(
            ["make", "-C", os.path.join(tree, "tools/testing/selftests", suite),
             f"OUTPUT={output}", f"KHDR_INCLUDES=-isystem {objects}/usr/include",
             "USERLDFLAGS=-static"], stdout=file, stderr=file,
            stdin=subprocess.DEVNULL, env=environment)
    if done.returncode:
        raise SetupTrouble(f"building the selftests failed; see {log}")
    programs = [os.path.join(output, name) for name in wanted]
    for name, program in zip(wanted, programs):
        if not os.path.exists(program):
            raise SetupTrouble(f"this Linux has no {suite} selftest '{name}'")
    return programs


def bad_line(lines):
    """The first of @lines of a kernel log that nobody may see, or None."""
    for line in lines:
        if BAD.search(line):
            return line.strip()
    return None


def write_initramfs(path, programs, files=()):
    """A guest that runs @programs, or what /part says when @files has it.

    @files are more (name in the guest, path here) pairs.
    """
    busybox = find_busybox()
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    archive = Archive(path)
    for name in ("bin", "boot", "dev", "etc", "proc", "sys", "tmp", "tests"):
        archive.directory(name)
    archive.entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
    archive.put("init", os.path.join(HERE, "init"), 0o755)
    archive.put("bin/busybox", busybox, 0o755)
    for applet in applets:
        if applet not in ("busybox", "init"):
            archive.link("bin/" + applet, "busybox")
    for program in programs:
        archive.put("tests/" + os.path.basename(program), program, 0o755)
    for name, source in files:
        archive.put(name, source)
    archive.close()


def boot(variant, qemu, initramfs, where, arguments=(), parameters="",
         memory="1G", timeout=TIMEOUT):
    """One boot of kernel @variant with more QEMU @arguments and kernel
    @parameters, log files in @where: the text that its programs printed.

    Raises Broken unless it came to its end with a clean kernel log.
    """
    os.makedirs(where, exist_ok=True)
    files = {name: os.path.join(where, name)
             for name in ("results", "verdict", "serial.log", "qemu.log")}
    for path in files.values():
        if os.path.exists(path):
            os.remove(path)
    accel = os.environ.get("ACCEL", "tcg")
    command = [
        qemu, "-machine", f"q35,kernel-irqchip=split,accel={accel}",
        "-cpu", cpu_model(accel),
        "-smp", "2", "-m", memory, "-nodefaults", "-no-user-config",
        "-display", "none", "-no-reboot", "-monitor", "none",
        *iommu_words(qemu, "vtd"),
        "-chardev", f"file,id=serial,path={files['serial.log']}",
        "-serial", "chardev:serial",
        "-kernel", os.path.join(OUT, "kernel", variant, "bzImage"),
        "-initrd", initramfs,
        "-append", " ".join(["console=ttyS0 panic=-1 panic_on_warn=1",
                             *left_out("native"), parameters]),
        "-device", "virtio-serial-pci", *arguments]
    for name in ("results", "verdict"):
        command += ["-chardev", f"file,id={name},path={files[name]}",
                    "-device", f"virtserialport,chardev={name},name={name}"]
    started = time.monotonic()
    with open(files["qemu.log"], "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log,
                                   preexec_fn=die_with_parent)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Broken(f"no end after {timeout} s; see {where}") from None
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise Broken(f"QEMU exited with {process.returncode}: see "
                     f"{files['qemu.log']}")
    with open(files["serial.log"], errors="replace") as file:
        bad = bad_line(file)
    if bad:
        raise Broken(f"kernel log: {bad}")
    try:
        with open(files["verdict"]) as file:
            verdict = file.read().strip()
    except FileNotFoundError:
        verdict = ""
    if not verdict:
        raise Broken(f"no verdict; see {files['serial.log']}")
    say(f"{os.path.basename(where)}: {verdict}, "
        f"{time.monotonic() - started:.0f} s")
    with open(files["results"], errors="replace") as file:
        return file.read()
