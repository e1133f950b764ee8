# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stock device model shows for the same guest, made once in the same lab and kept."""

import json

import guest as guests
import pci
from screen import Screen
from viewer import Viewer
from work import HERE, WORK, key_of, say

FILES = ("baseline.py", "guest.py", "guestimg.py", "guest-init", "guest.sh", "labio.c")


def folder(lab):
    key = key_of(lab.tree.version, lab.tree.hypervisor, lab.tree.kernel, lab.stock_program,
                 *[HERE / name for name in FILES])
    path = WORK / "baseline" / key
    path.mkdir(parents=True, exist_ok=True)
    return path


def pci_spaces(lab):
    """{bus:dev.fn: 256 bytes} under the stock device model."""
    path = folder(lab) / "pci.json"
    if not path.exists():
        say("stock device model: booting the CD guest once for its PCI configuration spaces")
        image = guests.blank_disk(lab.outer, "baseline.img")
        guest = guests.cd_guest(lab.outer, "stockcd", "stock", 3, disk=image)
        with guests.life(guest):
            guest.create()
            guest.boot()
            spaces = pci.dump(guest)
        path.write_text(json.dumps({k: v.hex() for k, v in spaces.items()}))
    return {k: bytes.fromhex(v) for k, v in json.loads(path.read_text()).items()}


def menu_screens(lab):
    """(text, graphics) screens of GRUB's menu under the stock device model, and its cursor's cells."""
    place = folder(lab)
    names = [place / "menu-text.ppm", place / "menu-graphics.ppm", place / "cursor.json"]
    if not all(n.exists() for n in names):
        say("stock device model: GRUB's menu, for its screens")
        guest = guests.menu_guest(lab.outer, "stockmenu", "stock", 3)
        with guests.life(guest):
            guest.create()
            viewer = Viewer(lab.outer, 3)
            text, cursor = menu_text(viewer, lab.font)
            viewer.ask("type g")
            graphics = menu_graphics(viewer)
            viewer.close()
        text.save(names[0])
        graphics.save(names[1])
        names[2].write_text(json.dumps(cursor))
    cursor = [tuple(c) for c in json.loads(names[2].read_text())]
    return Screen.load(names[0]), Screen.load(names[1]), cursor


def menu_is_up(font):
    return lambda screen: screen if any("Graphics 1024x768" in line for line in screen.text(font)) else None


def menu_text(viewer, font):
    """The menu's text screen, and the cells that blink in it (at most one: the cursor's)."""
    viewer.until(menu_is_up(font), 120, "GRUB's menu")
    viewer.ask("settle 2000 20")
    first, blinking = viewer.screen(), set()
    for _ in range(6):
        viewer.ask("wait 1")
        blinking.update(first.cells_unlike(viewer.screen()))
    return first, sorted(blinking)


def menu_graphics(viewer):
    """The menu's graphics screen once it does not change any more."""
    viewer.until(lambda s: s.width == 1024 and s.height == 768, 120, "a 1024x768 screen")
    viewer.ask("settle 5000 120")
    return viewer.screen()
