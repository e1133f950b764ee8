/* SPDX-License-Identifier: GPL-2.0-or-later */
/* e1000_phy: the management interface with the 88E1011 behind it, and the EEPROM (see e1000.h).
 * PHY registers 0 to 15 are those of IEEE 802.3, clauses 22 and 40.5. */
#include "hw/pc/e1000_int.h"

#include <string.h>

#define PHY_ADDRESS  1
#define NEGOTIATE_NS (100 * NS_PER_MS)

enum {
    PHY_CONTROL,
    PHY_STATUS,
    PHY_ID1,
    PHY_ID2,
    PHY_ADVERTISE,
    PHY_PARTNER,
    PHY_EXPANSION,
    PHY_NEXT_PAGE,
    PHY_PARTNER_PAGE,
    PHY_1000_CONTROL,
    PHY_1000_STATUS,
    PHY_EXTENDED = 15,
    PHY_SPECIFIC,
    PHY_SPECIFIC_STATUS,
    PHY_IRQ_ENABLE,
    PHY_IRQ_STATUS,
    PHY_SPECIFIC2,
    PHY_LED = 24,
};

/* Control (22.2.4.1) */
enum {
    CONTROL_RESET = 0x8000,
    CONTROL_LOOPBACK = 0x4000,
    CONTROL_100 = 0x2000,
    CONTROL_AN = 0x1000,
    CONTROL_DOWN = 0x0800,
    CONTROL_ISOLATE = 0x0400,
    CONTROL_RESTART = 0x0200,
    CONTROL_FULL = 0x0100,
    CONTROL_1000 = 0x0040,
};

/* MDIC (13.4.8) */
#define MDIC_READ  2u
#define MDIC_WRITE 1u
#define MDIC_READY 0x10000000u
#define MDIC_INT   0x20000000u
#define MDIC_ERROR 0x40000000u

static const uint16_t after_reset[E1000_PHY_REGS] = {
    [PHY_CONTROL] = CONTROL_AN | CONTROL_FULL | CONTROL_1000,
    [PHY_ADVERTISE] = 0x0DE1, /* all speeds up to 100, pause both ways */
    [PHY_NEXT_PAGE] = 0x2001,
    [PHY_1000_CONTROL] = 0x0E00, /* full duplex; a port of many */
    [PHY_SPECIFIC] = 0x0360,
    [PHY_SPECIFIC2] = 0x0D60,
    [PHY_LED] = 0x4100,
};
static const uint16_t writable[E1000_PHY_REGS] = {
    [PHY_CONTROL] = 0x7DC0,
    [PHY_ADVERTISE] = 0xBFFF,
    [PHY_NEXT_PAGE] = 0xFFFF,
    [PHY_1000_CONTROL] = 0xFF00,
    [PHY_SPECIFIC] = 0xFFFF,
    [PHY_IRQ_ENABLE] = 0xFFFF,
    [PHY_SPECIFIC2] = 0xFFFF,
    [22] = 0xFFFF,
    [23] = 0xFFFF,
    [PHY_LED] = 0xFFFF,
    [25] = 0xFFFF,
    [26] = 0xFFFF,
    [27] = 0xFFFF,
    [28] = 0xFFFF,
    [29] = 0xFFFF,
    [30] = 0xFFFF,
    [31] = 0xFFFF,
};

/* ---- Link ---- */

/* What both ends can, best first: speed and duplex. The other end can everything. */
static bool common(const struct e1000 *e, unsigned *speed, bool *full)
{
    static const struct {
        uint8_t reg;
        uint16_t bit;
        uint8_t speed;
        bool full;
    } modes[] = {
        {PHY_1000_CONTROL, 0x0200, 2, true}, {PHY_1000_CONTROL, 0x0100, 2, false},
        {PHY_ADVERTISE, 0x0100, 1, true},    {PHY_ADVERTISE, 0x0080, 1, false},
        {PHY_ADVERTISE, 0x0040, 0, true},    {PHY_ADVERTISE, 0x0020, 0, false},
    };
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (e->phy[modes[i].reg] & modes[i].bit) {
            *speed = modes[i].speed;
            *full = modes[i].full;
            return true;
        }
    return false;
}

