-- Series, defined, filled, read and emptied (behaviour 3.7), for the test beside it to compare.
require("msys.core")
require("msys.audit")
require("msys.audit_series")

local series = {}

local function show(what, low, high)
  print(what .. " " .. type(low) .. " " .. tostring(low) .. " " .. tostring(high))
end

function series:init()
  msys.audit_series.define("badrcpt4", "cidr", 600, 6, { persist = true })
  msys.audit_series.define("badrcpt6", "cidr_ipv6", 600, 6, { max_bytes = "8m" })
  return msys.audit_series.define("login", "string", 3600, 2)
end

function series:validate_connect(ac, vctx)
  msys.audit_series.add("badrcpt4")
  msys.audit_series.add("badrcpt4", { key = ac, count = 2.9 })
  msys.audit_series.add("badrcpt4", { key = ac.remote_addr, count = "2" })
  msys.audit_series.add("badrcpt6", { key = ac })
  msys.audit_series.add("badrcpt6", { key = "2001:db8::1", prefix_len = 64 })
  msys.audit_series.add("badrcpt6", { key = "2001:db8::2", prefix_len = 64 })
  show("peer", msys.audit_series.count("badrcpt4"))
  show("ac", msys.audit_series.count("badrcpt4", ac))
  show("ac in a table", msys.audit_series.count("badrcpt4", { key = ac, startv = 0, endv = 5 }))
  show("no options", msys.audit_series.count("badrcpt4", {}))
  show("/24", msys.audit_series.count("badrcpt4", { key = "/24", endv = 5 }))
  show("D62 the other family", msys.audit_series.count("badrcpt4", "2001:db8::1"))
  show("/64 as one", msys.audit_series.count("badrcpt6", "2001:db8::"))
  show("everybody", msys.audit_series.count("badrcpt6", "::/0"))
  msys.audit_series.remove_item("badrcpt4", ac)
  show("D63 removed", msys.audit_series.count("badrcpt4", "/0"))
  return msys.core.VALIDATE_CONT
end

function series:validate_ehlo(str, ac, vctx)
  msys.audit_series.add("login", "bob")
  msys.audit_series.add("login", { key = "bob", count = -5 })
  msys.audit_series.add("login", { key = "bob", count = 3 })
  show("text", msys.audit_series.count("login", "bob"))
  msys.audit_series.remove_item("login", "bob")
  show("removed", msys.audit_series.count("login", { key = "bob", endv = 1 }))
  show("connections", msys.audit.connections("60,10"))
  show("D107 alias", msys.audit.connection(" 60, 10"))
  show("receptions", msys.audit.receptions("60,10", { startv = 0, endv = 10, cidr = "/24" }))
  show("rejections", msys.audit.rejections("60,10", { cidr = ac, cluster = false }))
  if msys.audit.connections("60,10", "/24") > 1 then
    vctx:tarpit(1)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("series", series)
