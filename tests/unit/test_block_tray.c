/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_tray: a CD drive of the host's as an image. The drive is a file, which fstat and ioctl
 * of this program give out as one; where loop devices can be had, one as a device without and with
 * a medium. */
#include "tests/unit/block_rig.h"

#include <linux/cdrom.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "block/raw.h"

#define CD_BYTES (2u << 20)

static struct {
    bool is_one;
    int status;
    bool changed;
    uint64_t bytes;
    unsigned locks, unlocks, ejects, closes, looks;
} drive;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static long answer(unsigned long request, void *arg)
{
    switch (request) {
    case CDROM_DRIVE_STATUS:
        drive.looks++;
        return drive.status;
    case CDROM_MEDIA_CHANGED: {
        bool was = drive.changed;
        drive.changed = false;
        return was;
    }
    case CDROM_LOCKDOOR:
        *((intptr_t)arg ? &drive.locks : &drive.unlocks) += 1;
        return 0;
    case CDROMEJECT:
        drive.ejects++;
        drive.status = CDS_TRAY_OPEN;
        return 0;
    case CDROMCLOSETRAY:
        drive.closes++;
        drive.status = CDS_DISC_OK;
        return 0;
    case BLKGETSIZE64:
        *(uint64_t *)arg = drive.bytes;
        return 0;
    default:
        errno = ENOTTY;
        return -1;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (!drive.is_one)
        return (int)syscall(SYS_ioctl, fd, request, arg);
    pthread_mutex_lock(&mutex);
    long r = answer(request, arg);
    pthread_mutex_unlock(&mutex);
    return (int)r;
}

int fstat(int fd, struct stat *st)
{
    int r = (int)syscall(SYS_newfstatat, fd, "", st, 0x1000 /* AT_EMPTY_PATH */);
    if (!r && drive.is_one && S_ISREG(st->st_mode)) {
        st->st_mode = (st->st_mode & ~(mode_t)S_IFMT) | S_IFBLK;
        st->st_size = 0;
    }
    return r;
}

static unsigned told;

static void resized(void *opaque)
{
    (void)opaque;
    told++;
}

/* Looks, as if a second had gone by since the last time, and waits for what comes of it. */
static void look(struct block_rig *rig, struct block *block)
{
    struct raw *raw = block->image;
    raw->tray->looked = 0;
    block_tray(block, BLOCK_TRAY_LOOK);
    while (raw->tray->busy)
        loop_turn(rig->loop, NS_PER_S);
}

static struct block *open_drive(struct block_rig *rig)
{
    struct block_config config =
        rig_config(rig_image(rig, "cd", CD_BYTES, true), BLOCK_CACHE_WRITEBACK, true);
    config.cd_drive = true;
    drive.is_one = true;
    struct block *block = block_open(rig->loop, &config, &rig->err);
    if (!block)
        fail_msg("%s", rig->err.text);
    assert_true(block_activate(block, &rig->err));
    return block;
}

static void test_drive(void **state)
{
    struct block_rig *rig = *state;
    struct block_watch watch = {.resized = resized};
    uint8_t buf[2048], expected[2048];

    memset(&drive, 0, sizeof(drive));
    drive.status = CDS_NO_DISC;
    struct block *block = open_drive(rig);
    block_watch(block, &watch);
    told = 0;
    assert_int_equal(block_bytes(block), 0);
    assert_int_equal(rig_read(rig, block, 0, buf, sizeof(buf)), EINVAL);
    look(rig, block);
    assert_int_equal(told, 0);

    drive.status = CDS_DISC_OK;
    drive.bytes = CD_BYTES;
    look(rig, block);
    assert_int_equal(told, 1);
    assert_int_equal(block_bytes(block), CD_BYTES);
    assert_int_equal(rig_read(rig, block, 4096, buf, sizeof(buf)), 0);
    rig_fill(expected, 4096, sizeof(expected));
    assert_memory_equal(buf, expected, sizeof(buf));

    unsigned looks = drive.looks;
    block_tray(block, BLOCK_TRAY_LOOK); /* not again within a second */
    loop_turn(rig->loop, 0);
    assert_int_equal(drive.looks, looks);
    drive.changed = true; /* another disc of the same size */
    look(rig, block);
    assert_int_equal(told, 2);

    block_tray(block, BLOCK_TRAY_LOCK);
    look(rig, block);
    assert_int_equal(drive.locks, 1);
    block_tray(block, BLOCK_TRAY_UNLOCK);
    block_tray(block, BLOCK_TRAY_OPEN);
    look(rig, block);
    look(rig, block);
    assert_int_equal(drive.unlocks, 1);
    assert_int_equal(drive.ejects, 1);
    assert_int_equal(told, 3);
    assert_int_equal(block_bytes(block), 0);
    block_tray(block, BLOCK_TRAY_CLOSE);
    look(rig, block);
    look(rig, block);
    assert_int_equal(drive.closes, 1);
    assert_int_equal(told, 4);
    assert_int_equal(block_bytes(block), CD_BYTES);

    /* It is left unlocked, and not while a worker is at it. */
    block_tray(block, BLOCK_TRAY_LOCK);
    block_close(block);
    assert_int_equal(drive.unlocks, 2);
    drive.is_one = false;
}

static void test_others(void **state)
{
    struct block_rig *rig = *state;
    struct block_config config =
        rig_config(rig_image(rig, "iso", CD_BYTES, true), BLOCK_CACHE_WRITEBACK, true);
    config.cd_drive = true;
    struct block *block = block_open(rig->loop, &config, &rig->err);
    assert_non_null(block);
    for (enum block_tray t = 0; t < BLOCK_TRAY_COUNT; t++) {
        block_tray(block, t);
        block_tray(NULL, t);
    }
    assert_int_equal(block_bytes(block), CD_BYTES);
    block_close(block);
    assert_false(block_no_medium(rig->path));
    assert_false(block_no_medium("/nonexistent"));
}

/* A block device as a medium. */
static void test_loop_device(void **state)
{
    struct block_rig *rig = *state;
    char line[900], name[64] = "";
    const char *path = rig_image(rig, "medium", CD_BYTES, true);

    snprintf(line, sizeof(line), "losetup -f 2>/dev/null");
    FILE *p = popen(line, "r");
    if (!p || !fgets(name, sizeof(name), p))
        name[0] = 0;
    if (p)
        pclose(p);
    name[strcspn(name, "\n")] = 0;
    if (!name[0] || access(name, R_OK | W_OK))
        skip();
    assert_true(block_no_medium(name));
    snprintf(line, sizeof(line), "losetup -r %s '%s'", name, path);
    if (system(line))
        skip();
    bool empty = block_no_medium(name);
    struct block_config config = rig_config(name, BLOCK_CACHE_WRITEBACK, true);
    config.cd_drive = true;
    struct block *block = block_open(rig->loop, &config, &rig->err);
    uint64_t bytes = block ? block_bytes(block) : 0;
    block_close(block);
    snprintf(line, sizeof(line), "losetup -d %s", name);
    assert_int_equal(system(line), 0);
    assert_false(empty);
    assert_int_equal(bytes, CD_BYTES);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, block_rig_setup, block_rig_teardown)
    const struct CMUnitTest tests[] = {T(test_drive), T(test_others), T(test_loop_device)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
