/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mkfont: writes build/gen/font.c from GNU Unifont's own format: a line for each character, its
 * code point and its rows in hexadecimal, 32 digits for one that is 8 dots wide.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/font.h"

#define MAX_GLYPHS 0x10000

static struct font_range ranges[MAX_GLYPHS];
static size_t range_count, glyph_count;

static void add(unsigned codepoint)
{
    struct font_range *last = range_count ? &ranges[range_count - 1] : NULL;
    if (last && (unsigned)last->first + last->count == codepoint)
        last->count++;
    else
        ranges[range_count++] = (struct font_range){(uint16_t)codepoint, 1, (uint16_t)glyph_count};
    glyph_count++;
}

/* Prints the rows of one line, if it is one of ours. */
static void glyph(const char *line)
{
    char *colon;
    unsigned long codepoint = strtoul(line, &colon, 16);
    if (*colon != ':' || codepoint > 0xFFFF ||
        strspn(colon + 1, "0123456789ABCDEFabcdef") != 2 * FONT_HEIGHT)
        return;
    printf("    {");
    for (const char *p = colon + 1; p < colon + 1 + 2 * FONT_HEIGHT; p += 2)
        printf("0x%.2s,", p);
    printf("},\n");
    add((unsigned)codepoint);
}

int main(void)
{
    static char line[512];
    FILE *f = fopen(HVM_DM_UNIFONT, "r");
    if (!f) {
        perror(HVM_DM_UNIFONT);
        return 1;
    }
    printf("/* Made by mkfont from " HVM_DM_UNIFONT ". */\n#include \"ui/font.h\"\n"
           "const uint8_t font_bits[][FONT_HEIGHT] = {\n");
    while (fgets(line, sizeof(line), f))
        glyph(line);
    fclose(f);
    printf("};\nconst struct font_range font_ranges[] = {\n");
    for (size_t i = 0; i < range_count; i++)
        printf("    {%u, %u, %u},\n", ranges[i].first, ranges[i].count, ranges[i].index);
    printf("};\nconst size_t font_range_count = %zu;\n", range_count);
    if (glyph_count < 1000) {
        fprintf(stderr, HVM_DM_UNIFONT ": only %zu characters in it\n", glyph_count);
        return 1;
    }
    return fflush(stdout) || ferror(stdout);
}
