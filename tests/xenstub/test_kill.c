/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_kill: the production binary killed (SIGKILL) in the middle of writes, again and again on the
 * same image: what the guest had flushed must be in it, what it had not must be older or newer data
 * of the same place, and qemu-img must find no error in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm.h"
#include "pc.h"
#include "pvdisk.h"

#define DISK    (16u << 20)
#define SECTORS (DISK / 512)
#define RAM_MB  48u
#define BUFFER  UINT64_C(0x1000000)
#define TABLE   UINT64_C(0x90000)
#define GFN     UINT64_C(0x2000) /* the PV disk's rings and data, from here on */
#define WAIT_MS 10000
#define LONGEST 32u /* pages in a write */

/* What each sector was told to hold: the number of the write that did it; 0: never. */
static uint32_t issued[SECTORS], ended[SECTORS], flushed[SECTORS];
static uint32_t last_write;
static char base[] = "/tmp/hvm-dm-kill-XXXXXX";
static unsigned seed = 1;

static unsigned any(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 8) % n;
}

struct killer {
    pthread_t thread;
    pid_t pid;
    unsigned after_us;
};

static void *kill_it(void *opaque)
{
    const struct killer *k = opaque;
    usleep(k->after_us);
    kill(k->pid, SIGKILL);
    return NULL;
}

struct way {
    struct xenstub *x;
    bool pv;
    struct pvdisk disk;
};

static uint64_t buffer_of(const struct way *w)
{
    return w->pv ? (GFN + 100) << 12 : BUFFER;
}

static bool write_sectors(struct way *w, uint32_t first, unsigned pages)
{
    if (w->pv)
        return pvdisk_do(&w->disk, PVDISK_WRITE, first, pages, GFN + 100) == 0;
    return pc_ide_dma(w->x, 0, first, pages * 8, BUFFER, TABLE, true);
}

static bool flush(struct way *w)
{
    if (w->pv)
        return pvdisk_do(&w->disk, PVDISK_FLUSH, 0, 0, 0) == 0;
    vcpu_out(w->x, 0, 0x1F6, 1, 0xE0);
    vcpu_out(w->x, 0, 0x1F7, 1, 0xE7);
    return xenstub_wait_isa(w->x, 14, true, WAIT_MS) && !xenstub_gone(w->x) &&
           !(vcpu_in(w->x, 0, 0x1F7, 1) & 0x81) && !xenstub_gone(w->x);
}

static bool write_some(struct way *w)
{
    unsigned pages = 1 + any(any(3) ? 4 : w->pv ? 11 : LONGEST);
    uint32_t first = any(DISK / 4096 - pages) * 8, id = ++last_write;

    for (uint32_t s = 0; s < pages * 8; s++) {
        uint32_t text[128];
        for (unsigned i = 0; i < 128; i += 2) {
            text[i] = id;
            text[i + 1] = first + s;
        }
        guest_write(w->x, buffer_of(w) + s * 512, text, sizeof(text));
        issued[first + s] = id;
    }
    if (!write_sectors(w, first, pages))
        return false;
    for (uint32_t s = 0; s < pages * 8; s++)
        ended[first + s] = id;
    return true;
}

/* Writes and flushes until it is killed; how much it did. */
static unsigned work(struct way *w, struct killer *k)
{
    unsigned n = 0;
    assert_int_equal(pthread_create(&k->thread, NULL, kill_it, k), 0);
    for (; !xenstub_gone(w->x); n++) {
        if (any(8)) {
            if (!write_some(w))
                break;
        } else {
            if (!flush(w))
                break;
            memcpy(flushed, ended, sizeof(flushed));
        }
    }
    pthread_join(k->thread, NULL);
    xenstub_end(w->x, SIGKILL, WAIT_MS);
    return n;
}

