# SPDX-License-Identifier: GPL-2.0-only
"""Runs one QEMU with its ports and the scenario's host part."""

import ctypes
import hashlib
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import time

from programs import SetupTrouble

# Streams from the guest. The verdict goes to a file by itself.
PORTS = ("mark", "report.out", "data", "host")
# The 82576 NIC came with 8, an x2APIC without KVM with 9.
QEMU_MAJOR = 9

# IOMMUs by the name for --iommu: the device, and properties of which QEMU's
# versions have one or the other. Interrupts are remapped, since
# that brings x2APIC: under load the emulator loses an end of interrupt that is
# written to an APIC in memory, and that CPU's timer is then silent for ever.
IOMMUS = {
    "vtd": ("intel-iommu", ["intremap=on", "eim=on"], []),
    "vtd-first-stage": ("intel-iommu", ["intremap=on", "eim=on"],
                        [("scalable-mode=on", "x-scalable-mode=on"),
                         ("fsts=on", "x-flts=on")]),
    # With neither, an emulated device is not translated: its DMA goes to the
    # physical address, and a scenario that looks at its data fails.
    "amd": ("amd-iommu", ["intremap=on", "xtsup=on"],
            [("dma-remap=on", "pt=off")]),
}

# AMD's driver remaps interrupts only if the I/O APIC is where its chipsets have
# it, at 00:14.0, a bridge to ISA. QEMU has nothing there. The virtual functions
# of a controller whose slot number is lower by 16 would be in its place.
AMD_BRIDGE = ["-blockdev", "driver=null-co,node-name=bridge,size=1048576",
              "-device", "virtio-blk-pci,drive=bridge,addr=14.0,class=0x0601"]

# Up to QEMU 10.0.2 interrupts of the I/O APIC are lost behind an amd-iommu, and
# so is what programs write to the serial port. They write to a console of
# virtio; kernels use the serial port without interrupts.
AMD_CONSOLE = ["-chardev", "file,id=console,path=console.log",
               "-device", "virtconsole,chardev=console"]
AMD_KERNEL = ["console=hvc0"]

# QEMU 10.0 never writes AMD's event log: only its trace shows a fault. Where an
# entry is empty it traces none either, but a translation to address 0.
AMD_TRACE = ("amdvi_page_fault", "amdvi_dte_get_fail", "amdvi_invalid_dte",
             "amdvi_mode_invalid", "amdvi_get_pte_hwerror",
             "amdvi_translation_result")
AMD_FAULT = re.compile(r"amdvi_(?!translation_result)|"
                       r"amdvi_translation_result .* hpa 0x0$")


