# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 7: Xen 4.20, whose xl runs the device model once as a probe before it starts it."""


def probe(lab, report):
    raise NotImplementedError
