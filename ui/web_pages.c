/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web_pages: see web_pages.h. */
#include "ui/web_pages.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *suffix, *type;
} types[] = {{".html", "text/html; charset=utf-8"},
             {".js", "text/javascript; charset=utf-8"},
             {".css", "text/css; charset=utf-8"},
             {".json", "application/json"},
             {".svg", "image/svg+xml"},
             {".png", "image/png"},
             {".ico", "image/x-icon"},
             {".oga", "audio/ogg"},
             {".mp3", "audio/mpeg"},
             {".woff", "font/woff"},
             {".ttf", "font/ttf"}};

static const char *type_of(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t n = strlen(types[i].suffix);

        if (length > n && !strcmp(name + length - n, types[i].suffix))
            return types[i].type;
    }
    return NULL;
}

static uint8_t *read_all(int fd, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    size_t have = 0;

    while (data && have < size) {
        ssize_t n = read(fd, data + have, size - have);

        if (n <= 0) {
            free(data);
            return NULL;
        }
        have += (size_t)n;
    }
    return data;
}

static void add_file(struct web_pages *pages, int folder, const char *prefix, const char *file)
{
    struct web_page *page = &pages->page[pages->count];
    const char *type = type_of(file);
    struct stat st;
    int fd;

    if (!type || pages->count == WEB_MAX_PAGES)
        return;
    *page = (struct web_page){.type = type};
    fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
        (size_t)st.st_size <= WEB_MAX_BYTES - pages->bytes) {
        page->size = (size_t)st.st_size;
        page->data = read_all(fd, page->size);
        if (page->data && asprintf(&page->name, "%s/%s", prefix, file) < 0) {
            free(page->data);
            page->data = NULL;
        }
    }
    close(fd);
    if (!page->data)
        return;
    pages->bytes += page->size;
    pages->count++;
}

static void add_folder(struct web_pages *pages, int fd, const char *prefix, unsigned depth)
{
    DIR *dir = fdopendir(fd);

    if (!dir) {
        close(fd);
        return;
    }
    for (struct dirent *e = readdir(dir); e && pages->count < WEB_MAX_PAGES; e = readdir(dir)) {
        char *inner;
        int sub;

        if (e->d_name[0] == '.')
            continue;
        sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (sub < 0) {
            add_file(pages, fd, prefix, e->d_name);
        } else if (depth < WEB_MAX_FOLDER && asprintf(&inner, "%s/%s", prefix, e->d_name) >= 0) {
            add_folder(pages, sub, inner, depth + 1);
            free(inner);
        } else {
            close(sub);
        }
    }
    closedir(dir);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct web_page *)a)->name, ((const struct web_page *)b)->name);
}

void web_pages_load(struct web_pages *pages, const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    pages->count = pages->bytes = 0;
    if (fd < 0)
        return;
    add_folder(pages, fd, "", 1);
    qsort(pages->page, pages->count, sizeof(pages->page[0]), by_name);
}

void web_pages_free(struct web_pages *pages)
{
    for (size_t i = 0; i < pages->count; i++) {
        free(pages->page[i].name);
        free(pages->page[i].data);
    }
    pages->count = 0;
}

const struct web_page *web_pages_find(const struct web_pages *pages, const char *name)
{
    /* Only compared with, never written to. */
    const struct web_page wanted = {.name = (char *)(uintptr_t)name};

    return bsearch(&wanted, pages->page, pages->count, sizeof(pages->page[0]), by_name);
}
