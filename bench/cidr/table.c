#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "measure.h"

static unsigned goals_seen, misses;
static double latency;

void table_begin(void)
{
	latency = measure_latency_ns();
	printf("L = %.0f ns\n\n%-10s %-38s %8s %-6s %2s %5s %7s\n", latency, "", "", "measured", "",
	       "", "goal", "ratio");
}

double table_latency_ns(void)
{
	return latency;
}

void table_row(const char *of, const char *what, double measured, const char *unit,
	       enum sense sense, double goal, const char *note, ...)
{
	bool pass = sense == AT_LEAST ? measured >= goal : measured <= goal;
	va_list args;

	goals_seen++;
	misses += !pass;
	printf("%-10s %-38s %8.4g %-6s %s %5.4g %7.2f  %s  ", of, what, measured, unit,
	       sense == AT_LEAST ? ">=" : "<=", goal, measured / goal, pass ? "pass" : "MISS");
	va_start(args, note);
	vprintf(note, args);
	va_end(args);
	puts("");
	fflush(stdout);
}

void table_row_l(const char *of, const char *what, double ns, double goal_l)
{
	table_row(of, what, ns / latency, "L", AT_MOST, goal_l, "%.0f ns", ns);
}

void table_end(void)
{
	printf("\n%u of %u goals missed\n", misses, goals_seen);
}
