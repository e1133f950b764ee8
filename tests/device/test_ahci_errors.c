/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI: what goes wrong and what does not last: bad sectors and memory, resets under way, unplug,
 * save and load, hostile state. */
#include <errno.h>
#include <limits.h>

#include "tests/device/ahci_rig.h"

#define CDB(...)        \
    (const uint8_t[12]) \
    {                   \
        __VA_ARGS__     \
    }

/* Reset during DMA: when the reset is over nothing is written any more, neither to memory nor to
 * the image. */
static void test_reset_during_dma(void **state)
{
    for (unsigned write = 0; write < 2; write++) {
        for (unsigned queued = 0; queued < 2; queued++) {
            for (unsigned how = 0; how < 4; how++) {
                ahci_setup(state);
                struct ahci_rig *t = *state;
                uint8_t sector[512];
                port_up(t, 0);
                memset(ram(t, DATA), 0xEE, 2 << 20);
                if (queued)
                    queue(t, 0, 3, write, 1000, 4096, DATA);
                else
                    issue(t, 0, 3,
                          &(struct task){.opcode = write ? 0x35 : 0x25, .count = 4096, .lba = 1000},
                          DATA, 4096 * 512, write ? HDR_WRITE : 0);
                assert_int_equal(t->block[0]->pending, 1);
                size_t bytes = t->block[0]->first->bytes;
                assert_true(bytes < 4096 * 512);
                switch (how) {
                case 0: /* engine off */
                    pset(t, 0, CMD, FRE);
                    assert_int_equal(pget(t, 0, CMD) & CR, CR);
                    run(t);
                    assert_int_equal(pget(t, 0, CMD) & CR, 0);
                    break;
                case 1: /* COMRESET at once */
                    pset(t, 0, SCTL, 1);
                    pset(t, 0, SCTL, 0);
                    assert_int_equal(pget(t, 0, TFD), 0x80);
                    run(t);
                    assert_int_equal(pget(t, 0, TFD), 0x150);
                    break;
                case 2:
                    set(t, GHC, 1);
                    assert_int_equal(get(t, GHC) & 1, 1);
                    run(t);
                    assert_int_equal(get(t, GHC) & 1, 0);
                    break;
                default: /* of the machine: waits itself */
                    device_reset(ahci_device(t));
                    break;
                }
                assert_int_equal(t->block[0]->pending, 0);
                assert_int_equal(t->rig->hv->maps, 0);
                memset(ram(t, DATA), 0x77, 2 << 20);
                run(t);
                for (uint32_t i = 0; i < 2 << 20; i++)
                    if (*ram(t, DATA + i) != 0x77)
                        fail_msg("byte %u was written", i);
                fake_block_get(t->block[0], 1000 * 512 + bytes, sector, 512);
                assert_pattern(sector, 1000 * 512 + bytes, 512);
                fake_block_get(t->block[0], 0, sector, 512);
                assert_pattern(sector, 0, 512);
                rig_pci_write(t->rig, SLOT, 0, 0x24, 4, ABAR);
                rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 7);
                pset(t, 0, CMD, 0);
                port_up(t, 0);
                assert_alive(t);
                ahci_teardown(state);
            }
        }
    }
    ahci_setup(state);
}

/* --- Errors --- */

