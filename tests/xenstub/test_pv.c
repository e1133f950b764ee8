/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pv: PV disks of the production binary, with its processes and filters as they are, through
 * grants, event channels and xenstore of the stand-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm.h"
#include "pc.h"
#include "pvdisk.h"

#define IMAGE_BYTES (8u << 20)
#define RAM_MB      UINT64_C(48)
#define BUFFERS     UINT64_C(0x1000) /* guest page of rings and data: at 16 MiB */
#define DATA        (BUFFERS + 100)
#define WAIT_MS     10000
#define HDA         51712 /* xvda: the disk that is emulated as well */
#define EXTRA       51792 /* xvdf */

struct machine {
    struct xenstub *x;
    struct dm dm;
    char other[160]; /* a second image */
    char params[200];
};

static int setup(void **state)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct xenstub_config config = {.domid = 7, .vcpus = 2, .ram_bytes = RAM_MB << 20};
    m->x = xenstub_new(&config);
    *state = m;
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, IMAGE_BYTES) ||
        !dm_start(&m->dm, m->x, WAIT_MS))
        return -1;
    pc_setup(m->x, PC_DEVFN(DM_VGA_SLOT, 0));
    snprintf(m->other, sizeof(m->other), "%s/other", xenstub_dir(m->x));
    char own[sizeof(m->dm.image)];
    memcpy(own, m->dm.image, sizeof(own));
    snprintf(m->dm.image, sizeof(m->dm.image), "%.120s", m->other);
    bool made = dm_make_image(&m->dm, IMAGE_BYTES);
    memcpy(m->dm.image, own, sizeof(own));
    snprintf(m->params, sizeof(m->params), "aio:%s", m->other);
    return made ? 0 : -1;
}

/* SIGHUP, as libxl ends it. */
static int teardown(void **state)
{
    struct machine *m = *state;
    int status = xenstub_gone(m->x) ? 0 : xenstub_end(m->x, SIGHUP, WAIT_MS);
    if (status)
        dm_show_log(m->x);
    xenstub_free(m->x);
    free(m);
    return status;
}

static void expect_pages(struct machine *m, uint64_t gfn, uint64_t sector, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        const uint8_t *page = guest_page(m->x, gfn + i);
        for (unsigned k = 0; k < 4096; k++)
            assert_int_equal(page[k], dm_pattern(sector * 512 + i * 4096u + k));
    }
}

static void expect_image(const char *path, uint64_t offset, int byte, size_t len)
{
    uint8_t *got = malloc(len);
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, got, len, (off_t)offset), len);
    close(fd);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(got[i], byte);
    free(got);
}

static void connected(struct machine *m, struct pvdisk *d, const struct pvdisk_options *options)
{
    if (!pvdisk_connect(d, options, WAIT_MS)) {
        dm_show_log(m->x);
        char *s = pvdisk_back(d, "state");
        fail_msg("not connected: back-end state %s, %u grants", s, d->queue[0].ring_ref[0]);
    }
}

