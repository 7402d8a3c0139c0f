--[[ A school whose dialplan is written in Lua, with what is usual there: modules, helpers, tables that are
     built up, texts that are put together. ]]
require "school"

local DIAL = "PJSIP/%s"
lang = "en"

local function play(...)
    for _, name in ipairs({ ... }) do
        app.playback(lang .. "/" .. name)
    end
end

function bell(context, extension)
    lang = channel.LANGUAGE:get()
    app.answer()
    play("bell", "bell-again")
    if school.is_open() then
        return app["goto"](school.context, "s", 1)
    elseif school.is_holiday() then
        app.hangup()
    else
        app.dial(table.concat(school.phones, "&"), 20)
    end
end

local function room(context, extension)
    local number = channel.CALLERID("num"):get():gsub("%D", "")

    channel.CDR("userfield"):set(number)
    channel["__FROM"] = number
    app.dial(string.format(DIAL, extension), 30, nil, "b(set^" .. number .. ")")
    if channel.DIALSTATUS:get() == "BUSY" then
        app.busy(10)
    end
    app.voicemail(extension .. "@school", "u")
end

local plan = {}
for i = 100, 120 do
    plan[tostring(i)] = room
end

extensions = {
    rooms = plan;
    ["from-town"] = {
        include = { "bells" };
        i = function() app.playback("invalid") app.hangup() end,
        h = function(c, e)
            app.noop(channel.HANGUPCAUSE:get(), "${nothing}", [[x]])
        end,
    };
    bells = { s = bell, ["_20X"] = room };
}

for name, context in pairs(school.contexts) do
    extensions[name] = context
end

hints = { rooms = { [100] = "PJSIP/100" } }
