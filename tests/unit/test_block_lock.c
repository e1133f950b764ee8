/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_lock: image locks among ourselves, and with QEMU's own tools in both directions. */
#include "tests/unit/block_rig.h"

#include <signal.h>
#include <sys/wait.h>

#include "block/lock.h"
#include "block/raw.h"

/* Opens and tries to activate; NULL if refused (rig->err). */
static struct block *try_open(struct block_rig *rig, bool ro)
{
    struct block_config config = rig_config(rig->path, BLOCK_CACHE_WRITEBACK, ro);
    struct block *block = block_open(rig->loop, &config, &rig->err);
    assert_non_null(block);
    if (block_activate(block, &rig->err))
        return block;
    assert_null(strchr(rig->err.text, '\n'));
    assert_non_null(strstr(rig->err.text, rig->path));
    assert_non_null(strstr(rig->err.text, "in use"));
    block_close(block);
    return NULL;
}

static void test_writers_and_readers(void **state)
{
    struct block_rig *rig = *state;
    rig_image(rig, "lock", 65536, true);

    struct block *w = try_open(rig, false);
    assert_non_null(w);
    assert_null(try_open(rig, false));
    assert_null(try_open(rig, true));
    /* `stop` lets another go on with the image; `cont` is then refused. */
    assert_true(block_inactivate(w, &rig->err));
    struct block *w2 = try_open(rig, false);
    assert_non_null(w2);
    assert_false(block_activate(w, &rig->err));
    assert_non_null(strstr(rig->err.text, "writing"));
    block_close(w2);
    assert_true(block_activate(w, &rig->err));
    block_close(w);

    struct block *r1 = try_open(rig, true), *r2 = try_open(rig, true);
    assert_non_null(r1);
    assert_non_null(r2);
    assert_null(try_open(rig, false));
    block_close(r1);
    assert_null(try_open(rig, false));
    block_close(r2);
    w = try_open(rig, false);
    assert_non_null(w);
    block_close(w);
}

/* The bytes themselves: rights used at 100, denied at 200. */
static void test_bytes(void **state)
{
    struct block_rig *rig = *state;
    static const struct {
        off_t byte;
        bool set[2]; /* by a writer, by a reader */
    } want[] = {{100, {true, true}},   {101, {true, false}},  {102, {false, false}},
                {103, {false, false}}, {200, {false, false}}, {201, {true, true}},
                {202, {false, false}}, {203, {true, true}},   {99, {false, false}},
                {104, {false, false}}, {199, {false, false}}, {204, {false, false}}};
    rig_image(rig, "bytes", 65536, true);
    for (int ro = 0; ro < 2; ro++) {
        struct block *block = try_open(rig, ro);
        int fd = open(rig->path, O_RDWR);
        for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
            struct flock lock = {
                .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = want[i].byte, .l_len = 1};
            assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
            assert_int_equal(lock.l_type, want[i].set[ro] ? F_RDLCK : F_UNLCK);
        }
        assert_true(block_inactivate(block, &rig->err));
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
        assert_int_equal(lock.l_type, F_UNLCK);
        close(fd);
        block_close(block);
    }
}