/* xl block-attach, all kinds of requests, xl block-detach. */
static void hot_add_and_remove(void **state)
{
    struct machine *m = *state;
    struct pvdisk d;
    struct pvdisk_options options = {.first_gfn = BUFFERS};
    pvdisk_describe(&d, m->x, EXTRA, "xvdf", m->params, false, true);
    connected(m, &d, &options);
    char *sectors = pvdisk_back(&d, "sectors");
    assert_int_equal(atoi(sectors), IMAGE_BYTES / 512);
    free(sectors);

    assert_int_equal(pvdisk_do(&d, PVDISK_READ, 40, 11, DATA), 0);
    expect_pages(m, DATA, 40, 11);
    guest_fill(m->x, DATA << 12, 0x5A, 3 * 4096);
    assert_int_equal(pvdisk_do(&d, PVDISK_WRITE, 800, 3, DATA), 0);
    assert_int_equal(pvdisk_do(&d, PVDISK_FLUSH, 0, 0, 0), 0);
    expect_image(m->other, 800 * 512, 0x5A, 3 * 4096);
    assert_int_equal(pvdisk_do(&d, PVDISK_DISCARD, 1600, 16, 0), 0);
    expect_image(m->other, 1600 * 512, 0, 16 * 4096);
    assert_int_equal(pvdisk_do(&d, PVDISK_READ, IMAGE_BYTES / 512 - 7, 1, DATA), -1);
    assert_int_equal(pvdisk_do(&d, PVDISK_WRITE, UINT64_MAX - 3, 1, DATA), -1);

    pvdisk_put_indirect(&d, 0, PVDISK_READ, 9, 0, 200, DATA, DATA + 300);
    pvdisk_kick(&d, 0);
    uint64_t id = 0;
    int status = 99;
    assert_true(pvdisk_next(&d, 0, &id, &status, WAIT_MS));
    assert_int_equal(id, 9);
    assert_int_equal(status, 0);
    expect_pages(m, DATA, 0, 100);

    xenstub_xs_write(m->x, "/local/domain/0/backend/qdisk/7/51792/online", "0");
    xenstub_xs_write(m->x, "/local/domain/0/backend/qdisk/7/51792/state", "5");
    assert_true(pvdisk_close(&d, WAIT_MS));
    xenstub_xs_remove(m->x, "/local/domain/0/backend/qdisk/7/51792");
}

/* Many at once over four queues of sixteen pages, the grants kept: mapped once, none is copied. */
static void many_with_kept_grants(void **state)
{
    struct machine *m = *state;
    struct pvdisk d;
    struct pvdisk_options options = {
        .first_gfn = BUFFERS, .order = 4, .queues = 4, .persistent = true};
    pvdisk_describe(&d, m->x, EXTRA, "xvdf", m->params, false, true);
    connected(m, &d, &options);
    uint64_t copies = xenstub_shm(m->x)->counts.grant_copies;
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 400; i++)
            pvdisk_put(&d, i % 4, PVDISK_READ, i, i * 8, 1, DATA + i);
        for (unsigned q = 0; q < 4; q++)
            pvdisk_kick(&d, q);
        for (unsigned i = 0; i < 400; i++) {
            uint64_t id;
            int status;
            assert_true(pvdisk_next(&d, i % 4, &id, &status, WAIT_MS));
            assert_int_equal(status, 0);
        }
        expect_pages(m, DATA, 0, 400);
    }
    assert_int_equal(xenstub_shm(m->x)->counts.grant_copies, copies);
    assert_true(pvdisk_close(&d, WAIT_MS));
}

