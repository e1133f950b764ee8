/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the qtest door itself, spoken to as the field's device tests do: each starts the
 * program, works a device, and sees it end with status 0. */
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/qtest/client.h"

#define SECTOR     512u
#define DISK_BYTES (4 << 20)
#define SECOND     1000000000ull
#define BMDMA      0xE000u
#define PRDT       0x100000u
#define BUFFER     0x200000u

static char program[512], disk[64], cd[64];
static struct client c;

/* ---- Starting and ending ---- */

static void start(const char *words)
{
    int status = 0;
    if (!client_start(&c, program, words, true, &status))
        fail_msg("%s does not start with %s (status %#x)", program, words, (unsigned)status);
}

static void end(void)
{
    int status = client_stop(&c, SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void start_disk(void)
{
    char words[256];
    snprintf(words, sizeof(words),
             "-nodefaults -drive file=%s,if=none,id=hd0,format=raw,cache=writeback -device "
             "ide-hd,drive=hd0,bus=ide.0,unit=0 -global ide-hd.serial=QTEST -global "
             "ide-hd.ver=testver",
             disk);
    start(words);
}

static void refuses(const char *words, const char *why)
{
    int status = 0;
    if (client_start(&c, program, words, false, &status)) {
        client_stop(&c, SIGTERM);
        fail_msg("%s: is accepted", words);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
        fail_msg("%s: %s, but ends with %#x", words, why, (unsigned)status);
}

/* ---- Configuration space as libqos does it: the byte offset in CF8, data at CFC ---- */

static uint32_t config_address(unsigned devfn, unsigned reg)
{
    return 0x80000000u | devfn << 8 | reg;
}

static uint64_t config_read(unsigned devfn, unsigned reg, char width)
{
    client_value(&c, "outl 0xcf8 0x%x", config_address(devfn, reg));
    return client_value(&c, "in%c 0xcfc", width);
}

static void config_write(unsigned devfn, unsigned reg, char width, uint32_t value)
{
    client_value(&c, "outl 0xcf8 0x%x", config_address(devfn, reg));
    client_value(&c, "out%c 0xcfc 0x%x", width, value);
}

/* ---- IDE ---- */

static void wait_status(uint8_t mask, uint8_t value)
{
    for (unsigned i = 0; i < 1000000; i++)
        if ((client_value(&c, "inb 0x3f6") & mask) == value)
            return;
    fail_msg("the disk's status never is %02x & %02x", value, mask);
}

static void command(uint8_t opcode, uint32_t lba, uint8_t sectors)
{
    client_value(&c, "outb 0x1f6 0x%x", 0xE0 | (lba >> 24 & 15));
    client_value(&c, "outb 0x1f2 %u", sectors);
    client_value(&c, "outb 0x1f3 %u", lba & 0xFF);
    client_value(&c, "outb 0x1f4 %u", lba >> 8 & 0xFF);
    client_value(&c, "outb 0x1f5 %u", lba >> 16 & 0xFF);
    client_value(&c, "outb 0x1f7 0x%x", opcode);
}

static void identify_has_what_was_said(void **state)
{
    (void)state;
    start_disk();
    client_value(&c, "irq_intercept_in ioapic");
    client_value(&c, "outb 0x3f6 0");
    command(0xEC, 0, 0);
    wait_status(0x88, 0x08);
    uint16_t id[256];
    for (unsigned i = 0; i < 256; i++)
        id[i] = (uint16_t)client_value(&c, "inw 0x1f0");
    char serial[21] = {0}, version[9] = {0};
    for (unsigned i = 0; i < 10; i++) {
        serial[2 * i] = (char)(id[10 + i] >> 8);
        serial[2 * i + 1] = (char)id[10 + i];
    }
    for (unsigned i = 0; i < 4; i++) {
        version[2 * i] = (char)(id[23 + i] >> 8);
        version[2 * i + 1] = (char)id[23 + i];
    }
    assert_memory_equal(serial, "QTEST               ", 20);
    assert_memory_equal(version, "testver ", 8);
    assert_int_equal(id[60] | (uint32_t)id[61] << 16, DISK_BYTES / SECTOR);
    end();
}

static void irq_14_rises_before_the_reply_and_falls_with_the_status(void **state)
{
    (void)state;
    start_disk();
    client_value(&c, "irq_intercept_in /machine/unattached/ioapic");
    client_value(&c, "outb 0x3f6 0");
    client_clear_irqs(&c);
    command(0xEC, 0, 0);
    wait_status(0x88, 0x08);
    assert_string_equal(c.irq_log, "raise 14;"); /* known already with the status that shows it */
    assert_true(c.level[14]);
    assert_string_equal(client_ask(&c, "inb 0x3f6"), "OK 0x0058"); /* alternate: no effect */
    assert_true(c.level[14]);
    assert_string_equal(client_ask(&c, "inb 0x1f7"), "OK 0x0058");
    assert_string_equal(c.irq_log, "raise 14;lower 14;");
    end();
}

static void find_bus_master(void)
{
    bool found = false;
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        uint64_t vendor = config_read(devfn, 0, 'w');
        if (vendor == 0xFFFF)
            continue;
        if (devfn == 0x09) {
            found = true;
            assert_int_equal(vendor, 0x8086);
            assert_int_equal(config_read(devfn, 2, 'w'), 0x7010);
            assert_int_equal(config_read(devfn, 0, 'l'), 0x70108086);
        }
    }
    assert_true(found);
    config_write(0x09, 0x20, 'l', BMDMA);
    config_write(0x09, 0x04, 'w', 5);
    assert_int_equal(config_read(0x09, 0x20, 'l'), BMDMA | 1);
}

/* One DMA command; gives the bus master's status. */
static uint8_t dma(bool to_memory, uint32_t lba, unsigned sectors)
{
    client_value(&c, "writel 0x%x 0x%x", PRDT, BUFFER);
    client_value(&c, "writel 0x%x 0x%x", PRDT + 4, 0x80000000u | sectors * SECTOR);
    client_value(&c, "outb 0x%x 0", BMDMA);
    client_value(&c, "outb 0x%x 0x06", BMDMA + 2); /* interrupt and error are cleared by ones */
    client_value(&c, "outl 0x%x 0x%x", BMDMA + 4, PRDT);
    client_value(&c, "outb 0x%x 0x%x", BMDMA, to_memory ? 8 : 0);
    command(to_memory ? 0xC8 : 0xCA, lba, (uint8_t)sectors);
    client_value(&c, "outb 0x%x 0x%x", BMDMA, to_memory ? 9 : 1);
    uint8_t status;
    do
        status = (uint8_t)client_value(&c, "inb 0x%x", BMDMA + 2);
    while ((status & 5) == 1);
    client_value(&c, "inb 0x0"); /* the field's way to hear of interrupts; we have heard already */
    assert_int_equal(c.level[14], (status & 4) != 0);
    client_value(&c, "inb 0x1f7");
    assert_false(c.level[14]);
    client_value(&c, "outb 0x%x 0", BMDMA);
    return status;
}

static void bus_master_writes_and_reads(void **state)
{
    (void)state;
    start_disk();
    client_value(&c, "irq_intercept_in ioapic");
    client_value(&c, "outb 0x3f6 0");
    find_bus_master();
    client_value(&c, "memset 0x%x %u 0x55", BUFFER, 2 * SECTOR);
    assert_int_equal(dma(false, 3, 2), 4);
    client_value(&c, "memset 0x%x %u 0xaa", BUFFER, 2 * SECTOR);
    assert_int_equal(dma(true, 3, 2), 4);
    char expected[] = "OK 0x55555555555555555555555555555555";
    assert_string_equal(client_ask(&c, "read 0x%x 16", BUFFER), expected);
    assert_string_equal(client_ask(&c, "read 0x%x 16", BUFFER + 2 * SECTOR - 16), expected);
    /* The BAR moves, as libqos has it before each request. */
    config_write(0x09, 0x20, 'l', 0xC000);
    assert_int_equal(client_value(&c, "inb 0x%x", BMDMA + 2), 0xFF);
    assert_int_not_equal(client_value(&c, "inb 0xc002"), 0xFF);
    end();
    /* It is on the image. */
    FILE *f = fopen(disk, "re");
    assert_non_null(f);
    uint8_t sector[SECTOR];
    assert_int_equal(fseek(f, 3 * SECTOR, SEEK_SET), 0);
    assert_int_equal(fread(sector, 1, SECTOR, f), SECTOR);
    assert_int_equal(sector[0], 0x55);
    fclose(f);
}

static void dma_takes_no_time(void **state)
{
    (void)state;
    start_disk();
    client_value(&c, "outb 0x3f6 0");
    find_bus_master();
    client_value(&c, "irq_intercept_in ioapic");
    assert_int_equal(dma(true, 0, 1), 4);
    assert_int_equal(client_value(&c, "clock_step 0"), 0);
    end();
}

/* ---- Words ---- */

static void memory_in_every_form(void **state)
{
    (void)state;
    start("-nodefaults -m 32M");
    assert_string_equal(client_ask(&c, "writeq 0x1000 0x1122334455667788"), "OK");
    assert_string_equal(client_ask(&c, "readq 0x1000"), "OK 0x1122334455667788");
    assert_string_equal(client_ask(&c, "readl 0x1000"), "OK 0x0000000055667788");
    assert_string_equal(client_ask(&c, "readw 0x1001"), "OK 0x0000000000006677");
    assert_string_equal(client_ask(&c, "readb 0x1007"), "OK 0x0000000000000011");
    client_value(&c, "writeb 0x1000 0xAB");
    client_value(&c, "writew 0x1001 0xcdef");
    client_value(&c, "writel 0x1004 0x1");
    assert_string_equal(client_ask(&c, "read 0x1000 8"), "OK 0xabefcd5501000000");
    assert_string_equal(client_ask(&c, "write 4096 4 0xDEadBEef"), "OK");
    assert_string_equal(client_ask(&c, "read 0x1000 4"), "OK 0xdeadbeef");
    assert_string_equal(client_ask(&c, "memset 0x2000 5 0x61"), "OK");
    assert_string_equal(client_ask(&c, "b64read 0x2000 5"), "OK YWFhYWE=");
    assert_string_equal(client_ask(&c, "b64read 0x2000 4"), "OK YWFhYQ==");
    assert_string_equal(client_ask(&c, "b64write 0x2000 3 eHl6"), "OK");
    assert_string_equal(client_ask(&c, "read 0x2000 5"), "OK 0x78797a6161");
    assert_true(!strncmp(client_ask(&c, "b64write 0x2000 9 eHl6"), "FAIL", 4));
    /* Beyond RAM there is nobody; its last page is there. */
    client_value(&c, "writel 0x1fffffc 0x12345678");
    assert_string_equal(client_ask(&c, "read 0x1fffffc 8"), "OK 0x78563412ffffffff");
    end();
}

static void a_long_write_is_one_line(void **state)
{
    (void)state;
    start("-nodefaults");
    const size_t len = 65536;
    char *line = malloc(2 * len + 64), *p = line + sprintf(line, "write 0x300000 %zu 0x", len);
    for (size_t i = 0; i < len; i++)
        p += sprintf(p, "%02x", (unsigned)(i * 7 & 0xFF));
    client_send(&c, line);
    assert_string_equal(client_reply(&c), "OK");
    assert_int_equal(client_value(&c, "readb 0x30ffff"), 65535 * 7 & 0xFF);
    free(line);
    end();
}

static void wide_accesses_reach_byte_registers(void **state)
{
    (void)state;
    start("-nodefaults -serial null");
    client_value(&c, "outw 0x70 0x%x", 0x5A << 8 | 0x20); /* index, then data */
    client_value(&c, "outb 0x70 0x20");
    assert_int_equal(client_value(&c, "inb 0x71"), 0x5A);
    client_value(&c, "outb 0x3fb 3");
    client_value(&c, "outb 0x3ff 0x77");
    assert_int_equal(client_value(&c, "inl 0x3fc") >> 24, 0x77);
    /* String accesses, as Xen hands them over. */
    assert_string_equal(client_ask(&c, "insb 0x3ff 3"), "OK 0x777777");
    client_value(&c, "outsb 0x3ff 2 0x1234");
    assert_int_equal(client_value(&c, "inb 0x3ff"), 0x34);
    end();
}

static void what_is_wrong_fails_and_hurts_nothing(void **state)
{
    static const char *const lines[] = {"",
                                        "nonsense",
                                        "inb",
                                        "inb 0x10000",
                                        "outb 1",
                                        "inb zz",
                                        "read 0 99999999999",
                                        "write 0 4 12",
                                        "module_load a b",
                                        "clock_step x",
                                        "irq_intercept_in pic",
                                        "set_irq_in ioapic x 16 1",
                                        "outsw 0x1f0 4 0xzz",
                                        "b64write 0 1 ****",
                                        "1 2 3 4 5 6 7 8 9 10",
                                        "rtas a 1 2 3 4"};
    (void)state;
    start("-nodefaults");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *reply = client_ask(&c, "%s", lines[i]);
        if (!reply || strncmp(reply, "FAIL", 4))
            fail_msg("'%s' is answered %s", lines[i], reply ? reply : "by nothing");
    }
    assert_string_equal(client_ask(&c, "endianness"), "OK little");
    end();
}

static void firmware_learns_the_ram_size(void **state)
{
    (void)state;
    start("-nodefaults -m 32M");
    client_value(&c, "outw 0x510 3");
    uint64_t bytes = 0;
    for (unsigned i = 0; i < 8; i++)
        bytes |= client_value(&c, "inb 0x511") << (8 * i);
    assert_true(bytes == 32u << 20);
    client_value(&c, "outw 0x510 0");
    assert_int_equal(client_value(&c, "inb 0x511"), 'Q');
    end();
}

static void pins_are_ored_and_routed(void **state)
{
    (void)state;
    start("-nodefaults");
    client_value(&c, "irq_intercept_in ioapic");
    client_value(&c, "set_irq_in ioapic unnamed-gpio-in 5 1");
    assert_string_equal(c.irq_log, "raise 5;");
    client_value(&c, "set_irq_in ioapic unnamed-gpio-in 5 1");
    assert_string_equal(c.irq_log, "raise 5;");
    client_value(&c, "set_irq_in ioapic unnamed-gpio-in 5 0");
    assert_string_equal(c.irq_log, "raise 5;lower 5;");
    assert_true(!strncmp(client_ask(&c, "irq_intercept_out isa"), "FAIL", 4));
    end();
    start_disk();
    client_value(&c, "irq_intercept_out isa");
    client_value(&c, "outb 0x3f6 0");
    command(0xEC, 0, 0);
    wait_status(0x88, 0x08);
    assert_true(c.level[14]);
    end();
}

static void pam_decides_between_ram_and_rom(void **state)
{
    (void)state;
    char words[128], path[] = "/tmp/qtest-bios-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < 65536; i++)
        assert_int_equal(write(fd, &(uint8_t){(uint8_t)(i >> 8)}, 1), 1);
    close(fd);
    snprintf(words, sizeof(words), "-nodefaults -S -bios %s", path);
    start(words);
    unlink(path);
    assert_int_equal(client_value(&c, "readb 0xffff8000"), 0x80);
    assert_int_equal(client_value(&c, "readb 0xf8000"), 0x80);
    client_value(&c, "writeb 0xf8000 0x11");
    assert_int_equal(client_value(&c, "readb 0xf8000"), 0x80);
    config_write(0, 0x59, 'b', 0x30);
    client_value(&c, "writeb 0xf8000 0x11");
    assert_int_equal(client_value(&c, "readb 0xf8000"), 0x11);
    config_write(0, 0x59, 'b', 0x20); /* shadowing: read ROM, write RAM */
    client_value(&c, "writeb 0xf8000 0x22");
    assert_int_equal(client_value(&c, "readb 0xf8000"), 0x80);
    config_write(0, 0x59, 'b', 0x10);
    assert_int_equal(client_value(&c, "readb 0xf8000"), 0x22);
    end();
}

/* ---- Time ---- */

static uint8_t rtc_get(uint8_t index)
{
    client_value(&c, "outb 0x70 0x%x", index);
    return (uint8_t)client_value(&c, "inb 0x71");
}

static void rtc_set(uint8_t index, uint8_t value)
{
    client_value(&c, "outb 0x70 0x%x", index);
    client_value(&c, "outb 0x71 0x%x", value);
}

static void time_moves_only_when_told(void **state)
{
    (void)state;
    start("-nodefaults -rtc clock=vm,base=2026-02-28T23:59:58");
    assert_string_equal(client_ask(&c, "clock_step 0"), "OK 0");
    assert_string_equal(client_ask(&c, "clock_step 1500"), "OK 1500");
    assert_string_equal(client_ask(&c, "clock_set 1000"), "OK 1500");
    assert_string_equal(client_ask(&c, "clock_set 2000"), "OK 2000");
    /* No timer is armed: a bare step has nowhere to go. */
    assert_string_equal(client_ask(&c, "clock_step"), "OK 2000");
    assert_int_equal(rtc_get(0), 0x58);
    client_value(&c, "clock_step %llu", 2 * SECOND);
    assert_int_equal(rtc_get(0), 0x00);
    assert_int_equal(rtc_get(7), 0x01);
    assert_int_equal(rtc_get(8), 0x03);
    assert_int_equal(rtc_get(9), 0x26);
    rtc_set(0x0B, 0x06); /* binary: the same time */
    assert_int_equal(rtc_get(9), 26);
    rtc_set(0x0B, 0x00); /* 12 hours: midnight is 12 AM */
    assert_int_equal(rtc_get(4), 0x12);
    end();
}

static void rtc_starts_at_the_hosts_time(void **state)
{
    (void)state;
    start("-nodefaults");
    rtc_set(0x0B, 0x06);
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    int behind = (tm.tm_min * 60 + tm.tm_sec - rtc_get(2) * 60 - rtc_get(0) + 3600) % 3600;
    assert_in_range(behind, 0, 60);
    end();
}

static void update_cycle_and_divider_reset(void **state)
{
    (void)state;
    start("-nodefaults");
    rtc_set(0x0B, 0x02);
    rtc_set(0x0A, 0x76);
    rtc_set(4, 0x02);
    rtc_set(2, 0x04);
    rtc_set(0, 0x58);
    client_value(&c, "clock_step %llu", 10 * SECOND);
    assert_int_equal(rtc_get(0), 0x58);
    rtc_set(0x0A, 0x26);
    /* Half a second to the first edge; UIP is up for the 244 us before it. */
    client_value(&c, "clock_step %llu", SECOND / 2 - 244140 - 1);
    assert_int_equal(rtc_get(0x0A), 0x26);
    client_value(&c, "clock_step 1");
    assert_int_equal(rtc_get(0x0A), 0xA6);
    assert_int_equal(rtc_get(0), 0x58);
    client_value(&c, "clock_step 244140");
    assert_int_equal(rtc_get(0x0A), 0x26);
    assert_int_equal(rtc_get(0), 0x59);
    /* SET holds the registers, and what is written meanwhile counts from its end on. */
    rtc_set(0x0B, 0x82);
    rtc_set(0, 0x30);
    client_value(&c, "clock_step %llu", 5 * SECOND);
    assert_int_equal(rtc_get(0), 0x30);
    rtc_set(0x0B, 0x02);
    client_value(&c, "clock_step %llu", SECOND);
    assert_int_equal(rtc_get(0), 0x31);
    end();
}

static void rtc_interrupts_on_irq_8(void **state)
{
    (void)state;
    start("-nodefaults -rtc base=2026-01-01T12:00:00");
    client_value(&c, "irq_intercept_in ioapic");
    rtc_get(0x0C);
    /* Update-ended, at the very edge. */
    rtc_set(0x0B, 0x12);
    assert_int_equal(client_value(&c, "clock_step"), SECOND);
    assert_string_equal(c.irq_log, "raise 8;");
    assert_int_equal(rtc_get(0x0C) & 0xF0, 0xD0); /* the periodic flag needs no enable */
    assert_string_equal(c.irq_log, "raise 8;lower 8;");
    /* Alarm: every hour and minute, second 03. */
    rtc_set(1, 0x03);
    rtc_set(3, 0xC0);
    rtc_set(5, 0xC0);
    rtc_set(0x0B, 0x22);
    client_clear_irqs(&c);
    client_value(&c, "clock_set %llu", 3 * SECOND - 1);
    assert_false(c.level[8]);
    client_value(&c, "clock_step 1");
    assert_true(c.level[8]);
    assert_int_equal(rtc_get(0x0C) & 0xA0, 0xA0);
    assert_int_equal(rtc_get(0x0C), 0);
    /* Periodic: 1024 Hz; one interrupt until it is acknowledged. */
    rtc_set(0x0B, 0x42);
    client_clear_irqs(&c);
    for (unsigned i = 0; i < 16; i++) {
        client_value(&c, "clock_step 976563");
        assert_true(c.level[8]);
        rtc_get(0x0C);
        assert_false(c.level[8]);
    }
    assert_int_equal(c.raised[8], 16);
    client_value(&c, "clock_step %llu", 3600 * SECOND);
    assert_int_equal(c.raised[8], 17);
    rtc_get(0x0C);
    rtc_set(0x0B, 0x02);
    client_value(&c, "clock_step %llu", SECOND);
    assert_false(c.level[8]);
    end();
}

/* A key of two bytes: the first is there at once, the second a millisecond after the first. */
static void press_right_control(bool down)
{
    client_value(&c, "key 97 %d", down);
    assert_true(c.level[1]);
    assert_int_equal(client_value(&c, "inb 0x60"), 0xE0);
    assert_false(c.level[1]);
    client_clear_irqs(&c);
}

static void each_timer_at_its_own_deadline(void **state)
{
    (void)state;
    start("-nodefaults -rtc base=2026-01-01");
    client_value(&c, "irq_intercept_in ioapic");
    client_value(&c, "outb 0x64 0x60");
    client_value(&c, "outb 0x60 0x45");
    rtc_get(0x0C);
    rtc_set(0x0B, 0x12);
    /* The clock's second comes before the key's second byte, then after it, in one step each. */
    client_value(&c, "clock_set %llu", SECOND - 500000);
    press_right_control(true);
    client_value(&c, "clock_step %llu", SECOND / 10);
    assert_string_equal(c.irq_log, "raise 8;raise 1;");
    assert_int_equal(client_value(&c, "inb 0x60"), 0x1D);
    rtc_get(0x0C);
    client_value(&c, "clock_set %llu", 2 * SECOND - 2000000);
    press_right_control(false);
    client_value(&c, "clock_step %llu", SECOND / 10);
    assert_string_equal(c.irq_log, "raise 1;raise 8;");
    assert_int_equal(client_value(&c, "inb 0x60"), 0x9D);
    end();
}

/* ---- QMP ---- */

static const char *qmp(const char *command, const char *args)
{
    char text[512];
    snprintf(text, sizeof(text), "{\"execute\": \"%s\"%s%s}", command,
             args ? ", \"arguments\": " : "", args ? args : "");
    return client_qmp(&c, text);
}

static void start_qmp(const char *words)
{
    start(words);
    const char *greeting = client_qmp(&c, "");
    assert_non_null(greeting);
    assert_non_null(strstr(greeting, "{\"QMP\":"));
    const char *ready = qmp("qmp_capabilities", NULL);
    assert_non_null(ready);
    assert_string_equal(ready, "{\"return\":{}}\r\n");
}

static void monitor_tells_what_there_is(void **state)
{
    (void)state;
    start_qmp("-nodefaults");
    const char *reply = qmp("query-machines", NULL);
    assert_non_null(reply);
    assert_non_null(strstr(reply, "{\"name\":\"pc\",\"cpu-max\":128,\"hotpluggable-cpus\":false,"
                                  "\"numa-mem-supported\":false,\"deprecated\":false}"));
    reply = qmp("qom-list-types", "{\"implements\": \"device\", \"abstract\": true}");
    assert_non_null(reply);
    assert_non_null(strstr(reply, "\"name\":\"ide-hd\""));
    assert_null(strstr(reply, "rtl8139"));
    reply = qmp("query-status", NULL);
    assert_non_null(reply);
    assert_non_null(strstr(reply, "\"running\""));
    reply = qmp("device_add", "{\"driver\": \"usb-tablet\"}");
    assert_non_null(reply);
    assert_non_null(strstr(reply, "\"error\""));
    end();
}

static void reset_by_the_monitor_ends_boot_once(void **state)
{
    (void)state;
    start_qmp("-nodefaults -serial null -boot once=ad,order=c -no-fd-bootchk");
    assert_int_equal(rtc_get(0x3D), 0x31);
    assert_int_equal(rtc_get(0x38), 0x01);
    client_value(&c, "outb 0x3fb 0x1b");
    const char *reply = qmp("system_reset", NULL);
    assert_non_null(reply);
    assert_string_equal(reply, "{\"return\":{}}\r\n");
    const char *event = client_qmp(&c, "");
    assert_non_null(event);
    assert_non_null(strstr(event, "\"event\":\"RESET\""));
    assert_int_equal(rtc_get(0x3D), 0x02);
    assert_int_equal(client_value(&c, "inb 0x3fb"), 0);
    /* The guest's own way to the same end. */
    client_value(&c, "outb 0x3fb 0x1b");
    client_value(&c, "outb 0xcf9 6");
    assert_int_equal(client_value(&c, "inb 0x3fb"), 0);
    end();
}

static void media_change_by_device_id(void **state)
{
    char words[256], args[256];
    (void)state;
    snprintf(words, sizeof(words), "-nodefaults -device ide-cd,bus=ide.0,id=cd0");
    start_qmp(words);
    snprintf(args, sizeof(args), "{\"id\": \"cd0\", \"filename\": \"%s\", \"format\": \"raw\"}",
             cd);
    for (unsigned i = 0; i < 2; i++) {
        const char *reply;
        if (i == 0)
            reply = qmp("blockdev-change-medium", args);
        else
            reply = qmp("eject", "{\"id\": \"cd0\", \"force\": true}");
        while (reply && strstr(reply, "\"event\""))
            reply = client_qmp(&c, "");
        assert_non_null(reply);
        assert_string_equal(reply, "{\"return\":{}}\r\n");
    }
    end();
}

/* The file may grow no further (as on a full disk): werror=stop pauses the guest, and once there is
 * room `cont` brings the very write that failed to the disk; the guest sees no error. */
static void a_failing_image_pauses_the_guest_until_cont(void **state)
{
    char words[256], full[96];
    (void)state;
    snprintf(full, sizeof(full), "%s.full", disk);
    int fd = open(full, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    snprintf(words, sizeof(words),
             "-nodefaults -drive file=%s,if=ide,index=0,format=raw,werror=stop", full);
    start_qmp(words);
    struct rlimit old, limit;
    assert_int_equal(prlimit(c.pid, RLIMIT_FSIZE, NULL, &old), 0);
    limit = old;
    limit.rlim_cur = 65536;
    assert_int_equal(prlimit(c.pid, RLIMIT_FSIZE, &limit, NULL), 0);
    client_value(&c, "outb 0x3f6 0");
    command(0x30, 1000, 1);
    wait_status(0x88, 0x08);
    for (unsigned i = 0; i < 256; i++)
        client_value(&c, "outw 0x1f0 0x1234");
    const char *event = client_qmp(&c, "");
    assert_non_null(event);
    assert_non_null(strstr(event, "\"event\":\"BLOCK_IO_ERROR\""));
    assert_non_null(strstr(event, "\"data\":{\"device\":\"ide0-hd0\",\"node-name\":"
                                  "\"#block000\",\"operation\":\"write\",\"action\":"
                                  "\"stop\",\"nospace\":false,\"reason\":\"File too large\"}"));
    event = client_qmp(&c, "");
    assert_non_null(event);
    assert_non_null(strstr(event, "\"event\":\"STOP\""));
    const char *reply = qmp("query-status", NULL);
    assert_string_equal(reply, "{\"return\":{\"running\":false,\"singlestep\":false,"
                               "\"status\":\"io-error\"}}\r\n");
    reply = qmp("query-block", NULL);
    assert_non_null(strstr(reply, "\"io-status\":\"failed\""));

    /* Too early: once more. */
    for (int i = 0; i < 4; i++) {
        static const char *const wanted[] = {"\"return\":{}", "RESUME", "BLOCK_IO_ERROR", "STOP"};
        reply = i ? client_qmp(&c, "") : qmp("cont", NULL);
        assert_non_null(reply);
        assert_non_null(strstr(reply, wanted[i]));
    }
    /* Stopped by the toolstack meanwhile: it is still there. */
    assert_non_null(strstr(qmp("stop", NULL), "\"return\":{}"));
    assert_int_equal(client_value(&c, "inb 0x3f6") & 0x81, 0x80);
    assert_int_equal(prlimit(c.pid, RLIMIT_FSIZE, &old, NULL), 0);
    assert_non_null(strstr(qmp("cont", NULL), "\"return\":{}"));
    assert_non_null(strstr(client_qmp(&c, ""), "RESUME"));
    wait_status(0x80, 0);
    assert_int_equal(client_value(&c, "inb 0x3f6") & 0x21, 0);
    assert_non_null(strstr(qmp("query-status", NULL), "\"running\":true"));
    uint16_t word = 0;
    assert_int_equal(pread(fd, &word, 2, 1000 * SECTOR + 510), 2);
    assert_int_equal(word, 0x1234);

    /* The size while it runs. */
    assert_non_null(strstr(qmp("block_resize", "{\"device\": \"ide0-hd0\", \"size\": 2097152}"),
                           "\"return\":{}"));
    assert_non_null(strstr(qmp("query-named-block-nodes", NULL), "\"virtual-size\":2097152"));
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 2 << 20);
    end();
    close(fd);
    unlink(full);
}

static void machine_none_has_a_monitor_alone(void **state)
{
    (void)state;
    start_qmp("-machine none");
    assert_int_equal(client_value(&c, "inb 0x3fb"), 0xFF);
    assert_true(!strncmp(client_ask(&c, "readb 0"), "FAIL", 4));
    const char *reply = qmp("query-machines", NULL);
    assert_non_null(reply);
    assert_non_null(strstr(reply, "\"pc\""));
    end();
}

/* ---- Arguments, images, ends ---- */

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    refuses("-device virtio-net-pci", "no such network card");
    refuses("-device usb-host,hostbus=1,hostaddr=1", "no devices of the host");
    refuses("-machine q35", "no such machine");
    refuses("-no-such-option", "no such option");
    refuses("-drive if=ide,file=/nonexistent/disk,format=raw", "no such file");
}

