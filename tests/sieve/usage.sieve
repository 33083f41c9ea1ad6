# What is wrong with a command line.
# eval: --phase nowhere
# exit: 64
# complains: tidectl sieve eval: --phase: a phase is accept, connect, ehlo, mailfrom, rcptto or data
# eval: --count SMTP=3
# exit: 64
# complains: tidectl sieve eval: --count: a count is SERVICE=PREFIX=N
# eval: --count SMTP=192.0.2.0/24=many
# exit: 64
# complains: tidectl sieve eval: --count: the N of a count is a whole number
# eval: --count SMTP=192.0.2.0/24=-1
# exit: 64
# complains: tidectl sieve eval: --count: the N of a count is a whole number
# eval: --count SMTP=192.0.2.0/33=1
# exit: 64
# complains: tidectl sieve eval: --count: the mask of an IPv4 block is 0 to 32
# eval: --count Nothing=192.0.2.0/24=1
# exit: 64
# complains: tidectl sieve eval: --count: no service is named "Nothing"
# eval: --client-addr nobody
# exit: 64
# complains: tidectl sieve eval: --client-addr: not an IPv4 or IPv6 address
# eval: --nonsense
# exit: 64
# complains: tidectl sieve eval: unrecognized option '--nonsense'
# eval: --message /nonexistent
# exit: 1
# complains: tidectl sieve eval: /nonexistent: No such file or directory
# eval: --message /etc/hostname --output-message /nonexistent/out
# exit: 1
# want: {"actions":[],"implicit_keep":true,"error":null}
# complains: tidectl sieve eval: /nonexistent/out: No such file or directory