/* An exclusive lock by some other program, and one whose owner can be named. */
static void test_foreign_locks(void **state)
{
    struct block_rig *rig = *state;
    rig_image(rig, "foreign", 65536, true);
    int fd = open(rig->path, O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_null(try_open(rig, false));
    assert_null(try_open(rig, true));
    lock.l_type = F_UNLCK;
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    close(fd);

    int ready[2], quit[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(quit), 0);
    pid_t pid = fork();
    if (pid == 0) {
        fd = open(rig->path, O_RDWR);
        lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 101, .l_len = 1};
        close(quit[1]);
        c = fcntl(fd, F_SETLK, &lock) == 0;
        if (write(ready[1], &c, 1) != 1 || read(quit[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(c, 1);
    assert_null(try_open(rig, false));
    char word[64];
    snprintf(word, sizeof(word), "process %d is writing", (int)pid);
    assert_non_null(strstr(rig->err.text, word));
    close(quit[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < 2; i++)
        close(ready[i]);
    close(quit[0]);
    struct block *block = try_open(rig, false);
    assert_non_null(block);
    block_close(block);
}

/* No locks to be had here: one warning, and we go on. */
static void test_no_locks(void **state)
{
    struct err err;
    (void)state;
    int fd = open("/proc/self/ns/mnt", O_RDONLY | O_PATH);
    assert_true(fd >= 0);
    assert_int_equal(image_lock(fd, IMAGE_RIGHT_READ, IMAGE_RIGHT_WRITE, &err),
                     IMAGE_LOCK_UNAVAILABLE);
    close(fd);
}

#define NEED(tool)                                                                          \
    do {                                                                                    \
        if (system("command -v " tool " >/dev/null 2>&1") != 0) {                           \
            print_message("skip: " tool " (Debian package qemu-utils) is not installed\n"); \
            skip();                                                                         \
        }                                                                                   \
    } while (0)

/* Exit status of `tool path`, its words in `out`. */
static int run(struct block_rig *rig, const char *tool, char *out, size_t len)
{
    char command[1200];
    snprintf(command, sizeof(command), "%s '%s' 2>&1", tool, rig->path);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, len - 1, p);
    out[n] = 0;
    return pclose(p);
}

static void test_qemu_respects_us(void **state)
{
    struct block_rig *rig = *state;
    char out[4096];
    NEED("qemu-io");
    NEED("qemu-img");
    rig_image(rig, "mine", 1 << 20, true);

    struct block *block = try_open(rig, false);
    run(rig, "qemu-io -f raw -c 'write 0 512'", out, sizeof(out));
    assert_non_null(strstr(out, "lock"));
    assert_null(strstr(out, "wrote"));
    assert_int_not_equal(run(rig, "qemu-img resize -f raw", out, sizeof(out)), 0);
    assert_true(block_inactivate(block, &rig->err));
    run(rig, "qemu-io -f raw -c 'write 0 512'", out, sizeof(out));
    assert_non_null(strstr(out, "wrote 512/512"));
    block_close(block);

    block = try_open(rig, true); /* a CD of ours: they may read, not write */
    run(rig, "qemu-io -r -f raw -c 'read 0 512'", out, sizeof(out));
    assert_non_null(strstr(out, "read 512/512"));
    run(rig, "qemu-io -f raw -c 'write 0 512'", out, sizeof(out));
    assert_non_null(strstr(out, "lock"));
    assert_null(strstr(out, "wrote"));
    block_close(block);
}

/* A qemu-io that keeps the image open until `quit` is closed. */
static pid_t hold_with_qemu(struct block_rig *rig, bool ro, int *quit)
{
    int in[2], out[2];
    char buf[256];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        if (ro)
            execlp("qemu-io", "qemu-io", "-r", "-f", "raw", rig->path, (char *)NULL);
        else
            execlp("qemu-io", "qemu-io", "-f", "raw", rig->path, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    /* Its answer shows that it has the image. */
    assert_int_equal(write(in[1], "length\n", 7), 7);
    size_t n = 0;
    while (n < sizeof(buf) - 1 && !memchr(buf, '\n', n)) {
        ssize_t got = read(out[0], buf + n, sizeof(buf) - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    close(out[0]);
    *quit = in[1];
    return pid;
}

static void let_go(pid_t pid, int quit)
{
    int status;
    close(quit);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void test_we_respect_qemu(void **state)
{
    struct block_rig *rig = *state;
    int quit;
    NEED("qemu-io");
    rig_image(rig, "theirs", 1 << 20, true);

    pid_t pid = hold_with_qemu(rig, false, &quit);
    assert_null(try_open(rig, false));
    assert_non_null(strstr(rig->err.text, "is writing it"));
    assert_null(try_open(rig, true));
    let_go(pid, quit);

    pid = hold_with_qemu(rig, true, &quit);
    struct block *block = try_open(rig, true);
    assert_non_null(block);
    block_close(block);
    let_go(pid, quit);

    block = try_open(rig, false);
    assert_non_null(block);
    block_close(block);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers_and_readers), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_foreign_locks),       cmocka_unit_test(test_no_locks),
        cmocka_unit_test(test_qemu_respects_us),    cmocka_unit_test(test_we_respect_qemu),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
