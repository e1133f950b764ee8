/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_peer: does to the stock device model's VGA what test_vga_draw did to ours, and writes down
 * the pictures that it shows: the rows of tests/device/vga_stock.inc, cirrus_stock.inc.
 *
 * usage: VGA_TRACE=FILE build/tests/device/test_vga_draw; vga_peer FILE [DIRECTORY for pictures]
 * and the same with test_cirrus_draw for cirrus_stock.inc.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include "dm.h"
#include "pc.h"

#define RAM_MB   48
#define BUFFER   UINT64_C(0x200000)
#define LFB      UINT64_C(0xE0000000)
#define MMIO     UINT32_C(0xE4000000)
#define TRIES    8 /* a blinking cursor is as it was here sooner or later */
#define MAX_LINE (16u << 20)

static struct xenstub *x;
static struct dm dm;
static FILE *qmp;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void command(const char *text)
{
    char reply[4096];
    fprintf(qmp, "%s\n", text);
    fflush(qmp);
    while (fgets(reply, sizeof(reply), qmp))
        if (!strstr(reply, "\"event\"")) {
            if (strstr(reply, "\"error\""))
                die(reply);
            return;
        }
    die("QMP");
}

static void open_monitor(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char greeting[4096];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%.100s", dm.qmp);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) || !(qmp = fdopen(fd, "r+")) ||
        !fgets(greeting, sizeof(greeting), qmp))
        die(dm.qmp);
    command("{\"execute\":\"qmp_capabilities\"}");
}

static void end_scene(void)
{
    if (!x)
        return;
    fclose(qmp);
    xenstub_free(x);
    x = NULL;
}

/* "CARD NAME" */
static void begin_scene(const char *scene)
{
    const uint8_t vga = PC_DEVFN(DM_VGA_SLOT, 0);
    end_scene();
    x = xenstub_new(&(struct xenstub_config){.domid = 7, .ram_bytes = (uint64_t)RAM_MB << 20});
    if (!x || !dm_init(&dm, DM_STOCK, x, RAM_MB))
        die("the stock device model");
    dm_set(&dm, "-device",
           !strncmp(scene, "cirrus", 6) ? "cirrus-vga,vgamem_mb=8" : "VGA,vgamem_mb=16");
    if (!dm_make_image(&dm, 1 << 20) || !dm_start(&dm, x, 20000))
        die("start");
    open_monitor();
    vcpu_pci_write(x, 0, vga, 0x10, 4, (uint32_t)LFB);
    vcpu_pci_write(x, 0, vga, 0x14, 4, MMIO);
    vcpu_pci_write(x, 0, vga, 0x04, 2, 3);
}

static unsigned nibble(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Into memory, or by the CPU to the device. */
static void write_bytes(uint64_t addr, const char *hex, bool memory)
{
    size_t n = strlen(hex) / 2;
    uint8_t *bytes = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    if (memory) {
        if (!guest_write(x, addr, bytes, n))
            die("frame buffer");
    } else {
        guest_write(x, BUFFER, bytes, n);
        vcpu_movs(x, 0, addr, 1, (uint32_t)n, BUFFER, false, false);
    }
    free(bytes);
}

/* ADDRESS HEXADECIMAL */
static void write_line(char *text, bool device)
{
    char *hex;
    uint64_t addr = strtoull(text, &hex, 10);
    hex[strcspn(hex, "\n")] = 0;
    write_bytes(addr, hex + 1, !device && addr >= LFB);
}

struct picture {
    unsigned width, height;
    uint32_t crc;
};

static struct picture take_picture(const char *to)
{
    char text[700], magic[3];
    struct picture p = {0};
    unsigned depth;
    snprintf(text, sizeof(text), "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"%s\"}}",
             to);
    command(text);
    FILE *f = fopen(to, "r");
    if (!f || fscanf(f, "%2s %u %u %u", magic, &p.width, &p.height, &depth) != 4)
        die(to);
    fgetc(f);
    size_t n = (size_t)p.width * p.height * 3;
    uint8_t *pixels = malloc(n);
    if (fread(pixels, 1, n, f) != n)
        die(to);
    p.crc = (uint32_t)crc32(crc32(0, NULL, 0), pixels, (uInt)n);
    free(pixels);
    fclose(f);
    return p;
}

/* Ours are `width height crc name`; a row (whose reason somebody has to find if they differ), and
 * the picture if it is to be kept. */
static void compare(const char *ours, const char *keep)
{
    struct picture mine, first = {0};
    char name[256], file[600];
    bool same = false;
    if (sscanf(ours, "%u %u %x %255[^\n]", &mine.width, &mine.height, &mine.crc, name) != 4)
        die(ours);
    snprintf(file, sizeof(file), "%s/%s.ppm", keep ? keep : xenstub_dir(x), keep ? name : "p");
    for (unsigned i = 0; i < TRIES && !same; i++) {
        struct picture p = take_picture(file);
        same = p.width == mine.width && p.height == mine.height && p.crc == mine.crc;
        if (!i || same)
            first = p;
        if (!same)
            usleep(100000);
    }
    printf("{\"%s\", %u, %u, 0x%08X, 0x%08X, %s},\n", name, first.width, first.height, first.crc,
           mine.crc, same ? "NULL" : "\"\"");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    char *line = malloc(MAX_LINE);
    if (!f || !line)
        die("usage: vga_peer TRACE [DIRECTORY]");
    while (fgets(line, MAX_LINE, f)) {
        unsigned a, v;
        if (!strncmp(line, "scene ", 6))
            begin_scene(line + 6);
        else if (sscanf(line, "outb %u %u", &a, &v) == 2)
            vcpu_out(x, 0, (uint16_t)a, 1, v);
        else if (sscanf(line, "outw %u %u", &a, &v) == 2)
            vcpu_out(x, 0, (uint16_t)a, 2, v);
        else if (sscanf(line, "inb %u", &a) == 1)
            vcpu_in(x, 0, (uint16_t)a, 1);
        else if (sscanf(line, "read %u", &a) == 1)
            vcpu_read(x, 0, a, 1);
        else if (!strncmp(line, "write ", 6))
            write_line(line + 6, false);
        else if (!strncmp(line, "device ", 7))
            write_line(line + 7, true);
        else if (!strncmp(line, "picture ", 8))
            compare(line + 8, argc > 2 ? argv[2] : NULL);
        else
            die(line);
    }
    end_scene();
    free(line);
    fclose(f);
    return 0;
}
