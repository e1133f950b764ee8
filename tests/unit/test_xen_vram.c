/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_xen_vram: video memory: populated, moved, tracked, taken over. */
#include "tests/unit/xen_rig.h"

/* --- video memory --- */

static uint8_t *vram(struct fixture *f)
{
    uint8_t *p = xen_vram_create(f->hv, VRAM_BYTES, &err);
    assert_non_null(p);
    assert_true(xen_vram_whole(f->hv));
    for (unsigned i = 0; i < VRAM_PAGES; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + i;
    return p;
}

/* The guest sees the memory at addr, page by page in order. */
static void assert_guest_sees(struct fixture *f, uint64_t addr)
{
    for (unsigned i = 0; i < VRAM_PAGES; i += 255) {
        size_t len = 4;
        uint32_t *p = xen_mem_map(f->hv, addr + i * XEN_PAGE, &len);
        assert_non_null(p);
        assert_int_equal(*p, 0xC0DE0000 + i);
        xen_mem_unmap(f->hv, p, len);
    }
}

static void test_vram_moves(void **state)
{
    struct fixture *f = *state;
    const uint64_t parked = 0x100000000, bar = 0xF0000000, other = 0xF4000000;
    uint8_t *p = vram(f);
    assert_int_equal(xen_vram_where(f->hv), parked);
    assert_guest_sees(f, parked);
    assert_true(xen_vram_move(f->hv, bar));
    assert_int_equal(xen_vram_where(f->hv), bar);
    assert_guest_sees(f, bar);
    size_t len = 4;
    assert_null(xen_mem_map(f->hv, parked, &len));
    assert_int_equal(xen.pinned, bar / XEN_PAGE);
    /* The host's pointer is still the same memory. */
    *(uint32_t *)(void *)(p + 255 * XEN_PAGE) = 0xC0DE0000 + 255;
    assert_guest_sees(f, bar);

    /* Taken away and put back costs nothing. */
    unsigned relocations = xen.relocations;
    assert_true(xen_vram_move(f->hv, HV_VRAM_PARKED));
    assert_true(xen_vram_move(f->hv, bar));
    assert_int_equal(xen.relocations, relocations);

    assert_true(xen_vram_move(f->hv, other));
    assert_guest_sees(f, other);
    assert_int_equal(xen.pinned, other / XEN_PAGE);
    assert_int_equal(xen.pins, 2);
    /* While shown, others that claim the range do not push it away … */
    assert_true(xen_claim_memory(f->hv, other, other + 0xFFF, true, &err));
    assert_int_equal(xen_vram_where(f->hv), other);
    /* … while unmapped they do, if they overlap. */
    assert_true(xen_vram_move(f->hv, HV_VRAM_PARKED));
    assert_true(xen_claim_memory(f->hv, bar, bar + 0xFFF, true, &err));
    assert_true(xen_claim_memory(f->hv, other - 0x1000, other - 1, true, &err));
    assert_true(xen_claim_memory(f->hv, other + VRAM_BYTES, other + VRAM_BYTES, true, &err));
    assert_int_equal(xen_vram_where(f->hv), other);
    assert_true(xen_claim_memory(f->hv, other - 0x1000, other, true, &err));
    assert_int_equal(xen_vram_where(f->hv), parked);
    assert_int_equal(xen.pinned, 0);
    assert_guest_sees(f, parked);
    assert_true(xen_vram_move(f->hv, parked)); /* where saved state may say it was */
}

static void test_vram_refused_places(void **state)
{
    struct fixture *f = *state;
    vram(f);
    assert_true(xen_vram_move(f->hv, 0xE0000000));
    static const uint64_t bad[] = {0,
                                   MIB,
                                   512 * MIB - 1,
                                   512 * MIB - XEN_PAGE,
                                   0xE0000800,
                                   0xE0100000, /* onto itself, shifted */
                                   0xDF100000,
                                   0xFB100000,
                                   0xFC000000,
                                   0xFF000000,
                                   0xFFFFF000,
                                   UINT64_MAX - 0xFFF,
                                   UINT64_C(1) << 52};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(xen_vram_move(f->hv, bad[i]));
        assert_int_equal(xen_vram_where(f->hv), 0xE0000000);
    }
    assert_true(xen_vram_move(f->hv, 512 * MIB));
    assert_true(xen_vram_move(f->hv, 0xFB000000));
    assert_true(xen_vram_move(f->hv, 0x200000000));
    assert_guest_sees(f, 0x200000000);
}

/* The third of four batches is refused: back to where it was. */
static void test_vram_move_rolls_back(void **state)
{
    struct fixture *f = *state;
    vram(f);
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    xen.fail_relocation_at = xen.relocations + 3;
    assert_false(xen_vram_move(f->hv, 0xF8000000));
    assert_int_equal(xen_vram_where(f->hv), 0xF0000000);
    assert_guest_sees(f, 0xF0000000);
    assert_true(xen_vram_move(f->hv, 0xF8000000));
    assert_guest_sees(f, 0xF8000000);
}

static void test_vram_above_high_ram(void **state)
{
    struct fixture *f = *state;
    f->hv->config.ram_bytes = 6144 * MIB;
    f->hv->config.below_4g_end = 0xF0000000;
    uint8_t *p = vram(f);
    assert_non_null(p);
    assert_int_equal(xen_vram_where(f->hv), 0x100000000 + (6144 * MIB - 0xF0000000));
    assert_false(xen_vram_move(f->hv, 0x100000000)); /* high RAM */
    assert_false(xen_vram_move(f->hv, 0xE0000000));  /* low RAM */
    assert_true(xen_vram_move(f->hv, 0xF0000000));
}

