/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vbe: the Bochs VBE extensions ("DISPI", ID B0C5h) of the VGA. Bochs, vbe_display_api.txt; what it
 * leaves open (rounding, limits, when a mode is corrected) as the guest finds it on the stock
 * 1234:1111.
 */
#include "hw/pc/vga_core.h"

#include <string.h>

bool vbe_enabled(const struct vga_core *core)
{
    return core->vbe[VBE_ENABLE] & VBE_ENABLED;
}

uint32_t vbe_pitch(const struct vga_core *core)
{
    uint32_t width = core->vbe[VBE_VIRT_WIDTH], bits = core->vbe[VBE_BPP];
    return bits == 4 ? width / 2 : width * ((bits + 7) / 8);
}

static uint16_t limit(uint32_t v, uint32_t min, uint32_t max)
{
    return (uint16_t)(v < min ? min : v > max ? max : v);
}

static bool fits(const struct vga_core *core)
{
    const uint16_t *v = core->vbe;
    uint64_t x = v[VBE_BPP] == 4 ? v[VBE_X_OFFSET] / 2u
                                 : (uint64_t)v[VBE_X_OFFSET] * ((v[VBE_BPP] + 7u) / 8);
    return x + ((uint64_t)v[VBE_Y_OFFSET] + v[VBE_YRES]) * vbe_pitch(core) <= core->vram_bytes;
}

void vbe_fix_mode(struct vga_core *core)
{
    uint16_t *v = core->vbe;
    if (!vbe_enabled(core))
        return;
    switch (v[VBE_BPP]) {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32:
        break;
    default:
        v[VBE_BPP] = 8;
        break;
    }
    v[VBE_XRES] = limit(v[VBE_XRES] & ~7u, 8, VBE_MAX_XRES);
    v[VBE_VIRT_WIDTH] = limit(v[VBE_VIRT_WIDTH] & ~7u, v[VBE_XRES], VBE_MAX_XRES);
    uint32_t lines = core->vram_bytes / vbe_pitch(core);
    v[VBE_VIRT_HEIGHT] = limit(lines, 1, UINT16_MAX);
    v[VBE_YRES] = limit(v[VBE_YRES], 1, lines < VBE_MAX_YRES ? lines : VBE_MAX_YRES);
    v[VBE_X_OFFSET] = limit(v[VBE_X_OFFSET], 0, VBE_MAX_XRES);
    v[VBE_Y_OFFSET] = limit(v[VBE_Y_OFFSET], 0, VBE_MAX_YRES);
    if (!fits(core))
        v[VBE_Y_OFFSET] = 0;
    if (!fits(core))
        v[VBE_X_OFFSET] = 0;
}

uint16_t vbe_read(const struct vga_core *core, uint16_t index)
{
    if (index == VBE_MEMORY_64K)
        return (uint16_t)(core->vram_bytes >> 16);
    if (index >= VBE_COUNT)
        return 0;
    if (core->vbe[VBE_ENABLE] & VBE_GETCAPS) {
        if (index == VBE_XRES)
            return VBE_MAX_XRES;
        if (index == VBE_YRES)
            return VBE_MAX_YRES;
        if (index == VBE_BPP)
            return VBE_MAX_BPP;
    }
    return core->vbe[index];
}

static void write_enable(struct vga_core *core, uint16_t value)
{
    bool was = vbe_enabled(core);
    core->vbe[VBE_ENABLE] = value;
    if (vbe_enabled(core) == was)
        return;
    core->vbe[VBE_BANK] = 0;
    if (was)
        return;
    vga_reach_all(core);
    core->vbe[VBE_VIRT_WIDTH] = 0;
    core->vbe[VBE_X_OFFSET] = 0;
    core->vbe[VBE_Y_OFFSET] = 0;
    vbe_fix_mode(core);
    if (value & VBE_NO_CLEAR)
        return;
    uint64_t len = (uint64_t)core->vbe[VBE_YRES] * vbe_pitch(core);
    if (len > core->vram_reach)
        len = core->vram_reach;
    memset(core->vram, 0, (size_t)len);
    vga_memory_written(core, 0, len - 1);
}

void vbe_write(struct vga_core *core, uint16_t index, uint16_t value)
{
    switch (index) {
    case VBE_ID:
        if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST)
            core->vbe[VBE_ID] = value;
        break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        core->vbe[index] = value;
        vbe_fix_mode(core);
        break;
    case VBE_ENABLE:
        write_enable(core, value);
        break;
    case VBE_BANK:
        core->vbe[VBE_BANK] = (uint16_t)(value & ((core->vram_bytes >> 16) - 1));
        break;
    default: /* the virtual height follows from the width; what is not there swallows writes */
        break;
    }
}
