/* fuzz/replay.c: runs every file of a corpus folder through a fuzz target, as a plain test that speaks TAP.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_plain(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The file's bytes in a block of exactly their size, so that the address sanitizer sees one byte too far. */
static uint8_t *read_file(const char *folder, const char *name, size_t *ret_size)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (file == NULL || fstat(fileno(file), &info) != 0) {
        perror(path);
        exit(1);
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    (void)fclose(file);
    *ret_size = size;
    return data;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int count = argc == 2 ? scandir(argv[1], &entries, is_plain, alphasort) : -1;
    if (count <= 0) {
        (void)fprintf(stderr, "usage: %s FOLDER (with at least one file)\n", argv[0]);
        return 1;
    }
    (void)printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        size_t size = 0;
        uint8_t *data = read_file(argv[1], entries[i]->d_name, &size);
        /* Told beforehand: a crash names its input. */
        (void)fprintf(stderr, "%s\n", entries[i]->d_name);
        (void)LLVMFuzzerTestOneInput(data, size);
        (void)printf("ok %d - %s\n", i + 1, entries[i]->d_name);
        (void)fflush(stdout);
        free(data);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
