/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner: a fuzzer without libFuzzer: runs one input after the other. It is what `make check`
 * links, with any compiler and sanitizer; `make fuzz-coverage` counts with it.
 *
 * run_TARGET BUILD: every file of tests/fuzz/corpus/fuzz_TARGET, in order of name, with the verdict
 * that tests/run-tests counts. run_TARGET -- FILE…: these.
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define LARGEST (1u << 20)

/* Only libFuzzer mutates. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data;
    (void)max_size;
    return size;
}

static int run_file(const char *path)
{
    static uint8_t buf[LARGEST];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    size_t n = fread(buf, 1, sizeof(buf), f);
    fclose(f);
    uint8_t *data = malloc(n ? n : 1); /* exactly as long, for the sanitizer */
    if (!data)
        abort();
    memcpy(data, buf, n);
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 0;
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "--")) {
        for (int i = 2; i < argc; i++) {
            fprintf(stderr, "%s\n", argv[i]);
            if (run_file(argv[i]))
                return 1;
        }
        return 0;
    }

    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    if (!strncmp(name, "run_", 4))
        name += 4;
    char folder[256], path[1024];
    snprintf(folder, sizeof(folder), "tests/fuzz/corpus/fuzz_%s", name);
    struct dirent **list;
    int count = scandir(folder, &list, visible, alphasort), failed = 0;
    printf("[ RUN      ] fuzz_%s_corpus\n", name);
    fflush(stdout);
    if (count <= 0) {
        printf("%s: no inputs\n[  FAILED  ] fuzz_%s_corpus\n", folder, name);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name);
        /* What stands last in the log is what it died of. */
        fprintf(stderr, "%s\n", path);
        failed += run_file(path);
        free(list[i]);
    }
    free(list);
    printf("%d inputs\n", count);
    printf(failed ? "[  FAILED  ] fuzz_%s_corpus\n" : "[       OK ] fuzz_%s_corpus\n", name);
    return failed != 0;
}
