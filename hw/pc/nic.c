/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic: see nic.h. */
#include "hw/pc/nic.h"

#include <libdeflate.h>

uint32_t nic_fcs(const uint8_t *frame, size_t len)
{
    return libdeflate_crc32(0, frame, len);
}

/* Before the final complement. */
static uint32_t shift_register(const uint8_t mac[NET_MAC_LEN])
{
    return ~nic_fcs(mac, NET_MAC_LEN);
}

unsigned nic_hash_lance(const uint8_t mac[NET_MAC_LEN])
{
    return shift_register(mac) >> 26;
}

unsigned nic_hash(const uint8_t mac[NET_MAC_LEN])
{
    const uint32_t reflected = shift_register(mac);
    unsigned hash = 0;
    for (unsigned bit = 0; bit < 6; bit++)
        hash |= (reflected >> bit & 1) << (5 - bit);
    return hash;
}
