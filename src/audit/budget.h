/*
 * budget - a session cap's slots: how many are taken, and by which name.
 *
 * Listener_Sessions and Service_Sessions (D76). A budget is found by its name ("the Peer
 * 2001:db8::/32 of the Listen [::1]:25"), so that a reload, which may change the limit, keeps the
 * number of slots taken. Any thread may call anything.
 */
#ifndef AUDIT_BUDGET_H
#define AUDIT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget;
struct budgets;

struct budgets *budgets_new(void);
void budgets_free(struct budgets *all);

/* Found, or made at first sight; lives as long as `all`. */
struct budget *budget_named(struct budgets *all, const char *name);

/* A slot, if fewer than limit are taken; limit 0 is no limit, and the slot is counted all
 * the same. */
bool budget_take(struct budget *b, uint32_t limit) __attribute__((warn_unused_result));
void budget_give(struct budget *b);
uint32_t budget_taken(const struct budget *b);

#endif