static bool cable(const struct e1000 *e)
{
    return e->net && net_link_up(e->net);
}

bool e1000_phy_loopback(const struct e1000 *e)
{
    return e->phy[PHY_CONTROL] & CONTROL_LOOPBACK;
}

bool e1000_phy_link(const struct e1000 *e)
{
    const uint16_t control = e->phy[PHY_CONTROL];
    unsigned speed;
    bool full;
    if (control & (CONTROL_DOWN | CONTROL_ISOLATE))
        return false;
    if (control & CONTROL_LOOPBACK)
        return true;
    return cable(e) && !e->negotiating && (!(control & CONTROL_AN) || common(e, &speed, &full));
}

unsigned e1000_phy_speed(const struct e1000 *e, bool *full)
{
    const uint16_t control = e->phy[PHY_CONTROL];
    unsigned speed;
    if ((control & CONTROL_AN) && common(e, &speed, full))
        return speed;
    *full = control & CONTROL_FULL;
    return control & CONTROL_1000 ? 2 : control & CONTROL_100 ? 1 : 0;
}

/* Link down is kept until it is read (22.2.4.2.13). */
static void note_link(struct e1000 *e)
{
    if (!e1000_phy_link(e))
        e->link_lost = true;
    e1000_update_link(e);
}

void e1000_phy_negotiate(struct e1000 *e)
{
    e->negotiating = false;
    e->link_due = CLOCK_NEVER;
    if ((e->phy[PHY_CONTROL] & CONTROL_AN) && cable(e)) {
        e->negotiating = true;
        e->link_due = clock_now(e->clock) + NEGOTIATE_NS;
    }
    note_link(e);
    e1000_update_timer(e);
}

void e1000_phy_negotiated(struct e1000 *e)
{
    e->negotiating = false;
    e->link_due = CLOCK_NEVER;
    e->phy[PHY_IRQ_STATUS] |= 0x0C00; /* negotiated, link changed */
    note_link(e);
}

void e1000_phy_cable(void *opaque, bool up)
{
    struct e1000 *e = opaque;
    (void)up;
    e1000_received(e);
    e->phy[PHY_IRQ_STATUS] |= 0x0400;
    e1000_phy_negotiate(e);
    e1000_update_irq(e);
}

void e1000_phy_reset(struct e1000 *e)
{
    memcpy(e->phy, after_reset, sizeof(e->phy));
    e1000_phy_negotiate(e);
}

/* ---- Management interface (13.4.8) ---- */

static uint16_t phy_read(struct e1000 *e, unsigned reg)
{
    const bool link = e1000_phy_link(e);
    const bool done = (e->phy[PHY_CONTROL] & CONTROL_AN) && !e->negotiating && cable(e);
    bool full;
    uint16_t v;
    switch (reg) {
    case PHY_STATUS: /* all modes but 100BASE-T4 and T2; extended status */
        v = (uint16_t)(0x7949 | (done ? 0x20 : 0) | (link && !e->link_lost ? 4 : 0));
        e->link_lost = !link;
        return v;
    case PHY_ID1:
        return 0x0141;
    case PHY_ID2:
        return 0x0C20;
    case PHY_PARTNER: /* all of 10 and 100, no pause; a next page for 1000 */
        return done ? 0xC1E1 : 0;
    case PHY_EXPANSION:
        return done ? 0x000F : 0x0004;
    case PHY_1000_STATUS: /* both receivers are well; 1000 in full and half duplex */
        return done ? 0x3C00 : 0;
    case PHY_EXTENDED:
        return 0x3000;
    case PHY_SPECIFIC_STATUS: {
        const unsigned speed = e1000_phy_speed(e, &full);
        return link ? (uint16_t)(speed << 14 | (full ? 0x2000 : 0) | 0x0C00) : 0;
    }
    case PHY_IRQ_STATUS:
        v = e->phy[reg];
        e->phy[reg] = 0;
        return v;
    default:
        return e->phy[reg];
    }
}