def properties_of(qemu, device):
    """Names of the properties that this QEMU gives a device."""
    done = subprocess.run([qemu, "-device", device + ",help"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return set(re.findall(r"^ +([a-z0-9-]+)=", done.stdout, re.MULTILINE))


def kernel_words(iommu):
    """What the kernels of such a machine want on their command line."""
    return AMD_KERNEL if IOMMUS[iommu][0] == "amd-iommu" else []


def iommu_words(qemu, name):
    """QEMU's words for the IOMMU of this name."""
    device, words, choices = IOMMUS[name]
    known = properties_of(qemu, device)
    for choice in choices:
        for word in choice:
            if word.split("=")[0] in known:
                words = words + [word]
                break
        else:
            raise SetupTrouble(f"{qemu}: {device} has none of "
                               + ", ".join(choice))
    words = ["-device", ",".join([device] + words)]
    if device == "amd-iommu":
        words += AMD_BRIDGE
        for event in AMD_TRACE:
            words += ["-trace", event]
    return words


def find_qemu():
    qemu = os.environ.get("QEMU", "qemu-system-x86_64")
    path = shutil.which(qemu)
    if not path:
        raise SetupTrouble(f"{qemu}: not found; install package "
                           "qemu-system-x86 or set QEMU=")
    done = subprocess.run([path, "--version"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    found = re.search(r"version (\d+)\.", done.stdout)
    if done.returncode or not found:
        raise SetupTrouble(f"{path} --version: {done.stdout.strip()!r}")
    if int(found.group(1)) < QEMU_MAJOR:
        raise SetupTrouble(
            f"{path} is version {found.group(1)}; {QEMU_MAJOR} or newer is "
            "needed (from backports on an older release), or set QEMU=")
    return path


def free_udp_ports(count):
    """Loopback UDP ports that were free a moment ago."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
               for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
    finally:
        for item in sockets:
            item.close()


# Where q35 has its memory: at 0, and from this size on what is above 2 GiB is at 4 GiB.
SPLIT_FROM, SPLIT_LOW = 0xb0000000, 0x80000000


class GuestMemory:
    """The guest's memory as a file that QEMU, host part and we share.

    Its pages are small ones, so that the guest is a little slower with it.
    """

    def __init__(self, mib):
        self.size = mib << 20
        self.low = SPLIT_LOW if self.size >= SPLIT_FROM else self.size
        self.fd = os.memfd_create("guest-memory")
        os.ftruncate(self.fd, self.size)

    def words(self):
        """QEMU's; they come after another -machine, which they add to."""
        return ["-object", f"memory-backend-file,id=ram,size={self.size},"
                f"mem-path=/proc/self/fd/{self.fd},share=on",
                "-machine", "memory-backend=ram"]

    def variables(self):
        """For the host part's environment."""
        return {"GUEST_MEMORY": f"/proc/self/fd/{self.fd}",
                "GUEST_MEMORY_LOW": str(self.low)}


def die_with_parent():
    """In a child: end when the run is killed, which cannot clean up then."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class FileReceiver:
    """Takes "NAME SIZE SHA256" lines, each followed by SIZE bytes."""

    def __init__(self, directory, done, broken):
        self.directory, self.done, self.broken = directory, done, broken
        self.buffer = b""
        self.head = None
        self.usable = True

    def feed(self, data):
        if not self.usable:
            return
        self.buffer += data
        while True:
            if self.head is None:
                line, newline, rest = self.buffer.partition(b"\n")
                if not newline:
                    return
                match = re.fullmatch(
                    rb"([A-Za-z0-9_-][A-Za-z0-9._-]*) (\d+) ([0-9a-f]{64})",
                    line)
                if not match:
                    self.broken(f"the data port carries {line[:80]!r}")
                    self.usable = False
                    return
                self.buffer = rest
                self.head = (match.group(1).decode(), int(match.group(2)),
                             match.group(3).decode())
            name, size, digest = self.head
            if len(self.buffer) < size:
                return
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            self.head = None
            if hashlib.sha256(data).hexdigest() != digest:
                self.broken(f"{name} did not arrive as it was sent")
                continue
            path = os.path.join(self.directory, name)
            with open(path, "wb") as file:
                file.write(data)
            self.done(name, path)


class Machine:
    """One run of the guest.

    @on_mark(stage, words, when), @on_fact(stage, key, value) and
    @on_file(name, path) are called as things arrive; @on_trouble(text) with
    anything that makes the run a failure whatever the guest says. @memory is
    GuestMemory or None.
    """

    def __init__(self, run_dir, command, host, environment, timeout,
                 on_mark, on_fact, on_file, on_trouble, memory=None):
        self.run_dir, self.command, self.host = run_dir, command, host
        self.environment, self.timeout = environment, timeout
        self.on_mark, self.on_fact = on_mark, on_fact
        self.on_trouble = on_trouble
        self.on_file = on_file
        self.memory = memory
        if memory:
            self.command = command + memory.words()
            self.environment = {**environment, **memory.variables()}
        self.received = FileReceiver(run_dir, self.taken, self.broken)
        self.data = None
        self.buffers = {}
        self.timed_out = False

    def taken(self, name, path):
        # First of all: a guest that counts instructions has no time when it
        # has nothing to do, and its patience ends while the file is looked at.
        self.answer(f"taken {name}\n")
        self.on_file(name, path)

    def broken(self, text):
        self.on_trouble(text)
        self.answer("broken\n")

    def answer(self, text):
        """For handover-send, which waits for it."""
        try:
            self.data.sendall(text.encode())
        except OSError:
            pass  # QEMU is gone

    def lines(self, port, data):
        text = self.buffers.get(port, b"") + data
        *lines, self.buffers[port] = text.split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").strip().split(" ", 2)
            if len(words) < 2 or not words[0].isdigit():
                self.on_trouble(f"port {port} carries {line[:80]!r}")
                continue
            yield int(words[0]), words[1], words[2] if len(words) > 2 else ""

    def arrived(self, port, data):
        now = time.monotonic()
        if port == "data":
            usable = self.received.usable
            self.received.feed(data)
            if not usable:
                self.answer("broken\n")
        elif port == "mark":
            for stage, event, rest in self.lines(port, data):
                self.on_mark(stage, event, rest, now)
        else:
            for stage, key, value in self.lines(port, data):
                self.on_fact(stage, key, value, now)

    def run(self):
        ours, theirs = {}, {}
        for port in PORTS:
            ours[port], theirs[port] = socket.socketpair()
        command = list(self.command)
        for port, end in theirs.items():
            command += ["-chardev", f"socket,id={port},fd={end.fileno()}",
                        "-device",
                        f"virtserialport,chardev={port},name=handover.{port}"]
        verdict = os.path.join(self.run_dir, "verdict")
        command += ["-chardev", f"file,id=verdict,path={verdict}", "-device",
                    "virtserialport,chardev=verdict,name=handover.verdict"]
        with open(os.path.join(self.run_dir, "qemu.cmd"), "w",
                  encoding="utf-8") as file:
            file.write(" \\\n\t".join(command) + "\n")

        self.host_process = None
        with open(os.path.join(self.run_dir, "qemu.log"), "wb") as log:
            self.qemu = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.run_dir, start_new_session=True,
                preexec_fn=die_with_parent,
                pass_fds=[end.fileno() for end in theirs.values()]
                + self.memory_fds())
        try:
            for end in theirs.values():
                end.close()
            if self.host:
                self.start_host(ours["host"])
            ours.pop("host").close()
            self.data = ours["data"]
            self.watch(ours)
        finally:
            self.end(self.qemu, 0)
            if self.host_process:
                self.end_host()
            for end in ours.values():
                end.close()
        return self.qemu.returncode

    def start_host(self, end):
        with open(os.path.join(self.run_dir, "host.log"), "wb") as log:
            self.host_process = subprocess.Popen(
                [self.host], stdin=end, stdout=end, stderr=log,
                cwd=self.run_dir, env=self.environment,
                pass_fds=self.memory_fds(),
                start_new_session=True, preexec_fn=die_with_parent)

    def memory_fds(self):
        return [self.memory.fd] if self.memory else []

    def watch(self, ours):
        selector = selectors.DefaultSelector()
        for port, end in ours.items():
            selector.register(end, selectors.EVENT_READ, port)
        limit = time.monotonic() + self.timeout
        while selector.get_map():
            for key, _ in selector.select(0.5):
                data = key.fileobj.recv(1 << 16)
                if data:
                    self.arrived(key.data, data)
                else:
                    selector.unregister(key.fileobj)
            if self.host_process and self.host_process.poll():
                self.on_trouble("the host part exited with "
                                f"{self.host_process.returncode}; see "
                                "host.log")
                self.host_process = None
                self.qemu.kill()
            if time.monotonic() > limit and not self.timed_out:
                self.timed_out = True
                self.qemu.kill()
        selector.close()
        # The ports are closed when QEMU ends, so this does not wait long.
        try:
            self.qemu.wait(10)
        except subprocess.TimeoutExpired:
            self.on_trouble("QEMU closed its ports and does not end")

    def end_host(self):
        """The host part's own end, or SIGTERM three seconds later."""
        process = self.host_process
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            self.end(process, 5)
            return
        if process.returncode:
            self.on_trouble(f"the host part exited with {process.returncode};"
                            " see host.log")

    @staticmethod
    def end(process, patience):
        """End a process group that this run started."""
        for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 10)):
            if process.poll() is not None:
                return
            if not wait:
                continue
            try:
                os.killpg(process.pid, number)
                process.wait(wait)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass


def brings_iommu(words):
    """Whether a scenario's words have an IOMMU of their own."""
    return any(re.match(r"(amd|intel|virtio)-iommu", word)
               for before, word in zip(words, words[1:]) if before == "-device")


# Of what is built into the kernel, what few runs want: igb's own driver, which would
# take each controller that nobody owns, and KVM, which patches the kernel's text for
# half a second of each boot under TCG.
INITCALLS = {"native": "igb_init_module", "kvm": "svm_init"}


def left_out(*wanted):
    """Words for the kernel: it leaves all of INITCALLS out but @wanted."""
    names = [call for name, call in INITCALLS.items() if name not in wanted]
    return ["initcall_blacklist=" + ",".join(names)] if names else []


def cpu_model(accel):
    """The CPU's name and properties for QEMU, with that accelerator."""
    # Nested KVM may refuse to set that MSR, and nothing here needs it.
    if accel == "kvm":
        return "host,arch-capabilities=off"
    # TCG moves one byte at a time for REP MOVSB, which Linux would take for all
    # that it clears and copies.
    return "max,la57=off,erms=off,fsrm=off,fsrs=off,fsrc=off,fzrm=off"


def qemu_command(qemu, kernel, initrd, cmdline, serial, mib, iommu, extra):
    """QEMU's command line, without the ports. @mib is the machine's memory."""
    accel = os.environ.get("ACCEL", "tcg")
    if accel not in ("tcg", "kvm"):
        raise SetupTrouble(f"ACCEL={accel}: tcg and kvm are known")
    if accel == "kvm" and not os.access("/dev/kvm", os.W_OK):
        raise SetupTrouble("ACCEL=kvm: /dev/kvm cannot be opened")
    return [qemu,
            "-machine", f"q35,kernel-irqchip=split,accel={accel}",
            "-cpu", cpu_model(accel), "-smp", "2", "-m", f"{mib}M",
            "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-monitor", "none",
            *([] if brings_iommu(extra) else iommu_words(qemu, iommu)),
            "-chardev", f"file,id=serial,path={serial}",
            "-serial", "chardev:serial",
            "-kernel", kernel, "-initrd", initrd, "-append", cmdline,
            "-device", "virtio-serial-pci,addr=10.0",
            *(AMD_CONSOLE if kernel_words(iommu) else [])] + extra
