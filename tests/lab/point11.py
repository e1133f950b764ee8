# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 11: screens as real drivers make them, pixel for pixel as under the stock device model; pointers."""

import re
from pathlib import Path

import baseline
import guest as guests
from guest import raw_disk
from report import expect
from screen import Screen
from screenimg import DRIVERS
from viewer import Viewer
from work import say

SCREENS = {"cirrusdrmfb": "Linux's text console on its cirrus driver",
           **{f"x-{driver}": f"X.org with its {driver} driver" for driver in DRIVERS}}
IDT = 0xFFFFFE0000000000  # where 64-bit Linux maps its interrupt table (Documentation/arch/x86/x86_64/mm.rst)


def config(name, dm, display, tablet):
    """A tablet that the guest has set up would keep the pointer from the PV one."""
    usb = {"usb": 1, "usbdevice": "tablet"} if tablet else {}
    disks = [raw_disk(f"/scratch/{name}.img"), raw_disk("/scratch/x.img", "hdb")]
    return guests.config(name, disks, "c", dm, display, memory=320, vga="cirrus", videoram=8, **usb)


def start(lab, name, dm="test", display=0, disk="screen.img", tablet=True):
    lab.agent.must(f"cp /scratch/{disk} /scratch/{name}.img")
    return guests.Guest(lab.outer, name, config(name, dm, display, tablet))


def picture(guest, viewer, which):
    """Has the guest show one of SCREENS and returns it once it is still."""
    if which == "cirrusdrmfb":
        guest.command("console_screen", 120)
    else:
        guest.command(f"x_screen {which[2:]}", 300)
    viewer.ask("settle 3000 60")
    shown = viewer.screen()
    if which != "cirrusdrmfb":
        guest.command("x_end", 300)
    return shown


def stock_pictures(lab):
    """The same guest under the stock device model, once; kept with the other baselines."""
    folder = baseline.folder(lab)
    paths = {which: folder / f"screen-{which}.ppm" for which in SCREENS}
    key = folder / "screens.key"
    want = (Path(__file__).parent / "screenimg.py").read_text()
    if not all(p.exists() for p in paths.values()) or not key.exists() or key.read_text() != want:
        say("stock device model: the guest with a Cirrus card, for its screens")
        guest = start(lab, "stockscr", "stock", 3)
        with guests.life(guest):
            guest.create()
            guest.boot()
            viewer = Viewer(lab.outer, 3)
            for which, path in paths.items():
                picture(guest, viewer, which).save(path)
            viewer.close()
        key.write_text(want)
    return {which: Screen.load(path) for which, path in paths.items()}


def corners(guest, viewer, name):
    """Moves the viewer's pointer into the corners; what the guest's input device of that name says."""
    width, height = map(int, viewer.ask("size").split())
    places = [(width // 2, height // 2), (0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)]
    guest.tell(f"labio pointer {name} {len(places)}")
    most = guest.wait(r"POINTER (\d+) (\d+)\s", 60, f"the input device {name}")
    most = int(most[1]), int(most[2])
    seen = []
    for x, y in places:
        viewer.ask(f"pointer {x} {y} 0")
        at = guest.wait(r"AT (-?\d+) (-?\d+)\s", 60, f"the pointer to move to {x},{y}")
        seen.append((int(at[1]), int(at[2])))
    guest.wait(r"^LAB done 0", 60)
    want = [(0, 0), (most[0], 0), most, (0, most[1])]
    expect(seen[1:] == want, f"on a screen of {width}x{height} the corners are {seen[1:]}, not {want}")
    return f"0..{most[0]}, 0..{most[1]}"


def monitor_reads(lab, guest):
    """What the monitor's x says of the guest's interrupt table, through the guest's own page tables, is what Linux says:
    the gate of vector 0 leads to its handler (AMD64 APM volume 2, 4.8.3)."""
    symbol = guest.command("grep -w asm_exc_divide_error /proc/kallsyms").split()
    text = lab.agent.must(f"xl qemu-monitor-command {guest.name} 'x /2gx {IDT:#x}'", 120)
    match = re.search(rf"^{IDT:x}: 0x([0-9a-f]{{16}}) 0x([0-9a-f]{{16}})\s*$", text, re.M)
    expect(match, f"x says: {text}")
    low, high = (int(n, 16) for n in match.groups())
    selector, kind = low >> 16 & 0xFFFF, low >> 40 & 0xFF
    handler = low & 0xFFFF | low >> 48 << 16 | (high & 0xFFFFFFFF) << 32
    expect((selector, kind, handler) == (0x10, 0x8E, int(symbol[0], 16)),
           f"the gate is {low:016x} {high:016x}, the handler at {symbol[0]}")
    return f"{handler:#x}"


def pictures(lab, report, guest, stock):
    viewer = Viewer(lab.outer)
    with report.check("11.2", "the USB tablet: all four corners exactly") as notes:
        notes.append(corners(guest, viewer, "QEMU"))
    for i, (which, title) in enumerate(SCREENS.items(), 3):
        with report.check(f"11.{i}", f"{title}: pixel for pixel the stock device model's") as notes:
            mine = picture(guest, viewer, which)
            mine.save(lab.folder / f"screen-{which}.ppm")
            wrong = mine.differences(stock[which])
            expect(not wrong, f"{wrong}; see screen-{which}.ppm")
            notes.append(f"{mine.width}x{mine.height}")
    viewer.close()
    with report.check(f"11.{3 + len(SCREENS)}", "the monitor's x through the guest's page tables: its interrupt table") as notes:
        notes.append(monitor_reads(lab, guest))


def run(lab, report, _points):
    stock = stock_pictures(lab)
    guest = start(lab, "screens")
    with guests.life(guest):
        before = report.failed
        with report.check("11.1", "a guest with libxl's default card (cirrus) and a USB tablet boots to its shell"):
            guest.create()
            guest.boot()
        if report.failed == before:
            pictures(lab, report, guest, stock)
    guest = start(lab, "pvinput", disk="screen-pv.img", tablet=False)
    number = 4 + len(SCREENS)
    with guests.life(guest):
        with report.check(f"11.{number}", "PV keyboard and pointer: no waiting at boot, all four corners") as notes:
            guest.create()
            guest.boot()
            notes.append(f"kernel to init {guest.wait_init()} s")
            viewer = Viewer(lab.outer)
            notes.append(corners(guest, viewer, "Xen"))
            viewer.close()
