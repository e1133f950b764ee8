/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * images: microseconds a request through the block layer, for raw and qcow2 images beside plain
 * x
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "block/block.h"
#include "hw/core/loop.h"

#define MIB    (1024u * 1024)
#define BYTES  (256u * MIB)
#define ROUNDS 9

static struct loop *loop;
static char dir[512] = "build";
static const char *only = "", *only_mode = "";

struct slot {
    struct block_request r;
    struct iovec iov;
    bool busy;
};

static unsigned under_way;

static void done(struct block_request *r, int error)
{
    if (error) {
        fprintf(stderr, "operation %d at %llu: %s\n", r->op, (unsigned long long)r->offset,
                strerror(error));
        exit(1);
    }
    ((struct slot *)r)->busy = false;
    under_way--;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static uint64_t place(bool random, unsigned i, size_t bytes)
{
    uint64_t n = BYTES / bytes;
    uint64_t at = random ? (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) >> 20 : i;
    return at % n * bytes;
}

struct work {
    const char *name;
    enum block_op op;
    size_t bytes;
    unsigned depth;
    bool random;
    unsigned count;
};

static double run(struct block *block, const struct work *w)
{
    static struct slot slots[32];
    static void *memory;

    if (!memory && posix_memalign(&memory, 4096, 32 * MIB))
        exit(1);
    double start = now();
    for (unsigned i = 0; i < w->count || under_way;) {
        while (i < w->count && under_way < w->depth) {
            struct slot *s = slots;
            while (s->busy)
                s++;
            s->iov = (struct iovec){(char *)memory + (size_t)(s - slots) * MIB, w->bytes};
            s->r = (struct block_request){.op = w->op,
                                          .offset = place(w->random, i++, w->bytes),
                                          .bytes = w->bytes,
                                          .iov = &s->iov,
                                          .iovcnt = 1,
                                          .done = done};
            s->busy = true;
            under_way++;
            block_submit(block, &s->r);
        }
        loop_turn(loop, NS_PER_S);
    }
    return (now() - start) / w->count;
}

static double run_plain(int fd, const struct work *w)
{
    static void *memory;

    if (!memory && posix_memalign(&memory, 4096, MIB))
        exit(1);
    double start = now();
    for (unsigned i = 0; i < w->count; i++) {
        uint64_t at = place(w->random, i, w->bytes);
        ssize_t n = w->op == BLOCK_READ ? pread(fd, memory, w->bytes, (off_t)at)
                                        : pwrite(fd, memory, w->bytes, (off_t)at);
        if (n != (ssize_t)w->bytes)
            exit(1);
    }
    return (now() - start) / w->count;
}

/* A line of the shell, in the images' folder. */
static void sh(const char *line)
{
    char command[1024];
    snprintf(command, sizeof(command), "cd '%s' && { %s ; }", dir, line);
    if (system(command)) {
        fprintf(stderr, "failed: %s\n", line);
        exit(1);
    }
}

/* The file's pages into the page cache, one by one: how large its pieces there are makes a small
 * write faster or slower by a multiple, and depends on who wrote the file, and how. */
static void warm(const char *name)
{
    char path[600], page[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDONLY);
    off_t end = lseek(fd, 0, SEEK_END);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    for (off_t at = 0; at < end; at += (off_t)sizeof(page))
        if (pread(fd, page, sizeof(page), at) < 0)
            exit(1);
    close(fd);
}

static struct block *open_image(const char *name, enum block_format format, enum block_cache cache)
{
    char path[600];
    struct err err;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    struct block_config config = {
        .id = "d", .file = path, .fd = -1, .format = format, .cache = cache};
    struct block *block = block_open(loop, &config, &err);
    if (!block || !block_activate(block, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return block;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The fastest round: what else the computer did is in all the others. */
static double best(double *v)
{
    qsort(v, ROUNDS, sizeof(*v), by_size);
    return v[0];
}

enum { PLAIN, RAW, QCOW2, WAYS };

/* Allocated data: the same work on all, in turn. */
static void allocated(enum block_cache cache, const char *mode)
{
    static const struct work works[] = {
        {"read 4k", BLOCK_READ, 4096, 1, false, 20000},
        {"read 4k random", BLOCK_READ, 4096, 1, true, 20000},
        {"read 4k random, 32 at once", BLOCK_READ, 4096, 32, true, 20000},
        {"read 64k", BLOCK_READ, 65536, 1, false, 4000},
        {"read 128k", BLOCK_READ, 131072, 1, false, 2000},
        {"write 4k", BLOCK_WRITE, 4096, 1, false, 8000},
        {"write 4k random", BLOCK_WRITE, 4096, 1, true, 8000},
        {"write 4k random, 32 at once", BLOCK_WRITE, 4096, 32, true, 8000},
        {"write 64k", BLOCK_WRITE, 65536, 1, false, 2000},
        {"write 128k", BLOCK_WRITE, 131072, 1, false, 1000},
    };
    char path[600];

    snprintf(path, sizeof(path), "%s/plain", dir);
    int fd = open(path, O_RDWR | (cache == BLOCK_CACHE_NONE ? O_DIRECT : 0));
    for (size_t w = 0; w < sizeof(works) / sizeof(works[0]); w++) {
        if (!strstr(works[w].name, only) || !strstr(mode, only_mode))
            continue;
        double t[WAYS][ROUNDS];
        struct work work = works[w];
        if (cache == BLOCK_CACHE_NONE)
            work.count /= 8;
        for (unsigned r = 0; r < ROUNDS; r++) {
            struct block *raw = open_image("raw", BLOCK_FORMAT_RAW, cache);
            struct block *qcow2 = open_image("full.qcow2", BLOCK_FORMAT_QCOW2, cache);
            t[PLAIN][r] = run_plain(fd, &work);
            t[RAW][r] = run(raw, &work);
            t[QCOW2][r] = run(qcow2, &work);
            block_close(raw);
            block_close(qcow2);
        }
        double raw = best(t[RAW]), qcow2 = best(t[QCOW2]);
        printf("| %s, %s | %.2f | %.2f | %.2f | %.2f |\n", mode, work.name, best(t[PLAIN]), raw,
               qcow2, qcow2 / raw);
        fflush(stdout);
    }
    close(fd);
}

/* A sparse raw file and fresh qcow2 images, filled. */
static void fresh(enum block_cache cache, const char *mode)
{
    static const struct work works[] = {
        {"fill, write 4k", BLOCK_WRITE, 4096, 1, false, BYTES / 4096 / 8},
        {"fill, write 64k", BLOCK_WRITE, 65536, 1, false, BYTES / 65536},
        {"fill, write 128k, 4 at once", BLOCK_WRITE, 131072, 4, false, BYTES / 131072},
    };
    for (size_t w = 0; w < sizeof(works) / sizeof(works[0]); w++) {
        if (!strstr(works[w].name, only) || !strstr(mode, only_mode))
            continue;
        double t[3][ROUNDS];
        for (unsigned r = 0; r < ROUNDS; r++) {
            sh("rm -f fresh* && truncate -s 256M fresh.raw && "
               "qemu-img create -q -f qcow2 fresh.qcow2 256M && "
               "qemu-img create -q -f qcow2 -F raw -b raw fresh2.qcow2 256M");
            static const char *const names[] = {"fresh.raw", "fresh.qcow2", "fresh2.qcow2"};
            for (unsigned i = 0; i < 3; i++) {
                struct block *b =
                    open_image(names[i], i ? BLOCK_FORMAT_QCOW2 : BLOCK_FORMAT_RAW, cache);
                t[i][r] = run(b, &works[w]);
                block_close(b);
            }
        }
        double raw = best(t[0]), q = best(t[1]), backed = best(t[2]);
        printf("| %s, %s | | %.2f | %.2f | %.2f | (over a backing file %.2f)\n", mode,
               works[w].name, raw, q, q / raw, backed);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct err err;

    if (argc > 1)
        snprintf(dir, sizeof(dir), "%s", argv[1]);
    if (argc > 2)
        only_mode = argv[2];
    if (argc > 3)
        only = argv[3];
    loop = loop_new(&err);
    sh("head -c 256M /dev/zero | tr '\\0' x >plain && cp plain raw && "
       "qemu-img convert -f raw -O qcow2 raw full.qcow2 && sync");
    warm("plain");
    warm("raw");
    warm("full.qcow2");
    printf("| | system call | raw | qcow2 | qcow2 / raw |\n| --- | --- | --- | --- | --- |\n");
    allocated(BLOCK_CACHE_WRITEBACK, "cached");
    fresh(BLOCK_CACHE_WRITEBACK, "cached");
    allocated(BLOCK_CACHE_NONE, "O_DIRECT");
    fresh(BLOCK_CACHE_NONE, "O_DIRECT");
    sh("rm -f plain raw full.qcow2 fresh*");
    return 0;
}
