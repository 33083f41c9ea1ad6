-- A policy as a site writes it: concurrent sessions, checked at connect (behaviour 8).
require("msys.core")
require("msys.extended.vctx")
require("msys.audit")

local limits = {}

function limits:init()
  self.host, self.net, self.all = 10, 100, 20000
  return true
end

function limits:validate_connect(ac, vctx)
  if msys.audit.inbound_session_count("/0", "SMTP") > self.all then
    vctx:disconnect(421, "connection limit exceeded")
    return msys.core.VALIDATE_DONE
  end
  if vctx:get(msys.core.VCTX_CONN, "trusted") != "yes" then
    local host = msys.audit.inbound_session_count("/32", "SMTP")
    if host > self.host then
      vctx:disconnect(421, "connection limit exceeded: " .. host .. " from " .. msys.expandMacro("%{spfv1:i}"))
      return msys.core.VALIDATE_DONE
    end
    if msys.audit.inbound_session_count("/24", "SMTP") > self.net then
      vctx:tarpit(10)
    end
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("limits", limits)
