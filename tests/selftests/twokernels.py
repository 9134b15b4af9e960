# SPDX-License-Identifier: GPL-2.0-only
"""Run the same static programs on the stock and on the patched kernel.

One boot of each kernel under QEMU, with an initramfs that holds busybox, init
and the programs; what they print comes back through a port of its own.
"""

import os
import re
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "boot"))

from initramfs import Archive, find_busybox  # noqa: E402
from machine import find_qemu  # noqa: E402,F401
from scenario import SetupTrouble  # noqa: E402

OUT = os.path.abspath(os.environ.get("O", os.path.join(TOP, "build")))
KERNELS = ("stock", "patched")
TIMEOUT = 900  # seconds for one boot with all programs

# Lines of the kernel log that fail a run whatever the tests say.
BAD = re.compile(r"(?<!fault_inj)\b(WARNING:|BUG:|Oops|Kernel panic|"
                 r"general protection fault|refcount_t:|UBSAN:|"
                 r"possible circular locking)")


class Broken(Exception):
    """What a guest did or sent is not what was asked of it."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def build_kernel(variant):
    done = subprocess.run([os.path.join(TOP, "scripts", "kernel"), "--where",
                           variant], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SetupTrouble(f"the {variant} kernel could not be built")
    return done.stdout.strip()


def write_initramfs(path, programs):
    busybox = find_busybox()
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    archive = Archive(path)
    for name in ("bin", "dev", "proc", "sys", "tmp", "tests"):
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
    archive.close()


def boot(variant, qemu, initramfs, where, arguments=(), parameters=""):
    """One boot with more QEMU @arguments: the text that its programs printed.

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
        qemu, "-machine", f"q35,accel={accel}",
        "-cpu", "host" if accel == "kvm" else "max,la57=off",
        "-smp", "2", "-m", "1G", "-nodefaults", "-no-user-config",
        "-display", "none", "-no-reboot", "-monitor", "none",
        "-chardev", f"file,id=serial,path={files['serial.log']}",
        "-serial", "chardev:serial",
        "-kernel", os.path.join(OUT, "kernel", variant, "bzImage"),
        "-initrd", initramfs,
        "-append", "console=ttyS0 panic=-1 panic_on_warn=1 " + parameters,
        "-device", "virtio-serial-pci", *arguments]
    for name in ("results", "verdict"):
        command += ["-chardev", f"file,id={name},path={files[name]}",
                    "-device", f"virtserialport,chardev={name},name={name}"]
    started = time.monotonic()
    with open(files["qemu.log"], "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Broken(f"no end after {TIMEOUT} s; see {where}") from None
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise Broken(f"QEMU exited with {process.returncode}: see "
                     f"{files['qemu.log']}")
    with open(files["serial.log"], errors="replace") as file:
        for line in file:
            if BAD.search(line):
                raise Broken(f"kernel log: {line.strip()}")
    try:
        with open(files["verdict"]) as file:
            verdict = file.read().strip()
    except FileNotFoundError:
        verdict = ""
    if not verdict:
        raise Broken(f"no verdict; see {files['serial.log']}")
    say(f"{variant}: {verdict}, "
        f"{time.monotonic() - started:.0f} s")
    with open(files["results"], errors="replace") as file:
        return file.read()


