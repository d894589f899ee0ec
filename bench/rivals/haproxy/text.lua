-- The part of the text that Twilio signs which comes from the form: names and values sorted by name, still encoded
-- (https://www.twilio.com/docs/usage/security). Twilio sends them sorted: then it is the form without its marks. A
-- converter, as an action would get a whole transaction made for it; decoding and hash are HAProxy's own.
local function sorted(form)
    local before = ""
    for name in form:gmatch("([^&=]+)=[^&]*") do
        if name < before then
            return false
        end
        before = name
    end
    return true
end

local function sort(form)
    local names, values = {}, {}
    for name, value in form:gmatch("([^&=]+)=([^&]*)") do
        names[#names + 1] = name
        values[name] = value
    end
    table.sort(names)
    for index, name in ipairs(names) do
        names[index] = name .. values[name]
    end
    return table.concat(names)
end

core.register_converters("text", function(form)
    return sorted(form) and form:gsub("[&=]", "") or sort(form)
end)