/* The guest's drivers take over: what IDE has written is there, and IDE has no disk any more. */
static void unplug_hands_the_image_over(void **state)
{
    struct machine *m = *state;
    struct pvdisk d;
    char params[200];
    struct pvdisk_options options = {.first_gfn = BUFFERS};
    snprintf(params, sizeof(params), "aio:%s", m->dm.image);
    pvdisk_describe(&d, m->x, HDA, "hda", params, false, true);
    assert_int_equal(vcpu_in(m->x, 0, 0x10, 2), 0x49D2);

    guest_fill(m->x, 0x100000, 0xA5, 65536);
    assert_true(pc_ide_dma(m->x, 0, 256, 128, 0x100000, 0x90000, true));
    /* Too early: the machine has it. */
    assert_true(pvdisk_ask(&d, &options, WAIT_MS));
    assert_false(pvdisk_wait_back(&d, "4", 300));
    vcpu_out(m->x, 0, 0x10, 2, 1);
    assert_int_equal(vcpu_in(m->x, 0, 0x1F7, 1), 0);
    assert_true(pvdisk_wait_back(&d, "4", WAIT_MS));
    assert_int_equal(pvdisk_do(&d, PVDISK_READ, 256, 8, DATA), 0);
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *page = guest_page(m->x, DATA + i);
        for (unsigned k = 0; k < 4096; k++)
            assert_int_equal(page[k], 0xA5);
    }
    assert_int_equal(pvdisk_do(&d, PVDISK_WRITE, 0, 1, DATA), 0);
    expect_image(m->dm.image, 0, 0xA5, 4096);
    assert_true(pvdisk_close(&d, WAIT_MS));
    /* A kernel that starts again (kexec) finds the disk again. */
    connected(m, &d, &options);
    assert_int_equal(pvdisk_do(&d, PVDISK_READ, 1024, 1, DATA), 0);
    expect_pages(m, DATA, 1024, 1);
    /* It grows under the driver. */
    assert_int_equal(pvdisk_do(&d, PVDISK_WRITE, IMAGE_BYTES / 512, 1, DATA), -1);
    int fd = dm_qmp(&m->dm);
    char answer[4096];
    assert_true(dm_ask(fd,
                       "{\"execute\":\"block_resize\",\"arguments\":{\"device\":"
                       "\"ide0-hd0\",\"size\":16777216}}",
                       answer, sizeof(answer)));
    assert_non_null(strstr(answer, "return"));
    char *sectors = pvdisk_back(&d, "sectors");
    assert_string_equal(sectors, "32768");
    free(sectors);
    assert_int_equal(pvdisk_do(&d, PVDISK_WRITE, IMAGE_BYTES / 512, 1, DATA), 0);
    assert_true(dm_ask(fd,
                       "{\"execute\":\"block_resize\",\"arguments\":{\"device\":"
                       "\"xvdf\",\"size\":16777216}}",
                       answer, sizeof(answer)));
    assert_non_null(strstr(answer, "there is no PV disk xvdf"));
    close(fd);
    assert_true(pvdisk_close(&d, WAIT_MS));
}

/* A front-end that lies about its ring is cut off; the machine and the next one go on. */
static void a_broken_ring_is_cut_off(void **state)
{
    struct machine *m = *state;
    struct pvdisk d;
    struct pvdisk_options options = {.first_gfn = BUFFERS};
    pvdisk_describe(&d, m->x, EXTRA, "xvdf", m->params, false, true);
    connected(m, &d, &options);
    d.queue[0].produced = 0x12345;
    pvdisk_kick(&d, 0);
    front_notify(m->x, d.queue[0].channel);
    assert_true(pvdisk_wait_back(&d, "5", WAIT_MS));
    assert_true(pvdisk_close(&d, WAIT_MS));
    connected(m, &d, &options);
    assert_int_equal(pvdisk_do(&d, PVDISK_READ, 8, 2, DATA), 0);
    expect_pages(m, DATA, 8, 2);
    assert_true(pvdisk_close(&d, WAIT_MS));
    assert_true(pc_ide_read_pio(m->x, 0, 10, 1, 0x100000));
}

/* The device model ends while requests are under way: what was answered is in the image. */
static void ends_with_requests_under_way(void **state)
{
    struct machine *m = *state;
    struct pvdisk d;
    struct pvdisk_options options = {.first_gfn = BUFFERS, .persistent = true};
    pvdisk_describe(&d, m->x, EXTRA, "xvdf", m->params, false, true);
    connected(m, &d, &options);
    guest_fill(m->x, DATA << 12, 0x77, 32 * 4096);
    for (unsigned i = 0; i < 32; i++)
        pvdisk_put(&d, 0, PVDISK_WRITE, i, i * 8, 1, DATA + i);
    pvdisk_kick(&d, 0);
    uint64_t id;
    int status;
    assert_true(pvdisk_next(&d, 0, &id, &status, WAIT_MS));
    assert_int_equal(xenstub_end(m->x, SIGHUP, WAIT_MS), 0);
    expect_image(m->other, id * 4096, 0x77, 4096);
    free(d.refs);
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(hot_add_and_remove),           RIG(many_with_kept_grants),
        RIG(unplug_hands_the_image_over),  RIG(a_broken_ring_is_cut_off),
        RIG(ends_with_requests_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
