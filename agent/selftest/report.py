"""The report of a self-test: one HTML file that needs nothing else, to show and to hand over, and the same as JSON."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from agent.errors import ConfigError
from agent.ownership import give_to_owner_of
from agent.selftest.installer import MARK, WORD
from agent.selftest.result import SOUND, Report, Result
from agent.selftest.words_html import fault, figures, prose, text


def save_report(folder: Path, report: Report) -> list[Path]:
    """Writes selftest-SITE-DOOR-DATE.html and .json. Raises ConfigError when the folder cannot be written."""
    stem = f"selftest-{report.site}-{report.door}-{report.made_at:%Y%m%d-%H%M%S}"
    page, data = folder / f"{stem}.html", folder / f"{stem}.json"
    try:
        page.write_text(to_html(report), "utf-8")
        data.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        give_to_owner_of(folder, page, data)
    except OSError as error:
        raise ConfigError(f"{folder}: the report cannot be written: {error.strerror}; name another folder with --out") from error
    return [page, data]


def to_html(report: Report) -> str:
    """A page without scripts, fonts or pictures from elsewhere; readable on a phone and on paper, and by ear."""
    verdict = "Everything is well" if report.well else f"{report.findings} finding{'s' if report.findings != 1 else ''}"
    title = f"Self-test {report.site}/{report.door}"
    parts = [
        f'<header class="{"well" if report.well else "bad"}"><p class="door">{text(report.site)} / {text(report.door)}</p>'
        f"<h1>{verdict}</h1>{_where(report)}<p>Self-test of {report.made_at.astimezone():%d %B %Y, %H:%M %Z}</p></header>",
        "<main>",
        *(_row(result) for result in report.results),
        _picture(report.picture_jpeg),
        _versions(report),
        "</main>",
        "<footer><p>Made by <code>doorward selftest</code>. It shows what was seen on this day; it is no certificate. "
        "A door is safe when"
        " everybody can leave it with the power off: try that by hand.</p></footer>",
    ]
    return f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">' \
           f"<title>{text(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"  # fmt: skip


def _where(report: Report) -> str:
    """Which steps it is about, for whoever reads no further."""
    titles = [result.title for result in report.results if result.status not in SOUND]
    return f'<p class="where">{text(", ".join(titles))}</p>' if titles else ""


def _row(result: Result) -> str:
    said = f'<p class="said">{prose(result.said)}</p>' if result.said else ""
    faults = "".join(map(fault, result.faults))
    mark = f'<div class="mark" aria-hidden="true">{MARK[result.status]}</div>'
    heading = f'<h2>{text(result.title)} <span class="word">{WORD[result.status]}</span></h2>'
    return f'<section class="{result.status}">{mark}<div class="body">{heading}{said}{faults}{figures(result.measured)}</div></section>'


def _picture(jpeg: bytes) -> str:
    if not jpeg:
        return ""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="What the camera saw"><figcaption>What the camera '
        f"saw</figcaption></figure>"
    )


def _versions(report: Report) -> str:
    left = f'<p class="left">Not asked for: {text(", ".join(report.left_out))}.</p>' if report.left_out else ""
    return f"{figures(report.versions, 'versions')}{left}"


STYLE = """
:root{color-scheme:light dark;--paper:#f6f5f2;--card:#fff;--ink:#1d2021;--soft:#5c6166;--line:#dcdad4;--ok:#1d7a46;
--fault:#b3261e;--unsure:#8a5a00;
--tint:#fbeceb}
@media(prefers-color-scheme:dark){:root{--paper:#16181a;--card:#1f2225;--ink:#eceae6;--soft:#a3a8ad;--line:#34383c;
--ok:#5cc58a;--fault:#ff8a80;
--unsure:#f0b849;--tint:#2c1f1e}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
overflow-wrap:anywhere}
header{padding:2.2rem 1.25rem 1.8rem;color:#fff;background:#b3261e}
header.well{background:#1d7a46}
header>*{max-width:46rem;margin:0 auto}
main,footer{max-width:48.5rem;margin:0 auto}
header .where{font-size:1.05rem;margin-bottom:.5rem}
code{font:.92em ui-monospace,Menlo,Consolas,monospace;background:color-mix(in srgb,currentColor 9%,transparent);
padding:.05em .3em;border-radius:.25em}
header .door{font-weight:600;opacity:.9}
header h1{font-size:clamp(1.8rem,6vw,2.6rem);line-height:1.15;font-weight:700;letter-spacing:-.01em;margin:.2rem auto .35rem}
main{padding:1rem 1.25rem}
section{display:grid;grid-template-columns:2rem 1fr;gap:.75rem;padding:.9rem 1rem;margin:.6rem 0;background:var(--card);
border:1px solid var(--line);
border-radius:.6rem}
section.fault{border-color:var(--fault)}
.mark{width:2rem;height:2rem;border-radius:50%;display:grid;place-items:center;font-weight:700;color:#fff;
background:var(--soft)}
.ok .mark{background:#1d7a46}.fault .mark{background:#b3261e}.unsure .mark,.skipped .mark{background:#8a5a00}
.absent{color:var(--soft)}.absent .mark{background:none;border:1px solid var(--line);color:var(--soft)}
h2{font-size:1.06rem;line-height:1.3;margin:.2rem 0 0}
.word{font-weight:500;font-size:.85rem;color:var(--soft);margin-left:.35rem}
.ok .word{color:var(--ok)}section.fault .word{color:var(--fault)}.unsure .word,.skipped .word{color:var(--unsure)}
.said{margin:.15rem 0 0}
dl.fault{display:grid;grid-template-columns:auto 1fr;gap:.35rem .9rem;margin:.6rem 0 0;padding:.7rem .85rem;
background:var(--tint);border-radius:.4rem}
dl.fault dt{font-weight:600;color:var(--soft)}dl.fault dd{margin:0}
dl.fault dt:first-of-type+dd{font-weight:600}
.figures{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:.5rem 0 0;font-size:.85rem;color:var(--soft);
font-variant-numeric:tabular-nums}
.figures b{font-weight:600}.figures span{white-space:normal}
.versions{margin:1.6rem 0 0;padding-top:.8rem;border-top:1px solid var(--line)}
.left{font-size:.85rem;color:var(--soft);margin:.3rem 0 0}
figure{margin:1.2rem 0 0}figure img{max-width:100%;border-radius:.6rem;display:block}figcaption{font-size:.85rem;
color:var(--soft);margin-top:.3rem}
footer{padding:.5rem 1.25rem 3rem;color:var(--soft);font-size:.85rem}
@media(max-width:30rem){dl.fault{grid-template-columns:1fr;gap:0 .9rem}dl.fault dd{margin-bottom:.45rem}}
@media print{body{background:#fff}header{-webkit-print-color-adjust:exact;print-color-adjust:exact}
section{break-inside:avoid}}
"""
