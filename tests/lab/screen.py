# SPDX-License-Identifier: GPL-2.0-or-later
"""A screen's pixels: compared exactly, and read as text by exact match with the BIOS font."""

from work import LabError

CELL_W, CELL_H = 9, 16
SMILE = bytes.fromhex("00007e81a58181bd9981817e00000000")  # the glyph of character 1


def load_font(rom):
    """{the 16 rows of a glyph: character} from a VGA BIOS image."""
    at = rom.find(SMILE)
    if at < 16:
        raise LabError("no 8x16 font in the VGA BIOS")
    glyphs = {}
    for code in range(255, -1, -1):  # of equal glyphs the lowest code wins
        glyphs[rom[at + 16 * (code - 1):at + 16 * code]] = chr(code) if 32 <= code < 127 else "\u00b7"
    glyphs[bytes(16)] = " "
    return glyphs


class Screen:
    def __init__(self, width, height, data):
        self.width, self.height, self.data = width, height, data

    @classmethod
    def load(cls, path):
        raw = path.read_bytes()
        magic, size, depth, data = raw.split(b"\n", 3)
        width, height = map(int, size.split())
        if magic != b"P6" or depth != b"255" or len(data) != width * height * 3:
            raise LabError(f"{path} is not a screen")
        return cls(width, height, data)

    def save(self, path):
        path.write_bytes(b"P6\n%d %d\n255\n" % (self.width, self.height) + self.data)

    def is_text(self):
        return (self.width, self.height) == (80 * CELL_W, 25 * CELL_H)

    def cell(self, column, row):
        """A cell's 16 rows of 9 pixels."""
        start = (row * CELL_H * self.width + column * CELL_W) * 3
        return [self.data[start + y * self.width * 3:start + (y * self.width + CELL_W) * 3] for y in range(CELL_H)]

    def _glyph(self, rows, font):
        colours = sorted({row[x:x + 3] for row in rows for x in range(0, CELL_W * 3, 3)})
        if len(colours) == 1:
            return " "
        if len(colours) > 2:
            return "?"
        for ink in (colours[1], colours[0]):
            bits = bytes(sum(128 >> x for x in range(8) if row[3 * x:3 * x + 3] == ink) for row in rows)
            if bits in font:
                return font[bits]
            for glyph, char in font.items():  # under a cursor: its two lines hide the glyph's own
                if glyph[:13] == bits[:13] and bits[13:15] in (b"\xff\xff", b"\x00\xff", glyph[13:14] + b"\xff"):
                    return char
        return "?"

    def text(self, font):
        """25 lines of text, or [] in a graphics mode."""
        if not self.is_text():
            return []
        known, lines = {}, []
        for row in range(25):
            line = ""
            for column in range(80):
                rows = self.cell(column, row)
                key = b"".join(rows)
                if key not in known:
                    known[key] = self._glyph(rows, font)
                line += known[key]
            lines.append(line.rstrip())
        return lines

    def differences(self, other):
        """None when equal; otherwise (count, first x, first y), or a sentence for other sizes."""
        if (self.width, self.height) != (other.width, other.height):
            return f"{self.width}x{self.height} against {other.width}x{other.height}"
        if self.data == other.data:
            return None
        wrong = [i for i in range(0, len(self.data), 3) if self.data[i:i + 3] != other.data[i:i + 3]]
        x, y = wrong[0] // 3 % self.width, wrong[0] // 3 // self.width
        return (f"{len(wrong)} pixels differ, the first at {x},{y}: {self.data[wrong[0]:wrong[0] + 3].hex()} "
                f"against {other.data[wrong[0]:wrong[0] + 3].hex()}")

    def without(self, cells):
        """The screen with some cells blacked out: the rule for a blinking cursor."""
        data = bytearray(self.data)
        for column, row in cells:
            for y in range(CELL_H):
                start = ((row * CELL_H + y) * self.width + column * CELL_W) * 3
                data[start:start + CELL_W * 3] = bytes(CELL_W * 3)
        return Screen(self.width, self.height, bytes(data))

    def cells_unlike(self, other):
        """The text cells in which two shots of one screen differ."""
        return [(c, r) for r in range(25) for c in range(80) if self.cell(c, r) != other.cell(c, r)]

    def shades(self):
        """The cells of the shading characters (B0h to B2h), whose two kinds of lines alternate."""
        shaded = []
        for row in range(25):
            for column in range(80):
                lines = [line[:24] for line in self.cell(column, row)]
                if lines[0] != lines[1] and lines == lines[:2] * (CELL_H // 2):
                    shaded.append((column, row))
        return shaded

    def without_ninth(self, cells):
        """The screen with the ninth column of some cells black."""
        data = bytearray(self.data)
        for column, row in cells:
            for y in range(row * CELL_H, (row + 1) * CELL_H):
                start = (y * self.width + column * CELL_W + 8) * 3
                data[start:start + 3] = bytes(3)
        return Screen(self.width, self.height, bytes(data))
