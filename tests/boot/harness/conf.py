# SPDX-License-Identifier: GPL-2.0-only
"""A scenario's settings: the file conf, one "key value" in a line."""

import os
import re

from machine import IOMMUS
from programs import SetupTrouble

MOST_KEXECS = 1000

# Settings that were a file each. One that is left over would be ignored.
MOVED = {"steady": "steady yes", "debug-kernel": "kernel debug",
         "plain-kernel": "kernel plain",
         "no-iommu-handover": "iommu-handover no",
         "variants": "variant NAME WORDS"}


def lines_of(path):
    """The lines of a file that say something; "#" begins a comment."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = (line.split("#")[0].strip() for line in file)
        return [line for line in lines if line]


def read_kexecs(value):
    """Numbers for the plain and for the debug kernel."""
    words = value.split()
    for word in words:
        if not re.fullmatch("[0-9]{1,4}", word) or int(word) > MOST_KEXECS:
            raise ValueError(f"{word!r} is not a number from 0 to "
                             f"{MOST_KEXECS}")
    if not 1 <= len(words) <= 2:
        raise ValueError("one number, or one for the plain and one for the "
                         "debug kernel")
    return int(words[0]), int(words[-1])


def read_switch(value):
    if value not in ("yes", "no"):
        raise ValueError(f"{value!r} is neither yes nor no")
    return value == "yes"


def read_hands_over(value):
    if value not in ("yes", "no", "continuous"):
        raise ValueError(f"{value!r} is none of yes, no and continuous")
    return "" if value == "no" else value


def read_kernel(value):
    if value not in ("plain", "debug", "host"):
        raise ValueError(f"{value!r} is none of plain, debug and host")
    return value


def read_seal(value):
    if value not in ("early", "late"):
        raise ValueError(f"{value!r} is neither early nor late")
    return value == "late"


def read_disk(value):
    if not re.fullmatch("[1-9][0-9]{0,3}", value):
        raise ValueError(f"{value!r} is not a number of MiB from 1 to 9999")
    return int(value)


def read_memory(value):
    """MiB for the plain and for the debug kernel."""
    words = value.split()
    for word in words:
        if not re.fullmatch("[1-9][0-9]{2,4}", word):
            raise ValueError(f"{word!r} is not a number of MiB from 100 to "
                             "99999")
    if len(words) != 2:
        raise ValueError("a number for the plain and one for the debug kernel")
    return int(words[0]), int(words[1])


def read_init(value):
    if value != "systemd":
        raise ValueError(f"{value!r} is not systemd")
    return value


def read_debian(value):
    if not re.fullmatch("[a-z0-9-]+", value):
        raise ValueError(f"{value!r} is not the name of a file in "
                         "tests/boot/debian")
    return value


def read_variant(value):
    """A name, QEMU's words, and the kernel's after " -- "."""
    name, _, words = value.partition(" ")
    if not re.fullmatch("[a-z0-9][a-z0-9-]*", name) or not words.strip():
        raise ValueError(f"{value!r} is not a name and words for QEMU")
    qemu, _, kernel = words.strip().partition(" -- ")
    return name, qemu.strip(), kernel.strip()


def read_iommu(value):
    words = read_iommus(value)
    if len(words) != 1:
        raise ValueError(f"{value!r} is not one name")
    return words[0]


def read_iommus(value):
    words = value.split()
    for word in words:
        if word not in IOMMUS:
            raise ValueError(f"{word!r} is none of " + ", ".join(IOMMUS))
    return words


class Conf:
    """What the file says, or what holds without it.

    @kexecs: a pair, how many without --kexecs: plain kernel, debug kernel
    @steady: every image has to equal the one before
    @kernel: "plain", "debug" or "host" when only that one runs it, else None
    @on_host: the kernel as distributions build it runs it, too
    @hands_over: load the next kernel with --iommu-handover: "yes", "continuous"
        with the word of that name, "" without the option
    @debian: what of Debian is at /debian in the guest, a file of
        tests/boot/debian, or None
    @init: "systemd": the guest's init hands over to that of /debian, else None
    @memory: a pair, MiB of the machine: plain kernel, debug kernel
    @disk: MiB of a file for QEMU's block devices, 0 when there is none
    @stock_kernel: the guest has upstream's kernel, too
    @seals_late: the load only checks, and the jump seals
    @parks: its program is called again, as "STAGE park", between load and jump,
        and the jump seals
    @native: igb's own driver is there, too
    @shared_memory: the host part may look into the guest's memory
    @iommu: name of the IOMMU that it runs with
    @iommus: names of the IOMMUs that it runs with besides the first
    @variants: (name, QEMU's words, the kernel's words) of each
    """

    READERS = {"kexecs": ("kexecs", read_kexecs),
               "steady": ("steady", read_switch),
               "kernel": ("kernel", read_kernel),
               "host-kernel": ("on_host", read_switch),
               "iommu-handover": ("hands_over", read_hands_over),
               "debian": ("debian", read_debian),
               "init": ("init", read_init),
               "memory": ("memory", read_memory),
               "disk": ("disk", read_disk),
               "stock-kernel": ("stock_kernel", read_switch),
               "iommu": ("iommu", read_iommu),
               "iommus": ("iommus", read_iommus),
               "variant": ("variants", read_variant),
               "seal": ("seals_late", read_seal),
               "park": ("parks", read_switch),
               "native-driver": ("native", read_switch),
               "kvm": ("kvm", read_switch),
               "shared-memory": ("shared_memory", read_switch)}

    def __init__(self, directory):
        self.kexecs = (3, 3)
        self.steady = False
        self.kernel = None
        self.on_host = False
        self.hands_over = "yes"
        self.debian = self.init = None
        self.memory = (1024, 3072)
        self.disk = 0
        self.stock_kernel = False
        self.seals_late = self.parks = self.shared_memory = False
        self.native = self.kvm = False
        self.iommu = "vtd"
        self.iommus = []
        self.variants = []
        for name, line in MOVED.items():
            if os.path.isfile(os.path.join(directory, name)):
                raise SetupTrouble(f"{directory}/{name}: no longer a file of "
                                   f"its own; write '{line}' in conf")
        path = os.path.join(directory, "conf")
        seen = set()
        for line in lines_of(path):
            key, _, value = line.partition(" ")
            self.set(path, key, value.strip(), seen)
        # Directories made before there was a conf have this file.
        path = os.path.join(directory, "kexecs")
        if os.path.isfile(path):
            self.set(path, "kexecs", " ".join(lines_of(path)), seen)
        if self.init and not (self.debian or "").startswith(self.init):
            raise SetupTrouble(f"{directory}/conf: init {self.init} needs debian "
                               f"{self.init}, where it is")

    def set(self, path, key, value, seen):
        if key not in self.READERS:
            raise SetupTrouble(f"{path}: {key!r} is not known; known are: "
                               + " ".join(self.READERS))
        name, read = self.READERS[key]
        try:
            read_value = read(value)
        except ValueError as error:
            raise SetupTrouble(f"{path}: {key}: {error}") from None
        # Variants are told apart by name, the rest may be said once.
        again = f"variant {read_value[0]}" if key == "variant" else key
        if again in seen:
            raise SetupTrouble(f"{path}: {again} is set twice")
        seen.add(again)
        if key == "variant":
            self.variants.append(read_value)
        else:
            setattr(self, name, read_value)
