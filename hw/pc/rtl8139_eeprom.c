/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtl8139: its serial EEPROM, a 93C46 (Atmel AT93C46, 64 words of 16 bits), wired to 9346CR, and
 * what is in it (RTL8139D(L), chapter 6). */
#include "hw/pc/rtl8139_int.h"

enum { EECS = 0x08, EESK = 0x04, EEDI = 0x02 };
enum { OP_SPECIAL, OP_WRITE, OP_READ, OP_ERASE };
enum { SPECIAL_EWDS, SPECIAL_WRAL, SPECIAL_ERAL, SPECIAL_EWEN }; /* upper two bits of the address */
#define COMMAND_BITS 8

enum { WORD_SIGNATURE, WORD_VENDOR, WORD_DEVICE, WORD_SUBVENDOR, WORD_SUBSYSTEM, WORD_MAC = 7 };
#define SIGNATURE 0x8129

const struct state_field rtl8139_eeprom_state[] = {
    STATE_ARRAY(struct rtl8139_eeprom, words, .keep_on_reset = true),
    STATE_LIMIT(struct rtl8139_eeprom, phase, RTL_EEPROM_PHASES - 1),
    STATE_LIMIT(struct rtl8139_eeprom, bits, 16),
    STATE_LIMIT(struct rtl8139_eeprom, address, RTL_EEPROM_WORDS - 1),
    STATE_UINT(struct rtl8139_eeprom, shift),
    STATE_BOOL(struct rtl8139_eeprom, writable),
    STATE_BOOL(struct rtl8139_eeprom, out, .reset = 1),
    STATE_FIELDS_END,
};

void rtl8139_eeprom_init(struct rtl8139_eeprom *e, const struct pci_id *id,
                         const uint8_t mac[NET_MAC_LEN])
{
    e->words[WORD_SIGNATURE] = SIGNATURE;
    e->words[WORD_VENDOR] = id->vendor;
    e->words[WORD_DEVICE] = id->device;
    e->words[WORD_SUBVENDOR] = id->subsystem_vendor;
    e->words[WORD_SUBSYSTEM] = id->subsystem;
    for (unsigned i = 0; i < 3; i++)
        e->words[WORD_MAC + i] = pci_get16(mac + 2 * i);
    e->out = true;
}

void rtl8139_eeprom_mac(const struct rtl8139_eeprom *e, uint8_t mac[NET_MAC_LEN])
{
    for (unsigned i = 0; i < 3; i++)
        pci_set16(mac + 2 * i, e->words[WORD_MAC + i]);
}

static void enter(struct rtl8139_eeprom *e, enum rtl8139_eeprom_phase phase)
{
    e->phase = phase;
    e->bits = 0;
    e->shift = 0;
}

static void fill(struct rtl8139_eeprom *e, uint16_t value)
{
    for (unsigned i = 0; e->writable && i < RTL_EEPROM_WORDS; i++)
        e->words[i] = value;
    enter(e, RTL_EEPROM_DONE);
}

static void put(struct rtl8139_eeprom *e, uint16_t value)
{
    if (e->writable)
        e->words[e->address] = value;
    enter(e, RTL_EEPROM_DONE);
}

static void special(struct rtl8139_eeprom *e)
{
    switch (e->address >> 4) {
    case SPECIAL_WRAL:
        enter(e, RTL_EEPROM_WRITE_ALL);
        return;
    case SPECIAL_ERAL:
        fill(e, 0xFFFF);
        return;
    default:
        e->writable = e->address >> 4 == SPECIAL_EWEN;
        enter(e, RTL_EEPROM_DONE);
    }
}

static void command(struct rtl8139_eeprom *e)
{
    const unsigned op = e->shift >> 6 & 3;
    e->address = e->shift & (RTL_EEPROM_WORDS - 1);
    switch (op) {
    case OP_READ:
        enter(e, RTL_EEPROM_READ);
        e->shift = e->words[e->address];
        e->out = false; /* the bit before the data */
        break;
    case OP_WRITE:
        enter(e, RTL_EEPROM_WRITE);
        break;
    case OP_ERASE:
        put(e, 0xFFFF);
        break;
    default:
        special(e);
    }
}

/* SK rises while it is selected. */
static void clocked(struct rtl8139_eeprom *e, bool in)
{
    switch (e->phase) {
    case RTL_EEPROM_START:
        if (in)
            enter(e, RTL_EEPROM_COMMAND);
        break;
    case RTL_EEPROM_COMMAND:
    case RTL_EEPROM_WRITE:
    case RTL_EEPROM_WRITE_ALL:
        e->shift = (uint16_t)(e->shift << 1 | in);
        e->bits++;
        if (e->phase == RTL_EEPROM_COMMAND && e->bits >= COMMAND_BITS)
            command(e);
        else if (e->phase == RTL_EEPROM_WRITE && e->bits >= 16)
            put(e, e->shift);
        else if (e->phase == RTL_EEPROM_WRITE_ALL && e->bits >= 16)
            fill(e, e->shift);
        break;
    case RTL_EEPROM_READ:
        e->out = e->shift >> 15;
        e->shift = (uint16_t)(e->shift << 1);
        if (++e->bits >= 16) {
            e->address = (uint8_t)((e->address + 1) % RTL_EEPROM_WORDS);
            enter(e, RTL_EEPROM_READ);
            e->shift = e->words[e->address];
        }
        break;
    }
}

void rtl8139_eeprom_lines(struct rtl8139_eeprom *e, uint8_t before, uint8_t now)
{
    if (!(now & EECS)) {
        enter(e, RTL_EEPROM_START);
        e->out = true; /* ready */
    } else if ((now & EESK) && !(before & EESK)) {
        clocked(e, now & EEDI);
    }
}
