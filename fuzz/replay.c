/* Runs a fuzz target over saved inputs: files, or directories of files. What crashed once stays
 * tested. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static void replay_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0) {
		fprintf(stderr, "replay: cannot read %s\n", path);
		exit(1);
	}
	rewind(in);
	data = malloc((size_t)size + 1);
	if (data == NULL || fread(data, 1, (size_t)size, in) != (size_t)size)
		exit(1);
	fclose(in);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	replayed++;
}

static void replay(const char *path)
{
	struct stat st;
	struct dirent *entry;
	char below[4096];
	DIR *dir;

	if (stat(path, &st) != 0) {
		fprintf(stderr, "replay: no %s\n", path);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
		replay(below);
	}
	if (dir != NULL)
		closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%s: %u inputs\n", argv[0], replayed);
	return replayed == 0; /* an empty corpus tests nothing */
}
