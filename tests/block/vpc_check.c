/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vpc_check: see vpc_check.h. */
#include "tests/block/vpc_check.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t big(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | *p++;
    return value;
}

static bool sum_good(const uint8_t *p, size_t len, size_t at)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        if (i < at || i >= at + 4)
            sum += p[i];
    return ~sum == (uint32_t)big(p + at, 4);
}

static bool wrong(struct vpc_report *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->what, sizeof(r->what), fmt, ap);
    va_end(ap);
    return false;
}

static bool get(int fd, uint64_t at, void *buf, size_t len)
{
    return pread(fd, buf, len, (off_t)at) == (ssize_t)len;
}

static bool footer_good(const uint8_t *f)
{
    return !memcmp(f, "conectix", 8) && sum_good(f, 512, 64);
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct layout {
    uint64_t header, table, entries, block, bitmap, used_end, length;
};

static bool check_header(int fd, const uint8_t *footer, struct layout *l, struct vpc_report *r)
{
    uint8_t h[1024];
    l->header = big(footer + 16, 8);
    if (!get(fd, l->header, h, sizeof(h)) || memcmp(h, "cxsparse", 8))
        return wrong(r, "there is no dynamic header at %llu", (unsigned long long)l->header);
    if (!sum_good(h, 1024, 36))
        return wrong(r, "the header's checksum");
    l->table = big(h + 16, 8);
    l->entries = big(h + 28, 4);
    l->block = big(h + 32, 4);
    if (!l->block || l->block % 512)
        return wrong(r, "blocks of %llu", (unsigned long long)l->block);
    l->bitmap = (l->block / 512 + 4095) / 4096 * 512;
    if (big(footer + 48, 8) > l->entries * l->block)
        return wrong(r, "the table is too small for the disk");
    if (l->table + l->entries * 4 > l->length)
        return wrong(r, "the table is not in the file");
    l->used_end = l->table + (l->entries * 4 + 511) / 512 * 512;
    if (l->used_end < l->header + 1024)
        l->used_end = l->header + 1024;
    return true;
}

static bool check_table(int fd, struct layout *l, struct vpc_report *r)
{
    uint8_t *table = malloc(l->entries * 4 + 1);
    uint64_t *places = malloc((l->entries + 1) * sizeof(*places));
    uint64_t size = l->bitmap + l->block, end = l->used_end;
    bool ok = get(fd, l->table, table, l->entries * 4) || wrong(r, "the table cannot be read");

    for (uint64_t i = 0; ok && i < l->entries; i++)
        if (big(table + i * 4, 4) != 0xFFFFFFFF)
            places[r->blocks++] = big(table + i * 4, 4) * 512;
    qsort(places, r->blocks, sizeof(*places), by_place);
    for (uint32_t i = 0; ok && i < r->blocks; i++) {
        if (places[i] < end)
            ok = wrong(r, "a block at %llu lies over what is before it",
                       (unsigned long long)places[i]);
        else if (places[i] + size > l->length)
            ok = wrong(r, "a block at %llu lies beyond the end (%llu)",
                       (unsigned long long)places[i], (unsigned long long)l->length);
        r->leaked += places[i] - end;
        end = places[i] + size;
    }
    if (ok && end + (r->footer_lost ? 0 : 512) < l->length)
        r->leaked += l->length - end - (r->footer_lost ? 0 : 512);
    free(table);
    free(places);
    return ok;
}

bool vpc_check_fd(int fd, struct vpc_report *r)
{
    struct stat st;
    uint8_t front[512], back[512];
    struct layout l = {0};

    memset(r, 0, sizeof(*r));
    if (fstat(fd, &st) < 0 || st.st_size < 512 || !get(fd, 0, front, 512))
        return wrong(r, "it is too short");
    l.length = (uint64_t)st.st_size;
    bool back_good = get(fd, l.length - 512, back, 512) && footer_good(back);
    if (back_good && big(back + 60, 4) == 2)
        return big(back + 48, 8) + 512 <= l.length || wrong(r, "it is shorter than its disk");
    if (!footer_good(front))
        return wrong(r, "the copy of the footer in front is not good");
    r->footer_lost = !back_good;
    if (back_good && memcmp(front, back, 512))
        return wrong(r, "the footers differ");
    if (back_good && l.length % 512)
        return wrong(r, "its length is odd");
    if (big(front + 60, 4) != 3)
        return wrong(r, "it is neither fixed nor dynamic");
    return check_header(fd, front, &l, r) && check_table(fd, &l, r);
}

bool vpc_check(const char *path, struct vpc_report *r)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return wrong(r, "it cannot be opened");
    bool ok = vpc_check_fd(fd, r);
    close(fd);
    return ok;
}
