/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq: one interrupt output of a chip. The chip does not know whether an ISA line, INTx or an MSI
 * is behind it. */
#ifndef HW_CORE_IRQ_H
#define HW_CORE_IRQ_H

#include <stdbool.h>

struct irq {
    void (*set)(void *opaque, unsigned line, bool level);
    void *opaque;
    unsigned line;
    bool level;
};

/* Connects an output to `set`; the level starts low and nothing is sent. */
void irq_init(struct irq *irq, void (*set)(void *opaque, unsigned line, bool level), void *opaque,
              unsigned line);

/* Drives the output; calls `set` only if the level changes. An output that was never connected
 * stays mute. */
void irq_set(struct irq *irq, bool level);

/* Sends the present level again unconditionally (after a restore). */
void irq_push(struct irq *irq);

#endif
