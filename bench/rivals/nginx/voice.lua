-- Verifies Twilio's signature (https://www.twilio.com/docs/usage/security), looks the number up, answers its document.
ngx.req.read_body()
local form = ngx.req.get_post_args(100)

local names, count = {}, 0
for name in pairs(form) do
    count = count + 1
    names[count] = name
end
table.sort(names)
local text, length = { "@PUBLIC_URL@" .. ngx.var.request_uri }, 1
for index = 1, count do
    local name = names[index]
    text[length + 1] = name
    text[length + 2] = tostring(form[name])
    length = length + 2
end
local signature = ngx.encode_base64(ngx.hmac_sha1("@AUTH_TOKEN@", table.concat(text)))
if signature ~= ngx.var.http_x_twilio_signature then
    return ngx.exit(403)
end

local url = ngx.shared.numbers:get(form.To)
if not url then
    return ngx.exit(404)
end
local document = '<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="' .. url
    .. '"><Parameter name="call_id" value="' .. form.CallSid
    .. '"/><Parameter name="from" value="' .. form.From
    .. '"/><Parameter name="to" value="' .. form.To
    .. '"/></Stream></Connect></Response>'
ngx.header.content_length = #document
ngx.print(document)