static void phy_write(struct e1000 *e, unsigned reg, uint16_t v)
{
    if (!writable[reg])
        return;
    e->phy[reg] = v & writable[reg];
    if (reg != PHY_CONTROL)
        return;
    if (v & (CONTROL_RESET | CONTROL_RESTART))
        e1000_phy_negotiate(e);
    else if (!(v & CONTROL_AN))
        e->negotiating = false;
    note_link(e);
}

void e1000_mdic(struct e1000 *e, uint32_t v)
{
    const unsigned reg = v >> 16 & 31, op = v >> 26 & 3;
    uint32_t result = (v & 0x2FFFFFFF) | MDIC_READY;
    if ((v >> 21 & 31) != PHY_ADDRESS || (op != MDIC_READ && op != MDIC_WRITE))
        result |= MDIC_ERROR;
    else if (op == MDIC_READ)
        result = (result & ~0xFFFFu) | phy_read(e, reg);
    else
        phy_write(e, reg, (uint16_t)v);
    e->reg[E1000_MDIC] = result;
    if (v & MDIC_INT)
        e1000_cause(e, ICR_MDAC);
}

/* ---- EEPROM (5.6; 93C46 in words of 16 bits) ---- */

#define EECD_SK  0x001u
#define EECD_CS  0x002u
#define EECD_DI  0x004u
#define EECD_DO  0x008u
#define EECD_REQ 0x040u
#define EECD_GNT 0x080u
#define EECD_PRS 0x100u
/* Operation and first address bits */
enum { OP_OTHER, OP_WRITE, OP_READ, OP_ERASE };
enum { OTHER_DISABLE, OTHER_WRITE_ALL, OTHER_ERASE_ALL, OTHER_ENABLE };
#define COMMAND_BITS 8

const struct state_field e1000_eeprom_state[] = {
    STATE_LIMIT(struct e1000_eeprom, phase, EEPROM_LAST),
    STATE_LIMIT(struct e1000_eeprom, bits, 16),
    STATE_UINT(struct e1000_eeprom, shift),
    STATE_UINT(struct e1000_eeprom, command),
    STATE_BOOL(struct e1000_eeprom, enabled),
    STATE_BOOL(struct e1000_eeprom, out, .reset = 1),
    STATE_ARRAY(struct e1000_eeprom, word, .keep_on_reset = true),
    STATE_FIELDS_END,
};

/* 5.6.1: the words that drivers look at, and a right sum. */
void e1000_eeprom_init(struct e1000 *e, uint16_t device)
{
    uint16_t *word = e->eeprom.word, sum = 0;
    memset(word, 0xFF, sizeof(e->eeprom.word));
    for (unsigned i = 0; i < 3; i++)
        word[i] = (uint16_t)(e->mac[2 * i] | e->mac[2 * i + 1] << 8);
    word[0x03] = 0x0000; /* no compatibility needed */
    word[0x08] = 0x3000; /* part number of the board */
    word[0x09] = 0x1000;
    word[0x0A] = 0x6403; /* signature; ids are loaded from here: */
    word[0x0B] = 0x0001;
    word[0x0C] = 0x5853;
    word[0x0D] = device;
    word[0x0E] = 0x8086;
    word[0x0F] = 0x3040;
    word[0x10] = 0x0008;
    word[0x11] = 0x2000;
    word[0x20] = 0x1008; /* software defined pins */
    word[0x21] = 0x0000;
    word[0x22] = 0x0F04;
    word[0x23] = 0x7FFF; /* no management */
    word[0x24] = 0x4901; /* no wake-up */
    word[0x2F] = 0x0602; /* LEDs */
    word[0x30] = 0x0100; /* boot agent */
    word[0x31] = 0x4000;
    word[0x32] = 0x121C;
    for (unsigned i = 0; i < E1000_EEPROM - 1; i++)
        sum = (uint16_t)(sum + word[i]);
    word[E1000_EEPROM - 1] = (uint16_t)(0xBABA - sum);
}