static void test_medium_errors(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 0);
    fake_block_fail(t->block[0], BLOCK_READ, 1033 * 512, 512, EIO, UINT_MAX);
    memset(ram(t, DATA), 0, 64 * 512);
    issue(t, 0, 4, &(struct task){.opcode = 0x25, .count = 64, .lba = 1000}, DATA, 64 * 512, 0);
    run(t);
    assert_int_equal(pget(t, 0, TFD), 0x4051);
    assert_int_equal(pget(t, 0, PIS), DHRS | TFES);
    assert_int_equal(pget(t, 0, CI), 1u << 4); /* the failed one is still there */
    assert_int_equal(pget(t, 0, CMD) >> 8 & 31, 4);
    assert_pattern(ram(t, DATA), 1000 * 512, 33 * 512);
    const uint8_t *f = ram(t, fis_at(0) + 0x40);
    assert_int_equal(f[2], 0x51);
    assert_int_equal(f[3], 0x40);
    assert_int_equal(f[4] | f[5] << 8, 1033);
    assert_int_equal(prd_count(t, 0, 4), 33 * 512);
    /* Nothing more is done before the engine has been off. */
    put_fis(t, 0, 0, &(struct task){.opcode = 0xEC});
    put_header(t, 0, 0, 0, 0);
    pset(t, 0, CI, 1);
    assert_int_equal(pget(t, 0, CI), 1u << 4 | 1);
    restart(t, 0);
    assert_alive(t);
    /* Out of range, read-only. */
    issue(t, 0, 0, &(struct task){.opcode = 0x25, .count = 2, .lba = DISK_SIZE / 512 - 1}, DATA,
          1024, 0);
    assert_int_equal(pget(t, 0, TFD), 0x1051);
    restart(t, 0);
    t->block[0]->read_only = true;
    issue(t, 0, 0, &(struct task){.opcode = 0x35, .count = 2}, DATA, 1024, HDR_WRITE);
    assert_int_equal(pget(t, 0, TFD), 0x0451);
    restart(t, 0);
    assert_alive(t);
}

/* Tables too short, and memory that is not there: of the list, the command, the regions, the FISes.
 */
static void test_bad_memory(void **state)
{
    struct ahci_rig *t = *state;
    uint8_t sector[512];
    port_up(t, 0);
    for (unsigned write = 0; write < 2; write++) {
        const struct task rw = {.opcode = write ? 0x35 : 0x25, .count = 4, .lba = 64};
        uint16_t flags = write ? HDR_WRITE : 0;
        /* Short: an odd number of bytes, none at all. */
        static const uint32_t sizes[] = {0, 2, 510, 512, 1000, 1536, 2046};
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            issue(t, 0, 0, &rw, DATA, sizes[i], flags);
            run(t);
            assert_int_equal(pget(t, 0, TFD), 0x0451);
            assert_int_equal(pget(t, 0, PIS), DHRS | TFES | OFS);
            restart(t, 0);
        }
        /* Longer than the transfer is no error. */
        issue(t, 0, 0, &rw, DATA, 4 << 20, flags);
        run(t);
        assert_int_equal(pget(t, 0, PIS), DHRS);
        assert_int_equal(prd_count(t, 0, 0), 2048);
        acknowledge(t, 0);
        fill_pattern(t->block[0], 0, 1 << 20);
        /* Regions outside of RAM, or across its end. */
        static const uint64_t places[] = {0xF0000000, RIG_RAM, RIG_RAM - 1024, 1ull << 40,
                                          0xFFFFFFFFFFFFFC00};
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            put_fis(t, 0, 0, &rw);
            put_prd(t, 0, 0, 0, places[i], 2048);
            put_header(t, 0, 0, flags, 1);
            pset(t, 0, CI, 1);
            run(t);
            assert_int_equal(pget(t, 0, PIS), HBFS);
            restart(t, 0);
            fake_block_get(t->block[0], 64 * 512, sector, 512);
            assert_pattern(sector, 64 * 512, 512);
            port_up(t, 0);
        }
    }
    /* PIO likewise. */
    issue(t, 0, 0, &(struct task){.opcode = 0xEC}, 0xF0000000, 512, 0);
    assert_int_equal(pget(t, 0, PIS), HBFS);
    restart(t, 0);
    issue(t, 0, 0, &(struct task){.opcode = 0x30, .count = 2}, DATA, 600, HDR_WRITE);
    run(t);
    assert_int_equal(pget(t, 0, PIS) & ~(uint32_t)PSS, DHRS | TFES | OFS);
    restart(t, 0);
    issue(t, 0, 0, &(struct task){.opcode = 0xEC}, DATA, 100, 0);
    assert_int_equal(acknowledge(t, 0), PSS | OFS);
    /* A command table, a list, FISes somewhere else. */
    put_fis(t, 0, 0, &(struct task){.opcode = 0xEC});
    put_header(t, 0, 0, 0, 1);
    rig_mem_write(t->rig, list_at(0) + 8, 8, 0x8000000000000000);
    pset(t, 0, CI, 1);
    assert_int_equal(pget(t, 0, PIS), HBFS);
    restart(t, 0);
    pset(t, 0, CLBU, 0x80);
    pset(t, 0, CI, 1);
    assert_int_equal(pget(t, 0, PIS), HBFS);
    restart(t, 0);
    pset(t, 0, CLBU, 0);
    pset(t, 0, FBU, 0xFFFFFFFF);
    assert_alive(t);
    pset(t, 0, FBU, 0);
    /* No FIS a device would take. */
    static const struct {
        uint16_t flags;
        uint8_t type;
    } bad[] = {{0, 0x27}, {1, 0x27}, {17, 0x27}, {31, 0x27}, {5, 0x34}, {5, 0}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put_fis(t, 0, 0, &(struct task){.opcode = 0xEC});
        put_header(t, 0, 0, 0, 0);
        rig_mem_write(t->rig, list_at(0), 2, bad[i].flags);
        *ram(t, table_at(0, 0)) = bad[i].type;
        pset(t, 0, CI, 1);
        assert_int_equal(pget(t, 0, PIS), IFS);
        restart(t, 0);
    }
    assert_alive(t);
    assert_int_equal(t->rig->hv->maps, 0);
}

