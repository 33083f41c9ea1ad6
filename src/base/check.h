/*
 * check - the assert that stays in release builds.
 *
 * For our own bugs only: nothing a peer, a script, a file or the console can send may reach one.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define CHECK(truth) ((truth) ? (void)0 : check_failed(#truth, __FILE__, __LINE__))

_Noreturn void check_failed(const char *truth, const char *file, int line);

#endif
