# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: a guest that a person can look at and type into."""

import os
import time

import guest as guests
from viewer import Viewer
from work import say

TYPED = r'clear; echo "An unmodified Linux on hvm-dm, under real Xen:"; uname -a; grep -m1 "model name" /proc/cpuinfo; ' \
        r'head -n 1 /proc/meminfo; for d in /sys/block/s??; do cat $d/device/model; done; echo Type here.\n'


def viewers(outer):
    """How many VNC viewers are connected to display 0 of dom0."""
    out = outer.agent.run("netstat -tn").out
    return sum(1 for line in out.splitlines() if ":5900 " in line.split("Foreign")[0] and "ESTABLISHED" in line)


def run(lab, outer):
    port = outer.vnc[0]
    guest = guests.cd_guest(outer, "demo")
    guests.blank_disk(outer)
    say("xl create: a guest with a CD and a disk")
    guest.create()
    say(f"the guest runs: domain {guest.domid}, device model process {guest.pid} in dom0")
    say(f">>> point a VNC viewer at 127.0.0.1:{port} (display 127.0.0.1:{port - 5900}) to see it boot and type into it")
    guests.report_boot(guest)
    viewer = Viewer(outer)
    viewer.until(lambda s: any("guest#" in line for line in s.text(lab.font)), 120, "the shell's prompt")
    say("typing a few commands into the guest through VNC")
    viewer.ask("type " + TYPED)
    viewer.until(lambda s: "Type here." in s.text(lab.font), 120, "the commands' output")
    picture = viewer.png("guest-screen.png")
    for line in viewer.screen().text(lab.font):
        if line:
            print(f"    | {line}", flush=True)
    viewer.close()
    say(f"screenshot of the guest: {os.path.relpath(picture)}")
    time.sleep(1)  # for our own connection to be gone
    if viewers(outer):
        say("a viewer is connected; the demo ends when it leaves, or with Ctrl-C")
        while viewers(outer):
            time.sleep(3)
    say("powering the guest off")
    guest.tell("poweroff -f")
    guest.wait_gone()
    say(f"the domain is gone; the device model ended: {guest.ending()}")
    guest.save_log()
    print(f"Screenshot: {os.path.relpath(picture)}", flush=True)
    return 0
