# SPDX-License-Identifier: GPL-2.0-or-later
"""PCI configuration spaces: read in the guest, compared with the stock device model's."""

import re

from report import expect
from work import HERE, LabError

REASONS = HERE / "pci-differences.txt"


def dump(guest):
    """{'00:01.1': 256 bytes} from inside the guest."""
    spaces = dict(re.findall(r"^PCI ([0-9a-f:.]+) ([0-9a-f]{512})$", guest.command("labio pci", 120), re.M))
    if not spaces:
        raise LabError("the guest's PCI dump is empty")
    return {k: bytes.fromhex(v) for k, v in spaces.items()}


def allowed():
    """{(function, offset): reason}; a line is `bus:dev.fn offset[-offset] reason`, in hex, or has vendor:device
    in the place of the function."""
    out = {}
    for line in REASONS.read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        match = re.fullmatch(r"([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]|[0-9a-f]{4}:[0-9a-f]{4}) ([0-9a-f]{2})(?:-([0-9a-f]{2}))? (\S.*)", line)
        if not match:
            raise LabError(f"{REASONS.name}: not understood: {line}")
        first = int(match[2], 16)
        for offset in range(first, int(match[3] or match[2], 16) + 1):
            out[match[1], offset] = match[4]
    return out


def compare(ours, stock, keep):
    """Raises when they differ in a byte that the list does not give a reason for; counts those it does.
    All that differ go to the file `keep`."""
    reasons, listed, wrong = allowed(), 0, []
    expect(sorted(ours) == sorted(stock),
           f"functions {' '.join(sorted(ours))}, stock has {' '.join(sorted(stock))}")
    for function in sorted(stock):
        chip = "%02x%02x:%02x%02x" % tuple(ours[function][i] for i in (1, 0, 3, 2))
        for offset in range(256):
            a, b = ours[function][offset], stock[function][offset]
            if a != b and ((function, offset) in reasons or (chip, offset) in reasons):
                listed += 1
            elif a != b:
                wrong.append(f"{function} {offset:02x}: {a:02x}, stock {b:02x}")
    keep.write_text("\n".join(wrong) + "\n")
    expect(not wrong, f"{len(wrong)} bytes differ (all in {keep.name}): {', '.join(wrong[:12])}")
    return listed
