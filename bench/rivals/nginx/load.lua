-- Fills the dictionary before the first request.
local numbers = ngx.shared.numbers
for line in io.lines("@MAP@") do
    local number, url = line:match("^(%S+) (%S+)$")
    local stored, why = numbers:safe_set(number, url)
    assert(stored, why)
end
