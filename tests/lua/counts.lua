-- The live counts in every form that is published, for the test beside it to compare.
require("msys.core")
require("msys.audit")
require("msys.extended.ac")

local counts = {}
local services = { "SMTP", "ECStream", "Control", "ECmmove2", "ECCluster", "inbound_cidr", "HTTP" }

local function show(what, n)
  print(what .. " " .. type(n) .. " " .. n)
end

function counts:validate_connect(ac, vctx)
  local address = msys.expandMacro("%{spfv1:c}")
  for _, service in ipairs(services) do
    show(service .. " /24", msys.audit.inbound_session_count("/24", service))
    show(service .. " /32", msys.audit.inbound_session_count("/32", service))
    show(service .. " /0", msys.audit.inbound_session_count("/0", service))
    show(service .. " net/24", msys.audit.inbound_session_count(address .. "/24", service))
    show(service .. " addr", msys.audit.inbound_session_count(address, service))
  end
  return msys.core.VALIDATE_CONT
end

-- D52: without arguments this endpoint, with any the service.
function counts:validate_ehlo(str, ac, vctx)
  show("listener", ac:inbound_session_count())
  show("SMTP /24", ac:inbound_session_count("/24"))
  show("SMTP peer", ac:inbound_session_count(nil, "SMTP"))
  show("Control /24", ac:inbound_session_count("/24", "Control"))
  show("pbp /24", ac:pbp_inbound_session_count_service("SMTP", "/24"))
  show("pbp peer", ac:pbp_inbound_session_count_service("SMTP"))
  show("ac as address", msys.audit.inbound_session_count(ac, "SMTP"))
  show("remote_addr as address", msys.audit.inbound_session_count(ac.remote_addr, "SMTP"))
  return msys.core.VALIDATE_CONT
end

msys.registerModule("counts", counts)