/* Structures on top of each other: what was read is what counts, and everything ends. */
static void test_overlaps(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 0);
    /* Data over the command list, the table itself, the FISes. */
    const uint32_t places[] = {list_at(0), table_at(0, 0), fis_at(0), table_at(0, 0) + 0x80};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (unsigned pio = 0; pio < 2; pio++) {
            issue(t, 0, 0, &(struct task){.opcode = pio ? 0x24 : 0x25, .count = 512, .lba = 10},
                  places[i], 512 * 512, 0);
            run(t);
            pset(t, 0, CMD, FRE);
            port_up(t, 0);
        }
    }
    /* A full table of regions of two bytes: 65,535 of them. */
    for (unsigned i = 0; i < 65535; i++)
        put_prd(t, 0, 0, i, DATA + 0x200000 + 2 * (i & 0x7FFF), 2);
    put_fis(t, 0, 0, &(struct task){.opcode = 0x25, .count = 255, .lba = 10});
    put_header(t, 0, 0, 0, 65535);
    pset(t, 0, CI, 1);
    run(t);
    assert_int_equal(acknowledge(t, 0), DHRS);
    assert_int_equal(prd_count(t, 0, 0), 255 * 512);
    assert_alive(t);
}

static void test_no_bus_master(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 0);
    rig_pci_write(t->rig, SLOT, 0, 4, 2, 0x0003);
    memset(ram(t, DATA), 0xC7, 512);
    issue(t, 0, 0, &(struct task){.opcode = 0xEC}, DATA, 512, 0);
    run(t);
    assert_int_equal(pget(t, 0, CI), 1);
    assert_int_equal(*ram(t, DATA), 0xC7);
    rig_pci_write(t->rig, SLOT, 0, 4, 2, 0x0007);
    assert_int_equal(pget(t, 0, CI), 0);
    assert_int_equal(*ram(t, DATA), 0x40);
}

/* --- Unplug, save, load --- */

