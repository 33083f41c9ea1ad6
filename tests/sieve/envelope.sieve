# What the options tell a script.
# eval: --phase connect --client-addr 192.0.2.7 --auth-user ann
# want: {"actions":[],"implicit_keep":true,"error":null}
# complains: envelope.sieve:12: 192.0.2.7 <> <> ann 
# eval: --phase mailfrom --envelope-from ann+x@example.org --envelope-to bob@example.net
# want: {"actions":[],"implicit_keep":true,"error":null}
# complains: envelope.sieve:12:  <ann+x@example.org> <>  x
# eval: --envelope-from ann+x@example.org --envelope-to bob@example.net --client-addr '[2001:db8::7]' --message /etc/hostname
# want: {"actions":[],"implicit_keep":true,"error":null}
# complains: envelope.sieve:12: 2001:db8::7 <ann+x@example.org> <bob@example.net>  x
$f = envelope "from"; $t = envelope "to"; $d = envelope :detail "from";
ec_log "%{spfv1:c} <${f}> <${t}> %{auth_user} ${d}";
