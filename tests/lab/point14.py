# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 14: screens from power-on, pixel for pixel as under the stock device model: every mode of the VGA BIOS, a 32-bit
kernel's vesafb, a text installer. LAB_ONLY=modes,installer-cirrus in the environment: these only."""

import json
from pathlib import Path

import baseline
import guest as guests
from guest import cdrom, raw_disk
from report import expect
from screen import Screen
from viewer import Viewer
from work import say, wanted

CARDS = {"cirrus": {"vga": "cirrus", "videoram": 8}, "stdvga": {"vga": "stdvga", "videoram": 16}}
TITLES = {"modes": "the VGA BIOS's modes, text, planar, packed and direct colours",
          "vesafb": "a 32-bit kernel's vesafb, the installer on it",
          "installer": "the text installer's first screens, keys typed in it"}
# What is typed in the installer, screen by screen: X11's numbers of Down, Return, Page Up, Tab; each has an
# effect on a list that begins at its first line, and on one that the first keys have taken to its last.
DOWN, RETURN, PAGE_UP, TAB = 0xFF54, 0xFF0D, 0xFF55, 0xFF09
WALK = {"next": [RETURN], "down": [DOWN, DOWN, DOWN], "page": [PAGE_UP], "buttons": [TAB]}


def config(name, what, card, dm, display):
    disk = raw_disk("/scratch/modes.img") if what == "modes" else cdrom(f"/scratch/{what}.iso")
    memory = 64 if what == "modes" else 512
    return guests.config(name, [disk], "c" if what == "modes" else "d", dm, display, memory=memory, **CARDS[card])


def is_installer(screen):
    """The screen if it is the installer's, in whatever depth: blue around grey. A sample of the pixels is enough."""
    pixels = [screen.data[i:i + 3] for i in range(0, len(screen.data), 3 * 97)]
    dark = sum(p[0] < 16 and p[1] < 16 and 0x90 < p[2] < 0xC0 for p in pixels)
    grey = sum(0x90 < min(p) and max(p) < 0xC0 for p in pixels)
    return screen if dark * 50 > len(pixels) and grey * 4 > len(pixels) else None


def still(viewer):
    """The installer's screen once it stands still (a black one may come first, and stay for seconds), and the text cells
    that blink in it."""
    while True:
        viewer.until(is_installer, 900, "a screen of the installer's")
        viewer.ask("settle 2500 60")
        first, blinking = viewer.screen(), set()
        if is_installer(first):
            break
    for _ in range(4 if first.is_text() else 0):
        viewer.ask("wait 1")
        blinking.update(first.cells_unlike(viewer.screen()))
    return first, sorted(blinking)


def installer_screens(_guest, viewer):
    """(name, screen, blinking cells) of each screen of the walk."""
    before, blinking = still(viewer)
    yield "first", before, blinking
    for name, keys in WALK.items():
        for key in keys:
            viewer.ask(f"key {key:x}")
        old = before.without(blinking).data
        viewer.until(lambda s, cells=blinking, old=old: s.without(cells).data != old, 120, "the keys' effect")
        before, blinking = still(viewer)
        yield name, before, blinking


def mode_screens(guest, viewer):
    while True:
        match = guest.wait(r"(?:MODE ([0-9A-F]{4}) (\S+)|END)\s", 300, "the next mode")
        if not match[1]:
            return
        viewer.ask("settle 4000 60")  # the stock device model looks every 3 s when nothing has changed for long
        yield (f"{match[1]}-{match[2]}", viewer.screen(), [])
        guest.tell("")


def screens(lab, what, card, dm):
    """Boots it; all its screens, one after the other."""
    name = f"{'stock' if dm == 'stock' else 'my'}{what[:4]}{card[:3]}"
    display = 3 if dm == "stock" else 0
    guest = guests.Guest(lab.outer, name, config(name, what, card, dm, display))
    with guests.life(guest):
        guest.create()
        if what != "modes":
            guest.wait(r"LAB grub", 300, "GRUB")
        viewer = Viewer(lab.outer, display)
        yield from (mode_screens if what == "modes" else installer_screens)(guest, viewer)
        viewer.close()


def stock_screens(lab, what, card):
    """{name: (screen, blinking)} under the stock device model, made once and kept with the other baselines."""
    folder = baseline.folder(lab) / f"{what}-{card}"
    index, want = folder / "index.json", "".join((Path(__file__).parent / name).read_text()
                                                 for name in ("point14.py", "bootimg.py", "modes.c"))
    if not index.exists() or json.loads(index.read_text())["key"] != want:
        say(f"stock device model: {TITLES[what]} ({card})")
        folder.mkdir(parents=True, exist_ok=True)
        seen = {}
        for name, screen, blinking in screens(lab, what, card, "stock"):
            screen.save(folder / f"{name}.ppm")
            seen[name] = blinking
        index.write_text(json.dumps({"key": want, "screens": seen}))
    seen = json.loads(index.read_text())["screens"]
    return {name: (Screen.load(folder / f"{name}.ppm"), [tuple(c) for c in cells]) for name, cells in seen.items()}


def unlike(mine, theirs, cells):
    """Where two screens differ but for those cells. The stock device model repeats the eighth column as the ninth from
    character B0h on; the VGA's attribute controller does from C0h (AR10 bit 2), and so do we: a shade's ninth column
    is its background."""
    if mine.is_text() and theirs.is_text():
        shades = mine.shades()
        mine, theirs = mine.without_ninth(shades), theirs.without_ninth(shades)
    return mine.without(cells).differences(theirs.without(cells))


def compare(lab, what, card, notes):
    stock = stock_screens(lab, what, card)
    wrong, seen = [], set()
    for name, mine, blinking in screens(lab, what, card, "test"):
        seen.add(name)
        if name not in stock:
            wrong.append(f"{name} is not under the stock device model")
            continue
        theirs, cells = stock[name]
        difference = unlike(mine, theirs, cells)
        if not set(blinking) <= set(cells):
            difference = difference or f"cells {blinking} blink, not {cells}"
        if difference:
            path = lab.folder / f"{what}-{card}-{name}.ppm"
            mine.save(path)
            wrong.append(f"{name}: {difference} ({path.name})")
    wrong += [f"{name} is missing" for name in stock.keys() - seen]
    expect(not wrong, f"{len(wrong)} of {len(stock)}: " + "; ".join(wrong[:6]))
    sizes = {(s.width, s.height) for s, _ in stock.values()}
    notes.append(f"{len(stock)} screens, {len(sizes)} sizes")


def run(lab, report, _points):
    number = 0
    for card in CARDS:
        for what, title in TITLES.items():
            number += 1
            if not wanted(what, f"{what}-{card}"):
                continue
            with report.check(f"14.{number}", f"{title} on {card}: pixel for pixel the stock device model's") as notes:
                compare(lab, what, card, notes)