static void test_unplug(void **state)
{
    for (unsigned what = 0; what < 4; what++) {
        ahci_setup(state);
        struct ahci_rig *t = *state;
        port_up(t, 0);
        port_up(t, 2);
        if (what & 1)
            queue(t, 0, 1, what & 2, 100, 8, DATA);
        else
            issue(t, 0, 1, &(struct task){.opcode = what & 2 ? 0x35 : 0x25, .count = 8}, DATA, 4096,
                  what & 2 ? HDR_WRITE : 0);
        assert_int_equal(t->block[0]->pending, 1);
        ahci_unplug_disks(t->ahci);
        assert_int_equal(t->block[0]->pending, 0);
        assert_int_equal(t->rig->hv->maps, 0);
        assert_null(ahci_drive_block(t->ahci, 0));
        assert_null(ahci_drive_block(t->ahci, 1));
        assert_ptr_equal(ahci_drive_block(t->ahci, 2), t->block[2]);
        for (unsigned i = 0; i < 2; i++) { /* whoever touches them now is caught */
            fake_block_free(t->block[i]);
            t->block[i] = NULL;
        }
        assert_int_equal(pget(t, 0, SSTS), 0);
        assert_int_equal(pget(t, 0, TFD), 0x7F);
        pset(t, 0, CMD, FRE);
        pset(t, 0, SCTL, 1);
        pset(t, 0, SCTL, 0);
        pset(t, 0, CMD, FRE | ST);
        issue(t, 0, 1, &(struct task){.opcode = 0xEC}, DATA, 512, 0);
        queue(t, 0, 2, false, 0, 1, DATA);
        assert_int_equal(pget(t, 0, CI), 6);
        uint16_t id[256];
        identify(t, 2, 0xA1, id);
        device_reset(ahci_device(t));
        ahci_unplug_disks(t->ahci);
        ahci_teardown(state);
    }
    ahci_setup(state);
}

static void test_migrate(void **state)
{
    struct ahci_config config = ahci_config_new();
    struct ahci_rig *t = ahci_rig_with(&config);
    (void)state;
    fill_pattern(t->block[0], 0, 4 << 20);
    fill_pattern(t->block[2], 0, CD_SIZE);
    port_up(t, 0);
    port_up(t, 2);
    /* A long read: after the first piece. */
    issue(t, 0, 0, &(struct task){.opcode = 0x25, .count = 4096}, DATA, 4096 * 512, 0);
    t = ahci_migrate(t, &config);
    assert_int_equal(pget(t, 0, CI), 1);
    assert_int_equal(t->block[0]->pending, 1);
    run(t);
    assert_true(irq(t));
    assert_int_equal(acknowledge(t, 0), DHRS);
    assert_pattern(ram(t, DATA), 0, 4096 * 512);
    assert_int_equal(prd_count(t, 0, 0), 4096 * 512);
    /* A PIO read between two parts; the interrupt pending. */
    issue(t, 0, 0, &(struct task){.opcode = 0x24, .count = 600, .lba = 5}, DATA, 600 * 512, 0);
    t = ahci_migrate(t, &config);
    run(t);
    t = ahci_migrate(t, &config);
    assert_true(irq(t));
    assert_int_equal(acknowledge(t, 0), PSS);
    assert_pattern(ram(t, DATA), 5 * 512, 600 * 512);
    /* A packet's read; a COMRESET and an HBA reset that wait. */
    put_fis(t, 2, 0, &(struct task){.opcode = 0xA0, .feature = 1});
    memcpy(ram(t, table_at(2, 0) + 0x40), CDB(0x28, 0, 0, 0, 0, 0, 0, 4, 0), 12);
    put_prd(t, 2, 0, 0, DATA, 1024 * 2048);
    put_header(t, 2, 0, HDR_ATAPI, 1);
    pset(t, 2, CI, 1);
    t = ahci_migrate(t, &config);
    run(t);
    assert_int_equal(acknowledge(t, 2), DHRS);
    assert_pattern(ram(t, DATA), 0, 1024 * 2048);
    issue(t, 0, 0, &(struct task){.opcode = 0x25, .count = 8}, DATA, 4096, 0);
    pset(t, 0, SCTL, 1);
    pset(t, 0, SCTL, 0);
    t = ahci_migrate(t, &config);
    assert_int_equal(pget(t, 0, TFD), 0x150);
    port_up(t, 0);
    issue(t, 0, 0, &(struct task){.opcode = 0x25, .count = 8}, DATA, 4096, 0);
    set(t, GHC, 1);
    t = ahci_migrate(t, &config);
    assert_int_equal(get(t, GHC), 0x80000000);
    port_up(t, 0);
    rig_standard_tests(t->rig, ahci_device(t));
    ahci_rig_free(t);
}

