/*
 * budget - a session cap's slots: how many are taken, and by which name.
 *
 * Listener_Sessions and Service_Sessions (D76). A budget is found by its name ("the Peer
 * 2001:db8::/32 of the Listen [::1]:25"), so that a reload, which may change the limit, keeps the
 * number of slots taken. Any thread may call anything.
 *
 * While an upgrade lasts, what another process has taken by the same name counts as well, as far
 * as it has been heard of.
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
uint32_t budget_taken(const struct budget *b); /* here */

/* What the other process has not been told, or is not so any more. There is one such process. */
typedef void budget_tell(void *arg, const char *name, uint32_t taken);
void budgets_tell(struct budgets *all, budget_tell *tell, void *arg);
/* What it has taken. Of no interest where nothing has that name. */
void budgets_hear(struct budgets *all, const char *name, uint32_t taken);
/* It has gone: it has taken nothing, and the next one has been told nothing. */
void budgets_alone(struct budgets *all);

#endif
