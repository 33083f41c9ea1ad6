/*
 * ctl_history - `tidectl history`: ask journals, with no daemon and no configuration.
 */
#ifndef TOOLS_CTL_HISTORY_H
#define TOOLS_CTL_HISTORY_H

#include <stdbool.h>

/*
 * argv[0] is the word `history`, as a program's is its name. The exit code: 0 everything was
 * answered, 1 something was not or not wholly, 64 a query or the command line is wrong.
 */
int ctl_history(int argc, char **argv, bool json);

#endif