static void images_of_nothing_and_snapshots(void **state)
{
    char words[512];
    (void)state;
    snprintf(words, sizeof(words),
             "-drive if=ide,index=0,format=raw,snapshot=on,file=%s -drive "
             "if=ide,index=1,format=raw,file=null-co://,file.read-zeroes=on,size=1M "
             "-blockdev driver=file,node-name=n0,filename=%s -device "
             "ide-hd,drive=n0,bus=ide.1,unit=1,bios-chs-trans=lba",
             disk, cd);
    start(words);
    client_value(&c, "irq_intercept_in ioapic");
    client_value(&c, "outb 0x3f6 0");
    find_bus_master();
    client_value(&c, "memset 0x%x 512 0x77", BUFFER);
    assert_int_equal(dma(false, 100, 1), 4);
    client_value(&c, "memset 0x%x 512 0", BUFFER);
    assert_int_equal(dma(true, 100, 1), 4);
    assert_int_equal(client_value(&c, "readb 0x%x", BUFFER), 0x77);
    end();
    FILE *f = fopen(disk, "re");
    assert_non_null(f);
    assert_int_equal(fseek(f, 100 * SECTOR, SEEK_SET), 0);
    assert_int_equal(fgetc(f), 0);
    fclose(f);
}

static const char *human(const char *line)
{
    static char request[256];
    snprintf(request, sizeof(request),
             "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"%s\"}}",
             line);
    return client_qmp(&c, request);
}

