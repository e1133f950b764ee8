# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 5: bad input. One clear line, soon, and nothing left behind."""

import re

import guest as guests
from guest import cdrom, raw_disk
from report import expect

LIMIT = 2.0  # seconds, in dom0, from the start of the device model to its end
# (title, what the one line must name, disks, options, commands in dom0 before, xl's prefix)
CASES = [
    ("a missing image", r"/scratch/nosuch\.img.*[Nn]o such file", [raw_disk("/scratch/nosuch.img")], {}, "", ""),
    ("a directory as an image", r"/scratch/folder.*([Dd]irectory|regular file)", [raw_disk("/scratch/folder")], {},
     "mkdir -p /scratch/folder", ""),
    # As root one may open everything; without two capabilities, as in a confined service, one may not.
    ("no permission", r"/scratch/locked\.img.*[Pp]ermission", [raw_disk("/scratch/locked.img")], {},
     "truncate -s 1M /scratch/locked.img; chown nobody /scratch/locked.img; chmod 0 /scratch/locked.img",
     "/lab/labio unprivileged "),
    ("a format we don't read", r"/scratch/old\.vhd|vpc|vhd",
     ["format=vhd,vdev=hda,access=rw,backendtype=qdisk,target=/scratch/old.vhd"], {},
     "truncate -s 1M /scratch/old.vhd", ""),
    ("an unknown device", r"nosuch", [cdrom("/scratch/menu.iso")],
     {"device_model_args_hvm": ["-device", "nosuch"]}, "", ""),
    ("VNC port taken", r"5907|[Aa]ddress already in use|display", [cdrom("/scratch/menu.iso")], {"vncdisplay": 7},
     "nc -l -p 5907 < /dev/null > /dev/null 2>&1 & sleep 1; netstat -tln | grep -q :5907", ""),
    ("a read-only file attached for writing", r"/scratch/ro/fixed\.img.*[Rr]ead-only",
     [raw_disk("/scratch/ro/fixed.img")], {},
     "mkdir -p /scratch/ro; grep -q /scratch/ro /proc/mounts || { truncate -s 1M /scratch/ro/fixed.img; "
     "mount -o bind /scratch/ro /scratch/ro; mount -o remount,bind,ro /scratch/ro; }; "
     "! touch /scratch/ro/fixed.img 2>/dev/null", ""),
]
# What a device model may say of itself before it finds out.
START = re.compile(r"VNC: listening on|warning: VNC: whoever reaches|char device redirected")
STATE = ("xl list | tail -n +2 | cut -d' ' -f1; ls /run/xen | grep -v domid-history | sort; xenstore-ls -f /local/domain/0/device-model | "
         "cut -d' ' -f1; ps | grep -c '[/]dm/t'")


def try_case(lab, index, case):
    _title, clear, disks, options, before, prefix = case
    name = f"bad{index}"
    if before:
        lab.agent.must(before)
    text = guests.config(name, disks, "d", "timed", 0, **options)
    log = f"/var/log/xen/qemu-dm-{name}.log"
    lab.agent.must(f"cat > /scratch/{name}.cfg; rm -f {log} /run/lifetime", stdin=text.encode())
    state = lab.agent.must(STATE + "; true")
    result = lab.agent.run(f"{prefix}xl create -q /scratch/{name}.cfg", 180)
    if result.code == 0:
        lab.agent.run(f"xl destroy {name}", 120)
        expect(False, "xl create succeeded")
    (lab.folder / f"bad-{name}.log").write_text(lab.agent.run(f"cat {log}").out + "\n--- xl:\n" + result.text)
    life = lab.agent.run("grep run /run/lifetime").out.split()
    expect(len(life) == 5, f"the device model was not run to an end: {result.text[-300:]}")
    lines = [line for line in lab.agent.run(f"cat {log}").out.splitlines() if line.strip() and not START.search(line)]
    seconds, ending, cpu = int(life[0]) / 1000, f"{life[1]} {life[2]}", int(life[3])
    expect(life[1] == "exit" and life[2] != "0", f"the device model ended with {ending}")
    expect(seconds <= LIMIT, f"the device model took {seconds:.2f} s")
    expect(len(lines) == 1, f"{len(lines)} lines in its log, not one: {' / '.join(lines)[:300]}")
    expect(re.search(clear, lines[0]), f"its line does not say it: {lines[0]}")
    after = lab.agent.must(STATE + "; true")
    expect(after == state, f"left behind: {sorted(set(after.split()) ^ set(state.split()))}")
    return f"its life in dom0 {seconds:.2f} s, {cpu} ms of CPU: {lines[0]}"


def run(lab, report, _points):
    for index, case in enumerate(CASES, 1):
        with report.check(f"5.{index}", case[0]) as notes:
            notes.append(try_case(lab, index, case))
