/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_floppy: the floppy controller as the field's tests drive it: through the qtest door, without
 * a reset or a motor first, with media that QMP brings, and no step of the clock but for READ ID.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/qtest/client.h"

#define IMAGE_BYTES (1440 << 10)
#define WAIT_S      10

static char program[512], image[64], other[64];
static struct client c;
static uint8_t results[16];

/* ---- Starting and ending ---- */

static const char *qmp(const char *command, const char *args)
{
    char text[512];
    snprintf(text, sizeof(text), "{\"execute\": \"%s\"%s%s}", command,
             args ? ", \"arguments\": " : "", args ? args : "");
    const char *reply = client_qmp(&c, text);
    while (reply && strstr(reply, "\"event\""))
        reply = client_qmp(&c, "");
    assert_non_null(reply);
    return reply;
}

static void start(const char *words)
{
    int status = 0;
    if (!client_start(&c, program, words, true, &status))
        fail_msg("%s does not start with %s (status %#x)", program, words, (unsigned)status);
    assert_non_null(client_qmp(&c, ""));
    assert_string_equal(qmp("qmp_capabilities", NULL), "{\"return\":{}}\r\n");
    client_value(&c, "irq_intercept_in ioapic");
}

static void end(void)
{
    int status = client_stop(&c, SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void insert(const char *file)
{
    char args[256];
    snprintf(args, sizeof(args), "{\"id\": \"floppy0\", \"filename\": \"%s\", \"format\": \"raw\"}",
             file);
    assert_string_equal(qmp("blockdev-change-medium", args), "{\"return\":{}}\r\n");
}

static void eject(void)
{
    assert_string_equal(qmp("eject", "{\"id\": \"floppy0\"}"), "{\"return\":{}}\r\n");
}

/* ---- A driver's steps ---- */

static uint8_t in(uint16_t port)
{
    return (uint8_t)client_value(&c, "inb 0x%x", port);
}

static void out(uint16_t port, uint8_t value)
{
    client_value(&c, "outb 0x%x 0x%x", port, value);
}

static bool interrupt(void)
{
    in(0); /* what is known has come with a reply */
    return c.level[6];
}

static void send(uint8_t byte)
{
    assert_int_equal(in(0x3F4) & 0xC0, 0x80);
    out(0x3F5, byte);
}

static uint8_t receive(void)
{
    assert_int_equal(in(0x3F4) & 0xC0, 0xC0);
    return in(0x3F5);
}

/* A result of n bytes: the interrupt is up until the last has been read. */
static void receive_all(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_true(interrupt());
        results[i] = receive();
    }
    assert_false(interrupt());
    assert_int_equal(in(0x3F4) & 0xD0, 0x80);
}

static uint8_t sense(uint8_t st0)
{
    assert_true(interrupt());
    send(0x08);
    assert_int_equal(receive(), st0);
    uint8_t cylinder = receive();
    assert_false(interrupt());
    return cylinder;
}

/* SEEK, or with other codes RELATIVE SEEK: done at once. Returns the cylinder. */
static uint8_t seek(uint8_t code, uint8_t head, uint8_t n)
{
    send(code);
    send((uint8_t)(head << 2));
    assert_false(interrupt());
    send(n);
    return sense(0x20);
}

static void change_line(bool up)
{
    for (unsigned i = 0; i < 2; i++) /* reading does not change it */
        assert_int_equal(in(0x3F7) >> 7, up);
}

/* Disks work in the host's time. */
static void wait_msr(uint8_t value)
{
    for (time_t until = time(NULL) + WAIT_S; in(0x3F4) != value && time(NULL) < until;)
        usleep(1000);
    assert_int_equal(in(0x3F4), value);
}

static void transfer(uint8_t code, uint8_t eot)
{
    const uint8_t bytes[9] = {code, 0, 0, 0, 1, 2, eot, 0x1B, 0xFF};
    for (unsigned i = 0; i < sizeof(bytes); i++)
        send(bytes[i]);
}

static void fails_without_a_medium(uint8_t code)
{
    transfer(code, 1);
    wait_msr(0xD0);
    receive_all(7);
    assert_int_equal(results[0], 0x40);
}

static void read_id(uint8_t unit, uint8_t head)
{
    send(0x0A);
    assert_false(interrupt());
    send((uint8_t)(head << 2 | unit));
    if (!interrupt())
        assert_int_equal(in(0x3F4) & 0x90, 0x10);
    for (unsigned i = 0; i < 100 && !interrupt(); i++)
        client_value(&c, "clock_step 20000000");
    receive_all(7);
}

/* A read without DMA of both sides, with no pause anywhere; st0 at its end. */
static void read_bytes(uint8_t eot, uint8_t st0)
{
    out(0x3F2, in(0x3F2) & 0xF7);
    seek(0x0F, 0, 0);
    transfer(0xE6, eot);
    wait_msr(0xF0);
    for (unsigned i = 0; i < 2u * eot * 512; i++) {
        client_send(&c, "inb 0x3f4"); /* two lines on the way at once: half the time */
        client_send(&c, "inb 0x3f5");
        const char *status = client_reply(&c);
        assert_non_null(status);
        assert_int_equal(strtoul(status + 3, NULL, 0) & 0xD0, 0xD0);
        const char *byte = client_reply(&c);
        assert_non_null(byte);
        unsigned sector = i / 512, lba = sector < eot ? sector : 18 + sector - eot;
        assert_int_equal(strtoul(byte + 3, NULL, 0), (eot > 18 ? sector : lba) * 5 % 251);
    }
    receive_all(7);
    assert_int_equal(results[0], st0);
}

/* ---- Cases ---- */

static void empty_at_the_start(void **state)
{
    (void)state;
    start("-machine pc -device floppy,id=floppy0");
    out(0x70, 0x10);
    assert_int_equal(in(0x71), 0x50);
    out(0x70, 0x14);
    assert_int_equal(in(0x71) & 0xC1, 0x01);
    send(0x08); /* nothing to sense */
    assert_int_equal(receive(), 0x80);
    change_line(true);
    assert_int_equal(seek(0x0F, 0, 1), 1);
    change_line(true);
    fails_without_a_medium(0xE6);
    fails_without_a_medium(0x16);
    assert_int_equal(seek(0x0F, 0, 0), 0);
    assert_int_equal(seek(0xCF, 0, 1), 1);
    assert_int_equal(seek(0x8F, 0, 1), 0);
    end();
}

static void media_come_and_go(void **state)
{
    (void)state;
    start("-device floppy,id=floppy0");
    for (unsigned i = 0; i < 2; i++) {
        insert(image);
        change_line(true);
        seek(0x0F, 0, 0);
        change_line(i == 0); /* the second time the head was elsewhere: a step */
        seek(0x0F, 0, 1);
        change_line(false);
        read_id(0, 0);
        assert_int_equal(results[0], 0);
        assert_int_equal(results[3], 1);
        eject();
        change_line(true);
        seek(0x0F, 0, 0);
        change_line(true);
        seek(0x0F, 0, 1);
        change_line(true);
    }
    eject(); /* once more: nothing */
    insert(image);
    insert(image); /* the same again, though it is in use: by us */
    const char *reply = qmp("query-block", NULL);
    assert_non_null(strstr(reply, "\"removable\":true"));
    assert_non_null(strstr(reply, image));
    assert_non_null(strstr(reply, "\"ro\":false"));
    char args[256];
    snprintf(args, sizeof(args),
             "{\"id\": \"floppy0\", \"filename\": \"%s\", \"read-only-mode\": \"read-only\"}",
             image);
    qmp("blockdev-change-medium", args);
    assert_non_null(strstr(qmp("query-block", NULL), "\"ro\":true"));
    send(0x04);
    send(0x00);
    assert_int_equal(receive() & 0x40, 0x40);
    snprintf(args, sizeof(args), "{\"device\": \"floppy0\", \"target\": \"%s\"}", other);
    assert_string_equal(qmp("change", args), "{\"return\":{}}\r\n");
    reply = qmp("blockdev-change-medium", "{\"id\": \"floppy0\", \"filename\": \"/nowhere\"}");
    assert_non_null(strstr(reply, "/nowhere"));
    assert_non_null(strstr(qmp("query-block", NULL), other)); /* what was in stays in */
    end();
}

static void wrong_media_stay_out(void **state)
{
    char args[256];
    (void)state;
    start("-device floppy,id=floppy0,drive-type=144");
    out(0x70, 0x10);
    assert_int_equal(in(0x71), 0x40);
    if (truncate(other, 2880 << 10) < 0)
        abort();
    snprintf(args, sizeof(args), "{\"id\": \"floppy0\", \"filename\": \"%s\"}", other);
    assert_non_null(strstr(qmp("blockdev-change-medium", args), "1.44 MB"));
    if (truncate(other, 720 << 10) < 0)
        abort();
    assert_string_equal(qmp("blockdev-change-medium", args), "{\"return\":{}}\r\n");
    end();
    int status = 0;
    if (truncate(other, 8 << 20) < 0)
        abort();
    snprintf(args, sizeof(args), "-nodefaults -drive if=floppy,format=raw,file=%s", other);
    assert_false(client_start(&c, program, args, false, &status));
    assert_int_equal(WEXITSTATUS(status), 1);
    c.pid = 0;
}

static void read_id_tells_where_the_head_is(void **state)
{
    (void)state;
    start("-machine pc -device floppy,id=floppy0,unit=0 -device floppy,id=floppy1,unit=1");
    read_id(0, 0); /* empty */
    assert_int_equal(results[0], 0x40);
    assert_int_equal(results[1] & 1, 1);
    for (unsigned medium = 0; medium < 2;
         medium++) { /* the motor is off: see docs/devices/fdc.md */
        if (medium)
            insert(image);
        seek(0x0F, 0, 0);
        read_id(0, 0);
        assert_int_equal(results[0], 0);
        assert_int_equal(results[3], 0);
        assert_int_equal(results[4], 0);
        seek(0x0F, 1, 8);
        read_id(0, 1);
        assert_int_equal(results[0], 4);
        assert_int_equal(results[3], 8);
        assert_int_equal(results[4], 1);
    }
    read_id(1, 0); /* the other drive is empty */
    assert_int_equal(results[0], 0x41);
    assert_int_equal(results[1] & 1, 1);
    end();
}

static void reads_without_dma(void **state)
{
    (void)state;
    start("-machine pc -device floppy,id=floppy0");
    insert(image);
    read_bytes(1, 0x04);
    read_bytes(18, 0x04);
    read_bytes(19, 0x20); /* into the next cylinder */
    end();
}

/* By DMA into memory, and what is written is in the file: the same words as an ISA driver says. */
static void reads_and_writes_by_dma(void **state)
{
    char words[256];
    uint8_t now[512];
    (void)state;
    snprintf(words, sizeof(words), "-nodefaults -drive if=floppy,index=0,format=raw,file=%s",
             image);
    start(words);
    for (unsigned write = 0; write < 2; write++) {
        if (write)
            client_value(&c, "write 0x21000 4 0xdeadbeef");
        client_value(&c, "outb 0x0a 6");
        client_value(&c, "outb 0x0c 0");
        client_value(&c, "outb 0x0b 0x%x", write ? 0x4A : 0x46);
        client_value(&c, "outb 0x04 0x00");
        client_value(&c, "outb 0x04 0x10");
        client_value(&c, "outb 0x81 0x02");
        client_value(&c, "outb 0x05 0xff");
        client_value(&c, "outb 0x05 0x01");
        client_value(&c, "outb 0x0a 2");
        transfer(write ? 0xC5 : 0xE6, 18);
        wait_msr(0xD0);
        receive_all(7);
        assert_int_equal(results[0], 0);
        assert_int_equal(results[5], 2);
    }
    end();
    FILE *file = fopen(image, "rb");
    assert_non_null(file);
    assert_int_equal(fread(now, 1, sizeof(now), file), sizeof(now));
    fclose(file);
    assert_memory_equal(now, "\xde\xad\xbe\xef", 4);
}

/* ---- */

/* Each byte of sector n is n * 5 % 251. */
static void make(char *path, size_t len, const char *name)
{
    snprintf(path, len, "/tmp/qtest-%s-XXXXXX", name);
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file)
        abort();
    for (unsigned i = 0; i < IMAGE_BYTES; i++)
        fputc((int)(i / 512 * 5 % 251), file);
    if (fclose(file))
        abort();
}

static int setup(void **state)
{
    (void)state;
    make(image, sizeof(image), "floppy");
    make(other, sizeof(other), "other");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (c.pid)
        client_stop(&c, SIGKILL);
    unlink(image);
    unlink(other);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_at_the_start),   TEST(media_come_and_go),
        TEST(wrong_media_stay_out), TEST(read_id_tells_where_the_head_is),
        TEST(reads_without_dma),    TEST(reads_and_writes_by_dma),
    };
    if (argc > 2 || (argc == 2 && strlen(argv[1]) > 400)) {
        fprintf(stderr, "usage: %s [BUILDDIR]\n", argv[0]);
        return 2;
    }
    snprintf(program, sizeof(program), "%s/tests/hvm-dm-system-i386",
             argc == 2 ? argv[1] : "build");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
