#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *at)
{
	if (at == NULL) {
		fputs("fatal: out of memory\n", stderr);
		exit(71); /* EX_OSERR */
	}
	return at;
}

void *mem_new(size_t size)
{
	return or_die(calloc(1, size));
}

void *mem_array(size_t count, size_t size)
{
	return or_die(calloc(count ? count : 1, size));
}

void *mem_resize(void *at, size_t count, size_t size)
{
	return or_die(reallocarray(at, count ? count : 1, size));
}

char *mem_strdup(const char *text)
{
	return or_die(strdup(text));
}

char *mem_strndup(const char *text, size_t len)
{
	char *copy = or_die(malloc(len + 1));

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *mem_vprintf(const char *format, va_list args)
{
	char *text;

	return or_die(vasprintf(&text, format, args) < 0 ? NULL : text);
}

char *mem_printf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = mem_vprintf(format, args);
	va_end(args);
	return text;
}
