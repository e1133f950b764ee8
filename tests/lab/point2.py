# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 2: what a person does with a VNC viewer: sees the screen, types at it."""

import baseline
import guest as guests
from report import expect
from viewer import Viewer

SHELL_TITLES = {"2.1": "keys typed in a VNC client reach the guest's shell; its answer is on the screen",
                "2.2": "the same answer is on the serial port"}
MENU_TITLES = {"2.3": "GRUB's menu in text mode is pixel for pixel the stock device model's",
               "2.4": "GRUB's menu in 1024x768 graphics is pixel for pixel the stock device model's"}


def shell(lab, report, guest):
    """Types a sum with shifted characters; only a shell can know the answer."""
    start = len(guest.serial.text)
    before = report.failed
    with report.check("2.1", SHELL_TITLES["2.1"]) as notes:
        viewer = Viewer(lab.outer)
        viewer.until(lambda s: any("guest#" in line for line in s.text(lab.font)), 120, "the shell's prompt")
        viewer.ask('type echo "Sum: <$((41*27))>" | tee /dev/ttyS0\\n')
        viewer.until(lambda s: "Sum: <1107>" in s.text(lab.font), 120, "the shell's answer")
        notes.append(f"picture: {viewer.png('shell.png').name}")
        viewer.close()
    if report.failed > before:
        report.skip("2.2", SHELL_TITLES["2.2"], "nothing was answered on the screen")
        return
    with report.check("2.2", SHELL_TITLES["2.2"]):
        guest.serial.pos = start
        guest.wait(r"^Sum: <1107>$", 60, "the answer on the serial port")


def menu(lab, report, _points):
    text, graphics, cursor = baseline.menu_screens(lab)
    guest = guests.menu_guest(lab.outer)
    with guests.life(guest):
        guest.create()
        viewer = Viewer(lab.outer)
        with report.check("2.3", MENU_TITLES["2.3"]) as notes:
            mine, blinking = baseline.menu_text(viewer, lab.font)
            viewer.png("menu-text.png")
            expect(len(blinking) <= 1 and set(blinking) <= set(cursor),
                   f"cells {blinking} blink; under the stock device model {cursor}")
            wrong = mine.without(cursor).differences(text.without(cursor))
            expect(not wrong, f"{wrong}; see menu-text.png")
            notes.append(f"cursor's cell left out: {cursor[0]}" if cursor else "no cursor")
        with report.check("2.4", MENU_TITLES["2.4"]):
            viewer.ask("type g")
            mine = baseline.menu_graphics(viewer)
            viewer.png("menu-graphics.png")
            wrong = mine.differences(graphics)
            expect(not wrong, f"{wrong}; see menu-graphics.png")
        viewer.close()
