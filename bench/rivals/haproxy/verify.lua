-- Verifies Twilio's signature (https://www.twilio.com/docs/usage/security) and says so in txn.signed. The hash is
-- HAProxy's own.
local key = "@AUTH_TOKEN_BASE64@"

local function decoded(text)
    if not text:find("[%%+]") then
        return text
    end
    text = text:gsub("+", " ")
    return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

core.register_action("verify", { "http-req" }, function(txn)
    local names, values, count = {}, {}, 0
    for name, value in txn.f:req_body():gmatch("([^&=]+)=([^&]*)") do
        count = count + 1
        name = decoded(name)
        names[count] = name
        values[name] = decoded(value)
    end
    table.sort(names)
    local text, length = { "@PUBLIC_URL@", txn.f:path() }, 2
    for index = 1, count do
        local name = names[index]
        text[length + 1] = name
        text[length + 2] = values[name]
        length = length + 2
    end
    local signature = txn.c:base64(txn.c:hmac(table.concat(text), "sha1", key))
    txn:set_var("txn.signed", signature == txn.f:req_hdr("x-twilio-signature"))
end)
