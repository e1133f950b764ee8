/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage: what a device model costs, as /proc and its ELF files tell. */
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

/* Sum of the numbers behind `name` at the start of a line. */
static double field(const char *path, const char *name)
{
    char line[512];
    double sum = 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, name, strlen(name)))
            sum += atof(line + strlen(name));
    if (f)
        fclose(f);
    return sum;
}

/* Memory of one process, without mappings of the guest's: on Xen these do not count either. */
static void add_memory(pid_t pid, struct usage *u)
{
    char path[64], line[512];
    bool guest = false;
    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (isxdigit((unsigned char)line[0]) && !isupper((unsigned char)line[0]))
            guest = strstr(line, "memfd:xenstub");
        else if (!guest && !strncmp(line, "Rss:", 4))
            u->vm_rss += atof(line + 4);
        else if (!guest && !strncmp(line, "Pss:", 4))
            u->pss += atof(line + 4);
    }
    if (f)
        fclose(f);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    u->rss_anon += field(path, "RssAnon:");
}

static void add_files(pid_t pid, struct usage *u)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]) && atoi(e->d_name) < STUB_FD)
            u->files++;
    if (d)
        closedir(d);
}

static void add_threads(pid_t pid, struct usage *u)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        char file[400];
        snprintf(file, sizeof(file), "%s/%s/status", path, e->d_name);
        u->threads++;
        u->switches += field(file, "voluntary_ctxt_switches:");
        snprintf(file, sizeof(file), "%s/%s/schedstat", path, e->d_name);
        u->cpu_us += field(file, "") / 1e3;
    }
    if (d)
        closedir(d);
}

static void add_process(pid_t pid, bool memory, struct usage *u)
{
    u->processes++;
    add_threads(pid, u);
    add_files(pid, u);
    if (memory)
        add_memory(pid, u);
}

struct usage usage_of(pid_t dm, bool memory)
{
    struct usage u = {0};
    char path[64];
    add_process(dm, memory, &u);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)dm, (int)dm);
    FILE *f = fopen(path, "r");
    for (int child; f && fscanf(f, "%d", &child) == 1;)
        add_process(child, memory, &u);
    if (f)
        fclose(f);
    return u;
}

/* --- sizes --- */

/* What is loaded of an ELF file, so that symbols and debugging information do not count. */
static double loaded_bytes(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    double bytes = 0;
    if (fd < 0 || fstat(fd, &st) || st.st_size < (off_t)sizeof(Elf64_Ehdr)) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    uint8_t *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        return 0;
    const Elf64_Ehdr *e = (const void *)file;
    if (!memcmp(e->e_ident, ELFMAG, SELFMAG) && e->e_ident[EI_CLASS] == ELFCLASS64 &&
        e->e_phoff + (uint64_t)e->e_phnum * sizeof(Elf64_Phdr) <= (uint64_t)st.st_size) {
        const Elf64_Phdr *p = (const void *)(file + e->e_phoff);
        for (unsigned i = 0; i < e->e_phnum; i++)
            if (p[i].p_type == PT_LOAD)
                bytes += (double)p[i].p_filesz;
    }
    munmap(file, (size_t)st.st_size);
    return bytes;
}

double size_of_binary(const char *path)
{
    return loaded_bytes(path) / 1024;
}

/* ldd names each library once, with all that the libraries need. */
double size_with_libraries(const char *path)
{
    char command[700], line[1024];
    double sum = loaded_bytes(path);
    snprintf(command, sizeof(command), "ldd '%s'", path);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof(line), f)) {
        char *file = strchr(line, '/');
        if (!file)
            continue;
        file[strcspn(file, " \n")] = 0;
        sum += loaded_bytes(file);
    }
    if (f)
        pclose(f);
    return sum / 1024;
}

/* The files it has mapped; the stand-in's libraries count too, as Xen's would. */
double size_loaded(pid_t dm)
{
    char path[64], line[1024], seen[256][128];
    unsigned files = 0;
    double sum = 0;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)dm);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        char *file = strchr(line, '/');
        if (!file)
            continue;
        file[strcspn(file, "\n")] = 0;
        bool known = strlen(file) >= sizeof(seen[0]);
        for (unsigned i = 0; i < files && !known; i++)
            known = !strcmp(seen[i], file);
        if (known || files == 256)
            continue;
        strcpy(seen[files++], file);
        sum += loaded_bytes(file);
    }
    if (f)
        fclose(f);
    return sum / 1024;
}
