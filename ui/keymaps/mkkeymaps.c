/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mkkeymaps: writes the keymaps of qemu's names as C tables, at build time: making one out of XKB's
 * data costs milliseconds and some hundred KiB at every start.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ui/keymap_table.h"

int main(void)
{
    struct err err;
    const char *name;
    puts("/* Written by mkkeymaps. */\n#include \"ui/keymap_table.h\"");
    for (size_t i = 0; (name = keymap_qemu_name(i)); i++) {
        struct keymap *keymap = keymap_from_xkb(name, &err);
        if (!keymap) {
            fprintf(stderr, "mkkeymaps: %s\n", err.text);
            return 1;
        }
        printf("\nstatic const struct keymap_entry table%zu[] = { /* %s */\n", i, name);
        for (size_t n = 0; n < keymap->count; n++) {
            const struct keymap_entry *e = &keymap->entries[n];
            printf("    {%#x, %u, %u, %u, %u},\n", e->keysym, e->code, e->mods, e->dead, e->rank);
        }
        puts("};");
        printf("#define MODIFIERS%zu %u, %u, %u\n", i, keymap->level3, keymap->level5,
               keymap->caps_lock);
        free(keymap->own);
        free(keymap);
    }
    puts("\n#define KEYMAP(name, table, mods) {name, {sizeof(table) / sizeof((table)[0]), table, "
         "NULL, mods}}"
         "\nconst struct keymap_builtin keymap_builtins[] = {");
    for (size_t i = 0; (name = keymap_qemu_name(i)); i++)
        printf("    KEYMAP(\"%s\", table%zu, MODIFIERS%zu),\n", name, i, i);
    puts("};\nconst size_t keymap_builtin_count = "
         "sizeof(keymap_builtins) / sizeof(keymap_builtins[0]);");
    return fflush(stdout) ? 1 : 0;
}
