local counts = {}

function counts:validate_connect(ac, vctx)
  local count = msys.audit.inbound_session_count
  if count("/32", "SMTP") > 1000 or count("/24", "SMTP") > 10000
     or count("/16", "SMTP") > 100000 or count("/0", "SMTP") > 1000000000 then
    vctx:tarpit(10)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("counts", counts)
