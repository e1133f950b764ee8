/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A boot disk that sets the VGA BIOS's modes one after the other and draws something in each, in
 * real mode and by the BIOS and the VGA's window only. It says on the first serial port what it
 * shows ("MODE 0118 1024x768x32") and goes on at each line that comes from there; "END" at the end.
 *
 * Built by modes.py as a flat image that begins with its boot sector. IBM, VGA Technical Reference;
 * VESA BIOS Extension (VBE) Core Functions 3.0; Phoenix, Enhanced Disk Drive 3.0 (INT 13h AH=42h).
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

/* clang-format off */
__asm__(
    ".section .boot, \"ax\"\n"
    "   ljmp $0, $1f\n"
    "1: cli\n"
    "   xorw %ax, %ax\n"
    "   movw %ax, %ds\n"
    "   movw %ax, %es\n"
    "   movw %ax, %ss\n"
    "   movl $0x7C00, %esp\n"
    "   sti\n"
    "   cld\n"
    "   movw $packet, %si\n"
    "   movb $0x42, %ah\n"
    "   int $0x13\n"
    "   jc 2f\n"
    "   calll run\n"
    "2: hlt\n"
    "   jmp 2b\n"
    "packet: .byte 16, 0\n"
    "   .word 24, 0x7E00, 0\n"
    "   .quad 1\n"
    "   .org 440\n"
    "   .ascii \"LAB\\0\"\n"
    "   .org 510\n"
    "   .word 0xAA55\n"
    ".text\n");
/* clang-format on */