static void flush(void)
{
    client_value(&c, "memset 0x%x 512 0x77", BUFFER);
    assert_int_equal(dma(false, 100, 1), 4);
    command(0xE7, 0, 0);
}

/* The images with errors and delays that the field's disk tests ask for. */
static void flushes_are_held_and_fail_as_told(void **state)
{
    char words[512], conf[80];
    (void)state;
    snprintf(conf, sizeof(conf), "%s.conf", disk);
    FILE *f = fopen(conf, "we");
    assert_non_null(f);
    fputs("[inject-error]\nevent = \"flush_to_disk\"\nerrno = \"5\"\nonce = \"on\"\n", f);
    fclose(f);
    snprintf(words, sizeof(words), "-nodefaults -drive file=blkdebug::%s,if=ide,format=raw", disk);
    start_qmp(words);
    find_bus_master();
    client_value(&c, "irq_intercept_in ioapic");
    assert_non_null(strstr(human("qemu-io ide0-hd0 \\\"break flush_to_os A\\\""), "return"));
    flush();
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(client_value(&c, "inb 0x3f6") & 0x89, 0x80);
    assert_non_null(strstr(human("qemu-io ide0-hd0 \\\"resume A\\\""), "return"));
    wait_status(0x89, 0);
    end();

    snprintf(words, sizeof(words), "-nodefaults -drive file=blkdebug:%s:%s,if=ide,format=raw", conf,
             disk);
    start(words);
    find_bus_master();
    client_value(&c, "irq_intercept_in ioapic");
    flush();
    wait_status(0x81, 0x01);
    client_stop(&c, SIGTERM);
    refuses("-drive file=blkdebug:nothing,if=ide", "no image");
    refuses("-drive file=blkdebug:/nonexistent:x,if=ide", "no such file");
    unlink(conf);
}