uint32_t e1000_eeprom_pins(const struct e1000 *e)
{
    const uint32_t v = e->reg[E1000_EECD];
    return v | EECD_PRS | (v & EECD_REQ ? EECD_GNT : 0) | (e->eeprom.out ? EECD_DO : 0);
}

static void store(struct e1000_eeprom *p)
{
    const unsigned op = p->command >> 6;
    if (!p->enabled)
        return;
    for (unsigned i = 0; i < E1000_EEPROM; i++) {
        const bool all = op == OP_OTHER;
        const unsigned other = p->command >> 4 & 3;
        if (!all && i != (p->command & (E1000_EEPROM - 1)))
            continue;
        if (op == OP_ERASE || (all && other == OTHER_ERASE_ALL))
            p->word[i] = 0xFFFF;
        else if ((op == OP_WRITE || (all && other == OTHER_WRITE_ALL)) && p->bits >= 16)
            p->word[i] = p->shift;
    }
}

static void command_is_in(struct e1000_eeprom *p)
{
    const unsigned op = p->command >> 6, other = p->command >> 4 & 3;
    p->bits = 0;
    p->phase = EEPROM_DONE;
    if (op == OP_READ) {
        p->phase = EEPROM_READ;
        p->shift = p->word[p->command & (E1000_EEPROM - 1)];
        p->out = false; /* a dummy bit first */
    } else if (op == OP_WRITE || (op == OP_OTHER && other == OTHER_WRITE_ALL)) {
        p->phase = EEPROM_WRITE;
    } else if (op == OP_OTHER && other != OTHER_ERASE_ALL) {
        p->enabled = other == OTHER_ENABLE;
    }
}

/* Rising edge of the clock, while selected. */
static void shift(struct e1000_eeprom *p, bool in)
{
    switch ((enum e1000_eeprom_phase)p->phase) {
    case EEPROM_IDLE:
        if (in) {
            p->phase = EEPROM_COMMAND;
            p->bits = 0;
            p->command = 0;
        }
        break;
    case EEPROM_COMMAND:
        p->command = (uint8_t)(p->command << 1 | in);
        if (++p->bits >= COMMAND_BITS)
            command_is_in(p);
        break;
    case EEPROM_READ:
        if (p->bits >= 16) {
            p->command = (uint8_t)((p->command & ~(E1000_EEPROM - 1)) |
                                   ((p->command + 1) & (E1000_EEPROM - 1)));
            p->shift = p->word[p->command & (E1000_EEPROM - 1)];
            p->bits = 0;
        }
        p->out = p->shift >> 15;
        p->shift = (uint16_t)(p->shift << 1);
        p->bits++;
        break;
    case EEPROM_WRITE:
        p->shift = (uint16_t)(p->shift << 1 | in);
        if (++p->bits >= 16)
            p->phase = EEPROM_DONE;
        break;
    case EEPROM_DONE:
        break;
    }
}

void e1000_eeprom_clock(struct e1000 *e, uint32_t was)
{
    struct e1000_eeprom *p = &e->eeprom;
    const uint32_t now = e->reg[E1000_EECD];
    if (!(now & EECD_CS)) {
        if ((was & EECD_CS) && p->phase == EEPROM_DONE)
            store(p);
        p->phase = EEPROM_IDLE;
        p->bits = 0;
        p->out = true; /* ready, or pulled up */
    } else if ((now & ~was) & EECD_SK) {
        shift(p, now & EECD_DI);
    }
}
