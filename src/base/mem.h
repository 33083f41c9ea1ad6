/*
 * mem - memory that is there or the process is not.
 *
 * Out of memory ends the process: there is no mail to lose, the client asks again. Where a peer
 * chooses the size, a limit refuses before these are called.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *mem_new(size_t size) __attribute__((malloc, returns_nonnull));	/* zeroed */
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_resize(void *at, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *mem_vprintf(const char *format, va_list args)
	__attribute__((format(printf, 1, 0), returns_nonnull));

#endif
