# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest as the toolstack sees it: created by xl in dom0, watched on its serial port."""

import contextlib
import re
import time

from stream import Stream
from work import LabError, say

DM = {"test": "/dm/test", "timed": "/dm/timed", "stock": "/usr/libexec/xen-qemu-system-i386"}


def raw_disk(path, vdev="hda", access="rw", **more):
    text = f"format=raw,vdev={vdev},access={access},backendtype=qdisk"
    return text + "".join(f",{k}={v}" for k, v in more.items()) + f",target={path}"


def cdrom(path, vdev="hdc"):
    return f"format=raw,vdev={vdev},devtype=cdrom,access=ro,backendtype=qdisk,target={path}"


def config(name, disks, boot, dm="test", display=0, **options):
    """The text of an xl configuration file; options override the common ones."""
    values = {
        "name": name, "type": "hvm", "memory": 192, "vcpus": 1, "cpus": "1", "serial": "pty", "vga": "stdvga", "videoram": 16,
        "vnc": 1, "vnclisten": "0.0.0.0", "vncdisplay": display, "vncunused": 0, "boot": boot, "disk": disks,
        "device_model_version": "qemu-xen", "device_model_override": DM[dm],
        "on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
    values.update(options)
    return "".join(f"{key}={quote(value)}\n" for key, value in values.items() if value is not None)


def quote(value):
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(quote(v) for v in value) + "]"
    return '"' + value + '"'


class Guest:
    def __init__(self, outer, name, text, echo=False):
        self.outer, self.agent, self.name, self.text, self.echo = outer, outer.agent, name, text, echo
        self.domid = self.pid = self.serial = self.channel = None
        self.lives = 0
        self.last_look = 0

    @property
    def log(self):
        return f"/var/log/xen/qemu-dm-{self.name}.log"

    def create(self):
        """xl create, then the serial port. The time of the start is in self.created."""
        cfg = f"/scratch/{self.name}.cfg"
        self.agent.must(f"cat > {cfg}; rm -f {self.log}", stdin=self.text.encode())
        self.created = time.monotonic()
        result = self.agent.run(f"xl create -q {cfg}", 300)
        self.create_seconds = time.monotonic() - self.created
        if result.code:
            raise LabError(f"xl create {self.name}: status {result.code}: {result.text[-500:]}; {self.log_tail()}")
        self.attach()

    def attach(self):
        """Finds the domain and follows its serial port (again after each reboot)."""
        out = self.agent.must(
            f"set -e; d=$(xl domid {self.name}); echo $d; xenstore-read /local/domain/$d/image/device-model-pid; "
            f"xenstore-read /local/domain/$d/serial/0/tty").split()
        if len(out) != 3:
            raise LabError(f"{self.name}: domain, process or serial tty not in xenstore: {out}; {self.log_tail()}")
        self.domid, self.pid, self.tty = int(out[0]), int(out[1]), out[2]
        self.lives += 1
        path = self.outer.folder / f"serial-{self.name}-{self.lives}.log"
        self.serial = Stream(self.name, path, self.echo)
        self.channel = self.agent.follow(f"exec /lab/labio tty {self.tty}", self.serial)

    def alive(self):
        """While waiting for the guest: raise if its device model is gone, for then it will not answer."""
        if time.monotonic() - self.last_look < 15:
            return
        self.last_look = time.monotonic()
        self.outer.check_alive()
        if self.agent.run(f"[ -d /proc/{self.pid} ]").code:
            raise LabError(f"{self.name}: the device model ended ({self.ending() or 'no status'}); {self.log_tail()}")

    def wait(self, pattern, seconds=300, what=None):
        try:
            return self.serial.wait(pattern, seconds, what, self.alive)
        except LabError as error:
            raise LabError(f"{error}; {self.state()}; {self.log_tail()}") from None

    def state(self):
        """For a failure's reason: what became of the process and the domain."""
        ending = self.ending()
        if ending is None:
            return "the device model runs"
        now = self.agent.run(f"xl list {self.name} | tail -n 1").out.split()
        return f"the device model ended: {ending}; " + (f"there is a new domain {now[1]}" if now else "the domain is gone")

    def boot(self, seconds=600):
        """Waits for the guest's shell on the serial port."""
        self.wait(r"LAB shell", seconds, "the guest's shell")

    def wait_init(self):
        """How long the guest's kernel took until it ran its first program, in seconds."""
        return float(re.search(r"LAB init ([0-9.]+)", self.serial.text)[1])

    def command(self, line, seconds=120):
        """Runs a line in the guest; its output, and an error when it fails."""
        self.channel.send(b"i", line.encode() + b"\n")
        start = self.serial.pos
        match = self.wait(r"^LAB done (\d+)$", seconds, f"'{line}' to end")
        text = self.serial.text[start:match.start()].strip("\n")
        if match[1] != "0":
            raise LabError(f"{self.name}: in the guest: {line}: status {match[1]}: {text[-400:]}")
        return text

    def tell(self, line):
        """Gives the guest a line that it will not answer (poweroff)."""
        self.channel.send(b"i", line.encode() + b"\n")

    def log_text(self):
        return self.agent.run(f"cat {self.log}").out

    def log_tail(self):
        lines = self.log_text().strip().splitlines()[-4:]
        return f"device model's log: {' / '.join(lines) or '(empty)'}"

    def ending(self):
        """How the device model ended, from dom0's process 1: 'exit 0', 'signal 11', or None."""
        match = re.search(rf"^{self.pid} \S+ (\S+ \d+) (\d+) (\d+) (\d+)$", self.agent.run("cat /run/reaped").out, re.M)
        return match[1] if match else None

    def stat(self):
        """The process's CPU time so far as (user, system) seconds."""
        fields = self.agent.must(f"cat /proc/{self.pid}/stat").rpartition(")")[2].split()
        return int(fields[11]) / 100, int(fields[12]) / 100

    def wait_gone(self, seconds=120):
        """Waits until domain and process are gone."""
        self.agent.until(f"[ ! -d /proc/{self.pid} ] && ! xenstore-exists /local/domain/{self.domid}/name 2>/dev/null",
                         seconds, f"domain {self.domid} ({self.name}) and its process {self.pid} to be gone")

    def destroy(self):
        self.agent.run(f"xl destroy {self.name}", 120)

    def save_log(self):
        """Copies the device model's log to the host."""
        path = self.outer.folder / f"qemu-dm-{self.name}.log"
        path.write_text(self.log_text())
        return path


@contextlib.contextmanager
def life(guest):
    """A guest for the body; gone afterwards whatever happened, its log on the host."""
    try:
        yield guest
    finally:
        try:
            if guest.agent.run(f"xl domid {guest.name}").code == 0:
                guest.destroy()
                guest.wait_gone()
            guest.save_log()
        except LabError as error:
            say(f"{guest.name}: {error}")


def cd_guest(outer, name="cd", dm="test", display=0, echo=False, disk="/scratch/blank.img", **options):
    """A guest that boots from CD and has an empty disk beside it."""
    text = config(name, [raw_disk(disk), cdrom("/scratch/cd.iso")], "d", dm, display, **options)
    return Guest(outer, name, text, echo)


def disk_guest(outer, name="disk", dm="test", display=0, echo=False, disk="/scratch/disk.img", **options):
    """A guest that boots from its hard disk; but for that its machine is the CD guest's."""
    text = config(name, [raw_disk(disk), cdrom("/scratch/cd.iso")], "c", dm, display, **options)
    return Guest(outer, name, text, echo)


def menu_guest(outer, name="menu", dm="test", display=0):
    """A guest that stops at GRUB's menu."""
    return Guest(outer, name, config(name, [cdrom("/scratch/menu.iso")], "d", dm, display))


def blank_disk(outer, name="blank.img", mib=192):
    """A sparse, empty image in dom0."""
    outer.agent.must(f"rm -f /scratch/{name}; truncate -s {mib}M /scratch/{name}")
    return f"/scratch/{name}"


def report_boot(guest):
    """Waits through a guest's start and tells how long each stage took."""
    guest.wait(r"LAB grub", 300, "GRUB")
    say(f"{guest.name}: GRUB after {time.monotonic() - guest.created:.1f} s")
    guest.wait(r"LAB kernel", 600, "the kernel to be loaded")
    say(f"{guest.name}: kernel loaded after {time.monotonic() - guest.created:.1f} s")
    guest.boot()
    say(f"{guest.name}: shell after {time.monotonic() - guest.created:.1f} s")