/* The field's CD-ROM test rewrites the image after the program has opened it. */
static void image_is_read_at_command_time(void **state)
{
    (void)state;
    start_disk();
    client_value(&c, "outb 0x3f6 0");
    FILE *f = fopen(disk, "r+e");
    assert_non_null(f);
    assert_int_equal(fseek(f, 50 * SECTOR, SEEK_SET), 0);
    fputs("rewritten", f);
    fclose(f);
    command(0x20, 50, 1);
    wait_status(0x88, 0x08);
    assert_string_equal(client_ask(&c, "insw 0x1f0 4"), "OK 0x7265777269747465");
    end();
}

static void any_end_is_a_good_one(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        start("-nodefaults");
        int status = client_stop(&c, signals[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    /* In the middle of a disk's work. */
    start_disk();
    client_value(&c, "outb 0x3f6 0");
    command(0xEC, 0, 0);
    client_send(&c, "inw 0x1f0");
    end();
}

static void standard_input_serves_too(void **state)
{
    char line[1024], out[256] = "";
    (void)state;
    snprintf(line, sizeof(line),
             "printf 'endianness\\noutl 0xcf8 0x80000000\\ninl 0xcfc\\n' | %s -nodefaults -qtest "
             "stdio -accel qtest; echo $?",
             program);
    FILE *f = popen(line, "re");
    assert_non_null(f);
    size_t n = fread(out, 1, sizeof(out) - 1, f);
    out[n] = '\0';
    pclose(f);
    assert_string_equal(out, "OK little\nOK\nOK 0x12378086\n0\n");
}

static void state_goes_round_and_keys_arrive(void **state)
{
    (void)state;
    start("-serial null");
    client_value(&c, "irq_intercept_in ioapic");
    client_value(&c, "outb 0x64 0x60");
    client_value(&c, "outb 0x60 0x45");
    client_value(&c, "outb 0x60 0xf4");
    client_value(&c, "clock_step %llu", SECOND);
    for (unsigned i = 0; i < 8 && client_value(&c, "inb 0x64") & 1; i++)
        client_value(&c, "inb 0x60");
    client_value(&c, "outb 0x3ff 0x33");
    assert_true(client_value(&c, "reload") > 0);
    assert_int_equal(client_value(&c, "inb 0x3ff"), 0x33);
    client_value(&c, "key 30 1");
    client_value(&c, "clock_step %llu", SECOND);
    assert_true(c.level[1]);
    assert_int_equal(client_value(&c, "inb 0x60"), 0x1E);
    unsigned width = 0, height = 0, hash;
    assert_int_equal(sscanf(client_ask(&c, "screen"), "OK %ux%u %x", &width, &height, &hash), 3);
    assert_in_range(width, 1, 4096);
    end();
}

/* ---- */

static void make(char *path, size_t len, const char *name, long bytes)
{
    snprintf(path, len, "/tmp/qtest-%s-XXXXXX", name);
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, bytes) < 0)
        abort();
    close(fd);
}