static int shell(const char *format, const char *a, const char *b)
{
    char line[1024];
    snprintf(line, sizeof(line), format, a, b); /* NOLINT(clang-diagnostic-format-nonliteral) */
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The whole disk, compared; what is there now counts as flushed from now on. `cached`: what the
 * page cache has outlives the process, so that no write that has ended may be missing. */
static void compare(const char *raw, bool cached)
{
    FILE *f = fopen(raw, "r");
    assert_non_null(f);
    for (uint32_t s = 0; s < SECTORS; s++) {
        uint32_t text[128] = {0};
        assert_int_equal(fread(text, sizeof(text), 1, f), 1);
        for (unsigned i = 0; i < 128; i += 2)
            if (text[i] != text[0] || text[i + 1] != (text[0] ? s : 0))
                fail_msg("sector %u: a mixture", s);
        uint32_t least = cached ? ended[s] : flushed[s];
        if (text[0] < least || text[0] > issued[s])
            fail_msg("sector %u: has write %u, flushed %u, ended %u, issued %u", s, text[0],
                     flushed[s], ended[s], issued[s]);
        issued[s] = ended[s] = flushed[s] = text[0];
    }
    fclose(f);
}

/* One life on the image. */
static void live_and_die(const char *image, const char *format, const char *cache, bool pv)
{
    struct xenstub_config config = {.domid = 9, .vcpus = 1, .ram_bytes = (uint64_t)RAM_MB << 20};
    struct way w = {.x = xenstub_new(&config), .pv = pv};
    struct dm dm;
    char raw[256], params[256];

    assert_non_null(w.x);
    assert_true(dm_init(&dm, DM_OURS, w.x, RAM_MB));
    snprintf(dm.drive_arg, sizeof(dm.drive_arg),
             "file=%.120s,if=ide,index=0,media=disk,format=%s,cache=%s", image, format, cache);
    if (!dm_start(&dm, w.x, WAIT_MS))
        fail_msg("does not start");
    pc_setup(w.x, PC_DEVFN(DM_VGA_SLOT, 0));
    if (pv) {
        struct pvdisk_options options = {.first_gfn = GFN};
        snprintf(params, sizeof(params), "%s:%s", strcmp(format, "raw") ? format : "aio", image);
        pvdisk_describe(&w.disk, w.x, 51712, "hda", params, false, true);
        vcpu_out(w.x, 0, 0x10, 2, 1); /* unplug */
        assert_true(pvdisk_connect(&w.disk, &options, WAIT_MS));
    }
    struct killer k = {.pid = xenstub_pid(w.x), .after_us = 20000 + any(180000)};
    unsigned n = work(&w, &k);
    print_message("%s, %s, %s: %u requests\n", format, cache, pv ? "PV" : "IDE", n);
    xenstub_free(w.x);
    /* The back-end process goes with it, soon. */
    snprintf(raw, sizeof(raw), "%s/raw", base);
    if (strcmp(format, "raw")) {
        for (unsigned i = 0; pv && i < 100; i++) { /* it holds the image's lock as long */
            if (!shell("qemu-img info '%s' >/dev/null 2>'%s.log'", image, image))
                break;
            usleep(10000);
        }
        int check = shell("qemu-img check -q -f qcow2 '%s' >'%s.log' 2>&1", image, image);
        if (check && check != 3) { /* 3: only leaks */
            shell("cat '%s.log'%s", image, "");
            fail_msg("qemu-img check: %d", check);
        }
        assert_int_equal(shell("qemu-img convert -f qcow2 -O raw '%s' '%s'", image, raw), 0);
        compare(raw, false);
    } else {
        usleep(pv ? 100000 : 0);
        compare(image, true);
    }
}

static void lives(const char *format, const char *create, const char *cache, bool pv,
                  unsigned count)
{
    char image[200];
    if (system("qemu-img --version >/dev/null 2>&1")) {
        print_message("skip: no qemu-img\n");
        skip();
    }
    memset(issued, 0, sizeof(issued));
    memset(ended, 0, sizeof(ended));
    memset(flushed, 0, sizeof(flushed));
    snprintf(image, sizeof(image), "%s/image", base);
    assert_int_equal(shell(create, image, ""), 0);
    for (unsigned i = 0; i < count; i++)
        live_and_die(image, format, cache, pv);
    unlink(image);
}

#define QCOW2 "qemu-img create -q -f qcow2 "

static void raw_cached(void **state)
{
    (void)state;
    lives("raw", "truncate -s 16M '%s'%s", "writeback", false, 2);
}

static void qcow2_cached(void **state)
{
    (void)state;
    lives("qcow2", QCOW2 "'%s' 16M%s", "writeback", false, 3);
}

static void qcow2_direct(void **state)
{
    (void)state;
    lives("qcow2", QCOW2 "-o cluster_size=4k '%s' 16M%s", "none", false, 2);
}

static void qcow2_pv(void **state)
{
    (void)state;
    lives("qcow2", QCOW2 "'%s' 16M%s", "writeback", true, 2);
}

static void raw_pv(void **state)
{
    (void)state;
    lives("raw", "truncate -s 16M '%s'%s", "writeback", true, 1);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(base) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return shell("rm -rf '%s'%s", base, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_cached),   cmocka_unit_test(qcow2_cached),
        cmocka_unit_test(qcow2_direct), cmocka_unit_test(qcow2_pv),
        cmocka_unit_test(raw_pv),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
