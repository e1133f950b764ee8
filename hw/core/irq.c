/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq: see irq.h. */
#include "hw/core/irq.h"

#include <stddef.h>

void irq_init(struct irq *irq, void (*set)(void *opaque, unsigned line, bool level), void *opaque,
              unsigned line)
{
    irq->set = set;
    irq->opaque = opaque;
    irq->line = line;
    irq->level = false;
}

void irq_set(struct irq *irq, bool level)
{
    if (irq->level == level)
        return;
    irq->level = level;
    if (irq->set)
        irq->set(irq->opaque, irq->line, level);
}

void irq_push(struct irq *irq)
{
    if (irq->set)
        irq->set(irq->opaque, irq->line, irq->level);
}
