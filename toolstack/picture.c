/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture: see picture.h. PNG needs of zlib no more than its stream, so libpng, which would bring
 * libm into every process, is left out.
 */
#include "toolstack/picture.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ui/display.h"

/* Fast rather than small: the guest waits. */
#define COMPRESSION 1

static bool write_all(int fd, const void *buf, size_t len)
{
    const uint8_t *at = buf;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void rgb_line(const struct surface *s, int y, uint8_t *out)
{
    const uint32_t *in = s->pixels + (size_t)y * (size_t)s->width;
    for (int x = 0; x < s->width; x++, out += 3) {
        out[0] = (uint8_t)(in[x] >> 16);
        out[1] = (uint8_t)(in[x] >> 8);
        out[2] = (uint8_t)in[x];
    }
}

static bool failed(struct err *err)
{
    return err_set(err, "the picture cannot be written: %s", strerror(errno));
}

bool picture_ppm(int fd, const struct surface *s, struct err *err)
{
    char head[64];
    size_t width = (size_t)s->width * 3;
    uint8_t *lines = malloc(width * (size_t)s->height);
    if (!lines)
        return err_set(err, "out of memory");
    for (int y = 0; y < s->height; y++)
        rgb_line(s, y, lines + (size_t)y * width);
    snprintf(head, sizeof(head), "P6\n%d %d\n255\n", s->width, s->height);
    bool ok = write_all(fd, head, strlen(head)) && write_all(fd, lines, width * (size_t)s->height);
    free(lines);
    return ok || failed(err);
}

/* One chunk: length, type, data, CRC-32 of the last two (PNG specification, 5.3). */
static bool chunk(int fd, const char *type, const uint8_t *data, uint32_t len)
{
    uint8_t head[8], tail[4];
    uLong crc = crc32(crc32(0, (const uint8_t *)type, 4), data, len);
    put32(head, len);
    memcpy(head + 4, type, 4);
    put32(tail, (uint32_t)crc);
    return write_all(fd, head, sizeof(head)) && write_all(fd, data, len) &&
           write_all(fd, tail, sizeof(tail));
}

/* All lines as one zlib stream, each behind its filter type 0 (10.1, 9.2). *out is to be freed. */
static bool compress_lines(const struct surface *s, uint8_t **out, uint32_t *len)
{
    size_t width = 1 + (size_t)s->width * 3, total = width * (size_t)s->height;
    uLongf packed = compressBound(total);
    uint8_t *lines = malloc(total);
    *out = malloc(packed);
    bool ok = lines && *out && packed <= INT32_MAX;
    for (int y = 0; ok && y < s->height; y++) {
        lines[(size_t)y * width] = 0;
        rgb_line(s, y, lines + (size_t)y * width + 1);
    }
    ok = ok && compress2(*out, &packed, lines, total, COMPRESSION) == Z_OK;
    *len = (uint32_t)packed;
    free(lines);
    return ok;
}

bool picture_png(int fd, const struct surface *s, struct err *err)
{
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    uint8_t header[13] = {[8] = 8 /* bits */, [9] = 2 /* truecolour */};
    uint8_t *data = NULL;
    uint32_t len = 0;
    put32(header, (uint32_t)s->width);
    put32(header + 4, (uint32_t)s->height);
    if (!compress_lines(s, &data, &len)) {
        free(data);
        return err_set(err, "out of memory");
    }
    bool ok = write_all(fd, signature, sizeof(signature)) &&
              chunk(fd, "IHDR", header, sizeof(header)) && chunk(fd, "IDAT", data, len) &&
              chunk(fd, "IEND", data, 0);
    free(data);
    return ok || failed(err);
}
