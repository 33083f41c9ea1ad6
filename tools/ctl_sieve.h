/*
 * ctl_sieve - `tidectl sieve eval`: run one script, with no daemon and no configuration, and say as
 * JSON what it did.
 */
#ifndef TOOLS_CTL_SIEVE_H
#define TOOLS_CTL_SIEVE_H

/*
 * argv[0] is the word `eval`, as a program's is its name. The exit code: 0 it ran, 1 it does not
 * compile, or a file can't be read or written, 2 a run-time error ended it, 64 the command line is
 * wrong.
 */
int ctl_sieve_eval(int argc, char **argv);

#endif