/* Fields of the saved state set to hostile values: refused, or it runs to an end. */
static void test_hostile_state(void **state)
{
    (void)state;
    for (unsigned start = 0; start < 3; start++) {
        struct ahci_rig *t = ahci_rig_new();
        struct err err;
        size_t len;
        port_up(t, 0);
        if (start == 0)
            issue(t, 0, 0, &(struct task){.opcode = 0x24, .count = 600}, DATA, 600 * 512, 0);
        if (start == 1)
            issue(t, 0, 0, &(struct task){.opcode = 0x35, .count = 4096}, DATA, 4096 * 512,
                  HDR_WRITE);
        if (start == 2)
            queue(t, 0, 2, true, 7, 4096, DATA);
        devices_quiesce(&t->rig->devices);
        devices_resume(&t->rig->devices);
        uint8_t *good = ahci_save(t, &len), *bad = malloc(len);
        assert_non_null(bad);
        unsigned loaded = 0, refused = 0;
        /* The first port without its buffer: what differs from a fresh one, and around it. */
        size_t port = (len - 400) / AHCI_PORTS, buffer = 128u << 10;
        for (size_t i = 256; i < port + 400; i++) {
            if (i > 2200 && i < buffer + 1200)
                i = buffer + 1200;
            static const uint8_t values[] = {0, 1, 0xFF};
            for (unsigned k = 0; k < 3; k++) {
                memcpy(bad, good, len);
                bad[i] = values[k];
                if (!device_load(ahci_device(t), 1, bad, len, &err)) {
                    refused++;
                } else {
                    loaded++;
                    devices_resume(&t->rig->devices);
                    for (unsigned n = 0; n < 4; n++)
                        for (unsigned b = 0; b < 16 && t->block[0] && t->block[0]->pending; b++)
                            fake_block_step(t->block[0]);
                    pset(t, 0, CMD, FRE);
                    pset(t, 0, CMD, FRE | ST);
                }
                device_reset(ahci_device(t));
                if (!ahci_drive_block(t->ahci, 0)) { /* an unplugged disk stays so */
                    ahci_rig_free(t);
                    t = ahci_rig_new();
                }
            }
        }
        assert_true(loaded > 100 && refused > 100);
        free(good);
        free(bad);
        ahci_rig_free(t);
    }
}

static void test_state(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 0);
    issue(t, 0, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    assert_true(irq(t));
    struct err err;
    size_t len;
    uint8_t *saved = ahci_save(t, &len);
    device_reset(ahci_device(t));
    assert_false(irq(t));
    assert_true(device_load(ahci_device(t), 1, saved, len, &err));
    assert_true(irq(t));
    t->rig->hv->intx[SLOT][0] = false; /* pushed though it is the same for us */
    assert_true(device_load(ahci_device(t), 1, saved, len, &err));
    assert_true(irq(t));
    free(saved);
    rig_standard_tests(t->rig, ahci_device(t));
}

static void test_destroy_in_flight(void **state)
{
    struct ahci_rig *t = ahci_rig_new();
    (void)state;
    port_up(t, 0);
    port_up(t, 1);
    issue(t, 0, 0, &(struct task){.opcode = 0x25, .count = 8}, DATA, 4096, 0);
    for (unsigned tag = 0; tag < 32; tag++)
        queue(t, 1, tag, tag & 1, tag * 8, 8, DATA + tag * 4096);
    assert_int_equal(t->block[1]->pending, 32);
    ahci_rig_free(t); /* checks pending requests and mappings */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, ahci_setup, ahci_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_reset_during_dma, ahci_teardown),
        T(test_medium_errors),
        T(test_bad_memory),
        T(test_overlaps),
        T(test_no_bus_master),
        cmocka_unit_test_teardown(test_unplug, ahci_teardown),
        cmocka_unit_test(test_migrate),
        cmocka_unit_test(test_hostile_state),
        T(test_state),
        cmocka_unit_test(test_destroy_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
