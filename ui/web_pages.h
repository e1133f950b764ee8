/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web_pages: the console page's files, read once and then served from memory: a name that is asked
 * for is looked up in a table and never goes near a file system.
 */
#ifndef UI_WEB_PAGES_H
#define UI_WEB_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define WEB_MAX_PAGES  512       /* files */
#define WEB_MAX_BYTES  (8 << 20) /* of all of them */
#define WEB_MAX_FOLDER 6         /* folders deep */

struct web_page {
    char *name;       /* "/app/ui.js" */
    const char *type; /* "text/javascript" */
    uint8_t *data;
    size_t size;
};

struct web_pages {
    struct web_page page[WEB_MAX_PAGES];
    size_t count, bytes;
};

/* Reads a folder. What does not belong on a web page (names that begin with a dot, unknown types,
 * what is above the limits, what is no plain file) is left out. Nothing there: no pages. */
void web_pages_load(struct web_pages *pages, const char *folder);
void web_pages_free(struct web_pages *pages);

/* The page of exactly that name, or NULL. */
const struct web_page *web_pages_find(const struct web_pages *pages, const char *name);

#endif
