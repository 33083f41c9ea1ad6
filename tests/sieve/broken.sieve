# Everything that is wrong, in one run.
# eval: --phase connect
# exit: 1
# complains: broken.sieve:8:1: unknown function "ec_tarpitt", did you mean "ec_tarpit"?
# complains: broken.sieve:9:35: argument 1 of audit_connections_on_service: a mask is /0 to /128
# complains: broken.sieve:10:19: unknown relation "above", expected one of: gt ge lt le eq ne bitwise-and
# complains: broken.sieve:10:48: syntax error near token RBRACE: expected ';'
ec_tarpitt 10;
$n = audit_connections_on_service "/200";
if ec_test :value "above" $n "1" { ec_tarpit 1 }
