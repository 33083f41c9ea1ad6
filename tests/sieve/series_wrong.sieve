# What is wrong with constants is found when the script is compiled.
# eval: --phase connect
# exit: 1
# complains: series_wrong.sieve:15:24: argument 2 of audit_series_add: a monitor is "SECONDS,WINDOWS"
# complains: series_wrong.sieve:16:32: argument 3 of audit_series_add: the text is not a number
# complains: series_wrong.sieve:17:33: argument 3 of audit_series: a mask is /0 to /128
# complains: series_wrong.sieve:18:28: argument 2 of ec_ip_connections: a mask is /0 to /128
# complains: series_wrong.sieve:19:6: audit_series takes 2 to 5 arguments, not 1
# complains: series_wrong.sieve:20:6: ec_ip_rejections takes 1 to 2 arguments, not 3
# complains: series_wrong.sieve:21:22: :ip: not an IPv4 or IPv6 address
# complains: series_wrong.sieve:22:1: :ip needs a value after it
# complains: series_wrong.sieve:23:24: ec_ip_connections has no tag ":ip", expected none
# complains: series_wrong.sieve:24:6: ec_ip_connections takes 1 to 2 arguments, not 0

audit_series_add "bad" "600";
audit_series_add "bad" "600,6" "many";
$a = audit_series "bad" "600,6" "129";
$a = ec_ip_connections "0" 200;
$a = audit_series "bad";
$a = ec_ip_rejections "0" "24" "1";
audit_series_add :ip "nobody" "bad" "600,6";
audit_series_add "bad" "600,6" :ip;
$a = ec_ip_connections :ip "192.0.2.1" "0";
$a = ec_ip_connections;
