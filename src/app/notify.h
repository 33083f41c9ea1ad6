/*
 * notify - what the service manager is told (sd_notify(3), spoken without its library).
 *
 * Says nothing when no manager listens. Opened once, before rights are given up; the main thread's.
 */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

#include <stdint.h>

void notify_open(void); /* takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment */
void notify_close(void);
void notify_ready(const char *status);
void notify_reloading(void); /* notify_ready ends it */
/* The end is near, and within that time, so that the manager does not hurry it. */
void notify_stopping(uint32_t within_ms);
/* In time, and only when all is well: how often a sign of life is wanted; 0: not at all. */
uint32_t notify_watchdog_ms(void);
void notify_alive(void);

#endif