static int group_setup(void **state)
{
    (void)state;
    make(disk, sizeof(disk), "disk", DISK_BYTES);
    make(cd, sizeof(cd), "cd", 1 << 20);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    unlink(disk);
    unlink(cd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (c.pid)
        client_stop(&c, SIGKILL);
    return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(identify_has_what_was_said),
        TEST(irq_14_rises_before_the_reply_and_falls_with_the_status),
        TEST(bus_master_writes_and_reads),
        TEST(dma_takes_no_time),
        TEST(memory_in_every_form),
        TEST(a_long_write_is_one_line),
        TEST(wide_accesses_reach_byte_registers),
        TEST(what_is_wrong_fails_and_hurts_nothing),
        TEST(firmware_learns_the_ram_size),
        TEST(pins_are_ored_and_routed),
        TEST(pam_decides_between_ram_and_rom),
        TEST(time_moves_only_when_told),
        TEST(rtc_starts_at_the_hosts_time),
        TEST(update_cycle_and_divider_reset),
        TEST(rtc_interrupts_on_irq_8),
        TEST(each_timer_at_its_own_deadline),
        TEST(monitor_tells_what_there_is),
        TEST(reset_by_the_monitor_ends_boot_once),
        TEST(media_change_by_device_id),
        TEST(a_failing_image_pauses_the_guest_until_cont),
        TEST(machine_none_has_a_monitor_alone),
        TEST(what_is_not_there_is_refused),
        TEST(images_of_nothing_and_snapshots),
        TEST(flushes_are_held_and_fail_as_told),
        TEST(image_is_read_at_command_time),
        TEST(any_end_is_a_good_one),
        TEST(standard_input_serves_too),
        TEST(state_goes_round_and_keys_arrive),
    };
    if (argc > 2 || (argc == 2 && strlen(argv[1]) > 400)) {
        fprintf(stderr, "usage: %s [BUILDDIR]\n", argv[0]);
        return 2;
    }
    snprintf(program, sizeof(program), "%s/tests/hvm-dm-system-i386",
             argc == 2 ? argv[1] : "build");
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
