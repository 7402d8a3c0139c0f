"""The page of the verb audit, in a real browser: what it shows, its filter, its policy, hostile text, a phone, the dark scheme."""
import os

from browser import Browser
from daemon import run

PLAN = """[from-trunk]
exten => _X.,1,Goto(menu,s,1)
[menu]
include => outbound
exten => s,1,System(echo ${CALLERID(name)})
 same => n,WaitExten(5)
 same => n,Goto(nowhere,s,1)
[outbound]
exten => _9X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN:1})}@provider)
 same => n,Hangup()
[alone]
exten => 1,1,Answer()
"""
NAUGHTY = "<img src=x onerror=hacked=1></script><script>hacked=1</script>\"'><svg/onload=hacked=1>"
ROWS = "[...document.querySelectorAll('#findings tbody tr')]"


def page(context, plan, *args):
    context.write("etc/extensions.conf", plan)
    code, out, err = run(context, "audit", context.path("etc"), "--html", context.path("page.html"), *args)
    assert code in (0, 1) and not err, (code, out, err)
    return context.path("page.html")


def filtered(browser, name, value):
    browser.value(f"f = document.getElementById('filter'); f.reset(); f.{name}.value = {value!r}; f.dispatchEvent(new Event('input'))")
    return browser.value(ROWS + ".filter(r => r.offsetParent !== null).map(r => [r.dataset.severity, r.dataset.code])")


def test_the_page_in_a_browser(context):
    browser = Browser(context)
    browser.open(page(context, PLAN))
    assert "Not safe as it is" in browser.value("document.getElementById('verdict').innerText")
    assert "calls at your cost" in browser.value("document.getElementById('verdict').innerText")
    assert browser.value("document.querySelectorAll('#worst li').length") >= 3
    assert "ST210" in browser.value("document.querySelector('#worst li').innerText")
    rows = browser.value(ROWS + ".map(r => [r.dataset.severity, r.dataset.code])")
    order = ["error", "warning", "note"]
    assert len(rows) >= 4 and [r[0] for r in rows] == sorted((r[0] for r in rows), key=order.index), rows
    assert filtered(browser, "severity", "error") == [r for r in rows if r[0] == "error"] != rows
    assert filtered(browser, "code", "ST201") == [["error", "ST201"]]
    assert filtered(browser, "words", "NOWHERE") == [["error", "ST101"]]
    assert f"1 of {len(rows)} shown" == browser.value("document.getElementById('told').innerText")
    assert filtered(browser, "severity", "") == rows
    # Every code in the table leads to its words.
    assert browser.value("[...document.querySelectorAll('#findings a')].every(a => document.querySelector(a.getAttribute('href')))") is True
    look_at_the_drawing(browser)
    assert not browser.complaints(), browser.complaints()
    assert len(browser.picture(context.path("page.png"))) > 10000


def look_at_the_drawing(browser):
    texts = browser.value("[...document.querySelectorAll('#graph .node')].map(n => [n.getAttribute('class'), n.querySelector('text').textContent])")
    assert sorted(texts) == [["node entry fraud", "from-trunk"], ["node fraud", "menu"], ["node fraud", "outbound"], ["node trunk fraud", "provider"]], texts
    edges = browser.value("[...document.querySelectorAll('#graph .edge')].map(e => [e.getAttribute('class'), e.querySelector('title').textContent])")
    assert sorted(e[0] for e in edges) == ["edge dial fraud", "edge goto fraud", "edge include fraud"], edges
    assert "from-trunk goto menu, extensions.conf:2:16" in [e[1] for e in edges], edges
    boxes = browser.value("[...document.querySelectorAll('#graph .node rect')].map(r => { b = r.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; })")
    for i, a in enumerate(boxes):
        assert a[2] > a[0] and a[3] > a[1], boxes
        for b in boxes[i + 1:]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)
    assert "1 context stands alone" in browser.value("document.body.innerText")


def test_hostile_text_stays_text_in_a_browser(context):
    browser = Browser(context)
    plan = f"[{NAUGHTY}]\nexten => _X.,1,System({NAUGHTY}${{EXTEN}})\nexten => 1,1,Goto({NAUGHTY},s,1)\n[b]\nexten => 1,1,Dial(PJSIP/1@{NAUGHTY})\n" \
           f"include => {NAUGHTY}\n"
    browser.open(page(context, plan))
    assert browser.value("typeof hacked") == "undefined"
    assert browser.value("document.scripts.length") == 1 and browser.value("document.querySelectorAll('img, [onerror], [onload]').length") == 0
    assert browser.value("document.querySelectorAll('[src], link, iframe, object, embed, form[action], a:not([href^=\"#\"])').length") == 0
    assert browser.value("performance.getEntriesByType('resource').length") == 0
    assert "onerror=hacked" in browser.value("document.body.innerText")
    assert not browser.complaints(), browser.complaints()
    # Were something to get in, the policy would not let it run.
    browser.value("s = document.createElement('script'); s.textContent = 'hacked = 1'; document.body.append(s); i = new Image(); i.src = 'file:///x.png'; 1")
    browser.wait("Log.entryAdded")
    assert browser.value("typeof hacked") == "undefined" and "Content Security Policy" in " ".join(browser.complaints()), browser.complaints()


def test_the_page_on_a_phone_and_in_the_dark(context):
    browser = Browser(context)
    path = page(context, PLAN)
    browser.open(path, width=390, height=844, is_dark=True)
    assert browser.value("document.documentElement.scrollWidth") <= 390, "the page is wider than the phone"
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"
    assert browser.value("getComputedStyle(document.querySelector('#findings td')).display") != "table-cell"
    browser.picture(context.path("phone.png"))
    browser.open(path)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_page_tells_the_scripts(context):
    context.write("agi/look.py", "#!/usr/bin/env python3\nprint('GET VARIABLE X')\n")
    plan = "[default]\nexten => 1,1,AGI(look.py,${X})\n same => n,AGI(agi://u:hunter2@h/x)\n same => n,AGI(agi://h/x?k=hunter2)\n same => n,Hangup()\n"
    with open(page(context, plan, "--agi-dir", context.path("agi")), encoding="utf-8") as f:
        text = f.read()
    part = text[text.index('<section id="agi">'):]
    part = part[:part.index("</section>")]
    assert "3 places, 1 script<" in part and "look.py" in part and "agi://h/x?***" in part and "Reached from default" in part, part
    assert "hunter2" not in text


def test_a_large_dialplan_is_drawn_in_part(context):
    plan = "[default]\n" + "".join(f"exten => {i},1,Goto(c{i},s,1)\n" for i in range(150)) + \
        "".join(f"[c{i}]\nexten => s,1,Goto(c{(i * 7 + 1) % 150},s,1)\n" for i in range(150))
    with open(page(context, plan), encoding="utf-8") as f:
        text = f.read()
    assert text.count('<g class="node') == 60 and "60 of 151 contexts and trunks are drawn" in text and "91 contexts and trunks are left out" in text
    assert os.path.getsize(context.path("page.html")) < 1 << 20