/* Its start is mapped at once, the rest when asked for, wherever it then is. */
static void test_vram_whole(void **state)
{
    struct fixture *f = *state;
    const size_t first = HV_VRAM_FIRST / XEN_PAGE, before = xen.maps;
    uint8_t *p = xen_vram_create(f->hv, VRAM_BYTES, &err);
    assert_non_null(p);
    assert_int_equal(xen.maps, before + first);
    for (size_t i = 0; i < first; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + (uint32_t)i;
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    xen.fail = 1;
    assert_false(xen_vram_whole(f->hv));
    assert_int_equal(xen.maps, before + first);
    assert_true(xen_vram_whole(f->hv));
    assert_true(xen_vram_whole(f->hv));
    assert_int_equal(xen.maps, before + VRAM_PAGES);
    for (size_t i = first; i < VRAM_PAGES; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + (uint32_t)i;
    assert_guest_sees(f, 0xF0000000);
    assert_true(xen_vram_move(f->hv, 0xE0000000));
    assert_guest_sees(f, 0xE0000000);
}

static void test_vram_create_fails(void **state)
{
    struct fixture *f = *state;
    assert_null(xen_vram_create(f->hv, 0, &err));
    assert_null(xen_vram_create(f->hv, 4097, &err));
    assert_null(xen_vram_create(f->hv, UINT64_C(1) << 40, &err));
    assert_false(xen_vram_move(f->hv, 0xF0000000));
    xen.fail = 1;
    assert_null(xen_vram_create(f->hv, VRAM_BYTES, &err));
    xen.out_of_memory_after = 3000;
    assert_null(xen_vram_create(f->hv, VRAM_BYTES, &err));
    assert_non_null(strstr(err.text, "3000 of 4096"));
    unsigned long bits[1];
    assert_false(xen_vram_dirty(f->hv, 1, bits));
}

static void test_vram_dirty(void **state)
{
    struct fixture *f = *state;
    unsigned long bits[VRAM_PAGES / (8 * sizeof(long))] = {0};
    vram(f);
    xen_vram_untrack(f->hv); /* was never tracked */
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    assert_true(xen_vram_dirty(f->hv, 100, bits));
    assert_int_equal(xen.tracked_gfn, 0xF0000);
    assert_int_equal(xen.tracked_pages, 100);
    assert_int_equal(bits[0] & 0xFF, 0xA5);
    assert_true(xen_vram_dirty(f->hv, VRAM_PAGES, bits));
    assert_false(xen_vram_dirty(f->hv, VRAM_PAGES + 1, bits));
    assert_false(xen_vram_dirty(f->hv, 0, bits));
    xen.log_dirty_mode = true;
    assert_false(xen_vram_dirty(f->hv, 100, bits));
    xen_vram_untrack(f->hv);
    assert_int_equal(xen.tracked_pages, 0);
}

/* On a restore the memory is in the domain: nothing is populated, the same pointer shows it. */
static void test_vram_incoming(void **state)
{
    struct fixture *f = *state;
    f->hv->config.incoming = true;
    uint8_t *p = xen_vram_create(f->hv, VRAM_BYTES, &err);
    assert_non_null(p);
    assert_int_equal(xen.populated, 0);
    p[VRAM_BYTES - 1] = 1;                             /* may be touched already */
    assert_true(xen_vram_move(f->hv, HV_VRAM_PARKED)); /* a reset before the state is loaded */
    assert_int_equal(xen_vram_where(f->hv), HV_VRAM_PARKED);
    unsigned long bits[1];
    assert_false(xen_vram_dirty(f->hv, 1, bits));
    assert_false(xen_vram_move(f->hv, 0xF0000000)); /* it is not there */
    for (unsigned i = 0; i < VRAM_PAGES; i++)
        add_page(0xF0000 + i);
    size_t len = 8;
    uint8_t *g = xen_mem_map(f->hv, 0xF0000000 + 7 * XEN_PAGE, &len);
    assert_non_null(g);
    g[3] = 0x99;
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    assert_int_equal(p[7 * XEN_PAGE + 3], 0x99);
    xen_mem_unmap(f->hv, g, len);
    assert_int_equal(xen_vram_where(f->hv), 0xF0000000);
    assert_int_equal(xen.relocations, 0);
    for (unsigned i = 0; i < VRAM_PAGES; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + i;
    xen.pinned = 0xF0000; /* as the process before left it */
    assert_true(xen_vram_move(f->hv, 0xE0000000));
    assert_guest_sees(f, 0xE0000000);
}

static void test_vram_incoming_closed_early(void **state)
{
    struct fixture *f = *state;
    f->hv->config.incoming = true;
    assert_non_null(xen_vram_create(f->hv, VRAM_BYTES, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_vram_moves, setup_open),
        T(test_vram_refused_places, setup_open),
        T(test_vram_move_rolls_back, setup_open),
        T(test_vram_above_high_ram, setup_open),
        T(test_vram_whole, setup_open),
        T(test_vram_create_fails, setup_open),
        T(test_vram_dirty, setup_open),
        T(test_vram_incoming, setup_open),
        T(test_vram_incoming_closed_early, setup_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
