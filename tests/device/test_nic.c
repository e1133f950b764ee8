/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic: check sequences and multicast hashes, against the shift register bit by bit (IEEE 802.3,
 * 3.2.9) and what drivers' manuals have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/pc/nic.h"

/* The register as the standard draws it: the highest power on the left, bytes from their bit 0 on.
 */
static uint32_t shift_register(const uint8_t *bytes, size_t len)
{
    uint32_t r = 0xFFFFFFFF;
    for (size_t i = 0; i < 8 * len; i++) {
        const bool out = (r >> 31) ^ (bytes[i / 8] >> i % 8 & 1);
        r = r << 1 ^ (out ? 0x04C11DB7u : 0);
    }
    return r;
}

static uint32_t mirrored(uint32_t v)
{
    uint32_t m = 0;
    for (unsigned i = 0; i < 32; i++)
        m |= (v >> i & 1) << (31 - i);
    return m;
}

/* Every length up to a long frame's, wherever it begins. What is fast for long ones has several
 * ways, by length and place. */
static void check_sequences(void **state)
{
    enum { LONGEST = 1600 };
    static uint8_t bytes[64 + LONGEST];
    uint32_t seed = 1;
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
    assert_int_equal(nic_fcs(bytes, 0), 0);
    assert_int_equal(nic_fcs((const uint8_t *)"123456789", 9), 0xCBF43926);
    for (size_t at = 0; at < 64; at += at < 4 ? 1 : 13)
        for (size_t len = 1; len <= LONGEST; len += len < 200 || len > 1500 ? 1 : 17)
            assert_int_equal(nic_fcs(bytes + at, len), ~mirrored(shift_register(bytes + at, len)));
    /* 65,535 bytes at most, and one bit makes the difference. */
    static uint8_t most[65535];
    const uint32_t zeroes = nic_fcs(most, sizeof(most));
    assert_int_equal(zeroes, ~mirrored(shift_register(most, sizeof(most))));
    most[40000] = 0x10;
    assert_int_not_equal(nic_fcs(most, sizeof(most)), zeroes);
}

static void hashes(void **state)
{
    static const uint8_t all_hosts[] = {0x01, 0x00, 0x5E, 0x00, 0x00, 0x01};
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t mac[NET_MAC_LEN] = {0x33,      0x33, (uint8_t)(i * 7), 0, (uint8_t)(i * 31),
                                          (uint8_t)i};
        const uint32_t r = shift_register(mac, sizeof(mac));
        assert_int_equal(nic_hash(mac), r >> 26);
        assert_int_equal(nic_hash_lance(mac), mirrored(r) >> 26);
    }
    assert_int_equal(nic_hash(all_hosts), shift_register(all_hosts, 6) >> 26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_sequences),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
