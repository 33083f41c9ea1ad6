/*
 * table - what was measured, against its goal.
 */
#ifndef BENCH_CIDR_TABLE_H
#define BENCH_CIDR_TABLE_H

enum sense { AT_MOST, AT_LEAST };

void table_begin(void); /* measures L */
double table_latency_ns(void);
/* of: the workload. The note says more in numbers of its own. */
void table_row(const char *of, const char *what, double measured, const char *unit,
	       enum sense sense, double goal, const char *note, ...)
	__attribute__((format(printf, 7, 8)));
/* In L, the time of one dependent load (measure.h). */
void table_row_l(const char *of, const char *what, double ns, double goal_l);
void table_end(void);

#endif
