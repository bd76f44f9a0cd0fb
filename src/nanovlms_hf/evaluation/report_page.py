"""The frame of the report: one HTML page with its style inside, that asks the network for nothing.

The content security policy makes the browser keep that promise: only pictures in `data:` addresses are shown.
"""

from html import escape

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_COLOURS = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d5dae0; --accent: #1f5fbf; --other: #8a94a0;
  --valid: #b3470a; --right: #14713a; --wrong: #9b0f20; --wrong-back: #ffdcd9; --track: #e8ebef;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101317; --card: #191e24; --ink: #e5e9ee; --soft: #9aa5b1; --line: #333b45; --accent: #6ea8fe;
    --other: #76818d; --valid: #f0a35e; --right: #5fd08a; --wrong: #ffc4be; --wrong-back: #6b1a20; --track: #262d35;
  }
}
"""

_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 40px 0 8px; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 6px 0; max-width: 75ch; }
.soft { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.verdict { font-size: 1.1rem; margin: 12px 0; }
.headline { display: grid; gap: 16px; grid-template-columns: 3fr 2fr; }
.tiles { display: grid; gap: 16px 12px; grid-template-columns: 1fr 1fr; align-content: start; margin: 0; }
.tiles dt { color: var(--soft); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.3rem; font-weight: 650; line-height: 1.25; }
.tiles dd small { display: block; font-size: .8rem; font-weight: 400; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 6px; }
th { text-align: left; font-weight: 500; }
thead th { color: var(--soft); font-size: .85rem; vertical-align: bottom; }
th, td { padding: 5px 10px 5px 0; }
.types tbody tr { border-top: 1px solid var(--line); }
.types td, .types thead th:not(:first-child), .number { text-align: right; white-space: nowrap; }
.bars .first { font-weight: 700; }
.bars td.bar { width: 45%; min-width: 110px; }
.bars .value { font-weight: 700; text-align: right; }
.bars td.number { font-weight: 400; }
.track { height: 18px; background: var(--track); border-radius: 4px; overflow: hidden; }
.fill { height: 100%; background: var(--other); }
.first .fill { background: var(--accent); }
.stages, .pictures { display: grid; gap: 16px; }
.stages { grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); }
.pictures { grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); align-items: start; margin-top: 14px; }
.curve { display: block; width: 100%; height: auto; margin-top: 8px; }
.curve text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.curve line, .curve polyline { fill: none; stroke-width: 1.6; }
.curve .grid { stroke: var(--line); stroke-width: .7; }
.curve .axis { stroke: var(--soft); stroke-width: 1; }
.curve .train { stroke: var(--accent); }
.curve .valid { stroke: var(--valid); }
.curve polyline.valid, .curve line.valid { stroke-dasharray: 5 3; }
.curve circle.train { fill: var(--accent); }
.curve circle.valid { fill: var(--valid); }
.top { display: flex; gap: 14px; align-items: flex-start; }
.top img { width: 136px; height: 136px; object-fit: contain; border-radius: 6px; flex: none; }
.top .f1 { font-size: 1.4rem; font-weight: 700; line-height: 1.2; }
.label { color: var(--soft); font-size: .8rem; display: block; }
.words { margin: 10px 0 6px; overflow-wrap: anywhere; white-space: pre-line; }
mark { color: inherit; background: none; border-radius: 3px; cursor: help; }
mark.right { text-decoration: underline solid var(--right) 2px; text-underline-offset: 3px; }
mark.wrong { background: var(--wrong-back); color: var(--wrong); font-weight: 650; padding: 0 2px; }
mark.wrong::after { content: "\\2009\\2717"; content: "\\2009\\2717" / " (wrong)"; font-size: .8em; }
ul.facts { list-style: none; margin: 0; padding: 0; font-size: .9rem; }
ul.facts li { padding-left: 1.3em; text-indent: -1.3em; }
ul.facts li::before { display: inline-block; width: 1.3em; text-indent: 0; content: "\\2013"; }
ul.facts .wrong::before { content: "\\2717"; }
ul.facts .none::before { content: "\\2713"; }
ul.facts .wrong { color: var(--wrong); font-weight: 600; }
ul.facts .missed { color: var(--soft); }
ul.facts .none { color: var(--right); }
details { margin-top: 8px; border-top: 1px solid var(--line); padding-top: 6px; font-size: .9rem; }
summary { cursor: pointer; color: var(--soft); }
ul.notes { padding-left: 1.2em; max-width: 75ch; }
@media (max-width: 760px) {
  .headline { grid-template-columns: 1fr; }
  main { padding-top: 14px; }
  .top img { width: 112px; height: 112px; }
  .card { padding: 12px; }
}
@media (max-width: 480px) {
  th, td { padding-right: 6px; font-size: .88rem; }
  .bars td.bar { width: 25%; min-width: 48px; }
  .types th:first-child { min-width: 92px; }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --accent: #1f5fbf; --other: #8a94a0;
    --valid: #b3470a; --right: #14713a; --wrong: #9b0f20; --wrong-back: #ffdcd9; --track: #e8ebef;
  }
  body { font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  .card, figure, tr { break-inside: avoid; }
  .pictures, .stages { grid-template-columns: 1fr 1fr; }
  h2 { break-after: avoid; }
}
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole HTML document.

    Args:
        title (`str`): plain text; escaped here.
        body (`str`): HTML of everything below the main heading.
        style (`str`, *optional*): further CSS.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_COLOURS}{_STYLE}{style}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


__all__ = ["page"]