static void outb(u16 port, u8 v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static u8 inb(u16 port)
{
    u8 v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

/* The serial port is all polled, and at its divisor's reset value: nobody counts the bits. */
#define COM1 0x3F8

static void put(char c)
{
    while (!(inb(COM1 + 5) & 0x20))
        ;
    outb(COM1, (u8)c);
}

static void say(const char *s)
{
    while (*s)
        put(*s++);
}

static void say_hex(u32 v)
{
    for (int shift = 12; shift >= 0; shift -= 4)
        put("0123456789ABCDEF"[v >> shift & 15]);
}

static void say_number(u32 v)
{
    if (v >= 10)
        say_number(v / 10);
    put((char)('0' + v % 10));
}

static void next_line(void)
{
    u8 c;
    do {
        while (!(inb(COM1 + 5) & 1))
            ;
        c = inb(COM1);
    } while (c != '\n' && c != '\r');
}

/* INT 10h; what it returns in AX. */
static u16 video(u16 ax, u16 bx, u16 cx, u16 dx, u16 es_di)
{
    __asm__ volatile("pushal\n pushw %%es\n xorw %%bp, %%bp\n movw %%bp, %%es\n int $0x10\n"
                     "popw %%es\n movw %%ax, 28(%%esp)\n popal"
                     : "+a"(ax)
                     : "b"(bx), "c"(cx), "d"(dx), "D"((u32)es_di)
                     : "memory", "cc");
    return ax;
}

/* `count` times the same 4 bytes to a segment's offset. */
static void fill(u16 segment, u32 at, u32 value, u32 count)
{
    __asm__ volatile("pushw %%es\n movw %w3, %%es\n rep stosl\n popw %%es"
                     : "+D"(at), "+c"(count)
                     : "a"(value), "r"((u32)segment)
                     : "memory");
}

static u32 noise(u32 i)
{
    i = (i ^ i >> 15) * 0x2C1B3C6D;
    return i ^ i >> 12;
}

/* Characters, in every colour that does not blink. Not B0h-BFh: the stock model repeats the eighth
 * dot of those in the ninth column, and the VGA does not. */
static u32 cell(u32 i)
{
    u32 c = i & 255;
    if (c >= 0xB0 && c < 0xC0)
        c -= 0x80;
    return c | ((i * 7 + i / 80) & 0x7F) << 8;
}

static void text(u16 segment, u32 cells)
{
    for (u32 i = 0; i < cells; i += 2)
        fill(segment, i * 2, cell(i) | cell(i + 1) << 16, 1);
}

/* Pieces of 32 bytes, each of its own value. */
static void pieces(u16 segment, u32 bytes, u32 seed)
{
    for (u32 at = 0; at < bytes; at += 32)
        fill(segment, at, noise(seed + at / 32), 8);
}

static void planar(u32 bytes)
{
    for (u32 plane = 0; plane < 4; plane++) {
        outb(0x3C4, 2);
        outb(0x3C5, (u8)(1u << plane));
        /* a piece for each line of 80 bytes is enough: each plane's writes are expensive */
        for (u32 at = 0; at < bytes; at += 40)
            fill(0xA000, at, noise(at * 4 + plane), 10);
    }
    outb(0x3C4, 2);
    outb(0x3C5, 15);
}

static void letters(void)
{
    for (const char *s = "The quick brown fox\r\njumps over"; *s; s++)
        video((u16)(0x0E00 | (u8)*s), 0x0002, 0, 0, 0);
}

static void shown(u32 mode, u32 width, u32 height, u32 bits)
{
    say("MODE ");
    say_hex(mode);
    put(' ');
    say_number(width);
    put('x');
    say_number(height);
    put('x');
    say_number(bits);
    say("\r\n");
    next_line();
}

/* But for 40 columns, whose cells the stock model makes 16 pixels wide, and the VGA 18. */
static const struct {
    u8 number, kind;
    u16 width, height;
    u8 bits;
} modes[] = {
    {0x03, 't', 80, 25, 0},   {0x07, 'm', 80, 25, 0},   {0x04, 'c', 320, 200, 2},
    {0x06, 'c', 640, 200, 1}, {0x0D, 'p', 320, 200, 4}, {0x0E, 'p', 640, 200, 4},
    {0x0F, 'p', 640, 350, 1}, {0x10, 'p', 640, 350, 4}, {0x11, 'p', 640, 480, 1},
    {0x12, 'p', 640, 480, 4}, {0x13, 'b', 320, 200, 8},
};

static void vga(unsigned i)
{
    u32 width = modes[i].width, height = modes[i].height;
    video(modes[i].number, 0, 0, 0, 0);
    switch (modes[i].kind) {
    case 't':
    case 'm':
        video(0x0100, 0, 0x2000, 0, 0); /* no cursor */
        text(modes[i].kind == 'm' ? 0xB000 : 0xB800, width * height);
        break;
    case 'c':
        pieces(0xB800, 16384, modes[i].number);
        break;
    case 'p':
        planar(width * height / 8);
        break;
    default:
        pieces(0xA000, width * height, modes[i].number);
    }
    if (modes[i].kind != 't' && modes[i].kind != 'm')
        letters();
    shown(modes[i].number, width, height, modes[i].bits);
}

/* VBE's blocks, below the boot sector. */
#define CONTROLLER 0x5000
#define MODE_INFO  0x5400

static u16 peek16(u16 segment, u16 at)
{
    u16 v;
    __asm__ volatile("pushw %%es\n movw %w2, %%es\n movw %%es:(%1), %0\n popw %%es"
                     : "=r"(v)
                     : "r"((u32)at), "r"((u32)segment));
    return v;
}

static void vbe(u16 mode)
{
    volatile u8 *info = (volatile u8 *)MODE_INFO;
    if (mode < 0x100) /* the VGA's own, again */
        return;
    if (video(0x4F01, 0, mode, 0, MODE_INFO) != 0x004F)
        return;
    u32 pitch = info[16] | (u32)info[17] << 8, width = info[18] | (u32)info[19] << 8;
    u32 height = info[20] | (u32)info[21] << 8, bits = info[25], model = info[27];
    u32 granularity = info[4] | (u32)info[5] << 8; /* KiB */
    u32 bytes = pitch * height;
    /* There, graphics, packed or direct, and of the sizes that are used. */
    if ((info[0] & 0x11) != 0x11 || (model != 4 && model != 6) || !granularity || granularity > 64)
        return;
    if (!(width == 320 && height == 200) && !(width == 640 && height == 480) &&
        !(width == 800 && height == 600) && !(width == 1024 && height == 768) &&
        !(width == 1280 && height == 1024 && bits == 8))
        return;
    if (bits == 15) /* the stock model's colours are not of the full range */
        return;
    if (video(0x4F02, mode, 0, 0, 0) != 0x004F)
        return;
    for (u32 bank = 0; bank * 65536 < bytes; bank++) {
        u32 left = bytes - bank * 65536;
        video(0x4F05, 0, 0, (u16)(bank * 64 / granularity), 0);
        if (left > 65536)
            left = 65536;
        for (u32 at = 0; at < left; at += 1024) {
            u32 n = (left - at < 1024 ? left - at : 1024) / 4;
            fill(0xA000, at, noise(mode + bank * 64 + at / 1024), n);
        }
    }
    shown(mode, width, height, bits);
}

void run(void)
{
    volatile u8 *c = (volatile u8 *)CONTROLLER;
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        vga(i);
    c[0] = 'V', c[1] = 'B', c[2] = 'E', c[3] = '2';
    if (video(0x4F00, 0, 0, 0, CONTROLLER) == 0x004F) {
        u16 at = (u16)(c[14] | c[15] << 8), segment = (u16)(c[16] | c[17] << 8), mode;
        for (; (mode = peek16(segment, at)) != 0xFFFF; at += 2)
            vbe(mode);
    }
    say("END\r\n");
}
