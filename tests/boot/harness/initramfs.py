# SPDX-License-Identifier: GPL-2.0-only
"""Writes the guest's initramfs: a newc cpio archive, no tool or root needed.

The archive holds the kernel of the next stage too. The running kernel keeps
the bytes it was given (retain_initrd), so each stage has all that it takes to
boot the next one, however many there are.
"""

import os
import stat
import subprocess

from programs import SetupTrouble, interpreter_of_elf


class Archive:
    def __init__(self, path):
        self.file = open(path, "wb")
        self.inode = 0

    def entry(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        name = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, device[0],
                  device[1], len(name), 0)
        self.file.write(b"070701" + b"".join(b"%08X" % f for f in fields))
        self.file.write(name)
        self.pad()
        self.file.write(data)
        self.pad()

    def pad(self):
        self.file.write(b"\0" * (-self.file.tell() % 4))

    def directory(self, name):
        self.entry(name, stat.S_IFDIR | 0o755)

    def link(self, name, target):
        self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def put(self, name, path, mode=None):
        with open(path, "rb") as file:
            data = file.read()
        if mode is None:
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
        self.entry(name, stat.S_IFREG | mode, data)

    def tree(self, name, path):
        self.directory(name)
        for child in sorted(os.listdir(path)):
            source = os.path.join(path, child)
            target = f"{name}/{child}"
            if os.path.islink(source):
                self.link(target, os.readlink(source))
            elif os.path.isdir(source):
                self.tree(target, source)
            else:
                self.put(target, source)

    def close(self):
        self.entry("TRAILER!!!", 0)
        self.file.write(b"\0" * (-self.file.tell() % 512))
        self.file.close()


def find_busybox():
    for path in (os.environ.get("BUSYBOX"), "/bin/busybox",
                 "/usr/bin/busybox"):
        if path and os.path.exists(path):
            if interpreter_of_elf(path):
                raise SetupTrouble(f"{path} is linked dynamically: install "
                                   "package busybox-static")
            return path
    raise SetupTrouble("busybox not found: install package busybox-static")


def add_systemd(archive, here):
    """What comes to the systemd of /debian: ours, and the boot test's."""
    ours = os.path.join(os.path.dirname(os.path.dirname(here)), "systemd")
    lib = "debian/usr/lib/systemd/"
    archive.directory(lib + "system-shutdown")
    archive.put(lib + "system-shutdown/iommu-handover.shutdown",
                os.path.join(ours, "iommu-handover.shutdown"), 0o755)
    archive.put(lib + "system/iommu-handover-seal.service",
                os.path.join(ours, "iommu-handover-seal.service"), 0o644)
    archive.put(lib + "system/handover-stage.service",
                os.path.join(here, "handover-stage.service"), 0o644)
    # Where a unit looks for it.
    archive.link("debian/usr/sbin/kexec", "/sbin/kexec")


def build(path, here, scenario_dir, kernel, kexec, tool, allowed_lines=(),
          settings=None, stock=None, debian=None, park=None, kernels=()):
    """Write the initramfs to @path.

    @here is the directory with init and its companions; @tool may be None for
    a scenario that hands no iommufd over. @settings are variables for init,
    whose values need no quotes; @stock is another kernel for the scenario, or
    None; so is @debian, a directory that becomes /debian, and @park, the program.
    Stage N boots the one of @kernels with the index N modulo how many there are;
    without any all boot @kernel.
    """
    busybox = find_busybox()
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    for program in (kexec, tool, park):
        if program and interpreter_of_elf(program):
            raise SetupTrouble(f"{program} is linked dynamically; the guest "
                               "needs a static one")

    archive = Archive(path)
    for name in ("bin", "sbin", "etc", "etc/handover", "dev", "proc", "sys",
                 "run", "tmp", "boot"):
        archive.directory(name)
    archive.entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
    archive.put("init", os.path.join(here, "init"), 0o755)
    archive.put("bin/busybox", busybox, 0o755)
    for applet in applets:
        if applet not in ("busybox", "init"):
            archive.link("bin/" + applet, "busybox")
    archive.put("sbin/kexec", kexec, 0o755)
    if tool:
        archive.put("sbin/iommu-handover", tool, 0o755)
    if park:
        archive.put("sbin/iommu-handover-park", park, 0o755)
    archive.put("sbin/handover-send", os.path.join(here, "handover-send"),
                0o755)
    for name in ("bad-lines", "fault-lines"):
        archive.put("etc/handover/" + name, os.path.join(here, name), 0o644)
    archive.entry("etc/handover/allowed-lines", stat.S_IFREG | 0o644,
                  "".join(line + "\n" for line in allowed_lines).encode())
    archive.entry("etc/handover/settings", stat.S_IFREG | 0o644,
                  "".join(f"{key}={value}\n" for key, value
                          in (settings or {}).items()).encode())
    archive.put("boot/bzImage", kernel, 0o644)
    if kernels:
        archive.directory("boot/kernels")
    for number, image in enumerate(kernels):
        archive.put(f"boot/kernels/{number}", image, 0o644)
    if stock:
        archive.put("boot/stock", stock, 0o644)
    archive.tree("scenario", scenario_dir)
    if debian:
        archive.tree("debian", debian)
    if settings and settings.get("INIT") == "systemd":
        add_systemd(archive, here)
    archive.close()
