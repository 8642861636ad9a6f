"""The handover report as a page: no scripts, no fonts, no pictures from elsewhere; read on a telephone, printed on A4, heard aloud."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from agent.commission.handover import Handover, Line
from agent.selftest.installer import MARK, WORD
from agent.selftest.words_html import fault, figures, prose, text

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
CAPTIONS = {
    "camera": "What the camera sees. Heads were made unrecognisable before this picture was kept; whoever was in it has agreed.",
    "floor": "The floor as it was marked: zones and metres over the same picture, and the plan from above.",
}


def head_of(told: Handover, pictures: Mapping[str, bytes]) -> str:
    """All of the page but its end, which `sealed_page` adds. `pictures`: JPEG by name."""
    parts = [
        _header(told), "<main>", _findings(told), _tested(told), _untested(told), _by_hand(told), _pictures(pictures), _wiring(told),
        _privacy(told), _machine(told), _acceptance(told), "</main>", _footer(told),
    ]  # fmt: skip
    title = text(f"Handover of door {told.site}/{told.door}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}"><title>{title}</title><style>{STYLE}</style></head>'
        f"<body>{''.join(parts)}\n"
    )


def _list(items: Iterable[str], kind: str = "plain") -> str:
    return f'<ul class="{kind}">{"".join(f"<li>{prose(item)}</li>" for item in items)}</ul>'


def _section(title: str, body: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{text(title)}</h2>{body}</section>' if body else ""


def verdict(told: Handover) -> str:
    """In one line, for whoever reads no further."""
    tested = sum(line.status == "ok" for line in told.lines)
    words = f"{tested} well" + (f", {told.findings} finding{'s' if told.findings != 1 else ''}" if told.findings else "")
    return f"{words}; {len(told.not_tested)} not tested"


def _header(told: Handover) -> str:
    kind = "bad" if told.findings else "well"
    by = ", ".join(filter(None, (told.installer, told.company)))
    return (
        f'<header class="{kind}"><p class="what">Handover report</p><h1>{text(told.place)}</h1><p class="door">{text(told.site)} / '
        f'{text(told.door)}</p><p class="verdict">{text(verdict(told))}</p><p class="who"><span>For <b>{text(told.customer)}</b></span>'
        f"<span>by <b>{text(by)}</b></span><span>{told.made_at.astimezone():%d %B %Y, %H:%M %Z}</span></p></header>"
    )


def _findings(told: Handover) -> str:
    bad = [line for line in told.lines if line.status in ("fault", "unsure")]
    return _section("To be mended", "".join(_line(line) for line in bad), "bad")


def _tested(told: Handover) -> str:
    good = [line for line in told.lines if line.status not in ("fault", "unsure")]
    return _section("Tested, and well", f'<div class="lines">{"".join(_line(line) for line in good)}</div>')


def _line(line: Line) -> str:
    said = f'<p class="said">{prose(line.said)}</p>' if line.said else ""
    remark = f'<p class="remark">{prose(line.remark)}.</p>' if line.remark else ""
    return (
        f'<div class="line {line.status}"><div class="mark" aria-hidden="true">{MARK[line.status]}</div><div><h3>{text(line.title)} '
        f'<span class="word">{WORD[line.status]}</span></h3>{said}{"".join(map(fault, line.faults))}{remark}'
        f"{figures(line.measured)}</div></div>"
    )


def _untested(told: Handover) -> str:
    fitted = f"<h3>Not fitted at this door</h3>{_list(told.not_fitted)}" if told.not_fitted else ""
    return _section("Not tested", _list(told.not_tested) + fitted, "quiet")


def _by_hand(told: Handover) -> str:
    words = "<p>No program can say this. Try it together, and tick what was seen.</p>"
    return _section("To be tried by hand", words + _list(told.by_hand, "boxes"))


def _pictures(pictures: Mapping[str, bytes]) -> str:
    shown = "".join(_figure(name, pictures[name]) for name in CAPTIONS if name in pictures)
    return _section("Camera and floor", shown or "<p>No picture: nobody was asked, or somebody did not agree.</p>")


def _figure(name: str, jpeg: bytes) -> str:
    data, words = base64.b64encode(jpeg).decode(), text(CAPTIONS[name])
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{words}"><figcaption>{words}</figcaption></figure>'


def _table(rows: Iterable[tuple[str, str]], kind: str = "") -> str:
    cells = "".join(f"<tr><th>{text(name[:1].upper() + name[1:])}</th><td>{text(value)}</td></tr>" for name, value in rows)
    return f'<table class="{kind}">{cells}</table>'


def _wiring(told: Handover) -> str:
    return _section("Wiring", _table(told.wiring))


def _privacy(told: Handover) -> str:
    return _section("People's data", _list(told.privacy) + "<p>Facts to act by, and no legal advice.</p>")


def _machine(told: Handover) -> str:
    machine = told.machine
    rows = [*machine.versions.items(), ("clock", machine.clock), ("configuration", machine.config)]
    sums = [(model.role.replace("_", " "), model.sha256) for model in machine.models]
    return _section("What runs there", _table(rows) + "<h3>Networks, by SHA-256</h3>" + _table(sums, "sums"))


def _acceptance(told: Handover) -> str:
    note = f"<p>{prose(told.note)}</p>" if told.note else ""
    said = (
        f"<p>Accepted for the customer by <b>{text(told.accepted_by)}</b>, as the installer typed it.</p>"
        if told.accepted_by
        else ""
    )
    lines = "".join(
        f'<div class="sign"><p>{role}</p><div></div><p class="under">{text(name) or "Name"}</p><div></div>'
        '<p class="under">Place, date</p><div></div><p class="under">Signature</p></div>'
        for role, name in (("Handed over by the installer", told.installer), ("Accepted for the customer", told.accepted_by))
    )
    words = ("<p>With their signatures both say that they have read this report, its findings and what was not tested, and that the "
             "points above were tried by hand as ticked.</p>")  # fmt: skip
    return _section("Acceptance", f'{note}{said}{words}<div class="signs">{lines}</div>', "acceptance")


def _footer(told: Handover) -> str:
    signed = (f"Signed by the door's own key, fingerprint <b>{text(told.signer)}</b>. <code>doorward commission verify FILE</code> says "
              "whether anything in this file was changed since." if told.signer else
              "<b>NOT SIGNED: this door has no key yet.</b> Pair it, then <code>doorward commission --only report</code>.")  # fmt: skip
    return (
        f"<footer><p>{signed}</p><p>It shows what was seen on that day; it is no certificate. A paper copy is as good as the signatures on "
        "it.</p></footer>"
    )


STYLE = """
:root{color-scheme:light;--paper:#f6f5f2;--card:#fff;--ink:#1d2021;--soft:#5c6166;--line:#dcdad4;--ok:#1d7a46;--fault:#b3261e;
--unsure:#8a5a00;--tint:#fbeceb}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:.95rem/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
overflow-wrap:anywhere;-webkit-print-color-adjust:exact;print-color-adjust:exact}
header{padding:2rem 1.25rem 1.6rem;color:#fff;background:var(--ok)}
header.bad{background:#8a3b12}
header>*{max-width:50rem;margin:0 auto}
header .what{font-size:.85rem;letter-spacing:.08em;text-transform:uppercase;opacity:.85}
h1{font-size:clamp(1.8rem,6vw,2.6rem);line-height:1.15;letter-spacing:-.01em;margin:.1rem auto .1rem}
header .door{opacity:.85}
header .verdict{font-size:1.15rem;font-weight:600;margin:.7rem auto .5rem}
header .who{display:flex;flex-wrap:wrap;gap:.1rem 1.4rem}
main,footer{max-width:52.5rem;margin:0 auto;padding:0 1.25rem}
section{margin:1rem 0;padding:1rem 1.1rem;background:var(--card);border:1px solid var(--line);border-radius:.6rem}
section.bad{border-color:var(--fault)}
h2{font-size:1.15rem;line-height:1.3;margin:0 0 .6rem}
h3{font-size:1rem;line-height:1.35;margin:0}
section>h3{margin:1rem 0 .3rem}
p{margin:.2rem 0}
.line{display:grid;grid-template-columns:1.7rem 1fr;gap:.7rem;padding:.5rem 0;border-top:1px solid var(--line)}
.line:first-of-type{border-top:0;padding-top:0}
.mark{width:1.7rem;height:1.7rem;border-radius:50%;display:grid;place-items:center;font-weight:700;color:#fff;background:var(--soft)}
.ok .mark{background:var(--ok)}.fault .mark{background:var(--fault)}.unsure .mark{background:var(--unsure)}
.word{font-weight:500;font-size:.85rem;color:var(--soft);margin-left:.3rem}
.ok .word{color:var(--ok)}.fault .word{color:var(--fault)}.unsure .word{color:var(--unsure)}
.remark{color:var(--unsure);font-weight:600}
dl.fault{display:grid;grid-template-columns:auto 1fr;gap:.25rem .9rem;margin:.4rem 0;padding:.6rem .8rem;background:var(--tint);
border-radius:.4rem}
dt{font-weight:600;color:var(--soft)}dd{margin:0}
.figures{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;font-size:.85rem;color:var(--soft);font-variant-numeric:tabular-nums}
ul{margin:.2rem 0;padding-left:1.2rem}
ul.boxes{list-style:none;padding:0}
ul.boxes li{padding:.3rem 0 .3rem 2rem;position:relative}
ul.boxes li::before{content:"";position:absolute;left:0;top:.42rem;width:1.15rem;height:1.15rem;border:1.5px solid var(--ink);
border-radius:.2rem}
figure{margin:.4rem 0 1rem}figure:last-child{margin-bottom:0}
img{display:block;width:100%;height:auto;border-radius:.4rem}
figcaption{font-size:.85rem;color:var(--soft);margin-top:.3rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.22rem .6rem .22rem 0;border-top:1px solid var(--line)}
tr:first-child>*{border-top:0}
th{font-weight:500;color:var(--soft);width:11rem}
.sums td{font:.78rem/1.5 ui-monospace,Menlo,Consolas,monospace}
code{font:.92em ui-monospace,Menlo,Consolas,monospace;background:#0000000f;padding:.05em .3em;border-radius:.25em}
.signs{display:grid;grid-template-columns:1fr 1fr;gap:1.6rem;margin-top:.8rem}
.sign>div{height:2.4rem;border-bottom:1px solid var(--ink)}
.sign>p:first-child{font-weight:600}
.under{font-size:.8rem;color:var(--soft);margin:0}
footer{padding-top:.2rem;padding-bottom:2rem;font-size:.85rem;color:var(--soft)}
.lines{display:grid;grid-template-columns:1fr 1fr;column-gap:1.6rem}
.lines .line:nth-child(2){border-top:0;padding-top:0}
@media(max-width:34rem){.lines{display:block}.lines .line:nth-child(2){border-top:1px solid var(--line);padding-top:.5rem}}
@media(max-width:34rem){th{width:7.5rem}.signs{grid-template-columns:1fr}}
@page{size:A4;margin:14mm 13mm}
@media print{html{font-size:12.5px}body{background:#fff}header{padding:5mm;border-radius:2mm}header>*{max-width:none}
main,footer{padding:0;max-width:none}
section{border:0;border-top:.4mm solid var(--line);border-radius:0;padding:3mm 0;margin:2mm 0}
.line,figure,tr,.sign,ul.boxes li,dl.fault{break-inside:avoid}h2,h3{break-after:avoid}.acceptance{break-inside:avoid}
figure img{max-height:88mm;width:auto;max-width:100%}h2{margin-bottom:1.5mm}.line{padding:1.2mm 0}
th,td{padding:.5mm 2mm .5mm 0}.sign>div{height:8mm}}
"""
